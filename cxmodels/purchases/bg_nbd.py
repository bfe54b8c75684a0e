"""How often customers buy until they quietly leave, when leaving can only follow a purchase.

BG/NBD model. While alive a customer buys at rate lambda ~ Gamma(r, rate alpha); after each
purchase they leave with probability p ~ Beta(a, b). x: repeat purchases; t_x: time of the last
one (0 if none); T: time observed. Time is in the unit of the customer base.

Source: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science
24(2), cited below as FHL. Parameters (r, alpha, a, b) stand on the last axis of `theta`.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Bools, Floats, Ints, Number
from cxmodels.numerics.beta_ratio import log_beta_ratio
from cxmodels.numerics.lookup import of_distinct
from cxmodels.numerics.special import log_beta_power_integral, log_beta_power_mean
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.purchases.bg_nbd_likelihood import BGNBDObjective, log_likelihood, rows
from cxmodels.purchases.family import Purchases
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.moving import Moved, Rate, Share

SPACE = Space(
    (
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
        Parameter(
            "a",
            "drop-out weight: the larger against b, the more customers leave after a purchase",
            low="almost nobody leaves",
            high="all customers leave with the same probability after a purchase",
        ),
        Parameter(
            "b",
            "staying weight: the larger against a, the fewer customers leave after a purchase",
            low="customers either leave at their first repeat purchase or not at all",
            high="almost nobody leaves",
        ),
    )
)


def split(theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """r, alpha, a, b from the last axis."""
    return theta[..., 0], theta[..., 1], theta[..., 2], theta[..., 3]


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T): Fader and Hardie (2008), "Computing P(alive) Using the BG/NBD".

    One over one plus the odds of having left, a / (b+x-1) ((alpha+T) / (alpha+t_x))^(r+x).
    A one-time buyer (x = 0) has had no occasion to leave: 1 by construction.
    """
    r, alpha, a, b = split(theta)
    quiet = of_distinct(lambda T: np.log1p(T / alpha), T)
    quiet = quiet - of_distinct(lambda t_x: np.log1p(t_x / alpha), t_x)
    odds = of_distinct(lambda x: np.log(a) - np.log(b + (np.maximum(x, 1.0) - 1.0)), x)
    alive: Floats = scipy.special.expit(-(odds + (r + x) * quiet))
    return np.where(np.asarray(x) > 0, alive, 1.0)


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T: lambda ~ Gamma(r + x, alpha + T), p ~ Beta(a, b + x)."""
    r, alpha, a, b = split(theta)
    return np.stack(np.broadcast_arrays(r + x, alpha + T, a, b + x), axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """P(alive at t) = E[exp(-lambda p t)] = E[(1 + p t / alpha)^-r]."""
    r, alpha, a, b = split(theta)
    return np.exp(log_beta_power_mean(r, a, b, t / alpha))


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)] = E[(1 - (1 + p t / alpha)^-r) / p]: FHL equation (9), sound at a = 1 too."""
    r, alpha, a, b = split(theta)
    return np.exp(log_beta_power_integral(r, a, b, t / alpha))


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """d E[X(t)] / dt = (r / alpha) E[(1 + p t / alpha)^-(r + 1)]."""
    r, alpha, a, b = split(theta)
    return r / alpha * np.exp(log_beta_power_mean(r + 1.0, a, b, t / alpha))


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t): first term of FHL equation (8)."""
    r, alpha, a, b = split(theta)
    z = t / alpha
    staying = log_beta_ratio(a, b, np.asarray(n, dtype=np.float64))
    return np.asarray(staying + log_negative_binomial(r, z, n))


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): FHL equation (8); those who left at purchase n, or are alive after n."""
    r, alpha, a, b = split(theta)
    n, z = np.asarray(n), t / alpha
    last = np.maximum(n, 1)
    before = last - 1.0
    leaving = log_beta_ratio(a, b, before) + np.log(a / (a + b + before))
    gone = np.where(n > 0, leaving + log_at_least(r, z, last), -np.inf)
    return np.logaddexp(log_pmf_survivors(theta, n, t), gone)


def log_negative_binomial(r: Number, z: Number, n: Ints) -> Floats:
    """log P(n purchases by time t without drop-out), z = t / alpha."""
    choose = (
        scipy.special.gammaln(r + n) - scipy.special.gammaln(r) - scipy.special.gammaln(n + 1.0)
    )
    return np.asarray(choose - r * np.log1p(z) + scipy.special.xlogy(n, z / (1.0 + z)))


def log_at_least(r: Number, z: Number, n: Ints) -> Floats:
    """log P(at least n >= 1 purchases by time t without drop-out), z = t / alpha."""
    tail = scipy.special.betainc(n, r, z / (1.0 + z))
    with np.errstate(divide="ignore"):  # no time, no purchase: log 0
        direct = np.log(tail)
    tiny = tail < 1e-280  # there the first term of the sum is the sum, times 1 / (1 - ratio)
    ratio = np.minimum((r + n) / (n + 1.0) * z / (1.0 + z), 0.999)
    leading = log_negative_binomial(r, z, n) - np.log1p(-ratio)
    return np.where(tiny, leading, direct)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers alive at 0: min(m, g), see `simulate`."""
    return np.minimum(*_potential(theta, t, rng))


def _potential(theta: Floats, t: Number, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """m, the purchases by t without drop-out, and g, the purchase at which a customer leaves."""
    r, alpha, a, b = split(theta)
    lam = rng.standard_gamma(r) / alpha
    p = rng.beta(a, b)
    return rng.poisson(lam * t), rng.geometric(np.maximum(p, 1e-15))


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases in (0, t] of customers alive at 0, straight from the model's story.

    m purchases would happen by t; the customer leaves at purchase g ~ Geometric(p), so the first
    min(m, g) happen. Their times are the lowest of m uniform ones: normalised exponential sums.
    """
    m, g = _potential(theta, t, rng)
    count = np.minimum(m, g)
    customer = np.repeat(np.arange(count.size), count)
    steps = np.cumsum(rng.standard_exponential(customer.size))
    first = np.cumsum(count) - count
    before = np.concatenate([[0.0], steps])
    elapsed = steps - np.repeat(before[first], count)
    rest = rng.standard_gamma(m + 1.0 - count)
    whole = before[first + count] - before[first] + rest
    time = elapsed / np.repeat(whole, count) * np.broadcast_to(t, count.shape)[customer]
    alive_at_end: Bools = m < g
    return Purchases(count, customer, time, alive_at_end)


@dataclass(frozen=True)
class BGNBD(FittableFamily):
    """BG/NBD model of repeat purchases (Fader, Hardie and Lee 2005).

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30",
    ... )
    >>> fit = BGNBD().fit(base)
    >>> fit.parameters["estimate"].round(3).tolist()
    [0.243, 4.414, 0.793, 2.426]
    """

    name: str = field(default="BG/NBD", init=False)
    source: str = field(default="Fader, Hardie and Lee (2005), Marketing Science", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    one_time_buyers_alive: bool = field(default=True, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(default=Share(("a", "b")), init=False, repr=False)

    def objective(self, profiles: Profiles) -> BGNBDObjective:
        return BGNBDObjective.from_profiles(SPACE, profiles)

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
