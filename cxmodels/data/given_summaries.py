"""A ready summary, one row per customer, becomes a customer base: its contract.

All problems of the table are told together, with counts and the first row.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.profiles import Bools, Floats, Ints, compress
from cxmodels.data.units import TimeUnit
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.summaries import CustomerBase

REQUIRED = ("frequency", "recency", "T")
INTERVALS, SHARE = "log_interval_sum", "interval_share"
SQUARES = "monetary_squares"
MEASURES = (
    "monetary_value", "paid_frequency", "holdout_frequency", "holdout_amount", INTERVALS, SHARE,
)  # fmt: skip
DATES = ("first_date", "last_date", "cohort")


@dataclass(frozen=True)
class _Rule:
    what: str
    broken: Bools
    remedy: str = ""


def read_summary(
    cls: "type[CustomerBase]",
    frame: Any,
    *,
    unit: str | TimeUnit,
    end: str | date | None,
    holdout_T: float | None,
    covariates: tuple[str, ...],
    losses: bool,
) -> "CustomerBase":
    """The base that a sound summary describes."""
    from cxmodels.data.transactions import day

    parsed, last = TimeUnit.parse(unit), day("end", end)
    table = _with_ids(as_pandas(frame))
    problems = list(_structure(table, covariates))
    numbers = {}
    for name in (*REQUIRED, *MEASURES, *((SQUARES,) if losses else ())):
        if name in table and table.columns.tolist().count(name) == 1:
            numbers[name], problem = _numbers(table, name)
            problems += problem
    if all(name in numbers for name in REQUIRED):
        rules = _rules(table, numbers, losses)
        problems += [_told(rule, table) for rule in rules if rule.broken.any()]
    if problems:
        raise DataError("summary", problems)
    if holdout_T is not None and not holdout_T > 0:
        raise OptionError(f"holdout_T {holdout_T} is not above 0; it is a length of time")
    tidy = _tidy(table, numbers, covariates, losses).sort_values("customer_id", ignore_index=True)
    profiles = compress(
        tidy["frequency"].to_numpy(), tidy["recency"].to_numpy(), tidy["T"].to_numpy()
    )
    return cls(
        table=tidy,
        unit=parsed,
        profiles=profiles,
        end=last,
        holdout_T=holdout_T,
        losses=losses,
        covariates=covariates,
    )


def counted_rows(frame: Any, count: str) -> "tuple[pd.DataFrame, Ints]":
    """A table whose rows stand for several customers, without that column, and how many each.

    Customers are numbered from 0, as the rows of any summary without ids; a row may stand for none.
    """
    table = as_pandas(frame).reset_index(drop=True)
    if count not in table:
        found = ", ".join(str(name) for name in table.columns)
        raise OptionError(f"there is no column {count!r} to count customers by; columns: {found}")
    if "customer_id" in table:
        raise OptionError(
            f"a row is one customer by its customer_id, or {count!r} of them: give one of the two"
        )
    times, _ = _numbers(table, count)
    with np.errstate(invalid="ignore"):  # NaN is wrong here
        bad = ~((times >= 0) & (times == np.floor(times)) & np.isfinite(times))
    if bad.any():
        rule = _Rule(f"{count} is not a whole number of 0 or more", bad)
        raise DataError("summary", [_told(rule, table)])
    return table.drop(columns=[count]), times.astype(np.int64)


def as_pandas(frame: Any) -> "pd.DataFrame":
    """A pandas copy of any tabular object or file."""
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame.copy()
    from cxmodels.data.tables import LOG, open_log

    with open_log(frame) as source:
        if not source.columns:
            return pd.DataFrame()
        copy: pd.DataFrame = (
            source.connection.sql(f"SELECT * FROM {LOG}").to_arrow_table().to_pandas()
        )
    copy.columns = [column.name for column in source.columns]
    return copy


def _with_ids(table: "pd.DataFrame") -> "pd.DataFrame":
    """customer_id from its column, else from the index."""
    if "customer_id" not in table:
        table.insert(0, "customer_id", table.index)
    return table.reset_index(drop=True)


def _structure(table: "pd.DataFrame", covariates: tuple[str, ...]) -> Iterator[Problem]:
    names = [str(name) for name in table.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Problem(f"several columns share a name: {', '.join(map(repr, twice))}")
    for name in (*REQUIRED, *covariates):
        if name not in names:
            yield Problem(f"there is no column {name!r}", remedy=f"Columns: {', '.join(names)}")
    taken = {*REQUIRED, *MEASURES, *DATES, "customer_id"}.intersection(covariates)
    if taken:
        raise OptionError(f"covariate {min(taken)!r} has the name of a column of the base")
    if not len(table):
        yield Problem("the summary is empty", remedy="It has not a single row")


def _numbers(table: "pd.DataFrame", name: str) -> tuple[Floats, list[Problem]]:
    """A column as numbers, and the rows that are none."""
    import pandas as pd

    column = table[name]
    missing = column.isna().to_numpy()
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    text = np.isnan(values) & ~missing
    rule = _Rule(f"{name} is not a number", text)
    return values, [_told(rule, table)] if text.any() else []


def _rules(table: "pd.DataFrame", numbers: dict[str, Floats], losses: bool) -> Iterator[_Rule]:
    """What no row of a summary may do."""
    ids = table["customer_id"]
    yield _Rule("customer_id is missing", ids.isna().to_numpy())
    yield _Rule(
        "customer_id occurs more than once",
        ids.duplicated().to_numpy() & ids.notna().to_numpy(),
        "A summary has one row per customer; use cx.customer_base for a log",
    )
    yield from _history_rules(table, numbers)
    yield from _margin_rules(numbers) if losses else _money_rules(numbers)
    if INTERVALS in numbers:
        yield from _interval_rules(numbers)
    if SHARE in numbers:
        share = numbers[SHARE]
        with np.errstate(invalid="ignore"):  # NaN: fewer than two intervals
            outside = (share <= 0) | (share >= 1) | (~np.isnan(share) & (numbers["frequency"] < 2))
        yield _Rule(f"{SHARE} is not between 0 and 1, or given below two intervals", outside)


def _history_rules(table: "pd.DataFrame", numbers: dict[str, Floats]) -> Iterator[_Rule]:
    x, t_x, T = (numbers[name] for name in REQUIRED)
    for name, values in (("frequency", x), ("recency", t_x), ("T", T)):
        given = table[name].isna().to_numpy()
        yield _Rule(f"{name} is missing (empty or NaN)", given)
        yield _Rule(f"{name} is infinite", np.isinf(values))
    with np.errstate(invalid="ignore"):  # NaN and infinity are reported above
        yield _Rule("frequency is negative", x < 0)
        yield _Rule(
            "frequency is not a whole number",
            np.isfinite(x) & (x != np.floor(x)),
            "It counts repeat purchases: all purchases less the first",
        )
        yield _Rule("recency is negative", t_x < 0)
        yield _Rule(
            "T is negative", T < 0, "T runs from the first purchase to the end of observation"
        )
        yield _Rule(
            "recency exceeds T",
            t_x > T,
            "recency is the time from the first to the last purchase, not from the last "
            "purchase to today",
        )
        yield _Rule(
            "frequency is above 0 with recency 0",
            (x > 0) & (t_x == 0),
            "Whoever bought again did so after the first purchase",
        )
        yield _Rule(
            "recency is above 0 with frequency 0",
            (x == 0) & (t_x > 0),
            "Without a repeat purchase the last purchase is the first",
        )


def _interval_rules(numbers: dict[str, Floats]) -> Iterator[_Rule]:
    """x intervals that add up to t_x have logs that sum to x log(t_x / x) at most."""
    x, t_x, logs = numbers["frequency"], numbers["recency"], numbers[INTERVALS]
    yield _Rule(f"{INTERVALS} is missing or infinite", ~np.isfinite(logs))
    with np.errstate(all="ignore"):  # what is not finite is reported above
        yield _Rule(f"{INTERVALS} is not 0 with frequency 0", (x == 0) & (logs != 0))
        most = np.where(x > 0, x * np.log(t_x / np.maximum(x, 1)), 0.0)
        yield _Rule(
            f"{INTERVALS} is larger than intervals that add up to recency allow",
            (x > 0) & (logs > most + 1e-6 * (1.0 + np.abs(most))),
            "Sum the natural logs of the intervals between purchases, in the unit of recency",
        )


def _money_rules(numbers: dict[str, Floats]) -> Iterator[_Rule]:
    x = numbers["frequency"]
    none = np.zeros(len(x), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        for name in ("monetary_value", "holdout_amount"):
            if name in numbers:
                yield _Rule(
                    f"{name} is negative",
                    numbers[name] < 0,
                    "Net refunds against the purchase they reverse, or, where amounts are margins, "
                    'say negative="loss"',
                )
                yield _Rule(f"{name} is infinite", np.isinf(numbers[name]))
        for name in ("paid_frequency", "holdout_frequency"):
            if name in numbers:
                values = numbers[name]
                bad = np.isnan(values) | (values < 0) | (values != np.floor(values))
                yield _Rule(f"{name} is not a whole number of 0 or more", bad)
        paid, value = numbers.get("paid_frequency"), numbers.get("monetary_value")
        if paid is not None:
            yield _Rule("paid_frequency exceeds frequency", paid > x)
            spent = value > 0 if value is not None else none
            yield _Rule("paid_frequency is above 0 without a monetary_value", (paid > 0) & ~spent)
            yield _Rule("monetary_value is above 0 with paid_frequency 0", (paid == 0) & spent)
        elif value is not None:
            yield _Rule(
                "monetary_value is above 0 with frequency 0",
                (x == 0) & (value > 0),
                "It is the mean of repeat purchases; the first one is left out",
            )


def _margin_rules(numbers: dict[str, Floats]) -> Iterator[_Rule]:
    """Every repeat occasion has a margin, which may be negative."""
    x = numbers["frequency"]
    with np.errstate(invalid="ignore"):
        for name in ("monetary_value", "holdout_amount"):
            if name in numbers:
                yield _Rule(f"{name} is infinite", np.isinf(numbers[name]))
        if "holdout_frequency" in numbers:
            count = numbers["holdout_frequency"]
            bad = np.isnan(count) | (count < 0) | (count != np.floor(count))
            yield _Rule("holdout_frequency is not a whole number of 0 or more", bad)
        if "monetary_value" in numbers:
            missing = np.isnan(numbers["monetary_value"]) & (x > 0)
            remedy = "With margins every repeat occasion brings one, be it 0"
            yield _Rule("monetary_value is missing with frequency above 0", missing, remedy)
        if "paid_frequency" in numbers:
            remedy = "With margins every repeat occasion brings one: leave the column out"
            yield _Rule("paid_frequency is not frequency", numbers["paid_frequency"] != x, remedy)
        if SQUARES in numbers:
            squares = numbers[SQUARES]
            bad = ~(squares >= 0) | np.isinf(squares)
            yield _Rule(f"{SQUARES} is not a number of 0 or more", bad)
            remedy = "It sums squared deviations of repeat margins from their mean: one has none"
            yield _Rule(
                f"{SQUARES} is above 0 with fewer than two", (squares > 0) & (x < 2), remedy
            )


def _told(rule: _Rule, table: "pd.DataFrame") -> Problem:
    """A broken rule with its first row."""
    place = int(np.argmax(rule.broken))
    shown = [name for name in ("customer_id", *REQUIRED, *MEASURES) if name in table]
    row = ", ".join(f"{name}={_plain(table[name].iloc[place])}" for name in shown)
    return Problem(rule.what, int(rule.broken.sum()), f"row {place + 1:,}: {row}", rule.remedy)


def _plain(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _tidy(
    table: "pd.DataFrame", numbers: dict[str, Floats], covariates: tuple[str, ...], losses: bool
) -> "pd.DataFrame":
    """The base's columns in their order and types."""
    import pandas as pd

    x = numbers["frequency"]
    value = numbers.get("monetary_value", np.full(len(x), np.nan))
    paid = numbers.get("paid_frequency", np.where(value > 0, x, 0))
    if losses:
        paid = np.where(np.isnan(value), 0.0, x)
    tidy = pd.DataFrame(
        {
            "customer_id": table["customer_id"],
            "frequency": x.astype(np.int64),
            "recency": numbers["recency"],
            "T": numbers["T"],
            "monetary_value": np.where(paid > 0, value, np.nan),
            "paid_frequency": paid.astype(np.int64),
        }
    )
    for name in (SQUARES, INTERVALS, SHARE):
        if name in numbers:
            tidy[name] = numbers[name]
    for name in (*DATES, *covariates):
        if name in table:
            tidy[name] = table[name]
    if "holdout_frequency" in numbers:
        tidy["holdout_frequency"] = numbers["holdout_frequency"].astype(np.int64)
    if "holdout_amount" in numbers:
        tidy["holdout_amount"] = numbers["holdout_amount"]
    return tidy
