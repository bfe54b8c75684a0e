"""What is known of customers over time: satisfaction by survey, season, marketing by week.

A table of covariates with dates is a step function for each customer: a row holds from its day
until that customer's next row, the last one through `until`. A table without a column of customers
holds for all of them.
"""

import numbers as numbers_abc
import warnings
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.joined import without_rows
from cxmodels.data.profiles import Bools, Floats, Ints
from cxmodels.data.transactions import covariate_names, day
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.summaries import CustomerBase

WHOLE_DAYS = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class CovariatePath:
    """Rows of one table, sorted by customer and day.

    frame: the covariates; ids: (rows,) whom each is about, None where it is about all; days:
    (rows,) from when, as datetime64[D]; until: the last day for which the table speaks.
    """

    frame: "pd.DataFrame"
    ids: "pd.Series[Any] | None"
    days: Any
    until: date

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates."""
        return tuple(self.frame.columns)


@dataclass(frozen=True, eq=False)
class Steps:
    """The covariates of n customers as steps, ordered by customer and time.

    customer: (s,) place in the base; since: (s,) when the step begins, in the base's unit since
    the first purchase, 0 or later; frame: (s, ...) covariates, those that never change among them,
    with customer_id; until: (n,) the time from which nothing is known; last: the day before it.
    """

    customer: Ints
    since: Floats
    frame: "pd.DataFrame"
    until: Floats
    last: date

    def lengths(self, T: Floats) -> Floats:
        """(s,): how much of each step was observed, where customers were until T (n,)."""
        end = T[self.customer]
        following = np.append(self.since[1:], np.inf)
        following[np.append(self.customer[1:] != self.customer[:-1], True)] = np.inf
        found: Floats = np.maximum(np.minimum(following, end) - self.since, 0.0)
        return found


def with_path(
    base: "CustomerBase", frame: Any, on: str, time: str, until: str | date | None
) -> "CustomerBase":
    """The base with a table of covariates over time; see CustomerBase.with_covariates."""
    collapse = base.collapse
    if base.end is None or "first_date" not in base.table or collapse is None or collapse.has_days:
        raise OptionError(
            "covariates over time need the days of purchases: make the base with "
            "cx.customer_base(...) from a log, with collapse='day', 'hour' or 'none'"
        )
    if base.unit.months:
        raise OptionError(
            f"covariates over time need a unit of a fixed length: make the base with unit='week' "
            f"or 'day', not {base.unit.value!r}"
        )
    given = as_pandas(frame).reset_index(drop=True)
    if time not in given:
        listed = ", ".join(map(str, given.columns))
        raise DataError("covariates", [Problem(f"there is no column {time!r}", remedy=listed)])
    names = _names(base, given, (on, time))
    if not len(given):
        raise DataError("covariates over time", [Problem("the frame has no rows")])
    days, problems = _days(given, time)
    if not problems:
        problems = _problems(base, given, on if on in given else None, days)
    if problems:
        raise DataError("covariates over time", problems)
    ids = None
    if on in given:
        mine = given[on].isin(base.table["customer_id"]).to_numpy()
        given, days = given[mine], days[mine]
        ids = given[on]
    order = np.lexsort((days, np.zeros(len(given)) if ids is None else _places(base, ids)))
    last = day("until", until) or max(base.end, _last_day(days))
    if last < base.end:
        raise OptionError(f"until={last} is before the end of the base, {base.end}")
    path = CovariatePath(
        given[list(names)].iloc[order].reset_index(drop=True),
        None if ids is None else ids.iloc[order].reset_index(drop=True),
        days[order],
        last,
    )
    return replace(base, paths=(*base.paths, path))


def _names(base: "CustomerBase", given: "pd.DataFrame", roles: tuple[str, str]) -> tuple[str, ...]:
    """The covariates of a frame, whose other columns play roles; new names all."""
    names = covariate_names([str(name) for name in given.columns if name not in roles])
    if not names:
        words = " and ".join(repr(role) for role in roles)
        raise OptionError(f"the frame has no column beside {words}: nothing to join")
    known = {*base.table.columns, *(name for path in base.paths for name in path.names)}
    taken = [name for name in names if name in known]
    if taken:
        raise OptionError(f"the base has a column {taken[0]!r} already: rename it in the frame")
    return names


def _days(given: "pd.DataFrame", time: str) -> tuple[Any, list[Problem]]:
    """The days of the rows, or what is wrong with them."""
    import pandas as pd

    numbers = given[time].map(lambda value: isinstance(value, numbers_abc.Number)).to_numpy()
    if (numbers & given[time].notna().to_numpy()).any():
        shown = given[time][numbers].iloc[0]
        what = f"{time} holds numbers, which could be any time: make days of them"
        return None, [Problem(what, int(numbers.sum()), f"{shown!r}")]
    mixed = Problem(f"{time} mixes time zones", remedy="Make a column of days of it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pandas 2 warns where pandas 3 raises
            found = pd.to_datetime(given[time].astype(object), errors="coerce", format="mixed")
    except ValueError:
        return None, [mixed]
    if not pd.api.types.is_datetime64_any_dtype(found):
        return None, [mixed]
    wrong = found.isna().to_numpy()
    if not wrong.any():
        local = found.dt.tz_localize(None)  # the day where it was written down
        return local.to_numpy().astype("datetime64[D]"), []
    first = int(np.argmax(wrong))
    what = f"{time} is missing or no day such as '1997-09-30'"
    return None, [Problem(what, int(wrong.sum()), f"row {first + 1}: {given[time].iloc[first]!r}")]


def _last_day(days: Any) -> date:
    """The last day of which rows speak: evenly spaced ones (weeks) hold a step, others a day."""
    distinct = np.unique(days)
    steps = np.diff(distinct)
    even = steps.size > 1 and bool((steps == steps[0]).all())
    found: date = (distinct[-1] + (steps[0] - WHOLE_DAYS if even else 0 * WHOLE_DAYS)).astype(
        object
    )
    return found


def _places(base: "CustomerBase", ids: "pd.Series[Any]") -> Ints:
    import pandas as pd

    found: Ints = pd.Index(base.table["customer_id"]).get_indexer(ids).astype(np.int64)
    return found


def _problems(
    base: "CustomerBase", given: "pd.DataFrame", on: str | None, days: Any
) -> list[Problem]:
    """Rows that contradict each other, customers without rows, rows that begin too late."""
    ids, births = base.table["customer_id"], _births(base).astype("datetime64[D]")
    if on is None:
        twice, late = _repeated(np.zeros(len(given)), days), births < days.min()
    else:
        twice = _repeated(given[on].to_numpy(), days)
        absent = without_rows(ids, given[on])
        if absent:
            return absent
        earliest = given[[on]].assign(day=days).groupby(on)["day"].min().reindex(ids)
        late = births < earliest.to_numpy().astype("datetime64[D]")
    problems = []
    if twice.any():
        row = int(np.argmax(twice))
        what = "several rows for one day" + ("" if on is None else " of one customer")
        who = "" if on is None else f"customer {given[on].iloc[row]}, "
        problems.append(Problem(what, int(twice.sum()), f"{who}{days[row]}"))
    if late.any():
        place = int(np.argmax(late))
        who = f"customer {ids.iloc[place]}, first purchase on {births[place]}"
        remedy = "Give each customer a row for the day of the first purchase or one before it."
        what = "customers bought before their first row of covariates"
        problems.append(Problem(what, int(late.sum()), who, remedy))
    return problems


def _repeated(ids: Any, days: Any) -> Bools:
    import pandas as pd

    return pd.DataFrame({"id": ids, "day": days}).duplicated().to_numpy()


def steps_of(base: "CustomerBase", names: tuple[str, ...]) -> Steps:
    """The named covariates of a base's customers, over time where they change over time."""
    used = [path for path in base.paths if set(path.names) & set(names)]
    if not used:
        what = f"the base has no covariates over time, which the fit used: {', '.join(names)}"
        remedy = "Join them with base.with_covariates(frame, time=...)."
        raise DataError("covariates over time", [Problem(what, remedy=remedy)])
    births = _births(base)
    every = [_cut(base, path, births) for path in used]
    customer = np.concatenate([who for who, _, _ in every])
    since = np.concatenate([when for _, when, _ in every])
    order = np.lexsort((since, customer))
    customer, since = customer[order], since[order]
    new = np.ones(order.size, dtype=bool)
    new[1:] = (customer[1:] != customer[:-1]) | (since[1:] != since[:-1])
    columns: dict[str, Any] = {"customer_id": base.table["customer_id"].to_numpy()[customer[new]]}
    begins = 0
    for path, (who, _, rows) in zip(used, every, strict=True):
        holds = np.full(order.size, -1, dtype=np.int64)
        holds[begins : begins + who.size] = np.arange(who.size)
        begins += who.size
        last = np.maximum.accumulate(holds[order])  # of each step, the row that holds
        ends = np.append(np.flatnonzero(new)[1:], order.size) - 1
        columns |= {name: path.frame[name].to_numpy()[rows[last[ends]]] for name in path.names}
    import pandas as pd

    frame = pd.DataFrame(columns)
    for name in names:
        if name not in frame and name in base.table:
            frame[name] = base.table[name].to_numpy()[customer[new]]
    until = min(path.until for path in used)
    closing = np.datetime64(until, "D") + WHOLE_DAYS
    return Steps(customer[new], since[new], frame, _since(base, births, closing), until)


def _births(base: "CustomerBase") -> Any:
    """The moments of first purchases."""
    return base.table["first_date"].to_numpy().astype("datetime64[us]")


def _since(base: "CustomerBase", births: Any, days: Any) -> Floats:
    """Time from first purchases to days, in the base's unit."""
    found: Floats = (days - births) / WHOLE_DAYS / base.unit.days
    return found


def _cut(base: "CustomerBase", path: CovariatePath, births: Any) -> tuple[Ints, Floats, Ints]:
    """Customers, times and rows of a path's steps; the row that holds at 0 begins at 0."""
    size = len(path.days)
    if path.ids is None:
        customer = np.repeat(np.arange(births.size), size)
        row = np.tile(np.arange(size), births.size)
    else:
        customer, row = _places(base, path.ids), np.arange(size)
        customer, row = customer[customer >= 0], row[customer >= 0]
    since = _since(base, births[customer], path.days[row])
    early = since <= 0.0
    over = np.zeros(early.size, dtype=bool)  # another row of the customer holds at 0
    over[:-1] = early[:-1] & early[1:] & (customer[1:] == customer[:-1])
    return customer[~over], np.maximum(since, 0.0)[~over], row[~over]


def occasions_of(base: "CustomerBase") -> tuple[Ints, Floats]:
    """Customer and time since the first purchase of every repeat purchase in calibration."""
    if base.occasions is None:
        raise OptionError(
            "this base holds no log to go back to for the days of its purchases; make it with "
            "cx.customer_base(...) from a frame, file or table"
        )
    found = base.occasions()
    customer = _places(base, found["customer_id"])
    moments = found["happened"].to_numpy().astype("datetime64[us]")
    return customer, _since(base, _births(base)[customer], moments)
