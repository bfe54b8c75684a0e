"""Scores of surveys: by hand, their coverage, and what non-response and repetition do to them."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.measures.survey_scores import alpha, survey_index, survey_scores

VALUES = np.array([3.0, 7.0, 10.0])
SHARES = {"mixed": [0.2, 0.3, 0.5], "skewed": [0.05, 0.15, 0.8], "low": [0.4, 0.4, 0.2]}


def base_of(values, who=None, when="2024-01-05", scale=(0, 10)):
    given = {"who": np.arange(len(values)) if who is None else who, "when": when, "nps": values}
    return cx.survey_base(pd.DataFrame(given), customer="who", time="when", scores={"nps": scale})


def found(values, measure, level=0.95, **more):
    table = survey_scores(base_of(values, **more), level=level).set_index("measure")
    return table.loc[measure]


def test_by_hand():
    values = [10, 9, 9, 8, 7, 7, 6, 5, 10, 3]
    assert found(values, "NPS")["estimate"] == pytest.approx(100 * (4 - 3) / 10)
    assert found(values, "top box")["estimate"] == pytest.approx(0.2)
    assert found(values, "top two boxes")["estimate"] == pytest.approx(0.4)
    assert found(values, "mean")["estimate"] == pytest.approx(np.mean(values))
    error = np.std(values, ddof=1) / np.sqrt(10)
    assert found(values, "mean")["std_error"] == pytest.approx(error)
    worth = np.array([1, 1, 1, 0, 0, 0, -1, -1, 1, -1])
    nps_error = 100 * worth.std(ddof=1) / np.sqrt(10)
    assert found(values, "NPS")["std_error"] == pytest.approx(nps_error)


def test_wilson_and_rocks_intervals():
    """Wilson: 2 of 10 at 95 per cent is (.0567, .5098), as in R's prop.test(2, 10, correct=F)."""
    row = found([10, 10, 8, 7, 7, 7, 6, 5, 5, 3], "top box")
    n = 10 * (0.16 / (0.16 * 10 / 9)) * 10 / 9  # independent answers: n is their number
    assert n == pytest.approx(10)
    assert [round(row["lower"], 4), round(row["upper"], 4)] == [0.0567, 0.5098]


@pytest.mark.parametrize("kind", SHARES)
@pytest.mark.parametrize("n", [10, 40])
def test_small_samples_hold_the_truth(kind, n):
    """700 surveys: an interval that held 91 per cent would show 89 to 93."""
    rng, shares = np.random.default_rng(n), np.array(SHARES[kind])
    truth = {
        "NPS": 100 * (shares[2] - shares[0]), "top box": shares[2], "mean": shares @ VALUES
    }  # fmt: skip
    held = dict.fromkeys(truth, 0)
    for _ in range(700):
        table = survey_of_groups(rng, shares, n)
        for name, right in truth.items():
            row = table.loc[name]
            held[name] += row["lower"] - 1e-9 <= right <= row["upper"] + 1e-9
    for name, count in held.items():
        assert count / 700 > 0.91, (name, count / 700)
        assert count / 700 < 0.995, (name, count / 700)


def survey_of_groups(rng, shares, n):
    """Straight to the measures, without the door: 4,200 surveys in a test."""
    from cxmodels.data.surveys import Scale
    from cxmodels.measures.survey_scores import _Answers, _measures

    one = np.zeros(n, dtype=np.int64)
    own = _Answers(VALUES[rng.choice(3, n, p=shares)], np.ones(n), np.arange(n), one, n)
    return pd.DataFrame(_measures(own, Scale(0.0, 10.0), 0.95)).set_index("measure")


def test_who_answers_twice_counts_once():
    rng = np.random.default_rng(3)
    once = rng.integers(0, 11, 200).astype(float)
    twice = np.r_[once, once]
    days = np.r_[np.full(200, "2024-01-05"), np.full(200, "2024-02-05")]
    alone = found(once, "mean")
    both = found(twice, "mean", who=np.tile(np.arange(200), 2), when=days)
    assert both["std_error"] == pytest.approx(alone["std_error"], rel=1e-9)
    assert both["upper"] - both["lower"] == pytest.approx(alone["upper"] - alone["lower"], rel=0.01)
    taken_for_others = found(twice, "mean", when=days, who=np.arange(400))
    assert taken_for_others["std_error"] < 0.75 * both["std_error"]


def test_strata_undo_non_response():
    """SIMULATED: happy customers of one kind answer more often; the naive NPS is too high."""
    held, naive, rng = 0, 0, np.random.default_rng(5)
    for _ in range(60):
        kind = rng.integers(0, 2, 1_500)
        score = np.where(kind == 1, rng.integers(7, 11, 1_500), rng.integers(0, 9, 1_500))
        told = rng.random(1_500) < np.where(kind == 1, 0.5, 0.15)
        table = pd.DataFrame({"who": range(1_500), "when": "2024-01-05",
                              "nps": np.where(told, score, np.nan)})  # fmt: skip
        base = cx.survey_base(table, customer="who", time="when", scores={"nps": (0, 10)})
        facts = pd.DataFrame({"customer_id": range(1_500), "kind": kind})
        truth = 100 * ((score >= 9).mean() - (score <= 6).mean())
        right = survey_scores(base, customers=facts, strata=["kind"], level=0.95)
        plain = survey_scores(base, level=0.95)
        for table, place in ((right, "held"), (plain, "naive")):
            row = table.set_index("measure").loc["NPS"]
            inside = row["lower"] <= truth <= row["upper"]
            held += inside if place == "held" else 0
            naive += inside if place == "naive" else 0
    assert held >= 52
    assert naive <= 5


def test_groups_and_periods():
    made = cx.simulate.company(3_000, seed=2)
    scales = {"recommend": (0, 10), "satisfied": (1, 5), "effort": (1, 7)}
    base = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=scales)
    table = survey_scores(base, by="quarter")
    assert table["group"].nunique() == 8
    assert set(table["measure"]) == {"mean", "top box", "top two boxes", "NPS"}
    assert (table["lower"] <= table["estimate"]).all() & (table["estimate"] <= table["upper"]).all()
    assert table["response_rate"].between(0.3, 0.6).all()
    kinds = survey_scores(base, by="segment", customers=made.customers)
    nps = kinds[kinds["measure"] == "NPS"].set_index("group")["estimate"]
    assert nps["plus"] > nps["basic"] + 5


def test_all_alike_and_one_answer_end_in_numbers():
    for values in ([10.0] * 8, [0.0] * 8, [7.0] * 8, [7.0]):
        table = survey_scores(base_of(values))
        numbers = table[["estimate", "std_error", "lower", "upper"]].to_numpy(float)
        assert np.isfinite(numbers[:, [0, 2, 3]]).all()
        assert np.isfinite(numbers[:, 1]).all() == (len(values) > 1)  # one says nothing of others
        assert (table["upper"] > table["lower"]).all()


def test_an_index_and_its_reliability():
    rng = np.random.default_rng(7)
    true, mood = rng.normal(6, 1.2, 4_000), rng.normal(0, 1.0, 4_000)
    items = {
        name: np.clip(np.round(true + mood + rng.normal(0, 1, 4_000)), 0, 10) for name in "abc"
    }
    table = pd.DataFrame({"who": range(4_000), "when": "2024-01-05", **items})
    base = cx.survey_base(table, customer="who", time="when", scores=dict.fromkeys("abc", (0, 10)))
    index = survey_index(base, ["a", "b", "c"])
    row = index.table.iloc[0]
    own = np.mean([items[name] for name in "abc"], axis=0)
    assert row["estimate"] == pytest.approx(10 * own.mean())
    honest = np.corrcoef(own, true)[0, 1] ** 2
    assert row["alpha"] > honest + 0.1  # a mood passes for truth: that is said
    assert "mood" in index.note
    weighed = survey_index(base, ["a", "b"], weights=[3, 1]).table.iloc[0]
    assert weighed["estimate"] == pytest.approx(10 * (0.75 * items["a"] + 0.25 * items["b"]).mean())


def test_alpha_by_hand():
    """McDonald's rule for parallel items: alpha = k rho / (1 + (k - 1) rho)."""
    rng = np.random.default_rng(8)
    true = rng.normal(size=200_000)
    items = true[:, None] + rng.normal(size=(200_000, 4))
    assert alpha(items) == pytest.approx(4 * 0.5 / (1 + 3 * 0.5), abs=0.005)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"by": "kind"}, cx.OptionError, "a column of customers="),
        ({"strata": ["kind"], "customers": pd.DataFrame({"customer_id": range(8), "kind": 1})},
         cx.OptionError, "invitations that nobody answered"),
        ({"by": "kind", "customers": pd.DataFrame({"customer_id": range(7), "kind": 1})},
         cx.DataError, r"rows of the survey without kind \(1 row\); first: customer 7"),
        ({"by": "kind", "customers": pd.DataFrame({"customer_id": [1] * 2, "kind": 1})},
         cx.DataError, "occurs more than once"),
        ({"by": "kind", "customers": pd.DataFrame({"customer_id": range(8)})},
         cx.OptionError, "customers has no column 'kind'"),
    ],
)  # fmt: skip
def test_refusals(asked, error, said):
    with pytest.raises(error, match=said):
        survey_scores(base_of([7.0, 8.0] * 4), **asked)
    for items in (["nps"], ["nps", "ces"]):
        with pytest.raises(cx.OptionError):
            survey_index(base_of([7.0, 8.0]), items)
