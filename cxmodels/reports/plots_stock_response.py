"""The picture of what the market made of scores that it had not foreseen, part by part."""

import numpy as np
import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    layered,
    named,
    needed,
    nothing_to_show,
    number_axis,
    records,
)
from cxmodels.reports.numbers import Kind, interval

with report_extra():
    import altair as alt

_NEWS, _CHANGE = "What was not foreseen", "Naive (hollow): the change of score taken for news"
_SMALL = "Too small to be found four times in five"
_PALETTE = {_NEWS: theme.MODEL, _CHANGE: theme.MUTED, _SMALL: theme.GRID}
_NUMBERS = ["naive", "estimate", "lower", "upper", "power"]
_TOTAL = "total"
_STEP = 58  # pixels a part
_BESIDE = 13  # pixels that the naive dot stands below the other
_UNIT = "percentage points of return"


def stock_response(
    table: pd.DataFrame, labels: Labels | None = None, *, firms: int | None = None
) -> Picture:
    """What a point of score that was not foreseen goes with in returns: directly, through earnings,
    in total, and in the year after, with what could have been found.

    table: part, naive, estimate, lower, upper, power, rows, as the table of `cx.stock_response`, in
    percentage points; firms: how many, read from a column `firms` if None.
    """
    labels = labels or Labels()
    columns = ["part", *_NUMBERS, "rows"]
    data = needed(table, columns, chart="stock_response", known=["firms"])
    data = data.assign(**{name: data[name].astype(float) for name in _NUMBERS})
    data = data[np.isfinite(data["estimate"])].reset_index(drop=True)
    if firms is None and "firms" in data and len(data):
        firms = int(data["firms"].max())
    title = f"Return to a point of score that was not foreseen{_in_total(data)}"
    return theme.finish(
        _parts(data) if len(data) else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(
            _UNIT, f"line: {labels.band}", _rows(data), "" if firms is None else f"{firms:,} firms"
        ),
        description=f"Dot chart. {title}. {_UNIT.capitalize()} that a point of score goes with, "
        f"by part, with {labels.band}s; hollow: the change of score taken for news; grey: effects "
        f"{_SMALL[0].lower()}{_SMALL[1:]}.",
    )


def _in_total(data: pd.DataFrame) -> str:
    rows = data[data["part"] == _TOTAL]
    return f": {_told(rows.iloc[0])} in total" if len(rows) else ""


def _told(row: "pd.Series[float]") -> str:
    return interval(row["estimate"], row["lower"], row["upper"], Kind.NUMBER)


def _rows(data: pd.DataFrame) -> str:
    if not len(data):
        return "no rows"
    least, most = int(data["rows"].min()), int(data["rows"].max())
    return f"{most:,} rows" if least == most else f"{least:,} to {most:,} rows"


def _parts(data: pd.DataFrame) -> Picture:
    parts = list(data["part"])
    y = alt.Y(
        "part:N",
        sort=parts,
        axis=alt.Axis(title=None, grid=False, labelLimit=220, labelFontSize=12.5),
        scale=alt.Scale(domain=parts, paddingInner=0.2, paddingOuter=0.1),
    )
    axis = number_axis(
        f"{_UNIT.capitalize()} for a point of score that was not foreseen", grid=True, tickCount=8
    )
    shown = data[["part", *_NUMBERS, "rows"]].assign(
        least=-data["power"], told=[_told(row) for _, row in data.iterrows()]
    )
    base = alt.Chart(records(shown)).encode(y=y, tooltip=_tip())
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    x, change = alt.X("estimate:Q", axis=axis), alt.X("naive:Q", axis=axis)
    naive = base.transform_filter("datum.naive != null")
    hollow = naive.mark_circle(size=26, color="white", opacity=1, yOffset=_BESIDE)
    ring = naive.mark_circle(size=78, opacity=1, yOffset=_BESIDE)
    line = base.transform_filter("datum.lower != null && datum.upper != null")
    least = base.transform_filter("datum.power != null").mark_bar()
    text = base.mark_text(align="left", fontWeight=600, color=theme.MODEL)
    layers = [
        named(least.encode(x=alt.X("least:Q", axis=axis), x2="power"), _SMALL, _PALETTE),
        zero.encode(x=alt.X("at:Q", axis=axis)),
        named(ring.encode(x=change), _CHANGE, _PALETTE),
        hollow.encode(x=change),
        named(
            line.mark_rule(strokeWidth=2.4).encode(x=alt.X("lower:Q", axis=axis), x2="upper"),
            _NEWS,
            _PALETTE,
        ),
        named(base.mark_circle(size=90, opacity=1).encode(x=x), _NEWS, _PALETTE),
        text.encode(x=alt.value(theme.WIDTH + 10), text="told:N"),
    ]
    return layered(*layers, height=_STEP * len(parts) + 16)


def _tip() -> list[alt.Tooltip]:
    told = {
        "estimate": "Points of return",
        "lower": "Interval from",
        "upper": "Interval to",
        "naive": "Change taken for news",
        "power": "Found four times in five from",
    }
    numbers = [alt.Tooltip(f"{name}:Q", title=said, format=".2f") for name, said in told.items()]
    return [alt.Tooltip("part:N", title="Part"), *numbers,
            alt.Tooltip("rows:Q", title="Rows", format=",")]  # fmt: skip
