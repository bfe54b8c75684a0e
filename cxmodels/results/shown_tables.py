"""How records of tables show themselves in a notebook: numbers as their units want them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from html import escape
from typing import Any

import pandas as pd

from cxmodels.results.glossary import COUNT, GLOSSARY, MIXED, MONEY, SHARE

MOST_ROWS = 60  # longer tables show their head and say so


class ShownTables:
    """Gives a frozen record of tables a face in terminals and notebooks."""

    title: str

    def tables(self) -> dict[str, pd.DataFrame]:
        """The record's tables by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in found.items() if isinstance(value, pd.DataFrame)}

    def __repr__(self) -> str:
        parts = [self.title]
        for name, table in self.tables().items():
            parts.append(f"\n{name} ({len(table):,} rows)\n{written(table.head(12)).to_string()}")
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<h3>{escape(self.title)}</h3>"]
        for name, table in self.tables().items():
            caption = name.replace("_", " ")
            cut = f" (first {MOST_ROWS} of {len(table):,} rows)" if len(table) > MOST_ROWS else ""
            page = written(table.head(MOST_ROWS)).to_html(index=False, border=0)
            parts.append(f"<p><b>{escape(caption)}</b>{cut}</p>{page}")
        return "".join(parts)


@dataclass(frozen=True)
class Face:
    """What a record shows first: a line, the columns that matter, remarks below them."""

    head: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()


class Faced(ABC):
    """Gives a record that can say its face one in terminals and notebooks."""

    @abstractmethod
    def face(self) -> Face:
        """What it shows."""

    def __repr__(self) -> str:
        face = self.face()
        told = face.table.round(3).where(face.table.notna(), float("nan"))  # None is empty as well
        rows = [told.to_string(index=False, na_rep="")] if len(told) else []
        return "\n".join([face.head, *rows, *face.notes])

    def _repr_html_(self) -> str:
        face = self.face()
        page = face.table.to_html(index=False, border=0, na_rep="", float_format="{:.3f}".format)
        page = page if len(face.table) else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in face.notes)
        return f"<p><b>{escape(face.head)}</b></p>{page}{notes}"


def written(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text: shares in per cent, counts whole, money to the cent.

    >>> written(pd.DataFrame({"customers": [1200], "share": [0.125], "revenue": [9.5]}))
      customers  share revenue
    0     1,200  12.5%    9.50
    """
    units = table["unit"].tolist() if "unit" in table else [""] * len(table)
    shown, unit = {}, ""
    for name in table.columns:
        if name not in ("lower", "upper"):  # which are counted as the column before them
            unit = GLOSSARY[name].unit if name in GLOSSARY else ""
        shown[name] = [
            cell(value, own if unit == MIXED and own else unit)
            for value, own in zip(table[name].tolist(), units, strict=True)
        ]
    return pd.DataFrame(shown, index=table.index, columns=table.columns)


def cell(value: Any, unit: str) -> str:
    """One value as text."""
    if value is None or (isinstance(value, float) and value != value) or value is pd.NaT:
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    number = float(value)
    if unit in (SHARE, "share") or unit.startswith("share"):
        return f"{number:.1%}"
    if unit == MONEY or not number.is_integer():
        return f"{number:,.2f}"
    return f"{number:,.0f}" if unit == COUNT or abs(number) >= 1000 else f"{number:g}"
