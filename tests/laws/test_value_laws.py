"""The value of a customer base obeys its laws, whatever its unit, currency, size and order."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import DataError, OptionError
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.value import lifetime_value
from cxmodels.value.iso_value import iso_value
from tests.laws.populations import CDNOW, SPEND, world
from tests.laws.value_cases import TERMS, drawn_at, fits, sample, some, sure, value
from tests.laws.value_laws import LAWS, exact_discounted

PAST = ["frequency", "recency", "T", "monetary_value", "paid_frequency"]
MONEY = ["residual_value", "residual_value_lower", "residual_value_upper"]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law()


def summary(base: CustomerBase, unit: str = "week", **scale: float) -> CustomerBase:
    """The base again, some of its columns times a factor."""
    frame = base.table[["customer_id", *PAST]].copy()
    for name, factor in scale.items():
        frame[name] *= factor
    return CustomerBase.from_summary(frame, unit=unit, currency="USD")


def test_cents_are_a_hundred_times_dollars():
    cents = summary(sample(), monetary_value=100.0)
    fit, spend = cx.BGNBD().fit(cents), GammaGamma().fit(cents)
    a = value(*fits(), draws=100, below=2.0)
    b = value(fit, spend, summary(some(), monetary_value=100.0), draws=100, below=200.0)
    for name in MONEY:
        np.testing.assert_allclose(b.customers[name], 100 * a.customers[name], rtol=1e-4)
    np.testing.assert_allclose(b.customers["p_below"], a.customers["p_below"], atol=0.011)
    for name in ("estimate", "lower", "upper", "std_dev"):
        np.testing.assert_allclose(b.equity[name], 100 * a.equity[name], rtol=1e-4)
    np.testing.assert_allclose(b.equity["variance_share"], a.equity["variance_share"], rtol=1e-4)
    for name in ("lifetime_value", "lower", "upper", "outcome_upper"):
        np.testing.assert_allclose(b.new_customer[name], 100 * a.new_customer[name], rtol=1e-4)
    np.testing.assert_allclose(b.concentration["share"], a.concentration["share"], rtol=1e-5)


@pytest.mark.parametrize(("unit", "per_week"), [("day", 7.0), ("hour", 168.0)])
@pytest.mark.parametrize("payment", ["continuous", "end"])
def test_the_unit_of_time_changes_no_money(unit, per_week, payment):
    scaled = summary(sample(), unit, recency=per_week, T=per_week)
    fit, spend = cx.BGNBD().fit(scaled), GammaGamma().fit(scaled)
    terms = {"horizon": "18M", "payment": payment, "draws": 80}
    a = value(*fits(), **terms)
    b = value(fit, spend, summary(some(), unit, recency=per_week, T=per_week), **terms)
    names = ["residual_value", "p_alive", "expected_purchases", "discounted_purchases"]
    np.testing.assert_allclose(b.customers[names], a.customers[names], rtol=1e-5)
    np.testing.assert_allclose(b.equity["estimate"], a.equity["estimate"], rtol=1e-6)
    # the very same draws: the search for the peak ends some 1e-6 away
    for name in ("lower", "upper", "std_dev"):
        np.testing.assert_allclose(b.equity[name], a.equity[name], rtol=1e-3)
    np.testing.assert_allclose(
        b.new_customer["lifetime_value"], a.new_customer["lifetime_value"], rtol=1e-6
    )


def test_margins_of_each_customer():
    ids = some().table["customer_id"]
    rng = np.random.default_rng(2)
    margin = pd.Series(rng.uniform(0.1, 0.9, len(ids)), index=ids).sample(frac=1, random_state=1)
    extra = pd.concat([margin, pd.Series([0.5], index=[10**9])])  # others may be in the list
    one, each = value(margin=1.0).customers, value(margin=extra).customers
    expected = one["residual_value"].to_numpy() * margin.reindex(ids).to_numpy()
    np.testing.assert_allclose(each["residual_value"], expected, rtol=1e-12)
    by_order = value(margin=margin.reindex(ids).to_numpy()).customers
    pd.testing.assert_frame_equal(each, by_order)
    alike = value(margin=pd.Series(0.3, index=ids))
    pd.testing.assert_frame_equal(alike.customers, value(margin=0.3).customers)


def test_margins_that_are_none():
    ids = some().table["customer_id"]
    with pytest.raises(DataError, match="no margin"):
        value(margin=pd.Series(0.3, index=ids[:-2]))
    for wrong in (0.0, -0.1, 30, float("nan")):
        with pytest.raises(DataError, match=r"Write 30 per cent as 0\.30"):
            value(margin=wrong)


def test_horizons_add_up():
    """What comes in two years is what comes in the first, and in the second of those still there.

    Brute force: the second year integrated by itself, discounted to today.
    """
    fit = sure()[0]
    x, T = some().table["frequency"].to_numpy(float), some().table["T"].to_numpy()
    nodes, weights = np.polynomial.legendre.leggauss(80)
    s = 78.0 + 26.0 * nodes
    alive = fit.family.alive(fit.theta, x, x, T)
    rate = fit.family.purchase_rate(alive[:, None, :], s)
    later = rate @ (26.0 * weights * 1.12 ** (-s * 7 / 365.2425))
    one, two = value(horizon="52W").customers, value(horizon="104W").customers
    expected = one["p_alive"] * later * one["expected_spend"] * TERMS["margin"]
    np.testing.assert_allclose(two["residual_value"] - one["residual_value"], expected, rtol=1e-6)


@pytest.mark.parametrize("payment", ["continuous", "start", "middle", "end"])
def test_all_future_is_where_long_horizons_go(payment):
    near, far, ever = (
        value(horizon=horizon, payment=payment).equity["estimate"].iloc[0]
        for horizon in ("30Y", "200Y", None)
    )
    assert near < far == pytest.approx(ever, rel=1e-8)
    assert near == pytest.approx(ever, rel=0.03)


def test_all_future_is_simulated_to_its_end():
    """Futures are cut where money is worth a thousandth; the rest is scaled in."""
    ever, long = value(horizon=None, draws=2000), value(horizon="300Y", draws=2000)
    a, b = ever.equity.iloc[0], long.equity.iloc[0]
    assert a["estimate"] == pytest.approx(b["estimate"], rel=1e-9)
    # 2,000 draws each: standard error of a standard deviation 1.6 per cent, of a quantile like it
    assert a["std_dev"] == pytest.approx(b["std_dev"], rel=0.1)
    assert a["lower"] == pytest.approx(b["lower"], rel=0.05)
    assert a["upper"] == pytest.approx(b["upper"], rel=0.05)


def test_an_uncertain_rate_widens_what_it_should():
    certain, uncertain = value(draws=500), value(draws=500, discount_rate_sd=0.06)
    assert uncertain.equity["estimate"].iloc[0] == certain.equity["estimate"].iloc[0]
    assert "discount rate" in uncertain.equity["item"].tolist()
    assert "discount rate" not in certain.equity["item"].tolist()
    row, fixed = uncertain.new_customer.iloc[0], certain.new_customer.iloc[0]
    assert fixed["upper"] - fixed["lower"] < 1e-9 * fixed["lifetime_value"]
    order = fixed["first_purchase"]
    ends = [order * (1 + exact_discounted_at(rate)) for rate in (0.12 + 0.0987, 0.12 - 0.0987)]
    # rates of the 5 and 95 per cent quantiles; 500 draws place these to .01
    np.testing.assert_allclose([row["lower"], row["upper"]], ends, rtol=0.01)


def exact_discounted_at(rate: float) -> float:
    """Discounted expected purchases of a new customer in a year, by a plain Gauss rule."""
    fit = fits()[0]
    nodes, weights = np.polynomial.legendre.leggauss(100)
    s = 26.0 * (nodes + 1)
    return float(
        26.0
        * weights
        @ (fit.family.purchase_rate(fit.theta, s) * (1 + rate) ** (-s * 7 / 365.2425))
    )


def test_one_customer():
    base = summary_of(some(), [20])
    found = value(*fits(), base=base, draws=300)
    assert len(found.customers) == 1
    row, total = found.customers.iloc[0], found.equity.iloc[0]
    assert total["estimate"] == row["residual_value"]
    assert total["lower"] == pytest.approx(row["residual_value_lower"], abs=1e-12)
    assert total["upper"] == pytest.approx(row["residual_value_upper"], rel=1e-12)
    assert found.concentration["share"].tolist() == pytest.approx([0.01, 0.05, 0.2, 0.0])
    together = value(*fits(), draws=300).customers.iloc[20]
    assert row["residual_value"] == pytest.approx(together["residual_value"], rel=1e-7)


def summary_of(base: CustomerBase, rows: list[int]) -> CustomerBase:
    frame = base.table[PAST].iloc[rows].reset_index(drop=True)
    return CustomerBase.from_summary(frame, unit="week", currency="USD")


def test_a_batch_equals_its_rows():
    together = value().customers
    for row in (0, 11, 29):
        alone = value(base=summary_of(some(), [row])).customers.iloc[0]
        for name in ("p_alive", "expected_spend"):
            assert alone[name] == pytest.approx(together[name].iloc[row], rel=1e-12)
        assert alone["residual_value"] == pytest.approx(
            together["residual_value"].iloc[row], rel=1e-7
        )


def test_row_order_does_not_matter():
    order = np.random.default_rng(3).permutation(len(some()))
    frame = some().table[["customer_id", *PAST]].iloc[order]
    again = value(base=CustomerBase.from_summary(frame, unit="week", currency="USD"))
    pd.testing.assert_frame_equal(again.customers, value().customers)


def test_copies_are_worth_as_much_each():
    twice = summary_of(some(), [*range(30), *range(30)])
    one, two = value(draws=400), value(base=twice, draws=400)
    single = one.customers["residual_value"].to_numpy()
    np.testing.assert_allclose(two.customers["residual_value"], np.tile(single, 2), rtol=1e-7)
    a, b = one.equity.iloc[0], two.equity.iloc[0]
    assert b["estimate"] == pytest.approx(2 * a["estimate"], rel=1e-7)
    # parameters known: copies are independent, the variance doubles; 400 draws know it to 10 %
    assert b["std_dev"] == pytest.approx(np.sqrt(2) * a["std_dev"], rel=0.15)
    np.testing.assert_allclose(one.concentration["share"][3], two.concentration["share"][3])


def test_shared_parameters_do_not_average_away():
    """With uncertain parameters, the spread of the total grows faster than by independence."""
    fit = fits()[0]
    rng = np.random.default_rng(4)
    moved = drawn_at(fit, fit.theta * np.exp(0.3 * rng.standard_normal((200, 4))))
    many = summary_of(some(), [*range(30)] * 8)
    one = value(moved, draws=200).equity.set_index("item")["std_dev"]
    eight = value(moved, base=many, draws=200).equity.set_index("item")["std_dev"]
    ratio = eight / one
    assert ratio["purchase parameters"] == pytest.approx(8, rel=1e-6)
    # each half also holds a customer's own parameter variance, and 200 draws know 10 per cent
    assert ratio["behaviour of customers"] == pytest.approx(np.sqrt(8), rel=0.2)


def test_a_seed_makes_it_the_same():
    first, again, other = (value(*fits(), seed=seed) for seed in (5, 5, 6))
    for name in ("customers", "equity", "concentration", "lorenz", "new_customer"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert not first.equity["lower"].equals(other.equity["lower"])
    assert first.equity["estimate"].equals(other.equity["estimate"])


def test_large_bases_take_a_shorter_way_to_the_same_place(monkeypatch):
    """Customers simulated one by one, or by distinct (x, T) with a normal sum: the same answer."""
    one = value(*fits(), base=sample(), draws=800, below=3.0)
    monkeypatch.setattr(lifetime_value, "ONE_BY_ONE", 0)
    quick = value(*fits(), base=sample(), draws=800, below=3.0)
    assert any("normal sum" in note for note in quick.notes)
    assert not any("normal sum" in note for note in one.notes)
    a, b = one.equity.set_index("item"), quick.equity.set_index("item")
    assert a["estimate"].iloc[0] == b["estimate"].iloc[0]
    # 800 draws: a quantile is known to .07 standard deviations, twice over, times 3
    spread = a["std_dev"].iloc[0]
    assert abs(a["lower"].iloc[0] - b["lower"].iloc[0]) < 0.3 * spread
    assert abs(a["upper"].iloc[0] - b["upper"].iloc[0]) < 0.3 * spread
    assert b["std_dev"].iloc[0] == pytest.approx(spread, rel=0.05)
    np.testing.assert_allclose(b["variance_share"], a["variance_share"], atol=0.06)
    for name in ("p_below", *MONEY):
        np.testing.assert_allclose(
            quick.customers[name].mean(), one.customers[name].mean(), rtol=0.05
        )
    gap = (quick.customers["p_below"] - one.customers["p_below"]).abs()
    assert gap.max() < 4.5 * np.sqrt(0.5 / 800)


def test_one_time_buyers_only_cannot_be_valued():
    frame = some().table[PAST].assign(frequency=0, recency=0.0, paid_frequency=0)
    base = CustomerBase.from_summary(frame.assign(monetary_value=np.nan), unit="week")
    with pytest.raises(DataError, match="none of 30 customers bought a second time"):
        cx.BGNBD().fit(base)
    with pytest.raises(cx.DataError, match="0 of 30 customers"):
        GammaGamma().fit(base)
    found = value(*fits(), base=base, draws=200)  # but models of others value them
    assert (found.customers["p_alive"] == 1.0).all()
    assert found.equity["estimate"].iloc[0] > 0
    assert any("P(alive) = 1" in note for note in found.notes)


def test_spend_without_a_mean_is_infinite_in_words_not_in_error():
    heavy = np.array([3.0, 0.8, 5.0])
    rng = np.random.default_rng(6)
    base = world(CDNOW, heavy, customers=400, ages=(39, 52), horizon=0, rng=rng).base
    spend = GammaGamma().fit(base)
    assert spend.theta[1] < 1
    found = value(fits()[0], spend, base, draws=60)
    assert any("infinite" in note for note in found.notes)
    assert found.equity["estimate"].iloc[0] == np.inf
    assert np.isfinite(found.customers["residual_value_upper"]).all()
    assert np.isfinite(found.equity["upper"].iloc[0])


def test_terms_that_make_no_sense():
    for wrong, words in (
        ({"level": 90}, "between 0 and 1"),
        ({"draws": 1}, "2 or more"),
        ({"discount_rate": 12}, r"0\.10 for 10 per cent"),
        ({"discount_rate_sd": -0.1}, "0 to 1"),
        ({"horizon": None, "discount_rate": 0.0}, "infinite horizon"),
        ({"horizon": "52"}, "52"),
        ({"payment": "late"}, "late"),
        ({"base": summary(some(), "day")}, "in days"),
    ):
        with pytest.raises(OptionError, match=words):
            value(**wrong)


def test_months_follow_the_calendar_of_the_base():
    dated = replace(some(), end=date(2023, 9, 30))
    leap = value(base=dated, horizon="12M", discount_rate=0.0).equity["estimate"].iloc[0]
    days = value(base=some(), horizon="366D", discount_rate=0.0).equity["estimate"].iloc[0]
    assert leap == pytest.approx(days, rel=1e-9)


def test_columns_say_what_they_are():
    found = value(*fits(), currency="EUR")
    assert "lifetime_value" not in found.customers
    assert "residual_value" not in found.new_customer
    assert set(found.equity["unit"]) == {"EUR"} == set(found.new_customer["unit"])
    assert "new ones left out" in found.equity["estimand"].iloc[0]
    assert "first purchase in" in found.new_customer["estimand"].iloc[0]
    assert "Customer equity" in repr(found)
    assert "EUR" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.assumptions.set_index("item").loc["margin", "value"] == "30.0% of revenue"
    ever = value(horizon=None).customers
    assert "expected_purchases" not in ever  # without a rate their sum has no end


def test_iso_value_is_the_value_of_such_customers():
    fit, spend = sure()
    table = iso_value(fit, spend, T=45.0, most=6, **TERMS)
    few = table.iloc[[0, 39, 100, 239]]
    frame = pd.DataFrame(
        {"frequency": few["frequency"], "recency": few["recency"], "T": 45.0}
    ).reset_index(drop=True)
    frame["paid_frequency"], frame["monetary_value"] = 0, np.nan  # spends like the population
    base = CustomerBase.from_summary(frame, unit="week")
    found = value(base=base).customers["residual_value"]
    np.testing.assert_allclose(few["value"], found, rtol=1e-6)
    last = few.iloc[-1]
    assert (last["frequency"], last["recency"]) == (6, 45.0)
    order = 0.3 * spend.mean_spend * spend.paid_share
    r, alpha, a, b = fit.theta
    odds = a / (b + 5)
    alone = exact_discounted(r + 6, alpha + 45.0, a, b + 6, 52.0)
    assert last["value"] == pytest.approx(order * alone / (1 + odds), rel=1e-6)


def test_iso_value_asks_for_an_age():
    with pytest.raises(OptionError, match="above 0"):
        iso_value(*sure(), T=0.0, horizon="52W", discount_rate=0.1)


def test_a_population_can_be_valued_without_spend_by_history():
    """The mean residual value over a base of the model's own customers is that of the model."""
    fit, spend = sure()
    rng = np.random.default_rng(9)
    made = world(fit.theta, SPEND, customers=30_000, ages=(40, 40), horizon=0, rng=rng)
    spend = drawn_at(spend, np.tile(SPEND, (50, 1)), SPEND)
    found = value(fit, spend, made.base, draws=20, discount_rate=0.0).customers
    both = fit.family.expected_purchases(fit.theta, np.array([40.0, 92.0]))
    p, q, gamma = SPEND
    expected = 0.3 * (both[1] - both[0]) * p * gamma / (q - 1) * spend.paid_share
    error = found["residual_value"].std() / np.sqrt(len(found))
    assert abs(found["residual_value"].mean() - expected) < 4 * error


def test_a_base_without_money_is_valued_at_the_populations_order_and_told_so():
    fit, spend = sure()
    columns = ["customer_id", "frequency", "recency", "T"]
    poor = CustomerBase.from_summary(some().table[columns], unit="week")
    found = cx.lifetime_value(fit, spend, poor, draws=50, horizon="52W", discount_rate=0.1)
    assert np.ptp(found.customers["expected_spend"]) == 0.0
    assert "No customer of this base has a paid repeat order" in " ".join(found.notes)
    assert "No customer of this base" not in " ".join(value(draws=50).notes)
