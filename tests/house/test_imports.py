"""Imports run downwards, and a planted violation is caught."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = {
    "upwards": ("numerics/special.py", "from cxmodels.data import units"),
    "to a sister": ("purchases/maps.py", "from cxmodels.spend import gamma_gamma"),
    "to a stranger": ("measures/figures.py", "from cxmodels.purchases import maps"),
    "to the command": ("likelihood/fit.py", "import cxmodels.cli"),
    "from reports": ("reports/theme.py", "from cxmodels.value import equity"),
    "from errors": ("errors.py", "from cxmodels.results import draws"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {program}", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "cxmodels", tmp_path / "cxmodels")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_run_downwards(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_violation_is_caught(copy, case):
    place, line = PLANTED[case]
    path = copy / "cxmodels" / place
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
