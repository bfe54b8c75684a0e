"""A table whose units were treated from a cutoff on, read into its two sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.local_polynomials import Side
from cxmodels.experiments.observed_groups import LARGEST, WHAT, told
from cxmodels.numerics.arrays import Floats

FEWEST = 10  # units on a side


@dataclass(frozen=True, eq=False)
class CutoffRows:
    """held: the table; running: name of the score; cutoff; x (n,) its distance, NaN where the score
    is missing."""

    held: pd.DataFrame
    running: str
    cutoff: float
    x: Floats

    def sides(self, outcome: str) -> tuple[Side, Side, int]:
        """Below and from the cutoff on, ascending; how many rows lack the score or outcome.

        Errors: OptionError; DataError.
        """
        if outcome == self.running:
            raise OptionError(f"column {outcome!r} is what the cutoff is on, and cannot be the "
                              "outcome as well")  # fmt: skip
        y, problems = read_numbers(self.held, outcome, "outcome")
        if problems:
            raise DataError(WHAT, problems)
        known = np.isfinite(self.x) & np.isfinite(y)
        x, y = self.x[known], y[known]
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        problems = list(_few(x, self.running, self.cutoff))
        if len(y) and np.ptp(y) == 0.0:
            problems.append(Problem(f"outcome {outcome!r} is the same for every unit"))
        if len(x) and np.ptp(x) < 1.0 / LARGEST:
            problems.append(Problem(f"score {self.running!r} is the same for every unit"))
        if problems:
            raise DataError(WHAT, problems)
        below = x < 0.0
        left, right = Side(x[below], y[below]), Side(x[~below], y[~below])
        return left, right, int((~known).sum())


def cutoff_rows(table: Any, running: str, cutoff: float) -> CutoffRows:
    """The table with its score as a distance to the cutoff. Errors: DataError; OptionError."""
    good = isinstance(cutoff, int | float | np.number) and not isinstance(cutoff, bool)
    if not good or not np.isfinite(cutoff):
        raise OptionError(f"cutoff {cutoff!r} is no number")
    held = as_pandas(table).reset_index(drop=True)
    x, problems = read_numbers(held, running, "score")
    if problems:
        raise DataError(WHAT, problems)
    return CutoffRows(held, running, float(cutoff), x - float(cutoff))


def read_numbers(held: pd.DataFrame, name: str, role: str) -> tuple[Floats, list[Problem]]:
    """(n,) values of a column, NaN where missing, and what is wrong with it."""
    if list(held.columns).count(name) != 1:
        listed = f"Columns: {', '.join(map(str, held.columns))}"
        return np.zeros(0), [Problem(f"there is no one column {name!r}", remedy=listed)]
    column = held[name]
    if pd.api.types.is_datetime64_any_dtype(column):
        return np.zeros(0), [Problem(f"{role} {name!r} holds dates",
                                     remedy="Give days from the cutoff, as numbers")]  # fmt: skip
    numbers = pd.to_numeric(column, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    problems = [
        *told(f"{role} {name!r} is no number", numbers.isna() & column.notna()),
        *told(f"{role} {name!r} is infinite, or beyond 1e100", np.abs(values) > LARGEST),
    ]
    return values, problems


def _few(x: Floats, running: str, cutoff: float) -> Iterator[Problem]:
    for words, count in (("below", int((x < 0.0).sum())), ("from", int((x >= 0.0).sum()))):
        if count < FEWEST:
            reach = "No row has both"
            if len(x):
                reach = f"{running!r} runs from {x[0] + cutoff:g} to {x[-1] + cutoff:g}"
            place = f"{words} {cutoff:g}" + (" on" if words == "from" else "")
            yield Problem(f"{count} unit{'' if count == 1 else 's'} {place} with score and "
                          f"outcome, where {FEWEST} are the least",
                          remedy=reach)  # fmt: skip
