"""What a point of satisfaction goes with: leaving, orders, up-sell, cross-sell, referrals, cases.

Each outcome has the model that fits it; errors are clustered by customer. Three effects stand side
by side: naive (the score alone), controlled (who the customers are, and the season), and corrected
for the error of the score, as repeated answers show it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.data.units import TimeUnit
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Kind
from cxmodels.regression.measurement_error import (
    Reliability,
    check_reliability,
    corrected,
    normal_interval,
    reliability,
)
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.satisfaction.fitting import Outcome, Prepared, outcomes_of, prepared, refusal
from cxmodels.satisfaction.link import YEAR, Linked

if TYPE_CHECKING:
    import pandas as pd


MONEY = ("money_a_year", "money_a_year_lower", "money_a_year_upper")


@dataclass(frozen=True, eq=False, repr=False)
class Effects(Faced):
    """Effects of a point of the score, one row an outcome.

    table: outcome, unit, naive, controlled, corrected (logs or log odds a point), the errors of the
    first two; std_error, lower, upper, p_value of the best there is (corrected, or else
    controlled), per_cent with its interval, money_a_year with its interval (a point more, a
    customer and year, in the log's currency: what they bring or cost now, taken as known, times the
    effect; costs count as costs), per_sd (a standard deviation of the score), reliability, rows,
    customers. notes: what a reader has to know.
    """

    table: "pd.DataFrame"
    score: str
    window: str
    level: float
    controls: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Effects three ways, with the interval of the best."""
        shown = self.table[["outcome", "naive", "controlled", "corrected", "lower", "upper"]]
        head = f"Effects of one point of {self.score}; interval {self.level:.0%}"
        return Face(head, shown, self.notes)


def effects(
    linked: Linked,
    *,
    controls: str,
    reliability: float | None = None,
    weights: str | None = None,
    worth: Mapping[str, float] | None = None,
    level: float = 0.9,
) -> Effects:
    """The effects of a point of the score on all outcomes of linked answers.

    controls: formula of columns of `linked.table`, as in "~ tenure + segment + channel"; the
    quarter in which the answer was given is always one. reliability: of the score given the
    controls, where no repeated answers show it (its own error is then not counted). weights:
    "response" weighs answers by one over the probability of an answer, given the controls. worth:
    money that one event brings, where the log does not say: {"leaving": -250.0, "referrals": 40.0},
    negative where it costs. level: width of intervals.
    """
    check_level(level)
    if reliability is not None:
        check_reliability(reliability)
    import pandas as pd

    given, rows, refused = prepared(linked, controls, weights), [], []
    outcomes = list(outcomes_of(given.linked))
    each = _each(worth or {}, outcomes)
    for outcome in outcomes:
        try:
            row, why = _row(given, outcome, reliability, level)
            rows.append(row | _money(outcome, row, each.get(outcome.name), given.linked))
            refused += [f"{outcome.name}: not corrected, {why}."] if why else []
        except FitError as error:
            refused.append(f"{outcome.name}: no effect can be told, {error}.")
    if not rows:
        raise refusal(refused)
    table = pd.DataFrame(rows)
    notes = (*given.notes, *_correction(table, reliability, len(given.linked.pairs)), *refused)
    return Effects(table, linked.score, linked.span, level, controls, notes)


def _row(
    given: Prepared, outcome: Outcome, known: float | None, level: float
) -> tuple[dict[str, Any], str]:
    """One row of the table, and why it is not corrected where repeated answers do not allow it."""
    own = given.score[:, None]
    naive, spread = given.fit(outcome, own, ("score",), controls=False)
    fit, errors = given.fit(outcome, own, ("score",))
    effect, error = float(fit.coefficients[0]), float(errors.errors[0])
    held, why = reliability_of(given, outcome, known)
    best = corrected(effect, 0, errors, held or Reliability(1.0, 0.0, np.zeros(given.clusters), 0))
    lower, upper = normal_interval(best.value, best.error, level)
    return {
        "outcome": outcome.name,
        "unit": outcome.unit,
        "naive": float(naive.coefficients[0]),
        "naive_error": float(spread.errors[0]),
        "controlled": effect,
        "controlled_error": error,
        "corrected": None if held is None else best.value,
        "std_error": best.error,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.ndtr(-abs(best.value) / best.error)),
        "per_cent": 100.0 * np.expm1(best.value),
        "per_cent_lower": 100.0 * np.expm1(lower),
        "per_cent_upper": 100.0 * np.expm1(upper),
        **dict.fromkeys(MONEY),
        "per_sd": best.value * float(given.score.std(ddof=1)),
        "reliability": None if held is None else held.value,
        "rows": outcome.rows.size,
        "customers": int(np.count_nonzero(np.bincount(given.cluster[outcome.rows]))),
    }, why


def _each(worth: Any, outcomes: list[Outcome]) -> Mapping[str, float]:
    """Money by outcome, whose names have to be ours."""
    names = [item.name for item in outcomes if item.kind is Kind.YES_NO or item.times == YEAR]
    if not isinstance(worth, Mapping):
        raise OptionError(f"worth is money by outcome, as in {{{names[0]!r}: 40.0}}, got {worth!r}")
    wrong = [name for name in worth if name not in names]
    if wrong:
        raise OptionError(f"worth names {wrong[0]!r}; events with a worth: {', '.join(names)}")
    for name, money in worth.items():
        if not isinstance(money, int | float) or not np.isfinite(money):
            raise OptionError(f"worth of {name!r} is money, a finite number, got {money!r}")
    return worth


def _money(
    outcome: Outcome, row: dict[str, Any], each: float | None, linked: Linked
) -> dict[str, float | None]:
    """What a point more is worth a customer and year, at what they bring or cost now."""
    best = row["controlled"] if row["corrected"] is None else row["corrected"]
    ends, worth = (best, row["lower"], row["upper"]), outcome.worth
    if each is not None and outcome.kind is Kind.YES_NO:
        a_year = each / linked.window.length(TimeUnit.YEAR)
        odds = float(scipy.special.logit(outcome.y.mean()))
        moved = [float(scipy.special.expit(odds + end) - outcome.y.mean()) for end in ends]
        low, high = sorted(a_year * step for step in moved[1:])
        return dict(zip(MONEY, (a_year * moved[0], low, high), strict=True))
    if each is not None and outcome.exposure is not None:
        worth = each * float(outcome.y.sum() / outcome.exposure.sum()) * YEAR
    if worth is None:
        return dict.fromkeys(MONEY)
    low, high = sorted(worth * float(np.expm1(end)) for end in ends[1:])
    return dict(zip(MONEY, (worth * float(np.expm1(best)), low, high), strict=True))


def reliability_of(
    given: Prepared, outcome: Outcome, known: float | None = None
) -> tuple[Reliability | None, str]:
    """Of the score, given the controls, among the rows of an outcome; None where unknown, and why
    where there are repeated answers."""
    if known is not None:
        return Reliability(known, 0.0, np.zeros(given.clusters), 0), ""
    pairs, place = given.linked.pairs, np.full(len(given.linked.table), -1)
    place[outcome.rows] = np.arange(outcome.rows.size)
    pairs = pairs[place[pairs["row"].to_numpy()] >= 0]
    if not len(pairs):
        return None, ""
    at = pairs["row"].to_numpy()
    first: Floats = pairs["score"].to_numpy()
    again: Floats = pairs["score_again"].to_numpy()
    try:
        return reliability(
            first, again, given.columns[at], given.cluster[at], given.clusters
        ), ""  # fmt: skip
    except FitError as error:
        return None, str(error)


def _correction(table: "pd.DataFrame", known: float | None, pairs: int) -> list[str]:
    """What the effects are corrected for, in words."""
    if table["reliability"].isna().all() and not pairs:
        return [
            "No repeated answers: the effects are not corrected for the error of the score, and "
            "are too small by its unreliability. Ask some customers twice within weeks, or give "
            "reliability=."
        ]
    return [] if known is None else [f"Corrected for a given reliability of {known:g}."]
