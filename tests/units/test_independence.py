"""Rank correlation of order count and mean order: its value, its sentence, and its interval."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import FitError, OptionError
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.spend.independence import fisher_interval, independence


def base_of(orders: np.ndarray, mean: np.ndarray) -> CustomerBase:
    """Customers with these paid repeat orders and mean orders."""
    frame = pd.DataFrame(
        {
            "frequency": orders.astype(int),
            "recency": np.where(orders > 0, 20.0 + orders / 100, 0.0),
            "T": 40.0,
            "monetary_value": np.where(orders > 0, mean, np.nan),
        }
    )
    return CustomerBase.from_summary(frame, unit="week")


def correlated(n: int, rho: float, rng: np.random.Generator) -> CustomerBase:
    """Order counts and means tied by a normal copula of correlation rho; ties in the counts."""
    z = rng.standard_normal((2, n))
    second = rho * z[0] + np.sqrt(1 - rho**2) * z[1]
    orders = 1 + stats.nbinom.ppf(stats.norm.cdf(z[0]), 1.2, 0.25)
    return base_of(orders, np.exp(3.5 + 0.5 * second))


def test_the_correlation_is_spearmans():
    rng = np.random.default_rng(4)
    base = correlated(150, 0.4, rng)
    expected = stats.spearmanr(base.table["paid_frequency"], base.table["monetary_value"])
    assert independence(base).correlation == pytest.approx(expected.statistic, abs=1e-14)


def test_only_customers_with_paid_orders_count():
    rng = np.random.default_rng(5)
    orders, mean = rng.integers(1, 9, 60).astype(float), rng.gamma(4, 9, 60)
    alone = independence(base_of(orders, mean))
    with_others = independence(base_of(np.append(orders, [0, 0, 0]), np.append(mean, [1, 1, 1])))
    assert (with_others.correlation, with_others.customers) == (alone.correlation, 60)


def test_the_interval_is_bonett_and_wrights():
    """Their equation (5) worked by hand for r = .5, n = 103, 95 per cent."""
    half = 1.959964 * np.sqrt(1.125 / 100)
    expected = np.tanh([np.arctanh(0.5) - half, np.arctanh(0.5) + half])
    np.testing.assert_allclose(fisher_interval(0.5, 103, 0.95), expected, atol=1e-7)


def test_a_perfect_correlation_stays_inside_one():
    lower, upper = fisher_interval(1.0, 10, 0.9)
    assert 0.9 < lower <= upper <= 1.0


@pytest.mark.parametrize(
    ("rho", "words"),
    [(0.0, "no sign"), (0.6, "frequent buyers spend clearly more"), (-0.6, "clearly less")],
)
def test_the_sentence_says_what_was_found(rho, words):
    found = independence(correlated(800, rho, np.random.default_rng(7)))
    assert words in found.sentence == str(found)
    if rho > 0:
        assert "frequent buyers comes out too low" in found.sentence
    if rho < 0:
        assert "frequent buyers comes out too high" in found.sentence


def test_a_small_correlation_is_called_small():
    found = independence(correlated(40_000, 0.05, np.random.default_rng(8)))
    assert "a little more" in found.sentence
    assert "hardly moves" in found.sentence


def test_the_table_has_one_row():
    table = independence(correlated(50, 0.2, np.random.default_rng(9))).table
    assert len(table) == 1
    assert table.columns.tolist() == [
        "correlation", "lower", "upper", "by_chance", "customers", "sentence",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "mean"),
    [
        ([1, 2, 3], [10, 20, 30]),
        ([2, 2, 2, 2, 2], [10, 20, 30, 15, 25]),
        ([1, 2, 3, 4, 5], [10, 10, 10, 10, 10]),
    ],
    ids=["three customers", "equal counts", "equal spends"],
)
def test_nothing_to_correlate(orders, mean):
    with pytest.raises(FitError, match="at least 4"):
        independence(base_of(np.array(orders, dtype=float), np.array(mean, dtype=float)))


def test_a_level_is_a_probability():
    with pytest.raises(OptionError, match="between 0 and 1"):
        independence(correlated(50, 0.0, np.random.default_rng(1)), level=90)


def coverage(replications: int, n: int, rho: float) -> float:
    """Share of 90 per cent intervals that hold the rank correlation of a very large sample."""
    rng = np.random.default_rng(11)
    truth = independence(correlated(400_000, rho, rng)).correlation
    held = 0
    for _ in range(replications):
        found = independence(correlated(n, rho, rng))
        held += found.lower <= truth <= found.upper
    return held / replications


def test_the_interval_covers():
    # 200 honest replications fall outside these limits 4 times in 1,000
    assert 0.835 <= coverage(200, 120, 0.45) <= 0.955


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.45])
def test_the_interval_covers_in_a_long_study(rho):
    assert 0.87 <= coverage(1000, 120, rho) <= 0.93


def test_an_interval_without_its_transformation_fails():
    """The naive r +- z (1 - r^2) / sqrt(n - 1) of few pairs leaves the range and undercovers."""
    rng = np.random.default_rng(12)
    truth = 6 / np.pi * np.arcsin(0.8 / 2)  # Spearman's of a normal pair correlated .8
    naive, fisher = 0, 0
    for _ in range(600):
        x = rng.standard_normal(8)
        r = float(stats.spearmanr(x, 0.8 * x + 0.6 * rng.standard_normal(8)).statistic)
        half = 1.645 * (1 - r**2) / np.sqrt(7)
        lower, upper = fisher_interval(r, 8, 0.9)
        naive += r - half <= truth <= r + half
        fisher += lower <= truth <= upper
    assert naive / 600 < 0.82
    assert fisher / 600 > 0.86


def test_independent_spend_raises_no_alarm_once_the_fit_is_given():
    """Means of few orders are skewed, so that independence itself shows a small correlation."""
    theta, alarms, naive = np.array([6.25, 3.74, 15.44]), 0, 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 5])
        orders = rng.geometric(0.35, 900).astype(float)
        nu = rng.gamma(theta[1], 1 / theta[2], 900)
        base = base_of(orders, rng.gamma(theta[0] * orders) / (orders * nu))
        found = independence(base, GammaGamma().fit(base))
        alarms += not found.lower <= found.by_chance <= found.upper
        naive += not found.lower <= 0 <= found.upper
    assert alarms <= 5  # 2 expected at 90 per cent; more than 5 once in 90 honest runs
    assert alarms <= naive
