"""A report before it has a form: headings, texts, headline numbers, tables and charts in order.

The same `Document` becomes a page (`render.html`) and a PDF (`render.pdf`). Every text in it is
plain text; nothing is read as markup, whatever a customer id or a product is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


class Tone(Enum):
    """How a text speaks: as part of the report, or as a remark that a reader must not miss."""

    PLAIN = "plain"
    NOTE = "note"


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Fact:
    """One headline number: its name, its value as it is to be read, and what stands behind it."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """Headline numbers, side by side."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Column:
    """A table's column: the heading, and whether its cells are numbers (set to the right)."""

    label: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose cells are already texts; `note` stands below it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Drawn(Protocol):
    """What an altair chart offers here: its Vega-Lite description."""

    def to_dict(self, validate: bool = True) -> dict[str, Any]:
        """The Vega-Lite description."""
        ...


@dataclass(frozen=True)
class Chart:
    """A picture; `description` says in words what it shows, for readers who cannot see it.

    spec is a Vega-Lite description with its data inside; title and subtitle are set as text.
    """

    spec: Mapping[str, Any]
    title: str
    subtitle: str
    description: str

    @classmethod
    def of(cls, drawn: Drawn, *, description: str = "") -> "Chart":
        """The block for an altair chart; its title and subtitle become text of the report."""
        spec = drawn.to_dict(validate=False)  # checked when drawn; twice costs seconds
        title = spec.pop("title", {})
        parts = title if isinstance(title, dict) else {"text": title}
        text, subtitle = _line(parts.get("text", "")), _line(parts.get("subtitle", ""))
        said = description or str(spec.get("description", "")) or f"{text}. {subtitle}"
        spec["description"] = said
        return cls(spec, text, subtitle, said)


Block = Text | Facts | Table | Chart


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report. `simulated` says that the numbers describe no real customers."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    headline: Facts = Facts(())
    simulated: bool = False
    language: str = "en"

    @property
    def charts(self) -> tuple[Chart, ...]:
        """All charts in order of appearance."""
        return tuple(
            block for part in self.sections for block in part.blocks if isinstance(block, Chart)
        )


def _line(text: object) -> str:
    return " ".join(map(str, text)) if isinstance(text, list | tuple) else str(text)
