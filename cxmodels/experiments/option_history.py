"""One's own past as the ground on which designs are tried: units by periods, and their groups.

A long table has one row a unit and period; a wide one, without a column of time, one row a unit.
The last periods, as many as the planned test lasts, stand for the test; those before them for what
would be known when it begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.unit_periods import (
    REFUSE,
    ZERO,
    frame_of,
    number_problems,
    periods_of,
    shown,
    told,
)
from cxmodels.numerics.arrays import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 8  # units
DAY = 86_400e9  # nanoseconds


@dataclass(frozen=True)
class Asked:
    """What the history is read for. unit, time: columns; metric; strata, cluster, geo: columns of
    groups; rolled_out: column of the first period with the lever in the past; span: days of the
    test, first and last; periods: of the history that it lasts, if said; absent: as in a grid."""

    unit: str
    time: str | None
    metric: Metric
    strata: tuple[str, ...]
    cluster: str | None
    geo: str | None
    rolled_out: str | None
    span: tuple[date, date]
    periods: int | None
    absent: str

    @property
    def groups(self) -> tuple[str, ...]:
        """All columns that a unit has one value of."""
        named = (*self.strata, self.cluster, self.geo, self.rolled_out)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns of numbers: the outcome, what it is divided by, and, of a wide table, before."""
        before = self.metric.before if self.time is None else None
        own = (self.metric.column, self.metric.per, before if isinstance(before, str) else None)
        return tuple(name for name in own if name)


@dataclass(frozen=True, eq=False)
class History:
    """Y: (N, T) the outcome by unit and period, a ratio linearised; last: periods of the test; x:
    (N,) known before it, None if nothing is; share: whether outcomes are 0 or 1; strata, cluster,
    geo: (N,) groups from 0 on; rolled: (N,) place of the period in which the lever came, inf if it
    never did; timed: whether there is time at all."""

    Y: Floats
    last: int
    x: Floats | None
    share: bool
    timed: bool
    strata: Ints | None
    cluster: Ints | None
    geo: Ints | None
    rolled: Floats | None

    @property
    def y(self) -> Floats:
        """(N,) the outcome of the periods that stand for the test, a period."""
        return np.asarray(self.Y[:, -self.last :].mean(axis=1))

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.Y)

    @property
    def before(self) -> int:
        """Periods before those that stand for the test."""
        return int(self.Y.shape[1]) - self.last

    def room(self, up: bool) -> Floats:
        """(N,) periods of a share in which it could rise, or fall."""
        ones = self.Y[:, -self.last :].sum(axis=1)
        return np.asarray(self.last - ones if up else ones)


def history_of(table: Any, asked: Asked) -> History:
    """The history, once it is known to carry a placebo test.

    Errors: DataError with every problem; OptionError for columns that are not there; FitError where
    units or periods are too few, or the outcome never varies.
    """
    import pandas as pd

    if asked.absent not in (REFUSE, ZERO):
        raise OptionError(f"absent {asked.absent!r} is not one of {REFUSE}, {ZERO}")
    keys = (asked.unit,) if asked.time is None else (asked.unit, asked.time)
    held = frame_of(table, (*keys, *asked.numbers, *asked.groups))
    when = pd.Series(0.0, index=held.index) if asked.time is None else periods_of(held[asked.time])
    problems = list(_problems(held, asked, when))
    if problems:
        raise DataError("history", problems)
    unit, names = pd.factorize(held[asked.unit], sort=True)
    place, periods = pd.factorize(when, sort=True)
    shape = (len(names), len(periods))
    problems = [] if asked.absent == ZERO else list(_gaps(unit, place, (names, periods), asked))
    if problems:
        raise DataError("history", problems)
    last = _lasts(pd.Series(periods), asked)
    if shape[0] < FEWEST:
        raise FitError(f"the history has {shape[0]} units: {FEWEST} are the least to try a design")
    if shape[1] < last:
        raise FitError(f"the history has {shape[1]} periods and the test lasts {last}: no placebo "
                       "test can be as long")  # fmt: skip
    grids = [_grid(held[name], unit, place, shape) for name in asked.numbers]
    Y = _outcome(grids, asked.metric, last)
    if not Y[:, -last:].mean(axis=1).var() > 0.0:  # or so small that its square is 0
        raise FitError(f"{asked.metric.label} is the same for every unit in what stands for the "
                       "test: nothing can be compared")  # fmt: skip
    first = held.groupby(unit, sort=True).first()
    rolled = _rolled(first[asked.rolled_out], periods) if asked.rolled_out else None
    return History(
        Y, last, _before(Y, last, grids, asked), asked.metric.kind == "proportion",
        asked.time is not None, _codes(first, asked.strata), _codes(first, (asked.cluster,)),
        _codes(first, (asked.geo,)), rolled,
    )  # fmt: skip


def _problems(held: "pd.DataFrame", asked: Asked, when: "pd.Series[Any]") -> Iterator[Problem]:
    keys = (asked.unit,) if asked.time is None else (asked.unit, asked.time)
    yield from told(f"{asked.unit} is missing", held[asked.unit].isna(), held, keys)
    if asked.time is not None:
        yield from told(f"{asked.time} is neither a number nor a date", when.isna(), held, keys)
    seen = held.assign(**({} if asked.time is None else {asked.time: when}))
    twice = seen.duplicated(list(keys)) & held[asked.unit].notna() & when.notna()
    where = f" in one {asked.time}" if asked.time else ""
    remedy = "Sum or average them first" if asked.time else "Or name the column of time (time=)"
    yield from told(f"a {asked.unit} has two rows{where}", twice, held, keys, remedy)
    before = asked.metric.before
    for name in asked.numbers:
        yield from number_problems(held, name, keys, may_miss=name == before)
    yield from _kind_problems(held, asked.metric, keys)
    for name in asked.groups:
        if name != asked.rolled_out:
            yield from told(f"{name} is missing", held[name].isna(), held, (*keys, name))
        if asked.time is not None:
            changed = held[name].ne(held.groupby(asked.unit)[name].transform("first"))
            changed &= held[name].notna()
            yield from told(f"{name} changes within a {asked.unit}", changed, held, (*keys, name),
                            "A unit belongs to one group all the time")  # fmt: skip


def _kind_problems(
    held: "pd.DataFrame", metric: Metric, keys: tuple[str, ...]
) -> Iterator[Problem]:
    """What numbers of a kind of metric may not be."""
    import pandas as pd

    y = pd.to_numeric(held[metric.column], errors="coerce")
    shown_too = (*keys, metric.column)
    if metric.kind == "proportion":
        wrong = y.notna() & ~y.isin([0.0, 1.0])
        yield from told(f"{metric.column} is neither 0 nor 1", wrong, held, shown_too)
    if metric.kind == "nps":
        wrong = y.notna() & ~y.isin(range(11))
        yield from told(f"{metric.column} is no answer from 0 to 10", wrong, held, shown_too)
    if metric.kind == "hurdle":
        yield from told(f"{metric.column} is below 0", y < 0.0, held, shown_too)


def _gaps(unit: Ints, place: Ints, known: tuple[Any, Any], asked: Asked) -> Iterator[Problem]:
    """Units that lack periods which others have."""
    units, periods = known
    seen = np.zeros((len(units), len(periods)), dtype=bool)
    seen[unit, place] = True
    lacking = np.flatnonzero(~seen.all(axis=1))
    if lacking.size:
        when = shown(periods[int(np.flatnonzero(~seen[lacking[0]])[0])])
        yield Problem(
            f"{lacking.size:,} of {len(units):,} units lack periods of {asked.time} that others "
            f"have, {int((~seen).sum()):,} in all",
            first=f"{units[lacking[0]]} has no row for {when}",
            remedy='Leave those units out, or say absent="zero" if no row means 0',
        )


def _lasts(periods: "pd.Series[Any]", asked: Asked) -> int:
    """How many periods of the history the test lasts."""
    import pandas as pd

    given: Any = asked.periods
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise OptionError(f"periods {given!r} is a whole number from 1 on")
        return given if asked.time is not None else 1
    if len(periods) == 1:
        return 1
    if not pd.api.types.is_datetime64_any_dtype(periods):
        raise OptionError(f"{asked.time} is numbers: say periods=, how many the test lasts")
    step = float(np.median(np.diff(periods.to_numpy().astype("datetime64[ns]").astype(np.int64))))
    days = (asked.span[1] - asked.span[0]).days + 1
    return max(round(days * DAY / step), 1)


def _grid(column: "pd.Series[Any]", unit: Ints, place: Ints, shape: tuple[int, int]) -> Floats:
    import pandas as pd

    found = np.zeros(shape)
    numbers = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    found[unit, place] = numbers
    return found


def _outcome(grids: list[Floats], metric: Metric, last: int) -> Floats:
    """(N, T) what is averaged: per cent for the NPS, and for a ratio a unit's part in it (delta
    method: the ratio plus (above - ratio below) / mean below, over what stands for the test)."""
    Y = grids[0]
    if metric.kind == "nps":
        return np.asarray(100.0 * ((Y >= 9.0).astype(np.float64) - (Y <= 6.0)))
    if metric.kind != "ratio":
        return Y
    below = float(grids[1][:, -last:].mean())
    if not below > 0.0:
        raise FitError(f"{metric.per} sums to {below:g} in what stands for the test: no ratio")
    ratio = float(Y[:, -last:].mean()) / below
    return np.asarray(ratio + (Y - ratio * grids[1]) / below)


def _before(Y: Floats, last: int, grids: list[Floats], asked: Asked) -> Floats | None:
    """(N,) what was known before, gaps filled with the mean; None if it does not vary."""
    if Y.shape[1] > last:
        x = Y[:, :-last].mean(axis=1)
    elif asked.time is None and isinstance(asked.metric.before, str):
        x = grids[-1][:, 0]
        if np.isnan(x).all():
            return None
        x = np.where(np.isnan(x), np.nanmean(x), x)
    else:
        return None
    return x if x.var() > 0.0 and np.ptp(x) > 1e-12 * max(float(np.abs(x).max()), 1e-300) else None


def _codes(first: "pd.DataFrame", names: tuple[str | None, ...]) -> Ints | None:
    """(N,) groups of units, from 0 on, in order of appearance; None where no column names them."""
    own = [name for name in names if name]
    if not own:
        return None
    return np.asarray(first.groupby(own, sort=False).ngroup(), dtype=np.int64)


def _rolled(column: "pd.Series[Any]", periods: Any) -> Floats:
    """(N,) place of the first period from which on the lever was there."""
    import pandas as pd

    when = periods_of(column)
    broken = when.isna() & column.notna()
    kinds = [pd.api.types.is_datetime64_any_dtype(part) for part in (when, pd.Series(periods))]
    known = when.notna().any()
    if broken.any() or (known and kinds[0] != kinds[1]):
        raise DataError("history", [Problem(
            f"{column.name} is not of the same kind as the periods", int(broken.sum()),
            remedy="It names the first period with the lever, and is empty where it never came",
        )])  # fmt: skip
    found = np.full(len(column), np.inf)
    here = when.notna().to_numpy()
    found[here] = np.searchsorted(np.asarray(periods), when[here].to_numpy())
    return found
