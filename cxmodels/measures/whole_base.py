"""Lens 5 of a customer-base audit: all cohorts over all periods.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit, chapter 8.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures import intervals
from cxmodels.measures.purchases_by_period import Base, over
from cxmodels.results.shown_tables import ShownTables


@dataclass(frozen=True, eq=False, repr=False)
class WholeBase(ShownTables):
    """The whole base: every cohort in every period.

    matrix: C(cohort, period), money in decimals; periods: each period, split into customers
    acquired in it and before it; cohorts: each cohort so far, and how it grew against the one
    before. All of it is a census but the share that bought again (Wilson interval).
    """

    title: str
    matrix: pd.DataFrame
    periods: pd.DataFrame
    cohorts: pd.DataFrame


def whole_base(base: Base) -> WholeBase:
    """Lens 5."""
    matrix = base.panel.cohorts.table
    return WholeBase(
        title=f"Lens 5: the whole base, {base.periods[0].first} to {base.periods[-1].last}",
        matrix=matrix,
        periods=_periods(base, matrix),
        cohorts=_cohorts(base, matrix),
    )


def _periods(base: Base, matrix: pd.DataFrame) -> pd.DataFrame:
    names = ["active_customers", "orders", "revenue"]
    numbers = matrix[names].astype(np.float64).assign(period=matrix["period"])
    total, new = (
        part.groupby("period", sort=True)[names].sum()
        for part in (numbers, numbers[matrix["age"].to_numpy() == 0])
    )
    revenue, fresh = total["revenue"].to_numpy(), new["revenue"].to_numpy()
    whole = np.array([period.complete for period in base.periods])
    return pd.DataFrame(
        {
            "period": total.index.to_numpy(),
            "active_customers": total["active_customers"].to_numpy(dtype=np.int64),
            "new_customers": new["active_customers"].to_numpy(dtype=np.int64),
            "orders": total["orders"].to_numpy(dtype=np.int64),
            "revenue": revenue,
            "revenue_new": fresh,
            "new_revenue_share": over(fresh, revenue),
            "growth": _growth(revenue, whole),
            "complete": whole,
        }
    )


def _growth(values: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Relative change against the row before; missing where either is a part of a period."""
    growth = np.full(len(values), np.nan)
    growth[1:] = over(values[1:], values[:-1]) - 1
    growth[1:][~(whole[1:] & whole[:-1])] = np.nan
    return growth


def _cohorts(base: Base, matrix: pd.DataFrame) -> pd.DataFrame:
    """Cohorts with a customer, in order of time."""
    numbers = matrix.assign(revenue=matrix["revenue"].astype(np.float64))
    grouped = numbers.groupby("cohort", sort=True)
    size = grouped["customers"].first().to_numpy(dtype=np.float64)
    sums = grouped[["orders", "revenue"]].sum()
    customers = base.panel.customers
    back = customers["second_date"].notna().to_numpy()
    returned = np.bincount(base.cohort[back], minlength=len(base.periods))
    share = intervals.wilson(returned, size, base.level)
    whole = np.array([period.complete for period in base.periods])
    first = numbers[numbers["age"] == 0].set_index("cohort")["revenue"].to_numpy()
    last = numbers[numbers["period"] == base.periods[-1].label].set_index("cohort")["revenue"]
    table = pd.DataFrame(
        {
            "cohort": sums.index.to_numpy(),
            "customers": size.astype(np.int64),
            "growth": _growth(size, whole),
            "orders": sums["orders"].to_numpy(),
            "revenue": sums["revenue"].to_numpy(),
            "revenue_first_period": first,
            "revenue_last_period": last.to_numpy(),
            "revenue_per_acquired": over(sums["revenue"].to_numpy(), size),
            "returned_share": share.value,
            "returned_share_lower": share.lower,
            "returned_share_upper": share.upper,
            "complete": whole,
        }
    )
    return table[table["customers"] > 0].reset_index(drop=True)
