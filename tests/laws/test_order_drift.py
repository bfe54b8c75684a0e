"""Drift of order value: the slope within customers finds the truth, the one over all orders fails
where large spenders stay longer; intervals hold; wrong formulas are caught.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.spend import drift
from cxmodels.spend.drift import pooled_slope, within_slope

SLOPE = 0.12


def orders(customers: int, seed: int, slope: float = SLOPE) -> tuple[np.ndarray, ...]:
    """Simulated log amounts: large spenders stay longer, so late orders are theirs."""
    rng = np.random.default_rng(seed)
    level = rng.normal(3.0, 0.8, customers)
    stay = rng.exponential(np.exp(0.9 * (level - 3.0)))
    count = rng.poisson(6 * np.minimum(stay, 2.5))
    who = np.repeat(np.arange(customers), count)
    t = rng.uniform(0, np.minimum(stay, 2.5)[who])
    own = rng.normal(0.0, 0.4, customers)[who] * (t - 1)  # customers' own trends: errors cluster
    return who, t, level[who] + slope * t + own + rng.normal(0.0, 0.6, who.size)


def test_the_slope_is_least_squares_with_a_level_for_each_customer():
    """statsmodels with a dummy for each customer, clustered errors, and the factor of xtreg."""
    who, t, y = orders(40, 3)
    several = np.bincount(who, minlength=40)[who] > 1
    who, t, y = who[several], t[several], y[several]
    dummies = pd.get_dummies(pd.Series(who)).to_numpy(dtype=float)
    X = np.column_stack([t, dummies])
    fit = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": who, "use_correction": False})
    found = within_slope(who, t, y)
    G = np.unique(who).size
    assert found.slope == pytest.approx(fit.params[0], rel=1e-10)
    assert found.std_error == pytest.approx(fit.bse[0] * np.sqrt(G / (G - 1)), rel=1e-10)
    assert (found.orders, found.customers) == (who.size, G)


def covered(runs: int, customers: int, estimator=within_slope) -> float:
    held = 0
    for seed in range(runs):
        found = estimator(*orders(customers, seed))
        held += abs(found.slope - SLOPE) < 1.645 * found.std_error
    return held / runs


def test_intervals_hold_the_truth():
    assert 0.87 <= covered(400, 250) <= 0.93


def test_all_orders_together_mix_who_is_there():
    """The naive slope is taken for growth of a quarter a year and more."""
    found = [pooled_slope(*orders(800, seed)).slope for seed in range(5)]
    assert min(found) > SLOPE + 0.15
    assert covered(40, 250, pooled_slope) < 0.3


def without_own_level(who, x, z):
    return drift.Slope(float(x @ z) / float(x @ x), 0.02, x.size, 9)


@pytest.mark.parametrize("wrong", ["unclustered", "one level", "half"])
def test_wrong_formulas_are_caught(monkeypatch, wrong):
    right = drift._clustered

    def broken(who, x, z):
        if wrong == "unclustered":
            return right(np.arange(x.size), x, z)
        if wrong == "one level":
            return right(who, x + 0.4, z)
        return right(who, x, 0.5 * z)

    monkeypatch.setattr(drift, "_clustered", broken)
    with pytest.raises(AssertionError):
        test_the_slope_is_least_squares_with_a_level_for_each_customer()


def log_of(customers: int, seed: int) -> pd.DataFrame:
    who, t, y = orders(customers, seed)
    first = pd.DataFrame({"who": np.arange(customers), "t": -0.1, "paid": 20.0})
    table = pd.concat([first, pd.DataFrame({"who": who, "t": t, "paid": np.exp(y).round(2)})])
    days = pd.to_timedelta((table["t"] * 365.2425).round(2), unit="D")
    return table.assign(day=pd.Timestamp("2021-06-01") + days, simulated=True)


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(
        log_of(1500, 1), customer="who", time="day", amount="paid", unit="week", collapse="none",
        end="2023-12-31",
    )  # fmt: skip


def test_a_base_is_asked(base):
    found = cx.order_drift(base)
    table = found.table.set_index("estimator")
    truth = 100 * np.expm1(SLOPE)
    assert table.loc["within customers", "lower"] < truth < table.loc["within customers", "upper"]
    assert table.loc["all orders together", "lower"] > truth
    assert "per cent a year" in str(found) and "paid repeat orders" in str(found)
    assert found.within.orders + found.left_out == table.loc["all orders together", "orders"]
    assert 1.0 < found.catch_up < 1.4


def test_growth_is_valued_at_a_net_rate(base):
    """(1 + r)^-t (1 + g)^t = (1 + net)^-t; the interval of the slope is that of the rate."""
    found = cx.order_drift(base)
    rate, sd = found.net_rate(0.25)
    growth = np.exp(found.within.slope)
    assert (1 + rate) ** -2.0 == pytest.approx(growth**2 * 1.25**-2.0, rel=1e-12)
    assert sd == pytest.approx((1 + rate) * found.within.std_error)
    with pytest.raises(cx.OptionError, match="faster than the discount rate"):
        found.net_rate(0.02)


def test_what_cannot_be_asked_is_said(base):
    summary = cx.CustomerBase.from_summary(base.table[["customer_id", "frequency", "recency", "T"]])
    with pytest.raises(cx.OptionError, match="no log"):
        cx.order_drift(summary)
    once = pd.DataFrame({"who": [1, 2, 3], "day": "2024-01-01", "paid": 5.0})
    few = cx.customer_base(once, customer="who", time="day", amount="paid", end="2024-02-01")
    with pytest.raises(cx.DataError, match="0 customers have two paid repeat orders"):
        cx.order_drift(few)
