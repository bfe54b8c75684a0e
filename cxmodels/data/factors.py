"""The contract of factors: returns by day or month, one column each, as shares."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.days import as_days
from cxmodels.data.returns import Returns
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

MOST = 1.0  # a factor's return in one period: larger ones are per cent taken for shares
USUAL = 0.35  # standard deviation of a market's month: larger ones as well
MONTH = 20.0  # days between periods from which they are months


def checked_factors(factors: Any, returns: Returns, riskless: str | None) -> "pd.DataFrame":
    """Factors by the periods of the returns: months where these are monthly, days otherwise.

    factors: a frame or series whose index holds days (dates, text as 2026-06-30, periods, or months
    as 202606). Missing values stay.
    Raises: DataError with every problem: an index that holds no days, two rows of one period,
    columns without numbers or of one name, infinite values, per cent in the place of shares.
    """
    import pandas as pd

    if isinstance(factors, pd.Series):
        factors = factors.to_frame()
    if not isinstance(factors, pd.DataFrame):
        raise OptionError(
            f"factors are a frame of returns by day or month, got {type(factors).__name__}"
        )
    held = factors.copy()
    held.columns = [str(name).strip() for name in factors.columns]
    if riskless is not None and riskless not in held:
        raise OptionError(
            f"factors have no column {riskless!r}, the riskless return: name it, or riskless=None"
        )
    days = as_days(pd.Series(factors.index))
    twice = held.columns[held.columns.duplicated()]
    problems = [Problem(f"two columns are called {name!r}") for name in dict.fromkeys(twice)]
    if held.empty:
        problems.append(Problem("there is no row, or no column"))
    if days.isna().any():
        first = f"row {int(np.flatnonzero(days.isna())[0]) + 1:,}"
        problems.append(Problem("the index holds no day", int(days.isna().sum()), first))
    if problems:
        raise DataError("factors", problems)
    numbers = held.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    monthly = _gap(returns) >= MONTH
    index: Any = pd.DatetimeIndex(days).to_period("M") if monthly else pd.DatetimeIndex(days)
    problems = list(_problems(numbers, held, index, riskless))
    if problems:
        raise DataError("factors", problems)
    made: pd.DataFrame = numbers.set_axis(index)
    return made


def _gap(returns: Returns) -> float:
    """Usual days between two periods."""
    gaps = np.diff(np.asarray(returns.days)) / np.timedelta64(1, "D")
    return float(np.median(gaps)) if gaps.size else 1.0


def _problems(
    numbers: "pd.DataFrame", held: "pd.DataFrame", index: Any, riskless: str | None
) -> "list[Problem]":
    found = []
    twice = index.duplicated()
    if twice.any():
        first = f"{index[int(np.flatnonzero(twice)[0])]}"
        remedy = "Monthly returns take one row a month" if hasattr(index, "freqstr") else ""
        found.append(Problem("two rows are of one period", int(twice.sum()), first, remedy))
    for name in numbers:
        own = numbers[name]
        words = own.isna() & held[name].notna()
        if words.any():
            found.append(Problem(f"column {name!r} holds what is no number", int(words.sum())))
        if np.isinf(own).any():
            found.append(Problem(f"column {name!r} is infinite", int(np.isinf(own).sum())))
        large = (own.abs() > MOST).sum()
        if name != riskless and (large or own.std() > USUAL):
            found.append(Problem(f"column {name!r} has returns above 100 per cent", int(large),
                                 remedy="Factors are shares: divide per cent by 100"))  # fmt: skip
    return found
