"""Turns a table of numbers into one that a person can read: units, thousands, intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cxmodels.reports.columns import kind_of_unit, term
from cxmodels.reports.document import Column, Table
from cxmodels.reports.numbers import Kind, interval, written

Row = Mapping[str, Any]
_NAMES = ("item", "metric", "group")  # text of our own, which begins with a capital
_ESTIMATES = (
    "estimate", "value", "expected", "share", "lifetime_value", "expected_spend",
    "expected_purchases",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a table is set: its currency, the level of its intervals, headings of its own.

    labels: heading by column where the glossary's does not serve; kinds: what a column measures
    where the glossary's does not serve; most: rows shown at most.
    """

    currency: str = ""
    level: float = 0.9
    labels: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    most: int = 200

    @property
    def band(self) -> str:
        """The interval's name in a heading."""
        return f"{self.level * 100:g}% interval"


def table(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    title: str,
    style: Style | None = None,
    note: str = "",
) -> Table:
    """The columns of a frame as a table of texts; columns that the frame lacks are left out.

    A column with partners `<column>_lower` and `<column>_upper` (or the frame's only `lower` and
    `upper`) is shown with its interval. A `unit` column decides row by row what a number measures.

    >>> frame = pd.DataFrame({"item": ["Equity"], "estimate": [1250.4], "lower": [1100.0],
    ...                       "upper": [1400.0], "unit": ["USD"]})
    >>> table(frame, ["item", "estimate"], title="Worth", style=Style(currency="USD")).rows
    (('Equity', '$1,250 (1,100 to 1,400)'),)
    """
    style = style or Style()
    present = [name for name in columns if name in frame.columns]
    partners = {name: _partners(name, present, frame) for name in present}
    heads = tuple(_column(name, style, bool(partners[name])) for name in present)
    writers = [_writer(name, partners[name], style) for name in present]
    shown = frame.head(style.most)
    rows = tuple(tuple(write(row) for write in writers) for row in _records(shown))
    cut = f"The first {len(shown):,} of {len(frame):,} rows." if len(shown) < len(frame) else ""
    return Table(title, heads, rows, " ".join(part for part in (note, cut) if part))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    rows = frame.itertuples(index=False, name=None)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _partners(name: str, present: Sequence[str], frame: pd.DataFrame) -> tuple[str, str] | None:
    own = (f"{name}_lower", f"{name}_upper")
    if set(own) <= set(frame.columns):
        return own
    first = next((column for column in present if column in _ESTIMATES), None)
    if name == first and {"lower", "upper"} <= set(frame.columns):
        return ("lower", "upper")
    return None


def _column(name: str, style: Style, ranged: bool) -> Column:
    label = style.labels.get(name, term(name).label)
    if ranged:
        label = f"{label} ({style.band})"
    return Column(label, _kind(name, style).numeric)


def _kind(name: str, style: Style) -> Kind:
    return style.kinds.get(name, term(name).kind)


def _writer(name: str, partners: tuple[str, str] | None, style: Style) -> Callable[[Row], str]:
    general = _kind(name, style)

    def write(row: Row) -> str:
        kind = general
        if kind is Kind.NUMBER and isinstance(row.get("unit"), str):
            kind = kind_of_unit(str(row["unit"]), style.currency)
        if kind.numeric and isinstance(row[name], str):
            return str(row[name])
        if partners:
            ends = row[partners[0]], row[partners[1]]
            return interval(row[name], *ends, kind, currency=style.currency)
        text = written(row[name], kind, currency=style.currency)
        return _capital(text) if name in _NAMES else text

    return write
