"""A table of contracts, with the days on which they began and ended, becomes a subscription base.

Every problem of the table is told at once, with counts and the first row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.profiles import Bools, Floats
from cxmodels.data.subscriptions import COHORT, SPELL, SubscriptionBase, merged
from cxmodels.data.units import TimeUnit, elapsed
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

ONE_DAY = timedelta(days=1)
LABELS = {TimeUnit.MONTH: "M", TimeUnit.QUARTER: "Q", TimeUnit.WEEK: "W", TimeUnit.DAY: "D"}


@dataclass(frozen=True)
class Columns:
    """The user's names of the columns."""

    customer: str
    start: str
    end: str
    cohort: str | None
    covariates: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that the table must have."""
        cohort = () if self.cohort is None else (self.cohort,)
        return (self.customer, self.start, self.end, *cohort, *self.covariates)


@dataclass(frozen=True)
class _Days:
    """First and last day of each contract; NaT where the end is open or the cell is no date."""

    start: "pd.Series[Any]"
    end: "pd.Series[Any]"


def read_contracts(
    cls: type[SubscriptionBase],
    frame: Any,
    columns: Columns,
    *,
    as_of: str | date,
    unit: TimeUnit,
    observed_from: str | date | None,
) -> SubscriptionBase:
    """The base that a sound table of contracts describes."""
    from cxmodels.data.transactions import day

    last, first = day("as_of", as_of), day("observed_from", observed_from)
    if last is None:
        raise OptionError("as_of is the last day that the records cover, as in '2026-06-30'")
    if first is not None and first > last:
        raise OptionError(f"observed_from {first} lies after as_of {last}")
    table = as_pandas(frame).reset_index(drop=True)
    problems = list(_structure(table, columns))
    if problems:
        raise DataError("contracts", problems)
    days = _Days(_dates(table[columns.start]), _dates(table[columns.end]))
    problems = list(_problems(table, columns, days, last))
    if problems:
        raise DataError("contracts", problems)
    return _base(cls, _tidy(table, columns, days, unit), last, unit, first)


def _structure(table: "pd.DataFrame", columns: Columns) -> Iterator[Problem]:
    listed = ", ".join(map(str, table.columns))
    for name in columns.names:
        if name not in table.columns:
            yield Problem(f"there is no column {name!r}", remedy=f"Columns: {listed}")
        elif list(table.columns).count(name) > 1:
            yield Problem(f"several columns share the name {name!r}")
    taken = {*SPELL, *COHORT, "customer_id", "active"}.intersection(columns.covariates)
    if taken:
        raise OptionError(f"covariate {min(taken)!r} has the name of a column of the base")
    if not len(table):
        yield Problem("the table is empty", remedy="It has not a single contract")


def _dates(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as days; what is no date becomes NaT."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and column.notna().any():
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[s]")
    text = not pd.api.types.is_datetime64_any_dtype(column)
    shape = {"format": "ISO8601"} if text else {}
    # the stubs know no options in a mapping
    found = pd.to_datetime(column, errors="coerce", **shape)  # type: ignore[call-overload]
    if getattr(found.dt, "tz", None) is not None:
        found = found.dt.tz_localize(None)
    days: pd.Series[Any] = found.dt.normalize()
    return days


def _problems(
    table: "pd.DataFrame", columns: Columns, days: _Days, last: date
) -> Iterator[Problem]:
    """What no contract may be."""
    import pandas as pd

    ids, given = table[columns.customer], table[columns.end].notna()
    twice = ids.duplicated() & ids.notna()
    stamp = pd.Timestamp(last)
    rules = [
        (f"{columns.customer} is missing", ids.isna(), ""),
        (f"{columns.customer} occurs more than once", twice,
         "One row is one contract: where customers came back, use an id of the contract"),
        (f"{columns.start} is missing", table[columns.start].isna(), ""),
        (f"{columns.start} is not a date", days.start.isna() & table[columns.start].notna(),
         "Dates are written as 2026-06-30"),
        (f"{columns.end} is not a date", days.end.isna() & given,
         "Leave it empty while the contract is active"),
        ("a contract ends before it starts", days.end < days.start, ""),
        (f"a contract starts after as_of {last}", days.start > stamp, ""),
    ]  # fmt: skip
    rules += [
        (f"covariate {name!r} is missing", table[name].isna(), "") for name in columns.covariates
    ]
    for what, broken, remedy in rules:
        if broken.any():
            place = int(np.argmax(broken.to_numpy()))
            row = ", ".join(
                f"{name}={table[name].iloc[place]}"
                for name in (columns.customer, columns.start, columns.end)
            )
            yield Problem(what, int(broken.sum()), f"row {place + 1:,}: {row}", remedy)


def _tidy(table: "pd.DataFrame", columns: Columns, days: _Days, unit: TimeUnit) -> "pd.DataFrame":
    """customer_id, cohort, start, end and the covariates."""
    import pandas as pd

    if columns.cohort is not None:
        cohort = table[columns.cohort].astype(str)
    else:
        cohort = days.start.dt.to_period(LABELS.get(unit, "Y")).astype(str)
    facts = {
        "customer_id": table[columns.customer],
        "cohort": cohort,
        "start": days.start,
        "end": days.end,
    }
    return pd.DataFrame({**facts, **{name: table[name] for name in columns.covariates}})


def _base(
    cls: type[SubscriptionBase],
    tidy: "pd.DataFrame",
    last: date,
    unit: TimeUnit,
    first: date | None,
) -> SubscriptionBase:
    import pandas as pd

    names = [str(name) for name in tidy if name not in ("customer_id", "cohort", "start", "end")]
    late = (tidy["end"] > pd.Timestamp(last)).to_numpy()
    end = tidy["end"].mask(late)
    gone = end.notna().to_numpy()
    window = _ages(tidy["start"], pd.Series(pd.Timestamp(last), tidy.index), unit)
    closes = end.fillna(pd.Timestamp(last))
    lower, upper = _ages(tidy["start"], closes, unit), np.full(len(tidy), np.inf)
    upper[gone] = _ages(tidy["start"], closes + ONE_DAY, unit)[gone]
    entry = np.zeros(len(tidy))
    if first is not None:
        opens = pd.Timestamp(first)
        entry = _ages(tidy["start"], tidy["start"].where(tidy["start"] > opens, opens), unit)
    unseen = gone & (end < pd.Timestamp(first)).to_numpy() if first else np.zeros_like(gone)
    exact = _Spells(window, entry, lower, upper)
    whole = exact.in_periods(gone)
    usable = ~unseen & (whole.window >= whole.entry)
    known = tidy[usable]
    active = np.isinf(upper[usable])
    contracts = known[["customer_id", "cohort"]].assign(
        age=np.floor(window[usable]).astype(np.int64), active=active
    )
    contracts = pd.concat([contracts, known[names]], axis=1).reset_index(drop=True)
    return cls(
        spells=whole.at(usable).table(known, names),
        cohorts=_cohorts(known, names, whole.at(usable), active),
        unit=unit,
        covariates=tuple(map(str, names)),
        exact=exact.at(usable).table(known, names),
        contracts=contracts,
        end=last,
        notes=tuple(_notes(int(late.sum()), int(unseen.sum()), gone[usable], whole.at(usable))),
    )


@dataclass(frozen=True)
class _Spells:
    """Ages (n,) of contracts: over which they could be seen, and between which they ended."""

    window: Floats
    entry: Floats
    lower: Floats
    upper: Floats

    def in_periods(self, gone: Bools) -> "_Spells":
        """Whole periods: an end within period k is a loss at renewal k, if that was observed."""
        window, entry = np.floor(self.window), np.floor(self.entry)
        renewal = np.maximum(np.ceil(self.lower), 1.0)
        lost = gone & (renewal <= window)
        lower = np.where(lost, renewal - 1.0, window)
        return _Spells(window, entry, lower, np.where(lost, renewal, np.inf))

    def at(self, rows: Bools) -> "_Spells":
        return _Spells(self.window[rows], self.entry[rows], self.lower[rows], self.upper[rows])

    def table(self, known: "pd.DataFrame", names: list[str]) -> "pd.DataFrame":
        facts = known[["cohort", *names]].assign(
            window=self.window, entry=self.entry, lasted=self.lower, ended=self.upper, customers=1
        )
        return merged(facts, [*SPELL[:-1], *names], ["customers"])[[*SPELL, *names]]


def _cohorts(
    known: "pd.DataFrame", names: list[str], whole: _Spells, active: Bools
) -> "pd.DataFrame":
    """One row for customers of one cohort, age and kind."""
    lasted = np.isinf(whole.upper)  # renewed as often as could be observed
    at_risk = (lasted | (whole.upper == whole.window)) & (whole.window > whole.entry)
    facts = known[["cohort", *names]].assign(
        age=whole.window.astype(np.int64),
        acquired=1,
        previous=np.where(at_risk, 1.0, np.nan),
        renewed=np.where(at_risk, lasted, np.nan),
        customers=active.astype(np.int64),
    )
    return merged(facts, ["cohort", "age", *names], COHORT[2:])[[*COHORT, *names]]


def _notes(late: int, unseen: int, gone: Bools, whole: _Spells) -> Iterator[str]:
    if late:
        yield f"Contracts that end after the records do count as active: {late:,}."
    if unseen:
        yield f"Contracts that ended before records begin are left out: {unseen:,}."
    within = int((gone & np.isinf(whole.upper)).sum())
    if within:
        yield (
            f"Contracts that ended within a period that was not over: {within:,}. Models of whole "
            "periods count them up to their last full one, as they do those still active."
        )


def _ages(start: "pd.Series[Any]", stop: "pd.Series[Any]", unit: TimeUnit) -> Floats:
    """Time from start to stop in the unit; each distinct pair of days is worked out once."""
    pairs = np.stack([column.to_numpy().astype("datetime64[D]") for column in (start, stop)])
    distinct, place = np.unique(pairs.astype(np.int64), axis=1, return_inverse=True)
    days = distinct.astype("datetime64[D]").tolist()
    ages = [elapsed(first, last, unit) for first, last in zip(*days, strict=True)]
    return np.array(ages)[place.ravel()]
