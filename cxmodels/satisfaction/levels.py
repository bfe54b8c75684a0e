"""Is a point worth the same everywhere? Effects by level, curvature, gains and losses, groups.

A straight line is a claim: very satisfied customers may differ from satisfied ones by far more than
those do from neutral ones, and a loss may cost more than a gain brings. None of these effects is
corrected for the error of the score, which blurs levels into one another: steps between levels are
at least as steep as they show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Kind
from cxmodels.regression.measurement_error import normal_interval
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.satisfaction.fitting import (
    Outcome,
    Prepared,
    check_linked,
    outcomes_of,
    prepared,
    refusal,
)
from cxmodels.satisfaction.link import Linked

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10  # answers of a level below which it is joined with its neighbour
DETRACTORS, PASSIVES, PROMOTERS = "detractors", "passives", "promoters"


@dataclass(frozen=True, eq=False, repr=False)
class Levels(Faced):
    """Effects beyond a straight line, each table with estimate, lower, upper and p_value a row.

    by_level: of each level against `reference`; curvature: of a squared point, and whether a
    straight line will do; gain_loss: of a point gained and of a point lost since the answer before.
    """

    by_level: "pd.DataFrame"
    curvature: "pd.DataFrame"
    gain_loss: "pd.DataFrame"
    reference: float
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Whether a straight line will do."""
        head = f"Levels against {self.reference:g}; interval {self.level:.0%}"
        if self.curvature.empty:
            return Face(head, self.by_level, self.notes)
        bent = self.curvature[["outcome", "estimate", "lower", "upper", "sentence"]]
        return Face(head, bent, self.notes)


def levels(
    linked: Linked,
    *,
    controls: str,
    reference: float | None = None,
    weights: str | None = None,
    level: float = 0.9,
) -> Levels:
    """One effect a level of the score, curvature, and gains against losses, on every outcome.

    controls, weights, level: as in `effects`; reference: the level that others are
    compared with, by default the most frequent. Neighbouring levels of fewer than 10 answers are
    joined, and named by their ends.
    """
    import pandas as pd

    check_level(level)
    given = prepared(linked, controls, weights)
    kinds, names, against = _levels(given.score, reference)
    rows: dict[str, list[dict[str, Any]]] = {"by_level": [], "curvature": [], "gain_loss": []}
    refused: list[str] = []
    for outcome in outcomes_of(given.linked):
        try:
            rows["by_level"] += _by_level(given, outcome, (kinds, names, against), level)
        except FitError as error:
            refused.append(f"{outcome.name}: no effect can be told, {error}.")
            continue
        try:
            rows["curvature"].append(_curvature(given, outcome, level))
        except FitError as error:
            refused.append(f"{outcome.name}: no bend can be told, {error}.")
    if not rows["by_level"]:
        raise refusal(refused)
    changed = given.linked.table["score_before"].notna().to_numpy()
    if changed.sum() >= FEWEST:
        later = prepared(linked.at(_known_before(linked)), controls, weights)
        for outcome in outcomes_of(later.linked):
            try:
                rows["gain_loss"] += _gain_loss(later, outcome, level)
            except FitError as error:
                refused.append(f"{outcome.name}: gains and losses cannot be told, {error}.")
    tables = {name: pd.DataFrame(found) for name, found in rows.items()}
    middle = reference if reference is not None else float(np.median(given.score[kinds == against]))
    blur = "Not corrected for the error of the score, which blurs levels into one another."
    return Levels(**tables, reference=middle, level=level, notes=(*given.notes, blur, *refused))


def _known_before(linked: Linked) -> Any:
    return linked.table["score_before"].notna().to_numpy()


def _levels(score: Floats, reference: float | None) -> tuple[Any, list[str], int]:
    """(n,) the level of each answer, their names, and the place of the reference."""
    values, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    if reference is not None and reference not in values:
        told = ", ".join(f"{value:g}" for value in values[:12])
        raise OptionError(f"reference {reference!r} is no level of the score: {told}")
    group, current = np.zeros(values.size, dtype=np.int64), 0
    held = 0
    for at, count in enumerate(counts):
        if held >= FEWEST and counts[at:].sum() >= FEWEST:
            current, held = current + 1, 0
        group[at], held = current, held + count
    names = []
    for number in range(current + 1):
        own = values[group == number]
        names.append(f"{own[0]:g}" if own.size == 1 else f"{own[0]:g} to {own[-1]:g}")
    sizes = np.bincount(group[place.ravel()])
    against = int(sizes.argmax()) if reference is None else int(group[values == reference][0])
    return group[place.ravel()], names, against


def _row(
    outcome: Outcome, effect: tuple[float, float], level: float, **named: object
) -> dict[str, Any]:
    value, error = effect
    lower, upper = normal_interval(value, error, level)
    return {
        "outcome": outcome.name,
        "unit": outcome.unit,
        **named,
        "estimate": value,
        "std_error": error,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.ndtr(-abs(value) / error)),
    }


def _by_level(
    given: Prepared, outcome: Outcome, kinds_of: tuple[Any, list[str], int], level: float
) -> Iterator[dict[str, Any]]:
    kinds, names, against = kinds_of
    others = [place for place in range(len(names)) if place != against]
    others = [place for place in others if (kinds[outcome.rows] == place).any()]
    if not others:
        raise FitError("its answers are all of one level")
    own = np.stack([(kinds == place).astype(np.float64) for place in others], axis=1)
    fit, errors = given.fit(outcome, own, tuple(names[place] for place in others))
    counts = np.bincount(kinds[outcome.rows], minlength=len(names))
    found = {
        place: (float(fit.coefficients[at]), float(errors.errors[at]))
        for at, place in enumerate(others)
    }
    for place in others:
        yield _row(outcome, found[place], level, score_level=names[place], against=names[against],
                   answers=int(counts[place]))  # fmt: skip


def _curvature(given: Prepared, outcome: Outcome, level: float) -> dict[str, Any]:
    """Of (score - mean)^2 beside the score; and a sentence."""
    if np.unique(given.score[outcome.rows]).size < 3:
        raise FitError("its answers have two scores, between which nothing can bend")
    away = given.score - given.score[outcome.rows].mean()
    fit, errors = given.fit(
        outcome, np.stack([away**2, away], axis=1), ("square of the score", "score")
    )
    row = _row(outcome, (float(fit.coefficients[0]), float(errors.errors[0])), level)
    slope = float(fit.coefficients[1])
    how = "steeper" if row["estimate"] * slope > 0 else "flatter"
    straight = "a straight line will do"
    bent = f"the effect of a point is {how} at the upper end"
    return row | {"sentence": bent if row["p_value"] < 1.0 - level else straight}


def _gain_loss(given: Prepared, outcome: Outcome, level: float) -> Iterator[dict[str, Any]]:
    """Of a point gained, of a point lost, and of their difference, at the same score before."""
    before = given.linked.table["score_before"].to_numpy()
    change = given.score - before
    own = np.stack([np.maximum(change, 0.0), np.maximum(-change, 0.0), before], axis=1)
    fit, errors = given.fit(outcome, own, ("gain", "loss", "before"))
    for place, name in enumerate(("a point gained", "a point lost")):
        effect = float(fit.coefficients[place]), float(errors.errors[place])
        yield _row(outcome, effect, level, moved=name)
    weigh = np.zeros(fit.coefficients.size)
    weigh[:2] = 1.0  # a loss that costs what a gain brings: the two effects sum to 0
    gap = float(weigh @ fit.coefficients)
    error = float(np.sqrt(weigh @ errors.covariance @ weigh))
    yield _row(outcome, (gap, error), level, moved="gain and loss together")


def promoters(
    linked: Linked, *, controls: str, weights: str | None = None, level: float = 0.9
) -> "pd.DataFrame":
    """Promoters, passives and detractors: what each group did, as it is and adjusted.

    Scores 9 and 10, 7 and 8, 0 to 6, on a scale of 0 to 10. Returns one row an outcome and group:
    raw, raw_lower, raw_upper (mean of the outcome: a year, an event, a line or a window, as `per`
    says) and adjusted, adjusted_lower, adjusted_upper: the mean if all answers were of that group
    and all else as it is (marginal standardisation, delta method), answers.
    Errors: OptionError where the scale is not 0 to 10 in whole numbers.
    """
    import pandas as pd

    check_level(level)
    check_linked(linked)
    scale = linked.scale
    whole = (linked.table["score"] % 1 == 0).all()
    if (scale.low, scale.high) != (0.0, 10.0) or not whole:
        raise OptionError(
            f"promoters and detractors are groups of whole scores from 0 to 10; {linked.score} has "
            f"a scale of {scale}{'' if whole else ' and fractions'}"
        )
    given = prepared(linked, controls, weights)
    kinds = np.digitize(given.score, [7.0, 9.0])
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for outcome in outcomes_of(given.linked):
        try:
            rows += _groups(given, outcome, kinds, level)
        except FitError as error:
            refused.append(f"{outcome.name}: no group can be told, {error}.")
    if not rows:
        raise refusal(refused)
    return pd.DataFrame(rows)


def _groups(
    given: Prepared, outcome: Outcome, kinds: Any, level: float
) -> Iterator[dict[str, Any]]:
    own = np.stack([(kinds == place).astype(np.float64) for place in range(1, 3)], axis=1)
    plain, rough = given.fit(outcome, own, ("passive", "promoter"), controls=False)
    fit, errors = given.fit(outcome, own, ("passive", "promoter"))
    there = np.bincount(kinds[outcome.rows], minlength=3)
    for place, name in enumerate((DETRACTORS, PASSIVES, PROMOTERS)):
        row: dict[str, Any] = {"outcome": outcome.name, "per": outcome.per, "group": name}
        raw = np.array([[place == 1, place == 2, 1.0]], dtype=np.float64)
        columns = given.columns[outcome.rows]
        same = np.tile([float(place == 1), float(place == 2)], (len(columns), 1))
        for told, (found, spread), x in (
            ("raw", (plain, rough), raw),
            ("adjusted", (fit, errors), np.column_stack([same, columns])),
        ):
            mu = outcome.times * outcome.kind.mean(x @ found.coefficients)
            slope = mu * (1.0 - mu) if outcome.kind is Kind.YES_NO else mu
            gradient = (slope[:, None] * x).mean(axis=0)
            error = float(np.sqrt(gradient @ spread.covariance @ gradient))
            lower, upper = _within(float(mu.mean()), error, level, outcome.kind)
            row |= {told: float(mu.mean()), f"{told}_lower": lower, f"{told}_upper": upper}
        yield row | {"answers": int(there[place])}


def _within(value: float, error: float, level: float, kind: Kind) -> tuple[float, float]:
    """An interval of a mean that stays in its range: normal in its log, or in its log odds."""
    if kind is Kind.YES_NO:
        odds = float(scipy.special.logit(value))
        low, high = normal_interval(odds, error / (value * (1.0 - value)), level)
        return float(scipy.special.expit(low)), float(scipy.special.expit(high))
    low, high = normal_interval(float(np.log(value)), error / value, level)
    return float(np.exp(low)), float(np.exp(high))
