"""How often customers buy until they quietly leave, perhaps right after the first purchase.

MBG/NBD model: as BG/NBD, but each purchase is an occasion to leave, the first one included. So a
new customer has left at once with probability a / (a + b); one who has not is a BG/NBD customer
with b + 1 in place of b. Every formula below is that sentence, and it is exact.

Sources: Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for
customer base analysis, IJRM 24(3), cited below as BDF; Wagner and Hoppe (2008), Erratum on the
MBG/NBD model, IJRM 25(3). Parameters (r, alpha, a, b) stand on the last axis of `theta`; a
customer known to be alive has a fifth coordinate there, 1.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.lookup import of_distinct
from cxmodels.numerics.transforms import Space
from cxmodels.purchases import bg_nbd, bg_nbd_likelihood
from cxmodels.purchases.bg_nbd import split
from cxmodels.purchases.bg_nbd_likelihood import BGNBDObjective
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.moving import Moved, Rate, Share

FIRST = 1  # chances to leave right after the first purchase
SPACE = Space(
    tuple(
        parameter
        if parameter.name != "b"
        else type(parameter)(
            "b",
            parameter.meaning,
            low="customers either leave right after their first purchase or not at all",
            high=parameter.high,
        )
        for parameter in bg_nbd.SPACE.parameters
    )
)


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history: BDF, with x + 1 chances to leave."""
    return bg_nbd_likelihood.log_likelihood(theta, x, t_x, T, FIRST)


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (4,) or (m, 4)."""
    return bg_nbd_likelihood.rows(theta, x, t_x, T, FIRST)


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T): BDF; one-time buyers may have left like everybody else.

    One over one plus the odds of having left, a / (b+x) ((alpha+T) / (alpha+t_x))^(r+x).
    """
    r, alpha, a, b = split(theta)
    quiet = of_distinct(lambda T: np.log1p(T / alpha), T)
    quiet = quiet - of_distinct(lambda t_x: np.log1p(t_x / alpha), t_x)
    odds = of_distinct(lambda x: np.log(a) - np.log(b + x), x)
    return np.asarray(scipy.special.expit(-(odds + (r + x) * quiet)))


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T: Gamma(r + x, alpha + T), Beta(a, b + x + 1), and 1."""
    r, alpha, a, b = split(theta)
    updated = (r + x, alpha + T, a, b + x + FIRST, np.float64(1.0))
    return np.stack(np.broadcast_arrays(*updated), axis=-1)


def staying(theta: Floats) -> tuple[Floats, Floats]:
    """log P(has not left at once), and the BG/NBD parameters of who has not."""
    r, alpha, a, b = split(theta)
    if theta.shape[-1] > SPACE.size:
        return np.zeros_like(a), theta[..., : SPACE.size]
    return -np.log1p(a / b), np.stack([r, alpha, a, b + FIRST], axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """P(alive at t): b / (a + b) of new customers even at t = 0."""
    stay, here = staying(theta)
    return np.asarray(np.exp(stay) * bg_nbd.survival(here, t))


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)]: BDF, as b / (a + b) times that of a BG/NBD customer with b + 1."""
    stay, here = staying(theta)
    return np.asarray(np.exp(stay) * bg_nbd.expected_purchases(here, t))


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """d E[X(t)] / dt."""
    stay, here = staying(theta)
    return np.asarray(np.exp(stay) * bg_nbd.purchase_rate(here, t))


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t)."""
    stay, here = staying(theta)
    return np.asarray(stay + bg_nbd.log_pmf_survivors(here, n, t))


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): who left at once makes no repeat purchase."""
    stay, here = staying(theta)
    left = _log_left(theta)
    none = np.where(np.asarray(n) == 0, left, -np.inf)
    return np.logaddexp(stay + bg_nbd.log_pmf(here, n, t), none)


def _log_left(theta: Floats) -> Floats:
    """log P(has left at once)."""
    _, _, a, b = split(theta)
    if theta.shape[-1] > SPACE.size:
        return np.full_like(a, -np.inf)
    return -np.log1p(b / a)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers at 0; theta (m, 4 or 5)."""
    stay, here = staying(theta)
    stays = rng.random(stay.shape) < np.exp(stay)
    return np.where(stays, bg_nbd.simulate_counts(here, t, rng), 0)


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases in (0, t] of customers at 0: of BG/NBD, but for those who left at once."""
    stay, here = staying(theta)
    stays = rng.random(stay.shape) < np.exp(stay)
    found = bg_nbd.simulate(here, t, rng)
    kept = stays[found.customer]
    return Purchases(
        np.where(stays, found.count, 0), found.customer[kept], found.time[kept], found.alive & stays
    )


@dataclass(frozen=True)
class MBGNBD(FittableFamily):
    """MBG/NBD model: BG/NBD whose customers may leave after the first purchase already.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30",
    ... )
    >>> fit = MBGNBD().fit(base)
    >>> fit.parameters["estimate"].round(3).tolist()
    [0.525, 6.183, 0.891, 1.614]
    """

    name: str = field(default="MBG/NBD", init=False)
    source: str = field(default="Batislam, Denizel and Filiztekin (2007), IJRM", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(default=Share(("a", "b")), init=False, repr=False)

    def objective(self, profiles: Profiles) -> BGNBDObjective:
        return BGNBDObjective.from_profiles(SPACE, profiles, FIRST)

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
