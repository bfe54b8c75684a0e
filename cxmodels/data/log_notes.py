"""What a reader should know about a log before trusting a fit, in whole sentences."""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from datetime import date, timedelta

import pandas as pd
import scipy

from cxmodels.data.aggregation import CUSTOMERS, KEPT, OCCASIONS, ROWS, Aggregated
from cxmodels.data.reconciliation import KNOWN, NEGATIVE, NO_CUSTOMER, REVERSED
from cxmodels.data.sql_time import period_of
from cxmodels.data.tables import LOG
from cxmodels.data.units import add_months

OPENING_EXCESS = 1.5  # new customers of the opening stretch, relative to the two after it
STRETCHES = 12  # the window is cut into this many stretches of equal length
LONGEST_SILENCE = 14  # days without a row before the end of a window that pass without a word
CERTAINTY = 0.9999  # one-sided, that the excess is not chance


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def notes_on(
    done: Aggregated, start: date, account: pd.DataFrame, repeated: int
) -> tuple[str, ...]:
    """The notes that apply, most important first."""
    found = [
        _known_truncation(done),
        suspected_truncation(done, start),
        _stops_early(done),
        _last_period_cut(done),
        *_set_aside(account),
        _losses(done) if done.ask.losses else _zero_amounts(done),
        _duplicates(repeated),
        _without_amounts(done),
        *_changing(done),
    ]
    return tuple(note for note in found if note)


def _known_truncation(done: Aggregated) -> str:
    """Customers whose history began before the window."""
    first = done.ask.window.start
    if first is None or done.facts.first >= first:
        return ""
    customer, day = done.readings.customer, f"CAST({done.readings.time.value} AS DATE)"
    count = done.number(
        f"SELECT COUNT(*) FROM (SELECT DISTINCT {customer.value} AS customer_id FROM {LOG}"
        f" WHERE NOT {customer.missing} AND {day} < DATE '{first}') AS before"
        f" SEMI JOIN {CUSTOMERS} AS c ON c.customer_id = before.customer_id"
    )
    if not count:
        return ""
    return (
        f"{counted(count, 'customer')} had bought before {first}, where the window opens: their "
        "first purchase here is not their first, and they look newer than they are. "
        f"acquired_from={str(first)!r} in place of start leaves them out."
    )


def suspected_truncation(done: Aggregated, start: date) -> str:
    """An opening rush of "new" customers is the mark of a window that opens mid-life."""
    end = done.ask.window.end
    length = max(7, ((end - start).days + 1) // STRETCHES)
    if (end - start).days + 1 < 4 * length:
        return ""
    day = f"DATE_DIFF('day', DATE '{start}', CAST(first_seen AS DATE)) // {length}"
    opening, next_two, later = (
        int(str(count or 0))
        for count in done.row(
            f"SELECT COUNT_IF({day} <= 0), COUNT_IF({day} IN (1, 2)), COUNT_IF({day} > 2)"
            f" FROM {CUSTOMERS} WHERE occasions > 0"
        )
    )
    usual = next_two / 2
    noise = float(scipy.special.ndtri(CERTAINTY)) * (opening + usual / 2) ** 0.5
    if not later or opening <= OPENING_EXCESS * usual or opening - usual <= noise:
        return ""
    return (
        f"Left truncation is likely: {opening:,} customers are first seen in the opening "
        f"{length} days, {usual:,.0f} in each stretch of that length after it. Many of them "
        "bought before the log begins and look newer than they are; leave them out with "
        "acquired_from=, a day after a run-in long enough for old customers to show themselves, or "
        "read dropout and the value of new customers with care."
    )


def _stops_early(done: Aggregated) -> str:
    """A window that runs on after the log has stopped makes everybody look inactive."""
    last, gap = done.facts.last, (done.ask.window.last - done.facts.last).days
    if gap <= LONGEST_SILENCE:
        return ""
    return (
        f"The log's last row is of {last}, {gap:,} days before the window ends: if rows are "
        "missing, customers look less alive than they are."
    )


def _last_period_cut(done: Aggregated) -> str:
    """Opportunities are compared with each other: the last one has to be as long as the rest."""
    unit, collapse, end = done.ask.unit, done.ask.collapse, done.ask.window.end
    if not collapse.has_days or unit.value != collapse.value:
        return ""
    first = collapse.last_moment(end)
    following = add_months(first, unit.months) if unit.months else first + timedelta(days=7)
    if following == end + timedelta(days=1):
        return ""
    return (
        f"The window ends on {end}, within the {unit.value} that began on {first}: T counts it "
        f"as a whole {unit.value}. Let `end` be the last day of one, such as "
        f"{following - timedelta(days=1)}."
    )


def _set_aside(account: pd.DataFrame) -> list[str]:
    lines = account.set_index("item")
    notes = []
    for item, text in (
        (NO_CUSTOMER, "without a customer id"),
        (KNOWN, "of customers who were there before the window, who are not new"),
        (REVERSED, "of purchases that were fully refunded, which count as no occasion"),
        (NEGATIVE, "of refunds whose purchase was not found"),
    ):
        rows, amount = int(lines["rows"].loc[item]), float(lines["amount"].loc[item])
        if rows:
            notes.append(f"Set aside: {counted(rows, 'row')} ({amount:,.2f} in all) {text}.")
    return notes


def _zero_amounts(done: Aggregated) -> str:
    count = done.number(f"SELECT COUNT(*) FROM {KEPT} WHERE net = 0") if done.readings.amount else 0
    return (
        f"{counted(count, 'occasion')} of amount zero: counted as purchases, not as spend."
        if count
        else ""
    )


def _losses(done: Aggregated) -> str:
    """How many orders were made at a loss; with refunds among them, the log says too many."""
    losses, all_, lost = done.row(
        f"SELECT COUNT_IF(net < 0), COUNT(*), SUM(net) FILTER (WHERE net < 0) FROM {KEPT}"
    )
    if not losses:
        return "Amounts are margins, and no occasion was at a loss."
    share = float(str(losses)) / float(str(all_))
    return (
        f"Amounts are margins: {counted(int(str(losses)), 'occasion')} of {int(str(all_)):,} "
        f"({share:.1%}) were at a loss, {float(str(lost)):,.2f} in all. Rows that are refunds and "
        "no orders must be left out of such a log."
    )


def _without_amounts(done: Aggregated) -> str:
    return "" if done.readings.amount else "No amounts were given: spend cannot be modelled."


def duplicate_rows(done: Aggregated) -> int:
    """Rows inside the window that repeat another one in every column of the log.

    Only an occasion of several lines can hold one, so only those lines are compared.
    """
    if done.deduplicated:
        return 0
    several = f"SELECT customer_id, happened FROM {OCCASIONS} WHERE lines > 1"
    if not done.number(f"SELECT COUNT(*) FROM ({several})"):
        return 0
    moment = period_of(done.ask.fields.moment, done.ask.collapse, "duckdb").sql("duckdb")
    same = "l.customer_id = several.customer_id AND l.happened = several.happened"
    if done.ask.orders or done.ask.collapse.has_days:
        # an order's lines may lie on other days than its occasion; a split week is moved
        same = "l.customer_id = several.customer_id"
    columns = ", ".join(column.place for column in done.source.columns)
    return done.number(
        f"SELECT SUM(copies - 1) FROM (SELECT COUNT(*) AS copies FROM ("
        f"SELECT {done.readings.customer.value} AS customer_id, {moment} AS happened,"
        f" HASH({columns}) AS content FROM {LOG} WHERE {_inside(done)}) AS l"
        f" SEMI JOIN ({several}) AS several ON {same} GROUP BY l.customer_id, l.content)"
    )


def _inside(done: Aggregated) -> str:
    """The condition of a log line that names a customer inside the window."""
    window, day = done.ask.window, f"CAST({done.readings.time.value} AS DATE)"
    text = f"NOT {done.readings.customer.missing} AND {day} <= DATE '{window.last}'"
    return text if window.start is None else f"{text} AND {day} >= DATE '{window.start}'"


def _duplicates(count: int) -> str:
    return (
        f"{counted(count, 'exact duplicate')} of another row, kept; duplicates='drop' leaves "
        "such rows out."
        if count
        else ""
    )


def _changing(done: Aggregated) -> list[str]:
    notes = []
    for place, name in enumerate(done.ask.fields.covariates):
        count = done.number(
            f"SELECT COUNT(*) FROM (SELECT customer_id FROM {ROWS} GROUP BY customer_id"
            f" HAVING MIN(covariate_{place}) <> MAX(covariate_{place}))"
        )
        if count:
            notes.append(
                f"{name!r} changes over time for {counted(count, 'customer')}; the value at the "
                "first purchase is used."
            )
    return notes
