"""What each customer will spend on the next order, with intervals that carry all uncertainty.

The interval of the expectation comes from posterior draws alone; the predictive interval of the
next order from orders simulated at those draws. Both depend on the paid orders x and their sum s
only, and smoothly on s: they are computed at chosen sums for each x and interpolated.
"""

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.spend import gamma_gamma

NODES = 1500  # (x, s) pairs at which intervals are computed; more are interpolated
ORDERS = 8  # simulated orders at each posterior draw


def prediction_table(
    fitted: Floats, draws: Floats, table: pd.DataFrame, *, level: float, seed: int
) -> pd.DataFrame:
    """One row per customer of `table`: expected spend with intervals (see FittedSpend.predict)."""
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must lie between 0 and 1, got {level}")
    x = table["paid_frequency"].to_numpy(dtype=np.float64)
    m = table["monetary_value"].to_numpy(dtype=np.float64)
    customer = gamma_gamma.seen(fitted, x, m)
    total = customer[:, 2] - fitted[2]
    ends = _intervals(draws, x, np.where(x > 0, total, 0.0), level, seed)
    return pd.DataFrame(
        {
            "customer_id": table["customer_id"].to_numpy(),
            "expected_spend": gamma_gamma.expected_spend(customer),
            "lower": ends[:, 0],
            "upper": ends[:, 1],
            "spend_lower": ends[:, 2],
            "spend_upper": ends[:, 3],
            "population_mean": float(gamma_gamma.expected_spend(fitted)),
        }
    )


def _intervals(draws: Floats, x: Floats, s: Floats, level: float, seed: int) -> Floats:
    """(n, 4): interval of the expectation and of the next order for each (x, s)."""
    ends = np.empty((x.size, 4))
    counts = np.unique(x)
    order = np.argsort(x, kind="stable")
    edges = np.searchsorted(x[order], np.append(counts, np.inf))
    for place, count in enumerate(counts):
        rows = order[edges[place] : edges[place + 1]]
        nodes = _nodes(s[rows], max(5, NODES // counts.size))
        rng = np.random.default_rng([seed, int(count)])
        at = _at_nodes(draws, count, nodes, level, rng)
        for column in range(4):
            ends[rows, column] = np.interp(s[rows], nodes, at[:, column])
    return ends


def _nodes(s: Floats, most: int) -> Floats:
    """The distinct sums, or `most` spread evenly in sqrt between the smallest and largest."""
    distinct = np.unique(s)
    if distinct.size <= most:
        return distinct
    return np.linspace(np.sqrt(distinct[0]), np.sqrt(distinct[-1]), most) ** 2


def _at_nodes(
    draws: Floats, count: float, nodes: Floats, level: float, rng: np.random.Generator
) -> Floats:
    """(nodes, 4): both intervals of customers with `count` orders that sum to each node."""
    probabilities = [(1 - level) / 2, (1 + level) / 2]
    p, q, gamma = draws[:, 0], draws[:, 1] + draws[:, 0] * count, draws[:, 2]
    shape = (ORDERS, len(draws))
    ratio = rng.standard_gamma(p, shape) / rng.standard_gamma(q, shape)  # beta-prime(p, q')
    found = np.empty((nodes.size, 4))
    for place, sum_of_orders in enumerate(nodes):
        theta = np.stack([p, q, gamma + sum_of_orders], axis=-1)
        means = np.sort(gamma_gamma.expected_spend(theta))
        orders = np.sort((theta[:, 2] * ratio).ravel())
        found[place, :2] = _quantiles(means, probabilities)
        found[place, 2:] = _quantiles(orders, probabilities)
    return found


def _quantiles(ordered: Floats, probabilities: list[float]) -> Floats:
    """Quantiles of ordered values by the nearest rank, so that an infinite value stays one."""
    places = [min(int(np.floor(p * ordered.size)), ordered.size - 1) for p in probabilities]
    return ordered[places]
