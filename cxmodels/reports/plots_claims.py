"""The picture of what is claimed of satisfaction, unit by unit, beside one's own estimate."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    layered,
    needed,
    nothing_to_show,
    number_axis,
    records,
)
from cxmodels.reports.numbers import grouped

with report_extra():
    import altair as alt

_OWN = "yours"
_SCORE = "a per cent of the score"
_POINT = ", a point"  # how the unit of a figure ends that is told by the point
_COLUMNS = ["claim", "source", "figure", "unit", "elasticity", "lower", "upper", "estimated",
            "verdict"]  # fmt: skip
_MIDDLE = 250  # pixels of the figures
_LETTERS = 52  # of a line of a verdict
_LINE = 14  # pixels of a line of text
_ROW, _OWN_ROW, _GAP = 54, 24, 24  # pixels a claim, an own rung, and between text and figures
_HEADS = {
    "elasticity": ("Elasticities", "Per cent of value for a per cent of the score"),
    "point": ("By the point", "Per cent for a point of the score"),
    "other": ("In units of their own, on no axis", ""),
}


def claims_gallery(table: pd.DataFrame, labels: Labels | None = None) -> alt.ConcatChart:
    """What the literature claims and one's own estimate, in panels: elasticities, figures by the
    point, and figures that share no unit, each with its source, what it compared, and a verdict.

    table: claim, source ("yours": one's own), figure, unit, elasticity, lower, upper, estimated,
    verdict, as `cx.claims` has them.
    """
    labels = labels or Labels()
    data = needed(table, _COLUMNS, chart="claims_gallery").reset_index(drop=True)
    kind = np.where(data["unit"].astype(str).str.endswith(_POINT), "point", "other")
    kind = np.where(data["elasticity"].notna(), "elasticity", kind)
    data = data.assign(at=data["elasticity"].fillna(data["figure"]).astype(float), kind=kind)
    panels = [panel for name in _HEADS for panel in _panels(data[data["kind"] == name], name)]
    own = bool((data["source"] == _OWN).any())
    title = "What is claimed of satisfaction, and what it is"
    chart = theme.finish(
        alt.concat(*(panels or [nothing_to_show()]), columns=1, spacing=22),
        title=title,
        subtitle=labels.subtitle(
            f"{int((data['source'] != _OWN).sum())} published figures",
            f"blue: yours, line: {labels.band}" if own else "",
            "points and per cent apart",
        ),
        description=f"Dot charts, one a unit. {title}. Each figure with its source, what was "
        "compared, and a verdict in words"
        + (f"; one's own estimates with {labels.band}s." if own else "."),
    )
    chart.title.frame = "bounds"  # above the claims, which stand left of the figures
    return chart


def _panels(data: pd.DataFrame, kind: str) -> list[Picture]:
    """One's own above what is published, on one and the same axis."""
    own = data["source"] == _OWN
    parts = [(part, mine) for part, mine in ((data[own], True), (data[~own], False)) if len(part)]
    ends = data[["at", "lower", "upper"]].astype(float).to_numpy().ravel()
    ends = np.append(ends[np.isfinite(ends)], 0.0)
    room = 0.06 * float(np.ptp(ends) or 1.0)
    domain = [float(ends.min()) - room, float(ends.max()) + room]
    panels = []
    for place, (part, mine) in enumerate(parts):
        head, title = _HEADS[kind]
        shown = place == len(parts) - 1  # the axis stands below both
        settings: dict[str, Any] = (
            {} if shown else {"labels": False, "ticks": False, "domain": False}
        )
        axis = number_axis(title if shown else "", grid=True, tickCount=5, **settings)
        scale = alt.Scale(domain=domain, nice=False)
        marks = _words(part) if kind == "other" else _figures(part, (axis, scale), mine)
        panel = layered(
            *marks, *_sides(part, mine), width=_MIDDLE, height=_height(part["verdict"], mine)
        )
        if place == 0:
            panel.title = alt.Title(head, fontSize=13, fontWeight=600, offset=8, anchor="start")
        panels.append(panel)
    return panels


def _height(verdicts: "pd.Series[str]", mine: bool) -> int:
    """Pixels of a panel in which no verdict runs into the next; of one's own there is but one."""
    most = _LINE * (2 + max(_wrapped(str(text)).count("\n") for text in verdicts))
    return max(_OWN_ROW * len(verdicts), most) if mine else max(_ROW, most) * len(verdicts)


def _y(data: pd.DataFrame) -> alt.Y:
    return alt.Y("row:O", axis=None, sort=None, scale=alt.Scale(domain=list(range(len(data)))))


def _rowed(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(row=range(len(data)))


def _figures(data: pd.DataFrame, across: tuple[alt.Axis, alt.Scale], mine: bool) -> list[alt.Chart]:
    axis, scale = across
    x, colour = alt.X("at:Q", axis=axis, scale=scale), theme.MODEL if mine else theme.OBSERVED
    told = [_figure(*row) for row in zip(data["at"], data["unit"], data["kind"], strict=True)]
    shown = _rowed(data)[["row", "at", "lower", "upper", "claim", "source"]].assign(told=told)
    base = alt.Chart(records(shown)).encode(
        y=_y(data),
        tooltip=[
            alt.Tooltip("claim:N", title="Claim"),
            alt.Tooltip("source:N", title="Source"),
            alt.Tooltip("at:Q", title="Figure", format=".3~f"),
        ],
    )
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    layers = [zero.encode(x=x)]
    if mine:
        line = base.transform_filter("datum.lower != null").mark_rule(color=colour, strokeWidth=2.2)
        layers.append(line.encode(x=alt.X("lower:Q", axis=axis, scale=scale), x2="upper"))
    layers.append(base.mark_circle(size=70, opacity=1, color=colour).encode(x=x))
    inward: dict[str, Any] = {  # so that no text leaves the figures
        name: alt.expr(f"datum.at > {float(np.mean(scale.domain))} ? {right} : {left}")
        for name, right, left in (("align", "'right'", "'left'"), ("dx", "5", "-5"))
    }
    text = base.mark_text(dy=-12, fontSize=11, color=colour, **inward)
    return layers if mine else [*layers, text.encode(x=x, text="told:N")]


def _figure(at: float, unit: str, kind: str) -> str:
    """The figure, with what its axis does not say of its unit."""
    if kind == "point":
        return f"{_plain(at)}% {unit.removeprefix('per cent ').removesuffix(_POINT)}"
    of = unit.rpartition(", ")[2]
    return grouped(at, 2) + ("" if of == _SCORE else f" ({of.removeprefix('a per cent of ')})")


def _plain(figure: float) -> str:
    return f"{figure:,g}".replace("-", "−")


def _words(data: pd.DataFrame) -> list[alt.Chart]:
    """Figures in words, for those whose unit is nobody else's."""
    shown = _rowed(data)[["row"]].assign(
        figure=[_plain(figure) for figure in data["figure"]],
        unit=["\n".join(textwrap.wrap(str(unit), 38)[:2]) for unit in data["unit"]],
    )
    base = alt.Chart(records(shown)).encode(y=_y(data), x=alt.value(_MIDDLE / 2))
    return [
        base.mark_text(fontSize=14, fontWeight=600, dy=-10).encode(text="figure:N"),
        base.mark_text(lineBreak="\n", baseline="top", dy=1, color=theme.SOFT).encode(
            text="unit:N"
        ),
    ]


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _LETTERS))


def _sides(data: pd.DataFrame, mine: bool) -> list[alt.Chart]:
    """Claim, source and what was compared on the left; the verdict on the right."""
    y, left, right = _y(data), alt.value(-_GAP), alt.value(_MIDDLE + _GAP)
    shown = _rowed(data)[["row", "claim", "source", "estimated"]].assign(
        verdict=[_wrapped(str(text)) for text in data["verdict"]]
    )
    base, plain = alt.Chart(records(shown)).encode(y=y), theme.MODEL if mine else theme.INK
    claim = base.mark_text(align="right", fontSize=12, color=plain, dy=0 if mine else -14)
    claim = claim.encode(x=left, text="claim:N")
    if mine:  # one verdict for all its rungs
        said = alt.Chart(records(shown.iloc[:1])).mark_text(
            align="left", baseline="top", lineBreak="\n", color=plain
        )
        return [claim, said.encode(x=right, y=alt.value(2), text="verdict:N")]
    soft: dict[str, Any] = {"align": "right", "fontSize": 11, "color": theme.SOFT}
    said = base.mark_text(align="left", lineBreak="\n", color=plain, dy=-14)
    return [
        claim,
        base.mark_text(**soft).encode(x=left, text="source:N"),
        base.mark_text(**soft, dy=14).encode(x=left, text="estimated:N"),
        said.encode(x=right, text="verdict:N"),
    ]
