"""The query behind a customer base, printed for a warehouse."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from cxmodels.data.periods import calendar_period
from cxmodels.data.transactions import covariate_names, day, opening_day, orders_at_a_loss
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    from cxmodels.data.sql import Window

DIALECTS = ("duckdb", "spark", "databricks", "snowflake", "bigquery", "postgres")


def summary_sql(  # noqa: PLR0913 - the arguments of customer_base
    dialect: str = "duckdb",
    *,
    table: str,
    customer: str,
    time: str,
    amount: str | None = None,
    order: str | None = None,
    unit: str | TimeUnit = "week",
    start: str | date | None = None,
    end: str | date,
    holdout_end: str | date | None = None,
    acquired_from: str | date | None = None,
    cohort: str | TimeUnit = "month",
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
    covariates: Iterable[str] = (),
    regularity: bool = False,
    negative: str = "refund",
) -> str:
    """The summary of a log as one SQL query, for people whose log lives in a warehouse.

    dialect: duckdb, spark, databricks, snowflake, bigquery or postgres.
    table: the log's table, as in "sales" or "shop.sales". The other arguments are those of
    `customer_base`; its contract is not checked, and rows it would set aside are left out.
    Raises OptionError for a choice that does not exist.

    >>> text = summary_sql(table="sales", customer="who", time="day", end="2024-06-30")
    >>> text.splitlines()[0]
    'WITH cxmodels_rows AS ('
    """
    from cxmodels.data import warehouse

    first, newcomers = opening_day(start, acquired_from)
    window = window_of(dialect, first, end, day("holdout_end", holdout_end), newcomers)
    columns = warehouse.Columns(
        customer, time, amount, order, covariate_names(covariates), timezone, time_format
    )
    how = warehouse.Counting(
        TimeUnit.parse(unit),
        Collapse.parse(collapse),
        calendar_period(cohort, "cohort", ("month", "quarter", "year")),
        dialect,
        regularity,
        orders_at_a_loss(negative, amount),
    )
    return warehouse.query(columns, table, window, how)


def cohort_sql(  # noqa: PLR0913 - the arguments of cohort_table
    dialect: str = "duckdb",
    *,
    table: str,
    customer: str,
    time: str,
    amount: str | None = None,
    order: str | None = None,
    period: str | TimeUnit = "quarter",
    start: str | date | None = None,
    end: str | date,
    acquired_from: str | date | None = None,
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
) -> str:
    """The matrix C(cohort, period) as one SQL query, for people whose log lives in a warehouse.

    The query gives cohort_start, period_start, active_customers, orders and revenue, a row per
    cohort and period with an order; customers acquired are active_customers where both starts are
    one. The arguments are those of `cohort_table` and `summary_sql`; the contract is not checked.

    >>> text = cohort_sql(table="sales", customer="who", time="day", end="2024-06-30")
    >>> text.splitlines()[0]
    'WITH cxmodels_rows AS ('
    """
    from cxmodels.data import warehouse

    first, newcomers = opening_day(start, acquired_from)
    window = window_of(dialect, first, end, None, newcomers)
    columns = warehouse.Columns(customer, time, amount, order, (), timezone, time_format)
    how = warehouse.Counting(
        TimeUnit.DAY, Collapse.parse(collapse), calendar_period(period), dialect
    )
    return warehouse.cohort_query(columns, table, window, how)


def window_of(
    dialect: str, first: date | None, end: str | date, holdout: date | None, newcomers: bool
) -> "Window":
    """The window of a printed query, which has a last day, in a dialect that exists."""
    from cxmodels.data.sql import Window

    if dialect not in DIALECTS:
        raise OptionError(f"dialect {dialect!r} is not one of {', '.join(DIALECTS)}")
    closing = day("end", end)
    if closing is None:
        raise OptionError("end is needed: a query cannot know where observation stops")
    if holdout is not None and holdout <= closing:
        raise OptionError(f"holdout_end {holdout} is not after end {closing}")
    return Window(first, closing, holdout, newcomers)
