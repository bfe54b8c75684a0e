"""Pictures of purchases over time: what happened, what the model expected, and the hold-out."""

import math
from collections.abc import Callable

import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    holdout_mark,
    layered,
    named,
    needed,
    nothing_to_show,
    number_axis,
    records,
)
from cxmodels.reports.numbers import grouped

with report_extra():
    import altair as alt

_HOLDOUT = "hold-out"
_SHORT = 0.85  # of the usual length: a period shorter than that was cut


def tracking_weekly(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Repeat purchases of each period, actual and expected, with interval and hold-out.

    table: period, period_end, part, actual, expected, lower, upper (one row a period). Periods that
    the end of a window cut short are left out; the cumulative picture has them.
    """
    labels = labels or Labels()
    title = f"{labels.every.capitalize()} repeat purchases{_miss(table, 'actual', 'expected')}"
    names = ("actual", "expected", "lower", "upper")
    axis = f"Repeat purchases per {labels.unit}"
    return _tracking(table, names, title, axis, labels, shown=_whole)


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """The periods that no end of a window cut short: a part of one is no fall of purchases."""
    if "period_end" not in table or len(table) < 4 or table["period_end"].isna().any():
        return table
    days = pd.to_datetime(table["period_end"]).diff().dt.days.to_numpy(dtype=float)
    cut = days < _SHORT * float(pd.Series(days[1:]).median())  # the first has none before it
    return table[~cut]


def tracking_cumulative(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Repeat purchases since the start, actual and expected, with interval fan and hold-out.

    table: period, period_end, part, cumulative_actual, cumulative_expected, cumulative_lower,
    cumulative_upper (one row a period).
    """
    labels = labels or Labels()
    names = tuple(f"cumulative_{name}" for name in ("actual", "expected", "lower", "upper"))
    title = f"Cumulative repeat purchases{_end(table, names)}"
    return _tracking(table, names, title, "Repeat purchases since the start", labels)


def _tracking(
    table: pd.DataFrame,
    names: tuple[str, ...],
    title: str,
    axis: str,
    labels: Labels,
    shown: Callable[[pd.DataFrame], pd.DataFrame] = pd.DataFrame,
) -> Picture:
    data = needed(table, ["period", "period_end", "part", *names], chart="tracking")
    data = data.set_axis(
        ["period", "period_end", "part", "actual", "expected", "lower", "upper"], axis=1
    )
    subtitle = labels.subtitle(axis[0].lower() + axis[1:], f"shaded band: {labels.band}")
    description = (
        f"Line chart over time. {title}. Actual and expected repeat purchases with a "
        f"{labels.band}; the hold-out is shaded."
    )
    if len(data):
        field, x = _time_axis(data, labels)
        lines = _layers(shown(data), axis, labels, (field, x))
        chart = layered(*_mark(data, field)[:1], *lines, *_mark(data, field)[1:])
    else:
        chart = nothing_to_show()
    return theme.finish(chart, title=title, subtitle=subtitle, description=description)


def _layers(
    data: pd.DataFrame, axis: str, labels: Labels, time: tuple[str, alt.X]
) -> list[alt.Chart]:
    field, x = time
    palette = {"Actual": theme.OBSERVED, "Expected": theme.MODEL, labels.band: theme.BAND}
    base = alt.Chart(records(data)).encode(x=x)
    y = number_axis(axis)
    fan = base.mark_area(opacity=0.75).encode(y=alt.Y("lower:Q", axis=y), y2="upper:Q")
    said = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("expected:Q", axis=y))
    seen = base.mark_line(strokeWidth=1.6).encode(y=alt.Y("actual:Q", axis=y))
    lines = [
        named(fan, labels.band, palette),
        named(said, "Expected", palette),
        named(seen, "Actual", palette),
    ]
    tips = base.mark_rule(opacity=0, strokeWidth=9).encode(tooltip=_tooltip(labels, field))
    return [*lines, tips]


def _mark(data: pd.DataFrame, field: str) -> list[alt.Chart]:
    """Shading, rule and label of the hold-out where there is one."""
    held = data.loc[data["part"] == _HOLDOUT, field]
    if not len(held):
        return []
    before = data.loc[data["part"] != _HOLDOUT, field]
    split = before.iloc[-1] if len(before) else held.iloc[0]
    return holdout_mark(split, held.iloc[-1], "T" if field == "period_end" else "Q")


def _time_axis(data: pd.DataFrame, labels: Labels) -> tuple[str, alt.X]:
    if data["period_end"].isna().any():
        axis = alt.Axis(title=f"{labels.unit.capitalize()} since the start", tickCount=8)
        return "period", alt.X("period:Q", axis=axis)
    axis = alt.Axis(title=f"{labels.unit.capitalize()} ending", format=_dates(data), tickCount=8)
    return "period_end", alt.X("period_end:T", axis=axis)


def _dates(data: pd.DataFrame) -> str:
    ends = pd.to_datetime(data["period_end"])
    days = (ends.iloc[-1] - ends.iloc[0]).days
    return "%d %b %Y" if days < 70 else "%b %Y" if days < 3000 else "%Y"


def _tooltip(labels: Labels, field: str) -> list[alt.Tooltip]:
    name = labels.unit.capitalize()
    when = (
        alt.Tooltip("period_end:T", title=f"{name} ending", format="%d %b %Y")
        if field == "period_end"
        else alt.Tooltip("period:Q", title=name)
    )
    numbers = [
        alt.Tooltip(f"{name}:Q", title=word, format=",.1f")
        for name, word in (
            ("actual", "Actual"),
            ("expected", "Expected"),
            ("lower", "Interval from"),
            ("upper", "Interval to"),
        )
    ]
    return [when, *numbers]


def _miss(table: pd.DataFrame, actual: str, expected: str) -> str:
    """How far the expectation was off in the hold-out, as the end of a title."""
    if not {"part", actual, expected} <= set(table.columns):
        return ""
    held = table[table["part"] == _HOLDOUT]
    seen, said = float(held[actual].sum()), float(held[expected].sum())
    if not len(held) or not seen or not math.isfinite(said):
        return ""
    return f": {_off(said / seen - 1)} in the hold-out"


def _end(table: pd.DataFrame, names: tuple[str, ...]) -> str:
    if not {"part", *names} <= set(table.columns) or not (table["part"] == _HOLDOUT).any():
        return ""
    seen, said, lower, upper = (float(table[name].iloc[-1]) for name in names)
    if not math.isfinite(seen) or not math.isfinite(said):
        return ""
    inside = "inside" if lower <= seen <= upper else "outside"
    return f": {grouped(seen)} at the end, {grouped(said)} expected ({inside} the interval)"


def _off(bias: float) -> str:
    if abs(bias) < 0.005:
        return "expected and actual agree"
    side = "above" if bias > 0 else "below"
    return f"expected {abs(bias):.0%} {side} actual"
