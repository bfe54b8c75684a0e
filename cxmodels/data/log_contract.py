"""The contract of a transaction log, checked in one pass over it; all problems are told together.

Counts of every violation, the dates that bound the log and its total revenue come from the same
scan. Only where a count is above zero is the first offending row looked up.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cxmodels.data.readings import Reading, Rule, is_text, read_amount, read_customer, read_time
from cxmodels.data.tables import LOG, Column, Source, rows_of
from cxmodels.errors import DataError, OptionError, Problem


class Named(Protocol):
    """Columns of a table that play parts."""

    def named(self) -> dict[str, str]:
        """Role -> column name, for the roles that are played."""


@dataclass(frozen=True)
class LogColumns:
    """Which column of the log plays which part, and how time is written."""

    customer: str
    time: str
    amount: str | None
    order: str | None
    covariates: tuple[str, ...]
    time_format: str | None
    timezone: str | None

    def __post_init__(self) -> None:
        known_zone(self.timezone)
        played = {"customer": self.customer, "time": self.time, "amount": self.amount}
        roles = [(role, name) for role, name in {**played, "order": self.order}.items() if name]
        for place, (role, name) in enumerate(roles):
            twice = [other for other, same in roles[:place] if same == name]
            if twice:
                raise OptionError(
                    f"column {name!r} is named as {twice[0]} and as {role}: give each its own"
                )

    def named(self) -> dict[str, str]:
        """Role -> column name, for the roles that are played."""
        roles = {
            "customer": self.customer,
            "time": self.time,
            "amount": self.amount,
            "order": self.order,
        }
        roles.update(
            {f"covariate ({place})": name for place, name in enumerate(self.covariates, 1)}
        )
        return {role: name for role, name in roles.items() if name is not None}


@dataclass(frozen=True)
class Readings:
    """The log's columns as they are read."""

    customer: Reading
    time: Reading
    amount: Reading | None
    order: Column | None
    covariates: tuple[Column, ...]


@dataclass(frozen=True)
class LogFacts:
    """What one scan of a sound log tells."""

    rows: int
    named: int  # rows that name a customer
    amount: Decimal
    first: date  # first and last day of rows that name a customer
    last: date


def check_log(source: Source, names: LogColumns) -> tuple[Readings, LogFacts]:
    """The readings of a sound log and its bounds; DataError with every problem otherwise."""
    problems = _structure(source, names)
    readings = _readings(source, names)
    problems += [problem for reading in readings.values() for problem in reading.problems]
    facts, broken = _scan(source, readings, names)
    problems += broken
    if problems or facts is None:
        raise DataError(f"log ({source.what})", problems)
    order = source.find(names.order) if names.order else None
    covariates = tuple(c for c in map(source.find, names.covariates) if c is not None)
    return Readings(
        readings["customer"], readings["time"], readings.get("amount"), order, covariates
    ), facts


def _structure(source: Source, names: LogColumns) -> list[Problem]:
    """Columns that are not there, or there twice."""
    present = [column.name for column in source.columns]
    problems = []
    twice = source.duplicates()
    if twice:
        problems.append(
            Problem(
                f"several columns share a name: {', '.join(map(repr, twice))}",
                remedy="Rename or drop the copies",
            )
        )
    for role, name in names.named().items():
        if name in present:
            continue
        listed = ", ".join(map(repr, present)) if present else "none"
        hint = "" if name not in source.index else f" ({name!r} is in the index: reset_index())"
        part = role.partition(" ")[0]
        problems.append(
            Problem(f"there is no {part} column {name!r}", remedy=f"Columns: {listed}{hint}")
        )
    return problems


def _readings(source: Source, names: LogColumns) -> dict[str, Reading]:
    readings = {}
    customer, time = source.find(names.customer), source.find(names.time)
    amount = source.find(names.amount) if names.amount is not None else None
    if customer is not None:
        readings["customer"] = read_customer(source, customer)
    if time is not None:
        readings["time"] = read_time(source, time, names.time_format, names.timezone)
    if amount is not None:
        readings["amount"] = read_amount(amount)
    return readings


def _scan(
    source: Source, readings: dict[str, Reading], names: LogColumns
) -> tuple[LogFacts | None, list[Problem]]:
    """One pass: every rule counted, the bounds and the revenue; the first row of what is broken."""
    if not source.columns:
        return None, []
    rules = [rule for reading in readings.values() for rule in reading.rules]
    rules += _future(readings, names)
    customer, time = readings.get("customer"), readings.get("time")
    day = f"CAST({time.safe} AS DATE)" if time else "NULL"
    named = f"FILTER (WHERE NOT {customer.missing})" if customer else ""
    amount = readings["amount"].safe if "amount" in readings else "0"
    scanned = [
        "COUNT(*)",
        f"COUNT(*) {named}",
        f"SUM({amount})",
        f"MIN({day}) {named}",
        f"MAX({day}) {named}",
        *(f"COUNT_IF({rule.broken})" for rule in rules),
    ]
    row = rows_of(source.connection, f"SELECT {', '.join(scanned)} FROM {LOG}")[0]
    if row[0] == 0:
        return None, [Problem("the log is empty", remedy="It has columns but not a single row")]
    problems = [
        _told(source, rule, count, names)
        for rule, count in zip(rules, row[5:], strict=True)
        if count
    ]
    if row[1] == 0:
        problems.append(
            Problem(
                f"customer column {names.customer!r} is missing in every row",
                row[0],
                remedy="No purchase can be given to a customer",
            )
        )
    if problems or row[2] is None or row[3] is None:
        return None, problems
    return LogFacts(int(row[0]), int(row[1]), Decimal(row[2]), row[3], row[4]), []


def known_zone(timezone: str | None) -> None:
    """OptionError for a time zone that is none."""
    if timezone is not None:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, AttributeError):
            raise OptionError(
                f"timezone {timezone!r} is not a known zone; write it as 'Europe/Berlin' or 'UTC'"
            ) from None


def _future(readings: dict[str, Reading], names: LogColumns) -> list[Rule]:
    """The rule that nothing is dated after today, where days are counted."""
    if "time" not in readings or readings["time"].problems:
        return []
    today = datetime.now(ZoneInfo(names.timezone) if names.timezone else None).date()
    late = f"CAST({readings['time'].safe} AS DATE) > DATE '{today}'"
    return [
        Rule(
            f"time column {names.time!r} lies in the future (today is {today})",
            late,
            "Correct these dates; a plan is not a purchase",
        )
    ]


def _told(source: Source, rule: Rule, count: int, names: LogColumns) -> Problem:
    """A broken rule with its first row."""
    return Problem(rule.what, count, first_row(source, rule.broken, names), rule.remedy)


def first_row(source: Source, condition: str, names: Named) -> str:
    """The first row that meets `condition`, in the log's own order, counted from 1."""
    columns = [c for name in names.named().values() if (c := source.find(name)) is not None]
    shown = ", ".join(f"CAST({column.place} AS VARCHAR)" for column in columns)
    row = rows_of(
        source.connection,
        f"SELECT place, {shown} FROM (SELECT ROW_NUMBER() OVER () AS place, * FROM {LOG})"
        f" WHERE {condition} ORDER BY place LIMIT 1",
    )[0]
    values = ", ".join(
        f"{column.name}={_short(value, is_text(column.kind))}"
        for column, value in zip(columns, row[1:], strict=True)
    )
    return f"row {row[0]:,}: {values}"


def _short(value: object, text: bool, most: int = 60) -> str:
    shown = "missing" if value is None else repr(value) if text else str(value)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."
