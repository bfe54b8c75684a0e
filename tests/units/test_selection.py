"""Choosing a model: rules by hand, bases of other days, and a table whose words are true."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cxmodels as cx
from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import FitError, OptionError
from cxmodels.purchases.backtest import Accuracy
from cxmodels.purchases.rules import hiatus, last_period, mean_rate, own_rate
from cxmodels.purchases.selection import COLUMNS, select

NAMES = {"customer": "customer_id", "time": "date", "amount": "amount"}


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    log = cx.samples.cdnow()
    return log[log["customer_id"] < 6000]


@pytest.fixture(scope="module")
def base(log) -> CustomerBase:
    return cx.customer_base(log, **NAMES, unit="week", end="1997-09-30", holdout_end="1998-06-30")


@pytest.fixture(scope="module")
def found(base):
    return select(base, [cx.BGNBD()], origins=2, draws=50)


def small(rows) -> CustomerBase:
    frame = pd.DataFrame(rows, columns=["frequency", "recency", "T", "holdout_frequency"])
    return CustomerBase.from_summary(frame, holdout_T=10.0)


def test_a_base_as_it_stood_on_another_day_is_the_base_made_on_that_day(log, base):
    moved = base.at("1997-12-31", holdout_end="1998-03-31")
    anew = cx.customer_base(log, **NAMES, unit="week", end="1997-12-31", holdout_end="1998-03-31")
    pd.testing.assert_frame_equal(moved.table, anew.table)
    pd.testing.assert_frame_equal(moved.reconciliation, anew.reconciliation)
    assert moved.at("1997-09-30").holdout_T is None


def test_without_a_log_there_is_no_going_back(log, base):
    with pytest.raises(OptionError, match="holds no log to go back to"):
        small([(2, 3.0, 9.0, 0)]).at("2024-01-31")
    reader = pa.Table.from_pandas(log, preserve_index=False).to_reader()
    once = cx.customer_base(reader, **NAMES, unit="week", end="1997-09-30")
    with pytest.raises(OptionError, match="holds no log"):
        once.at("1997-06-30")
    with pytest.raises(OptionError, match="not a day"):
        base.at("someday")


def test_own_rate_and_mean_by_hand():
    base = small([(4, 6.0, 8.0, 0), (0, 0.0, 12.0, 0), (0, 0.0, 0.0, 0)])
    assert own_rate(base, 10.0).expected.tolist() == [5.0, 0.0, 0.0]
    assert mean_rate(base, 10.0).expected.tolist() == [2.0, 2.0, 2.0]
    assert own_rate(base, 10.0).buys.tolist() == [True, False, False]


def test_last_period_takes_what_was_bought_then_and_newcomers_at_what_they_bought_since():
    base = small([(4, 6.0, 8.0, 0), (3, 2.0, 12.0, 0), (2, 1.0, 3.0, 0)])
    earlier = small([(1, 1.0, 3.0, 3), (3, 2.0, 7.0, 0)])
    assert last_period(base, earlier).expected.tolist() == [3.0, 0.0, 2.0]


def test_the_hiatus_is_the_one_that_told_buyers_best():
    earlier = small([(2, 9.0, 10.0, 1), (2, 8.0, 10.0, 1), (2, 3.0, 10.0, 0), (2, 2.0, 10.0, 0)])
    base = small([(2, 9.5, 10.0, 0), (2, 2.5, 10.0, 0)])
    rule = hiatus(base, earlier, 5.0)
    assert rule.buys.tolist() == [True, False]
    assert rule.expected.tolist() == [1.0, 0.0]


def test_accuracy_by_hand():
    found = Accuracy.of(np.array([2.0, 0.5, 0.5]), np.array([1.0, 0.0, 1.0]), np.array([1, 0, 0]))
    assert found.bias == pytest.approx(50.0)
    assert found.error == pytest.approx(2.0 / 3.0)
    assert found.rms_error == pytest.approx(np.sqrt(1.5 / 3.0))
    assert found.active == pytest.approx(2.0 / 3.0)


def test_forecasts_stand_beside_rules_on_every_origin(found):
    counted = found.backtest.groupby("origin")["model"].agg(list)
    assert tuple(found.backtest.columns) == COLUMNS
    assert len(counted) == 2
    for models in counted:
        assert models == ["BG/NBD", "own rate", "mean", "last period", "hiatus"]
    model = found.backtest[found.backtest["kind"] == "model"]
    assert ((model["bias_lower"] < model["bias"]) & (model["bias"] < model["bias_upper"])).all()


def test_figures_of_an_origin_are_those_of_the_back_test(base, found):
    cut = base.at(found.backtest["origin"].iloc[0], holdout_end="1998-06-30")
    summary = cx.holdout_summary(cx.BGNBD().fit(cut), cut, draws=50).set_index("metric")["value"]
    row = found.backtest.iloc[0]
    assert row["bias"] == pytest.approx(summary["bias of the total"])
    assert row["error"] == pytest.approx(summary["error per customer"])
    assert row["gini"] == pytest.approx(summary["Gini"])
    assert row["calibration"] == pytest.approx(summary["calibration"])


def test_the_choice_is_said_in_words(found):
    said = "\n".join(found.verdict)
    assert "BG/NBD alone was fitted" in said
    assert "forecasts of 90 days from 1998-04-01, 1998-01-01" in said or "forecasts of" in said
    assert "simple rule" in said and "P(alive) = 1" in said
    assert found.best is found.fits["BG/NBD"] and found.near == ("BG/NBD",)
    assert repr(found).startswith("BG/NBD alone")
    assert "<table" in found._repr_html_()


def test_a_summary_is_forecast_on_its_own_hold_out_or_not_at_all(base):
    columns = ["customer_id", "frequency", "recency", "T", "holdout_frequency"]
    held = CustomerBase.from_summary(base.table[columns], unit="week", holdout_T=39.0)
    one = select(held, [cx.BGNBD()], draws=20)
    assert one.backtest["model"].tolist() == ["BG/NBD", "own rate", "mean"]
    assert "the base's own hold-out" in " ".join(one.verdict)
    none = select(CustomerBase.from_summary(base.table[columns[:4]], unit="week"), [cx.BGNBD()])
    assert none.backtest.empty and "no back-test" in " ".join(none.verdict)


def test_what_cannot_be_compared_is_refused_in_words(base):
    with pytest.raises(OptionError, match="one family or more"):
        select(base, [])
    once = CustomerBase.from_summary(pd.DataFrame({"frequency": [0], "recency": [0], "T": [9]}))
    with pytest.raises(FitError, match="none of 1 families can be fitted"):
        select(once, [cx.BGNBD()])
