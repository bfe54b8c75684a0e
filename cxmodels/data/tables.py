"""Anything tabular becomes one DuckDB relation with safe column names.

A frame, a Parquet or CSV file, a DuckDB file, connection or relation: inside, its columns are
called c0, c1, ... in their order, so that no name a user can think of reaches a statement.
Nothing of the user's is changed: frames are read, a connection is read through a cursor of its
own whose view vanishes with it.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from cxmodels.data.files import csv_files, literal, parquet_files
from cxmodels.data.frames import Columns, Mixture, arrow_columns
from cxmodels.errors import DataError, OptionError, Problem

LOG = "cxmodels_log"
PARQUET, CSV, DATABASE = (".parquet", ".pq"), (".csv", ".tsv", ".txt"), (".duckdb", ".db", ".ddb")
ACCEPTED = (
    "a pandas or polars frame, an Arrow table, a Parquet or CSV path, a DuckDB connection "
    "or file with table=, or a DuckDB relation"
)


@dataclass(frozen=True)
class Column:
    """One column: the user's name, its place inside, its DuckDB type, its zone where known."""

    name: str
    place: str
    kind: str
    zone: str | None = None
    mixture: Mixture | None = None


@dataclass(frozen=True)
class Source:
    """An opened log: a connection on which the view LOG has the columns c0, c1, ..."""

    connection: duckdb.DuckDBPyConnection
    columns: tuple[Column, ...]
    what: str
    typed: bool = True  # False: everything is text, as in a CSV file
    index: tuple[str, ...] = ()

    def find(self, name: str) -> Column | None:
        """The column called `name`; None where there is none, or more than one."""
        hits = [column for column in self.columns if column.name == name]
        return hits[0] if len(hits) == 1 else None

    def duplicates(self) -> list[str]:
        """Names that occur more than once."""
        names = [column.name for column in self.columns]
        return sorted({name for name in names if names.count(name) > 1})


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """All rows that answer a query; nothing is left half read on the connection."""
    return list(connection.execute(query).fetchall())


@contextmanager
def open_log(log: Any, table: str | None = None) -> Iterator[Source]:
    """The log as a `Source`, closed at the end of the block."""
    connection, source = _open(log, table)
    try:
        yield source
    finally:
        connection.close()


def _open(log: Any, table: str | None) -> tuple[duckdb.DuckDBPyConnection, Source]:
    if isinstance(log, duckdb.DuckDBPyConnection):
        return _open_connection(log, table)
    if isinstance(log, str | Path):
        return _open_path(str(log), table)
    if table is not None:
        raise OptionError(
            f"table= names a table of a DuckDB connection or file; this is a {type(log).__name__}"
        )
    if isinstance(log, duckdb.DuckDBPyRelation):
        columns = Columns(
            tuple(log.columns), tuple(log.to_arrow_table().columns), {}, "DuckDB relation"
        )
    else:
        found = arrow_columns(log)
        if found is None:
            raise OptionError(f"a table is {ACCEPTED}; this is of type {type(log).__name__}")
        columns = found
    return _open_columns(columns)


def _own_connection() -> duckdb.DuckDBPyConnection:
    """An engine of our own: no downloads, nothing written to the working directory."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET autoinstall_known_extensions = false")
    with suppress(duckdb.InvalidInputException):  # in Jupyter without widgets it is off for good
        connection.execute("SET enable_progress_bar = false")
    scratch = exp.Literal.string(str(Path(tempfile.gettempdir()) / "cxmodels-engine"))
    connection.execute(f"SET temp_directory = {scratch.sql('duckdb')}")
    return connection


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str] = ()) -> None:
    """No file but the log's own can be reached from here on, and no setting changed."""
    if files:
        names = ", ".join(exp.Literal.string(name).sql("duckdb") for name in files)
        connection.execute(f"SET allowed_paths = [{names}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _open_columns(columns: Columns) -> tuple[duckdb.DuckDBPyConnection, Source]:
    connection = _own_connection()
    places = [f"c{place}" for place in range(len(columns.names))]
    arrays = [_plain(array) for array in columns.arrays]
    if places:
        _register(connection, arrays, places)
    _lock(connection)
    zones = {
        place: array.type.tz
        for place, array in enumerate(arrays)
        if pa.types.is_timestamp(array.type)
    }
    plain = _described(connection, columns.names, columns.kind)
    known = tuple(
        replace(column, zone=zones.get(place), mixture=columns.mixtures.get(place))
        for place, column in enumerate(plain.columns)
    )
    return connection, replace(plain, columns=known, index=columns.index)


def _register(
    connection: duckdb.DuckDBPyConnection, arrays: list[Any], places: Sequence[str]
) -> None:
    """Arrow columns as the relation LOG; a type that the engine does not know becomes text."""
    try:
        connection.register(LOG, pa.table(arrays, names=places))
    except duckdb.Error:
        for place, array in enumerate(arrays):
            try:
                connection.register("cxmodels_probe", pa.table([array], names=["c0"]))
            except duckdb.Error:
                text = [None if value is None else str(value) for value in array.to_pylist()]
                arrays[place] = pa.array(text, pa.string())
        connection.register(LOG, pa.table(arrays, names=places))


def _plain(array: Any) -> Any:
    """Categories as their values; a column of nothing as text, which then is missing."""
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    if pa.types.is_dictionary(array.type):
        return array.cast(array.type.value_type)
    return array


def _open_connection(
    user: duckdb.DuckDBPyConnection, table: str | None
) -> tuple[duckdb.DuckDBPyConnection, Source]:
    if table is None:
        raise OptionError("a DuckDB connection needs table=, the name of the log's table")
    cursor = user.cursor()
    source = _viewed(cursor, table)
    if source is not None:
        return cursor, source
    cursor.close()
    return _open_columns(_read_through(user, table))


def _viewed(connection: duckdb.DuckDBPyConnection, table: str) -> Source | None:
    """The table behind a view of this connection alone; None where it does not see the table."""
    for name in _table_names(table):
        query = exp.select("*").from_(name).sql("duckdb")
        try:
            names = _column_names(connection, query)
        except duckdb.CatalogException:
            continue
        _make_view(connection, query, len(names))
        return _described(connection, names, f"DuckDB table {table}")
    return None


def _read_through(user: duckdb.DuckDBPyConnection, table: str) -> Columns:
    """A table that only the user's own connection sees (temporary, or a registered frame)."""
    for name in _table_names(table):
        try:
            relation = user.sql(exp.select("*").from_(name).sql("duckdb"))
        except duckdb.CatalogException:
            continue
        return Columns(
            tuple(relation.columns),
            tuple(relation.to_arrow_table().columns),
            {},
            f"DuckDB table {table}",
        )
    cursor = user.cursor()
    try:
        raise DataError("log", [_no_table(cursor, table)])
    finally:
        cursor.close()


def _no_table(connection: duckdb.DuckDBPyConnection, table: str) -> Problem:
    present = rows_of(connection, "SELECT table_name FROM duckdb_tables() ORDER BY 1")
    listed = ", ".join(str(row[0]) for row in present) if present else "none"
    return Problem(f"the database has no table called {table!r}", remedy=f"Its tables: {listed}")


def _table_names(table: str) -> list[exp.Table]:
    """`table` as one name, and as schema.table where it has dots."""
    names = [exp.Table(this=exp.to_identifier(table, quoted=True))]
    parts = [exp.to_identifier(part, quoted=True) for part in table.split(".")]
    if 2 <= len(parts) <= 3:
        keys = ("this", "db", "catalog")
        names.append(exp.Table(**dict(zip(keys, reversed(parts), strict=False))))
    return names


def _column_names(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in rows_of(connection, f"DESCRIBE {query}"))


def _make_view(connection: duckdb.DuckDBPyConnection, query: str, width: int) -> None:
    places = ", ".join(f"c{place}" for place in range(width))
    connection.execute(f"CREATE TEMP VIEW {LOG}({places}) AS {query}")


def _open_path(path: str, table: str | None) -> tuple[duckdb.DuckDBPyConnection, Source]:
    lowered = path.lower().removesuffix(".gz")
    if lowered.endswith(DATABASE):
        return _open_database(path, table)
    if table is not None:
        raise OptionError(f"table= names a table of a DuckDB connection or file; {path} is a file")
    if not lowered.endswith(PARQUET + CSV):
        endings = ", ".join(PARQUET + CSV + DATABASE)
        raise OptionError(f"cannot tell what {path} is: a log's path ends in one of {endings}")
    connection = _own_connection()
    try:
        return connection, _read_files(connection, path, lowered.endswith(PARQUET))
    except (duckdb.Error, pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        connection.close()
        raise DataError(f"log {path}", [unreadable(error)]) from None


def unreadable(error: Exception, most: int = 240) -> Problem:
    """What the engine said of a file it could not read."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines).partition("Possible fixes")[0].partition("Possible Solution")[0]
    remedy = "Save the file as UTF-8" if "unicode" in said.lower() or "utf-8" in said else ""
    shown = said if len(said) <= most else f"{said[:most]}..."
    return Problem("the log cannot be read", first=shown, remedy=remedy)


def _open_database(path: str, table: str | None) -> tuple[duckdb.DuckDBPyConnection, Source]:
    if table is None:
        raise OptionError(f"{path} is a DuckDB file and needs table=, the name of the log's table")
    if not Path(path).is_file():
        raise DataError(f"log {path}", [Problem("there is no such file")])
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise DataError(f"log {path}", [unreadable(error)]) from None
    source = _viewed(connection, table)
    if source is not None:
        return connection, source
    problem = _no_table(connection, table)
    connection.close()
    raise DataError(f"log {path}", [problem])


def _read_files(connection: duckdb.DuckDBPyConnection, path: str, parquet: bool) -> Source:
    files = _matching(connection, path)
    reading = parquet_files(files) if parquet else csv_files(files)
    if not reading.header:
        raise DataError(f"log {path}", [Problem("the file is empty, without even a header")])
    found = _column_names(connection, reading.query)
    names = reading.header + found[len(reading.header) :]
    _make_view(connection, reading.query, len(found))
    resolved = [str(Path(name).resolve()) for name in files]
    _lock(connection, [*files, *resolved, *map(literal, files)])
    return _described(connection, names[: len(found)], f"file {path}", typed=parquet)


def _matching(connection: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """The files that a path or a pattern names."""
    if Path(path).is_file():
        return [path]
    pattern = exp.Literal.string(path).sql("duckdb")
    files = rows_of(connection, f"SELECT file FROM glob({pattern}) ORDER BY file")
    if not files:
        raise DataError(f"log {path}", [Problem("there is no such file")])
    return [str(row[0]) for row in files]


def _described(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], what: str, typed: bool = True
) -> Source:
    """The source whose view LOG stands on `connection`."""
    kinds = rows_of(connection, f"DESCRIBE {LOG}") if names else []
    columns = tuple(
        Column(name, f"c{place}", str(kinds[place][1])) for place, name in enumerate(names)
    )
    return Source(connection, columns, what, typed)
