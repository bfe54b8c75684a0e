"""Returns of assets by day or month: a grid of days and assets, from prices or from returns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.days import as_days
from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.profiles import Floats
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("return", "per cent", "price")
HUGE = 10.0  # a return of 1,000 per cent in one period: per cent taken for shares, most likely


@dataclass(frozen=True, eq=False, repr=False)
class Returns:
    """values: (t, n) simple returns, as shares, NaN where none is known; days (t,) in order; assets
    (n,) by name; notes."""

    values: Floats
    days: Any
    assets: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        t, n = self.values.shape
        known = int(np.isfinite(self.values).sum())
        return f"Returns: {n:,} assets, {t:,} periods, {known:,} returns\n" + "\n".join(self.notes)

    def logs(self) -> Floats:
        """(t, n) logs of 1 + return."""
        return np.log1p(self.values)


def returns_of(
    table: Any, *, asset: str = "asset", time: str = "date", value: str = "return",
    kind: str = "return",
) -> Returns:  # fmt: skip
    """A checked grid of returns.

    table: anything tabular, one row an asset and day; value: the column of returns, or of prices
    that are adjusted for dividends and splits; kind: "return" (.05 is five per cent), "per cent"
    (5 is) or "price".
    Raises: DataError with every problem: days that are none, two rows of an asset on a day, prices
    not above 0, returns below -1.
    """
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    given = as_pandas(table).reset_index(drop=True)
    missing = [name for name in (asset, time, value) if list(given.columns).count(name) != 1]
    if missing:
        listed = ", ".join(map(str, given.columns))
        raise DataError("returns", [Problem(f"there is no one column {missing[0]!r}",
                                            remedy=f"Columns: {listed}")])  # fmt: skip
    import pandas as pd

    held = pd.DataFrame({"asset": given[asset], "day": as_days(given[time]),
                         "value": pd.to_numeric(given[value], errors="coerce")})  # fmt: skip
    problems = list(_problems(held, given[value], kind))
    if problems:
        raise DataError("returns", problems)
    # a series has no pivot_table
    wide = held.dropna(subset="value").set_index(["day", "asset"])["value"].unstack()  # noqa: PD010
    wide = wide.sort_index()
    numbers = wide.to_numpy(dtype=np.float64)
    notes = []
    if kind == "price":
        numbers, skipped = _from_prices(numbers)
        if skipped:
            notes.append(f"{skipped:,} returns span days without a price, and are set aside.")
    elif kind == "per cent":
        numbers = numbers / 100.0
    assets = tuple(map(str, wide.columns))
    return Returns(numbers, wide.index.to_numpy(), assets, tuple(notes))


def check_returns(returns: Any) -> Returns:
    """What `returns_of` made, or OptionError."""
    if not isinstance(returns, Returns):
        raise OptionError(f"this takes returns from returns_of, got {type(returns).__name__}")
    return returns


def _problems(held: "pd.DataFrame", given: Any, kind: str) -> Iterable[Problem]:
    """Every way in which the rows break the contract."""
    yield from _told(held, "asset is missing", held["asset"].isna())
    yield from _told(held, "date is no day", held["day"].isna(), "Dates are written as 2026-06-30")
    both = held["asset"].notna() & held["day"].notna()
    yield from _told(held, "an asset has two rows on one day",
                     held.duplicated(["asset", "day"]) & both)  # fmt: skip
    numbers = held["value"]
    wrong = (numbers.isna() & given.notna()) | np.isinf(numbers.astype(float))
    yield from _told(held, "value is no finite number", wrong)
    if kind == "price":
        yield from _told(held, "a price is not above 0", numbers <= 0)
    else:
        scale = 100.0 if kind == "per cent" else 1.0
        yield from _told(held, "a return is below -100 per cent", numbers < -scale)
        if kind == "return":
            yield from _told(held, "a return is above 1,000 per cent", numbers > HUGE,
                             'Give kind="per cent" if 5 means five per cent')  # fmt: skip


def _told(held: "pd.DataFrame", what: str, broken: Any, remedy: str = "") -> Iterable[Problem]:
    if broken.any():
        place = int(np.flatnonzero(broken.to_numpy())[0])
        row = held.iloc[place]
        first = f"row {place + 1:,}: asset={row['asset']}, date={row['day']}"
        yield Problem(what, int(broken.sum()), first, remedy)


def _from_prices(prices: Floats) -> tuple[Floats, int]:
    """Returns from one row to the next; those over days that others have and one has not: none."""
    out = np.full_like(prices, np.nan)
    out[1:] = prices[1:] / prices[:-1] - 1.0
    known = np.isfinite(prices)
    seen = np.cumsum(known, axis=0)
    lost = known[1:] & ~known[:-1] & (seen[:-1] > 0)
    return out, int(lost.sum())
