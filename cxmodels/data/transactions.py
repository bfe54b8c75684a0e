"""The door for purchases: a log of transactions becomes a customer base.

One contract, one aggregation, whatever the log comes in; what is set aside is counted and shown.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from cxmodels.data.periods import calendar_period
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

BASE_COLUMNS = (
    "customer_id",
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "paid_frequency",
    "monetary_squares",
    "log_interval_sum",
    "interval_share",
    "first_date",
    "last_date",
    "cohort",
    "holdout_frequency",
    "holdout_amount",
)


def customer_base(  # noqa: PLR0913 - the door names every choice
    log: Any,
    *,
    customer: str,
    time: str,
    amount: str | None = None,
    order: str | None = None,
    unit: str | TimeUnit = "week",
    start: str | date | None = None,
    end: str | date | None = None,
    holdout_end: str | date | None = None,
    acquired_from: str | date | None = None,
    cohort: str | TimeUnit = "month",
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
    covariates: Iterable[str] = (),
    duplicates: str = "keep",
    table: str | None = None,
    currency: str | None = None,
    regularity: bool = False,
    negative: str = "refund",
) -> CustomerBase:
    """One row per customer from a transaction log.

    log: a pandas or polars frame (eager or lazy), Arrow table or reader, path of a Parquet or CSV
    file (or a pattern such as "sales/*.parquet"), DuckDB relation, or DuckDB connection or file
    with table=. It is read, never changed; of a connection, what is committed is read.
    customer, time, amount, order: names of its columns. Without amount there is no spend. Refunds
    are negative amounts: netted within their order where order ids are given, then within the
    customer's occasion.
    unit: hour, day, week, month, quarter or year (the last three by the calendar).
    start, end, holdout_end: first day, last day of calibration and last day of the hold-out, each
    included. By default all of the log is calibration. Rows before start are not read: a customer
    who bought before it stays, and counts as acquired at the first purchase after it (a note says
    how many; such left-truncated histories bias dropout and the value of new customers).
    acquired_from: in place of start, keeps only customers acquired from this day on. The log before
    it is a run-in that tells who is not new: whoever a row of it names, a refund included, is left
    out with all rows, counted in the reconciliation. Make the run-in as long as most customers
    take to come back.
    cohort: the period of the first purchase that labels a customer: "month" (2024-03), "quarter"
    (2024-Q1) or "year" (2024); text whose alphabetical order is that of time.
    collapse: what counts as one occasion: "day", "hour", "week", "month", "quarter", "year", or
    "none" (rows of the same time stamp only). The same word for unit and collapse, as in
    unit="month", collapse="month", counts opportunities: recency and T are whole numbers of them,
    as BG/BB needs; let `end` be the last day of one.
    timezone: where days are counted, needed for instants such as "2024-05-01T23:30:00Z".
    time_format: how text dates are written, as in "%d.%m.%Y"; ISO 8601 needs none.
    covariates: columns kept per customer, with their value at the first purchase.
    duplicates: "keep" counts rows that repeat another in every column; "drop" leaves them out.
    currency: a label for amounts, such as "USD".
    regularity: adds log_interval_sum, the natural logs of a customer's intervals between occasions
    in calibration, summed (0 without a repeat occasion), and interval_share, the last but one
    interval over the sum of the last two: what BGCNBD, MBGCNBD and `regularity` learn k from.
    negative: what a negative amount is: "refund", or "loss" where amounts are margins. An order at
    a loss is an order: every occasion counts and brings its margin, be it negative or 0, so rows
    that are no orders must be left out of the log. It adds monetary_squares, the squared deviations
    of a customer's repeat margins from their mean, summed: what NormalNormal learns spend from.

    Raises DataError with every problem of the log, OptionError for a choice that does not exist.

    >>> import pandas as pd
    >>> log = pd.DataFrame({"who": [1, 1, 2], "when": ["2024-01-01", "2024-01-15", "2024-01-08"],
    ...                     "paid": [10.0, 12.5, 8.0]})
    >>> base = customer_base(log, customer="who", time="when", amount="paid", end="2024-02-05")
    >>> base.table[["customer_id", "frequency", "recency", "T", "monetary_value"]]
       customer_id  frequency  recency    T  monetary_value
    0            1          1      2.0  5.0            12.5
    1            2          0      0.0  4.0             NaN
    """
    from cxmodels.data.log_contract import LogColumns
    from cxmodels.data.opening import Choices, base_from

    if duplicates not in ("keep", "drop"):
        raise OptionError(f"duplicates {duplicates!r} is not one of keep, drop")
    names = LogColumns(
        customer, time, amount, order, covariate_names(covariates), time_format, timezone
    )
    first, newcomers = opening_day(start, acquired_from)
    choices = Choices(
        start=first,
        end=day("end", end),
        holdout_end=day("holdout_end", holdout_end),
        unit=TimeUnit.parse(unit),
        collapse=Collapse.parse(collapse),
        deduplicate=duplicates == "drop",
        currency=currency,
        cohort=calendar_period(cohort, "cohort", ("month", "quarter", "year")),
        newcomers=newcomers,
        regularity=regularity,
        losses=orders_at_a_loss(negative, amount),
    )
    if choices.holdout_end is not None and choices.end is None:
        raise OptionError("holdout_end needs end, the last day of calibration")
    return base_from(log, table, names, choices)


def orders_at_a_loss(negative: str, amount: str | None) -> bool:
    """Whether a negative amount is an order at a loss."""
    if negative not in ("refund", "loss"):
        raise OptionError(f"negative {negative!r} is not one of refund, loss")
    if negative == "loss" and amount is None:
        raise OptionError('negative="loss" speaks of amounts: name their column with amount=')
    return negative == "loss"


def covariate_names(covariates: Iterable[str]) -> tuple[str, ...]:
    """The names of covariates, none of them that of a column of the base."""
    names = (covariates,) if isinstance(covariates, str) else tuple(covariates)
    taken = [name for name in names if name in BASE_COLUMNS]
    if taken:
        raise OptionError(f"covariate {taken[0]!r} has the name of a column of the base; rename it")
    return names


def opening_day(
    start: str | date | None, acquired_from: str | date | None
) -> tuple[date | None, bool]:
    """The first day of the window, and whether only customers acquired since then are kept."""
    if start is not None and acquired_from is not None:
        raise OptionError(
            "start and acquired_from both say where the window opens: start keeps customers who "
            "bought before, acquired_from leaves them out; give one"
        )
    if acquired_from is not None:
        return day("acquired_from", acquired_from), True
    return day("start", start), False


def day(name: str, value: str | date | None) -> date | None:
    """A day as given: a date, or text such as "1997-09-30".

    >>> day("end", "1997-09-30")
    datetime.date(1997, 9, 30)
    """
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise OptionError(f"{name} {value!r} is not a day such as '1997-09-30'") from None
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise OptionError(f"{name} {value!r} has a time of day; give a day, which is included")
    return moment.date()
