"""What is known of customers beside their purchases: numbers and categories, recorded and replayed.

The levels of a category and the kind of each column are recorded when a model is fitted and held to
when it predicts: a missing value, a new level or a text in a column of numbers is told with counts
and the first customer, never guessed at (the contract of the R package hardhat).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.profiles import Bools, Floats, Ints
from cxmodels.errors import DataError, Problem

if TYPE_CHECKING:
    import pandas as pd

Level = str | bool | int | float
MOST_LEVELS = 200  # of a category: beyond, it is an identifier rather than a kind of customer
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}


@dataclass(frozen=True)
class Variable:
    """A covariate as recorded at fit: its levels, the reference first, or None for a number."""

    name: str
    levels: tuple[Level, ...] | None = None


def record(
    table: "pd.DataFrame", names: Iterable[str], categories: Iterable[str]
) -> tuple[Variable, ...]:
    """The covariates of a base as they are now; `categories` are so even where they are numbers.

    Levels come in the order of a pandas Categorical, else sorted.
    Raises DataError where a column is not there, holds missing values, or is no covariate.
    """
    kept, problems = list(dict.fromkeys(names)), []
    listed = ", ".join(map(str, table.columns))
    for name in kept:
        if name not in table:
            remedy = (
                "Keep it with customer_base(..., covariates=[...]), or join it with "
                f"base.with_covariates(frame). Columns: {listed}"
            )
            problems.append(Problem(f"the base has no column {name!r}", remedy=remedy))
        elif table[name].isna().any():
            problems.append(_told(table, name, f"{name} is missing", table[name].isna().to_numpy()))
    if problems:
        raise DataError("covariates", problems)
    fixed = frozenset(categories)
    found = [_variable(table[name], name in fixed) for name in kept]
    problems = [item for item in found if isinstance(item, Problem)]
    if problems:
        raise DataError("covariates", problems)
    return tuple(item for item in found if isinstance(item, Variable))


def _variable(column: "pd.Series[Any]", category: bool) -> "Variable | Problem":
    import pandas as pd

    name, kind = str(column.name), pd.api.types.infer_dtype(column, skipna=True)
    ordered = isinstance(column.dtype, pd.CategoricalDtype)
    if kind in NUMBERS and not category and not ordered:
        return Variable(name)
    values = column.unique().tolist()
    if not all(isinstance(value, str | bool | int | float) for value in values):
        odd = next(value for value in values if not isinstance(value, str | bool | int | float))
        return Problem(
            f"{name} is neither a number nor a category: it holds {odd!r}",
            remedy="Make a column of numbers or of text of it.",
        )
    if len(values) > MOST_LEVELS:
        return Problem(
            f"{name} has {len(values):,} levels, more than {MOST_LEVELS}",
            remedy="Join levels, or use a number.",
        )
    if ordered:
        return Variable(name, tuple(v for v in column.cat.categories.tolist() if v in set(values)))
    try:
        return Variable(name, tuple(sorted(values)))
    except TypeError:
        return Problem(f"{name} mixes text and numbers", remedy="Make all of it one or the other.")


def read(table: "pd.DataFrame", variables: Iterable[Variable]) -> "pd.DataFrame":
    """The covariates of a table, held to the record: floats, and categories with all levels.

    Raises DataError with every problem: columns not there, values missing, levels unseen at fit.
    """
    import pandas as pd

    kept, problems = tuple(variables), []
    columns: dict[str, Any] = {}
    for variable in kept:
        if variable.name not in table:
            problems.append(
                Problem(
                    f"there is no column {variable.name!r}, which the fit used",
                    remedy="Keep it with customer_base(..., covariates=[...]), or join it with "
                    "base.with_covariates(frame).",
                )
            )
            continue
        problems += _breaches(table, variable)
        if variable.levels is None:
            columns[variable.name] = _numbers(table, variable.name)
        else:
            values = table[variable.name].astype(object)
            columns[variable.name] = pd.Categorical(
                values.where(values.isin(variable.levels)), categories=list(variable.levels)
            )
    if problems:
        raise DataError("covariates", problems)
    return pd.DataFrame(columns)


def _breaches(table: "pd.DataFrame", variable: Variable) -> Iterator[Problem]:
    name, column = variable.name, table[variable.name]
    missing = column.isna().to_numpy()
    if missing.any():
        yield _told(table, name, f"{name} is missing", missing)
    if variable.levels is None:
        wrong = ~np.isfinite(_numbers(table, name)) & ~missing
        if wrong.any():
            yield _told(table, name, f"{name} is not a finite number", wrong)
        return
    new = ~column.astype(object).isin(variable.levels).to_numpy() & ~missing
    if new.any():
        known = ", ".join(map(repr, variable.levels[:10]))
        more = "" if len(variable.levels) <= 10 else f" and {len(variable.levels) - 10} more"
        remedy = f"Known: {known}{more}. Fit again with the new level, or give it a known one."
        yield _told(table, name, f"{name} has a level that the fit has not seen", new, remedy)


def _numbers(table: "pd.DataFrame", name: str) -> Floats:
    import pandas as pd

    values: Floats = pd.to_numeric(table[name].astype(object), errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    return values


def _told(table: "pd.DataFrame", name: str, what: str, wrong: Bools, remedy: str = "") -> Problem:
    place = int(np.argmax(wrong))
    who = f"customer {table['customer_id'].iloc[place]}: " if "customer_id" in table else ""
    value = table[name].iloc[place]
    shown = value.item() if isinstance(value, np.generic) else value
    return Problem(what, int(wrong.sum()), f"{who}{shown!r}", remedy)


def distinct(frame: "pd.DataFrame") -> tuple[Ints, Ints]:
    """Which distinct row of covariates each customer has (n,), and where each first stands."""
    import pandas as pd

    key = np.zeros(len(frame), dtype=np.int64)
    for name in frame.columns:
        codes, values = pd.factorize(frame[name])
        key, _ = pd.factorize(key * max(1, len(values)) + codes)
    first = np.full(int(key.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[key[::-1]] = np.arange(key.size)[::-1]
    return key.astype(np.int64), first
