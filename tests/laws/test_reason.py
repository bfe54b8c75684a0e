"""Satisfaction as the reason: the set amount within its interval, the slope where it misleads."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.experiments.reason import WHOLE, ratio_set, reason


def world(seed: int, n: int = 2_000, lift: float = 0.5, worth: float = 4.0, direct: float = 0.0,
          mood: float = 6.0) -> pd.DataFrame:  # fmt: skip
    """SIMULATED: who is at ease is satisfied and spends; the lever adds points at random."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat(["as now", "call"], n // 2))
    ease, before = rng.standard_normal(n), rng.standard_normal(n)
    score = 7.0 + lift * (arm == "call") + 0.8 * ease + 0.5 * before + rng.standard_normal(n)
    money = 50.0 + worth * score + mood * ease + 5.0 * before + direct * (arm == "call")
    money += rng.gamma(0.5, 30.0, n)
    return pd.DataFrame({"arm": arm, "score": score, "money": money, "before": before})


ASKED = {"arm": "arm", "control": "as now", "satisfaction": "score", "money": "money"}


def test_a_point_is_worth_what_was_set_and_the_slope_says_more():
    found = reason(world(2, n=20_000), covariates=["before"], level=0.999, **ASKED)
    table = found.table.set_index("what")
    assert found.point.holds(4.0)
    assert table.loc["slope among the control", "lower"] > 5.5  # a third more than is true
    share = 4.0 / table.loc["slope among the control", "estimate"]
    assert found.share.holds(share)
    assert "% (" in found.sentence and "is causal" in found.sentence


def inside(level: float, runs: int, **truth) -> tuple[float, float]:
    """How often the worth of a point and the slope hold the truth."""
    point = slope = 0
    for seed in range(runs):
        found = reason(world(seed, **truth), covariates=["before"], level=level, **ASKED)
        row = found.table.set_index("what").loc["slope among the control"]
        point += found.point.holds(4.0)
        slope += row["lower"] <= 4.0 <= row["upper"]
    return point / runs, slope / runs


@pytest.mark.parametrize("lift", [0.5, 0.05])
def test_coverage_however_weak_the_lever(lift):
    point, slope = inside(0.9, 150, lift=lift, n=600)
    assert 0.83 < point < 0.97
    assert slope < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("lift", [0.5, 0.05])
def test_coverage_study(lift):
    point, slope = inside(0.95, 1_000, lift=lift, n=1_000)
    print(lift, point, slope)
    assert 0.93 < point < 0.97


def test_a_weak_lever_says_that_it_is_one():
    found = reason(world(3, lift=0.0, n=400), **ASKED)
    assert found.point.kind in (WHOLE, "outside")
    assert "nothing is said of satisfaction as the reason" in found.sentence


def test_another_way_is_taken_for_satisfaction_and_the_breakdown_says_how_much_it_takes():
    found = reason(world(4, n=20_000, direct=2.0), covariates=["before"], **ASKED)
    assert not found.point.holds(4.0)
    assert 0.3 < found.breakdown < 0.99
    none = reason(world(5, n=400, worth=0.0, mood=0.0), **ASKED)
    assert none.breakdown == 0.0 or none.breakdown < 0.5


def test_the_set_is_a_test_inverted():
    rng = np.random.default_rng(6)
    for _ in range(50):
        a, b = rng.normal(size=2)
        root = rng.normal(size=(2, 2))
        V = root @ root.T * rng.uniform(0.01, 1.0)
        found = ratio_set(a, b, V, 1.7)
        for w in rng.normal(0, 3, 40):
            error = np.sqrt(V[0, 0] - 2 * w * V[0, 1] + w**2 * V[1, 1])
            assert found.holds(w) == (abs(a - w * b) <= 1.7 * error)


def test_two_ways_of_saying_one_unit_are_one():
    table = world(7)
    one = reason(table, **ASKED).point
    ten = reason(table.assign(score=table["score"] * 10), **ASKED).point
    assert (ten.lower * 10, ten.upper * 10) == pytest.approx((one.lower, one.upper))


def test_refusals():
    table = world(8, n=100)
    for odd, asked, said in (
        (table, {"control": "none"}, "no unit is in the control arm 'none'"),
        (pd.concat([table, table.assign(arm="third")]), {}, "3 arms where two"),
        (table.assign(money="x"), {}, "'money' holds what is no number"),
        (table.assign(score=np.inf), {}, "'score' is infinite"),
        (table, {"money": "profit"}, "there is no one column 'profit'"),
    ):
        with pytest.raises(cx.DataError, match=said):
            reason(odd, **(ASKED | asked))
    with pytest.raises(cx.FitError, match="fewer than 10 units"):
        reason(table.head(12), **ASKED)
    with pytest.raises(cx.OptionError, match="'score' is the same"):
        reason(table.assign(score=7.0), **ASKED)
    lacking = table.assign(score=table["score"].where(table.index > 20))
    dropped = reason(lacking.dropna(), **ASKED).table
    assert reason(lacking, **ASKED).table.equals(dropped)
