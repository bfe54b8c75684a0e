"""The tables and remarks of an analysed test: effects, guardrails, and what to know beside them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import OptionError
from cxmodels.experiments.adjustment import ANCOVA, CUPED, LIN, PLAIN
from cxmodels.experiments.comparison import Choices, Compared
from cxmodels.experiments.metric_kinds import Form
from cxmodels.experiments.moments import Moments
from cxmodels.numerics.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd

FIRM = 3.0  # errors that a control mean must lie above 0 for a change relative to it
ODD = 0.001  # p-value of the arms' sizes below which a test is not believed
ASKEW = (
    "The arms' sizes are not what was drawn (p {:.1g}): the test decides nothing until it is known "
    "why, and nothing is shipped on it."
)
UNLIKE = 0.01  # of differing response
ADJUSTED = {
    PLAIN: "difference of means",
    CUPED: "CUPED",
    LIN: "Lin (2013), a slope of each arm's own",
    ANCOVA: "ANCOVA, one slope",
}
FROM = {
    "welch": "Welch",
    "hc2": "HC2",
    "hc3": "HC3",
    "cr2": "clusters by CR2, Satterthwaite's degrees",
    "permutation": "permutation of the arms",
}


def effects(
    found: Sequence[Compared], moments: Moments, choices: Choices, adjusted: Floats
) -> "pd.DataFrame":
    """One row a metric and arm. adjusted: (m,) p-values of the family, NaN for guardrails."""
    import pandas as pd

    rows = []
    for item, p in zip(found, adjusted, strict=True):
        estimate, error = float(item.contrast.estimate), float(item.contrast.variance) ** 0.5
        rows.append({
            "metric": item.asked.label,
            "arm": item.arm,
            "n": int(item.n[1]),
            "n_control": int(item.n[0]),
            "mean": float(item.contrast.mean[1]),
            "mean_control": float(item.contrast.mean[0]),
            "estimate": estimate,
            "std_error": error,
            "lower": estimate - item.reach * error,
            "upper": estimate + item.reach * error,
            "p_value": item.p_value,
            "adjusted": None if np.isnan(p) else float(p),
            **_lift(item),
            "method": method(item, moments, choices),
            "estimand": _estimand(item, choices),
        })  # fmt: skip
    return pd.DataFrame(rows).astype({"adjusted": object} if np.isnan(adjusted).any() else {})


def _lift(item: Compared) -> dict[str, float | None]:
    """Change relative to control by the delta method: gradient (-m1 / m0^2, 1 / m0); none where the
    control's mean is not clear of 0, nor of the NPS, whose 0 is no origin."""
    (m0, m1), v = item.contrast.mean, item.contrast.covariance
    if item.asked.metric.kind == "nps" or not m0 > FIRM * np.sqrt(v[0, 0]):
        return dict.fromkeys(("lift", "lift_lower", "lift_upper"))
    slope = np.array([-m1 / m0**2, 1.0 / m0])
    lift, half = float(m1 / m0 - 1.0), item.reach * float(np.sqrt(slope @ v @ slope))
    return {"lift": lift, "lift_lower": lift - half, "lift_upper": lift + half}


def method(item: Compared, moments: Moments, choices: Choices) -> str:
    """How a row was come by."""
    asked, how = item.asked, choices.adjust
    terms = [str(term) for term in asked.terms[asked.outcomes :]]
    parts = [ADJUSTED[how if asked.covariates else PLAIN]]
    parts = [f"{parts[0]} on {', '.join(terms)}" if asked.covariates else parts[0]]
    if asked.outcome.below is not None:
        parts.append("ratio by the delta method")
    if moments.columns.strata:
        size = len(np.unique(moments.stratum))
        parts.append(f"post-stratified on {size:,} strata")
        if choices.assigned:
            parts.append("weighted for response")
    return "; ".join([*parts, FROM[choices.errors]])


def _estimand(item: Compared, choices: Choices) -> str:
    who = "all units of the test" if choices.assigned else "units whose outcome is known"
    whose = f"{item.asked.estimand}: {item.arm} less {choices.control}"
    if item.asked.terms[0].form is Form.WHERE_ANY:
        return f"{whose}; no effect on anyone where the arm changes who has any"
    lost = bool((item.n < item.units).any())
    return f"{whose}, among {who if lost else 'all units of the test'}"


def guardrails(found: Sequence[Compared]) -> "pd.DataFrame":
    """Metrics with a margin: is the worst that the interval holds within it?

    p_value: one-sided, of an effect at the margin (non-inferiority); worst: the interval's end.
    """
    import pandas as pd

    rows = []
    for item in found:
        asked = item.asked.metric
        if asked.margin is None:
            continue
        sign = 1.0 if asked.better == "higher" else -1.0
        estimate, error = float(item.contrast.estimate), float(item.contrast.variance) ** 0.5
        t = (sign * estimate + asked.margin) / error
        worst = sign * estimate - item.reach * error
        rows.append({
            "metric": item.asked.label,
            "arm": item.arm,
            "estimate": estimate,
            "worst": sign * worst,
            "margin": float(asked.margin),
            "p_value": float(scipy.stats.t.sf(t, float(item.contrast.degrees))),
            "holds": bool(worst > -asked.margin),
        })  # fmt: skip
    names = ["metric", "arm", "estimate", "worst", "margin", "p_value", "holds"]
    return pd.DataFrame(rows, columns=names)


def ratio_of(moments: Moments, shares: Mapping[Any, float] | None) -> float:
    """p-value that arms of these sizes were drawn with these shares: exact for two, chi-squared.

    shares: of each arm, in any unit; equal by default. OptionError where arms are not the same.
    """
    arms = moments.arms
    count = np.array([moments.rows[moments.arm.astype(str) == arm].sum() for arm in arms])
    given = dict.fromkeys(arms, 1.0) if shares is None else shares
    if not isinstance(given, Mapping) or {label_of(name) for name in given} != set(arms):
        raise OptionError(f"shares are of every arm, as in {{{arms[0]!r}: 0.5, ...}}")
    share = {label_of(name): value for name, value in given.items()}
    wanted = np.array([share[arm] for arm in arms], dtype=np.float64)
    if not (np.isfinite(wanted).all() and (wanted > 0.0).all()):
        raise OptionError("shares are numbers above 0")
    if len(arms) == 2:
        share_of = float(wanted[0] / wanted.sum())
        return float(scipy.stats.binomtest(int(count[0]), int(count.sum()), share_of).pvalue)
    return float(scipy.stats.chisquare(count, count.sum() * wanted / wanted.sum()).pvalue)


def label_of(arm: Any) -> str:
    """An arm's label as the engine writes it: true, 1, text."""
    if isinstance(arm, bool | np.bool_):
        return str(bool(arm)).lower()
    if isinstance(arm, float | np.floating) and float(arm).is_integer():
        return str(int(arm))
    return str(arm)


def notes_of(
    found: Sequence[Compared], moments: Moments, choices: Choices, sample_ratio: float
) -> Iterable[str]:
    """What to know beside the table."""
    if sample_ratio < ODD:
        sizes = ", ".join(
            f"{arm} {int(moments.rows[moments.arm.astype(str) == arm].sum()):,}"
            for arm in moments.arms
        )
        yield (f"The arms' sizes ({sizes}) are not what was drawn (p {sample_ratio:.1g}): find out "
               "why before believing any effect.")  # fmt: skip
    yield from _of_clusters(moments)
    for asked in moments.asked if choices.adjust != PLAIN else ():
        gaps = float(moments.block(asked).apart.n.sum())
        if gaps:
            yield (f"{asked.label}: {int(gaps):,} units lack a value from before the test; the "
                   "mean of the others stands in its place, in either arm.")  # fmt: skip
    for item in found:
        yield from _of_response(item, choices)


def _of_clusters(moments: Moments) -> Iterable[str]:
    """That some clusters were not drawn whole: they hold units of two arms."""
    name = moments.columns.cluster
    if name is None:
        return
    labels, cluster = np.unique(moments.cluster, return_inverse=True)
    _, arm = np.unique(moments.arm.astype(str), return_inverse=True)
    pairs = np.unique(np.stack([cluster, arm]), axis=1)
    split = np.flatnonzero(np.bincount(pairs[0], minlength=labels.size) > 1)
    if split.size:
        yield (f"{split.size:,} of {labels.size:,} clusters of {name!r} hold units of more than "
               f"one arm (first: {labels[split[0]]}): arms were not drawn by whole clusters, and "
               "errors allow for what units of a cluster share.")  # fmt: skip


def unlike(known: Any, units: Any) -> float:
    """p-value of two arms whose outcomes are known alike; known, units: (2,), not all of them.

    >>> round(unlike(np.array([40, 60]), np.array([100, 100])), 4)
    0.0047
    """
    rate, together = known / units, known.sum() / units.sum()
    z = (rate[1] - rate[0]) / np.sqrt(together * (1.0 - together) * (1.0 / units).sum())
    return float(2.0 * scipy.stats.norm.sf(abs(z)))


def _of_response(item: Compared, choices: Choices) -> Iterable[str]:
    """That outcomes are missing more in one arm than in the other."""
    if item.asked.terms[0].form is Form.WHERE_ANY or (item.n == item.units).all():
        return
    rate, p = item.n / item.units, unlike(item.n, item.units)
    if p < UNLIKE:
        yield (f"{item.asked.label} is known of {rate[1]:.1%} of {item.arm} and {rate[0]:.1%} of "
               f"{choices.control} (p {p:.1g}): who is missing may be an effect too; "
               "lee_bounds says how far that could go.")  # fmt: skip
