"""Rolling origins: the base as it stood on several days, each with the purchases that came next."""

from dataclasses import dataclass
from datetime import date, timedelta

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import DataError


@dataclass(frozen=True)
class Origin:
    """A day to forecast from: the base with a hold-out after it, and the same one period before.

    earlier: None where the log does not reach back that far.
    """

    base: CustomerBase
    earlier: CustomerBase | None


def origins_of(base: CustomerBase, many: int) -> tuple[list[Origin], str]:
    """Up to `many` origins, the latest first, and in words where they came from.

    The period of every hold-out is a sixth of the window observed. Where the base holds no log,
    its own hold-out is the only origin, if it has one.
    """
    if base.again is None or base.start is None or base.end is None:
        if base.holdout_T is None:
            return [], "no back-test: the base holds neither a log nor a hold-out"
        return [Origin(base, None)], "one origin, the base's own hold-out: it holds no log"
    last = base.holdout_end or base.end
    period = (last - base.start) // 6
    found = []
    for place in range(1, many + 1):
        end = last - place * period
        origin = _cut(base, end, end + period) if end > base.start else None
        if origin is not None and origin.repeaters:
            found.append(Origin(origin, _cut(base, end - period, end)))
    return found, _words(found, period)


def _cut(base: CustomerBase, end: date, holdout_end: date) -> CustomerBase | None:
    """The base as of `end`; None where nobody had bought by then."""
    try:
        return base.at(end, holdout_end=holdout_end)
    except DataError:
        return None


def _words(found: list[Origin], period: timedelta) -> str:
    if not found:
        return "no back-test: the log is too short to cut"
    ends = ", ".join(str(origin.base.end) for origin in found)
    return f"forecasts of {period.days} days from {ends}"
