"""Time with a unit: what "a week" or "36 months" means when a calendar is at hand.

Weeks, days and hours are exact multiples of a day. Months, quarters and years are calendar
ones where two dates are known; an average (365.2425 / 12 days a month) only where none is.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from cxmodels.errors import OptionError

DAYS_PER_YEAR = 365.2425  # mean Gregorian year


class TimeUnit(Enum):
    """The unit in which recency, T and horizons are measured."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @classmethod
    def parse(cls, text: "str | TimeUnit") -> "TimeUnit":
        """The unit named by `text`.

        >>> TimeUnit.parse("week")
        <TimeUnit.WEEK: 'week'>
        """
        if isinstance(text, TimeUnit):
            return text
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            choices = ", ".join(unit.value for unit in cls)
            raise OptionError(f"unit {text!r} is not one of {choices}") from None

    @property
    def months(self) -> int:
        """Calendar months in the unit; 0 for hour, day and week."""
        return {TimeUnit.MONTH: 1, TimeUnit.QUARTER: 3, TimeUnit.YEAR: 12}.get(self, 0)

    @property
    def days(self) -> float:
        """Days in the unit, on average for calendar units."""
        if self.months:
            return DAYS_PER_YEAR / 12 * self.months
        return {TimeUnit.HOUR: 1 / 24, TimeUnit.DAY: 1.0, TimeUnit.WEEK: 7.0}[self]

    @property
    def per_year(self) -> float:
        """How many of the unit make a year."""
        return 12 / self.months if self.months else DAYS_PER_YEAR / self.days


class Collapse(Enum):
    """What counts as one purchase occasion: everything a customer buys within one of these."""

    NONE = "none"  # the time stamp itself: only rows of the very same instant are merged
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # Monday to Sunday
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @classmethod
    def parse(cls, text: "str | Collapse") -> "Collapse":
        """The choice named by `text`.

        >>> Collapse.parse("day")
        <Collapse.DAY: 'day'>
        """
        if isinstance(text, Collapse):
            return text
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            choices = ", ".join(choice.value for choice in cls)
            raise OptionError(f"collapse {text!r} is not one of {choices}") from None

    @property
    def has_clock(self) -> bool:
        """Whether an occasion has a time of day, not a date alone."""
        return self in (Collapse.NONE, Collapse.HOUR)

    @property
    def has_days(self) -> bool:
        """Whether an occasion may hold purchases of several days."""
        return self in (Collapse.WEEK, Collapse.MONTH, Collapse.QUARTER, Collapse.YEAR)

    def first_day(self, day: date) -> date:
        """The first day of the period that holds `day`.

        >>> Collapse.QUARTER.first_day(date(1997, 9, 30))
        datetime.date(1997, 7, 1)
        """
        return self.last_moment(day) if self.has_days else day

    def last_moment(self, end: date) -> date:
        """The occasion time that closes a window whose last day is `end`.

        >>> Collapse.WEEK.last_moment(date(1997, 10, 1))
        datetime.date(1997, 9, 29)
        """
        if self is Collapse.WEEK:
            return end - timedelta(days=end.weekday())
        if self is Collapse.MONTH:
            return end.replace(day=1)
        if self is Collapse.QUARTER:
            return end.replace(month=1 + (end.month - 1) // 3 * 3, day=1)
        if self is Collapse.YEAR:
            return end.replace(month=1, day=1)
        if self is Collapse.DAY:
            return end
        midnight = datetime(end.year, end.month, end.day) + timedelta(days=1)
        return midnight if self is Collapse.NONE else midnight - timedelta(hours=1)


def add_months(start: date, months: int) -> date:
    """`start` moved by whole months, held at the month's last day.

    >>> add_months(date(2024, 1, 31), 1)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last_day))


def months_between(start: date, stop: date) -> float:
    """Whole calendar months from `start` to `stop`, and the rest as a share of its month.

    >>> months_between(date(2024, 1, 15), date(2024, 3, 15))
    2.0
    """
    whole = 12 * (stop.year - start.year) + stop.month - start.month
    if add_months(start, whole) > stop:
        whole -= 1
    anchor, following = add_months(start, whole), add_months(start, whole + 1)
    return whole + (stop - anchor) / (following - anchor)


def elapsed(start: date, stop: date, unit: TimeUnit) -> float:
    """Time from `start` to `stop` in `unit`; calendar months where the unit is made of them.

    >>> elapsed(date(1997, 9, 30), date(1998, 6, 30), TimeUnit.WEEK)
    39.0
    """
    if unit.months:
        return months_between(start, stop) / unit.months
    return (stop - start) / timedelta(days=1) / unit.days


_SPAN = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([HDWMQY])\s*$", re.IGNORECASE)
_LETTERS = dict(zip("HDWMQY", TimeUnit, strict=True))


@dataclass(frozen=True)
class Span:
    """A length of time with its unit, such as 52 weeks or 36 calendar months."""

    count: float
    unit: TimeUnit

    @classmethod
    def parse(cls, text: "str | Span") -> "Span":
        """The span written as "52W", "12M", "8Q", "2Y", "90D" or "24H".

        >>> Span.parse("36M")
        Span(count=36.0, unit=<TimeUnit.MONTH: 'month'>)
        """
        if isinstance(text, Span):
            return text
        match = _SPAN.match(str(text))
        if match is None:
            raise OptionError(f"span {text!r} is not a number and one of H D W M Q Y, as in '52W'")
        return cls(float(match[1]), _LETTERS[match[2].upper()])

    def after(self, start: date) -> date:
        """The day on which the span that begins at `start` ends (whole days)."""
        try:
            if self.unit.months and self.count == int(self.count):
                return add_months(start, int(self.count) * self.unit.months)
            return start + timedelta(days=round(self.count * self.unit.days))
        except (OverflowError, ValueError):
            raise OptionError(f"{self} from {start} ends after the year 9999") from None

    def length(self, unit: TimeUnit, start: date | None = None) -> float:
        """The span measured in `unit`; by the calendar from `start` where months are involved.

        >>> Span.parse("12M").length(TimeUnit.WEEK, date(1997, 9, 30))
        52.142857142857146
        >>> Span.parse("2Y").length(TimeUnit.QUARTER)
        8.0
        """
        if unit is self.unit:
            return self.count
        if unit.months and self.unit.months:
            return self.count * self.unit.months / unit.months
        if start is None or not (unit.months or self.unit.months):
            return self.count * self.unit.days / unit.days
        return elapsed(start, self.after(start), unit)

    def __str__(self) -> str:
        count = f"{self.count:g}"
        return f"{count} {self.unit.value}{'' if count == '1' else 's'}"
