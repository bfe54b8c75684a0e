"""What present customers are expected to bring, in closed form up to one integral over time.

Residual value of a customer = margin x P(alive) x discounted expected purchases if alive x
expected spend per purchase. The second factor depends on (x, T) only. Arrays have customers or
histories on rows and draws of the parameters on columns.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Dimension
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.spend.family import SpendFamily
from cxmodels.value.discount import NODES, DiscountCurve, Scheme
from cxmodels.value.histories import Histories
from cxmodels.value.opportunities import counted, fading

CELLS = 500_000  # values of the purchase rate worked out at once by each of two threads
QUICK = 6  # nodes a panel under each draw: 1e-5 relative, far below the spread of the draws


def scheme_of(
    family: PurchaseFamily,
    alive: Floats,
    curve: DiscountCurve,
    rates: Floats | None = None,
    *,
    nodes: int = NODES,
) -> Scheme:
    """Times and weights for the purchase rates of customers alive now, parameters (g, k).

    Quadrature over time, or in discrete time a sum over opportunities; rates: annual rates, one
    column of weights for each, the curve's own if None.
    """
    if family.discrete:
        return counted(curve, fading(family, alive), rates, nodes=nodes)
    jumps = family.link.jumps(alive)
    return curve.scheme(resolution(family, alive), rates, nodes=nodes, jumps=jumps)


def resolution(family: PurchaseFamily, alive: Floats) -> float:
    """The shortest time over which a purchase rate changes by its own size.

    alive: (g, k) parameters of customers alive now. The rate of a regular buyer who has just bought
    rises first, over about one of the stages between two purchases.
    """
    is_time = [
        item.dimension is Dimension.TIME for item in family.link.own(family.space).parameters
    ]
    scale = alive[:, : len(is_time)][:, is_time].min(axis=-1)
    if family.stages > 1:
        soon = scale[:, None] * np.array([0.01, 0.1, 0.3, 1.0])
        fastest = family.purchase_rate(alive[:, None, :], soon).max(axis=-1)
        scale = np.minimum(scale, 1.0 / np.maximum(family.stages * fastest, 1e-300))
    step = 1e-3 * scale
    start = family.purchase_rate(alive, np.zeros(len(alive)))
    later = family.purchase_rate(alive, step)
    falling = (start > later) & (later > 0.0)
    ratio = np.where(falling, start, 1.0) / np.where(falling, later, 1.0)
    fall = np.log(ratio) / step
    return float(np.minimum(scale, 1.0 / np.maximum(fall, 1e-300)).min())


def discounted_if_alive(
    family: PurchaseFamily, theta: Floats, seen: Histories, curve: DiscountCurve
) -> Floats:
    """(g,): discounted expected purchases of a customer alive now, at one theta (k,)."""
    alive = seen.ahead.alive(family, theta)
    scheme = scheme_of(family, alive, curve)
    rate = family.purchase_rate(alive[:, None, :], scheme.times)
    return np.asarray(rate @ scheme.weights[:, 0])


def discounted_by_draw(
    family: PurchaseFamily,
    theta: Floats,
    seen: Histories,
    curve: DiscountCurve,
    rates: Floats,
) -> Floats:
    """(g, d): the same under each draw (d, k) and its annual discount rate (d,)."""
    alive = seen.ahead.alive(family, theta)
    few = alive[:: max(1, len(alive) // 20)].reshape(-1, alive.shape[-1])
    distinct, place = np.unique(rates, return_inverse=True)
    scheme = scheme_of(family, few, curve, distinct, nodes=QUICK)

    def part(rows: slice) -> Floats:
        rate = family.purchase_rate(alive[rows, :, None, :], scheme.times)
        return np.asarray(np.einsum("dgj,jd->dg", rate, scheme.weights[:, place[rows]]))

    step = max(1, CELLS // (seen.ahead.x.size * scheme.times.size))
    slices = [slice(start, start + step) for start in range(0, len(theta), step)]
    with ThreadPoolExecutor(2) as pool:
        return np.ascontiguousarray(np.concatenate(list(pool.map(part, slices))).T)


def p_alive(family: PurchaseFamily, theta: Floats, seen: Histories, part: slice) -> Floats:
    """(part, d): P(alive) of the histories in `part` under each theta (d, k)."""
    _, first, place = np.unique(seen.profile[part], return_index=True, return_inverse=True)
    past = (v[part][first] for v in (seen.x, seen.t_x, seen.T))
    own = family.link.rows(theta, seen.kind[part][first])
    return np.ascontiguousarray(family.p_alive(own, *past).T)[place]


def spend(family: SpendFamily, theta: Floats, seen: Histories, part: slice) -> Floats:
    """(part, d): expected paid order of the histories in `part` under each theta (d, 3)."""
    return family.expected_order(theta, seen.orders[part], seen.mean[part])
