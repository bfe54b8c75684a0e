"""Amounts that are margins: a loss is an order, every row is counted, and the log still ties."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError

ROWS = [
    ("a", "2024-01-01", 9.0, "o1"),
    ("a", "2024-01-08", -4.0, "o2"),
    ("a", "2024-01-15", 10.0, "o3"),
    ("a", "2024-01-15", -10.0, "o3"),
    ("a", "2024-01-22", 1.0, "o4"),
    ("b", "2024-01-01", -2.0, "o5"),
    ("b", "2024-01-01", 0.0, "o6"),
    ("c", "2024-01-05", 0.0, "o7"),
    ("c", "2024-02-09", 3.0, "o8"),
    ("d", "2024-02-09", -3.0, "o9"),
]


def log() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["who", "when", "earned", "order"])


def base_of(frame: pd.DataFrame, **choices) -> cx.CustomerBase:
    terms = {"customer": "who", "time": "when", "amount": "earned", "unit": "day"}
    return cx.customer_base(frame, **terms, **{"negative": "loss", "end": "2024-01-31", **choices})


@pytest.mark.parametrize("order", [None, "order"])
def test_every_occasion_counts_and_brings_its_margin(order):
    table = base_of(log(), order=order).table.set_index("customer_id")
    assert table["frequency"].to_dict() == {"a": 3, "b": 0, "c": 0}
    assert table["paid_frequency"].to_dict() == {"a": 3, "b": 0, "c": 0}
    assert table.loc["a", "monetary_value"] == pytest.approx(-1.0)  # -4, 0 and 1
    assert table.loc["a", "monetary_squares"] == pytest.approx(9.0 + 1.0 + 4.0)
    assert table["monetary_squares"].to_dict() == pytest.approx({"a": 14.0, "b": 0.0, "c": 0.0})
    assert table["monetary_value"].isna().to_dict() == {"a": False, "b": True, "c": True}


@pytest.mark.parametrize("order", [None, "order"])
def test_the_log_ties(order):
    base = base_of(log(), order=order, holdout_end="2024-02-29")
    account = base.reconciliation.set_index("item")
    assert sum(account["amount"].iloc[1:]) == account["amount"].iloc[0] == Decimal("4.000000")
    assert account["rows"].iloc[1:].sum() == account["rows"].iloc[0] == len(ROWS)
    aside = account[account.index.str.startswith("set aside")]
    assert (aside["rows"] == 0).all()
    assert account.loc["base: first purchases", "amount"] == Decimal("7.000000")
    assert account.loc["base: repeat purchases", "amount"] == Decimal("-3.000000")
    assert account.loc["hold-out: customers first seen there", "amount"] == Decimal("-3.000000")
    assert base.table.set_index("customer_id")["holdout_amount"].to_dict() == {
        "a": 0.0, "b": 0.0, "c": 3.0,
    }  # fmt: skip


def test_the_base_says_what_its_amounts_are():
    base = base_of(log())
    assert base.losses
    assert "margin in the base 4.00" in repr(base)
    assert "2 occasions of 6 (33.3%) were at a loss, -6.00 in all" in " ".join(base.notes)
    assert "margin in the base" in base._repr_html_()
    gains = base_of(log().query("earned > 0"))
    assert "no occasion was at a loss" in " ".join(gains.notes)
    again = base.at("2024-01-20")
    assert again.losses
    assert again.table.set_index("customer_id").loc["a", "frequency"] == 2


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery", "postgres"])
def test_the_printed_query_gives_the_same(dialect):
    from tests.contracts.test_door_sql import run

    rng = np.random.default_rng(3)
    n = 2000
    frame = pd.DataFrame(
        {
            "who": rng.integers(1, 200, n),
            "when": pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
            "earned": rng.integers(-400, 900, n) / 4 + 1e6,
        }
    )
    terms = {"customer": "who", "time": "when", "amount": "earned", "end": "2024-03-31"}
    base = cx.customer_base(frame, **terms, negative="loss")
    text = cx.summary_sql(dialect, table="sales", **terms, negative="loss")
    assert "monetary_squares" in text
    assert "> 0" not in text.split("cxmodels_squares")[0].split("cxmodels_occasions")[1]
    if dialect != "duckdb":
        return
    found = run(frame, text)
    # margins of a million that differ by tens: squares keep their digits
    assert np.allclose(found["monetary_squares"], base.table["monetary_squares"], rtol=1e-9)
    groups = frame.sort_values("when").groupby(["who", "when"])["earned"].sum()
    one = int(base.table["customer_id"].iloc[0])
    orders = groups.loc[one].loc[:"2024-03-31"].to_numpy()[1:]
    squares = ((orders - orders.mean()) ** 2).sum()
    assert base.table["monetary_squares"].iloc[0] == pytest.approx(squares, rel=1e-9)


def test_choices_that_do_not_exist():
    with pytest.raises(OptionError, match="negative 'losses' is not one of refund, loss"):
        base_of(log(), negative="losses")
    with pytest.raises(OptionError, match="name their column"):
        cx.customer_base(log(), customer="who", time="when", negative="loss")
    with pytest.raises(DataError, match='where amounts are margins, say negative="loss"'):
        base_of(log().assign(earned=-1.0), negative="refund")


def test_a_summary_of_margins():
    frame = pd.DataFrame(
        {
            "frequency": [3, 0, 2],
            "recency": [21.0, 0.0, 5.0],
            "T": 30.0,
            "monetary_value": [-1.0, np.nan, 0.0],
            "monetary_squares": [14.0, 0.0, 0.5],
        }
    )
    base = cx.CustomerBase.from_summary(frame, negative="loss")
    assert base.table["paid_frequency"].tolist() == [3, 0, 2]
    assert base.table["monetary_squares"].tolist() == [14.0, 0.0, 0.5]
    with pytest.raises(DataError, match=r'monetary_value is negative.*negative="loss"'):
        cx.CustomerBase.from_summary(frame)
    wrong = frame.assign(
        monetary_value=[np.nan, np.nan, np.inf],
        monetary_squares=[-1.0, 3.0, np.nan],
        paid_frequency=[3, 0, 1],
    )
    with pytest.raises(DataError) as told:
        cx.CustomerBase.from_summary(wrong, negative="loss")
    for words in (
        "monetary_value is infinite (1 row)",
        "monetary_value is missing with frequency above 0 (1 row)",
        "paid_frequency is not frequency (1 row)",
        "monetary_squares is not a number of 0 or more (2 rows)",
        "monetary_squares is above 0 with fewer than two (1 row)",
    ):
        assert words in str(told.value), words
