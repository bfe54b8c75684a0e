"""Weights that make one group look like another: inverse probability, overlap, entropy balance.

Inverse probability in Hajek's form (Hirano, Imbens and Ridder 2003, Econometrica 71), overlap
weights (Li, Morgan and Zaslavsky 2018, Journal of the American Statistical Association 113) and
entropy balancing (Hainmueller 2012, Political Analysis 20, equations 6 to 8), solved to the
optimum of its dual. Weights are w_i = w(u_i'g) with coefficients g that were estimated as well:
each unit's influence on g is kept, so that errors can allow for it (`weighted_effect`).
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.observed_groups import Groups
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.regression.generalised_linear import Kind, independent, regress, solve

MOST_STEPS = 200
CLOSE, NEAR = 1e-13, 1e-9  # gaps, in standard deviations: sought, and accepted
SMALL = 1e-3  # gap below which full steps that halve it are taken: the height cannot tell any more
ATT, ATE, ATO = "att", "ate", "ato"


@dataclass(frozen=True, eq=False)
class Propensity:
    """score (n,): probability of treatment; odds (n,): its log odds; u (n, d): columns, a constant
    first; influence (n, d): of each unit on the coefficients."""

    score: Floats
    odds: Floats
    u: Floats
    influence: Floats


@dataclass(frozen=True, eq=False)
class Tilt:
    """weights (n,) and their derivative slope (n,) in the own index; target (n,) and its own: how
    much a unit counts in the population that is asked about; u (n, d); influence of each unit on
    the coefficients behind the weights of treated and of controls, (n, d) each."""

    weights: Floats
    slope: Floats
    target: Floats
    target_slope: Floats
    u: Floats
    of_treated: Floats
    of_controls: Floats


def propensity(groups: Groups) -> Propensity:
    """Logit of the arm on all covariates.

    Raises: FitError where covariates repeat each other, or tell treated and controls apart.
    """
    u = np.column_stack([np.ones(len(groups.treated)), groups.x])
    names = ("const", *groups.x_names)
    d = groups.treated.astype(np.float64)
    independent(u, names)
    try:
        fit = regress(d, u, names, Kind.YES_NO)
    except FitError:
        raise FitError(
            "covariates tell treated and controls apart, so that there is no propensity score: "
            "leave out what decides on treatment, join rare values, or compare fewer units"
        ) from None
    odds = u @ fit.coefficients
    score = np.asarray(Kind.YES_NO.mean(odds))
    influence = ((d - score)[:, None] * u) @ solve(fit.information, np.eye(len(names)))
    return Propensity(score, odds, u, influence)


def probability_weights(treated: Bools, found: Propensity, estimand: str) -> Tilt:
    """1 and p / (1 - p) for "att"; 1 / p and 1 / (1 - p) for "ate"; 1 - p and p for "ato"."""
    p, one = found.score, np.ones_like(found.score)
    spread = p * (1.0 - p)
    if estimand == ATT:
        odds = np.exp(found.odds)
        w, slope = np.where(treated, 1.0, odds), np.where(treated, 0.0, odds)
        target, bent = treated.astype(np.float64), np.zeros_like(p)
    elif estimand == ATE:
        w = np.where(treated, 1.0 / p, 1.0 / (1.0 - p))
        slope = np.where(treated, -(1.0 - p) / p, p / (1.0 - p))
        target, bent = one, np.zeros_like(p)
    else:
        w, slope = np.where(treated, 1.0 - p, p), np.where(treated, -spread, spread)
        target, bent = spread, spread * (1.0 - 2.0 * p)
    return Tilt(w, slope, target, bent, found.u, found.influence, found.influence)


def entropy_weights(groups: Groups, estimand: str) -> Tilt:
    """Weights as equal as they can be with means equal to those of the treated, or of all units.

    Raises: FitError where no weights do that, naming the covariate that is farthest off.
    """
    x, treated = groups.x, groups.treated
    n = len(treated)
    target = treated.astype(np.float64) if estimand == ATT else np.ones(n)
    aim = target @ x / target.sum()
    w, slope = np.ones(n), np.zeros(n)
    influence = []
    for own in (treated, ~treated):
        if estimand == ATT and own is treated:
            influence.append(np.zeros_like(x))
            continue
        share = _balanced(x[own], aim, groups.x_names)
        w[own] = slope[own] = share * own.sum()
        z = x - aim
        bend = (z[own] * w[own, None]).T @ z[own]
        moment = np.where(own, w, 0.0)[:, None] * z
        moment -= (w[own].sum() / target.sum()) * target[:, None] * z
        influence.append(-moment @ inverse_of(bend))
    return Tilt(w, slope, target, np.zeros(n), x - aim, influence[0], influence[1])


def _balanced(x: Floats, aim: Floats, names: tuple[str, ...]) -> Floats:
    """(m,) weights that sum to 1 with x'w = aim, of the largest entropy: Newton on
    log sum exp((x - aim)'l), which is convex, with steps halved until it falls."""
    size = x.std(axis=0)
    size = np.where(size > 0.0, size, 1.0)
    z = (x - aim) / size
    at = np.zeros(z.shape[1])
    height, w = _height(z, at)
    for _ in range(MOST_STEPS):
        gap = w @ z
        if np.abs(gap).max() < CLOSE:
            return w
        step = inverse_of((z * w[:, None]).T @ z - np.outer(gap, gap)) @ gap
        for halvings in range(40):
            there = at - 0.5**halvings * step
            new, moved = _height(z, there)
            enough = new < height - 1e-4 * 0.5**halvings * float(gap @ step)
            if enough or np.abs(moved @ z).max() < 0.5 * np.abs(gap).max() < SMALL:
                break
        else:
            break
        at, height, w = there, new, moved
    gap = np.abs(w @ z)
    if gap.max() < NEAR:
        return w
    worst = int(np.argmax(gap))
    raise FitError(
        f"no weights balance the groups: {names[worst]!r} is out of reach, with a mean of "
        f"{aim[worst]:.4g} asked for and values from {x[:, worst].min():.4g} to "
        f"{x[:, worst].max():.4g}, given the other covariates. Leave columns out, or match"
    )


def _height(z: Floats, at: Floats) -> tuple[float, Floats]:
    index = z @ at
    top = float(index.max())
    w = np.exp(index - top)
    total = float(w.sum())
    return top + float(np.log(total)), w / total


def inverse_of(matrix: Floats) -> Floats:
    """Of a symmetric matrix, without the directions in which nothing varies."""
    size = np.sqrt(np.diag(matrix))
    size = np.where(size > 0.0, size, 1.0)
    values, vectors = np.linalg.eigh(matrix / size[:, None] / size)
    kept = values > 1e-11 * max(float(values[-1]), 1e-300)
    vectors, values = vectors[:, kept], values[kept]
    return np.asarray((vectors / values) @ vectors.T / size[:, None] / size)
