"""Pictures of contracts: who is still there at each age, who renews, and what a base is worth."""

import math

import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    finite,
    holdout_mark,
    layered,
    named,
    needed,
    nothing_to_show,
    number_axis,
    records,
    share_axis,
)
from cxmodels.reports.numbers import grouped

with report_extra():
    import altair as alt

_HOLDOUT = "hold-out"
_POINTS = "Kaplan-Meier, with its band"


def survival_curve(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Share of customers still active by age: what happened, the model's curve, the hold-out.

    table: age, part, survival_actual, survival, survival_lower, survival_upper (one row an age),
    and where known survival_actual_lower, survival_actual_upper (whiskers) and survival_naive.
    """
    labels = labels or Labels(unit="period")
    return _curve(table, "survival", "Share of customers still active", labels)


def retention_curve(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Share of customers who renew by age: what happened, the model's curve, the hold-out.

    table: age, part, retention_actual, retention_rate, retention_lower, retention_upper (one row an
    age; ages without a rate are left out).
    """
    labels = labels or Labels(unit="period")
    table = table.rename(columns={"retention_rate": "retention"})
    return _curve(table, "retention", "Share of customers up for renewal who renew", labels)


def _curve(table: pd.DataFrame, stem: str, axis: str, labels: Labels) -> Picture:
    names = [f"{stem}_actual", stem, f"{stem}_lower", f"{stem}_upper"]
    whiskers = [f"{stem}_actual_lower", f"{stem}_actual_upper", f"{stem}_naive"]
    data = needed(table, ["age", "part", *names], chart=f"{stem}_curve", known=whiskers)
    renamed = dict(zip(names, ("actual", "expected", "lower", "upper"), strict=True))
    data = data.rename(columns=renamed).rename(
        columns=dict(zip(whiskers, ("actual_lower", "actual_upper", "naive"), strict=True))
    )
    data = data[data["expected"].notna()].reset_index(drop=True)
    title = f"{_TITLES[stem]}{_miss(data)}"
    subtitle = labels.subtitle(
        axis[0].lower() + axis[1:], f"shaded band: {labels.band} of the model"
    )
    chart = _layers(data, axis, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=subtitle,
        description=f"Line chart by age of the contract in {labels.units}. {title}. The model's "
        f"curve with a {labels.band}, and the shares that were observed; ages that the model had "
        "not seen are shaded.",
    )


_TITLES = {"survival": "Customers still active by age", "retention": "Renewal rate by age"}


def _layers(data: pd.DataFrame, axis: str, labels: Labels) -> Picture:
    seen = _POINTS if "actual_lower" in data else "Actual"
    palette = {seen: theme.OBSERVED, "Model": theme.MODEL, labels.band: theme.BAND}
    base = alt.Chart(records(data)).encode(x=_age_axis(labels))
    floor = 0.0 if data["actual"].min() < 0.5 else math.floor(_least(data) * 10) / 10
    scale, share = alt.Scale(domain=[floor, 1.0], nice=False), share_axis(axis)

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", axis=share, scale=scale)

    band = base.mark_area(opacity=0.75).encode(y=y("lower"), y2="upper:Q")
    line = base.mark_line(strokeWidth=2.2).encode(y=y("expected"))
    point = base.mark_point(filled=True, size=55, opacity=1).encode(y=y("actual"))
    own = {labels.band: band, "Model": line, seen: point}
    if "naive" in data:
        palette["Constant retention"] = theme.ACCENT
        plain = base.mark_line(strokeWidth=1.6, strokeDash=[4, 3]).encode(y=y("naive"))
        own = {labels.band: band, "Constant retention": plain, "Model": line, seen: point}
    layers = [named(mark, name, palette) for name, mark in own.items()]
    if "actual_lower" in data:
        whisker = base.mark_rule(strokeWidth=1.2, color=theme.OBSERVED)
        layers.insert(-1, whisker.encode(y=y("actual_lower"), y2="actual_upper:Q"))
    tips = base.mark_rule(opacity=0, strokeWidth=11).encode(tooltip=_tooltip(labels))
    mark = _mark(data)
    return layered(*mark[:1], *layers, *mark[1:], tips)


def _age_axis(labels: Labels) -> alt.X:
    title = f"Age of the contract in {labels.units}"
    return alt.X("age:Q", axis=alt.Axis(title=title, tickMinStep=1, format="d", labelFlush=False))


def _least(data: pd.DataFrame) -> float:
    names = [name for name in ("actual", "lower", "actual_lower", "naive") if name in data]
    return float(data[names].min().min())


def _mark(data: pd.DataFrame) -> list[alt.Chart]:
    held = data.loc[data["part"] == _HOLDOUT, "age"]
    if not len(held):
        return []
    return holdout_mark(float(held.iloc[0]) - 0.5, float(held.iloc[-1]), "Q")


def _tooltip(labels: Labels) -> list[alt.Tooltip]:
    words = (("actual", "Actual"), ("expected", "Model"), ("lower", "From"), ("upper", "To"))
    numbers = [alt.Tooltip(f"{name}:Q", title=word, format=".1%") for name, word in words]
    return [alt.Tooltip("age:Q", title=f"Age in {labels.units}", format="d"), *numbers]


def _miss(data: pd.DataFrame) -> str:
    """How far the model was off in the hold-out at most, as the end of a title."""
    held = data[data["part"] == _HOLDOUT]
    held = held[held["actual"].notna()]
    if not len(held):
        return ""
    off = (held["expected"] - held["actual"]).abs().max() * 100
    return f": at most {off:.1f} points off in the hold-out"


def base_value(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """What each cohort will still pay: the model with its interval beside the naive answer.

    table: cohort, residual_value, lower, upper, naive_value (one row a cohort).
    """
    labels = labels or Labels()
    columns = ["residual_value", "lower", "upper", "naive_value"]
    data = needed(table, ["cohort", *columns], chart="base_value")
    data = data.loc[finite(data[columns]).index].assign(cohort=data["cohort"].map(str))
    title = f"Value of the base by cohort{_short(data, labels)}"
    subtitle = labels.subtitle(
        f"discounted payments to come ({labels.money_unit})", f"whiskers: {labels.band}"
    )
    chart = _bars(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=subtitle,
        description=f"Bar chart by cohort. {title}. Bars are the model's value with a "
        f"{labels.band}, points the value at one constant retention rate.",
    )


def _bars(data: pd.DataFrame, labels: Labels) -> Picture:
    model = f"Model, with {labels.band}"
    palette = {model: theme.BAND, "Constant retention": theme.ACCENT}
    words = (("residual_value", "Model"), ("lower", "From"), ("upper", "To"))
    tips = [
        alt.Tooltip("cohort:N", title="Cohort"),
        *(alt.Tooltip(f"{name}:Q", title=word, format=",.0f") for name, word in words),
        alt.Tooltip("naive_value:Q", title="Constant retention", format=",.0f"),
    ]
    x = alt.X(
        "cohort:N",
        sort=None,
        axis=alt.Axis(title="Cohort", labelAngle=0),
        scale=alt.Scale(paddingInner=0.4, paddingOuter=0.25),
    )
    base = alt.Chart(records(data)).encode(x=x, tooltip=tips)
    axis = number_axis(f"Payments to come ({labels.money_unit})", prefix=labels.sign)
    bars = base.mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2).encode(
        y=alt.Y("residual_value:Q", axis=axis)
    )
    whisker = base.mark_rule(strokeWidth=1.6, color=theme.MODEL).encode(
        y=alt.Y("lower:Q", axis=axis), y2="upper:Q"
    )
    tick = base.mark_point(filled=True, size=80, opacity=1, shape="diamond").encode(
        y=alt.Y("naive_value:Q", axis=axis)
    )
    return layered(named(bars, model, palette), whisker, named(tick, "Constant retention", palette))


def _short(data: pd.DataFrame, labels: Labels) -> str:
    worth, naive = float(data["residual_value"].sum()), float(data["naive_value"].sum())
    if not len(data) or worth <= 0:
        return ""
    off = naive / worth - 1.0
    side = "below" if off < 0 else "above"
    sign = labels.sign
    return f": {sign}{grouped(worth)}; constant retention is {abs(off):.0%} {side}"
