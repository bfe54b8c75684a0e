"""What the door of subscriptions accepts, and what it refuses, with every problem named."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError

BASE = cx.SubscriptionBase
COUNTS = [1000, 869, 743, 653, 593]
CONTRACTS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d", "e", "f"],
        "from": [
            "2024-01-15",
            "2024-01-31",
            "2024-03-01",
            "2024-03-05",
            "2024-05-01",
            "2024-06-01",
        ],
        "to": ["2024-02-14", None, "2024-04-20", None, "2024-06-25", "2024-12-01"],
        "channel": list("xyxyxy"),
    }
)
COLUMNS = {"customer": "id", "start": "from", "end": "to", "as_of": "2024-06-30", "unit": "month"}


def refused(*words):
    return pytest.raises(DataError, match="(?s)" + ".*".join(words))


def test_survivors_become_losses_by_age():
    base = BASE.from_survivors(COUNTS, unit="year")
    assert base.spells["customers"].tolist() == [131, 126, 90, 60, 593]
    assert base.spells["lasted"].tolist() == [0, 1, 2, 3, 4]
    assert base.spells["ended"].tolist() == [1, 2, 3, 4, np.inf]
    cohort = base.cohorts.iloc[0]
    assert (cohort["acquired"], cohort["previous"], cohort["customers"]) == (1000, 653, 593)
    assert (base.customers, base.active, base.periods) == (1000, 593, 4)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_survivors_of_any_kind(kind):
    assert BASE.from_survivors(kind(COUNTS)).spells.equals(BASE.from_survivors(COUNTS).spells)


def test_shares_need_the_number_of_customers():
    for shares in ([100, 63.1, 46.8], [1.0, 0.631, 0.468]):
        with refused("look like shares or per cent", "pass customers="):
            BASE.from_survivors(shares)
        base = BASE.from_survivors(shares, customers=1000)
        assert base.spells["customers"].tolist() == [369, 163, 468]
        assert "whole customers out of 1,000" in base.notes[0]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([], ["not a single count"]),
        ([10, 12, 9], ["survivors increase", "column 2: 12"]),
        ([10, 8, -1], ["negative", "column 3: -1"]),
        ([10.5, 8, 7], ["not a whole number"]),
        ([np.inf, 8, 7], ["infinite"]),
        ([0, 0], ["first count is missing or 0"]),
        ([np.nan, 5, 4], ["first count is missing or 0", "calendar"]),
        ([10, "x", 3], ["not a number"]),
        ([[1, 2], [3, 4]], ["plain list"]),
    ],
)
def test_what_cannot_be_survivors(counts, words):
    with refused(*words):
        BASE.from_survivors(counts)


def test_all_problems_are_told_at_once():
    table = pd.DataFrame([[10, 12, 9], [10, -2, 0], [5.5, 4, 3]], index=["a", "b", "b"])
    with pytest.raises(DataError) as told:
        BASE.from_cohorts(table)
    text = str(told.value)
    for words in ("increase", "negative", "whole number", "more than once"):
        assert words in text
    assert "4 problems" in text


def test_cohorts_by_calendar_or_by_age():
    calendar = pd.DataFrame(
        [[500, 400, 350], [np.nan, 600, 520], [np.nan, np.nan, 300]],
        index=pd.Index([2021, 2022, 2023], name="cohort"),
    )
    ages = pd.DataFrame(
        [[500, 400, 350], [600, 520, np.nan], [300, np.nan, np.nan]], index=calendar.index
    )
    one = BASE.from_cohorts(calendar, layout="calendar")
    two = BASE.from_cohorts(ages)
    pd.testing.assert_frame_equal(one.spells, two.spells)
    assert one.cohorts["age"].tolist() == [2, 1, 0]
    assert one.cohorts["renewed"].fillna(-1).tolist() == [350, 520, -1]
    with refused("first count is missing", "layout='calendar'"):
        BASE.from_cohorts(calendar)
    with pytest.raises(OptionError, match="age, calendar"):
        BASE.from_cohorts(ages, layout="wide")


@pytest.mark.parametrize("made", [pl.from_pandas, pa.Table.from_pandas])
def test_cohorts_in_any_frame(made):
    table = pd.DataFrame({"cohort": ["a", "b"], "0": [50, 60], "1": [40, 51], "2": [36, 44]})
    assert BASE.from_cohorts(made(table)).spells.equals(BASE.from_cohorts(table).spells)


def test_counts_that_were_not_made_are_gaps():
    table = pd.DataFrame([[500, np.nan, 350, np.nan]], index=["a"])
    base = BASE.from_cohorts(table)
    assert base.spells[["lasted", "ended"]].to_numpy().tolist() == [[0, 2], [2, np.inf]]
    few = pd.DataFrame({"cohort": ["a"], "acquired": [500], "age": [2], "customers": [350]})
    pd.testing.assert_frame_equal(BASE.from_first_and_last(few).spells, base.spells)
    with refused("not a whole number of periods"):
        BASE.from_first_and_last(few.assign(age=1.5))
    with refused("no column 'age'"):
        BASE.from_first_and_last(few.drop(columns="age"))


def test_covariates_of_cohorts():
    table = pd.DataFrame([[50, 40], [60, 51]], index=pd.Index(["a", "b"], name="cohort"))
    kinds = pd.DataFrame({"channel": ["web", "shop"]}, index=["a", "b"])
    base = BASE.from_cohorts(table, covariates=kinds)
    assert base.covariates == ("channel",)
    assert base.spells["channel"].tolist() == ["web", "web", "shop", "shop"]
    with refused("no covariates", "cohort b"):
        BASE.from_cohorts(table, covariates=kinds.iloc[:1])


@pytest.mark.parametrize(
    ("acquired", "lost", "words"),
    [
        ([100, 50], [10, 5], ["more customers were lost", "period 1"]),
        ([100, -50], [0, 5], ["negative"]),
        ([100, 50.5], [0, 5], ["whole number"]),
        ([100, np.nan], [0, 5], ["missing"]),
        ([], [], ["empty"]),
    ],
)
def test_what_cannot_be_totals(acquired, lost, words):
    with refused(*words):
        BASE.from_totals(pd.DataFrame({"acquired": acquired, "lost": lost}))


def test_contracts_become_whole_periods_and_days():
    base = BASE.from_contracts(CONTRACTS, **COLUMNS, covariates=["channel"])
    assert (base.customers, base.active) == (6, 3)
    spells = base.spells.set_index("cohort")
    # a: ended on the last day of its first month; c: within its second month
    assert spells.loc["2024-01"].query("channel == 'x'")["ended"].item() == 1.0
    assert spells.loc["2024-03"].query("channel == 'x'")["ended"].item() == 2.0
    # e: ended in a month that was not over: counted for its one full month
    assert spells.loc["2024-05", ["lasted", "ended"]].tolist() == [1.0, np.inf]
    days = base.exact.set_index("cohort")
    assert days.loc["2024-05", "ended"] == pytest.approx(1 + 25 / 30)
    assert base.contracts["active"].tolist() == [False, True, False, True, False, True]
    assert any("after the records do count as active: 1" in note for note in base.notes)
    assert any("not over: 1" in note for note in base.notes)


def test_contracts_of_any_engine_and_date_kind(tmp_path):
    base = BASE.from_contracts(CONTRACTS, **COLUMNS)
    stamps = CONTRACTS.assign(**{name: pd.to_datetime(CONTRACTS[name]) for name in ("from", "to")})
    path = tmp_path / "contracts.parquet"
    stamps.to_parquet(path)
    for frame in (stamps, pl.from_pandas(stamps), pa.Table.from_pandas(stamps), path):
        other = BASE.from_contracts(frame, **COLUMNS)
        pd.testing.assert_frame_equal(other.spells, base.spells)
        pd.testing.assert_frame_equal(other.exact, base.exact)


def test_the_order_of_contracts_does_not_matter_to_a_fit():
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 300, 400), unit="D")
    end = pd.Series(start + pd.to_timedelta(rng.integers(5, 700, 400), unit="D"))
    frame = pd.DataFrame({"id": range(400), "from": start, "to": end.where(end < "2024-06-30")})
    one = cx.SBG().fit(BASE.from_contracts(frame, **COLUMNS))
    two = cx.SBG().fit(BASE.from_contracts(frame.sample(frac=1.0, random_state=1), **COLUMNS))
    np.testing.assert_allclose(one.theta, two.theta, rtol=1e-9)


def test_every_problem_of_contracts_is_told():
    bad = pd.DataFrame(
        {
            "id": ["a", "a", None, "d", "e"],
            "from": ["2024-01-01", "tomorrow", "2025-01-01", None, "2024-02-01"],
            "to": ["2023-01-01", "soon", None, None, None],
            "channel": ["x", "y", "x", "y", None],
        }
    )
    with pytest.raises(DataError) as told:
        BASE.from_contracts(bad, **COLUMNS, covariates=["channel"])
    text = str(told.value)
    for words in (
        "id is missing (1 row); first: row 3",
        "id occurs more than once (1 row); first: row 2",
        "from is missing (1 row); first: row 4",
        "from is not a date (1 row); first: row 2",
        "to is not a date (1 row)",
        "a contract ends before it starts (1 row); first: row 1",
        "a contract starts after as_of 2024-06-30 (1 row); first: row 3",
        "covariate 'channel' is missing (1 row); first: row 5",
    ):
        assert words in text, text


def test_columns_and_days_that_are_not_there():
    with refused("no column 'customer'"):
        BASE.from_contracts(CONTRACTS, **{**COLUMNS, "customer": "customer"})
    with refused("empty"):
        BASE.from_contracts(CONTRACTS.iloc[:0], **COLUMNS)
    with refused("from is not a date"):
        BASE.from_contracts(CONTRACTS.assign(**{"from": 20240101}), **COLUMNS)
    with pytest.raises(OptionError, match="lies after as_of"):
        BASE.from_contracts(CONTRACTS, **COLUMNS, observed_from="2025-01-01")
    with pytest.raises(OptionError, match="unit"):
        BASE.from_contracts(CONTRACTS, **{**COLUMNS, "unit": "fortnight"})
    with pytest.raises(OptionError, match="name of a column of the base"):
        BASE.from_contracts(CONTRACTS.assign(age=1), **COLUMNS, covariates=["age"])


def test_the_frame_is_left_as_it_was():
    before = CONTRACTS.copy()
    BASE.from_contracts(CONTRACTS, **COLUMNS)
    pd.testing.assert_frame_equal(CONTRACTS, before)


def test_the_base_as_it_was_some_periods_ago():
    base = BASE.from_survivors(COUNTS, unit="year")
    for periods in (0, 1, 3):
        earlier = base.before_last(periods)
        counts = COUNTS[: len(COUNTS) - periods]
        pd.testing.assert_frame_equal(
            earlier.spells, BASE.from_survivors(counts).spells, check_dtype=False
        )
    with pytest.raises(OptionError, match="whole number"):
        base.before_last(-1)
    late = BASE.from_contracts(CONTRACTS, **COLUMNS).before_last(2)
    assert late.customers == 4  # e and f had not begun for a whole period


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([500, 500, 500], ["all 500 customers are still active", "longer window"]),
        ([500, 0, 0], ["all 500 customers left at once"]),
        ([500, 400], ["single age", "two periods are the least"]),
        ([500], ["still active", "single age"]),
    ],
)
@pytest.mark.parametrize("family", [cx.SBG(), cx.BDW(), cx.WeibullGamma()], ids=lambda f: f.name)
def test_what_cannot_be_fitted_is_said(family, counts, words):
    with refused(*words):
        family.fit(BASE.from_survivors(counts))


def test_something_else_than_a_base():
    with pytest.raises(OptionError, match="SubscriptionBase is wanted, got list"):
        cx.SBG().fit(COUNTS)
