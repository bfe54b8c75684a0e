"""The command: `python -m tests.benchmarks` measures, prints a table, and writes JSON if asked."""

import argparse
import json
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.material import Material, prepared
from tests.benchmarks.measuring import Measured, as_line, in_turns, measure


def main(arguments: list[str]) -> None:
    asked = parser().parse_args(arguments)
    if asked.measure:
        name, side = asked.measure
        print(as_line(measure(name, side, Material(Path(asked.folder)), inner=asked.inner)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print("simulating customers and a log ...", file=sys.stderr)
        material = prepared(Path(folder), small=asked.small)
        sizes = f"{material.facts['customers']:,} customers ({material.facts['profiles']:,} "
        sizes += f"distinct histories), {material.facts['log_rows']:,} log rows"
        print(f"{machine()}; {sizes}; medians of {asked.repeats} processes a side")
        every: list[Measured] = []
        for case in CASES:
            if asked.only and case.name not in asked.only:
                continue
            found = list(in_turns(case, material, asked.repeats, asked.inner))
            print(lines(case, found), flush=True)
            every += found
        if asked.json:
            written = {"machine": machine(), "sizes": material.facts, "repeats": asked.repeats}
            written["results"] = [asdict(one) for one in every]
            Path(asked.json).write_text(json.dumps(written, indent=1) + "\n")


def parser() -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = [case.name for case in CASES]
    asked.add_argument("--only", nargs="+", choices=names, help="these benchmarks only")
    asked.add_argument("--repeats", type=int, default=3, help="processes a side")
    asked.add_argument("--inner", type=int, help="works per process, in place of the case's own")
    asked.add_argument("--small", action="store_true", help="a thousandth of the size")
    asked.add_argument("--json", metavar="PATH", help="write the figures here too")
    asked.add_argument("--measure", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    asked.add_argument("--folder", help=argparse.SUPPRESS)
    return asked


def machine() -> str:
    """Versions that matter for speed, without the machine's name."""
    import os

    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "duckdb"))
    return f"Python {platform.python_version()}, {libraries}, {os.cpu_count()} processors"


def lines(case: Case, found: list[Measured]) -> str:
    """The table of one benchmark: a line a side, the ratios to cxmodels last."""
    own = found[0]
    text = [f"\n{case.what} (promised: {case.promise})"]
    for one in found:
        if one.failed:
            text.append(f"  {one.side:26} failed: {one.failed}")
            continue
        facts = ", ".join(f"{name} {value}" for name, value in one.facts.items())
        text.append(
            f"  {one.side:26} {one.seconds:9.4f} s{_times(one.seconds, own.seconds)}  processor "
            f"{one.processor:9.4f} s{_times(one.processor, own.processor)}  "
            f"peak {one.peak_mb:5.0f} MB  {facts}"
        )
    return "\n".join(text)


def _times(value: float, own: float) -> str:
    """The ratio to cxmodels' own figure."""
    return f" (x {value / own:6.2f})"


if __name__ == "__main__":
    main(sys.argv[1:])
