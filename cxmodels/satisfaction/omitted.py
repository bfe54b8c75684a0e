"""How strong a cause left out of the controls would have to be: Cinelli and Hazlett (2020).

Their measure is of least squares, so each outcome is taken as a linear one here: events over their
exposure, the log of an amount, leaving as 0 or 1. It says how firm an effect is, not how large.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Kind
from cxmodels.regression.sensitivity import Sensitivity, as_strong, partial_r2, sensitivity
from cxmodels.satisfaction.fitting import Outcome, Prepared, outcomes_of

if TYPE_CHECKING:
    import pandas as pd


def omitted_causes(given: Prepared) -> "pd.DataFrame":
    """One row an outcome: robustness_value (share of what is left of both, score and outcome, that
    a cause would have to explain to bring the effect to 0), strongest (the control that would cost
    most of it, were a cause as strong left out), left_by_strongest (share of the effect that would
    remain)."""
    import pandas as pd

    rows = list(_rows(given))
    return pd.DataFrame(
        rows, columns=["outcome", "robustness_value", "strongest", "left_by_strongest"]
    )


def _rows(given: Prepared) -> Iterator[dict[str, Any]]:
    quarters = {name for name in given.design.names if name.startswith("quarter ")}
    names = ("score", *given.design.names)
    for outcome in outcomes_of(given.linked):
        x = np.column_stack([given.score[outcome.rows], given.columns[outcome.rows]])
        try:
            y = _linear(outcome)
            whole = sensitivity(y, x, names, "score")
            outcomes = partial_r2(y, x, names)
            own = partial_r2(x[:, 0], x[:, 1:], names[1:])
        except FitError:
            continue
        left = {name: _left(whole, name, (own[name], outcomes[name])) for name in own
                if name not in quarters and name != "const"}  # fmt: skip
        strongest = min(left, key=lambda name: left[name]) if left else None
        yield {
            "outcome": outcome.name,
            "robustness_value": whole.robustness_value,
            "strongest": strongest,
            "left_by_strongest": None if strongest is None else left[strongest],
        }


def _linear(outcome: Outcome) -> Floats:
    if outcome.kind is Kind.AMOUNT:
        return np.log(outcome.y)
    return outcome.y if outcome.exposure is None else outcome.y / outcome.exposure


def _left(whole: Sensitivity, name: str, partial: tuple[float, float]) -> float:
    """Share of the estimate that a cause as strong as a control would leave."""
    try:
        return as_strong(whole, name, partial).estimate / whole.estimate
    except OptionError:  # so strong a cause would explain all of the score
        return -np.inf
