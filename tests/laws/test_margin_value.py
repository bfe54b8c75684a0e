"""The value of customers whose orders may lose money: brute force, coverage, and the naive way."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.units import TimeUnit
from cxmodels.value import lifetime_value
from cxmodels.value.discount import DiscountCurve
from tests.laws.margin_world import (
    AGE,
    AHEAD,
    BUYING,
    MARGINS,
    RATE,
    coverage,
    margin_world,
    value_of,
)
from tests.laws.value_cases import drawn_at

COPIES = 40_000
CURVE = DiscountCurve.of(
    horizon="52W", rate=RATE, unit=TimeUnit.WEEK, payment="continuous", start=None
)


@pytest.fixture(scope="module")
def world():
    return margin_world(800, 3)


@pytest.fixture(scope="module")
def sure(world):
    """Fits that know the truth: every draw is it."""
    fits = cx.MBGNBD().fit(world.base), cx.NormalNormal().fit(world.base)
    truths = BUYING, MARGINS
    return [drawn_at(fit, np.tile(at, (100, 1)), at) for fit, at in zip(fits, truths, strict=True)]


def brute_force(row: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Futures of one customer, order by order, from the story of the model."""
    family, (mu, tau, sigma) = cx.MBGNBD(), MARGINS
    x = float(row["frequency"])
    alive = family.alive(BUYING, x, row["recency"], AGE)
    walked = family.simulate(np.broadcast_to(alive, (COPIES, alive.size)), AHEAD, rng)
    own = x * tau**2 / (x * tau**2 + sigma**2)
    middle = mu + (own * (row["monetary_value"] - mu) if x else 0.0)
    level = middle + tau * np.sqrt(1.0 - own) * rng.standard_normal(COPIES)
    margin = level[walked.customer] + sigma * rng.standard_normal(walked.customer.size)
    worth = margin * CURVE.factor(walked.time)
    brought = np.bincount(walked.customer, weights=worth, minlength=COPIES)
    here = rng.random(COPIES) < family.p_alive(BUYING, x, row["recency"], AGE)
    return np.where(here, brought, 0.0)


@pytest.mark.parametrize("alone", [True, False], ids=["one by one", "by history"])
def test_values_agree_with_brute_force(world, sure, alone, monkeypatch):
    if not alone:
        monkeypatch.setattr(lifetime_value, "ONE_BY_ONE", 1)
    table = world.base.table
    place = np.unique(np.linspace(0, len(table) - 1, 12).astype(int))
    some = table.sort_values(["frequency", "monetary_value"], ignore_index=True).loc[place]
    columns = ["frequency", "recency", "T", "monetary_value", "monetary_squares"]
    frame = some[columns].reset_index(drop=True)
    base = cx.CustomerBase.from_summary(frame, unit="week", negative="loss")
    terms = {"horizon": "52W", "discount_rate": RATE, "draws": 4000, "below": 5.0}
    fits = [drawn_at(fit, np.tile(fit.theta, (4000, 1)), fit.theta) for fit in sure]
    found = cx.lifetime_value(*fits, base, **terms).customers
    rng = np.random.default_rng(8)
    for place, row in base.table.iterrows():
        futures, ours = brute_force(row, rng), found.loc[place]
        error = futures.std() / np.sqrt(COPIES)
        assert abs(futures.mean() - ours["residual_value"]) < 4.5 * error, (row, ours)
        assert abs((futures <= 5.0).mean() - ours["p_below"]) < 0.035
        for name, share in (("residual_value_lower", 0.05), ("residual_value_upper", 0.95)):
            below = (futures < ours[name]).mean(), (futures <= ours[name]).mean()
            assert below[0] - 0.015 <= share <= below[1] + 0.015, (name, row, ours)


def test_large_bases_are_valued_alike(world, monkeypatch):
    small = value_of(world.base)
    monkeypatch.setattr(lifetime_value, "ONE_BY_ONE", 1)
    large = value_of(world.base)
    assert large.equity["estimate"].iloc[0] == small.equity["estimate"].iloc[0]
    width = small.equity["upper"].iloc[0] - small.equity["lower"].iloc[0]
    for end in ("lower", "upper"):
        assert abs(large.equity[end].iloc[0] - small.equity[end].iloc[0]) < 0.1 * width
    assert np.allclose(small.equity["variance_share"], large.equity["variance_share"], atol=0.05)


def test_some_customers_are_worth_less_than_nothing(world):
    found = value_of(world.base)
    each = found.customers
    assert (each["residual_value"] < 0.0).any()
    assert (each["residual_value_lower"] < 0.0).mean() > 0.1
    assert each["p_below"].between(0.0, 1.0).all()
    tops = found.concentration["share"].to_numpy()
    assert tops[2] > 1.0, "the best fifth brings more than all: the others lose part of it"
    assert found.lorenz["value_share"].min() < 0.0
    assert found.new_customer["outcome_lower"].iloc[0] < 0.0
    assert any("at a loss" in note for note in found.notes)


def test_a_base_that_loses_money_has_no_shares():
    made = margin_world(500, 4, np.array([-4.0, 3.0, 9.0]))
    found = value_of(made.base)
    total = found.equity.iloc[0]
    assert total["upper"] < 0.0
    assert found.concentration.empty
    assert found.lorenz.empty
    assert "Customer equity -" in repr(found)
    assert "<table" in found._repr_html_()
    assert any("worth nothing or less together" in note for note in found.notes)
    assert any("mu = -" in note for note in found.notes)


def test_the_naive_ways_overvalue():
    """Losses netted away as refunds, or raised to 0, leave the gains alone."""
    made = margin_world(3000, 5)
    honest = value_of(made.base).equity.iloc[0]
    rows = made.payments.query("margin > 0").groupby("customer")["margin"]
    table = made.base.table.set_index("customer_id")
    paid = rows.size().reindex(table.index, fill_value=0)
    frame = table[["frequency", "recency", "T"]].assign(
        monetary_value=rows.mean().reindex(table.index), paid_frequency=paid
    )
    gains = cx.CustomerBase.from_summary(frame.reset_index(drop=True), unit="week")
    fit = cx.MBGNBD().fit(gains)
    naive = cx.lifetime_value(
        fit, cx.GammaGamma().fit(gains), gains, horizon="52W", discount_rate=RATE, draws=200
    ).equity.iloc[0]
    assert naive["lower"] > 1.5 * made.later.sum()
    assert honest["lower"] < made.later.sum() < honest["upper"]


def test_coverage_in_small():
    """12 worlds: 6 or fewer hold a truth with probability .0005 where 90 per cent should."""
    held = coverage(12, 500)
    names = ["mu", "tau", "sigma", "equity"]
    assert (held[names].sum() > 6).all(), held.mean()
    assert 0.87 < held["a customer"].mean() < 0.97
    assert abs(held["losses"].mean() - held["p_below"].mean()) < 0.02


@pytest.mark.slow
def test_coverage():
    """300 worlds: the standard error of a share is 1.7 per cent."""
    held = coverage(300, 1000, first=100)
    print(held.mean().round(3).to_dict())
    assert held[["mu", "tau", "sigma", "equity"]].mean().between(0.86, 0.94).all(), held.mean()
    assert 0.88 < held["a customer"].mean() < 0.97
    assert abs(held["losses"].mean() - held["p_below"].mean()) < 0.005
