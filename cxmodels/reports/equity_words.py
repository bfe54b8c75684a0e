"""The sentences of the customer equity report, each made from the tables it speaks of."""

import math
from typing import Any, TypeAlias

import pandas as pd

from cxmodels.reports.equity_tables import EquityTables, filled, named_row
from cxmodels.reports.numbers import Kind, as_number, grouped, interval, written

Row: TypeAlias = "pd.Series[Any]"
_HOLDOUT = "hold-out"
_CLOSE = 0.005  # a miss below half a per cent reads "as many as"


def capital(text: str) -> str:
    """The text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def of_estimand(total: Row) -> str:
    """What the equity is of, in brackets, where the table says so."""
    said = total.get("estimand")
    return f" ({said})" if isinstance(said, str) and said else ""


def reading(tables: EquityTables) -> str:
    """What was read and how much of it was set aside."""
    frame = tables.reconciliation
    if not filled(frame) or "rows" not in frame.columns:
        return ""
    rows = as_number(frame.iloc[0]["rows"])
    customers = "" if tables.customers is None else f" of {grouped(tables.customers)} customers"
    text = f"The log held {grouped(rows)} rows; the base describes the purchases{customers}. "
    if len(frame) > 2:
        text += "Every row is counted below, and the amounts add up to the log's."
    return text.strip()


def without(tables: EquityTables) -> str:
    """What the log had none of, among the things that are set aside."""
    frame = tables.reconciliation
    if not filled(frame) or "rows" not in frame.columns:
        return ""
    empty = frame.loc[frame["rows"].map(as_number) == 0, "item"].astype(str)
    named = [item.removeprefix("set aside: ") for item in empty if item.startswith("set aside")]
    return f"No row was set aside for: {', '.join(named)}." if named else ""


def prediction(tables: EquityTables) -> str:
    """How the expectation compared with what happened in the hold-out."""
    frame = tables.tracking
    if not filled(frame):
        return ""
    held = frame[frame["part"] == _HOLDOUT]
    if not len(held):
        return "No hold-out was set apart, so the model is compared only with the data it has seen."
    seen, said, span = _totals(tables, held)
    text = (
        f"The model was fitted without the last {len(held)} {tables.labels.units} and then asked "
        f"about them. Given each customer's history it expected {grouped(said)}{span} repeat "
        f"purchases; {grouped(seen)} happened"
    )
    if not seen or not math.isfinite(said):
        return text + "."
    bias = said / seen - 1
    if abs(bias) < _CLOSE:
        return text + ": as many as expected. " + _inside(frame)
    more = "too many" if bias > 0 else "too few"
    return f"{text}: the model expected {abs(bias):.1%} {more}. {_inside(frame)}"


def _totals(tables: EquityTables, held: pd.DataFrame) -> tuple[float, float, str]:
    """Hold-out purchases, actual and expected with its interval; of the tracking if need be."""
    actual = named_row(tables.holdout, "metric", "actual purchases")
    expected = named_row(tables.holdout, "metric", "expected purchases")
    if actual is None or expected is None:
        return float(held["actual"].sum()), float(held["expected"].sum()), ""
    lower, upper = as_number(expected.get("lower")), as_number(expected.get("upper"))
    span = f" ({grouped(lower)} to {grouped(upper)})" if math.isfinite(lower + upper) else ""
    return as_number(actual.get("value")), as_number(expected.get("value")), span


def _inside(frame: pd.DataFrame) -> str:
    held = frame[frame["part"] == _HOLDOUT]
    inside = ((held["actual"] >= held["lower"]) & (held["actual"] <= held["upper"])).sum()
    return (
        "The pictures show what was expected of customers of their age before their history was "
        f"known; {int(inside)} of {len(held)} periods ended inside that interval."
    )


def worth(tables: EquityTables) -> str:
    """What the customers are worth, and that the interval is part of the answer."""
    total = tables.total
    if total is None:
        return ""
    value = written(total["estimate"], Kind.MONEY, currency=tables.currency)
    text = "The present customers are worth "
    low, high = as_number(total["lower"]), as_number(total["upper"])
    text += f"{value} in what they are still expected to bring (residual value)"
    if math.isfinite(low) and math.isfinite(high):
        ends = [written(end, Kind.MONEY, currency=tables.currency) for end in (low, high)]
        text += (
            f"; with {tables.level:.0%} probability between {ends[0]} and {ends[1]}, "
            "given the model and its assumptions"
        )
    return f"{text}. {per_customer(tables)}".strip()


def per_customer(tables: EquityTables) -> str:
    """The mean residual value of a present customer."""
    total, customers = tables.total, tables.customers
    if total is None or not customers:
        return ""
    mean = written(as_number(total["estimate"]) / customers, Kind.MONEY, currency=tables.currency)
    return f"That is {mean} a customer on average over {grouped(customers)} customers."


def uncertainty(tables: EquityTables) -> str:
    """Where the uncertainty comes from, the largest source first."""
    rows = tables.sources.sort_values("variance_share", ascending=False, kind="stable")
    if not len(rows):
        return ""
    said = [
        f"{item} ({written(share, Kind.SHARE)})"
        for item, share in zip(rows["item"], rows["variance_share"], strict=True)
    ]
    return f"The variance of this number comes from {_listed(said)}."


def concentration(tables: EquityTables) -> str:
    """How few customers hold how much."""
    row = named_row(tables.concentration, "group", "top 20")
    if row is None:
        return ""
    share = interval(row["share"], row["lower"], row["upper"], Kind.SHARE)
    return (
        f"The most valuable 20% of customers hold {share} of the residual value. Values are "
        "expectations: who will turn out to be valuable is less certain than the picture suggests."
    )


def new_customer(tables: EquityTables) -> str:
    """What a customer who has just been won is worth."""
    if not filled(tables.new_customer) or "lifetime_value" not in tables.new_customer.columns:
        return ""
    row = tables.new_customer.iloc[0]
    value = interval(
        row["lifetime_value"], row.get("lower"), row.get("upper"), Kind.MONEY,
        currency=tables.currency,
    )  # fmt: skip
    text = f"A customer won today is expected to be worth {value}"
    if isinstance(row.get("estimand"), str):
        text += f": {row['estimand']}"
    text += (
        ". This is lifetime value (CLV), the total of a new customer; it is not comparable with "
        "the residual value of present ones."
    )
    ends = as_number(row.get("outcome_lower")), as_number(row.get("outcome_upper"))
    if all(map(math.isfinite, ends)):
        low, high = (written(end, Kind.MONEY, currency=tables.currency) for end in ends)
        text += f" One customer's own outcome lies between {low} and {high} ({tables.level:.0%})."
    return text


def one_time_buyers(tables: EquityTables) -> str:
    """The statement about customers who bought once, where the model calls them all alive."""
    frame = tables.recency_frequency
    if not filled(frame) or any("one-time" in note.lower() for note in tables.notes):
        return ""
    once = frame.loc[frame["frequency"] == 0, "p_alive"]
    if not len(once) or not (once == 1).all():
        return ""
    return (
        "P(alive) is 1 for one-time buyers by construction: in this model a customer can only "
        "leave right after a repeat purchase. Read it as “no evidence yet”, not as certainty."
    )


def _listed(parts: list[str]) -> str:
    """The parts as a list in words.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
