"""Repeat purchases and new customers, period by period, over calibration and hold-out.

A period is one unit of the base (a week where the unit is an hour or a day), counted from the first
day of observation; the hold-out opens a period of its own on the day after `end`.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from datetime import date, timedelta

import numpy as np
import pandas as pd

from cxmodels.data.aggregation import CUSTOMERS, KEPT, Aggregated
from cxmodels.data.profiles import Ints
from cxmodels.data.reconciliation import kept_by_day
from cxmodels.data.units import TimeUnit, add_months


def tracking_table(done: Aggregated, start: date) -> pd.DataFrame:
    """period (from 1), period_start, period_end, part, repeat_purchases, buyers_new."""
    window = done.ask.window
    spans = [
        (first, last, "calibration") for first, last in periods(start, window.end, done.ask.unit)
    ]
    if window.holdout_end is not None:
        spans += [
            (first, last, "hold-out")
            for first, last in periods(window.after, window.holdout_end, done.ask.unit)
        ]
    firsts, newcomers = _first_purchases(done)
    occasions = _binned(kept_by_day(done), "occasions", spans)
    new = _binned(firsts, "customers", spans)
    if newcomers is not None:  # what customers first seen in the hold-out buy is not the base's
        occasions = occasions - _binned(newcomers, "occasions", spans)
        early = np.array([part == "calibration" for _, _, part in spans])
        repeats = occasions - np.where(early, new, 0)
    else:
        repeats = occasions - new
    return pd.DataFrame(
        {
            "period": np.arange(1, len(spans) + 1),
            "period_start": np.array([first for first, _, _ in spans], dtype="datetime64[s]"),
            "period_end": np.array([last for _, last, _ in spans], dtype="datetime64[s]"),
            "part": [part for _, _, part in spans],
            "repeat_purchases": repeats,
            "buyers_new": new,
        }
    )


def periods(start: date, end: date, unit: TimeUnit) -> list[tuple[date, date]]:
    """First and last day of each period from `start` to `end`; the last may be a part of one.

    >>> periods(date(2024, 1, 1), date(2024, 1, 9), TimeUnit.WEEK)[1]
    (datetime.date(2024, 1, 8), datetime.date(2024, 1, 9))
    """
    spans, first, count = [], start, 0
    while first <= end:
        count += 1
        following = (
            add_months(start, count * unit.months)
            if unit.months
            else start + timedelta(days=7 * count)
        )
        spans.append((first, min(following - timedelta(days=1), end)))
        first = following
    return spans


def _first_purchases(done: Aggregated) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """New customers by day; occasions by day of those first seen in the hold-out, if any."""
    firsts = done.frame(
        "SELECT CAST(first_seen AS DATE) AS day, COUNT(*) AS customers,"
        f" COUNT_IF(occasions = 0) AS unseen FROM {CUSTOMERS} GROUP BY 1"
    )
    if not int(firsts["unseen"].sum()):
        return firsts, None
    newcomers = done.frame(
        f"SELECT CAST(k.happened AS DATE) AS day, COUNT(*) AS occasions FROM {KEPT} AS k JOIN"
        f" (SELECT customer_id FROM {CUSTOMERS} WHERE occasions = 0) AS c"
        " ON c.customer_id = k.customer_id GROUP BY 1"
    )
    return firsts, newcomers


def _binned(by_day: pd.DataFrame, what: str, spans: list[tuple[date, date, str]]) -> Ints:
    """Counts by day summed over periods; an occasion before the first day counts in period 1."""
    opening = np.array([first for first, _, _ in spans], dtype="datetime64[D]")
    days = by_day["day"].to_numpy().astype("datetime64[D]")
    place = np.clip(np.searchsorted(opening, days, side="right") - 1, 0, None)
    sums = np.zeros(len(spans), dtype=np.int64)
    np.add.at(sums, place, by_day[what].to_numpy().astype(np.int64))
    return sums
