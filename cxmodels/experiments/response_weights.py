"""Effects among all units from the answers of some: each answer stands for those like it.

Weights are the inverse of the probability of an answer, a logit of what was known before in each
arm on its own; means in Hajek's form (Lunceford and Davidian 2004, Statistics in Medicine 23,
equations 9 and 20), whose errors know that the logits were estimated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError
from cxmodels.experiments.answered import Answers, answers_of
from cxmodels.experiments.observed_groups import groups_of
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Kind, regress, solve
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

SELDOM = 0.05  # probability of an answer below which one answer stands for more than 20 units
THIN = 0.5  # of answers that are left in effect


@dataclass(frozen=True, eq=False, repr=False)
class ResponseWeighted(Faced):
    """table: what (weighted, those who answered), mean, mean_control, estimate, std_error, lower,
    upper, p_value; arms: arm, n, answered, effective (answers that weigh as much when equal),
    least_probability, largest_weight (share of one answer in its arm); weights: row (from 0),
    probability and weight of units that answered."""

    table: pd.DataFrame
    arms: pd.DataFrame
    weights: pd.DataFrame
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The effect, and what it needs."""
        return Face(f"Effect on all units, interval {self.level:.0%}", self.table, self.notes)


@dataclass(frozen=True, eq=False)
class _Side:
    """One arm: its mean, influence (m,) of its units on it, and probabilities (m,)."""

    mean: float
    influence: Floats
    probability: Floats


def response_weighted(
    table: Any, *, arm: str, control: Any, outcome: str, covariates: str | Iterable[str],
    level: float = 0.95,
) -> ResponseWeighted:  # fmt: skip
    """The effect on all units, from outcomes known of some, weighed by who answers.

    table: one row a unit, two arms drawn at random; outcome: a column of numbers, empty where not
    known; covariates: columns from before the test, numbers or categories, that may say who
    answers; units that lack one are left out and counted; level: of intervals.
    Assumes that answering depends on the arm and the covariates, not on the outcome given them, and
    on the covariates as a logit says.
    Errors: DataError with every problem; FitError where an arm has fewer than 10 answers, or
    covariates tell who answers from who does not.

    >>> from cxmodels.chance import generator
    >>> rng = generator(1)
    >>> seen = pd.DataFrame({"arm": ["A", "B"] * 500, "visits": rng.poisson(3.0, 1_000)})
    >>> seen["score"] = seen["visits"] + (seen["arm"] == "B")
    >>> chance = 0.2 + 0.1 * seen["visits"].clip(upper=6) * (seen["arm"] == "B")
    >>> seen["score"] = seen["score"].where(rng.random(1_000) < chance)
    >>> seen = response_weighted(seen, arm="arm", control="A", outcome="score",
    ...                          covariates="visits")
    >>> seen.table["estimate"].round(1).tolist()
    [1.0, 1.5]
    """
    inside = check_level(level)
    names = [covariates] if isinstance(covariates, str) else list(dict.fromkeys(covariates))
    answers_of(table, arm, control, outcome, names)
    groups = groups_of(table, arm, control, names)
    kept = groups.held.iloc[groups.place]
    answers = answers_of(kept, arm, control, outcome, names)
    sides = [_side(answers, groups.x, groups.x_names, side) for side in (False, True)]
    estimate = sides[1].mean - sides[0].mean
    error = float(np.sqrt(sum(float(side.influence @ side.influence) for side in sides)))
    naive, naive_error = answers.naive()
    t = float(scipy.special.stdtrit(_degrees(answers, groups.x.shape[1]), (1.0 + inside) / 2.0))
    means = [float(answers.y[answers.known & (answers.treated == side)].mean())
             for side in (False, True)]  # fmt: skip
    rows = [_row("weighted", [side.mean for side in sides], estimate, error, t),
            _row("those who answered", means, naive, naive_error, t)]  # fmt: skip
    arms = pd.DataFrame([_arm(answers, sides[int(side)], side) for side in (False, True)])
    notes = tuple(_notes(answers, arms, sides, groups.lost))
    return ResponseWeighted(pd.DataFrame(rows), arms, _weights(answers, sides, groups.place),
                            inside, notes)  # fmt: skip


def _side(answers: Answers, x: Floats, names: tuple[str, ...], treated: bool) -> _Side:
    """Hajek's mean of one arm. With s an answer, p its probability, u the covariates and m the
    mean: influence = [s (y - m) / p + D'b] / sum s / p, b the unit's influence on the logit and
    D = -sum s (1 - p) / p (y - m) u."""
    here = answers.treated == treated
    s, y = answers.known[here].astype(np.float64), answers.y[here]
    moving = np.ptp(x[here], axis=0) > 0.0
    u = np.column_stack([np.ones(s.size), x[here][:, moving]])
    if s.all():
        p, logit = np.ones(s.size), np.zeros_like(u)
    else:
        own = ("const", *(name for name, kept in zip(names, moving, strict=True) if kept))
        try:
            fit = regress(s, u, own, Kind.YES_NO)
        except FitError as error:
            name = answers.arm if treated else answers.control
            raise FitError(f"who answers in arm {name!r} cannot be weighed for: {error}") from None
        p = np.asarray(Kind.YES_NO.mean(u @ fit.coefficients))
        logit = ((s - p)[:, None] * u) @ solve(fit.information, np.eye(u.shape[1]))
    w = s / p
    mean = float(w @ y / w.sum())
    slope = -(w * (1.0 - p) * (y - mean)) @ u
    return _Side(mean, (w * (y - mean) + logit @ slope) / w.sum(), p)


def _degrees(answers: Answers, covariates: int) -> float:
    return max(float(answers.known.sum()) - 2.0 * (covariates + 1), 1.0)


def _row(
    what: str, means: list[float], estimate: float, error: float, t: float
) -> dict[str, Any]:  # fmt: skip
    some = error > 0.0
    p = float(2.0 * scipy.special.ndtr(-abs(estimate) / error)) if some else None
    return {"what": what, "mean": means[1], "mean_control": means[0], "estimate": estimate,
            "std_error": error, "lower": estimate - t * error, "upper": estimate + t * error,
            "p_value": p}  # fmt: skip


def _arm(answers: Answers, side: _Side, treated: bool) -> dict[str, Any]:
    known = answers.known[answers.treated == treated]
    w = 1.0 / side.probability[known]
    return {"arm": answers.arm if treated else answers.control, "n": int(known.size),
            "answered": int(known.sum()), "effective": float(w.sum() ** 2 / (w @ w)),
            "least_probability": float(side.probability.min()),
            "largest_weight": float(w.max() / w.sum())}  # fmt: skip


def _weights(answers: Answers, sides: list[_Side], place: Any) -> pd.DataFrame:
    p = np.where(answers.treated, 0.0, 1.0)
    for treated, side in zip((False, True), sides, strict=True):
        p[answers.treated == treated] = side.probability
    known = answers.known
    return pd.DataFrame({"row": place[known], "probability": p[known], "weight": 1.0 / p[known]})


def _notes(
    answers: Answers, arms: pd.DataFrame, sides: list[_Side], lost: int
) -> Iterable[str]:  # fmt: skip
    yield ("This holds if who answers depends on the arm and these columns alone; lee_bounds says "
           "how far the effect could be where it does not.")  # fmt: skip
    if lost:
        yield f"{lost:,} units lack the arm or a covariate, and are left out."
    for side, row in zip(sides, arms.to_dict("records"), strict=True):
        seldom = int((side.probability < SELDOM).sum())
        if seldom:
            yield (f"{seldom:,} units of {row['arm']} answer with a probability below {SELDOM:.0%} "
                   f"(least {row['least_probability']:.2g}): hardly anybody like them answered, "
                   "and few answers stand for them.")  # fmt: skip
        if row["effective"] < THIN * row["answered"]:
            yield (f"The {row['answered']:,} answers of {row['arm']} weigh as "
                   f"{row['effective']:,.0f} equal ones would.")  # fmt: skip
    if answers.known.all():
        yield "All units answered: there is nothing to weigh."
