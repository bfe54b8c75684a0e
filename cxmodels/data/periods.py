"""Calendar periods: which week, month, quarter or year a day lies in, and what it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cxmodels.data.units import TimeUnit, add_months
from cxmodels.errors import OptionError

PERIODS = ("week", "month", "quarter", "year")


@dataclass(frozen=True)
class Period:
    """One calendar period; `first` and `last` are its days inside the window of observation."""

    label: str
    opening: date  # first day by the calendar
    first: date
    last: date
    complete: bool  # the window holds all of it


def calendar_period(
    text: str | TimeUnit, name: str = "period", choices: Sequence[str] = PERIODS
) -> TimeUnit:
    """A calendar period named by `text`.

    >>> calendar_period("quarter")
    <TimeUnit.QUARTER: 'quarter'>
    """
    word = text.value if isinstance(text, TimeUnit) else str(text).strip().lower()
    if word not in choices:
        raise OptionError(f"{name} {word!r} is not one of {', '.join(choices)}")
    return TimeUnit(word)


def opening_of(day: date, unit: TimeUnit) -> date:
    """The first day of the period that holds `day`; weeks begin on Monday.

    >>> opening_of(date(2024, 5, 17), TimeUnit.QUARTER)
    datetime.date(2024, 4, 1)
    """
    if unit is TimeUnit.WEEK:
        return day - timedelta(days=day.weekday())
    return date(day.year, (day.month - 1) // unit.months * unit.months + 1, 1)


def following(opening: date, unit: TimeUnit) -> date:
    """The first day of the next period."""
    if unit is TimeUnit.WEEK:
        return opening + timedelta(days=7)
    return add_months(opening, unit.months)


def label_of(opening: date, unit: TimeUnit) -> str:
    """What a period is called, in text that sorts by time.

    >>> [label_of(date(2024, 4, 1), unit) for unit in (TimeUnit.YEAR, TimeUnit.QUARTER)]
    ['2024', '2024-Q2']
    >>> label_of(date(2024, 12, 30), TimeUnit.WEEK)
    '2025-W01'
    """
    if unit is TimeUnit.WEEK:
        year, week, _ = opening.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if unit is TimeUnit.QUARTER:
        return f"{opening.year:04d}-Q{(opening.month + 2) // 3}"
    name = f"{opening.year:04d}"
    return name if unit is TimeUnit.YEAR else f"{name}-{opening.month:02d}"


def calendar_periods(
    start: date, end: date, unit: TimeUnit, observed_from: date | None = None
) -> list[Period]:
    """Every period that the window from `start` to `end` touches, in order.

    observed_from: an earlier day from which it is known that nothing happened before `start`.

    >>> [period.label for period in calendar_periods(date(2024, 2, 5), date(2024, 7, 1),
    ...                                              TimeUnit.QUARTER)]
    ['2024-Q1', '2024-Q2', '2024-Q3']
    """
    found, opening = [], opening_of(start, unit)
    seen = min(start, observed_from or start)
    while opening <= end:
        after = following(opening, unit)
        last = after - timedelta(days=1)
        whole = seen <= opening and last <= end
        found.append(
            Period(label_of(opening, unit), opening, max(opening, start), min(last, end), whole)
        )
        opening = after
    return found
