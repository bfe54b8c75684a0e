"""Units by period of which some are treated from a period on: the table's contract, and its grid.

Treatment stays on once it has begun. A unit that was treated from the first period has nothing
before to be compared with: it is set aside, and counted. Rows without an outcome are left out, so
that a table from which they were dropped gives the same answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.covariates import read, record
from cxmodels.data.formulas import Formula, read_formula
from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.staggered_contract import problems_of
from cxmodels.numerics.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Layout:
    """Which column is what; one of first_treated (a period, empty for never) and treated (0 or 1
    in each row) says when treatment begins; cluster: of errors, above units; covariates: names of
    columns, or a formula; anticipation: periods before treatment in which it may already work."""

    outcome: str
    unit: str
    period: str
    first_treated: str | None = None
    treated: str | None = None
    cluster: str | None = None
    covariates: str | tuple[str, ...] = ()
    anticipation: int = 0

    def checked(self) -> "Layout":
        """The layout, if it can be one; else OptionError."""
        if (self.first_treated is None) == (self.treated is None):
            raise OptionError("give one of first_treated (a period) and treated (0 or 1 in a row)")
        told = self.anticipation
        if not isinstance(told, int | np.integer) or isinstance(told, bool) or told < 0:
            raise OptionError(f"anticipation {told!r} is not a whole number of periods from 0 on")
        return self

    @property
    def formula(self) -> str | None:
        """The covariates as a formula; None where there are none."""
        if isinstance(self.covariates, str):
            return self.covariates
        names = [n if n.isidentifier() else f"`{n}`" for n in self.covariates]
        return "~ " + " + ".join(names) if names else None

    @property
    def named(self) -> tuple[str, ...]:
        """Columns that a table must have, covariates aside."""
        found = (self.unit, self.period, self.outcome, self.first_treated, self.treated)
        return tuple(name for name in (*found, self.cluster) if name is not None)


@dataclass(frozen=True, eq=False)
class Rollout:
    """n units by T periods. y: (n, T), NaN where not seen; group: (n,) first treated period, inf
    for never; periods: (T,); units: (n,) names; cluster: (n,) from 0, None for units themselves;
    x: (n, T, k) covariates after a constant, NaN where not known, None without; names: (k,);
    account: units and rows used and set aside; anticipation; notes."""

    y: Floats
    group: Floats
    periods: Ints
    units: Any
    cluster: Ints | None
    x: Floats | None
    names: tuple[str, ...]
    account: "pd.DataFrame"
    anticipation: int
    notes: tuple[str, ...]

    @cached_property
    def seen(self) -> Bools:
        """(n, T) where an outcome is known."""
        return np.isfinite(self.y)

    @cached_property
    def groups(self) -> Floats:
        """First treated periods that some unit has, in order; inf, if there, is last."""
        return np.unique(self.group)

    @property
    def clusters(self) -> int | None:
        """How many clusters errors have, None if each unit is its own."""
        return None if self.cluster is None else int(self.cluster.max()) + 1

    def base_of(self, group: float) -> int:
        """Place of the last period that neither treatment nor its anticipation reaches."""
        return int(np.searchsorted(self.periods, group - self.anticipation)) - 1


def rollout_of(table: Any, layout: Layout) -> Rollout:
    """The grid of a table, one row a unit and period.

    Errors: OptionError for columns that are not there, DataError with every problem of the rows,
    FitError where no unit is treated after the first period.
    """
    import pandas as pd

    held = as_pandas(table).reset_index(drop=True)
    parsed = _checked(held, layout)
    y = pd.to_numeric(held[layout.outcome]).to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(y)
    given = len(held)
    if not known.all():
        held, y = held[known].reset_index(drop=True), y[known]
    if not len(held):
        raise DataError("roll-out", [Problem(f"no row has a known {layout.outcome}")])
    if not np.ptp(y) > 0.0:
        raise FitError(f"{layout.outcome} is {y[0]:g} in every row: there is nothing to compare")
    code, names = pd.factorize(held[layout.unit], sort=True)
    when = pd.to_numeric(held[layout.period]).to_numpy(dtype=np.int64)
    periods, column = _periods(when)
    place = (code.astype(np.int64), column)
    grid = np.full((len(names), periods.size), np.nan)
    grid[place] = y
    group, unclear = _group(held, layout, place, periods, len(names))
    x, labels = _covariates(held, parsed, place, grid.shape)
    kept, account, notes = _kept(grid, group, unclear, periods, (given, layout.anticipation))
    cluster = _cluster(held, layout, code, kept)
    group = group[kept]
    group, more = _later(group, periods, layout.anticipation)
    if not np.isfinite(group).any():
        raise FitError("no unit is treated after the first period: there is no effect to estimate")
    return Rollout(
        y=grid if kept.all() else grid[kept], group=group, periods=periods,
        units=np.asarray(names)[kept],
        cluster=cluster,
        x=None if x is None else x[kept], names=labels, account=account,
        anticipation=layout.anticipation, notes=(*notes, *more),
    )  # fmt: skip


def _checked(held: "pd.DataFrame", layout: Layout) -> Formula | None:
    """The formula of covariates, if any, once columns and rows are as they must be."""
    formula = layout.checked().formula
    parsed = None if formula is None else read_formula(formula, "covariates")
    wanted = [*layout.named, *(parsed.variables if parsed else ())]
    missing = [name for name in wanted if name not in held]
    if missing:
        listed = ", ".join(map(str, held.columns))
        raise OptionError(f"there is no column {missing[0]!r}. Columns: {listed}")
    twice = [name for name in wanted if (held.columns == name).sum() > 1]
    if twice:
        raise OptionError(f"several columns are called {twice[0]!r}")
    problems = list(problems_of(held, layout))
    if problems:
        raise DataError("roll-out", problems)
    return parsed


def _periods(when: Ints) -> tuple[Ints, Ints]:
    """Periods in order, and the place of each row's."""
    first, width = int(when.min()), int(np.ptp(when)) + 1
    if width > 10 * when.size + 1000:  # far apart: by sorting
        periods, column = np.unique(when, return_inverse=True)
    else:
        present = np.bincount(when - first, minlength=width) > 0
        periods = np.flatnonzero(present) + first
        column = (np.cumsum(present) - 1)[when - first]
    if periods.size < 2:
        raise FitError("outcomes are known in one period only: there is no change to compare")
    return periods, column.astype(np.int64)


def _group(
    held: "pd.DataFrame", layout: Layout, place: tuple[Ints, Ints], periods: Ints, units: int
) -> tuple[Floats, Bools]:
    """(n,) first treated period, inf for never; (n,) where that is not known: it lies in a gap."""
    import pandas as pd

    unit, column = place
    if layout.first_treated is not None:
        told = pd.to_numeric(held[layout.first_treated]).to_numpy(np.float64, na_value=np.inf)
        group = np.empty(units)
        group[unit] = told
        return group, np.zeros(units, dtype=np.bool_)
    on = pd.to_numeric(held[layout.treated]).to_numpy(dtype=np.float64) > 0.0
    first = np.full(units, periods.size, dtype=np.int64)
    np.minimum.at(first, unit[on], column[on])
    last = np.full(units, -1, dtype=np.int64)
    np.maximum.at(last, unit[~on], column[~on])
    treated = first < periods.size
    group = np.where(treated, periods[np.minimum(first, periods.size - 1)].astype(float), np.inf)
    return group, treated & (first - last > 1) & (first > 0)


def _later(group: Floats, periods: Ints, anticipation: int) -> tuple[Floats, tuple[str, ...]]:
    """Units that are treated after the last period are not treated yet in any that is seen."""
    later = np.isfinite(group) & (group - anticipation > periods[-1])
    if not later.any():
        return group, ()
    told = f"{int(later.sum()):,} units are treated after the last period: not yet, as seen here."
    return np.where(later, np.inf, group), (told,)


def _cluster(held: "pd.DataFrame", layout: Layout, code: Any, kept: Bools) -> Ints | None:
    """Cluster of each unit that is kept, from 0; None where each is its own."""
    import pandas as pd

    if layout.cluster is None:
        return None
    found, _ = pd.factorize(held[layout.cluster], sort=True)
    cluster = np.empty(kept.size, dtype=np.int64)
    cluster[code] = found
    names, own = np.unique(cluster[kept], return_inverse=True)
    if names.size == 1:
        raise FitError(f"errors clustered by {layout.cluster} need two clusters or more")
    return own.astype(np.int64)


def _covariates(
    held: "pd.DataFrame", parsed: Any, place: tuple[Ints, Ints], shape: tuple[int, int]
) -> tuple[Floats | None, tuple[str, ...]]:
    """(n, T, k) of a constant and what the formula makes, NaN where a value is not known."""
    if parsed is None:
        return None, ()
    whole = held[list(parsed.variables)].notna().all(axis=1).to_numpy()
    rows = held[whole]
    names, values = (), np.empty((len(rows), 0))
    if parsed.variables:
        variables = record(rows, parsed.variables, parsed.categories)
        columns = parsed.columns(read(rows, variables).reset_index(drop=True))
        names, values = columns.names, columns.values
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        first = int(np.flatnonzero(whole)[np.argmax(wrong)]) + 1
        what = "a covariate is not finite, as the log of 0"
        raise DataError("covariates", [Problem(what, int(wrong.sum()), f"known row {first:,}")])
    x = np.full((*shape, len(names) + 1), np.nan)
    unit, column = place
    x[unit[whole], column[whole]] = np.column_stack([np.ones(len(rows)), values])
    return x, ("const", *names)


def _kept(
    grid: Floats, group: Floats, unclear: Bools, periods: Ints, given: tuple[int, int]
) -> tuple[Bools, "pd.DataFrame", tuple[str, ...]]:
    """(n,) units that can be used, what became of all rows, and remarks."""
    import pandas as pd

    total, anticipation = given
    rows = np.isfinite(grid).sum(axis=1)
    early = ~unclear & (group - anticipation <= periods[0])
    items = [("rows without an outcome", 0, total - int(rows.sum()))]
    for what, which in (
        ("treated from the first period on", early),
        ("treatment began in a period without a row", unclear),
    ):
        items.append((what, int(which.sum()), int(rows[which].sum())))
    kept = ~early & ~unclear
    items.append(("used", int(kept.sum()), int(rows[kept].sum())))
    account = pd.DataFrame(items, columns=["item", "units", "rows"])
    notes: Iterable[str] = (
        f"{what}: {units:,} units, {lost:,} rows set aside." if units else f"{lost:,} {what}."
        for what, units, lost in items[:-1]
        if lost
    )
    return kept, account, tuple(notes)
