"""The one definition of the matrix C(cohort, period), as SQL over the door's occasions.

panel   customer_id, cohort_start, period_start, orders, revenue: a row per customer and period
cells   the same summed over customers: active_customers, orders, revenue

A customer's cohort is the period of the first occasion, so that everybody acquired is active in the
period of acquisition: customers acquired are the active ones of the cell cohort = period.
"""

from datetime import date

from sqlglot import exp

from cxmodels.data.sql import Aggregation
from cxmodels.data.sql_time import Tree, fill, moment_literal, opening_sql
from cxmodels.data.units import TimeUnit


def panel_sql(
    ask: Aggregation, period: TimeUnit, opening: date | None, kept: str, customers: str
) -> Tree:
    """Orders and revenue of each customer in each period in which the customer bought.

    opening: first day of the window; an occasion that a week or month opens before it counts there.
    """
    parts = {
        "cohort": _opening_of("c.first_seen", period, opening, ask.dialect),
        "period": _opening_of("k.happened", period, opening, ask.dialect),
        "kept": exp.to_table(kept),
        "customers": exp.to_table(customers),
    }
    return fill(
        "SELECT customer_id, cohort_start, period_start, COUNT(*) AS orders, SUM(net) AS revenue"
        " FROM (SELECT k.customer_id, _cohort AS cohort_start, _period AS period_start, k.net"
        " FROM _kept AS k JOIN _customers AS c ON c.customer_id = k.customer_id) AS dated"
        " GROUP BY customer_id, cohort_start, period_start",
        **parts,
    )


def cells_sql(panel: str) -> exp.Select:
    """The matrix, one row per cohort and period with an order."""
    return (
        exp.select(
            "cohort_start",
            "period_start",
            fill("CAST(COUNT(*) AS BIGINT) AS active_customers"),
            fill("CAST(SUM(orders) AS BIGINT) AS orders"),
            fill("SUM(revenue) AS revenue"),
        )
        .from_(panel)
        .group_by("cohort_start", "period_start")
        .order_by("cohort_start", "period_start")
    )


def _opening_of(column: str, period: TimeUnit, opening: date | None, dialect: str) -> Tree:
    """The first day of the calendar period that holds a day."""
    day = fill(f"CAST({column} AS DATE)")
    if opening is not None:
        day = fill("GREATEST(_day, _opening)", day=day, opening=moment_literal(opening))
    return opening_sql(day, period.value.upper(), False, dialect)
