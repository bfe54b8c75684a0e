"""Runs the steps of a refresh so that its folder appears whole or not at all.

Work happens in `<folder>/.<name>.partial/`. Each finished step is recorded there; the next
start of the same run takes up after the last one. Only a complete folder gets its name.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from cxmodels.errors import CxError, OptionError
from cxmodels.refresh.lock import held
from cxmodels.refresh.store import Workspace, heal, publish, write_whole

RECORD = "steps.json"  # the finished steps with their times: the only file that differs by run
MANIFEST = "manifest.json"
POINTER = "latest.json"


@dataclass(frozen=True)
class Step:
    """One stretch of work that leaves files behind and says in a sentence what it found."""

    name: str
    doing: str
    work: Callable[[Workspace], str]


@dataclass(frozen=True)
class Plan:
    """What is to run and where: `fingerprint` stands for the data, the settings, the version."""

    folder: Path
    name: str
    fingerprint: str
    steps: tuple[Step, ...]

    @property
    def final(self) -> Path:
        """The finished run's folder."""
        return self.folder / self.name

    @property
    def partial(self) -> Path:
        """Where the work is done until it is complete."""
        return self.folder / f".{self.name}.partial"

    @property
    def lock(self) -> Path:
        """The file whose lock says that somebody is at work on this run."""
        return self.folder / f".{self.name}.lock"


class Ending(Enum):
    """How the call ended."""

    DONE = "done"
    ALREADY_DONE = "already done"


class Listener(Protocol):
    """Hears how the run gets on."""

    def resumed(self, finished: int, steps: Sequence[Step]) -> None:
        """The first `finished` steps were done by an earlier start."""

    def began(self, place: int, steps: Sequence[Step]) -> None:
        """The step at `place` (from 0) starts."""

    def finished(self, place: int, steps: Sequence[Step], sentence: str, seconds: float) -> None:
        """The step at `place` is done and recorded."""


def _finished_steps(plan: Plan) -> list[dict[str, Any]]:
    """The recorded steps whose files are all still there, in order; [] where nothing fits."""
    try:
        record = json.loads((plan.partial / RECORD).read_text(encoding="utf-8"))
        if record["fingerprint"] != plan.fingerprint:
            return []
        entries = record["steps"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    sound: list[dict[str, Any]] = []
    for entry, step in zip(entries, plan.steps, strict=False):
        sizes = {plan.partial / name: size for name, size in entry["files"].items()}
        there = all(path.is_file() and path.stat().st_size == n for path, n in sizes.items())
        if entry["step"] != step.name or not there:
            break
        sound.append(entry)
    return sound


def _record(plan: Plan, entries: list[dict[str, Any]]) -> None:
    content = {"fingerprint": plan.fingerprint, "steps": entries}
    write_whole(plan.partial / RECORD, (json.dumps(content, indent=2) + "\n").encode())


def _files(space: Workspace) -> dict[str, int]:
    """Names and sizes of every file but the record itself."""
    paths = (path for path in space.files() if path.name != RECORD)
    return {path.relative_to(space.folder).as_posix(): path.stat().st_size for path in paths}


def _opened(plan: Plan, entries: list[dict[str, Any]]) -> Workspace:
    """The folder of the work, holding what the finished steps left and nothing else."""
    plan.partial.mkdir(exist_ok=True)
    kept = {plan.partial / name for entry in entries for name in entry["files"]}
    for path in sorted(plan.partial.rglob("*"), reverse=True):
        if path.is_file() and path not in kept and path != plan.partial / RECORD:
            path.unlink()
    if not entries:
        (plan.partial / RECORD).unlink(missing_ok=True)
    return Workspace(plan.partial)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _carry_out(plan: Plan, listener: Listener) -> None:
    """Do every step that is not recorded yet, recording each as it ends."""
    entries = _finished_steps(plan)
    space = _opened(plan, entries)
    if entries:
        listener.resumed(len(entries), plan.steps)
    for place, step in enumerate(plan.steps[len(entries) :], start=len(entries)):
        listener.began(place, plan.steps)
        before, started, clock = _files(space), _now(), time.perf_counter()
        sentence = step.work(space)
        space.sync()
        seconds = round(time.perf_counter() - clock, 3)
        written = {name: size for name, size in _files(space).items() if before.get(name) != size}
        entries.append(
            {"step": step.name, "said": sentence, "started_at": started, "ended_at": _now()}
            | {"seconds": seconds, "files": written}
        )
        _record(plan, entries)
        listener.finished(place, plan.steps, sentence, seconds)


def _ended_at(run: Path) -> str:
    """When a finished run ended; "" where it does not say."""
    try:
        steps = json.loads((run / RECORD).read_text(encoding="utf-8"))["steps"]
        return str(steps[-1]["ended_at"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return ""


def _point(plan: Plan) -> None:
    """Let the pointer name this run, unless it names a later one."""
    pointer = plan.folder / POINTER
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = plan.folder / str(json.loads(pointer.read_text(encoding="utf-8"))["run"])
        if named != plan.final and _ended_at(named) > _ended_at(plan.final):
            return
    content = {"run": plan.name, "fingerprint": plan.fingerprint}
    write_whole(pointer, (json.dumps(content, indent=2) + "\n").encode())


def _fingerprint(final: Path) -> str:
    try:
        manifest = json.loads((final / MANIFEST).read_text(encoding="utf-8"))
        return str(manifest["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        raise OptionError(
            f"{final} exists and is not a finished run of cxmodels. "
            "Give this run another name ([run] name), or move that folder away."
        ) from None


def _already_done(plan: Plan, *, force: bool) -> bool:
    """Whether the finished run of this name is this very run; OptionError where it is another."""
    if not plan.final.exists():
        return False
    other = _fingerprint(plan.final)
    if force:
        return False
    if other != plan.fingerprint:
        raise OptionError(
            f"a finished run named {plan.name} exists in {plan.folder}, made from other data, "
            "settings or version. Give this run another name ([run] name), or replace the old "
            "one with --force."
        )
    return True


def _make_folder(folder: Path) -> list[Path]:
    """Create the folder; returns what had to be created, deepest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def execute(plan: Plan, listener: Listener, *, force: bool = False) -> Ending:
    """Carry the plan out; its folder appears when every step is done.

    Returns DONE, or ALREADY_DONE where the same run is finished. `force` does it again and
    replaces a finished run of that name. Raises OptionError where the name is taken, CxError
    where another process is at work on it, and whatever a step raises: after a CxError nothing
    is left behind, after anything else the finished steps stay for the next start.
    """
    created = _make_folder(plan.folder)
    try:
        with held(plan.lock, plan.name):
            heal(plan.final)
            if _already_done(plan, force=force):
                _point(plan)
                shutil.rmtree(plan.partial, ignore_errors=True)
                return Ending.ALREADY_DONE
            try:
                _carry_out(plan, listener)
            except CxError:
                shutil.rmtree(plan.partial, ignore_errors=True)
                raise
            publish(plan.partial, plan.final)
            _point(plan)
            return Ending.DONE
    except CxError:
        for folder in created:
            with suppress(OSError):  # somebody else's files are in it by now
                folder.rmdir()
        raise
