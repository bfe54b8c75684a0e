"""Conformal tests of an effect on one treated series, and the effects that they do not reject.

Under an effect that is taken for true, the treated series less that effect is like its past: the
mixture is refitted to all periods, and mean absolute gaps after treatment are set beside those of
every cyclic shift of the gaps (moving blocks). Source: Chernozhukov, Wuthrich and Zhu 2021, "An
exact and robust conformal inference method for counterfactual and synthetic controls", Journal of
the American Statistical Association 116, sections 2.2 and 2.3, with the statistic of q = 1. Exact
where gaps under the right mixture are stationary; the effects not rejected are an interval's hull.
"""

from collections.abc import Callable

import numpy as np

from cxmodels.experiments.simplex_weights import gram, nearest
from cxmodels.numerics.arrays import Floats

DOUBLINGS, LOOKED, HALVINGS = 40, 24, 14  # of the search for ends, each side of the estimate


def block_p_value(gaps: Floats, after: int) -> float:
    """Share of cyclic shifts of gaps (T,) whose last `after` are as large as they are.

    >>> block_p_value(np.array([0.1, -0.2, 0.1, 0.3, 2.0]), 1)
    0.2
    """
    size = np.abs(gaps)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([size, size]))])
    sums = total[after : after + size.size] - total[: size.size]
    observed = sums[size.size - after]
    return float(np.mean(sums >= observed - 1e-9 * sums.max()))


def p_value_of(
    donors: Floats, treated: Floats, after: int, ridge: float
) -> Callable[[float], float]:
    """p-value of an effect in each of the last `after` periods: donors (n, T), treated (T,)."""
    last: list[Floats | None] = [None]

    def p_value(effect: float) -> float:
        y = treated.copy()
        y[-after:] -= effect
        found = nearest(gram(donors, y, ridge), last[0])
        last[0] = found.weights
        return block_p_value(y - found.weights @ donors, after)

    return p_value


def ends_of(
    p_value: Callable[[float], float], centre: float, step: float, level: float
) -> tuple[float, float] | None:
    """Least and largest effects with a p-value above 1 - level, sought from an estimate outwards.

    step: a first width to look at. None where every effect looked at is rejected; without end where
    one side never is.
    """
    least = 1.0 - level + 1e-12

    def kept(effect: float) -> bool:
        return p_value(effect) > least

    reach = []
    for way in (-1.0, 1.0):
        width = step
        for _ in range(DOUBLINGS):
            if not kept(centre + way * width):
                break
            width *= 2.0
        else:
            width = np.inf
        reach.append(width)
    if np.isinf(reach).any():
        return -np.inf, np.inf
    looked = np.concatenate([centre - reach[0] * np.linspace(1.0, 0.0, LOOKED, endpoint=False),
                             centre + reach[1] * np.linspace(0.0, 1.0, LOOKED + 1)])  # fmt: skip
    inside = [at for at, effect in enumerate(looked) if kept(float(effect))]
    if not inside:
        return None
    low = _edge(kept, float(looked[inside[0]]), float(looked[inside[0] - 1]))
    high = _edge(kept, float(looked[inside[-1]]), float(looked[inside[-1] + 1]))
    return low, high


def _edge(kept: Callable[[float], bool], inner: float, outer: float) -> float:
    """Where effects stop being kept, between one that is and one that is not."""
    for _ in range(HALVINGS):
        middle = (inner + outer) / 2.0
        if kept(middle):
            inner = middle
        else:
            outer = middle
    return inner
