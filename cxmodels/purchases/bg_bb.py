"""How often customers take an opportunity to buy until they quietly leave, in discrete time.

BG/BB model. There are opportunities 1, 2, ... after the first purchase: years of donations, trips,
issues. A customer leaves at the opening of each with probability theta ~ Beta(gamma, delta); one
who is still there takes it with probability p ~ Beta(alpha, beta). x: opportunities taken; t_x:
the last one taken (0 if none); T: opportunities a customer has had, any number, 0 included. A time
between two opportunities counts as the one before it.

P(alive) at T means: not gone at the last opportunity. The paper's equation (11), P(alive at T + 1),
is that times `survival` of one more opportunity.

Source: Fader, Hardie and Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual
Setting", Marketing Science 29(6), cited below as FHS. Parameters (alpha, beta, gamma, delta) stand
on the last axis of `theta`.
"""

from dataclasses import dataclass, field

import numpy as np

from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.partial_sums import log_partial_sum, log_rising
from cxmodels.numerics.transforms import Parameter, Space
from cxmodels.purchases.asked import Asked
from cxmodels.purchases.bg_bb_likelihood import log_alive, log_likelihood, rows, starts, whole
from cxmodels.purchases.family import Purchases
from cxmodels.purchases.fitted import FittedPurchases, fit_purchases
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Share
from cxmodels.purchases.opportunities import ask_for_opportunities

SPACE = Space(
    (
        Parameter(
            "alpha",
            "buying weight: the larger against beta, the more opportunities are taken",
            low="almost no opportunity is taken, or customers take either all or none",
            high="all customers take an opportunity with the same probability",
        ),
        Parameter(
            "beta",
            "passing weight: the larger against alpha, the fewer opportunities are taken",
            low="customers take nearly every opportunity while they are there",
            high="all customers take an opportunity with the same probability",
        ),
        Parameter(
            "gamma",
            "drop-out weight: the larger against delta, the more customers leave",
            low="almost nobody leaves",
            high="all customers leave with the same probability",
        ),
        Parameter(
            "delta",
            "staying weight: the larger against gamma, the fewer customers leave",
            low="customers either leave before the first opportunity or not at all",
            high="almost nobody leaves",
        ),
    )
)


def split(theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """alpha, beta, gamma, delta from the last axis."""
    return theta[..., 0], theta[..., 1], theta[..., 2], theta[..., 3]


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T): the first term of the likelihood over all of it (FHS, (7))."""
    x, T = np.asarray(x, dtype=np.float64), np.asarray(T, dtype=np.float64)
    log_share = log_alive(theta, x, T) - log_likelihood(theta, x, t_x, T)
    return np.exp(np.minimum(log_share, 0.0))


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Parameters of a customer alive at T: p ~ Beta(alpha + x, beta + T - x), theta ~
    Beta(gamma, delta + T)."""
    alpha, beta, gamma, delta = split(theta)
    missed = np.maximum(np.asarray(T, dtype=np.float64) - x, 0.0)
    return np.stack(np.broadcast_arrays(alpha + x, beta + missed, gamma, delta + T), axis=-1)


def survival(theta: Floats, t: Number) -> Floats:
    """P(alive at t) = E[(1 - theta)^t] = (delta)_t / (gamma + delta)_t: FHS equation (5)."""
    return np.exp(_log_survival(theta, whole(t).astype(np.float64)))


def _log_survival(theta: Floats, t: Number) -> Floats:
    _, _, gamma, delta = split(theta)
    return log_rising(delta, t) - log_rising(gamma + delta, t)


def expected_purchases(theta: Floats, t: Number) -> Floats:
    """E[X(t)] = E[p] sum_{i=1}^t P(alive at i): FHS equation (9), sound at gamma = 1 too."""
    alpha, beta, gamma, delta = split(theta)
    first = np.log(alpha) - np.log(alpha + beta) + np.log(delta) - np.log(gamma + delta)
    times = log_partial_sum((delta + 1.0,), (gamma + delta + 1.0,), whole(t))
    return np.exp(first + times)


def purchase_rate(theta: Floats, t: Number) -> Floats:
    """P(purchase at opportunity t) = E[p] P(alive at t), for t >= 1.

    Smooth between opportunities, so that long sums over them can be taken by a few nodes.
    """
    alpha, beta, _, _ = split(theta)
    return alpha / (alpha + beta) * np.exp(_log_survival(theta, np.asarray(t, dtype=np.float64)))


def log_pmf_survivors(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t): first term of FHS equation (8)."""
    n, last = np.asarray(n), whole(t).astype(np.float64)
    taken = np.minimum(n, last)
    found = _log_choose(last, taken) + log_alive(theta, taken, last)
    return np.where(n <= last, found, -np.inf)


def log_pmf(theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): FHS equation (8); alive after n, or left after i >= n opportunities."""
    alpha, beta, gamma, delta = split(theta)
    n = np.asarray(n)
    x = n.astype(np.float64)
    first = log_alive(theta, x, x) + np.log(gamma) - np.log(gamma + delta + x)
    gone = log_partial_sum(
        (x + 1.0, beta, delta + x),
        (np.ones_like(x), alpha + beta + x, gamma + delta + x + 1.0),
        np.maximum(whole(t) - n, 0),
    )
    return np.logaddexp(log_pmf_survivors(theta, n, t), first + gone)


def _log_choose(t: Floats, n: Floats) -> Floats:
    """log of t over n."""
    return log_rising(n + 1.0, t - n) - log_rising(1.0, t - n)


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """How many of the opportunities 1 .. t each customer takes."""
    present, p, _ = _present(theta, t, rng)
    return rng.binomial(present, p)


def _present(theta: Floats, t: Number, rng: np.random.Generator) -> tuple[Ints, Floats, Ints]:
    """Opportunities up to t at which each customer is there, p, and the one they leave at."""
    alpha, beta, gamma, delta = split(theta)
    p = rng.beta(alpha, beta)
    leaving = rng.geometric(np.maximum(rng.beta(gamma, delta), 1e-15))
    return np.minimum(whole(t), leaving - 1), p, leaving


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at opportunities 1 .. t of customers alive at 0, from one purchase to the next."""
    present, p, leaving = _present(theta, t, rng)
    here, clock = np.arange(present.size), np.zeros(present.size, dtype=np.int64)
    whose, when = [here[:0]], [clock[:0]]
    while here.size:
        wait = rng.geometric(np.maximum(p[here], 1e-15))
        clock = clock + np.minimum(wait, present[here] + 1)  # a longer wait ends beyond the last
        inside = clock <= present[here]
        here, clock = here[inside], clock[inside]
        whose.append(here)
        when.append(clock)
    customer, time = np.concatenate(whose), np.concatenate(when)
    order = np.argsort(customer, kind="stable")
    return Purchases(
        count=np.bincount(customer, minlength=present.size),
        customer=customer[order],
        time=time[order].astype(np.float64),
        alive=leaving > whole(t),
    )


@dataclass(frozen=True)
class BGBB(FittableFamily):
    """BG/BB model of opportunities taken and missed (Fader, Hardie and Shang 2010).

    The base counts opportunities: recency and T are whole numbers. Of a log, the same word for
    unit and collapse makes such a base; a horizon is rounded down to whole opportunities.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="month", collapse="month", end="1997-09-30",
    ... )
    >>> fit = BGBB().fit(base)
    >>> fit.new_customer(horizon="12M")["expected_purchases"].round(1).tolist()
    [1.0]
    """

    name: str = field(default="BG/BB", init=False)
    source: str = field(default="Fader, Hardie and Shang (2010), Marketing Science", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    discrete: bool = field(default=True, init=False, repr=False)
    purchase_moved: Moved | None = field(
        default=Share(("alpha", "beta"), "odds of a purchase at an opportunity"),
        init=False,
        repr=False,
    )
    dropout_moved: Moved | None = field(default=Share(("gamma", "delta")), init=False, repr=False)

    def fit_as_asked(self, base: CustomerBase, asked: Asked) -> FittedPurchases:
        """The fit; DataError where recency or T are no whole numbers of opportunities."""
        ask_for_opportunities(base)
        return fit_purchases(self, base, asked)

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
