"""The naive regression on effects of units and periods, and how far its weights can be trusted.

y_it = a_i + l_t + b D_it + e_it. Where treatment begins at different times, b takes units treated
earlier as controls of those treated later: it is a sum of the effects of treated rows with weights
x_it / sum x^2, x what is left of D after both effects, of which some are below 0 (de Chaisemartin
and D'Haultfoeuille 2020, American Economic Review 110, theorem 1; Goodman-Bacon 2021, Journal of
Econometrics 225). With effects that grow over time it can come out with the wrong sign.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.staggered import Rollout
from cxmodels.experiments.staggered_influence import critical_value, summed
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.absorb import absorbed, effects_of


@dataclass(frozen=True)
class TwoWay:
    """estimate with std_error (clustered by unit, or by the cluster given), lower, upper;
    negative: sum of the weights below 0 that effects of treated rows get in it (all sum to 1)."""

    estimate: float
    std_error: float
    lower: float
    upper: float
    negative: float
    sentence: str


def two_way(rollout: Rollout, level: float) -> TwoWay:
    """Least squares on both effects and a column that is 1 once treatment has begun.

    Raises: FitError where the column follows from the effects.
    """
    y, d = _left(rollout)
    size = float((d**2).sum())
    if size <= 1e-12 * max(float(np.isfinite(rollout.y).sum()), 1.0):
        raise FitError("treatment cannot be told apart from units and periods")
    estimate = float((d * y).sum()) / size
    sums, factor = summed((d * (y - estimate * d)).sum(axis=1)[:, None] / size, rollout.cluster)
    C = len(sums)
    error = float(np.sqrt((sums**2).sum() * factor))
    half = critical_value(np.inf if rollout.cluster is None else C - 1.0, level) * error
    on = rollout.seen & (rollout.periods >= rollout.group[:, None])
    negative = float(np.minimum(d[on], 0.0).sum() / size)
    told = (
        f"Two-way fixed effects: {estimate:.4g} ({estimate - half:.4g} to {estimate + half:.4g}); "
    )
    told += (
        "none of its weights is below 0."
        if negative > -1e-9
        else f"effects with weights below 0 count {negative:.2f} in it, so that it can lie outside "
        "the effects that it averages."
    )
    return TwoWay(estimate, error, estimate - half, estimate + half, negative, told)


def _left(rollout: Rollout) -> tuple[Floats, Floats]:
    """(n, T) outcomes and treatment less both effects, 0 where not seen."""
    seen = rollout.seen
    on = (rollout.periods >= rollout.group[:, None]).astype(np.float64)
    if seen.all():
        both = (rollout.y, on)
        left = [c - c.mean(axis=1, keepdims=True) - c.mean(axis=0) + c.mean() for c in both]
        return left[0], left[1]
    unit, period = (place.astype(np.int64) for place in np.nonzero(seen))
    columns = absorbed(np.column_stack([rollout.y[seen], on[seen]]), effects_of([unit, period]))
    found = []
    for column in columns.T:
        grid = np.zeros(seen.shape)
        grid[seen] = column
        found.append(grid)
    return found[0], found[1]
