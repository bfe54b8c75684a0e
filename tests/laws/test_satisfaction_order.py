"""The order of rows and the kind of ids say nothing; wrong names and objects end in words."""

import pytest

import cxmodels as cx
from cxmodels import satisfaction

SCALES = {"recommend": (0, 10), "satisfied": (1, 5), "quality": (0, 10), "price": (0, 10)}


@pytest.fixture(scope="module")
def made():
    return cx.simulate.company(1_500, seed=4)


def people_of(made):
    table = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    return table[["customer_id", "channel", "segment", "joined", "end"]]


def linked(made, people, *, text: bool = False, score: str = "recommend", name="orders", **more):
    def told(table):
        return table.assign(customer_id=table["customer_id"].astype(str)) if text else table

    days = {"customer": "customer_id", "time": "date", "start": made.start, "end": made.end}
    survey = cx.survey_base(told(made.surveys), customer="customer_id", time="date", scores=SCALES)
    logs = {name: cx.event_log(told(made.transactions), amount="amount", order="order_id", **days)}
    return satisfaction.link(
        survey, score=score, logs=logs, customers=told(people), since="joined", until="end", **more
    )


def test_order_of_customers_and_kind_of_ids(made):
    people = people_of(made)
    plain = linked(made, people)
    found = satisfaction.effects(plain, controls="~ tenure + segment").table
    for other in (
        linked(made, people.sample(frac=1.0, random_state=1)), linked(made, people[::-1]),
        linked(made, people, text=True),
    ):  # fmt: skip
        assert other.reconciliation.equals(plain.reconciliation)
        assert len(other.pairs) == len(plain.pairs) and len(other.asked) == len(plain.asked)
        again = satisfaction.effects(other, controls="~ tenure + segment").table
        for column in ("naive", "controlled", "corrected", "std_error"):
            assert again[column].tolist() == pytest.approx(found[column].tolist(), rel=1e-7)


def test_refusals(made):
    people = people_of(made)
    for window in ("0M", "0D"):
        with pytest.raises(cx.OptionError, match="not a positive span"):
            linked(made, people, window=window)
    for name in ("score", "left", "days", "segment", "customer_id"):
        with pytest.raises(cx.OptionError, match="rename it"):
            linked(made, people, name=name)
    with pytest.raises(cx.DataError, match="nobody is known"):
        linked(made, people.iloc[:0])
    survey = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=SCALES)
    with pytest.raises(cx.OptionError, match="make it with event_log"):
        satisfaction.link(survey, score="recommend", logs={"orders": made.transactions})
    with pytest.raises(cx.OptionError, match="survey from survey_base"):
        satisfaction.link(made.surveys, score="recommend", logs={})
    with pytest.raises(cx.OptionError, match="scores names"):
        cx.survey_base(made.surveys, customer="customer_id", time="date", scores=["recommend"])
    found = satisfaction.effects(linked(made, people), controls="~ tenure")
    with pytest.raises(cx.OptionError, match="check one by its own"):
        satisfaction.checks(linked(made, people, score="satisfied"), found)
    same = cx.survey_base(made.surveys.assign(price=made.surveys["quality"]),
                          customer="customer_id", time="date", scores=SCALES)  # fmt: skip
    for words, survey_of, more in (
        ("follows from the others", same, {}), ("below 20", survey, {"draws": 1}),
    ):  # fmt: skip
        with pytest.raises(cx.CxError, match=words):
            satisfaction.drivers(survey_of, score="recommend", items=["quality", "price"], **more)
    with pytest.raises(cx.OptionError, match="several scores"):
        satisfaction.drivers(survey, score="recommend", items="quality")


def test_controls_are_known_before_the_answer(made):
    found = linked(made, people_of(made))
    for name in ("orders", "orders_amount", "left", "days"):
        with pytest.raises(cx.OptionError, match="followed the answer"):
            satisfaction.effects(found, controls=f"~ {name}")
    with pytest.raises(cx.OptionError, match="effects_within"):
        satisfaction.effects(found, controls="~ customer_id")
    assert len(satisfaction.effects(found, controls="~ orders_before").table) > 1
