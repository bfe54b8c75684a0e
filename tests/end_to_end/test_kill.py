"""Killed at a random moment, a run is whole or not there, and the next start finishes it."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxmodels.refresh.store import digest

from .conftest import Said, command, shop_log, write_config

HOUSE = Path(__file__).parents[2]
DRAWN = "import sys; from cxmodels.cli import main; sys.argv[0] = 'cxmodels'; main()"
PLAIN = (
    "from cxmodels.refresh import steps; from tests.end_to_end.conftest import plain_pages;"
    f"steps.keep_pages = plain_pages; {DRAWN}"
)


def _start(config: Path, code: str = PLAIN) -> "subprocess.Popen[bytes]":
    quiet, command_line = subprocess.DEVNULL, [sys.executable, "-c", code, "refresh", str(config)]
    return subprocess.Popen(command_line, stdout=quiet, stderr=quiet, cwd=HOUSE)


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


@dataclass(frozen=True)
class Trials:
    """A folder to run in, how to start a run, an undisturbed run, and how long it took."""

    folder: Path
    code: str
    reference: Path
    seconds: float

    @property
    def config(self) -> Path:
        return self.folder / "run.toml"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @classmethod
    def prepared(cls, folder: Path, code: str) -> "Trials":
        shop_log().to_csv(folder / "log.csv", index=False)
        config = write_config(folder)
        started = time.perf_counter()
        assert _start(config, code).wait() == 0
        seconds = time.perf_counter() - started
        (run,) = _finished_runs(folder / "runs")
        shutil.copytree(run, folder / "reference")
        return cls(folder, code, folder / "reference", seconds)

    def killed(self, after: float) -> bool:
        """Start a run and kill it after so many seconds; whether it was still at work."""
        process = _start(self.config, self.code)
        try:
            process.wait(timeout=after)
            return False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True

    def trial(self, after: float) -> tuple[bool, Said]:
        """One kill and the start after it; each leaves a folder that is whole or not there."""
        shutil.rmtree(self.runs, ignore_errors=True)
        was_at_work = self.killed(after)
        assert all(_whole(run) for run in _finished_runs(self.runs))
        said = command("refresh", self.config)
        assert said.code == 0, said.err
        (run,) = _finished_runs(self.runs)
        assert _whole(run)
        listed = json.loads((self.reference / "manifest.json").read_text())["outputs"]
        assert json.loads((run / "manifest.json").read_text())["outputs"] == listed
        assert json.loads((self.runs / "latest.json").read_text())["run"] == run.name
        assert [path.name for path in self.runs.iterdir() if path.name.startswith(".")] == []
        return was_at_work, said

    def many(self, tries: int, seed: int) -> None:
        chance = random.Random(seed)
        done = [self.trial(chance.uniform(0.2, 1.05) * self.seconds) for _ in range(tries)]
        resumed = sum("resuming after step" in said.err for _, said in done)
        assert any(was_at_work for was_at_work, _ in done)
        assert resumed >= tries // 6, f"only {resumed} of {tries} resumed after a finished step"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return Trials.prepared(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.mark.usefixtures("without_drawing")
def test_killed_at_random_moments(plain: Trials) -> None:
    plain.many(tries=3, seed=20)


@pytest.mark.slow
def test_killed_at_many_random_moments(tmp_path: Path) -> None:
    Trials.prepared(tmp_path, DRAWN).many(tries=60, seed=21)


def test_a_second_start_at_once_is_told_that_the_first_is_at_work(plain: Trials) -> None:
    shutil.rmtree(plain.runs, ignore_errors=True)
    first = _start(plain.config)
    try:
        deadline = time.monotonic() + 60
        while not list(plain.runs.glob(".*.partial/steps.json")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        said = command("refresh", plain.config, "--json")
        assert said.code == 1 and f"process {first.pid}" in said.facts["message"]
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
