"""The demonstration on a simulated company: tables whole or not at all, and a report of them."""

from pathlib import Path

import pandas as pd
import pytest

from cxmodels.refresh import demo
from cxmodels.refresh.demo import COMPANY, company_config

from .conftest import command


def test_tables_and_run(tmp_path: Path) -> None:
    config = company_config(tmp_path, customers=400)
    tables = tmp_path / COMPANY
    names = {path.stem for path in tables.iterdir()}
    assert names == {
        "customers", "transactions", "subscriptions", "surveys", "cases", "campaigns", "referrals",
        "satisfaction", "truth", "people",
    }  # fmt: skip
    assert all(pd.read_parquet(path)["simulated"].all() for path in tables.iterdir())
    kept = {path.name: path.stat().st_mtime_ns for path in tables.iterdir()}
    assert company_config(tmp_path, customers=400) == config
    assert kept == {path.name: path.stat().st_mtime_ns for path in tables.iterdir()}
    said = command("demo", "--company", "--out", tmp_path, "--json")
    assert said.code == 0, said.err
    page = (Path(said.facts["folder"]) / "report.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page.upper() and "Customer equity of a simulated company" in page


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: pd.DataFrame, *args: object, **more: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", broken)
    with pytest.raises(OSError, match="full"):
        demo.company_config(tmp_path / "runs", customers=20)
    assert list((tmp_path / "runs").iterdir()) == []
