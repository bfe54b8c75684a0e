"""How each column of a log is read: its type decides the expression and what can be wrong with it.

Time becomes a local time stamp or date, money a decimal, a customer id a whole number or text. Each
reading carries its rules: conditions that no row may meet, in words for the person with the data.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass, replace

from sqlglot import exp

from cxmodels.data.frames import Mixture
from cxmodels.data.sql import MONEY, MONEY_LIMIT
from cxmodels.data.tables import LOG, Column, Source, rows_of
from cxmodels.errors import Problem

WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
WIDE = ("HUGEINT", "UHUGEINT", "BIGNUM", "VARINT")
REAL = ("FLOAT", "DOUBLE")
AS_TEXT = ("BOOLEAN", "UUID", "DATE", "TIME")
WHOLE_TEXT = r"^(0|-?[1-9][0-9]{0,17})(\.0+)?$"
ZONE_ENDING = r"\d\d:\d\d.*([Zz]|[+-]\d\d(:?\d\d)?)$"


@dataclass(frozen=True)
class Rule:
    """What no row may do: `broken` is the SQL condition of a row that does."""

    what: str
    broken: str
    remedy: str = ""


@dataclass(frozen=True)
class Reading:
    """A column as SQL.

    value: the typed value of a sound row; safe: the same, NULL where the row is unsound;
    missing: the condition of a row without a value; problems: why it cannot be read at all.
    """

    column: Column
    value: str
    safe: str
    missing: str
    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()


def quoted(text: str) -> str:
    """A text as a SQL literal."""
    return exp.Literal.string(text).sql("duckdb")


def _base(kind: str) -> str:
    return kind.partition("(")[0].strip().upper()


def is_text(kind: str) -> bool:
    """Whether a DuckDB type holds text."""
    return _base(kind) in ("VARCHAR", "ENUM")


def _text(column: Column) -> str:
    """The column as text."""
    return column.place if column.kind == "VARCHAR" else f"CAST({column.place} AS VARCHAR)"


def _rarer(source: Source, present: str, zoned: str) -> tuple[str, str]:
    """The condition of the rarer kind of rows, with a zone or without, and what they have."""
    query = f"SELECT COUNT(*), COUNT(*) FILTER (WHERE {zoned}) FROM {LOG} WHERE {present}"
    ((every, with_zone),) = rows_of(source.connection, query)
    return (zoned, "one") if 2 * with_zone < every else (f"NOT {zoned}", "none")


def _only(source: Source, present: str, condition: str) -> bool:
    """Whether every row that is present meets `condition` (and there is one)."""
    there, other = rows_of(
        source.connection,
        f"SELECT COUNT_IF({present}), COUNT_IF({present} AND NOT ({condition})) FROM {LOG}",
    )[0]
    return bool(there) and other == 0  # counts over no rows are NULL


def _unusable(column: Column, role: str, remedy: str) -> Reading:
    problem = Problem(f"{role} column {column.name!r} is of type {column.kind}", remedy=remedy)
    return Reading(column, "NULL", "NULL", "FALSE", problems=(problem,))


def read_customer(source: Source, column: Column) -> Reading:
    """Customer ids: whole numbers stay numbers (1234.0 is 1234), all else is text."""
    place, kind, text = column.place, _base(column.kind), _text(column)
    missing, whole = f"{place} IS NULL", f"TRY_CAST({place} AS BIGINT)"
    if kind in WHOLE:
        return Reading(column, place, place, missing)
    if kind in REAL:
        missing = f"({place} IS NULL OR ISNAN({place}))"
        odd = f"NOT {missing} AND (ISINF({place}) OR {place} <> TRUNC({place}))"
        rule = Rule(
            f"customer column {column.name!r} holds fractions",
            odd,
            "Give ids as whole numbers or text",
        )
        return Reading(column, whole, whole, missing, (rule,))
    if kind == "DECIMAL" and _only(source, f"{place} IS NOT NULL", f"{place} = TRUNC({place})"):
        return Reading(column, whole, whole, missing)
    if is_text(column.kind):
        missing = f"({place} IS NULL OR TRIM({text}) = '')"
        digits = f"REGEXP_MATCHES({text}, {quoted(WHOLE_TEXT)})"
        if not source.typed and _only(source, f"NOT {missing}", digits):
            text = f"TRY_CAST(REGEXP_REPLACE({text}, '\\.0+$', '') AS BIGINT)"
        return Reading(column, text, text, missing)
    if kind in (*AS_TEXT, *WIDE, "DECIMAL") or kind.startswith("TIMESTAMP"):
        text = f"CAST({place} AS VARCHAR)"
        return Reading(column, text, text, missing)
    return _unusable(column, "customer", "Give ids as whole numbers or text")


def read_amount(column: Column) -> Reading:
    """Money as a decimal; text is read as a number where it is one."""
    place, kind, worded = column.place, _base(column.kind), is_text(column.kind)
    if not worded and kind not in (*WHOLE, *WIDE, *REAL, "DECIMAL"):
        return _unusable(column, "amount", "Amounts are numbers")
    text = _text(column) if is_text(kind) else place
    missing, number = f"{place} IS NULL", place
    if worded:
        missing, number = f"({place} IS NULL OR TRIM({text}) = '')", f"TRY_CAST({text} AS DOUBLE)"
    words = f"NOT ({missing}) AND {number} IS NULL" if worded else None
    real = kind in REAL or worded
    if real:
        missing = f"({missing} OR COALESCE(ISNAN({number}), FALSE))"
    rules = _amount_rules(
        column.name, missing, words, number if real else f"CAST({place} AS DOUBLE)"
    )
    return Reading(
        column, f"CAST({text} AS {MONEY})", f"TRY_CAST({text} AS {MONEY})", missing, tuple(rules)
    )


def _amount_rules(name: str, missing: str, words: str | None, number: str) -> list[Rule]:
    """What an amount must be; `words`: when text is no number, None for a column of numbers."""
    rules = [
        Rule(
            f"amount column {name!r} is missing (empty or NaN)",
            missing,
            "Write 0 for a free purchase, or remove the row",
        ),
        Rule(
            f"amount column {name!r} is infinite",
            f"COALESCE(ISINF({number}), FALSE)",
            "Correct or remove these rows",
        ),
        Rule(
            f"amount column {name!r} is too large for money ({MONEY_LIMIT:,} or more)",
            f"COALESCE(ISFINITE({number}) AND ABS({number}) >= {MONEY_LIMIT}, FALSE)",
            "Give amounts in a larger unit, such as thousands",
        ),
    ]
    if words is not None:
        said = f"amount column {name!r} holds text that is not a number"
        remedy = "Write amounts as 1234.50, without signs of currency or thousands"
        rules.insert(1, Rule(said, words, remedy))
    return rules


def read_time(
    source: Source, column: Column, time_format: str | None, timezone: str | None
) -> Reading:
    """Time as local date or time stamp; instants need a zone to fall on a day."""
    place, kind, name = column.place, _base(column.kind), column.name
    missing = f"{place} IS NULL"
    lost = Rule(f"time column {name!r} is missing", missing, "Date or remove these rows")
    if column.mixture is not None and (column.mixture.rows < 0 or timezone is None):
        return Reading(column, "NULL", "NULL", missing, (lost,), (_mixed(column, column.mixture),))
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
        return _instants(column, place, place, timezone or column.zone, (lost,))
    if kind in ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        value = place if kind == "DATE" else f"CAST({place} AS TIMESTAMP)"
        safe = f"CASE WHEN ISFINITE({place}) THEN {value} END"
        endless = Rule(
            f"time column {name!r} is infinite",
            f"NOT ISFINITE({place})",
            "Date or remove these rows",
        )
        return Reading(column, value, safe, missing, (lost, endless))
    if kind in WHOLE and time_format is None:
        problem = Problem(
            f"time column {name!r} holds whole numbers",
            remedy="Say how to read them, e.g. time_format='%Y%m%d'",
        )
        return Reading(column, "NULL", "NULL", missing, (lost,), (problem,))
    if kind in WHOLE or is_text(column.kind):
        return _text_time(source, column, time_format, timezone)
    return _unusable(column, "time", "Times are dates, time stamps or text")


def _instants(
    column: Column, value: str, safe: str, zone: str | None, rules: tuple[Rule, ...]
) -> Reading:
    """Instants on the clock of `zone`."""
    missing = f"{column.place} IS NULL"
    if zone is None:
        problem = Problem(
            f"time column {column.name!r} holds instants, whose day depends on the time zone",
            remedy="Say where days are counted, e.g. timezone='Europe/Berlin' or timezone='UTC'",
        )
        return Reading(column, "NULL", "NULL", missing, rules, (problem,))
    local = f"TIMEZONE({quoted(zone)}, {{}})"
    return Reading(column, local.format(value), local.format(safe), missing, rules)


def _mixed(column: Column, mixture: Mixture) -> Problem:
    remedy = (
        "Give all rows a zone or none"
        if mixture.rows < 0
        else "Say where days are counted, e.g. timezone='UTC'"
    )
    return Problem(
        f"time column {column.name!r} mixes time zones", abs(mixture.rows), mixture.first, remedy
    )


def _text_time(
    source: Source, column: Column, time_format: str | None, timezone: str | None
) -> Reading:
    """Text read by `time_format`, or as ISO 8601 (1997-01-31, 1997-01-31 18:05:00)."""
    name, text = column.name, _text(column)
    missing = f"({column.place} IS NULL OR TRIM({text}) = '')"
    lost = Rule(f"time column {name!r} is missing", missing, "Date or remove these rows")
    if time_format is not None:
        strict = f"STRPTIME({text}, {quoted(time_format)})"
        safe, how = f"TRY_{strict}", f"as {time_format!r}"
    else:
        strict, safe = f"CAST({text} AS TIMESTAMP)", f"TRY_CAST({text} AS TIMESTAMP)"
        how = "as ISO 8601, such as 1997-01-31 or 1997-01-31 18:05:00"
    unreadable = Rule(
        f"time column {name!r} cannot be read {how}",
        f"NOT {missing} AND NOT COALESCE(ISFINITE({safe}), FALSE)",
        "Correct these rows, or say how dates are written, e.g. time_format='%d.%m.%Y'",
    )
    rules = (lost, unreadable)
    if time_format is not None and ("%z" in time_format or "%Z" in time_format):
        return replace(_instants(column, strict, safe, timezone, rules), missing=missing)
    zoned = f"REGEXP_MATCHES({text}, {quoted(ZONE_ENDING)})"
    if time_format is not None or _only(source, f"NOT {missing}", f"NOT {zoned}"):
        return Reading(column, strict, safe, missing, rules)
    if _only(source, f"NOT {missing}", zoned):
        strict, safe = (part.replace("AS TIMESTAMP)", "AS TIMESTAMPTZ)") for part in (strict, safe))
        return replace(_instants(column, strict, safe, timezone, rules), missing=missing)
    rare, odd = _rarer(source, f"NOT {missing}", zoned)
    mixed = Rule(
        f"time column {name!r} mixes times with and without a zone: these rows have {odd}",
        f"NOT {missing} AND {rare}",
        "Give all rows a zone or none",
    )
    return Reading(column, strict, safe, missing, (*rules, mixed))
