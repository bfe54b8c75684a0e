"""A column as days, whatever it holds: dates, stamps of any zone, text; a number is no day."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def as_days(column: Any) -> "pd.Series[Any]":
    """Days (midnight, without a zone), missing where a value is none.

    Text is read as ISO 8601 (1997-01-31); a time of another zone counts by its own clock; whole
    numbers are no days, but for months written as 199701 (six digits): their last day.

    >>> import pandas as pd
    >>> as_days(pd.Series(["1997-01-31T23:30:00+02:00", "soon"])).isna().tolist()
    [False, True]
    """
    import pandas as pd

    given: Any = pd.Series(column).reset_index(drop=True)
    found: pd.Series[Any]
    if isinstance(given.dtype, pd.PeriodDtype):
        found = given.dt.to_timestamp(how="end").dt.normalize().astype("datetime64[ns]")
        return found
    if pd.api.types.is_datetime64_any_dtype(given):
        bare = given.dt.tz_localize(None) if given.dt.tz is not None else given
        found = bare.dt.normalize().astype("datetime64[ns]")
        return found
    if pd.api.types.is_numeric_dtype(given):
        months = pd.to_numeric(given, errors="coerce").astype("float64")
        six = months.between(190001, 210012) & (months % 1 == 0)
        text = months.where(six).astype("Int64").astype("string")
        ends = pd.to_datetime(text, format="%Y%m", errors="coerce") + pd.offsets.MonthEnd(0)
        found = ends.astype("datetime64[ns]")
        return found
    words = given.astype("string").str.strip()
    words = words.str.replace(r"([Zz]|[+-]\d\d:?\d\d)$", "", regex=True)
    read = pd.to_datetime(words, errors="coerce", format="ISO8601")
    found = read.dt.normalize().astype("datetime64[ns]")
    return found


def missing_days(column: Any, days: "pd.Series[Any]") -> Any:
    """(n,) where something stands that is no day."""
    import pandas as pd

    return np.asarray(days.isna() & pd.Series(column).reset_index(drop=True).notna())
