"""The units of a test as a checked table: every id once, nothing missing, clusters in one stratum.

Inside the engine the table cxmodels_units has place (row of the source, from 1), id and key as
they were given (the key is what is hashed: the cluster, or else the unit), s0, s1, ... of the
strata and x0, x1, ... of covariates.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cxmodels.data.tables import LOG, Column, Source, open_log
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import duckdb

UNITS, SOURCE = "cxmodels_units", "units"
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
         "UBIGINT", "UHUGEINT")  # fmt: skip
IDS = ("VARCHAR", "UUID", *WHOLE)
FLOATS = ("DOUBLE", "FLOAT")
REMEDY = (
    "Give ids as text or whole numbers (whole numbers of which some are missing become decimal)"
)
NUMBERS = (*WHOLE, *FLOATS, "BOOLEAN", "DECIMAL")


@dataclass(frozen=True)
class Roles:
    """Which column plays which part."""

    unit: str
    cluster: str | None = None
    strata: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The column that is hashed."""
        return self.cluster or self.unit


def tabular(units: Any, unit: str) -> Any:
    """A list or a series of ids as a frame with the column `unit`; a table as it is."""
    import numpy as np
    import pandas as pd

    if isinstance(units, list | tuple | range | np.ndarray | pd.Series | pd.Index):
        if np.ndim(units) != 1:
            raise OptionError("units is a table, or a list of ids")
        return pd.DataFrame({unit: pd.Series(list(units), dtype=None if len(units) else object)})
    if type(units).__module__.startswith("polars") and hasattr(units, "to_frame"):
        return units.to_frame(unit)
    return units


@contextmanager
def checked_units(units: Any, roles: Roles) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection on which cxmodels_units stands; DataError with every problem."""
    with open_log(tabular(units, roles.unit)) as source:
        _structure(source, roles)
        connection = source.connection
        connection.execute(_table(source, roles))
        problems = [*_wrong_keys(connection, roles), *_wrong_strata(connection, roles),
                    *_wrong_numbers(connection, roles)]  # fmt: skip
        if problems:
            raise DataError(SOURCE, problems)
        yield connection


def _structure(source: Source, roles: Roles) -> None:
    """Columns that are there once, and of a kind that reads the same in every engine."""
    names = [roles.unit, roles.key, *roles.strata, *roles.covariates]
    problems = [
        Problem(f"there is no one column {name!r}")
        for name in dict.fromkeys(names)
        if source.find(name) is None
    ]
    if problems:
        listed = ", ".join(column.name for column in source.columns) or "none"
        problems[-1] = Problem(problems[-1].what, remedy=f"Columns: {listed}")
        raise DataError(SOURCE, problems)
    for name in dict.fromkeys((roles.unit, roles.key)):
        kind = _kind(_found(source, name))
        if kind not in IDS:
            what = f"{name} is {kind.lower()}, which engines write in different ways"
            problems.append(Problem(what, remedy=REMEDY))
    problems += [
        Problem(f"{name} holds no numbers", remedy="Pairs are matched on numbers")
        for name in roles.covariates
        if source.typed and _kind(_found(source, name)) not in NUMBERS
    ]
    if problems:
        raise DataError(SOURCE, problems)


def _kind(column: Column) -> str:
    """The type without its size; DECIMAL without decimals is a whole number."""
    kind = column.kind.upper()
    if kind.startswith("DECIMAL") and kind.replace(" ", "").endswith(",0)"):
        return "HUGEINT"
    return kind.partition("(")[0]


def _found(source: Source, name: str) -> Column:
    column = source.find(name)
    if column is None:
        raise OptionError(f"there is no one column {name!r}")
    return column


def _table(source: Source, roles: Roles) -> str:
    places = [
        f"{_found(source, roles.unit).place} AS id",
        f"{_found(source, roles.key).place} AS key",
    ]
    places += [f"{_found(source, name).place} AS s{i}" for i, name in enumerate(roles.strata)]
    places += [
        f"TRY_CAST({_found(source, name).place} AS DOUBLE) AS x{i}"
        for i, name in enumerate(roles.covariates)
    ]
    listed = ", ".join(places)
    return f"CREATE TEMP TABLE {UNITS} AS SELECT row_number() OVER () AS place, {listed} FROM {LOG}"


def _counted(
    connection: "duckdb.DuckDBPyConnection", what: str, where: str, show: str, remedy: str = ""
) -> Iterator[Problem]:
    """One problem for the rows of cxmodels_units that `where` picks, if there are any."""
    shown_first = f"min_by(CAST({show} AS TEXT), place)"
    query = f"SELECT count(*), min(place), {shown_first} FROM {UNITS} WHERE {where}"
    rows, first, shown = connection.execute(query).fetchall()[0]
    if rows:
        told = f"row {first}" if shown is None else f"row {first}: {shown!r}"
        yield Problem(what, int(rows), told, remedy)


def _wrong_keys(connection: "duckdb.DuckDBPyConnection", roles: Roles) -> Iterator[Problem]:
    if not connection.execute(f"SELECT count(*) FROM {UNITS}").fetchall()[0][0]:
        yield Problem("the table has no row")
    for name, column in ((roles.unit, "id"), (roles.cluster, "key")):
        if name is not None:
            empty = f"{column} IS NULL OR trim(CAST({column} AS TEXT)) = ''"
            yield from _counted(connection, f"{name} is missing", empty, "NULL")
    again = (
        f"place IN (SELECT place FROM (SELECT place, id, row_number() OVER (PARTITION BY"
        f" CAST(id AS TEXT) ORDER BY place) AS nth FROM {UNITS}) AS counted"
        " WHERE nth > 1 AND id IS NOT NULL)"
    )
    remedy = "A unit is in one arm: give each once"
    yield from _counted(connection, f"{roles.unit} stands there before", again, "id", remedy)


def _wrong_strata(connection: "duckdb.DuckDBPyConnection", roles: Roles) -> Iterator[Problem]:
    for i, name in enumerate(roles.strata):
        kind = connection.execute(f"SELECT typeof(s{i}) FROM {UNITS} LIMIT 1").fetchall()
        empty = f"s{i} IS NULL"
        if kind and kind[0][0] in FLOATS:
            empty += f" OR isnan(s{i})"
        remedy = "Name a stratum for those of whom it is not known"
        yield from _counted(connection, f"{name} is missing", empty, "NULL", remedy)
    if not roles.strata:
        return
    block = ", ".join(f"s{i}" for i in range(len(roles.strata)))
    if roles.cluster is not None:
        split = (
            f"key IN (SELECT key FROM (SELECT DISTINCT key, {block} FROM {UNITS}) AS cells"
            " GROUP BY key HAVING count(*) > 1)"
        )
        remedy = "All units of a cluster get one arm: strata are those of clusters"
        yield from _counted(
            connection, f"{roles.cluster} is split across strata", split, "key", remedy
        )
    alone = (
        f"({block}) IN (SELECT ({block}) FROM {UNITS} GROUP BY {block}"
        " HAVING count(DISTINCT key) = 1)"
    )
    what = "unit" if roles.cluster is None else "cluster"
    yield from _counted(
        connection, f"a stratum has one {what}: nothing is compared in it", alone,
        f"concat_ws(', ', {block})", "Join small strata",
    )  # fmt: skip


def _wrong_numbers(connection: "duckdb.DuckDBPyConnection", roles: Roles) -> Iterator[Problem]:
    for i, name in enumerate(roles.covariates):
        wrong = f"x{i} IS NULL OR NOT isfinite(x{i})"
        yield from _counted(connection, f"{name} is no finite number", wrong, f"x{i}")
