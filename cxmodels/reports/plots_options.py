"""The picture of which test to run: the least effect that each design sees, and its size beside."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    layered,
    needed,
    nothing_to_show,
    number_axis,
    records,
    share_axis,
)

with report_extra():
    import altair as alt

_COLUMNS = ["design", "size_holds", "size", "size_lower", "size_upper", "mde", "mde_formula"]
_MONEY = "mde_money"
_PALETTE = {"holds": theme.MODEL, "hardly known": theme.MUTED, "off": theme.ACCENT}
_WIDE, _NARROW, _ROW = 300, 170, 26  # pixels of the effects, of the sizes, and of a design
_REACH = 4.0  # times the median beyond which an effect is told at the edge


def design_options(
    table: pd.DataFrame, labels: Labels | None = None, *, outcome: str = "the outcome"
) -> alt.ConcatChart:
    """The least effect that each design sees with a chance of 80 per cent, by simulation (dot) and
    by formula (stroke), and the share of placebo tests that reject, with its interval.

    table: as that of `TestPlan.options`, of which design, size_holds, size, size_lower, size_upper,
    mde, mde_formula are needed; in money a year where it has mde_money; labels: level of the test.
    """
    labels = labels or Labels(level=0.95)
    data = needed(table, _COLUMNS, chart="design_options", known=[_MONEY]).reset_index(drop=True)
    money = _MONEY in data
    each = 1.0
    if money:
        seen = np.isfinite(data["mde"].astype(float)) & (data["mde"] > 0.0)
        each = float((data.loc[seen, _MONEY] / data.loc[seen, "mde"]).median()) if seen.any() else 1
    data = data.assign(least=data["mde"] * each, formula=data["mde_formula"] * each)
    finite = data["least"][np.isfinite(data["least"])]
    edge = _REACH * float(finite.median()) if len(finite) else 1.0
    beyond = ~(data["least"] <= edge)
    data = data.assign(at=data["least"].where(~beyond, edge), beyond=beyond)
    title = f"The least effect on {outcome} that each design sees"
    unit = f"{labels.money_unit if labels.currency else 'money'} a year" if money else ""
    chart = (
        alt.concat(_effects(data, labels, unit, edge), _sizes(data, 1.0 - labels.level))
        if len(data)
        else alt.concat(nothing_to_show())
    )
    parts = ("seen 4 times in 5", unit, "dot: simulated, stroke: formula",
             f"{int(beyond.sum())} beyond the edge" if beyond.any() else "")  # fmt: skip
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(*parts),
        description=f"Dot charts side by side. {title}, the best first, with a chance of 80 per "
        "cent, simulated on the past and by formula; beside it the size, which is the share of "
        "tests of nothing that reject, with its 99% interval.",
    )


def _y(data: pd.DataFrame, axis: Any) -> alt.Y:
    return alt.Y("design:N", sort=list(data["design"]), axis=axis, title=None)


def _coloured() -> alt.Color:
    scale = alt.Scale(domain=list(_PALETTE), range=list(_PALETTE.values()))
    return alt.Color("size_holds:N", scale=scale, legend=alt.Legend(title="Size"))


def _effects(data: pd.DataFrame, labels: Labels, unit: str, edge: float) -> alt.LayerChart:
    """Dots of the simulation, strokes of the formula; a triangle for what lies beyond the edge."""
    ends = data[["at", "formula"]].to_numpy(dtype=float)
    most = float(np.where(ends <= edge, ends, 0.0).max())
    scale = alt.Scale(domain=[0.0, 1.05 * max(most, 1e-300)], nice=False)
    axis = number_axis(unit or "In its own unit", prefix=labels.sign if unit else "", grid=True)
    names = alt.Axis(labelLimit=230, ticks=False, domain=False, grid=False)
    base = alt.Chart(records(data)).encode(y=_y(data, names))
    inside = base.transform_filter("datum.formula !== null").transform_filter(
        f"datum.formula <= {edge!r}"
    )
    stroke = inside.mark_tick(color=theme.OBSERVED, thickness=2, size=14).encode(
        x=alt.X("formula:Q", scale=scale, axis=axis)
    )
    dots = base.transform_filter("!datum.beyond").mark_point(filled=True, size=75, opacity=1)
    arrows = base.transform_filter("datum.beyond").mark_point(
        filled=True, size=75, opacity=1, shape="triangle-right"
    )
    place = alt.X("at:Q", scale=scale, axis=axis)
    return layered(
        stroke, *(marks.encode(x=place, color=_coloured()) for marks in (dots, arrows)),
        width=_WIDE, height=_ROW * len(data),
    )  # fmt: skip


def _sizes(data: pd.DataFrame, alpha: float) -> alt.LayerChart:
    """Sizes with their intervals, and the one that is right."""
    axis = share_axis("Placebo tests that reject", grid=True)
    base = alt.Chart(records(data)).encode(y=_y(data, None))
    line = base.mark_rule(strokeWidth=1.6).encode(
        x=alt.X("size_lower:Q", axis=axis), x2="size_upper", color=_coloured()
    )
    dot = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("size:Q", axis=axis), color=_coloured()
    )
    right = alt.Chart(records(pd.DataFrame({"alpha": [alpha]})))
    rule = right.mark_rule(color=theme.OBSERVED, strokeDash=[4, 3]).encode(x="alpha:Q")
    return layered(rule, line, dot, width=_NARROW, height=_ROW * len(data))
