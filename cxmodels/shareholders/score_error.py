"""How much of a firm's score is error? Read from how fast scores part with the years between them.

Half the mean square of score_t - score_t-k is W (1 - rho^k) + s2: what is left at k = 0 is the
variance s2 of the error of one score, W and rho the spread and the persistence of what is true
(a variogram and its nugget; the error is taken for fresh in every period). With one lag alone, and
a true score that wanders without end, s2 = - Cov of changes that follow one another, so that a
reliability of changes of 1 + 2 r is read from their first autocorrelation r.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.chance import generator
from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.panel_grid import Panel, panel_of
from cxmodels.results.shown_tables import Face, Faced

MOST_LAGS, FEWEST = 6, 30
RESAMPLES = 200
NOTHING = 1e-9
LEAST = 0.05  # share of the score's variance that has to be no error


@dataclass(frozen=True, eq=False, repr=False)
class ScoreError(Faced):
    """variance: of the error of one score, points squared, with std_error; changes: reliability of
    a change over one period; autocorrelation: first, of changes; lags: lag, seen, fitted, pairs."""

    variance: float
    std_error: float
    changes: float
    autocorrelation: float
    lags: pd.DataFrame
    note: str

    def _moves(self) -> str:
        if not np.isfinite(self.autocorrelation):
            return ""
        return f" (lag-1 autocorrelation of changes {self.autocorrelation:.2f})"

    def face(self) -> Face:
        """The error, and the curve it is read from."""
        head = (
            f"Error of one score: {np.sqrt(self.variance):.2f} points (variance "
            f"{self.variance:.2f}, std. error {self.std_error:.2f}); {1 - self.changes:.0%} of a "
            f"yearly change is error{self._moves()}"
        )
        return Face(head, self.lags, (self.note,))


def score_error(panel: FirmPanel, *, seed: int = 1) -> ScoreError:
    """The error of the scores of a panel; firms are resampled for its standard error.

    Errors: FitError with fewer than three lags of 30 pairs each.
    """
    held = panel_of(check_panel(panel).table, "firm", "period", ["score"])
    if np.nanmax(held.columns["score"]) == np.nanmin(held.columns["score"]):
        raise FitError("every score is the same: nothing says how much of it is error")
    squares, counts = _by_firm(held)
    whole = _fitted(squares.sum(axis=0), counts.sum(axis=0))
    if whole is None:
        raise FitError(
            f"the error of a score is read from three lags of {FEWEST} pairs of years or more: "
            "give its standard deviation in points as error="
        )
    rng = generator(seed)
    drawn = []
    for _ in range(RESAMPLES):
        of = rng.integers(0, len(squares), len(squares))
        found = _fitted(squares[of].sum(axis=0), counts[of].sum(axis=0))
        if found is not None:
            drawn.append(found[0])
    s2, W, rho = whole
    lag = np.arange(1, squares.shape[1] + 1)
    used = counts.sum(axis=0) >= FEWEST
    seen = squares.sum(axis=0)[used] / counts.sum(axis=0)[used] / 2.0
    curve = pd.DataFrame(
        {"lag": lag[used], "seen": seen, "fitted": s2 + W * (1 - rho ** lag[used]),
         "pairs": counts.sum(axis=0)[used].astype(np.int64)}
    )  # fmt: skip
    one = 2.0 * float(seen[0])
    return ScoreError(
        variance=s2,
        std_error=float(np.std(drawn, ddof=1)),
        changes=float(np.clip(1.0 - 2.0 * s2 / one, 0.0, 1.0)) if one > 0 else 1.0,
        autocorrelation=_autocorrelation(held),
        lags=curve,
        note="Read from the panel itself: an error that lasts over years passes for truth.",
    )


def known_error(sd: float) -> tuple[float, float]:
    """Variance and its error (none) where the standard deviation of a score's error is given."""
    if not (isinstance(sd, int | float) and np.isfinite(sd) and sd >= 0.0):
        raise OptionError(f"error {sd!r} is a standard deviation in points: 0 or more")
    return sd**2, 0.0


def error_of(panel: FirmPanel, given: float | None) -> tuple[tuple[float, float], str]:
    """Variance of the error of a score with its own error, and where it is from."""
    if given is not None:
        return known_error(given), f"The error of a score is given as {given:g} points."
    found = score_error(panel)
    if found.variance <= NOTHING:
        return (0.0, 0.0), (
            f"{len(found.lags)} lags of years show no error of the score, and effects are not "
            "corrected: give error= (in points) where it is known."
        )
    return (found.variance, found.std_error), (
        f"The error of a score is {np.sqrt(found.variance):.2f} points, read from the panel: "
        f"{1 - found.changes:.0%} of a yearly change."
    )


def turned(gram: Floats, noise: Floats, s2: float) -> Floats:
    """(X'X - s2 C)^-1 X'X, which frees coefficients of several scores of their errors; C: (k, k)
    cross products of errors of variance 1. Errors: FitError where little but error is left."""
    true = gram - s2 * noise
    if np.linalg.eigvalsh(true)[0] <= LEAST * np.linalg.eigvalsh(gram)[0]:
        raise FitError("two scores of one firm differ by little more than their error")
    return np.asarray(np.linalg.solve(true, gram))


def _by_firm(held: Panel) -> tuple[Floats, Floats]:
    """(firms, lags) sums of squared differences and how many they are."""
    lags = range(1, min(MOST_LAGS, int(np.ptp(held.period))) + 1)
    sums, counts = [], []
    for lag in lags:
        gap = held.change(held.columns["score"], lag)
        there = np.isfinite(gap)
        sums.append(np.bincount(held.unit[there], weights=gap[there] ** 2, minlength=held.units))
        counts.append(np.bincount(held.unit[there], minlength=held.units).astype(np.float64))
    return np.array(sums, dtype=np.float64).T, np.array(counts, dtype=np.float64).T


def _fitted(squares: Floats, counts: Floats) -> tuple[float, float, float] | None:
    """s2, W and rho, weighted by pairs; None where lags are too few."""
    used = counts >= FEWEST
    if used.sum() < 3:
        return None
    lag = np.flatnonzero(used) + 1.0
    half = squares[used] / counts[used] / 2.0
    root = np.sqrt(counts[used])

    def off(rho: float) -> tuple[float, Floats]:
        X = np.column_stack([np.ones(lag.size), 1.0 - rho**lag]) * root[:, None]
        found, cost = scipy.optimize.nnls(X, half * root)
        return float(cost), found

    grid = np.linspace(0.02, 0.98, 49)
    best = grid[int(np.argmin([off(rho)[0] for rho in grid]))]
    ends = max(best - 0.02, 0.001), min(best + 0.02, 0.999)
    rho = float(scipy.optimize.minimize_scalar(lambda r: off(r)[0], bounds=ends).x)
    s2, W = off(rho)[1]
    return float(s2), float(W), rho


def _autocorrelation(held: Panel) -> float:
    """First, of changes that follow one another."""
    change = held.change(held.columns["score"])
    row = held.before(1)
    last = np.where(row >= 0, change[np.maximum(row, 0)], np.nan)
    both = np.isfinite(change) & np.isfinite(last)
    if both.sum() < 3 or np.ptp(change[both]) == 0.0 or np.ptp(last[both]) == 0.0:
        return float("nan")
    return float(np.corrcoef(change[both], last[both])[0, 1])
