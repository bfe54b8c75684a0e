"""Segments: a test of the right size, intervals that hold, and rules that are not flattered."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, norm

from cxmodels.errors import DataError, OptionError
from cxmodels.experiments.honest_segments import effects_by_segment, shrunk
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.targeting import targeting

SEGMENTS, EFFECT = 8, 0.3
NAMES = {"arm": "arm", "control": "A", "metric": "y", "segments": "segment"}
UNEVEN = np.linspace(0.5, 1.5, SEGMENTS) / SEGMENTS


def world(seed, n=480, spread=0.0, effect=EFFECT):
    """Eight segments with effects around one; errors differ by segment and arm."""
    rng = np.random.default_rng(seed)
    effects = effect + spread * rng.normal(size=SEGMENTS)
    segment = rng.choice(SEGMENTS, n, p=UNEVEN)
    treated = rng.random(n) < 0.4
    while np.bincount(2 * segment + treated, minlength=2 * SEGMENTS).min() < 2:  # 1 world in 200
        treated = rng.random(n) < 0.4
    sd = 1.0 + 0.1 * segment + 0.5 * treated
    y = segment + effects[segment] * treated + sd * rng.normal(size=n)
    table = pd.DataFrame({"arm": np.where(treated, "B", "A"), "segment": segment, "y": y})
    return table, effects


def segment_study(times, spread, first=0):
    """Shares of rejections, of intervals that hold, plain and shrunk, and of the largest alone."""
    rejected, plain, drawn, best = 0, [], [], 0
    for seed in range(first, first + times):
        table, effects = world(seed, spread=spread)
        found = effects_by_segment(table, **NAMES)
        rejected += found.joint["p_value"][0] < 0.05
        rows = found.table
        plain.append(((rows["lower"] <= effects) & (effects <= rows["upper"])).mean())
        inside = (rows["shrunk_lower"] <= effects) & (effects <= rows["shrunk_upper"])
        drawn.append(inside.mean())
        top = int(rows["estimate"].idxmax())
        best += rows["lower"][top] <= effects[top]
    return rejected / times, np.mean(plain), np.mean(drawn), best / times


def rule_study(times, cost, spread=0.0, first=0, n=800):
    """Coverage of the rule's worth by comparison, and how far the judged and the naive worth of
    targeting over treating all lie above the truth, in errors of the mean."""
    held = np.zeros(3)
    gaps = {"judged": [], "naive": []}
    for seed in range(first, first + times):
        table, effects = world(seed, n, spread)
        found = targeting(table, cost=cost, share=0.4, seed=seed, **NAMES)
        chosen, gain = found.segments["chosen"], UNEVEN * (effects - cost)
        wanted = [chosen @ gain, (chosen - 1.0) @ gain, gain.sum()]
        held += (found.table["lower"] <= wanted) & (wanted <= found.table["upper"])
        gaps["judged"].append(found.table["estimate"][1] - wanted[1])
        own = found.segments
        seen = own["n"] / own["n"].sum() * (own["effect"] - cost)
        gaps["naive"].append((own["treat"] - 1.0) @ seen - (own["treat"] - 1.0) @ gain)
    above = {name: np.mean(gap) / (np.std(gap) / times**0.5) for name, gap in gaps.items()}
    return held / times, above


def test_size_and_coverage_of_segments():
    """30 tests: sizes within four Monte Carlo errors; the largest at its word misses."""
    rejected, plain, drawn, best = segment_study(30, 0.0)
    assert rejected < 0.05 + 4 * 0.04
    assert plain > 0.92
    assert drawn > 0.92
    assert best < 0.95


def test_rules_are_not_flattered():
    held, above = rule_study(60, cost=EFFECT)
    assert held.min() > 0.95 - 4 * 0.028
    assert abs(above["judged"]) < 4.0
    assert above["naive"] > 6.0


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_segments_in_full(spread):
    rejected, plain, drawn, best = segment_study(1_000, spread)
    assert 0.94 <= plain <= 0.96
    assert drawn >= 0.93
    assert best < 0.93
    assert 0.03 <= rejected <= 0.07 or spread


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_rules_in_full(spread):
    held, above = rule_study(1_000, EFFECT, spread)
    assert (held >= 0.93).all(), held
    assert (held <= 0.98).all(), held
    assert abs(above["judged"]) < 4.0
    assert above["naive"] > 20.0


def test_welch_on_two_segments_is_one_t_test():
    """With two segments the joint test is the square of a t test of the difference."""
    table, _ = world(1)
    two = table[table["segment"] < 2]
    found = effects_by_segment(two, **NAMES)
    e, s = found.table["estimate"], found.table["std_error"]
    assert found.joint["f"][0] == pytest.approx((e[0] - e[1]) ** 2 / (s**2).sum())


def test_shrinking_beside_a_brute_force_integral():
    e, s = (
        np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
        np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
    )  # eight schools (Rubin 1981)
    mean, sd, _ = shrunk(e, s)
    rng = np.random.default_rng(1)
    scale = 1.0 / np.sqrt((1.0 / s**2).mean())
    p = rng.random(400_000)
    tau, middle = scale * p / (1.0 - p), rng.uniform(-60.0, 80.0, p.size)
    total = s**2 + tau[:, None] ** 2
    weight = np.prod(norm.pdf(e, middle[:, None], np.sqrt(total)), axis=1)
    own = (e * tau[:, None] ** 2 + middle[:, None] * s**2) / total
    left = s**2 * tau[:, None] ** 2 / total
    brute = weight @ own / weight.sum()
    assert mean == pytest.approx(brute, abs=0.3)  # of 20,000 draws in effect
    spread = weight @ (left + (own - brute) ** 2) / weight.sum()
    assert sd == pytest.approx(np.sqrt(spread), rel=0.03)


def test_a_rule_that_pays_and_one_that_loses():
    rng = np.random.default_rng(2)
    treated, segment = rng.random(8_000) < 0.5, rng.integers(2, size=8_000)
    y = rng.normal(size=8_000) + np.where(segment == 1, 2.0, 0.1) * treated
    table = pd.DataFrame({"arm": np.where(treated, "B", "A"), "segment": segment, "y": y})
    found = targeting(table, cost=1.0, **NAMES)
    assert found.segments["treat"].tolist() == [False, True]
    assert found.sentence.startswith("Targeting beats treating all with B")
    assert found.table["estimate"].tolist() == pytest.approx([0.5, 0.45, 0.05], abs=0.06)
    less = targeting(table.assign(y=-y), **(NAMES | {"metric": Metric("y", better="lower")}),
                     cost=1.0)  # fmt: skip
    assert less.table["estimate"].tolist() == pytest.approx(found.table["estimate"].tolist())
    noise = rng.normal(scale=3.0, size=8_000)
    many = table.assign(segment=np.arange(8_000) % 400, y=0.5 * treated + noise)
    lost = targeting(many, **NAMES)
    assert lost.sentence.startswith("Targeting loses to treating all with B")
    flat = targeting(table.assign(y=5.0 * treated + rng.normal(size=8_000)), **NAMES)
    assert flat.sentence.startswith("The rule treats everybody")


def test_segments_of_one_kind_are_an_analysis_of_variance():
    """Equal errors and many units: the joint F is that of one-way groups of paired differences."""
    rng = np.random.default_rng(3)
    base = rng.normal(size=(4, 5_000))
    parts = [pd.DataFrame({"arm": ["A"] * 5_000 + ["B"] * 5_000, "segment": g,
                           "y": np.concatenate([np.tile([-1e-9, 1e-9], 2_500), base[g]])})
             for g in range(4)]  # fmt: skip
    found = effects_by_segment(pd.concat(parts), **NAMES)
    assert found.joint["p_value"][0] == pytest.approx(f_oneway(*base).pvalue, abs=0.02)


TABLE, _ = world(9)


@pytest.mark.parametrize("door", [effects_by_segment, targeting])
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.iloc[:0], "empty"),
        (TABLE.drop(columns="y"), "column 'y' is not there"),
        (TABLE.drop(columns="segment"), "stratum column 'segment' is not there"),
        (TABLE.assign(y="good"), r"text that is not a number \(480 rows\)"),
        (TABLE.assign(y=np.inf), "infinite"),
        (TABLE.assign(segment=None), "stratum column 'segment' is missing"),
        (TABLE.assign(arm="A"), "one arm"),
        (TABLE.assign(y=1.0), "same for all units"),
        (TABLE.assign(segment=range(480)), "cells of stratum and arm have fewer than 2"),
    ],
)
def test_broken_tables(door, table, words):
    with pytest.raises(DataError, match=words):
        door(table, **NAMES)


def test_choices():
    for door in (effects_by_segment, targeting):
        with pytest.raises(OptionError, match="segments= names the columns"):
            door(TABLE, **(NAMES | {"segments": ()}))
        with pytest.raises(OptionError, match="level"):
            door(TABLE, level=2, **NAMES)
    with pytest.raises(OptionError, match="hurdle"):
        effects_by_segment(TABLE, **(NAMES | {"metric": Metric("y", "hurdle")}))
    with pytest.raises(OptionError, match="segments share no units"):
        effects_by_segment(TABLE, multiplicity="romano-wolf", **NAMES)
    for wrong in ({"cost": np.inf}, {"share": 1.0}, {"metric": Metric("y", "nps")}):
        with pytest.raises(OptionError):
            targeting(TABLE, **(NAMES | wrong))
    few = pd.concat([TABLE, TABLE.groupby("arm").head(3).assign(segment=99)])
    with pytest.raises(DataError, match="fewer than 4 units of an arm, two a half"):
        targeting(few, **NAMES)
    with pytest.raises(DataError, match="3 arms where two are compared"):
        targeting(TABLE.assign(arm=[*"ABC"] * 160), **NAMES)
