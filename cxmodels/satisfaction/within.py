"""Each customer as their own control: what follows when one and the same customer scores higher.

Whatever stays of a customer (who they are, how they answer, how much they need) cannot confound;
what is learnt comes from changes of the score alone, of which more is error than of its level.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.fixed_effects import WithinFit, moving, usable, within_groups
from cxmodels.regression.generalised_linear import Kind
from cxmodels.regression.measurement_error import Noise, noise, normal_interval
from cxmodels.results.estimate import check_level
from cxmodels.satisfaction.fitting import Outcome, Prepared, outcomes_of, prepared, refusal
from cxmodels.satisfaction.link import Linked

if TYPE_CHECKING:
    import pandas as pd

LEAST = 0.05  # share of a change's variance that has to be no error


def effects_within(linked: Linked, *, controls: str, level: float = 0.9) -> "pd.DataFrame":
    """Effects of a point within customers: counts and amounts with customer fixed effects.

    controls: as in `effects`; those that do not move within customers, or move with the quarter as
    tenure does, are taken up by the customers' own constants. level: width of intervals.
    Customers with one answer, or without the outcome, say nothing and are not counted. A customer
    leaves once: for leaving there is no row.
    Returns: outcome, unit, within (logs a point), within_error, corrected (for the score's error,
    where answers are repeated), std_error, lower, upper, p_value of the best there is, per_cent,
    reliability (of a change of the score given the controls), rows, customers, controls.
    Errors: FitError where no outcome can be told. Source: fixed_effects.py; reliability of a
    change: Griliches and Hausman (1986), Journal of Econometrics 31, equation (2).
    """
    import pandas as pd

    check_level(level)
    given = prepared(linked, controls, None)
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for outcome in outcomes_of(given.linked):
        try:
            rows.append(_row(given, outcome, level))
        except FitError as error:
            refused.append(f"{outcome.name}: no effect can be told, {error}.")
    if not rows:
        raise refusal(refused)
    return pd.DataFrame(rows)


def _row(given: Prepared, outcome: Outcome, level: float) -> dict[str, Any]:
    if outcome.kind is Kind.YES_NO:
        raise FitError("a customer leaves once")
    at = outcome.rows
    group = given.cluster[at]
    x = np.column_stack([given.score[at], given.columns[at]])
    used = usable(outcome.y, group)
    if not used.size:
        raise FitError("no customer has two answers and some outcome")
    kept = moving(x[used], group[used])
    if not kept.size or kept[0] != 0:
        raise FitError("no customer's score changed")
    offset = None if outcome.exposure is None else np.log(outcome.exposure)
    fit = within_groups(outcome.y, x[:, kept], group, given.clusters, offset=offset)
    effect, error = float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0]))
    held = _reliability(fit, group, _noise(given))
    best, spread = effect, error
    if held is not None:
        best, spread = _corrected(fit, held)
    lower, upper = normal_interval(best, spread, level)
    names = ("score", *given.design.names)
    return {
        "outcome": outcome.name,
        "unit": outcome.unit,
        "within": effect,
        "within_error": error,
        "corrected": None if held is None else best,
        "std_error": spread,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.ndtr(-abs(best) / spread)),
        "per_cent": 100.0 * np.expm1(best),
        "reliability": None if held is None else held[0],
        "rows": fit.rows.size,
        "customers": fit.groups,
        "controls": ", ".join(names[place] for place in kept[1:]),
    }


def _noise(given: Prepared) -> Noise | None:
    """Of one answer, from repeated ones; None where too few are."""
    pairs = given.linked.pairs
    if not len(pairs):
        return None
    cluster = given.cluster[pairs["row"].to_numpy()]
    scores = pairs["score"].to_numpy(), pairs["score_again"].to_numpy()
    return noise(*scores, cluster, given.clusters)


def _reliability(fit: WithinFit, group: Ints, error: Noise | None) -> tuple[float, Floats] | None:
    """1 - s2 A / B with its influence (g,), where B is the score's variance within customers given
    the other columns, and A that of an error of variance 1; both weighed by the fitted means."""
    if error is None:
        return None
    own, size = group[fit.rows], error.influence.size
    score, others = fit.centred[:, 0], fit.centred[:, 1:]
    root = np.sqrt(fit.mu)
    slopes, *_ = np.linalg.lstsq(root[:, None] * others, root * score, rcond=None)
    held = np.bincount(own, weights=fit.mu * (score - others @ slopes) ** 2, minlength=size)
    noise_of = np.bincount(own, weights=fit.mu * (1.0 - fit.share), minlength=size)
    A, B, s2 = noise_of.sum(), held.sum(), error.variance
    value = float(1.0 - s2 * A / B)
    if value < LEAST:
        raise FitError(
            f"changes of the score are nearly all error (reliability {value:.2f}): no effect of a "
            "change can be told"
        )
    influence = -A / B * error.influence - s2 * noise_of / B + s2 * A / B**2 * held
    return value, influence


def _corrected(fit: WithinFit, held: tuple[float, Floats]) -> tuple[float, float]:
    """The effect over the reliability, with the error of both."""
    value, influence = held
    effect = float(fit.coefficients[0])
    own = fit.influence[:, 0] / value - effect / value**2 * influence
    return effect / value, float(np.sqrt(fit.groups / (fit.groups - 1.0) * (own @ own)))
