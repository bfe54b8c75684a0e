"""Pictures of what satisfaction goes with: effects three ways, level by level, and attributes by
how much they matter and how well they do."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy

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

with report_extra():
    import altair as alt

_WAYS = {"naive": theme.MUTED, "controlled": "#6aa9d4", "corrected": theme.MODEL}
_ERRORS = {"naive": "naive_error", "controlled": "controlled_error", "corrected": "std_error"}
_TRUTH = "set amount"


def effect_comparison(
    table: pd.DataFrame,
    labels: Labels | None = None,
    *,
    score: str,
    truth: Mapping[str, float] | None = None,
) -> Picture:
    """What a point of the score goes with, in per cent of each outcome: the score alone, with
    controls, and corrected for its error.

    table: outcome, naive, naive_error, controlled, controlled_error, corrected, std_error, as
    `satisfaction.effects` has them; truth: the set effect of each outcome, of simulated data.
    """
    labels = labels or Labels()
    columns = ["outcome", *_ERRORS, *_ERRORS.values()]
    data = _long(needed(table, columns, chart="effect_comparison"), labels.level)
    known = {name: float(np.expm1(value)) for name, value in (truth or {}).items()}
    chart = forest(data, known) if len(data) else nothing_to_show()
    title = f"What a point of {score} goes with"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("per cent of each outcome", f"line: {labels.band}"),
        description=f"Dot chart. {title}: per cent by which each outcome (odds, for leaving) is "
        f"higher with one point more, naive, controlled and corrected, with {labels.band}s.",
    )


def _long(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """One row an outcome and way, as shares: exp(effect) - 1 and the ends of its interval."""
    z, parts = float(scipy.special.ndtri((1.0 + level) / 2.0)), []
    for way, error in _ERRORS.items():
        effect = table[way].astype(float)
        half = z * table[error].astype(float)
        ends = {"effect": effect, "lower": effect - half, "upper": effect + half}
        part = pd.DataFrame({name: np.expm1(value) for name, value in ends.items()})
        parts.append(part.assign(outcome=table["outcome"], way=way))
    return pd.concat(parts).dropna(subset="effect")


def forest(data: pd.DataFrame, truth: Mapping[str, float]) -> Picture:
    """Dots with intervals by outcome and way, as shares; truth: ticks at what was set."""
    order = list(dict.fromkeys(data["outcome"]))
    palette = {way: colour for way, colour in _WAYS.items() if (data["way"] == way).any()}
    if truth:
        palette[_TRUTH] = theme.ACCENT
    y = alt.Y("outcome:N", sort=order, axis=alt.Axis(title=None, labelLimit=220))
    axis = share_axis("Change with one point more", grid=True, tickCount=7)
    tip = [
        alt.Tooltip("outcome:N", title="Outcome"),
        alt.Tooltip("way:N", title="Estimate"),
        alt.Tooltip("effect:Q", title="Change", format="+.1%"),
        alt.Tooltip("lower:Q", title="Interval from", format="+.1%"),
        alt.Tooltip("upper:Q", title="Interval to", format="+.1%"),
    ]
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    layers = [zero.encode(x=alt.X("at:Q", axis=axis))]
    for way, part in data.groupby("way", sort=False):
        base = named(alt.Chart(records(part)), str(way), palette).encode(
            y=y, yOffset=alt.YOffset("way:N", sort=list(_WAYS)), tooltip=tip
        )
        layers.append(
            base.mark_rule(strokeWidth=2.2).encode(x=alt.X("lower:Q", axis=axis), x2="upper")
        )
        layers.append(base.mark_circle(size=60, opacity=1).encode(x=alt.X("effect:Q", axis=axis)))
    if truth:
        set_to = pd.DataFrame({"outcome": list(truth), "at": list(truth.values())})
        marks = named(alt.Chart(records(set_to[set_to["outcome"].isin(order)])), _TRUTH, palette)
        tick = marks.mark_tick(thickness=3, size=38, opacity=0.9)
        layers.append(tick.encode(y=y, x=alt.X("at:Q", axis=axis)))
    return layered(*layers, height=max(130, 52 * len(order)))


def level_effects(
    table: pd.DataFrame, labels: Labels | None = None, *, outcome: str, score: str
) -> Picture:
    """How an outcome differs by level of the score from the level it is compared with.

    table: outcome, score_level, against, answers, estimate, lower, upper, as the `by_level` of
    `satisfaction.levels` has them; outcome: which of them.
    """
    labels = labels or Labels()
    columns = ["outcome", "score_level", "against", "answers", "estimate", "lower", "upper"]
    data = needed(table, columns, chart="level_effects")
    data = data[data["outcome"] == outcome]
    chart = _steps(data, score) if len(data) else nothing_to_show()
    against = f"against {data['against'].iloc[0]}" if len(data) else "no level was told"
    title = f"{outcome.capitalize()} by level of {score}"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(f"per cent {against}", f"line: {labels.band}"),
        description=f"Dot chart. {title}, in per cent {against}, with {labels.band}s.",
    )


def _steps(data: pd.DataFrame, score: str) -> Picture:
    names = ["estimate", "lower", "upper"]
    data = data.assign(**{name: np.expm1(data[name].astype(float)) for name in names})
    held = pd.DataFrame({"score_level": [data["against"].iloc[0]], "estimate": [0.0]})
    both = pd.concat([data[["score_level", "answers", *names]], held])
    both["at"] = [float(str(name).split(" ")[-1]) for name in both["score_level"]]
    order = both.sort_values("at")["score_level"].tolist()
    x = alt.X("score_level:O", sort=order, axis=alt.Axis(title=f"Level of {score}", labelAngle=0))
    axis = share_axis("Change from the level compared with", grid=True)
    base = alt.Chart(records(both.drop(columns="at"))).encode(
        x=x,
        tooltip=[
            alt.Tooltip("score_level:O", title="Level"),
            alt.Tooltip("estimate:Q", title="Change", format="+.1%"),
            alt.Tooltip("answers:Q", title="Answers", format=","),
        ],
    )
    line = base.mark_rule(color=theme.MODEL, strokeWidth=2.4)
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    return layered(
        zero.encode(y=alt.Y("at:Q", axis=axis)),
        line.transform_filter("datum.lower != null").encode(
            y=alt.Y("lower:Q", axis=axis), y2="upper"
        ),
        base.mark_circle(size=80, color=theme.MODEL, opacity=1).encode(
            y=alt.Y("estimate:Q", axis=axis)
        ),
    )


def importance_performance(
    table: pd.DataFrame, labels: Labels | None = None, *, score: str
) -> Picture:
    """Attributes by what a point on each is worth, and how well the company does on each.

    table: attribute, performance, point, point_lower, point_upper, as `satisfaction.drivers` has
    them; without a corrected point, the naive one. Lines mark the means of both.
    """
    labels = labels or Labels()
    kind = "point" if "point" in table and table["point"].notna().all() else "point_naive"
    columns = ["attribute", "performance", kind, f"{kind}_lower", f"{kind}_upper"]
    data = needed(table, columns, chart="importance_performance")
    data = data.rename(columns={kind: "at", f"{kind}_lower": "low", f"{kind}_upper": "high"})
    chart = _map(data, score) if len(data) else nothing_to_show()
    first = str(data.sort_values("at")["attribute"].iloc[-1]) if len(data) else "nothing"
    title = f"A point on {first} moves {score} most"
    said = "corrected for mood and error" if kind == "point" else "as answered"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(said, f"line: {labels.band}", "lines: means"),
        description=f"Dot chart. {title}. Points of {score} that a point on each attribute goes "
        "with, over the attribute's mean answer.",
    )


def _map(data: pd.DataFrame, score: str) -> Picture:
    numbers = ["performance", "at", "low", "high"]
    data = data.assign(**{name: data[name].astype(float) for name in numbers})
    x_axis = number_axis("Performance: mean answer", grid=True)
    y_axis = number_axis(f"Importance: points of {score}, a point of the attribute", grid=True)
    loose = alt.Scale(zero=False, nice=True, padding=26)
    base = alt.Chart(records(data)).encode(
        x=alt.X("performance:Q", axis=x_axis, scale=loose),
        tooltip=[
            alt.Tooltip("attribute:N", title="Attribute"),
            alt.Tooltip("performance:Q", title="Mean answer", format=".2f"),
            alt.Tooltip("at:Q", title="A point is worth", format=".2f"),
        ],
    )
    means = data[["performance", "at"]].mean()
    middle = alt.Chart(records(pd.DataFrame([means]))).mark_rule(
        color=theme.MUTED, strokeDash=[4, 3]
    )
    y = alt.Y("at:Q", axis=y_axis, scale=alt.Scale(zero=True, nice=True))
    return layered(
        middle.encode(x=alt.X("performance:Q", axis=x_axis, scale=loose)),
        middle.encode(y=y),
        base.mark_rule(color=theme.MODEL, strokeWidth=2.2).encode(
            y=alt.Y("low:Q", axis=y_axis), y2="high"
        ),
        base.mark_circle(size=95, color=theme.MODEL, opacity=1).encode(y=y),
        base.mark_text(align="left", dx=9, dy=-7, color=theme.INK, fontSize=12).encode(
            y=y, text="attribute:N"
        ),
        height=330,
    )
