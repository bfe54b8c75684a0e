"""The aggregation of sql.py put together as one query with named steps, in any dialect."""

from dataclasses import dataclass

from sqlglot import exp

from cxmodels.data import cohort_sql, sql
from cxmodels.data.sql_time import Tree, fill
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

ROWS, ORDERS, OCCASIONS = "cxmodels_rows", "cxmodels_orders", "cxmodels_occasions"
KEPT, CUSTOMERS, VALUES = "cxmodels_kept", "cxmodels_customers", "cxmodels_covariates"
PANEL, INTERVALS, SQUARES = "cxmodels_panel", "cxmodels_intervals", "cxmodels_squares"


@dataclass(frozen=True)
class Columns:
    """Which column of the warehouse table plays which part."""

    customer: str
    time: str
    amount: str | None
    order: str | None
    covariates: tuple[str, ...]
    timezone: str | None
    time_format: str | None


@dataclass(frozen=True)
class Counting:
    """How the log is counted, and in which dialect the query is written."""

    unit: TimeUnit
    collapse: Collapse
    cohort: TimeUnit
    dialect: str
    regularity: bool = False  # whether the logs of intervals are summed
    losses: bool = False  # a negative amount is an order at a loss, not a refund


def query(columns: Columns, table: str, window: sql.Window, how: Counting) -> str:
    """One row per customer, as one statement."""
    ask, steps = _customers(columns, table, window, how)
    steps.update(sql.calendar_steps(ask, CUSTOMERS))
    final = sql.summary_select(ask, CUSTOMERS)
    if ask.regularity:
        steps[INTERVALS] = sql.intervals_sql(ask, KEPT)
        final = _beside(final, INTERVALS, ("log_interval_sum",), ("interval_share",))
    if ask.losses:
        steps[SQUARES] = sql.squares_sql(ask, KEPT, CUSTOMERS)
        final = _beside(final, SQUARES, ("monetary_squares",))
    if columns.covariates:
        steps[VALUES] = sql.covariates_sql(ask, ROWS, CUSTOMERS)
        final = _with_covariates(final, columns.covariates)
    return _joined(steps, final, how.dialect)


def cohort_query(columns: Columns, table: str, window: sql.Window, how: Counting) -> str:
    """One row per cohort and period, as one statement."""
    ask, steps = _customers(columns, table, window, how)
    steps[PANEL] = cohort_sql.panel_sql(ask, how.cohort, window.start, KEPT, CUSTOMERS)
    return _joined(steps, cohort_sql.cells_sql(PANEL), how.dialect)


def _customers(
    columns: Columns, table: str, window: sql.Window, how: Counting
) -> tuple[sql.Aggregation, dict[str, Tree]]:
    """The question, and the steps from the log to one row per customer."""
    ask = sql.Aggregation(
        _fields(columns, how.dialect),
        window,
        how.unit,
        how.collapse,
        how.dialect,
        how.cohort,
        how.regularity,
        how.losses,
    )
    steps: dict[str, Tree] = {ROWS: sql.rows_sql(ask, _table(table))}
    if ask.orders:
        steps[ORDERS] = sql.orders_sql(ask, ROWS)
    steps[OCCASIONS] = sql.occasions_sql(ask, ROWS, ORDERS)
    steps[KEPT] = sql.kept_sql(ask, OCCASIONS)
    steps[CUSTOMERS] = sql.customers_sql(ask, KEPT)
    return ask, steps


def _joined(steps: dict[str, Tree], final: exp.Select, dialect: str) -> str:
    """The steps and the query that reads them as one statement."""
    for name, step in steps.items():
        final = final.with_(name, as_=step)
    return str(final.sql(dialect, pretty=True))


def _beside(
    final: exp.Select, table: str, sums: tuple[str, ...], others: tuple[str, ...] = ()
) -> exp.Select:
    """The summary beside columns of `table`, whose sums are 0 without a repeat occasion."""
    inner = final.copy()
    inner.set("order", None)
    whole = exp.select("base.*").from_(inner.subquery("base"))
    whole = whole.select(*(fill(f"COALESCE({table}.{name}, 0) AS {name}") for name in sums))
    whole = whole.select(*(exp.column(name, table=table) for name in others))
    on = fill(f"{table}.customer_id = base.customer_id")
    return whole.join(table, on=on, join_type="left").order_by("base.customer_id")


def _with_covariates(final: exp.Select, names: tuple[str, ...]) -> exp.Select:
    """The summary beside the covariates."""
    inner = final.copy()
    inner.set("order", None)
    whole = exp.select("summary.*").from_(inner.subquery("summary"))
    for place, name in enumerate(names):
        value = exp.column(f"covariate_{place}", table=VALUES)
        whole = whole.select(exp.alias_(value, name, quoted=True))
    on = fill(f"{VALUES}.customer_id = summary.customer_id")
    return whole.join(VALUES, on=on).order_by("summary.customer_id")


def _table(name: str) -> exp.Table:
    """shop.sales as a table, each part quoted."""
    parts = [exp.to_identifier(part, quoted=True) for part in reversed(name.split("."))]
    if len(parts) > 3:
        raise OptionError(f"table {name!r} has more than three parts")
    return exp.Table(**dict(zip(("this", "db", "catalog"), parts, strict=False)))


def _fields(columns: Columns, dialect: str) -> sql.Fields:
    """The warehouse's columns, typed by casts."""
    customer = exp.column(columns.customer, quoted=True)
    amount = (
        exp.Literal.number(0) if columns.amount is None else exp.column(columns.amount, quoted=True)
    )
    order = None if columns.order is None else exp.column(columns.order, quoted=True)
    return sql.Fields(
        customer=customer,
        present=fill("_id IS NOT NULL AND TRIM(CAST(_id AS TEXT)) <> ''", id=customer),
        moment=_moment(columns, dialect),
        amount=exp.cast(amount, sql.MONEY, dialect="duckdb"),
        order=order,
        covariates={name: exp.column(name, quoted=True) for name in columns.covariates},
    )


def _moment(columns: Columns, dialect: str) -> Tree:
    """The time column on the local clock."""
    moment: Tree = exp.column(columns.time, quoted=True)
    if columns.time_format is not None:
        moment = fill(
            "STRPTIME(_time, _form)",
            time=exp.cast(moment, "text"),
            form=exp.Literal.string(columns.time_format),
        )
    if columns.timezone is None:
        return exp.cast(moment, "timestamp", dialect="duckdb")
    zone = exp.Literal.string(columns.timezone)
    if dialect in ("spark", "databricks"):  # the two-argument form reads the session's own clock
        return exp.Anonymous(this="CONVERT_TIMEZONE", expressions=[zone, moment])
    if dialect == "bigquery":
        return exp.Anonymous(this="DATETIME", expressions=[moment, zone])
    return exp.AtTimeZone(this=moment, zone=zone)
