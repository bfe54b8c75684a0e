"""Units of two arms of which only some have an outcome, as columns: survey answers, mostly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.observed_groups import LARGEST, told
from cxmodels.numerics.arrays import Bools, Floats

WHAT = "test"
FEWEST = 10  # answers of an arm


@dataclass(frozen=True, eq=False)
class Answers:
    """held: the table, rows in its order; treated, known (n,); y (n,): outcomes, 0 where unknown;
    arm, control: names of the two."""

    held: pd.DataFrame
    treated: Bools
    known: Bools
    y: Floats
    arm: str
    control: str

    @property
    def rate(self) -> tuple[float, float]:
        """Share whose outcome is known, control first."""
        return float(self.known[~self.treated].mean()), float(self.known[self.treated].mean())

    def naive(self) -> tuple[float, float]:
        """Difference of the means of those who answered, and its error."""
        parts = [self.y[self.known & (self.treated == side)] for side in (False, True)]
        error = sum(float(part.var(ddof=1)) / part.size for part in parts) ** 0.5
        return float(parts[1].mean() - parts[0].mean()), error


def answers_of(table: Any, arm: str, control: Any, outcome: str, others: list[str]) -> Answers:
    """The units of a table with one row each; `others` are columns that must be there, too.

    Raises: DataError with every problem; FitError for fewer than 10 answers of an arm.
    """
    given, named = as_pandas(table).reset_index(drop=True), [arm, outcome, *others]
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        raise OptionError(f"column {twice[0]!r} plays two parts: give each its own")
    missing = [name for name in named if list(given.columns).count(name) != 1]
    if missing:
        listed = f"Columns: {', '.join(map(str, given.columns))}"
        raise DataError(WHAT, [Problem(f"there is no one column {name!r}", remedy=listed)
                               for name in missing])  # fmt: skip
    if given.empty:
        raise DataError(WHAT, [Problem("the table is empty")])
    numbers = pd.to_numeric(given[outcome], errors="coerce")
    y = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    problems = [
        *_arms(given[arm], control),
        *told(f"arm {arm!r} is missing", given[arm].isna(), "Remove units that were not assigned"),
        *told(f"outcome {outcome!r} is no number", numbers.isna() & given[outcome].notna(),
              "Leave empty what is not known"),
        *told(f"outcome {outcome!r} is infinite, or beyond 1e100", np.abs(y) > LARGEST),
    ]  # fmt: skip
    if problems:
        raise DataError(WHAT, problems)
    treated, known = (given[arm] != control).to_numpy(dtype=bool), np.isfinite(y)
    for name, own in ((control, ~treated), ("the other", treated)):
        count = int(known[own].sum())
        if count < FEWEST:
            raise FitError(f"{outcome!r} is known of {count} units of arm {name!r}, where {FEWEST} "
                           "are the least")  # fmt: skip
    other = str(given.loc[treated, arm].iloc[0])
    return Answers(given, treated, known, np.where(known, y, 0.0), other, str(control))


def _arms(column: "pd.Series[Any]", control: Any) -> Iterator[Problem]:
    found = list(pd.unique(column.dropna()))
    listed = f"Arms: {', '.join(map(str, found[:5]))}" + (", ..." if len(found) > 5 else "")
    if control not in found:
        yield Problem(f"no unit is in the control arm {control!r}", remedy=listed)
    elif len(found) != 2:
        yield Problem(f"{len(found)} arm{'' if len(found) == 1 else 's'} where two are compared",
                      remedy=f"Give the rows of two arms. {listed}")  # fmt: skip
