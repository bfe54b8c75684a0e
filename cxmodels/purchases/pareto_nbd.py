"""How often customers buy until they quietly leave, when leaving can come at any time.

Pareto/NBD model. While alive a customer buys at rate lambda ~ Gamma(r, rate alpha); their lifetime
is exponential with rate mu ~ Gamma(s, rate beta). x: repeat purchases; t_x: time of the last one
(0 if none); T: time observed. Time is in the unit of the customer base.

Source: Schmittlein, Morrison and Colombo (1987), "Counting Your Customers", Management Science
33(1), cited below as SMC. Parameters (r, alpha, s, beta) stand on the last axis of `theta`.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.purchases import departure_counts, until_departure
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.lifetime_laws import Pareto
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Rate
from cxmodels.purchases.nbd import BUYING, buying_starts

SPACE = Space(
    (
        *BUYING,
        Parameter(
            "s",
            "evenness of drop-out rates among customers",
            low="almost nobody leaves",
            high="all customers leave at the same rate",
        ),
        Parameter(
            "beta",
            "rate of the gamma distribution of drop-out rates, in the base's unit of time",
            dimension=Dimension.TIME,
            low="customers leave at once or not at all",
            high="almost nobody leaves",
        ),
    )
)
LAW = Pareto()


def split(theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """r, alpha, s, beta from the last axis."""
    return theta[..., 0], theta[..., 1], theta[..., 2], theta[..., 3]


def starts(profiles: Profiles) -> Floats:
    """Starting values (4, 4): purchase rates near the observed one; many, some or few leave, or a
    few at once and nobody after."""
    r, alpha = buying_starts(profiles)[:, [0, 1, 2, 0]]
    mean_T = float(np.average(profiles.T, weights=profiles.weight))
    s, beta = np.array([[0.5, 0.4], [1.5, 5.0], [0.3, 3.0], [0.02, 0.002]]).T
    return np.stack([r, alpha, s, beta * mean_T], axis=-1)


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history, theta (..., 4): SMC equations A10 to A12 as one integral."""
    return until_departure.log_likelihood(LAW, theta, x, t_x, T)


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (4,) or (m, 4)."""
    return until_departure.rows(LAW, theta, x, t_x, T)


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T): SMC equations 11 to 13 as one integral."""
    return np.exp(until_departure.log_p_alive(LAW, theta, x, t_x, T))


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T: Gamma(r + x, alpha + T) and Gamma(s, beta + T)."""
    r, alpha, s, beta = split(theta)
    return np.stack(np.broadcast_arrays(r + x, alpha + T, s, beta + T), axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """P(alive at t) = (beta / (beta + t))^s."""
    _, _, s, beta = split(theta)
    return np.exp(LAW.log_survival((s, beta), t))


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)] = r/alpha beta/(s-1) (1 - (beta/(beta+t))^(s-1)): SMC equation 17, s = 1 included.

    With z = log(1 + t/beta) it is r beta/alpha times the integral of exp((1-s) u) over (0, z).
    """
    r, alpha, s, beta = split(theta)
    z = np.log1p(t / beta)
    return np.asarray(r * beta / alpha * z * scipy.special.exprel((1.0 - s) * z))


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """d E[X(t)] / dt = (r / alpha) S(t)."""
    r, alpha, _, _ = split(theta)
    return r / alpha * survival(theta, t)


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n)."""
    return departure_counts.log_pmf(LAW, theta, n, t)


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t)."""
    return departure_counts.log_pmf_survivors(LAW, theta, n, t)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers alive at 0; theta (m, 4)."""
    return until_departure.simulate_counts(LAW, theta, t, rng)


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at rate lambda until the lifetime ends or t comes; theta (m, 4)."""
    return until_departure.simulate(LAW, theta, t, rng)


@dataclass(frozen=True)
class ParetoNBD(FittableFamily):
    """Pareto/NBD model of repeat purchases (Schmittlein, Morrison and Colombo 1987).

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30",
    ... )
    >>> fit = ParetoNBD().fit(base)
    >>> fit.parameters["estimate"].round(2).tolist()
    [0.55, 10.58, 0.61, 11.67]
    """

    name: str = field(default="Pareto/NBD", init=False)
    source: str = field(
        default="Schmittlein, Morrison and Colombo (1987), Management Science", init=False
    )
    space: Space = field(default=SPACE, init=False, repr=False)
    clocked: bool = field(default=True, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(
        default=Rate(("beta",), "mean drop-out rate"), init=False, repr=False
    )

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
