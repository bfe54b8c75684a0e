"""Frames of any kind become Arrow columns, without touching the frame.

pandas, polars (eager and lazy), Arrow tables, record-batch readers (read once) and whatever else
speaks Arrow. A pandas column of mixed Python objects is taken apart by hand, because a guess from
its first rows (which is what engines do) fails on the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Mixture:
    """A column whose time stamps do not agree on a time zone."""

    rows: int  # rows that differ from the first
    first: str  # the first of them, in words


@dataclass(frozen=True)
class Columns:
    """Arrow columns in the order of the frame, with the names the user knows."""

    names: tuple[str, ...]
    arrays: tuple["pa.ChunkedArray | pa.Array", ...]
    mixtures: dict[int, Mixture]
    kind: str  # "pandas DataFrame"
    index: tuple[str, ...] = ()  # names that sit in a pandas index, where nobody finds them


def arrow_columns(frame: Any) -> Columns | None:
    """The columns of a frame, or None where `frame` is not one."""
    import pyarrow as pa

    module = type(frame).__module__.partition(".")[0]
    if module == "pandas" and hasattr(frame, "columns"):
        return _from_pandas(frame)
    if module == "polars" and hasattr(frame, "collect"):
        return _from_arrow(frame.collect().to_arrow(), "polars LazyFrame")
    if module == "polars" and hasattr(frame, "get_columns"):
        return _from_arrow(frame.to_arrow(), "polars DataFrame")
    if isinstance(frame, pa.RecordBatchReader):
        return _from_arrow(frame.read_all(), "Arrow record-batch reader")
    if isinstance(frame, pa.Table):
        return _from_arrow(frame, "Arrow table")
    if isinstance(frame, pa.RecordBatch):
        return _from_arrow(pa.Table.from_batches([frame]), "Arrow record batch")
    if module == "duckdb" or module == "_duckdb":
        return None
    if hasattr(frame, "__arrow_c_stream__"):
        return _from_arrow(pa.table(frame), type(frame).__name__)
    return None


def _from_arrow(table: "pa.Table", kind: str) -> Columns:
    return Columns(tuple(table.schema.names), tuple(table.columns), {}, kind)


def _from_pandas(frame: "pd.DataFrame") -> Columns:
    arrays, mixtures = [], {}
    for place in range(frame.shape[1]):
        array, mixture = _from_series(frame.iloc[:, place])
        arrays.append(array)
        if mixture is not None:
            mixtures[place] = mixture
    names = tuple(str(label) for label in frame.columns)
    index = tuple(str(name) for name in frame.index.names if name is not None)
    return Columns(names, tuple(arrays), mixtures, "pandas DataFrame", index)


def _from_series(series: "pd.Series[Any]") -> "tuple[pa.Array, Mixture | None]":
    import pyarrow as pa

    if series.dtype != object:
        try:
            return pa.Array.from_pandas(series), None
        except pa.ArrowException:  # complex numbers and their like: read as text, and told as such
            return pa.array(series.astype(str).tolist(), pa.string()), None
    return _from_objects(series.tolist())


def _from_objects(values: Sequence[Any]) -> "tuple[pa.Array, Mixture | None]":
    """Python objects as one Arrow column: numbers, dates, or else their text."""
    import pyarrow as pa

    values = [None if _absent(value) else value for value in values]
    stamps = [(place, value) for place, value in enumerate(values) if isinstance(value, datetime)]
    if stamps and all(value is None or isinstance(value, date) for value in values):
        return _from_stamps(values, stamps)
    try:
        return pa.array(values), None
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # NaN among texts is how pandas 2 says that one is missing
        missing = [v is None or (isinstance(v, float) and v != v) for v in values]
        text = [None if gone else str(v) for v, gone in zip(values, missing, strict=True)]
        return pa.array(text, pa.string()), None


def _absent(value: Any) -> bool:
    """None, NaT, NA; a NaN among numbers stays, to be reported as such."""
    return value is None or type(value).__name__ in ("NaTType", "NAType")


def _from_stamps(
    values: Sequence[Any], stamps: Sequence[tuple[int, datetime]]
) -> "tuple[pa.Array, Mixture | None]":
    """Time stamps of one zone, or the first row that leaves it; dates count as midnight."""
    import pyarrow as pa

    zones = [(place, str(value.tzinfo), value) for place, value in stamps]
    others = [(place, value) for place, zone, value in zones if zone != zones[0][1]]
    whole = [
        v if v is None or isinstance(v, datetime) else datetime(v.year, v.month, v.day)
        for v in values
    ]
    if not others:
        return pa.array(whole), None
    place, value = others[0]
    first = f"row {place + 1}: {value.isoformat()} after {zones[0][2].isoformat()}"
    if all(v.tzinfo is not None for _, v in stamps) and len(stamps) == len(values):
        return pa.array(whole, pa.timestamp("us", tz="UTC")), Mixture(len(others), first)
    naive = [None if v is None else v.replace(tzinfo=None) for v in whole]
    return pa.array(naive), Mixture(-len(others), first)
