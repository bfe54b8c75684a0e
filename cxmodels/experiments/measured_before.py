"""Outcomes that were measured before the unit was assigned: no arm can have changed them."""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass, replace
from typing import Any

import duckdb

from cxmodels.data import tables
from cxmodels.data.log_contract import first_row
from cxmodels.data.readings import read_time
from cxmodels.data.tables import LOG, Source
from cxmodels.errors import Problem

REMEDY = "Write days as 2026-03-01"


@dataclass(frozen=True)
class _Dates:
    assigned: str
    measured: str
    unit: str | None = None

    def named(self) -> dict[str, str]:
        """Role -> column name."""
        roles = {"assigned": self.assigned, "measured": self.measured}
        return roles | ({"unit": self.unit} if self.unit else {})


def measured_before(
    source: Any, assigned: str, measured: str, *, unit: str | None = None, table: str | None = None
) -> tuple[Problem, ...]:
    """What is wrong with the dates of units; nothing where all outcomes came after assignment.

    source, table: anything tabular, or an opened source; assigned, measured: columns of dates or
    times (where either is a date alone, days are compared, and the same day passes); unit: shown
    in the first row. A unit without an outcome has no time of one; each has one of assignment.

    >>> import pandas as pd
    >>> seen = pd.DataFrame({"drawn": ["2026-03-02", "2026-03-02"],
    ...                      "asked": ["2026-03-09", "2026-03-01"]})
    >>> print(measured_before(seen, "drawn", "asked")[0])
    outcome measured before assignment (1 row); first: row 2: drawn='2026-03-02',...
    """
    dates = _Dates(assigned, measured, unit)
    if isinstance(source, Source):
        return _problems(source, dates)
    with tables.open_log(source, table) as opened:
        try:
            return _problems(opened, dates)
        except duckdb.Error as error:
            return (tables.unreadable(error),)


def _problems(source: Source, dates: _Dates) -> tuple[Problem, ...]:
    listed = ", ".join(repr(column.name) for column in source.columns) or "none"
    found, problems, rules = {}, [], []
    for role, name in dates.named().items():
        column = source.find(name)
        if column is None:
            said = f"{role} column {name!r} is not there, or more than once"
            problems.append(Problem(said, remedy=f"Columns: {listed}"))
        elif role != "unit":
            found[role] = read_time(source, column, None, None)
            rules += [replace(rule, what=rule.what.replace("time", role, 1), remedy=REMEDY)
                      for rule in found[role].rules[role == "measured":]]  # fmt: skip
            problems += [replace(item, what=item.what.replace("time", role, 1), remedy=REMEDY)
                         for item in found[role].problems]  # fmt: skip
    if problems:
        return tuple(problems)
    daily = any(_a_day(source, reading.safe) for reading in found.values())
    before, after = (f"CAST({found[role].safe} AS {'DATE' if daily else 'TIMESTAMP'})"
                     for role in ("measured", "assigned"))  # fmt: skip
    wrong = [(rule.what, rule.broken, rule.remedy) for rule in rules]
    wrong.append(("outcome measured before assignment", f"COALESCE({before} < {after}, FALSE)",
                  "Leave out what was known before, or use it as before="))  # fmt: skip
    shown = ", ".join(f"COUNT_IF({broken})" for _, broken, _ in wrong)
    counts = tables.rows_of(source.connection, f"SELECT {shown} FROM {LOG}")[0]
    return tuple(
        Problem(what, int(count), first_row(source, broken, dates), remedy)
        for (what, broken, remedy), count in zip(wrong, counts, strict=True) if count
    )  # fmt: skip


def _a_day(source: Source, safe: str) -> bool:
    """Whether all times of a column are midnight: days without a time."""
    odd = f"CAST({safe} AS TIMESTAMP) <> DATE_TRUNC('day', CAST({safe} AS TIMESTAMP))"
    return not tables.rows_of(source.connection, f"SELECT COUNT_IF({odd}) FROM {LOG}")[0][0]
