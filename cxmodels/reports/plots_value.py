"""Pictures of value: how few customers hold how much of it, and what makes it uncertain."""

import math

import numpy as np
import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    finite,
    layered,
    needed,
    nothing_to_show,
    number_axis,
    records,
    share_axis,
)
from cxmodels.reports.numbers import Kind, interval

with report_extra():
    import altair as alt

_POINTS = 300  # a curve 680 pixels wide shows no more
_SIDE = 400


def lorenz_curve(
    table: pd.DataFrame,
    labels: Labels | None = None,
    *,
    gini: tuple[float, float, float] | None = None,
) -> Picture:
    """The share of value held by the least valuable customers up to each share of customers.

    table: customers_share, value_share, lower, upper (shares from 0 to 1, ascending);
    gini: the Gini coefficient with its interval, as estimate, lower, upper.
    """
    labels = labels or Labels()
    columns = ["customers_share", "value_share", "lower", "upper"]
    data = _thinned(finite(needed(table, columns, chart="lorenz_curve")))
    title = _top_fifth(data)
    chart = _lorenz(data, labels, gini) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("residual value", f"shaded band: {labels.band}"),
        description=f"Lorenz curve. {title}. Share of value against share of customers, from "
        f"the least to the most valuable, with a {labels.band} and the line of equality.",
    )


def _lorenz(data: pd.DataFrame, labels: Labels, gini: tuple[float, float, float] | None) -> Picture:
    across = share_axis("Share of customers, least valuable first", grid=True)
    axis = alt.X("customers_share:Q", axis=across, scale=alt.Scale(domain=[0, 1]))
    scale = alt.Scale(domain=[min(0.0, float(data["lower"].min())), 1])
    y = share_axis("Share of value")
    base = alt.Chart(records(data)).encode(x=axis)
    corner = pd.DataFrame({"x": [0, 1], "y": [0, 1]})
    equal = (
        alt.Chart(records(corner))
        .mark_line(color=theme.MUTED, strokeDash=[5, 4], strokeWidth=1.3)
        .encode(x=alt.X("x:Q", axis=across), y=alt.Y("y:Q", axis=y))
    )
    band = base.mark_area(color=theme.BAND, opacity=0.75, clip=True).encode(
        y=alt.Y("lower:Q", axis=y, scale=scale), y2="upper:Q"
    )
    line = base.mark_line(color=theme.MODEL, strokeWidth=2.4, clip=True).encode(
        y=alt.Y("value_share:Q", axis=y, scale=scale)
    )
    tips = base.mark_rule(opacity=0, strokeWidth=6, clip=True).encode(
        tooltip=[
            alt.Tooltip("customers_share:Q", title="Customers up to", format=".0%"),
            alt.Tooltip("value_share:Q", title="hold of the value", format=".1%"),
            alt.Tooltip("lower:Q", title="Interval from", format=".1%"),
            alt.Tooltip("upper:Q", title="Interval to", format=".1%"),
        ]
    )
    layers = [band, equal, line, *_words(gini), tips]
    return layered(*layers, height=_SIDE)


def _words(gini: tuple[float, float, float] | None) -> list[alt.Chart]:
    equality = _word(0.5, 0.535, "Equal value").mark_text(align="right", dx=-6, color=theme.SOFT)
    if gini is None:
        return [equality]
    text = f"Gini {interval(*gini, Kind.NUMBER)}"
    strong = _word(0.04, 0.93, text).mark_text(align="left", fontSize=13, fontWeight=600)
    return [equality, strong]


def _word(x: float, y: float, text: str) -> alt.Chart:
    data = records(pd.DataFrame({"x": [x], "y": [y], "label": [text]}))
    return alt.Chart(data).encode(x="x:Q", y="y:Q", text="label:N")


def _thinned(data: pd.DataFrame) -> pd.DataFrame:
    if len(data) <= _POINTS:
        return data
    places = np.unique(np.linspace(0, len(data) - 1, _POINTS).round().astype(int))
    return data.iloc[places]


def _top_fifth(data: pd.DataFrame) -> str:
    if len(data) < 2:
        return "Concentration of residual value"
    share, value = (data[name].to_numpy(dtype=float) for name in ("customers_share", "value_share"))
    low, high = (data[name].to_numpy(dtype=float) for name in ("lower", "upper"))
    held, most, least = (1 - float(np.interp(0.8, share, part)) for part in (value, low, high))
    text = interval(held, least, most, Kind.SHARE)
    return f"The most valuable 20% of customers hold {text} of the value"


def equity_sources(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Where the uncertainty of customer equity comes from, as standard deviations in money.

    table: item, std_dev, variance_share (one row a source, such as parameters, behaviour, spend); a
    row for the customer equity itself is left out.
    """
    labels = labels or Labels()
    data = needed(table, ["item", "std_dev", "variance_share"], chart="equity_sources")
    data = data[data["item"] != "customer equity"]
    data = data[np.isfinite(data["std_dev"].astype(float))].sort_values(
        "std_dev", ascending=False, kind="stable"
    )
    title = _largest(data)
    chart = _source_bars(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            f"standard deviation of equity in {labels.money_unit}", "share of variance at the bar"
        ),
        description=f"Bar chart. {title}.",
    )


def _source_bars(data: pd.DataFrame, labels: Labels) -> Picture:
    shares = [interval(share, math.nan, math.nan, Kind.SHARE) for share in data["variance_share"]]
    data = data.assign(item=data["item"].map(_capital), label=shares)
    y = alt.Y(
        "item:N",
        sort=None,
        axis=alt.Axis(title=None, grid=False, labelLimit=260, labelFontSize=12.5),
        scale=alt.Scale(paddingInner=0.4, paddingOuter=0.2),
    )
    axis = number_axis(
        f"Standard deviation of customer equity ({labels.money_unit})",
        prefix=labels.sign,
        grid=True,
    )
    most = float(data["std_dev"].max()) * 1.12
    scale = alt.Scale(domain=[0, most if most > 0 else 1], nice=False)
    tip = [
        alt.Tooltip("item:N", title="Source"),
        alt.Tooltip("std_dev:Q", title="Standard deviation", format=",.4~f"),
        alt.Tooltip("label:N", title="Share of variance"),
    ]
    base = alt.Chart(records(data)).encode(
        y=y, x=alt.X("std_dev:Q", axis=axis, scale=scale), tooltip=tip
    )
    bars = base.mark_bar(color=theme.MODEL, cornerRadiusEnd=2)
    text = base.mark_text(align="left", dx=7, fontWeight=600).encode(text="label:N")
    height = max(90, 46 * len(data))
    return layered(bars, text, height=height)


def _largest(data: pd.DataFrame) -> str:
    if not len(data) or not math.isfinite(float(data["variance_share"].iloc[0])):
        return "Where the uncertainty of customer equity comes from"
    share = interval(data["variance_share"].iloc[0], math.nan, math.nan, Kind.SHARE)
    return f"Most of the uncertainty comes from {data['item'].iloc[0]}: {share} of the variance"


def _capital(text: object) -> str:
    words = str(text)
    return words[:1].upper() + words[1:]
