"""The door for whatever happens to customers on a day: orders and their lines, referrals, support
cases and what they cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.transactions import day
from cxmodels.errors import DataError, OptionError, Problem


@dataclass(frozen=True, eq=False, repr=False)
class EventLog:
    """Events in order of customer and time; (n,) each.

    event: number of the order, or of the row; amount, product: None where the log has none; orders:
    whether rows are lines of orders; first, last: days for which the log speaks.
    """

    customer: Any
    moment: Any
    event: Ints
    amount: Floats | None
    product: Ints | None
    first: Any
    last: Any
    unnamed: int
    orders: bool = False

    def __repr__(self) -> str:
        n = int(self.event.max(initial=-1)) + 1
        return f"EventLog: {n:,} events in {self.event.size:,} rows, {self.first} to {self.last}"


def event_log(  # noqa: PLR0913 - the door names every choice
    events: Any,
    *,
    customer: str,
    time: str,
    amount: str | None = None,
    order: str | None = None,
    product: str | None = None,
    start: Any = None,
    end: Any = None,
    time_format: str | None = None,
    timezone: str | None = None,
    table: str | None = None,
) -> EventLog:
    """A checked log of events.

    events: anything tabular, as for customer_base; customer, time, amount, order, product: names of
    its columns. Rows of one order count as one event. start, end: first and last day for which the
    log speaks, by default those of its events: nothing on a day outside is unknown, not none.
    Raises: DataError with every problem.

    >>> import pandas as pd
    >>> cases = pd.DataFrame({"who": [1, 1], "when": ["2024-01-05", "2024-02-01"], "cost": [9, 12]})
    >>> event_log(cases, customer="who", time="when", amount="cost", end="2024-03-31")
    EventLog: 2 events in 2 rows, 2024-01-05 to 2024-03-31
    """
    from cxmodels.data.dated_rows import DatedColumns, read_dated

    numbers = tuple(name for name in (amount,) if name is not None)
    words = tuple(name for name in (order, product) if name is not None)
    names = DatedColumns(customer, time, numbers, words, time_format, timezone)
    rows = read_dated(events, names, what="events", table=table)
    problems = []
    if amount is not None and np.isnan(rows.numbers[amount]).any():
        places = np.flatnonzero(np.isnan(rows.numbers[amount]))
        first = f"customer {rows.customer[places[0]]}, {_day(rows.moment[places[0]])}"
        remedy = "Write 0 where nothing was paid"
        problems.append(Problem(f"amount column {amount!r} is empty", places.size, first, remedy))
    if problems:
        raise DataError("events", problems)
    opens = day("start", start) or _day(rows.moment.min())
    closes = day("end", end) or _day(rows.moment.max())
    if opens > closes and start is not None and end is not None:
        raise OptionError(f"start {opens} is after end {closes}")
    if opens > _day(rows.moment.max()) or closes < _day(rows.moment.min()):
        raise OptionError(f"the log has no event between start {opens} and end {closes}")
    return EventLog(
        customer=rows.customer,
        moment=rows.moment,
        event=np.arange(rows.moment.size)
        if order is None
        else _orders(rows.customer, rows.words[order]),
        amount=None if amount is None else rows.numbers[amount],
        product=None if product is None else _numbered(rows.words[product]),
        first=opens,
        last=closes,
        unnamed=rows.unnamed,
        orders=order is not None,
    )


def _day(moment: Any) -> Any:
    return moment.astype("datetime64[D]").item()


def _orders(customer: Any, order: Any) -> Ints:
    """(n,) number of the order of each row; a shop may count orders anew for each customer."""
    own, whose = _numbered(order), _numbered(customer)
    return _numbered(whose * (own.max() + 1) + own)


def _numbered(words: Any) -> Ints:
    import pandas as pd

    return np.asarray(pd.factorize(words, use_na_sentinel=False)[0], dtype=np.int64)
