"""The query behind a customer base, printed for a warehouse."""

from collections.abc import Iterable
from datetime import date

from cxmodels.data.transactions import covariate_names, day
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

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
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
    covariates: Iterable[str] = (),
    regularity: bool = False,
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

    if dialect not in DIALECTS:
        raise OptionError(f"dialect {dialect!r} is not one of {', '.join(DIALECTS)}")
    closing = day("end", end)
    if closing is None:
        raise OptionError("end is needed: a query cannot know where observation stops")
    columns = warehouse.Columns(
        customer, time, amount, order, covariate_names(covariates), timezone, time_format
    )
    days = (day("start", start), closing, day("holdout_end", holdout_end))
    return warehouse.query(
        columns,
        table,
        days,
        warehouse.Asked(TimeUnit.parse(unit), Collapse.parse(collapse), regularity),
        dialect,
    )
