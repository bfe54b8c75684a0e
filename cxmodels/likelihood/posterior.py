"""Draws plausible parameter values: the likelihood joined with a wide, unit-free prior.

The peak and its curvature give a first guess (Laplace), widened to a t distribution; importance
weights correct it, and their k-hat says whether that was enough. Where it was not, the guess is
refitted to what the weights showed, as a mixture; where that fails too, a sampler takes over.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.likelihood.objective import Derivatives, Objective, RealScale
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.importance import (
    Mixture,
    Smoothed,
    StudentT,
    grouped,
    pareto_smooth,
    systematic,
)
from cxmodels.numerics.optimise import climb
from cxmodels.numerics.sampler import ensemble
from cxmodels.numerics.transforms import Space, Support
from cxmodels.results.draws import TRUSTED, Draws
from cxmodels.results.estimate import Estimate

GOOD = 0.5  # k-hat from which the proposal is refitted: weights then have no finite variance
SURE = 0.3  # k-hat of a few points up to which many are drawn without a refit
FIRST_FREEDOM, NEXT_FREEDOM = 7.0, 4.0  # of the t proposals
FEWEST_PROPOSALS = 500  # below, k-hat itself is too noisy to be trusted
MODEST = 1_000  # draws up to which each round has as many points as are asked for
ROUNDS = 8  # refits of the proposal; tails come into sight only round by round
POOLED = 3  # last rounds that are joined into one
SETTLED, SAFE = 0.6, 0.2  # effective share and k-hat of a round that ends the refits
STEADY = 1.25  # ratio of effective shares within which the last rounds are as good as it gets
WORTH = 0.2  # effective draws that must be reached, as a share of those asked for
WIDER = 2.0  # refitted groups are widened, since a first guess misses tails without a trace
FEWEST_WALKERS = 32
WIDE, EVEN = 3.0, 1.8  # standard deviations of the prior where none is given


@dataclass(frozen=True)
class NormalPrior:
    """Independent normal priors on the real coordinates of the parameters.

    unit_free: on log(theta / scale), with the data's own scale of time and money, so that hours
    or weeks, cents or euros give one answer; otherwise on log(theta) in the units as they are.
    """

    mean: float | Floats = 0.0
    sd: float | Floats = 3.0
    unit_free: bool = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean).all() and (np.asarray(self.sd) > 0.0).all()):
            raise OptionError("a prior needs finite means and standard deviations above 0")

    def placed(self, view: RealScale) -> tuple[Floats, Floats]:
        """Mean and standard deviation (k,) in real coordinates."""
        scales, parameters = view.scales, view.objective.space.parameters
        names = ", ".join(view.objective.space.names)
        try:
            mean = np.broadcast_to(np.asarray(self.mean, dtype=np.float64), scales.shape).copy()
            sd = np.broadcast_to(np.asarray(self.sd, dtype=np.float64), scales.shape).copy()
        except ValueError:
            raise OptionError(
                f"a prior has one mean and sd, or one for each of the {scales.size} parameters: "
                f"{names}"
            ) from None
        if not self.unit_free:
            positive = np.array([item.support is Support.POSITIVE for item in parameters])
            number = np.array([item.support is Support.REAL for item in parameters])
            mean[positive] -= np.log(scales[positive])
            mean[number] /= scales[number]
            sd[number] /= scales[number]
        return mean, sd


def wide_prior(space: Space) -> NormalPrior:
    """Normal(0, 3) on log(parameter / data's own scale); where a parameter has two ends, normal(0,
    1.8) on the logit between them, which is close to uniform (3 would favour the ends)."""
    two_ends = [item.support in (Support.UNIT, Support.SIGNED) for item in space.parameters]
    return NormalPrior(sd=np.where(two_ends, EVEN, WIDE))


@dataclass(frozen=True)
class Target:
    """Log posterior density in real coordinates, up to a constant."""

    view: RealScale
    mean: Floats
    sd: Floats

    def log_density(self, real: Floats) -> Floats:
        """Log density (n,) at real coordinates (n, k); minus infinity where not finite."""
        prior = -0.5 * (((real - self.mean) / self.sd) ** 2).sum(axis=1)
        return np.asarray(self.view.log_likelihood(real) + prior)

    def derivatives(self, real: Floats) -> Derivatives:
        """Value, gradient and Hessian at real coordinates (k,)."""
        likelihood, away = self.view.derivatives(real), (real - self.mean) / self.sd
        return Derivatives(
            likelihood.value - 0.5 * float(away @ away),
            likelihood.gradient - away / self.sd,
            likelihood.hessian - np.diag(self.sd**-2.0),
        )


@dataclass(frozen=True)
class _Round:
    """Points drawn from one proposal, their log posterior density and smoothed weights."""

    points: Floats
    heights: Floats
    smoothed: Smoothed
    method: str


def sample(
    objective: Objective,
    estimate: Estimate,
    *,
    draws: int = 4_000,
    seed: int | np.random.Generator = 1,
    prior: NormalPrior | None = None,
) -> Draws:
    """Equal-weight posterior draws of the natural parameters; the same ones for the same seed.

    Args:
        objective: log likelihood of the data; estimate: its maximum, where the search begins.
        draws: how many; seed: a number or a Generator.
        prior: None for `wide_prior`.

    Returns: draws with k-hat, their effective number and the method that made them.
    Errors: OptionError for fewer than one draw; FitError if no point has a finite posterior.
    """
    if draws < 1:
        raise OptionError(f"at least one draw is needed, got {draws}")
    rng, view = generator(seed), RealScale(objective)
    target = Target(view, *(prior or wide_prior(view.objective.space)).placed(view))
    laplace = _laplace(target, estimate.real)
    n = max(draws, FEWEST_PROPOSALS)
    pilot = n if n <= MODEST else FEWEST_PROPOSALS * max(1, objective.space.size // 4)
    made = _importance(target, laplace, pilot, rng, "Laplace, importance sampling")
    if made.smoothed.pareto_k <= SURE and n > pilot:
        more = _importance(target, laplace, n - pilot, rng, made.method)
        made = _joined([made, more], [laplace, laplace], made.method)
    if made.smoothed.pareto_k > GOOD or len(made.points) < n:
        refitted = _adapted(target, laplace, made, (pilot, n), rng)
        whole = [tried for tried in (made, refitted) if len(tried.points) >= n]
        made = min(whole, key=lambda tried: tried.smoothed.pareto_k)
        if not _enough(made, n) and n > pilot:  # few points missed a tail: more may see it
            again = _adapted(target, laplace, made, (n, n), rng, rounds=POOLED)
            made = min((made, again), key=lambda tried: tried.smoothed.pareto_k)
    if not _enough(made, n):
        return _sampled(target, made, draws, rng)
    chosen = systematic(made.smoothed.weights, draws, rng)
    effective = min(made.smoothed.effective, float(draws))
    return _draws(target, made.points[chosen], made, effective, made.method)


def _enough(made: _Round, n: int) -> bool:
    """Whether weighted points can stand for n draws."""
    found = made.smoothed
    return found.pareto_k <= TRUSTED and found.effective >= WORTH * n


def _adapted(
    target: Target,
    laplace: Mixture,
    first: _Round,
    sizes: tuple[int, int],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> _Round:
    """Refits the proposal round by round with few points, then draws many, and joins the last."""
    few, many = sizes
    made, proposals, found = first, [laplace], [first]
    for _ in range(rounds):
        proposals.append(_refitted(made, laplace, rng))
        made = _importance(target, proposals[-1], few, rng, first.method)
        found.append(made)
        if len(found) > POOLED and _settled(found[-POOLED:]):
            break
    if many > few:
        proposals.append(_refitted(made, laplace, rng))
        found.append(_importance(target, proposals[-1], many, rng, first.method))
    return _joined(found[-POOLED:], proposals[-POOLED:], "t mixture, importance sampling")


def _settled(last: list[_Round]) -> bool:
    """Whether the last refits leave nothing to gain: sound weights that have stopped improving."""
    shares = [each.smoothed.effective / len(each.points) for each in last]
    if last[-1].smoothed.pareto_k < SAFE and shares[-1] > SETTLED:
        return True
    sound = all(each.smoothed.pareto_k < SAFE for each in last)
    return sound and max(shares) < STEADY * min(shares)


def _joined(rounds: list[_Round], proposals: list[Mixture], method: str) -> _Round:
    """Rounds as one, each point weighted by the mean of all their proposals.

    The balance heuristic of Veach and Guibas (1995): a point missed by one proposal is covered by
    the others.
    """
    points = np.concatenate([each.points for each in rounds])
    heights = np.concatenate([each.heights for each in rounds])
    log_shares = np.log([len(each.points) / len(points) for each in rounds])
    densities = [
        share + proposal.log_density(points)
        for share, proposal in zip(log_shares, proposals, strict=True)
    ]
    ratios = heights - scipy.special.logsumexp(densities, axis=0)
    return _Round(points, heights, pareto_smooth(ratios), method)


def _draws(target: Target, real: Floats, made: _Round, effective: float, method: str) -> Draws:
    names = target.view.objective.space.names
    return Draws(names, target.view.natural(real), made.smoothed.pareto_k, effective, method)


def _laplace(target: Target, estimate: Floats) -> Mixture:
    """A t distribution at the posterior mode with the curvature's covariance."""
    near = np.clip(estimate, target.mean - 2.0 * target.sd, target.mean + 2.0 * target.sd)
    climbs = [climb(target.derivatives, near), climb(target.derivatives, target.mean)]
    best = max(climbs, key=lambda found: found.value)
    if not np.isfinite(best.value):
        raise FitError("the posterior density is not finite anywhere near the estimate")
    bends, axes = np.linalg.eigh(-best.surface.hessian)
    spread = (axes / np.maximum(bends, target.sd.max() ** -2.0)) @ axes.T  # no wider than the prior
    return Mixture((StudentT.of(best.point, spread, FIRST_FREEDOM),), (1.0,))


def _importance(
    target: Target, proposal: Mixture, n: int, rng: np.random.Generator, method: str
) -> _Round:
    points = proposal.draw(n, rng)
    heights = target.log_density(points)
    return _Round(points, heights, pareto_smooth(heights - proposal.log_density(points)), method)


def _refitted(made: _Round, laplace: Mixture, rng: np.random.Generator) -> Mixture:
    """A mixture of t distributions fitted to the weighted points, with the first guess kept.

    The points, resampled by their weights, are split into groups; each group gives one t with
    the group's moments. One wide t over all of them, and the Laplace t, guard the tails.
    """
    k = made.points.shape[1]
    points = made.points[systematic(made.smoothed.weights, len(made.points), rng)]
    overall = np.atleast_2d(np.cov(points.T)) + 1e-9 * np.eye(k)
    white = (points - points.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(overall)).T
    label = grouped(white, 4 + 2 * k, rng)
    parts, shares = [], []
    for place in np.unique(label):
        held = points[label == place]
        if len(np.unique(held[:, 0])) > 2 * k:
            spread = WIDER * np.atleast_2d(np.cov(held.T)) + 0.02 * overall
            parts.append(StudentT.of(held.mean(axis=0), spread, NEXT_FREEDOM))
            shares.append(0.8 * len(held) / len(points))
    parts += [StudentT.of(points.mean(axis=0), 2.0 * overall, NEXT_FREEDOM), *laplace.parts]
    shares += [0.15, 0.05]
    return Mixture(tuple(parts), tuple(np.array(shares) / sum(shares)))


def _sampled(target: Target, best: _Round, draws: int, rng: np.random.Generator) -> Draws:
    """Draws by the ensemble sampler, started at the weighted points."""
    k = best.points.shape[1]
    walkers = max(FEWEST_WALKERS, 4 * k)
    log_density: Callable[[Floats], Floats] = target.log_density
    possible = np.flatnonzero(np.isfinite(best.smoothed.log_weights))
    tempered = np.exp(0.5 * best.smoothed.log_weights[possible])  # spreads the start
    chosen = possible[systematic(tempered / tempered.sum(), walkers, rng)]
    spread = best.points[possible].std(axis=0) + 0.01 * target.sd
    initial = best.points[chosen] + 1e-3 * spread * rng.standard_normal((walkers, k))
    walk = ensemble(log_density, initial, draws=draws, rng=rng)
    method = "ensemble sampler" + ("" if walk.settled else ", not settled")
    return _draws(target, walk.draws, best, walk.effective, method)
