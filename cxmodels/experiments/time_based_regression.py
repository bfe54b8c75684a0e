"""Geo experiments by time-based regression: what test regions sold beyond what others foretell.

Before the test, totals of the test regions are regressed on totals of the control regions, period
by period; during it, the line foretells what would have been, and the sum of what is beyond is the
incremental outcome. Its variance holds the noise of each period and the error of the line. Source:
Kerman, Wang and Vaver 2017, "Estimating ad effectiveness using geo experiments in a time-based
regression framework", Google, equations 4 to 8 (posterior t under a flat prior).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.unit_periods import REFUSE, ZERO, Grid, Names, grid_of, shown
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

FEWEST = 4  # periods before the test: a line, its noise, and one to spare


@dataclass(frozen=True, eq=False, repr=False)
class TimeBasedRegression(Faced):
    """table: quantity (incremental outcome; lift, a share of what would have been; iROAS, outcome
    a unit of cost), estimate, std_error, lower, upper, and lower_one_sided (all at `level`), naive
    (difference in differences of totals). path: period, treated, counterfactual, effect,
    cumulative, lower, upper (of the cumulative). p_positive: probability of an effect above 0.
    slope, intercept: of the line. autocorrelation: of its residuals."""

    table: pd.DataFrame
    path: pd.DataFrame
    p_positive: float
    intercept: float
    slope: float
    noise: float
    autocorrelation: float
    cost: float | None
    level: float
    verdict: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Incremental outcome, lift and return on cost."""
        head = f"Effect of the test in its regions, in all; intervals {self.level:.0%}"
        return Face(head, self.table, (self.verdict, *self.notes))


@dataclass(frozen=True, eq=False)
class _Line:
    """Of a line before the test: coefficients, (X'X)^-1, variance, degrees, residuals."""

    b: Floats
    bread: Floats
    variance: float
    degrees: int
    e: Floats

    def sum_of(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Cumulative sums of y beyond the line, and their standard errors."""
        each = np.column_stack([np.ones(x.size), x])
        summed = np.cumsum(each, axis=0)
        beyond = np.cumsum(y - each @ self.b)
        of_line = np.einsum("tj,jk,tk->t", summed, self.bread, summed)
        return beyond, np.sqrt(self.variance * (np.arange(1, x.size + 1) + of_line))


def time_based_regression(  # noqa: PLR0913 - every choice of the design by name
    table: Any,
    outcome: str,
    *,
    geo: str,
    period: str,
    treated: Any,
    start: Any,
    end: Any = None,
    cost: str | None = None,
    absent: str = REFUSE,
    level: float = 0.9,
) -> TimeBasedRegression:
    """What a test in some regions brought in all, and a unit of its cost.

    table: one row a region and period (numbers or dates); treated: the test regions; start, end:
    first and last period of the test (end: of the table, if None); cost: a column of what the test
    cost, 0 before it (a fixed cost); absent: what a row that is not there means, "refuse" or
    "zero"; level: of two-sided intervals, and of the one-sided bound beside them.
    Errors: DataError for a table that is no full panel, OptionError, FitError.

    >>> rows = [(g, t, g * t + t % 3 + 2 * (g > 2 and t > 6)) for g in (1, 2, 3, 4)
    ...         for t in range(1, 10)]
    >>> table = pd.DataFrame(rows, columns=["region", "week", "sales"])
    >>> found = time_based_regression(table, "sales", geo="region", period="week", treated=[3, 4],
    ...                               start=7)
    >>> float(found.table["estimate"].iloc[0].round(1))
    13.4
    """
    inside = check_level(level)
    if absent not in (REFUSE, ZERO):
        raise OptionError(f"absent {absent!r} is not one of {REFUSE}, {ZERO}")
    names = Names(outcome, geo, period, () if cost is None else (cost,))
    grid = grid_of(table, names, treated, start, absent=absent, donors=1)
    last = len(grid.periods) if end is None else grid.place("end", end, after=True)
    if last <= grid.start:
        raise OptionError(f"end {end!r} lies before start {start!r}")
    y, x = grid.Y[grid.treated].sum(axis=0), grid.Y[grid.donors].sum(axis=0)
    line = _line(x[: grid.start], y[: grid.start])
    beyond, error = line.sum_of(x[grid.start : last], y[grid.start : last])
    spent = None if cost is None else _cost(grid, names, cost, last)
    rows = _rows((beyond[-1], error[-1]), y[grid.start : last].sum(), spent,
                 (_naive(x, y, grid.start, last), line.degrees, inside))  # fmt: skip
    half = float(scipy.special.stdtrit(line.degrees, (1.0 + inside) / 2.0))
    path = pd.DataFrame({
        "period": list(grid.periods[:last]), "treated": y[:last],
        "counterfactual": line.b[0] + line.b[1] * x[:last],
    })  # fmt: skip
    path["effect"] = path["treated"] - path["counterfactual"]
    for name, values in (("cumulative", beyond), ("lower", beyond - half * error),
                         ("upper", beyond + half * error)):  # fmt: skip
        path[name] = np.concatenate([np.full(grid.start, np.nan), values])
    rho = float(line.e[1:] @ line.e[:-1] / (line.e @ line.e))
    positive = float(scipy.special.stdtr(line.degrees, beyond[-1] / error[-1]))
    return TimeBasedRegression(
        table=rows, path=path, p_positive=positive, intercept=float(line.b[0]),
        slope=float(line.b[1]), noise=float(np.sqrt(line.variance)), autocorrelation=rho,
        cost=spent, level=inside, verdict=_verdict(grid, rows, outcome, last),
        notes=tuple(_notes(line, rho)),
    )  # fmt: skip


def _line(x: Floats, y: Floats) -> _Line:
    if x.size < FEWEST:
        raise FitError(f"{x.size} periods before the test: {FEWEST} are the least")
    if np.ptp(x) <= 1e-12 * float(np.abs(x).max()):
        raise FitError("control regions are the same in every period before: they foretell nothing")
    X = np.column_stack([np.ones(x.size), x])
    b: Floats = np.linalg.lstsq(X, y, rcond=None)[0].astype(np.float64)
    e = y - X @ b
    if float(e @ e) <= 1e-18 * float(y @ y):
        raise FitError("before the test the line fits without any noise: is the data made up?")
    centred = x - x.mean()
    spread = float(centred @ centred)
    cross = -float(x.mean()) / spread
    bread = np.array([[1.0 / x.size + float(x.mean()) ** 2 / spread, cross], [cross, 1.0 / spread]])
    return _Line(b, bread, float(e @ e) / (x.size - 2), x.size - 2, e)


def _naive(x: Floats, y: Floats, start: int, last: int) -> float:
    """Difference in differences of totals, summed over the test."""
    gap = y - x
    return float(gap[start:last].sum() - (last - start) * gap[:start].mean())


def _cost(grid: Grid, names: Names, column: str, last: int) -> float:
    """What the test cost its regions beyond control ones; refused where cost is not fixed."""
    matrix = grid.matrix(column, names)
    treated, donors = matrix[grid.treated].sum(axis=0), matrix[grid.donors].sum(axis=0)
    if treated[: grid.start].any() or donors[:last].any():
        raise OptionError(
            f"{column} is not 0 before the test, or in control regions: a return needs a "
            "fixed cost, known without an estimate. Give the cost of the test alone"
        )
    spent = float(treated[grid.start : last].sum())
    if not spent > 0.0:
        raise OptionError(f"{column} is {spent:g} over the test: there is no cost to divide by")
    return spent


def _rows(
    sums: tuple[float, float], sold: float, spent: float | None, how: tuple[float, int, float]
) -> pd.DataFrame:
    """Incremental outcome, lift, and return on a fixed cost."""
    (value, error), (naive, degrees, level) = sums, how
    both = float(scipy.special.stdtrit(degrees, (1.0 + level) / 2.0)) * error
    one = float(scipy.special.stdtrit(degrees, level)) * error
    ends = {"estimate": value, "lower": value - both, "upper": value + both,
            "lower_one_sided": value - one, "naive": naive}  # fmt: skip
    rows = [{"quantity": "incremental outcome", "std_error": error, **ends}]
    base = {name: sold - amount for name, amount in ends.items()}
    if min(base.values()) > 0.0:  # a share of what would have been, which is above 0
        lift = {name: ends[name] / amount for name, amount in base.items()}
        rows.append({"quantity": "lift", "std_error": error * sold / base["estimate"] ** 2, **lift})
    if spent is not None:
        paid = {name: amount / spent for name, amount in ends.items()}
        rows.append({"quantity": "iROAS", "std_error": error / spent, **paid})
    order = ["quantity", "estimate", "std_error", "lower", "upper", "lower_one_sided", "naive"]
    return pd.DataFrame(rows)[order]


def _verdict(grid: Grid, rows: pd.DataFrame, outcome: str, last: int) -> str:
    row, end = rows.iloc[-1], shown(grid.periods[last - 1])
    paid = row["quantity"] == "iROAS"
    pick = row if paid else rows.iloc[0]
    amount = f"{'a unit of cost' if paid else 'the test'} brought {pick['estimate']:,.4g} of"
    told_so = (
        f"From {shown(grid.periods[grid.start])} to {end} {amount} {outcome} ({pick['lower']:,.4g} "
        f"to {pick['upper']:,.4g}; at least {pick['lower_one_sided']:,.4g} one-sided)"
    )
    if pick["lower"] <= 0.0 <= pick["upper"]:
        return f"{told_so}: it cannot be told from none."
    return f"{told_so}."


def _notes(line: _Line, rho: float) -> list[str]:
    n = line.e.size
    notes = [
        f"Line of {n} periods before: slope {line.b[1]:.4g}, noise {np.sqrt(line.variance):.4g} a "
        "period. Control regions must not be touched by the test, and the line must hold on."
    ]
    if abs(rho) > 2.0 / np.sqrt(n):
        notes.append(
            f"Residuals one period apart correlate by {rho:+.2f}: errors take them for "
            f"independent, and are too {'small' if rho > 0.0 else 'large'}."
        )
    return notes
