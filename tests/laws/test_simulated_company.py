"""The simulated company holds what it says: set effects show, and its tables pass the door."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.data.simulate.people import MIDDLE
from tests.laws.company_outcomes import effects

NAMES = ("leaving", "orders", "order_value", "breadth", "referrals", "cases", "acquisition_cost")


def wrong(company, errors=4.0):
    """Effects that lie further from the truth than so many standard errors."""
    truth = company.truth.set_index("effect")["truth"]
    found = effects(company)
    assert set(found) == set(NAMES)
    return {
        name: (estimate, error, truth[name])
        for name, (estimate, error) in found.items()
        if abs(estimate - truth[name]) > errors * error
    }


def test_set_effects_show():
    assert wrong(simulate.company(20_000, seed=5)) == {}


def test_other_amounts_show_too():
    other = simulate.Truth(leaving=-0.6, orders=-0.1, order_value=0.2, cases=0.1, referrals=0.0)
    assert wrong(simulate.company(10_000, seed=6, truth=other)) == {}


@pytest.mark.slow
def test_a_million_customers():
    assert wrong(simulate.company(1_000_000, seed=7, quarters=4)) == {}


def test_drivers_halo_and_error():
    """Answers of one questionnaire share a mood; two weeks later only the person is the same."""
    made = simulate.company(60_000, seed=8, quarters=2)
    set_to = simulate.Truth()
    survey = made.surveys.merge(
        made.satisfaction.drop(columns="simulated"), on=["customer_id", "date"]
    )
    survey = survey.dropna(subset="recommend")
    noise = survey["recommend"] - survey["points"]
    assert noise.var() == pytest.approx(set_to.halo**2 + set_to.error**2 + 1 / 12, rel=0.05)
    answers = made.surveys.dropna(subset="recommend")
    first = answers[answers["date"].dt.day == 1]
    again = answers[answers["date"].dt.day == 15].assign(
        date=lambda t: t["date"] - pd.Timedelta(days=14)
    )
    pair = first.merge(again, on=["customer_id", "date"], suffixes=("", "_2"))
    shared = pair["recommend"] - pair["recommend_2"]
    assert shared.var() / 2 == pytest.approx(noise.var(), rel=0.1)
    mood = np.cov(pair["quality"] - pair["quality_2"], shared)[0, 1] / 2
    assert mood == pytest.approx(set_to.halo**2, rel=0.15)


def test_drivers_are_what_a_point_on_an_attribute_is_worth():
    quiet = simulate.Truth(halo=0.0, error=0.0, tenure_satisfaction=0.0)
    made = simulate.company(30_000, seed=9, quarters=2, truth=quiet)
    answers = made.surveys.dropna(subset="recommend").merge(
        made.satisfaction.drop(columns="simulated"), on=["customer_id", "date"]
    )
    names = ["quality", "service", "price", "delivery", "ease"]
    inside = answers[names].gt(1).all(axis=1) & answers[names].lt(10).all(axis=1)
    x = answers.loc[inside, names] - answers.loc[inside, names].mean()
    found, *_ = np.linalg.lstsq(x, answers.loc[inside, "points"] - MIDDLE, rcond=None)
    assert np.abs(found - quiet.drivers).max() < 0.03


def test_without_persistence_and_confounding_a_naive_look_is_right_and_with_them_wrong():
    def naive(truth, seed):
        made = simulate.company(20_000, seed=seed, truth=truth, quarters=4)
        table = made.satisfaction.merge(made.subscriptions[["customer_id", "end"]])
        table["leaves"] = table["end"] <= table["date"] + pd.offsets.QuarterEnd()
        low = table["points"] < table["points"].median()
        share = table.groupby(low)["leaves"].mean()
        return np.log(share[True] / (1 - share[True])) - np.log(share[False] / (1 - share[False]))

    confounded = simulate.Truth(leaving=0.0)
    clean = simulate.Truth(leaving=0.0, tenure_satisfaction=0.0)
    assert abs(naive(clean, 1)) < 0.08
    assert naive(confounded, 1) > 0.12


def test_every_table_is_labelled_and_repeatable():
    made, again = (simulate.company(300, seed=2) for _ in range(2))
    assert len(made.tables) == 9
    for name, table in made.tables.items():
        assert table["simulated"].all(), name
        assert not table.drop(columns=["acquisition_cost", "end"], errors="ignore").empty
        pd.testing.assert_frame_equal(table, again.tables[name])
    assert "simulated" in repr(made)
    other = simulate.company(300, seed=3)
    assert not made.transactions.equals(other.transactions)


def test_tables_pass_the_door():
    made = simulate.company(2_000, seed=4)
    base = cx.customer_base(
        made.transactions, customer="customer_id", time="date", amount="amount", order="order_id"
    )
    assert base.customers > 1_500
    assert base.reconciliation["amount"].iloc[0] > 0
    contracts = cx.SubscriptionBase.from_contracts(
        made.subscriptions,
        customer="customer_id",
        start="start",
        end="end",
        as_of=made.end,
        unit="quarter",
        observed_from=made.start,
    )
    assert contracts.customers > 1_000


def test_nothing_happens_outside():
    made = simulate.company(3_000, seed=5)
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    for name in ("transactions", "cases", "referrals", "campaigns", "surveys"):
        table = made.tables[name].merge(people[["customer_id", "joined", "end"]])
        assert (table["date"] >= table["joined"]).all(), name
        assert (table["date"] <= pd.Timestamp(made.end)).all(), name
        late = table["date"] > table["end"]
        if name == "surveys":
            late &= table["date"].dt.day == 1
        assert not late.any(), name
    bought = made.transactions
    assert not (bought["date"].dt.is_quarter_start & (bought["date"] > bought["date"].min())).all()
    assert bought.groupby("order_id")[["customer_id", "date"]].nunique().max().max() == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"customers": 3}, "of 10 or more"),
        ({"start": "2023-02-01"}, "first day of a quarter"),
        ({"quarters": 1}, "of 2 or more"),
    ],
)
def test_refusals(asked, said):
    with pytest.raises(cx.OptionError, match=said):
        simulate.company(**{"customers": 100, **asked})


def test_settings_are_checked():
    for wrong_setting in (
        {"response": 1.2},
        {"halo": -1.0},
        {"drivers": (1.0,)},
        {"orders": np.nan},
    ):
        with pytest.raises(cx.OptionError):
            simulate.Truth(**wrong_setting)


def test_small_and_extreme_companies_are_made():
    assert len(simulate.company(10, seed=1, quarters=2).customers) == 10
    gone = simulate.Truth(leaving=-3.0, tenure_leaving=5.0)
    assert simulate.company(200, seed=1, truth=gone).satisfaction["points"].notna().all()
