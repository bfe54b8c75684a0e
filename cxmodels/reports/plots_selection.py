"""Pictures of choosing a model: how far each one's forecasts were off, and what customers of one
kind look like to each of them."""

import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import Picture, layered, needed, nothing_to_show, number_axis, records

with report_extra():
    import altair as alt

_STEP = 26  # height of one forecast
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
