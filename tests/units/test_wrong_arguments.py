"""Values of a wrong kind end in a sentence that names the argument and what it takes."""

from types import SimpleNamespace

import pandas as pd
import pytest

import cxmodels as cx
from cxmodels import satisfaction

SCALES = {"recommend": (0, 10), "quality": (0, 10), "price": (0, 10)}
CONTROLS = "~ tenure + segment"


@pytest.fixture(scope="module")
def told():
    made = cx.simulate.company(1_500, seed=4)
    days = {"customer": "customer_id", "time": "date", "start": made.start, "end": made.end}
    survey = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=SCALES)
    logs = {"orders": cx.event_log(made.transactions, amount="amount", order="order_id", **days)}
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])

    def link(window="3M"):
        return satisfaction.link(survey, score="recommend", logs=logs, customers=people,
                                 since="joined", until="end", window=window)  # fmt: skip

    linked = link()
    found = satisfaction.effects(linked, controls=CONTROLS)
    return SimpleNamespace(made=made, survey=survey, link=link, linked=linked, effects=found)


@pytest.mark.parametrize("seed", [-1, "x", 1.5, None, True])
def test_a_seed_is_a_whole_number(told, seed):
    for call in (
        lambda: cx.simulate.company(50, seed=seed),
        lambda: cx.simulate.market(seed=seed),
        lambda: satisfaction.drivers(
            told.survey, score="recommend", items=["quality", "price"], seed=seed
        ),
    ):
        with pytest.raises(cx.OptionError, match=r"seed .* is not a whole number from 0 on"):
            call()


def test_sizes_of_simulations():
    for call in (lambda: cx.simulate.company("x"), lambda: cx.simulate.company(5),
                 lambda: cx.simulate.company(50, quarters=2.5), lambda: cx.simulate.market("x"),
                 lambda: cx.simulate.market(10, 2)):  # fmt: skip
        with pytest.raises(cx.OptionError, match="is not a whole number of"):
            call()


@pytest.mark.parametrize("reliability", ["x", 0.0, 1.5, True])
def test_a_reliability_is_a_share(told, reliability):
    for call in (
        lambda: satisfaction.effects(told.linked, controls=CONTROLS, reliability=reliability),
        lambda: satisfaction.spend_effect(
            told.linked, log="orders", controls=CONTROLS, reliability=reliability
        ),
        lambda: cx.value_change(None, None, None, discount_rate=0.1, horizon="36M",
                                reliability=reliability),
    ):  # fmt: skip
        with pytest.raises(cx.OptionError, match=r"reliability .* is not above 0 and up to 1"):
            call()


def test_a_worth_is_money_by_outcome(told):
    for worth, said in (({"leaving": "x"}, "worth of 'leaving' is money"), ([1.0], "by outcome"),
                        ({"leaving": float("inf")}, "worth of 'leaving' is money")):  # fmt: skip
        with pytest.raises(cx.OptionError, match=said):
            satisfaction.effects(told.linked, controls=CONTROLS, worth=worth)


def test_a_horizon_is_longer_than_nothing():
    with pytest.raises(cx.OptionError, match="horizon '0M' is not a positive span"):
        cx.value_change(None, None, None, discount_rate=0.1, horizon="0M")


def test_checks_are_of_the_same_window(told):
    with pytest.raises(cx.OptionError, match="effects are of the 3 months after an answer"):
        satisfaction.checks(told.link("2M"), told.effects)
    shown = satisfaction.checks(told.linked, told.effects).face().table
    assert {"e_value", "e_value_interval"} <= set(shown)


def test_a_score_of_two_values_and_a_constant_control(told):
    table = told.linked.table
    two = told.linked.at((table["score"].isin([6.0, 9.0])).to_numpy())
    found = satisfaction.levels(two, controls=CONTROLS)
    assert not any("bend'" in note or "const" in note for note in found.notes)
    assert any("two scores, between which nothing can bend" in note for note in found.notes)
    assert len(found.by_level) and "6" in str(found.face().table)
    table["alike"] = 3.0
    try:
        with pytest.raises(cx.FitError, match="column 'alike' is the same in every row"):
            satisfaction.effects(told.linked, controls="~ tenure + alike")
    finally:
        del table["alike"]


def test_surveys_and_logs_say_what_they_are():
    nobody = pd.DataFrame({"who": [None, None], "when": "2024-01-05", "nps": [9, 7]})
    columns = {"customer": "who", "time": "when"}
    with pytest.raises(cx.DataError, match=r"no row names a customer \(2 rows\)"):
        cx.survey_base(nobody, scores={"nps": (0, 10)}, **columns)
    with pytest.raises(cx.OptionError, match="a table is"):
        cx.survey_base(5, scores={"nps": (0, 10)}, **columns)
    cases = pd.DataFrame({"who": [1], "when": ["2024-01-05"]})
    with pytest.raises(cx.OptionError, match="start 2024-03-01 is after end 2024-02-01"):
        cx.event_log(cases, start="2024-03-01", end="2024-02-01", **columns)


def test_one_customer_says_nothing_of_others():
    one = pd.DataFrame({"who": 1, "when": pd.date_range("2024-01-01", periods=5, freq="7D"),
                        "nps": [7, 8, 9, 3, 6]})  # fmt: skip
    survey = cx.survey_base(one, customer="who", time="when", scores={"nps": (0, 10)})
    scores = cx.survey_scores(survey).set_index("measure")
    assert scores["std_error"].isna().all()
    assert scores.loc["mean", ["lower", "upper"]].tolist() == [0.0, 10.0]
    assert scores.loc["NPS", ["lower", "upper"]].tolist() == [-100.0, 100.0]
    assert scores.loc["top box", ["lower", "upper"]].tolist() == [0.0, 1.0]
