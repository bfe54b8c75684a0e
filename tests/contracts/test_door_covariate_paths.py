"""Covariates over time at the door: what holds when, and every way a table may be wrong."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import cxmodels as cx
from cxmodels.data.covariate_paths import occasions_of, steps_of

LOG = pd.DataFrame(
    {
        "who": ["a", "a", "b", "c", "c", "c"],
        "day": pd.to_datetime(
            ["2024-01-03", "2024-01-17", "2024-01-10", "2024-01-05", "2024-01-06", "2024-02-09"]
        ),
    }
)
SCORES = pd.DataFrame(
    {
        "who": ["a", "a", "b", "c", "z"],
        "asked": ["2024-01-01", "2024-01-10", "2024-01-10", "2023-12-01", "2024-01-01"],
        "score": [7.0, 9.0, 5.0, 6.0, 1.0],
    }
)
SEASON = pd.DataFrame({"week": ["2024-01-01", "2024-02-05"], "high": [0, 1]})


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(LOG, customer="who", time="day", unit="week", end="2024-02-11")


def refused(kind, function, *args, **kwargs):
    with pytest.raises(kind) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def scored(base, **asked):
    return base.with_covariates(SCORES, on="who", time="asked", **asked)


@pytest.fixture(scope="module")
def scores_by_id():
    return SCORES.rename(columns={"who": "customer_id"})


def test_a_row_holds_from_its_day_to_the_next(base):
    """Customer a: 7 from before the first purchase on the 3rd, 9 from the 10th, a week later."""
    steps = steps_of(scored(base), ("score",))
    assert steps.customer.tolist() == [0, 0, 1, 2]
    np.testing.assert_allclose(steps.since, [0.0, 1.0, 0.0, 0.0])
    assert steps.frame["score"].tolist() == [7.0, 9.0, 5.0, 6.0]
    observed = steps.lengths(base.table["T"].to_numpy())
    np.testing.assert_allclose(observed * 7, [7, 32, 32, 37])


def test_tables_join_and_one_without_customers_is_about_all(base):
    both = scored(base).with_covariates(SEASON, time="week")
    steps = steps_of(both, ("score", "high"))
    assert steps.customer.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert steps.frame["score"].tolist() == [7, 9, 9, 5, 5, 6, 6]
    assert steps.frame["high"].tolist() == [0, 0, 1, 0, 1, 0, 1]
    whole = both.with_covariates(pd.DataFrame({"customer_id": ["a", "b", "c"], "web": [1, 0, 1]}))
    assert steps_of(whole, ("high", "web")).frame["web"].tolist() == [1, 1, 0, 0, 1, 1]


def test_what_is_known_ends_somewhere(base):
    """By default with the base or the last row; a projection is said with until=, or in rows."""
    assert steps_of(scored(base), ("score",)).last.isoformat() == "2024-02-11"
    longer = steps_of(scored(base, until="2024-03-31"), ("score",))
    assert longer.last.isoformat() == "2024-03-31"
    np.testing.assert_allclose(longer.until[0] * 7, 89)  # from 3 January to the end of 31 March
    rows = pd.concat([SEASON, pd.DataFrame({"week": ["2024-03-04"], "high": [0]})])
    assert known_to(base, rows) == "2024-03-04"
    weeks = pd.date_range("2024-01-01", "2024-03-04", freq="7D")
    assert known_to(base, pd.DataFrame({"week": weeks, "high": range(weeks.size)})) == "2024-03-10"


def known_to(base, frame) -> str:
    return steps_of(base.with_covariates(frame, time="week"), ("high",)).last.isoformat()


def test_repeat_purchases_are_read_from_the_log(base):
    customer, time = occasions_of(base)
    assert customer.tolist() == [0, 2, 2]
    np.testing.assert_allclose(time * 7, [14, 1, 35])
    cut = base.at("2024-01-31", holdout_end="2024-02-11")
    assert occasions_of(cut)[0].tolist() == [0, 2]


def test_another_day_keeps_what_was_joined(base):
    moved = scored(base).at("2024-01-31")
    assert steps_of(moved, ("score",)).frame["score"].tolist() == [7.0, 9.0, 5.0, 6.0]
    kinds = pd.DataFrame({"customer_id": ["a", "b", "c"], "web": [1, 0, 1]})
    assert base.with_covariates(kinds).at("2024-01-31").table["web"].tolist() == [1, 0, 1]


def test_any_table_and_any_date_will_do(base):
    for given in (
        pl.from_pandas(SCORES),
        SCORES.assign(asked=pd.to_datetime(SCORES["asked"])),
        SCORES.assign(asked=pd.to_datetime(SCORES["asked"]).dt.date),
        SCORES.assign(asked=pd.to_datetime(SCORES["asked"]).dt.tz_localize("Asia/Tokyo")),
    ):
        joined = base.with_covariates(given, on="who", time="asked")
        assert steps_of(joined, ("score",)).frame["score"].tolist() == [7.0, 9.0, 5.0, 6.0]


def test_every_breach_is_told(base):
    def told(frame, **asked):
        return refused(
            cx.DataError, base.with_covariates, frame, **{"on": "who", "time": "asked", **asked}
        )

    assert "no column 'when'" in told(SCORES, time="when")
    assert "no day such as" in told(SCORES.assign(asked="soon"))
    assert "no day such as '1997-09-30' (1 row); first: row 2" in told(
        SCORES.assign(asked=["2024-01-01", None, *["2024-01-01"] * 3])
    )
    assert "several rows for one day of one customer (1 row); first: customer b" in told(
        pd.concat([SCORES, SCORES.iloc[[2]]])
    )
    assert "customers of the base are not in the frame (1 row); first: customer b" in told(
        SCORES.query("who != 'b'")
    )
    assert "ids are" in told(SCORES.assign(who=range(5)))
    late = told(SCORES.assign(asked=["2024-01-04", *SCORES["asked"].iloc[1:]]))
    assert "bought before their first row" in late
    assert "customer a, first purchase on 2024-01-03" in late
    assert "holds numbers" in told(SCORES.assign(asked=20240101))
    zones = [f"2024-01-01T00:00:00+0{hour}:00" for hour in range(5)]
    assert "time zones" in told(SCORES.assign(asked=zones))
    assert "no rows" in told(SCORES.iloc[:0])


def test_choices_that_make_no_sense(base):
    join = base.with_covariates
    assert "time=" in refused(cx.OptionError, join, SCORES, on="who", until="2024-03-31")
    assert "before the end of the base" in refused(
        cx.OptionError, join, SCORES, on="who", time="asked", until="2024-01-20"
    )
    assert "nothing to join" in refused(
        cx.OptionError, join, SCORES[["who", "asked"]], on="who", time="asked"
    )
    assert "already" in refused(
        cx.OptionError, scored(base).with_covariates, SCORES, on="who", time="asked"
    )
    monthly = cx.customer_base(LOG, customer="who", time="day", unit="month", end="2024-02-11")
    assert "fixed length" in refused(cx.OptionError, scored, monthly)
    summary = cx.CustomerBase.from_summary(base.table[["customer_id", "frequency", "recency", "T"]])
    assert "from a log" in refused(cx.OptionError, scored, summary)


def test_missing_values_name_their_customer(base):
    gaps = SCORES.assign(score=[7.0, np.nan, 5.0, 6.0, 1.0])
    joined = base.with_covariates(gaps, on="who", time="asked")
    said = refused(cx.DataError, cx.ParetoNBD().fit, joined, purchase="~ score")
    assert "score is missing (1 row); first: customer a" in said
