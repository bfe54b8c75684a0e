"""A simulated company: who its customers are, and what they buy, answer, cost and bring.

Quarter by quarter. On the first day of a quarter a customer has a satisfaction and may answer a
survey; what they do in the days after follows from it, until they leave.
"""

from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.chance import generator
from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.simulate.lever import Lever, Pushes
from cxmodels.data.simulate.people import (
    CHANNELS,
    MIDDLE,
    SEGMENTS,
    SHOCK,
    Active,
    People,
    acquisition_costs,
    active,
    alike,
    newcomers,
    next_quarter,
)
from cxmodels.data.simulate.quarter import (
    Quarter,
    departures,
    first_orders,
    happenings,
    joining_days,
)
from cxmodels.data.simulate.survey import answers
from cxmodels.data.simulate.truth import Truth
from cxmodels.data.transactions import day
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

MOST, MOST_QUARTERS = 500_000_000, 400  # customers by quarters


@dataclass(frozen=True, repr=False)
class Company:
    """Tables of a simulated company, and the truth behind them.

    customers: customer_id, channel, segment, joined, acquisition_cost. transactions: customer_id,
    date, order_id, product, amount; one row a line of an order. subscriptions: customer_id, start,
    end (missing while active). surveys: customer_id, date, recommend (0 to 10), satisfied (1 to 5),
    effort (1 to 7, 7 the least), one column an attribute (0 to 10); a row of all who were asked,
    empty where they did not answer. cases: customer_id, date, cost. campaigns, referrals:
    customer_id, date. satisfaction: the true points of each customer and quarter. truth: effects.
    """

    customers: "pd.DataFrame"
    transactions: "pd.DataFrame"
    subscriptions: "pd.DataFrame"
    surveys: "pd.DataFrame"
    cases: "pd.DataFrame"
    campaigns: "pd.DataFrame"
    referrals: "pd.DataFrame"
    satisfaction: "pd.DataFrame"
    truth: "pd.DataFrame"
    start: date
    end: date

    @property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """All tables by name."""
        import pandas as pd

        held = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: table for name, table in held.items() if isinstance(table, pd.DataFrame)}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(table):,} {name}" for name, table in self.tables.items())
        return f"Company, simulated, {self.start} to {self.end}: {sizes}"


def company(
    customers: int = 5_000,
    *,
    seed: int | np.random.Generator = 1,
    truth: Truth | None = None,
    quarters: int = 8,
    start: str | date = "2023-01-01",
    lever: Lever | None = None,
) -> Company:
    """A simulated company of so many customers, two thirds of them there from the start.

    seed: a number or a Generator; truth: the set amounts; quarters: how long it is watched; start:
    first day, the first of a quarter; lever: what is done for some of them, until which all is as
    it would be without, by the same seed. Nothing happens on the first day of a quarter but surveys
    and joining, so what follows an answer lies in its quarter.

    >>> made = company(300, seed=3)
    >>> made
    Company, simulated, 2023-01-01 to 2024-12-31: 300 customers, ...
    >>> made.truth["truth"].head(2).tolist()
    [-0.25, 0.08]
    """
    first = day("start", start)
    if first is None or first.day != 1 or first.month % 3 != 1:
        raise OptionError(f"start {start!r} is not the first day of a quarter")
    for name, count, least in (("customers", customers, 10), ("quarters", quarters, 2)):
        if not isinstance(count, int) or count < least:
            raise OptionError(f"{name} {count!r} is not a whole number of {least} or more")
    if quarters > MOST_QUARTERS:
        raise OptionError(f"quarters {quarters:,} is more than {MOST_QUARTERS}: a century")
    set_to, rng = Truth() if truth is None else truth, generator(seed)
    if not isinstance(set_to, Truth):
        raise OptionError(f"truth is a Truth, as in Truth(orders=0.1), got {truth!r}")
    if customers * quarters > MOST:
        raise OptionError(
            f"{customers:,} customers by {quarters:,} quarters are more than {MOST:,} rows"
        )
    if not (lever is None or isinstance(lever, Lever)):
        raise OptionError(f"lever is a Lever, as in Lever(customers=[1, 2], ...), got {lever!r}")
    if lever is not None:
        lever.check(customers, [Quarter(place, first).first for place in range(quarters)])
    people = newcomers(customers, quarters, set_to, rng)
    joining = rng.spawn(1)[0]  # of its own, since a lever changes how much is drawn in the walk
    parts, left, means = _walk(people, quarters, first, (set_to, lever), rng)
    parts["transactions"].insert(0, first_orders(people, first, joining))
    cost = acquisition_costs(people, means, set_to, rng)
    tables = {name: _table(pieces) for name, pieces in parts.items()}
    return Company(
        customers=_customers(people, first, cost),
        subscriptions=_contracts(people, first, left),
        truth=set_to.table,
        start=first,
        end=Quarter(quarters - 1, first).last,
        **tables,
    )


def _walk(
    people: People,
    quarters: int,
    first: date,
    given: tuple[Truth, Lever | None],
    rng: np.random.Generator,
) -> tuple[dict[str, list[dict[str, Any]]], Any, Floats]:
    """Columns of each table by quarter; the day (n,) each left; mean satisfaction by channel."""
    (truth, lever), n, channels = given, people.joins.size, len(CHANNELS)
    passing = truth.within * alike(n, truth.likeness, rng)
    shock = SHOCK * rng.standard_normal(channels)
    left, means = np.full(n, np.datetime64("NaT", "D")), np.zeros((quarters, channels))
    parts: dict[str, list[dict[str, Any]]] = {}
    before = np.zeros(n, dtype=np.int64)
    for place in range(quarters):
        now = Quarter(place, first)
        rows = np.flatnonzero((people.joins < place) & np.isnat(left))
        pushes = Pushes.of(lever, n, now.first)
        at = active(people, rows, place, (passing, shock), pushes, truth)
        means[place] = _means(at, channels)
        leaves = departures(at, now, truth, rng)
        left[rows[leaves > 0]] = now.dates(leaves[leaves > 0])
        points = {
            "customer_id": rows + 1,
            "date": now.dates(0, rows.size),
            "points": at.satisfaction,
        }
        found = {
            "surveys": answers(at, before[rows], now, truth, rng),
            "satisfaction": points,
            **happenings(people, at, leaves, now, truth, rng),
        }
        before = _orders(found["transactions"], n)
        for name, piece in found.items():
            parts.setdefault(name, []).append(piece)
        passing, shock = next_quarter(passing, shock, truth, rng)
    return parts, left, means


def _orders(lines: dict[str, Any], n: int) -> Ints:
    """(n,) orders of each customer."""
    _, first = np.unique(lines["order_id"], return_index=True)
    return np.bincount(lines["customer_id"][first] - 1, minlength=n)


def _means(at: Active, channels: int) -> Floats:
    """Mean satisfaction of each channel; the middle where nobody is left."""
    count = np.bincount(at.channel, minlength=channels)
    total = np.bincount(at.channel, weights=at.z, minlength=channels)
    return np.asarray(MIDDLE + total / np.maximum(count, 1))


def _table(pieces: list[dict[str, Any]]) -> "pd.DataFrame":
    """One table of the pieces of all quarters, in the order of days; order ids run on."""
    import pandas as pd

    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    columns["date"] = columns["date"].astype("datetime64[s]")
    if "order_id" in columns:
        counts = [int(piece["order_id"].max(initial=-1)) + 1 for piece in pieces]
        before = np.repeat(np.cumsum([0, *counts[:-1]]), [piece["date"].size for piece in pieces])
        columns["order_id"] = columns["order_id"] + before + 1
    order = np.lexsort((columns["customer_id"], columns["date"]))
    return pd.DataFrame({name: column[order] for name, column in columns.items()}).assign(
        simulated=True
    )


def _customers(people: People, first: date, cost: Floats) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "customer_id": np.arange(1, people.joins.size + 1),
            "channel": np.take(CHANNELS, people.channel),
            "segment": np.take(SEGMENTS, people.segment),
            "joined": joining_days(people, first).astype("datetime64[s]"),
            "acquisition_cost": np.round(cost, 2),
            "simulated": True,
        }
    )


def _contracts(people: People, first: date, left: Any) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "customer_id": np.arange(1, people.joins.size + 1),
            "start": joining_days(people, first).astype("datetime64[s]"),
            "end": left.astype("datetime64[s]"),
            "simulated": True,
        }
    )
