"""Bad logs: every problem at once, with counts, the first row and what to do; in plain words."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cxmodels.data.opening import require_repeaters
from cxmodels.data.transactions import customer_base
from cxmodels.errors import DataError, OptionError

NAMES = {"customer": "id", "time": "day", "amount": "paid"}


def good() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [7, 7, 8, 9],
            "day": ["2024-01-01", "2024-01-15", "2024-01-08", "2024-02-01"],
            "paid": [10.0, 12.5, 8.0, 5.0],
        }
    )


def refused(log, **choices) -> DataError:
    with pytest.raises(DataError) as caught:
        customer_base(log, **{**NAMES, **choices})
    return caught.value


def told(log, rows: int, what: str, first: str = "", **choices) -> None:
    """One problem says `what`, of so many rows, with that first row; and says what to do."""
    error = refused(log, **choices)
    hits = [problem for problem in error.problems if what in problem.what]
    assert len(hits) == 1, str(error)
    assert hits[0].rows == rows
    assert first in hits[0].first
    assert what in str(error)


def test_a_sound_log_passes() -> None:
    assert customer_base(good(), **NAMES).customers == 3


def test_missing_columns_are_listed_beside_those_present() -> None:
    error = refused(good(), customer="client", amount="money")
    assert "there is no customer column 'client'" in str(error)
    assert "there is no amount column 'money'" in str(error)
    assert "Columns: 'id', 'day', 'paid'" in str(error)


def test_a_name_in_the_index_is_found_there() -> None:
    assert "reset_index()" in str(refused(good().set_index("id")))


def test_all_problems_come_at_once() -> None:
    log = good().assign(paid=["10", "ten", "8", None], day=["2024-01-01", "soon", None, "x"])
    error = refused(log, customer="client")
    assert [problem.rows for problem in error.problems] == [0, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("amounts", "rows", "what", "first"),
    [
        (["10", "ten", "8", "five"], 2, "text that is not a number", "row 2: id=7"),
        ([10, "ten", 8.0, 5], 1, "text that is not a number", "paid='ten'"),
        ([1.0, 2.0, np.nan, 3.0], 1, "is missing", "row 3: id=8"),
        ([1.0, None, None, 3.0], 2, "is missing", "row 2"),
        ([1.0, np.inf, -np.inf, 3.0], 2, "is infinite", "row 2"),
        (["1", "inf", "2", "3"], 1, "is infinite", "row 2"),
        ([1e12, 1.0, -1e13, 3.0], 2, "too large for money", "row 1"),
        (["99999999999999999999", "1", "2", "3"], 1, "too large for money", "row 1"),
        ([True, False, True, True], 0, "is of type BOOLEAN", ""),
    ],
)
def test_amounts(amounts: list, rows: int, what: str, first: str) -> None:
    told(good().assign(paid=amounts), rows, what, first)


@pytest.mark.parametrize(
    ("days", "rows", "what", "first"),
    [
        (["2024-01-01", "soon", "31.01.2024", "2024-02-30"], 3, "cannot be read", "row 2"),
        (["2024-01-01", None, "", "2024-02-03"], 2, "is missing", "row 2"),
        (["2024-01-01", "9024-01-01", "2024-01-02", "2024-01-02"], 1, "in the future", "row 2"),
        (["infinity", "2024-01-01", "2024-01-02", "2024-01-02"], 1, "cannot be read", "row 1"),
        ([20240101, 20240102, 20240103, 20240104], 0, "holds whole numbers", ""),
        ([1.5, 2.5, 3.5, 4.5], 0, "is of type DOUBLE", ""),
        (
            ["2024-01-01T10:00Z", "2024-01-01T10:00", "2024-01-02", "2024-01-03"],
            1,
            "mixes",
            "row 1",
        ),
        (["2024-01-01T10:00Z"] * 4, 0, "holds instants", ""),
    ],
)
def test_times(days: list, rows: int, what: str, first: str) -> None:
    told(good().assign(day=days), rows, what, first)


def test_tomorrow_is_the_future_and_today_is_not() -> None:
    days = [date.today() + timedelta(days=ahead) for ahead in (0, 0, 1, 0)]
    told(good().assign(day=pd.to_datetime(days)), 1, "in the future", "row 3: id=8")
    assert customer_base(good().assign(day=date.today()), **NAMES).customers == 3


def test_dates_in_another_format() -> None:
    log = good().assign(day=["01.02.2024", "02.02.2024", "31.02.2024", "2024-02-03"])
    told(log, 2, "cannot be read as '%d.%m.%Y'", "row 3", time_format="%d.%m.%Y")
    numbers = good().assign(day=[20240101, 20240102, 20240103, 20240104])
    assert customer_base(numbers, time_format="%Y%m%d", **NAMES).customers == 3


def test_time_zones_that_do_not_agree() -> None:
    paris, utc = (
        datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
        datetime(2024, 1, 2, tzinfo=UTC),
    )
    zones = good().assign(day=pd.Series([paris, utc, utc, paris], dtype=object))
    told(zones, 2, "mixes time zones", "row 2: 2024-01-02T00:00:00+00:00")
    assert customer_base(zones, timezone="UTC", **NAMES).customers == 3
    partly = good().assign(day=pd.Series([paris, datetime(2024, 1, 2), None, paris], dtype=object))
    told(partly, 1, "mixes time zones", "row 2", timezone="UTC")


def test_instants_of_a_file_need_a_zone(tmp_path: Path) -> None:
    zoned = good().assign(day=pd.to_datetime(good()["day"]).dt.tz_localize("Asia/Tokyo"))
    zoned.to_parquet(tmp_path / "log.parquet")
    told(tmp_path / "log.parquet", 0, "holds instants")
    found = customer_base(tmp_path / "log.parquet", timezone="Asia/Tokyo", **NAMES)
    assert found.table.equals(customer_base(zoned, **NAMES).table)


@pytest.mark.parametrize(
    ("ids", "rows", "what"),
    [
        ([1.5, 2.0, 3.0, 4.0], 1, "holds fractions"),
        ([None, None, None, None], 4, "is missing in every row"),
        (["", " ", None, ""], 4, "is missing in every row"),
        ([[1], [2], [3], [4]], 0, "is of type BIGINT[]"),
    ],
)
def test_customer_ids(ids: list, rows: int, what: str) -> None:
    told(good().assign(id=ids), rows, what)


def test_some_missing_ids_are_set_aside() -> None:
    base = customer_base(good().assign(id=[7.0, np.nan, 8.0, 9.0]), **NAMES)
    assert base.table["customer_id"].tolist() == [7, 8, 9]
    assert "Set aside: 1 row (12.50 in all) without a customer id." in base.notes


def test_columns_that_share_a_name(tmp_path: Path) -> None:
    twice = pd.concat([good(), good()[["paid"]]], axis=1)
    told(twice, 0, "several columns share a name: 'paid'")
    told(
        pa.table([[1], ["2024-01-01"], [1.0], [2.0]], names=["id", "day", "paid", "paid"]),
        0,
        "share",
    )
    (tmp_path / "log.csv").write_text("id,day,paid,paid\n1,2024-01-01,1,2\n")
    told(tmp_path / "log.csv", 0, "share a name")


def test_columns_that_differ_in_case_are_two() -> None:
    log = good().assign(PAID=["not", "to", "be", "read"], **{"Paid": 1.0})
    assert customer_base(log, **NAMES).reconciliation["amount"].iloc[0] == 35.5


def test_empty_logs(tmp_path: Path) -> None:
    told(good().iloc[:0], 0, "the log is empty")
    told(good().iloc[:0].astype({"id": int, "paid": float}), 0, "the log is empty")
    assert "no customer column" in str(refused(pd.DataFrame()))
    (tmp_path / "log.csv").write_text("id,day,paid\n")
    told(tmp_path / "log.csv", 0, "the log is empty")
    (tmp_path / "none.csv").write_text("")
    told(tmp_path / "none.csv", 0, "the file is empty")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    told(tmp_path / "nowhere.csv", 0, "no such file")
    told(tmp_path / "nowhere.duckdb", 0, "no such file", table="sales")
    (tmp_path / "ragged.csv").write_text("id,day,paid\n1,2024-01-01,5\n2,2024-01-02\n")
    told(tmp_path / "ragged.csv", 0, "cannot be read", "Line: 3")
    (tmp_path / "latin.csv").write_bytes("id,day,paid\nJosé,2024-01-01,5\n".encode("latin-1"))
    assert "Save the file as UTF-8" in str(refused(tmp_path / "latin.csv"))
    (tmp_path / "broken.parquet").write_text("PAR1 but not really")
    told(tmp_path / "broken.parquet", 0, "cannot be read")
    (tmp_path / "a.csv").write_text("id,day,paid\n1,2024-01-01,5\n")
    (tmp_path / "b.csv").write_text("id,paid,day\n1,5,2024-01-01\n")
    told(tmp_path / "?.csv", 0, "has other columns than")


def test_negative_revenue_only() -> None:
    told(good().assign(paid=[-1.0, -2.0, -3.0, -4.0]), 4, "no purchase is left", "row 1: id=7")


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"end": "2023-12-31"}, "end 2023-12-31 is before the first purchase on 2024-01-01"),
        ({"end": "2024-01-20", "holdout_end": "2024-01-20"}, "is not after end"),
        ({"end": "9999-01-01"}, "in the future"),
        ({"start": "2024-03-01"}, "start 2024-03-01 is after"),
        ({"start": "2024-01-16", "end": "2024-01-20"}, "no row falls between"),
        ({"start": "2024-01-20", "end": "2024-01-16"}, "start 2024-01-20 is after"),
    ],
)
def test_windows(choices: dict, what: str) -> None:
    error = refused(good(), **choices)
    assert what in str(error)
    assert "2024-01-01" in str(error) or "holdout_end" in str(error)  # says where the log lies


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"unit": "fortnight"}, "unit 'fortnight' is not one of hour, day, week, month"),
        ({"collapse": "decade"}, "collapse 'decade' is not one of none, hour"),
        ({"duplicates": "merge"}, "'merge' is not one of keep, drop"),
        ({"timezone": "Mars/Base"}, "'Mars/Base' is not a known zone"),
        ({"end": "30.9.1997"}, "is not a day such as '1997-09-30'"),
        ({"end": datetime(2024, 1, 3, 4)}, "has a time of day"),
        ({"holdout_end": "2024-02-01"}, "holdout_end needs end"),
        ({"covariates": ["T"]}, "has the name of a column of the base"),
        ({"table": "sales"}, "table= names a table"),
    ],
)
def test_choices(choices: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        customer_base(good(), **{**NAMES, **choices})


@pytest.mark.parametrize("log", [[1, 2], 3.0, None, {"id": [1]}, "sales.xlsx"])
def test_what_is_no_log(log) -> None:
    with pytest.raises(OptionError, match=r"a table is|a log.s path"):
        customer_base(log, **NAMES)


def test_tables_that_are_not_there() -> None:
    with duckdb.connect() as user:
        user.execute("CREATE TABLE purchases (id INT)")
        assert "Its tables: purchases" in str(refused(user, table="sales"))
        with pytest.raises(OptionError, match="needs table="):
            customer_base(user, **NAMES)


@pytest.mark.parametrize(
    ("log", "what"),
    [
        (good().assign(id=7), "only one customer"),
        (good().iloc[1:], "no customer bought a second time"),
        (good().assign(day="2024-01-01"), "every purchase falls on one day, 2024-01-01"),
    ],
)
def test_bases_from_which_nothing_can_be_learnt(log: pd.DataFrame, what: str) -> None:
    base = customer_base(log, **NAMES)
    with pytest.raises(DataError, match=what) as caught:
        require_repeaters(base)
    assert "row 1: customer_id=" in str(caught.value)
