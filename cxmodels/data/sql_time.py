"""Periods and elapsed time as SQL, equal to the calendar of units.py in every dialect.

Only years, months and days are extracted, so that no dialect's own idea of "a month later"
(Snowflake and Spark differ on the last day of February) enters the result.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING, TypeAlias

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    Tree: TypeAlias = exp.Expr
else:
    Tree = exp.Expression  # the name that sqlglot has had in every version

from cxmodels.data.units import Collapse, TimeUnit

MICROSECONDS_PER_DAY = 86_400_000_000
_LEAP = "CASE WHEN (_y % 4 = 0 AND _y % 100 <> 0) OR _y % 400 = 0 THEN 29 ELSE 28 END"
_DAYS_OF_MONTH = f"CASE WHEN _m = 2 THEN {_LEAP} WHEN _m IN (4, 6, 9, 11) THEN 30 ELSE 31 END"
_DAYS_BEFORE = f"CASE WHEN _m = 3 THEN {_LEAP} WHEN _m IN (5, 7, 10, 12) THEN 30 ELSE 31 END"
_DAYS_AFTER = f"CASE WHEN _m = 1 THEN {_LEAP} WHEN _m IN (3, 5, 8, 10) THEN 30 ELSE 31 END"


def fill(text: str, **parts: Tree) -> Tree:
    """The DuckDB SQL `text` as a tree, each name `_part` in it replaced by a tree.

    What is put in is not read again: a column of the user's called `_part` stays itself.

    >>> fill("SELECT _what", what=exp.column('a"b', quoted=True)).sql("duckdb")
    'SELECT "a""b"'
    """

    def swap(node: Tree) -> Tree:
        if not isinstance(node, exp.Column | exp.Table) or not node.name.startswith("_"):
            return node
        if node.name[1:] not in parts:
            return node
        part = parts[node.name[1:]].copy()
        return exp.alias_(part, node.alias, table=True) if node.alias else part

    return sqlglot.parse_one(text, read="duckdb").transform(swap)


def moment_literal(moment: date) -> Tree:
    """A date or a time stamp as a typed literal."""
    if isinstance(moment, datetime):
        return exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), "timestamp")
    return exp.cast(exp.Literal.string(moment.isoformat()), "date")


def day_of(moment: Tree) -> Tree:
    """The calendar day of a moment."""
    return exp.cast(moment.copy(), "date")


def period_of(moment: Tree, collapse: Collapse, dialect: str) -> Tree:
    """The occasion time of a moment: the opening of the period that holds it."""
    if collapse is Collapse.NONE:
        return exp.cast(moment.copy(), "timestamp")
    if collapse is Collapse.DAY:
        return day_of(moment)
    clock = collapse is Collapse.HOUR
    inner = exp.cast(moment.copy(), "timestamp") if clock else day_of(moment)
    return opening_sql(inner, collapse.value.upper(), clock, dialect)


def opening_sql(inner: Tree, unit: str, clock: bool, dialect: str) -> Tree:
    """The opening of the unit that holds a moment; weeks begin on Monday."""
    if dialect == "bigquery":
        node = exp.DatetimeTrunc if clock else exp.DateTrunc
        return node(this=inner, unit=exp.var({"WEEK": "ISOWEEK"}.get(unit, unit)))
    opening = exp.TimestampTrunc(this=inner, unit=exp.var(unit))
    return exp.cast(opening, "timestamp" if clock else "date")


def elapsed_sql(start: Tree, stop: Tree, unit: TimeUnit, clock: bool, dialect: str) -> Tree:
    """Time from `start` to `stop` in hours, days or weeks, as `units.elapsed` has it."""
    if clock:
        size = float(unit.days * MICROSECONDS_PER_DAY)
        return fill(
            "CAST(_gap AS DOUBLE) / CAST(_size AS DOUBLE)",
            gap=_microseconds(start, stop, dialect),
            size=exp.Literal.number(size),
        )
    if unit is TimeUnit.HOUR:
        return fill("CAST(_gap * 24 AS DOUBLE)", gap=_days(start, stop))
    return fill(
        "CAST(_gap AS DOUBLE) / CAST(_size AS DOUBLE)",
        gap=_days(start, stop),
        size=exp.Literal.number(int(unit.days)),
    )


def _days(start: Tree, stop: Tree) -> Tree:
    return fill("DATE_DIFF('day', _start, _stop)", start=start, stop=stop)


def _microseconds(start: Tree, stop: Tree, dialect: str) -> Tree:
    nodes = {
        "bigquery": exp.DatetimeDiff,
        "spark": exp.TimestampDiff,
        "databricks": exp.TimestampDiff,
    }
    node = nodes.get(dialect, exp.DateDiff)
    return node(this=stop.copy(), expression=start.copy(), unit=exp.var("MICROSECOND"))


def calendar_sql(name: str, start: Tree, stop: Tree, clock: bool, dialect: str) -> list[Tree]:
    """Columns that name `stop` in calendar months from `start`; first of two steps."""
    ahead: Tree = exp.Literal.number(0)
    if clock:  # microseconds by which the clock at `stop` is ahead of the clock at `start`
        gaps = [
            _microseconds(exp.cast(day_of(moment), "timestamp"), moment, dialect)
            for moment in (start, stop)
        ]
        ahead = fill("_stop - _start", start=gaps[0], stop=gaps[1])
    parts = {"start": start, "stop": stop, "ahead": ahead}
    texts = {
        "months": "12 * (EXTRACT(YEAR FROM _stop) - EXTRACT(YEAR FROM _start))"
        " + EXTRACT(MONTH FROM _stop) - EXTRACT(MONTH FROM _start)",
        "year": "EXTRACT(YEAR FROM _stop)",
        "month": "EXTRACT(MONTH FROM _stop)",
        "day": "EXTRACT(DAY FROM _stop)",
        "first": "EXTRACT(DAY FROM _start)",
        "clock": "_ahead",
    }
    return [exp.alias_(fill(text, **parts), f"{name}_{key}") for key, text in texts.items()]


def anchors_sql(name: str) -> list[Tree]:
    """The day of the month on which a month is full, this month, the one before and after."""
    parts = {
        "y": exp.column(f"{name}_year"),
        "m": exp.column(f"{name}_month"),
        "first": exp.column(f"{name}_first"),
    }
    texts = {
        "size": _DAYS_OF_MONTH,
        "size_before": _DAYS_BEFORE,
        "anchor": f"LEAST(_first, {_DAYS_OF_MONTH})",
        "anchor_before": f"LEAST(_first, {_DAYS_BEFORE})",
        "anchor_after": f"LEAST(_first, {_DAYS_AFTER})",
    }
    return [exp.alias_(fill(text, **parts), f"{name}_{key}") for key, text in texts.items()]


def months_sql(name: str, unit: TimeUnit, clock: bool) -> Tree:
    """`units.months_between`: whole months to the last anchor, then the share of the next."""
    names = (
        "months",
        "day",
        "clock",
        "size",
        "size_before",
        "anchor",
        "anchor_before",
        "anchor_after",
    )
    parts: dict[str, Tree] = {key: exp.column(f"{name}_{key}") for key in names}
    parts["per_day"] = exp.Literal.number(MICROSECONDS_PER_DAY if clock else 1)
    parts["unit"] = exp.Literal.number(unit.months)
    parts["past"] = fill("((_day - _anchor) * _per_day + _clock)", **parts)
    parts["since"] = fill("((_day + _size_before - _anchor_before) * _per_day + _clock)", **parts)
    return fill(
        "CASE WHEN _past >= 0 THEN CAST(_months AS DOUBLE) + CAST(_past AS DOUBLE)"
        " / CAST((_size - _anchor + _anchor_after) * _per_day AS DOUBLE)"
        " ELSE CAST(_months - 1 AS DOUBLE) + CAST(_since AS DOUBLE)"
        " / CAST((_size_before - _anchor_before + _anchor) * _per_day AS DOUBLE)"
        " END / CAST(_unit AS DOUBLE)",
        **parts,
    )
