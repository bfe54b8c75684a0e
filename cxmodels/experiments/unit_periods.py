"""A long table of units and periods as a full grid, with who was treated and from when on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.numerics.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # names listed in an error
MOST = 1e100  # of what is squared and summed
REFUSE, ZERO = "refuse", "zero"  # what a row that is not there means


@dataclass(frozen=True)
class Names:
    """The user's columns: outcome, unit, period, and any others that are numbers."""

    outcome: str
    unit: str
    period: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Grid:
    """Units by periods: Y (N, T) outcomes, units and periods as the user names them, treated (n,)
    places of treated units, start: place of the first treated period; outcome: its name; held: the
    checked table, with columns unit and period as numbers of the grid."""

    Y: Floats
    units: tuple[Any, ...]
    periods: tuple[Any, ...]
    treated: Ints
    start: int
    outcome: str
    held: "pd.DataFrame"

    @property
    def donors(self) -> Ints:
        """Places of units that were not treated."""
        return np.setdiff1d(np.arange(len(self.units)), self.treated)

    def matrix(self, column: str, names: Names) -> Floats:
        """(N, T) another column, 0 where it is not known."""
        import pandas as pd

        found = np.zeros(self.Y.shape)
        numbers = pd.to_numeric(self.held[column]).to_numpy(dtype=np.float64, na_value=0.0)
        found[self.held[names.unit], self.held[names.period]] = np.nan_to_num(numbers)
        return found

    @property
    def treated_name(self) -> str:
        """The treated units in words."""
        if self.treated.size == 1:
            return str(self.units[int(self.treated[0])])
        return f"{self.treated.size:,} treated units"

    def place(self, name: str, period: Any, *, after: bool = False) -> int:
        """Place of the first period at or after one that the user names; after: behind it."""
        import pandas as pd

        dates = isinstance(self.periods[0], pd.Timestamp)
        try:
            given = pd.Timestamp(period) if dates else float(period)
            if pd.isna(given):
                raise ValueError
            return sum(1 for known in self.periods if known < given or (after and known == given))
        except (TypeError, ValueError):
            kind = "a date" if dates else "a number"
            raise OptionError(f"{name} {period!r} is not {kind}, as the periods are") from None


def grid_of(
    table: Any, names: Names, treated: Any, start: Any, *, absent: str = REFUSE, donors: int = 2
) -> Grid:
    """The grid of a table with one row a unit and period.

    treated: the name of a unit, or several; start: the first period in which they are treated;
    absent: what a row that is not there means, "refuse" or "zero"; donors: the fewest untreated.
    Raises: DataError with every problem of the table; OptionError for a column, unit or period that
    is not there; FitError for an outcome that never varies.
    """
    import pandas as pd

    held = frame_of(table, (names.unit, names.period, names.outcome, *names.others))
    unit, when = held[names.unit], periods_of(held[names.period])
    problems = list(_problems(held, names, when))
    if problems:
        raise DataError("table", problems)
    code, units = _numbered(unit)
    place, found = pd.factorize(when, sort=True)
    periods = list(found)
    problems = [] if absent == ZERO else list(_gaps(code, place, (units, periods), names))
    if problems:
        raise DataError("table", problems)
    Y = np.zeros((len(units), len(periods)))
    Y[code, place] = pd.to_numeric(held[names.outcome]).to_numpy(dtype=np.float64)
    if np.ptp(Y) == 0.0:
        raise FitError(f"{names.outcome} is {Y[0, 0]:g} in every row: nothing can be compared")
    if all(isinstance(at, float) and at.is_integer() for at in periods):
        periods = [int(at) for at in periods]
    known = held.assign(**{names.unit: code, names.period: place})
    chosen = _chosen(treated, units, names.unit)
    grid = Grid(Y, tuple(units), tuple(periods), chosen, 0, names.outcome, known)
    return _started(grid, start, donors)


def frame_of(table: Any, names: Iterable[str]) -> "pd.DataFrame":
    """A copy of the table, once it is known to have the columns."""
    held = as_pandas(table).reset_index(drop=True)
    wanted = list(dict.fromkeys(names))
    listed = ", ".join(map(str, held.columns))
    for name in wanted:
        if list(held.columns).count(name) != 1:
            told = "there is no" if name not in held.columns else "there is more than one"
            raise OptionError(f"{told} column {name!r}. Columns: {listed}")
    if not len(held):
        raise DataError("table", [Problem("the table is empty")])
    return held


def periods_of(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as numbers or days; what is neither becomes missing."""
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.Series(column.dt.to_timestamp())
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(np.nan, index=column.index)
    if pd.api.types.is_datetime64_any_dtype(column):
        local = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return pd.Series(local)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
        return pd.Series(numbers.where(np.isfinite(numbers)))
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    if (numbers.notna() | column.isna()).all():
        return pd.Series(numbers.where(np.isfinite(numbers)))
    dated = column.map(lambda cell: cell if isinstance(cell, str | date) else None)
    days = pd.to_datetime(dated, errors="coerce", format="ISO8601")
    return pd.Series(days if days.dt.tz is None else days.dt.tz_localize(None))


def _numbered(unit: "pd.Series[Any]") -> tuple[Ints, list[Any]]:
    """Units from 0 in order of their names, whatever the order of rows."""
    names = list(dict.fromkeys(unit.tolist()))
    try:
        names.sort()
    except TypeError:
        names.sort(key=lambda name: (type(name).__name__, str(name)))
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[name] for name in unit.tolist()], dtype=np.int64), names


def _problems(held: "pd.DataFrame", names: Names, when: "pd.Series[Any]") -> Iterator[Problem]:
    """What no row may be."""
    keys = (names.unit, names.period)
    unit = held[names.unit]
    yield from told(f"{names.unit} is missing", unit.isna(), held, keys)
    yield from told(f"{names.period} is neither a number nor a date", when.isna(), held, keys)
    twice = held.assign(**{names.period: when}).duplicated(list(keys)) & unit.notna() & when.notna()
    yield from told(f"a {names.unit} has two rows in one {names.period}", twice, held, keys,
                    "Sum or average them first")  # fmt: skip
    yield from number_problems(held, names.outcome, keys)
    for name in names.others:
        yield from number_problems(held, name, keys, may_miss=True)


def number_problems(
    held: "pd.DataFrame", name: str, keys: tuple[str, ...], *, may_miss: bool = False
) -> Iterator[Problem]:
    """Cells of a column that are no finite numbers."""
    import pandas as pd

    numbers = pd.to_numeric(held[name], errors="coerce")
    text = numbers.isna() & held[name].notna()
    yield from told(f"{name} is no number", text, held, (*keys, name))
    size = pd.Series(np.abs(numbers.to_numpy(dtype=np.float64, na_value=np.nan)))
    yield from told(f"{name} is infinite, or too large to square", size > MOST, held, keys)
    if not may_miss:
        yield from told(f"{name} is missing", held[name].isna(), held, keys,
                        "Fill it from its source, or leave the unit out")  # fmt: skip


def told(
    what: str,
    broken: "pd.Series[Any]",
    held: "pd.DataFrame",
    names: Iterable[str],
    remedy: str = "",
) -> Iterator[Problem]:
    """A problem with its count and first row, if any row has it."""
    flags: Bools = broken.to_numpy(dtype=bool)
    if flags.any():
        place = int(np.flatnonzero(flags)[0])
        row = held.iloc[place]
        first = ", ".join(f"{name}={row[name]}" for name in dict.fromkeys(names))
        yield Problem(what, int(flags.sum()), f"row {place + 1:,}: {first}", remedy)


def _gaps(
    code: Ints, place: Ints, known: tuple[list[Any], list[Any]], names: Names
) -> Iterator[Problem]:
    """Units that lack a period which others have."""
    units, periods = known
    seen = np.zeros((len(units), len(periods)), dtype=bool)
    seen[code, place] = True
    lacking = np.flatnonzero(~seen.all(axis=1))
    if lacking.size:
        first = lacking[0]
        when = periods[int(np.flatnonzero(~seen[first])[0])]
        count = int((~seen).sum())
        yield Problem(
            f"{lacking.size:,} of {len(units):,} units of {names.unit} lack periods of "
            f"{names.period} that others have, {count:,} in all",
            first=f"{units[first]} has no row for {shown(when)}",
            remedy="Leave out those units, or those periods: none is filled in",
        )


def _chosen(treated: Any, units: list[Any], column: str) -> Ints:
    """Places of the units that the user calls treated."""
    single = isinstance(treated, str) or not isinstance(treated, Iterable)
    asked = list(dict.fromkeys([treated] if single else treated))
    listed = ", ".join(map(str, units[:SHOWN])) + (", ..." if len(units) > SHOWN else "")
    if not asked:
        raise OptionError(f"treated names no unit of {column}: {listed}")
    for name in asked:
        if name not in units:
            raise OptionError(f"treated unit {name!r} is not in {column}: {listed}")
    return np.array(sorted(units.index(name) for name in asked), dtype=np.int64)


def _started(grid: Grid, start: Any, fewest: int) -> Grid:
    """The grid with its first treated period, once there are periods on both sides."""
    place = grid.place("start", start)
    first, last = shown(grid.periods[0]), shown(grid.periods[-1])
    if place == 0:
        raise OptionError(
            f"start {start!r}: {grid.treated_name} has no period before it, {first} is the first"
        )
    if place == len(grid.periods):
        raise OptionError(f"start {start!r} lies after the last period, {last}")
    donors = len(grid.units) - grid.treated.size
    if donors < fewest:
        raise FitError(f"{donors} unit{'' if donors == 1 else 's'} untreated: {fewest} needed")
    return replace(grid, start=place)


def shown(period: Any) -> str:
    """A period as text."""
    import pandas as pd

    if isinstance(period, pd.Timestamp):
        return f"{period:%Y-%m-%d}" if period == period.normalize() else str(period)
    return f"{period:g}"
