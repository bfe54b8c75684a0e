"""Refunds, zero amounts, windows and hold-outs: small logs whose answer can be counted by hand."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import customer_base

Row = tuple[str, str, float] | tuple[str, str, float, str | None]


def base_of(rows: list[Row], **choices) -> CustomerBase:
    names = ["who", "when", "paid", "order"][: len(rows[0])]
    log = pd.DataFrame(rows, columns=names)
    if "order" in names:
        choices["order"] = "order"
    return customer_base(
        log, customer="who", time="when", amount="paid", **{"unit": "day", **choices}
    )


def one(base: CustomerBase) -> dict:
    assert base.customers == 1
    return base.table.iloc[0].to_dict()


def account(base: CustomerBase, item: str) -> tuple[int, int, Decimal]:
    line = base.reconciliation.set_index("item").loc[item]
    assert sum(base.reconciliation["amount"].iloc[1:]) == base.reconciliation["amount"].iloc[0]
    assert sum(base.reconciliation["rows"].iloc[1:]) == base.reconciliation["rows"].iloc[0]
    return int(line["rows"]), int(line["customers"]), line["amount"]


def test_a_refund_is_netted_within_its_day() -> None:
    base = base_of(
        [("a", "2024-01-01", 9.0), ("a", "2024-01-05", 20.5), ("a", "2024-01-05", -5.25)]
    )
    found = one(base)
    assert (found["frequency"], found["monetary_value"]) == (1, 15.25)


def test_a_refund_finds_its_order_on_an_earlier_day() -> None:
    base = base_of(
        [
            ("a", "2024-01-01", 9.0, "o1"),
            ("a", "2024-01-05", 20.5, "o2"),
            ("a", "2024-01-09", -5.25, "o2"),
        ],
        end="2024-01-11",
    )
    found = one(base)
    assert (found["frequency"], found["recency"], found["T"]) == (1, 4, 10)
    assert found["monetary_value"] == 15.25


def test_a_fully_refunded_order_is_no_occasion() -> None:
    base = base_of(
        [
            ("a", "2024-01-01", 9.0, "o1"),
            ("a", "2024-01-05", 20.5, "o2"),
            ("a", "2024-01-09", -20.5, "o2"),
            ("b", "2024-01-02", 7.0, "o3"),
            ("b", "2024-01-02", -7.0, "o3"),
        ]
    )
    assert one(base)["frequency"] == 0
    assert account(base, "set aside: purchases fully refunded") == (4, 2, Decimal(0))
    assert account(base, "log")[1] == 2
    assert any("fully refunded" in note for note in base.notes)


def test_a_day_that_is_fully_refunded_is_no_occasion_without_order_ids() -> None:
    base = base_of([("a", "2024-01-01", 9.0), ("a", "2024-01-05", 4.0), ("a", "2024-01-05", -4.0)])
    assert one(base)["frequency"] == 0
    assert account(base, "set aside: purchases fully refunded") == (2, 1, Decimal(0))


def test_the_account_counts_lines_not_occasions() -> None:
    base = base_of(
        [
            ("a", "2024-01-01", 1.0),
            ("a", "2024-01-01", 2.0),
            ("a", "2024-01-01", 4.0),
            ("a", "2024-01-05", 8.0),
            ("a", "2024-01-05", 16.0),
            ("b", "2024-01-05", 32.0),
        ]
    )
    assert account(base, "base: first purchases") == (4, 2, Decimal(39))
    assert account(base, "base: repeat purchases") == (2, 1, Decimal(24))


def test_an_order_that_only_refunds_is_netted_within_its_day() -> None:
    base = base_of(
        [
            ("a", "2024-01-01", 9.0, "o1"),
            ("a", "2024-01-05", 20.0, "o2"),
            ("a", "2024-01-05", -4.0, "c2"),
        ]
    )
    assert one(base)["monetary_value"] == 16


def test_rows_without_an_order_id_are_netted_within_their_day() -> None:
    base = base_of(
        [
            ("a", "2024-01-01", 9.0, "o1"),
            ("a", "2024-01-05", 20.0, None),
            ("a", "2024-01-05", -4.0, None),
        ]
    )
    assert (one(base)["frequency"], one(base)["monetary_value"]) == (1, 16)


def test_what_remains_negative_is_set_aside_and_shown() -> None:
    base = base_of([("a", "2024-01-01", 9.0), ("a", "2024-01-05", 3.0), ("a", "2024-01-05", -5.0)])
    assert one(base)["frequency"] == 0
    assert account(base, "set aside: refunds without their purchase") == (2, 1, Decimal(-2))
    assert any("purchase was not found" in note for note in base.notes)


def test_zero_amounts_are_occasions_but_not_spend() -> None:
    base = base_of([("a", "2024-01-01", 9.0), ("a", "2024-01-03", 0.0), ("a", "2024-01-05", 4.0)])
    found = one(base)
    assert (found["frequency"], found["paid_frequency"], found["monetary_value"]) == (2, 1, 4)
    free = one(base_of([("a", "2024-01-01", 0.0), ("a", "2024-01-03", 6.0)]))
    assert (free["frequency"], free["paid_frequency"], free["monetary_value"]) == (1, 1, 6)


def test_a_hold_out_refund_does_not_leak_into_calibration() -> None:
    rows = [
        ("a", "2024-01-01", 9.0, "o1"),
        ("a", "2024-01-05", 20.0, "o2"),
        ("a", "2024-01-15", -20.0, "o2"),
        ("a", "2024-01-16", 8.0, "o3"),
    ]
    base = base_of(rows, end="2024-01-10", holdout_end="2024-01-20")
    found = one(base)
    assert (found["frequency"], found["monetary_value"]) == (1, 20)
    assert (found["holdout_frequency"], found["holdout_amount"]) == (1, 8)
    assert base.holdout_T == 10
    assert account(base, "set aside: refunds without their purchase") == (1, 1, Decimal(-20))


def test_the_last_day_is_included_and_the_next_is_not() -> None:
    rows = [("a", "2024-01-01", 1.0), ("a", "2024-01-10 23:59:59", 2.0), ("a", "2024-01-11", 4.0)]
    base = base_of(rows, end="2024-01-10", holdout_end="2024-01-11")
    assert (one(base)["frequency"], one(base)["holdout_frequency"]) == (1, 1)
    assert one(base)["recency"] == one(base)["T"] == 9


def test_what_lies_outside_the_window_is_counted() -> None:
    rows = [
        ("a", "2023-12-30", 1.0),
        ("a", "2024-01-02", 2.0),
        ("b", "2024-01-03", 4.0),
        ("c", "2024-02-03", 8.0),
        ("", "2024-01-03", 16.0),
    ]
    base = base_of(rows, start="2024-01-01", end="2024-01-31")
    assert base.table["customer_id"].tolist() == ["a", "b"]
    assert account(base, "set aside: before the window") == (1, 1, Decimal(1))
    assert account(base, "set aside: after the window") == (1, 1, Decimal(8))
    assert account(base, "set aside: no customer id") == (1, 0, Decimal(16))
    assert account(base, "base: first purchases") == (2, 2, Decimal(6))
    assert account(base, "log")[1] == 3
    assert any("1 customer had bought before 2024-01-01" in note for note in base.notes)
    assert (base.start, base.end) == (date(2024, 1, 1), date(2024, 1, 31))


def test_customers_first_seen_in_the_hold_out_are_counted_but_not_in_the_base() -> None:
    rows = [
        ("a", "2024-01-01", 1.0),
        ("a", "2024-01-20", 2.0),
        ("b", "2024-01-15", 4.0),
        ("b", "2024-01-18", 8.0),
        ("c", "2024-01-29", 16.0),
    ]
    base = base_of(rows, end="2024-01-10", holdout_end="2024-01-31", unit="week")
    assert one(base)["holdout_frequency"] == 1
    assert account(base, "hold-out: customers first seen there") == (3, 2, Decimal(28))
    assert account(base, "hold-out: customers of the base") == (1, 1, Decimal(2))
    assert base.tracking["repeat_purchases"].tolist() == [0, 0, 0, 1, 0]
    assert base.tracking["buyers_new"].tolist() == [1, 0, 1, 0, 1]
    assert base.tracking["period_end"].dt.day.tolist() == [7, 10, 17, 24, 31]


@pytest.mark.parametrize(
    ("collapse", "frequency"), [("none", 4), ("hour", 3), ("day", 2), ("week", 1), ("month", 1)]
)
def test_what_counts_as_one_occasion_is_chosen(collapse: str, frequency: int) -> None:
    rows = [
        ("a", "2024-01-29 10:05:00", 1.0),
        ("a", "2024-01-29 10:05:00", 1.0),  # the same instant is always one occasion
        ("a", "2024-01-29 10:45:00", 1.0),
        ("a", "2024-01-29 11:00:00", 1.0),
        ("a", "2024-01-30 11:00:00", 1.0),
        ("a", "2024-02-07 11:00:00", 1.0),
    ]
    base = base_of(rows, collapse=collapse, end="2024-02-29")
    assert one(base)["frequency"] == frequency
    assert one(base)["monetary_value"] == {1: 1, 2: 1, 3: 1, 4: 1}[frequency]
    assert one(base)["recency"] <= one(base)["T"]


@pytest.mark.parametrize("collapse", ["week", "month"])
def test_a_period_split_by_the_end_is_counted_on_each_side(collapse: str) -> None:
    rows = [("a", "2024-01-02", 1.0), ("a", "2024-01-16", 2.0), ("a", "2024-01-18", 4.0)]
    base = base_of(rows, collapse=collapse, end="2024-01-17", holdout_end="2024-01-31")
    found = one(base)
    assert found["frequency"] == (1 if collapse == "week" else 0)
    assert (found["holdout_frequency"], found["holdout_amount"]) == (1, 4)


def test_exact_duplicates_are_counted_then_kept_or_dropped() -> None:
    rows = [
        ("a", "2024-01-01", 1.5),
        ("a", "2024-01-05", 2.5),
        ("a", "2024-01-05", 2.5),
        ("a", "2024-01-05", 2.75),
    ]
    kept, dropped = base_of(rows), base_of(rows, duplicates="drop")
    assert one(kept)["monetary_value"] == 7.75
    assert any(note.startswith("1 exact duplicate of another row") for note in kept.notes)
    assert one(dropped)["monetary_value"] == 5.25
    assert account(dropped, "set aside: exact duplicates") == (1, 0, Decimal("2.5"))


def test_without_amounts_there_is_no_spend() -> None:
    log = pd.DataFrame({"who": ["a", "a", "b"], "when": ["2024-01-01", "2024-01-03", "2024-01-02"]})
    base = customer_base(log, customer="who", time="when", unit="day", end="2024-01-05")
    assert base.table["frequency"].tolist() == [1, 0]
    assert base.table["paid_frequency"].tolist() == [0, 0]
    assert base.table["monetary_value"].isna().all()
    assert any("spend cannot be modelled" in note for note in base.notes)


def test_covariates_are_those_of_the_first_purchase() -> None:
    log = pd.DataFrame(
        {
            "who": [1, 1, 2],
            "when": ["2024-01-03", "2024-01-01", "2024-01-02"],
            "region": ["late", "early", "south"],
        }
    )
    base = customer_base(log, customer="who", time="when", covariates=["region"])
    assert base.table["region"].tolist() == ["early", "south"]
    assert base.covariates == ("region",)
    assert any("changes over time for 1 customer" in note for note in base.notes)


def test_the_day_depends_on_the_zone() -> None:
    log = pd.DataFrame(
        {
            "who": ["a", "a"],
            "when": ["2024-01-01T22:30:00Z", "2024-01-01T23:30:00Z"],
            "paid": [1, 2],
        }
    )
    asked = {"customer": "who", "time": "when", "amount": "paid", "unit": "day"}
    assert one(customer_base(log, timezone="UTC", **asked))["frequency"] == 0
    assert one(customer_base(log, timezone="Europe/Berlin", **asked))["frequency"] == 1
    zoned = log.assign(when=pd.to_datetime(log["when"]).dt.tz_convert("Europe/Berlin"))
    assert one(customer_base(zoned, **asked))["frequency"] == 1
    assert one(customer_base(zoned, timezone="UTC", **asked))["frequency"] == 0


def test_an_opening_rush_is_told_as_left_truncation() -> None:
    days = pd.date_range("2024-01-01", periods=240, freq="D")
    rows = [(f"old{place}", str(days[place % 15].date()), 5.0) for place in range(300)]
    rows += [(f"new{place}", str(days[place % 240].date()), 5.0) for place in range(480)]
    assert any("Left truncation is likely" in note for note in base_of(rows, unit="week").notes)
    steady = base_of(rows[300:], unit="week")
    assert not any("truncation" in note for note in steady.notes)
    fading = [
        (f"c{day}-{place}", str(moment.date()), 5.0)
        for day, moment in enumerate(days)
        for place in range(60 if day < 20 else 50)
    ]
    assert not any("truncation" in note for note in base_of(fading, unit="week").notes)


def test_a_log_that_stops_before_its_window_is_told() -> None:
    rows = [("a", "2024-01-01", 9.0), ("a", "2024-01-05", 4.0)]
    assert any("26 days before the window ends" in n for n in base_of(rows, end="2024-01-31").notes)
    assert base_of(rows, end="2024-01-10").notes == ()


def test_every_cent_is_exact_where_floats_are_not() -> None:
    base = base_of([("a", "2024-01-01", 0.1)] + [("a", "2024-01-02", 0.1)] * 3)
    assert base.reconciliation["amount"].iloc[0] == Decimal("0.4")
    assert one(base)["monetary_value"] == 0.3
