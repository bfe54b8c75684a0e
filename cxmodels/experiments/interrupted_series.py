"""Interrupted time series: one series, a known date, a change of level and of slope.

    y_t = a + b t + c post_t + d post_t (t - t0) + e_t,

with t counted from 0 at the first period, t0 the first treated one. What would have been is the
line before, carried on; so the answer rests on nothing else having changed at t0, and on the line
being straight. Shocks last, so errors are either those of an autoregression (`lasting_shocks`), or
Newey and West's (1987, Econometrica 55) of a named convention. In simulated series of 120 periods,
95 per cent intervals of the first hold 93 to 96 per cent, of the second 82 (rho .6) to 92 (rho 0).
Source: Bernal, Cummins and Gasparrini 2017, International Journal of Epidemiology 46.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.lasting_shocks import lasting, seen_rho
from cxmodels.experiments.unit_periods import frame_of, number_problems, periods_of, shown, told
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.conventions import Covariance, Errors, Linear, covariance
from cxmodels.regression.panel import coefficient_table
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

COEFFICIENTS = ("level at the first period", "slope", "change of level", "change of slope")
FEWEST = 3  # periods on each side: two tell a line, a third whether it is one
AUTOREGRESSION, ERRORS = "ar1", ("ar1", "newey-west")
SHORT, ENOUGH, LASTING = 60, 500, 0.3  # periods, periods, rho
UNEVEN = 1.5  # a step so many times the smallest is a gap


@dataclass(frozen=True, eq=False, repr=False)
class InterruptedSeries(Faced):
    """table: coefficient (level at the first period, slope a period, change of level at the start,
    change of slope), estimate, std_error, t, p_value, lower, upper. path: period, outcome, fitted,
    counterfactual, and effect with lower, upper from the start on. effect: mean over periods from
    the start on, with std_error, lower, upper; naive: mean after less mean before. autocorrelation:
    rho of shocks, one period apart. verdict: a sentence."""

    table: pd.DataFrame
    path: pd.DataFrame
    effect: float
    std_error: float
    lower: float
    upper: float
    naive: float
    autocorrelation: float
    level: float
    convention: str
    verdict: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The coefficients."""
        head = f"Mean effect {self.effect:+.4g} a period; interval {self.level:.0%}"
        return Face(head, self.table, (self.verdict, f"Errors {self.convention}.", *self.notes))


def interrupted_series(
    table: Any,
    outcome: str,
    *,
    period: str,
    start: Any,
    errors: str = AUTOREGRESSION,
    lags: int | None = None,
    convention: str = "stata",
    level: float = 0.9,
) -> InterruptedSeries:
    """A change of level and slope at a known period, against the line before.

    table: one row a period (numbers or dates), evenly spaced; start: the first treated one; errors:
    "ar1" (coefficients by Prais and Winsten, t with n - 5 degrees) or "newey-west" (by least
    squares, n - 4); lags, convention of the latter: 4 (T / 100)^(2/9) lags if None, "stata" (n / (n
    - 4)) or "sandwich" (R's, with prewhite = FALSE; statsmodels' HAC); level: of intervals.
    Errors: DataError for a table that is no series, OptionError, FitError where it is too short.

    >>> sales = [10, 11, 12, 13, 14, 15, 21, 22, 23, 24]
    >>> table = pd.DataFrame({"week": range(1, 11), "sales": sales})
    >>> found = interrupted_series(table, "sales", period="week", start=7)
    >>> round(found.effect, 6), found.naive
    (5.0, 10.0)
    """
    inside = check_level(level)
    when, y = _series(table, outcome, period)
    t0 = _place(when, start)
    T = y.size
    if min(t0, T - t0) < FEWEST:
        raise FitError(f"{t0} periods before the start and {T - t0} from it on: {FEWEST} of each "
                       "are the least")  # fmt: skip
    if np.ptp(y) == 0.0:
        raise FitError(f"{outcome} is {y[0]:g} in every period: nothing can have changed")
    t = np.arange(T, dtype=np.float64)
    post = (t >= t0).astype(np.float64)
    X = np.column_stack([np.ones(T), t, post, post * (t - t0)])
    b, found, rho = _fitted(X, y, errors, (convention, lags))
    rows = coefficient_table(COEFFICIENTS, b, found.values, found.degrees, inside)
    late = X[t0:] * [0.0, 0.0, 1.0, 1.0]
    effect, error = _ends(late.mean(axis=0), b, found)
    half = float(scipy.special.stdtrit(found.degrees, (1.0 + inside) / 2.0))
    ends = (effect - half * error, effect + half * error)
    return InterruptedSeries(
        table=rows,
        path=_path(when, (y, X, late), b, found, half),
        effect=effect,
        std_error=error,
        lower=ends[0],
        upper=ends[1],
        naive=float(y[t0:].mean() - y[:t0].mean()),
        autocorrelation=rho,
        level=inside,
        convention=found.said,
        verdict=_verdict(outcome, shown(when[t0]), effect, ends),
        notes=tuple(_notes(rho, T, errors)),
    )


def _fitted(
    X: Floats, y: Floats, errors: str, how: tuple[str, int | None]
) -> tuple[Floats, Covariance, float]:
    """Coefficients, their covariance, and the autocorrelation of shocks."""
    if errors not in ERRORS:
        raise OptionError(f"errors {errors!r} is not one of {', '.join(ERRORS)}")
    if errors == AUTOREGRESSION:
        if how[1] is not None:
            raise OptionError("lags go with errors='newey-west': an autoregression has one")
        if y.size <= X.shape[1] + 1:
            raise FitError(f"{y.size} periods cannot tell 4 coefficients and a correlation apart")
        own = lasting(X, y)
        said = f"of shocks that last (AR(1), rho {own.rho:.2f}), Prais-Winsten"
        return own.coefficients, Covariance(own.values, own.degrees, said), own.rho
    b: Floats = np.linalg.lstsq(X, y, rcond=None)[0].astype(np.float64)
    one = np.zeros(y.size, dtype=np.int64)
    fit = Linear(X, y - X @ b, b, one, np.arange(y.size, dtype=np.int64))
    return b, covariance(fit, Errors.NEWEY_WEST, how[0], how[1]), seen_rho(X, fit.e)


def _ends(row: Floats, b: Floats, found: Covariance) -> tuple[float, float]:
    """A combination of coefficients and its standard error."""
    return float(row @ b), float(np.sqrt(max(float(row @ found.values @ row), 0.0)))


def _path(
    when: list[Any], held: tuple[Floats, Floats, Floats], b: Floats, found: Covariance, half: float
) -> pd.DataFrame:
    y, X, late = held
    fitted = X @ b
    effect, error = np.full(y.size, np.nan), np.full(y.size, np.nan)
    effect[y.size - len(late) :] = late @ b
    variance = np.einsum("tj,jk,tk->t", late, found.values, late)
    error[y.size - len(late) :] = np.sqrt(np.maximum(variance, 0.0))
    return pd.DataFrame({
        "period": when, "outcome": y, "fitted": fitted,
        "counterfactual": fitted - np.nan_to_num(effect), "effect": effect,
        "lower": effect - half * error, "upper": effect + half * error,
    })  # fmt: skip


def _series(table: Any, outcome: str, period: str) -> tuple[list[Any], Floats]:
    """Periods in order and their outcomes."""
    held = frame_of(table, (period, outcome))
    when = periods_of(held[period])
    problems = list(_problems(held, outcome, period, when))
    if problems:
        raise DataError("table", problems)
    order = np.argsort(when.to_numpy(), kind="stable")
    y = pd.to_numeric(held[outcome]).to_numpy(dtype=np.float64)[order]
    known = list(when.iloc[order])
    if all(isinstance(at, float) and at.is_integer() for at in known):
        known = [int(at) for at in known]
    return known, y


def _problems(
    held: pd.DataFrame, outcome: str, period: str, when: "pd.Series[Any]"
) -> Iterator[Problem]:
    keys = (period,)
    yield from told(f"{period} is neither a number nor a date", when.isna(), held, keys)
    twice = when.duplicated() & when.notna()
    yield from told(f"a {period} has two rows", twice, held, keys, "Sum or average them first")
    yield from number_problems(held, outcome, keys)
    ordered = np.unique(when.dropna().to_numpy())
    if ordered.size > 2:
        step = np.diff(ordered).astype(np.float64)
        wide = np.flatnonzero(step > UNEVEN * step.min())
        if wide.size:
            at = shown(when.dropna().sort_values().drop_duplicates().iloc[int(wide[0])])
            yield Problem(f"{period} has gaps", int(wide.size), f"after {at}",
                          "A line in time needs every period")  # fmt: skip


def _place(when: list[Any], start: Any) -> int:
    """Place of the first period at or after the start."""
    dates = isinstance(when[0], pd.Timestamp)
    try:
        given = pd.Timestamp(start) if dates else float(start)
        if pd.isna(given):
            raise ValueError
    except (TypeError, ValueError):
        kind = "a date" if dates else "a number"
        raise OptionError(f"start {start!r} is not {kind}, as the periods are") from None
    return sum(1 for known in when if known < given)


def _verdict(outcome: str, start: str, effect: float, ends: tuple[float, float]) -> str:
    told_so = (
        f"From {start} on {outcome} lay {effect:+.4g} a period off the line before it "
        f"({ends[0]:+.4g} to {ends[1]:+.4g})"
    )
    if ends[0] <= 0.0 <= ends[1]:
        return f"{told_so}: no change can be told."
    return f"{told_so}, if nothing else changed then and the line would have gone on."


def _notes(rho: float, T: int, errors: str) -> Iterator[str]:
    yield f"Shocks one period apart correlate by {rho:+.2f}."
    if errors == AUTOREGRESSION and T < SHORT and rho > LASTING:
        yield f"{T} periods hardly tell how long shocks last: the interval is somewhat too narrow."
    if errors != AUTOREGRESSION and T < ENOUGH:
        yield f"Newey-West errors are too small over {T} periods; errors='ar1' come nearer."
