"""Which answer meets which later outcome: the days after an answer, until the customer leaves.

Each answer opens a window: the days after its own, for so many months. What happens in it is its
outcome; what happened in an equally long one before is kept beside it. Answers given while a window
is open open none of their own: soon after, they show how reliable the score is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.event_log import EventLog
from cxmodels.data.surveys import Scale, SurveyBase
from cxmodels.data.transactions import day as day_named
from cxmodels.data.units import Span
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.satisfaction.known import OWN, CustomerColumns, Known, known_customers
from cxmodels.satisfaction.windows import Windows, days_of, disjoint, moved, tally

if TYPE_CHECKING:
    import pandas as pd

YEAR = 365.2425  # days
LINKED, WHILE_OPEN = 0, 5  # places among the reasons why an answer opens no window


@dataclass(frozen=True, eq=False, repr=False)
class Linked:
    """Answers with what followed.

    table: one row an answer: customer_id, date, score, score_before (the answer before, empty for
    the first), days (from the answer to the end of the window, or of the customer), left (1 if the
    customer left within it; without contracts empty), tenure (years, where `since` is known), and
    for each log its `name` (events), `name_lines`, `name_amount`, `name_products` (distinct ones),
    each with `_before` for the window before; then what is known of customers. pairs: row (in
    table), score, score_again: answers repeated while the window was open. asked: all invitations
    that opened a window or could have, with `answered`. reconciliation: item, rows, customers.
    """

    table: "pd.DataFrame"
    pairs: "pd.DataFrame"
    asked: "pd.DataFrame"
    score: str
    scale: Scale
    window: Span
    lag: Span
    logs: tuple[str, ...]
    reconciliation: "pd.DataFrame"

    @property
    def span(self) -> str:
        """The window in words, as in "3 months after" or "3 months that begin 1 month after"."""
        return f"{self.window} {f'that begin {self.lag} ' if self.lag.count else ''}after"

    def at(self, keep: Bools) -> "Linked":
        """The same with some of the answers (n,)."""
        keep = np.asarray(keep)
        place = np.cumsum(keep) - 1
        own = keep[self.pairs["row"].to_numpy()]
        pairs = self.pairs[own].reset_index(drop=True)
        pairs["row"] = place[pairs["row"].to_numpy()]
        return replace(self, table=self.table[keep].reset_index(drop=True), pairs=pairs)

    def __repr__(self) -> str:
        n = self.table["customer_id"].nunique()
        head = (
            f"Linked: {len(self.table):,} answers ({self.score}, {self.scale}) of {n:,} customers, "
            f"outcomes of the {self.span}; {len(self.pairs):,} repeated answers"
        )
        account = self.reconciliation
        lost = account[account["item"].str.startswith("set aside") & (account["rows"] > 0)]
        return "\n".join([head, *(f"{row.item}: {row.rows:,}" for row in lost.itertuples())])


def link(  # noqa: PLR0913 - the door names every choice
    surveys: SurveyBase,
    *,
    score: str,
    logs: Mapping[str, EventLog],
    customers: Any = None,
    customer: str = "customer_id",
    since: str | None = None,
    until: str | None = None,
    window: str | Span = "3M",
    lag: str | Span = "0D",
    retest: str | Span = "30D",
    end: str | date | None = None,
) -> Linked:
    """Each answer joined with what its customer did in the window after it.

    surveys: from survey_base; score: which of its scores; logs: outcomes by name, from event_log,
    as in {"orders": ..., "referrals": ..., "cases": ...}; customers: a table of what is known of
    each, one row a customer, with `customer` its column of ids; since, until: its columns of the
    first day as a customer and the last (empty while active), with which leaving is an outcome and
    tenure a control. window: how long after the answer outcomes count; lag: what passes before it
    opens; retest: how soon after an answer another shows the score's reliability. end: last day
    that the tables speak of, by default the earliest end of a log.
    Set aside, with counts: answers of unknown customers, before the first day (or first event) and
    after the last, those whose window is not over, and those given while one is open.
    Raises: DataError where nothing is left, or a customer has two rows.
    """
    _check(surveys, score, logs)
    spans = _spans(window, lag, retest)
    known = known_customers(customers, CustomerColumns(customer, since, until), logs)
    _distinct(logs, known)
    closing, (rows, who, day) = _closing(logs, end), _in_order(surveys.table, known)
    told = rows[score].notna().to_numpy()
    opens = moved(day, spans[1])
    closes = moved(opens, spans[0])
    reasons, names = _reasons(known, who, (day, opens, closes), closing)
    fit = np.flatnonzero(told & (reasons == LINKED))
    first = disjoint(who[fit], opens[fit], closes[fit])
    kept = fit[first]
    reasons[fit[~first]] = WHILE_OPEN
    if not kept.size:
        why = _said(told, reasons, names) + _hint(known, rows["customer_id"].to_numpy())
        what = f"no answer ({score}) can be linked"
        raise DataError("survey", [Problem(what, int(told.sum()), remedy=why)])
    windows = Windows(who[kept], opens[kept], closes[kept])
    told_from = Windows(who[kept], day[kept], closes[kept] - (opens[kept] - day[kept]))
    table = _table(rows.iloc[kept], score, known, (who[kept], day[kept]))
    _outcomes(table, known, logs, windows, (day[kept], moved(day[kept], spans[0], -1)))
    free = np.flatnonzero(reasons == LINKED)
    free = free[told_from.holding(who[free], day[free]) < 0]
    asked = _table(rows.iloc[free], score, known, (who[free], day[free]))
    asked["answered"] = told[free].astype(np.float64)
    others = told & (who >= 0)
    others[kept] = False
    again = np.flatnonzero(others)
    pairs = _pairs(rows[score].to_numpy(), (who, day), told_from, (kept, again), spans[2])
    return Linked(
        table=table,
        pairs=pairs,
        asked=asked.drop(columns=["score", "score_before"]),
        score=score,
        scale=surveys.scales[score],
        window=spans[0],
        lag=spans[1],
        logs=tuple(logs),
        reconciliation=_account(rows, told, reasons, names),
    )


def _check(surveys: Any, score: str, logs: Any) -> None:
    """OptionError for what is no survey, no score of it, or no logs."""
    if not isinstance(surveys, SurveyBase):
        raise OptionError(f"link takes a survey from survey_base, got {type(surveys).__name__}")
    if not isinstance(score, str) or score not in surveys.scales:
        raise OptionError(f"score {score!r} is not one of {', '.join(surveys.scales)}")
    if not (isinstance(logs, Mapping) and logs):
        raise OptionError("logs names at least one log, as in {'orders': event_log(...)}")
    for name, log in logs.items():
        if not (isinstance(name, str) and name):
            raise OptionError(f"logs are named by text, as in {{'orders': ...}}, not {name!r}")
        if not isinstance(log, EventLog):
            raise OptionError(
                f"log {name!r} is a {type(log).__name__}: make it with event_log(...) first"
            )


def _spans(window: str | Span, lag: str | Span, retest: str | Span) -> tuple[Span, Span, Span]:
    """The three spans; a window has to be longer than nothing."""
    spans = Span.parse(window), Span.parse(lag), Span.parse(retest)
    if spans[0].count <= 0:
        raise OptionError(f"window {window!r} is not a positive span of time")
    return spans


def _distinct(logs: Mapping[str, EventLog], known: Known) -> None:
    """OptionError where a log has the name of a column that the linked table has anyway."""
    taken = {"customer_id", *OWN, *map(str, known.facts.columns)}
    for name in logs:
        made = [name + part for part in ("", "_lines", "_amount", "_products")]
        made += [f"{column}_before" for column in made]
        clash = next((column for column in made if column in taken), None)
        if clash is not None:
            raise OptionError(f"a log called {name!r} would take the column {clash!r}: rename it")


def _in_order(rows: "pd.DataFrame", known: Known) -> tuple["pd.DataFrame", Ints, Ints]:
    """Rows of the survey in order of the customer's number and day, with both."""
    who, day = known.numbers(rows["customer_id"]), days_of(rows["date"])
    order = np.lexsort((day, who))
    return rows.iloc[order].reset_index(drop=True), who[order], day[order]


def _closing(logs: Mapping[str, EventLog], end: str | date | None) -> int:
    """The last day, since 1970, of which all logs speak."""
    last = min(log.last for log in logs.values())
    asked = day_named("end", end)
    if asked is not None and asked > last:
        short = min(logs, key=lambda name: logs[name].last)
        raise OptionError(f"end {asked} is after the log {short!r} ends, {last}: say its end there")
    return int(days_of(np.datetime64(asked or last, "D")))


def _reasons(
    known: Known, who: Ints, days: tuple[Ints, Ints, Ints], closing: int
) -> tuple[Any, list[str]]:
    """Why each row opens no window, as a place among reasons; LINKED where it may."""
    day, opens, closes = days
    at, last = np.maximum(who, 0), str(np.datetime64(closing, "D"))
    names = [
        "linked answers",
        "set aside: unknown customer",
        f"set aside: before {known.dated}",
        "set aside: after leaving",
        f"set aside: window not over by {last}",
        "set aside: answers given while a window was open",
    ]
    broken = [who < 0, day < known.since[at], opens >= known.until[at], closes - 1 > closing]
    return np.select(broken, range(1, 5), LINKED).astype(np.int8), names


def _hint(known: Known, ids: Any) -> str:
    """Whether ids are those of customers but for zeros in front or spaces around them."""

    def bare(values: Any) -> set[str]:
        return {str(value).strip().lstrip("0") for value in values}

    if bare(ids[:1000]) & bare(known.ids):
        return "; ids differ in zeros in front or in spaces: write them alike"
    return ""


def _said(told: Bools, reasons: Any, names: list[str]) -> str:
    counts = np.bincount(reasons[told], minlength=len(names))
    pairs = zip(names, counts, strict=True)
    return "; ".join(f"{name}: {count:,}" for name, count in pairs if count)


def _table(rows: "pd.DataFrame", score: str, known: Known, at: tuple[Ints, Ints]) -> "pd.DataFrame":
    """Answers with what is known of their customers."""
    import pandas as pd

    who, day = at
    table = pd.DataFrame({"customer_id": rows["customer_id"].to_numpy(),
                          "date": rows["date"].to_numpy().astype("datetime64[s]"),
                          "score": rows[score].to_numpy()})  # fmt: skip
    before = table["score"].shift()
    table["score_before"] = before.where(table["customer_id"] == table["customer_id"].shift())
    if known.dated:
        table["tenure"] = (day - known.since[who]) / YEAR
    facts = known.facts.iloc[who].reset_index(drop=True)
    return pd.concat([table, facts], axis=1)


def _outcomes(
    table: "pd.DataFrame",
    known: Known,
    logs: Mapping[str, EventLog],
    windows: Windows,
    before: tuple[Ints, Ints],
) -> None:
    """Adds what happened in the windows, and in those before: (their end, their first day)."""
    day, back = before
    until = known.until[windows.customer]
    table["days"] = (np.minimum(until, windows.closes - 1) - windows.opens).astype(np.float64)
    table["left"] = (until < windows.closes).astype(np.float64) if known.ends else np.nan
    opening = max(int(days_of(np.datetime64(log.first, "D"))) for log in logs.values())
    begins = np.maximum(np.maximum(back, known.since[windows.customer]), opening)
    seen = (day - begins).astype(np.float64)
    table["days_before"] = np.where(seen > 0, seen, np.nan)
    earlier = Windows(windows.customer, back - 1, day)
    for name, log in logs.items():
        number = known.numbers(log.customer)
        for ending, frame in (("", windows), ("_before", earlier)):
            found = tally(frame, log, number)
            table[name + ending] = found.events
            if log.orders:
                table[f"{name}_lines{ending}"] = found.lines
            if found.amount is not None:
                table[f"{name}_amount{ending}"] = found.amount
            if found.products is not None:
                table[f"{name}_products{ending}"] = found.products


def _pairs(
    scores: Floats,
    rows: tuple[Ints, Ints],
    windows: Windows,
    places: tuple[Ints, Ints],
    soon: Span,
) -> "pd.DataFrame":
    """The first other answer of each window, if it came soon after the one that opened it."""
    import pandas as pd

    (who, day), (kept, again) = rows, places
    at = windows.holding(who[again], day[again])
    at, again = at[at >= 0], again[at >= 0]
    near = day[again] <= moved(day[kept[at]], soon)
    first, place = np.unique(at[near], return_index=True)
    return pd.DataFrame({"row": first, "score": scores[kept[first]],
                         "score_again": scores[again[near][place]]})  # fmt: skip


def _account(rows: "pd.DataFrame", told: Bools, reasons: Any, names: list[str]) -> "pd.DataFrame":
    """Every answer once: linked, or set aside and why."""
    import pandas as pd

    ids, why = rows["customer_id"].to_numpy()[told], reasons[told]
    lines = [("answers", int(told.sum()), len(pd.unique(ids)))]
    for place in [*range(1, len(names)), LINKED]:
        own = why == place
        if own.any() or place == LINKED:
            lines.append((names[place], int(own.sum()), len(pd.unique(ids[own]))))
    return pd.DataFrame(lines, columns=["item", "rows", "customers"])
