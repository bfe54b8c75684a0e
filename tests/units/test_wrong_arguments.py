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

    def link(window="3M", lag="0D"):
        return satisfaction.link(survey, score="recommend", logs=logs, customers=people,
                                 since="joined", until="end", window=window, lag=lag)  # fmt: skip

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


def test_raw_frames_and_wrong_names_are_refused(told):
    surveys, table = told.made.surveys, told.linked.table
    names = "effects levels promoters effects_within extrapolated spend_effect"
    for fit in (getattr(satisfaction, name) for name in names.split()):
        with pytest.raises(cx.OptionError, match="takes linked answers, from link, got DataFrame"):
            fit(table, controls=CONTROLS)
    for call, said in (
        (lambda: satisfaction.checks(told.linked, told.linked), "checks takes linked answers"),
        (lambda: satisfaction.drivers(surveys, score="recommend", items=["quality"]), "takes a su"),
        (lambda: satisfaction.drivers(told.survey, score="recommend", items=None), "several scor"),
        (lambda: satisfaction.effects_by(told.linked, "orders", controls=CONTROLS), "decided by"),
        (lambda: satisfaction.effects(told.linked, controls="~ score"), "it is no control"),
        (lambda: satisfaction.extrapolated(told.linked, controls="~ 1", draws="x"), "draws 'x'"),
        (lambda: cx.survey_scores(surveys), "takes a survey_base, got DataFrame"),
        (lambda: cx.survey_scores(told.survey, strata="segment"), r"as in \['segment'\]"),
        (lambda: cx.survey_index(told.survey, "recommend"), "several scores"),
        (lambda: cx.survey_index(told.survey, ["quality", "price"], weights="ab"), "2 numbers"),
        (lambda: cx.simulate.company(100, truth=5), "truth is a Truth"),
        (lambda: cx.simulate.company(100, quarters=4_000), "a century"),
    ):
        with pytest.raises(cx.OptionError, match=said):
            call()


def test_a_lag_is_told_and_repeated_answers_stay(told):
    late = told.link(window="2M", lag="1M")
    assert "outcomes of the 2 months that begin 1 month after" in repr(late)
    assert len(late.pairs) > 0.5 * len(told.linked.pairs)
    found = satisfaction.effects(late, controls=CONTROLS)
    assert "2 months that begin 1 month after them brought" in found.notes[0]


def test_customers_of_acquisition_are_checked(told):
    people = told.made.customers
    for broken, said in (
        (pd.concat([people, people]), r"customer_id occurs more than once \(1,500 rows\)"),
        (people.assign(acquisition_cost="x"), "acquisition_cost is no number"),
        (people.assign(acquisition_cost=float("inf")), "acquisition_cost is infinite"),
        (people.assign(joined="x"), "joined is missing or no day"),
    ):
        with pytest.raises(cx.DataError, match=said):
            satisfaction.acquisition_cost(told.survey, broken, score="recommend")


def test_months_of_another_scale_and_impossible_days(told):
    mixed = told.made.surveys.copy()
    early = mixed["date"] < "2024-01-01"
    mixed.loc[early, "recommend"] = (mixed.loc[early, "recommend"] / 2).round().clip(1, 5)
    columns = {"customer": "customer_id", "time": "date"}
    with pytest.raises(cx.DataError, match="seems to mix two scales by month"):
        cx.survey_base(mixed, scores=SCALES, **columns)
    days = pd.DataFrame({"customer_id": [1, 2], "date": ["2999-01-01", "0001-01-01"], "n": [1, 2]})
    with pytest.raises(cx.DataError, match="lies in the future") as found:
        cx.survey_base(days, scores={"n": (0, 10)}, **columns)
    assert "lies before 1900" in str(found.value)
    with pytest.raises(cx.OptionError, match="timezone 'Mars' is not a known zone"):
        cx.survey_base(told.made.surveys, scores=SCALES, timezone="Mars", **columns)


def test_orders_numbered_anew_for_each_customer(told):
    lines = told.made.transactions.copy()
    days = {"customer": "customer_id", "time": "date", "order": "order_id"}
    whole = repr(cx.event_log(lines, **days))
    lines["order_id"] = lines.groupby("customer_id")["order_id"].rank("dense").astype(int)
    assert repr(cx.event_log(lines, **days)) == whole


def test_ids_that_differ_in_zeros_in_front(told):
    people = told.made.customers
    padded = people.assign(customer_id=people["customer_id"].map("{:06d}".format))
    log = cx.event_log(told.made.transactions, customer="customer_id", time="date")
    with pytest.raises(cx.DataError, match="ids differ in zeros in front"):
        satisfaction.link(told.survey, score="recommend", logs={"orders": log}, customers=padded)


def test_groups_in_which_nobody_or_one_answered(told):
    people = told.made.customers
    found = cx.survey_scores(told.survey, by="joined", customers=people)
    assert (found["upper"] > found["lower"]).all()
    scores = list(SCALES)
    silent = told.made.surveys.copy()
    basic = set(people.loc[people["segment"] == "basic", "customer_id"])
    silent.loc[silent["customer_id"].isin(basic), scores] = None
    survey = cx.survey_base(silent, customer="customer_id", time="date", scores=SCALES)
    row = cx.survey_scores(survey, by="segment", customers=people).set_index("group").loc["basic"]
    assert (row["answers"] == 0).all()
    assert (row["response_rate"] == 0.0).all()


def test_amounts_of_nothing_are_counted(told):
    lines = told.made.transactions.copy()
    lines["amount"] = lines["amount"].where(lines.index % 5 > 0, -500.0)
    days = {"start": told.made.start, "end": told.made.end}
    log = cx.event_log(lines, customer="customer_id", time="date", amount="amount", **days)
    linked = satisfaction.link(
        told.survey, score="recommend", logs={"orders": log}, customers=told.made.customers,
        since="joined",
    )  # fmt: skip
    notes = satisfaction.effects(linked, controls=CONTROLS).notes
    assert any("windows with events have an amount of 0 or less" in note for note in notes)
