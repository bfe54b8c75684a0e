"""The pieces that charts share: data as plain records, axes, the hold-out's mark, the interval."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.letters import printable

with report_extra():
    import altair as alt

Picture = alt.LayerChart  # what every drawing function returns

_DIGITS = 7  # significant digits that a chart can show


def needed(
    table: Any, columns: Sequence[str], *, chart: str, known: Sequence[str] = ()
) -> pd.DataFrame:
    """The table's columns that a chart needs, and those of `known` that it has; an error names
    those that are missing."""
    if not isinstance(table, pd.DataFrame):
        held = "; give its .table" if hasattr(table, "table") else ""
        raise OptionError(f"{chart} draws a table, got {type(table).__name__}{held}")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise OptionError(
            f"{chart} needs a table with columns {', '.join(columns)}; "
            f"missing: {', '.join(missing)}"
        )
    return table.loc[:, [*columns, *(name for name in known if name in table.columns)]]


def finite(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose numbers can all be placed on a chart."""
    rows: pd.DataFrame = table[np.isfinite(table.to_numpy(dtype=float)).all(axis=1)]
    return rows


def plain(value: Any) -> Any:
    """A cell as JSON knows it: NaN and infinity become None, dates become local midnight."""
    if value is None or isinstance(value, str | bool):
        return printable(value)
    if isinstance(value, date | datetime):
        return None if pd.isna(value) else pd.Timestamp(value).strftime("%Y-%m-%dT%H:%M:%S")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else _short(number)


def _short(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def records(table: pd.DataFrame) -> alt.InlineData:
    """The table as data inside the chart, free of any row limit."""
    columns = [str(name) for name in table.columns]
    rows = table.itertuples(index=False, name=None)
    return alt.InlineData(values=[dict(zip(columns, map(plain, row), strict=True)) for row in rows])


def number_axis(title: str, *, prefix: str = "", **settings: Any) -> alt.Axis:
    """An axis whose ticks read 1,500, 25k, 1.2M, with the currency's sign before them."""
    big = "replace(format(abs(datum.value), '.3~s'), 'G', 'bn')"
    small = "format(abs(datum.value), ',.12~r')"
    sign = json.dumps(printable(prefix))
    expression = (
        f"(datum.value < 0 ? '−' : '') + {sign} + (abs(datum.value) >= 10000 ? {big} : {small})"
    )
    return alt.Axis(title=title, labelExpr=expression, **{"tickCount": 5, **settings})


def share_axis(title: str, **settings: Any) -> alt.Axis:
    """An axis from 0 to 100%."""
    return alt.Axis(title=title, format=".0%", **{"tickCount": 5, **settings})


def named(chart: alt.Chart, name: str, palette: Mapping[str, str]) -> alt.Chart:
    """The marks in the colour of the series `name`, one entry of the chart's legend.

    palette: the colour of every series of the chart, in the legend's order.
    """
    scale = alt.Scale(domain=list(palette), range=list(palette.values()))
    legend = alt.Legend(symbolType="square", symbolStrokeWidth=0, symbolOpacity=1)
    marked = chart.transform_calculate(series=json.dumps(printable(name)))
    return marked.encode(color=alt.Color("series:N", scale=scale, legend=legend))


def layered(*layers: alt.Chart, width: int = theme.WIDTH, height: int = theme.HEIGHT) -> Picture:
    """The layers over one another, the first at the bottom."""
    chart = alt.LayerChart(layer=list(layers))
    chart.width, chart.height = width, height
    return chart


def holdout_mark(split: Any, end: Any, shorthand: str) -> list[alt.Chart]:
    """Shading, rule and label of the hold-out, which begins at `split`.

    shorthand: the type of the horizontal axis, "T" for dates and "Q" for numbers.
    """
    data = records(pd.DataFrame({"split": [split], "end": [end], "label": ["Hold-out"]}))
    base = alt.Chart(data).encode(x=alt.X(f"split:{shorthand}"))
    ground = base.mark_rect(color=theme.SHADE).encode(x2="end")
    rule = base.mark_rule(color=theme.ACCENT, strokeDash=[5, 3], strokeWidth=1.3)
    label = base.mark_text(
        align="left", baseline="top", dx=7, dy=5, color=theme.ACCENT, fontWeight=600
    ).encode(y=alt.value(0), text="label:N")
    return [ground, rule, label]


def nothing_to_show() -> Picture:
    """A picture that says that its table has no rows."""
    data = records(pd.DataFrame({"label": ["No rows to show"]}))
    words = alt.Chart(data).mark_text(color=theme.SOFT, fontSize=13).encode(text="label:N")
    return layered(words, height=60)


def apart(heights: "pd.Series[float]", gap: float) -> Any:
    """The heights, moved as little as keeps a gap between any two (isotonic least squares)."""
    values = heights.to_numpy(dtype=float)
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(values))
    moved = scipy.optimize.isotonic_regression(values[order] - steps).x + steps
    out = np.empty(len(values))
    out[order] = moved
    return out
