"""What a rule did that starts at a cutoff: a jump in the outcome where units are otherwise alike.

Local linear fits on both sides, within the width of the smallest mean squared error, less the bias
of their bend, with an interval that counts what estimating that bias costs: Calonico, Cattaneo and
Titiunik (2014), "Robust nonparametric confidence intervals for regression-discontinuity designs",
Econometrica 82. The figures are those of their program for the same choices (triangular kernel, one
width for both sides, errors by three nearest neighbours). It holds if nothing else changes at the
cutoff and nobody chooses a side: `density`, `continuity` and `placebos` look for that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.cutoff_bandwidth import (
    Widths,
    coverage_widths,
    fit_weights,
    optimal_widths,
)
from cxmodels.experiments.cutoff_density import DensityTest, density_test
from cxmodels.experiments.cutoff_rows import FEWEST, CutoffRows, cutoff_rows
from cxmodels.experiments.local_polynomials import Side, coefficient_weights, variances
from cxmodels.results.estimate import check_level, normal_quantile
from cxmodels.results.shown_tables import Face, Faced

FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
PLAIN, ROBUST = "conventional", "robust"
ERROR, COVERAGE = "error", "coverage"
# Units within the bandwidth, on the side with fewer, below which intervals hold too little. With a
# uniform score and a quadratic curve those of 90% held 86% of 13,100 worlds with fewer than 50 near
# (84 to 87% in each class of 5 or more), and 90% of 6,700 with more.
NEAR = 50


@dataclass(frozen=True)
class Jump:
    """Of the curve at the cutoff, as fitted and less its bias, with the errors of both."""

    plain: float
    robust: float
    plain_error: float
    robust_error: float


@dataclass(frozen=True, eq=False, repr=False)
class Discontinuity(Faced):
    """The jump at a cutoff, from below to above, in units of the outcome.

    table: how ("conventional", which ignores the bend of the curve, and "robust"), estimate,
    std_error, lower, upper, p_value; estimate to upper: its robust row; bandwidth: within which
    units are compared, and bias_bandwidth: within which their curve's bend is told, in units of the
    score; sides: side, units, near, wide (units within either).
    """

    table: pd.DataFrame
    sides: pd.DataFrame
    outcome: str
    estimate: float
    std_error: float
    lower: float
    upper: float
    level: float
    bandwidth: float
    bias_bandwidth: float
    notes: tuple[str, ...]
    _rows: CutoffRows = field(repr=False)

    def face(self) -> Face:
        """Both rows, and what they are of."""
        head = (f"Jump of {self.outcome} where {self._rows.running} is {self._rows.cutoff:g}; "
                f"interval {self.level:.0%}")  # fmt: skip
        return Face(head, self.table, self.notes)

    def widths(self, factors: Iterable[float] = FACTORS) -> pd.DataFrame:
        """The robust jump within other widths: bandwidth, near, estimate, std_error, lower, upper,
        p_value, why (where there is none). factors: of both widths."""
        left, right, _ = self._rows.sides(self.outcome)
        rows = []
        for factor in factors:
            if not 0.0 < factor < np.inf:
                raise OptionError(f"factor {factor!r} of the bandwidth is no positive number")
            own = Widths(self.bandwidth * factor, self.bias_bandwidth * factor)
            near = int(left.within(own.h).sum() + right.within(own.h).sum())
            rows.append({"bandwidth": own.h, "near": near, **self._robust(left, right, own)})
        return pd.DataFrame(rows)

    def placebos(self, cutoffs: Iterable[float] | None = None) -> pd.DataFrame:
        """Jumps where no rule starts: cutoff, side, estimate, std_error, lower, upper, p_value,
        why (where there is none).

        cutoffs: values of the score (None: quartiles of each side). Only units on the same side of
        the true cutoff are used, so that its jump does not show up in them.
        """
        sides = self._rows.sides(self.outcome)[:2]
        own = self._rows.cutoff
        if cutoffs is None:
            cutoffs = [float(own + at) for side in sides
                       for at in np.quantile(side.x, [0.25, 0.5, 0.75])]  # fmt: skip
        rows = []
        for at in cutoffs:
            if not np.isfinite(at) or at == own:
                raise OptionError(f"{at!r} is no cutoff other than the true one")
            side, name = (sides[0], "below") if at < own else (sides[1], "above")
            x = side.x - (at - own)
            left, right = Side(x[x < 0.0], side.y[x < 0.0]), Side(x[x >= 0.0], side.y[x >= 0.0])
            rows.append({"cutoff": at, "side": name, **self._robust(left, right, None)})
        return pd.DataFrame(rows)

    def continuity(self, covariates: Iterable[str] | str) -> pd.DataFrame:
        """Jumps in what was known before, which should be none: covariate, estimate, std_error,
        lower, upper, p_value, why. Each has a width of its own."""
        names = [covariates] if isinstance(covariates, str) else list(covariates)
        rows = []
        for name in names:
            left, right, _ = self._rows.sides(name)
            found = self._robust(left, right, None)
            rows.append({"covariate": name, **found})
        return pd.DataFrame(rows)

    def density(self) -> DensityTest:
        """Whether as many units are just below the cutoff as just above."""
        return density_test(*self._rows.sides(self.outcome)[:2])

    def points(self, bins: int = 20) -> pd.DataFrame:
        """Means of bins of equal width within the wider bandwidth, for a picture: side, score,
        mean, units, lower, upper (by Student's t; missing with one unit). bins: on each side."""
        if not (isinstance(bins, int | np.integer) and bins > 0):
            raise OptionError(f"bins must be a whole number from 1 on; it is {bins!r}")
        rows = []
        for name, side in self._named():
            reach = min(side.reach, self.bias_bandwidth)
            inside = np.abs(side.x) <= reach
            place = np.minimum((np.abs(side.x[inside]) / reach * bins).astype(int), bins - 1)
            for own in np.unique(place):
                y, x = side.y[inside][place == own], side.x[inside][place == own]
                n, mean = len(y), float(y.mean())
                half = scipy.special.stdtrit(n - 1, (1.0 + self.level) / 2.0) * float(
                    y.std(ddof=1)) / np.sqrt(n) if n > 1 else np.nan  # fmt: skip
                rows.append(
                    {
                        "side": name,
                        "score": self._rows.cutoff + float(x.mean()),
                        "mean": mean,
                        "units": n,
                        "lower": mean - half,
                        "upper": mean + half,
                    }
                )
        return pd.DataFrame(rows).sort_values("score", ignore_index=True)

    def lines(self) -> pd.DataFrame:
        """The local linear fits within the bandwidth: side, score, fitted, at the ends of each."""
        rows = []
        for name, side in self._named():
            level, slope = coefficient_weights(side.x, self.bandwidth, 1) @ side.y
            end = min(self.bandwidth, side.reach) * (-1.0 if name == "below" else 1.0)
            rows += [{"side": name, "score": self._rows.cutoff + at, "fitted": level + slope * at}
                     for at in (0.0, end)]  # fmt: skip
        return pd.DataFrame(rows).sort_values(["score", "side"], ascending=[True, False],
                                              ignore_index=True)  # fmt: skip

    def _named(self) -> list[tuple[str, Side]]:
        left, right, _ = self._rows.sides(self.outcome)
        return [("below", left), ("above", right)]

    def _robust(self, left: Side, right: Side, widths: Widths | None) -> dict[str, Any]:
        names = ("estimate", "std_error", "lower", "upper", "p_value")
        empty: dict[str, Any] = dict.fromkeys(names)
        fewest = min(len(left.x), len(right.x))
        if fewest < FEWEST:
            return {**empty, "why": f"{fewest} units on one side, where {FEWEST} are the least"}
        try:
            found = jump(left, right, widths or optimal_widths(left, right))
        except FitError as error:
            return {**empty, "why": str(error)}
        row = _row(ROBUST, found.robust, found.robust_error, self.level)
        return {**{name: row[name] for name in names}, "why": ""}


def discontinuity(
    table: Any, *, running: str, cutoff: float, outcome: str,
    bandwidth: float | str = ERROR, level: float = 0.9,
) -> Discontinuity:  # fmt: skip
    """The effect on those at the cutoff of a rule that starts there.

    table: one row a unit; running: column of the score that the rule looks at; cutoff: where it
    starts, units at it being above; outcome: column of numbers; bandwidth: "error" (of the smallest
    mean squared error), "coverage" (a little narrower, so that the interval errs least in what it
    holds) or a number in units of the score, then used for the bend as well; level: of intervals.
    Rows that lack score or outcome are left out and counted.
    Errors: DataError with every problem; OptionError; FitError where a side has too few values.

    >>> from cxmodels.chance import generator
    >>> rng = generator(5)
    >>> points = rng.uniform(0.0, 1000.0, 4000)
    >>> spend = 50 + 0.04 * points + 8.0 * (points >= 600) + rng.normal(0.0, 10.0, 4000)
    >>> table = pd.DataFrame({"points": points, "spend": spend})
    >>> found = discontinuity(table, running="points", cutoff=600, outcome="spend")
    >>> found.lower < 8.0 < found.upper
    True
    >>> found.density().p_value > 0.05
    True
    """
    inside = check_level(level)
    rows = cutoff_rows(table, running, cutoff)
    left, right, lost = rows.sides(outcome)
    widths = _widths(left, right, bandwidth)
    found = jump(left, right, widths)
    shown = pd.DataFrame([_row(PLAIN, found.plain, found.plain_error, inside),
                          _row(ROBUST, found.robust, found.robust_error, inside)])  # fmt: skip
    last = shown.iloc[-1]
    sides = pd.DataFrame([
        {"side": name, "units": len(side.x), "near": int(side.within(widths.h).sum()),
         "wide": int(side.within(widths.b).sum())}
        for name, side in (("below", left), ("above", right))
    ])  # fmt: skip
    return Discontinuity(
        shown, sides, outcome, found.robust, found.robust_error, float(last["lower"]),
        float(last["upper"]), inside, widths.h, widths.b, _notes(sides, widths, lost), rows,
    )  # fmt: skip


def jump(left: Side, right: Side, widths: Widths) -> Jump:
    """The jump from left to right within given widths.

    >>> x = np.linspace(0.0, 1.0, 100)
    >>> found = jump(Side(x - 1.01, x * 0), Side(x, 2.0 + x**2), Widths(0.4, 0.6))
    >>> round(found.robust, 6), round(found.plain, 2)
    (2.0, 1.99)
    """
    totals = np.zeros(4)
    for sign, side in ((-1.0, left), (1.0, right)):
        straight, bent = fit_weights(side.x, widths)
        own = variances(side, max(widths.h, widths.b))
        totals += [sign * float(straight @ side.y), sign * float(bent @ side.y),
                   float(straight**2 @ own), float(bent**2 @ own)]  # fmt: skip
    return Jump(*totals[:2].tolist(), *np.sqrt(totals[2:]).tolist())


def _widths(left: Side, right: Side, bandwidth: float | str) -> Widths:
    if isinstance(bandwidth, str) and bandwidth in (ERROR, COVERAGE):
        best = optimal_widths(left, right)
        return best if bandwidth == ERROR else coverage_widths(best, len(left.x) + len(right.x))
    if isinstance(bandwidth, bool) or not isinstance(bandwidth, int | float | np.number):
        raise OptionError(f"bandwidth {bandwidth!r} is neither 'error', 'coverage' nor a number")
    if not 0.0 < float(bandwidth) < np.inf:
        raise OptionError(f"bandwidth {bandwidth!r} is no positive number")
    return Widths(float(bandwidth), float(bandwidth))


def _row(how: str, estimate: float, error: float, level: float) -> dict[str, Any]:
    half = normal_quantile(level) * error
    if error > 0.0:
        p = 2.0 * float(scipy.special.ndtr(-abs(estimate) / error))
    else:
        p = 1.0 if estimate == 0.0 else 0.0
    return {"how": how, "estimate": estimate, "std_error": error, "lower": estimate - half,
            "upper": estimate + half, "p_value": p}  # fmt: skip


def _notes(sides: pd.DataFrame, widths: Widths, lost: int) -> tuple[str, ...]:
    below, above = sides["near"]
    told = [f"{below:,} units below and {above:,} from the cutoff on lie within {widths.h:.4g} of "
            f"it; the bend is told within {widths.b:.4g}. The effect is on units at the cutoff, "
            "and on no others."]  # fmt: skip
    if min(below, above) < NEAR:
        told.append(f"Only {below:,} and {above:,} units lie within it: the interval holds less "
                    "often than it says.")  # fmt: skip
    if lost:
        told.append(f"{lost:,} rows lack the score or the outcome, and are left out.")
    return tuple(told)
