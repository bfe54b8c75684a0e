"""How much of the equity rests on how few customers: shares of the top, Gini, Lorenz curve."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.numerics.arrays import Floats

TOPS = (0.01, 0.05, 0.20)
ENOUGH = 100  # draws from which an interval is read off their quantiles
HUGE = np.finfo(np.float64).max / 1e9
GRID = np.linspace(0.0, 1.0, 101)


def lorenz_points(value: Floats, weight: Floats, customers_share: Floats) -> Floats:
    """Share of value held by the least valuable `customers_share` of customers.

    value, weight: (m,) value of a customer and how many have it.

    >>> lorenz_points(np.array([1.0, 3.0]), np.array([1.0, 1.0]), np.array([0.5, 1.0])).tolist()
    [0.25, 1.0]
    """
    people, money = _curve(value, weight)
    return np.asarray(np.interp(customers_share, people, money))


def gini(value: Floats, weight: Floats) -> float:
    """Gini coefficient of the values: 0 when all customers are worth the same; above 1 is possible
    where some are worth less than nothing.

    >>> gini(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.25
    """
    return _gini(*_curve(value, weight))


def _curve(value: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Cumulative shares of customers and of value, from the least valuable customer up."""
    value = np.minimum(value, HUGE)  # infinite ones, where spend has no mean, hold all equally
    order = np.argsort(value)
    people = np.concatenate([[0.0], np.cumsum(weight[order])])
    money = np.concatenate([[0.0], np.cumsum((weight * value)[order])])
    people /= people[-1]
    if money[-1] <= 0:
        return people, people  # nobody is worth anything: equal shares of nothing
    return people, money / money[-1]


def _gini(people: Floats, money: Floats) -> float:
    return float(1.0 - 2.0 * np.trapezoid(money, people))


@dataclass(frozen=True)
class Concentration:
    """Tables of concentration and of the Lorenz curve of *expected* residual value."""

    table: pd.DataFrame
    lorenz: pd.DataFrame


def concentration(value: Floats, by_draw: Floats, weight: Floats, level: float) -> Concentration:
    """Shares of the most valuable customers, Gini coefficient and Lorenz curve, with intervals.

    value: (m,) expected residual value; by_draw: (m, d) the same under parameter draws; weight:
    (m,) customers; level: width of the intervals.
    Where customers may be worth less than nothing, the top may hold more than all, and shares are
    those of draws with a total above 0; the tables are empty where the total itself is not.
    """
    if value.min() < 0.0:
        by_draw = by_draw[:, weight @ by_draw > 0.0]
        if weight @ value <= 0.0 or not by_draw.shape[1]:
            return _nothing_to_share()
    with ThreadPoolExecutor(2) as pool:
        figures = np.array(list(pool.map(lambda drawn: _figures(drawn, weight), by_draw.T)))
    bounds = (0.0, 1.0) if value.min() >= 0.0 else (-np.inf, np.inf)
    at, ends = _figures(value, weight), _ends(figures, level, bounds)
    names = [f"top {top * 100:g} per cent of customers" for top in TOPS]
    rows = {
        "group": [*names, "Gini coefficient"],
        "share": at[: len(TOPS) + 1],
        "lower": ends[0, : len(TOPS) + 1],
        "upper": ends[1, : len(TOPS) + 1],
    }
    curve = {
        "customers_share": GRID,
        "value_share": at[len(TOPS) + 1 :],
        "lower": ends[0, len(TOPS) + 1 :],
        "upper": ends[1, len(TOPS) + 1 :],
    }
    return Concentration(pd.DataFrame(rows), pd.DataFrame(curve))


def _nothing_to_share() -> Concentration:
    """No rows: shares of a total of 0 or below have no meaning."""
    ends = ["lower", "upper"]
    table = pd.DataFrame(columns=["group", "share", *ends])
    return Concentration(table, pd.DataFrame(columns=["customers_share", "value_share", *ends]))


def _figures(value: Floats, weight: Floats) -> Floats:
    """Shares of the top, the Gini coefficient and the Lorenz curve, from one sort."""
    people, money = _curve(value, weight)
    tops = 1.0 - np.interp(1.0 - np.array(TOPS), people, money)
    return np.concatenate([tops, [_gini(people, money)], np.interp(GRID, people, money)])


def _ends(figures: Floats, level: float, bounds: tuple[float, float]) -> Floats:
    """Interval (2, j) of figures (d, j): quantiles, or normal where the draws are few."""
    if len(figures) >= ENOUGH:
        return np.asarray(np.quantile(figures, [(1 - level) / 2, (1 + level) / 2], axis=0))
    half = scipy.special.ndtri((1 + level) / 2) * figures.std(axis=0, ddof=1)
    middle = figures.mean(axis=0)
    return np.asarray(np.clip(np.stack([middle - half, middle + half]), *bounds))
