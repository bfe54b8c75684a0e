"""The store: a run's folder appears whole or not at all, and says who is at work on it."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import CxError, DataError, OptionError, Problem
from cxmodels.refresh import store, versions
from cxmodels.refresh.lock import held
from cxmodels.refresh.progress import Silent
from cxmodels.refresh.run import Ending, Plan, Step, execute
from cxmodels.refresh.store import Workspace, digest, publish, read_table, write_table


class Heard(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def resumed(self, finished: int, steps: Sequence[Step]) -> None:
        self.told.append(f"resumed after {finished} of {len(steps)}")

    def finished(self, place: int, steps: Sequence[Step], sentence: str, seconds: float) -> None:
        self.told.append(steps[place].name)


def _step(name: str, trouble: BaseException | None = None) -> Step:
    def work(space: Workspace) -> str:
        space.put_json(f"{name}.json", {"step": name})
        if trouble is not None:
            raise trouble
        if name == "write":
            space.put_json("manifest.json", {"fingerprint": "f"})
        return f"{name} done"

    return Step(name, f"doing {name}", work)


def _plan(folder: Path, *steps: Step, fingerprint: str = "f") -> Plan:
    chosen = steps or (_step("one"), _step("two"), _step("write"))
    return Plan(folder / "runs", "q1", fingerprint, chosen)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_run_appears_with_its_pointer_and_nothing_else(tmp_path: Path) -> None:
    assert execute(_plan(tmp_path), Silent()) is Ending.DONE
    assert _names(tmp_path / "runs") == [
        "latest.json", "q1", "q1/manifest.json", "q1/one.json", "q1/steps.json",
        "q1/two.json", "q1/write.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "runs/latest.json").read_text())["run"] == "q1"


def test_the_same_run_again_is_already_done(tmp_path: Path) -> None:
    execute(_plan(tmp_path), Silent())
    heard = Heard()
    assert execute(_plan(tmp_path), heard) is Ending.ALREADY_DONE
    assert heard.told == []


def test_an_interrupted_run_resumes_after_its_last_finished_step(tmp_path: Path) -> None:
    broken = _plan(tmp_path, _step("one"), _step("two", KeyboardInterrupt()), _step("write"))
    with pytest.raises(KeyboardInterrupt):
        execute(broken, Silent())
    assert not broken.final.exists()
    (broken.partial / "half-written.parquet").write_bytes(b"PAR1")
    heard = Heard()
    assert execute(_plan(tmp_path), heard) is Ending.DONE
    assert heard.told == ["resumed after 1 of 3", "two", "write"]
    assert not (broken.final / "half-written.parquet").exists()


def test_a_partial_folder_of_other_data_is_discarded(tmp_path: Path) -> None:
    broken = _plan(tmp_path, _step("one"), _step("two", RuntimeError()), fingerprint="g")
    with pytest.raises(RuntimeError):
        execute(broken, Silent())
    heard = Heard()
    execute(_plan(tmp_path), heard)
    assert heard.told == ["one", "two", "write"]


def test_a_finished_step_whose_file_was_cut_is_done_again(tmp_path: Path) -> None:
    broken = _plan(tmp_path, _step("one"), _step("two"), _step("write", RuntimeError()))
    with pytest.raises(RuntimeError):
        execute(broken, Silent())
    (broken.partial / "two.json").write_bytes(b"{")
    heard = Heard()
    execute(_plan(tmp_path), heard)
    assert heard.told == ["resumed after 1 of 3", "two", "write"]


def test_a_record_cut_in_half_means_starting_again(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    plan.partial.mkdir(parents=True)
    (plan.partial / "steps.json").write_text('{"fingerprint": "f", "steps": [{"st')
    heard = Heard()
    execute(plan, heard)
    assert heard.told == ["one", "two", "write"]


def test_broken_input_leaves_nothing_not_even_the_folder(tmp_path: Path) -> None:
    refused = DataError("log", [Problem("amount is not a number", 2)])
    with pytest.raises(DataError):
        execute(_plan(tmp_path, _step("one"), _step("two", refused)), Silent())
    assert _names(tmp_path) == []


def test_a_name_taken_by_another_run_is_refused_and_force_replaces_it(tmp_path: Path) -> None:
    execute(_plan(tmp_path), Silent())
    other = _plan(tmp_path, fingerprint="g")
    with pytest.raises(OptionError, match="another name"):
        execute(other, Silent())
    assert execute(other, Silent(), force=True) is Ending.DONE
    assert json.loads((other.final / "steps.json").read_text())["fingerprint"] == "g"
    assert [name for name in _names(other.folder) if name.startswith(".")] == []


def test_force_does_a_finished_run_again(tmp_path: Path) -> None:
    execute(_plan(tmp_path), Silent())
    heard = Heard()
    assert execute(_plan(tmp_path), heard, force=True) is Ending.DONE
    assert heard.told == ["one", "two", "write"]


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "runs/q1"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match="not a finished run"):
        execute(_plan(tmp_path), Silent(), force=True)
    assert (mine / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("swaps", [True, False])
def test_replacing_is_whole_with_and_without_a_swap(
    tmp_path: Path, swaps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swaps:
        monkeypatch.setattr(store, "_exchange", lambda first, second: False)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    publish(tmp_path / "new", tmp_path / "old")
    assert _names(tmp_path) == ["old", "old/who"]
    assert (tmp_path / "old/who").read_text() == "new"


@pytest.mark.parametrize("stage", ["between", "after"])
def test_a_replacement_cut_short_heals(tmp_path: Path, stage: str) -> None:
    final = tmp_path / "q1"
    aside = tmp_path / ".q1.replaced"
    aside.mkdir()
    (aside / "who").write_text("old")
    if stage == "after":
        final.mkdir()
        (final / "who").write_text("new")
    store.heal(final)
    assert (final / "who").read_text() == {"between": "old", "after": "new"}[stage]
    assert not aside.exists()


def test_the_pointer_keeps_to_the_latest_run(tmp_path: Path) -> None:
    first = Plan(tmp_path, "first", "f", (_step("write"),))
    execute(first, Silent())
    execute(Plan(tmp_path, "second", "f", (_step("write"),)), Silent())
    execute(first, Silent())
    assert json.loads((tmp_path / "latest.json").read_text())["run"] == "second"
    (tmp_path / "latest.json").unlink()
    execute(first, Silent())
    assert json.loads((tmp_path / "latest.json").read_text())["run"] == "first"


def _hold(path: str, ready: "multiprocessing.synchronize.Event") -> None:
    with held(Path(path), "q1"):
        ready.set()
        multiprocessing.Event().wait(30)


def test_a_second_process_is_told_who_is_at_work(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    plan, ready = _plan(tmp_path), context.Event()
    plan.folder.mkdir()
    other = context.Process(target=_hold, args=(str(plan.lock), ready))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(CxError, match=f"q1 is being written by process {other.pid} "):
            execute(plan, Silent())
    finally:
        other.kill()
        other.join()
    assert plan.lock.exists(), "a killed process leaves its lock file behind"
    assert execute(plan, Silent()) is Ending.DONE
    assert not plan.lock.exists()


def _frame(order: Sequence[int] = (0, 1, 2)) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "</script>", "c"],
            "frequency": np.array([0, 3, 1]),
            "T": [38.857142857142854, 0.1, np.nan],
            "amount": [Decimal("1.10"), Decimal("2.25"), None],
            "first_date": pd.to_datetime(["1997-01-01", "1997-02-01", "1997-03-01"]),
            "end": [date(1997, 9, 30)] * 3,
        }
    )
    return frame.iloc[list(order)].reset_index(drop=True)


def test_equal_tables_have_equal_bytes_in_another_process(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", _frame())
    write_table(tmp_path / "b.parquet", _frame((2, 1, 0)).iloc[::-1].set_index("customer_id"))
    assert digest(tmp_path / "a.parquet") == digest(tmp_path / "b.parquet")
    again = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "import test_store as t; from pathlib import Path;"
        "t.write_table(Path(sys.argv[1]), t._frame())"
    )
    command = [sys.executable, "-c", again, str(tmp_path / "c.parquet"), str(Path(__file__).parent)]
    subprocess.run(
        command, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    )
    assert digest(tmp_path / "a.parquet") == digest(tmp_path / "c.parquet")


def test_a_table_comes_back_with_its_values(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", _frame())
    back = read_table(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(back, _frame(), check_dtype=False)
    assert back["amount"].iloc[1] == Decimal("2.25")
    assert store.rows_in(tmp_path / "a.parquet") == 3


def test_changed_code_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "cxmodels"
    (package / "value").mkdir(parents=True)
    (package / "value/formula.py").write_text("a + b")
    monkeypatch.setattr(versions.resources, "files", lambda name: tmp_path / name)
    before = versions.source_digest()
    (package / "value/formula.pyc").write_bytes(b"compiled")
    assert versions.source_digest() == before
    (package / "value/formula.py").write_text("a - b")
    assert versions.source_digest() != before
