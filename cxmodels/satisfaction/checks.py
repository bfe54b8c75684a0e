"""May an effect of satisfaction be read as one? What the future score says of the past, and how
strong an unmeasured cause would have to be.

Placebo: what a customer did between two answers cannot be moved by the second. Where the second
score says something of it beyond the first, satisfaction follows what customers do, or something
moves both. Both scores are corrected for their error, or the second would merely help to read the
first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.generalised_linear import Kind
from cxmodels.regression.measurement_error import corrected_columns, noise, normal_interval
from cxmodels.regression.sensitivity import e_value, e_value_of_interval
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.satisfaction.fitting import Outcome, Prepared, outcomes_of, prepared
from cxmodels.satisfaction.link import Linked
from cxmodels.satisfaction.omitted import omitted_causes
from cxmodels.satisfaction.outcomes import Effects

if TYPE_CHECKING:
    import pandas as pd

LEAVING = "leaving"
SIZE = 0.05  # a placebo fires below this p-value, shared out over the outcomes (Bonferroni)


@dataclass(frozen=True, eq=False, repr=False)
class Checks(Faced):
    """Placebos and E-values of effects, one row an outcome.

    table: outcome, placebo (effect of the second score on what came before it), lower, upper,
    p_value, fires, e_value and e_value_interval (of the effect of a standard deviation), rows,
    customers, robustness_value, strongest, left_by_strongest (see `omitted_causes`), sentence.
    causal: whether every outcome but leaving was tested and no placebo fires; verdict: what a
    report may print, the outcomes that were not tested named.
    """

    table: "pd.DataFrame"
    causal: bool
    verdict: str

    def face(self) -> Face:
        """The verdict, and what each placebo says."""
        shown = self.table[
            ["outcome", "placebo", "lower", "upper", "fires", "e_value", "e_value_interval"]
        ]
        return Face(self.verdict, shown)


def checks(linked: Linked, found: Effects, *, level: float = 0.9) -> Checks:
    """Placebos of the outcomes of `effects`, with the same controls, and their E-values.

    Leaving has none: who left gave no second answer.
    Raises: FitError where no customer answered twice with a window between, or none within weeks.
    """
    import pandas as pd

    check_level(level)
    if not (isinstance(linked, Linked) and isinstance(found, Effects)):
        raise OptionError("checks takes linked answers and the effects of them")
    if found.window != linked.span:
        raise OptionError(
            f"effects are of the {found.window} an answer, the linked answers of the {linked.span} "
            "it: check one by its own"
        )
    if found.score != linked.score:
        raise OptionError(
            f"effects are of {found.score!r}, the linked answers of {linked.score!r}: check one by "
            "its own"
        )
    given, second = _between(linked, found.controls)
    told = found.table.set_index("outcome")
    rows: list[dict[str, Any]] = []
    for outcome in outcomes_of(given.linked):
        if outcome.name not in told.index:
            continue
        if outcome.kind is Kind.YES_NO:
            rows.append({"outcome": outcome.name, "why": "who left gave no second answer"})
            continue
        try:
            rows.append(_placebo(given, outcome, second, level))
        except FitError as error:
            rows.append({"outcome": outcome.name, "why": str(error)})
    if not any("placebo" in row for row in rows):
        reasons = dict.fromkeys(str(row["why"]) for row in rows)
        raise FitError("no placebo can be told: " + "; ".join(reasons))
    table = pd.DataFrame(rows)
    table["fires"] = table["p_value"] < SIZE / table["placebo"].notna().sum()
    table = table.join(_e_values(told.loc[table["outcome"]]))
    table = table.merge(omitted_causes(prepared(linked, found.controls, None)), how="left")
    table["sentence"] = [_sentence(row) for row in table.to_dict("records")]
    untested = table["placebo"].isna() & (table["outcome"] != LEAVING)
    causal = not table["fires"].any() and not untested.any()
    return Checks(table.drop(columns="why", errors="ignore"), causal, _verdict(table, found))


def _between(linked: Linked, controls: str) -> tuple[Prepared, Floats]:
    """Answers that another followed after their window, and the score (n,) of that other."""
    table = linked.table
    after = table["score"].shift(-1).where(table["customer_id"] == table["customer_id"].shift(-1))
    there = after.notna().to_numpy()
    if not there.any():
        raise FitError("no customer answered again after a window: a placebo needs two answers")
    given = prepared(linked.at(there), controls, None)
    if len(given.linked.table) < there.sum():
        names = [item.name for item in given.design.variables]
        there &= table[names].notna().all(axis=1).to_numpy()
    return given, after.to_numpy()[there]


def _placebo(given: Prepared, outcome: Outcome, second: Floats, level: float) -> dict[str, Any]:
    at, scores = outcome.rows, np.stack([given.score, second], axis=1)
    fit, errors = given.fit(outcome, scores, ("score", "next score"))
    pairs = given.linked.pairs
    row: Ints = pairs["row"].to_numpy()
    error = noise(pairs["score"].to_numpy(), pairs["score_again"].to_numpy(),
                  given.cluster[row], given.clusters)  # fmt: skip
    value, covariance = corrected_columns(
        fit.coefficients[:2], errors.influence[:, :2], scores[at], given.columns[at], error,
        given.cluster[at],
    )  # fmt: skip
    spread = float(np.sqrt(covariance[1, 1]))
    lower, upper = normal_interval(float(value[1]), spread, level)
    return {
        "outcome": outcome.name,
        "effect": float(value[0]),
        "placebo": float(value[1]),
        "std_error": spread,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.ndtr(-abs(value[1]) / spread)),
        "rows": at.size,
        "customers": int(np.unique(given.cluster[at]).size),
    }


def _e_values(told: "pd.DataFrame") -> "pd.DataFrame":
    """Of a standard deviation of the score: its ratio, and the end of its interval nearest to 1."""
    import pandas as pd

    value = told["corrected"].fillna(told["controlled"]).astype(float)
    sd = (told["per_sd"] / value.where(value != 0.0, 1.0)).abs().to_numpy()
    rows = [
        (e_value(float(np.exp(effect * by))),
         e_value_of_interval(float(np.exp(low * by)), float(np.exp(high * by))))
        for effect, low, high, by in zip(value, told["lower"], told["upper"], sd, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["e_value", "e_value_interval"])


def _sentence(row: Mapping[Any, Any]) -> str:
    if not np.isfinite(row.get("placebo", np.nan)):
        return f"no placebo: {row['why']}; {_strong(row)}"
    if row["fires"]:
        return (
            f"the next score goes with {row['outcome']} before it (p = {row['p_value']:.2g}): "
            "satisfaction follows them, or something moves both"
        )
    return (
        f"the next score says nothing of {row['outcome']} before it (p = {row['p_value']:.2g}); "
        f"{_strong(row)}"
    )


def _strong(row: Mapping[Any, Any]) -> str:
    """What it would take to explain the effect away."""
    told = f"a cause left out would have to go with both by a ratio of {row['e_value']:.2f}"
    if not isinstance(row["robustness_value"], float) or np.isnan(row["robustness_value"]):
        return told
    told += f", or explain {100 * row['robustness_value']:.1f} per cent of what is left of both"
    if not isinstance(row["strongest"], str):
        return told
    left = (
        "none"
        if row["left_by_strongest"] <= 0
        else f"{100 * row['left_by_strongest']:.0f} per cent"
    )
    return f"{told}; one as strong as {row['strongest']} would leave {left} of the effect"


def _verdict(table: "pd.DataFrame", found: Effects) -> str:
    fired = table.loc[table["fires"], "outcome"].tolist()
    if fired:
        return (
            f"Association only: the score of the next answer goes with {', '.join(fired)} before "
            f"it. What a point of {found.score} goes with is not what raising it would bring."
        )
    tested = set(table.loc[table["placebo"].notna(), "outcome"])
    left_out = [name for name in found.table["outcome"] if name not in tested]
    untested = (
        f" Without a placebo, and so an association only: {', '.join(left_out)}."
        if left_out
        else ""
    )
    told = [
        row
        for row in table.to_dict("records")
        if row["e_value_interval"] > 1.0 and row["outcome"] in tested
    ]
    if not told:
        return f"No placebo fires, and no effect can be told from none.{untested}"
    weakest = min(told, key=lambda row: float(row["e_value_interval"]))
    return (
        f"No placebo fires. If nothing is left out of the controls ({found.controls}), the "
        f"effects on {', '.join(row['outcome'] for row in told)} are those of {found.score}; the "
        f"weakest of them, on {weakest['outcome']}, would fall to a cause that goes with both, "
        "the outcome and a standard deviation of the score, by a ratio of "
        f"{weakest['e_value_interval']:.2f}."
        f"{untested}"
    )
