"""From a log to counted opportunities in one call: whole recency, T and hold-out, any period."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx

LOG = pd.DataFrame(
    {
        "who": ["a", "a", "a", "a", "b", "b", "c", "c", "d"],
        "day": [
            "2020-01-20", "2020-01-31", "2020-03-01", "2021-12-31", "2020-02-29", "2021-02-01",
            "2021-01-01", "2022-08-09", "2022-06-30",
        ],
        "paid": 5.0,
    }
)  # fmt: skip


def base_of(unit, end="2021-12-31", **more):
    columns = {"customer": "who", "time": "day", "amount": "paid"}
    return cx.customer_base(LOG, **columns, unit=unit, collapse=unit, end=end, **more)


@pytest.mark.parametrize(
    ("unit", "frequency", "recency", "T"),
    [
        ("month", [2, 1, 0], [23, 12, 0], [23, 22, 11]),
        ("quarter", [1, 1, 0], [7, 4, 0], [7, 7, 3]),
        ("year", [1, 1, 0], [1, 1, 0], [1, 1, 0]),
    ],
)
def test_calendar_periods_are_opportunities(unit, frequency, recency, T):
    table = base_of(unit).table
    assert table["frequency"].tolist() == frequency
    assert table["recency"].tolist() == recency
    assert table["T"].tolist() == T


@pytest.mark.parametrize("unit", ["hour", "day", "week"])
def test_exact_periods_are_opportunities(unit):
    table = base_of(unit).table
    for name in ("recency", "T"):
        assert np.array_equal(table[name], np.floor(table[name]))
    assert (table["frequency"] <= table["recency"]).all()


def test_the_hold_out_is_counted_too():
    base = base_of("quarter", holdout_end="2022-09-30")
    assert base.holdout_T == 3.0
    assert base.table["holdout_frequency"].tolist() == [0, 0, 1]


def test_tracking_follows_the_periods_although_the_log_opens_within_one():
    """The log opens on 20 January: periods are calendar months all the same."""
    table = base_of("month").tracking
    assert table["period_start"].iloc[0] == pd.Timestamp("2020-01-01")
    assert table["period_end"].iloc[1] == pd.Timestamp("2020-02-29")
    assert table["repeat_purchases"].iloc[[0, 1, 2, 13, 23]].tolist() == [0, 0, 1, 1, 1]
    assert table["repeat_purchases"].sum() == 3


def test_a_cut_last_period_is_told():
    notes = base_of("quarter", end="2021-11-15").notes
    assert any("within the quarter that began on 2021-10-01" in note for note in notes)
    assert any("such as 2021-12-31" in note for note in notes)
    assert not any("that began on" in note for note in base_of("quarter").notes)
    assert any("that began on" in note for note in base_of("week", end="2021-12-31").notes)
    assert not any("that began on" in note for note in base_of("week", end="2022-01-02").notes)


@pytest.mark.parametrize(
    ("choice", "day", "first"),
    [
        ("quarter", date(2024, 5, 31), date(2024, 4, 1)),
        ("quarter", date(2024, 12, 31), date(2024, 10, 1)),
        ("year", date(2024, 2, 29), date(2024, 1, 1)),
        ("week", date(2024, 1, 3), date(2024, 1, 1)),
        ("day", date(2024, 1, 3), date(2024, 1, 3)),
    ],
)
def test_first_days(choice, day, first):
    from cxmodels.data.units import Collapse

    assert Collapse.parse(choice).first_day(day) == first


@pytest.mark.parametrize("unit", ["quarter", "year"])
def test_the_printed_query_says_the_same(unit):
    import duckdb

    con = duckdb.connect()
    con.register("sales", LOG)
    text = cx.summary_sql(
        table="sales", customer="who", time="day", amount="paid", unit=unit, collapse=unit,
        end="2021-12-31",
    )  # fmt: skip
    found = con.sql(text).df()
    table = base_of(unit).table
    for name in ("frequency", "recency", "T"):
        assert found[name].tolist() == table[name].tolist()


@pytest.mark.parametrize("unit", ["week", "month", "quarter"])
def test_from_a_log_to_bg_bb(unit):
    base = cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount", unit=unit,
        collapse=unit, end="1997-09-28" if unit == "week" else "1997-09-30",
        holdout_end="1998-06-28" if unit == "week" else "1998-06-30",
    )  # fmt: skip
    fit = cx.BGBB().fit(base)
    fit = replace(fit, objective=None, stored=fit.posterior(200))
    table = cx.tracking(fit, base, draws=50)
    early = table[table["part"] == "calibration"]
    # the fit has the right total: that of all customers over their own opportunities
    T = base.table["T"].to_numpy()
    expected = fit.family.expected_purchases(fit.theta, T).sum()
    assert table["cumulative_expected"].iloc[len(early) - 1] == pytest.approx(expected, rel=1e-12)
    assert early["actual"].sum() == base.table["frequency"].sum()
    assert (table["lower"] <= table["upper"]).all()
    inside = (early["actual"] >= early["lower"]) & (early["actual"] <= early["upper"])
    assert inside.mean() > 0.4  # new customers arrive within the period they count as their first
    counts = cx.frequency_table(fit, base, draws=50)
    assert counts["expected"].sum() == pytest.approx(base.customers)
    held = cx.holdout_summary(fit, base, draws=50).set_index("metric")["value"]
    ahead = fit.predict(
        base, horizon={"week": "39W", "month": "9M", "quarter": "3Q"}[unit], draws=50
    )
    assert held["expected purchases"] == pytest.approx(ahead["expected_purchases"].sum(), rel=1e-9)
