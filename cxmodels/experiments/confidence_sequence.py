"""Intervals that hold at every look, however many there are and whenever one stops.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024,
"Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52(6),
theorem 2.2). It is wider than an interval for one look, by least where n is what it is tuned for.
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.comparisons import positive
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level, told_p
from cxmodels.results.shown_tables import Face, Faced


@dataclass(frozen=True, eq=False, repr=False)
class Sequence(Faced):
    """table: one row a look: n, estimate, std_error, lower, upper (at this look), p_value (the
    smallest until now, valid at every look); verdict: a sentence on the last one."""

    table: pd.DataFrame
    level: float
    tuned: float
    verdict: str

    def face(self) -> Face:
        """Look by look."""
        return Face(f"Always valid, level {self.level:.0%}", self.table, (self.verdict,))


def mixing(alpha: float, tuned: float) -> float:
    """rho that makes the sequence of 1 - alpha narrow about n = `tuned`: their appendix B.

    >>> round(mixing(0.05, 1000), 9)
    0.089085098
    """
    return sqrt((-2.0 * log(alpha) + log(-2.0 * log(alpha) + 1.0)) / tuned)


def half_width(error: Floats, n: Floats, level: float, tuned: float) -> Floats:
    """Theorem 2.2 there: s sqrt(2 (n r^2 + 1) / (n^2 r^2) log(sqrt(n r^2 + 1) / alpha)), with s =
    error sqrt(n)."""
    alpha = 1.0 - level
    r2 = n * mixing(alpha, tuned) ** 2
    return np.asarray(error * np.sqrt(2.0 * (r2 + 1.0) / r2 * np.log(np.sqrt(r2 + 1.0) / alpha)))


def confidence_sequence(
    estimate: Any, error: Any, n: Any, *, tuned: float, level: float = 0.9
) -> Sequence:
    """An interval at each look that holds at all of them together with chance `level`.

    estimate, error: (looks,) or numbers, an effect and its standard error from all units until
    then; n: units until then, growing; tuned: units at which it should be narrowest. Asymptotic:
    the first look should hold some hundreds of units. Errors: DataError for looks that are none.

    >>> found = confidence_sequence([0.9, 0.6], [0.30, 0.15], [500, 2000], tuned=1000)
    >>> found.table.round(3)["lower"].tolist()
    [0.055, 0.181]
    """
    inside = check_level(level)
    positive("tuned", tuned)
    middle, spread, count = _looks(estimate, error, n)
    half = half_width(spread, count, inside, tuned)
    r2 = count * mixing(1.0 - inside, tuned) ** 2
    logs = 0.5 * np.log(r2 + 1.0) - 0.5 * (middle / spread) ** 2 * r2 / (r2 + 1.0)
    p = np.minimum.accumulate(np.exp(np.minimum(logs, 0.0)))
    table = pd.DataFrame({
        "n": count, "estimate": middle, "std_error": spread, "lower": middle - half,
        "upper": middle + half, "p_value": p,
    })  # fmt: skip
    last = table.iloc[-1]
    told = (
        "leaves out no effect" if last["lower"] > 0.0 or last["upper"] < 0.0 else "holds no effect"
    )
    verdict = (
        f"After {last['n']:,.0f} units the effect is {last['estimate']:.4g} "
        f"({last['lower']:.4g} to {last['upper']:.4g}); the interval {told}, p "
        f"{told_p(float(last['p_value']))}. It may be looked at again whenever one likes."
    )
    return Sequence(table, inside, float(tuned), verdict)


def _looks(estimate: Any, error: Any, n: Any) -> tuple[Floats, Floats, Floats]:
    """Three columns as long as one another, or every problem they have."""
    try:
        columns = [np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (estimate, error, n)]
    except (TypeError, ValueError):
        raise OptionError("estimate, error and n are numbers, or a number for each look") from None
    if (
        len({column.shape for column in columns}) != 1
        or columns[0].ndim != 1
        or not columns[0].size
    ):
        shapes = [column.shape for column in columns]
        raise OptionError(f"estimate, error and n do not have as many looks: {shapes}")
    middle, spread, count = columns
    wrong = {
        "estimate is no finite number": ~np.isfinite(middle),
        "error is no finite number above 0": ~(np.isfinite(spread) & (spread > 0.0)),
        "n is no finite number above 0": ~(np.isfinite(count) & (count > 0.0)),
        "n is not above that of the look before": np.diff(count, prepend=-1.0) <= 0.0,
    }
    problems = [
        Problem(what, int(bad.sum()), f"look {int(np.argmax(bad)) + 1}")
        for what, bad in wrong.items()
        if bad.any()
    ]
    if problems:
        raise DataError("looks", problems)
    return middle, spread, count
