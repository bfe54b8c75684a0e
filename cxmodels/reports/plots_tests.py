"""Pictures of a test: effects, guardrails while it runs, boundaries, power, the decision."""

from typing import Any

import numpy as np
import pandas as pd
import scipy

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
    share_axis,
)
from cxmodels.reports.numbers import grouped

with report_extra():
    import altair as alt

_PANEL, _ROW, _LOOKS = 440, 30, 170  # pixels: width of a panel, of an arm, height of looks
_STATES = {  # colour of what a guardrail or a metric is known to be
    "holds": theme.MODEL, "better": theme.MODEL, "broken": theme.ACCENT, "worse": theme.ACCENT,
    "not yet known": theme.MUTED,
}  # fmt: skip


def metric_effects(table: pd.DataFrame, labels: Labels | None = None) -> alt.ConcatChart:
    """Effects of a test, a panel a metric, since units differ: relative to control where that is
    known of all arms, else in the metric's unit.

    table: metric, arm, n, estimate, lower, upper, lift, lift_lower, lift_upper, as the `table` of
    `analyse` has them.
    """
    labels = labels or Labels()
    columns = ["metric", "arm", "n", "estimate", "lower", "upper", "lift", "lift_lower",
               "lift_upper"]  # fmt: skip
    data = needed(table, columns, chart="metric_effects")
    panels = [_effects(own, str(name)) for name, own in data.groupby("metric", sort=False)]
    units = f"{grouped(int(data['n'].max()))} units an arm at most" if len(data) else ""
    return theme.finish(
        alt.concat(*(panels or [nothing_to_show()]), columns=1, spacing=14),
        title="Effects by metric, beside the control",
        subtitle=labels.subtitle(f"line: {labels.band}", units),
        description="Dot charts, one a metric. Effect of each arm beside the control with its "
        f"{labels.band}; per cent of the control's mean where that is known.",
    )


def _effects(data: pd.DataFrame, metric: str) -> Picture:
    relative = bool(data["lift"].notna().all())
    middle, low, high = ("lift", "lift_lower", "lift_upper") if relative else (
        "estimate", "lower", "upper"
    )  # fmt: skip
    title = f"{metric}: change beside control" if relative else f"{metric}: difference, in its unit"
    shown = pd.DataFrame({
        "arm": data["arm"].astype(str), "n": data["n"], "middle": data[middle].astype(float),
        "low": data[low].astype(float), "high": data[high].astype(float),
    })  # fmt: skip
    form: dict[str, Any] = {"format": "+.3~p"} if relative else {}
    axis = alt.Axis(title=title, tickCount=6, grid=True, **form)
    tip = [
        alt.Tooltip("arm:N", title="Arm"),
        alt.Tooltip("middle:Q", title="Effect", format="+.2%" if relative else "+.4~g"),
        alt.Tooltip("low:Q", title="Interval from", format="+.2%" if relative else "+.4~g"),
        alt.Tooltip("high:Q", title="Interval to", format="+.2%" if relative else "+.4~g"),
        alt.Tooltip("n:Q", title="Units", format=","),
    ]
    y = alt.Y("arm:N", sort=None, axis=alt.Axis(title=None, grid=False, labelFontSize=12.5))
    base = alt.Chart(records(shown)).encode(y=y, tooltip=tip)
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    line = base.mark_rule(color=theme.MODEL, strokeWidth=2.2)
    dots = base.mark_circle(size=70, opacity=1, color=theme.MODEL)
    return layered(
        zero.encode(x=alt.X("at:Q", axis=axis)),
        line.encode(x=alt.X("low:Q", axis=axis, scale=alt.Scale(zero=False)), x2="high"),
        dots.encode(x=alt.X("middle:Q", axis=axis)),
        width=_PANEL, height=max(_ROW * shown["arm"].nunique(), 34),
    )  # fmt: skip


def guardrail_looks(looks: pd.DataFrame, labels: Labels | None = None) -> alt.ConcatChart:
    """Guardrails and metrics of a running test over time, with intervals that hold at all looks,
    and the line that each is held against.

    looks: metric, arm, day, estimate, lower, upper, line, state, margin, as `monitor` has them.
    """
    labels = labels or Labels(level=0.95)
    columns = ["metric", "arm", "day", "estimate", "lower", "upper", "line", "state", "margin"]
    data = needed(looks, columns, chart="guardrail_looks")
    data = data[data["lower"].notna()]
    palette = {name: shade for name, shade in _STATES.items() if name in set(data["state"])}
    panels = [_over_time(own, f"{name[0]}, {name[1]}", palette)
              for name, own in data.groupby(["metric", "arm"], sort=False)]  # fmt: skip
    return theme.finish(
        alt.concat(*(panels or [nothing_to_show()]), columns=1, spacing=16),
        title="A running test, look by look",
        subtitle=labels.subtitle(f"{labels.band} over all looks together", "dashed: margin, or 0"),
        description="Line charts over days, one a metric and arm: the effect beside the control so "
        f"far with its {labels.band} over all looks, and the margin of a guardrail (dashed).",
    )


def _over_time(data: pd.DataFrame, title: str, palette: dict[str, str]) -> Picture:
    guarded = bool(data["margin"].notna().any())
    x = alt.X("day:T", axis=alt.Axis(title="Looked at on", format="%d %b", tickCount=8))
    axis = number_axis("Effect so far, its unit", tickCount=5)
    scale = alt.Scale(zero=False)
    base = alt.Chart(records(data.drop(columns="margin"))).encode(x=x)
    tip = [
        alt.Tooltip("day:T", title="Day", format="%d %b %Y"),
        alt.Tooltip("estimate:Q", title="Effect", format="+.4~g"),
        alt.Tooltip("lower:Q", title="Interval from", format="+.4~g"),
        alt.Tooltip("upper:Q", title="Interval to", format="+.4~g"),
        alt.Tooltip("state:N", title="State"),
    ]
    ends = base.encode(y=alt.Y("lower:Q", axis=axis, scale=scale), y2="upper")
    band = ends.mark_area(color=theme.BAND, opacity=0.6)
    line = base.mark_line(color=theme.MUTED, strokeWidth=1.4)
    told = "margin" if guarded else "no effect"
    at = pd.DataFrame({"line": [float(data["line"].iloc[0])], "told": [told]})
    rule = alt.Chart(records(at)).encode(y=alt.Y("line:Q", axis=axis))
    states = [
        named(ends.transform_filter(alt.datum.state == name).mark_rule(strokeWidth=2.2), name,
              palette) for name in palette
    ] + [
        named(base.transform_filter(alt.datum.state == name).mark_circle(size=52, opacity=1).encode(
            y=alt.Y("estimate:Q", axis=axis), tooltip=tip), name, palette) for name in palette
    ]  # fmt: skip
    chart = layered(
        band, rule.mark_rule(color=theme.INK, strokeDash=[5, 3]),
        rule.mark_text(align="left", dx=6, fontWeight=600).encode(
            x=alt.value(theme.WIDTH), text="told:N"),
        line.encode(y=alt.Y("estimate:Q", axis=axis)), *states, height=_LOOKS,
    )  # fmt: skip
    chart.title = alt.Title(title, fontSize=13, fontWeight=600, anchor="start", offset=6)
    return chart


def look_boundaries(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Boundaries on z at the looks of a design.

    table: look, share, upper, lower, spent, as the `table` of `design`.
    """
    labels = labels or Labels()
    data = needed(table, ["look", "share", "upper", "lower", "spent"], chart="look_boundaries")
    data = data.assign(lower=data["lower"].where(np.isfinite(data["lower"].astype(float))))
    spent = f"{float(data['spent'].iloc[-1]):.1%} spent in all" if len(data) else ""
    return theme.finish(
        _boundaries(data) if len(data) else nothing_to_show(),
        title="Where a test may stop",
        subtitle=labels.subtitle(f"{len(data)} looks", spent, "dashed: critical value of one look"),
        description="Line chart over the share of all units: boundaries on z at each look. Beyond "
        "them the test stops; between them it goes on.",
    )


def _boundaries(data: pd.DataFrame) -> Picture:
    palette = {"Upper": theme.MODEL, "Lower": theme.ACCENT}
    palette = palette if data["lower"].notna().any() else {"Upper": theme.MODEL}
    x = alt.X("share:Q", axis=share_axis("Share of all units"), scale=alt.Scale(domain=[0, 1.02]))
    axis = alt.Axis(title="z: estimate over its standard error", tickCount=7)
    sides = 2 if np.allclose(-data["lower"].astype(float), data["upper"].astype(float)) else 1
    once = float(scipy.stats.norm.isf(float(data["spent"].iloc[-1]) / sides))
    ends = [once, -once] if sides == 2 else [once]
    single = alt.Chart(records(pd.DataFrame({"at": ends}))).mark_rule(
        color=theme.MUTED, strokeDash=[5, 3]
    )
    layers = [single.encode(y=alt.Y("at:Q", axis=axis))]
    for name, column in (("Upper", "upper"), ("Lower", "lower")):
        if name not in palette:
            continue
        base = alt.Chart(records(data.dropna(subset=[column]))).encode(
            x=x, y=alt.Y(f"{column}:Q", axis=axis),
            tooltip=[alt.Tooltip("look:Q", title="Look"),
                     alt.Tooltip(f"{column}:Q", title="Boundary on z", format=".3f")],
        )  # fmt: skip
        line = base.mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=50))
        layers.append(named(line, name, palette))
    return layered(*layers)


def power_curve(
    table: pd.DataFrame, labels: Labels | None = None, *, unit: str = "", target: float = 0.8
) -> Picture:
    """How likely a test finds effects of each size.

    table: effect, power, as the `table` of a planned test or of `power_table`; unit: of the
    outcome; target: power that is marked.
    """
    labels = labels or Labels()
    data = needed(table, ["effect", "power"], chart="power_curve").sort_values("effect")
    if not 0.0 < target < 1.0:
        raise OptionError(f"target {target!r} is a probability")
    axis = share_axis("Chance to find it")
    x = alt.X("effect:Q", axis=number_axis(f"True effect{', ' * bool(unit)}{unit}"))
    y = alt.Y("power:Q", axis=axis, scale=alt.Scale(domain=[0, 1]))
    tip = [alt.Tooltip("effect:Q", title="Effect", format=".4~g"),
           alt.Tooltip("power:Q", title="Power", format=".1%")]  # fmt: skip
    base = alt.Chart(records(data)).encode(x=x, y=y, tooltip=tip)
    mark = alt.Chart(records(pd.DataFrame({"power": [target], "told": [f"{target:.0%}"]}))).encode(
        y=y
    )
    nearest = data["effect"].abs().to_numpy(dtype=float)
    size = float(data["power"].to_numpy(dtype=float)[nearest.argmin()]) if len(data) else 0.0
    return theme.finish(
        layered(
            mark.mark_rule(color=theme.MUTED, strokeDash=[5, 3]),
            mark.mark_text(align="left", dx=6).encode(x=alt.value(theme.WIDTH), text="told:N"),
            base.mark_line(color=theme.MODEL, strokeWidth=2.4, point=alt.OverlayMarkDef(size=44)),
        ) if len(data) else nothing_to_show(),
        title="Power of the test",
        subtitle=labels.subtitle(f"of no effect {size:.1%} (the size)", f"dashed: {target:.0%}"),
        description="Line chart. Chance that the test finds an effect, by its true size.",
    )  # fmt: skip


def decision_value(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """What a lever may be worth net a unit, and how likely that is above 0.

    table: what, value, unit, as the `table` of `decide`.
    """
    labels = labels or Labels()
    held = needed(table, ["what", "value", "unit"], chart="decision_value").set_index("what")
    names = ["net value", "net value, lower", "net value, upper"]
    if any(name not in held.index for name in names):
        raise OptionError("decision_value draws a table with rows net value, its lower and upper")
    mean, low, high = (float(held["value"][name]) for name in names)
    spread = (high - low) / (2.0 * float(scipy.special.ndtri((1.0 + labels.level) / 2.0)))
    x = np.linspace(min(mean - 4.0 * spread, 0.0), max(mean + 4.0 * spread, 0.0), 241)
    data = pd.DataFrame({"value": x, "density": scipy.stats.norm.pdf(x, mean, spread) * spread})
    above = float(scipy.special.ndtr(mean / spread))
    told = "above 99.9%" if above > 0.999 else "below 0.1%" if above < 0.001 else f"{above:.1%}"
    sign = labels.sign
    return theme.finish(
        _worth(data, (mean, low, high), f"{labels.money_unit} a unit" if labels.currency else
               "money a unit", sign),
        title=f"Net value a unit: {sign}{mean:,.2f}, above 0 with probability {told}",
        subtitle=labels.subtitle(f"{labels.band}: {low:,.2f} to {high:,.2f}", "after the cost"),
        description=f"Density of the net value a unit, mean {mean:,.2f}; the part above 0, in "
        f"blue, holds {told}.",
    )  # fmt: skip


def _worth(data: pd.DataFrame, ends: tuple[float, float, float], unit: str, sign: str) -> Picture:
    palette = {"Gain": theme.MODEL, "Loss": theme.ACCENT}
    x = alt.X("value:Q", axis=number_axis(f"Net value, {unit}", prefix=sign, tickCount=8))
    y = alt.Y("density:Q", axis=None)
    height = float(np.interp(0.0, data["value"], data["density"]))
    edge = pd.DataFrame({"value": [0.0], "density": [height]})
    layers: list[alt.Chart] = []
    for name, kept in (("Gain", data["value"] > 0.0), ("Loss", data["value"] < 0.0)):
        part = pd.concat([data[kept], edge]).sort_values("value")
        area = alt.Chart(records(part)).mark_area(opacity=0.75).encode(x=x, y=y)
        layers.append(named(area, name, palette))
    mean, low, high = ends
    shown = pd.DataFrame({"value": [mean], "low": [low], "high": [high], "density": [0.0]})
    base = alt.Chart(records(shown)).encode(y=y)
    zero = alt.Chart(records(edge)).mark_rule(color=theme.INK).encode(x=x)
    line = base.mark_rule(color=theme.INK, strokeWidth=3).encode(x=alt.X("low:Q"), x2="high")
    return layered(*layers, zero, line, base.mark_circle(size=80, color=theme.INK).encode(x=x))
