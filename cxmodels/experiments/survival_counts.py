"""When units of each arm left, counted by time: all that the comparison of survival ever needs.

Events and units last seen without one, by arm and time, from one pass over the source; counts of
two days or warehouses add up.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from cxmodels.data import tables
from cxmodels.data.log_contract import first_row
from cxmodels.data.readings import Rule
from cxmodels.data.tables import LOG, Source
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.moments import repeated_units
from cxmodels.experiments.trial_contract import Layout, TrialColumns, layout
from cxmodels.numerics.arrays import Floats

WHAT = "survival of a test"


@dataclass(frozen=True, eq=False)
class Curve:
    """One arm: distinct times (k,), rising; events and censored (k,) at each; unknown: units whose
    time or event is missing."""

    time: Floats
    events: Floats
    censored: Floats
    unknown: int

    @property
    def at_risk(self) -> Floats:
        """(k,) units seen at a time or later: those censored at a time are at risk at it."""
        return np.cumsum((self.events + self.censored)[::-1])[::-1]

    @property
    def n(self) -> int:
        """Units whose time and event are known."""
        return int((self.events + self.censored).sum())


@dataclass(frozen=True, eq=False)
class SurvivalCounts:
    """Names of the columns and, by arm, when its units left."""

    columns: tuple[str, str, str]
    curves: dict[str, Curve]

    def merged(self, other: "SurvivalCounts") -> "SurvivalCounts":
        """Both put together, as if their rows had been read at once.

        Errors: OptionError where the two were not read for the same columns.
        """
        if not isinstance(other, SurvivalCounts):
            raise OptionError(f"survival counts merge with their like, got {type(other).__name__}")
        if self.columns != other.columns:
            raise OptionError("these survival counts were read for other columns")
        arms = sorted({*self.curves, *other.curves})
        return SurvivalCounts(self.columns, {
            arm: _summed([part.curves[arm] for part in (self, other) if arm in part.curves])
            for arm in arms
        })  # fmt: skip

    @property
    def table(self) -> pd.DataFrame:
        """Columns arm, time, at_risk, events, censored and survival (Kaplan and Meier 1958)."""
        parts = [
            pd.DataFrame({
                "arm": arm, "time": curve.time, "at_risk": curve.at_risk.astype(np.int64),
                "events": curve.events.astype(np.int64),
                "censored": curve.censored.astype(np.int64),
                "survival": np.cumprod(1.0 - curve.events / curve.at_risk),
            })
            for arm, curve in self.curves.items()
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True)


def _summed(curves: list[Curve]) -> Curve:
    every = np.concatenate([curve.time for curve in curves])
    time, code = np.unique(every, return_inverse=True)
    events, censored = (
        np.bincount(
            code, np.concatenate([getattr(curve, name) for curve in curves]), time.size
        ).astype(np.float64)
        for name in ("events", "censored")
    )
    return Curve(time, events, censored, sum(curve.unknown for curve in curves))


def survival_counts(
    source: Any, *, arm: str, time: str, event: str, unit: str | None = None,
    table: str | None = None,
) -> SurvivalCounts:  # fmt: skip
    """Events and censored units by arm and time, from one row a unit.

    source, table: a frame, an Arrow table, a Parquet or CSV path, a DuckDB table; time: until the
    event, or until the unit was last seen without one, from 0 on; event: 1 (true) where it
    happened, 0 where the unit was last seen without it; unit: if given, none may occur twice.
    A unit that lacks either is left out and counted.
    Errors: DataError with every problem of the rows.

    >>> import pandas as pd
    >>> seen = pd.DataFrame({"arm": ["A", "A", "A", "B"], "day": [3, 5, 5, 4],
    ...                      "left": [1, 1, 0, 0]})
    >>> found = survival_counts(seen, arm="arm", time="day", event="left")
    >>> found.merged(found).table["at_risk"].tolist()
    [6, 4, 2]
    """
    columns = TrialColumns(arm, unit=unit, numbers=(time, event))
    if time == event:
        raise OptionError(f"column {time!r} plays two parts: give each its own")
    with tables.open_log(source, table) as opened:
        what = f"{WHAT} ({opened.what})"
        try:
            found, problems = _read(_as_number(opened, event), columns)
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None
        if problems:
            raise DataError(what, problems)
        return found


def _as_number(source: Source, event: str) -> Source:
    """The source with true and false of the event as 1 and 0."""
    return replace(source, columns=tuple(
        replace(column, place=f"CAST({column.place} AS INTEGER)", kind="INTEGER")
        if column.name == event and column.kind == "BOOLEAN" else column
        for column in source.columns
    ))  # fmt: skip


def _read(source: Source, columns: TrialColumns) -> tuple[SurvivalCounts, list[Problem]]:
    time, event = columns.numbers
    none = SurvivalCounts((columns.arm, time, event), {})
    plan = layout(source, columns, [])
    if plan.problems:
        return none, list(plan.problems)
    t, e = plan.numbers[time], plan.numbers[event]
    said = f"column {event!r} is neither 0 nor 1, as an event is"
    odd = Rule(said, f"COALESCE({e} NOT IN (0, 1), FALSE)", "1 where it happened, 0 where not yet")
    early = Rule(f"column {time!r} is below 0", f"COALESCE({t} < 0, FALSE)",
                 "Count time from when the unit entered the test")  # fmt: skip
    rules = (*plan.rules, (odd, event), (early, time))
    shown = [f"COUNT_IF({rule.broken}) AS r{i}" for i, (rule, _) in enumerate(rules)]
    found = source.connection.execute(
        f"SELECT {plan.arm} AS arm, CASE WHEN {e} IS NOT NULL THEN {t} END AS t,"
        f" COUNT_IF(COALESCE({e} = 1, FALSE)) AS events, COUNT(*) AS n, {', '.join(shown)}"
        f" FROM {LOG} GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetch_df()
    if found.empty:
        return none, [Problem("the table is empty", remedy="It has columns but not a single row")]
    problems = list(_broken(source, plan, found, rules))
    if columns.unit is not None:
        problems += repeated_units(source, plan)
    own = found[found["arm"].notna()]
    curves = {str(arm): _curve(rows) for arm, rows in own.groupby("arm", sort=True)}
    return SurvivalCounts(none.columns, curves), problems


def _broken(
    source: Source, plan: Layout, found: pd.DataFrame, rules: tuple[tuple[Rule, str], ...]
) -> Iterable[Problem]:
    for place, (rule, name) in enumerate(rules):
        count = int(found[f"r{place}"].sum())
        if count:
            own = plan.columns
            numbers = () if name in (own.arm, own.unit) else (name,)
            shown = TrialColumns(own.arm, unit=own.unit, numbers=numbers)
            yield Problem(rule.what, count, first_row(source, rule.broken, shown), rule.remedy)


def _curve(rows: pd.DataFrame) -> Curve:
    known = rows[rows["t"].notna()]
    time, events, n = (known[name].to_numpy(np.float64) for name in ("t", "events", "n"))
    return Curve(time, events, n - events, int(rows.loc[rows["t"].isna(), "n"].sum()))
