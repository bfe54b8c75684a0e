"""Lens 2 of a customer-base audit: who left, stayed and came from one period to another.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit, chapter 5. Every change of revenue
adds up: over the groups of customers, and over what drives it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures import figures as fig
from cxmodels.measures import intervals
from cxmodels.measures.purchases_by_period import Base, deciles_of, over
from cxmodels.results.shown_tables import ShownTables

GROUPS = (
    "left",
    "stayed, spent less",
    "stayed, spent the same",
    "stayed, spent more",
    "came back",
    "new",
)
DRIVERS = ("customers", "orders per customer", "value per order")


@dataclass(frozen=True, eq=False, repr=False)
class TwoPeriods(ShownTables):
    """Two periods: the flow of customers and of revenue between them.

    figures: shares that stayed, are new, spent more; flow: customers, orders and revenue of both
    periods by group, whose changes add up to the change in revenue; drivers: the same change by
    customers, orders per customer and value per order; deciles: what became of each tenth of the
    earlier period's customers by spend.
    """

    title: str
    figures: pd.DataFrame
    flow: pd.DataFrame
    drivers: pd.DataFrame
    deciles: pd.DataFrame


@dataclass(frozen=True)
class _Both:
    """Orders and revenue of everybody who bought in either period, (n, 2) with zeros."""

    orders: np.ndarray
    revenue: np.ndarray
    group: np.ndarray  # place in GROUPS

    @property
    def bought(self) -> np.ndarray:
        return self.orders > 0


def two_periods(base: Base, before: int, after: int) -> TwoPeriods:
    """Lens 2 of the periods at these places."""
    both = _both(base, before, after)
    names = [base.periods[place].label for place in (before, after)]
    return TwoPeriods(
        title=f"Lens 2: two periods, {names[0]} and {names[1]}",
        figures=fig.table_of(_figures(both, base, names)),
        flow=_flow(both),
        drivers=_drivers(both),
        deciles=_deciles(both, base.level),
    )


def _both(base: Base, before: int, after: int) -> _Both:
    pairs = [base.spread(place) for place in (before, after)]
    orders, revenue = (np.stack(part, axis=1) for part in zip(*pairs, strict=True))
    either = (orders > 0).any(axis=1)
    orders, revenue, cohort = orders[either], revenue[either], base.cohort[either]
    here, there = (orders > 0).T
    gained = np.sign(revenue[:, 1] - revenue[:, 0]).astype(int)
    group = np.where(here & there, 2 + gained, np.where(here, 0, np.where(cohort > before, 5, 4)))
    return _Both(orders, revenue, group)


def _figures(both: _Both, base: Base, names: list[str]) -> list[fig.Figure]:
    here, there = both.bought.T
    stayed, level = here & there, base.level
    count = {name: int(those.sum()) for name, those in zip(names, (here, there), strict=True)}
    rows = [fig.counted(f"customers in {name}", n, n, "customers") for name, n in count.items()]
    for place, (name, n) in enumerate(count.items()):
        rows.append(fig.counted(f"revenue in {name}", both.revenue[:, place].sum(), n, base.unit))
    change = both.revenue[:, 1] - both.revenue[:, 0]
    rows.append(fig.counted("change in revenue", change.sum(), len(change), base.unit))
    shares = (
        (f"of {names[0]}: bought again in {names[1]}", stayed, here),
        (f"of {names[1]}: new since {names[0]}", both.group == GROUPS.index("new"), there),
        (f"of {names[1]}: came back", both.group == GROUPS.index("came back"), there),
        ("of those who stayed: spent more", stayed & (change > 0), stayed),
    )
    for item, those, among in shares:
        n = int(among.sum())
        found = intervals.wilson(np.float64(those.sum()), np.float64(n), level)
        rows.append(fig.estimated(item, found, n, "share", fig.WILSON))
    found, n = intervals.mean(change[stayed], level), int(stayed.sum())
    item = "change in revenue per customer who stayed"
    return [*rows, fig.estimated(item, found, n, base.unit, fig.NORMAL)]


def _flow(both: _Both) -> pd.DataFrame:
    """Customers, orders and revenue by group, and in all."""
    rows = []
    for place, group in enumerate((*GROUPS, "all")):
        those = both.group == place if group != "all" else np.ones(len(both.group), dtype=bool)
        orders = both.orders[those].sum(axis=0).astype(np.int64)
        revenue = both.revenue[those].sum(axis=0)
        rows.append((group, int(those.sum()), *orders, *revenue, revenue[1] - revenue[0]))
    columns = ["group", "customers", "orders_before", "orders_after"]
    return pd.DataFrame(rows, columns=[*columns, "revenue_before", "revenue_after", "change"])


def _drivers(both: _Both) -> pd.DataFrame:
    """The change in revenue split over its three factors, for all and for those who stayed."""
    tables = []
    stayed = both.bought.all(axis=1)
    for group, those in (("all customers", np.ones_like(stayed)), ("stayed", stayed)):
        customers = both.bought[those].sum(axis=0).astype(float)
        orders, revenue = both.orders[those].sum(axis=0), both.revenue[those].sum(axis=0)
        factors = np.stack([customers, over(orders, customers), over(revenue, orders)])
        tables.append(
            pd.DataFrame(
                {
                    "group": group,
                    "driver": DRIVERS,
                    "before": factors[:, 0],
                    "after": factors[:, 1],
                    "change": contributions(factors[:, 0], factors[:, 1]),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def contributions(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What each of three factors adds to the change of their product; the parts add up to it.

    The mean over the six orders in which the factors can change one after the other (Shapley 1953;
    Sun 1998, Energy Economics 20, 85): for a of a b c, da ((b c + b'c') / 3 + (b c' + b'c) / 6).

    >>> contributions(np.array([2.0, 3.0, 5.0]), np.array([4.0, 3.0, 5.0])).tolist()
    [30.0, 0.0, 0.0]
    """
    parts = []
    for place in range(3):
        (b, c), (b_, c_) = (np.delete(side, place) for side in (before, after))
        step = after[place] - before[place]
        parts.append(step * ((b * c + b_ * c_) / 3 + (b * c_ + b_ * c) / 6))
    return np.array(parts)


def _deciles(both: _Both, level: float) -> pd.DataFrame:
    """What became of each tenth of the earlier period's customers, by their spend then."""
    here = both.bought[:, 0]
    revenue, stays = both.revenue[here], both.bought[here, 1]
    decile = deciles_of(revenue[:, 0])
    numbers, place = np.unique(decile, return_inverse=True)
    count = np.bincount(place).astype(float)
    stayed = intervals.wilson(np.bincount(place, weights=stays), count, level)
    sums = [np.bincount(place, weights=revenue[:, side]) for side in (0, 1)]
    return pd.DataFrame(
        {
            "decile": numbers,
            "customers": count.astype(np.int64),
            "stayed_share": stayed.value,
            "lower": stayed.lower,
            "upper": stayed.upper,
            "revenue_before": sums[0],
            "revenue_after": sums[1],
            "change": sums[1] - sums[0],
        }
    )
