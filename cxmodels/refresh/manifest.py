"""The manifest of a run: what went in, what was asked, what came out, and how far to trust it.

Nothing in it depends on when or where the run was made; times stand in steps.json.
"""

import math
from typing import Any

import pandas as pd

from cxmodels.refresh.run import MANIFEST, RECORD
from cxmodels.refresh.satisfaction import FILES, FOLDER, SAID
from cxmodels.refresh.settings import Config
from cxmodels.refresh.store import Workspace, digest, rows_in
from cxmodels.refresh.versions import versions


def manifest_of(space: Workspace, config: Config, fingerprint: str) -> dict[str, Any]:
    """Everything about a run that another person needs to trust or repeat it."""
    return {
        "format": "cxmodels-run",
        "format_version": 1,
        "fingerprint": fingerprint,
        "input": _input(space),
        "configuration": config.identity(),
        "versions": versions(),
        "seed": config.run.seed,
        "window": _window(space),
        "parameters": _records(space.table("parameters.parquet")),
        "diagnostics": _diagnostics(space),
        "results": _results(space),
        "outputs": outputs(space),
    }


def outputs(space: Workspace) -> dict[str, Any]:
    """SHA-256 and size of every file, and rows of every table."""
    found: dict[str, Any] = {}
    for path in space.files():
        name = path.relative_to(space.folder).as_posix()
        if name in (MANIFEST, RECORD):
            continue
        found[name] = {"sha256": digest(path), "bytes": path.stat().st_size}
        if path.suffix == ".parquet":
            found[name]["rows"] = rows_in(path)
    return found


def plain(value: Any) -> Any:
    """A cell of a table as JSON: NaN, infinity and missing are null, dates and decimals text.

    >>> [plain(cell) for cell in (1.5, float("nan"), pd.NaT, pd.Timestamp("1997-09-30"), "USD")]
    [1.5, None, None, '1997-09-30 00:00:00', 'USD']
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else str(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [str(name) for name in table.columns]
    rows = table.itertuples(index=False, name=None)
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def _input(space: Workspace) -> dict[str, Any]:
    """The file that was read, and how many rows of it there were."""
    facts: dict[str, Any] = space.json("input.json")
    reconciliation = space.table("reconciliation.parquet")
    found = {**facts, "rows": plain(reconciliation["rows"].iloc[0])}
    return found | ({"survey": space.json(FILES)} if space.holds(FILES) else {})


def _window(space: Workspace) -> dict[str, Any]:
    """From the first purchase to the last day that was looked at."""
    facts = space.json("base/all/facts.json")
    first = space.table("base/all/table.parquet")["first_date"]
    day = None if first.empty else str(first.min())[:10]
    newest = None if first.empty else str(first.max())[:10]
    held = space.path("base/calibration/facts.json")
    calibration = space.json("base/calibration/facts.json") if held.is_file() else None
    return {
        "unit": facts["unit"],
        "first_purchase": day,
        "newest_customer": newest,
        "end": facts["end"],
        "calibration_end": calibration and calibration["end"],
        "holdout_length": calibration and calibration["holdout_T"],
    }


def _model(space: Workspace, name: str) -> dict[str, Any]:
    """How one fit ended and how far its draws can be trusted."""
    stored = space.json(name)
    estimate, draws = stored["estimate"], stored["draws"]
    return {
        "model": estimate["model"],
        "outcome": estimate["outcome"],
        "status": estimate["sentence"],
        "rows": estimate["rows"],
        "log_likelihood": estimate["log_likelihood"],
        "pareto_k": plain(float(draws["pareto_k"])),  # null: infinite
        "effective_draws": draws["effective"],
        "draws_by": draws["method"],
    }


def _diagnostics(space: Workspace) -> dict[str, Any]:
    """Status and k-hat of each fit, the back-test, the remarks."""
    names = {
        "calibration": "models/calibration/purchases.json",
        "purchases": "models/purchases.json",
        "spend": "models/spend.json",
    }
    held = space.holds("tables/holdout.parquet")
    return {
        "models": {key: _model(space, name) for key, name in names.items() if space.holds(name)},
        "back_test": _records(space.table("tables/holdout.parquet")) if held else None,
        "independence": _records(space.table("tables/independence.parquet")),
        "notes": space.json("tables/notes.json"),
    }


def _results(space: Workspace) -> dict[str, Any]:
    """The headline numbers."""
    effects = f"{FOLDER}/effects.parquet"
    told = {} if not space.holds(SAID) else {
        "satisfaction": space.json(SAID)
        | {"effects": _records(space.table(effects)) if space.holds(effects) else []}
    }  # fmt: skip
    return told | {
        "customers": rows_in(space.path("customers.parquet")),
        "equity": _records(space.table("equity.parquet")),
        "concentration": _records(space.table("tables/concentration.parquet")),
        "new_customer": _records(space.table("tables/new_customer.parquet"))[0],
        "reconciliation": _records(space.table("reconciliation.parquet")),
    }
