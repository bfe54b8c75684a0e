"""What a point of satisfaction goes with: leaving, orders, up-sell, cross-sell, referrals, cases.

Each outcome has the model that fits it; errors are clustered by customer. Three effects stand side
by side: naive (the score alone), controlled (who the customers are, and the season), and corrected
for the error of the score, as repeated answers show it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.data.formulas import read_formula
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.covariance import Clustered, clustered
from cxmodels.regression.design import Controls, controls_of
from cxmodels.regression.generalised_linear import Fitted, Kind, regress
from cxmodels.regression.measurement_error import (
    Corrected,
    Reliability,
    corrected,
    normal_interval,
    reliability,
)
from cxmodels.results.estimate import check_level
from cxmodels.satisfaction.link import Linked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Outcome:
    """One outcome of linked answers: y (n,), exposure (n,) or None, and the rows it speaks of."""

    name: str
    kind: Kind
    unit: str
    y: Floats
    exposure: Floats | None
    rows: Ints


@dataclass(frozen=True, eq=False, repr=False)
class Effects:
    """Effects of a point of the score, one row an outcome.

    table: outcome, unit, naive, controlled, corrected (logs or log odds a point), the errors of the
    first two; std_error, lower, upper, p_value of the best there is (corrected, or else
    controlled), per_cent with its interval, per_sd (a standard deviation of the score),
    reliability, rows, customers. notes: what a reader has to know.
    """

    table: "pd.DataFrame"
    score: str
    level: float
    controls: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        shown = self.table[["outcome", "naive", "controlled", "corrected", "lower", "upper"]]
        head = f"Effects of one point of {self.score}; interval {self.level:.0%}"
        return "\n".join([head, shown.round(3).to_string(index=False), *self.notes])


def outcomes_of(linked: Linked) -> Iterator[Outcome]:
    """Every outcome that the linked tables can speak of."""
    table = linked.table
    here = np.flatnonzero(table["days"].to_numpy() > 0)
    left = table["left"].to_numpy()
    if np.isfinite(left).all():
        every = np.arange(len(table))
        yield Outcome("leaving", Kind.YES_NO, "log odds within the window", left, None, every)
    for name in linked.logs:
        count, days = table[name].to_numpy()[here], table["days"].to_numpy()[here]
        yield Outcome(name, Kind.COUNT, "log of events a day", count, days, here)
        there = here[count > 0]
        events = table[name].to_numpy()[there]
        lines = events
        if f"{name}_lines" in table:
            lines = table[f"{name}_lines"].to_numpy()[there]
            further = lines - events
            yield Outcome(f"{name}: further lines", Kind.COUNT, "log of further lines an event",
                          further, events, there)  # fmt: skip
        if f"{name}_amount" in table:
            each = table[f"{name}_amount"].to_numpy()[there] / lines
            paid = each > 0
            yield Outcome(f"{name}: amount a line", Kind.AMOUNT, "log of the amount a line",
                          each[paid], None, there[paid])  # fmt: skip


def satisfaction_effects(
    linked: Linked,
    *,
    controls: str,
    reliability: float | None = None,
    weights: str | None = None,
    level: float = 0.9,
) -> Effects:
    """The effects of a point of the score on all outcomes of linked answers.

    controls: formula of columns of `linked.table`, as in "~ tenure + segment + channel"; the
    quarter in which the answer was given is always one. reliability: of the score given the
    controls, where no repeated answers show it (its own error is then not counted). weights:
    "response" weighs answers by one over the probability of an answer, given the controls. level:
    width of intervals.
    """
    check_level(level)
    if weights not in (None, "response"):
        raise OptionError(f"weights {weights!r} is not one of None, 'response'")
    if reliability is not None and not 0.0 < reliability <= 1.0:
        raise OptionError(f"reliability {reliability} is not above 0 and up to 1")
    linked, lost = _with_controls(linked, controls)
    given = _Given.of(linked, controls, reliability, weights, level)
    rows, notes = [], []
    for outcome in outcomes_of(linked):
        try:
            rows.append(given.row(outcome))
        except FitError as refused:
            notes.append(f"{outcome.name}: no effect can be told, {refused}.")
    if not rows:
        raise FitError("no outcome can be told: " + " ".join(notes))
    import pandas as pd

    table = pd.DataFrame(rows)
    notes = [*given.notes(table), *lost, *notes]
    return Effects(table, linked.score, level, controls, tuple(notes))


def _with_controls(linked: Linked, controls: str) -> tuple[Linked, list[str]]:
    """The answers whose controls are all known, and how many are not."""
    names = read_formula(controls, "controls").variables
    held = [name for name in names if name in linked.table]
    gaps = linked.table[held].isna().any(axis=1).to_numpy()
    if not gaps.any():
        return linked, []
    if gaps.all():
        raise OptionError(f"no answer has all of {', '.join(held)}: leave out what is empty")
    empty = [name for name in held if linked.table[name].isna().any()]
    said = f"{int(gaps.sum()):,} answers without {', '.join(empty)} are left out."
    return linked.at(~gaps), [said]


def _weights(linked: Linked, design: Controls, columns: Floats, how: str | None) -> Floats | None:
    """(n,) one over the probability that a customer like this answers, 1 on average."""
    if how is None:
        return None
    asked = linked.asked[linked.asked[[item.name for item in design.variables]].notna().all(axis=1)]
    answered = asked["answered"].to_numpy()
    if answered.all():
        raise OptionError(
            "weights='response' needs the invitations that nobody answered: rows of the survey "
            "whose scores are empty"
        )
    fit = regress(answered, design.matrix(asked), design.names, Kind.YES_NO)
    share = scipy.special.expit(columns @ fit.coefficients)
    return np.asarray(share.mean() / share)


@dataclass(frozen=True, eq=False)
class _Given:
    """What all outcomes of one call share: columns (n, k) of the controls, customer (n,)."""

    linked: Linked
    design: Controls
    columns: Floats
    cluster: Ints
    clusters: int
    reliability: float | None
    weights: Floats | None
    level: float

    @classmethod
    def of(
        cls, linked: Linked, controls: str, reliability: float | None, weights: str | None,
        level: float,
    ) -> "_Given":  # fmt: skip
        import pandas as pd

        design = controls_of(controls, linked.table)
        columns = design.matrix(linked.table)
        cluster, ids = pd.factorize(linked.table["customer_id"])
        how = _weights(linked, design, columns, weights)
        return cls(linked, design, columns, cluster, ids.size, reliability, how, level)

    def row(self, outcome: Outcome) -> dict[str, Any]:
        """One row of the table."""
        at, score = outcome.rows, self.linked.table["score"].to_numpy()
        if not at.size or np.ptp(outcome.y) == 0.0:
            raise FitError("it was the same after every answer")
        columns = self.columns[at]
        naive, spread = self._fit(outcome, np.ones((at.size, 1)), ("const",))
        fit, errors = self._fit(outcome, columns, self.design.names)
        effect, held = float(fit.coefficients[0]), self._reliability(outcome, columns)
        best = Corrected(effect, float(errors.errors[0]), effect, float(errors.errors[0]))
        if held is not None:
            best = corrected(effect, 0, errors, held)
        lower, upper = normal_interval(best.value, best.error, self.level)
        return {
            "outcome": outcome.name,
            "unit": outcome.unit,
            "naive": float(naive.coefficients[0]),
            "naive_error": float(spread.errors[0]),
            "controlled": effect,
            "controlled_error": float(errors.errors[0]),
            "corrected": None if held is None else best.value,
            "std_error": best.error,
            "lower": lower,
            "upper": upper,
            "p_value": float(2.0 * scipy.special.ndtr(-abs(best.value) / best.error)),
            "per_cent": 100.0 * np.expm1(best.value),
            "per_cent_lower": 100.0 * np.expm1(lower),
            "per_cent_upper": 100.0 * np.expm1(upper),
            "per_sd": best.value * float(score.std(ddof=1)),
            "reliability": None if held is None else held.value,
            "rows": at.size,
            "customers": int(np.unique(self.cluster[at]).size),
        }

    def _fit(
        self, outcome: Outcome, columns: Floats, names: tuple[str, ...]
    ) -> tuple[Fitted, Clustered]:
        at = outcome.rows
        x = np.column_stack([self.linked.table["score"].to_numpy()[at], columns])
        offset = None if outcome.exposure is None else np.log(outcome.exposure)
        weights = None if self.weights is None else self.weights[at]
        fit = regress(outcome.y, x, ("score", *names), outcome.kind, offset=offset, weights=weights)
        return fit, clustered(fit, x, self.cluster[at], self.clusters)

    def _reliability(self, outcome: Outcome, columns: Floats) -> Reliability | None:
        """Of the score, given the controls, among the rows of an outcome; None where unknown."""
        if self.reliability is not None:
            return Reliability(self.reliability, 0.0, np.zeros(self.clusters), 0)
        pairs, place = self.linked.pairs, np.full(len(self.linked.table), -1)
        place[outcome.rows] = np.arange(outcome.rows.size)
        at = place[pairs["row"].to_numpy()]
        pairs, at = pairs[at >= 0], at[at >= 0]
        if not len(pairs):
            return None
        first, second = pairs["score"].to_numpy(), pairs["score_again"].to_numpy()
        own = self.cluster[pairs["row"].to_numpy()]
        return reliability(first, second, columns[at], own, self.clusters)

    def notes(self, table: "pd.DataFrame") -> list[str]:
        """What a reader of the numbers has to know."""
        said = [
            f"Association given controls ({self.design.formula.text}, quarter of the answer) of "
            f"{len(self.linked.table):,} answers with what the {self.linked.window} after them "
            "brought; errors clustered by customer, factor G / (G - 1)."
        ]
        if table["reliability"].isna().all():
            said.append(
                "No repeated answers: the effects are not corrected for the error of the score, "
                "and are too small by its unreliability. Ask some customers twice within weeks, or "
                "give reliability=."
            )
        elif self.reliability is not None:
            said.append(f"Corrected for a given reliability of {self.reliability:g}.")
        return said
