"""Discounted purchases in discrete time are a plain sum over opportunities, however many."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.units import TimeUnit
from cxmodels.purchases.bg_bb import BGBB
from cxmodels.value import opportunities
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.expectation import scheme_of

ALIVE = np.array(
    [
        [2.2, 1.7, 0.66, 8.8],
        [0.3, 14.0, 2.4, 1.1],  # leaves soon
        [40.0, 90.0, 300.0, 20_000.0],  # all leave alike, slowly
        [1.5, 0.5, 0.004, 3.0],  # almost nobody leaves
        [0.8, 3.0, 7.0, 700.0],
    ]
)


def brute(curve: DiscountCurve, alive: np.ndarray) -> np.ndarray:
    """Opportunity by opportunity: chance of a purchase by products, worth by the curve."""
    last = int(min(curve.length, 1.05 * curve.reach))
    s = np.arange(1.0, last + 1.0)
    alpha, beta, gamma, delta = (alive[:, [k]] for k in range(4))
    there = np.cumsum(np.log(delta + s - 1) - np.log(gamma + delta + s - 1), axis=1)
    return alpha[:, 0] / (alpha + beta)[:, 0] * (np.exp(there) @ curve.factor(s))


def sums_are_sums() -> None:
    for unit, horizon, payment in (
        (TimeUnit.YEAR, "5Y", "continuous"),
        (TimeUnit.YEAR, None, "continuous"),
        (TimeUnit.MONTH, "30M", "end"),
        (TimeUnit.MONTH, None, "middle"),
        (TimeUnit.WEEK, "300W", "start"),
        (TimeUnit.DAY, "1999D", "continuous"),
        (TimeUnit.DAY, None, "continuous"),
    ):
        curve = DiscountCurve.of(horizon=horizon, rate=0.11, unit=unit, payment=payment)
        scheme = scheme_of(BGBB(), ALIVE, curve)
        found = BGBB.purchase_rate(ALIVE[:, None, :], scheme.times) @ scheme.weights[:, 0]
        expected = brute(curve, ALIVE)
        assert np.abs(found / expected - 1.0).max() < 1e-8, (unit, horizon, found / expected - 1)


def test_sums_are_sums():
    sums_are_sums()


def test_several_rates_are_each_their_own():
    curve = DiscountCurve.of(horizon="400W", rate=0.11, unit=TimeUnit.WEEK)
    rates = np.array([0.02, 0.11, 0.4])
    scheme = scheme_of(BGBB(), ALIVE, curve, rates)
    found = BGBB.purchase_rate(ALIVE[:, None, :], scheme.times) @ scheme.weights
    for place, rate in enumerate(rates):
        one = DiscountCurve.of(horizon="400W", rate=float(rate), unit=TimeUnit.WEEK)
        np.testing.assert_allclose(found[:, place], brute(one, ALIVE), rtol=1e-8)


def test_no_opportunity_no_value():
    curve = DiscountCurve.of(horizon="0W", rate=0.11, unit=TimeUnit.WEEK)
    assert scheme_of(BGBB(), ALIVE, curve).weights.tolist() == [[0.0]]


RIGHT = opportunities._panel


def first_opportunity_left_out(curve, s, rates):
    return np.where(s[:, None] == 1.0, 0.0, RIGHT_WORTH(curve, s, rates))


def discounted_one_later(curve, s, rates):
    return RIGHT_WORTH(curve, s + 1.0, rates)


def rate_not_annual(curve, s, rates):
    return (1.0 + rates) ** -curve.paid(s)[:, None]


RIGHT_WORTH = opportunities._worth


@pytest.mark.parametrize(
    "wrong", [first_opportunity_left_out, discounted_one_later, rate_not_annual]
)
def test_a_wrong_worth_is_caught(monkeypatch, wrong):
    monkeypatch.setattr(opportunities, "_worth", wrong)
    with pytest.raises(AssertionError):
        sums_are_sums()


def panel_misses_its_last(curve, ends, *rest):
    return RIGHT(curve, (ends[0], ends[1] - 1.0), *rest)


def panel_counts_its_edge_twice(curve, ends, *rest):
    return RIGHT(curve, (ends[0] - 1.0, ends[1]), *rest)


def panel_with_few_nodes(curve, ends, scale, rates, count):
    return RIGHT(curve, ends, scale, rates, 4)


@pytest.mark.parametrize(
    "wrong", [panel_misses_its_last, panel_counts_its_edge_twice, panel_with_few_nodes]
)
def test_a_wrong_panel_is_caught(monkeypatch, wrong):
    monkeypatch.setattr(opportunities, "_panel", wrong)
    with pytest.raises(AssertionError):
        sums_are_sums()


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
        unit="month", collapse="month", end="1997-09-30", holdout_end="1998-06-30",
    )  # fmt: skip


@pytest.fixture(scope="module")
def fits(base):
    return cx.BGBB().fit(base), cx.GammaGamma().fit(base)


@pytest.mark.parametrize("horizon", ["12M", None])
def test_value_is_the_sum_of_its_parts(base, fits, horizon):
    fit, spend_fit = fits
    value = cx.lifetime_value(
        fit, spend_fit, base, horizon=horizon, discount_rate=0.1, margin=0.3, draws=100
    )
    found = value.customers
    alone = cx.discounted_purchases(fit, base, horizon=horizon, discount_rate=0.1)
    np.testing.assert_allclose(found["discounted_purchases"], alone["discounted_purchases"])
    worth = 0.3 * found["discounted_purchases"] * found["expected_spend"]
    np.testing.assert_allclose(found["residual_value"], worth, rtol=1e-12)
    total = value.equity.iloc[0]
    assert total["lower"] < total["estimate"] < total["upper"]
    new = cx.discounted_purchases(fit, horizon=horizon, discount_rate=0.1)
    assert value.new_customer["discounted_purchases"].iloc[0] == pytest.approx(
        new["discounted_purchases"].iloc[0], rel=1e-12
    )


def test_simulated_value_has_the_mean_of_the_formula(base, fits):
    """With one parameter value, the simulated totals average to the sum of expectations."""
    from tests.laws.value_cases import drawn_at

    sure = [drawn_at(fit, np.tile(fit.theta, (800, 1))) for fit in fits]
    value = cx.lifetime_value(*sure, base, horizon="12M", discount_rate=0.1, draws=800)
    total = value.equity.iloc[0]
    middle = (total["lower"] + total["upper"]) / 2
    assert middle == pytest.approx(total["estimate"], abs=0.15 * (total["upper"] - total["lower"]))


def test_undiscounted_value_counts_purchases(base, fits):
    found = cx.discounted_purchases(fits[0], base, horizon="12M", discount_rate=0.0)
    expected = fits[0].predict(base, horizon="12M", draws=20)["expected_purchases"]
    np.testing.assert_allclose(found["discounted_purchases"], expected, rtol=1e-10)


def test_iso_value_agrees_with_discounted_purchases(base, fits):
    fit, spend_fit = fits
    table = cx.iso_value(fit, spend_fit, T=8, horizon=None, discount_rate=0.1, most=9)
    assert (table["frequency"] <= table["recency"]).all()
    frame = table[["frequency", "recency", "T"]]
    some = cx.CustomerBase.from_summary(frame, unit="month", end="1997-09-30")
    ahead = cx.discounted_purchases(fit, some, discount_rate=0.1)["discounted_purchases"]
    order = spend_fit.mean_spend * spend_fit.paid_share
    np.testing.assert_allclose(table["value"], ahead * order, rtol=1e-9)


def test_a_horizon_of_a_part_of_an_opportunity(base, fits):
    fit, spend_fit = fits
    terms = {"discount_rate": 0.1}
    a = cx.discounted_purchases(fit, base, horizon="45D", **terms)
    b = cx.discounted_purchases(fit, base, horizon="1M", **terms)
    pd.testing.assert_frame_equal(a, b)
    for ask in (
        lambda: fit.predict(base, horizon="2W"),
        lambda: cx.discounted_purchases(fit, base, horizon="2W", **terms),
        lambda: cx.iso_value(fit, spend_fit, T=8, horizon="2W", **terms),
        lambda: cx.lifetime_value(fit, spend_fit, base, horizon="2W", **terms),
    ):
        with pytest.raises(cx.OptionError, match="ends before the next one"):
            ask()


def test_a_year_of_donations_for_ever():
    """One customer alive now, nobody leaves: p over the annual rate, to the paper's closed form."""
    alive = np.array([[2.0, 3.0, 1e-9, 1e6]])
    curve = DiscountCurve.of(horizon=None, rate=0.1, unit=TimeUnit.YEAR)
    scheme = scheme_of(BGBB(), alive, curve)
    found = float(BGBB.purchase_rate(alive[:, None, :], scheme.times)[0] @ scheme.weights[:, 0])
    with mp.workdps(30):
        closed = 0.4 * float(mp.nsum(lambda t: mp.mpf("1.1") ** -t, [1, mp.inf]))
    assert found == pytest.approx(closed, rel=1e-9)
