"""Customers as their own control, spend in two parts, and money for events that bring none."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels import satisfaction
from cxmodels.data import simulate
from cxmodels.regression.fixed_effects import moving, usable, within_groups
from tests.laws.satisfaction_study import CONTROLS, linked_company, within_study


@pytest.fixture(scope="module")
def linked():
    return linked_company(simulate.company(8_000, seed=21, truth=simulate.Truth(tenure_orders=0.3)))


def test_it_is_poisson_with_a_dummy_a_group():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(40), 5)
    x = rng.normal(size=(200, 2)) + rng.normal(size=40)[group][:, None]
    days = rng.uniform(10, 90, 200)
    y = rng.poisson(np.exp(-2 + x @ [0.4, -0.3] + rng.normal(size=40)[group]) * days).astype(float)
    fit = within_groups(y, x, group, 40, offset=np.log(days))
    used = usable(y, group)
    dummies = pd.get_dummies(group[used], dtype=float).to_numpy()
    design = np.column_stack([x[used], dummies])
    made = sm.GLM(y[used], design, family=sm.families.Poisson(), offset=np.log(days)[used]).fit(
        cov_type="cluster", cov_kwds={"groups": group[used], "use_correction": False}, tol=1e-13
    )
    assert fit.coefficients == pytest.approx(made.params[:2], abs=1e-8)
    g = fit.groups
    errors = np.sqrt(np.diag(fit.covariance) * (g - 1) / g)
    assert errors == pytest.approx(made.bse[:2], rel=1e-6)


def test_columns_that_do_not_move_are_left_to_the_groups():
    group = np.repeat(np.arange(3), 2)
    score, fixed = np.array([1, 2, 4, 3, 5, 7.0]), np.array([1, 1, 2, 2, 3, 3.0])
    assert moving(np.column_stack([score, fixed, 2 * score + fixed]), group).tolist() == [0]
    assert usable(np.array([0, 1, 0, 0, 1, 1.0]), group).tolist() == [0, 1, 4, 5]


def test_what_stays_of_a_customer_cannot_confound(linked):
    """Old customers order more, and are more satisfied, whatever the score: tenure is left out of
    the controls, and misleads all but the customers' own changes."""
    misled = satisfaction.effects(linked, controls="~ segment").table.set_index("outcome")
    assert misled.loc["orders", "lower"] > 0.12  # set is 0.08
    own = satisfaction.effects_within(linked, controls="~ segment").set_index("outcome")
    assert own.loc["orders", "lower"] < 0.08 < own.loc["orders", "upper"]
    naive = own.loc["orders"]
    assert naive["within"] + 3 * naive["within_error"] < 0.08  # uncorrected
    assert 0.1 < naive["reliability"] < 0.35  # far less than the half of the level
    assert "segment" not in naive["controls"]
    assert "leaving" not in own.index


def test_without_repeated_answers_nothing_is_corrected(linked):
    alone = linked.at(np.ones(len(linked.table), dtype=bool))
    alone = type(alone)(**{**vars(alone), "pairs": alone.pairs.iloc[:0]})
    row = satisfaction.effects_within(alone, controls=CONTROLS).iloc[0]
    assert pd.isna(row["corrected"]) and pd.isna(row["reliability"])
    assert row["std_error"] == row["within_error"]


def test_one_answer_a_customer_is_refused(linked):
    first = ~linked.table["customer_id"].duplicated().to_numpy()
    with pytest.raises(cx.FitError, match="two answers"):
        satisfaction.effects_within(linked.at(first), controls=CONTROLS)


def test_intervals_within_hold_the_truth():
    held = within_study(runs=4, customers=4_000)
    assert held.filter(like="corrected").to_numpy().mean() >= 0.8
    assert held.filter(like="within").to_numpy().mean() <= 0.5


@pytest.mark.slow
def test_coverage_within():
    """At 95 per cent, 200 companies of 8,000; error of a share 1.5 points."""
    held = within_study(runs=200, customers=8_000, processes=2).mean()
    print(held)
    ours = [name for name in held.index if name.endswith("corrected")]
    assert held[ours].between(0.92, 0.98).all(), held
    assert held["orders, within"] < 0.5


def test_two_parts_are_what_statsmodels_gives(linked):
    found = satisfaction.spend_effect(linked, controls="~ tenure", reliability=1.0)
    found = found.set_index("part")
    table = linked.table
    table = table[table["days"] > 0]
    quarter = table["date"].dt.to_period("Q").astype(str)
    x = pd.get_dummies(quarter, drop_first=True, dtype=float).assign(
        score=table["score"], tenure=table["tenure"], days=np.log(table["days"])
    )
    x = sm.add_constant(x)
    bought = table["orders_amount"] > 0
    any_ = sm.GLM(bought.astype(float), x, family=sm.families.Binomial()).fit(tol=1e-12)
    gamma = sm.families.Gamma(sm.families.links.Log())
    much = sm.GLM(table["orders_amount"][bought], x[bought], family=gamma).fit(tol=1e-12)
    assert found.loc["anything", "controlled"] == pytest.approx(any_.params["score"], abs=1e-7)
    told = found.loc["amount, given anything", "controlled"]
    assert told == pytest.approx(much.params["score"], abs=1e-7)
    step = 1e-5  # the slope of the log of the mean, by moving every score
    up = x.assign(score=x["score"] + step)
    mean = [np.log(any_.predict(at).to_numpy() @ much.predict(at).to_numpy()) for at in (x, up)]
    slope = (mean[1] - mean[0]) / step
    assert found.loc["amount, in all", "corrected"] == pytest.approx(slope, rel=1e-4)


def test_spend_in_all_is_what_was_set(linked):
    """Orders by .08, lines by .12 of the further ones (27 in 100 lines), amounts by .04: .152."""
    found = satisfaction.spend_effect(linked, controls=CONTROLS).set_index("part")
    row = found.loc["amount, in all"]
    assert abs(row["corrected"] - 0.152) < 3 * row["std_error"]
    assert row["controlled"] < 0.152 - 2 * row["std_error"]
    assert row["money_a_year_lower"] < row["money_a_year"] < row["money_a_year_upper"]
    with pytest.raises(cx.OptionError, match="no amounts"):
        satisfaction.spend_effect(linked, "referrals", controls=CONTROLS)
    with pytest.raises(cx.OptionError, match="reliability"):
        satisfaction.spend_effect(linked, controls=CONTROLS, reliability=2.0)


def test_events_are_worth_what_they_are_said_to_be(linked):
    given = {"leaving": -250.0, "referrals": 40.0}
    found = satisfaction.effects(linked, controls=CONTROLS, worth=given).table.set_index("outcome")
    table = linked.table
    row, seen = found.loc["referrals"], table[table["days"] > 0]
    a_year = seen["referrals"].sum() / seen["days"].sum() * 365.2425
    assert row["money_a_year"] == pytest.approx(40.0 * a_year * np.expm1(row["corrected"]))
    row, p = found.loc["leaving"], table["left"].mean()
    odds = p / (1 - p) * np.exp(row["corrected"])
    fewer = p - odds / (1 + odds)
    assert row["money_a_year"] == pytest.approx(4 * 250.0 * fewer, rel=1e-6)
    assert row["money_a_year_lower"] < row["money_a_year"] < row["money_a_year_upper"]
    plain = satisfaction.effects(linked, controls=CONTROLS).table.set_index("outcome")
    assert plain["money_a_year"].isna()[["leaving", "referrals"]].all()
    for wrong in ({"leave": 1.0}, {"orders: amount a line": 1.0}, {"leaving": np.nan}):
        with pytest.raises(cx.OptionError, match="worth"):
            satisfaction.effects(linked, controls=CONTROLS, worth=wrong)
