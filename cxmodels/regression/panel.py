"""Panel regressions: one formula, many comparisons, each with errors whose convention is named.

y_it = x_it b + effects + e_it. What the estimators differ in is which variation they compare: all
of it (pooled), that within units, within periods, between units, or from one period to the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.regression.absorb import Effects, absorbed, effects_of, singletons
from cxmodels.regression.conventions import Errors, Linear, covariance
from cxmodels.regression.panel_grid import Panel, frame_of, panel_of
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

ESTIMATORS = ("pooled", "within", "two-way", "period", "difference", "between", "random", "mundlak")


@dataclass(frozen=True, eq=False, repr=False)
class PanelFit(Faced):
    """A panel regression.

    table: coefficient, estimate, std_error, t, p_value, lower, upper; covariance: (k, k);
    r_squared: of the transformed columns; rows, units, periods: used; theta: (units,) of random
    effects, else None; convention: whose errors these are; linear: columns and residuals as they
    were regressed.
    """

    table: "pd.DataFrame"
    covariance: Floats
    degrees: float
    r_squared: float
    outcome: str
    estimator: str
    rows: int
    units: int
    periods: int
    level: float
    convention: str
    notes: tuple[str, ...]
    linear: Linear
    theta: Floats | None = None

    def face(self) -> Face:
        """The coefficients."""
        head = (
            f"{self.outcome}, {self.estimator}: {self.rows:,} rows, {self.units:,} units, "
            f"{self.periods:,} periods; interval {self.level:.0%}"
        )
        return Face(head, self.table, (f"Errors {self.convention}.", *self.notes))

    def with_errors(
        self, errors: str | Errors, convention: str = "stata", *, lags: int | None = None
    ) -> "PanelFit":
        """The same coefficients with other errors."""
        names = tuple(self.table["coefficient"])
        found = covariance(self.linear, Errors.parse(errors), convention, lags)
        table = coefficient_table(
            names, self.linear.coefficients, found.values, found.degrees, self.level
        )
        return replace(
            self, table=table, covariance=found.values, degrees=found.degrees, convention=found.said
        )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows as they are regressed: y, x (n, k), names, who and when, what effects took."""

    y: Floats
    x: Floats
    names: tuple[str, ...]
    unit: Ints
    period: Ints
    groups: tuple[Ints, ...] = ()
    constants: int = 0
    levels: tuple[tuple[int, bool, bool], ...] = ()
    notes: tuple[str, ...] = ()
    theta: Floats | None = None


def panel_fit(  # noqa: PLR0913 - every choice of the estimator by name
    table: Any,
    outcome: str,
    regressors: Iterable[str],
    *,
    unit: str,
    period: str,
    estimator: str = "within",
    effects: Iterable[str | tuple[str, ...]] = (),
    errors: str | Errors = "unit",
    convention: str = "stata",
    lags: int | None = None,
    span: int = 1,
    intercept: bool = False,
    level: float = 0.9,
) -> PanelFit:
    """A regression of an outcome on columns of a panel.

    Args: table: one row a unit and period (whole numbers); estimator: pooled, within (units),
    two-way, period (within periods), difference (over `span` periods, by the calendar; `intercept`:
    with a constant), between (means of units), random (Swamy and Arora), mundlak (pooled, with
    means of units beside); effects: further columns whose levels are absorbed, a tuple for pairs
    of them, as in [("industry", "year")]; errors, convention, lags: see `conventions`; level: of
    intervals.
    Rows with a missing column are left out, as are groups of one row that effects explain alone;
    both are counted. Errors: DataError for a table that is no panel; OptionError, FitError.
    """
    if estimator not in ESTIMATORS:
        raise OptionError(f"estimator {estimator!r} is not one of {', '.join(ESTIMATORS)}")
    inside, kind = check_level(level), Errors.parse(errors)
    table, names = frame_of(table), _named(regressors)
    if not (isinstance(span, int) and span >= 1):
        raise OptionError(f"span {span!r} is not a whole number of periods, 1 or more")
    panel = panel_of(table, unit, period, [outcome, *names])
    sets = _sets(table, effects, panel, (unit, period))
    rows = _prepared(panel, outcome, names, sets, (estimator, span, intercept))
    linear, r_squared = _least_squares(rows)
    found = covariance(linear, kind, convention, lags)
    return PanelFit(
        table=coefficient_table(
            rows.names, linear.coefficients, found.values, found.degrees, inside
        ),
        covariance=found.values,
        degrees=found.degrees,
        r_squared=r_squared,
        outcome=outcome,
        estimator=estimator,
        rows=rows.y.size,
        units=np.unique(rows.unit).size,
        periods=np.unique(rows.period).size,
        level=inside,
        convention=found.said,
        notes=rows.notes,
        linear=linear,
        theta=rows.theta,
    )


def _named(regressors: Any) -> list[str]:
    if isinstance(regressors, str) or not isinstance(regressors, Iterable):
        raise OptionError(f"regressors are names of columns, as in ['size'], got {regressors!r}")
    names = list(dict.fromkeys(regressors))
    if not names:
        raise OptionError("regressors names at least one column")
    return names


def _sets(
    table: Any, effects: Iterable[str | tuple[str, ...]], panel: Panel, keys: tuple[str, str]
) -> list[Ints]:
    """(n,) groups of each further effect, in the order of the panel's rows."""
    import pandas as pd

    asked = [(item,) if isinstance(item, str) else tuple(item) for item in effects]
    if not asked:
        return []
    held = table.reset_index(drop=True)
    for name in (name for item in asked for name in item):
        if name not in held:
            listed = ", ".join(map(str, held.columns))
            raise OptionError(f"effects name {name!r}, which is no column. Columns: {listed}")
    code, _ = pd.factorize(held[keys[0]], sort=True)
    order = np.lexsort((held[keys[1]].to_numpy(dtype=np.int64), code))
    made = []
    for item in asked:
        group = held.groupby(list(item), dropna=False, sort=False).ngroup().to_numpy()
        made.append(group[order].astype(np.int64))
    return made


def _prepared(
    panel: Panel, outcome: str, names: list[str], sets: list[Ints], how: tuple[str, int, bool]
) -> _Rows:
    """The rows of an estimator, before effects are taken out."""
    estimator, span, intercept = how
    y, x = panel.columns[outcome], np.column_stack([panel.columns[name] for name in names])
    if estimator == "difference":
        y, x = panel.change(y, span), np.column_stack([panel.change(c, span) for c in x.T])
        if intercept:
            x, names = np.column_stack([x, np.ones(y.size)]), [*names, "const"]
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    if not known.any():
        raise FitError("no row has all columns known")
    lost = int((~known).sum())
    why = "lack a column" if estimator != "difference" else f"lack a column, or {span} before it"
    notes = (f"{lost:,} of {known.size:,} rows {why}.",) if lost else ()
    rows = _Rows(y[known], x[known], tuple(names), panel.unit[known], panel.period[known],
                 notes=notes)  # fmt: skip
    sets = [group[known] for group in sets]
    if estimator in ("between", "random", "mundlak"):
        if sets:
            raise OptionError(f"{estimator} takes no further effects")
        return {"between": _between, "random": _random, "mundlak": _mundlak}[estimator](rows)
    own = {"within": [rows.unit], "two-way": [rows.unit, rows.period], "period": [rows.period]}
    groups = [*own.get(estimator, []), *sets]
    if groups:
        return _with_effects(rows, groups)
    if estimator == "difference":  # a constant there is a trend, and only where it is asked for
        return rows
    return replace(rows, x=np.column_stack([rows.x, np.ones(rows.y.size)]),
                   names=(*rows.names, "const"))  # fmt: skip


def _with_effects(rows: _Rows, groups: list[Ints]) -> _Rows:
    """Rows whose effects will be absorbed, less those that an effect leaves alone."""
    keep = singletons(groups)
    rows = _at(rows, keep)
    dense = effects_of([group[keep] for group in groups])
    if not keep.any():
        raise FitError("every row is alone in one of its effects: nothing is left to compare")
    alone = int((~keep).sum())
    told = (f"{alone:,} rows alone in an effect are left out.",) if alone else ()
    levels = tuple(
        (int(group.max()) + 1, _nested(group, rows.unit), _nested(group, rows.period))
        for group in dense.groups
    )
    return replace(rows, groups=dense.groups, constants=dense.constants, levels=levels,
                   notes=(*rows.notes, *told))  # fmt: skip


def _at(rows: _Rows, keep: Bools) -> _Rows:
    return replace(rows, y=rows.y[keep], x=rows.x[keep], unit=rows.unit[keep],
                   period=rows.period[keep])  # fmt: skip


def _nested(group: Ints, cluster: Ints) -> bool:
    """Whether every group lies in one cluster."""
    first = np.full(int(group.max()) + 1, -1, dtype=np.int64)
    first[group] = cluster
    return bool((first[group] == cluster).all())


def _by_unit(rows: _Rows) -> tuple[Ints, Floats, Floats, Floats]:
    """Unit of each row from 0, rows of each, and means of y and x by unit."""
    _, own = np.unique(rows.unit, return_inverse=True)
    size = np.bincount(own).astype(np.float64)
    columns = np.column_stack([rows.y, rows.x])
    means = np.stack([np.bincount(own, weights=c) for c in columns.T], axis=1) / size[:, None]
    return own.astype(np.int64), size, means[:, 0], means[:, 1:]


def _between(rows: _Rows) -> _Rows:
    _, _, y, x = _by_unit(rows)
    names = (*rows.names, "const")
    unit = np.unique(rows.unit)
    return _Rows(y, np.column_stack([x, np.ones(y.size)]), names, unit,
                 np.zeros(y.size, dtype=np.int64), notes=rows.notes)  # fmt: skip


def _mundlak(rows: _Rows) -> _Rows:
    own, _, _, means = _by_unit(rows)
    x = np.column_stack([rows.x, means[own], np.ones(rows.y.size)])
    names = (*rows.names, *(f"mean of {name}" for name in rows.names), "const")
    return replace(rows, x=x, names=names)


def _random(rows: _Rows) -> _Rows:
    """Quasi-demeaned: x_it - theta_i mean_i, Swamy and Arora (1972), Econometrica 40."""
    own, size, y, x = _by_unit(rows)
    units, k = size.size, rows.x.shape[1]
    within = _with_effects(rows, [rows.unit])
    inner, _ = _least_squares(within)
    sigma = float(inner.e @ inner.e) / (within.y.size - inner.absorbed - k)
    if units <= k + 1:
        raise FitError(f"{units} units cannot tell {k + 1} coefficients between units apart")
    outer, _ = _least_squares(_between(rows))
    harmonic = units / float((1.0 / size).sum())
    own_variance = float(outer.e @ outer.e) / (units - k - 1) - sigma / harmonic
    theta = 1.0 - np.sqrt(sigma / (size * max(own_variance, 0.0) + sigma))
    told = () if own_variance > 0.0 else ("Units differ by no more than chance: theta is 0.",)
    full, means = np.column_stack([rows.x, np.ones(rows.y.size)]), np.column_stack(
        [x, np.ones(units)])  # fmt: skip
    return replace(
        rows,
        y=rows.y - theta[own] * y[own],
        x=full - theta[own, None] * means[own],
        names=(*rows.names, "const"),
        notes=(*rows.notes, *told),
        theta=theta,
    )


def _least_squares(rows: _Rows) -> tuple[Linear, float]:
    """Coefficients of what effects leave; R squared of it."""
    both = np.column_stack([rows.y, rows.x])
    size = np.sqrt((both**2).sum(axis=0))
    if rows.groups:
        both = absorbed(both, Effects(rows.groups, rows.constants))
    y, x = both[:, 0], both[:, 1:]
    if np.sqrt(float(y @ y)) <= 1e-12 * max(size[0], 1e-300) or np.ptp(rows.y) == 0.0:
        raise FitError("the outcome does not vary once effects are taken out")
    left = np.sqrt((x**2).sum(axis=0))
    gone = [
        n for n, a, b in zip(rows.names, left, size[1:], strict=True) if a <= 1e-9 * b or b == 0
    ]
    if gone:
        raise FitError(f"column {gone[0]!r} does not vary once effects are taken out: leave it out")
    q, r, pivot = scipy.linalg.qr(x / left, mode="economic", pivoting=True)
    depth = np.abs(np.diag(r))
    if x.shape[0] < x.shape[1] or depth[-1] <= 1e-10 * depth[0]:
        raise FitError(f"column {rows.names[pivot[-1]]!r} follows from the others: leave it out")
    b = np.empty(x.shape[1])
    b[pivot] = scipy.linalg.solve_triangular(r, q.T @ y)
    b /= left
    e = y - x @ b
    spread = y if rows.groups or "const" not in rows.names else y - y.mean()
    total = float(spread @ spread)
    linear = Linear(x, e, b, rows.unit, rows.period, rows.constants, rows.levels)
    return linear, 1.0 - float(e @ e) / total if total > 0.0 else 0.0


def coefficient_table(
    names: tuple[str, ...], b: Floats, values: Floats, degrees: float, level: float
) -> "pd.DataFrame":
    """Coefficients (k,) with the errors of a covariance (k, k); degrees of t, inf for normal."""
    import pandas as pd

    error = np.sqrt(np.maximum(np.diag(values), 0.0))
    t = np.divide(b, error, out=np.full_like(b, np.inf), where=error > 0.0)
    half = float(scipy.special.stdtrit(degrees, (1.0 + level) / 2.0)) * error
    return pd.DataFrame(
        {
            "coefficient": names,
            "estimate": b,
            "std_error": error,
            "t": t,
            "p_value": 2.0 * scipy.special.stdtr(degrees, -np.abs(t)),
            "lower": b - half,
            "upper": b + half,
        }
    )
