"""Whatever the log comes in, the base is the same: counts and money to the bit, times to 1e-9."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cxmodels.data import samples
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import customer_base

ASKED = {
    "customer": "customer_id",
    "time": "date",
    "amount": "amount",
    "end": "1997-09-30",
    "holdout_end": "1998-06-30",
    "regularity": True,
}
TIMES = ("recency", "T", "log_interval_sum", "interval_share")


def disturbed() -> pd.DataFrame:
    """CDNOW with refunds, missing ids, order ids and cents that floats cannot hold."""
    rng = np.random.default_rng(11)
    log = samples.cdnow()
    log["order"] = rng.integers(1, 5000, len(log))
    log["region"] = np.array(["north", "süd", 'o"st'])[log["customer_id"] % 3]
    refunds = log.sample(300, random_state=3).assign(amount=lambda rows: -rows["amount"])
    log = pd.concat([log, refunds], ignore_index=True)
    log["amount"] = (log["amount"] + rng.integers(0, 7, len(log)) / 10).round(2)
    log["customer_id"] = log["customer_id"].where(rng.random(len(log)) > 0.01)
    return log


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return disturbed()


@pytest.fixture(scope="module")
def expected(log: pd.DataFrame) -> CustomerBase:
    return customer_base(log, order="order", covariates=["region"], **ASKED)


def same(found: CustomerBase, expected: CustomerBase) -> None:
    exact = [name for name in expected.table if name not in TIMES]
    pd.testing.assert_frame_equal(
        found.table[exact], expected.table[exact], check_exact=True, check_dtype=False
    )
    for name in TIMES:
        assert np.abs(found.table[name] - expected.table[name]).max() < 1e-9
    for name in ("rows", "customers", "amount"):
        assert found.reconciliation[name].tolist() == expected.reconciliation[name].tolist()
    pd.testing.assert_frame_equal(found.tracking, expected.tracking)
    assert found.notes == expected.notes


def in_memory(log: pd.DataFrame, kind: str):
    table = pa.Table.from_pandas(log, preserve_index=False)
    return {
        "polars": lambda: pl.from_pandas(log),
        "lazy": lambda: pl.from_pandas(log).lazy(),
        "arrow": lambda: table,
        "reader": table.to_reader,
        "objects": lambda: log.astype(object),
        "categories": lambda: log.astype({"region": "category"}),
        "decimals": lambda: table.set_column(
            table.schema.get_field_index("amount"),
            "amount",
            pa.array(log["amount"]).cast(pa.decimal128(12, 2)),
        ),
    }[kind]()


@pytest.mark.parametrize(
    "kind", ["polars", "lazy", "arrow", "reader", "objects", "categories", "decimals"]
)
def test_frames_agree(log: pd.DataFrame, expected: CustomerBase, kind: str) -> None:
    same(
        customer_base(in_memory(log, kind), order="order", covariates=["region"], **ASKED), expected
    )


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", "*.parquet", "*.csv"])
def test_files_agree(
    log: pd.DataFrame, expected: CustomerBase, ending: str, tmp_path: Path
) -> None:
    parts = [log] if "*" not in ending else [log.iloc[:2000], log.iloc[2000:]]
    for place, part in enumerate(parts):
        path = tmp_path / ending.replace("*", f"log{place}")
        if "parquet" in ending:
            part.to_parquet(path, index=False)
        else:
            part.to_csv(path, index=False)
    found = customer_base(str(tmp_path / ending), order="order", covariates=["region"], **ASKED)
    same(found, expected)


def test_databases_agree_and_keep_no_trace(
    log: pd.DataFrame, expected: CustomerBase, tmp_path: Path
) -> None:
    path = tmp_path / "shop.duckdb"
    more = {"order": "order", "covariates": ["region"], **ASKED}
    with duckdb.connect(str(path)) as user:
        user.register("frame", log)
        user.execute("CREATE SCHEMA till; CREATE TABLE till.sales AS SELECT * FROM frame")
        user.execute("CREATE TEMP TABLE mine AS SELECT * FROM frame")
        listed = "SELECT table_name FROM information_schema.tables ORDER BY ALL"
        settings = "SELECT name, value FROM duckdb_settings() ORDER BY ALL"
        before = user.sql(listed).fetchall(), user.sql(settings).fetchall()
        for found in (
            customer_base(user, table="till.sales", **more),
            customer_base(user, table="mine", **more),
            customer_base(user, table="frame", **more),
            customer_base(user.sql("SELECT * FROM till.sales"), **more),
        ):
            same(found, expected)
        assert (user.sql(listed).fetchall(), user.sql(settings).fetchall()) == before
    same(customer_base(path, table="till.sales", **more), expected)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_row_order_and_threads_do_not_matter(
    log: pd.DataFrame, expected: CustomerBase, threads: int
) -> None:
    shuffled = log.sample(frac=1, random_state=threads)
    user = duckdb.connect(config={"threads": threads})
    user.register("shuffled", shuffled)
    user.execute("CREATE TABLE sales AS SELECT * FROM shuffled")
    found = customer_base(user, table="sales", order="order", covariates=["region"], **ASKED)
    user.close()
    same(found, expected)


def test_the_frame_is_not_changed(log: pd.DataFrame) -> None:
    copy = log.copy(deep=True)
    customer_base(log, order="order", **ASKED)
    pd.testing.assert_frame_equal(log, copy)


def test_an_engine_at_work_is_not_disturbed(log: pd.DataFrame) -> None:
    """The user's own half-read result survives, and uncommitted rows stay the user's."""
    user = duckdb.connect()
    user.register("frame", log)
    user.execute("CREATE TABLE sales AS SELECT * FROM frame")
    user.execute("SELECT customer_id FROM sales")
    first = user.fetchone()
    customer_base(user, table="sales", **ASKED)
    assert first is not None
    assert len(user.fetchall()) == len(log) - 1
    user.close()


def test_the_engine_of_a_frame_is_locked(log: pd.DataFrame, tmp_path: Path) -> None:
    from cxmodels.data.tables import open_log

    log.to_csv(tmp_path / "other.csv")
    log.to_parquet(tmp_path / "log.parquet")
    for opened in (log, tmp_path / "log.parquet"):
        with open_log(opened) as source:
            with pytest.raises(duckdb.Error):
                source.connection.execute(f"SELECT * FROM '{tmp_path / 'other.csv'}'").fetchall()
            with pytest.raises(duckdb.Error):
                source.connection.execute("SET threads = 1")
