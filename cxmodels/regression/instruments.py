"""Equations and instruments of a dynamic panel: differences, levels, and what stands for what."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.regression.panel_grid import Panel

EXOGENOUS, TIME = "exogenous regressors", "constants of periods"


@dataclass(frozen=True)
class Lags:
    """First and last lag of a column's levels that serve as instruments; None for all there are."""

    first: int
    last: int | None

    @classmethod
    def of(cls, name: str, first: int, last: int | None) -> "Lags":
        """OptionError where they cannot be lags."""
        if first < 1 or (last is not None and last < first):
            raise OptionError(
                f"instruments of {name!r} run from lag 1 or more on, got {first, last}"
            )
        return cls(first, last)


@dataclass(frozen=True)
class Choices:
    """With equations in levels too; one instrument a lag; a constant a period."""

    system: bool
    collapse: bool
    time_effects: bool


@dataclass(frozen=True, eq=False)
class Design:
    """Rows of both equations, differences first: y (n,), X (n, k), Z (n, L) with the group of each
    instrument; equation: True for levels; unit, period (n,); base: (n, 2) rows of the panel whose
    errors the row holds, the second with a minus, -1 for none; names of X."""

    y: Floats
    X: Floats
    Z: Floats
    groups: tuple[str, ...]
    equation: Bools
    unit: Ints
    period: Ints
    base: Ints
    names: tuple[str, ...]
    notes: tuple[str, ...]

    def before(self, order: int) -> Ints:
        """(n,) the differenced row of the same unit `order` periods before, -1 where none is."""
        width = int(np.ptp(self.period)) + order + 2
        own = ~self.equation
        key = self.unit * width + (self.period - self.period.min())
        place = np.full(int(key.max()) + 1, -1, dtype=np.int64)
        place[key[own]] = np.flatnonzero(own)
        then = key - order
        inside = own & (then >= 0) & (self.period - order >= self.period.min())
        return np.where(inside, place[np.maximum(then, 0)], -1)


def design_of(
    panel: Panel,
    outcome: str,
    terms: list[tuple[str, int]],
    asked: Mapping[str, Lags],
    how: Choices,
) -> Design:
    """The equations of a panel; terms: columns and lags on the right, the outcome's own first."""
    y = panel.columns[outcome]
    x = np.column_stack([panel.lagged(name, lag) for name, lag in terms])
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    last = panel.before(1)
    paired = known & (last >= 0) & known[np.maximum(last, 0)]
    if not paired.any():
        raise FitError("no unit has two periods in a row with all columns known")
    d, lv = np.flatnonzero(paired), np.flatnonzero(known) if how.system else np.empty(0, np.int64)
    equation = np.r_[np.zeros(d.size, np.bool_), np.ones(lv.size, np.bool_)]
    rows = np.r_[d, lv]
    season, labels = _season(panel.period, rows, last, equation, how)
    X = np.column_stack([np.vstack([x[d] - x[last[d]], x[lv]]), season])
    exogenous = [place for place, (name, _) in enumerate(terms) if name not in asked]
    Z, groups = _instruments(panel, (d, lv), asked, how)
    Z = np.column_stack([X[:, exogenous], season * equation[:, None] if how.system else season, Z])
    groups = [*[EXOGENOUS] * len(exogenous), *[TIME] * season.shape[1], *groups]
    there = (Z != 0.0).any(axis=0)
    lost = int((~known).sum())
    notes = (f"{lost:,} of {known.size:,} rows lack a column, or a lag of one.",) if lost else ()
    return Design(
        y=np.r_[y[d] - y[last[d]], y[lv]],
        X=X,
        Z=Z[:, there],
        groups=tuple(group for group, kept in zip(groups, there, strict=True) if kept),
        equation=equation,
        unit=panel.unit[rows],
        period=panel.period[rows],
        base=np.column_stack([rows, np.r_[last[d], np.full(lv.size, -1)]]),
        names=(*(f"L{lag}.{name}" if lag else name for name, lag in terms), *labels),
        notes=notes,
    )


def _instruments(
    panel: Panel, rows: tuple[Ints, Ints], asked: Mapping[str, Lags], how: Choices
) -> tuple[Floats, list[str]]:
    """Of each column that is asked for: levels for differences, differences for levels."""
    (d, lv), blocks, groups = rows, [], list[str]()
    n = d.size + lv.size
    for name, lags in asked.items():
        made = _of_levels(panel, d, n, (name, lags), how.collapse)
        blocks.append(made)
        groups += [f"levels of {name} for differences"] * made.shape[1]
        if how.system:
            made = _of_differences(panel, lv, n, (name, lags), how.collapse)
            blocks.append(made)
            groups += [f"differences of {name} for levels"] * made.shape[1]
    return np.column_stack(blocks), groups


def _season(
    period: Ints, rows: Ints, last: Ints, equation: Bools, how: Choices
) -> tuple[Floats, list[str]]:
    """Constants: of each differenced period, or of levels with their differences, or one."""
    if not how.time_effects:
        if how.system:
            return equation[:, None].astype(np.float64), ["const"]
        return np.empty((rows.size, 0)), []
    own = period[rows]
    distinct = np.unique(own)
    now = (own[:, None] == distinct).astype(np.float64)
    if how.system:
        past = np.where(equation, -(1 << 40), period[np.maximum(last[rows], 0)])
        now[:, 0] = equation  # the constant
        rest = (past[:, None] == distinct).astype(np.float64)
        now[:, 1:] -= rest[:, 1:]
    return now, [f"period {value}" for value in distinct]


def _spread(values: Floats, period: Ints, collapse: bool) -> Floats:
    """A column of instruments, or one for each period with 0 elsewhere."""
    filled = np.where(np.isfinite(values), values, 0.0)
    if collapse:
        return filled[:, None]
    distinct, place = np.unique(period, return_inverse=True)
    out = np.zeros((values.size, distinct.size))
    out[np.arange(values.size), place] = filled
    return out


def _of_levels(panel: Panel, d: Ints, n: int, of: tuple[str, Lags], collapse: bool) -> Floats:
    """Levels `lags` periods before, for differences (the first rows)."""
    (name, lags), reach = of, int(np.ptp(panel.period))
    last = reach if lags.last is None else min(lags.last, reach)
    made = [
        _spread(panel.lagged(name, lag)[d], panel.period[d], collapse)
        for lag in range(lags.first, last + 1)
    ]
    if not made:
        raise FitError(f"{name} has no lag {lags.first}: the panel spans {reach + 1} periods")
    found = np.column_stack(made)
    return np.vstack([found, np.zeros((n - d.size, found.shape[1]))])


def _of_differences(panel: Panel, lv: Ints, n: int, of: tuple[str, Lags], collapse: bool) -> Floats:
    """The change that ends one period after the first lag, for levels (the last rows)."""
    name, lags = of
    change = panel.change(panel.columns[name])
    row = panel.before(lags.first - 1) if lags.first > 1 else np.arange(change.size)
    then = np.where(row >= 0, change[np.maximum(row, 0)], np.nan)[lv]
    found = _spread(then, panel.period[lv], collapse)
    return np.vstack([np.zeros((n - lv.size, found.shape[1])), found])
