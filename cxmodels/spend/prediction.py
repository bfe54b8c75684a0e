"""What each customer will spend on the next order, with intervals that carry all uncertainty.

The interval of the expectation comes from posterior draws alone; the predictive interval of the
next order from orders simulated at those draws. Both depend on the paid orders x and their mean m
only, and smoothly on m: they are computed at chosen means for each x and interpolated.
"""

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.spend.family import SpendFamily

NODES = 1500  # (x, m) pairs at which intervals are computed; more are interpolated
ORDERS = 8  # simulated orders at each posterior draw


def prediction_table(
    family: SpendFamily,
    known: tuple[Floats, Floats],
    table: pd.DataFrame,
    *,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """One row per customer of `table`: expected spend with intervals (see FittedSpend.predict).

    known: the estimates (3,), and posterior draws (d, 3).
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must lie between 0 and 1, got {level}")
    fitted, draws = known
    x = table["paid_frequency"].to_numpy(dtype=np.float64)
    m = np.where(x > 0, table["monetary_value"].to_numpy(dtype=np.float64), 0.0)
    nobody = np.zeros(1)
    ends = _intervals(family, draws, (x, m), level, seed)
    return pd.DataFrame(
        {
            "customer_id": table["customer_id"].to_numpy(),
            "expected_spend": family.expected_order(fitted[None], x, m)[:, 0],
            "lower": ends[:, 0],
            "upper": ends[:, 1],
            "spend_lower": ends[:, 2],
            "spend_upper": ends[:, 3],
            "population_mean": float(family.expected_order(fitted[None], nobody, nobody)[0, 0]),
        }
    )


def _intervals(
    family: SpendFamily, draws: Floats, seen: tuple[Floats, Floats], level: float, seed: int
) -> Floats:
    """(n, 4): interval of the expectation and of the next order for each (x, m)."""
    x, m = seen
    ends = np.empty((x.size, 4))
    counts = np.unique(x)
    order = np.argsort(x, kind="stable")
    edges = np.searchsorted(x[order], np.append(counts, np.inf))
    for place, count in enumerate(counts):
        rows = order[edges[place] : edges[place + 1]]
        nodes = _nodes(m[rows], max(5, NODES // counts.size))
        rng = generator(seed, int(count))
        at = _at_nodes(family, draws, (count, nodes), level, rng)
        for column in range(4):
            ends[rows, column] = np.interp(m[rows], nodes, at[:, column])
    return ends


def _nodes(m: Floats, most: int) -> Floats:
    """The distinct means, or `most` spread evenly in sqrt between the smallest and largest."""
    distinct = np.unique(m)
    if distinct.size <= most:
        return distinct
    ends = np.sign(distinct[[0, -1]]) * np.sqrt(np.abs(distinct[[0, -1]]))
    root = np.linspace(ends[0], ends[1], most)
    return np.asarray(np.sign(root) * root**2)


def _at_nodes(
    family: SpendFamily,
    draws: Floats,
    seen: tuple[float, Floats],
    level: float,
    rng: np.random.Generator,
) -> Floats:
    """(nodes, 4): both intervals of customers with `count` orders of each mean."""
    probabilities = [(1 - level) / 2, (1 + level) / 2]
    count, nodes = seen
    next_orders = family.next_orders(draws, count, ORDERS, rng)
    expected = family.expected_order(draws, np.full(nodes.size, count), nodes)
    found = np.empty((nodes.size, 4))
    for place, (means, m) in enumerate(zip(expected, nodes, strict=True)):
        found[place, :2] = _quantiles(np.sort(means), probabilities)
        found[place, 2:] = _quantiles(np.sort(next_orders(m).ravel()), probabilities)
    return found


def _quantiles(ordered: Floats, probabilities: list[float]) -> Floats:
    """Quantiles of ordered values by the nearest rank, so that an infinite value stays one."""
    places = [min(int(np.floor(p * ordered.size)), ordered.size - 1) for p in probabilities]
    return ordered[places]
