"""The matrix C(cohort, period): what each cohort of customers did in each period, as a table.

A cohort is everybody whose first purchase lies in one calendar period (Fader, Hardie and Ross 2022,
The Customer-Base Audit, chapter 8). Money is exact: sums of decimals, tied to the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cxmodels.data.periods import Period, calendar_period
from cxmodels.data.transactions import opening_day
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.log_contract import LogColumns
    from cxmodels.data.opening import Choices

VALUES = ("customers", "active_customers", "orders", "revenue")


@dataclass(frozen=True, eq=False, repr=False)
class CohortTable:
    """C(cohort, period), made by `cohort_table`.

    table: one row per cohort and period from its acquisition on, zeros included: cohort, period,
    age (periods since acquisition), period_start and period_end (days inside the window),
    customers (acquired in the cohort), active_customers, orders, revenue (decimals), complete
    (False where the window holds only a part of the period).
    reconciliation, notes: as in a customer base; revenue and customers are those of the base.
    truncated: whether the first cohort seems to hold older customers (a note says why).
    """

    table: pd.DataFrame
    period: TimeUnit
    periods: tuple[Period, ...]
    collapse: Collapse
    currency: str | None = None
    reconciliation: pd.DataFrame | None = None
    notes: tuple[str, ...] = field(default=())
    truncated: bool = False

    def wide(self, value: str = "revenue", *, by: str = "period") -> pd.DataFrame:
        """The matrix with a row per cohort: customers, then a column per period or age.

        value: "active_customers", "orders" or "revenue"; by: "period" or "age". Cells that cannot
        exist (before acquisition, after the window) are missing.
        """
        if value not in VALUES[1:] or by not in ("period", "age"):
            raise OptionError(
                f"value {value!r} by {by!r}: value is one of {', '.join(VALUES[1:])}; "
                "by is period or age"
            )
        cells = self.table.pivot_table(
            index="cohort", columns=by, values=value, aggfunc="first", dropna=False
        )
        if value != "revenue":
            cells = cells.astype("Int64")
        cells.insert(0, "customers", self.table.groupby("cohort")["customers"].first())
        return cells.rename_axis(columns=None)

    def __repr__(self) -> str:
        first, last = self.periods[0], self.periods[-1]
        sizes = self.table.loc[self.table["age"] == 0, "customers"]
        acquired, cohorts = int(sizes.sum()), int((sizes > 0).sum())
        noun = "cohort" if cohorts == 1 else "cohorts"
        revenue = f"{float(sum(self.table['revenue'])):,.2f} {self.currency or ''}".strip()
        return (
            f"CohortTable: {acquired:,} customers in {cohorts} {noun} by "
            f"{self.period.value}, {first.first} to {last.last}; revenue {revenue}"
        )

    def _repr_html_(self) -> str:
        from html import escape

        cells = self.wide().map(lambda cell: cell if isinstance(cell, int) else float(cell))
        page = cells.to_html(float_format="{:,.2f}".format, na_rep="", border=0)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<p>{escape(repr(self))}</p>{page}<ul>{notes}</ul>"


def cohort_table(  # noqa: PLR0913 - the door names every choice
    log: Any,
    *,
    customer: str,
    time: str,
    amount: str | None = None,
    order: str | None = None,
    period: str | TimeUnit = "quarter",
    start: str | date | None = None,
    end: str | date | None = None,
    acquired_from: str | date | None = None,
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
    duplicates: str = "keep",
    table: str | None = None,
    currency: str | None = None,
) -> CohortTable:
    """What each cohort did in each period: customers, active customers, orders, revenue.

    period: "week", "month", "quarter" or "year" of the calendar, for cohorts and periods alike.
    start, end: give them where the log covers days at either end on which nobody bought: else the
    window runs from the first row to the last, and the periods there may look incomplete.
    The other arguments are those of `customer_base`, and so are the rules: an order is an occasion
    (by default all that a customer buys on one day), refunds are netted, what is set aside is
    counted. The customers are those of the base.

    Raises DataError with every problem of the log, OptionError for a choice that does not exist.

    >>> from cxmodels.data import samples
    >>> found = cohort_table(samples.cdnow(), customer="customer_id", time="date", amount="amount")
    >>> found
    CohortTable: 2,357 customers in 1 cohort by quarter, 1997-01-01 to 1998-06-30; revenue ...
    >>> found.wide("active_customers").iloc[0].tolist()
    [2357, 2357, 524, 418, 404, 384, 300]
    """
    names, choices, unit = asked(
        (customer, time, amount, order, time_format, timezone),
        (start, end, acquired_from),
        period=period,
        collapse=collapse,
        duplicates=duplicates,
        currency=currency,
    )
    from cxmodels.data.purchase_panel import cohorts_from

    return cohorts_from(log, table, names, choices, unit)


def asked(
    columns: tuple[str, str, str | None, str | None, str | None, str | None],
    days: tuple[str | date | None, str | date | None, str | date | None],
    *,
    period: str | TimeUnit,
    collapse: str | Collapse,
    duplicates: str,
    currency: str | None,
) -> tuple[LogColumns, Choices, TimeUnit]:
    """The arguments of a door as records: columns, choices, period."""
    from cxmodels.data.log_contract import LogColumns
    from cxmodels.data.opening import Choices
    from cxmodels.data.transactions import day

    customer, time, amount, order, time_format, timezone = columns
    if duplicates not in ("keep", "drop"):
        raise OptionError(f"duplicates {duplicates!r} is not one of keep, drop")
    unit, merged = calendar_period(period), Collapse.parse(collapse)
    if unit is TimeUnit.WEEK and merged is Collapse.MONTH:
        raise OptionError("an occasion of a month does not lie in one week: take a longer period")
    first, newcomers = opening_day(days[0], days[2])
    choices = Choices(
        start=first,
        end=day("end", days[1]),
        holdout_end=None,
        unit=TimeUnit.DAY,
        collapse=merged,
        deduplicate=duplicates == "drop",
        currency=currency,
        newcomers=newcomers,
    )
    names = LogColumns(customer, time, amount, order, (), time_format, timezone)
    return names, choices, unit


def filled(cells: Iterable[tuple[Any, ...]], periods: tuple[Period, ...]) -> pd.DataFrame:
    """The whole triangle: a row per cohort and period from acquisition on, zeros included.

    cells: (first day of the cohort, first day of the period, active customers, orders, revenue).
    """
    import pandas as pd

    found = {(row[0], row[1]): row[2:] for row in cells}
    nothing = (0, 0, Decimal("0.000000"))
    rows = []
    for start, cohort in enumerate(periods):
        acquired = int(found.get((cohort.opening, cohort.opening), nothing)[0])
        for age, period in enumerate(periods[start:]):
            active, orders, revenue = found.get((cohort.opening, period.opening), nothing)
            days = (pd.Timestamp(period.first), pd.Timestamp(period.last))
            head = (cohort.label, period.label, age, *days, acquired)
            rows.append((*head, int(active), int(orders), Decimal(revenue), period.complete))
    ends = ("cohort", "period", "age", "period_start", "period_end", *VALUES, "complete")
    return pd.DataFrame(rows, columns=list(ends))
