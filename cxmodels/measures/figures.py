"""Figures as rows: what it is, its value and interval, how many stand behind it, unit, basis.

The basis says whether a row is a census (all of the log was counted, so that nothing is estimated)
or an estimate, and then by which method its interval is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures.intervals import Interval

COLUMNS = ("item", "value", "lower", "upper", "n", "unit", "basis")
CENSUS = "census"
WILSON = "estimate, Wilson interval"
NORMAL = "estimate, normal interval"
LINEARISED = "estimate, linearised over customers"
ORDER_STATISTICS = "estimate, order statistics"
KAPLAN_MEIER = "estimate, Kaplan-Meier, log-log interval"
NEWCOMBE = "estimate, Newcombe interval"
UNDEFINED = "not defined: nothing was counted"


@dataclass(frozen=True)
class Figure:
    """One row of a table of figures."""

    item: str
    value: float
    lower: float
    upper: float
    n: int
    unit: str
    basis: str


def counted(item: str, value: float, n: int, unit: str) -> Figure:
    """A figure that is a census."""
    return Figure(item, float(value), np.nan, np.nan, n, unit, CENSUS)


def estimated(item: str, found: Interval, n: int, unit: str, basis: str) -> Figure:
    """A figure that is an estimate; without an interval it says so."""
    value, lower, upper = (float(part) for part in (found.value, found.lower, found.upper))
    if np.isnan(value):
        basis = UNDEFINED
    elif np.isnan(lower) and np.isnan(upper):
        basis = f"{basis.partition(',')[0]}, too few for an interval"
    return Figure(item, value, lower, upper, n, unit, basis)


def table_of(figures: Iterable[Figure]) -> pd.DataFrame:
    """The figures as a table."""
    rows = [tuple(getattr(figure, name) for name in COLUMNS) for figure in figures]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def money(currency: str | None) -> str:
    """The unit of amounts."""
    return currency or "money"
