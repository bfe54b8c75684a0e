"""How often customers buy until they quietly leave, when the risk of leaving grows with age.

Gamma-Gompertz/NBD model. While alive a customer buys at rate lambda ~ Gamma(r, rate alpha); the
hazard of leaving at age t is eta b e^(b t) with eta ~ Gamma(s, rate beta). As b and beta go to 0
together it becomes Pareto/NBD with beta/b in the place of its beta. x: repeat purchases; t_x: time
of the last one (0 if none); T: time observed. Time is in the unit of the customer base.

Source: Bemmaor and Glady (2012), "Modeling Purchasing Behavior with Sudden Death: A Flexible
Customer Lifetime Model", Management Science 58(5). Parameters (r, alpha, b, s, beta) stand on the
last axis of `theta`.
"""

from dataclasses import dataclass, field

import numpy as np

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.purchases import departure_counts, pareto_nbd, until_departure
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.lifetime_laws import GammaGompertz
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Rate
from cxmodels.purchases.nbd import BUYING

IS_PARETO = "the risk of leaving does not grow with age, which is Pareto/NBD"
SPACE = Space(
    (
        *BUYING,
        Parameter(
            "b",
            "growth of the risk of leaving with age, per unit of time of the base",
            dimension=Dimension.RATE,
            low=IS_PARETO,
            high="the risk of leaving is constant after the first moments",
        ),
        Parameter(
            "s",
            "evenness of the risk of leaving among customers",
            low="almost nobody leaves",
            high="all customers of an age leave at the same rate",
        ),
        Parameter(
            "beta",
            "rate of the gamma distribution of the risk of leaving",
            low=IS_PARETO,
            high="almost nobody leaves",
        ),
    )
)
LAW = GammaGompertz()


def split(theta: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """r, alpha, b, s, beta from the last axis."""
    return theta[..., 0], theta[..., 1], theta[..., 2], theta[..., 3], theta[..., 4]


def starts(profiles: Profiles) -> Floats:
    """Starting values (6, 5): those of Pareto/NBD at a small b, risks that grow with age, slowly or
    steeply, and some who leave at once."""
    mean_T = float(np.average(profiles.T, weights=profiles.weight))
    r, alpha, s, beta = pareto_nbd.starts(profiles)[:3].T
    b = np.array([0.05, 0.5, 1.5]) / mean_T
    grown = np.stack([r, alpha, b, s, b * beta], axis=-1)
    late = [r[0], alpha[0], 3.0 / mean_T, 0.5, 5.0]
    steep = [r[0], alpha[0], 50.0 / mean_T, 0.02, 3.0]
    at_once = [r[0], alpha[0], 0.1 / mean_T, 1e-3, 1e-8]
    return np.concatenate([grown, [late, steep, at_once]])


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history, theta (..., 5)."""
    return until_departure.log_likelihood(LAW, theta, x, t_x, T)


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (5,) or (m, 5)."""
    return until_departure.rows(LAW, theta, x, t_x, T)


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T)."""
    return np.exp(until_departure.log_p_alive(LAW, theta, x, t_x, T))


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T, with the clock moved on to 0.

    Survival to T makes eta ~ Gamma(s, beta + e^(b T) - 1); the hazard eta b e^(b (T + t)) is that
    of a new customer with eta e^(b T), so beta becomes beta e^(-b T) + 1 - e^(-b T).
    """
    r, alpha, b, s, beta = split(theta)
    moved = beta * np.exp(-b * T) - np.expm1(-b * T)
    return np.stack(np.broadcast_arrays(r + x, alpha + T, b, s, moved), axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """P(alive at t) = (beta / (beta + e^(b t) - 1))^s."""
    return np.exp(LAW.log_survival(split(theta)[2:], t))


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)] = r/alpha times the integral of S over (0, t), by Gauss and Legendre's rule."""
    shape, (r, alpha, *rest), (t,) = until_departure.flat(theta, t)
    found = r / alpha * departure_counts.expected_time(LAW, tuple(rest), t)
    return np.asarray(found.reshape(shape))


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """d E[X(t)] / dt = (r / alpha) S(t)."""
    r, alpha, *_ = split(theta)
    return r / alpha * survival(theta, t)


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n)."""
    return departure_counts.log_pmf(LAW, theta, n, t)


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t)."""
    return departure_counts.log_pmf_survivors(LAW, theta, n, t)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers alive at 0; theta (m, 5)."""
    return until_departure.simulate_counts(LAW, theta, t, rng)


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at rate lambda until the lifetime ends or t comes; theta (m, 5)."""
    return until_departure.simulate(LAW, theta, t, rng)


@dataclass(frozen=True)
class GGompertzNBD(FittableFamily):
    """Gamma-Gompertz/NBD model of repeat purchases (Bemmaor and Glady 2012).

    >>> theta = np.array([0.55, 10.6, 0.02, 0.6, 0.3])
    >>> GGompertzNBD().survival(theta, np.array([0.0, 52.0])).round(3).tolist()
    [1.0, 0.309]
    """

    name: str = field(default="Gamma-Gompertz/NBD", init=False)
    source: str = field(default="Bemmaor and Glady (2012), Management Science", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(
        default=Rate(("beta",), "risk of leaving at every age"), init=False, repr=False
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
