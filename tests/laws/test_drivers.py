"""Drivers of satisfaction: shares by brute force, set amounts recovered, and what mood does to a
naive look."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.data.simulate.truth import ATTRIBUTES
from cxmodels.satisfaction import drivers
from cxmodels.satisfaction.drivers import _explained

ITEMS = list(ATTRIBUTES)


def survey_of(made):
    scales = dict.fromkeys(["recommend", *ITEMS], (0, 10))
    return cx.survey_base(made.surveys, customer="customer_id", time="date", scores=scales)


@pytest.fixture(scope="module")
def survey():
    return survey_of(simulate.company(6_000, seed=41))


@pytest.fixture(scope="module")
def found(survey):
    return drivers(survey, score="recommend", items=ITEMS, level=0.95)


def test_shares_are_means_over_all_orders():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4))
    y = x @ [1.0, 0.5, 0.0, -0.7] + rng.normal(size=300)
    covariance = np.cov(np.column_stack([x, y]), rowvar=False)
    point, share, whole = _explained(covariance[None])

    def r2(held):
        return 0.0 if not held else sm.OLS(y, sm.add_constant(x[:, held])).fit().rsquared

    expected = np.zeros(4)
    for order in permutations(range(4)):
        for place, item in enumerate(order):
            expected[item] += r2(sorted(order[: place + 1])) - r2(sorted(order[:place]))
    expected /= 24
    np.testing.assert_allclose(share[0] * whole[0], expected, rtol=1e-9)
    np.testing.assert_allclose(point[0], sm.OLS(y, sm.add_constant(x)).fit().params[1:], rtol=1e-9)
    assert share.sum() == pytest.approx(1.0)


def test_set_amounts_are_recovered_and_naive_ones_are_not(found):
    truth, table = np.array(simulate.Truth().drivers), found.table
    error = (table["point_upper"] - table["point_lower"]) / 3.92
    assert (np.abs(table["point"] - truth) < 3.5 * error).all()
    naive_error = (table["point_naive_upper"] - table["point_naive_lower"]) / 3.92
    off = np.abs(table["point_naive"] - truth) / naive_error
    assert off.iloc[0] > 5  # the strongest looks weaker
    assert off.iloc[-1] > 4  # and the weakest stronger than it is
    assert found.r2 > found.naive_r2 + 0.1
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["share"].is_monotonic_decreasing


def test_naive_points_are_least_squares(survey, found):
    told = survey.answers.dropna()
    fit = sm.OLS(told["recommend"], sm.add_constant(told[ITEMS])).fit()
    np.testing.assert_allclose(found.table["point_naive"], fit.params[1:], rtol=1e-8)
    assert found.naive_r2 == pytest.approx(fit.rsquared, rel=1e-8)
    np.testing.assert_allclose(found.table["performance"], told[ITEMS].mean(), rtol=1e-12)


def test_answers_without_error_need_no_correction():
    """What is left to correct is rounding: the two columns nearly agree."""
    quiet = simulate.Truth(halo=0.0, error=0.05, retest=0.5)
    table = drivers(survey_of(simulate.company(4_000, seed=42, truth=quiet)),
                    score="recommend", items=ITEMS).table  # fmt: skip
    assert np.abs(table["point"] - table["point_naive"]).max() < 0.05


def test_small_coverage():
    """25 companies, 5 points each at 90 per cent: fewer than 100 of 125 have p = .0005."""
    truth, held = np.array(simulate.Truth().drivers), 0
    for seed in range(25):
        survey = survey_of(simulate.company(1_500, seed=700 + seed, quarters=4))
        table = drivers(survey, score="recommend", items=ITEMS, draws=200).table
        held += ((table["point_lower"] <= truth) & (truth <= table["point_upper"])).sum()
    assert held >= 100, held


@pytest.mark.slow
def test_coverage():
    truth, held = np.array(simulate.Truth().drivers), []
    for seed in range(200):
        survey = survey_of(simulate.company(1_500, seed=900 + seed, quarters=4))
        table = drivers(survey, score="recommend", items=ITEMS, draws=400).table
        held.append(((table["point_lower"] <= truth) & (truth <= table["point_upper"])).mean())
    print(np.mean(held))
    assert 0.87 <= np.mean(held) <= 0.93


def test_without_repeats_it_is_said():
    made = simulate.company(800, seed=43, truth=simulate.Truth(retest=0.0))
    found = drivers(survey_of(made), score="recommend", items=ITEMS[:2])
    assert found.r2 is None
    assert found.table["point"].isna().all()
    assert "too few to correct" in found.notes[-1]


def test_refusals(survey):
    for items, said in ((["quality"], "2 to 12"), (["quality", "taste"], "'taste' is not one"),
                        (["quality", "recommend"], "2 to 12")):  # fmt: skip
        with pytest.raises(cx.OptionError, match=said):
            drivers(survey, score="recommend", items=items)
    rows = pd.DataFrame({"who": range(20), "when": "2024-01-05", "a": 5, "b": range(20), "c": 1.0})
    flat = cx.survey_base(rows, customer="who", time="when",
                          scores={"a": (0, 10), "b": (0, 20), "c": (0, 10)})  # fmt: skip
    with pytest.raises(cx.DataError, match="is the same in every answer"):
        drivers(flat, score="c", items=["a", "b"])
