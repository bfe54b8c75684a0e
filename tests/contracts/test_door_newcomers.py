"""Only customers acquired after a run-in: who is left out, how it is counted, and the cohort."""

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data import sql
from cxmodels.data.sql_time import fill
from cxmodels.data.summary_query import DIALECTS
from cxmodels.errors import DataError, OptionError
from tests.contracts.test_cohort_table import dirty

ASKED = {"customer": "who", "time": "when", "amount": "paid", "unit": "day"}
DAY = "2023-03-10"
KNOWN = "set aside: customers acquired before the window"


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return dirty(seed=9, n=1500)


def test_the_base_is_that_of_the_log_without_the_known(log) -> None:
    """Brute force: rows of anybody named before the day are taken out by hand."""
    known = log.loc[log["when"] < DAY, "who"].dropna().unique()
    rest = log[~log["who"].isin(known) & (log["when"] >= DAY)]
    for more in ({}, {"end": "2024-01-31", "holdout_end": "2024-06-30"}):
        found = cx.customer_base(log, acquired_from=DAY, **more, **ASKED)
        expected = cx.customer_base(rest, start=DAY, **more, **ASKED)
        pd.testing.assert_frame_equal(found.table, expected.table)
        pd.testing.assert_frame_equal(
            found.tracking.drop(columns=["period_start", "period_end"]).iloc[1:],
            expected.tracking.drop(columns=["period_start", "period_end"]).iloc[1:],
        )
    assert str(found.start) == DAY


def test_what_is_left_out_is_counted(log) -> None:
    found = cx.customer_base(log, acquired_from=DAY, end="2024-12-31", **ASKED)
    account = found.reconciliation.set_index("item")
    known = log.loc[log["when"] < DAY, "who"].dropna().unique()
    inside = log[log["who"].isin(known) & log["when"].between(DAY, "2024-12-31")]
    assert account.loc[KNOWN, "rows"] == len(inside)
    assert account.loc[KNOWN, "customers"] == inside["who"].nunique()
    assert float(account.loc[KNOWN, "amount"]) == pytest.approx(inside["paid"].sum())
    assert account["amount"].iloc[1:].sum() == account["amount"].iloc[0]
    assert account["rows"].iloc[1:].sum() == len(log)
    assert account.loc["log", "customers"] == log["who"].nunique()
    assert any("who were there before the window" in note for note in found.notes)


def test_a_refund_in_the_run_in_tells_of_an_older_purchase() -> None:
    rows = [("a", "2024-01-03", -5.0), ("a", "2024-02-03", 9.0), ("b", "2024-02-04", 8.0)]
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    found = cx.customer_base(log, acquired_from="2024-02-01", **ASKED)
    assert found.table["customer_id"].tolist() == ["b"]
    assert cx.customer_base(log, start="2024-02-01", **ASKED).customers == 2


def test_start_keeps_them_and_says_so(log) -> None:
    found = cx.customer_base(log, start=DAY, **ASKED)
    (note,) = [note for note in found.notes if "had bought before" in note]
    assert "acquired_from='2023-03-10' in place of start leaves them out." in note
    assert found.reconciliation.set_index("item").loc[KNOWN, "rows"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("cohort", ["month", "quarter", "year"])
def test_the_printed_query_gives_the_base(log, dialect: str, cohort: str, caplog) -> None:
    import sqlglot

    asked = {**ASKED, "acquired_from": DAY, "end": "2024-12-31", "cohort": cohort}
    text = cx.summary_sql(dialect, table="sales", **asked)
    assert not caplog.records
    with duckdb.connect() as engine:
        engine.register("sales", log)
        back = sqlglot.parse_one(text, read=dialect).sql("duckdb")
        found = engine.sql(back).to_arrow_table().to_pandas()
    expected = cx.customer_base(log, **asked).table
    pd.testing.assert_frame_equal(found, expected[found.columns], check_dtype=False)


@pytest.mark.parametrize(("cohort", "frequency"), [("month", "M"), ("quarter", "Q"), ("year", "Y")])
def test_cohorts_are_labels_that_sort_by_time(log, cohort: str, frequency: str) -> None:
    table = cx.customer_base(log, cohort=cohort, **ASKED).table
    periods = table["first_date"].dt.to_period(frequency)
    order = np.argsort(periods.to_numpy(), kind="stable")
    assert table["cohort"].iloc[order].is_monotonic_increasing
    assert (
        table.groupby("cohort").size().tolist()
        == periods.value_counts(sort=False).sort_index().tolist()
    )
    if cohort == "quarter":
        assert table["cohort"].min() == "2022-Q4"
    fixed = cx.customer_base(log, cohort="year", **ASKED).table["cohort"]
    assert set(fixed) <= {"2022", "2023", "2024", "2025"}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"acquired_from": "2022-11-01"}, DataError, "leaves no run-in"),
        ({"acquired_from": "2026-01-01"}, DataError, "acquired_from 2026-01-01 is after"),
        ({"acquired_from": DAY, "start": DAY}, OptionError, "give one"),
        ({"acquired_from": "soon"}, OptionError, "is not a day"),
        ({"cohort": "week"}, OptionError, "cohort 'week' is not one of month, quarter, year"),
    ],
)
def test_wrong_choices_are_told(log, change: dict, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        cx.customer_base(log, **{**ASKED, **change})


def test_nobody_new_is_told_with_the_first_row() -> None:
    rows = [("a", "2024-01-03", 5.0), ("a", "2024-02-03", 9.0)]
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    with pytest.raises(DataError, match=r"every customer was there before 2024-02-01 \(1 row\)"):
        cx.customer_base(log, acquired_from="2024-02-01", **ASKED)


true_known = sql.known_sql


def nobody(ask, source, day):
    return true_known(ask, source, day).where("FALSE")


def buyers_only(ask, source, day):
    return true_known(ask, source, day).where(fill("_paid > 0", paid=ask.fields.amount))


def a_week_too_far(ask, source, day):
    return true_known(ask, source, day + timedelta(days=7))


@pytest.mark.parametrize("wrong", [nobody, buyers_only, a_week_too_far])
def test_a_planted_error_is_caught(log, wrong, monkeypatch) -> None:
    monkeypatch.setattr(sql, "known_sql", wrong)
    with pytest.raises(AssertionError):
        test_the_base_is_that_of_the_log_without_the_known(log)
