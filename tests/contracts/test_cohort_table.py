"""C(cohort, period): the same on every engine, exact to the last digit, and tied to the log."""

from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cxmodels as cx
from cxmodels.data import cohort_sql as definition
from cxmodels.data.sql_time import fill
from cxmodels.data.summary_query import DIALECTS
from cxmodels.errors import CxError, DataError, OptionError

NASTY = ['"; drop table x; --', "'; --", "period_start", "_day", "cxmodels_panel", "c0", "é", "*"]

ASKED = {"customer": "who", "time": "when", "amount": "paid"}
FREQUENCY = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


def dirty(seed: int = 4, n: int = 4000) -> pd.DataFrame:
    """A log with refunds, zeros, missing ids, and cents that floats cannot hold."""
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 900, n)
    log = pd.DataFrame(
        {
            "who": rng.integers(1, 500, n).astype(float),
            "when": pd.Timestamp("2022-11-10") + pd.to_timedelta(days, unit="D"),
            "paid": (rng.integers(-3000, 20000, n) / 100).round(2),
        }
    )
    log.loc[rng.random(n) < 0.05, "paid"] = 0.0
    log.loc[rng.random(n) < 0.02, "who"] = np.nan
    return log


def brute(log: pd.DataFrame, period: str) -> pd.DataFrame:
    """The matrix by pandas and Python's own decimals, straight from the rules."""
    rows = log[log["who"].notna()].assign(
        cents=lambda d: [Decimal(str(v)) for v in d["paid"]], refund=lambda d: d["paid"] < 0
    )
    days = rows.groupby(["who", "when"]).agg(net=("cents", "sum"), refund=("refund", "any"))
    days = days[(days["net"] > 0) | ((days["net"] == 0) & ~days["refund"])].reset_index()
    days["period"] = days["when"].dt.to_period(FREQUENCY[period])
    days["cohort"] = days.groupby("who")["when"].transform("min").dt.to_period(FREQUENCY[period])
    return (
        days.groupby(["cohort", "period"])
        .agg(active_customers=("who", "nunique"), orders=("net", "size"), revenue=("net", "sum"))
        .reset_index()
    )


def same_cells(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    filled = found[found["orders"] > 0].reset_index(drop=True)
    for name in ("active_customers", "orders", "revenue"):
        assert filled[name].tolist() == expected[name].tolist(), name
    opening = filled["period_start"].dt.date
    inside = [
        day in part for day, part in zip(opening, map(_days, expected["period"]), strict=True)
    ]
    assert all(inside)
    empty = found[found["orders"] == 0]
    assert (empty["revenue"] == 0).all()


def _days(period: pd.Period) -> set:
    return set(pd.date_range(period.start_time, period.end_time, freq="D").date)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return dirty()


@pytest.mark.parametrize("period", FREQUENCY)
def test_equals_brute_force(log, period: str) -> None:
    same_cells(cx.cohort_table(log, period=period, **ASKED).table, brute(log, period))


def test_engines_agree_to_the_bit(log, tmp_path: Path) -> None:
    expected = cx.cohort_table(log, period="month", **ASKED)
    arrow = pa.Table.from_pandas(log, preserve_index=False)
    log.to_parquet(tmp_path / "log.parquet", index=False)
    log.to_csv(tmp_path / "log.csv", index=False)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as user:
        user.register("frame", log)
        user.execute("CREATE TABLE sales AS SELECT * FROM frame")
        found = [
            cx.cohort_table(given_, period="month", **more, **ASKED)
            for given_, more in (
                (pl.from_pandas(log), {}),
                (pl.from_pandas(log).lazy(), {}),
                (arrow, {}),
                (arrow.to_reader(), {}),
                (log.astype(object), {}),
                (tmp_path / "log.parquet", {}),
                (tmp_path / "log.csv", {}),
                (user, {"table": "sales"}),
                (user.sql("SELECT * FROM sales"), {}),
                (log.sample(frac=1, random_state=1), {}),
            )
        ]
    for other in found:
        pd.testing.assert_frame_equal(other.table, expected.table)
        assert other.notes == expected.notes


@pytest.mark.parametrize("choices", [{}, {"start": "2023-02-15"}, {"end": "2024-05-20"}])
@pytest.mark.parametrize("more", [{}, {"acquired_from": "2023-03-10"}, {"duplicates": "drop"}])
def test_ties_to_the_base_and_to_the_log(log, choices: dict, more: dict) -> None:
    if "start" in choices and "acquired_from" in more:
        return
    asked = {**ASKED, **choices, **more}
    found, base = cx.cohort_table(log, **asked), cx.customer_base(log, **asked)
    acquired = found.table[found.table["age"] == 0]
    assert acquired["customers"].sum() == base.customers
    assert (acquired["active_customers"] == acquired["customers"]).all()
    assert found.table["orders"].sum() == (base.table["frequency"] + 1).sum()
    account = base.reconciliation.set_index("item")["amount"]
    assert (
        sum(found.table["revenue"])
        == account.loc["base: first purchases"] + (account.loc["base: repeat purchases"])
    )
    assert account.iloc[1:].sum() == account.iloc[0]
    by_cohort = base.table["cohort"].map(lambda name: f"{name[:4]}-Q{(int(name[5:]) + 2) // 3}")
    sizes = acquired.set_index("cohort")["customers"]
    assert sizes[sizes > 0].to_dict() == by_cohort.value_counts().to_dict()


def test_the_triangle_is_whole_and_in_order(log) -> None:
    found = cx.cohort_table(log, period="quarter", **ASKED)
    count = len(found.periods)
    assert len(found.table) == count * (count + 1) // 2
    assert found.table["cohort"].is_monotonic_increasing
    assert [p.label for p in found.periods][:3] == ["2022-Q4", "2023-Q1", "2023-Q2"]
    whole = found.table.drop_duplicates("period").set_index("period")["complete"]
    assert not whole.iloc[0]  # the log begins on a day of November
    assert whole.iloc[1:-1].all()


def test_a_quiet_day_at_either_end_is_observed_when_the_window_is_given() -> None:
    rows = [("a", "2024-01-02", 5.0), ("b", "2024-02-28", 4.0)]
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    whole = cx.cohort_table(log, period="month", start="2024-01-01", end="2024-02-29", **ASKED)
    assert whole.table["complete"].all()
    parts = cx.cohort_table(log, period="month", **ASKED)
    assert not parts.table["complete"].any()


@pytest.mark.parametrize("name", NASTY)
def test_no_name_reaches_a_statement(name: str) -> None:
    log = pd.DataFrame({name: ["2024-01-02", "2024-02-03"], "who": [1, 2], "paid": [1.5, 2.5]})
    asked = {"customer": "who", "time": name, "amount": "paid", "period": "month"}
    assert cx.cohort_table(log, **asked).table["orders"].tolist() == [1, 0, 1]
    text = cx.cohort_sql("spark", table=name, end="2024-03-01", **asked)
    assert len(sqlglot.parse(text, read="spark")) == 1


def test_wide_views_hold_the_same_numbers(log) -> None:
    found = cx.cohort_table(log, period="year", **ASKED)
    wide = found.wide("orders")
    assert wide.columns.tolist() == ["customers", "2022", "2023", "2024", "2025"]
    assert int(wide.drop(columns="customers").sum().sum()) == found.table["orders"].sum()
    assert wide.loc["2024", "2023"] is pd.NA
    aged = found.wide("active_customers", by="age")
    assert (aged[0] == aged["customers"]).all()
    money = found.wide().drop(columns="customers").to_numpy().ravel()
    assert sum(v for v in money if isinstance(v, Decimal)) == sum(found.table["revenue"])
    for wrong in ({"value": "profit"}, {"by": "week"}):
        with pytest.raises(OptionError, match="value is one of active_customers, orders, revenue"):
            found.wide(**wrong)


def test_it_shows_itself_and_stays_text(log) -> None:
    page = cx.cohort_table(log, period="year", currency="<b>", **ASKED)._repr_html_()
    assert "<b>" not in page
    assert "NaN" not in page
    first = brute(log, "year")["revenue"].iloc[0]
    assert f"{first:,.2f}" in page


def test_cdnow_has_one_cohort_of_2357() -> None:
    """Published: 2,357 customers, 2,457 + 1,882 repeat purchases, all acquired in 1997-Q1."""
    columns = {"customer": "customer_id", "time": "date", "amount": "amount"}
    table = cx.cohort_table(cx.samples.cdnow(), **columns, period="month").table
    acquired = table[table["age"] == 0].set_index("cohort")["customers"]
    assert acquired.sum() == 2357
    assert acquired[acquired > 0].index.tolist() == ["1997-01", "1997-02", "1997-03"]
    calibration = table[table["period"] <= "1997-09"]
    assert calibration["orders"].sum() == 2357 + 2457
    assert table["orders"].sum() == 2357 + 2457 + 1882
    total = sum(Decimal(str(v)) for v in cx.samples.cdnow()["amount"])
    assert sum(table["revenue"]) == total


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("period", ["month", "year"])
def test_each_dialect_says_the_same(log, dialect: str, period: str, caplog) -> None:
    asked = {**ASKED, "period": period, "end": "2024-12-31", "acquired_from": "2023-01-10"}
    text = cx.cohort_sql(dialect, table="sales", **asked)
    assert not caplog.records  # nothing unsupported was met in writing it
    with duckdb.connect() as engine:
        engine.register("sales", log)
        back = sqlglot.parse_one(text, read=dialect).sql("duckdb")
        found = engine.sql(back).to_arrow_table().to_pandas()
    expected = cx.cohort_table(log, **asked).table
    expected = expected[expected["orders"] > 0].reset_index(drop=True)
    assert found["active_customers"].tolist() == expected["active_customers"].tolist()
    assert found["orders"].tolist() == expected["orders"].tolist()
    assert [Decimal(v) for v in found["revenue"]] == expected["revenue"].tolist()
    assert "ISOWEEK" in cx.cohort_sql("bigquery", table="s", **{**asked, "period": "week"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"period": "decade"}, "period 'decade' is not one of week, month, quarter, year"),
        ({"period": "week", "collapse": "month"}, "take a longer period"),
        ({"duplicates": "maybe"}, "not one of keep, drop"),
        ({"start": "2023-01-01", "acquired_from": "2023-01-01"}, "give one"),
        ({"end": "soon"}, "is not a day"),
    ],
)
def test_wrong_choices_are_told(log, change: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        cx.cohort_table(log, **{**ASKED, **change})


def test_bad_logs_list_every_problem_with_its_first_row(log) -> None:
    bad = log.astype({"paid": object, "when": object}).copy()
    bad.loc[[5, 9], "paid"] = "ten"
    bad.loc[7, "when"] = None
    for door in (cx.cohort_table, cx.audit):
        with pytest.raises(DataError) as caught:
            door(bad, **ASKED)
        told = [(problem.rows, problem.first.split(":")[0]) for problem in caught.value.problems]
        assert sorted(told) == [(1, "row 8"), (2, "row 6")]


CELLS = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.integers(0, 800),
    st.sampled_from([-5.0, -2.5, 0.0, 2.5, 5.0, 7.25]),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CELLS, min_size=1, max_size=20), st.sampled_from(["month", "year"]))
def test_any_small_log_ties_or_is_refused(rows: list, period: str) -> None:
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    log["when"] = pd.Timestamp("2023-01-15") + pd.to_timedelta(log["when"], unit="D")
    try:
        found = cx.cohort_table(log, period=period, **ASKED)
        audit = cx.audit(log, period=period, **ASKED)
    except CxError as error:
        assert str(error)
        return
    same_cells(found.table, brute(log, period))
    pd.testing.assert_frame_equal(audit.whole_base.matrix, found.table)
    assert repr(audit)
    assert audit._repr_html_()


def late(ask, period, opening, kept, customers):
    return definition.panel_sql(ask, period, opening, kept, customers).transform(
        lambda node: fill("c.last_seen") if node.sql() == "c.first_seen" else node
    )


def gross(panel):
    return sqlglot.parse_one(definition.cells_sql(panel).sql().replace("SUM(orders)", "COUNT(*)"))


def counted_twice(panel):
    text = definition.cells_sql(panel).sql().replace("COUNT(*)", "SUM(orders)")
    return sqlglot.parse_one(text, read="duckdb")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("panel_sql", late), ("cells_sql", gross), ("cells_sql", counted_twice)],
)
def test_a_planted_error_is_caught(log, name: str, wrong, monkeypatch) -> None:
    """Cohort by the last purchase, orders as customers, customers as orders."""
    planted = type("planted", (), {**vars(definition), name: staticmethod(wrong)})
    monkeypatch.setattr("cxmodels.data.purchase_panel.cohort_sql", planted)
    with pytest.raises((AssertionError, CxError)):
        same_cells(cx.cohort_table(log, period="month", **ASKED).table, brute(log, "month"))
