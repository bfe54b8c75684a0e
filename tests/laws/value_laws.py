"""Laws that the value of a customer base obeys. Each raises AssertionError if one is broken.

Written once: test_value_laws.py runs them over the code as it is, test_value_planted_errors.py over
code broken on purpose, which some law must catch. They ask public faces only, beside brute force.
"""

from collections.abc import Callable
from functools import cache

import mpmath
import numpy as np
import pandas as pd

from cxmodels.value import concentration
from cxmodels.value.discount import DiscountCurve
from tests.laws.populations import p_alive
from tests.laws.value_cases import drawn_at, fits, history, some, sure, value

FORCE = np.log(1.12) * 7 / 365.2425  # per week
SIGMAS = 4.5  # about 100 comparisons with simulation, each missed once in 150,000 honest runs


# discounting


def factor_is_the_present_value() -> None:
    s = np.array([0.0, 0.3, 5.2, 26.0, 51.9, 52.1])
    for payment, share in (("continuous", None), ("start", 0.0), ("middle", 0.5), ("end", 1.0)):
        curve = DiscountCurve.of(
            horizon="52W", rate=0.12, unit=fits()[0].unit, payment=payment, start=None
        )
        months = s * 7 / (365.2425 / 12)
        years = months / 12 if share is None else (np.floor(months) + share) / 12
        expected = np.where(s <= 52, 1.12**-years, 0.0)
        assert np.abs(curve.factor(s) - expected).max() < 1e-12, payment


def scheme_integrates_known_functions() -> None:
    for payment, share in (("continuous", None), ("start", 0.0), ("middle", 0.5), ("end", 1.0)):
        curve = DiscountCurve.of(
            horizon="2Y", rate=0.12, unit=fits()[0].unit, payment=payment, start=None
        )
        scheme = curve.scheme(4.4)
        found = ((1 + scheme.times / 4.4) ** -1.24) @ scheme.weights[:, 0]
        month = 365.2425 / 12 / 7
        edges = np.minimum(np.arange(25) * month, curve.length)
        if share is None:  # one Gauss rule a month is exact to machine precision
            nodes, weights = np.polynomial.legendre.leggauss(20)
            s = edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2
            rate = 1.12 ** (-s * 7 / 365.2425) * (1 + s / 4.4) ** -1.24
            expected = float((np.diff(edges) / 2 * (rate @ weights)).sum())
        else:
            whole = 4.4 / 0.24 * -np.diff((1 + edges / 4.4) ** -0.24)
            expected = float(1.12 ** (-(np.arange(24) + share) / 12) @ whole)
        assert abs(found / expected - 1.0) < 1e-8, (payment, found, expected)


# expectations


@cache
def exact_discounted(r: float, alpha: float, a: float, b: float, end: float) -> float:
    """Discounted expected purchases of a BG/NBD customer alive at 0: the rate through Gauss's 2F1.

    E[lambda exp(-lambda p s)] = (r / alpha) E[(1 + p s / alpha)^-(r + 1)], p ~ Beta(a, b).
    """
    force = mpmath.log(mpmath.mpf("1.12")) * 7 / mpmath.mpf("365.2425")

    def rate(s):
        mean = mpmath.hyp2f1(r + 1, a, a + b, -s / alpha)
        return mpmath.exp(-force * s) * r / alpha * mean

    with mpmath.workdps(20):
        stops = [0, *(s for s in (2, 10, 50, 250, 1000, 3000) if s < end), end]
        return float(mpmath.quad(rate, stops, maxdegree=5))


def residual_value_is_its_definition(infinite: bool = False) -> None:
    """Margin x P(alive) x discounted purchases if alive x expected paid order x paid share."""
    fit, spend_fit = fits()
    base = some()
    found = value(base=base, horizon=None if infinite else "52W").customers
    x, t_x, T, orders, paid = history(base)
    r, alpha, a, b = fit.theta
    p, q, gamma = spend_fit.theta
    for row in (0, 9, 17, 25, len(x) - 1):
        ahead = exact_discounted(
            r + x[row], alpha + T[row], a, b + x[row], np.inf if infinite else 52.0
        )
        alive = float(p_alive(fit.theta, x[row], t_x[row], T[row]))
        order = p * (gamma + paid[row]) / (q + p * orders[row] - 1)
        order *= spend_fit.paid_orders / spend_fit.repeat_orders
        expected = 0.3 * alive * ahead * order
        one = found.iloc[row]
        assert abs(one["p_alive"] / alive - 1) < 1e-10, (row, one["p_alive"], alive)
        assert abs(one["discounted_purchases"] / (alive * ahead) - 1) < 1e-7, row
        assert abs(one["expected_spend"] / order - 1) < 1e-10, row
        assert abs(one["residual_value"] / expected - 1) < 1e-7, row


def residual_value_over_all_future() -> None:
    residual_value_is_its_definition(infinite=True)


def rate_zero_counts_purchases() -> None:
    fit, spend_fit = sure()
    found = value(discount_rate=0.0).customers
    predicted = fit.predict(some(), horizon="52W", draws=20)
    spend = spend_fit.predict(some(), draws=20)["expected_spend"] * spend_fit.paid_share
    expected = 0.3 * predicted["expected_purchases"] * spend
    np.testing.assert_allclose(found["residual_value"], expected, rtol=1e-7)
    np.testing.assert_allclose(
        found["expected_purchases"], predicted["expected_purchases"], rtol=1e-12
    )


def early_and_certain_money_is_worth_more() -> None:
    worth = [
        value(discount_rate=rate, payment=payment).equity["estimate"].iloc[0]
        for rate, payment in (
            (0.05, "continuous"), (0.12, "start"), (0.12, "continuous"), (0.12, "end"), (0.3, "end")
        )
    ]  # fmt: skip
    assert (np.diff(worth) < 0).all(), worth


def customers_sum_to_equity() -> None:
    found = value()
    total = found.equity.iloc[0]
    assert abs(found.customers["residual_value"].sum() / total["estimate"] - 1) < 1e-12
    assert total["customers"] == some().customers == len(found.customers)


def margin_is_a_factor() -> None:
    a, b = value(margin=0.2), value(margin=0.6)
    for name in ("residual_value", "residual_value_lower", "residual_value_upper"):
        np.testing.assert_allclose(3 * a.customers[name], b.customers[name], rtol=1e-10)
    for name in ("estimate", "lower", "upper", "std_dev"):
        np.testing.assert_allclose(3 * a.equity[name], b.equity[name], rtol=1e-9)
    for name in ("lifetime_value", "lower", "upper", "outcome_upper", "first_purchase"):
        np.testing.assert_allclose(3 * a.new_customer[name], b.new_customer[name], rtol=1e-9)
    pd.testing.assert_frame_equal(a.concentration, b.concentration)


# uncertainty


@cache
def futures(count: int = 4000, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(count, n) discounted margin and number of purchases of `some()`, walked one by one."""
    fit, spend_fit = fits()
    rng = np.random.default_rng(seed)
    x, t_x, T, orders, paid = (np.tile(values, count) for values in history(some()))
    r, alpha, a, b = fit.theta
    p, q, gamma = spend_fit.theta
    here = rng.random(x.size) < p_alive(fit.theta, x, t_x, T)
    lam = rng.gamma(r + x) / (alpha + T)
    now, leaving = np.zeros(x.size), rng.beta(a, b + x)
    money, bought = np.zeros(x.size), np.zeros(x.size)
    nu = rng.gamma(q + p * orders) / (gamma + paid)
    alive = np.flatnonzero(here)
    while alive.size:
        now[alive] += rng.exponential(1 / lam[alive])
        alive = alive[now[alive] <= 52.0]
        is_paid = rng.random(alive.size) < spend_fit.paid_orders / spend_fit.repeat_orders
        amount = rng.gamma(p, 1.0, alive.size) / nu[alive] * is_paid
        money[alive] += 0.3 * amount * np.exp(-FORCE * now[alive])
        bought[alive] += 1
        alive = alive[rng.random(alive.size) >= leaving[alive]]
    shape = (count, some().customers)
    return money.reshape(shape), bought.reshape(shape)


def simulation_has_the_mean_of_the_formula() -> None:
    found = value().customers
    money, _ = futures()
    for row in range(money.shape[1]):
        near(money[:, row], float(found["residual_value"].iloc[row]), f"customer {row}")
    near(money.sum(axis=1), float(found["residual_value"].sum()), "total")


def intervals_hold_what_is_simulated() -> None:
    """With parameters known, the intervals of total and customers are those of futures."""
    money, _ = futures()
    total = money.sum(axis=1)
    found = value(draws=2000)
    equity = found.equity.set_index("item")
    lower, upper = equity.loc["customer equity", ["lower", "upper"]]
    # 2,000 draws against 4,000 futures: shares within 4.5 standard errors of 5 per cent
    assert abs((total < lower).mean() - 0.05) < 0.03
    assert abs((total > upper).mean() - 0.05) < 0.03
    ends = found.customers["residual_value_upper"].to_numpy()
    above = (money > ends).mean(axis=0)
    assert np.abs(above - np.minimum(0.05, (money > 0).mean(axis=0))).max() < 0.03, above
    nothing = (money <= 0).mean(axis=0)
    error = np.sqrt(nothing * (1 - nothing) * (1 / 2000 + 1 / 4000)) + 1e-3
    assert (np.abs(found.customers["p_below"] - nothing) < SIGMAS * error).all()
    below = value(draws=2000, below=5.0).customers["p_below"]
    little = (money <= 5.0).mean(axis=0)
    error = np.sqrt(little * (1 - little) * (1 / 2000 + 1 / 4000)) + 1e-3
    assert (np.abs(below - little) < SIGMAS * error).all()


def variance_is_that_of_the_simulated_total() -> None:
    money, bought = futures()
    equity = value(draws=2000).equity.set_index("item")
    spread = equity["std_dev"]
    # the fourth moment of each customer's money says how precise its variance is
    squares = (money - money.mean(axis=0)) ** 2
    error = np.sqrt((squares.var(axis=0) * (1 / 4000 + 1 / 2000)).sum())
    total = squares.mean(axis=0).sum()
    assert abs(spread["customer equity"] ** 2 - total) < SIGMAS * error
    assert spread["purchase parameters"] < 1e-6 * spread["customer equity"]
    assert spread["spend parameters"] < 1e-6 * spread["customer equity"]
    whole = spread["behaviour of customers"] ** 2 + spread["size of orders"] ** 2
    assert abs(whole / spread["customer equity"] ** 2 - 1) < 1e-9
    # behaviour: the money that would come if all orders of a customer were the expected one
    order = 0.3 * value().customers["expected_spend"].to_numpy()
    discounted = bought.var(axis=0) @ order**2
    share = spread["behaviour of customers"] ** 2 / discounted
    assert 1.12**-2 < share < 1.0  # purchases of a year are discounted by less than a year, squared


def shares_sum_to_one() -> None:
    for terms in ({}, {"discount_rate_sd": 0.03}, {"horizon": None}):
        equity = value(*fits(), **terms).equity
        parts = equity["variance_share"].iloc[1:]
        assert abs(parts.sum() - 1.0) < 1e-12
        assert (parts >= 0).all()
        assert equity["variance_share"].iloc[0] == 1.0
        squares = equity["std_dev"] ** 2
        np.testing.assert_allclose(squares / squares.iloc[0], equity["variance_share"], rtol=1e-9)


def parameters_give_their_own_variance() -> None:
    """One source drawn, the rest known: its variance is that of equity refigured draw by draw."""
    known = sure()
    rng = np.random.default_rng(8)
    for place, item in enumerate(("purchase parameters", "spend parameters")):
        fit = fits()[place]
        values = fit.theta * np.exp(0.1 * rng.standard_normal((12, fit.theta.size)))
        pair = list(known)
        pair[place] = drawn_at(fit, values)
        spread = value(*pair, draws=12).equity.set_index("item")["std_dev"]
        totals = []
        for theta in values:
            pair[place] = drawn_at(fit, values, theta)
            totals.append(value(*pair, draws=2).equity["estimate"].iloc[0])
        assert abs(spread[item] / np.std(totals) - 1) < 1e-3, (item, spread[item], np.std(totals))
        other = "spend parameters" if place == 0 else "purchase parameters"
        assert spread[other] < 1e-6 * spread[item]
    spread = value(draws=200, discount_rate_sd=0.02).equity.set_index("item")["std_dev"]
    up, down = (
        value(discount_rate=rate, draws=2).equity["estimate"].iloc[0] for rate in (0.11, 0.13)
    )
    # 200 draws know a standard deviation to 5 per cent; the curve is straight to 1 per cent
    assert abs(spread["discount rate"] / (up - down) - 1) < 0.25


# concentration


def concentration_is_its_definition() -> None:
    rng = np.random.default_rng(12)
    worth, weight = rng.gamma(0.4, 9.0, 60), rng.integers(1, 6, 60)
    copies = np.sort(np.repeat(worth, weight))
    apart = np.abs(copies[:, None] - copies).mean() / (2 * copies.mean())
    found = concentration.gini(worth, weight.astype(float))
    assert abs(found - apart) < 1e-12, (found, apart)
    at = np.array([0.0, 0.17, 0.5, 0.8, 1.0])
    held = np.append(0.0, np.cumsum(copies)) / copies.sum()
    expected = np.interp(at, np.linspace(0, 1, copies.size + 1), held)
    assert np.abs(concentration.lorenz_points(worth, weight.astype(float), at) - expected).max() < (
        1e-12
    )


def concentration_is_of_the_customers() -> None:
    found = value()
    worth = np.sort(found.customers["residual_value"].to_numpy())
    held = np.append(0.0, np.cumsum(worth)) / worth.sum()
    below = np.interp([0.99, 0.95, 0.8], np.linspace(0, 1, worth.size + 1), held)
    np.testing.assert_allclose(found.concentration["share"].iloc[:3], 1 - below, rtol=1e-9)
    gini = np.abs(worth[:, None] - worth).mean() / (2 * worth.mean())
    np.testing.assert_allclose(found.concentration["share"].iloc[3], gini, rtol=1e-9)
    expected = np.interp(found.lorenz["customers_share"], np.linspace(0, 1, worth.size + 1), held)
    np.testing.assert_allclose(found.lorenz["value_share"], expected, rtol=1e-9, atol=1e-12)
    known = found.concentration  # parameters known: no uncertainty of what is expected
    np.testing.assert_allclose(known["lower"], known["upper"], rtol=1e-4)


# a new customer


def new_customer_is_its_definition() -> None:
    fit, spend_fit = sure()
    p, q, gamma = spend_fit.theta
    order = 0.3 * p * gamma / (q - 1) * spend_fit.paid_share
    for horizon, end in (("52W", 52.0), (None, np.inf)):
        ahead = exact_discounted(*fit.theta, end)
        row = value(horizon=horizon).new_customer.iloc[0]
        assert abs(row["first_purchase"] / order - 1) < 1e-10
        assert abs(row["discounted_purchases"] / ahead - 1) < 1e-7
        assert abs(row["repeat_purchases_value"] / (order * ahead) - 1) < 1e-7
        assert abs(row["lifetime_value"] / (order * (1 + ahead)) - 1) < 1e-7
        assert abs(row["lower"] / row["upper"] - 1) < 1e-9  # parameters are known
        assert abs(row["lower"] / row["lifetime_value"] - 1) < 1e-4


def near(sample: np.ndarray, expected: float, what: str) -> None:
    """The mean of a simulated sample agrees with a formula within its Monte Carlo error."""
    error = sample.std() / np.sqrt(sample.size) + 1e-12
    assert abs(sample.mean() - expected) < SIGMAS * error, (what, sample.mean(), expected, error)


LAWS: tuple[Callable[[], None], ...] = (
    factor_is_the_present_value,
    scheme_integrates_known_functions,
    concentration_is_its_definition,
    customers_sum_to_equity,
    residual_value_is_its_definition,
    residual_value_over_all_future,
    rate_zero_counts_purchases,
    early_and_certain_money_is_worth_more,
    margin_is_a_factor,
    concentration_is_of_the_customers,
    new_customer_is_its_definition,
    shares_sum_to_one,
    simulation_has_the_mean_of_the_formula,
    intervals_hold_what_is_simulated,
    parameters_give_their_own_variance,
    variance_is_that_of_the_simulated_total,
)
