"""Lens 4 of a customer-base audit: two cohorts side by side, at the same age.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit, chapter 7. Only ages that both have
lived through are set against each other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures import figures as fig
from cxmodels.measures import intervals
from cxmodels.measures.one_cohort import life, waiting
from cxmodels.measures.purchases_by_period import Base
from cxmodels.measures.second_purchase import second_purchase
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import ShownTables


@dataclass(frozen=True, eq=False, repr=False)
class TwoCohorts(ShownTables):
    """Two cohorts at the same age.

    life: both cohorts at each age; differences: second less first at each age that both have
    lived through whole: share active (Newcombe interval) and revenue per customer acquired (normal
    interval); second_purchase: both curves of the time to the second purchase.
    """

    title: str
    life: pd.DataFrame
    differences: pd.DataFrame
    second_purchase: pd.DataFrame


def two_cohorts(base: Base, first: int, second: int) -> TwoCohorts:
    """Lens 4 of the cohorts at these places."""
    names = [base.periods[place].label for place in (first, second)]
    curves = []
    for place, name in zip((first, second), names, strict=True):
        curve = second_purchase(*waiting(base, place), base.level)
        curves.append(curve.assign(cohort=name)[["cohort", *curve.columns]])
    return TwoCohorts(
        title=f"Lens 4: two cohorts, customers acquired in {names[0]} and in {names[1]}",
        life=pd.concat([life(base, place) for place in (first, second)], ignore_index=True),
        differences=_differences(base, first, second),
        second_purchase=pd.concat(curves, ignore_index=True),
    )


def _differences(base: Base, first: int, second: int) -> pd.DataFrame:
    rows = []
    for age in range(len(base.periods) - max(first, second)):
        pairs = [(place, place + age) for place in (first, second)]
        if not all(base.periods[at].complete for pair in pairs for at in pair):
            continue
        rows += _at_age(base, pairs, age)
    return pd.DataFrame(rows, columns=["age", *fig.COLUMNS])


def _at_age(base: Base, pairs: list[tuple[int, int]], age: int) -> list[tuple[object, ...]]:
    """Difference in share active and in revenue per customer acquired, at one age."""
    sides: list[tuple[Floats, Floats]] = []
    for cohort, period in pairs:
        those = base.cohort == cohort
        orders, revenue = base.spread(period)
        sides.append((orders[those], revenue[those]))
    n = sum(len(orders) for orders, _ in sides)
    shares = [
        intervals.wilson(np.float64((orders > 0).sum()), np.float64(len(orders)), base.level)
        for orders, _ in sides
    ]
    active = intervals.share_difference(shares[0], shares[1])
    spent = intervals.mean_difference(sides[0][1], sides[1][1], base.level)
    found = (
        fig.estimated("share active", active, n, "share", fig.NEWCOMBE),
        fig.estimated("revenue per customer acquired", spent, n, base.unit, fig.NORMAL),
    )
    told = found if age else found[1:]  # everybody is active in the period of acquisition
    return [(age, *(getattr(row, name) for name in fig.COLUMNS)) for row in told]
