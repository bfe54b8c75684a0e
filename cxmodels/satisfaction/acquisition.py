"""Does a satisfied base make new customers cheaper? The cost of acquisition on the score a quarter
before, channel by channel.

The score varies by channel and quarter only, so these cells are what can be learnt from: errors are
clustered by cell, and intervals are those of a t distribution with as many degrees of freedom as
there are cells beyond the coefficients. A cell's mean is read with the sampling error of its
answers, for which the effect is corrected.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.surveys import SurveyBase, one_of
from cxmodels.errors import DataError, FitError, Problem
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.covariance import clustered
from cxmodels.regression.generalised_linear import Kind, regress
from cxmodels.results.estimate import check_level

if TYPE_CHECKING:
    import pandas as pd

FEWEST_CELLS = 8
FEWEST_ANSWERS = 2  # of a cell: one shows no spread


def acquisition_cost(
    surveys: SurveyBase,
    customers: Any,
    *,
    score: str,
    cost: str = "acquisition_cost",
    joined: str = "joined",
    channel: str = "channel",
    level: float = 0.9,
) -> "pd.DataFrame":
    """What a point of a channel's mean score goes with in the cost of its next new customers.

    customers: a table with customer_id, the day each joined, the channel, and what each cost (empty
    where unknown: left out, and counted). A customer who joined in a quarter meets the mean score
    of their channel in the quarter before.
    Returns: one row: naive (without channels), controlled, corrected (logs a point), std_error,
    lower, upper, p_value, per_cent with its interval, reliability (of cell means within channels),
    cells, customers, left_out.
    Errors: DataError for columns that are missing, FitError for fewer than 8 cells beyond channels.
    """
    import pandas as pd

    check_level(level)
    one_of(surveys, score)
    table = _table(customers, cost, joined, channel)
    means = _means(surveys, table, score, channel)
    new = table[table[cost].notna() & (table[cost] > 0)]
    before = new[joined] - pd.DateOffset(months=3)
    new = new.assign(quarter=before.dt.to_period("Q").astype(str))
    new = new.merge(means, on=[channel, "quarter"])
    if not len(new):
        raise FitError(
            f"of {len(table):,} customers {int((table[cost] > 0).sum()):,} have a cost above 0, "
            f"and none of them joined a quarter after answers of their {channel}"
        )
    row = _fitted(new, cost, channel, level)
    return pd.DataFrame([row | {"customers": len(new), "left_out": len(table) - len(new)}])


def _table(customers: Any, cost: str, joined: str, channel: str) -> "pd.DataFrame":
    """customer_id, and the three columns under their names; DataError with every problem."""
    import pandas as pd

    given = as_pandas(customers).reset_index(drop=True)
    wanted = ["customer_id", cost, joined, channel]
    listed = f"Columns: {', '.join(map(str, given.columns))}"
    missing = [name for name in wanted if list(given.columns).count(name) != 1]
    if missing:
        problems = [Problem(f"there is no one column {name!r}") for name in missing]
        raise DataError("customers", [*problems[:-1], replace(problems[-1], remedy=listed)])
    table = given[wanted].copy()
    table[cost] = pd.to_numeric(given[cost], errors="coerce")
    table[joined] = pd.to_datetime(given[joined], errors="coerce", format="ISO8601")
    rules: tuple[tuple[str, pd.Series[Any]], ...] = (
        ("customer_id occurs more than once", table["customer_id"].duplicated()),
        (f"{cost} is no number", table[cost].isna() & given[cost].notna()),
        (f"{cost} is infinite", table[cost].abs() == np.inf),
        (f"{cost} is below 0", table[cost] < 0),
        (f"{joined} is missing or no day", table[joined].isna()),
        (f"{channel} is missing", table[channel].isna()),
    )
    problems = []
    for what, broken in rules:
        if broken.any():
            place = int(np.flatnonzero(broken.to_numpy())[0])
            first = f"row {place + 1:,}: customer_id={table['customer_id'].iloc[place]}"
            problems.append(Problem(what, int(broken.sum()), first))
    if problems:
        raise DataError("customers", problems)
    return table


def _means(surveys: SurveyBase, table: "pd.DataFrame", score: str, channel: str) -> "pd.DataFrame":
    """Mean score and its sampling variance, by channel and quarter."""
    answers = surveys.table[surveys.table[score].notna()]
    answers = answers.merge(table[["customer_id", channel]], on="customer_id")
    answers = answers.assign(quarter=answers["date"].dt.to_period("Q").astype(str))
    told = answers.groupby([channel, "quarter"])[score].agg(["mean", "var", "size"]).reset_index()
    told = told[told["size"] >= FEWEST_ANSWERS]
    told["noise"] = told["var"] / told["size"]
    return told.rename(columns={"mean": "score"})[[channel, "quarter", "score", "noise"]]


def _fitted(new: "pd.DataFrame", cost: str, channel: str, level: float) -> dict[str, Any]:
    import pandas as pd

    cell, _ = pd.factorize(new[channel].astype(str) + "|" + new["quarter"])
    cells = int(cell.max()) + 1
    names = sorted(new[channel].astype(str).unique())
    dummies = [(new[channel].astype(str) == name).to_numpy(np.float64) for name in names[1:]]
    degrees = cells - 2 - len(dummies)
    if degrees < FEWEST_CELLS:
        raise FitError(
            f"{cells} cells of channel and quarter are too few to tell an effect of their score: "
            f"{FEWEST_CELLS + 2 + len(dummies)} are the least with {len(names)} channels"
        )
    y, read = new[cost].to_numpy(np.float64), new["score"].to_numpy(np.float64)
    one = np.ones(len(new))
    naive = regress(y, np.column_stack([read, one]), ("score", "const"), Kind.AMOUNT)
    x = np.column_stack([read, one, *dummies])
    fit = regress(y, x, ("score", "const", *names[1:]), Kind.AMOUNT)
    few = np.sqrt((cells - 1.0) / degrees)  # cells are few: each coefficient costs one
    spread = few * float(clustered(fit, x, cell, cells).errors[0])
    share = _reliability(read, new["noise"].to_numpy(np.float64), x[:, 1:])
    value, error = float(fit.coefficients[0]) / share, spread / share
    half = float(scipy.special.stdtrit(degrees, (1.0 + level) / 2.0)) * error
    lower, upper = value - half, value + half
    return {
        "naive": float(naive.coefficients[0]),
        "controlled": float(fit.coefficients[0]),
        "corrected": value,
        "std_error": error,
        "lower": lower,
        "upper": upper,
        "p_value": float(2.0 * scipy.special.stdtr(degrees, -abs(value) / error)),
        "per_cent": 100.0 * np.expm1(value),
        "per_cent_lower": 100.0 * np.expm1(lower),
        "per_cent_upper": 100.0 * np.expm1(upper),
        "reliability": share,
        "cells": cells,
    }


def _reliability(read: Floats, noise: Floats, controls: Floats) -> float:
    """1 less the sampling variance of cell means over their variance within channels."""
    slopes, *_ = np.linalg.lstsq(controls, read, rcond=None)
    within = float(((read - controls @ slopes) ** 2).mean())
    share = 1.0 - float(noise.mean()) / within if within > 0.0 else 0.0
    if share <= 0.1:
        raise FitError(
            "mean scores of channels differ over quarters by no more than their sampling error: "
            "more answers a quarter are needed"
        )
    return share
