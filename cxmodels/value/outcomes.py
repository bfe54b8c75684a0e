"""Simulated futures: what each customer will bring, parameter by parameter and order by order.

Given alive, a future is a list of purchase times, of which a spend model needs some sums only: with
Gamma-Gamma, discounted orders bring (gamma + sum of past orders) S / G with S = sum of d(t_j)
Gamma(p) over paid purchases and G ~ Gamma(q + p x), the customer's own level of spend. Sums are
simulated once for each owner of a path: every customer in a small base, every distinct (x, T) in a
large one.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.spend.family import SpendFamily
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.expectation import p_alive
from cxmodels.value.histories import Histories

FAR = 1e-3  # discount factor at which a simulated future ends; what comes later is scaled in
PATHS = 200_000  # futures simulated at once by each of two threads
PURCHASES = 4_000_000  # purchases in them, about: 32 MB an array
CELLS = 2_000_000  # draws times histories at once in each of two threads: 16 MB an array

Result = TypeVar("Result")


@dataclass(frozen=True)
class Families:
    """The formulas behind a valuation: when customers buy, and what an order brings."""

    purchases: PurchaseFamily
    spend: SpendFamily


@dataclass(frozen=True)
class Parameters:
    """Joint draws: purchases (d, k), spend (d, 3), annual discount rate (d,)."""

    purchases: Floats
    spend: Floats
    rates: Floats

    def __len__(self) -> int:
        return len(self.rates)

    def rows(self, part: slice) -> "Parameters":
        """Some of the draws."""
        return Parameters(self.purchases[part], self.spend[part], self.rates[part])


@dataclass(frozen=True)
class Paths:
    """For each owner of a path and draw: discounted purchases (g, d), and sums (c, g, d) of them
    that the spend model asks for."""

    purchases: Floats
    sums: Floats


def simulated_reach(curve: DiscountCurve) -> float:
    """How far futures are simulated: the horizon, or where money is worth a thousandth."""
    return float(min(curve.reach, -np.log(FAR) / max(curve.force, 1e-12)))


def purchases_ahead(
    family: PurchaseFamily, theta: Floats, seen: Histories, curve: DiscountCurve
) -> float:
    """Purchases in a simulated future, on average: what simulation costs in time and memory."""
    ahead = seen.ahead.alive(family, theta)
    return float(family.expected_purchases(ahead, simulated_reach(curve)).mean())


def simulate_paths(
    families: Families,
    drawn: Parameters,
    seen: Histories,
    curve: DiscountCurve,
    *,
    paid_share: float,
    seed: int,
) -> Paths:
    """Futures of customers alive now, one for each draw and (x, T) of `seen`."""
    each = purchases_ahead(families.purchases, drawn.purchases[0], seen, curve)
    at_once = PATHS if each <= PURCHASES / PATHS else PURCHASES / each
    step = max(1, int(at_once) // seen.ahead.x.size)
    slices = [slice(start, start + step) for start in range(0, len(drawn), step)]
    seeds = np.random.SeedSequence(seed).spawn(len(slices))

    def part(rows: slice, sequence: np.random.SeedSequence) -> Paths:
        rng = np.random.default_rng(sequence)
        return _paths(families, drawn.rows(rows), seen, curve, paid_share, rng)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(part, slices, seeds))
    return Paths(
        np.concatenate([item.purchases for item in found], axis=1),
        np.concatenate([item.sums for item in found], axis=2),
    )


def _paths(
    families: Families,
    drawn: Parameters,
    seen: Histories,
    curve: DiscountCurve,
    paid_share: float,
    rng: np.random.Generator,
) -> Paths:
    alive = seen.ahead.alive(families.purchases, drawn.purchases)
    draws, groups = alive.shape[:2]
    found = families.purchases.simulate(
        alive.reshape(-1, alive.shape[-1]), simulated_reach(curve), rng
    )
    draw = found.customer // groups
    worth = curve.factor(found.time, drawn.rates[draw])
    size = draws * groups
    purchases = np.bincount(found.customer, weights=worth, minlength=size)
    paid = worth if paid_share == 1.0 else worth * (rng.random(worth.size) < paid_share)
    sums = families.spend.sums(drawn.spend[draw], paid, found.customer, size, rng)
    by_draw = purchases.reshape(draws, groups).astype(np.float64)
    return Paths(
        np.ascontiguousarray(by_draw.T),
        np.ascontiguousarray(sums.reshape(-1, draws, groups).transpose(0, 2, 1)),
    )


def outcomes(
    families: Families,
    drawn: Parameters,
    seen: Histories,
    paths: Paths,
    *,
    seed: int,
    reduce: Callable[[slice, Floats, Floats], Result],
) -> list[tuple[slice, Result]]:
    """Simulated revenue and discounted purchases of every history, reduced slice by slice.

    `reduce` takes a slice of the histories, revenue (part, d) and discounted purchases (part, d);
    both are 0 under the draws in which the customer has left already.
    """
    step = max(1, CELLS // len(drawn))
    slices = [slice(start, start + step) for start in range(0, seen.size, step)]
    seeds = np.random.SeedSequence([seed, 2]).spawn(len(slices))

    def work(part: slice, sequence: np.random.SeedSequence) -> tuple[slice, Result]:
        rng, group = np.random.default_rng(sequence), seen.group[part]
        past = seen.orders[part], seen.mean[part]
        revenue = families.spend.revenue(drawn.spend, paths.sums[:, group], *past, rng)
        purchases = paths.purchases[group]
        chance = p_alive(families.purchases, drawn.purchases, seen, part)
        gone = rng.random(chance.shape) >= chance
        revenue[gone] = 0.0
        purchases[gone] = 0.0
        return part, reduce(part, revenue, purchases)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, slices, seeds))
