"""Orders and revenue of every customer in every period, and the matrix of cohorts they sum to.

The matrix leaves the engine as exact decimals; the panel, on which a customer-base audit counts,
as numbers, one row per customer and period with an order.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from cxmodels.data import cohort_sql, tables
from cxmodels.data.aggregation import CUSTOMERS, KEPT, Aggregated
from cxmodels.data.cohorts import CohortTable, filled
from cxmodels.data.log_contract import LogColumns
from cxmodels.data.log_notes import duplicate_rows, notes_on, suspected_truncation
from cxmodels.data.opening import Choices, prepared
from cxmodels.data.periods import calendar_periods
from cxmodels.data.reconciliation import IN_BASE, reconcile
from cxmodels.data.units import TimeUnit
from cxmodels.errors import CxError, DataError

PANEL, CODES = "cxmodels_panel", "cxmodels_codes"


@dataclass(frozen=True)
class Panel:
    """Who bought what when, in the periods of `cohorts`.

    customers: customer_id, cohort (place of the period of acquisition), first_date, second_date
    (day of the second occasion, missing where there is none), by customer_id.
    cells: customer (place in `customers`), period (place), orders, revenue; by customer and period.
    """

    cohorts: CohortTable
    customers: pd.DataFrame
    cells: pd.DataFrame


def cohorts_from(
    log: Any, table: str | None, names: LogColumns, choices: Choices, period: TimeUnit
) -> CohortTable:
    """The matrix of a log; DataError where the log cannot be read or breaks its contract."""
    with tables.open_log(log, table) as source:
        try:
            return _cohorts(prepared(source, names, choices), choices, period)
        except duckdb.Error as error:  # a file that turns out unreadable half way
            raise DataError(f"log ({source.what})", [tables.unreadable(error)]) from None


def panel_from(
    log: Any, table: str | None, names: LogColumns, choices: Choices, period: TimeUnit
) -> Panel:
    """The panel of a log and its matrix; DataError as in `cohorts_from`."""
    with tables.open_log(log, table) as source:
        try:
            done = prepared(source, names, choices)
            cohorts = _cohorts(done, choices, period)
            return Panel(cohorts, _customers(done, cohorts), _cells(done, cohorts))
        except duckdb.Error as error:
            raise DataError(f"log ({source.what})", [tables.unreadable(error)]) from None


def _cohorts(done: Aggregated, choices: Choices, period: TimeUnit) -> CohortTable:
    query = cohort_sql.panel_sql(done.ask, period, done.opening, KEPT, CUSTOMERS)
    done.source.connection.execute(f"CREATE TEMP TABLE {PANEL} AS {query.sql('duckdb')}")
    cells = tables.rows_of(done.source.connection, cohort_sql.cells_sql(PANEL).sql("duckdb"))
    repeated = duplicate_rows(done)
    account = reconcile(done, repeated)
    window = done.ask.window
    periods = tuple(calendar_periods(done.opening, window.end, period, window.start))
    table = filled(cells, periods)
    _tie(table, account)
    return CohortTable(
        table=table,
        period=period,
        periods=periods,
        collapse=choices.collapse,
        currency=choices.currency,
        reconciliation=account,
        notes=notes_on(done, done.opening, account, repeated),
        truncated=bool(suspected_truncation(done, done.opening)),
    )


def _tie(table: pd.DataFrame, account: pd.DataFrame) -> None:
    """The matrix holds what the base holds, to the last digit."""
    base = account[account["item"].isin(IN_BASE)]
    revenue, due = sum(table["revenue"], Decimal(0)), sum(base["amount"], Decimal(0))
    acquired, known = table.loc[table["age"] == 0, "customers"].sum(), base["customers"].iloc[0]
    if revenue != due or acquired != known:
        raise CxError(
            f"the cohorts do not tie to the base: {revenue} of {acquired} customers against {due} "
            f"of {known}; please report this"
        )


def _customers(done: Aggregated, cohorts: CohortTable) -> pd.DataFrame:
    frame = done.frame(
        f"SELECT c.customer_id, MIN(p.cohort_start) AS cohort_start,"
        f" CAST(MIN(c.first_seen) AS DATE) AS first_date, MIN(s.second_seen) AS second_date"
        f" FROM {CUSTOMERS} AS c JOIN {PANEL} AS p ON p.customer_id = c.customer_id"
        f" LEFT JOIN ({_seconds()}) AS s ON s.customer_id = c.customer_id"
        f" GROUP BY c.customer_id ORDER BY c.customer_id"
    )
    days = frame[["first_date", "second_date"]].astype("datetime64[s]")
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "cohort": _places(frame["cohort_start"], cohorts),
            "first_date": days["first_date"],
            "second_date": days["second_date"],
        }
    )


def _seconds() -> str:
    """The day of each customer's second occasion."""
    return (
        f"SELECT k.customer_id, CAST(MIN(k.happened) AS DATE) AS second_seen FROM {KEPT} AS k"
        f" JOIN {CUSTOMERS} AS c ON c.customer_id = k.customer_id"
        f" AND k.happened > c.first_seen GROUP BY k.customer_id"
    )


def _cells(done: Aggregated, cohorts: CohortTable) -> pd.DataFrame:
    frame = done.frame(
        f"SELECT n.place, p.period_start, CAST(p.orders AS BIGINT) AS orders,"
        f" CAST(p.revenue AS DOUBLE) AS revenue FROM {PANEL} AS p JOIN"
        f" (SELECT customer_id, ROW_NUMBER() OVER (ORDER BY customer_id) - 1 AS place"
        f" FROM {CUSTOMERS}) AS n ON n.customer_id = p.customer_id ORDER BY n.place, p.period_start"
    )
    return pd.DataFrame(
        {
            "customer": frame["place"].astype("int64"),
            "period": _places(frame["period_start"], cohorts),
            "orders": frame["orders"],
            "revenue": frame["revenue"],
        }
    )


def _places(openings: "pd.Series[Any]", cohorts: CohortTable) -> Any:
    """The place of each period among those of the matrix."""
    known = np.array([period.opening for period in cohorts.periods], dtype="datetime64[s]")
    return known.searchsorted(openings.astype("datetime64[s]").to_numpy())
