"""The CDNOW base from the raw log against published figures.

Source: numbers of Fader, Hardie and Lee (2005) as listed with the project's references: sums of x,
t_x and T, the hold-out total, the histogram of x, 1,016 distinct histories, 946 repeaters.
"""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from cxmodels.data import samples
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import customer_base


@pytest.fixture(scope="module")
def base() -> CustomerBase:
    return customer_base(
        samples.cdnow(),
        customer="customer_id",
        time="date",
        amount="amount",
        end="1997-09-30",
        holdout_end="1998-06-30",
        currency="USD",
    )


def test_sums_of_the_summary(base: CustomerBase) -> None:
    table = base.table
    assert base.customers == 2357
    assert table["frequency"].sum() == 2457
    assert table["recency"].sum() == pytest.approx(16135.571429, abs=1e-6)
    assert table["T"].sum() == pytest.approx(77111.285714, abs=1e-6)
    assert table["holdout_frequency"].sum() == 1882
    assert base.holdout_T == 39


def test_histogram_of_repeat_purchases(base: CustomerBase) -> None:
    counts = np.bincount(np.minimum(base.table["frequency"], 7))
    assert counts.tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]


def test_distinct_histories(base: CustomerBase) -> None:
    profiles = base.profiles
    assert len(profiles) == 1016
    assert profiles.weight.sum() == 2357
    assert (profiles.frequency[profiles.row] == base.table["frequency"]).all()
    assert (profiles.recency[profiles.row] == base.table["recency"]).all()
    assert (profiles.T[profiles.row] == base.table["T"]).all()


def test_repeaters_with_spend(base: CustomerBase) -> None:
    assert base.repeaters == 946
    assert (base.table["paid_frequency"] > 0).sum() == 946
    assert base.table["monetary_value"].notna().sum() == 946


def test_monetary_value_equals_a_plain_pandas_count(base: CustomerBase) -> None:
    """Brute force beside the engine: days summed, first day dropped, mean of paid days."""
    log = samples.cdnow()
    days = log[log["date"] <= "1997-09-30"].groupby(["customer_id", "date"])["amount"].sum()
    repeats = days.groupby(level=0).apply(lambda spend: spend.iloc[1:])
    paid = repeats[repeats > 0].groupby(level=0).mean()
    ours = base.table.set_index("customer_id")["monetary_value"].dropna()
    pd.testing.assert_series_equal(ours, paid, check_names=False, rtol=1e-12)


def test_the_account_ties_to_the_raw_file(base: CustomerBase) -> None:
    log = samples.cdnow()
    account = base.reconciliation.set_index("item")
    total = sum((Decimal(str(amount)) for amount in log["amount"]), Decimal(0))
    assert account.loc["log", "amount"] == total
    assert account["amount"].iloc[1:].sum() == total
    assert account.loc["log", "rows"] == len(log) == account["rows"].iloc[1:].sum() == 6919
    assert account.loc["log", "customers"] == 2357


def test_tracking_is_39_weeks_and_39_weeks(base: CustomerBase) -> None:
    weeks = base.tracking.groupby("part")["repeat_purchases"].agg(["size", "sum"])
    assert weeks.loc["calibration"].tolist() == [39, 2457]
    assert weeks.loc["hold-out"].tolist() == [39, 1882]
    assert base.tracking["buyers_new"].sum() == 2357


def test_nothing_is_suspected_of_a_cohort_log(base: CustomerBase) -> None:
    assert not [note for note in base.notes if "truncation" in note]


def test_cohorts_are_the_first_quarter(base: CustomerBase) -> None:
    assert sorted(base.table["cohort"].unique()) == ["1997-01", "1997-02", "1997-03"]
