"""The door for surveys: who was asked when, and what they answered on which scale.

A row is an answer, or an invitation that nobody answered (all its scores empty). Scores off their
scale, scales that seem mixed and two answers of one instant end in one error that lists them all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.profiles import Bools, Floats
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.dated_rows import DatedRows
    from cxmodels.data.readings import Rule

FEW = 20  # answers of a month below which its scale is not judged
NARROW = {20.0: 0.2, 9.0: 0.5}  # width -> part of a scale that a month of another would fill
CHANCE = 1e-6  # of such a month, were its answers like those of the others


@dataclass(frozen=True)
class Scale:
    """The lowest and the highest answer possible, as in 0 and 10."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise OptionError(f"a scale runs from a lower to a higher number, not {self}")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, repr=False)
class SurveyBase:
    """Answers and unanswered invitations, one a row, in order of customer and time.

    table: customer_id, date (with its time of day), one column a score, answered; scales: of each
    score; reconciliation: item, rows, customers; notes: what to know of them.
    """

    table: "pd.DataFrame"
    scales: dict[str, Scale]
    reconciliation: "pd.DataFrame"
    notes: tuple[str, ...] = ()

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores."""
        return tuple(self.scales)

    @property
    def answers(self) -> "pd.DataFrame":
        """The rows that were answered."""
        return self.table[self.table["answered"]].reset_index(drop=True)

    @property
    def response_rate(self) -> float | None:
        """Answers over invitations; None where the table has no unanswered ones."""
        asked, answered = len(self.table), int(self.table["answered"].sum())
        return None if asked == answered else answered / asked

    def __repr__(self) -> str:
        table, answered = self.table, int(self.table["answered"].sum())
        scales = ", ".join(f"{name} ({scale})" for name, scale in self.scales.items())
        rate = self.response_rate
        asked = "" if rate is None else f" to {len(table):,} invitations ({rate:.0%})"
        days = f"{table['date'].min():%Y-%m-%d} to {table['date'].max():%Y-%m-%d}"
        n = table["customer_id"][table["answered"]].nunique()
        whom = f"{n:,} customer{'' if n == 1 else 's'}"
        lines = [f"SurveyBase: {answered:,} answers of {whom}{asked}, {days}", f"scores: {scales}"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def one_of(surveys: Any, score: Any) -> None:
    """OptionError for what is no survey, or for a score that it has not."""
    if not isinstance(surveys, SurveyBase):
        raise OptionError(f"this takes a survey from survey_base, got {type(surveys).__name__}")
    if not isinstance(score, str) or score not in surveys.scales:
        raise OptionError(f"score {score!r} is not one of {', '.join(surveys.scales)}")


def several(surveys: Any, names: Any, what: str) -> list[str]:
    """Names of scores of a survey, each once and in order; a text alone is no list of names."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise OptionError(f"{what} are several scores, as in ['quality', 'price'], got {names!r}")
    listed = list(dict.fromkeys(names))
    for name in listed:
        one_of(surveys, name)
    return listed


def survey_base(
    answers: Any,
    *,
    customer: str,
    time: str,
    scores: Mapping[str, tuple[float, float]],
    time_format: str | None = None,
    timezone: str | None = None,
    table: str | None = None,
) -> SurveyBase:
    """A checked table of survey answers.

    answers: anything tabular, as for customer_base; customer, time: names of its columns; scores:
    column -> (lowest, highest possible answer). A row whose scores are all empty is an invitation
    that was not answered: with them the response rate is known. Rows that repeat another in
    customer, time and every score are kept once; an unanswered row of the same instant as an answer
    is its invitation, and goes with it.
    Raises: DataError with every problem, OptionError for a scale that is none.

    >>> import pandas as pd
    >>> told = pd.DataFrame({"who": [1, 1, 2], "when": ["2024-01-05", "2024-04-05", "2024-01-07"],
    ...                      "nps": [9, 7, None]})
    >>> survey_base(told, customer="who", time="when", scores={"nps": (0, 10)})
    SurveyBase: 2 answers of 1 customer to 3 invitations (67%), 2024-01-05 to 2024-04-05
    scores: nps (0 to 10)
    """
    from cxmodels.data.dated_rows import DatedColumns, read_dated
    from cxmodels.data.readings import Rule

    if not scores or not isinstance(scores, Mapping):
        raise OptionError("scores names at least one column with its scale, as in {'nps': (0, 10)}")
    scales = {name: _scale(name, ends) for name, ends in scores.items()}
    names = DatedColumns(customer, time, tuple(scales), (), time_format, timezone)

    def rules(name: str, value: str) -> "Iterable[Rule]":
        scale = scales[name]
        off = f"({value} < {scale.low!r} OR {value} > {scale.high!r})"
        yield Rule(f"score {name!r} lies off its scale, {scale}", f"COALESCE({off}, FALSE)",
                   "Correct these answers, or give the scale they were asked on")  # fmt: skip

    rows = read_dated(answers, names, what="survey", table=table, rules=rules)
    rows = _answered_first(rows)
    problems = [*_two_at_once(rows), *_mixed_scales(rows, scales)]
    if problems:
        raise DataError("survey", problems)
    return _base(rows, scales)


def _scale(name: str, ends: Any) -> Scale:
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        raise OptionError(
            f"the scale of {name!r} is its lowest and highest answer, as in (0, 10); not {ends!r}"
        ) from None
    return Scale(low, high)


def _values(rows: "DatedRows") -> Floats:
    """(n, k): all scores."""
    return np.stack(list(rows.numbers.values()), axis=-1)


def _answered_first(rows: "DatedRows") -> "DatedRows":
    """The rows with answers before invitations where customer and instant are the same."""
    begins = np.ones(rows.moment.size, np.bool_)
    begins[1:] = rows.customer[1:] != rows.customer[:-1]
    silent = np.isnan(_values(rows)).all(axis=1)
    return rows.at(np.lexsort((silent, rows.moment, np.cumsum(begins))))


def _twins(rows: "DatedRows") -> tuple[Bools, Bools]:
    """(n,) rows of the same customer and instant as the row before, and those that say no more."""
    same: Bools = np.zeros(rows.moment.size, np.bool_)
    equal = same.copy()
    same[1:] = (rows.customer[1:] == rows.customer[:-1]) & (rows.moment[1:] == rows.moment[:-1])
    values = _values(rows)
    alike = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    silent = np.asarray(np.isnan(values).all(axis=1))
    equal[1:] = same[1:] & (alike.all(axis=1) | silent[1:])
    return same, equal


def _two_at_once(rows: "DatedRows") -> Iterator[Problem]:
    same, equal = _twins(rows)
    odd = np.flatnonzero(same & ~equal)
    if odd.size:
        place = odd[0]
        first = f"customer {rows.customer[place]}, {rows.moment[place].astype('datetime64[s]')}"
        what = "a customer has two different answers of one instant"
        remedy = "Keep the answer that holds, or give times of day that tell their order"
        yield Problem(what, odd.size, first, remedy)


def _mixed_scales(rows: "DatedRows", scales: dict[str, Scale]) -> Iterator[Problem]:
    """Months whose answers fill only the bottom of a wide scale while those of others do not."""
    month = rows.moment.astype("datetime64[M]")
    months, place = np.unique(month, return_inverse=True)
    for name, scale in scales.items():
        value, width = rows.numbers[name], scale.high - scale.low
        told = ~np.isnan(value)
        part = next((part for least, part in NARROW.items() if width >= least), None)
        if part is None or not told.any():
            continue
        top = np.full(months.size, -np.inf)
        np.maximum.at(top, place[told], value[told])
        counts = np.bincount(place[told], minlength=months.size)
        cut = scale.low + part * width
        low = (counts >= FEW) & (top <= cut)
        others = value[told & ~low[place]]
        like = float(np.mean(others <= cut)) if others.size else 1.0
        low &= counts * np.log(max(like, 1e-300)) < np.log(CHANCE)
        if low.any():
            first = f"{months[np.argmax(low)]}, whose highest answer is {top[np.argmax(low)]:g}"
            yield Problem(
                f"score {name!r}, on a scale of {scale}, seems to mix two scales by month",
                int(np.isin(place, np.flatnonzero(low))[told].sum()), first,
                "Bring answers of these months to the scale of the others",
            )  # fmt: skip


def _nothing(unnamed: int, named: int) -> Problem:
    if named:
        return Problem("no invitation was answered", named)
    return Problem("no row names a customer", unnamed, remedy="Is it the column of customers?")


def _base(rows: "DatedRows", scales: dict[str, Scale]) -> SurveyBase:
    import pandas as pd

    _, equal = _twins(rows)
    kept = rows.at(~equal)
    answered = ~np.isnan(_values(kept)).all(axis=1)
    facts: dict[str, Any] = {"customer_id": kept.customer, "date": kept.moment}
    table = pd.DataFrame({**facts, **kept.numbers, "answered": answered})
    who = table["customer_id"].to_numpy()
    account = [
        ("survey", rows.rows, len(pd.unique(rows.customer))),
        ("set aside: no customer id", rows.unnamed, 0),
        ("set aside: says nothing more", int(equal.sum()), len(pd.unique(rows.customer[equal]))),
        ("invitations without an answer", int((~answered).sum()), len(pd.unique(who[~answered]))),
        ("answers", int(answered.sum()), len(pd.unique(who[answered]))),
    ]
    notes = [f"{rows.unnamed:,} rows name no customer: set aside."] if rows.unnamed else []
    if equal.any():
        notes.append(f"{int(equal.sum()):,} rows repeat another or are its invitation: set aside.")
    if not answered.any():
        raise DataError("survey", [_nothing(rows.unnamed, len(table))])
    partly = np.isnan(_values(kept)).any(axis=1) & answered
    if partly.any():
        notes.append(f"{int(partly.sum()):,} answers leave some scores empty.")
    frame = pd.DataFrame(account, columns=["item", "rows", "customers"])
    return SurveyBase(table, scales, frame, tuple(notes))
