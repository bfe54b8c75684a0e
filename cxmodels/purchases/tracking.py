"""Does the model follow the purchases week by week, and the spread of customers over counts?"""

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import elapsed
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import Mix, design_in
from cxmodels.results.estimate import check_level

PATHS = 20_000  # simulated customers behind the variance of behaviour
EXACT, SAMPLED = 5_000, 1_000  # most groups of customers at the estimate, and under each draw
PAIRS = 15_000  # most kinds times ages worked out under each draw


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
    fit, seen = fit.on(base)
    mix = Mix.of(seen).few(EXACT)
    ahead = np.array([elapsed(end, day.date(), base.unit) for day in table["period_end"]])
    sample = fit.posterior(draws, seed=seed).values
    curves = _curves(fit, np.concatenate([fit.theta[None], sample]), mix, ahead)
    design = design_in(fit.family)
    by_path = design is not None and design.over_time
    spread, steps = (_variance_by_path if by_path else _behaviour_variance)(fit, mix, ahead, seed)
    rng = generator(seed)
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


def _curves(fit: FittedPurchases, theta: Floats, mix: Mix, ahead: Floats) -> Floats:
    """(draws, periods): expected purchases by the end of each period, the estimate's first.

    Where customers have too many kinds, draws are worked out for some who stand for all, and
    brought to the level of all by what both give at the estimate.
    """
    exact = _expected_totals(fit, theta[:1], mix, ahead)
    few = mix.few(max(1, PAIRS // ahead.size)) if _pairs(fit, mix, ahead)[0].size > PAIRS else mix
    return _levelled(exact[0], _expected_totals(fit, theta, few, ahead))


def _levelled(exact: Floats, found: Floats) -> Floats:
    """Rows (d, ...) of which the first is brought to `exact`, and the others with it."""
    ratio: Floats = np.divide(exact, found[0], out=np.ones_like(exact), where=found[0] > 0.0)
    return found * ratio


def _ages(fit: FittedPurchases, mix: Mix, ahead: Floats) -> Floats:
    """(g, periods): ages at the end of each period; whole opportunities in discrete time."""
    age = np.maximum(mix.T[:, None] + ahead, 0.0)
    return np.floor(age + 1e-9) if fit.family.discrete else age


def _pairs(fit: FittedPurchases, mix: Mix, ahead: Floats) -> tuple[Floats, Ints, Ints]:
    """Distinct pairs (P,) of age and kind over all periods, and the place (g, periods) of each."""
    ages, place = np.unique(_ages(fit, mix, ahead), return_inverse=True)
    key = mix.kind[:, None] * ages.size + place.reshape(mix.T.size, -1)
    found, place = np.unique(key, return_inverse=True)
    return ages[found % ages.size], found // ages.size, place.reshape(key.shape)


def _expected_totals(fit: FittedPurchases, theta: Floats, mix: Mix, ahead: Floats) -> Floats:
    """(draws, periods): expected purchases of all customers by the end of each period."""
    age, kind, place = _pairs(fit, mix, ahead)
    expected = fit.family.expected_purchases(fit.family.link.rows(theta, kind), age)
    return np.stack([mix.size @ row[place] for row in expected])


def _behaviour_variance(
    fit: FittedPurchases, mix: Mix, ahead: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Variance of the total at the end of each period and within it, given the parameters.

    Simulated for a customer of a random kind on a grid of ages, less what the kinds' means vary,
    and summed over independent customers.
    """
    rng = generator(seed)
    age, size = _ages(fit, mix, ahead), mix.size
    own = fit.family.link.rows(fit.theta, mix.drawn(PATHS, rng))
    own = np.broadcast_to(own, (PATHS, own.shape[-1]))
    grid = _grid(fit, max(float(age.max()), 1e-9))
    paths = fit.family.simulate(own, np.float64(grid[-1]), rng)
    bins = np.searchsorted(grid, paths.time) - 1
    by_bin = np.zeros((PATHS, grid.size - 1))
    np.add.at(by_bin, (paths.customer, np.clip(bins, 0, grid.size - 2)), 1.0)
    means = fit.family.expected_purchases(own[: PATHS // 20, None, :], grid)
    by_kind = np.diff(means, axis=1).var(axis=0)
    total = np.concatenate([[0.0], by_bin.cumsum(axis=1).var(axis=0)])
    total = np.maximum(total - means.var(axis=0), 0.5 * total)
    cumulative = size @ np.interp(age, grid, total)
    # within a period two customers' purchases hardly cluster: scale the bin's variance per time
    rate = np.maximum(by_bin.var(axis=0) - by_kind, 0.0) / np.diff(grid)
    middle = (grid[1:] + grid[:-1]) / 2
    width = np.diff(age, axis=1, prepend=0.0)
    steps = size @ (np.interp(age - width / 2, middle, rate) * width)
    return cumulative, steps


def _variance_by_path(
    fit: FittedPurchases, mix: Mix, ahead: Floats, seed: int
) -> tuple[Floats, Floats]:
    """The same where each customer has a path of covariates of their own: simulated along it, as
    mean squares about what each is expected to buy."""
    few = mix.few(SAMPLED)
    age, copies = _ages(fit, few, ahead), max(2, PATHS // few.size.size)
    own = fit.family.link.rows(fit.theta, few.kind)
    who = np.repeat(np.arange(few.size.size), copies)
    paths = fit.family.simulate(own[who], age[who, -1], generator(seed))
    period = (paths.time[:, None] > age[who[paths.customer]]).sum(axis=1)
    count = np.zeros((who.size, ahead.size))
    np.add.at(count, (paths.customer, np.minimum(period, ahead.size - 1)), 1.0)
    expected = fit.family.expected_purchases(own[:, None, :], age)
    weight = few.size[who] / copies
    cumulative = weight @ (count.cumsum(axis=1) - expected[who]) ** 2
    steps = weight @ (count - np.diff(expected, axis=1, prepend=0.0)[who]) ** 2
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
    fit, seen = fit.on(base)
    mix = Mix.of(seen).few(EXACT)
    sample = fit.posterior(draws, seed=seed).values
    exact, variance = _frequencies(fit, fit.theta[None], mix, most)
    found, _ = _frequencies(fit, np.concatenate([fit.theta[None], sample]), mix.few(SAMPLED), most)
    mean = _levelled(exact[0], found)
    lower, upper = interval_of_total(mean[1:], variance, level, generator(seed))
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


def _frequencies(fit: FittedPurchases, theta: Floats, mix: Mix, most: int) -> tuple[Floats, Floats]:
    """Expected customers (d, most + 1) by count, and the variance (most + 1,) under the first."""
    own = fit.family.link.rows(theta, mix.kind)[:, :, None, :]
    pmf = np.exp(fit.family.log_pmf(own, np.arange(most), mix.T[:, None]))
    pmf = np.concatenate([pmf, np.maximum(1.0 - pmf.sum(axis=2, keepdims=True), 0.0)], axis=2)
    variance = np.einsum("t,tn->n", mix.size, pmf[0] * (1.0 - pmf[0]))
    return np.einsum("t,dtn->dn", mix.size, pmf), variance


def frequency_labels(most: int) -> list[str]:
    return [*(str(n) for n in range(most)), f"{most}+"]
