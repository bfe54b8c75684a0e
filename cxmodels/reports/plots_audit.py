"""Pictures of a customer-base audit: cohorts over time and by age, and revenue by decile."""

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
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
    share_axis,
)
from cxmodels.reports.numbers import Kind, interval, written

with report_extra():
    import altair as alt

_MOST_KEYS = 12  # cohorts that a legend can hold
_MOST_CELLS = 14  # columns whose cells have room for their number
VALUES = {"revenue": "Revenue", "orders": "Orders", "active_customers": "Active customers"}


def cohort_chart(
    table: pd.DataFrame, labels: Labels | None = None, *, value: str = "revenue"
) -> Picture:
    """C(cohort, period): each period's total, stacked by the cohort it comes from, oldest below.

    table: cohort, period, and `value`: "revenue", "orders" or "active_customers"; complete where
    known, to say which periods are parts.
    """
    labels = labels or Labels()
    _known(value, VALUES)
    data = needed(table, ["cohort", "period", value], chart="cohort_chart", known=["complete"])
    data = data.assign(**{value: data[value].astype(float)})
    data = data[data.groupby("cohort")[value].transform("sum") > 0]
    chart = _stacked(data, labels, value) if len(data) else nothing_to_show()
    title = f"{VALUES[value]} by cohort{_newest(data, value)}"
    parts = _parts(data)
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            f"cohorts by {labels.unit} of the first purchase, the oldest below", parts
        ),
        description=f"Stacked bar chart. {title}. One shade a cohort, the oldest below, over "
        f"calendar periods. {parts}",
    )


def _stacked(data: pd.DataFrame, labels: Labels, value: str) -> Picture:
    cohorts = sorted(data["cohort"].unique())
    money = value == "revenue"
    name = f"{VALUES[value]} ({labels.money_unit})" if money else VALUES[value]
    legend = None
    if len(cohorts) <= _MOST_KEYS:
        legend = alt.Legend(symbolType="square", symbolStrokeWidth=0, columns=6)
    color = alt.Color("cohort:O", legend=legend, scale=alt.Scale(range=_shades(len(cohorts))))
    tip = [
        alt.Tooltip("cohort:N", title="Cohort"),
        alt.Tooltip("period:N", title="Period"),
        alt.Tooltip(f"{value}:Q", title=VALUES[value], format=",.0f"),
    ]
    whole = data.get("complete", True)
    opacity = alt.condition("datum.whole == 'yes'", alt.value(1.0), alt.value(0.55))
    data = data[["cohort", "period", value]].assign(whole=np.where(whole, "yes", "no"))
    base = alt.Chart(records(data)).encode(
        x=_periods(labels), color=color, order=alt.Order("cohort:O"), opacity=opacity, tooltip=tip
    )
    axis = number_axis(name, prefix=labels.sign if money else "")
    y = alt.Y(f"{value}:Q", axis=axis, stack="zero")
    return layered(base.mark_bar(stroke="white", strokeWidth=0.5).encode(y=y))


def _periods(labels: Labels) -> alt.X:
    axis = alt.Axis(title=f"{labels.unit.capitalize()} of purchase", labelAngle=0)
    scale = alt.Scale(paddingInner=0.08, paddingOuter=0.1)
    return alt.X("period:O", axis=axis, scale=scale)


def _shades(count: int) -> list[str]:
    """The house's blues from dark (oldest) to light."""
    stops = np.array(
        [[int(text[at : at + 2], 16) for at in (1, 3, 5)] for text in theme.LOW_TO_HIGH[::-1][:-1]]
    )
    places = np.linspace(0, len(stops) - 1, max(count, 1))
    mixed = [np.interp(places, np.arange(len(stops)), stops[:, part]) for part in range(3)]
    return [f"#{int(r):02x}{int(g):02x}{int(b):02x}" for r, g, b in zip(*mixed, strict=True)]


def _newest(data: pd.DataFrame, value: str) -> str:
    """How much of the last whole period comes from customers acquired in it."""
    whole = data[data["complete"]] if "complete" in data else data
    if not len(whole):
        return ""
    last = max(whole["period"])
    inside = whole[whole["period"] == last]
    total = float(inside[value].sum())
    if not total:
        return ""
    own = float(inside.loc[inside["cohort"] == last, value].sum())
    return f": {written(own / total, Kind.SHARE)} of {last} is from customers acquired in it"


def _parts(data: pd.DataFrame) -> str:
    if "complete" not in data:
        return ""
    names = sorted(data.loc[~data["complete"].astype(bool), "period"].unique())
    return f"pale, observed in part: {', '.join(names)}" if names else ""


def cohort_heatmap(
    table: pd.DataFrame, labels: Labels | None = None, *, value: str = "active_share"
) -> Picture:
    """Each cohort's share active, or revenue per customer acquired, by age.

    table: cohort, age, customers, active_customers, revenue (the matrix of an audit or a cohort
    table), and complete where known: cells observed in part have an asterisk.
    value: "active_share" or "revenue_per_acquired".
    """
    labels = labels or Labels()
    words = {"active_share": "Share active", "revenue_per_acquired": "Revenue per customer"}
    _known(value, words)
    columns = ["cohort", "age", "customers", "active_customers", "revenue"]
    data = needed(table, columns, chart="cohort_heatmap", known=["complete"])
    data = data[data["customers"] > 0]
    whole = data["complete"].astype(bool) if "complete" in data else data["age"] >= 0
    above = "active_customers" if value == "active_share" else "revenue"
    shown = data[above].astype(float) / data["customers"].astype(float)
    data = data[["cohort", "age", "customers"]].assign(value=shown, mark=np.where(whole, "", "*"))
    title = f"{words[value]} by age of the cohort"
    chart = _cells(data, labels, value, words[value]) if len(data) else nothing_to_show()
    money = f" in {labels.money_unit}" if value != "active_share" else ""
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(f"per customer acquired{money}", _starred(data)),
        description=f"Heat map. {title}. One row a cohort, one column a {labels.unit} of age; age "
        "0 is the period of acquisition.",
    )


def _starred(data: pd.DataFrame) -> str:
    return "* observed in part" if (data["mark"] == "*").any() else ""


def _cells(data: pd.DataFrame, labels: Labels, value: str, name: str) -> Picture:
    share = value == "active_share"
    texts = [
        f"{round(100 * v)}%" if share else written(round(v), Kind.COUNT) for v in data["value"]
    ]
    data = data.assign(label=[text + mark for text, mark in zip(texts, data["mark"], strict=True)])
    later = data.loc[data["age"] > 0, "value"]  # age 0 would take all the colour
    most = float(later.max()) if len(later) and later.max() > 0 else float(data["value"].max() or 1)
    scale = alt.Scale(range=list(theme.LOW_TO_HIGH), domain=[0, most], clamp=True)
    form = ".0%" if share else ",.0f"
    legend = alt.Legend(title=name, format=form, gradientLength=180, tickCount=4)
    tip = [
        alt.Tooltip("cohort:N", title="Cohort"),
        alt.Tooltip("age:O", title=f"Age in {labels.units}"),
        alt.Tooltip("customers:Q", title="Customers acquired", format=","),
        alt.Tooltip("label:N", title=name),
    ]
    data["dark"] = data["value"] > 0.55 * most
    x = alt.X("age:O", axis=alt.Axis(title=f"Age of the cohort in {labels.units}", labelAngle=0))
    y = alt.Y("cohort:O", axis=alt.Axis(title="Cohort", grid=False))
    base = alt.Chart(records(data)).encode(x=x, y=y, tooltip=tip)
    color = alt.Color("value:Q", scale=scale, legend=legend)
    layers = [base.mark_rect(stroke="white").encode(color=color)]
    if data["age"].nunique() <= _MOST_CELLS:
        ink = alt.condition("datum.dark", alt.value("white"), alt.value(theme.INK))
        layers.append(base.mark_text(fontSize=11).encode(text="label:N", color=ink))
    return layered(*layers, height=max(120, 26 * data["cohort"].nunique()))


def decile_bars(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """The share of revenue that each tenth of the customers brings, with its interval.

    table: decile, customers, revenue, share, lower, upper (decile 1 the largest customers).
    """
    labels = labels or Labels()
    columns = ["decile", "customers", "revenue", "share", "lower", "upper"]
    data = needed(table, columns, chart="decile_bars")
    title = "Revenue by decile of customers"
    if len(data):
        top = data.iloc[0]
        held = interval(top["share"], top["lower"], top["upper"], Kind.SHARE)
        title = f"The top tenth of customers brings {held} of the revenue"
    chart = _deciles(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("decile 1: the largest customers", f"whiskers: {labels.band}"),
        description=f"Bar chart. {title}. Share of revenue of each tenth of the customers.",
    )


def _deciles(data: pd.DataFrame, labels: Labels) -> Picture:
    axis = share_axis("Share of revenue")
    tip = [
        alt.Tooltip("decile:O", title="Decile"),
        alt.Tooltip("customers:Q", title="Customers", format=","),
        alt.Tooltip("revenue:Q", title=f"Revenue ({labels.money_unit})", format=",.0f"),
        alt.Tooltip("share:Q", title="Share of revenue", format=".1%"),
    ]
    x = alt.X(
        "decile:O",
        axis=alt.Axis(title="Decile of customers by revenue, largest first", labelAngle=0),
    )
    base = alt.Chart(records(data)).encode(x=x, tooltip=tip)
    bars = base.mark_bar(color=theme.BARS).encode(y=alt.Y("share:Q", axis=axis))
    whisker = base.mark_rule(strokeWidth=2, color=theme.MODEL).encode(
        y=alt.Y("lower:Q", axis=axis), y2="upper:Q"
    )
    return layered(bars, whisker)


def _known(value: str, choices: dict[str, str]) -> None:
    if value not in choices:
        raise OptionError(f"value {value!r} is not one of {', '.join(choices)}")
