"""The closing words of a run: ten lines for a person, the same facts for a machine."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxmodels.data.units import Span
from cxmodels.refresh.kinds import INFINITE
from cxmodels.refresh.run import MANIFEST
from cxmodels.reports.numbers import Kind, interval, written
from cxmodels.results.draws import TRUSTED

Facts = Mapping[str, Any]
_LABEL = 15  # width of the first column
_SHOWN_FILES = "report.html, report.pdf, customers.parquet, equity.parquet, manifest.json"


@dataclass(frozen=True)
class Summary:
    """What a finished run found, in lines and in facts."""

    text: str
    facts: dict[str, Any]


def summary_of(run: Path) -> Summary:
    """Sum up a finished run from its manifest."""
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    lines = [f"{label:<{_LABEL}}{text}" for label, text in _lines(manifest)]
    lines.append(f"{'files':<{_LABEL}}{_shown(run)}: {_SHOWN_FILES}")
    return Summary("\n".join(lines), _facts(manifest, run))


def _shown(path: Path) -> str:
    """A path as seen from the working folder where it lies inside it."""
    inside = path.absolute().is_relative_to(Path.cwd())
    return f"{os.path.relpath(path) if inside else path}{os.sep}"


def _lines(manifest: Facts) -> Iterator[tuple[str, str]]:
    yield "customers", _customers(manifest)
    models = manifest["diagnostics"]["models"]
    yield "purchases", _model(models["purchases"])
    yield "spend", _model(models["spend"])
    yield "back-test", _back_test(manifest)
    yield "equity", _equity(manifest)
    yield "concentration", _concentration(manifest)
    yield "new customer", _new_customer(manifest)
    if "satisfaction" in manifest["results"]:
        yield "satisfaction", manifest["results"]["satisfaction"]["verdict"]
    yield "set aside", _set_aside(manifest)
    notes = len(manifest["diagnostics"]["notes"])
    if notes:
        yield "remarks", f"{notes}, listed in the report; read them before you use the numbers"


def _customers(manifest: Facts) -> str:
    window, customers = manifest["window"], manifest["results"]["customers"]
    return (
        f"{customers:,}, first purchases {window['first_purchase']} to "
        f"{window['newest_customer']}, observed to {window['end']}, in {window['unit']}s"
    )


def _model(model: Facts) -> str:
    k = math.inf if model["pareto_k"] is None else float(model["pareto_k"])
    status = str(model["status"]).rstrip(".")
    trust = "draws can be trusted" if k <= TRUSTED else f"above {TRUSTED}: {model['draws_by']}"
    return f"{model['model']} on {model['rows']:,} customers: {status}; k-hat {k:.2f}, {trust}"


def _row(rows: list[Facts], key: str, name: str) -> Facts:
    return next((row for row in rows if row[key] == name), {})


def _back_test(manifest: Facts) -> str:
    rows = manifest["diagnostics"]["back_test"]
    if rows is None:
        return "none: no hold-out was asked for ([base] holdout_end)"
    expected, actual = (
        _row(rows, "metric", name) for name in ("expected purchases", "actual purchases")
    )
    bias = _row(rows, "metric", "bias of the total")["value"]
    inside = expected["lower"] <= actual["value"] <= expected["upper"]
    off = "" if bias is None else f" ({bias:+.1f} per cent"
    off += ")" if inside or not off else ", outside the interval)"
    held = f"{round(manifest['window']['holdout_length'], 1):g} {manifest['window']['unit']}s"
    told = interval(expected["value"], expected["lower"], expected["upper"], Kind.COUNT)
    return (
        f"{told} purchases expected in the {held} held out, "
        f"{written(actual['value'], Kind.COUNT)} made{off}"
    )


def _terms(manifest: Facts) -> str:
    """The assumptions that a value cannot be read without."""
    told = manifest["configuration"]["value"]
    whole = told["horizon"] == INFINITE
    over = "without end" if whole else f"over {Span.parse(told['horizon'])}"
    return (
        f"{over} at {100 * told['discount_rate']:g} per cent a year, margin "
        f"{100 * told['margin']:g} per cent"
    )


def _equity(manifest: Facts) -> str:
    total = manifest["results"]["equity"][0]
    money = manifest["configuration"]["value"]["currency"]
    told = interval(total["estimate"], total["lower"], total["upper"], Kind.MONEY, currency=money)
    level = manifest["configuration"]["value"]["level"]
    people = f"n = {manifest['results']['customers']:,}"
    return f"{told}, {level:.0%} interval, {people}, {_terms(manifest)}"


def _concentration(manifest: Facts) -> str:
    rows = [row for row in manifest["results"]["concentration"] if row["group"].startswith("top")]
    told = [
        f"the {row['group'].removesuffix(' of customers')} hold "
        f"{interval(row['share'], row['lower'], row['upper'], Kind.SHARE)}"
        for row in rows
    ]
    return "; ".join(told)


def _new_customer(manifest: Facts) -> str:
    row = manifest["results"]["new_customer"]
    money = manifest["configuration"]["value"]["currency"]
    value = interval(row["lifetime_value"], row["lower"], row["upper"], Kind.MONEY, currency=money)
    return f"{value} lifetime value over the same horizon, first purchase in"


def _set_aside(manifest: Facts) -> str:
    """What of the log is not in the base, and why."""
    money = manifest["configuration"]["value"]["currency"]
    told = []
    for row in manifest["results"]["reconciliation"]:
        kind, _, why = str(row["item"]).partition(": ")
        if kind == "set aside" and row["rows"]:
            amount = written(row["amount"], Kind.MONEY, currency=money)
            told.append(f"{row['rows']:,} rows ({why}, {amount})")
    return "; ".join(told) or f"nothing of {manifest['input']['rows']:,} rows"


def _facts(manifest: Facts, run: Path) -> dict[str, Any]:
    """The same, for a machine."""
    told = manifest["configuration"]["value"]
    total = manifest["results"]["equity"][0]
    return {
        "run": run.name,
        "folder": str(run),
        "fingerprint": manifest["fingerprint"],
        "customers": manifest["results"]["customers"],
        "window": manifest["window"],
        "models": manifest["diagnostics"]["models"],
        "back_test": manifest["diagnostics"]["back_test"],
        "equity": {key: total[key] for key in ("estimate", "lower", "upper")}
        | {"currency": told["currency"], "level": told["level"]},
        "concentration": manifest["results"]["concentration"],
        "new_customer": manifest["results"]["new_customer"],
    }
