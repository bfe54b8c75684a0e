"""The one definition of how a log of purchases becomes one row per customer, as SQL.

Written as DuckDB SQL; names, dates and formats enter through the syntax tree and are never pasted
into text. `customer_base` runs these statements one after the other, `summary_sql` prints them as
one query for a warehouse: the same trees serve both.

rows       the log inside the window: customer_id, happened (occasion time), amount, order_id
orders     (only with order ids) each order netted at its first date
occasions  customer_id, happened, net, lines (log rows), refunds (negative parts)
kept       occasions that count: net above 0, or 0 without any refund; all of them where a
           negative amount is a loss
customers  one row per customer: counts, first and last occasion, sums
intervals  (only if asked) the logs of a customer's intervals between occasions, summed
squares    (only with losses) squared deviations of a customer's repeat amounts, summed
summary    frequency, recency, T, monetary_value and the rest
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlglot import exp

from cxmodels.data.sql_time import (
    Tree,
    anchors_sql,
    calendar_sql,
    day_of,
    elapsed_sql,
    fill,
    moment_literal,
    months_sql,
    period_of,
)
from cxmodels.data.units import Collapse, TimeUnit

MONEY_DIGITS, MONEY_SCALE = 18, 6
MONEY = f"DECIMAL({MONEY_DIGITS}, {MONEY_SCALE})"
MONEY_LIMIT = 10 ** (MONEY_DIGITS - MONEY_SCALE)
WITHOUT_MIN_BY = ("bigquery", "postgres")  # the first amount is joined there
CALENDAR, ANCHORS = "cxmodels_calendar", "cxmodels_anchors"


@dataclass(frozen=True)
class Fields:
    """The log's columns as expressions that are ready to use: typed, in local time."""

    customer: Tree
    present: Tree  # condition: the customer id is not missing
    moment: Tree
    amount: Tree
    order: Tree | None
    covariates: Mapping[str, Tree]


@dataclass(frozen=True)
class Window:
    """First and last days of observation; `end` closes calibration, `holdout_end` the hold-out.

    newcomers: customers of whom a row before `start` speaks are left out.
    """

    start: date | None
    end: date
    holdout_end: date | None
    newcomers: bool = False

    @property
    def last(self) -> date:
        return self.holdout_end or self.end

    @property
    def after(self) -> date:
        """The day after calibration."""
        return self.end + timedelta(days=1)


@dataclass(frozen=True)
class Aggregation:
    """What is asked of the log, in one dialect."""

    fields: Fields
    window: Window
    unit: TimeUnit
    collapse: Collapse
    dialect: str = "duckdb"
    cohort: TimeUnit = TimeUnit.MONTH
    regularity: bool = False  # whether the logs of intervals are summed
    losses: bool = False  # a negative amount is an order at a loss, not a refund

    @property
    def orders(self) -> bool:
        return self.fields.order is not None

    @property
    def after(self) -> Tree:
        """The moment at which calibration is over."""
        day = self.window.after
        clock = self.collapse.has_clock
        return moment_literal(datetime(day.year, day.month, day.day) if clock else day)

    @property
    def paid(self) -> str:
        """The condition that an occasion brought money: with losses, every one does."""
        return "TRUE" if self.losses else "net > 0"

    @property
    def holdout(self) -> bool:
        return self.window.holdout_end is not None


def rows_sql(ask: Aggregation, source: Tree) -> exp.Select:
    """The log inside the window, one row per line."""
    fields, window = ask.fields, ask.window
    day = day_of(fields.moment)
    happened = period_of(fields.moment, ask.collapse, ask.dialect)
    if ask.holdout and ask.collapse.has_days:
        happened = fill(
            "CASE WHEN _day < _after THEN _period ELSE GREATEST(_period, _after) END",
            day=day,
            period=happened,
            after=moment_literal(window.after),
        )
    query = exp.select(
        exp.alias_(fields.customer.copy(), "customer_id"),
        exp.alias_(happened, "happened"),
        exp.alias_(fields.amount.copy(), "amount"),
    ).from_(source.copy())
    if fields.order is not None:
        query = query.select(exp.alias_(fields.order.copy(), "order_id"))
    for place, value in enumerate(fields.covariates.values()):
        query = query.select(exp.alias_(value.copy(), f"covariate_{place}"))
    query = query.where(
        fields.present.copy(), fill("_day <= _last", day=day, last=moment_literal(window.last))
    )
    if window.start is not None:
        query = query.where(fill("_day >= _start", day=day, start=moment_literal(window.start)))
        if window.newcomers:
            known = exp.paren(known_sql(ask, source, window.start))
            query = query.where(fill("NOT _who IN _known", who=fields.customer, known=known))
    return query


def known_sql(ask: Aggregation, source: Tree, day: date) -> exp.Select:
    """Customers of whom a row before `day` speaks, be it a purchase or a refund."""
    fields = ask.fields
    early = fill("_day < _start", day=day_of(fields.moment), start=moment_literal(day))
    return exp.select(fields.customer.copy()).from_(source.copy()).where(fields.present, early)


def orders_sql(ask: Aggregation, rows: str) -> Tree:
    """Each order netted at its first date; calibration and hold-out are netted apart."""
    late = fill("happened >= _after", after=ask.after)
    return fill(
        "SELECT customer_id, order_id, MIN(happened) AS happened, SUM(amount) AS net,"
        " COUNT(*) AS lines, COUNT_IF(amount < 0) AS refunds FROM _rows"
        " WHERE order_id IS NOT NULL GROUP BY customer_id, order_id, _late",
        rows=exp.to_table(rows),
        late=late,
    )


def occasions_sql(ask: Aggregation, rows: str, orders: str) -> Tree:
    """One row per customer and occasion; what an order id could not net is netted here."""
    if not ask.orders:
        return fill(
            "SELECT customer_id, happened, SUM(amount) AS net, COUNT(*) AS lines,"
            " COUNT_IF(amount < 0) AS refunds FROM _rows GROUP BY customer_id, happened",
            rows=exp.to_table(rows),
        )
    return fill(
        "SELECT customer_id, happened, SUM(net) AS net, SUM(lines) AS lines,"
        " COUNT_IF(net < 0) AS refunds FROM ("
        "SELECT customer_id, happened, net, lines FROM _orders WHERE _counted"
        " UNION ALL SELECT customer_id, happened, amount, 1 FROM _rows WHERE order_id IS NULL"
        ") AS parts GROUP BY customer_id, happened",
        rows=exp.to_table(rows),
        orders=exp.to_table(orders),
        counted=exp.true() if ask.losses else fill("NOT (net = 0 AND refunds > 0)"),
    )


def kept_sql(ask: Aggregation, occasions: str) -> Tree:
    """Occasions that count as purchases."""
    if ask.losses:
        return fill(
            "SELECT customer_id, happened, net FROM _occasions", occasions=exp.to_table(occasions)
        )
    return fill(
        "SELECT customer_id, happened, net FROM _occasions"
        " WHERE net > 0 OR (net = 0 AND refunds = 0)",
        occasions=exp.to_table(occasions),
    )


def customers_sql(ask: Aggregation, kept: str) -> Tree:
    """One row per customer who bought in the window, hold-out buyers included."""
    early = "happened < _after" if ask.holdout else "TRUE"
    columns = [
        "customer_id",
        f"COUNT_IF({early}) AS occasions" if ask.holdout else "COUNT(*) AS occasions",
        "MIN(happened) AS first_seen",
        _within("MAX", "happened", early) + " AS last_seen",
        _within("SUM", "net", early) + " AS total",
        f"COUNT_IF({early} AND {ask.paid}) AS paid",
        "COUNT_IF(NOT (happened < _after)) AS later" if ask.holdout else "0 AS later",
        "SUM(CASE WHEN happened < _after THEN 0 ELSE net END) AS later_total"
        if ask.holdout
        else "0 AS later_total",
    ]
    parts = {"after": ask.after, "kept": exp.to_table(kept)}
    if ask.dialect not in WITHOUT_MIN_BY:
        columns.append("MIN_BY(net, happened) AS first_net")
        return fill(f"SELECT {', '.join(columns)} FROM _kept GROUP BY customer_id", **parts)
    return fill(
        f"SELECT sums.*, opening.net AS first_net FROM (SELECT {', '.join(columns)}"
        " FROM _kept GROUP BY customer_id) AS sums JOIN _kept AS opening"
        " ON opening.customer_id = sums.customer_id"
        " AND opening.happened = sums.first_seen",
        **parts,
    )


def _within(function: str, what: str, condition: str) -> str:
    if condition == "TRUE":
        return f"{function}({what})"
    return f"{function}(CASE WHEN {condition} THEN {what} END)"


def intervals_sql(ask: Aggregation, kept: str) -> Tree:
    """log_interval_sum and interval_share of each customer with a repeat occasion in calibration.

    In the base's unit, a calendar unit taken at its mean length: only ratios of intervals matter
    to regularity. The share is that of the last but one interval in the sum of the last two.
    """
    counted = TimeUnit.DAY if ask.unit.months else ask.unit
    size = 365.2425 / ask.unit.per_year if ask.unit.months else 1.0
    before, earlier, happened = (exp.column(name) for name in ("before", "earlier", "happened"))

    def gap(start: Tree, stop: Tree) -> Tree:
        return elapsed_sql(start, stop, counted, ask.collapse.has_clock, ask.dialect)

    return fill(
        "SELECT customer_id, SUM(LN((_gap) / (_size))) AS log_interval_sum,"
        " MAX(CASE WHEN from_last = 1 AND NOT before IS NULL THEN (_first) / (_two) END)"
        " AS interval_share FROM (SELECT customer_id, happened,"
        " LAG(happened) OVER (PARTITION BY customer_id ORDER BY happened) AS earlier,"
        " LAG(happened, 2) OVER (PARTITION BY customer_id ORDER BY happened) AS before,"
        " ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY happened DESC) AS from_last"
        " FROM _kept WHERE happened < _after"
        ") AS pairs WHERE NOT earlier IS NULL GROUP BY customer_id",
        gap=gap(earlier, happened),
        first=gap(before, earlier),
        two=gap(before, happened),
        size=exp.cast(exp.Literal.number(size), "double"),
        kept=exp.to_table(kept),
        after=ask.after,
    )


def squares_sql(ask: Aggregation, kept: str, customers: str) -> Tree:
    """monetary_squares: squared deviations of a customer's repeat amounts from their mean."""
    return fill(
        "SELECT bought.customer_id,"
        " VAR_POP(CAST(bought.net AS DOUBLE)) * COUNT(*) AS monetary_squares"
        " FROM _kept AS bought JOIN _customers AS buyers"
        " ON bought.customer_id = buyers.customer_id AND bought.happened > buyers.first_seen"
        " WHERE bought.happened < _after GROUP BY bought.customer_id",
        kept=exp.to_table(kept),
        customers=exp.to_table(customers),
        after=ask.after,
    )


def repeats_sql(ask: Aggregation, kept: str, customers: str) -> Tree:
    """Every repeat occasion in calibration, with what it brought."""
    return fill(
        "SELECT bought.customer_id, CAST(bought.happened AS TIMESTAMP) AS happened,"
        " CAST(bought.net AS DOUBLE) AS amount"
        " FROM _kept AS bought JOIN _customers AS buyers"
        " ON bought.customer_id = buyers.customer_id AND bought.happened > buyers.first_seen"
        " WHERE bought.happened < _after ORDER BY bought.customer_id, bought.happened",
        kept=exp.to_table(kept),
        customers=exp.to_table(customers),
        after=ask.after,
    )


def covariates_sql(ask: Aggregation, rows: str, customers: str) -> exp.Select:
    """Each covariate as it stood at the first occasion (the smallest value where several did)."""
    query = exp.select("lines.customer_id").from_(exp.alias_(exp.to_table(rows), "lines"))
    for place in range(len(ask.fields.covariates)):
        value = exp.Min(this=exp.column(f"covariate_{place}", table="lines"))
        query = query.select(exp.alias_(value, f"covariate_{place}"))
    buyers = exp.alias_(exp.to_table(customers), "buyers")
    on = fill("lines.customer_id = buyers.customer_id AND lines.happened = buyers.first_seen")
    return query.join(buyers, on=on).group_by("lines.customer_id")


def calendar_steps(ask: Aggregation, customers: str) -> dict[str, exp.Select]:
    """Steps between customers and summary where time is measured in calendar months."""
    if not ask.unit.months:
        return {}
    clock, dialect = ask.collapse.has_clock, ask.dialect
    first, last, closing = _moments(ask)
    dated = (
        exp.select(f"{customers}.*")
        .from_(customers)
        .select(
            *calendar_sql("recency", first, last, clock, dialect),
            *calendar_sql("age", first, closing, clock, dialect),
        )
    )
    anchored = (
        exp.select(f"{CALENDAR}.*")
        .from_(CALENDAR)
        .select(*anchors_sql("recency"), *anchors_sql("age"))
    )
    return {CALENDAR: dated, ANCHORS: anchored}


def _moments(ask: Aggregation) -> tuple[Tree, Tree, Tree]:
    """First and last occasion, and the end of observation."""
    return (
        exp.column("first_seen"),
        exp.column("last_seen"),
        moment_literal(ask.collapse.last_moment(ask.window.end)),
    )


def _times(ask: Aggregation) -> tuple[Tree, Tree]:
    """recency and T."""
    clock = ask.collapse.has_clock
    if ask.unit.months:
        return months_sql("recency", ask.unit, clock), months_sql("age", ask.unit, clock)
    first, last, closing = _moments(ask)
    return (
        elapsed_sql(first, last, ask.unit, clock, ask.dialect),
        elapsed_sql(first, closing, ask.unit, clock, ask.dialect),
    )


def cohort_sql(period: TimeUnit) -> Tree:
    """The month, quarter or year of the first occasion as text that sorts by time."""
    if period is TimeUnit.QUARTER:
        return fill(
            "CONCAT(STRFTIME(CAST(first_seen AS DATE), '%Y'), '-Q',"
            " CAST(EXTRACT(QUARTER FROM CAST(first_seen AS DATE)) AS TEXT))"
        )
    form = exp.Literal.string("%Y" if period is TimeUnit.YEAR else "%Y-%m")
    return fill("STRFTIME(CAST(first_seen AS DATE), _form)", form=form)


def summary_select(ask: Aggregation, customers: str) -> exp.Select:
    """The columns of a customer base, sorted by customer; calendar steps come before it."""
    recency, age = _times(ask)
    first = "1" if ask.losses else "CASE WHEN first_net > 0 THEN 1 ELSE 0 END"
    repeats = f"(paid - {first})"
    query = (
        exp.select(
            exp.column("customer_id"),
            fill("CAST(occasions - 1 AS BIGINT) AS frequency"),
            exp.alias_(recency, "recency"),
            exp.alias_(age, "T", quoted=True),
            fill(
                f"CASE WHEN {repeats} > 0 THEN CAST(total - first_net AS DOUBLE)"
                f" / CAST({repeats} AS DOUBLE) END AS monetary_value"
            ),
            fill(f"CAST({repeats} AS BIGINT) AS paid_frequency"),
            fill("CAST(first_seen AS TIMESTAMP) AS first_date"),
            fill("CAST(last_seen AS TIMESTAMP) AS last_date"),
            exp.alias_(cohort_sql(ask.cohort), "cohort"),
        )
        .from_(ANCHORS if ask.unit.months else customers)
        .where("occasions > 0")
    )
    if ask.holdout:
        query = query.select(
            fill("CAST(later AS BIGINT) AS holdout_frequency"),
            fill("CAST(later_total AS DOUBLE) AS holdout_amount"),
        )
    return query.order_by("customer_id")
