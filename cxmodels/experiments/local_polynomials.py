"""A curve's height and slopes where it ends, as weights on the outcomes near that end.

A local polynomial is linear in the outcomes: each of its coefficients is a sum of weights times
outcomes, and so its variance is a sum of squared weights times variances, which nearest neighbours
tell without a model. Fan and Gijbels (1996), "Local polynomial modelling", section 3.2.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats

NEIGHBOURS = 3  # whose mean stands for the curve at a unit
SAME = 1.0 + 1.5e-8  # distances as near as this are ties: square root of the machine's precision


@dataclass(frozen=True, eq=False)
class Side:
    """Units on one side of a cutoff: x (n,) signed distance to it, ascending; y (n,) outcomes."""

    x: Floats
    y: Floats

    @property
    def reach(self) -> float:
        """Distance of the furthest unit."""
        return float(np.abs(self.x).max())

    @property
    def places(self) -> Floats:
        """Different distances, the nearest first."""
        return np.sort(np.unique(np.abs(self.x)))

    def within(self, width: float) -> Bools:
        """(n,) whether a unit is nearer than the width."""
        return np.abs(self.x) < width


def coefficient_weights(x: Floats, width: float, order: int) -> Floats:
    """(order + 1, n) weights by which coefficients of x**0, x**1, ... follow from outcomes.

    x: (n,) distances to the point of interest; width: bandwidth of the triangular kernel.
    Errors: FitError where fewer than order + 1 different x lie within the width.

    >>> found = coefficient_weights(np.array([0.1, 0.2, 0.5]), 1.0, 1)
    >>> np.round(found @ np.array([1.2, 1.4, 2.0]), 6).tolist()
    [1.0, 2.0]
    """
    u = x / width
    kernel = np.clip(1.0 - np.abs(u), 0.0, None)
    inside = np.flatnonzero(kernel > 0.0)
    known = len(np.unique(x[inside]))
    if known <= order:
        raise FitError(
            f"{known} different value{'' if known == 1 else 's'} within {width:.4g} of the cutoff "
            f"on one side: a curve of order {order} takes {order + 1}"
        )
    root = np.sqrt(kernel[inside])
    q, r = np.linalg.qr(u[inside, None] ** np.arange(order + 1) * root[:, None])
    if np.abs(np.diag(r)).min() < 1e-12 * np.abs(np.diag(r)).max():
        raise FitError(f"values within {width:.4g} of the cutoff are too alike for a curve")
    found = np.zeros((order + 1, len(x)))
    found[:, inside] = np.linalg.solve(r, q.T) * root
    return found / width ** np.arange(order + 1)[:, None]


def neighbour_residuals(x: Floats, y: Floats) -> Floats:
    """(n,) outcomes less the mean of their nearest neighbours, whose square is unbiased for the
    variance where the curve is flat between them; ties all count.

    x: (n,) ascending; y: (n,). Abadie and Imbens (2006), section 4; Calonico, Cattaneo and Titiunik
    (2014), Econometrica 82, equation of the estimator in section 5.

    >>> neighbour_residuals(np.arange(4.0), np.array([0.0, 0.0, 0.0, 4.0])).round(3).tolist()
    [-1.155, -1.155, -1.155, 3.464]
    """
    n = len(x)
    reach = min(NEIGHBOURS, n - 1)
    steps = [step for step in range(-reach, reach + 1) if step]
    places = np.arange(n)[:, None] + steps
    gaps = np.where((places >= 0) & (places < n),
                    np.abs(x[np.clip(places, 0, n - 1)] - x[:, None]), np.inf)  # fmt: skip
    radius = np.sort(gaps, axis=1)[:, reach - 1] * SAME
    first = np.searchsorted(x, x - radius, side="left")
    last = np.searchsorted(x, x + radius, side="right")
    centred = y - y.mean()
    running = np.concatenate([[0.0], np.cumsum(centred)])
    count = last - first - 1
    mean = (running[last] - running[first] - centred) / count
    return np.asarray(np.sqrt(count / (count + 1.0)) * (centred - mean))


def variances(side: Side, width: float) -> Floats:
    """(n,) squared residuals of units within a width, 0 elsewhere."""
    own = np.zeros(len(side.x))
    inside = side.within(width)
    own[inside] = neighbour_residuals(side.x[inside], side.y[inside]) ** 2
    return own
