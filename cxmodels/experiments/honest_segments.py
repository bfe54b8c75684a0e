"""In whom does it work? Effects by segment, whether they differ at all, and what is left of them
when the best of many is not taken at its word.

Each segment's effect by Welch; Welch's (1951, Biometrika 38) test that all effects are one; effects
drawn towards each other as far as their spread says (Rubin 1981, Journal of Educational Statistics
6, with the prior of DuMouchel 1994, s / (s + tau)^2, on that spread); p-values of the family.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.adjustment import CUPED, PLAIN
from cxmodels.experiments.answer_tables import label_of
from cxmodels.experiments.comparison import Choices, Stratified, by_stratum
from cxmodels.experiments.families import JOINT, adjusted
from cxmodels.experiments.metric_kinds import asked_of
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moment_problems import problems_of
from cxmodels.experiments.moments import WHAT, moments, named
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

GRID = 400  # spreads that are averaged over


@dataclass(frozen=True, eq=False, repr=False)
class SegmentEffects(Faced):
    """table: one row an arm and segment: n, n_control, mean, mean_control, estimate, std_error,
    lower, upper, p_value, adjusted (of all), shrunk with its interval; joint: one row an arm: f,
    degrees, degrees_below and p_value of the test that all segments have one effect, and `spread`,
    how far effects are likely to lie from each other (their standard deviation)."""

    table: pd.DataFrame
    joint: pd.DataFrame
    control: str
    level: float
    sentences: tuple[str, ...]

    def face(self) -> Face:
        """Segments, then whether they differ."""
        head = f"Effects by segment beside {self.control}, intervals of {self.level:.0%}"
        shown = ["arm", "segment", "n", "estimate", "lower", "upper", "adjusted", "shrunk",
                 "shrunk_lower", "shrunk_upper"]  # fmt: skip
        return Face(head, self.table[shown], self.sentences)


def effects_by_segment(  # noqa: PLR0913 - the door says everything by keyword
    source: Any,
    *,
    arm: str,
    control: Any,
    metric: str | Metric,
    segments: str | Iterable[str],
    covariates: str | Iterable[str] | None = None,
    multiplicity: str = "holm",
    level: float = 0.95,
    table: str | None = None,
) -> SegmentEffects:
    """The effect of every arm in each segment, and what to believe of their differences.

    source, table: a frame, an Arrow table, a Parquet or CSV path, a DuckDB table, one row a unit;
    metric: a column (its mean) or `Metric`, but no hurdle; segments: columns known before the test,
    whose combinations are the segments; covariates: columns from before the test that take out
    noise (CUPED); multiplicity: over all segments and arms, as in `analyse`; level: of intervals.
    Errors: DataError with every problem, among them segments without two units of an arm.

    >>> seen = pd.DataFrame({"arm": ["A", "B"] * 8, "plan": ["free"] * 8 + ["paid"] * 8,
    ...                      "spend": [1, 2, 2, 4, 3, 3, 4, 5, 5, 9, 6, 8, 7, 8, 8, 9]})
    >>> found = effects_by_segment(seen, arm="arm", control="A", metric="spend", segments="plan")
    >>> found.table[["segment", "estimate"]].values.tolist()
    [['free', 1.0], ['paid', 2.0]]
    >>> bool(1.0 < found.table["shrunk"].min() < found.table["shrunk"].max() < 2.0)
    True
    """
    columns = named(segments, "segments")
    if not columns:
        raise OptionError("segments= names the columns that part units: give one or more")
    if isinstance(metric, Metric) and metric.kind == "hurdle":
        raise OptionError("a hurdle asks three things: give the metric of one of them")
    if multiplicity == JOINT:
        raise OptionError("segments share no units: take multiplicity='holm'")
    inside, own = check_level(level), label_of(control)
    before = named(covariates, "covariates")
    read = moments(
        source, arm=arm, metrics=[metric], covariates=before, strata=columns, table=table
    )
    problems = list(problems_of(read, own))
    if problems:
        raise DataError(WHAT, problems)
    one = metric if isinstance(metric, Metric) else Metric(metric)
    asked = asked_of((one,), before)[0]
    choices = Choices(own, CUPED if asked.covariates else PLAIN, "welch", inside, 999, 1, False)
    found = [by_stratum(read, asked, name, choices) for name in read.arms if name != own]
    flat = [
        (part.arm, name)
        for part in found
        for name, v in zip(part.strata, part.contrast.variance, strict=True)
        if not v > 0.0
    ]
    if flat:
        first = f"segment {flat[0][1]!r}, arm {flat[0][0]!r}"
        raise DataError(WHAT, [Problem("the metric is the same for all units of both arms of a "
                                       "segment", len(flat), first, "Join segments")])  # fmt: skip
    frame = pd.concat([_table(part, inside) for part in found], ignore_index=True)
    frame.insert(10, "adjusted", adjusted(frame["p_value"].to_numpy(), multiplicity))
    joint = pd.DataFrame([{"arm": part.arm} | _joint(part) for part in found])
    said = tuple(_sentences(frame, joint, own))
    return SegmentEffects(frame, joint, own, inside, said)


def _table(part: Stratified, level: float) -> pd.DataFrame:
    estimate, error = part.contrast.estimate, np.sqrt(part.contrast.variance)
    reach = scipy.special.stdtrit(part.contrast.degrees, (1.0 + level) / 2.0) * error
    t = np.abs(estimate) / error
    mean, sd, _ = shrunk(estimate, error)
    z = float(scipy.special.ndtri((1.0 + level) / 2.0))
    return pd.DataFrame({
        "arm": part.arm, "segment": part.strata, "n": part.n[:, 1].astype(np.int64),
        "n_control": part.n[:, 0].astype(np.int64), "mean": part.contrast.mean[:, 1],
        "mean_control": part.contrast.mean[:, 0], "estimate": estimate,
        "lower": estimate - reach, "upper": estimate + reach,
        "p_value": 2.0 * scipy.special.stdtr(part.contrast.degrees, -t), "std_error": error,
        "shrunk": mean, "shrunk_lower": mean - z * sd, "shrunk_upper": mean + z * sd,
    })  # fmt: skip


def shrunk(estimate: Floats, error: Floats) -> tuple[Floats, Floats, float]:
    """Means and standard deviations (k,) of the effects given all estimates, and the mean spread.

    estimate_i ~ N(effect_i, error_i^2), effect_i ~ N(m, tau^2), m flat, tau with density
    s / (s + tau)^2, s^2 the harmonic mean of the error_i^2; integrated on a grid of tau.

    >>> mean, _, _ = shrunk(np.array([0.0, 10.0]), np.array([1.0, 1.0]))
    >>> bool(0.0 < mean[0] < 1.0) and bool(9.0 < mean[1] < 10.0)
    True
    """
    v = error**2
    s = float(1.0 / np.sqrt((1.0 / v).mean()))
    p = (np.arange(GRID) + 0.5) / GRID  # tau / (s + tau) is uniform under the prior
    tau = s * p / (1.0 - p)
    total = v + tau[:, None] ** 2
    w = 1.0 / total
    middle = (w @ estimate) / w.sum(axis=1)
    gap = estimate - middle[:, None]
    log = -0.5 * (np.log(total) + w * gap**2).sum(axis=1) - 0.5 * np.log(w.sum(axis=1))
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    pull = v / total
    own = estimate - pull * gap
    spread = (1.0 - pull) * v + pull**2 / w.sum(axis=1)[:, None]
    mean = chance @ own
    variance = chance @ (spread + (own - mean) ** 2)
    return mean, np.sqrt(variance), float(chance @ tau)


def _joint(part: Stratified) -> dict[str, float | None]:
    """Welch's test of one effect: sum w (e - m)^2 / (k - 1) over 1 + 2 (k - 2) / (k^2 - 1) L with
    w = 1 / v and L = sum (1 - w / sum w)^2 / nu; F of k - 1 and (k^2 - 1) / (3 L) degrees."""
    e, w, nu = part.contrast.estimate, 1.0 / part.contrast.variance, part.contrast.degrees
    spread = shrunk(e, w**-0.5)[2]
    k = e.size
    if k < 2:
        return {"f": None, "degrees": 0, "degrees_below": None, "p_value": None, "spread": None}
    total = float(w.sum())
    q = float(w @ (e - float(w @ e) / total) ** 2)
    lack = float(((1.0 - w / total) ** 2 / nu).sum())
    f = q / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) / (k**2 - 1.0) * lack)
    below = (k**2 - 1.0) / (3.0 * lack)
    return {"f": f, "degrees": k - 1, "degrees_below": below,
            "p_value": float(scipy.special.fdtrc(k - 1.0, below, f)), "spread": spread}  # fmt: skip


def _sentences(table: pd.DataFrame, joint: pd.DataFrame, control: str) -> Iterable[str]:
    for row in joint.to_dict("records"):
        own = table[table["arm"] == row["arm"]]
        if len(own) < 2:
            yield f"{row['arm']} has one segment: there is nothing to tell apart."
            continue
        best = own.loc[own["estimate"].idxmax()]
        told = "differ" if row["p_value"] < 0.05 else "cannot be told apart"
        yield (
            f"Effects of {row['arm']} less {control} {told} between {len(own)} segments "
            f"(p {row['p_value']:.2g}); the largest, {best['estimate']:+.4g} in "
            f"{best['segment']}, is {best['shrunk']:+.4g} when the others are heard."
        )
