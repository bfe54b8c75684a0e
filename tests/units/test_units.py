"""Time with a unit: calendar months by brute force, spans, collapse."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxmodels.data.units import (
    Collapse,
    Span,
    TimeUnit,
    add_months,
    elapsed,
    months_between,
)
from cxmodels.errors import OptionError

DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


def brute_force_months(start: date, stop: date) -> float:
    """Step month by month from the start; then the share of the month that is under way."""
    whole = 0
    while add_months(start, whole + 1) <= stop:
        whole += 1
    opened, closes = add_months(start, whole), add_months(start, whole + 1)
    return whole + (stop - opened).days / (closes - opened).days


@given(DAYS, st.integers(0, 4000))
def test_months_between_equals_stepping_through_the_calendar(start: date, days: int) -> None:
    stop = start + timedelta(days=days)
    assert months_between(start, stop) == brute_force_months(start, stop)


@given(DAYS, st.integers(0, 2000), st.integers(1, 500))
def test_months_between_grows_with_time(start: date, days: int, more: int) -> None:
    stop = start + timedelta(days=days)
    assert months_between(start, stop + timedelta(days=more)) > months_between(start, stop)


@given(DAYS, st.integers(0, 200))
def test_months_between_undoes_add_months(start: date, months: int) -> None:
    assert months_between(start, add_months(start, months)) == months


def test_months_between_reads_the_clock() -> None:
    start = datetime(2024, 1, 15, 12)
    assert months_between(start, datetime(2024, 2, 15, 12)) == 1
    assert months_between(start, datetime(2024, 2, 15, 11)) == pytest.approx(1 - 1 / (31 * 24))


def test_month_ends_are_held() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert months_between(date(2023, 1, 31), date(2023, 2, 28)) == 1


@pytest.mark.parametrize(
    ("unit", "length"),
    [("hour", 273 * 24), ("day", 273), ("week", 39), ("month", 9), ("quarter", 3), ("year", 0.75)],
)
def test_the_cdnow_hold_out_in_each_unit(unit: str, length: float) -> None:
    # 1997-09-30 to 1998-06-30: 273 days, 9 calendar months (numbers/customers.md: 39 weeks)
    found = elapsed(date(1997, 9, 30), date(1998, 6, 30), TimeUnit.parse(unit))
    assert found == pytest.approx(length, rel=1e-14)


@pytest.mark.parametrize(("text", "unit"), [("52W", "week"), ("12M", "month"), ("24h", "hour")])
def test_spans_are_read(text: str, unit: str) -> None:
    span = Span.parse(text)
    assert (span.count, span.unit.value) == (float(text[:-1]), unit)
    assert span.length(span.unit) == span.count


def test_a_span_of_months_is_measured_on_the_calendar() -> None:
    assert Span.parse("1M").length(TimeUnit.DAY, date(2024, 2, 1)) == 29
    assert Span.parse("2Q").length(TimeUnit.YEAR) == 0.5


@pytest.mark.parametrize("text", ["", "W", "12", "12X", "-3W", "1.5.2M"])
def test_a_span_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="as in '52W'"):
        Span.parse(text)


@pytest.mark.parametrize("parse", [TimeUnit.parse, Collapse.parse])
def test_a_choice_that_is_none_names_the_choices(parse) -> None:
    with pytest.raises(OptionError, match=r"'fortnight' is not one of .*hour, day, week, month"):
        parse("fortnight")


@pytest.mark.parametrize(
    ("collapse", "last"),
    [
        ("none", datetime(1997, 10, 1)),
        ("hour", datetime(1997, 9, 30, 23)),
        ("day", date(1997, 9, 30)),
        ("week", date(1997, 9, 29)),  # a Monday
        ("month", date(1997, 9, 1)),
    ],
)
def test_the_window_closes_in_the_period_that_holds_its_end(collapse: str, last: date) -> None:
    assert Collapse.parse(collapse).last_moment(date(1997, 9, 30)) == last
