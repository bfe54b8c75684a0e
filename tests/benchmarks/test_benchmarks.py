"""The benchmarks run: at a thousandth of the size always, at full size when asked. Speed is shown,
never asserted: a busy machine must not turn a run red."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import lines
from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.material import LOG_ROWS, SMALL, Material, prepared
from tests.benchmarks.measuring import ROOT, Measured, measure


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return prepared(tmp_path_factory.mktemp("benchmarks"), small=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_side_of_a_benchmark_runs_and_agrees(case: Case, material: Material) -> None:
    found = [measure(case.name, side, material, inner=1) for side in case.sides]
    assert all(one.seconds > 0 and not one.failed for one in found)
    text = lines(case, found)
    assert all(side in text for side in case.sides)
    repeats = [one.facts["repeats"] for one in found if "repeats" in one.facts]
    assert len(set(repeats)) <= 1  # engines count the same occasions
    heights = [one.facts["log_likelihood"] for one in found if "log_likelihood" in one.facts]
    # lifetimes stops at a tolerance of its own, never above the maximum by more than rounding
    assert all(height <= heights[0] + 1e-3 for height in heights)


def test_log_has_as_many_rows_as_it_says(material: Material) -> None:
    assert material.facts["log_rows"] == LOG_ROWS // SMALL


def test_failed_side_is_printed_as_failed() -> None:
    nan = math.nan
    good = Measured("fit_cdnow", "cxmodels", 1.0, 1.0, 1.0, 1, {})
    bad = Measured("fit_cdnow", "lifetimes", nan, nan, nan, 0, {}, failed="did not converge")
    assert "failed: did not converge" in lines(CASES[1], [good, bad])


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_command_prints_and_writes(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    said = run(
        "--small", "--repeats", "1", "--inner", "1", "--only", "import", "--json", str(target)
    )
    assert "(x   1.00)" in said
    written = json.loads(target.read_text())
    assert {one["side"] for one in written["results"]} >= {"cxmodels", "lifetimes"}


@pytest.mark.slow
def test_full_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "found.json"
    said = run("--json", str(target))
    with capsys.disabled():
        print(said)
    assert len(json.loads(target.read_text())["results"]) == sum(len(c.sides) for c in CASES)
