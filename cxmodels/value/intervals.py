"""What one customer may bring: intervals that hold the outcome, and how outcomes vary.

A small base is simulated customer by customer and draw by draw. In a large base, customers with the
same (x, T) and number of paid orders share simulated futures: with Gamma-Gamma, given alive,
revenue is A + s B with s the sum of a customer's past orders, so quantiles of A and of B serve them
all (they rise and fall together: A is gamma times B, and gamma hardly varies over draws), and
P(alive) is each one's own. With Normal-Normal every history has chances of its own on the futures
it shares.
"""

from dataclasses import dataclass, replace

import numpy as np

from cxmodels.chance import generator
from cxmodels.numerics.arrays import Floats, Ints, dot
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.gamma_gamma import levels
from cxmodels.value import expectation
from cxmodels.value.histories import Histories
from cxmodels.value.outcomes import (
    Families,
    Parameters,
    Paths,
    outcomes,
    simulate_paths,
    simulated_reach,
)
from cxmodels.value.terms import Terms

CHANCES = 50  # draws over which a large base's P(alive) is averaged
CELLS = 2_000_000


@dataclass(frozen=True)
class Simulated:
    """lower, upper, p_below of each customer (n,); totals by draw (d,), None unless every customer
    was simulated alone; sum over customers of their variance, from when they buy (behaviour) and
    from how much (orders)."""

    lower: Floats
    upper: Floats
    p_below: Floats
    totals: Floats | None
    behaviour: float
    orders: float

    def given_parameters(self, own: float) -> "Simulated":
        """The same with the variance of the total *given the parameters*.

        A customer's simulated outcomes vary with the parameters too; own: that part, summed over
        customers. It is counted once, in the expected totals, where customers share it.
        """
        both = self.behaviour + self.orders
        left = max(0.0, 1.0 - own / both) if both > 0.0 else 1.0
        return replace(self, behaviour=left * self.behaviour, orders=left * self.orders)


@dataclass(frozen=True)
class Reduced:
    """A slice of customers over their draws: ends (3, part), total (d,), variances."""

    ends: Floats
    total: Floats
    variance: float
    behaviour: float


def one_by_one(
    fit: FittedPurchases, spend_fit: FittedSpend, seen: Histories, terms: Terms, drawn: Parameters
) -> Simulated:
    """Every customer has futures of their own under every draw."""
    return _simulated(fit, spend_fit, seen.each(), terms, drawn)


def by_history(
    fit: FittedPurchases, spend_fit: FittedSpend, seen: Histories, terms: Terms, drawn: Parameters
) -> Simulated:
    """Customers with one history are one; those with the same (x, T) share futures."""
    found, row = _simulated(fit, spend_fit, seen, terms, drawn), seen.row
    return replace(
        found,
        lower=found.lower[row],
        upper=found.upper[row],
        p_below=found.p_below[row],
        totals=None,
    )


def _simulated(
    fit: FittedPurchases, spend_fit: FittedSpend, units: Histories, terms: Terms, drawn: Parameters
) -> Simulated:
    """Outcomes of each of the units, under every draw."""
    paths = _futures(fit, spend_fit, units, terms, drawn)
    order = _expected_order(spend_fit, units)

    def reduce(part: slice, revenue: Floats, purchases: Floats) -> Reduced:
        worth = revenue * units.margin[part, None]
        nothing, weight = (worth <= terms.below).mean(axis=1), units.weight[part]
        total, variance = worth.sum(axis=0), dot(weight, worth.var(axis=1))
        behaviour = dot(weight, purchases.var(axis=1), order[part] ** 2)
        ends = np.quantile(worth, terms.tails, axis=1, overwrite_input=True)
        return Reduced(np.concatenate([ends, nothing[None]]), total, variance, behaviour)

    families = Families(fit.family, spend_fit.family)
    parts = outcomes(families, drawn, units, paths, seed=terms.seed, reduce=reduce)
    ends = np.concatenate([found.ends for _, found in parts], axis=1)
    variance = sum(found.variance for _, found in parts)
    behaviour = min(sum(found.behaviour for _, found in parts), variance)
    totals = np.sum([found.total for _, found in parts], axis=0)
    return Simulated(ends[0], ends[1], ends[2], totals, behaviour, variance - behaviour)


def by_group(
    fit: FittedPurchases, spend_fit: FittedSpend, seen: Histories, terms: Terms, drawn: Parameters
) -> Simulated:
    """Customers with the same (x, T) and number of paid orders share futures (Gamma-Gamma)."""
    paths = _futures(fit, spend_fit, seen, terms, drawn)
    shared, key = Shared.of(seen, drawn, paths, terms.seed)
    alive = np.maximum(_mean_p_alive(fit, seen, drawn), 1e-300)  # long gone: 0 beyond a double
    past = seen.orders * seen.mean
    lower, upper = (
        seen.margin * shared.quantile(key, past, (tail - (1.0 - alive)) / alive)
        for tail in terms.tails
    )
    below = 1.0 - alive + alive * shared.at_most(key, past, terms.below / seen.margin)
    below = below if terms.below >= 0 else np.zeros_like(below)
    first, second = shared.moments(key, past)
    variance = dot(seen.weight * seen.margin**2, alive * second - (alive * first) ** 2)
    purchases = (paths.purchases.mean(axis=1), (paths.purchases**2).mean(axis=1))
    mean, square = (moment[seen.group] for moment in purchases)
    order = _expected_order(spend_fit, seen)
    behaviour = dot(seen.weight * order**2, alive * square - (alive * mean) ** 2)
    behaviour = min(behaviour, variance)
    row = seen.row
    return Simulated(lower[row], upper[row], below[row], None, behaviour, variance - behaviour)


@dataclass(frozen=True)
class Shared:
    """Revenue A + s B, if alive, of k kinds of customers: A and B (k, d) sorted, and moments."""

    A: Floats
    B: Floats
    mean: Floats
    square: Floats

    @classmethod
    def of(
        cls, seen: Histories, drawn: Parameters, paths: Paths, seed: int
    ) -> "tuple[Shared, Ints]":
        """The kinds, and the kind of each history (m,)."""
        distinct, place = np.unique(seen.orders, return_inverse=True)
        kinds, key = np.unique(seen.group * distinct.size + place, return_inverse=True)
        p, q, gamma = drawn.spend.T
        level = levels(p, q, distinct, generator(seed, 1))
        B = paths.sums[0, kinds // distinct.size] / level[kinds % distinct.size]
        A = gamma * B
        mean = np.stack([A.mean(axis=1), B.mean(axis=1)])
        square = np.stack([(A * A).mean(axis=1), (A * B).mean(axis=1), (B * B).mean(axis=1)])
        A.sort(axis=1)
        B.sort(axis=1)
        return cls(A, B, mean, square), key

    def quantile(self, key: Ints, past: Floats, share: Floats) -> Floats:
        """(m,) revenue that stays below with probability `share` given alive; 0 for share <= 0."""
        place = np.clip(share, 0.0, 1.0) * (self.A.shape[1] - 1)
        low = np.minimum(place.astype(np.int64), self.A.shape[1] - 2)
        part = place - low
        ends = [self.A[key, low + step] + past * self.B[key, low + step] for step in (0, 1)]
        return np.where(share > 0.0, (1.0 - part) * ends[0] + part * ends[1], 0.0)

    def at_most(self, key: Ints, past: Floats, amount: Floats) -> Floats:
        """(m,) P(revenue <= amount | alive), by bisection over the sorted draws."""
        draws = self.A.shape[1]
        low, high = np.zeros(key.size, dtype=np.int64), np.full(key.size, draws)
        while (low < high).any():
            middle = np.minimum((low + high) // 2, draws - 1)
            under = self.A[key, middle] + past * self.B[key, middle] <= amount
            open_ = low < high
            low = np.where(open_ & under, middle + 1, low)
            high = np.where(open_ & ~under, middle, high)
        return np.asarray(low / draws)

    def moments(self, key: Ints, past: Floats) -> tuple[Floats, Floats]:
        """First and second moment (m,) of revenue given alive."""
        AA, AB, BB = self.square[:, key]
        first = self.mean[0, key] + past * self.mean[1, key]
        return first, AA + past * (2.0 * AB + past * BB)


def _futures(
    fit: FittedPurchases, spend_fit: FittedSpend, units: Histories, terms: Terms, drawn: Parameters
) -> Paths:
    """Simulated futures, with what comes after their end scaled in."""
    paths = simulate_paths(
        Families(fit.family, spend_fit.family),
        drawn,
        units,
        terms.curve,
        paid_share=spend_fit.paid_share,
        seed=terms.seed,
    )
    tail = _tail(fit, units, terms)[:, None]
    return Paths(paths.purchases * tail, paths.sums * tail)


def _tail(fit: FittedPurchases, units: Histories, terms: Terms) -> Floats:
    """What comes after the end of simulated futures, as a factor (g,) of 1.001 at the most."""
    reach = simulated_reach(terms.curve)
    if reach >= terms.curve.reach:
        return np.ones(units.ahead.x.size)
    whole = expectation.discounted_if_alive(fit.family, fit.theta, units, terms.curve)
    cut = expectation.discounted_if_alive(fit.family, fit.theta, units, terms.ending(reach))
    return whole / cut


def _expected_order(spend_fit: FittedSpend, units: Histories) -> Floats:
    """(m,) expected margin of an order; 0 where it is infinite."""
    every = slice(0, units.size)
    order = expectation.spend(spend_fit.family, spend_fit.theta[None], units, every)[:, 0]
    order = order * spend_fit.paid_share * units.margin
    return np.where(np.isfinite(order), order, 0.0)


def _mean_p_alive(fit: FittedPurchases, seen: Histories, drawn: Parameters) -> Floats:
    """(m,) P(alive) averaged over draws."""
    some, step = drawn.purchases[:CHANCES], CELLS // CHANCES
    parts = [
        expectation.p_alive(fit.family, some, seen, slice(start, start + step)).mean(axis=1)
        for start in range(0, seen.size, step)
    ]
    return np.concatenate(parts)
