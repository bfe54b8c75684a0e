"""One measurement in one process, and the medians of many that take turns."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.cases import Case, case_named
from tests.benchmarks.material import Material
from tests.benchmarks.works import quiet

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measured:
    """Medians of a side: seconds by the clock, processor seconds, peak memory of its process in
    MB (preparation and libraries included; NaN where the system does not tell), runs, facts."""

    case: str
    side: str
    seconds: float
    processor: float
    peak_mb: float
    runs: int
    facts: dict[str, Any]
    failed: str = ""


def measure(name: str, side: str, material: Material, *, inner: int | None = None) -> Measured:
    """Does the work here and now."""
    case = case_named(name)
    work = quiet(case.sides[side])(material)
    do, tell = quiet(work.do), quiet(work.tell)
    runs = case.inner if inner is None else inner
    if runs > 1:
        do()
    clock, processor = [], []
    for _ in range(runs):
        start, spent = time.perf_counter(), time.process_time()
        outcome = do()
        taken = time.perf_counter() - start, time.process_time() - spent
        peak, facts = peak_mb(), tell(outcome)
        clock.append(facts.pop("seconds", taken[0]))  # a process of its own tells its own times
        processor.append(facts.pop("processor", taken[1]))
    middle = statistics.median
    return Measured(name, side, middle(clock), middle(processor), peak, runs, facts)


def peak_mb() -> float:
    """Most memory this process has held, from the kernel's own count."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024


def measure_apart(case: Case, side: str, material: Material, inner: int | None) -> Measured:
    """Does the work in a process of its own."""
    ask = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks", "--measure", case.name, side]
    ask += ["--folder", str(material.folder)]
    if inner is not None:
        ask += ["--inner", str(inner)]
    ran = subprocess.run(ask, capture_output=True, text=True, cwd=ROOT)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        nan = float("nan")
        return Measured(case.name, side, nan, nan, nan, 0, {}, failed=last)
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def in_turns(
    case: Case, material: Material, repeats: int, inner: int | None = None
) -> Iterator[Measured]:
    """The medians of each side, measured in turns: a, b, a, b, ..."""
    found: dict[str, list[Measured]] = {side: [] for side in case.sides}
    for _ in range(repeats):
        for side, taken in found.items():
            taken.append(measure_apart(case, side, material, inner))
    for side, taken in found.items():
        good = [one for one in taken if not one.failed]
        yield _median(case, side, good) if good else taken[0]


def _median(case: Case, side: str, taken: list[Measured]) -> Measured:
    def middle(name: str) -> float:
        return statistics.median(getattr(one, name) for one in taken)

    return Measured(
        case.name, side, middle("seconds"), middle("processor"), middle("peak_mb"),
        len(taken), taken[-1].facts,
    )  # fmt: skip


def as_line(measured: Measured) -> str:
    """A measurement as one JSON line, for the process that asked."""
    return json.dumps(asdict(measured))
