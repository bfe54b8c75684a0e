"""One process at a time works on a run; a second one is told who is at work.

The operating system holds the lock and lets go of it when the process ends, however it ends,
so that a lock file left behind by a killed process stops nobody.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cxmodels.errors import CxError

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(path: Path) -> str:
    """Who holds the lock, in words."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return f"process {int(facts['pid'])} on {facts['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _same_file(handle: int, path: Path) -> bool:
    """Whether the open file is still the one that the path names."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _acquire(path: Path, name: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(handle)
        except OSError:
            os.close(handle)
            raise CxError(
                f"run {name} is being written by {_owner(path)}. "
                "Wait until it ends, or give this run another name ([run] name)."
            ) from None
        if _same_file(handle, path):
            return handle
        os.close(handle)  # the former owner removed the file between our open and our lock


@contextmanager
def held(path: Path, name: str) -> Iterator[None]:
    """Hold the lock of the run called `name` while the block runs.

    Raises CxError where another process holds it.
    """
    handle = _acquire(path, name)
    try:
        os.truncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with suppress(OSError):  # Windows does not remove an open file; the next run reuses it
            path.unlink()
        os.close(handle)
