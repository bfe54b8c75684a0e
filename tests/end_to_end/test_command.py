"""The command: exit codes, one JSON line, a thin import, and words for every error."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cxmodels.refresh import steps

from .conftest import Said, command, everything_in, write_config

pytestmark = pytest.mark.usefixtures("without_drawing")
Refresh = Callable[..., Said]


def _process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from cxmodels.cli import main; sys.argv[0] = 'cxmodels'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_every_command() -> None:
    said = command("--help")
    assert said.code == 0
    assert all(name in said.out for name in ("demo", "refresh", "check", "report"))


def test_importing_the_command_stays_thin() -> None:
    heavy = "{'duckdb', 'sqlglot', 'pydantic', 'altair', 'jinja2', 'rich.progress', 'scipy.stats'}"
    code = f"import sys, cxmodels.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [["refresh"], ["refreshh"], ["refresh", "--jsn", "a.toml"], ["check"], ["report"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert command(*arguments).code == 2


def test_wrong_usage_in_json_is_one_line() -> None:
    done = _process("refresh", "--json", "--frce", "a.toml")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["exit_code"], answer["status"]) == (2, 2, "usage")
    assert "--frce" in answer["message"]


def test_a_wrong_configuration_is_2_and_says_why_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[sorce]\n")
    said = command("refresh", tmp_path / "run.toml", "--json")
    assert (said.code, said.facts["status"]) == (2, "configuration")
    assert "did you mean source?" in said.facts["message"]
    assert said.err.startswith("cxmodels: run.toml cannot be used, 3 problems:\n  1. [source] is")
    assert command("check", tmp_path / "none.toml").code == 2
    assert command("report", tmp_path).code == 2


def test_an_unexpected_error_is_one_sentence_and_a_hint(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(steps, "score", full)
    said = refresh(shop, None, "--json")
    assert (said.code, said.facts["status"]) == (1, "failed")
    assert "No space left on device" in said.err and "--debug" in said.err
    assert "Traceback" not in said.err
    partial = [name for name in everything_in(tmp_path / "runs") if name.endswith(".partial")]
    assert len(partial) == 1
    assert "Traceback" in refresh(shop, None, "--debug").err
    monkeypatch.undo()
    done = refresh(shop)
    assert done.code == 0 and "resuming after step 5 of 9 (refit)" in done.err


def test_an_interruption_says_that_the_next_start_resumes(
    shop: pd.DataFrame, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "score", stopped)
    said = refresh(shop)
    assert said.code == 1
    assert "interrupted" in said.err and "the same command resumes" in said.err


def test_check_says_what_would_run_and_writes_nothing(shop: pd.DataFrame, tmp_path: Path) -> None:
    shop.to_csv(tmp_path / "log.csv", index=False)
    said = command("check", write_config(tmp_path))
    assert said.code == 0, said.err
    assert "read, check, fit, back-test, refit, score, value, report, write" in said.out
    assert "240" in said.out
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]


def test_check_refuses_what_refresh_would_refuse(shop: pd.DataFrame, tmp_path: Path) -> None:
    shop.drop_duplicates("customer_id").to_csv(tmp_path / "log.csv", index=False)
    said = command("check", write_config(tmp_path), "--json")
    assert (said.code, said.facts["status"]) == (3, "input contract broken")
    assert "second time" in said.err


def test_a_finished_run_is_already_done_and_another_of_its_name_is_refused(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    named = {"run": {"name": "q4", "draws": 200}}
    first = refresh(shop, named, "--json")
    assert first.code == 0 and first.facts["status"] == "done", first.err
    again = refresh(shop, named, "--json")
    assert again.code == 0 and again.facts == {**first.facts, "status": "already done"}
    dearer = {**named, "value": {"margin": 0.4}}
    refused = refresh(shop, dearer)
    assert refused.code == 2 and "--force" in refused.err
    replaced = refresh(shop, dearer, "--force", "--json")
    ratio = replaced.facts["equity"]["estimate"] / first.facts["equity"]["estimate"]
    assert ratio == pytest.approx(4 / 3)  # equity is proportional to the margin
    assert not [name for name in everything_in(tmp_path / "runs") if name.startswith(".")]


def test_without_a_hold_out_there_is_no_back_test(shop: pd.DataFrame, refresh: Refresh) -> None:
    said = refresh(shop, {"base": {"end": "2024-12-31", "holdout_end": None}})
    assert said.code == 0, said.err
    assert "no hold-out was asked for" in said.out


def test_the_summary_is_about_ten_lines_with_interval_unit_and_n(
    shop: pd.DataFrame, refresh: Refresh
) -> None:
    said = refresh(shop)
    assert said.code == 0, said.err
    lines = said.out.strip().splitlines()
    assert 9 <= len(lines) <= 13
    equity = next(line for line in lines if line.startswith("equity"))
    assert "€" in equity and " to " in equity and "n = 240" in equity and "90% interval" in equity


def test_the_module_runs_where_the_folder_is_read_only(tmp_path: Path, shop: pd.DataFrame) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    shop.to_csv(tmp_path / "log.csv", index=False)
    path = write_config(tmp_path)
    tmp_path.chmod(0o500)
    said = command("refresh", path)
    assert said.code == 1 and "Permission denied" in said.err
