"""A run's folder: complete, listed, equal to the byte when made twice, and safe to open."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cxmodels.refresh.store import digest

from .conftest import Said, command, shop_log, write_config

Refresh = Callable[..., Said]
PROMISED = [
    "customers.parquet", "equity.parquet", "parameters.parquet", "reconciliation.parquet",
    "models/purchases.json", "models/spend.json", "report.html", "report.pdf",
]  # fmt: skip
HOSTILE = "</script><script>alert(1)</script>"


def _run(folder: Path, log: pd.DataFrame, changes: Any = None) -> Path:
    folder.mkdir()
    log.to_csv(folder / "log.csv", index=False)
    said = command("refresh", write_config(folder, changes), "--json")
    assert said.code == 0, said.err
    return Path(said.facts["folder"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(tmp_path_factory.mktemp("first") / "a", shop_log())


def test_everything_promised_is_there_and_listed(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    assert set(PROMISED) <= set(manifest["outputs"])
    for name, facts in manifest["outputs"].items():
        assert digest(finished / name) == facts["sha256"], name
        if name.endswith(".parquet"):
            assert pq.read_table(finished / name).num_rows == facts["rows"]
    unlisted = {path.relative_to(finished).as_posix() for path in finished.rglob("*.*")}
    assert unlisted - set(manifest["outputs"]) == {"manifest.json", "steps.json"}


def test_the_manifest_names_input_settings_versions_and_diagnostics(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    log = finished.parent.parent / "log.csv"
    assert manifest["input"]["sha256"] == digest(log)
    assert manifest["input"]["rows"] == len(pd.read_csv(log))
    assert manifest["configuration"]["value"]["margin"] == 0.3
    assert {"python", "cxmodels", "numpy", "duckdb"} <= set(manifest["versions"])
    models = manifest["diagnostics"]["models"]
    assert set(models) == {"calibration", "purchases", "spend"}
    assert all(model["status"] and "pareto_k" in model for model in models.values())
    assert str(finished.parent) not in json.dumps(manifest), "a run can be moved"


def test_two_runs_of_the_same_input_are_equal_to_the_byte(finished: Path, tmp_path: Path) -> None:
    again = _run(tmp_path / "b", shop_log())
    assert again.name == finished.name
    files = [path.relative_to(finished) for path in finished.rglob("*.*")]
    differing = [str(name) for name in files if digest(finished / name) != digest(again / name)]
    assert differing == ["steps.json"]


@pytest.mark.usefixtures("without_drawing")
def test_the_order_of_the_log_does_not_matter(finished: Path, tmp_path: Path) -> None:
    shuffled = shop_log().sample(frac=1.0, random_state=3)
    other = _run(tmp_path / "b", shuffled)
    for name in ("customers.parquet", "equity.parquet", "parameters.parquet"):
        assert digest(finished / name) == digest(other / name), name


def test_tables_hold_each_customer_once_in_order(finished: Path) -> None:
    table = pd.read_parquet(finished / "customers.parquet")
    assert table["customer_id"].is_monotonic_increasing and table["customer_id"].is_unique
    assert len(table) == shop_log()["customer_id"].nunique()
    equity = pd.read_parquet(finished / "equity.parquet").iloc[0]
    assert table["residual_value"].sum() == pytest.approx(equity["estimate"])


def test_the_report_is_drawn_again_from_the_tables_alone(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / finished.name
    shutil.copytree(finished, copy)
    before = {name: digest(copy / name) for name in ("report.html", "report.pdf", "manifest.json")}
    (copy / "report.html").unlink()
    said = command("report", copy)
    assert said.code == 0, said.err
    assert {name: digest(copy / name) for name in before} == before
    (copy / "customers.parquet").write_bytes(b"PAR1")
    assert command("report", copy).code == 1


def test_hostile_names_and_ids_stay_text(tmp_path: Path) -> None:
    column = '"; drop table x; --'
    log = shop_log().rename(columns={"customer_id": column})
    log[column] = log[column].replace("shopper-0003", HOSTILE).replace("shopper-0004", "=1+1")
    changes = {"source": {"customer": column}, "report": {"show_customers": True, "title": HOSTILE}}
    run = _run(tmp_path / "a", log, changes)
    table = pd.read_parquet(run / "customers.parquet")
    assert HOSTILE in set(table["customer_id"])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "alert(1)" in page, "the title and the id are shown, as text"


def test_customers_stay_out_of_the_report_unless_asked_for(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    ids = pd.read_parquet(finished / "customers.parquet")["customer_id"]
    assert not [customer for customer in ids if customer in page]


@pytest.mark.usefixtures("without_drawing")
def test_the_log_may_be_parquet_or_a_database(finished: Path, tmp_path: Path) -> None:
    import duckdb

    log = shop_log().assign(date=lambda frame: pd.to_datetime(frame["date"]))
    log.to_parquet(tmp_path / "log.parquet")
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("create table sales as select * from log")
    sources: list[dict[str, Any]] = [
        {"path": "log.parquet"},
        {"path": None, "database": "shop.duckdb", "table": "sales"},
    ]
    for source in sources:
        said = command("refresh", write_config(tmp_path, {"source": source}), "--json")
        assert said.code == 0, said.err
        run = Path(said.facts["folder"])
        assert digest(run / "equity.parquet") == digest(finished / "equity.parquet")
