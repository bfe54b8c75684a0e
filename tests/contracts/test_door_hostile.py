"""Names that try to be SQL, and frames that hypothesis makes up."""

from datetime import datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cxmodels.data.given_summaries import DATES, MEASURES, REQUIRED
from cxmodels.data.summary_query import DIALECTS, summary_sql
from cxmodels.data.transactions import customer_base
from cxmodels.errors import CxError, DataError, OptionError

NASTY = [
    '"; drop table x; --',
    "'; drop table x; --",
    "`; drop table x; --",
    "a b",
    "select",
    "T",
    "customer_id",
    "happened",
    "c0",
    "_day",
    "_parts",
    "cxmodels_log",
    "é",
    "\\",
    "$1",
    "{x}",
    "%s",
    "a.b",
    "[x]",
    '""',
    "''",
    "/*",
    "--",
    "\n",
    "\t",
    ":name",
    "?",
    "*",
    "",
]
NAME = st.one_of(
    st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
ROWS = {
    "who": [1, 1, 2, 3],
    "when": ["2024-01-01", "2024-01-15", "2024-01-08", "2024-02-01"],
    "paid": [10.0, 12.5, 8.0, 5.0],
    "order": [1, 2, 3, 4],
    "region": ["a", "a", "b", "c"],
}


@settings(max_examples=25, deadline=None)
@given(st.lists(NAME, min_size=5, max_size=5, unique=True))
def test_no_name_reaches_a_statement(names: list[str]) -> None:
    log = pd.DataFrame(dict(zip(names, ROWS.values(), strict=True)))
    customer, time, amount, order, region = names
    asked = {"customer": customer, "time": time, "amount": amount, "order": order}
    if region in {*REQUIRED, *MEASURES, *DATES, "customer_id"}:
        with pytest.raises(OptionError):
            customer_base(log, covariates=[region], **asked)
        return
    base = customer_base(log, covariates=[region], **asked)
    assert base.table["frequency"].tolist() == [1, 0, 0]
    assert base.table[region].tolist() == ["a", "b", "c"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(NAME.filter(str.strip), min_size=4, max_size=4, unique_by=str.lower),
    st.sampled_from(DIALECTS),
)
def test_printed_queries_hold_names_as_names(names: list[str], dialect: str) -> None:
    """One statement, which reads the table and the columns that were named, and nothing else."""
    if any("\x00" in name or "." in name for name in names):
        return  # a dot parts a schema from its table, and BigQuery's columns know none
    table, customer, time, amount = names
    text = summary_sql(
        dialect, table=table, customer=customer, time=time, amount=amount, end="2024-02-10"
    )
    statements = sqlglot.parse(text, read=dialect)
    assert len(statements) == 1
    read = {found.name for found in statements[0].find_all(sqlglot.exp.Table)}
    assert {name for name in read if not name.startswith("cxmodels_")} <= {table}
    quoted = {found.name for found in statements[0].find_all(sqlglot.exp.Column)}
    assert {customer, time, amount} <= quoted


@settings(max_examples=12, deadline=None)
@given(st.lists(NAME.filter(str.strip), min_size=4, max_size=4, unique_by=str.lower))
def test_tables_of_any_name_are_read_and_left_alone(names: list[str]) -> None:
    if any("\x00" in name or not name.isprintable() for name in names):
        return
    table, customer, time, amount = names
    frame = pd.DataFrame({customer: ROWS["who"], time: ROWS["when"], amount: ROWS["paid"]})
    ident = sqlglot.exp.to_identifier(table, quoted=True).sql("duckdb")
    with duckdb.connect() as user:
        user.execute("CREATE TABLE x AS SELECT 1 AS one")
        user.register("cxmodels_test_frame", frame)
        if table.lower() in ("x", "cxmodels_test_frame", "cxmodels_log"):
            return
        user.execute(f"CREATE TABLE {ident} AS SELECT * FROM cxmodels_test_frame")
        base = customer_base(user, table=table, customer=customer, time=time, amount=amount)
        assert base.table["frequency"].tolist() == [1, 0, 0]
        query = summary_sql(
            table="TABLE", customer=customer, time=time, amount=amount, end="2024-02-01"
        ).replace('"TABLE"', ident)
        assert user.sql(query).to_arrow_table()["frequency"].to_pylist() == [1, 0, 0]
        assert user.sql("SELECT one FROM x").fetchall() == [(1,)]


def test_values_and_formats_are_values() -> None:
    log = pd.DataFrame({**ROWS, "who": ["'; drop", '"', "</script>", "--"]})
    assert customer_base(log, customer="who", time="when").customers == 4
    with pytest.raises(DataError, match="cannot be read as"):
        customer_base(log, customer="who", time="when", time_format="'; DROP TABLE x; --")


def test_an_id_stays_text_in_a_notebook() -> None:
    log = pd.DataFrame({**ROWS, "region": "<b>x</b>"})
    base = customer_base(log, customer="who", time="when", amount="paid", currency="<script>")
    assert "<script>" not in base._repr_html_()
    assert "&lt;script&gt;" in base._repr_html_()


CELL = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=8),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.decimals(),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
@example(rows=[(0, datetime(1677, 1, 1), 0)])  # before what nanoseconds can say
def test_any_frame_gives_a_base_or_a_clear_refusal(rows: list) -> None:
    log = pd.DataFrame(rows, columns=["who", "when", "paid"], dtype=object)
    try:
        base = customer_base(log, customer="who", time="when", amount="paid")
    except CxError as error:
        assert str(error)
        return
    assert sum(base.reconciliation["rows"].iloc[1:]) == len(log)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "", None]),
            st.integers(0, 40),
            st.sampled_from([-5.0, -2.5, 0.0, 2.5, 5.0, 7.25]),
            st.sampled_from([None, 1, 2, 3]),
        ),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(["none", "day", "week", "month"]),
)
def test_every_row_and_cent_is_accounted_for(rows: list, collapse: str) -> None:
    """Whatever is refunded, missing, early or late: the account ties, the summary is lawful."""
    log = pd.DataFrame(rows, columns=["who", "offset", "paid", "order"])
    log["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(log["offset"], unit="D")
    log["order"] = log["order"].astype("Int64")
    try:
        base = customer_base(
            log,
            customer="who",
            time="when",
            amount="paid",
            order="order",
            collapse=collapse,
            unit="day",
            start="2024-01-04",
            end="2024-01-24",
            holdout_end="2024-02-03",
        )
    except DataError:
        return
    account, table = base.reconciliation, base.table
    assert account["rows"].iloc[1:].sum() == account["rows"].iloc[0] == len(log)
    assert float(account["amount"].iloc[1:].sum()) == log["paid"].sum()
    assert account["customers"].iloc[0] == log["who"].replace("", None).nunique()
    assert ((table["frequency"] > 0) == (table["recency"] > 0)).all()
    assert (table["recency"] <= table["T"]).all()
    assert (table["paid_frequency"] <= table["frequency"]).all()
    assert (table["monetary_value"].notna() == (table["paid_frequency"] > 0)).all()
    tracked = base.tracking.groupby("part")["repeat_purchases"].sum()
    assert tracked["calibration"] == table["frequency"].sum()
    assert tracked["hold-out"] == table["holdout_frequency"].sum()
    repeat = account.set_index("item").loc["base: repeat purchases", "amount"]
    spend = (table["monetary_value"].fillna(0) * table["paid_frequency"]).sum()
    assert np.isclose(float(repeat), spend)
