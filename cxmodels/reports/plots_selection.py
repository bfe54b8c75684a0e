"""Pictures of choosing a model: how far each one's forecasts were off, and what customers of one
kind look like to each of them."""

from typing import Any

import pandas as pd

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

with report_extra():
    import altair as alt

_STEP = 26  # height of one forecast
_PANEL = 195  # width of one model's calibration, three a row
_SHADES = ("#0b4f86", "#2f7fb8", "#6aa9d4", "#9cc4e0", "#b9cfdf")  # the latest origin darkest


def forecast_bias(table: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """By how much each model's forecast of all purchases was off, from every origin, with the
    interval of a model's; simple rules have none.

    table: origin, model, kind ("model" or "rule"), bias, bias_lower, bias_upper, in per cent, as
    the back-test of a selection has them.
    """
    labels = labels or Labels()
    columns = ["origin", "model", "kind", "bias", "bias_lower", "bias_upper"]
    data = needed(table, columns, chart="forecast_bias")
    chart = _biases(data) if len(data) else nothing_to_show()
    title = f"Forecast of all purchases: {_nearest(data)}"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            "forecast less actual, per cent of actual", f"line: {labels.band} of a model's"
        ),
        description=f"Dot chart. {title}. One dot for each model or simple rule and day forecast "
        f"from, with the {labels.band} of models; 0 is right.",
    )


def _nearest(data: pd.DataFrame) -> str:
    """Which model, and which rule, missed by least on average."""
    far = data.assign(far=data["bias"].astype(float).abs()).groupby(["kind", "model"])["far"].mean()
    said = []
    for kind, word in (("model", "%s"), ("rule", "the rule “%s”")):
        if kind in far.index:
            best = far[kind].idxmin()
            said.append(f"{word % best} off by {far[kind][best]:.0f}%")
    return f"{', '.join(said)} on average" if said else "nothing was forecast"


def _biases(data: pd.DataFrame) -> Picture:
    origins = sorted(data["origin"].unique())
    order = list(dict.fromkeys(data.sort_values("kind", kind="stable")["model"]))
    shades = list(_SHADES[: len(origins)])[::-1]
    data = data.assign(
        origin=[f"from {day}" for day in data["origin"]],
        **{name: data[name].astype(float) for name in ("bias", "bias_lower", "bias_upper")},
    )
    legend = alt.Legend(symbolType="circle", symbolStrokeWidth=0, columns=5)
    scale = alt.Scale(domain=[f"from {day}" for day in origins], range=shades)
    tip = [
        alt.Tooltip("model:N", title="Forecast by"),
        alt.Tooltip("origin:N", title="Made"),
        alt.Tooltip("bias:Q", title="Off by, %", format="+.1f"),
        alt.Tooltip("bias_lower:Q", title="Interval from", format="+.1f"),
        alt.Tooltip("bias_upper:Q", title="Interval to", format="+.1f"),
    ]
    base = alt.Chart(records(data)).encode(
        y=alt.Y("model:N", sort=order, axis=alt.Axis(title=None, labelLimit=220)),
        yOffset=alt.YOffset("origin:N", sort=[f"from {day}" for day in origins]),
        color=alt.Color("origin:N", scale=scale, legend=legend),
        tooltip=tip,
    )
    axis = number_axis("Forecast less actual (% of actual)", grid=True)
    line = base.transform_filter("datum.bias_lower != null").mark_rule(strokeWidth=2.2)
    dots = base.mark_circle(size=62, opacity=1)
    zero = alt.Chart(records(pd.DataFrame({"at": [0]}))).mark_rule(color=theme.INK)
    return layered(
        zero.encode(x=alt.X("at:Q", axis=axis)),
        line.encode(x=alt.X("bias_lower:Q", axis=axis), x2="bias_upper"),
        dots.encode(x=alt.X("bias:Q", axis=axis)),
        height=max(120, _STEP * len(order) * max(1, len(origins)) * 2 // 3),
    )


def calibration(table: pd.DataFrame, labels: Labels | None = None) -> alt.ConcatChart:
    """Where customers' purchases fell in what each model had predicted for them: a panel a model.

    table: origin, model, tenth (1 to 10 of a customer's predictive distribution), customers, share,
    lower, upper (within which an honest model's share lies), as a selection's `calibration` has
    them; the latest origin is drawn.
    """
    labels = labels or Labels()
    columns = ["origin", "model", "tenth", "customers", "share", "lower", "upper"]
    data = needed(table, columns, chart="calibration")
    data = data[data["origin"] == data["origin"].max()] if len(data) else data
    parts = list(data.groupby("model", sort=False))
    top = 1.1 * float(data[["share", "upper"]].to_numpy(dtype=float).max()) if len(data) else 1.0
    panels: list[Picture] = [_tenths(str(name), part, top) for name, part in parts]
    chart = alt.concat(*(panels or [nothing_to_show()]), columns=3)
    title = _honest(parts)
    when = f"forecast from {data['origin'].iloc[0]}" if len(data) else "nothing was forecast"
    known = labels.customers is None and len(data)
    count = f"{int(data['customers'].iloc[0]):,} customers" if known else ""
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(when, count, f"band: an honest model's {labels.band}"),
        description=f"Bar charts, one a model. {title}. Share of customers whose purchases fell "
        "into each tenth of their predictive distribution; one in ten each is right.",
    )


def _honest(parts: list[tuple[Any, pd.DataFrame]]) -> str:
    """How many tenths of each model lie within the band, the best first."""
    held = {
        str(name): int(part["share"].between(part["lower"], part["upper"]).sum())
        for name, part in parts
    }
    if not held:
        return "Calibration of forecasts: nothing was forecast"
    best = max(held, key=lambda name: held[name])
    return f"Calibration of forecasts: {held[best]} of 10 tenths of {best} as they should be"


def _tenths(name: str, part: pd.DataFrame, top: float) -> Picture:
    x = alt.X("tenth:O", axis=alt.Axis(title="Tenth of the prediction", labelAngle=0))
    scale = alt.Scale(domain=[0.0, top])
    axis = share_axis("Share of customers", tickCount=4)
    base = alt.Chart(records(part.drop(columns=["origin", "model"])))
    tip = [
        alt.Tooltip("tenth:O", title="Tenth"),
        alt.Tooltip("share:Q", title="Share of customers", format=".1%"),
        alt.Tooltip("lower:Q", title="Honest from", format=".1%"),
        alt.Tooltip("upper:Q", title="Honest to", format=".1%"),
    ]
    bars = base.mark_bar(color=theme.MODEL, opacity=0.55, size=13).encode(
        x=x, y=alt.Y("share:Q", axis=axis, scale=scale), tooltip=tip
    )
    ends = pd.DataFrame({"lower": [part["lower"].iloc[0]], "upper": [part["upper"].iloc[0]]})
    band = (
        alt.Chart(records(ends))
        .mark_rect(color=theme.ACCENT, opacity=0.25)
        .encode(y=alt.Y("lower:Q", axis=axis, scale=scale), y2="upper:Q")
    )
    panel = layered(bars, band, width=_PANEL, height=110)
    panel.title = alt.Title(name, fontSize=12.5, fontWeight=600, offset=6)
    return panel


def model_comparison(
    table: pd.DataFrame, labels: Labels | None = None, *, value: str, title: str
) -> Picture:
    """One figure by model, as dots with intervals where the table has them.

    table: model, `value`, and lower, upper where known; title: what the picture shows; labels: its
    currency stands on the axis where `value` is an amount.
    """
    labels = labels or Labels()
    data = needed(table, ["model", value], chart="model_comparison", known=["lower", "upper"])
    chart = _dots(data, value, labels) if len(data) else nothing_to_show()
    band = f"line: {labels.band}" if "lower" in data else ""
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(value, band),
        description=f"Dot chart. {title}. {value} by model. {band}",
    )


def _dots(data: pd.DataFrame, value: str, labels: Labels) -> Picture:
    names = [name for name in (value, "lower", "upper") if name in data]
    data = data.assign(**{name: data[name].astype(float) for name in names})
    data = data.rename(columns={value: "figure"})
    order = data.sort_values("figure", kind="stable")["model"].tolist()
    axis = number_axis(value, prefix=labels.sign, grid=True)
    tip = [
        alt.Tooltip("model:N", title="Model"),
        alt.Tooltip("figure:Q", title=value, format=",.4~r"),
    ]
    base = alt.Chart(records(data)).encode(
        y=alt.Y("model:N", sort=order, axis=alt.Axis(title=None, labelLimit=220)), tooltip=tip
    )
    scale = alt.Scale(zero=False, nice=True)
    layers = [
        base.mark_circle(size=90, color=theme.MODEL, opacity=1).encode(
            x=alt.X("figure:Q", axis=axis, scale=scale)
        )
    ]
    if "lower" in data:
        rule = base.mark_rule(color=theme.MODEL, strokeWidth=2.4)
        layers.insert(0, rule.encode(x=alt.X("lower:Q", axis=axis, scale=scale), x2="upper"))
    return layered(*layers, height=max(110, 44 * len(data)))
