"""Windows of time after answers, and what falls into them: in whole days, by customer and day."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.event_log import EventLog
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Bools, Floats, Ints

DAYS = 1 << 22  # more days than any calendar has: customer * DAYS + day orders both


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of the same customer never overlap; (w,) each, in order of customer and day.

    customer: number of the customer; opens: the day that precedes the window; closes: the first day
    after it. Days count from 1970.
    """

    customer: Ints
    opens: Ints
    closes: Ints

    def holding(self, customer: Ints, day: Ints) -> Ints:
        """(n,) the window that holds each day of a customer, -1 where none does."""
        if not self.customer.size:
            return np.full(day.size, -1)
        at = np.searchsorted(self.customer * DAYS + self.opens, customer * DAYS + day) - 1
        near = np.maximum(at, 0)
        inside = (at >= 0) & (self.customer[near] == customer) & (day < self.closes[near])
        return np.where(inside, at, -1)


def days_of(moments: Any) -> Ints:
    """Days since 1970."""
    return np.asarray(moments).astype("datetime64[D]").astype(np.int64)


def distinct(values: Ints) -> Ints:
    """Distinct values, sorted."""
    found = np.sort(values)
    return found[np.r_[True, found[1:] != found[:-1]]] if found.size else found


def moved(days: Ints, span: Span, sign: int = 1) -> Ints:
    """Each day moved by a span, calendar months as such."""
    if not days.size:
        return days
    first = int(days.min())
    there = np.flatnonzero(np.bincount(days - first))  # days are few, and lie close together
    dates = (there + first).astype("datetime64[D]").tolist()
    if span.unit.months and span.count != int(span.count):
        raise OptionError(f"{span} is no whole number of months: give days, as in '45D'")
    turned = Span(sign * span.count, span.unit)
    found = np.array([turned.after(day) for day in dates], dtype="datetime64[D]")
    by_day = np.zeros(int(there[-1]) + 1, dtype=np.int64)
    by_day[there] = found.astype(np.int64)
    return by_day[days - first]


def disjoint(customer: Ints, opens: Ints, closes: Ints) -> Bools:
    """(n,) which windows are kept: a customer's first, then each that opens when the last is over.

    Rows are in order of customer and day.
    """
    kept: Bools = np.zeros(customer.size, np.bool_)
    keys = customer * DAYS + opens
    at = np.flatnonzero(np.r_[True, customer[1:] != customer[:-1]]) if customer.size else customer
    while at.size:
        kept[at] = True
        after = np.searchsorted(keys, customer[at] * DAYS + closes[at])
        there = after < customer.size
        at, after = at[there], after[there]
        at = after[customer[after] == customer[at]]
    return kept


@dataclass(frozen=True, eq=False)
class Tally:
    """What windows hold of one log (w,): events, their lines, amount, distinct products."""

    events: Floats
    lines: Floats
    amount: Floats | None
    products: Floats | None


def tally(windows: Windows, log: EventLog, customer: Ints) -> Tally:
    """Counts of a log in windows; customer: number (n,) of each row, -1 for others."""
    size = windows.customer.size
    known = np.flatnonzero(customer >= 0)
    place = windows.holding(customer[known], days_of(log.moment[known]))
    rows, at = known[place >= 0], place[place >= 0]
    amount: Floats | None = None
    products: Floats | None = None
    if log.amount is not None:
        amount = np.bincount(at, weights=log.amount[rows], minlength=size).astype(np.float64)
    if log.product is not None:
        many = int(log.product.max(initial=0)) + 1
        pairs = distinct(at * many + log.product[rows])
        products = np.bincount(pairs // many, minlength=size).astype(np.float64)
    many = int(log.event.max(initial=0)) + 1
    orders = distinct(at * many + log.event[rows]) // many
    events = np.bincount(orders, minlength=size).astype(np.float64)
    lines = np.bincount(at, minlength=size).astype(np.float64)
    return Tally(events, lines, amount, products)
