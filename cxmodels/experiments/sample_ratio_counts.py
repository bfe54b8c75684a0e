"""Units of each arm by day and by segment, and how many of them answered."""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cxmodels.data import tables
from cxmodels.data.log_contract import first_row
from cxmodels.data.readings import Reading, Rule, read_customer, read_time
from cxmodels.data.tables import LOG, Source
from cxmodels.errors import Problem
from cxmodels.experiments.trial_contract import Layout, TrialColumns, layout

if TYPE_CHECKING:
    import pandas as pd

MOST_SEGMENTS = 500
MISSING = "(missing)"


@dataclass(frozen=True)
class Wanted:
    """Columns: of the trial, of segments, of the day, and of what was answered."""

    columns: TrialColumns
    by: tuple[str, ...] = ()
    day: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, eq=False)
class Counted:
    """days: arm, day (missing without one), units (clusters, where these were drawn), answered;
    segments: column, segment, arm, units, answered; clusters: arm, units, answered of each, where
    clusters were drawn and answers asked for; split: that clusters lie in two arms, in words."""

    days: "pd.DataFrame"
    segments: "pd.DataFrame"
    clusters: "pd.DataFrame | None"
    split: str = ""


def counted(source: Source, wanted: Wanted) -> tuple[Counted | None, list[Problem]]:
    """Counts, or None, and all that is wrong with the rows."""
    import pandas as pd

    plan = layout(source, wanted.columns, [])
    names = [name for name in (*wanted.by, wanted.day, wanted.outcome) if name is not None]
    readings = {name: _reading(source, name, name == wanted.day) for name in names}
    problems = [*plan.problems, *(_lost(source, name) for name, r in readings.items() if r is None)]
    found = {name: reading for name, reading in readings.items() if reading is not None}
    problems += [problem for reading in found.values() for problem in reading.problems]
    if problems:
        return None, problems
    rules = [*plan.rules, *_of_day(found.get(wanted.day or ""), wanted.day)]
    problems += [*broken_rules(source, rules), *_repeated(source, plan)]
    inner = _inner(plan, wanted, found)
    n = "COUNT(*)" if plan.cluster is None else "COUNT(DISTINCT cluster)"
    each = inner if plan.cluster is None else (
        f"SELECT cluster, arm, MIN(day) AS day, 0 AS answered FROM ({inner}) GROUP BY 1, 2"
    )  # fmt: skip
    days = _frame(source, f"SELECT arm, day, COUNT(*) AS units, SUM(answered) AS answered "
                  f"FROM ({each}) GROUP BY 1, 2 ORDER BY 2, 1")  # fmt: skip
    if days.empty:
        return None, [Problem("the table is empty", remedy="It has columns but not a single row")]
    parts = [_frame(source, f"SELECT arm, {n} AS units, SUM(answered) AS answered, "
                    f"COALESCE(s{place}, '{MISSING}') AS segment FROM ({inner}) GROUP BY arm, "
                    "segment ORDER BY segment, arm").assign(column=name)
             for place, name in enumerate(wanted.by)]  # fmt: skip
    problems += list(_many(parts, wanted.by))
    segments = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(
        columns=["arm", "units", "answered", "segment", "column"]
    )  # fmt: skip
    clusters = None
    if plan.cluster is not None and wanted.outcome is not None:
        clusters = _frame(source, "SELECT arm, COUNT(*) AS units, SUM(answered) AS answered FROM "
                          f"({inner}) GROUP BY cluster, arm ORDER BY cluster, arm")  # fmt: skip
    split = _split(source, plan, inner) if plan.cluster is not None else ""
    return Counted(days, segments, clusters, split), problems


def _split(source: Source, plan: Layout, inner: str) -> str:
    """That some clusters hold units of several arms, and so are counted in each."""
    query = (
        "SELECT COUNT(*), COUNT_IF(n > 1), MIN(CASE WHEN n > 1 THEN cluster END) FROM (SELECT "
        f"cluster, COUNT(DISTINCT arm) AS n FROM ({inner}) GROUP BY cluster)"
    )
    ((count, several, first),) = tables.rows_of(source.connection, query)
    return split_told(int(several), int(count), plan.columns.cluster, first) if several else ""


def split_told(several: int, count: int, name: str | None, first: object) -> str:
    """That clusters were not drawn whole.

    >>> split_told(2, 9, "shop", "s1")[:55]
    "2 of 9 clusters of 'shop' hold units of more than one a"
    """
    hold = "holds" if several == 1 else "hold"
    return (f"{several:,} of {count:,} clusters of {name!r} {hold} units of more than one arm "
            f"(first: {first}): arms were not drawn by whole clusters, so sizes counted in "
            "clusters cannot be judged. Name what was drawn as cluster=.")  # fmt: skip


def _reading(source: Source, name: str, day: bool) -> Reading | None:
    column = source.find(name)
    if column is None:
        return None
    return read_time(source, column, None, None) if day else read_customer(source, column)


def _lost(source: Source, name: str) -> Problem:
    listed = ", ".join(repr(column.name) for column in source.columns) or "none"
    return Problem(f"column {name!r} is not there, or more than once", remedy=f"Columns: {listed}")


def _inner(plan: Layout, wanted: Wanted, found: dict[str, Reading]) -> str:
    """Rows as arm, cluster, day, segments s0, s1, ... and answered (1 or 0)."""
    day = f"CAST({found[wanted.day].safe} AS DATE)" if wanted.day else "CAST(NULL AS DATE)"
    known = f"CASE WHEN {found[wanted.outcome].missing} THEN 0 ELSE 1 END" if wanted.outcome else 0
    shown = [f"{plan.arm} AS arm", f"{plan.cluster or 'NULL'} AS cluster", f"{day} AS day",
             f"{known} AS answered"]  # fmt: skip
    for place, name in enumerate(wanted.by):
        own = found[name]
        text = f"CASE WHEN NOT {own.missing} THEN CAST({own.column.place} AS VARCHAR) END"
        shown.append(f"{text} AS s{place}")
    return f"SELECT {', '.join(shown)} FROM {LOG}"


def _of_day(reading: Reading | None, name: str | None) -> list[tuple[Rule, str]]:
    """Rules of the day, which is called so and not time."""
    if reading is None or name is None:
        return []
    return [(replace(rule, what=rule.what.replace("time column", "day column", 1)), name)
            for rule in reading.rules]  # fmt: skip


def broken_rules(source: Source, rules: Iterable[tuple[Rule, str]]) -> Iterable[Problem]:
    """Rules that rows break, with counts and the first row."""
    told = list(rules)
    if not told:
        return
    shown = ", ".join(f"COUNT_IF({rule.broken})" for rule, _ in told)
    counts = tables.rows_of(source.connection, f"SELECT {shown} FROM {LOG}")[0]
    for (rule, name), count in zip(told, counts, strict=True):
        if count:
            first = first_row(source, rule.broken, TrialColumns(name))
            yield Problem(rule.what, int(count), first, rule.remedy)


def _repeated(source: Source, plan: Layout) -> Iterable[Problem]:
    """Units with several rows, which would be counted more than once."""
    if plan.unit is None:
        return
    query = (
        f"SELECT COUNT(*), SUM(n), MIN(unit) FROM (SELECT {plan.unit} AS unit, COUNT(*) AS n "
        f"FROM {LOG} WHERE {plan.unit} IS NOT NULL GROUP BY 1 HAVING n > 1)"
    )
    ((count, rows, first),) = tables.rows_of(source.connection, query)
    if count:
        yield Problem("a unit has several rows", int(rows), f"{plan.columns.unit} {first}; "
                      f"{count:,} units in all", "Keep one row a unit")  # fmt: skip


def _many(parts: "list[pd.DataFrame]", by: tuple[str, ...]) -> Iterable[Problem]:
    for part, name in zip(parts, by, strict=True):
        count = part["segment"].nunique()
        if count > MOST_SEGMENTS:
            yield Problem(f"column {name!r} has {count:,} segments",
                          remedy=f"Put them together: {MOST_SEGMENTS} at most")  # fmt: skip


def _frame(source: Source, query: str) -> Any:
    return source.connection.execute(query).df()
