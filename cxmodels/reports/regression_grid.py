"""A table of regressions as lines of texts, before it has a form: what stands where."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cxmodels.errors import OptionError
from cxmodels.reports.letters import printable
from cxmodels.reports.numbers import decimals_of, grouped
from cxmodels.reports.regression_columns import FACTS, Coefficient, FitColumn

STARS = ((0.01, "***"), (0.05, "**"), (0.10, "*"))
LEGEND = "* p < 0.10, ** p < 0.05, *** p < 0.01."
_LAST = "const"  # stands below all others
_LISTED = 8  # names that a note lists


class Show(Enum):
    """What stands in brackets below an estimate."""

    STD_ERROR = "std_error"
    INTERVAL = "interval"
    T = "t"

    @classmethod
    def parse(cls, text: "str | Show") -> "Show":
        """The choice named by `text`."""
        try:
            return cls(text)
        except ValueError:
            listed = ", ".join(item.value for item in cls)
            raise OptionError(f"show {text!r} is not one of {listed}") from None


@dataclass(frozen=True)
class Asked:
    """What a user chose: coefficients by order, their labels, decimals, stars, brackets."""

    keep: tuple[str, ...] | None
    labels: Mapping[str, str]
    decimals: int
    stars: bool
    show: Show


@dataclass(frozen=True)
class Cell:
    """A text; `tail` (a bracket's end, stars) hangs behind where digits end."""

    text: str = ""
    tail: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """The whole table: title, heads of columns, pairs of lines a coefficient, facts, notes."""

    title: str
    heads: tuple[Line, ...]
    pairs: tuple[tuple[Line, Line], ...]
    facts: tuple[Line, ...]
    notes: tuple[str, ...]
    stars: bool

    @property
    def width(self) -> int:
        """Columns beside that of labels."""
        return len(self.heads[0].cells)


def grid_of(columns: Sequence[FitColumn], asked: Asked) -> Grid:
    """The table of columns as it was asked for."""
    every = list(dict.fromkeys(name for column in columns for name in column.coefficients))
    names = _kept(every, asked.keep)
    outcomes = list(dict.fromkeys(column.outcome for column in columns))
    title = asked.labels.get(outcomes[0], outcomes[0]) if len(outcomes) == 1 else ""
    heads = [Line("", tuple(Cell(column.name) for column in columns))]
    if len(columns) > 1:
        heads.append(Line("", tuple(Cell(f"({at})") for at in range(1, len(columns) + 1))))
    return _clean(
        Grid(
            title=title,
            heads=tuple(heads),
            pairs=tuple(_pair(name, columns, asked) for name in names),
            facts=_facts(columns, asked.labels, {*every}, several=len(outcomes) > 1),
            notes=_notes(columns, asked, names, [name for name in every if name not in names]),
            stars=asked.stars,
        )
    )


def _clean(grid: Grid) -> Grid:
    """Every text on one line, of letters that can be shown."""

    def text(value: str) -> str:
        return " ".join(printable(value).split())

    def line(value: Line) -> Line:
        return Line(
            text(value.label), tuple(Cell(text(cell.text), cell.tail) for cell in value.cells)
        )

    return Grid(
        text(grid.title),
        tuple(map(line, grid.heads)),
        tuple((line(first), line(second)) for first, second in grid.pairs),
        tuple(map(line, grid.facts)),
        tuple(map(text, grid.notes)),
        grid.stars,
    )


def _kept(every: list[str], keep: tuple[str, ...] | None) -> list[str]:
    if keep is None:
        return [name for name in every if name != _LAST] + [_LAST] * (_LAST in every)
    if not keep:
        raise OptionError("keep is empty: name one coefficient at least")
    unknown = [name for name in keep if name not in every]
    if unknown:
        raise OptionError(
            f"keep names {', '.join(map(repr, unknown))}, which no fit has. "
            f"Coefficients: {', '.join(every)}"
        )
    return list(dict.fromkeys(keep))


def _pair(name: str, columns: Sequence[FitColumn], asked: Asked) -> tuple[Line, Line]:
    """Estimates, and what stands in brackets below them."""
    found = [column.coefficients.get(name) for column in columns]
    spreads = [value.std_error for value in found if value is not None and value.std_error > 0.0]
    decimals = asked.decimals
    if spreads and round(min(spreads), decimals) == 0.0:  # an error of 0.000 says nothing
        decimals = max(decimals, decimals_of(min(spreads), most=12))
    above, below = [], []
    for value in found:
        if value is None:
            above.append(Cell())
            below.append(Cell())
            continue
        above.append(Cell(grouped(value.estimate, decimals), _stars(value) if asked.stars else ""))
        below.append(Cell("(" + _bracket(value, asked, decimals), ")"))
    return Line(asked.labels.get(name, name), tuple(above)), Line("", tuple(below))


def _stars(value: Coefficient) -> str:
    return next((mark for limit, mark in STARS if value.p_value < limit), "")


def _bracket(value: Coefficient, asked: Asked, decimals: int) -> str:
    if asked.show is Show.INTERVAL:
        return f"{grouped(value.lower, decimals)} to {grouped(value.upper, decimals)}"
    if asked.show is Show.T:
        return grouped(value.statistic, 2)
    return grouped(value.std_error, decimals)


def _facts(
    columns: Sequence[FitColumn], labels: Mapping[str, str], taken: set[str], *, several: bool
) -> tuple[Line, ...]:
    """Lines below the coefficients; a label of a coefficient's name is that coefficient's."""
    lines = []
    for key, label in FACTS.items():
        if key == "outcome":
            texts = [labels.get(column.outcome, column.outcome) * several for column in columns]
        else:
            texts = [column.facts.get(key, "") for column in columns]
        if any(texts):
            own = label if key in taken else labels.get(key, label)
            lines.append(Line(own, tuple(map(Cell, texts))))
    return tuple(lines)


def _notes(
    columns: Sequence[FitColumn], asked: Asked, names: list[str], left: list[str]
) -> tuple[str, ...]:
    notes = [
        *_by_column([(_in_brackets(column, asked.show),) for column in columns]),
        *_by_column([(column.errors,) for column in columns]),
    ]
    if asked.stars:
        notes.append(LEGEND)
        bare = [name for name in names if any(
            math.isnan(column.coefficients[name].p_value)
            for column in columns if name in column.coefficients)]  # fmt: skip
        if bare:
            notes.append(f"Not all p-values are known, nor stars, of {_list(bare, asked)}.")
    if left:
        notes.append(f"Not shown: {_list(left, asked)}.")
    return (*notes, *_by_column([column.notes for column in columns]))


def _in_brackets(column: FitColumn, show: Show) -> str:
    if show is Show.T:
        return f"In brackets: {column.statistic}."
    if show is Show.STD_ERROR:
        return "In brackets: standard errors."
    told = "intervals" if column.level is None else f"{column.level * 100:g}% intervals"
    return f"In brackets: {told}."


def _list(names: Sequence[str], asked: Asked) -> str:
    shown = ", ".join(asked.labels.get(name, name) for name in names[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _by_column(said: Sequence[Sequence[str]]) -> list[str]:
    """Each sentence once, with the columns that say it where not all do.

    >>> _by_column([("One.",), ("One.", "Two."), ("One.",)])
    ['One.', '(2) Two.']
    """
    by: dict[str, list[int]] = {}
    for place, sentences in enumerate(said, start=1):
        for sentence in dict.fromkeys(sentences):
            by.setdefault(sentence, []).append(place)
    return [
        text if len(places) == len(said) else f"{_numbers(places)} {text}"
        for text, places in by.items()
    ]


def _numbers(places: list[int]) -> str:
    """Numbers of columns, three or more in a row as a span.

    >>> _numbers([1, 2, 3, 5])
    '(1) to (3), (5)'
    """
    spans: list[list[int]] = []
    for place in places:
        if spans and place == spans[-1][-1] + 1:
            spans[-1].append(place)
        else:
            spans.append([place])
    return ", ".join(
        f"({span[0]}) to ({span[-1]})" if len(span) > 2 else ", ".join(f"({at})" for at in span)
        for span in spans
    )
