"""Event studies: did returns part from what was to be expected when scores came out?

Abnormal return AR_it = R_it - E_it, with E from a regression over an estimation window that ends
before the event. Each test asks the same of other things: Patell (1976) standardises by each firm's
own forecast error; BMP (Boehmer, Musumeci and Poulsen 1991) lets the event change variances;
Kolari and Pynnonen (2010) let firms move together, as they do when scores of many are released on
one day; Corrado (1989) takes ranks, Cowan (1992) signs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.days import as_days
from cxmodels.data.factors import checked_factors
from cxmodels.data.returns import Returns, check_returns
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import POWER, check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.event_choices import (
    Choices,
    check_choices,
    events_of,
    windows_of,
)

FEWEST = 30  # returns in an estimation window


@dataclass(frozen=True, eq=False, repr=False)
class EventStudy(Faced):
    """An event study.

    days: day (0: the event), mean (abnormal return), the tests and their p-values, events; windows:
    the same of cumulative abnormal returns; events: asset, date, day0, car, bhar (bought and held,
    against what was expected), scar (standardised); reconciliation: what became of each event.
    """

    days: pd.DataFrame
    windows: pd.DataFrame
    events: pd.DataFrame
    reconciliation: pd.DataFrame
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Cumulative returns by window."""
        names = ["window", "mean", "lower", "upper", "t", "patell", "bmp", "kolari_pynnonen",
                 "rank", "sign", "detectable", "events"]  # fmt: skip
        head = f"Mean cumulative abnormal return; interval {self.level:.0%}"
        return Face(head, self.windows[names], self.notes)


@dataclass(frozen=True, eq=False)
class _Event:
    """One event: abnormal returns (d,) of its window; simple returns, raw and expected; shape: the
    covariance of abnormal ones over s2 (d, d); spread s; residuals of the estimation window by
    place on the calendar; free: degrees of freedom of s."""

    asset: str
    date: Any
    day0: Any
    abnormal: Floats
    raw: Floats
    expected: Floats
    shape: Floats
    spread: float
    rows: Any
    residuals: Floats
    free: int


def event_study(  # noqa: PLR0913 - the door of the question: every choice by name
    returns: Returns,
    events: Any,
    *,
    market: "pd.Series[float] | str | None" = None,
    factors: pd.DataFrame | None = None,
    model: str = "market",
    window: tuple[int, int] = (-1, 1),
    estimation: tuple[int, int] = (-250, -11),
    windows: Mapping[str, tuple[int, int]] | None = None,
    convention: str = "textbook",
    log_returns: bool = False,
    level: float = 0.9,
) -> EventStudy:
    """Abnormal returns around events, with the tests that the field uses.

    Args: returns: from `returns_of`; events: a table with asset and date (the day on which it was
    known; the next trading day, if it is none); market: returns of the market by day, or the name
    of one of the assets; factors: returns by day, one column a factor, for model="factors"; model:
    market, market adjusted, mean or factors; window: first and last day told; estimation: first and
    last day of the regression, in trading days from the event; windows: name -> days to cumulate,
    the whole window if None; convention: "textbook", or "estudy2" as R's package has it; level: of
    intervals.
    Errors: OptionError for choices that are none, FitError where no event can be used.
    """
    how = Choices(window, estimation, model, convention, log_returns)
    check_choices(how)
    inside = check_level(level)
    check_returns(returns)
    given = events_of(events)
    X, own = _explaining(returns, market, factors, how)
    values = returns.logs() if log_returns else returns.values
    found, account = [], []
    for row in given[["asset", "date"]].itertuples(index=False):
        made = _one(returns, values, X, (str(row.asset), row.date), how)
        if isinstance(made, str):
            account.append((str(row.asset), row.date, f"set aside: {made}"))
            continue
        found.append(made)
        account.append((str(row.asset), row.date, "used"))
    if len(found) < 2:
        reasons = "; ".join(dict.fromkeys(why for *_, why in account if why != "used"))
        because = f": {reasons}" if reasons else f", {len(given)} were given"
        raise FitError(f"{len(found)} events can be used, 2 are needed{because}")
    days, asked = np.arange(window[0], window[1] + 1), windows_of(windows, window)
    together = _correlation(found)
    told = [_row(found, days == day, together, inside) | {"day": int(day)} for day in days]
    sums = [
        _row(found, (days >= begins) & (days <= ends), together, inside) | {"window": name}
        for name, (begins, ends) in asked.items()
    ]
    return EventStudy(
        days=_first(pd.DataFrame(told), "day"),
        windows=_first(pd.DataFrame(sums), "window"),
        events=_by_event(found),
        reconciliation=pd.DataFrame(account, columns=["asset", "date", "what"]),
        level=inside,
        notes=(*_notes(found, own, together, how), *returns.notes),
    )


def _first(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[[name, *(column for column in table.columns if column != name)]]


def _explaining(
    returns: Returns, market: Any, factors: pd.DataFrame | None, how: Choices
) -> tuple[Floats, str]:
    """(t, k) what returns are regressed on, a constant first; which asset is the market."""
    t = len(returns.days)
    one = np.ones((t, 1))
    if how.model == "mean":
        return one, ""
    if how.model == "factors":
        if factors is None:
            raise OptionError("model='factors' needs factors=, a frame of returns by day")
        return np.column_stack([one, _aligned(factors, returns)]), ""
    if market is None:
        raise OptionError(f"model={how.model!r} needs market=, its returns by day or an asset")
    if isinstance(market, str):
        if market not in returns.assets:
            raise OptionError(f"market {market!r} is no asset of the returns")
        m = returns.values[:, returns.assets.index(market)]
    else:
        m = _aligned(market, returns)[:, 0]
    m = np.log1p(m) if how.logs else m
    return np.column_stack([one, m]), market if isinstance(market, str) else ""


def _aligned(factors: Any, returns: Returns) -> Floats:
    held = checked_factors(factors, returns, None)
    days: Any = pd.DatetimeIndex(returns.days)
    if isinstance(held.index, pd.PeriodIndex):
        days = days.to_period("M")
    if not days.isin(held.index).any():
        raise OptionError("the market (or factors) and the returns share no day")
    return np.asarray(held.reindex(days).to_numpy(dtype=np.float64))


def _one(
    returns: Returns, values: Floats, X: Floats, event: tuple[str, Any], how: Choices
) -> _Event | str:
    """One event, or why it cannot be used."""
    asset, date = event
    if asset not in returns.assets:
        return "unknown asset"
    day = as_days(pd.Series([str(date)]))[0]
    if pd.isna(day):
        return "no date"
    days = pd.DatetimeIndex(returns.days)
    zero = int(days.searchsorted(day))
    first, last = zero + how.window[0], zero + how.window[1]
    if first < 0 or last >= len(days):
        return "window outside of the returns"
    y = values[:, returns.assets.index(asset)]
    known = np.isfinite(y) & np.isfinite(X).all(axis=1)
    use = np.arange(max(zero + how.estimation[0], 0), max(zero + how.estimation[1] + 1, 0))
    rows = use[known[use]]
    if rows.size < FEWEST:
        return f"fewer than {FEWEST} returns in the estimation window"
    at = np.arange(first, last + 1)
    if not known[at].all():
        return "a return is missing in the window"
    expected, e, shape, spread = _forecast(y, X, (rows, at, use), how)
    if spread == 0.0:
        return "its returns do not vary"
    return _Event(
        asset, date, days[zero], y[at] - expected, y[at], expected, shape, spread, rows, e,
        rows.size - _parameters(X, how),
    )  # fmt: skip


def _parameters(X: Floats, how: Choices) -> int:
    """Coefficients of the regression before the event."""
    return 0 if how.model == "market adjusted" else X.shape[1]


def _forecast(
    y: Floats, X: Floats, places: tuple[Any, Any, Any], how: Choices
) -> tuple[Floats, Floats, Floats, float]:
    """Expected returns (d,) of the window, residuals before it, shape (d, d) and spread s.

    places: rows of the estimation window that are known, days of the event window, and all days of
    the estimation window.
    """
    rows, at, use = places
    if how.model == "market adjusted":
        expected, inside = X[at, 1], X[rows, 1]
        shape, k = np.eye(at.size), 0
    else:
        b = np.linalg.lstsq(X[rows], y[rows], rcond=None)[0]
        expected, inside, k = X[at] @ b, X[rows] @ b, X.shape[1]
        shape = np.eye(at.size) + X[at] @ np.linalg.pinv(X[rows].T @ X[rows]) @ X[at].T
    e, free = y[rows] - inside, rows.size - k
    if how.convention == "estudy2":
        free = rows.size - 1
        every = use[np.isfinite(X[use]).all(axis=1)]
        away = X[every, 1] - X[every, 1].mean()
        leverage = (X[at, 1] - X[every, 1].mean()) ** 2 / float(away @ away)
        shape = np.diag(1.0 + 1.0 / rows.size + leverage)
    return expected, e, shape, float(np.sqrt(e @ e / free))


def _correlation(found: list[_Event]) -> float:
    """Mean correlation of residuals over pairs, over days that both have; 0 where none share 30."""
    top = 1 + max(int(event.rows.max()) for event in found)
    grid = np.full((len(found), top), np.nan)
    for place, event in enumerate(found):
        grid[place, event.rows] = event.residuals / event.spread
    known = np.isfinite(grid)
    filled = np.where(known, grid, 0.0)
    shared = known.astype(float) @ known.T.astype(float)
    product = filled @ filled.T
    size = np.sqrt((filled**2 @ known.T) * (known @ (filled**2).T))
    upper = np.triu(shared >= FEWEST, 1)
    if not upper.any():
        return 0.0
    return float(np.mean(product[upper] / size[upper]))


def _row(found: list[_Event], use: Any, together: float, level: float) -> dict[str, Any]:
    """Mean of abnormal returns summed over days (d,) in `use`, and all its tests."""
    n = len(found)
    total = np.array([event.abnormal[use].sum() for event in found])
    spread = np.array([
        event.spread * np.sqrt(event.shape[np.ix_(use, use)].sum()) for event in found
    ])  # fmt: skip
    standard = total / spread
    free = np.array([event.free for event in found], dtype=np.float64)
    mean, error = float(total.mean()), float(total.std(ddof=1) / np.sqrt(n))
    own = float(standard.std(ddof=1))
    bmp = float(standard.mean() / own * np.sqrt(n)) if own > 0 else None
    moved = 1.0 + (n - 1) * together
    kp = None if bmp is None or moved <= 0 else bmp * float(np.sqrt((1.0 - together) / moved))
    tests = {
        "t": mean / error if error > 0 else None,
        "patell": float(standard.sum() / np.sqrt((free / (free - 2.0)).sum())),
        "bmp": bmp,
        "kolari_pynnonen": kp,
        "rank": _rank(found, use),
        "sign": _sign(found, total),
    }
    half = float(scipy.special.stdtrit(n - 1, (1.0 + level) / 2.0)) * error
    p = {
        f"{name}_p": None if z is None else float(2.0 * scipy.special.ndtr(-abs(z)))
        for name, z in tests.items()
    }
    p["t_p"] = None if tests["t"] is None else float(
        2.0 * scipy.special.stdtr(n - 1, -abs(tests["t"])))  # fmt: skip
    return {"mean": mean, "lower": mean - half, "upper": mean + half, **tests, **p,
            "detectable": POWER * error, "events": n}  # fmt: skip


def _rank(found: list[_Event], use: Any) -> float | None:
    """Corrado's (1989) test, ranks over both windows divided by one more than their number; days
    are added up and divided by the root of how many they are."""
    per_day, ranked = np.zeros(int(use.sum())), []
    for event in found:
        both = np.concatenate([event.residuals, event.abnormal])
        u = scipy.stats.rankdata(both) / (both.size + 1.0) - 0.5
        ranked.append(u)
        per_day += u[event.residuals.size :][use]
    # the spread over days, of the mean rank of all events, aligned by day from the event
    longest = max(u.size for u in ranked)
    grid = np.full((len(ranked), longest), np.nan)
    for place, u in enumerate(ranked):
        grid[place, longest - u.size :] = u
    there = np.isfinite(grid)
    sums = np.nansum(grid, axis=0) / np.sqrt(np.maximum(there.sum(axis=0), 1))
    spread = float(np.sqrt(np.mean(sums**2)))
    if spread == 0.0:
        return None
    return float(per_day.sum() / np.sqrt(len(found)) / spread / np.sqrt(use.sum()))


def _sign(found: list[_Event], total: Floats) -> float | None:
    """Cowan's (1992) generalised sign test: the share above 0 against that before the event."""
    share = float(np.mean([np.mean(event.residuals > 0) for event in found]))
    n = len(found)
    if not 0.0 < share < 1.0:
        return None
    return float((np.sum(total > 0) - n * share) / np.sqrt(n * share * (1.0 - share)))


def _by_event(found: list[_Event]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "asset": [event.asset for event in found],
            "date": [event.date for event in found],
            "day0": [event.day0 for event in found],
            "car": [float(event.abnormal.sum()) for event in found],
            "bhar": [float(np.prod(1 + e.raw) - np.prod(1 + e.expected)) for e in found],
            "scar": [float(e.abnormal.sum() / (e.spread * np.sqrt(e.shape.sum()))) for e in found],
            "estimation_returns": [event.rows.size for event in found],
        }
    )


def _notes(found: list[_Event], own: str, together: float, how: Choices) -> list[str]:
    notes = [
        "Association of news with returns around it: whether a release is news, and whether it "
        "came alone, stands in no return.",
        f"Residuals of firms correlate by {together:.3f} on average; the Kolari-Pynnonen test "
        "allows for it, the others take events for independent.",
    ]
    days = {event.day0 for event in found}
    if len(days) < len(found) / 2:
        notes.append(
            f"{len(found):,} events fall on {len(days):,} days: read the Kolari-Pynnonen test."
        )
    if own and any(event.asset == own for event in found):
        notes.append(f"{own} is the market and has an event of its own: leave it out.")
    return notes
