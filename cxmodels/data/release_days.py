"""Which score was known when a value was: fieldwork, release, fiscal period and trading days.

Accounts of a fiscal year are public some time after it ends; the value that they go with is that of
the first trading day from then on. The score of that row is the newest that was out by that day,
and not too old: never the one that carries the same year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.returns import Returns
from cxmodels.data.units import Span
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

SPRING = 5  # fiscal years that end by May carry the year before (as Compustat counts them)


@dataclass(frozen=True, eq=False, repr=False)
class Aligned:
    """table: every row of the accounts with period, valued, score, fieldwork (where given),
    released and score_age (days from release to value), ready for `firm_panel`; reconciliation:
    item, rows."""

    table: "pd.DataFrame"
    reconciliation: "pd.DataFrame"

    def __repr__(self) -> str:
        account = self.reconciliation.to_dict("records")
        return "Aligned: " + "; ".join(f"{row['rows']:,} {row['item']}" for row in account)


def aligned(
    scores: Any,
    accounts: Any,
    *,
    returns: Returns | None = None,
    public: str | Span = "3M",
    longest: str | Span = "15M",
) -> Aligned:
    """Accounts by fiscal year, each with the newest score that was out when they were public.

    scores: a table with firm, score, released and, where known, fieldwork (last day of asking);
    accounts: a table with firm, fiscal_end and, where known, filed (day on which they were public),
    and anything else; returns: whose days are the trading days (weekdays if None); public: how long
    after fiscal_end accounts are public where filed is not known; longest: age of a score beyond
    which it is none.
    Raises: DataError with every problem: days that are none, two rows of a firm on one day,
    releases before the end of their fieldwork, accounts filed before their year was over.

    >>> import pandas as pd
    >>> scores = pd.DataFrame({"firm": "A", "score": [70, 74], "released": ["2023-02-20",
    ...                        "2024-02-20"]})
    >>> books = pd.DataFrame({"firm": "A", "fiscal_end": ["2023-12-31"], "filed": ["2024-02-15"]})
    >>> aligned(scores, books).table[["period", "score", "score_age"]].values.tolist()
    [[2023.0, 70.0, 360.0]]
    """
    told = _read(scores, "scores", ("firm", "score", "released"), ("released", "fieldwork"))
    books = _read(accounts, "accounts", ("firm", "fiscal_end"), ("fiscal_end", "filed"))
    taken = [n for n in ("score", "released", "fieldwork", "period", "valued") if n in books]
    if taken:
        raise OptionError(f"accounts have a column {taken[0]!r}, which is made here: rename it")
    problems = [*_wrong_scores(told), *_wrong_accounts(books)]
    if problems:
        raise DataError("scores and accounts", problems)
    end = books["fiscal_end"]
    known = _after(end, Span.parse(public))
    if "filed" in books:
        known = books["filed"].fillna(known)
    books["valued"] = _trading(known, returns)
    books["period"] = end.dt.year - (end.dt.month <= SPRING).astype(int)
    return _joined(told, books, Span.parse(longest))


def _joined(told: "pd.DataFrame", books: "pd.DataFrame", longest: Span) -> Aligned:
    """Each row of the accounts with the newest score by its day of value."""
    import pandas as pd

    told = told.dropna(subset="score").sort_values("released")
    kept = told[[n for n in ("firm", "score", "fieldwork", "released") if n in told]]
    order = books.dropna(subset="valued").sort_values("valued")
    found = pd.merge_asof(order, kept.assign(day=kept["released"]), left_on="valued",
                          right_on="day", by="firm").drop(columns="day")  # fmt: skip
    found["score_age"] = (found["valued"] - found["released"]).dt.days
    old = found["valued"] > _after(found["released"], longest)
    own = [name for name in ("score", "fieldwork", "released", "score_age") if name in found]
    found.loc[old, own] = None
    twice = found["released"].notna() & found.duplicated(["firm", "released"])
    account = [
        ("rows of accounts", len(books)), ("with a score", int(found["score"].notna().sum())),
        ("whose newest score was too old", int(old.sum())),
        ("without any score before", int((found["score"].isna() & ~old).sum())),
        ("without a trading day after", len(books) - len(order)),
        ("that share a score with the year before", int(twice.sum())),
    ]  # fmt: skip
    rest = [n for n in found if n not in ("firm", "period")]
    table = found[["firm", "period", *rest]].sort_values(["firm", "period"], ignore_index=True)
    return Aligned(table, pd.DataFrame(account, columns=["item", "rows"]))


def _read(given: Any, what: str, needed: tuple[str, ...], days: tuple[str, ...]) -> "pd.DataFrame":
    """A table whose days are days; DataError for what is missing or no day."""
    import pandas as pd

    table = as_pandas(given).reset_index(drop=True)
    listed = f"Columns: {', '.join(map(str, table.columns))}"
    problems = [Problem(f"there is no one column {name!r}", remedy=listed)
                for name in needed if list(table.columns).count(name) != 1]  # fmt: skip
    if problems:
        raise DataError(what, problems)
    for name in days:
        if name in table:
            read = pd.to_datetime(table[name], errors="coerce", format="ISO8601")
            if read.dt.tz is not None:
                read = read.dt.tz_localize(None)
            wrong = read.isna() & (table[name].notna() | (name in needed))
            problems += _told(f"{name} is missing or no day", wrong, table)
            table[name] = read.dt.normalize().astype("datetime64[ns]")
    problems += _told("firm is missing", table["firm"].isna(), table)
    if problems:
        raise DataError(what, problems)
    return table


def _told(what: str, broken: "pd.Series[Any]", table: "pd.DataFrame") -> list[Problem]:
    if not broken.any():
        return []
    place = int(np.flatnonzero(broken.to_numpy())[0])
    first = f"row {place + 1:,}: firm={table['firm'].iloc[place]}"
    return [Problem(what, int(broken.sum()), first)]


def _wrong_scores(told: "pd.DataFrame") -> Iterator[Problem]:
    yield from _told("a firm has two scores released on one day",
                     told.duplicated(["firm", "released"]), told)  # fmt: skip
    if "fieldwork" in told:
        yield from _told("a score was released before its fieldwork ended",
                         told["released"] < told["fieldwork"], told)  # fmt: skip


def _wrong_accounts(books: "pd.DataFrame") -> Iterator[Problem]:
    yield from _told("a firm has two rows of one fiscal_end",
                     books.duplicated(["firm", "fiscal_end"]), books)  # fmt: skip
    if "filed" in books:
        yield from _told("accounts were filed before their year was over",
                         books["filed"] < books["fiscal_end"], books)  # fmt: skip


def _after(days: "pd.Series[Any]", span: Span) -> "pd.Series[Any]":
    """Each day moved by a span; missing days stay so."""
    import pandas as pd

    moved = [None if pd.isna(day) else span.after(day.date()) for day in days]
    return pd.Series(pd.to_datetime(pd.Series(moved, dtype=object)), index=days.index).astype(
        "datetime64[ns]"
    )


def _trading(days: "pd.Series[Any]", returns: Returns | None) -> "pd.Series[Any]":
    """The first trading day on or after each; missing where there is none."""
    import pandas as pd

    if returns is None:
        given = days.to_numpy().astype("datetime64[D]")
        moved = np.busday_offset(given, 0, roll="forward")  # a weekend goes on to its Monday
        return pd.Series(moved.astype("datetime64[ns]"), index=days.index)
    calendar = pd.DatetimeIndex(returns.days).as_unit("ns")
    place = calendar.searchsorted(days.to_numpy())
    there = place < len(calendar)
    found = calendar[np.minimum(place, len(calendar) - 1)].to_series(index=days.index)
    return found.where(there)
