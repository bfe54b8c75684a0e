"""From an opened log to its base: check, aggregate, account, track, note.

Everything that needs the engine happens while the log is open; what leaves is a plain record.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb

from cxmodels.data import tables
from cxmodels.data.aggregation import (
    CUSTOMERS,
    Aggregated,
    aggregate,
    base_frame,
    occasions_frame,
)
from cxmodels.data.log_contract import LogColumns, LogFacts, check_log, first_row
from cxmodels.data.log_notes import duplicate_rows, notes_on
from cxmodels.data.profiles import compress
from cxmodels.data.reconciliation import reconcile
from cxmodels.data.sql import Window
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.tracking import tracking_table
from cxmodels.data.units import Collapse, TimeUnit, elapsed
from cxmodels.errors import DataError, Problem

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Choices:
    """How the log is to be summarised."""

    start: date | None
    end: date | None
    holdout_end: date | None
    unit: TimeUnit
    collapse: Collapse
    deduplicate: bool
    currency: str | None
    cohort: TimeUnit = TimeUnit.MONTH
    newcomers: bool = False  # only customers of whom no row before `start` speaks
    regularity: bool = False
    losses: bool = False


def base_from(log: Any, table: str | None, names: LogColumns, choices: Choices) -> CustomerBase:
    """The base of a log; DataError where the log cannot be read or breaks its contract."""

    def again(end: date, holdout_end: date | None) -> CustomerBase:
        return base_from(log, table, names, replace(choices, end=end, holdout_end=holdout_end))

    def occasions() -> "pd.DataFrame":
        with tables.open_log(log, table) as source:
            return occasions_frame(prepared(source, names, choices))

    once_only = hasattr(log, "read_next_batch")  # a record batch reader is used up by reading
    with tables.open_log(log, table) as source:
        try:
            base = _base_of(source, names, choices)
        except duckdb.Error as error:  # a file that turns out unreadable half way
            raise DataError(f"log ({source.what})", [tables.unreadable(error)]) from None
    return base if once_only else replace(base, again=again, occasions=occasions)


def _base_of(source: tables.Source, names: LogColumns, choices: Choices) -> CustomerBase:
    done = prepared(source, names, choices)
    window, opening = done.ask.window, done.opening
    repeated = duplicate_rows(done)
    frame, account = base_frame(done), reconcile(done, repeated)
    profiles = compress(
        frame["frequency"].to_numpy(), frame["recency"].to_numpy(), frame["T"].to_numpy()
    )
    return CustomerBase(
        table=frame,
        unit=choices.unit,
        profiles=profiles,
        start=opening,
        end=window.end,
        holdout_end=window.holdout_end,
        holdout_T=_holdout_length(window, choices),
        collapse=choices.collapse,
        currency=choices.currency,
        losses=choices.losses,
        covariates=names.covariates,
        reconciliation=account,
        tracking=tracking_table(done, choices.collapse.first_day(opening)),
        notes=notes_on(done, opening, account, repeated),
    )


def prepared(source: tables.Source, names: LogColumns, choices: Choices) -> Aggregated:
    """The log checked and aggregated, with at least one purchase in calibration."""
    readings, facts = check_log(source, names)
    window = _window(choices, facts, source.what)
    done = aggregate(source, readings, facts, window, choices)
    _require_purchases(done, names)
    return done


def _holdout_length(window: Window, choices: Choices) -> float | None:
    if window.holdout_end is None:
        return None
    first, last = (choices.collapse.last_moment(day) for day in (window.end, window.holdout_end))
    return elapsed(first, last, choices.unit)


def _window(choices: Choices, facts: LogFacts, what: str) -> Window:
    """The window of observation, or every reason why there is none."""
    first, last, start = facts.first, facts.last, choices.start
    window = Window(start, choices.end or last, choices.holdout_end, choices.newcomers)
    log_runs = f"The log runs from {first} to {last}"
    problems = []
    if window.end < first:
        problems.append(
            Problem(f"end {window.end} is before the first purchase on {first}", remedy=log_runs)
        )
    name = "acquired_from" if choices.newcomers else "start"
    if start is not None and start > min(window.end, last):
        problems.append(
            Problem(f"{name} {start} is after the window or the log ends", remedy=log_runs)
        )
    if start is not None and start <= first and choices.newcomers:
        remedy = f"{log_runs}; what lies before acquired_from tells who is not new"
        problems.append(Problem(f"acquired_from {start} leaves no run-in", remedy=remedy))
    if window.holdout_end is not None and window.holdout_end <= window.end:
        problems.append(Problem(f"holdout_end {window.holdout_end} is not after end {window.end}"))
    if window.last > date.today():
        remedy = f"{log_runs}; nobody has seen the days after today"
        problems.append(Problem(f"the window ends on {window.last}, in the future", remedy=remedy))
    if problems:
        raise DataError(f"log ({what})", problems)
    return window


def _require_purchases(done: Aggregated, names: LogColumns) -> None:
    """At least one purchase is left for calibration."""
    if done.number(f"SELECT COUNT(*) FROM {CUSTOMERS} WHERE occasions > 0"):
        return
    window, time, customer = done.ask.window, done.readings.time, done.readings.customer
    inside = f"NOT {customer.missing} AND CAST({time.value} AS DATE) <= DATE '{window.end}'"
    if window.start is not None:
        inside += f" AND CAST({time.value} AS DATE) >= DATE '{window.start}'"
    rows = done.number(f"SELECT COUNT(*) FROM {tables.LOG} WHERE {inside}")
    new = rows
    if window.newcomers:
        new = done.number(
            f"SELECT COUNT(*) FROM {tables.LOG} WHERE {inside}"
            f" AND {customer.value} NOT IN ({done.known})"
        )
    if rows and not new:
        problem = Problem(
            f"every customer was there before {window.start}",
            rows,
            first_row(done.source, inside, names),
            "Move acquired_from, or leave it out to keep old customers",
        )
    elif not rows:
        opening = window.start or done.facts.first
        problem = Problem(
            f"no row falls between {opening} and {window.end}",
            remedy=f"The log runs from {done.facts.first} to {done.facts.last}",
        )
    else:
        problem = Problem(
            "no purchase is left once refunds are netted",
            rows,
            first_row(done.source, inside, names),
            "Purchases have positive amounts and refunds negative ones: check the sign, or, where "
            'amounts are margins, say negative="loss"',
        )
    raise DataError(f"log ({done.source.what})", [problem])


def require_repeaters(base: CustomerBase) -> None:
    """Refuse a base from which no purchase model can be learnt; DataError says why.

    A base of one customer can be scored with a fitted model; it cannot be fitted. Neither can one
    in which nobody ever came back.
    """
    table, problems = base.table, []
    row = ", ".join(
        f"{name}={table[name].iloc[0]}" for name in ("customer_id", "frequency", "recency", "T")
    )
    first = f"row 1: {row}"
    remedy = "A purchase model learns from how many customers came back, and when"
    if len(table) == 1:
        problems.append(Problem("there is only one customer", 1, first, remedy))
    if base.repeaters == 0:
        what = "no customer bought a second time"
        if base.start is not None and base.start == base.end:
            what = f"every purchase falls on one day, {base.start}"
        problems.append(Problem(what, len(table), first, remedy))
    if problems:
        raise DataError("customer base", problems)
