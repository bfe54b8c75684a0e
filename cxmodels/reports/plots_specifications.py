"""The picture of one answer over all defensible ways to ask: estimates from low to high, and below
each what its specification chose (Simonsohn, Simmons and Nelson 2020)."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    apart,
    layered,
    named,
    needed,
    nothing_to_show,
    number_axis,
    records,
)
from cxmodels.reports.numbers import MISSING, grouped

with report_extra():
    import altair as alt

_OWN = "yours"
_SCORE = ", a per cent of the score"  # how the unit of a figure that is comparable ends
_SHADES = {"between firms": theme.ACCENT, "within firms": theme.MODEL}
_CHOICES = {"rung": "Rung", "outcome": "Outcome", "controls": "Controls", "score": "Score"}
_NONE = "none"  # what stands for no controls
_NUMBERS = ["elasticity", "lower", "upper"]
_NARROW = 520  # pixels of the panels where claims stand to their right
_TALL, _ROW, _GAP = 250, 16, 9  # pixels of the curve, of a row of choices, and between groups
_HEAD, _NAME = 72, 128  # pixels of a group's heading, and of a row's name at most
_CLEAR = 31.0  # pixels that the two lines of a claim need
_REACH = 0.5  # of the range of estimates, how far intervals are drawn beyond it
_LETTER = 6.3  # pixels of a letter of a name
_DOTTED, _SOLID = 7.0, 3.0  # pixels a specification: dots from there on, no gaps below


def specification_curve(
    table: pd.DataFrame, labels: Labels | None = None, *, claims: pd.DataFrame | None = None
) -> alt.ConcatChart:
    """The elasticity of each specification from low to high, and what each of them chose.

    table: elasticity, lower, upper, rung, compares, outcome, controls (names by commas, or "none"),
    score, rows, firms, as the table of `cxmodels.shareholders.specification_curve`; claims: source
    ("yours" is left out), unit, elasticity, as the table of `cx.claims`, of which those are
    ruled in that are per cent of value for a per cent of the score, and no others. Choices are in
    order of their median elasticity. Intervals far longer than the range of estimates are cut.
    """
    labels = labels or Labels()
    columns = [*_NUMBERS, "compares", *_CHOICES, "rows", "firms"]
    data = needed(table, columns, chart="specification_curve")
    data = data[np.isfinite(data["elasticity"].astype(float))].sort_values(
        "elasticity", kind="stable", ignore_index=True
    )
    lost, known = len(table) - len(data), _published(claims)
    cut, others = _cut(data, known) if len(data) else 0, _others(claims)
    title = f"Elasticity of firm value to satisfaction{_medians(data)}"
    chart = theme.finish(
        _drawn(data, known) if len(data) else alt.concat(nothing_to_show(), columns=1),
        title=title,
        subtitle=labels.subtitle(
            f"{len(data):,} specifications",
            f"{lost:,} without an estimate left out" if lost else "",
            f"line: {labels.band}",
            _counted(data, "rows"),
            _counted(data, "firms"),
            f"intervals cut at the edge: {cut:,}" if cut else "",
            f"dashed: {len(known)} of {others} published figures" if others else "",
        ),
        description=f"Specification curve. {title}, per cent of value for a per cent of the score, "
        f"from low to high, with {labels.band}s; below it, what each specification chose of rungs, "
        "outcomes, controls, and of scores as they are or corrected for their error."
        + "".join(f" {row['source']}: {row['told']}." for row in known.to_dict("records")),
    )
    chart.title.frame = "bounds"  # above the names of choices, which stand left of the panels
    return chart


def _published(claims: pd.DataFrame | None) -> pd.DataFrame:
    """Elasticities to the score that others published: source, elasticity, and both in words."""
    if claims is None:
        return pd.DataFrame(columns=["source", "elasticity", "told"])
    columns = ["source", "unit", "elasticity"]
    data = needed(claims, columns, chart="the claims of specification_curve")
    size = data["elasticity"].astype(float)
    alike = data["unit"].astype(str).str.endswith(_SCORE)
    data = data[(data["source"] != _OWN) & np.isfinite(size) & alike]
    of = data["unit"].str.removesuffix(_SCORE).str.removeprefix("per cent ")
    told = [f"{grouped(at, 2)} {unit}" for at, unit in zip(size[data.index], of, strict=True)]
    return data[["source"]].assign(elasticity=size[data.index], told=told)


def _others(claims: pd.DataFrame | None) -> int:
    """How many figures are published, of whatever unit."""
    return 0 if claims is None else int((claims["source"] != _OWN).sum())


def _cut(data: pd.DataFrame, known: pd.DataFrame) -> int:
    """How many intervals run on past the axis."""
    low, high = _ends(data, known)
    past = (data["lower"].astype(float) < low) | (data["upper"].astype(float) > high)
    return int(past.sum())


def _medians(data: pd.DataFrame) -> str:
    """The medians of what is compared, as the end of a title."""
    found = data.groupby("compares", sort=True)["elasticity"].median()
    said = [f"{grouped(float(value), 2)} {name}" for name, value in found.items()]
    return f": median {', '.join(said)}" if said else ""


def _counted(data: pd.DataFrame, column: str) -> str:
    """How many rows or firms, as a range where specifications differ."""
    if not len(data):
        return ""
    least, most = int(data[column].min()), int(data[column].max())
    return f"{least:,} {column}" if least == most else f"{least:,} to {most:,} {column}"


def _drawn(data: pd.DataFrame, known: pd.DataFrame) -> alt.ConcatChart:
    data = data.assign(at=np.arange(1, len(data) + 1))
    width = _NARROW if len(known) else theme.WIDTH
    reach = alt.Scale(domain=[0.5, len(data) + 0.5], nice=False)
    panels = [_curve(data, known, (width, reach)), _choices(data, (width, reach))]
    both = alt.concat(*panels, columns=1, spacing=14)
    both.resolve = alt.Resolve(scale=alt.ScaleResolveMap(x="shared"))
    return both


def _curve(data: pd.DataFrame, known: pd.DataFrame, across: tuple[int, alt.Scale]) -> Picture:
    """Dots and lines from low to high, none, and what others published."""
    width, reach = across
    ends = _ends(data, known)
    axis = number_axis("Per cent of value for a per cent of the score", tickCount=7)
    scale = alt.Scale(domain=ends, nice=False)
    x, y = alt.X("at:Q", axis=None, scale=reach), alt.Y("elasticity:Q", axis=axis, scale=scale)
    step = width / len(data)
    drawn = {"low": data["lower"].astype(float), "high": data["upper"].astype(float)}
    shown = data.assign(**{name: end.clip(*ends) for name, end in drawn.items()})
    groups = {str(name): part for name, part in shown.groupby("compares", sort=True)}
    palette = {
        f"{name} ({len(part):,})": _SHADES.get(name, theme.OBSERVED)
        for name, part in groups.items()
    }
    zero = alt.Chart(records(pd.DataFrame({"elasticity": [0.0]})))
    layers = [zero.mark_rule(color=theme.INK).encode(y=y), *_rules(known, (width, scale))]
    for name, part in zip(palette, groups.values(), strict=True):
        base = alt.Chart(records(part)).encode(x=x, tooltip=_tip())
        line = base.transform_filter("datum.low != null && datum.high != null").mark_rule(
            strokeWidth=float(np.clip(0.4 * step, 0.7, 2.2)), opacity=0.55 if step < 4 else 0.8
        )
        low = alt.Y("low:Q", axis=axis, scale=scale)
        dots = base.mark_circle(size=float(np.clip(9.0 * step, 12.0, 64.0)), opacity=1)
        layers += [named(line.encode(y=low, y2="high"), name, palette)]
        layers += [named(dots.encode(y=y), name, palette)]
    return layered(*layers, width=width, height=_TALL)


def _ends(data: pd.DataFrame, known: pd.DataFrame) -> list[float]:
    """Of the axis of elasticities: all estimates, none, what is published, and intervals as far as
    they are no longer than the range of these."""
    middle = np.concatenate([data["elasticity"], known["elasticity"], [0.0]]).astype(float)
    low, high = float(middle.min()), float(middle.max())
    room = _REACH * ((high - low) or 1.0)
    lines = data[_NUMBERS[1:]].astype(float)
    low = min(low, max(float(np.nanmin([*lines["lower"], low])), low - room))
    high = max(high, min(float(np.nanmax([*lines["upper"], high])), high + room))
    return [low - 0.03 * (high - low), high + 0.03 * (high - low)]


def _rules(known: pd.DataFrame, across: tuple[int, alt.Scale]) -> list[alt.Chart]:
    """Published elasticities as rules across the panel, named to the right of it."""
    if not len(known):
        return []
    width, scale = across
    low, high = (float(end) for end in scale.domain)
    places = apart(known["elasticity"], _CLEAR / _TALL * (high - low))
    base = alt.Chart(records(known.assign(place=places)))
    at, place = (alt.Y(f"{name}:Q", scale=scale) for name in ("elasticity", "place"))
    thin: dict[str, Any] = {"color": theme.SOFT, "strokeWidth": 1.0}
    text: dict[str, Any] = {"align": "left", "dx": 4, "fontSize": 11}
    ends = [alt.value(width), alt.value(width + 18)]
    return [
        base.mark_rule(**thin, strokeDash=[5, 3]).encode(x=alt.value(0), x2=ends[0], y=at),
        base.mark_rule(**thin).encode(x=ends[0], x2=ends[1], y=at, y2="place"),
        base.mark_text(**text, dy=-7, fontWeight=600).encode(x=ends[1], y=place, text="told:N"),
        base.mark_text(**text, dy=7, color=theme.SOFT).encode(x=ends[1], y=place, text="source:N"),
    ]


def _tip() -> list[alt.Tooltip]:
    told = {"compares": "Compares", **_CHOICES}
    numbers = {"elasticity": "Elasticity", "lower": "Interval from", "upper": "Interval to"}
    counts = {"rows": "Rows", "firms": "Firms"}
    return [
        *(alt.Tooltip(f"{name}:Q", title=title, format=".2f") for name, title in numbers.items()),
        *(alt.Tooltip(f"{name}:N", title=title) for name, title in told.items()),
        *(alt.Tooltip(f"{name}:Q", title=title, format=",") for name, title in counts.items()),
    ]


def _chosen(data: pd.DataFrame) -> pd.DataFrame:
    """One row a specification and what it chose: at, compares, group, choice, place (pixels)."""
    parts, place = [], 0.0
    for column, head in _CHOICES.items():
        own = data[["at", "compares", "elasticity"]].assign(group=head)
        chosen = data[column].fillna(MISSING).astype(str)
        own = own.assign(choice=chosen.str.split(", ") if column == "controls" else chosen)
        own = own.explode("choice")
        medians = own.groupby("choice")["elasticity"].median().sort_values(ascending=False)
        order = sorted(medians.index, key=lambda name: name == _NONE)  # none is below all others
        places = {name: place + _ROW * (row + 0.5) for row, name in enumerate(order)}
        parts.append(own.assign(place=own["choice"].map(places)))
        place += _ROW * len(order) + _GAP
    return pd.concat(parts, ignore_index=True)


def _choices(data: pd.DataFrame, across: tuple[int, alt.Scale]) -> Picture:
    """A dot, or a tick where there are many, for each thing that a specification chose."""
    (width, reach), chosen = across, _chosen(data)
    step, height = width / len(data), int(chosen["place"].max() + _ROW / 2)
    title = "Specifications, from the lowest elasticity to the highest"
    axis = alt.Axis(title=title, tickMinStep=1, format=",d", tickCount=8)
    x = alt.X("at:Q", axis=axis, scale=reach)
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    wide = float(np.clip((1.0 if step < _SOLID else 0.75) * step, 0.6, 9.0))
    layers = _rows(chosen, (width, y))
    for name, part in chosen.groupby("compares", sort=True):
        base = alt.Chart(records(part[["at", "place", "group", "choice"]]))
        look: dict[str, Any] = {"color": _SHADES.get(str(name), theme.OBSERVED), "opacity": 1}
        marks = (
            base.mark_circle(size=wide**2, **look)
            if step >= _DOTTED
            else base.mark_tick(thickness=wide, size=_ROW - 6, orient="vertical", **look)
        )
        layers.append(marks.encode(x=x, y=y))
    return layered(*layers, width=width, height=height)


def _rows(chosen: pd.DataFrame, across: tuple[int, alt.Y]) -> list[alt.Chart]:
    """A line a choice, with its name left of it, and the heading of each group left of these."""
    width, y = across
    names = chosen.drop_duplicates("place").sort_values("place")[["group", "choice", "place"]]
    longest = min(_LETTER * float(names["choice"].str.len().max()), _NAME)
    rows = alt.Chart(records(names)).encode(y=y)
    heads = alt.Chart(records(names.drop_duplicates("group"))).encode(y=y)
    name = rows.mark_text(align="right", limit=_NAME, color=theme.SOFT)
    head = heads.mark_text(align="left", fontWeight=600)
    return [
        rows.mark_rule(color=theme.GRID).encode(x=alt.value(0), x2=alt.value(width)),
        name.encode(x=alt.value(-9), text="choice:N"),
        head.encode(x=alt.value(-9 - longest - _HEAD), text="group:N"),
    ]
