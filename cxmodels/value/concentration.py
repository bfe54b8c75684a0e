"""How much of the equity rests on how few customers: shares of the top, Gini, Lorenz curve."""

import numpy as np
import pandas as pd

from cxmodels.numerics.arrays import Floats

TOPS = (0.01, 0.05, 0.20)
GRID = np.linspace(0.0, 1.0, 101)


def lorenz_points(value: Floats, weight: Floats, customers_share: Floats) -> Floats:
    """Share of value held by the least valuable `customers_share` of customers.

    value, weight: (m,) value of a customer and how many have it.

    >>> lorenz_points(np.array([1.0, 3.0]), np.array([1.0, 1.0]), np.array([0.5, 1.0])).tolist()
    [0.25, 1.0]
    """
    order = np.argsort(value, kind="stable")
    people = np.concatenate([[0.0], np.cumsum(weight[order])])
    money = np.concatenate([[0.0], np.cumsum((weight * value)[order])])
    if money[-1] <= 0:
        return customers_share.copy()  # nobody is worth anything: equal shares of nothing
    return np.interp(customers_share, people / people[-1], money / money[-1])


def gini(value: Floats, weight: Floats) -> float:
    """Gini coefficient of the values: 0 when all customers are worth the same.

    >>> gini(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.25
    """
    order = np.argsort(value, kind="stable")
    people = np.concatenate([[0.0], np.cumsum(weight[order])]) / weight.sum()
    money = np.concatenate([[0.0], np.cumsum((weight * value)[order])])
    if money[-1] <= 0:
        return 0.0
    return float(1.0 - 2.0 * np.trapezoid(money / money[-1], people))


def concentration_table(
    value: Floats, by_draw: Floats, weight: Floats, tails: tuple[float, float]
) -> pd.DataFrame:
    """Shares of the most valuable customers and the Gini coefficient, with intervals.

    value: (m,) expected residual value; by_draw: (d, m) the same under parameter draws; weight:
    (m,) customers. The estimand is concentration of *expected* value.
    """
    rows = []
    ends = np.array([1.0 - top for top in TOPS])
    found = 1.0 - np.array([lorenz_points(drawn, weight, ends) for drawn in by_draw])
    for place, top in enumerate(TOPS):
        share = 1.0 - float(lorenz_points(value, weight, ends[[place]])[0])
        lower, upper = np.quantile(found[:, place], tails)
        rows.append((f"top {top:.0%} of customers".replace("%", " per cent"), share, lower, upper))
    coefficients = [gini(drawn, weight) for drawn in by_draw]
    lower, upper = np.quantile(coefficients, tails)
    rows.append(("Gini coefficient", gini(value, weight), lower, upper))
    return pd.DataFrame(rows, columns=["group", "share", "lower", "upper"])


def lorenz_table(
    value: Floats, by_draw: Floats, weight: Floats, tails: tuple[float, float]
) -> pd.DataFrame:
    """The Lorenz curve of expected residual value: customers_share, value_share, lower, upper."""
    curves = np.array([lorenz_points(drawn, weight, GRID) for drawn in by_draw])
    lower, upper = np.quantile(curves, tails, axis=0)
    return pd.DataFrame(
        {
            "customers_share": GRID,
            "value_share": lorenz_points(value, weight, GRID),
            "lower": lower,
            "upper": upper,
        }
    )
