"""Pictures by number of purchases: how many customers made each, and what each group did next."""

import math

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

with report_extra():
    import altair as alt

_INTERVAL = ("lower", "upper")


def frequency_histogram(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Customers by number of repeat purchases: bars what happened, points what the model says.

    table: frequency ("0" to "7+"), actual, expected, lower, upper (one row a bar).
    """
    labels = labels or Labels()
    data = needed(
        table, ["frequency", "actual", "expected", *_INTERVAL], chart="frequency_histogram"
    )
    title = f"Customers by number of repeat purchases{_fit(data)}"
    subtitle = labels.subtitle("repeat purchases in calibration", f"whiskers: {labels.band}")
    chart = _bars_and_points(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=subtitle,
        description=f"Bar chart. {title}. Bars are actual counts, points the fitted model's "
        f"with a {labels.band}.",
    )


def _bars_and_points(data: pd.DataFrame, labels: Labels) -> Picture:
    palette = {"Actual": theme.BARS, f"Fitted, with {labels.band}": theme.MODEL}
    data = data.assign(frequency=data["frequency"].map(str))
    x = alt.X(
        "frequency:N",
        sort=None,
        axis=alt.Axis(title="Repeat purchases per customer", labelAngle=0),
        scale=alt.Scale(paddingInner=0.35, paddingOuter=0.2),
    )
    base = alt.Chart(records(data)).encode(x=x, tooltip=_tooltip("customers"))
    axis = number_axis("Customers")
    bars = base.mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2).encode(
        y=alt.Y("actual:Q", axis=axis)
    )
    whisker = base.mark_rule(strokeWidth=2, color=theme.MODEL).encode(
        y=alt.Y("lower:Q", axis=axis), y2="upper:Q"
    )
    point = base.mark_point(filled=True, size=75, opacity=1).encode(
        y=alt.Y("expected:Q", axis=axis)
    )
    actual, fitted = palette
    return layered(named(bars, actual, palette), whisker, named(point, fitted, palette))


def holdout_conditional(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Purchases in the hold-out by purchases in calibration: actual and expected per customer.

    table: frequency, customers, actual, expected, lower, upper (one row a group).
    """
    labels = labels or Labels()
    columns = ["frequency", "customers", "actual", "expected", *_INTERVAL]
    data = needed(table, columns, chart="holdout_conditional")
    title = f"Hold-out purchases by past purchases{_inside(data)}"
    subtitle = labels.subtitle("mean per customer", f"shaded band: {labels.band}")
    chart = _groups(data, labels) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=subtitle,
        description=f"Line chart. {title}. Mean purchases per customer in the hold-out, actual "
        f"and expected with a {labels.band}, by purchases in calibration.",
    )


def _groups(data: pd.DataFrame, labels: Labels) -> Picture:
    palette = {"Actual": theme.OBSERVED, "Expected": theme.MODEL, labels.band: theme.BAND}
    data = data.assign(frequency=data["frequency"].map(str))
    x = alt.X(
        "frequency:O",
        sort=None,
        axis=alt.Axis(title="Repeat purchases in calibration", labelAngle=0),
    )
    tip = [*_tooltip("per customer"), alt.Tooltip("customers:Q", title="Customers", format=",")]
    base = alt.Chart(records(data)).encode(x=x, tooltip=tip)
    axis = number_axis("Hold-out purchases per customer")
    band = base.mark_area(opacity=0.75).encode(y=alt.Y("lower:Q", axis=axis), y2="upper:Q")
    expected = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("expected:Q", axis=axis))
    line = base.mark_line(strokeWidth=1.2, strokeDash=[4, 3]).encode(y=alt.Y("actual:Q", axis=axis))
    point = base.mark_point(filled=True, size=60, opacity=1).encode(y=alt.Y("actual:Q", axis=axis))
    return layered(
        named(band, labels.band, palette),
        named(expected, "Expected", palette),
        named(line, "Actual", palette),
        named(point, "Actual", palette),
    )


def _tooltip(unit: str) -> list[alt.Tooltip]:
    words = (("actual", "Actual"), ("expected", "Model"), ("lower", "From"), ("upper", "To"))
    shape = ",.1f" if unit == "customers" else ",.2f"
    numbers = [alt.Tooltip(f"{name}:Q", title=word, format=shape) for name, word in words]
    return [alt.Tooltip("frequency:N", title="Repeat purchases"), *numbers]


def _fit(data: pd.DataFrame) -> str:
    inside, groups = _covered(data)
    return f": {inside} of {groups} counts within the model's interval" if groups else ""


def _inside(data: pd.DataFrame) -> str:
    inside, groups = _covered(data)
    return f": {inside} of {groups} groups within the model's interval" if groups else ""


def _covered(data: pd.DataFrame) -> tuple[int, int]:
    rows = data[["actual", "lower", "upper"]].astype(float).itertuples(index=False, name=None)
    known = [row for row in rows if all(map(math.isfinite, row))]
    return sum(lower <= actual <= upper for actual, lower, upper in known), len(known)
