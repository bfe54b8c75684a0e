"""Does the model follow the purchases week by week, and the spread of customers over counts?"""

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import elapsed
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.results.estimate import check_level

PATHS = 20_000  # simulated customers behind the variance of behaviour


def tracking(
    fit: FittedPurchases, base: CustomerBase, *, level: float = 0.9, draws: int = 200, seed: int = 1
) -> pd.DataFrame:
    """Repeat purchases per period, actual and expected, over calibration and hold-out.

    The interval holds the actual total with probability `level`: parameters and behaviour.
    Returns: period, period_end, part, actual, expected, lower, upper, cumulative_actual,
    cumulative_expected, cumulative_lower, cumulative_upper; one row a period.
    """
    fit.check_base(base)
    check_level(level)
    table, end = base.tracking, base.end
    if end is None or table is None or table.empty:
        raise OptionError("tracking needs a base made from a log: a summary has no dates")
    T, place = np.unique(base.profiles.T, return_inverse=True)
    size = np.bincount(place, weights=base.profiles.weight).astype(np.float64)
    ahead = np.array([elapsed(end, day.date(), base.unit) for day in table["period_end"]])
    age = np.maximum(T[:, None] + ahead, 0.0)  # (distinct T, periods)
    if fit.family.discrete:  # opportunities completed by the end of each period
        age = np.floor(age + 1e-9)
    sample = fit.posterior(draws, seed=seed).values
    curves = _expected_totals(fit, np.concatenate([fit.theta[None], sample]), age, size)
    spread, steps = _behaviour_variance(fit, age, size, seed)
    rng = np.random.default_rng(seed)
    result = table[["period", "period_end", "part"]].copy()
    actual = table["repeat_purchases"].to_numpy(dtype=np.float64)
    per_period = np.diff(curves, axis=1, prepend=0.0)
    for stem, observed, mean, variance in (
        ("", actual, per_period, steps),
        ("cumulative_", actual.cumsum(), curves, spread),
    ):
        lower, upper = interval_of_total(mean[1:], variance, level, rng)
        result[f"{stem}actual"] = observed
        result[f"{stem}expected"] = mean[0]
        result[f"{stem}lower"], result[f"{stem}upper"] = lower, upper
    return result


def _expected_totals(fit: FittedPurchases, theta: Floats, age: Floats, size: Floats) -> Floats:
    """(draws, periods): expected purchases of all customers by the end of each period."""
    distinct, place = np.unique(age, return_inverse=True)
    expected = fit.family.expected_purchases(theta[:, None, :], distinct)
    return np.stack([size @ row[place.reshape(age.shape)] for row in expected])


def _behaviour_variance(
    fit: FittedPurchases, age: Floats, size: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Variance of the total at the end of each period and within it, given the parameters.

    Simulated for one customer on a grid of ages and summed over independent customers.
    """
    rng = np.random.default_rng(seed)
    theta = np.broadcast_to(fit.theta, (PATHS, fit.theta.size))
    grid = _grid(fit, max(float(age.max()), 1e-9))
    paths = fit.family.simulate(theta, np.float64(grid[-1]), rng)
    bins = np.searchsorted(grid, paths.time) - 1
    by_bin = np.zeros((PATHS, grid.size - 1))
    np.add.at(by_bin, (paths.customer, np.clip(bins, 0, grid.size - 2)), 1.0)
    total = np.concatenate([[0.0], by_bin.cumsum(axis=1).var(axis=0)])
    cumulative = size @ np.interp(age, grid, total)
    # within a period two customers' purchases hardly cluster: scale the bin's variance per time
    rate = by_bin.var(axis=0) / np.diff(grid)
    middle = (grid[1:] + grid[:-1]) / 2
    width = np.diff(age, axis=1, prepend=0.0)
    steps = size @ (np.interp(age - width / 2, middle, rate) * width)
    return cumulative, steps


def _grid(fit: FittedPurchases, oldest: float) -> Floats:
    """Ages at which the variance is known: every opportunity, or 64 steps."""
    if fit.family.discrete:
        return np.arange(max(oldest, 1.0) + 1.0)
    return np.linspace(0.0, oldest, 65)


def interval_of_total(
    mean: Floats, variance: Floats, level: float, rng: np.random.Generator
) -> Floats:
    """Lower and upper end (2, j) of totals with means (d, j) over draws and behaviour's variance.

    Given the parameters a total is a sum over independent customers: close to normal.
    """
    noise = rng.standard_normal((200, *mean.shape)) * np.sqrt(variance)
    outcomes = np.maximum(mean + noise, 0.0).reshape(-1, mean.shape[1])
    return np.asarray(np.quantile(outcomes, [(1 - level) / 2, (1 + level) / 2], axis=0))


def frequency_table(
    fit: FittedPurchases,
    base: CustomerBase,
    *,
    most: int = 7,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    """Customers by number of repeat purchases in the calibration, actual and expected.

    Returns: frequency ("0" to "7+"), actual, expected, lower, upper (interval for the actual).
    """
    fit.check_base(base)
    check_level(level)
    seen = base.profiles
    T, place = np.unique(seen.T, return_inverse=True)
    size = np.bincount(place, weights=seen.weight)
    sample = fit.posterior(draws, seed=seed).values
    theta = np.concatenate([fit.theta[None], sample])[:, None, None, :]
    pmf = np.exp(fit.family.log_pmf(theta, np.arange(most), T[:, None]))
    pmf = np.concatenate([pmf, np.maximum(1.0 - pmf.sum(axis=2, keepdims=True), 0.0)], axis=2)
    mean = np.einsum("t,dtn->dn", size, pmf)
    variance = np.einsum("t,tn->n", size, pmf[0] * (1.0 - pmf[0]))
    lower, upper = interval_of_total(mean[1:], variance, level, np.random.default_rng(seed))
    actual = np.bincount(np.minimum(seen.frequency, most), weights=seen.weight, minlength=most + 1)
    return pd.DataFrame(
        {
            "frequency": frequency_labels(most),
            "actual": actual.astype(np.int64),
            "expected": mean[0],
            "lower": lower,
            "upper": upper,
        }
    )


def frequency_labels(most: int) -> list[str]:
    return [*(str(n) for n in range(most)), f"{most}+"]
