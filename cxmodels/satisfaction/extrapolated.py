"""The same effects by another road: error is added to the score, and what it does is run back."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.measurement_error import noise, simex
from cxmodels.satisfaction.fitting import Outcome, Prepared, outcomes_of, prepared, refusal
from cxmodels.satisfaction.link import Linked
from cxmodels.satisfaction.outcomes import reliability_of

if TYPE_CHECKING:
    import pandas as pd


def extrapolated(
    linked: Linked, *, controls: str, weights: str | None = None, draws: int = 30, seed: int = 1
) -> "pd.DataFrame":
    """SIMEX beside regression calibration: two roads to an effect without the score's error.

    Where they part, the effect leans on how the error is modelled. Returns: outcome, controlled,
    corrected (regression calibration), simex, simulation_error (of simex, by its draws alone), and
    effect_1, effect_2: with the score's own error added once and twice.
    Errors: FitError without repeated answers.
    """
    import pandas as pd

    if not isinstance(draws, int) or draws < 2:
        raise OptionError(f"draws {draws!r} is not a whole number of 2 or more")
    given, rng = prepared(linked, controls, weights), generator(seed)
    pairs = given.linked.pairs
    at: Ints = pairs["row"].to_numpy()
    of_answer = noise(pairs["score"].to_numpy(), pairs["score_again"].to_numpy(), given.cluster[at],
                  given.clusters)  # fmt: skip
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for outcome in outcomes_of(given.linked):
        try:
            rows.append(_row(given, outcome, of_answer.variance, draws, rng))
        except FitError as error:
            refused.append(f"{outcome.name}: no effect can be told, {error}.")
    if not rows:
        raise refusal(refused)
    return pd.DataFrame(rows)


def _row(
    given: Prepared, outcome: Outcome, variance: float, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    def effect(scores: Floats) -> float:
        fit, _ = given.fit(outcome, scores[:, None], ("score",))
        return float(fit.coefficients[0])

    found = simex(effect, given.score, variance, draws=draws, rng=rng)
    held, _ = reliability_of(given, outcome)
    return {
        "outcome": outcome.name,
        "controlled": float(found.effects[0]),
        "corrected": None if held is None else float(found.effects[0]) / held.value,
        "simex": found.value,
        "simulation_error": found.error,
        "effect_1": float(found.effects[2]),
        "effect_2": float(found.effects[4]),
    }
