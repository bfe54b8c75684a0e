"""Lens 3 of a customer-base audit: one cohort from its acquisition on.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit, chapter 6.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures import figures as fig
from cxmodels.measures import intervals
from cxmodels.measures.purchases_by_period import Base, over
from cxmodels.measures.second_purchase import second_purchase, waiting_figures
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import ShownTables


@dataclass(frozen=True, eq=False, repr=False)
class OneCohort(ShownTables):
    """One cohort over its life.

    figures: its size and revenue, and how soon it came back; life: what it did at each age;
    second_purchase: the share that has bought a second time by each day, with those who have not
    yet counted as long as they were followed.
    """

    title: str
    figures: pd.DataFrame
    life: pd.DataFrame
    second_purchase: pd.DataFrame


def one_cohort(base: Base, cohort: int) -> OneCohort:
    """Lens 3 of the cohort at this place."""
    days, again = waiting(base, cohort)
    curve = second_purchase(days, again, base.level)
    rows = [*_figures(base, cohort), *waiting_figures(curve, days, base.level)]
    return OneCohort(
        title=f"Lens 3: one cohort, customers acquired in {base.periods[cohort].label}",
        figures=fig.table_of(rows),
        life=life(base, cohort),
        second_purchase=curve,
    )


def waiting(base: Base, cohort: int) -> tuple[Floats, np.ndarray]:
    """Days to the second purchase or to the end of the log, and whether it came."""
    those = base.panel.customers[base.cohort == cohort]
    end = np.datetime64(base.periods[-1].last, "s")
    second = those["second_date"].to_numpy()
    again = ~np.isnat(second)
    last = np.where(again, second, end)
    return (last - those["first_date"].to_numpy()) / np.timedelta64(1, "D"), again


def life(base: Base, cohort: int) -> pd.DataFrame:
    """What the cohort did at each age, per customer acquired and per customer active."""
    cells = base.cells_of(cohort)
    names = ["customers", "active_customers", "orders", "revenue"]
    size, active, orders, revenue = (cells[name].to_numpy(dtype=np.float64) for name in names)
    share = intervals.wilson(active, size, base.level)
    own = cells["age"].to_numpy() == 0  # everybody, by construction: no estimate
    return pd.DataFrame(
        {
            "cohort": cells["cohort"],
            "period": cells["period"],
            "age": cells["age"],
            "customers": cells["customers"],
            "active_customers": cells["active_customers"],
            "active_share": share.value,
            "active_share_lower": np.where(own, np.nan, share.lower),
            "active_share_upper": np.where(own, np.nan, share.upper),
            "orders": cells["orders"],
            "orders_per_customer": over(orders, active),
            "value_per_order": over(revenue, orders),
            "revenue": revenue,
            "revenue_per_acquired": over(revenue, size),
            "cumulative_per_acquired": over(np.cumsum(revenue), size),
            "complete": cells["complete"],
        }
    )


def _figures(base: Base, cohort: int) -> list[fig.Figure]:
    cells, those = base.panel.cells, base.cohort == cohort
    inside = cells[those[cells["customer"].to_numpy()]]
    size = len(those)
    n = int(those.sum())
    spent, bought = (
        np.bincount(inside["customer"], weights=inside[name], minlength=size)[those]
        for name in ("revenue", "orders")
    )
    level, unit = base.level, base.unit
    each = intervals.mean(spent, level)
    value = intervals.ratio(spent, bought, level)
    return [
        fig.counted("customers acquired", n, n, "customers"),
        fig.counted("orders so far", bought.sum(), n, "orders"),
        fig.counted("revenue so far", spent.sum(), n, unit),
        fig.estimated("revenue so far per customer acquired", each, n, unit, fig.NORMAL),
        fig.estimated("value per order so far", value, n, unit, fig.LINEARISED),
    ]
