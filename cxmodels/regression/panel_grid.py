"""A panel as rows of (unit, period): lags and differences by the calendar, not by the row above.

Units are numbered from 0 in order of their names, periods are whole numbers; a lag that is not
there is missing, so that a gap in the years never turns a change over two years into one over one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

MOST_PERIODS = 20_000  # between the first and the last: days of half a century


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows in order of unit and period: unit (n,) from 0, period (n,) whole numbers, units' names,
    and the columns asked for, by name."""

    unit: Ints
    period: Ints
    names: Any
    columns: "dict[str, Floats]"

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.names)

    def before(self, lag: int) -> Ints:
        """(n,) the row of the same unit `lag` periods before; -1 where there is none."""
        first, width = int(self.period.min()), int(np.ptp(self.period)) + 1
        place = np.full((self.units, width), -1, dtype=np.int64)
        place[self.unit, self.period - first] = np.arange(self.unit.size)
        then = self.period - first - lag
        inside = (then >= 0) & (then < width)
        return np.where(inside, place[self.unit, np.clip(then, 0, width - 1)], -1)

    def lagged(self, name: str, lag: int) -> Floats:
        """(n,) a column `lag` periods before, NaN where that is not known."""
        if lag == 0:
            return self.columns[name]
        row = self.before(lag)
        return np.where(row >= 0, self.columns[name][np.maximum(row, 0)], np.nan)

    def change(self, values: Floats, lag: int = 1) -> Floats:
        """(n,) values less those `lag` periods before."""
        row = self.before(lag)
        return np.where(row >= 0, values - values[np.maximum(row, 0)], np.nan)

    def at(self, keep: Bools) -> "Panel":
        """Some of the rows; units keep their numbers."""
        held = {name: values[keep] for name, values in self.columns.items()}
        return Panel(self.unit[keep], self.period[keep], self.names, held)


def frame_of(table: Any) -> "pd.DataFrame":
    """A table as pandas has it: anything tabular, as at the doors."""
    import pandas as pd

    return table if isinstance(table, pd.DataFrame) else as_pandas(table)


def panel_of(table: Any, unit: str, period: str, columns: Iterable[str]) -> Panel:
    """Rows of a table as a panel; DataError with every problem, OptionError for a missing column.

    period: whole numbers, such as years or quarters counted from somewhere. Values may be missing:
    rows without them drop out of the estimates that need them, and are counted there.
    """
    import pandas as pd

    wanted = list(dict.fromkeys([unit, period, *columns]))
    missing = [name for name in wanted if name not in table]
    if missing:
        listed = ", ".join(map(str, table.columns))
        raise OptionError(f"there is no column {missing[0]!r}. Columns: {listed}")
    held = table[wanted].reset_index(drop=True)
    problems = list(_problems(held, unit, period, wanted[2:]))
    if problems:
        raise DataError("panel", problems)
    code, names = pd.factorize(held[unit], sort=True)
    when = held[period].to_numpy(dtype=np.int64)
    order = np.lexsort((when, code))
    numbers = {name: held[name].to_numpy(dtype=np.float64)[order] for name in wanted[2:]}
    return Panel(code[order].astype(np.int64), when[order], np.asarray(names), numbers)


def _problems(
    held: "pd.DataFrame", unit: str, period: str, columns: "list[str]"
) -> Iterable[Problem]:
    """Everything that keeps rows from being a panel."""
    import pandas as pd

    yield from _told(f"{unit} is missing", held[unit].isna(), held, (unit, period))
    when = pd.to_numeric(held[period], errors="coerce")
    odd = when.isna() | (when % 1 != 0)
    if when.max() - when.min() > MOST_PERIODS:
        told = f"{period} runs from {when.min():.0f} to {when.max():.0f}"
        yield Problem(told, remedy="Count years or quarters, as in 2026 or 4 * year + quarter")
    yield from _told(f"{period} is no whole number", odd, held, (unit, period),
                     "Count years or quarters, as in 2026 or 4 * year + quarter")  # fmt: skip
    twice = held.duplicated([unit, period]) & ~odd & held[unit].notna()
    yield from _told(f"a {unit} has two rows in one {period}", twice, held, (unit, period))
    for name in columns:
        numbers = pd.to_numeric(held[name], errors="coerce")
        text = numbers.isna() & held[name].notna()
        yield from _told(f"{name} is no number", text, held, (unit, period))
        infinite = pd.Series(np.isinf(numbers.to_numpy(dtype=np.float64)))
        yield from _told(f"{name} is infinite", infinite, held, (unit, period))


def _told(
    what: str,
    broken: "pd.Series[Any]",
    held: "pd.DataFrame",
    names: tuple[str, str],
    remedy: str = "",
) -> Iterable[Problem]:
    if broken.any():
        place = int(np.flatnonzero(broken.to_numpy())[0])
        row = held.iloc[place]
        first = ", ".join(f"{name}={row[name]}" for name in names)
        yield Problem(what, int(broken.sum()), f"row {place + 1:,}: {first}", remedy)
