"""Answers of some: bounds and weights hold the truth where the answers alone do not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.attrition import lee_bounds, trimmed_mean
from cxmodels.experiments.response_weights import response_weighted

EFFECT, ANSWER, SURPLUS = 0.4, 0.7, 0.2
NAMES = {"arm": "arm", "control": "A", "outcome": "score"}


def lowest_join(seed, n=800, gap=0.0, share=ANSWER):
    """The arm makes the least satisfied answer, so that the effect lies at the upper bound.

    Of those who would answer in the arm, the lowest fifth answer there alone; segments differ by
    `gap`.
    """
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    u, segment = rng.random(n), rng.integers(2, size=n)
    high = norm.ppf(u) + gap * segment
    answers = (rng.random(n) < share) & (treated | (u > SURPLUS))
    score = np.where(treated, high, high - EFFECT)
    return pd.DataFrame({"arm": np.where(treated, "B", "A"), "segment": segment,
                         "score": np.where(answers, score, np.nan)})  # fmt: skip


def whoever_is_unhappy(seed, n=800):
    """The arm makes those answer who bought little before, who score low."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    before, kind = rng.normal(size=n), rng.choice(["web", "shop"], size=n)
    chance = 1.0 / (1.0 + np.exp(-(0.2 + np.where(treated, -0.9, 0.6) * before)))
    score = 6.0 + before + 0.5 * (kind == "web") + EFFECT * treated + rng.normal(size=n)
    return pd.DataFrame({"arm": np.where(treated, "B", "A"), "before": before, "kind": kind,
                         "score": np.where(rng.random(n) < chance, score, np.nan)})  # fmt: skip


def bounds_study(times, gap=0.0, cells=(), first=0):
    """Share of intervals that hold the effect; and that of the answers' own."""
    held = naive = 0
    for seed in range(first, first + times):
        found = lee_bounds(lowest_join(seed, gap=gap), cells=cells, **NAMES)
        held += found.lower <= EFFECT <= found.upper
        row = found.table.iloc[2]
        naive += abs(row["estimate"] - EFFECT) < 1.96 * row["std_error"]
    return held / times, naive / times


def weights_study(times, first=0):
    held = {"weighted": 0, "those who answered": 0}
    errors, estimates = [], []
    for seed in range(first, first + times):
        found = response_weighted(whoever_is_unhappy(seed), covariates=["before", "kind"], **NAMES)
        for row in found.table.to_dict("records"):
            held[row["what"]] += row["lower"] <= EFFECT <= row["upper"]
        errors.append(found.table["std_error"][0])
        estimates.append(found.table["estimate"][0])
    told = float(np.mean(errors) / np.std(estimates))
    return held["weighted"] / times, held["those who answered"] / times, told


def test_bounds_hold_the_effect_at_their_edge():
    """200 tests at the worst place, the edge: within four Monte Carlo errors (0.0154) of 0.95."""
    held, naive = bounds_study(200)
    assert held > 0.95 - 4 * 0.0154
    assert naive < 0.4


def test_weights_hold_the_effect():
    held, naive, _ = weights_study(150)
    assert held > 0.95 - 4 * 0.0178
    assert naive < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("gap", "cells"), [(0.0, ()), (0.0, "segment"), (2.0, "segment")])
def test_bounds_in_full(gap, cells):
    held, naive = bounds_study(1_000, gap, cells)
    assert 0.93 <= held <= 0.97, held
    assert naive < 0.4 or gap


@pytest.mark.slow
def test_weights_in_full():
    held, naive, told = weights_study(1_000)
    assert 0.93 <= held <= 0.97, held
    assert naive < 0.2
    assert told == pytest.approx(1.0, abs=0.08)


def test_cells_tighten():
    table = lowest_join(3, n=20_000, gap=2.0)
    wide, tight = lee_bounds(table, **NAMES), lee_bounds(table, cells="segment", **NAMES)
    assert tight.table["estimate"][0] > wide.table["estimate"][0]
    assert tight.table["estimate"][1] < wide.table["estimate"][1] - 0.1
    assert tight.table["estimate"][1] == pytest.approx(EFFECT, abs=0.06)
    assert tight.cells["weight"].sum() == pytest.approx(1.0)


def test_errors_are_those_of_lee():
    """Proposition 3 written out, for the lower bound, where the arm answers more."""
    table = lowest_join(4, n=40_000)
    found = lee_bounds(table, **NAMES).table
    treated, known = table["arm"] == "B", table["score"].notna()
    a1, a0 = known[treated].mean(), known[~treated].mean()
    p, y = 1.0 - a0 / a1, table["score"]
    own = np.sort(y[treated & known])
    edge = own[int(len(own) * (1.0 - p))]
    low = own[own <= edge]
    n, of, share = len(table), (treated & known).mean(), treated.mean()
    v = low.var() / (of * (1 - p)) + (edge - low.mean()) ** 2 * p / (of * (1 - p))
    v_p = (1 - p) ** 2 * ((1 - a1) / (share * a1) + (1 - a0) / ((1 - share) * a0))
    v += ((edge - low.mean()) / (1 - p)) ** 2 * v_p
    v += y[~treated & known].var() / (~treated & known).mean()
    assert found["std_error"][0] == pytest.approx((v / n) ** 0.5, rel=2e-3)
    assert found["estimate"][0] == pytest.approx(low.mean() - y[~treated & known].mean(), abs=1e-3)


@pytest.mark.parametrize("cells", [(), "segment"])
def test_errors_beside_the_bootstrap(cells):
    table = lowest_join(7, n=2_000, gap=1.0)
    found = lee_bounds(table, cells=cells, **NAMES).table
    rng = np.random.default_rng(1)
    drawn = np.array([
        lee_bounds(table.iloc[rng.integers(len(table), size=len(table))], cells=cells, **NAMES)
        .table["estimate"][:2]
        for _ in range(200)
    ])  # fmt: skip
    ratio = found["std_error"][:2] / drawn.std(axis=0)
    assert ratio.tolist() == pytest.approx([1.0, 1.0], abs=0.2)  # 200 draws: errors of 5 per cent


def test_swapped_arms_mirror():
    table = lowest_join(5)
    one = lee_bounds(table, **NAMES)
    other = lee_bounds(table, **(NAMES | {"control": "B"}))
    assert other.lower == pytest.approx(-one.upper)
    assert other.upper == pytest.approx(-one.lower)
    assert (one.cells["trimmed"] == "B").all()
    assert (other.cells["trimmed"] == "B").all()


def test_ties_are_cut_in_parts():
    """Scores of 0 to 10: as if each unit stood a thousand times."""
    y = np.random.default_rng(1).integers(0, 11, 57).astype(float)
    many = np.sort(np.repeat(y, 1_000))
    for low, own in ((True, many), (False, many[::-1])):
        assert trimmed_mean(y, 0.731, low)[0] == pytest.approx(own[: round(57_000 * 0.731)].mean())


def test_all_answered_leaves_a_point():
    table = lowest_join(6).assign(score=lambda t: t["score"].fillna(0.0))
    found = lee_bounds(table, **NAMES).table
    assert found["estimate"].to_numpy() == pytest.approx(found["estimate"][2])
    assert found["std_error"][0] == pytest.approx(found["std_error"][2], rel=0.01)
    weighted = response_weighted(table, covariates="segment", **NAMES)
    assert weighted.table["estimate"][0] == pytest.approx(weighted.table["estimate"][1])
    assert any("nothing to weigh" in note for note in weighted.notes)


def test_overlap_that_fails_is_told():
    table = whoever_is_unhappy(1, n=3_000)
    table["before"] *= 3.0
    rng = np.random.default_rng(2)
    chance = 1.0 / (1.0 + np.exp(3.0 - table["before"]))
    table["score"] = (table["before"] + rng.normal(size=3_000)).where(rng.random(3_000) < chance)
    found = response_weighted(table, covariates="before", **NAMES)
    assert any("with a probability below 5%" in note for note in found.notes)
    assert (found.arms["effective"] < found.arms["answered"]).all()
    apart = table.assign(score=table["before"].where(table["before"] > 0))
    with pytest.raises(FitError, match="who answers in arm 'A' cannot be weighed for"):
        response_weighted(apart, covariates="before", **NAMES)


TABLE = lowest_join(8, n=200)


def broken(column, value):
    table = TABLE.astype({column: object})
    table.loc[3:4, column] = value
    return table


@pytest.mark.parametrize(
    "door",
    [
        lambda table, **names: lee_bounds(table, cells="segment", **names),
        lambda table, **names: response_weighted(table, covariates="segment", **names),
    ],
)
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.iloc[:0], "empty"),
        (TABLE.drop(columns="score"), "no one column 'score'"),
        (TABLE.drop(columns="segment"), "no one column 'segment'"),
        (broken("score", "good"), r"'score' is no number \(2 rows\); first: row 4"),
        (broken("score", np.inf), "'score' is infinite"),
        (broken("arm", None), r"'arm' is missing \(2 rows\)"),
        (broken("arm", "C"), "3 arms where two are compared"),
        (TABLE.assign(arm="B"), "no unit is in the control arm 'A'"),
    ],
)
def test_broken_tables(door, table, words):
    with pytest.raises(DataError, match=words):
        door(table, **NAMES)


def test_too_few_and_odd_choices():
    with pytest.raises(FitError, match="is known of 0 units of arm 'A', where 10 are the least"):
        lee_bounds(TABLE.assign(score=np.nan), **NAMES)
    with pytest.raises(FitError, match="fewer than 10 answers of an arm; first"):
        lee_bounds(TABLE.assign(segment=range(200)), cells="segment", **NAMES)
    with pytest.raises(DataError, match="cell column 'segment' is missing"):
        lee_bounds(broken("segment", None), cells="segment", **NAMES)
    with pytest.raises(OptionError, match="plays two parts"):
        lee_bounds(TABLE, cells="arm", **NAMES)
    with pytest.raises(OptionError, match="level"):
        lee_bounds(TABLE, level=0, **NAMES)
    same = lee_bounds(TABLE.assign(score=TABLE["score"] * 0.0), **NAMES)
    assert (same.lower, same.upper) == (0.0, 0.0)
