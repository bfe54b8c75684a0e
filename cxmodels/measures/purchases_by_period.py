"""The panel of who bought what when, asked period by period and cohort by cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxmodels.data.periods import Period
from cxmodels.numerics.arrays import Floats, Ints, Number

if TYPE_CHECKING:
    from cxmodels.data.purchase_panel import Panel


@dataclass(frozen=True)
class Buyers:
    """Everybody who bought in one period: place among all customers, orders, revenue."""

    customer: np.ndarray
    orders: Floats
    revenue: Floats

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class Base:
    """A panel ready to be asked."""

    panel: Panel
    level: float
    unit: str  # of money

    @property
    def periods(self) -> tuple[Period, ...]:
        return self.panel.cohorts.periods

    @property
    def cohort(self) -> np.ndarray:
        """Each customer's cohort, as the place of its period."""
        return self.panel.customers["cohort"].to_numpy()

    def buyers(self, period: int) -> Buyers:
        """Who bought in the period at this place."""
        cells = self.panel.cells
        inside = cells[cells["period"].to_numpy() == period]
        return Buyers(
            inside["customer"].to_numpy(),
            inside["orders"].to_numpy(dtype=np.float64),
            inside["revenue"].to_numpy(dtype=np.float64),
        )

    def spread(self, period: int) -> tuple[Floats, Floats]:
        """Orders and revenue of every customer in a period, zeros included."""
        found, size = self.buyers(period), len(self.panel.customers)
        orders, revenue = np.zeros(size), np.zeros(size)
        orders[found.customer], revenue[found.customer] = found.orders, found.revenue
        return orders, revenue

    def cells_of(self, cohort: int) -> pd.DataFrame:
        """The rows of the matrix that belong to a cohort, by age."""
        table = self.panel.cohorts.table
        return table[table["cohort"] == self.periods[cohort].label].reset_index(drop=True)


def over(above: Number | Ints, below: Number | Ints) -> Floats:
    """A ratio of arrays; NaN where nothing was counted."""
    below = np.asarray(below, dtype=np.float64)
    empty = below == 0
    quotient = np.asarray(above, dtype=np.float64) / np.where(empty, 1.0, below)
    return np.where(empty, np.nan, quotient)


def deciles_of(values: Floats) -> np.ndarray:
    """The decile of each value, 1 the largest; ties go to the customer who comes first.

    >>> deciles_of(np.array([5.0, 9.0, 1.0, 7.0])).tolist()
    [6, 1, 8, 3]
    """
    n = len(values)
    place = np.empty(n, dtype=np.int64)
    place[np.argsort(-values, kind="stable")] = np.arange(n)
    return place * 10 // max(n, 1) + 1
