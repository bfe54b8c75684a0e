"""Pictures of comparisons that nobody drew: how alike groups became, and what a cutoff did."""

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

_TIMES = {"before": theme.MUTED, "after": theme.MODEL}
_TOLERABLE = 0.1  # standard deviations within which groups are commonly called alike


def love_plot(balance: pd.DataFrame, labels: Labels | None = None) -> Picture:
    """Standardised differences of each covariate before and after balancing.

    balance: covariate, smd_before, smd_after, as the `balance` of
    `experiments.matching.balanced` has them; those without a number are left out and counted.
    """
    labels = labels or Labels()
    needed(balance, ["covariate", "smd_before", "smd_after"], chart="love_plot")
    sizes = balance[["smd_before", "smd_after"]].astype(float).abs()
    data = balance[["covariate"]].assign(before=sizes["smd_before"], after=sizes["smd_after"])
    known = data.dropna().sort_values("before", ascending=False, kind="stable")
    left = len(data) - len(known)
    above = int((known["after"] > _TOLERABLE).sum())
    title = "How alike the groups are in what was known before"
    said = [
        "absolute standardised difference of means",
        f"{above:,} of {len(known):,} above {_TOLERABLE:g} after",
        f"{left:,} without a number left out" if left else "",
    ]
    return theme.finish(
        _dots(known) if len(known) else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(*said),
        description=f"Dot chart (Love plot). {title}: {said[0]} by covariate, before and after "
        f"balancing, with a rule at {_TOLERABLE:g}; {said[1]}.",
    )


def _dots(data: pd.DataFrame) -> Picture:
    order = data["covariate"].tolist()
    y = alt.Y("covariate:N", sort=order, axis=alt.Axis(title=None, labelLimit=260, grid=False))
    axis = alt.Axis(title="Standard deviations between the means", grid=True, tickCount=7)
    tip = [
        alt.Tooltip("covariate:N", title="Covariate"),
        alt.Tooltip("before:Q", title="Before", format=".3f"),
        alt.Tooltip("after:Q", title="After", format=".3f"),
    ]
    base = alt.Chart(records(data)).encode(y=y, tooltip=tip)
    rules = alt.Chart(records(pd.DataFrame({"at": [_TOLERABLE]}))).encode(
        x=alt.X("at:Q", axis=axis)
    )
    path = base.mark_rule(color=theme.BARS, strokeWidth=1.6).encode(
        x=alt.X("before:Q", axis=axis), x2="after"
    )
    layers = [rules.mark_rule(color=theme.ACCENT, strokeDash=[5, 3], strokeWidth=1.3), path]
    for time in _TIMES:
        dots = base.mark_circle(size=80, opacity=1).encode(x=alt.X(f"{time}:Q", axis=axis))
        layers.append(named(dots, time, _TIMES))
    return layered(*layers, height=max(120, 26 * len(order)))


_SIDES = {"below": theme.MUTED, "above": theme.MODEL}


def cutoff_jump(
    points: pd.DataFrame, lines: pd.DataFrame, labels: Labels | None = None, *,
    jump: pd.DataFrame | None = None, running: str = "Score", outcome: str = "Outcome",
) -> Picture:  # fmt: skip
    """Means of bins on both sides of a cutoff, and the straight fits that meet it.

    points: side, score, mean, units, lower, upper; lines: side, score, fitted; jump: how
    ("conventional", "robust"), estimate, lower, upper: `points()`, `lines()` and `table` of
    `experiments.discontinuity.discontinuity`. The jump drawn is that of the straight fits; the
    robust estimate is less the bias of their bend.
    """
    labels = labels or Labels()
    needed(points, ["side", "score", "mean", "units", "lower", "upper"], chart="cutoff_jump")
    needed(lines, ["side", "score", "fitted"], chart="cutoff_jump")
    ends = lines.set_index("side")["score"]
    drawn = len(points) > 0 and set(_SIDES) <= set(ends.index)
    title = f"{outcome} on both sides of the cutoff"
    said, told = [], title
    if drawn:
        cutoff = float(ends["below"].max())
        at = lines[lines["score"] == cutoff].set_index("side")["fitted"]
        said = [f"{int(points['units'].sum()):,} units in {len(points):,} bins",
                f"jump of the straight fits {at['above'] - at['below']:+.3g}"]  # fmt: skip
        if jump is not None:
            needed(jump, ["how", "estimate", "lower", "upper"], chart="cutoff_jump")
            low, mid, high = jump.set_index("how").loc["robust", ["lower", "estimate", "upper"]]
            said += [f"robust {mid:+.3g} ({low:.3g} to {high:.3g})"]
        said += [f"bars: {labels.band}"]
        told = f"{title} at {cutoff:g}: {', '.join(said)}"
    return theme.finish(
        _both_sides(points, lines, (running, outcome)) if drawn else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(*said),
        description=f"Dots of bin means with a straight fit a side. {told}.",
    )


def _both_sides(points: pd.DataFrame, lines: pd.DataFrame, names: tuple[str, str]) -> Picture:
    x = alt.X("score:Q", axis=number_axis(names[0]), scale=alt.Scale(zero=False, nice=False))
    axis = number_axis(names[1])
    cutoff = float(lines.loc[lines["side"] == "below", "score"].max())
    tip = [alt.Tooltip("score:Q", title=names[0], format=".4~g"),
           alt.Tooltip("mean:Q", title=names[1], format=".4~g"),
           alt.Tooltip("units:Q", title="Units", format=",")]  # fmt: skip
    rule = alt.Chart(records(pd.DataFrame({"at": [cutoff]}))).mark_rule(
        color=theme.ACCENT, strokeDash=[5, 3], strokeWidth=1.3
    )
    layers = [rule.encode(x=alt.X("at:Q"))]
    for side in _SIDES:
        dots = alt.Chart(records(points[points["side"] == side])).mark_circle(size=45, opacity=0.7)
        y = alt.Y("mean:Q", axis=axis, scale=alt.Scale(zero=False))
        ends = points[points["side"] == side].dropna(subset=["lower"])
        bars = alt.Chart(records(ends)).mark_rule(color=theme.BARS, strokeWidth=1.6)
        layers.append(bars.encode(x=x, y=alt.Y("lower:Q", axis=axis), y2="upper"))
        layers.append(named(dots.encode(x=x, y=y, tooltip=tip), side, _SIDES))
        fit = alt.Chart(records(lines[lines["side"] == side])).mark_line(strokeWidth=2.4)
        layers.append(named(fit.encode(x=x, y=alt.Y("fitted:Q", axis=axis)), side, _SIDES))
    return layered(*layers)
