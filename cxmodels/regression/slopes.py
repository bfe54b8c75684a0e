"""Slopes that differ: by unit (Swamy), by period (Fama and MacBeth), by group, drawn together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.panel import coefficient_table, panel_fit
from cxmodels.regression.panel_grid import frame_of, panel_of
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 5  # units of a group with a slope of its own: errors clustered by fewer tell nothing


@dataclass(frozen=True, eq=False, repr=False)
class Slopes(Faced):
    """Slopes that differ by group.

    table: mean slopes (coefficient, estimate, std_error, t, p_value, lower, upper); spread: (k, k)
    covariance of slopes over groups; own: group, coefficient, alone (its own estimate), pooled
    (drawn to the mean), std_error; homogeneity: statistic, degrees of freedom and p-value.
    """

    table: "pd.DataFrame"
    spread: Floats
    own: "pd.DataFrame"
    homogeneity: tuple[float, int, float]
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Mean slopes, and whether slopes differ."""
        statistic, df, p = self.homogeneity
        said = f"All slopes alike: chi2({df}) {statistic:.2f}, p {p:.3g}"
        return Face(f"Mean slopes; interval {self.level:.0%}", self.table, (said, *self.notes))


def random_slopes(
    table: Any, outcome: str, regressors: list[str], *, unit: str, period: str, level: float = 0.9
) -> Slopes:
    """Swamy's (1970, Econometrica 38) mean of slopes that differ by unit, a constant among them.

    Units with too few rows to have slopes of their own are left out and counted.
    """
    check_level(level)
    panel = panel_of(table, unit, period, [outcome, *regressors])
    x = np.column_stack([*(panel.columns[name] for name in regressors), np.ones(panel.unit.size)])
    y = panel.columns[outcome]
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    fits, kept = [], []
    for group in range(panel.units):
        rows = known & (panel.unit == group)
        found = _own(y[rows], x[rows])
        if found is not None:
            fits.append(found)
            kept.append(group)
    if len(fits) < 3:
        raise FitError(f"{len(fits)} units have rows enough for slopes of their own: 3 are needed")
    lost = panel.units - len(kept)
    notes = (f"{lost:,} units have too few rows for slopes of their own.",) if lost else ()
    names = (*regressors, "const")
    return _pooled(fits, panel.names[kept], names, level, notes)


def _own(y: Floats, x: Floats) -> tuple[Floats, Floats] | None:
    """Slopes of one group with their covariance; None where it has too few rows."""
    n, k = x.shape
    if n <= k or np.linalg.matrix_rank(x) < k:
        return None
    bread = np.linalg.inv(x.T @ x)
    b = bread @ x.T @ y
    e = y - x @ b
    return b, bread * float(e @ e) / (n - k)


def _pooled(
    fits: list[tuple[Floats, Floats]],
    groups: Any,
    names: tuple[str, ...],
    level: float,
    notes: tuple[str, ...],
) -> Slopes:
    """Mean slopes weighted by (D + V_i)^-1, D the spread of slopes less that of their errors."""
    import pandas as pd

    B, V = np.array([b for b, _ in fits]), np.array([v for _, v in fits])
    away = B - B.mean(axis=0)
    spread = away.T @ away / (len(B) - 1.0) - V.mean(axis=0)
    if np.linalg.eigvalsh(spread)[0] < 0.0:  # less than chance: as Swamy proposes, without errors
        spread = away.T @ away / (len(B) - 1.0)
        notes = (*notes, "Spread of slopes is not corrected for their errors, which exceed it.")
    weights = np.linalg.inv(spread + V)
    covariance = np.linalg.inv(weights.sum(axis=0))
    mean = covariance @ np.einsum("ijk,ik->j", weights, B)
    inner = np.linalg.inv(V)
    fixed = np.linalg.solve(inner.sum(axis=0), np.einsum("ijk,ik->j", inner, B))
    statistic = float(np.einsum("ij,ijk,ik->", B - fixed, inner, B - fixed))
    df = (len(B) - 1) * B.shape[1]
    p = float(scipy.special.chdtrc(df, statistic))
    drawn = np.einsum("ijk,ikl,il->ij", np.linalg.inv(inner + np.linalg.inv(spread)), inner, B)
    drawn += np.einsum("ijk,kl,l->ij", np.linalg.inv(inner + np.linalg.inv(spread)),
                       np.linalg.inv(spread), mean)  # fmt: skip
    error = np.sqrt(np.einsum("ijj->ij", np.linalg.inv(inner + np.linalg.inv(spread))))
    own = pd.DataFrame(
        {"group": np.repeat(groups, len(names)), "coefficient": np.tile(names, len(B)),
         "alone": B.ravel(), "pooled": drawn.ravel(), "std_error": error.ravel()}
    )  # fmt: skip
    table = coefficient_table(names, mean, covariance, np.inf, level)
    return Slopes(table, spread, own, (statistic, df, p), level, notes)


def fama_macbeth(
    table: Any, outcome: str, regressors: list[str], *, unit: str, period: str, level: float = 0.9
) -> "pd.DataFrame":
    """Mean over periods of each period's cross-section, with the error of their spread.

    Fama and MacBeth (1973). Right where what units share is a shock of the period; wrong, and too
    small, where effects of units last.
    """
    check_level(level)
    panel = panel_of(table, unit, period, [outcome, *regressors])
    x = np.column_stack([*(panel.columns[name] for name in regressors), np.ones(panel.unit.size)])
    y = panel.columns[outcome]
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    found = [_own(y[rows], x[rows]) for rows in (known & (panel.period == p)
                                                 for p in np.unique(panel.period))]  # fmt: skip
    B = np.array([fit[0] for fit in found if fit is not None])
    if len(B) < 2:
        raise FitError("fewer than two periods have a cross-section of their own")
    error = B.std(axis=0, ddof=1) / np.sqrt(len(B))
    names = (*regressors, "const")
    return coefficient_table(names, B.mean(axis=0), np.diag(error**2), len(B) - 1.0, level)


def slopes_by(  # noqa: PLR0913 - what is regressed, on what, within what
    table: Any,
    outcome: str,
    regressor: str,
    *,
    by: str,
    unit: str,
    period: str,
    controls: list[str] | None = None,
    estimator: str = "two-way",
    errors: str = "unit",
    level: float = 0.9,
) -> Slopes:
    """One slope a group (such as an industry), each also drawn to the mean of all by its error.

    Each group is regressed alone with `estimator` and its own slopes of `controls`; the spread of
    true slopes is what their spread exceeds their errors by (DerSimonian and Laird's moments in one
    dimension). Groups of fewer than 5 units have no slope of their own, and are counted.
    """
    table = frame_of(table)
    if by not in table:
        raise OptionError(f"by {by!r} is no column. Columns: {', '.join(map(str, table.columns))}")
    fits, kept, lost = [], [], []
    for name, part in table.groupby(by, sort=True):
        if part[unit].nunique() < FEWEST:
            lost.append(f"{name}: fewer than {FEWEST} {unit}s")
            continue
        try:
            found = panel_fit(
                part, outcome, [regressor, *(controls or [])], unit=unit, period=period,
                estimator=estimator, errors=errors,
            )  # fmt: skip
        except FitError as error:
            lost.append(f"{name}: {error}")
            continue
        fits.append((found.linear.coefficients[:1], found.covariance[:1, :1]))
        kept.append(str(name))
    if len(fits) < 3:
        raise FitError(f"{len(fits)} groups have a slope of their own: 3 are needed. {lost[:1]}")
    return _pooled(fits, np.array(kept), (regressor,), level, tuple(lost))
