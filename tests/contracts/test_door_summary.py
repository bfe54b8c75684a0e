"""A ready summary: its contract, and what comes out of it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cxmodels.data import samples
from cxmodels.data.profiles import compress
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import customer_base
from cxmodels.data.units import TimeUnit
from cxmodels.errors import DataError, OptionError


def good() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["c", "a", "b"],
            "frequency": [2, 0, 3],
            "recency": [30.43, 0.0, 12.0],
            "T": [38.86, 21.0, 30.0],
            "monetary_value": [22.5, 0.0, 17.25],
        }
    )


def test_a_summary_of_the_door_gives_the_same_base() -> None:
    base = customer_base(
        samples.cdnow(),
        customer="customer_id",
        time="date",
        amount="amount",
        end="1997-09-30",
        holdout_end="1998-06-30",
    )
    again = CustomerBase.from_summary(base.table, unit="week", end="1997-09-30", holdout_T=39)
    for name in again.table:
        pd.testing.assert_series_equal(again.table[name], base.table[name])
    assert (again.profiles.weight == base.profiles.weight).all()
    assert again.has_holdout


@pytest.mark.parametrize("convert", [pl.from_pandas, lambda frame: frame])
def test_rows_are_sorted_and_unpaid_is_nan(convert) -> None:
    base = CustomerBase.from_summary(convert(good()), unit="month")
    assert base.table["customer_id"].tolist() == ["a", "b", "c"]
    assert base.table["paid_frequency"].tolist() == [0, 3, 2]
    assert np.isnan(base.table["monetary_value"].iloc[0])
    assert base.unit is TimeUnit.MONTH


def test_ids_may_stand_in_the_index() -> None:
    base = CustomerBase.from_summary(good().set_index("customer_id"))
    assert base.table["customer_id"].tolist() == ["a", "b", "c"]


def test_the_frame_is_not_changed() -> None:
    frame = good()
    CustomerBase.from_summary(frame)
    pd.testing.assert_frame_equal(frame, good())


@pytest.mark.parametrize(
    ("column", "values", "rows", "what"),
    [
        ("frequency", [2, 0, -3], 1, "frequency is negative"),
        ("frequency", [2, 0.5, 3], 1, "frequency is not a whole number"),
        ("frequency", [2, np.nan, 3], 1, "frequency is missing"),
        ("frequency", ["two", 0, 3], 1, "frequency is not a number"),
        ("frequency", [2, 0, np.inf], 1, "frequency is infinite"),
        ("recency", [30.43, 0.0, 0.0], 1, "frequency is above 0 with recency 0"),
        ("recency", [30.43, 4.0, 12.0], 1, "recency is above 0 with frequency 0"),
        ("recency", [39.0, 0.0, 31.0], 2, "recency exceeds T"),
        ("recency", [-1.0, 0.0, 12.0], 1, "recency is negative"),
        ("T", [38.86, -1.0, 30.0], 1, "T is negative"),
        ("T", [38.86, np.nan, 30.0], 1, "T is missing"),
        ("customer_id", ["a", "a", "a"], 2, "customer_id occurs more than once"),
        ("customer_id", ["a", None, "b"], 1, "customer_id is missing"),
        ("monetary_value", [22.5, 0.0, -1.0], 1, "monetary_value is negative"),
        ("monetary_value", [22.5, 3.0, 1.0], 1, "monetary_value is above 0 with frequency 0"),
        ("monetary_value", [np.inf, 0.0, 1.0], 1, "monetary_value is infinite"),
        ("paid_frequency", [3, 0, 3], 1, "paid_frequency exceeds frequency"),
        ("paid_frequency", [0, 0, 3], 1, "monetary_value is above 0 with paid_frequency 0"),
        ("holdout_frequency", [1, 0, -1], 1, "holdout_frequency is not a whole number"),
    ],
)
def test_what_no_row_may_do(column: str, values: list, rows: int, what: str) -> None:
    with pytest.raises(DataError) as caught:
        CustomerBase.from_summary(good().assign(**{column: values}))
    hits = [problem for problem in caught.value.problems if problem.what.startswith(what)]
    assert len(hits) == 1, str(caught.value)
    assert hits[0].rows == rows
    assert hits[0].first.startswith("row ")


def test_all_problems_come_at_once() -> None:
    bad = good().assign(frequency=[2, 0.5, -1], recency=[99.0, 0.0, 12.0], T=[38.86, 0, 30])
    with pytest.raises(DataError) as caught:
        CustomerBase.from_summary(bad)
    assert len(caught.value.problems) >= 4


def test_columns_missing_doubled_or_empty() -> None:
    with pytest.raises(DataError, match=r"there is no column 'T'.*Columns: customer_id, freq"):
        CustomerBase.from_summary(good().drop(columns="T"))
    with pytest.raises(DataError, match="share a name: 'T'"):
        CustomerBase.from_summary(pd.concat([good(), good()[["T"]]], axis=1))
    with pytest.raises(DataError, match="the summary is empty"):
        CustomerBase.from_summary(good().iloc[:0])
    with pytest.raises(OptionError, match="'eon' is not one of"):
        CustomerBase.from_summary(good(), unit="eon")


def test_profiles_are_the_distinct_histories_with_their_counts() -> None:
    rng = np.random.default_rng(2)
    x, t = rng.integers(0, 4, 5000), rng.integers(0, 9, (2, 5000)) / 7
    found = compress(x, t[0], t[1])
    counts = pd.DataFrame({"x": x, "t_x": t[0], "T": t[1]}).value_counts().sort_index()
    assert list(zip(found.frequency, found.recency, found.T, strict=True)) == counts.index.tolist()
    assert found.weight.tolist() == counts.tolist()
    assert (found.frequency[found.row] == x).all()
    assert (found.T[found.row] == t[1]).all()


def test_a_base_introduces_itself() -> None:
    base = customer_base(
        samples.cdnow(),
        customer="customer_id",
        time="date",
        amount="amount",
        end="1997-09-30",
        currency="USD",
    )
    text, page = repr(base), base._repr_html_()
    for word in ("2,357", "946", "week", "1997-01-01 to 1997-09-30", "173,115.55 USD"):
        assert word in text
        assert word in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"log_interval_sum": [9.0, 0.0]}, "larger than intervals that add up to recency allow"),
        ({"log_interval_sum": [1.0, 0.5]}, "log_interval_sum is not 0 with frequency 0"),
        ({"log_interval_sum": [np.nan, 0.0]}, "log_interval_sum is missing or infinite"),
        ({"interval_share": [1.2, np.nan]}, "interval_share is not between 0 and 1"),
        ({"interval_share": [0.5, 0.5]}, "interval_share is not between 0 and 1"),
    ],
)
def test_intervals_that_cannot_be(change, said) -> None:
    frame = pd.DataFrame({"frequency": [2, 0], "recency": [6.0, 0.0], "T": [9.0, 4.0], **change})
    with pytest.raises(DataError, match=said):
        CustomerBase.from_summary(frame)
