"""Draws the report of a finished run again, from the tables that the run left."""

import json
from pathlib import Path

from cxmodels.errors import CxError, OptionError
from cxmodels.refresh.lock import held
from cxmodels.refresh.manifest import outputs
from cxmodels.refresh.pages import keep_pages
from cxmodels.refresh.run import MANIFEST, POINTER
from cxmodels.refresh.store import Workspace, digest


def run_folder(path: Path) -> Path:
    """The run meant by a path: its own folder, or the latest one of a folder of runs."""
    if (path / MANIFEST).is_file():
        return path
    if (path / POINTER).is_file():
        named = json.loads((path / POINTER).read_text(encoding="utf-8"))["run"]
        return path / Path(str(named)).name
    raise OptionError(f"{path} is neither a finished run nor a folder of runs")


def _intact(space: Workspace, listed: dict[str, dict[str, str]]) -> None:
    """Refuse to draw from tables that are not those of the run."""
    for name, facts in listed.items():
        if name.endswith((".parquet", ".json")) and (
            not space.holds(name) or digest(space.path(name)) != facts["sha256"]
        ):
            raise CxError(f"{space.path(name)} is not the file that the run wrote: run it again")


def rerender(path: Path) -> list[Path]:
    """Write report.html and report.pdf of a run again, and their digests in its manifest.

    path: a run's folder, or a folder of runs (then the latest). Returns the files written.
    """
    run = run_folder(path).resolve()
    space = Workspace(run)
    with held(run.parent / f".{run.name}.lock", run.name):
        manifest = space.json(MANIFEST)
        _intact(space, manifest["outputs"])
        names = keep_pages(space, manifest["configuration"])
        space.put_json(MANIFEST, {**manifest, "outputs": outputs(space)})
    return [run / name for name in names]
