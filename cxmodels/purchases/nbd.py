"""How often customers buy when nobody ever leaves: the yardstick for models in which they do.

NBD model. A customer buys at rate lambda ~ Gamma(r, rate alpha) for ever. x: repeat purchases; t_x:
time of the last one, which tells nothing here; T: time observed, in the unit of the customer base.

Source: Ehrenberg (1959), "The Pattern of Consumer Purchases", Applied Statistics 8(1). Parameters
(r, alpha) stand on the last axis of `theta`.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.purchases.departure_counts import log_negative_binomial
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Rate
from cxmodels.purchases.until_departure import by_count, spread_evenly

BUYING = (
    Parameter(
        "r",
        "evenness of purchase rates among customers",
        low="customers' purchase rates differ without limit",
        high="all customers buy at the same rate",
    ),
    Parameter(
        "alpha",
        "rate of the gamma distribution of purchase rates, in the base's unit of time",
        dimension=Dimension.TIME,
        low="purchases are as frequent as can be seen in the data",
        high="all customers buy at the same rate",
    ),
)
SPACE = Space(BUYING)


def split(theta: Floats) -> tuple[Floats, Floats]:
    """r, alpha from the last axis."""
    return theta[..., 0], theta[..., 1]


def buying_starts(profiles: Profiles) -> Floats:
    """Starting values (2, 3) of r and of alpha, with purchase rates near the observed one."""
    weight = profiles.weight
    mean_T = float(np.average(profiles.T, weights=weight))
    mean_x = float(np.average(profiles.frequency, weights=weight))
    r = np.array([0.5, 1.0, 3.0])
    return np.stack([r, r * mean_T / max(mean_x, 1e-3)])


def starts(profiles: Profiles) -> Floats:
    """Starting values (3, 2)."""
    return buying_starts(profiles).T


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """log of Gamma(r+x) / Gamma(r) alpha^r (alpha+T)^-(r+x), the same for every t_x."""
    r, alpha = split(theta)
    buying, late = by_count(scipy.special.gammaln, r, x), np.log1p(T / alpha)
    return np.asarray(buying - r * late - x * (np.log(alpha) + late) + 0.0 * np.asarray(t_x))


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (2,) or (m, 2)."""
    r, alpha = np.broadcast_to(theta, (x.size, 2)).T
    digamma, late, power = scipy.special.digamma, 1.0 / (alpha + T), r + x
    trigamma = scipy.special.polygamma(1, power) - scipy.special.polygamma(1, r)
    gradient = np.stack(
        [digamma(power) - digamma(r) - np.log1p(T / alpha), r / alpha - power * late]
    )
    cross = 1.0 / alpha - late
    hessian = np.array([[trigamma, cross], [cross, power * late**2 - r / alpha**2]])
    return RowDerivatives(log_likelihood(theta, x, t_x, T), gradient, hessian)


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """1: nobody leaves."""
    shape = np.broadcast_shapes(theta.shape[:-1], np.shape(x), np.shape(t_x), np.shape(T))
    return np.ones(shape)


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters after x purchases in T: lambda ~ Gamma(r + x, alpha + T)."""
    r, alpha = split(theta)
    return np.stack(np.broadcast_arrays(r + x, alpha + T), axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """1: nobody leaves."""
    return np.ones(np.broadcast_shapes(theta.shape[:-1], np.shape(t)))


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)] = r t / alpha."""
    r, alpha = split(theta)
    return np.asarray(r * t / alpha)


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """r / alpha at all times."""
    r, alpha = split(theta)
    return r / alpha * np.ones(np.shape(t))


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): negative binomial."""
    return log_negative_binomial(*split(theta), n, t)


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t): everyone is."""
    return log_pmf(theta, n, t)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t]; theta (m, 2)."""
    r, alpha = split(theta)
    return rng.poisson(rng.standard_gamma(r) / alpha * t)


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at rate lambda until t; theta (m, 2)."""
    count = simulate_counts(theta, t, rng)
    end = np.broadcast_to(np.asarray(t, dtype=np.float64), count.shape)
    return spread_evenly(count, end, np.ones(count.shape, dtype=np.bool_), rng)


@dataclass(frozen=True)
class NBD(FittableFamily):
    """NBD model of repeat purchases, in which nobody leaves (Ehrenberg 1959).

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30",
    ... )
    >>> fit = NBD().fit(base)
    >>> fit.parameters["estimate"].round(3).tolist()
    [0.385, 12.072]
    >>> print(fit.notes[0])
    NBD lets nobody leave: P(alive) is 1 for all 2,357 customers, ...
    """

    name: str = field(default="NBD", init=False)
    source: str = field(default="Ehrenberg (1959), Applied Statistics", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    nobody_leaves: bool = field(default=True, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)

    def objective(self, profiles: Profiles) -> HistoriesObjective:
        return HistoriesObjective.of(self, profiles, starts)

    log_likelihood = staticmethod(log_likelihood)
    rows = staticmethod(rows)
    alive = staticmethod(alive)
    p_alive = staticmethod(p_alive)
    survival = staticmethod(survival)
    expected_purchases = staticmethod(expected_purchases)
    purchase_rate = staticmethod(purchase_rate)
    log_pmf = staticmethod(log_pmf)
    log_pmf_survivors = staticmethod(log_pmf_survivors)
    simulate_counts = staticmethod(simulate_counts)
    simulate = staticmethod(simulate)
