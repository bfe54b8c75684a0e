"""Pictures of comparisons that nobody drew: how alike groups became, and what a cutoff did."""

import pandas as pd

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import Picture, layered, named, needed, nothing_to_show, records

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
