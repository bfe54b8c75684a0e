"""A lever of known effect in the simulated company, found along the chain."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.experiments.reason import reason
from tests.laws.lever_world import START, effect, trial

POINTS = 0.8
TRUTH = simulate.Truth()
OPEN = simulate.Truth(tenure_satisfaction=0.0, tenure_leaving=0.0, tenure_orders=0.0)
IDLE = simulate.Truth(leaving=0.0, orders=0.0, order_value=0.0, breadth=0.0)
SHORT = {"quarters": 6, "start": "2021-01-01"}
ASKED = {"arm": "arm", "control": "as now", "satisfaction": "points", "money": "money"}
KNOWN = ["plus", "tenure"]


def by_points(table: pd.DataFrame, outcome: str, family: sm.families.Family) -> tuple[float, float]:
    """Effect of the lever in logs, with its error."""
    x = sm.add_constant((table["arm"] == "call").astype(float).rename("call"))
    fit = sm.GLM(table[outcome], x, family=family).fit(cov_type="HC1")
    return float(fit.params["call"]), float(fit.bse["call"])


def test_until_it_starts_nothing_differs_by_the_same_seed():
    made = trial(3_000, 4, points=POINTS, **SHORT)
    plain = simulate.company(3_000, seed=4, **SHORT)
    for name in ("transactions", "surveys", "satisfaction"):
        with_it, without = getattr(made.company, name), getattr(plain, name)
        before = [
            table[table["date"] < START].reset_index(drop=True) for table in (with_it, without)
        ]
        pd.testing.assert_frame_equal(*before)
    with_it, without = made.company.satisfaction, plain.satisfaction
    assert not with_it.equals(without)


def test_it_is_found_in_satisfaction_and_in_behaviour():
    table = trial(120_000, 5, points=POINTS, **SHORT).answered()
    found = {
        "points": (effect(table, "points"), POINTS),
        "leaves": (by_points(table, "leaves", sm.families.Binomial()), TRUTH.leaving * POINTS),
        "orders": (by_points(table, "orders", sm.families.Poisson()), TRUTH.orders * POINTS),
    }
    for name, ((estimate, error), truth) in found.items():
        assert abs(estimate - truth) < 3.5 * error, (name, estimate, error, truth)
        assert abs(estimate) > 3.0 * error, name  # and it is told from nothing


@pytest.mark.parametrize(
    ("effects", "moved"), [({"answers": 1.0}, "answers"), ({"orders": 0.2}, "orders")]
)
def test_each_effect_moves_its_own_link_alone(effects, moved):
    made = trial(60_000, 6, **effects, **SHORT)
    felt, table = made.answered(), made.answered("recommend")
    z = {
        "answers": effect(table, "recommend"),
        "points": effect(felt, "points"),
        "orders": effect(felt, "orders"),
    }
    told = {name for name, (estimate, error) in z.items() if abs(estimate) > 3.5 * error}
    assert told == {moved}


def share_of(truth: simulate.Truth, seed: int, covariates: list[str], n: int = 60_000):
    made = trial(n, seed, truth, points=POINTS, **SHORT)
    return reason(made.answered(), covariates=covariates, **ASKED)


def test_the_share_that_is_causal_where_nothing_hides_and_where_nothing_works():
    """Known by design: with all that confounds held fixed 1, without any effect 0."""
    assert share_of(OPEN, 11, ["plus"]).share.holds(1.0)
    assert share_of(TRUTH, 12, KNOWN).share.holds(1.0)
    idle = share_of(IDLE, 13, [])
    slope = idle.table.set_index("what").loc["slope among the control"]
    assert idle.share.holds(0.0)
    assert slope["lower"] > 0.3  # the naive answer: satisfaction goes with money all the same


def test_answers_need_their_reliability():
    """A noisy answer flattens the slope, so that too much of it looks causal, unless it is told."""
    table = trial(240_000, 14, points=POINTS, **SHORT).answered("recommend")
    own = table[table["arm"] == "as now"]
    reliability = own["points"].var() / own["recommend"].var()
    asked = ASKED | {"satisfaction": "recommend"}
    raw, told = (reason(table, **asked, reliability=r) for r in (1.0, reliability))
    assert raw.share.lower > SHARE + 0.1
    assert told.share.holds(SHARE)


SHARE, WORTH = 0.778, 2.06  # of the raw slope on the true points; money a point: by 60 worlds of
# 200,000 customers, test_the_share_itself


def shares(runs: int, n: int) -> tuple[float, float]:
    """How often the interval holds the share; and how often that of the slope holds the worth."""
    held = naive = 0
    for seed in range(runs):
        found = share_of(TRUTH, 1_000 + seed, [], n)
        held += found.share.holds(SHARE)
        row = found.table.set_index("what").loc["slope among the control"]
        naive += row["lower"] <= WORTH <= row["upper"]
        trial.cache_clear()
    return held / runs, naive / runs


def test_the_share_is_held():
    held, _ = shares(12, 8_000)
    assert held >= 10 / 12


@pytest.mark.slow
def test_the_share_itself():
    tops = bottoms = 0.0
    for seed in range(60):
        row = share_of(TRUTH, 5_000 + seed, [], 200_000).table.set_index("what")["estimate"]
        tops += row["effect on money"] / row["effect on satisfaction"]
        bottoms += row["slope among the control"]
        trial.cache_clear()
    print(tops / bottoms, tops / 60)
    assert tops / bottoms == pytest.approx(SHARE, abs=0.02)
    assert tops / 60 == pytest.approx(WORTH, abs=0.05)


@pytest.mark.slow
def test_coverage_of_the_share():
    held, naive = shares(400, 16_000)
    print(held, naive)
    assert 0.93 < held < 0.975
    assert naive < 0.8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"customers": []}, "whole numbers"), ({"customers": [1.5]}, "whole numbers"),
        ({"start": None}, "start"), ({"points": np.nan}, "finite"),
        ({"orders": np.inf}, "finite"), ({"points": "1"}, "finite"), ({"end": "soon"}, "end"),
    ],
)  # fmt: skip
def test_a_lever_that_is_none_is_refused(given, words):
    with pytest.raises(cx.OptionError, match=words):
        simulate.Lever(**{"customers": [1, 2], "start": START, **given})


def test_company_asks_for_a_lever():
    with pytest.raises(cx.OptionError, match="lever is a Lever"):
        simulate.company(50, seed=1, lever={"points": 1.0})
