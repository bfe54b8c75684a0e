"""Intervals of shares, means, ratios, quantiles and concentration, without a model of behaviour.

Customers are taken as independent draws from those whom the base stands for; orders of one customer
are not independent, so ratios over orders take the customer as their unit. Linearised intervals
follow the influence of one customer on the figure (Deville 1999, Survey Methodology 25).
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints, Number


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval; arrays of one shape, or numbers."""

    value: Number
    lower: Number
    upper: Number


def _normal(level: float) -> float:
    """The half width of a normal interval, in standard errors."""
    return float(scipy.special.ndtri((1 + level) / 2))


def wilson(successes: Number | Ints, trials: Number | Ints, level: float) -> Interval:
    """Shares with Wilson's interval (1927, JASA 22, 209); NaN where nobody was counted.

    >>> found = wilson(np.array([8.0]), np.array([10.0]), 0.95)
    >>> found.lower.round(4).tolist(), found.upper.round(4).tolist()
    ([0.4902], [0.9433])
    """
    k, n = (np.asarray(part, dtype=np.float64) for part in (successes, trials))
    z = _normal(level)
    with np.errstate(invalid="ignore", divide="ignore"):  # nobody counted: NaN
        p = k / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    lower, upper = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    return Interval(p, np.where(k == 0, 0.0 * p, lower), np.where(k == n, 1.0 + 0.0 * p, upper))


def share_difference(first: Interval, second: Interval) -> Interval:
    """Second share less the first; hybrid score interval of Newcombe (1998, method 10)."""
    p, q = first.value, second.value
    below = np.sqrt((q - second.lower) ** 2 + (first.upper - p) ** 2)
    above = np.sqrt((second.upper - q) ** 2 + (p - first.lower) ** 2)
    return Interval(q - p, q - p - below, q - p + above)


def mean(values: Floats, level: float) -> Interval:
    """The mean with its normal interval; no interval for fewer than two values."""
    return _linearised(float(values.mean()) if len(values) else np.nan, values, level)


def mean_difference(first: Floats, second: Floats, level: float) -> Interval:
    """Mean of the second less mean of the first, variances apart."""
    if min(len(first), len(second)) < 2:
        gap = float(second.mean() - first.mean()) if min(len(first), len(second)) else np.nan
        return _numbers(gap, np.nan, np.nan)
    gap = float(second.mean() - first.mean())
    half = _normal(level) * float(
        np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    )
    return _numbers(gap, gap - half, gap + half)


def ratio(above: Floats, below: Floats, level: float) -> Interval:
    """sum(above) / sum(below), one entry of each per customer, linearised."""
    total = float(below.sum())
    if total == 0:
        return _numbers(np.nan, np.nan, np.nan)
    value = float(above.sum()) / total
    return _linearised(value, (above - value * below) / (total / len(below)), level)


def top_share(values: Floats, top: float, level: float) -> Interval:
    """The share of the total held by the largest `top` of all; linearised, kept within 0 and 1."""
    return share_between(values, 0.0, top, level)


def share_between(values: Floats, start: float, stop: float, level: float) -> Interval:
    """The share of the total held by those ranked from `start` to `stop`, the largest first.

    Influence of y on the share above the quantile q at rank p: max(y - q, 0) + p q - S y, over the
    mean (Beach and Davidson 1983, Review of Economic Studies 50, 723).
    """
    total = float(values.sum())
    if total <= 0:
        return _numbers(np.nan, np.nan, np.nan)
    falling = np.sort(values)[::-1]
    held = np.concatenate([[0.0], np.cumsum(falling)]) / total
    n = len(values)
    value, influence = 0.0, np.zeros(n)
    for sign, rank in ((1.0, stop), (-1.0, start)):
        share = float(np.interp(rank * n, np.arange(n + 1), held))
        value += sign * share
        if 0 < rank < 1:
            quantile = falling[min(int(rank * n), n - 1)]
            influence += sign * (np.maximum(falling - quantile, 0.0) - share * falling)
        elif rank == 1:
            influence += sign * (falling - share * falling)
    return _within(_linearised(value, influence / (total / n), level))


def gini(values: Floats, level: float) -> Interval:
    """Gini coefficient, E|Y - Y'| / (2 E[Y]), linearised as a U-statistic (Hoeffding 1948)."""
    n, total = len(values), float(values.sum())
    if n < 2 or total <= 0:
        return _numbers(0.0 if n and total > 0 else np.nan, np.nan, np.nan)
    y = np.sort(values)
    average, rank = total / n, np.arange(1, n + 1)
    value = float(((2 * rank - n - 1) * y).sum() / (n * total))
    beyond = total - np.cumsum(y)  # money of all who have more
    larger = (rank * y + beyond) / n  # E[max(y, Y)]
    influence = 2 * larger / average - (1 + value) * y / average
    return _within(_linearised(value, influence, level))


def quantiles(values: Floats, at: Floats, level: float) -> Interval:
    """Quantiles with intervals between order statistics, whose ranks are binomial.

    An end that lies beyond the smallest or largest value is missing: too few were counted.
    """
    n, y = len(values), np.sort(values)
    if n == 0:
        nothing = np.full(len(at), np.nan)
        return Interval(nothing, nothing, nothing)
    low = scipy.stats.binom.ppf((1 - level) / 2, n, at)
    high = scipy.stats.binom.ppf((1 + level) / 2, n, at) + 1
    ends = [
        np.where((rank >= 1) & (rank <= n), y[np.clip(rank, 1, n).astype(int) - 1], np.nan)
        for rank in (low, high)
    ]
    return Interval(np.quantile(y, at, method="inverted_cdf"), ends[0], ends[1])


def _linearised(value: float, influence: Floats, level: float) -> Interval:
    """A normal interval from the influence of each customer, given up to a constant."""
    if len(influence) < 2:
        return _numbers(value, np.nan, np.nan)
    half = _normal(level) * float(influence.std(ddof=1)) / np.sqrt(len(influence))
    return _numbers(value, value - half, value + half)


def _within(found: Interval) -> Interval:
    return Interval(found.value, np.maximum(found.lower, 0.0), np.minimum(found.upper, 1.0))


def _numbers(value: float, lower: float, upper: float) -> Interval:
    return Interval(np.float64(value), np.float64(lower), np.float64(upper))
