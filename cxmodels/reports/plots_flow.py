"""Pictures of customers coming and going: two periods, and the time to a second purchase."""

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
    share_axis,
)
from cxmodels.reports.numbers import Kind, interval, written

with report_extra():
    import altair as alt

_ALL = "all"


def two_period_flow(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Revenue lost and gained from one period to the next, by what the customers did.

    table: group, customers, revenue_before, revenue_after, change; a row "all" is the title's.
    """
    labels = labels or Labels()
    columns = ["group", "customers", "revenue_before", "revenue_after", "change"]
    data = needed(table, columns, chart="two_period_flow")
    title = _total(data, labels)
    data = data[(data["group"] != _ALL) & (data["customers"] > 0)]
    chart = _bars(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            f"change in {labels.money_unit} by group", "customers of the group at the bar"
        ),
        description=f"Bar chart. {title}. Change in revenue by group of customers: those who left, "
        "stayed and spent less or more, came back, or are new.",
    )


def _total(data: pd.DataFrame, labels: Labels) -> str:
    rows = data[data["group"] == _ALL]
    if not len(rows):
        return "Change in revenue by what customers did"
    row = rows.iloc[0]
    gap = float(row["change"])
    word = "rose" if gap > 0 else "fell" if gap < 0 else "did not change"
    ends = [
        written(row[name], Kind.MONEY, currency=labels.currency)
        for name in ("revenue_before", "revenue_after")
    ]
    if not gap:
        return f"Revenue did not change: {ends[0]}"
    by = written(abs(gap), Kind.MONEY, currency=labels.currency)
    return f"Revenue {word} by {by}, from {ends[0]} to {ends[1]}"


def _bars(data: pd.DataFrame, labels: Labels) -> Picture:
    palette = {"Gained": theme.MODEL, "Lost": theme.ACCENT}
    data = data.assign(
        group=[str(name)[:1].upper() + str(name)[1:] for name in data["group"]],
        label=[f"{int(count):,}" for count in data["customers"]],
    )
    top = max(float(data["change"].abs().max()), 1e-9) * 1.15
    axis = number_axis(f"Change in revenue ({labels.money_unit})", prefix=labels.sign, grid=True)
    x = alt.X("change:Q", axis=axis, scale=alt.Scale(domain=[-top, top], nice=False))
    y = alt.Y(
        "group:N",
        sort=None,
        axis=alt.Axis(title=None, grid=False, labelLimit=260, labelFontSize=12.5),
        scale=alt.Scale(paddingInner=0.35, paddingOuter=0.2, domain=data["group"].tolist()),
    )
    tip = [
        alt.Tooltip("group:N", title="Customers who"),
        alt.Tooltip("customers:Q", title="Customers", format=","),
        alt.Tooltip("revenue_before:Q", title="Revenue before", format=",.0f"),
        alt.Tooltip("revenue_after:Q", title="Revenue after", format=",.0f"),
        alt.Tooltip("change:Q", title="Change", format=",.0f"),
    ]
    layers = []
    gained = data["change"] >= 0
    for name, part in (("Gained", data[gained]), ("Lost", data[~gained])):
        base = alt.Chart(records(part)).encode(x=x, y=y, tooltip=tip)
        layers.append(named(base.mark_bar(), name, palette))
        text = base.mark_text(align="left", dx=6)
        if name == "Lost":
            text = base.mark_text(align="right", dx=-6)
        layers.append(text.encode(text="label:N"))
    zero = alt.Chart(records(pd.DataFrame({"change": [0]}))).mark_rule(color=theme.SOFT)
    return layered(*layers, zero.encode(x=x), height=max(120, 40 * len(data)))


def second_purchase_curve(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """The share of customers who have bought a second time, by days since the first.

    table: days, share, lower, upper, and cohort where there are several.
    """
    labels = labels or Labels()
    columns = ["days", "share", "lower", "upper"]
    data = needed(table, columns, chart="second_purchase_curve", known=["cohort"])
    title = f"Customers who have bought a second time{_reached(data)}"
    chart = _steps(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("Kaplan-Meier", f"shaded band: {labels.band}"),
        description=f"Line chart. {title}. Share by days since the first purchase; customers who "
        f"have not come back count as long as they were followed. Band: {labels.band}.",
    )


def _reached(data: pd.DataFrame) -> str:
    if not len(data) or "cohort" in data:
        return ""
    last = data.iloc[-1]
    share = interval(last["share"], last["lower"], last["upper"], Kind.SHARE)
    return f": {share} within {int(last['days']):,} days"


def _steps(data: pd.DataFrame, labels: Labels) -> Picture:
    names = list(dict.fromkeys(data["cohort"])) if "cohort" in data else ["Bought again"]
    colors = [theme.MODEL, theme.ACCENT, theme.OBSERVED]
    palette = {str(name): colors[place % 3] for place, name in enumerate(names)}
    axis = share_axis("Share that has bought again")
    most = float(data[["share", "upper"]].max().max())
    y_scale = alt.Scale(domain=[0, min(1.0, most * 1.05)], nice=False)
    x_axis = alt.Axis(title="Days since the first purchase")
    layers = []
    for name in names:
        part = data[data["cohort"] == name] if "cohort" in data else data
        base = alt.Chart(records(part)).encode(x=alt.X("days:Q", axis=x_axis))
        band = base.mark_area(interpolate="step-after", opacity=0.18, clip=True).encode(
            y=alt.Y("lower:Q", axis=axis, scale=y_scale), y2="upper:Q"
        )
        line = base.mark_line(interpolate="step-after", strokeWidth=2.2).encode(
            y=alt.Y("share:Q", axis=axis, scale=y_scale)
        )
        layers += [named(mark, str(name), palette) for mark in (band, line)]
    return layered(*layers)
