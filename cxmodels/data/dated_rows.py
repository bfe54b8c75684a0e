"""Rows about customers with a day and some numbers, out of any table: answers, cases, referrals.

One scan counts what breaks the contract; all problems are told together. Rows that name no customer
are set aside and counted. What comes back is in order of customer and time.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from cxmodels.data import tables
from cxmodels.data.log_contract import first_row, known_zone
from cxmodels.data.profiles import Floats
from cxmodels.data.readings import WHOLE, Reading, Rule, is_text, read_customer, read_time
from cxmodels.data.tables import LOG, Column, Source, rows_of
from cxmodels.errors import DataError, OptionError, Problem

REAL = ("FLOAT", "DOUBLE", "REAL", "DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT", "BOOLEAN")


@dataclass(frozen=True)
class DatedColumns:
    """Which column plays which part: who, when, and numbers or words beside them."""

    customer: str
    time: str
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    time_format: str | None = None
    timezone: str | None = None

    def named(self) -> dict[str, str]:
        """Role -> column name."""
        roles = {"customer": self.customer, "time": self.time}
        roles |= {f"number ({place})": name for place, name in enumerate(self.numbers, 1)}
        return roles | {f"word ({place})": name for place, name in enumerate(self.words, 1)}

    def __post_init__(self) -> None:
        known_zone(self.timezone)
        names = list(self.named().values())
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise OptionError(f"column {twice[0]!r} plays two parts: give each its own")


@dataclass(frozen=True, eq=False)
class DatedRows:
    """Columns (n,) in order of customer and time; moment is of datetime64[us].

    rows: of the table; unnamed: of them without a customer, set aside.
    """

    customer: Any
    moment: Any
    numbers: dict[str, Floats]
    words: dict[str, Any]
    rows: int
    unnamed: int

    def at(self, keep: Any) -> "DatedRows":
        """Some of the rows."""
        return DatedRows(
            self.customer[keep],
            self.moment[keep],
            {name: value[keep] for name, value in self.numbers.items()},
            {name: value[keep] for name, value in self.words.items()},
            self.rows,
            self.unnamed,
        )


def read_dated(
    given: Any,
    names: DatedColumns,
    *,
    what: str,
    table: str | None = None,
    rules: Callable[[str, str], Iterable[Rule]] = lambda name, value: (),
) -> DatedRows:
    """The rows of a sound table; DataError with every problem otherwise.

    rules: for the name of a column of numbers and its value in SQL, what no row may be.
    """
    with tables.open_log(given, table) as source:
        try:
            return _read(source, names, what, rules)
        except duckdb.Error as error:
            raise DataError(f"{what} ({source.what})", [tables.unreadable(error)]) from None


def _read(
    source: Source, names: DatedColumns, what: str, rules: Callable[[str, str], Iterable[Rule]]
) -> DatedRows:
    problems = _structure(source, names)
    customer, time = source.find(names.customer), source.find(names.time)
    if customer is None or time is None or problems:
        raise DataError(f"{what} ({source.what})", problems)
    who, when = (
        read_customer(source, customer),
        read_time(source, time, names.time_format, names.timezone),
    )
    columns = [column for name in names.numbers if (column := source.find(name)) is not None]
    numbers = {column.name: _number(column) for column in columns}
    broken = [(rule, "") for rule in (*who.rules, *when.rules, *_odd_days(when, names))]
    for name, reading in numbers.items():
        broken += [(rule, name) for rule in (*reading.rules, *rules(name, reading.safe))]
    problems = [p for r in (who, when, *numbers.values()) for p in r.problems]
    problems += _broken(source, broken, names)
    if problems:
        raise DataError(f"{what} ({source.what})", problems)
    return _fetched(source, who, when, numbers, names)


def _odd_days(when: Reading, names: DatedColumns) -> Iterable[Rule]:
    """That nothing is dated after today, where days are counted, nor before 1900."""
    if when.problems:
        return
    today = datetime.now(ZoneInfo(names.timezone) if names.timezone else None).date()
    for what, odd in ((f"in the future (today is {today})", f"> DATE '{today}'"),
                      ("before 1900", "< DATE '1900-01-01'")):  # fmt: skip
        broken = f"COALESCE(CAST({when.safe} AS DATE) {odd}, FALSE)"
        yield Rule(f"time column {names.time!r} lies {what}", broken, "Correct these dates")


def _structure(source: Source, names: DatedColumns) -> list[Problem]:
    present = [column.name for column in source.columns]
    listed = ", ".join(map(repr, present)) or "none"
    problems = []
    for role, name in names.named().items():
        if present.count(name) != 1:
            said = "is not there" if name not in present else "is there more than once"
            part = role.partition(" ")[0]
            problems.append(Problem(f"{part} column {name!r} {said}", remedy=f"Columns: {listed}"))
    return problems


def _number(column: Column) -> Reading:
    """A column of numbers as DOUBLE, empty where missing; text is read where it is one."""
    place, kind = column.place, column.kind.partition("(")[0]
    if is_text(column.kind):
        text = f"CAST({place} AS VARCHAR)"
        missing, value = f"({place} IS NULL OR TRIM({text}) = '')", f"TRY_CAST({text} AS DOUBLE)"
        said = f"column {column.name!r} holds text that is not a number"
        rules = [Rule(said, f"NOT {missing} AND {value} IS NULL", "Write numbers as 7 or 7.5")]
    elif kind in (*WHOLE, *REAL):
        missing, value, rules = f"{place} IS NULL", f"CAST({place} AS DOUBLE)", []
    else:
        problem = Problem(f"column {column.name!r} is of type {column.kind}, no number")
        return Reading(column, "NULL", "NULL", "FALSE", problems=(problem,))
    safe = f"CASE WHEN NOT ISNAN({value}) THEN {value} END"
    rules.append(Rule(f"column {column.name!r} is infinite", f"COALESCE(ISINF({value}), FALSE)"))
    return Reading(column, safe, safe, missing, tuple(rules))


def _broken(source: Source, rules: list[tuple[Rule, str]], names: DatedColumns) -> list[Problem]:
    """Rules that rows break, with counts and the first row: who, when and the column at fault."""
    counted = ", ".join(f"COUNT_IF({rule.broken})" for rule, _ in rules)
    counts = rows_of(source.connection, f"SELECT COUNT(*), {counted} FROM {LOG}")[0]
    if counts[0] == 0:
        return [Problem("the table is empty", remedy="It has columns but not a single row")]
    found = []
    for (rule, column), count in zip(rules, counts[1:], strict=True):
        if count:
            shown = DatedColumns(names.customer, names.time, (column,) if column else ())
            first = first_row(source, rule.broken, shown)
            found.append(Problem(rule.what, count, first, rule.remedy))
    return found


def _fetched(
    source: Source, who: Reading, when: Reading, numbers: dict[str, Reading], names: DatedColumns
) -> DatedRows:
    shown = [f"{who.value} AS who", f"CAST({when.value} AS TIMESTAMP) AS moment"]
    shown += [f"{reading.value} AS n{place}" for place, reading in enumerate(numbers.values())]
    words = [source.find(name) for name in names.words]
    shown += [f"{word.place} AS w{place}" for place, word in enumerate(words) if word is not None]
    query = f"SELECT {', '.join(shown)} FROM {LOG} WHERE NOT {who.missing} ORDER BY who, moment"
    found = source.connection.execute(query).fetchnumpy()
    ((rows,),) = rows_of(source.connection, f"SELECT COUNT(*) FROM {LOG}")

    def plain(name: str) -> Any:
        values = found[name]
        return values.filled(np.nan) if isinstance(values, np.ma.MaskedArray) else values

    return DatedRows(
        customer=np.asarray(found["who"]),
        moment=np.asarray(found["moment"]).astype("datetime64[us]"),
        numbers={name: plain(f"n{place}") for place, name in enumerate(numbers)},
        words={name: np.asarray(found[f"w{place}"]) for place, name in enumerate(names.words)},
        rows=int(rows),
        unnamed=int(rows) - len(found["who"]),
    )
