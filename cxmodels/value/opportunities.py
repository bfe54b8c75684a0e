"""What purchases at counted opportunities are worth today: a sum over them, however many.

The first opportunities are summed one by one. Beyond, the chance of a purchase is smooth in
y = log(1 + (s - s_0) / c): within panels of y it is replaced by the polynomial through Chebyshev
nodes, and the discount factors of all opportunities of a panel are summed into weights, once.
"""

import itertools

import numpy as np

from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.value.discount import NODES, PANEL, DiscountCurve, Scheme, lagrange

SINGLE = 64  # opportunities summed one by one
FEW = 128  # all of them, where there are no more
BLOCK = 4096  # opportunities weighted at once


def fading(family: PurchaseFamily, alive: Floats) -> float:
    """Opportunities over which the chance of a purchase falls by its own size, after SINGLE.

    alive: (g, k) parameters of customers alive now; those who have left by then do not count.
    """
    step = 1e-3 * SINGLE
    start, later = (
        family.purchase_rate(alive, np.full(len(alive), s)) for s in (SINGLE, SINGLE + step)
    )
    there = start > 1e-200
    fall = np.log(start[there] / later[there]) / step
    return float(np.minimum(SINGLE, 1.0 / np.maximum(fall, 1e-300)).min(initial=SINGLE))


def counted(
    curve: DiscountCurve, resolution: float, rates: Floats | None = None, *, nodes: int = NODES
) -> Scheme:
    """Times and weights that turn chances of a purchase into discounted expected purchases.

    resolution: from `fading`; rates: annual rates, one column of weights for each, the curve's
    own if None; nodes: in a panel.
    """
    rates = np.array([curve.rate]) if rates is None else rates
    reach = min(curve.length, DiscountCurve(float(rates.min()), np.inf, curve.unit).reach)
    last = int(np.floor(reach + 1e-9))
    single = last if last <= FEW else SINGLE
    times = np.arange(1.0, max(single, 1) + 1.0)
    if last == 0:
        return Scheme(times, np.zeros((1, rates.size)))
    parts = [(times, _worth(curve, times, rates))]
    if last > single:
        count = max(1, int(np.ceil(np.log1p((last - single) / resolution) / PANEL)))
        y = np.linspace(0.0, np.log1p((last - single) / resolution), count + 1)
        edges = np.append(single + np.floor(resolution * np.expm1(y[:-1])), last)
        parts += [
            _panel(curve, (low, high), (single, resolution), rates, nodes)
            for low, high in itertools.pairwise(np.unique(edges))
        ]
    return Scheme(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _panel(
    curve: DiscountCurve,
    ends: tuple[float, float],
    scale: tuple[int, float],
    rates: Floats,
    count: int,
) -> tuple[Floats, Floats]:
    """Nodes and weights (count, rates) for the opportunities after the first end to the second."""
    (low, high), (origin, c) = ends, scale
    if high - low <= count:
        each = np.arange(low + 1.0, high + 1.0)
        return each, _worth(curve, each, rates)
    y_low, y_high = np.log1p((low - origin) / c), np.log1p((high - origin) / c)
    angle = (np.arange(count) + 0.5) * np.pi / count
    middle, half = (y_low + y_high) / 2, (y_high - y_low) / 2
    nodes = origin + c * np.expm1(middle + half * np.cos(angle))
    weights = np.zeros((count, rates.size))
    for first in np.arange(low + 1.0, high + 1.0, BLOCK):
        s = np.arange(first, min(first + BLOCK, high + 1.0))
        place = np.clip((np.log1p((s - origin) / c) - middle) / half, -1.0, 1.0)
        weights += lagrange(place, angle).T @ _worth(curve, s, rates)
    return nodes, weights


def _worth(curve: DiscountCurve, s: Floats, rates: Floats) -> Floats:
    """(opportunities, rates): present value of 1 for a purchase at each."""
    return np.exp(-np.outer(curve.paid(s), np.log1p(rates) / curve.unit.per_year))
