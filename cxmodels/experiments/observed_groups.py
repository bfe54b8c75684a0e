"""Units that were treated and units that were not, with what was known before, as columns.

Numbers stay as they are; text and categories become a column of 0 and 1 a level. Units that lack
the arm or a covariate are left out and counted; outcomes are read later, when asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Bools, Floats, Ints

WHAT = "table"
LARGEST = 1e100  # squares of larger numbers leave the range of arithmetic
LEVELS = 30  # of a text beyond which it is a name, and no category
FEWEST = 3  # units of an arm


@dataclass(frozen=True, eq=False)
class Covariate:
    """One column that the user named: its values as (n,) numbers, or codes from 0 of its levels."""

    name: str
    values: Floats
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Groups:
    """treated (n,); covariates as named; names (k,) and values (n, k) of their columns, a level of
    a category each; design: which of them tell all (a category without its first level); place:
    (n,) rows of the table held; arm: name of the treated one; lost: rows left out."""

    treated: Bools
    covariates: tuple[Covariate, ...]
    names: tuple[str, ...]
    values: Floats
    design: Bools
    place: Ints
    held: pd.DataFrame
    arm: str
    control: str
    lost: int

    @property
    def x(self) -> Floats:
        """(n, d) columns that do not follow from each other by construction."""
        return self.values[:, self.design]

    @property
    def x_names(self) -> tuple[str, ...]:
        """Names of the columns of x."""
        return tuple(name for name, kept in zip(self.names, self.design, strict=True) if kept)

    def outcome(self, name: str) -> Floats:
        """(n,) values of a column of the table. DataError where one is not a finite number."""
        if list(self.held.columns).count(name) != 1:
            listed = ", ".join(map(str, self.held.columns))
            raise OptionError(f"there is no one column {name!r}. Columns: {listed}")
        column = self.held[name].iloc[self.place]
        numbers = pd.to_numeric(column, errors="coerce")
        y = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        problems = [
            *told(f"outcome {name!r} is no number", numbers.isna() & column.notna()),
            *told(f"outcome {name!r} is missing", column.isna(),
                  "Leave those rows out before balancing, or fill them from their source"),
            *told(f"outcome {name!r} is infinite, or beyond 1e100", np.abs(y) > LARGEST),
        ]  # fmt: skip
        if problems:
            raise DataError(WHAT, problems)
        return y


def groups_of(table: Any, arm: str, control: Any, covariates: Iterable[str] | str) -> Groups:
    """The two arms and the covariates of a table with one row a unit.

    Raises: DataError with every problem of the table; OptionError for names that cannot be.
    """
    given = as_pandas(table).reset_index(drop=True)
    names = [covariates] if isinstance(covariates, str) else list(dict.fromkeys(covariates))
    if not names:
        raise OptionError("covariates= names the columns to balance: give one or more")
    if arm in names:
        raise OptionError(f"column {arm!r} is the arm, and cannot be a covariate as well")
    missing = [name for name in (arm, *names) if list(given.columns).count(name) != 1]
    if missing:
        listed = f"Columns: {', '.join(map(str, given.columns))}"
        raise DataError(WHAT, [Problem(f"there is no one column {name!r}", remedy=listed)
                               for name in missing])  # fmt: skip
    problems = list(_arm_problems(given[arm], control))
    read = [_covariate(given[name], name) for name in names]
    problems += [problem for _, found in read for problem in found]
    if problems:
        raise DataError(WHAT, problems)
    known = given[arm].notna().to_numpy(dtype=bool)
    for column, _ in read:
        known = known & np.isfinite(column.values)
    place = np.flatnonzero(known)
    own = [_kept(column, place) for column, _ in read]
    treated = (given[arm] != control).to_numpy(dtype=bool)[place]
    problems = list(_left(treated, own))
    if problems:
        raise DataError(WHAT, problems)
    other = next(value for value in given[arm].dropna().unique() if value != control)
    return _groups(treated, own, place, (given, str(other), str(control)))


def _groups(
    treated: Bools, covariates: list[Covariate], place: Ints, rest: tuple[pd.DataFrame, str, str]
) -> Groups:
    names: list[str] = []
    values, design = [], []
    for column in covariates:
        if not column.levels:
            names.append(column.name)
            values.append(column.values)
            design.append(True)
        for level, label in enumerate(column.levels):
            names.append(f"{column.name}[{label}]")
            values.append((column.values == level).astype(np.float64))
            design.append(level > 0)
    held, arm, control = rest
    return Groups(treated, tuple(covariates), tuple(names), np.column_stack(values),
                  np.array(design), place, held, arm, control, len(held) - len(place))  # fmt: skip


def _arm_problems(column: "pd.Series[Any]", control: Any) -> Iterator[Problem]:
    found = list(pd.unique(column.dropna()))
    listed = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    if control not in found:
        remedy = f"Arms: {listed}" if found else "The column of arms is empty"
        yield Problem(f"no unit is in the control arm {control!r}", remedy=remedy)
    elif len(found) != 2:
        yield Problem(f"{len(found)} arm{'' if len(found) == 1 else 's'} where two are compared",
                      remedy=f"Give the rows of two arms. Arms: {listed}")  # fmt: skip


def _covariate(column: "pd.Series[Any]", name: str) -> tuple[Covariate, list[Problem]]:
    """A column as numbers (NaN: missing), or as codes of its levels."""
    numbers = pd.to_numeric(column, errors="coerce")
    dated = pd.api.types.is_datetime64_any_dtype(column)
    if not dated and (numbers.notna() | column.isna()).all():
        values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        endless = np.abs(values) > LARGEST
        problems = list(told(f"covariate {name!r} is infinite, or beyond 1e100", endless))
        return Covariate(name, values), problems
    codes, levels = pd.factorize(column.astype("str").where(column.notna()), sort=True)
    values = np.where(codes < 0, np.nan, codes.astype(np.float64))
    problems = []
    if dated or len(levels) > LEVELS:
        said = "holds dates" if dated else f"holds {len(levels):,} different texts"
        remedy = "Give numbers, or join its rare values: 30 are the most"
        problems.append(Problem(f"covariate {name!r} {said}", remedy=remedy))
    return Covariate(name, values, tuple(map(str, levels))), problems


def _kept(column: Covariate, place: Ints) -> Covariate:
    """The column on the rows that are used, with the levels that are left."""
    values = column.values[place]
    if not column.levels:
        return Covariate(column.name, values)
    seen, codes = np.unique(values.astype(np.int64), return_inverse=True)
    levels = tuple(column.levels[code] for code in seen.tolist())
    return Covariate(column.name, codes.astype(np.float64), levels)


def _left(treated: Bools, covariates: list[Covariate]) -> Iterator[Problem]:
    for label, own in (("treated", treated), ("control", ~treated)):
        count = int(own.sum())
        if count < FEWEST:
            yield Problem(f"{count} {label} unit{'' if count == 1 else 's'} with all covariates, "
                          f"where {FEWEST} are the least")  # fmt: skip
    for column in covariates if len(treated) else ():
        if np.ptp(column.values) == 0.0:
            yield Problem(f"covariate {column.name!r} is the same for every unit",
                          remedy="Leave it out")  # fmt: skip


def told(what: str, broken: Any, remedy: str = "") -> Iterator[Problem]:
    """A problem with its count and first row, if any row has it."""
    flags = np.asarray(broken, dtype=bool)
    if flags.any():
        first = f"row {int(np.flatnonzero(flags)[0]) + 1:,}"
        yield Problem(what, int(flags.sum()), first, remedy)
