"""What a point does to all that a customer spends: whether at all, and how much then (a hurdle).

With p = P(anything is bought in the window) and m = mean amount given that, both of their own
covariates, mean spend is E = p m, and

    d log E / d score = (1 - p) b + c,    b of the log odds of p, c of the log of m;

over customers it is their mean weighed by p m. Sources: Cragg (1971), Econometrica 39; Duan and
others (1983), Journal of Business and Economic Statistics 1, for the two parts.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Fitted, Kind
from cxmodels.regression.measurement_error import (
    Corrected,
    Reliability,
    check_reliability,
    corrected,
    normal_interval,
)
from cxmodels.results.estimate import check_level
from cxmodels.satisfaction.fitting import Outcome, Prepared, check_linked, prepared
from cxmodels.satisfaction.link import YEAR, Linked
from cxmodels.satisfaction.outcomes import reliability_of

if TYPE_CHECKING:
    import pandas as pd

WHETHER, HOW_MUCH, ALL = "anything", "amount, given anything", "amount, in all"


def spend_effect(
    linked: Linked,
    log: str = "orders",
    *,
    controls: str,
    reliability: float | None = None,
    weights: str | None = None,
    level: float = 0.9,
) -> "pd.DataFrame":
    """The effect of a point on the amount of a log in the window, nothing included: two parts.

    log: the name of a log with amounts; controls, reliability, weights, level: as in `effects`. How
    long the window was open is a control of both parts.
    Returns three rows: anything (log odds), amount given anything, amount in all (logs): part,
    unit, controlled, corrected, std_error, lower, upper, p_value, per_cent (of the mean, for the
    last two), money_a_year with its interval (a customer and year, for the last), rows, customers.
    Errors: OptionError for a log without amounts, FitError where a part cannot be told.
    """
    import pandas as pd

    check_level(level)
    check_linked(linked)
    name = f"{log}_amount"
    if name not in linked.table:
        held = [name for name in linked.logs if f"{name}_amount" in linked.table]
        raise OptionError(f"log {log!r} has no amounts here. Logs with amounts: {held}")
    if reliability is not None:
        check_reliability(reliability)
    given = prepared(linked, controls, weights)
    amount, days = (given.linked.table[key].to_numpy(dtype=np.float64) for key in (name, "days"))
    here = np.flatnonzero(days > 0)
    there = here[amount[here] > 0]
    parts = [
        _part(given, outcome, np.log(np.maximum(days, 1.0)), reliability)
        for outcome in (
            Outcome(WHETHER, Kind.YES_NO, "log odds of anything in the window",
                    (amount[here] > 0).astype(np.float64), None, here, "a window"),
            Outcome(HOW_MUCH, Kind.AMOUNT, "log of the amount, given anything", amount[there],
                    None, there, "a window"),
        )
    ]  # fmt: skip
    share = _weight(given, np.log(np.maximum(days, 1.0))[here], here, parts)
    worth = float(amount[here].sum() / days[here].sum() * YEAR)
    return pd.DataFrame(_rows(parts, share, worth, level))


def _part(
    given: Prepared, outcome: Outcome, days: Floats, known: float | None
) -> tuple[Outcome, Fitted, Corrected, bool, int]:
    """One part: its fit, its effect, whether that is corrected, and customers."""
    own = np.column_stack([given.score, days])
    if np.ptp(days[outcome.rows]) == 0.0:
        own = own[:, :1]
    try:
        fit, errors = given.fit(outcome, own, ("score", "log of days")[: own.shape[1]])
    except FitError as error:
        raise FitError(f"{outcome.name}: {error}") from None
    held, _ = reliability_of(given, outcome, known)
    sure = held or Reliability(1.0, 0.0, np.zeros(given.clusters), 0)
    found = corrected(float(fit.coefficients[0]), 0, errors, sure)
    return outcome, fit, found, held is not None, errors.clusters


def _weight(given: Prepared, days: Floats, here: Any, parts: list[Any]) -> float:
    """Mean of 1 - p, weighed by p m."""
    x = np.column_stack([given.score[here], days, given.columns[here]])
    chance, mean = (
        fit.kind.mean(x[:, [0, *range(x.shape[1] - fit.coefficients.size + 1, x.shape[1])]]
                      @ fit.coefficients)
        for _, fit, *_ in parts
    )  # fmt: skip
    return float((1.0 - chance) @ (chance * mean) / (chance @ mean))


def _rows(parts: list[Any], share: float, worth: float, level: float) -> list[dict[str, Any]]:
    rows = []
    for outcome, fit, found, known, customers in parts:
        rows.append(
            {"part": outcome.name, "unit": outcome.unit, "controlled": found.naive,
             "corrected": found.value if known else None}
            | _told(found.value, found.influence, level)
            | {"rows": fit.rows, "customers": customers}
        )  # fmt: skip
    (_, _, any_, known, customers), (_, _, much, *_) = parts
    value = share * any_.value + much.value
    told = _told(value, share * any_.influence + much.influence, level)
    money = {
        name: worth * float(np.expm1(end))
        for name, end in (("money_a_year", value), ("money_a_year_lower", told["lower"]),
                          ("money_a_year_upper", told["upper"]))
    }  # fmt: skip
    rows[0]["per_cent"] = None  # of odds
    rows.append(
        {"part": ALL, "unit": "log of the mean amount, nothing included",
         "controlled": share * any_.naive + much.naive, "corrected": value if known else None}
        | told | money | {"rows": parts[0][1].rows, "customers": customers}
    )  # fmt: skip
    return rows


def _told(value: float, influence: Floats, level: float) -> dict[str, Any]:
    error = float(np.sqrt(influence @ influence))
    lower, upper = normal_interval(value, error, level)
    return {
        "std_error": error,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.ndtr(-abs(value) / error)),
        "per_cent": 100.0 * float(np.expm1(value)),
    }
