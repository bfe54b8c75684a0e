"""What is known of customers beside their answers: since when, until when, and their facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.event_log import EventLog
from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Ints
from cxmodels.satisfaction.windows import days_of

if TYPE_CHECKING:
    import pandas as pd

NEVER = 1 << 21  # a day that does not come: after the year 7000
FIRST_EVENT, FIRST_DAY = "the first purchase", "the first day as a customer"
OWN = ("date", "score", "score_before", "days", "days_before", "left", "tenure", "answered")


@dataclass(frozen=True)
class CustomerColumns:
    """Names of columns of the table of customers: id, first day and last day as a customer."""

    customer: str
    since: str | None
    until: str | None


@dataclass(frozen=True, eq=False)
class Known:
    """Customers (c,): ids; first and last day, days since 1970; facts: a table of what else is
    known; dated: whether the first day is known, and by what; ends: whether leaving is."""

    ids: Any
    since: Ints
    until: Ints
    facts: "pd.DataFrame"
    dated: str
    ends: bool

    def numbers(self, ids: Any) -> Ints:
        """(n,) the place of each id, -1 for a stranger; "12" of a CSV file is 12 elsewhere."""
        import pandas as pd

        ours, given = pd.Index(self.ids), pd.Index(np.asarray(ids))
        if pd.api.types.is_integer_dtype(ours) != pd.api.types.is_integer_dtype(given):
            ours, given = ours.astype(str), given.astype(str)
        return np.asarray(ours.get_indexer(given))


def known_customers(
    customers: Any, columns: CustomerColumns, logs: Mapping[str, EventLog]
) -> Known:
    """From a table of customers, or of the first log: whoever is in it, since their first event."""
    import pandas as pd

    if customers is None:
        if columns.since or columns.until:
            raise OptionError("since and until are columns of customers=: give that table")
        log = next(iter(logs.values()))
        ids, first = np.unique(log.customer, return_index=True)
        since = days_of(log.moment[first])
        forever = np.full(ids.size, NEVER)
        return Known(ids, since, forever, pd.DataFrame(index=range(ids.size)), FIRST_EVENT, False)
    table = as_pandas(customers).reset_index(drop=True)
    _named(table, columns)
    if table.empty:
        raise DataError("customers", [Problem("there is no row: nobody is known")])
    problems = list(_problems(table, columns))
    if problems:
        raise DataError("customers", problems)
    played = [name for name in (columns.customer, columns.since, columns.until) if name]
    taken = [name for name in table.columns if name in OWN and name not in played]
    if taken:
        raise OptionError(f"customers has a column {taken[0]!r}, a name of ours: rename it")
    none = np.full(len(table), -NEVER)
    return Known(
        ids=table[columns.customer].to_numpy(),
        since=none if columns.since is None else days_of(_dates(table[columns.since])),
        until=-none if columns.until is None else _ends(table[columns.until]),
        facts=table.drop(columns=played),
        dated="" if columns.since is None else FIRST_DAY,
        ends=columns.until is not None,
    )


def _named(table: "pd.DataFrame", columns: CustomerColumns) -> None:
    listed = ", ".join(map(repr, table.columns))
    wanted = [name for name in (columns.customer, columns.since, columns.until) if name]
    problems = [
        Problem(f"there is no column {name!r}", remedy=f"Columns: {listed}")
        for name in wanted
        if list(table.columns).count(name) != 1
    ]
    columns_twice = table.columns[table.columns.duplicated()]
    problems += [
        Problem(f"there are two columns {name!r}") for name in dict.fromkeys(columns_twice)
    ]
    if problems:
        raise DataError("customers", problems)


def _dates(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as days; NaT where it holds none."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.tz_localize(None) if column.dt.tz is not None else column
    return pd.to_datetime(column.astype("string"), errors="coerce", format="ISO8601")


def _ends(column: "pd.Series[Any]") -> Ints:
    dates = _dates(column)
    found = np.full(len(dates), NEVER)
    there = dates.notna().to_numpy()
    found[there] = days_of(dates[there])
    return found


def _problems(table: "pd.DataFrame", columns: CustomerColumns) -> Iterator[Problem]:
    ids = table[columns.customer]
    rules = [
        (f"{columns.customer} is missing", ids.isna(), ""),
        (f"{columns.customer} occurs more than once", ids.duplicated() & ids.notna(),
         "A customer has one row"),
    ]  # fmt: skip
    if columns.since is not None:
        rules.append((f"{columns.since} is missing or no day", _dates(table[columns.since]).isna(),
                      "Dates are written as 2026-06-30"))  # fmt: skip
    if columns.until is not None:
        given = table[columns.until]
        rules.append((f"{columns.until} is no day", _dates(given).isna() & given.notna(),
                      "Leave it empty while the customer is active"))  # fmt: skip
        if columns.since is not None:
            before = _dates(given) < _dates(table[columns.since])
            rules.append((f"{columns.until} lies before {columns.since}", before, ""))
    for what, broken, remedy in rules:
        if broken.any():
            place = int(np.flatnonzero(broken.to_numpy())[0])
            first = f"row {place + 1:,}: {columns.customer}={ids.iloc[place]}"
            yield Problem(what, int(broken.sum()), first, remedy)
