"""Parquet and CSV files as a query, with the names that stand in the file.

The engine renames columns that share a name and guesses separators from the body; names and the
separator are therefore read here, from the first file's head alone.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from cxmodels.errors import DataError, Problem

SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class FileQuery:
    """A query over files, and their column names as written."""

    query: str
    header: tuple[str, ...]


def parquet_files(files: Sequence[str]) -> FileQuery:
    """Parquet files as one table; columns are matched by name."""
    import pyarrow.parquet as pq

    return FileQuery(_query("read_parquet", files, []), tuple(pq.read_schema(files[0]).names))


def csv_files(files: Sequence[str]) -> FileQuery:
    """CSV files as one table of text, read as they stand: nothing is skipped, padded or guessed."""
    separator, header = _head(files[0])
    for file in files[1:]:
        if _head(file)[1] != header:
            problem = Problem(
                f"{file} has other columns than {files[0]}", remedy="Files read together are alike"
            )
            raise DataError("log", [problem])
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    mark = exp.Literal.string(separator).sql("duckdb")
    options = [
        f"columns = {{{columns}}}",
        "auto_detect = false",
        "header = true",
        f"delim = {mark}",
    ]
    options += ["quote = '\"'", "escape = '\"'"]
    return FileQuery(_query("read_csv", files, options), header)


def _query(reader: str, files: Sequence[str], options: list[str]) -> str:
    listed = ", ".join(exp.Literal.string(literal(name)).sql("duckdb") for name in files)
    if len(files) > 1 and reader == "read_parquet":
        options = [*options, "union_by_name = true"]
    return f"SELECT * FROM {reader}({', '.join([f'[{listed}]', *options])})"


def literal(name: str) -> str:
    """A path in which no character is a wildcard."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _head(file: str) -> tuple[str, tuple[str, ...]]:
    """The separator that the first line uses most, and the names it separates."""
    with (
        gzip.open(file, "rt", encoding="utf-8-sig", newline="")
        if file.lower().endswith(".gz")
        else Path(file).open(encoding="utf-8-sig", newline="")
    ) as lines:
        first = lines.readline()
    widths = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=lambda mark: widths[mark])
    return separator, tuple(next(csv.reader([first.rstrip("\r\n")], delimiter=separator), []))
