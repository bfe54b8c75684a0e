"""Where a run keeps its files: written once, with fixed bytes, and never half.

Every file reaches the disk under its final name only when it is complete (temporary file,
fsync, rename). A Parquet table has the same bytes whenever it holds the same rows: fixed
options, no metadata of pandas, no times.
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

_AT_FDCWD = -100  # linux/fcntl.h: a path is relative to the working directory
_RENAME_EXCHANGE = 2  # linux/fs.h: swap the two names in one step
_ROWS_IN_GROUP = 1 << 20  # rows in a Parquet row group


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def to_json(value: Any) -> str:
    """A value as JSON with sorted keys, one text for one value.

    >>> print(to_json({"b": 1, "a": [0.1]}), end="")
    {
      "a": [
        0.1
      ],
      "b": 1
    }
    """
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sync(path: Path) -> None:
    """Ask the system to put a file, or the names in a folder, on the disk."""
    if path.is_dir() and sys.platform == "win32":
        return  # Windows has no handle on a folder to flush
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either complete or absent, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.writing")
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
    sync(path.parent)


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet whose bytes depend on its columns and rows alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = frame.reset_index() if frame.index.name is not None else frame
    table = pa.Table.from_pandas(named, preserve_index=False).replace_schema_metadata(None)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table, path, version="2.6", compression="zstd", compression_level=3,
        row_group_size=_ROWS_IN_GROUP, data_page_version="1.0", use_dictionary=True,
        write_statistics=True, store_schema=True,
    )  # fmt: skip


def read_table(path: Path) -> pd.DataFrame:
    """A table of a run as a pandas DataFrame."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.ParquetFile(path).read().to_pandas()
    return frame


def rows_in(path: Path) -> int:
    """How many rows a Parquet table holds, from its footer."""
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(path).metadata.num_rows)


@dataclass(frozen=True)
class Workspace:
    """The files of one run, by their names relative to its folder."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where the file called `name` lies."""
        return self.folder / name

    def put_table(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a table under `name` (with its ".parquet")."""
        write_table(self.path(name), frame)

    def table(self, name: str) -> pd.DataFrame:
        """The table kept under `name`."""
        return read_table(self.path(name))

    def put_json(self, name: str, value: Any) -> None:
        """Keep a value of plain types as JSON."""
        write_whole(self.path(name), to_json(value).encode())

    def json(self, name: str) -> Any:
        """The JSON value kept under `name`."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def put_bytes(self, name: str, content: bytes) -> None:
        """Keep a finished document."""
        write_whole(self.path(name), content)

    def holds(self, name: str) -> bool:
        """Whether a file called `name` is there."""
        return self.path(name).is_file()

    def files(self) -> Iterator[Path]:
        """Every file of the run that is complete, in order of name."""
        names = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return (path for path in names if not path.name.startswith("."))

    def sync(self) -> None:
        """Put every file and every folder of the run on the disk."""
        for path in sorted(self.folder.rglob("*")):
            sync(path)
        sync(self.folder)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders' names in one step (Linux); False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.replaced")


def publish(partial: Path, final: Path) -> None:
    """Give a complete folder its final name; an older one of that name is replaced whole."""
    Workspace(partial).sync()
    if not final.exists():
        partial.replace(final)
    elif _exchange(partial, final):
        shutil.rmtree(partial)
    else:
        final.replace(_aside(final))
        partial.replace(final)
        shutil.rmtree(_aside(final))
    sync(final.parent)


def heal(final: Path) -> None:
    """Finish, or take back, a replacement that was cut short between its two renames."""
    aside = _aside(final)
    if not aside.exists():
        return
    if final.exists():
        shutil.rmtree(aside)
    else:
        aside.replace(final)
        sync(final.parent)
