"""The picture of returns around an event: what they add up to beyond what was to be expected."""

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    finite,
    layered,
    named,
    needed,
    nothing_to_show,
    records,
)
from cxmodels.reports.numbers import Kind, grouped, interval

with report_extra():
    import altair as alt


def event_returns(
    days: pd.DataFrame,
    labels: Labels | None = None,
    *,
    running: pd.DataFrame | None = None,
    event: str = "Event",
) -> Picture:
    """Abnormal returns around an event, added up from the first day on.

    days: day (0: the event), mean, lower, upper, events, as the `days` of `cx.event_study`;
    running: window (the day that a sum runs to), mean, lower, upper, as the `windows` of a study
    that was asked for windows of those names, for the interval of the sum, which no table of days
    holds; without it, each day has its interval and the sum has none; event: what happened on
    day 0.
    """
    labels = labels or Labels()
    data = needed(days, ["day", "mean", "lower", "upper", "events"], chart="event_returns")
    data = finite(data.sort_values("day"))
    if (np.diff(data["day"].to_numpy(dtype=float)) != 1).any():
        raise OptionError("event_returns adds days up: the table needs every day, once each")
    total = _summed(data, running)
    parts = ["no events"]
    if len(data):
        least, most = int(data["events"].min()), int(data["events"].max())
        parts = [f"{least:,} events" if least == most else f"{least:,} to {most:,} events"]
    banded = "shaded band: {0} of the sum"
    alone = "bars: {0} of each day; none is known of the sum"
    said = (alone if running is None else banded).format(labels.band)
    title = f"Abnormal returns around the event{_reached(total)}"
    return theme.finish(
        _around(data, total, labels, event) if len(data) else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(said, *parts),
        description=f"Line chart over trading days. {title}. Returns beyond what was to be "
        f"expected, added up from the first day, mean over events; day 0 is marked. {said}.",
    )


def _summed(data: pd.DataFrame, running: pd.DataFrame | None) -> pd.DataFrame:
    """day, mean, lower, upper of returns added up; the ends are missing where none are known."""
    total = data["mean"].astype(float).cumsum()
    if running is None:
        return pd.DataFrame({"day": data["day"], "mean": total, "lower": np.nan, "upper": np.nan})
    sums = needed(running, ["window", "mean", "lower", "upper"], chart="event_returns, running,")
    try:
        day = sums["window"].astype(int)
    except ValueError as problem:
        raise OptionError(
            "event_returns takes each window of running by the day that it runs to: name them "
            "as whole numbers"
        ) from problem
    sums = finite(sums.assign(day=day).sort_values("day")[["day", "mean", "lower", "upper"]])
    known = sums["day"].map(dict(zip(data["day"], total, strict=True)))
    if not np.allclose(sums["mean"].astype(float), known.astype(float), rtol=1e-6, atol=1e-9):
        raise OptionError(
            "event_returns adds up from the first day of its table: some window of running "
            "begins on another, or is of other events"
        )
    return sums


def _reached(total: pd.DataFrame) -> str:
    if not len(total):
        return ""
    last = total.iloc[-1]
    share = interval(last["mean"], last["lower"], last["upper"], Kind.SHARE)
    return f": {share} by day {grouped(last['day'])}"


def _around(data: pd.DataFrame, total: pd.DataFrame, labels: Labels, event: str) -> Picture:
    banded = bool(total["lower"].notna().any())
    palette = {"Added up": theme.MODEL}
    palette |= {labels.band: theme.BAND} if banded else {}
    palette |= {"Each day": theme.MUTED}
    reach = [float(data["day"].min()) - 0.5, float(data["day"].max()) + 0.5]
    ticks = alt.Axis(title="Trading days from the event", tickMinStep=1, format="d", tickCount=12)
    x = alt.X("day:Q", axis=ticks, scale=alt.Scale(domain=reach, nice=False))
    axis = alt.Axis(title="Mean abnormal return", format=".2~%", tickCount=6)
    tip = [
        alt.Tooltip("day:Q", title="Day"),
        alt.Tooltip("mean:Q", title="Abnormal return", format="+.2%"),
        alt.Tooltip("lower:Q", title="Interval from", format="+.2%"),
        alt.Tooltip("upper:Q", title="Interval to", format="+.2%"),
    ]
    summed, daily = (alt.Chart(records(part)).encode(x=x) for part in (total, data))
    high = alt.Y("mean:Q", axis=axis)
    low = alt.Y("lower:Q", axis=axis)
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    layers = [zero.encode(y=alt.Y("at:Q", axis=axis)), *_day_zero(event, x)]
    if banded:
        band = summed.mark_area(opacity=0.75).encode(y=low, y2="upper")
        layers.insert(0, named(band, labels.band, palette))
    else:
        whisker = daily.mark_rule(strokeWidth=1.6, opacity=0.8).encode(y=low, y2="upper")
        layers.append(named(whisker, "Each day", palette))
    dots = daily.mark_circle(size=42, opacity=1).encode(y=high, tooltip=tip)
    layers.append(named(dots, "Each day", palette))
    line = summed.mark_line(strokeWidth=2.4, point=alt.OverlayMarkDef(size=36))
    layers.append(named(line.encode(y=high, tooltip=tip), "Added up", palette))
    return layered(*layers)


def _day_zero(event: str, x: alt.X) -> list[alt.Chart]:
    base = alt.Chart(records(pd.DataFrame({"day": [0], "label": [event]}))).encode(x=x)
    rule = base.mark_rule(color=theme.ACCENT, strokeDash=[5, 3], strokeWidth=1.3)
    label = base.mark_text(
        align="left", baseline="top", dx=7, dy=2, color=theme.ACCENT, fontWeight=600
    ).encode(y=alt.value(0), text="label:N")
    return [rule, label]
