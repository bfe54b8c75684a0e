"""The account that ties the log to the base: every row and every cent is somewhere.

The lines add up to the log exactly, in decimals; what is set aside says why.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from cxmodels.data.aggregation import CUSTOMERS, KEPT, OCCASIONS, ORDERS, Aggregated
from cxmodels.data.sql_time import moment_literal
from cxmodels.data.tables import LOG
from cxmodels.errors import CxError

TOTAL = "log"
NO_CUSTOMER = "set aside: no customer id"
EARLY = "set aside: before the window"
KNOWN = "set aside: customers acquired before the window"
LATE = "set aside: after the window"
DUPLICATES = "set aside: exact duplicates"
REVERSED = "set aside: purchases fully refunded"
NEGATIVE = "set aside: refunds without their purchase"
FIRST = "base: first purchases"
REPEAT = "base: repeat purchases"
HOLDOUT = "hold-out: customers of the base"
HOLDOUT_NEW = "hold-out: customers first seen there"
IN_BASE = (FIRST, REPEAT)


@dataclass(frozen=True)
class Entry:
    """One line of the account."""

    item: str
    rows: int = 0
    customers: int = 0
    amount: Decimal = Decimal(0)
    note: str = ""


def reconcile(done: Aggregated, repeated: int) -> pd.DataFrame:
    """The account as a table: item, rows, customers, amount, note.

    repeated: rows that repeat another one; told where they were kept.
    """
    parts = [*_outside(done, repeated), *_refunds(done), *_inside(done)]
    total = Entry(TOTAL, done.facts.rows, _customers(done), done.facts.amount)
    rows, amount = sum(e.rows for e in parts), sum((e.amount for e in parts), Decimal(0))
    if (rows, amount) != (total.rows, total.amount):
        raise CxError(
            f"the base does not tie to the log: {rows} rows and {amount} against "
            f"{total.rows} and {total.amount}; please report this"
        )
    return pd.DataFrame([entry.__dict__ for entry in (total, *parts)])


def _money(value: object) -> Decimal:
    return Decimal(str(value)) if value is not None else Decimal("0.000000")


def _entry(item: str, found: tuple[object, ...], note: str = "") -> Entry:
    """An entry from (rows, customers, amount)."""
    rows, customers, amount = found
    return Entry(item, int(str(rows or 0)), int(str(customers or 0)), _money(amount), note)


def _outside(done: Aggregated, repeated: int) -> list[Entry]:
    """Rows that never reach an occasion; each is looked up only where the counts say so."""
    window, facts = done.ask.window, done.facts
    customer, amount = done.readings.customer, done.readings.amount
    day = f"CAST({done.readings.time.value} AS DATE)"
    money = amount.value if amount else "0"
    early = f"{day} < DATE '{window.start}'" if window.start else "FALSE"
    late = f"{day} > DATE '{window.last}'"
    named = f"NOT {customer.missing}"
    inside = f"{named} AND NOT ({early}) AND NOT ({late})"
    asked = [
        (NO_CUSTOMER, customer.missing, facts.named < facts.rows, ""),
        (
            EARLY,
            f"{named} AND {early}",
            window.start is not None and facts.first < window.start,
            f"before {window.start}",
        ),
        (
            KNOWN,
            f"{inside} AND {customer.value} IN ({done.known})",
            window.newcomers,
            f"their rows from {window.start} on",
        ),
        (LATE, f"{named} AND {late}", facts.last > window.last, f"after {window.last}"),
    ]
    entries = []
    for item, condition, present, note in asked:
        if not present:
            entries.append(Entry(item))
            continue
        found = done.row(
            f"SELECT COUNT(*), COUNT(DISTINCT {customer.value})"
            f" FILTER (WHERE {named}), SUM({money})"
            f" FROM {done.lines} WHERE {condition}"
        )
        entries.append(_entry(item, found, note))
    entries.append(_dropped(done, money, repeated))
    return entries


def _dropped(done: Aggregated, money: str, repeated: int) -> Entry:
    if not done.deduplicated:
        return Entry(DUPLICATES, note=f"{repeated:,} were found and kept")
    rows, amount = done.row(f"SELECT COUNT(*), SUM({money}) FROM {done.lines}")
    return Entry(
        DUPLICATES,
        done.facts.rows - int(str(rows)),
        0,
        done.facts.amount - _money(amount),
        "each kept once",
    )


def _refunds(done: Aggregated) -> list[Entry]:
    """What refunds left: nothing (fully reversed) or less than nothing."""
    if done.ask.losses:  # nothing is a refund
        return [Entry(REVERSED), Entry(NEGATIVE)]
    select = "SELECT SUM(lines), COUNT(DISTINCT customer_id), SUM(net) FROM"
    undone = f"{OCCASIONS} WHERE net = 0 AND refunds > 0"
    if done.ask.orders:
        undone = (
            f"(SELECT customer_id, lines, net FROM {ORDERS} WHERE net = 0 AND refunds > 0"
            f" UNION ALL SELECT customer_id, lines, net FROM {undone}) AS undone"
        )
    return [
        _entry(REVERSED, done.row(f"{select} {undone}"), "no occasion"),
        _entry(
            NEGATIVE,
            done.row(f"{select} {OCCASIONS} WHERE net < 0"),
            "returned more than was bought then",
        ),
    ]


def _inside(done: Aggregated) -> list[Entry]:
    """First and repeat purchases of the base, and the hold-out."""
    after = moment_literal(done.ask.window.after).sql("duckdb")
    counts = done.row(
        "SELECT COUNT_IF(occasions > 0), COUNT_IF(occasions > 1), COUNT_IF(occasions = 0),"
        " COUNT_IF(occasions > 0 AND later > 0), SUM(first_net) FILTER (WHERE occasions > 0),"
        " SUM(total - first_net) FILTER (WHERE occasions > 0),"
        " SUM(later_total) FILTER (WHERE occasions > 0),"
        f" SUM(later_total) FILTER (WHERE occasions = 0) FROM {CUSTOMERS}"
    )
    base, repeaters, unseen, returning = (int(str(count)) for count in counts[:4])
    counted = "TRUE" if done.ask.losses else "(net > 0 OR (net = 0 AND refunds = 0))"
    kept = f"{OCCASIONS} WHERE {counted}"
    early = done.number(f"SELECT SUM(lines) FROM {kept} AND happened < {after}")
    late = done.number(f"SELECT SUM(lines) FROM {kept} AND happened >= {after}")
    first = base + done.number(
        f"SELECT SUM(lines - 1) FROM (SELECT * FROM {kept} AND lines > 1) AS several"
        f" JOIN {CUSTOMERS} AS c ON c.customer_id = several.customer_id"
        " AND c.first_seen = several.happened WHERE c.occasions > 0"
    )
    new = 0
    if unseen:
        new = done.number(
            f"SELECT SUM(lines) FROM (SELECT * FROM {kept} AND happened >= {after}) AS later"
            f" JOIN {CUSTOMERS} AS c ON c.customer_id = later.customer_id WHERE c.occasions = 0"
        )
    return [
        _entry(FIRST, (first, base, counts[4])),
        _entry(REPEAT, (early - first, repeaters, counts[5])),
        _entry(HOLDOUT, (late - new, returning, counts[6])),
        _entry(HOLDOUT_NEW, (new, unseen, counts[7]), "not in the base" if unseen else ""),
    ]


def _customers(done: Aggregated) -> int:
    """Customers named anywhere in the log."""
    window, facts, customer = done.ask.window, done.facts, done.readings.customer
    undone = "FALSE" if done.ask.losses else "net < 0 OR (net = 0 AND refunds > 0)"
    elsewhere = [f"SELECT customer_id FROM {OCCASIONS} WHERE {undone}"]
    if done.ask.orders and not done.ask.losses:
        elsewhere.append(f"SELECT customer_id FROM {ORDERS} WHERE net = 0 AND refunds > 0")
    if facts.last > window.last or (window.start is not None and facts.first < window.start):
        elsewhere.append(f"SELECT {customer.value} FROM {LOG} WHERE NOT {customer.missing}")
    return done.number(f"SELECT COUNT(*) FROM {CUSTOMERS}") + done.number(
        f"SELECT COUNT(*) FROM (({' UNION '.join(elsewhere)}) EXCEPT"
        f" SELECT customer_id FROM {CUSTOMERS})"
    )


def kept_by_day(done: Aggregated) -> pd.DataFrame:
    """Occasions that count, by day: day, occasions."""
    return done.frame(
        f"SELECT CAST(happened AS DATE) AS day, COUNT(*) AS occasions FROM {KEPT}"
        " GROUP BY 1 ORDER BY 1"
    )
