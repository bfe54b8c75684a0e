"""Pictures of what satisfaction goes with in the value of firms, and of the error of a score."""

import numpy as np
import pandas as pd
import scipy

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
    number_axis,
    records,
)
from cxmodels.reports.numbers import grouped
from cxmodels.reports.plots_satisfaction import forest

with report_extra():
    import altair as alt

_TRUTH, _SET = "Set amount", "#009e73"
_WAYS = {"naive": "naive_error", "corrected": "std_error"}


def value_ladder(
    table: pd.DataFrame,
    labels: Labels | None = None,
    *,
    outcome: str = "q",
    firms: int | None = None,
    truth: float | None = None,
) -> Picture:
    """What a point of satisfaction goes with in a firm's value, rung by rung, in per cent.

    table: rung, naive, naive_error, corrected, std_error, as `cx.value_relevance` has them; firms:
    how many; truth: the set effect (logs a point) of simulated data.
    """
    labels = labels or Labels()
    data = needed(table, ["rung", *_WAYS, *_WAYS.values()], chart="value_ladder")
    z, parts = float(scipy.special.ndtri((1.0 + labels.level) / 2.0)), []
    for way, error in _WAYS.items():
        effect, half = data[way].astype(float), z * data[error].astype(float)
        ends = {"effect": effect, "lower": effect - half, "upper": effect + half}
        part = pd.DataFrame({name: np.expm1(value) for name, value in ends.items()})
        parts.append(part.assign(outcome=data["rung"], way=way))
    long = pd.concat(parts).dropna(subset="effect")
    known = {} if truth is None else dict.fromkeys(data["rung"], float(np.expm1(truth)))
    chart = forest(long, known) if len(long) else nothing_to_show()
    counted = "" if firms is None else f"{firms:,} firms"
    title = f"What a point of satisfaction goes with in {outcome}"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("per cent, by what is compared", f"line: {labels.band}", counted),
        description=f"Dot chart. {title}, by rung of the ladder, naive and corrected for the error "
        f"of a score, with {labels.band}s.",
    )


def score_noise(
    lags: pd.DataFrame,
    labels: Labels | None = None,
    *,
    variance: float,
    std_error: float | None = None,
    firms: int | None = None,
    truth: float | None = None,
) -> Picture:
    """How fast scores part with the years between them, and what is left at none: their error.

    lags: lag, seen, fitted, pairs, as the `lags` of `cx.shareholders.score_error`; variance: of the
    error of one score, with its std_error, points squared; firms: how many; truth: the set standard
    deviation of the error, points, of simulated data.
    """
    labels = labels or Labels()
    data = finite(needed(lags, ["lag", "seen", "fitted", "pairs"], chart="score_noise"))
    shown = bool(len(data)) and np.isfinite(variance)
    ends = _nugget(variance, std_error, labels.level)
    title = "Half the mean square between two scores of a firm"
    if shown:
        error = grouped(float(np.sqrt(variance)), 2)
        title = f"One score is off by {error} points (standard deviation)"
    return theme.finish(
        _parting(data, ends, truth) if shown else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(
            "error: what is left at 0 years",
            "" if std_error is None else f"line: {labels.band}",
            f"{int(data['pairs'].sum()):,} pairs of scores (larger dot: more)",
            "" if firms is None else f"{firms:,} firms",
        ),
        description=f"Variogram. {title}. Half the mean square difference of two scores of a firm, "
        "by the years between them, seen (dots, larger with more pairs) and fitted (line); "
        "what is left at lag 0 is the variance of a score's error.",
    )


def _nugget(variance: float, std_error: float | None, level: float) -> dict[str, float]:
    half = float(scipy.special.ndtri((1.0 + level) / 2.0)) * (std_error or 0.0)
    return {"seen": variance, "lower": max(variance - half, 0.0), "upper": variance + half}


def _parting(data: pd.DataFrame, nugget: dict[str, float], truth: float | None) -> Picture:
    error, seen, fitted = "Error of one score", "Seen", "Fitted"
    palette = {seen: theme.OBSERVED, fitted: theme.MODEL, error: theme.ACCENT}
    palette |= {} if truth is None else {_TRUTH: _SET}
    axis = number_axis("Half the mean square difference, points squared")
    ticks = alt.Axis(title="Years between two scores", tickMinStep=1, format="d")
    reach = alt.Scale(domain=[-0.25, float(data["lag"].max()) + 0.3], nice=False)
    x, y = alt.X("lag:Q", axis=ticks, scale=reach), alt.Y("seen:Q", axis=axis)
    size = alt.Size("pairs:Q", scale=alt.Scale(range=[40, 260], zero=False), legend=None)
    tip = [
        alt.Tooltip("lag:Q", title="Years between"),
        alt.Tooltip("seen:Q", title="Seen", format=".2f"),
        alt.Tooltip("fitted:Q", title="Fitted", format=".2f"),
        alt.Tooltip("pairs:Q", title="Pairs", format=","),
    ]
    zero = pd.DataFrame([{"lag": 0, "fitted": nugget["seen"], **nugget}])
    curve = pd.concat([zero[["lag", "fitted"]], data[["lag", "fitted"]]]).sort_values("lag")
    line = alt.Chart(records(curve)).mark_line(strokeWidth=2.2, interpolate="monotone")
    dots = alt.Chart(records(data)).mark_circle(opacity=1)
    left = alt.Chart(records(zero)).encode(x=x)
    layers = [
        named(line.encode(x=x, y=alt.Y("fitted:Q", axis=axis)), fitted, palette),
        named(dots.encode(x=x, y=y, size=size, tooltip=tip), seen, palette),
        named(left.mark_rule(strokeWidth=2.4).encode(y="lower:Q", y2="upper"), error, palette),
        named(left.mark_point(size=110, filled=True, shape="diamond", opacity=1).encode(y=y),
              error, palette),
    ]  # fmt: skip
    if truth is not None:
        set_to = alt.Chart(records(pd.DataFrame({"lag": [0], "seen": [truth**2]})))
        tick = set_to.mark_tick(thickness=3, size=26, orient="horizontal", opacity=1).encode(
            x=x, y=y
        )
        layers.append(named(tick, _TRUTH, palette))
    return layered(*layers)
