"""Who should get it? A rule by segment, chosen on one part of the test and judged on the other.

A rule that is judged on the data that chose it looks better than it is. Here segments are chosen
by one half and judged on the other, and the other way round, by each unit's doubly robust score
with the known share of the arm (Athey and Wager 2021, Econometrica 89, section 2): a rule is worth
the mean of the scores of those whom it treats. Three things are compared: the rule, treating all,
treating none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import scipy

from cxmodels.chance import generator
from cxmodels.data import tables
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.answer_tables import label_of
from cxmodels.experiments.metric_kinds import asked_of
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moment_problems import problems_of
from cxmodels.experiments.moments import WHAT, named, read_moments
from cxmodels.experiments.trial_contract import TrialColumns, layout
from cxmodels.experiments.trial_rows import Rowwise
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

HALVES = 2


@dataclass(frozen=True, eq=False, repr=False)
class Targeting(Faced):
    """table: what (rule less none, rule less all, all less none), estimate, std_error, lower,
    upper, p_value, in the metric's unit a unit, cost taken off; segments: segment, n, effect (all
    rows), cost, treat (the rule that all rows choose), chosen (share of halves that chose it)."""

    table: pd.DataFrame
    segments: pd.DataFrame
    level: float
    sentence: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """What the rule is worth."""
        head = f"Worth a unit of treating by segment, intervals of {self.level:.0%}"
        return Face(head, self.table, (self.sentence, *self.notes))


@dataclass(frozen=True, eq=False)
class _Units:
    """treated (n,); segment (n,) as a place among labels; y (n,) so that more is better."""

    treated: Bools
    segment: Ints
    y: Floats
    labels: list[str]

    def means(self, here: Bools) -> Floats:
        """(s, 2) means of the units `here` by segment, control first."""
        code = 2 * self.segment[here] + self.treated[here]
        size = 2 * len(self.labels)
        total = np.bincount(code, self.y[here], size) / np.bincount(code, minlength=size)
        return np.asarray(total.reshape(-1, 2))


def targeting(  # noqa: PLR0913 - the door says everything by keyword
    source: Any,
    *,
    arm: str,
    control: Any,
    metric: str | Metric,
    segments: str | Iterable[str],
    cost: float = 0.0,
    share: float | None = None,
    seed: int = 1,
    level: float = 0.95,
    table: str | None = None,
) -> Targeting:
    """Whether treating the segments whose effect is above its cost beats treating all, or none.

    source, table: as in `effects_by_segment`, two arms; metric: a column (its mean) or a `Metric`
    of kind mean or proportion; segments: columns known before the test; cost: of treating one unit,
    in the metric's unit; share: of units drawn into the arm, by default as seen; seed: deals the
    halves, of which each is judged by the rule of the other; level: of intervals.
    Errors: DataError with every problem; a segment has two units of either arm in either half.

    >>> seen = pd.DataFrame({"arm": ["A", "B"] * 40, "plan": ["free"] * 40 + ["paid"] * 40})
    >>> seen["spend"] = [float(row % 7) for row in range(80)]
    >>> seen.loc[(seen["arm"] == "B") & (seen["plan"] == "paid"), "spend"] += 5.0
    >>> found = targeting(seen, arm="arm", control="A", metric="spend", segments="plan", cost=2.0)
    >>> found.segments[["segment", "treat"]].values.tolist()
    [['free', False], ['paid', True]]
    """
    inside, price = check_level(level), _cost(cost)
    one = metric if isinstance(metric, Metric) else Metric(metric)
    if one.kind not in ("mean", "proportion"):
        raise OptionError(f"a rule is judged by a mean or a proportion, no {one.kind}")
    units, lost, name = _read(source, table, (arm, control), one, named(segments, "segments"))
    e = float(units.treated.mean()) if share is None else _share(share)
    fold = _dealt(units, HALVES, seed)
    score, chosen = np.zeros(units.y.size), np.zeros((HALVES, len(units.labels)), dtype=bool)
    for place in range(HALVES):
        here = fold == place
        means = units.means(~here)
        chosen[place] = means[:, 1] - means[:, 0] > price
        score[here] = _scores(units, here, means, e) - price
    rule = chosen[fold, units.segment]
    z = float(scipy.special.ndtri((1.0 + inside) / 2.0))
    others, shared = rule.astype(np.float64) - 1.0, _shared(units, score)
    rows = [_row("rule less none", rule * score, z, shared),
            _row("rule less all", others * score, z, shared),
            _row("all less none", score, z)]  # fmt: skip
    everyone = units.means(np.ones(units.y.size, dtype=bool))
    effect = everyone[:, 1] - everyone[:, 0]
    count = np.bincount(units.segment, minlength=effect.size)
    shown = pd.DataFrame({"segment": units.labels, "n": count, "effect": effect, "cost": price,
                          "treat": effect > price, "chosen": chosen.mean(axis=0)})  # fmt: skip
    notes = ["Each half is judged by the rule of the other; effects so that more is better."]
    notes += [f"{lost:,} units lack the outcome, and are left out."] if lost else []
    return Targeting(pd.DataFrame(rows), shown, inside, _sentence(rows, name), tuple(notes))


def _cost(cost: Any) -> float:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not np.isfinite(cost):
        raise OptionError(f"cost {cost!r} is a number, in the unit of the metric")
    return float(cost)


def _share(share: Any) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share < 1.0:
        raise OptionError(f"share {share!r} is a number between 0 and 1: of units in the arm")
    return float(share)


def _read(
    source: Any, table: str | None, arms: tuple[str, Any], metric: Metric, segments: tuple[str, ...]
) -> tuple[_Units, int, str]:
    """Units with an outcome, how many lack it, and the arm's name."""
    if not segments:
        raise OptionError("segments= names the columns that part units: give one or more")
    asked, own = asked_of((metric,), ()), label_of(arms[1])
    columns = TrialColumns(arms[0], segments, numbers=tuple(t.column for t in asked[0].terms))
    with tables.open_log(source, table) as opened:
        what = f"{WHAT} ({opened.what})"
        try:
            read, problems = read_moments(opened, columns, asked)
            if read is not None:
                problems += problems_of(read, own)
                if len(read.arms) > 2:
                    problems.append(Problem(f"{len(read.arms)} arms where two are compared",
                                            remedy="Give the rows of two arms"))  # fmt: skip
            if read is None or problems:
                raise DataError(what, problems)
            rows = Rowwise(opened, layout(opened, columns, [metric]), asked, read.arms).whole()
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None
    y = rows.terms[asked[0].terms[0]] * (1.0 if metric.better == "higher" else -1.0)
    known = np.isfinite(y)
    codes, labels = pd.factorize(np.asarray(rows.stratum)[known], sort=True)
    treated = rows.arm[known] != read.arms.index(own)
    other = next(name for name in read.arms if name != own)
    units = _Units(treated, codes.astype(np.int64), y[known], [str(name) for name in labels])
    return units, int((~known).sum()), other


def _dealt(units: _Units, folds: int, seed: int) -> Ints:
    """(n,) fold of each unit, equal within arms of segments. DataError where they are too few."""
    key = 2 * units.segment + units.treated
    count = np.bincount(key, minlength=2 * len(units.labels))
    few = np.flatnonzero(count < 2 * folds)
    if few.size:
        first = f"{units.labels[few[0] // 2]!r}, {int(count[few[0]])} units"
        raise DataError(WHAT, [Problem(f"segments have fewer than {2 * folds} units of an arm, two "
                                       "a half", int(few.size), first,
                                       "Join segments")])  # fmt: skip
    order = np.lexsort((generator(seed).random(key.size), key))
    start = np.repeat(np.cumsum(count) - count, count)
    fold = np.empty(key.size, dtype=np.int64)
    fold[order] = (np.arange(key.size) - start) % folds
    return fold


def _scores(units: _Units, here: Bools, means: Floats, e: float) -> Floats:
    """m1 - m0 + d (y - m1) / e - (1 - d) (y - m0) / (1 - e), means m of the other folds."""
    m0, m1 = means[units.segment[here]].T
    d, y = units.treated[here], units.y[here]
    return np.asarray(m1 - m0 + np.where(d, (y - m1) / e, -(y - m0) / (1.0 - e)))


def _shared(units: _Units, score: Floats) -> float:
    """What the two halves add to the variance together: a segment that is lucky in one half is
    chosen for the other. With normal gains of mean m and error s in a half, the covariance of
    what the halves say is phi(m / s)^2 s^2; m / s is taken an error nearer to 0, to be safe."""
    size = len(units.labels)
    n = np.bincount(units.segment, minlength=size).astype(np.float64)
    mean = np.bincount(units.segment, score, size) / n
    gap = (score - mean[units.segment]) ** 2
    half = np.bincount(units.segment, gap, size) / n / (n / HALVES)  # squared error of a half
    z = np.maximum(np.abs(mean) / np.sqrt(np.where(half > 0.0, half, 1.0)) - 1.0, 0.0)
    dense = np.exp(-(z**2)) / (2.0 * np.pi)
    weight = n / HALVES / score.size
    return float(2.0 * (weight**2 * half) @ dense)


def _row(what: str, score: Floats, z: float, shared: float = 0.0) -> dict[str, Any]:
    estimate, alone = float(score.mean()), float(score.var(ddof=1) / score.size)
    error = (alone + shared) ** 0.5 if alone > 0.0 else 0.0
    p = float(2.0 * scipy.special.ndtr(-abs(estimate) / error)) if error > 0.0 else None
    return {"what": what, "estimate": estimate, "std_error": error, "lower": estimate - z * error,
            "upper": estimate + z * error, "p_value": p}  # fmt: skip


def _sentence(rows: list[dict[str, Any]], arm: str) -> str:
    none, every, plain = rows
    ends = f"{every['lower']:+.4g} to {every['upper']:+.4g}"
    if none["std_error"] == 0.0:
        return (f"The rule treats nobody: treating all is worth {plain['estimate']:+.4g} a unit "
                f"({plain['lower']:+.4g} to {plain['upper']:+.4g}).")  # fmt: skip
    if every["std_error"] == 0.0:
        return f"The rule treats everybody: {plain['estimate']:+.4g} a unit beside treating none."
    if every["upper"] < 0.0:
        return (f"Targeting loses to treating all with {arm}: {every['estimate']:+.4g} a unit "
                f"({ends}).")  # fmt: skip
    if every["lower"] <= 0.0:
        better = "worse" if every["estimate"] < 0.0 else "better"
        simple = "all" if plain["estimate"] > 0.0 else "none"
        return (
            f"Targeting does {better} than treating all with {arm} by "
            f"{abs(every['estimate']):.4g} a unit, which cannot be told from none ({ends}): the "
            f"simpler rule is to treat {simple}."
        )
    return (f"Targeting beats treating all with {arm} by {every['estimate']:+.4g} a unit ({ends}), "
            f"and treating none by {none['estimate']:+.4g} ({none['lower']:+.4g} to "
            f"{none['upper']:+.4g}).")  # fmt: skip
