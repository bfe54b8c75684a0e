"""Columns of a regression out of a formula over a table, the same ones for other rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.covariates import Variable, read, record
from cxmodels.data.formulas import Formula, not_finite, read_formula
from cxmodels.errors import DataError, OptionError
from cxmodels.numerics.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd


FEWEST = 30  # rows of a quarter with a constant of its own


@dataclass(frozen=True, eq=False)
class Controls:
    """A formula with the columns it makes (names, constant first) and the quarters of `date` at
    which a new constant begins, the first the reference; a quarter of few rows has none of its own.
    """

    formula: Formula
    variables: tuple[Variable, ...]
    names: tuple[str, ...]
    quarters: tuple[int, ...]

    def matrix(self, table: "pd.DataFrame") -> Floats:
        """(n, k) for the rows of a table; DataError where it breaks what was recorded."""
        own = np.searchsorted(self.quarters, quarters_of(table), side="right") - 1
        parts = [np.ones(len(table))]
        if self.variables:
            columns = self.formula.columns(read(table, self.variables))
            problems = list(not_finite(columns, table))
            if problems:
                raise DataError("controls", problems)
            parts.append(columns.values)
        seasons = [(own == place).astype(np.float64) for place in range(1, len(self.quarters))]
        return np.column_stack([*parts, *seasons])


def controls_of(text: object, table: "pd.DataFrame") -> Controls:
    """The controls that a formula asks for on a table with a column `date`.

    Raises: OptionError for a formula that cannot be read or a column that is not there.
    """
    formula = read_formula(text, "controls")
    missing = [name for name in formula.variables if name not in table]
    if missing:
        listed = ", ".join(map(str, table.columns))
        raise OptionError(f"controls name {missing[0]!r}, which is no column. Columns: {listed}")
    variables = record(table, formula.variables, formula.categories)
    quarters = _starts(quarters_of(table))
    made = formula.columns(read(table.iloc[:1], variables)).names if variables else ()
    names = ("const", *made, *(f"quarter {_label(quarter)}" for quarter in quarters[1:]))
    return Controls(formula, variables, names, quarters)


def _starts(quarters: Any) -> tuple[int, ...]:
    """First quarters of groups with FEWEST rows or more; what is left over joins the last."""
    distinct, counts = np.unique(quarters, return_counts=True)
    starts, held = [int(distinct[0])], 0
    for quarter, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        if held >= FEWEST:
            starts.append(quarter)
            held = 0
        held += count
    return tuple(starts if held >= FEWEST or len(starts) == 1 else starts[:-1])


def quarters_of(table: "pd.DataFrame") -> Any:
    """(n,) quarters since 1970 of the column `date`."""
    return table["date"].to_numpy().astype("datetime64[M]").astype(np.int64) // 3


def _label(quarter: int) -> str:
    return f"{1970 + quarter // 4}-Q{quarter % 4 + 1}"
