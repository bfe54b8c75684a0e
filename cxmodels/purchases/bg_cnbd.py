"""How often regular buyers buy until they quietly leave: intervals less random than chance.

BG/CNBD-k and MBG/CNBD-k. Between two purchases k stages pass, each at rate lambda ~ Gamma(r, rate
alpha): intervals are Erlang-k with mean k / lambda, and k = 1 is BG/NBD and MBG/NBD. After each
purchase (in MBG/CNBD-k the first one too) a customer leaves with probability p ~ Beta(a, b).

Sources: Reutterer, Platzer and Schroeder (2021), Leveraging purchase regularity for predicting
customer behavior the easy way, IJRM 38(1); the idea: Platzer and Reutterer (2016), Ticking away
the moments, Marketing Science 35(5). Expectations are exact sums here, not approximations.

`theta` carries (r, alpha, a, b) on its last axis. A customer known to be alive has a fifth
coordinate there: the time since the last purchase, from which the stages passed since follow; or,
where that many stages are known, minus their number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import scipy

from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.beta_ratio import log_beta_ratio
from cxmodels.numerics.stages import Sought, stage_mean
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.purchases import bg_cnbd_likelihood, bg_nbd, mbg_nbd
from cxmodels.purchases.asked import Asked
from cxmodels.purchases.bg_cnbd_likelihood import Shape, log_no_purchase
from cxmodels.purchases.bg_nbd import log_at_least, split
from cxmodels.purchases.family import PurchaseFamily, Purchases, Survivors
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Rate, Share
from cxmodels.purchases.regular import MOST_STAGES, fit_regular

RATE = Parameter(
    "alpha",
    "rate of the gamma distribution of stage rates, k stages a purchase, in the base's unit",
    dimension=Dimension.TIME,
    low="purchases are as frequent as can be seen in the data",
    high="all customers buy at the same rate",
)


def _space(space: Space) -> Space:
    return Space(tuple(RATE if item.name == "alpha" else item for item in space.parameters))


@dataclass(frozen=True)
class Customers:
    """Customers at time 0 of a window: they have not left with probability exp(stay).

    weights: (..., k) of the stages passed since the last purchase; given j of them lambda ~
    Gamma(s + j, rate alpha); p ~ Beta(a, b).
    """

    stay: Floats
    weights: Floats
    s: Floats
    alpha: Floats
    a: Floats
    b: Floats

    @classmethod
    def of(cls, shape: Shape, theta: Floats) -> "Customers":
        """New customers where theta has four coordinates, known to be alive where it has five."""
        r, alpha, a, b = split(theta)
        if theta.shape[-1] == 4:
            stay = -np.log1p(a / b) if shape.first else np.zeros_like(a)
            weights = np.zeros((*r.shape, shape.k))
            weights[..., 0] = 1.0
            return cls(stay, weights, r, alpha, a, b + shape.first)
        weights = stage_weights(shape.k, r, alpha, theta[..., 4])
        return cls(np.zeros_like(a), weights, r, alpha, a, b)

    @property
    def plain(self) -> Floats:
        """Parameters of the BG/NBD customers they are for k = 1."""
        return np.stack(np.broadcast_arrays(self.s, self.alpha, self.a, self.b), axis=-1)


def stage_weights(k: int, s: Floats, late: Floats, mark: Floats) -> Floats:
    """(..., k): P(j stages passed since the last purchase | fewer than k).

    mark: time since the last purchase, then j stages weigh (s)_j (mark / late)^j / j!; or minus the
    number of stages where it is known.
    """
    weights, w = np.ones((*s.shape, k)), np.maximum(mark, 0.0) / late
    for j in range(1, k):
        weights[..., j] = weights[..., j - 1] * (s + (j - 1)) * w / j
    weights /= weights.sum(axis=-1, keepdims=True)
    known = np.arange(k) == np.rint(-mark)[..., None]
    return np.where(mark[..., None] < 0.0, known, weights)


def p_alive(shape: Shape, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T) = G / (G + a / (b + c - 1)) after c chances to leave, else 1."""
    r, alpha, a, b = split(theta)
    x = np.asarray(x, dtype=np.float64)
    c = x + shape.first
    silent = log_no_purchase(shape.k, r + shape.k * x, alpha + t_x, np.subtract(T, t_x))
    log_odds = np.log(a) - np.log(b + (np.maximum(c, 1.0) - 1.0))
    return np.where(c > 0, scipy.special.expit(silent - log_odds), 1.0)


def alive(shape: Shape, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T: Gamma(r + k x, alpha + T), Beta(a, b + c), silence."""
    r, alpha, a, b = split(theta)
    updated = (r + shape.k * x, alpha + T, a, b + x + shape.first, np.subtract(T, t_x))
    return np.stack(np.broadcast_arrays(*updated), axis=-1)


def _mean(shape: Shape, sought: Sought, theta: Floats, t: Number) -> Floats:
    """exp(stay) times the average sought, at z = t / alpha."""
    it = Customers.of(shape, theta)
    found = stage_mean(sought, it.weights, it.s, it.a, it.b, t / it.alpha)
    return np.exp(it.stay) * found


def survival(shape: Shape, theta: Floats, t: Number) -> Floats:
    """P(alive at t) = E[(1-p)^N(t)]."""
    it = Customers.of(shape, theta)
    if shape.k == 1:
        return np.asarray(np.exp(it.stay) * bg_nbd.survival(it.plain, t))
    return np.where(np.asarray(t) > 0, _mean(shape, Sought.STAYING, theta, t), np.exp(it.stay))


def expected_purchases(shape: Shape, theta: Floats, t: Number) -> Floats:
    """E[X(t)] = sum_n E[(1-p)^n] P(N(t) > n)."""
    it = Customers.of(shape, theta)
    if shape.k == 1:
        return np.asarray(np.exp(it.stay) * bg_nbd.expected_purchases(it.plain, t))
    return np.where(np.asarray(t) > 0, _mean(shape, Sought.EVENTS, theta, t), 0.0)


def purchase_rate(shape: Shape, theta: Floats, t: Number) -> Floats:
    """d E[X(t)] / dt; 0 at t = 0 for a new customer with k > 1."""
    it = Customers.of(shape, theta)
    if shape.k == 1:
        return np.asarray(np.exp(it.stay) * bg_nbd.purchase_rate(it.plain, t))
    return _mean(shape, Sought.RATE, theta, t) / it.alpha


def log_pmf_survivors(shape: Shape, theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t): k n to k n + k - 1 stages have passed, nobody left after n."""
    it, n = Customers.of(shape, theta), np.asarray(n)
    staying = log_beta_ratio(it.a, it.b, n.astype(np.float64))
    z = t / it.alpha
    passed: Number = -np.inf
    for stage in range(shape.k):
        passed = np.logaddexp(passed, _log_stages(it, shape.k * n + stage, z))
    return np.asarray(it.stay + staying + passed)


def _log_stages(it: Customers, stages: Ints, z: Number) -> Floats:
    """log D(l): l stages passed, those before the window included."""
    total: Number = -np.inf
    for j, log_weight in _started(it):
        further = np.maximum(stages - j, 0)
        found = log_weight + bg_nbd.log_negative_binomial(it.s + j, z, further)
        total = np.logaddexp(total, np.where(stages >= j, found, -np.inf))
    return np.asarray(total)


def _started(it: Customers) -> list[tuple[int, Floats]]:
    """j and log weight of the stages passed before the window that are possible at all."""
    with np.errstate(divide="ignore"):  # log 0: impossible
        logs = [np.log(it.weights[..., j]) for j in range(it.weights.shape[-1])]
    return [(j, log) for j, log in enumerate(logs) if not np.isneginf(log).all()]


def log_pmf(shape: Shape, theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): alive after n, or left at purchase n; or, with none, at once."""
    it, n = Customers.of(shape, theta), np.asarray(n)
    last, z = np.maximum(n, 1), t / it.alpha
    leaving = log_beta_ratio(it.a, it.b, last - 1.0)
    leaving = leaving + np.log(it.a / (it.a + it.b + last - 1.0))
    bought: Number = -np.inf
    for j, log_weight in _started(it):
        further = shape.k * last - j
        bought = np.logaddexp(bought, log_weight + log_at_least(it.s + j, z, further))
    with np.errstate(divide="ignore"):  # log 0: nobody leaves at once
        at_once = np.log(-np.expm1(it.stay))
    gone = np.where(n > 0, it.stay + leaving + bought, at_once)
    return np.logaddexp(log_pmf_survivors(shape, theta, n, t), gone)


def simulate_counts(shape: Shape, theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers at 0; theta (m, 4 or 5)."""
    stages, at_start, g = _potential(shape, theta, t, rng)
    counts: Ints = np.minimum((at_start + stages) // shape.k, g)
    return counts


def _potential(
    shape: Shape, theta: Floats, t: Number, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Stages passed by t, stages passed before 0, and the purchase at which customers leave."""
    it = Customers.of(shape, theta)
    below = np.cumsum(it.weights, axis=-1)[..., :-1]
    at_start = (rng.random(it.s.shape)[..., None] > below).sum(axis=-1)
    lam = rng.standard_gamma(it.s + at_start) / it.alpha
    p = rng.beta(it.a, it.b)
    stages, g = rng.poisson(lam * t), rng.geometric(np.maximum(p, 1e-15))
    left = rng.random(it.s.shape) >= np.exp(it.stay)
    return stages, at_start, np.where(left, 0, g)


def simulate(shape: Shape, theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases in (0, t] of customers at 0, straight from the model's story.

    Stages fall evenly into (0, t]; every k-th is a purchase, the first one sooner where stages had
    passed before. Times are normalised sums of gamma steps; those after the customer left go.
    """
    k = shape.k
    stages, at_start, g = _potential(shape, theta, t, rng)
    due = (at_start + stages) // k
    count = np.minimum(due, g)
    customer = np.repeat(np.arange(count.size), count)
    first = np.cumsum(count) - count
    size = np.full(customer.size, float(k))
    size[first[count > 0]] -= at_start[count > 0]
    steps = np.cumsum(rng.standard_gamma(size))
    before = np.concatenate([[0.0], steps])
    elapsed = steps - np.repeat(before[first], count)
    used = np.where(count > 0, k * count - at_start, 0)
    whole = before[first + count] - before[first] + rng.standard_gamma(stages + 1.0 - used)
    time = elapsed / np.repeat(whole, count) * np.broadcast_to(t, count.shape)[customer]
    return Purchases(count, customer, time, due < g)


@dataclass(frozen=True)
class ByStage:
    """Customers alive at a time, by the stages that have passed since their first purchase."""

    shape: Shape

    def at(self, family: PurchaseFamily, theta: Floats, t: float) -> tuple[Floats, Floats]:
        """Probability (m,) and parameters (m, 5) of new customers (4,) who are alive at t."""
        k, it = self.shape.k, Customers.of(self.shape, theta)
        z, most = np.float64(t) / it.alpha, 64
        while scipy.special.betainc(float(most), it.s, z / (1.0 + z)) > 1e-15:
            most *= 2
        stages = np.arange(most)
        n, j = np.divmod(stages, k)
        log = log_beta_ratio(it.a, it.b, n)
        log = it.stay + log + bg_nbd.log_negative_binomial(it.s, z, stages)
        columns = (it.s + k * n, it.alpha + t, it.a, it.b + n, -j.astype(np.float64))
        return np.exp(log), np.stack(np.broadcast_arrays(*columns), axis=-1)


P = ParamSpec("P")
R = TypeVar("R")


def _of_shape(
    formula: Callable[Concatenate[Shape, P], R],
) -> Callable[Concatenate["ErlangFamily", P], R]:
    """A formula of the model as a method of its family."""

    def method(self: "ErlangFamily", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return formula(self.shape, *args, **kwargs)

    return method


class ErlangFamily(FittableFamily):
    """What BG/CNBD-k and MBG/CNBD-k share; they differ in the chances to leave at the start."""

    k: int | None
    first: int
    remembers_recency = True

    @property
    def shape(self) -> Shape:
        """k and first; OptionError where k is yet to be estimated."""
        if self.k is None:
            raise OptionError(
                f"{self.name} with k=None has no formulas before it is fitted: give k, a whole "
                "number of stages, or take fit.family"
            )
        return Shape(self.k, self.first)

    def objective(self, profiles: Profiles) -> HistoriesObjective:
        k = self.shape.k
        return HistoriesObjective.of(
            self, profiles, lambda seen: bg_cnbd_likelihood.starts(k, seen)
        )

    log_likelihood = _of_shape(bg_cnbd_likelihood.log_likelihood)
    rows = _of_shape(bg_cnbd_likelihood.rows)
    alive = _of_shape(alive)
    p_alive = _of_shape(p_alive)
    survival = _of_shape(survival)
    expected_purchases = _of_shape(expected_purchases)
    purchase_rate = _of_shape(purchase_rate)
    log_pmf = _of_shape(log_pmf)
    log_pmf_survivors = _of_shape(log_pmf_survivors)
    simulate_counts = _of_shape(simulate_counts)
    simulate = _of_shape(simulate)


def _prepare(family: ErlangFamily) -> None:
    """Checks k, and sets what follows from it."""
    k = family.k
    if k is None:
        return
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MOST_STAGES:
        raise OptionError(f"k is a whole number from 1 to {MOST_STAGES}, or None; got {k!r}")
    object.__setattr__(family, "stages", int(k))
    object.__setattr__(family, "survivors", ByStage(family.shape))


@dataclass(frozen=True)
class BGCNBD(ErlangFamily):
    """BG/CNBD-k model: BG/NBD for regular buyers, whose intervals are Erlang-k.

    k: stages between purchases, 1 for purchases at random; None estimates it by likelihood, for
    which the base needs the logs of its intervals (`cx.customer_base(..., regularity=True)`).

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30", regularity=True,
    ... )
    >>> BGCNBD().fit(base).family.k
    1
    """

    k: int | None = None
    name: str = field(default="BG/CNBD-k", init=False)
    source: str = field(default="Reutterer, Platzer and Schroeder (2021), IJRM", init=False)
    space: Space = field(default=_space(bg_nbd.SPACE), init=False, repr=False)
    first: int = field(default=0, init=False, repr=False)
    one_time_buyers_alive: bool = field(default=True, init=False, repr=False)
    stages: int = field(default=1, init=False, repr=False)
    survivors: Survivors = field(default=ByStage(Shape(1, 0)), init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(default=Share(("a", "b")), init=False, repr=False)

    def __post_init__(self) -> None:
        _prepare(self)

    def fit_as_asked(self, base: CustomerBase, asked: Asked) -> FittedPurchases:
        """The fit, with k included where it is None."""
        return fit_regular(BGCNBD, self.k, base, asked)


@dataclass(frozen=True)
class MBGCNBD(ErlangFamily):
    """MBG/CNBD-k model: MBG/NBD for regular buyers, whose intervals are Erlang-k.

    k: as in BGCNBD.

    >>> MBGCNBD(k=2).name
    'MBG/CNBD-k'
    """

    k: int | None = None
    name: str = field(default="MBG/CNBD-k", init=False)
    source: str = field(default="Reutterer, Platzer and Schroeder (2021), IJRM", init=False)
    space: Space = field(default=_space(mbg_nbd.SPACE), init=False, repr=False)
    first: int = field(default=1, init=False, repr=False)
    stages: int = field(default=1, init=False, repr=False)
    survivors: Survivors = field(default=ByStage(Shape(1, 1)), init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(default=Share(("a", "b")), init=False, repr=False)

    def __post_init__(self) -> None:
        _prepare(self)

    def fit_as_asked(self, base: CustomerBase, asked: Asked) -> FittedPurchases:
        """The fit, with k included where it is None."""
        return fit_regular(MBGCNBD, self.k, base, asked)
