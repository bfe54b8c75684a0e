"""Killed at a random moment, a run is whole or not there, and the next start finishes it."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxmodels.refresh.store import digest

from .conftest import Said, command, shop_log, write_config

START = "import sys; from cxmodels.cli import main; sys.argv[0] = 'cxmodels'; main()"


def _start(config: Path) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", START, "refresh", str(config)], stdout=quiet, stderr=quiet
    )


def _whole(run: Path) -> bool:
    """Whether every listed output is readable and has the digest that the manifest says."""
    manifest = json.loads((run / "manifest.json").read_text())
    for name, facts in manifest["outputs"].items():
        assert digest(run / name) == facts["sha256"], name
        if name.endswith(".parquet"):
            assert pq.read_table(run / name).num_rows == facts["rows"], name
    return True


def _finished_runs(runs: Path) -> list[Path]:
    if not runs.exists():
        return []
    return [path for path in runs.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _killed(config: Path, after: float) -> bool:
    """Start a run and kill it after so many seconds; whether it was still at work."""
    process = _start(config)
    try:
        process.wait(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def _trial(folder: Path, reference: Path, after: float) -> tuple[bool, Said]:
    """One kill and the start after it; both leave a folder that is whole or not there."""
    runs = folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    was_at_work = _killed(folder / "run.toml", after)
    for run in _finished_runs(runs):
        assert _whole(run)
    said = command("refresh", folder / "run.toml")
    assert said.code == 0, said.err
    (run,) = _finished_runs(runs)
    assert _whole(run)
    for name in ("customers.parquet", "equity.parquet", "report.html"):
        assert digest(run / name) == digest(reference / name), name
    assert json.loads((runs / "latest.json").read_text())["run"] == run.name
    assert [path.name for path in runs.iterdir() if path.name.startswith(".")] == []
    return was_at_work, said


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """A folder to run in, an undisturbed run to compare with, and how long it took."""
    folder = tmp_path_factory.mktemp("shop")
    shop_log().to_csv(folder / "log.csv", index=False)
    config = write_config(folder)
    started = time.perf_counter()
    assert _start(config).wait() == 0
    seconds = time.perf_counter() - started
    (run,) = _finished_runs(folder / "runs")
    reference = tmp_path_factory.mktemp("reference") / run.name
    shutil.copytree(run, reference)
    return folder, reference, seconds


def _trials(prepared: tuple[Path, Path, float], tries: int, seed: int) -> None:
    folder, reference, seconds = prepared
    chance = random.Random(seed)
    trials = [_trial(folder, reference, chance.uniform(0.2, 1.05) * seconds) for _ in range(tries)]
    resumed = sum("resuming after step" in said.err for _, said in trials)
    assert any(was_at_work for was_at_work, _ in trials)
    assert resumed >= tries // 6, "most kills fall after the first finished step"


def test_killed_at_random_moments(prepared: tuple[Path, Path, float]) -> None:
    _trials(prepared, tries=6, seed=20)


@pytest.mark.slow
def test_killed_at_many_random_moments(prepared: tuple[Path, Path, float]) -> None:
    _trials(prepared, tries=60, seed=21)


def test_a_second_start_at_once_is_told_that_the_first_is_at_work(
    prepared: tuple[Path, Path, float],
) -> None:
    folder, _, _ = prepared
    shutil.rmtree(folder / "runs")
    first = _start(folder / "run.toml")
    try:
        deadline = time.monotonic() + 60
        while not list((folder / "runs").glob(".*.partial/steps.json")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        said = command("refresh", folder / "run.toml", "--json")
        assert said.code == 1 and f"process {first.pid}" in said.facts["message"]
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
