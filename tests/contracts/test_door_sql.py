"""One definition, six dialects: the printed query gives the base that the door gives."""

from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from cxmodels.data.sql_time import anchors_sql, calendar_sql, months_sql
from cxmodels.data.summary_query import DIALECTS, summary_sql
from cxmodels.data.transactions import customer_base
from cxmodels.data.units import Collapse, TimeUnit, elapsed, months_between
from cxmodels.errors import OptionError


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3000
    log = pd.DataFrame(
        {
            "who": rng.integers(1, 400, n),
            "when": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(rng.integers(0, 700 * 24 * 3600, n), unit="s"),
            "paid": rng.integers(-30, 100, n) / 4,
            "order": rng.integers(1, 2500, n).astype(float),
            "region": np.array(["a", "b"])[rng.integers(0, 2, n)],
        }
    )
    log.loc[rng.random(n) < 0.1, "order"] = np.nan
    log["order"] = log["order"].astype("Int64")
    return log


def asked(collapse: str, unit: str, order: bool) -> dict:
    found = {
        "customer": "who",
        "time": "when",
        "amount": "paid",
        "unit": unit,
        "collapse": collapse,
        "start": "2023-01-15",
        "end": "2024-02-28",
        "holdout_end": "2024-10-31",
        "covariates": ["region"],
        "regularity": True,
    }
    return {**found, "order": "order"} if order else found


def run(log: pd.DataFrame, query: str) -> pd.DataFrame:
    with duckdb.connect() as engine:
        engine.register("sales", log)
        return engine.sql(query).to_arrow_table().to_pandas()


@pytest.mark.parametrize(
    ("collapse", "unit", "order"),
    [
        ("none", "hour", True),
        ("none", "year", False),
        ("hour", "month", True),
        ("hour", "day", False),
        ("day", "week", True),
        ("day", "quarter", False),
        ("week", "month", False),
        ("week", "day", True),
        ("month", "month", True),
        ("month", "week", False),
    ],
)
def test_the_query_gives_the_base(log, collapse: str, unit: str, order: bool) -> None:
    choices = asked(collapse, unit, order)
    base = customer_base(log, **choices)
    found = run(log, summary_sql(table="sales", **choices))
    pd.testing.assert_frame_equal(
        found, base.table[found.columns], check_dtype=False, rtol=0, atol=1e-9
    )
    assert set(found.columns) == set(base.table.columns)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("unit", "collapse"), [("week", "day"), ("month", "none"), ("day", "week")]
)
def test_each_dialect_says_the_same(
    log, dialect: str, unit: str, collapse: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Read back from its dialect, the text must still mean the same (joins instead of min_by)."""
    choices = asked(collapse, unit, order=True)
    text = summary_sql(dialect, table="sales", **choices)
    assert not caplog.records  # nothing unsupported was met in writing it
    assert ("MIN_BY" in text or "ARG_MIN" in text) == (dialect not in ("postgres", "bigquery"))
    back = sqlglot.parse_one(text, read=dialect).sql("duckdb")
    expected = run(log, summary_sql(table="sales", **choices))
    pd.testing.assert_frame_equal(run(log, back), expected, check_dtype=False)


@settings(max_examples=25, deadline=None)
@given(
    st.datetimes(datetime(2019, 12, 1), datetime(2024, 2, 20)),
    st.integers(0, 900 * 24 * 60),
    st.sampled_from(list(TimeUnit)),
    st.sampled_from(list(Collapse)),
)
def test_time_in_sql_is_time_in_python(
    start: datetime, minutes: int, unit: TimeUnit, collapse: Collapse
) -> None:
    stop = start + pd.Timedelta(minutes=minutes)
    frame = pd.DataFrame({"who": [1, 1], "when": [start, stop]})
    end = stop.date()
    base = customer_base(
        frame, customer="who", time="when", unit=unit, collapse=collapse, end=end
    ).table.iloc[0]
    first, last = (moment.to_pydatetime() for moment in (base["first_date"], base["last_date"]))
    closing = pd.Timestamp(collapse.last_moment(end)).to_pydatetime()
    assert base["recency"] == pytest.approx(elapsed(first, last, unit), abs=1e-9)
    assert base["T"] == pytest.approx(elapsed(first, closing, unit), abs=1e-9)
    assert 0 <= base["recency"] <= base["T"]
    assert (base["frequency"] > 0) == (base["recency"] > 0)


@pytest.mark.parametrize("clock", [False, True])
def test_calendar_months_in_sql_are_those_of_python(clock: bool) -> None:
    """Thousands of pairs of days around every kind of month end, leap years and none."""
    rng = np.random.default_rng(8)
    openings = [date(1996, 1, 25), date(1999, 12, 20), date(2001, 2, 1), date(2096, 12, 28)]
    pairs = [
        (start, start + timedelta(days=int(length)))
        for opening in openings
        for start in (opening + timedelta(days=ahead) for ahead in range(0, 420, 3))
        for length in rng.integers(0, 1500, 12)
    ]
    frame = pd.DataFrame(pairs, columns=["first_seen", "last_seen"]).apply(pd.to_datetime)
    if clock:
        frame += rng.integers(0, 86_400, (len(frame), 2)).astype("timedelta64[s]")
        frame = frame[frame["first_seen"] <= frame["last_seen"]].reset_index(drop=True)
    first, last = exp.column("first_seen"), exp.column("last_seen")
    calendar = exp.select("*", *calendar_sql("gap", first, last, clock, "duckdb")).from_("dates")
    anchors = exp.select("*", *anchors_sql("gap")).from_(calendar.subquery("calendar"))
    months = exp.select(months_sql("gap", TimeUnit.MONTH, clock)).from_(anchors.subquery("a"))
    with duckdb.connect() as engine:
        engine.register("dates", frame)
        found = np.array(engine.sql(months.sql("duckdb")).fetchall())[:, 0]
    expected = [
        months_between(a.to_pydatetime(), b.to_pydatetime())
        for a, b in frame.itertuples(index=False)
    ]
    assert np.abs(found - expected).max() < 1e-9


def test_a_zone_is_named_in_every_dialect() -> None:
    for dialect in DIALECTS:
        text = summary_sql(
            dialect, table="s", customer="c", time="t", end="2024-01-31", timezone="Europe/Oslo"
        )
        assert "'Europe/Oslo'" in text


def test_weeks_begin_on_monday_in_bigquery_too() -> None:
    text = summary_sql(
        "bigquery", table="s", customer="c", time="t", end="2024-01-31", collapse="week"
    )
    assert "ISOWEEK" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dialect": "oracle"}, "'oracle' is not one of duckdb, spark"),
        ({"end": None}, "end is needed"),
        ({"holdout_end": "2023-01-01"}, "is not after end"),
        ({"unit": "eon"}, "'eon' is not one of hour"),
        ({"table": "a.b.c.d"}, "more than three parts"),
    ],
)
def test_wrong_choices_are_told(change: dict, said: str) -> None:
    given_ = {"dialect": "duckdb", "table": "s", "customer": "c", "time": "t", "end": "2024-01-31"}
    choices = {**given_, **change}
    with pytest.raises(OptionError, match=said):
        summary_sql(choices.pop("dialect"), **choices)
