"""What the customers of a simulated company do within a quarter: leave, order, refer, complain."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import scipy

from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.simulate.people import TYPICAL_TENURE, Active, People
from cxmodels.data.simulate.truth import Truth
from cxmodels.data.units import add_months

QUARTER_DAYS = 91.3  # rates below are a quarter's
LEAVING = -2.6  # log odds of leaving in a quarter, at typical tenure
ORDERS, SEASON = 0.1, (0.0, 0.05, -0.05, 0.35)  # logs of orders a quarter, and by quarter
PLUS_ORDERS, PLUS_PRICE = 0.25, 0.30  # of segment plus, in logs
CONTACTED, CAMPAIGN = 0.2, 0.2  # share contacted at random each quarter; log of its effect
FURTHER, LINE, SPREAD = -1.0, 3.0, 0.5  # log further products; log line amount and its spread
REFERRALS, CASES, CASE_COST = -2.3, -1.6, 12.0
PRODUCTS = 12


@dataclass(frozen=True)
class Quarter:
    """The quarter that begins `place` quarters after `start`."""

    place: int
    start: date

    @property
    def first(self) -> date:
        """First day: of surveys and campaigns."""
        return add_months(self.start, 3 * self.place)

    @property
    def last(self) -> date:
        """Last day."""
        return add_months(self.start, 3 * self.place + 3) - timedelta(days=1)

    @property
    def days(self) -> int:
        """Days after the first, on which things happen."""
        return (self.last - self.first).days

    def dates(self, offset: Ints | int, rows: int | None = None) -> Any:
        """Days, by how many they lie after the first; `rows` copies of one."""
        found = np.datetime64(self.first, "D") + np.asarray(offset, dtype="timedelta64[D]")
        return found if rows is None else np.full(rows, found)


def departures(at: Active, now: Quarter, truth: Truth, rng: np.random.Generator) -> Ints:
    """The day (m,) after the first on which each leaves, 0 for those who stay."""
    odds = LEAVING + truth.leaving * at.z + truth.tenure_leaving * (at.tenure - TYPICAL_TENURE)
    odds += at.pushes.leaving
    leaves = rng.random(at.z.size) < scipy.special.expit(odds)
    return np.where(leaves, rng.integers(1, now.days + 1, at.z.size), 0)


def happenings(
    people: People, at: Active, leaves: Ints, now: Quarter, truth: Truth, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Columns of each table for one quarter; until a customer leaves."""
    here = np.where(leaves > 0, leaves, now.days)
    contacted = rng.random(here.size) < CONTACTED
    ids = at.rows + 1
    rate = ORDERS + SEASON[now.place % 4] + truth.orders * at.z + CAMPAIGN * contacted
    rate += truth.tenure_orders * (at.tenure - TYPICAL_TENURE) + PLUS_ORDERS * at.segment
    rate += np.log(people.pace[at.rows]) + at.pushes.orders
    refers = REFERRALS + truth.referrals * at.z
    complains = CASES + truth.cases * at.z + at.pushes.cases
    cases = _events(ids, complains, here, now, rng)
    return {
        "transactions": _lines(people, at, _events(ids, rate, here, now, rng), truth, rng),
        "campaigns": {
            "customer_id": ids[contacted], "date": now.dates(0, int(contacted.sum()))
        },
        "referrals": _events(ids, refers, here, now, rng),
        "cases": cases | {"cost": np.round(rng.gamma(2.0, CASE_COST / 2, cases["date"].size), 2)},
    }  # fmt: skip


def _events(
    ids: Ints, log_rate: Floats, here: Ints, now: Quarter, rng: np.random.Generator
) -> dict[str, Any]:
    """Customers and days of events, at a rate a quarter, on the days that a customer is here."""
    count = rng.poisson(np.exp(log_rate) * here / QUARTER_DAYS)
    until = np.repeat(here, count)
    offset = 1 + np.floor(rng.random(until.size) * until).astype(np.int64)
    return {"customer_id": np.repeat(ids, count), "date": now.dates(offset)}


def _lines(
    people: People, at: Active, orders: dict[str, Any], truth: Truth, rng: np.random.Generator
) -> dict[str, Any]:
    """Lines of orders; `order_id` counts orders from 0 within the quarter."""
    place = np.searchsorted(at.rows + 1, orders["customer_id"])
    z = at.z[place]
    lines = 1 + rng.poisson(np.exp(FURTHER + truth.breadth * z))
    order = np.repeat(np.arange(lines.size), lines)
    level = LINE + truth.order_value * z + PLUS_PRICE * at.segment[place]
    worth = (np.exp(level) * people.price[orders["customer_id"] - 1])[order]
    return {
        "customer_id": orders["customer_id"][order],
        "date": orders["date"][order],
        "order_id": order,
        "product": rng.integers(1, PRODUCTS + 1, order.size),
        "amount": np.round(worth * rng.lognormal(-(SPREAD**2) / 2, SPREAD, order.size), 2),
    }


def first_orders(people: People, start: date, rng: np.random.Generator) -> dict[str, Any]:
    """The orders with which customers joined after the first day, of one line each."""
    rows = np.flatnonzero(people.joins > 0)
    worth = np.exp(LINE + PLUS_PRICE * people.segment[rows]) * people.price[rows]
    return {
        "customer_id": rows + 1,
        "date": joining_days(people, start)[rows],
        "order_id": np.arange(rows.size),
        "product": rng.integers(1, PRODUCTS + 1, rows.size),
        "amount": np.round(worth * rng.lognormal(-(SPREAD**2) / 2, SPREAD, rows.size), 2),
    }


def joining_days(people: People, start: date) -> Any:
    """The day (n,) on which each joined."""
    days = np.floor(people.joined * 365.25).astype("timedelta64[D]")
    return np.datetime64(start, "D") + days
