"""Effects of satisfaction against known truth: ours hold it, naive ones miss, noise finds none."""

import numpy as np
import pytest
import scipy

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.satisfaction.outcomes import effects
from tests.laws.satisfaction_study import CONTROLS, TRUTHS, linked_company, study


@pytest.fixture(scope="module")
def company():
    return simulate.company(12_000, seed=11)


@pytest.fixture(scope="module")
def linked(company):
    return linked_company(company)


def test_ours_near_the_truth_and_naive_not(company, linked):
    truth = company.truth.set_index("effect")["truth"]
    table = effects(linked, controls=CONTROLS).table.set_index("outcome")
    off = {
        kind: max(
            abs(table.loc[outcome, kind] - truth[name]) / table.loc[outcome, error]
            for outcome, name in TRUTHS.items()
        )
        for kind, error in (("naive", "naive_error"), ("controlled", "controlled_error"),
                            ("corrected", "std_error"))
    }  # fmt: skip
    assert off["corrected"] < 3.5
    assert off["controlled"] > 4
    assert off["naive"] > 4


def test_with_reliability_1_corrected_is_controlled(linked):
    table = effects(linked, controls=CONTROLS, reliability=1.0).table
    np.testing.assert_allclose(table["corrected"], table["controlled"], rtol=1e-12)
    np.testing.assert_allclose(table["std_error"], table["controlled_error"], rtol=1e-12)


def test_an_effect_that_is_none_is_found_to_be_none():
    nothing = simulate.Truth(leaving=0.0, orders=0.0, order_value=0.0, breadth=0.0, referrals=0.0,
                             cases=0.0)  # fmt: skip
    table = effects(
        linked_company(simulate.company(8_000, seed=3, truth=nothing)), controls=CONTROLS
    ).table
    assert (table["p_value"] > 1e-3).all()
    confounded = abs(table["naive"] / table["naive_error"]).max()
    assert confounded > 4  # tenure and segment alone make satisfied customers better ones


def test_shuffled_scores_find_nothing(linked):
    """5 per cent at 5 per cent, over outcomes and shuffles: 9 or more of 60 with p = .004."""
    rng, significant, tried = np.random.default_rng(1), 0, 0
    some = linked.at(np.arange(len(linked.table)) < 6_000)
    for _ in range(10):
        mixed = some.table.assign(score=rng.permutation(some.table["score"]))
        table = effects(shuffled(some, mixed), controls=CONTROLS, reliability=0.6).table
        table = table[table["outcome"].isin(list(TRUTHS))]
        significant += (table["p_value"] < 0.05).sum()
        tried += len(table)
    assert tried == 60
    assert significant < 9


def shuffled(linked, table):
    from dataclasses import replace

    return replace(linked, table=table)


@pytest.mark.slow
def test_shuffled_scores_at_their_size(linked):
    rng, found = np.random.default_rng(2), []
    some = linked.at(np.arange(len(linked.table)) < 6_000)
    for _ in range(200):
        mixed = some.table.assign(score=rng.permutation(some.table["score"]))
        table = effects(shuffled(some, mixed), controls=CONTROLS, reliability=0.6).table
        found.append((table.set_index("outcome").loc[list(TRUTHS), "p_value"] < 0.05).mean())
    assert 0.035 <= np.mean(found) <= 0.065, np.mean(found)


def test_small_study():
    """12 companies: fewer than 8 intervals hold a truth with probability .0002 where 95 should."""
    held = study(12, customers=2_500).sum()
    for outcome in TRUTHS:
        assert held[f"{outcome}, corrected"] >= 8, held


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "response"])
def test_full_study(weights):
    """200 companies: ours hold the truth in 93 to 97 per cent, up to two errors (1.5) of a share;
    naive and controlled effects miss it."""
    share = study(200, weights=weights, processes=2).mean()
    print(weights, share.round(3).to_dict())
    for outcome in TRUTHS:
        assert 0.915 <= share[f"{outcome}, corrected"] <= 0.985, share
    assert share["referrals, naive"] < 0.5
    assert share["leaving, controlled"] < 0.6


def test_weights_need_invitations(linked):
    answered = linked.asked[linked.asked["answered"] > 0]
    from dataclasses import replace

    with pytest.raises(cx.OptionError, match="invitations that nobody answered"):
        effects(replace(linked, asked=answered), controls=CONTROLS, weights="response")
    plain = effects(linked, controls=CONTROLS).table.set_index("outcome")
    weighed = effects(linked, controls=CONTROLS, weights="response").table.set_index("outcome")
    gap = (plain["corrected"] - weighed["corrected"]).abs() / plain["std_error"]
    assert (gap > 0).all()
    assert gap.max() < 2


def test_without_repeated_answers_it_is_said(linked):
    from dataclasses import replace

    lonely = replace(linked, pairs=linked.pairs.iloc[:0])
    found = effects(lonely, controls=CONTROLS)
    assert found.table["corrected"].isna().all()
    assert "No repeated answers" in found.notes[1]
    few = replace(linked, pairs=linked.pairs.iloc[:10])
    told = effects(few, controls=CONTROLS)
    assert told.table["corrected"].isna().all()
    assert any("not corrected" in note and "are too few" in note for note in told.notes)


def test_answers_that_agree_with_nothing_are_told_uncorrected(linked):
    """A shuffled score: naive and controlled effects stand, at their size."""
    rng = np.random.default_rng(5)
    table, pairs = linked.table.copy(), linked.pairs.copy()
    table["score"] = rng.permutation(table["score"].to_numpy())
    pairs["score"] = table["score"].to_numpy()[pairs["row"].to_numpy()]
    from dataclasses import replace

    told = effects(replace(linked, table=table, pairs=pairs), controls=CONTROLS)
    assert told.table["corrected"].isna().all()
    assert (told.table["controlled"].abs() < 4 * told.table["controlled_error"]).all()
    assert any("repeated answers hardly agree" in note for note in told.notes)


def test_intervals_are_normal_ones(linked):
    for level in (0.5, 0.95):
        table = effects(linked, controls=CONTROLS, level=level).table
        half = scipy.special.ndtri((1 + level) / 2) * table["std_error"]
        np.testing.assert_allclose(table["upper"] - table["corrected"], half, rtol=1e-9)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"controls": "~ age"}, "'age', which is no column"),
        ({"weights": "all"}, "not one of None"),
        ({"reliability": 0.0}, "not above 0"),
        ({"level": 1.0}, "level"),
    ],
)
def test_refusals(linked, asked, said):
    with pytest.raises(cx.OptionError, match=said):
        effects(linked, **{"controls": CONTROLS, **asked})


def test_money_by_hand(linked):
    table = effects(linked, controls=CONTROLS).table.set_index("outcome")
    answers = linked.table[linked.table["days"] > 0]
    revenue = answers["orders_amount"].sum() / answers["days"].sum() * 365.2425
    row = table.loc["orders"]
    assert row["money_a_year"] == pytest.approx(revenue * np.expm1(row["corrected"]), rel=1e-9)
    assert row["money_a_year_lower"] == pytest.approx(revenue * np.expm1(row["lower"]), rel=1e-9)
    share = 1 - answers["orders"].sum() / answers["orders_lines"].sum()
    further = table.loc["orders: further lines"]
    assert further["money_a_year"] == pytest.approx(
        revenue * share * np.expm1(further["corrected"]), rel=1e-9
    )
    cost = answers["cases_amount"].sum() / answers["days"].sum() * 365.2425
    cases = table.loc["cases"]
    assert cases["money_a_year"] == pytest.approx(cost * np.expm1(cases["corrected"]), rel=1e-9)
    assert table.loc[["leaving", "referrals"], "money_a_year"].isna().all()
