"""Lens 1 of a customer-base audit: how customers differ within one period.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit, chapter 3. Revenue is customers x
orders per customer x value per order, exactly.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.measures import figures as fig
from cxmodels.measures import intervals
from cxmodels.measures.purchases_by_period import Base, Buyers, deciles_of, over
from cxmodels.results.shown_tables import ShownTables

TOPS = (0.01, 0.05, 0.20)
MOST_ORDERS = 10  # as many orders or more are one row
QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])


@dataclass(frozen=True, eq=False, repr=False)
class OnePeriod(ShownTables):
    """One period, vertically: who bought, how often, for how much.

    figures: the parts of revenue, means and concentration; orders: customers by number of orders;
    deciles: customers by spend, decile 1 the largest; quantiles: of spend, orders and value per
    order of a customer.
    """

    title: str
    figures: pd.DataFrame
    orders: pd.DataFrame
    deciles: pd.DataFrame
    quantiles: pd.DataFrame


def one_period(base: Base, period: int) -> OnePeriod:
    """Lens 1 of the period at this place."""
    found = base.buyers(period)
    return OnePeriod(
        title=f"Lens 1: one period, {base.periods[period].label}",
        figures=fig.table_of(_figures(base, found, period)),
        orders=_by_orders(found, base.level),
        deciles=_deciles(found, base.level),
        quantiles=_quantiles(found, base),
    )


def _figures(base: Base, found: Buyers, period: int) -> list[fig.Figure]:
    n, level, unit = len(found), base.level, base.unit
    orders, revenue = found.orders, found.revenue
    once, new = orders == 1, base.cohort[found.customer] == period
    rows = [
        fig.counted("customers", n, n, "customers"),
        fig.counted("orders", orders.sum(), n, "orders"),
        fig.counted("revenue", revenue.sum(), n, unit),
    ]
    means = (
        ("orders per customer", intervals.mean(orders, level), "orders per customer", fig.NORMAL),
        ("value per order", intervals.ratio(revenue, orders, level), unit, fig.LINEARISED),
        ("revenue per customer", intervals.mean(revenue, level), unit, fig.NORMAL),
    )
    rows += [fig.estimated(item, found_, n, kind, how) for item, found_, kind, how in means]
    for item, those in (("customers with one order", once), ("customers acquired in it", new)):
        share = intervals.wilson(those.sum(), np.float64(n), level)
        rows.append(fig.estimated(item, share, n, "share", fig.WILSON))
    for top in TOPS:
        share = intervals.top_share(revenue, top, level)
        item = f"revenue of the top {top * 100:g} per cent"
        rows.append(fig.estimated(item, share, n, "share", fig.LINEARISED))
    spread = intervals.gini(revenue, level)
    rows.append(fig.estimated("Gini coefficient of revenue", spread, n, "0 to 1", fig.LINEARISED))
    return rows


def _by_orders(found: Buyers, level: float) -> pd.DataFrame:
    """Customers by number of orders; each share has an interval of its own."""
    group = np.minimum(found.orders, MOST_ORDERS).astype(int)
    size = MOST_ORDERS + 1
    count = np.bincount(group, minlength=size)[1:]
    share = intervals.wilson(count, np.full(MOST_ORDERS, float(len(found))), level)
    revenue = np.bincount(group, weights=found.revenue, minlength=size)[1:]
    orders = np.bincount(group, weights=found.orders, minlength=size)[1:]
    names = [*map(str, range(1, MOST_ORDERS)), f"{MOST_ORDERS}+"]
    return pd.DataFrame(
        {
            "group": [f"{name} order{'' if name == '1' else 's'}" for name in names],
            "customers": count,
            "share": share.value,
            "lower": share.lower,
            "upper": share.upper,
            "orders": orders.astype(np.int64),
            "revenue": revenue,
            "revenue_share": over(revenue, np.full(MOST_ORDERS, revenue.sum())),
        }
    )


def _deciles(found: Buyers, level: float) -> pd.DataFrame:
    """A tenth of the customers a row, by revenue; fewer rows where there are fewer than ten."""
    decile = deciles_of(found.revenue)
    n, rows = len(found), []
    for number in np.unique(decile):
        inside = decile == number
        revenue, orders = found.revenue[inside], found.orders[inside]
        rank = np.flatnonzero(np.sort(decile) == number)
        share = intervals.share_between(found.revenue, rank[0] / n, (rank[-1] + 1) / n, level)
        counts = (int(number), int(inside.sum()), int(orders.sum()), revenue.sum())
        ends = (float(share.value), float(share.lower), float(share.upper))
        means = (orders.mean(), float(over(revenue.sum(), orders.sum())), revenue.mean())
        rows.append((*counts, *ends, *means, revenue.min(), revenue.max()))
    columns = ["decile", "customers", "orders", "revenue", "share", "lower", "upper"]
    columns += ["orders_per_customer", "value_per_order", "revenue_per_customer", "least", "most"]
    return pd.DataFrame(rows, columns=columns)


def _quantiles(found: Buyers, base: Base) -> pd.DataFrame:
    measures = (
        ("revenue per customer", found.revenue, base.unit),
        ("orders per customer", found.orders, "orders per customer"),
        ("value per order of a customer", over(found.revenue, found.orders), base.unit),
    )
    tables = []
    for item, values, unit in measures:
        ends = intervals.quantiles(values, QUANTILES, base.level)
        table = pd.DataFrame({"item": item, "quantile": QUANTILES, "value": ends.value})
        table = table.assign(lower=ends.lower, upper=ends.upper, n=len(found), unit=unit)
        tables.append(table.assign(basis=fig.ORDER_STATISTICS))
    return pd.concat(tables, ignore_index=True)
