"""How long customers take to buy a second time, counting those who have not yet.

A customer who has bought once so far is followed up to the end of the log and no further
(censored): a plain share or mean over those who came back would be too low or too short.
Source: Kaplan and Meier (1958, JASA 53, 457); interval log-log (Kalbfleisch and Prentice 1980).
"""

import numpy as np
import pandas as pd
import scipy

from cxmodels.measures import figures as fig
from cxmodels.measures.intervals import Interval
from cxmodels.numerics.arrays import Floats

MARKS = (30, 90, 180, 365, 730)  # days at which the share is told


def second_purchase(days: Floats, again: np.ndarray, level: float) -> pd.DataFrame:
    """The share that has bought a second time, at each day on which somebody did.

    days: (n,) days to the second purchase, or to the end of the log where none came; again: (n,)
    whether it came.

    >>> second_purchase(np.array([5.0, 8.0, 9.0]), np.array([True, False, True]), 0.9)[
    ...     ["days", "at_risk", "events", "share"]].to_numpy().round(3).tolist()
    [[5.0, 3.0, 1.0, 0.333], [9.0, 1.0, 1.0, 1.0]]
    """
    times = np.unique(days[again])
    at_risk = len(days) - np.searchsorted(np.sort(days), times, side="left")
    events = np.searchsorted(np.sort(days[again]), times, side="right")
    events = np.diff(events, prepend=0)
    n, d = at_risk.astype(float), events.astype(float)
    z = float(scipy.special.ndtri((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody left at risk: no interval
        S = np.cumprod(1 - d / n)
        greenwood = np.cumsum(d / (n * (n - d)))
        spread = z * np.sqrt(greenwood) / np.abs(np.log(S))
        lower, upper = 1 - S ** np.exp(-spread), 1 - S ** np.exp(spread)
    return pd.DataFrame(
        {
            "days": times.astype(np.int64),
            "at_risk": at_risk,
            "events": events,
            "share": 1 - S,
            "lower": np.where(S > 0, lower, np.nan),
            "upper": np.where(S > 0, upper, np.nan),
        }
    )


def waiting_figures(curve: pd.DataFrame, days: Floats, level: float) -> list[fig.Figure]:
    """The share that came back within 30, 90, ... days, and the median time, as far as followed."""
    longest, n = float(days.max(initial=0.0)), len(days)
    rows = []
    for mark in (mark for mark in MARKS if mark <= longest):
        place = int(np.searchsorted(curve["days"].to_numpy(), mark, side="right")) - 1
        found = Interval(0.0, np.nan, np.nan)
        if place >= 0:
            row = curve.iloc[place]
            found = Interval(float(row["share"]), float(row["lower"]), float(row["upper"]))
        item = f"bought again within {mark} days"
        rows.append(fig.estimated(item, found, n, "share", fig.KAPLAN_MEIER))
    rows.append(_median(curve, n))
    return rows


def _median(curve: pd.DataFrame, n: int) -> fig.Figure:
    """The day by which half have bought again; ends where the interval's ends pass one half."""

    def first(column: str) -> float:
        passed = curve.loc[curve[column] >= 0.5, "days"]
        return float(passed.iloc[0]) if len(passed) else np.nan

    item = "days until half have bought again"
    value, lower, upper = first("share"), first("upper"), first("lower")
    if np.isnan(value):
        return fig.Figure(item, np.nan, lower, np.nan, n, "days", "half have not come back so far")
    return fig.Figure(item, value, lower, upper, n, "days", fig.KAPLAN_MEIER)
