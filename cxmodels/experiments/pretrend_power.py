"""What a test of trends before treatment could have found, and what it would have let through.

Roth (2022), "Pretest with caution", American Economic Review: Insights 4: the test finds a trend if
any estimate before treatment is significant (or, jointly, by Wald's W). Against a straight line of
some slope its power follows from the covariance alone; a slope that is found half the time would
have moved the effect by what is told beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.honest_bounds import determined, taken
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import normal_quantile
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

TESTS = ("any", "joint")
POINTS = 13  # log2 of the points of the integral over a box: its error is below 1e-4
STEP = 1e-6  # share of a slope at which the search for it ends


@dataclass(frozen=True, eq=False, repr=False)
class PreTrendPower(Faced):
    """What the pre-test finds.

    table: power (how often the trend is found), slope (units of the outcome a period), bias_first,
    bias_mean (what it adds to the first, and to the mean of all effects after treatment); size: how
    often the test finds a trend where there is none.
    """

    table: "pd.DataFrame"
    size: float
    test: str
    sentence: str

    def face(self) -> Face:
        """Power and slopes."""
        head = f"Test of trends before treatment ({self.test}), finding one of none {self.size:.1%}"
        return Face(head, self.table, (self.sentence,))


def pretrend_power(
    estimate: object,
    covariance: object = None,
    *,
    pre: int | None = None,
    slope: float | None = None,
    power: Iterable[float] = (0.5, 0.8),
    test: str = "any",
) -> PreTrendPower:
    """Slopes that the pre-test finds with the powers asked for, and its power against `slope`.

    estimate, covariance, pre: as in `honest_bounds`; test: "any" (an estimate before treatment
    significant at 5 per cent) or "joint" (Wald, 5 per cent). A slope and its opposite are found
    alike.
    Errors: DataError for a covariance that is none, OptionError, FitError without an estimate
    before treatment.

    >>> found = pretrend_power([0.0, 0.0, 1.0], np.eye(3), pre=2, test="joint")
    >>> found.table["slope"].round(3).tolist()
    [0.996, 1.388]
    """
    times = taken(estimate, covariance, pre)
    if not times.pre:
        raise FitError("there is no estimate before treatment that could be tested")
    if test not in TESTS:
        raise OptionError(f"test {test!r} is not one of {', '.join(TESTS)}")
    sigma = times.covariance[: times.pre, : times.pre]
    if test == "joint":
        determined(sigma)
    line = (times.times[: times.pre] - times.reference).astype(np.float64)
    found = _Test(sigma, line, test)
    rows = []
    if slope is not None:
        if not np.isfinite(slope):
            raise OptionError(f"slope {slope!r} is no finite number")
        rows.append((found.power(abs(slope)), float(slope)))
    size = found.power(0.0)
    for target in power:
        if not (isinstance(target, int | float) and size < target < 1.0):
            raise OptionError(f"power {target!r} is not between the test's size, {size:.3f}, and 1")
        rows.append((float(target), found.slope(float(target))))
    if not rows:
        raise OptionError("give a slope, or one power or more")
    after = (times.times[times.pre :] - times.reference).astype(np.float64)
    return PreTrendPower(_table(rows, after), size, test, _sentence(rows[-1], after))


def _table(rows: list[tuple[float, float]], after: Floats) -> "pd.DataFrame":
    import pandas as pd

    power, slope = np.array(rows).T
    return pd.DataFrame({"power": power, "slope": slope, "bias_first": slope * after[0],
                         "bias_mean": slope * after.mean()})  # fmt: skip


def _sentence(row: tuple[float, float], after: Floats) -> str:
    power, slope = row
    return (
        f"A difference in trends of {slope:.3g} a period is found {power:.0%} of the time; it "
        f"would move the effects by {slope * after.mean():.3g} on average."
    )


@dataclass(frozen=True, eq=False)
class _Test:
    """Covariance (p, p) of estimates whose means are slope times line (p,)."""

    sigma: Floats
    line: Floats
    test: str

    def power(self, slope: float) -> float:
        """How often the slope is found."""
        mean = slope * self.line
        if self.test == "joint":
            q = float(mean @ np.linalg.solve(self.sigma, mean))
            most = float(scipy.special.chdtri(mean.size, 0.05))
            return 1.0 - float(scipy.special.chndtr(most, mean.size, q))
        error = np.sqrt(np.diag(self.sigma))
        z, m = normal_quantile(0.95), mean / error
        if m.size == 1:
            ndtr = scipy.special.ndtr
            return float(1.0 - ndtr(z - m[0]) + ndtr(-z - m[0]))
        return 1.0 - _inside(m, self.sigma / error[:, None] / error, z)

    def slope(self, target: float) -> float:
        """The slope above 0 that is found with a power."""
        high = float(np.sqrt(np.diag(self.sigma)).max() / np.abs(self.line).max())
        while self.power(high) < target:
            high *= 2.0
        low = 0.0
        found = scipy.optimize.brentq(
            lambda b: self.power(b) - target, low, high, xtol=STEP * high, rtol=STEP
        )
        return float(found)


def _inside(mean: Floats, correlation: Floats, z: float) -> float:
    """P(all |m_t + Z_t| <= z) of normal Z (p,): Genz's separation of variables (1992, Journal of
    Computational and Graphical Statistics 1) on Sobol's points, which are the same every time."""
    p = mean.size
    root = np.linalg.cholesky(correlation + 1e-10 * np.eye(p))
    points = scipy.stats.qmc.Sobol(p - 1, scramble=False).random_base2(POINTS)
    points = points + 0.5 / len(points)
    ndtr, y = scipy.special.ndtr, np.zeros((len(points), p))
    share = np.ones(len(points))
    for t in range(p):
        drift = mean[t] + y[:, :t] @ root[t, :t]
        low, high = ndtr((-z - drift) / root[t, t]), ndtr((z - drift) / root[t, t])
        share *= high - low
        if t < p - 1:
            middle = low + points[:, t] * (high - low)
            y[:, t] = scipy.special.ndtri(np.clip(middle, 1e-300, 1.0 - 1e-16))
    return float(share.mean())
