"""Pictures of what is claimed where nothing was drawn by lot, and of satisfaction as the reason."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
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

_PANEL, _ROW, _GAP = 440, 32, 150  # pixels: width of a panel, a row, height of a gap's panel
_RANKED = ("ratio", "effect", "synthetic difference")
_ZERO = pd.DataFrame({"at": [0.0]})


def _zero(axis: alt.Axis) -> alt.Chart:
    rule: alt.Chart = alt.Chart(records(_ZERO)).mark_rule(color=theme.INK)
    return rule.encode(y=alt.Y("at:Q", axis=axis))


def _tips(*columns: tuple[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:Q", title=title, format=".4~g") for name, title in columns]


def event_time_effects(
    table: pd.DataFrame, labels: Labels | None = None, *, unit: str = "units of the outcome"
) -> Picture:
    """Effects of a roll-out by time from treatment, with those before it, where none should be.

    table: event_time (0: the first treated period), att, std_error, lower, upper, as an aggregate
    by event time, or the table of an imputation; unit: of the outcome.
    """
    labels = labels or Labels()
    columns = ["event_time", "att", "lower", "upper"]
    data = needed(table, columns, chart="event_time_effects").sort_values("event_time")
    palette = {"Before": theme.MUTED, "From treatment on": theme.MODEL}
    x = alt.X("event_time:Q", axis=alt.Axis(title="Periods from the first treated one",
                                            tickMinStep=1, format="d"))  # fmt: skip
    axis = number_axis(f"Effect, {unit}")
    layers = [_zero(axis)]
    for name, part in (("Before", data[data["event_time"] < 0]),
                       ("From treatment on", data[data["event_time"] >= 0])):  # fmt: skip
        base = alt.Chart(records(part)).encode(
            x=x, tooltip=_tips(("event_time", "Period"), ("att", "Effect"), ("lower", "From"),
                               ("upper", "To"))
        )  # fmt: skip
        line = base.transform_filter("isValid(datum.lower)").mark_rule(strokeWidth=2.0)
        dots = base.mark_circle(size=58, opacity=1)
        layers.append(named(line.encode(y=alt.Y("lower:Q", axis=axis), y2="upper"), name, palette))
        layers.append(named(dots.encode(y=alt.Y("att:Q", axis=axis)), name, palette))
    start = alt.Chart(records(pd.DataFrame({"event_time": [-0.5]}))).encode(x=x)
    layers.insert(1, start.mark_rule(color=theme.ACCENT, strokeDash=[5, 3]))
    return theme.finish(
        layered(*layers) if len(data) else nothing_to_show(),
        title="What the roll-out did, by time since it came",
        subtitle=labels.subtitle(f"line: {labels.band}", "grey: before, where none should be"),
        description="Dot chart over periods from treatment: effects with intervals; those before "
        "treatment show whether trends were parallel.",
    )


def honest_bounds_by_size(
    table: pd.DataFrame, labels: Labels | None = None, *, breakdown: float | None = None,
    restriction: str = "", unit: str = "units of the outcome",
) -> Picture:  # fmt: skip
    """Intervals of an effect by how far trends may be from parallel.

    table: size, lower, upper, as the `table` of `honest_bounds`; breakdown: the size at which 0 is
    no longer ruled out; restriction: in words; unit: of the outcome.
    """
    labels = labels or Labels()
    data = needed(table, ["size", "lower", "upper"], chart="honest_bounds_by_size")
    x = alt.X("size:Q", axis=number_axis("Violation of parallel trends allowed (M)", grid=True))
    axis = number_axis(f"Effect, {unit}")
    base = alt.Chart(records(data)).encode(
        x=x, y=alt.Y("lower:Q", axis=axis), y2="upper",
        tooltip=_tips(("size", "M"), ("lower", "From"), ("upper", "To")),
    )  # fmt: skip
    layers = [_zero(axis), base.mark_area(color=theme.BAND, opacity=0.6),
              base.mark_rule(color=theme.MODEL, strokeWidth=2.4)]  # fmt: skip
    told = "0 is ruled out at every size"
    if breakdown is not None and np.isfinite(breakdown):
        told = f"0 is no longer ruled out from M = {breakdown:.3g} on"
        at = pd.DataFrame({"size": [breakdown], "told": [f"breakdown {breakdown:.3g}"]})
        mark = alt.Chart(records(at)).encode(x=x)
        layers.append(mark.mark_rule(color=theme.ACCENT, strokeDash=[5, 3]))
        layers.append(mark.mark_text(align="left", dx=6, color=theme.ACCENT, fontWeight=600)
                      .encode(y=alt.value(8), text="told:N"))  # fmt: skip
    return theme.finish(
        layered(*layers) if len(data) else nothing_to_show(),
        title="The effect, were trends not parallel" + f": {told}" * (breakdown is not None),
        subtitle=labels.subtitle(f"line: {labels.band}", restriction),
        description="Intervals by the size of the violation that is allowed; 0 is marked.",
    )


def synthetic_path(
    path: pd.DataFrame, labels: Labels | None = None, *, start: Any,
    placebos: pd.DataFrame | None = None, unit: str = "units of the outcome",
) -> alt.ConcatChart:  # fmt: skip
    """A treated unit beside its synthetic twin, their gap, and how it ranks among placebos.

    path: period, treated, synthetic, gap, and lower, upper of the gap where known, as the `path` of
    a synthetic control or difference; start: the first treated period; placebos: unit (the treated
    first), ratio or effect, as its `placebos`.
    """
    labels = labels or Labels()
    known = ["lower", "upper"]
    data = needed(path, ["period", "treated", "synthetic", "gap"], chart="synthetic_path",
                  known=known)  # fmt: skip
    x = _periods(data["period"])
    mark = _start(start, x)
    panels = [_pair(data, (x, mark), ("treated", "synthetic"), unit),
              _gap(data, (x, mark), "gap", f"Gap, {unit}")]  # fmt: skip
    if placebos is not None and len(placebos):
        panels.append(_placebos(placebos))
    return theme.finish(
        _below(panels, color="independent"),
        title="The treated unit and its synthetic twin",
        subtitle=labels.subtitle(f"dashed: {start}, the first treated period",
                                 f"bars: {labels.band}" if "lower" in data else ""),
        description="Line charts over periods: the treated unit beside a weighted mean of others, "
        "the gap between them, and the treated unit among placebos.",
    )  # fmt: skip


def interrupted_path(
    path: pd.DataFrame, labels: Labels | None = None, *, start: Any,
    unit: str = "units of the outcome",
) -> alt.ConcatChart:  # fmt: skip
    """A series that was interrupted, what it would have been, and the effect by period.

    path: period, outcome, fitted, counterfactual, effect, lower, upper, as the `path` of
    `interrupted_series`; start: the first treated period.
    """
    labels = labels or Labels()
    columns = ["period", "outcome", "fitted", "counterfactual", "effect", "lower", "upper"]
    data = needed(path, columns, chart="interrupted_path")
    x = _periods(data["period"])
    mark = _start(start, x)
    return theme.finish(
        _below([
            _pair(data, (x, mark), ("outcome", "fitted", "counterfactual"), unit),
            _gap(data, (x, mark), "effect", f"Effect, {unit}"),
        ], x="shared"),
        title="The series, and what it would have been",
        subtitle=labels.subtitle(f"dashed: {start}, the first treated period",
                                 f"bars: {labels.band}"),
        description="Line charts over periods: what was seen, the fitted lines, the line before "
        "treatment carried on, and the effect with its interval.",
    )  # fmt: skip


def _below(panels: list[Picture], **scales: Any) -> alt.ConcatChart:
    """Panels below one another, with scales shared or each its own."""
    below = alt.concat(*panels, columns=1, spacing=18)
    chart: alt.ConcatChart = below.resolve_scale(**scales)
    return chart


def _periods(column: "pd.Series[Any]") -> alt.X:
    dated = pd.api.types.is_datetime64_any_dtype(column)
    form: dict[str, Any] = {} if dated else {"format": "d"}
    axis = alt.Axis(title="Period", tickCount=9, **form)
    scale = alt.Undefined if dated else alt.Scale(zero=False, nice=False)
    return alt.X("period:T" if dated else "period:Q", axis=axis, scale=scale)


def _start(start: Any, x: alt.X) -> alt.Chart:
    data = records(pd.DataFrame({"period": [start]}))
    mark: alt.Chart = alt.Chart(data).mark_rule(color=theme.ACCENT, strokeDash=[5, 3])
    return mark.encode(x=x)


def _pair(
    data: pd.DataFrame, across: tuple[alt.X, alt.Chart], names: tuple[str, ...], unit: str
) -> Picture:
    """Lines of columns over periods; the first is what was seen."""
    shades = (theme.OBSERVED, theme.MODEL, theme.ACCENT)
    words = {name: name.capitalize() for name in names}
    palette = {words[name]: shade for name, shade in zip(names, shades, strict=False)}
    axis = number_axis(unit.capitalize())
    layers = [across[1]]
    for name in names:
        base = alt.Chart(records(data[["period", name]].dropna())).encode(
            x=across[0], y=alt.Y(f"{name}:Q", axis=axis, scale=alt.Scale(zero=False))
        )
        dash = [5, 3] if name == names[-1] else [1, 0]
        dots = alt.OverlayMarkDef(size=14, filled=True)  # what the legend shows
        line = base.mark_line(strokeWidth=2.0, strokeDash=dash, point=dots)
        layers.append(named(line, words[name], palette))
    return layered(*layers, height=220)


def _gap(data: pd.DataFrame, across: tuple[alt.X, alt.Chart], name: str, title: str) -> Picture:
    axis = number_axis(title)
    base = alt.Chart(records(data[data[name].notna()])).encode(x=across[0])
    layers = [_zero(axis), across[1]]
    if "lower" in data and data["lower"].notna().any():
        bars = base.transform_filter("isValid(datum.lower) && isValid(datum.upper)")
        layers.append(bars.mark_rule(color=theme.BARS, strokeWidth=3).encode(
            y=alt.Y("lower:Q", axis=axis), y2="upper"))  # fmt: skip
    line = base.mark_line(color=theme.MODEL, strokeWidth=2.0, point=alt.OverlayMarkDef(size=22))
    tip = _tips((name, "Effect"))
    layers.append(line.encode(y=alt.Y(f"{name}:Q", axis=axis), tooltip=tip))
    return layered(*layers, height=_GAP)


def _placebos(placebos: pd.DataFrame) -> Picture:
    """The treated unit, the first row, among the placebos."""
    by = next((name for name in _RANKED if name in placebos), "")
    if not by:
        raise OptionError("placebos are a table with a column ratio or effect")
    title = {"ratio": "Misfit after over before treatment (RMSPE)"}.get(by, "Effect of the placebo")
    data = pd.DataFrame({"value": placebos[by].astype(float), "unit": placebos["unit"].astype(str)})
    data = data.assign(series=["Treated"] + ["Placebo"] * (len(data) - 1)).dropna()
    palette = {"Placebo": theme.BARS, "Treated": theme.ACCENT}
    axis = number_axis(title)
    tip = [alt.Tooltip("unit:N", title="Unit"), *_tips(("value", title))]
    layers = []
    for name, size in (("Placebo", 1.2), ("Treated", 3.0)):
        part = alt.Chart(records(data[data["series"] == name].drop(columns="series")))
        ticks = part.mark_tick(thickness=size, size=26).encode(
            x=alt.X("value:Q", axis=axis), tooltip=tip
        )
        layers.append(named(ticks, name, palette))
    return layered(*layers, height=44)


def reason_chain(table: pd.DataFrame, labels: Labels | None = None) -> alt.ConcatChart:
    """From a lever to satisfaction to money: each link with its interval, in its own unit.

    table: what, estimate, lower, upper, unit, as the `table` of `reason`; an interval that is
    infinite (Anderson and Rubin's, where satisfaction hardly moved) is drawn to the panel's edge.
    """
    labels = labels or Labels()
    data = needed(table, ["what", "estimate", "lower", "upper", "unit"], chart="reason_chain")
    panels = [_link(row) for row in data.to_dict("records")]
    return theme.finish(
        alt.concat(*(panels or [nothing_to_show()]), columns=1, spacing=10),
        title="From the lever to satisfaction to money",
        subtitle=labels.subtitle(f"line: {labels.band}", "of ratios: values not rejected"),
        description="Dot charts, one a link of the chain, each in its unit with its interval; for "
        "ratios the set of values that are not rejected.",
    )


def _link(row: dict[Any, Any]) -> Picture:
    middle, low, high = (float(row[name]) if row[name] is not None else float("nan")
                         for name in ("estimate", "lower", "upper"))  # fmt: skip
    ends = [value for value in (middle, low, high, 0.0) if np.isfinite(value)]
    room = 0.08 * (max(ends) - min(ends) or 1.0)
    domain = [min(ends) - room, max(ends) + room]
    shown = pd.DataFrame({
        "middle": [middle], "low": [low if np.isfinite(low) else domain[0]],
        "high": [high if np.isfinite(high) else domain[1]],
    })  # fmt: skip
    scale = alt.Scale(domain=domain, nice=False)
    axis = number_axis(f"{row['what']} ({row['unit']})", grid=True, tickCount=6)
    base = alt.Chart(records(shown))
    zero = alt.Chart(records(_ZERO)).mark_rule(color=theme.INK)
    line = base.mark_rule(color=theme.MODEL, strokeWidth=2.4)
    return layered(
        zero.encode(x=alt.X("at:Q", axis=axis, scale=scale)),
        line.encode(x=alt.X("low:Q", axis=axis, scale=scale), x2="high"),
        base.mark_circle(size=76, opacity=1, color=theme.MODEL).encode(
            x=alt.X("middle:Q", axis=axis, scale=scale), tooltip=_tips(
                ("middle", "Estimate"), ("low", "From"), ("high", "To"))),
        width=_PANEL, height=_ROW,
    )  # fmt: skip
