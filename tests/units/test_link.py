"""Answers joined with later outcomes: against a loop over customers, by hand, and at every edge."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.units import Span
from cxmodels.satisfaction import link
from cxmodels.satisfaction.windows import Windows, disjoint, moved


def frame(columns, rows):
    return pd.DataFrame(rows, columns=columns)


def survey(rows, **more):
    table = frame(["who", "when", "nps"], rows)
    return cx.survey_base(table, customer="who", time="when", scores={"nps": (0, 10)}, **more)


def orders(rows, **more):
    table = frame(["who", "when", "order", "product", "paid"], rows)
    given = {"start": "2024-01-01", "end": "2024-12-31", **more}
    return cx.event_log(
        table, customer="who", time="when", order="order", product="product", amount="paid", **given
    )


PEOPLE = frame(
    ["customer_id", "since", "until", "kind"],
    [(1, "2023-01-01", None, "a"), (2, "2024-02-01", "2024-05-10", "b")],
)
ORDERS = [
    (1, "2024-01-20", 1, "x", 5.0),
    (1, "2024-02-01", 2, "x", 7.0),  # the day of the answer: in no window
    (1, "2024-02-02", 3, "x", 10.0),
    (1, "2024-02-02", 3, "y", 20.0),
    (1, "2024-04-30", 4, "x", 30.0),
    (1, "2024-05-01", 5, "z", 99.0),  # the day after the window
    (2, "2024-03-20", 6, "x", 3.0),
    (2, "2024-05-10", 7, "y", 4.0),
]
ANSWERS = [
    (1, "2024-02-01", 9),
    (1, "2024-02-15", 7),  # soon again: shows the score's reliability
    (1, "2024-04-10", 5),  # the window is still open, and it is not soon
    (1, "2024-05-01", 8),
    (2, "2024-01-15", 3),  # before the first day
    (2, "2024-03-15", 4),
    (2, "2024-06-01", 2),  # after leaving
    (3, "2024-03-01", 6),  # unknown
    (1, "2024-11-15", 10),  # the window is not over
]


def linked(**more):
    given = {"since": "since", "until": "until", "customers": PEOPLE, "window": "3M", **more}
    return link(survey(ANSWERS), score="nps", logs={"orders": orders(ORDERS)}, **given)


def test_by_hand():
    found = linked()
    table = found.table
    assert table["customer_id"].tolist() == [1, 1, 2]
    assert table["score"].tolist() == [9, 8, 4]
    assert table["score_before"].fillna(-1).tolist() == [-1, 9, -1]
    assert table["orders"].tolist() == [2, 0, 2]
    assert table["orders_lines"].tolist() == [3, 0, 2]
    assert table["orders_amount"].tolist() == [60, 0, 7]
    assert table["orders_products"].tolist() == [2, 0, 2]
    assert table["orders_before"].tolist() == [1, 3, 0]
    assert table["days"].tolist() == [89, 91, 56]
    assert table["left"].tolist() == [0, 0, 1]
    assert table["days_before"].tolist() == [31, 90, 43]
    assert table["kind"].tolist() == ["a", "a", "b"]
    assert table["tenure"].round(3).tolist() == [1.084, 1.331, 0.118]
    assert found.pairs.to_numpy().tolist() == [[0, 9, 7]]
    account = found.reconciliation.set_index("item")["rows"].to_dict()
    assert account == {
        "answers": 9,
        "set aside: window not over by 2024-12-31": 1,
        "set aside: unknown customer": 1,
        "set aside: before the first day as a customer": 1,
        "set aside: answers given while a window was open": 2,
        "set aside: after leaving": 1,
        "linked answers": 3,
    }
    assert "3 answers (nps, 0 to 10) of 2 customers" in repr(found)


def test_lag_and_days():
    table = linked(window="30D", lag="10D").table
    first = table.iloc[0]
    assert first["orders"] == 0  # 2024-02-11 to 03-11 is empty
    assert table[table["score"] == 5]["orders"].tolist() == [2]  # 04-21 to 05-20 holds orders 4, 5


def test_without_a_table_of_customers():
    """Whoever bought is a customer, from the first purchase on."""
    found = link(survey(ANSWERS), score="nps", logs={"orders": orders(ORDERS)}, window="3M")
    account = found.reconciliation.set_index("item")["rows"]
    assert account["set aside: before the first purchase"] == 2
    assert account["set aside: unknown customer"] == 1
    assert found.table["left"].isna().all()
    assert (found.table["tenure"] >= 0).all()


def test_order_of_rows_does_not_matter_and_input_stays():
    table = frame(["who", "when", "nps"], ANSWERS)
    mixed = table.sample(frac=1, random_state=1)
    kept = mixed.copy()
    again = cx.survey_base(mixed, customer="who", time="when", scores={"nps": (0, 10)})
    log = orders(ORDERS[::-1])
    found = link(again, score="nps", logs={"orders": log}, customers=PEOPLE, since="since",
                    until="until", window="3M")  # fmt: skip
    pd.testing.assert_frame_equal(found.table, linked().table)
    pd.testing.assert_frame_equal(mixed, kept)


def test_against_a_loop():
    rng = np.random.default_rng(5)
    days = pd.date_range("2024-01-01", "2024-12-31")
    told = frame(["who", "when", "nps"], [
        (int(rng.integers(1, 40)), days[rng.integers(0, 366)], int(rng.integers(0, 11)))
        for _ in range(400)
    ]).drop_duplicates(["who", "when"])  # fmt: skip
    bought = [
        (int(rng.integers(1, 45)), days[rng.integers(0, 366)], place, int(rng.integers(1, 6)),
         float(rng.integers(1, 9)))
        for place in range(900)
    ]  # fmt: skip
    log = orders(bought)
    answers = cx.survey_base(told, customer="who", time="when", scores={"nps": (0, 10)})
    people = pd.DataFrame({"customer_id": range(1, 40)})
    found = link(answers, score="nps", logs={"orders": log}, customers=people, window="2M").table
    expected = []
    for who, own in told.sort_values(["who", "when"]).groupby("who"):
        opens = pd.Timestamp("1900-01-01")
        for row in own.itertuples():
            closes = row.when + pd.DateOffset(months=2)
            if row.when < opens or closes - pd.Timedelta(days=1) > days[-1]:
                continue
            opens, back = closes, row.when - pd.DateOffset(months=2)
            after = [b for b in bought if b[0] == who and row.when < b[1] < closes]
            before = [b for b in bought if b[0] == who and back <= b[1] < row.when]
            expected.append((who, row.nps, len(after), sum(b[4] for b in after),
                             len({b[3] for b in after}), len(before)))  # fmt: skip
    names = ["customer_id", "score", "orders", "orders_amount", "orders_products", "orders_before"]
    np.testing.assert_allclose(found[names].to_numpy(float), np.array(expected, float))


def test_windows_never_overlap():
    rng = np.random.default_rng(6)
    customer = np.sort(rng.integers(0, 50, 2_000))
    opens = rng.integers(19_000, 20_000, 2_000)
    order = np.lexsort((opens, customer))
    customer, opens = customer[order], opens[order]
    closes = moved(opens, Span.parse("1M"))
    kept = disjoint(customer, opens, closes)
    for own in range(50):
        mine = kept & (customer == own)
        assert (opens[mine][1:] >= closes[mine][:-1]).all()
    windows = Windows(customer[kept], opens[kept], closes[kept])
    place = windows.holding(customer[~kept], opens[~kept])
    same_day = np.isin(customer[~kept] * 100_000 + opens[~kept],
                       customer[kept] * 100_000 + opens[kept])  # fmt: skip
    assert ((place >= 0) | same_day).all()
    assert (windows.holding(np.array([99]), np.array([19_500])) == -1).all()


def test_problems_of_the_table_of_customers_at_once():
    bad = pd.concat([PEOPLE, PEOPLE.iloc[[0]].assign(since="soon"),
                     PEOPLE.iloc[[1]].assign(customer_id=None),
                     PEOPLE.iloc[[1]].assign(customer_id=7, until="2023-01-01")])  # fmt: skip
    with pytest.raises(cx.DataError) as caught:
        linked(customers=bad)
    said = str(caught.value)
    assert "4 problems" in said
    assert "customer_id is missing (1 row); first: row 4" in said
    assert "customer_id occurs more than once (1 row); first: row 3: customer_id=1" in said
    assert "since is missing or no day (1 row)" in said
    assert "until lies before since (1 row)" in said


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"score": "csat"}, cx.OptionError, "score 'csat' is not one of nps"),
        ({"logs": {}}, cx.OptionError, "at least one log"),
        ({"since": "joined"}, cx.DataError, "there is no column 'joined'"),
        ({"customers": None}, cx.OptionError, "columns of customers="),
        ({"window": "2Y"}, cx.DataError, r"no answer \(nps\) can be linked"),
        ({"window": "soon"}, cx.OptionError, "span 'soon'"),
        ({"end": "2025-03-01"}, cx.OptionError, "after the log 'orders' ends"),
        ({"customers": PEOPLE.assign(tenure=1)}, cx.OptionError, "a name of ours"),
        ({"customers": PEOPLE.assign(customer_id=["a", "b"])}, cx.DataError, "can be linked"),
    ],
)
def test_refusals(asked, error, said):
    given = {"score": "nps", "logs": {"orders": orders(ORDERS)}, "customers": PEOPLE,
             "since": "since", "until": "until", **asked}  # fmt: skip
    with pytest.raises(error, match=said):
        link(survey(ANSWERS), **given)


def test_event_logs_say_what_is_wrong():
    rows = frame(["who", "when", "cost"], [(1, "2024-01-05", 3.0), (1, "2024-01-06", None)])
    with pytest.raises(
        cx.DataError, match=r"'cost' is empty \(1 row\); first: customer 1, 2024-01"
    ):
        cx.event_log(rows, customer="who", time="when", amount="cost")
    with pytest.raises(cx.DataError, match="time column 'day' is not there"):
        cx.event_log(rows, customer="who", time="day")
    with pytest.raises(cx.OptionError, match="no event between"):
        cx.event_log(rows.dropna(), customer="who", time="when", start="2025-01-01")
    log = cx.event_log(rows.dropna(), customer="who", time="when", end="2024-02-01")
    assert repr(log) == "EventLog: 1 events in 1 rows, 2024-01-05 to 2024-02-01"
