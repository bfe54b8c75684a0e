"""A sound log is aggregated once, in the engine; everything else is read from what comes out.

Occasions and customers are stored as temporary tables of the log's own connection; the base, its
reconciliation, its tracking table and its notes are small queries on those two.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import sqlglot
from sqlglot import exp

from cxmodels.data import sql
from cxmodels.data.log_contract import LogFacts, Readings
from cxmodels.data.sql_time import Tree
from cxmodels.data.tables import LOG, Source, rows_of

if TYPE_CHECKING:
    from cxmodels.data.opening import Choices

ROWS, ORDERS, OCCASIONS = "cxmodels_rows", "cxmodels_orders", "cxmodels_occasions"
KEPT, CUSTOMERS, DISTINCT = "cxmodels_kept", "cxmodels_customers", "cxmodels_distinct"


@dataclass(frozen=True)
class Aggregated:
    """A log that has been aggregated: the question, the log's facts, the tables to read from."""

    ask: sql.Aggregation
    facts: LogFacts
    source: Source
    readings: Readings
    deduplicated: bool

    @property
    def opening(self) -> date:
        """The first day of observation."""
        return max(self.ask.window.start or self.facts.first, self.facts.first)

    @property
    def known(self) -> str:
        """The query for customers of whom a row before the window speaks."""
        start = self.ask.window.start or self.facts.first
        return sql.known_sql(self.ask, exp.to_table(LOG), start).sql("duckdb")

    @property
    def lines(self) -> str:
        """The relation of log lines that were aggregated."""
        return DISTINCT if self.deduplicated else LOG

    def frame(self, query: str) -> pd.DataFrame:
        """The answer to a query as a frame."""
        found: pd.DataFrame = self.source.connection.sql(query).to_arrow_table().to_pandas()
        return found

    def row(self, query: str) -> tuple[Any, ...]:
        """The one row that answers a query."""
        return rows_of(self.source.connection, query)[0]

    def number(self, query: str) -> int:
        """The one count that answers a query."""
        value = self.row(query)[0]
        return 0 if value is None else int(str(value))


def fields_of(readings: Readings) -> sql.Fields:
    """The readings as trees."""

    def tree(text: str) -> Tree:
        return sqlglot.parse_one(text, read="duckdb")

    customer, amount, order = readings.customer, readings.amount, readings.order
    return sql.Fields(
        customer=tree(customer.value),
        present=tree(f"NOT {customer.missing}"),
        moment=tree(readings.time.value),
        amount=tree(amount.value if amount else f"CAST(0 AS {sql.MONEY})"),
        order=tree(order_value(order.place, order.kind)) if order else None,
        covariates={column.name: exp.column(column.place) for column in readings.covariates},
    )


def order_value(place: str, kind: str) -> str:
    """An order id; a blank text is no id."""
    return f"NULLIF(TRIM({place}), '')" if kind == "VARCHAR" else place


def aggregate(
    source: Source, readings: Readings, facts: LogFacts, window: sql.Window, choices: "Choices"
) -> Aggregated:
    """Occasions and customers, stored on the log's connection."""
    fields = fields_of(readings)
    ask = sql.Aggregation(
        fields,
        window,
        choices.unit,
        choices.collapse,
        cohort=choices.cohort,
        regularity=choices.regularity,
        losses=choices.losses,
    )
    run = source.connection
    log = LOG
    if choices.deduplicate:
        run.execute(f"CREATE TEMP TABLE {DISTINCT} AS SELECT DISTINCT * FROM {LOG}")
        log = DISTINCT
    _store(run, "VIEW", ROWS, sql.rows_sql(ask, exp.to_table(log)))
    if ask.orders:
        _store(run, "TABLE", ORDERS, sql.orders_sql(ask, ROWS))
    _store(run, "TABLE", OCCASIONS, sql.occasions_sql(ask, ROWS, ORDERS))
    _store(run, "VIEW", KEPT, sql.kept_sql(ask, OCCASIONS))
    _store(run, "TABLE", CUSTOMERS, sql.customers_sql(ask, KEPT))
    return Aggregated(ask, facts, source, readings, choices.deduplicate)


def _store(run: duckdb.DuckDBPyConnection, kind: str, name: str, query: Tree) -> None:
    run.execute(f"CREATE TEMP {kind} {name} AS {query.sql('duckdb')}")


def base_frame(done: Aggregated) -> pd.DataFrame:
    """The table of the customer base."""
    query = sql.summary_select(done.ask, CUSTOMERS)
    for name, step in sql.calendar_steps(done.ask, CUSTOMERS).items():
        query = query.with_(name, as_=step)
    frame = done.frame(query.sql("duckdb"))
    if done.ask.regularity:
        found = done.frame(sql.intervals_sql(done.ask, KEPT).sql("duckdb"))
        found = found.set_index("customer_id").reindex(frame["customer_id"]).astype("float64")
        after = frame.columns.tolist().index("paid_frequency") + 1
        logs = found["log_interval_sum"].fillna(0.0).to_numpy()
        frame.insert(after, "log_interval_sum", logs)
        frame.insert(after + 1, "interval_share", found["interval_share"].to_numpy())
    if done.ask.losses:
        found = done.frame(sql.squares_sql(done.ask, KEPT, CUSTOMERS).sql("duckdb"))
        squares = found.set_index("customer_id")["monetary_squares"]
        after = frame.columns.tolist().index("paid_frequency") + 1
        # reindex keeps the sorted order of the base; nobody to square without a repeat occasion
        squares = squares.reindex(frame["customer_id"]).astype("float64").fillna(0.0)
        frame.insert(after, "monetary_squares", squares.to_numpy())
    if done.ask.fields.covariates:
        values = done.frame(sql.covariates_sql(done.ask, ROWS, CUSTOMERS).sql("duckdb")).set_index(
            "customer_id"
        )
        after = frame.columns.tolist().index("cohort") + 1
        for place, name in enumerate(done.ask.fields.covariates):
            column = frame["customer_id"].map(values[f"covariate_{place}"])
            frame.insert(after + place, name, column)
    return frame


def occasions_frame(done: Aggregated) -> pd.DataFrame:
    """customer_id, happened and amount of every repeat occasion in calibration, in order."""
    return done.frame(sql.repeats_sql(done.ask, KEPT, CUSTOMERS).sql("duckdb"))
