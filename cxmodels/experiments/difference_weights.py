"""Weights of synthetic difference in differences: of units, and of periods before treatment.

Source: Arkhangelsky, Athey, Hirshberg, Imbens and Wager 2021, "Synthetic
difference-in-differences", American Economic Review 111: equations 4 (unit weights), 5 (their
ridge), 6 (time weights), 1 (the estimate), as R's synthdid solves them, whose search stops early.
Here the optimum is exact.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.simplex_weights import gram, nearest
from cxmodels.numerics.arrays import Floats, Ints

TIME_RIDGE = 1e-6  # of the noise: makes time weights unique; the paper's footnote to equation 6


@dataclass(frozen=True)
class Ridges:
    """Roots of the ridges on unit and time weights, units of the outcome, and the noise: standard
    deviation of changes from one period to the next, of untreated units before treatment."""

    units: float
    times: float
    noise: float


def ridges_of(Y: Floats, treated: int, start: int) -> Ridges:
    """Ridges of a panel whose untreated units are Y (n, T): equation 5 there."""
    changes = np.diff(Y[:, :start], axis=1)
    if changes.size < 2:
        raise FitError("two periods before treatment are the least: one shows no change")
    noise = float(changes.std(ddof=1))
    after = Y.shape[1] - start
    return Ridges((treated * after) ** 0.25 * noise, TIME_RIDGE * noise, noise)


@dataclass(frozen=True, eq=False)
class Doubled:
    """Weights of untreated units (n,) and of periods before treatment (start,)."""

    units: Floats
    times: Floats
    breach: float

    def estimate(self, Y: Floats, treated: Floats) -> float:
        """The treated less weighted units, after less weighted periods before: equation 1."""
        gap = treated - self.units @ Y
        start = self.times.size
        return float(gap[start:].mean() - self.times @ gap[:start])


def doubled(
    Y: Floats, treated: Floats, ridges: Ridges, start: int, near: Doubled | None = None
) -> Doubled:
    """Weights for untreated Y (n, T) and the mean of the treated (T,); near: weights to start from.

    Both leave a constant free: units (periods) are told from their own mean.
    """
    before, after = Y[:, :start], Y[:, start:].mean(axis=1)
    rows = before - before.mean(axis=1, keepdims=True)
    own = treated[:start] - treated[:start].mean()
    units = nearest(gram(rows, own, ridges.units**2), None if near is None else near.units)
    columns = (before - before.mean(axis=0)).T
    times = nearest(gram(columns, after - after.mean(), ridges.times**2),
                    None if near is None else near.times)  # fmt: skip
    return Doubled(units.weights, times.weights, max(units.breach, times.breach))


def single(
    Y: Floats, treated: Floats, ridges: Ridges, start: int, near: Doubled | None = None
) -> Doubled:
    """Synthetic control as the same estimate: no weights of periods, no constant, least ridge."""
    G = gram(Y[:, :start], treated[:start], (TIME_RIDGE * ridges.noise) ** 2)
    found = nearest(G, None if near is None else near.units)
    return Doubled(found.weights, np.zeros(start), found.breach)


def even(n: int, start: int) -> Doubled:
    """Difference in differences as the same estimate: all weights alike."""
    return Doubled(np.full(n, 1.0 / n), np.full(start, 1.0 / start), 0.0)


KINDS = ("synthetic difference", "synthetic control", "difference in differences")


def weights_of(
    kind: str, panel: tuple[Floats, Floats], ridges: Ridges, start: int, near: Doubled | None = None
) -> Doubled:
    """Weights of one of the estimates: panel of untreated Y (n, T) and the treated mean (T,)."""
    Y, treated = panel
    if kind == KINDS[0]:
        return doubled(Y, treated, ridges, start, near)
    return single(Y, treated, ridges, start, near) if kind == KINDS[1] else even(len(Y), start)


def jackknife(Y: Floats, treated: Ints, weights: Doubled) -> float:
    """Standard error with each unit left out in turn, weights held (Algorithm 3 there): Y (N, T),
    treated: places.

    Raises: FitError with one treated unit, or all weight on one, where it is not defined.
    """
    everyone = np.arange(len(Y))
    donors = np.setdiff1d(everyone, treated)
    if treated.size < 2:
        raise FitError("the jackknife has no standard error with one treated unit: use placebos")
    if int((weights.units > 0.0).sum()) < 2:
        raise FitError("the jackknife has no standard error with all weight on one unit")
    found = []
    for left in everyone:
        kept = donors != left
        share = weights.units[kept] / weights.units[kept].sum()
        own = Y[treated[treated != left]].mean(axis=0)
        found.append(Doubled(share, weights.times, 0.0).estimate(Y[donors[kept]], own))
    n = len(found)
    return float(np.sqrt((n - 1.0) / n * ((np.array(found) - np.mean(found)) ** 2).sum()))
