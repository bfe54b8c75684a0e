"""A test while it runs: are its arms as drawn, were they alike before, does anything break?

Rows are read once, as moments of each day, which are merged look by look. Guardrails and planned
metrics have intervals that hold at all looks together, so that looking does no harm; a fixed
interval looked at daily breaks its word in most tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from cxmodels.data import tables
from cxmodels.data.tables import Source
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.adjustment import CUPED, PLAIN
from cxmodels.experiments.answer_tables import label_of
from cxmodels.experiments.arm_balance import Balance, balance
from cxmodels.experiments.assignment_query import HOLDOUT
from cxmodels.experiments.comparison import Choices
from cxmodels.experiments.daily_moments import given_days, read_days, until
from cxmodels.experiments.looks import (
    ALWAYS_VALID,
    BROKEN,
    PLANNED_LOOKS,
    UNKNOWN,
    WORSE,
    looked,
    scheduled,
    untold,
)
from cxmodels.experiments.measured_before import measured_before
from cxmodels.experiments.metric_kinds import asked_of
from cxmodels.experiments.moments import WHAT, Moments, named
from cxmodels.experiments.plan import Registered, TestPlan
from cxmodels.experiments.planned import Said, by_plan
from cxmodels.experiments.sample_ratio import SampleRatio, of_moments, sample_ratio
from cxmodels.experiments.sequential import SPEND_OF, SPEND_P
from cxmodels.experiments.trial_contract import TrialColumns
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

KINDS = {PLANNED_LOOKS, ALWAYS_VALID}


@dataclass(frozen=True, eq=False, repr=False)
class Monitored(Faced):
    """A running test.

    sample_ratio: arms against their shares; balance: before the test, None where nothing from
    before is known. looks: one row a metric, arm and look: metric, arm, look, day (rows until its
    end), n, n_control (outcome known), estimate, std_error, lower, upper (hold at all looks
    together; missing while nothing may be said), margin, line (what the interval is held against:
    0, or the margin with its sign), state ("holds", "broken" of guardrails; "better", "worse" of
    other metrics; "not yet known"), standing ("planned" or "exploratory"). stop: whether the plan's
    looks advise to stop for harm. sentence: what to do.
    """

    sample_ratio: SampleRatio
    balance: Balance | None
    looks: "pd.DataFrame"
    plan: TestPlan
    level: float
    stop: bool
    sentence: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The last look, then what to do; first of all, arms that are not as drawn."""
        last = self.looks.groupby(["metric", "arm"], sort=False).tail(1)
        shown = last[["metric", "arm", "look", "day", "n", "estimate", "lower", "upper", "margin",
                      "state"]]  # fmt: skip
        shown = shown.assign(day=shown["day"].dt.strftime("%Y-%m-%d"))
        alike = () if self.balance is None else (self.balance.sentence,)
        sizes = self.sample_ratio.sentence
        told = (sizes, self.sentence) if self.sample_ratio.mismatch else (self.sentence, sizes)
        head = f"The last look, intervals of {self.level:.0%} over all looks"
        return Face(head if len(shown) else "No look is over", shown,
                    (*told, *alike, *self.notes))  # fmt: skip


def monitor(  # noqa: PLR0913 - the door says everything by keyword
    source: Any,
    *,
    plan: TestPlan | Registered,
    arm: str = "arm",
    day: str | None = None,
    covariates: str | Iterable[str] = (),
    by: str | Iterable[str] = (),
    looks: str = PLANNED_LOOKS,
    boundary: str = SPEND_OF,
    assigned: str | None = None,
    measured: str | None = None,
    table: str | None = None,
) -> Monitored:
    """A running test by its plan.

    source, table: one row a unit, anything tabular; or day -> moments of that day (`moments`), as a
    warehouse keeps them, without balance and segments. plan: of metrics, arms, shares, looks,
    level. arm, day: columns; a row counts from its day on, the one on which all its outcomes were
    known. covariates: columns from before the test, beside those that metrics have as before=; by:
    columns of segments in which arms' sizes are checked. looks: "planned" (as many as the plan
    says, evenly spaced, error spent by `boundary`, "spend obrien-fleming" or "spend pocock"), or
    "always" (any day, any number of times). assigned, measured: columns of dates; an outcome
    measured before its unit was assigned is refused. Each metric and arm is judged by itself.
    Errors: DataError with every problem of the rows; OptionError.

    >>> import numpy as np, pandas as pd
    >>> from cxmodels.experiments.metrics import Metric
    >>> plan = TestPlan(question="Do calls keep customers?", lever="call", cost=2.5, unit="id",
    ...     arms=("as now", "call"), start="2026-03-01", end="2026-03-28", looks=4, value="margin",
    ...     metrics=(Metric("stayed", "proportion", role="retention"), Metric("minutes", margin=1)))
    >>> n = np.arange(4000)
    >>> seen = pd.DataFrame({"id": n, "arm": np.where(n % 2, "call", "as now"),
    ...     "day": pd.Timestamp("2026-03-01") + pd.to_timedelta(n // 200, "D"),
    ...     "stayed": (n % 7 > 2).astype(int), "minutes": n % 11})
    >>> found = monitor(seen, plan=plan, day="day")
    >>> int(found.looks["look"].max()), *found.looks["state"].tail(1), found.stop
    (2, 'holds', False)
    """
    of = by_plan(Said(None, (), (), None, None, None, float("nan")), plan)
    if of.plan is None:
        raise OptionError("monitor goes by a plan: plan=TestPlan(...)")
    if looks not in KINDS:
        raise OptionError(f"looks are 'planned' or 'always', got {looks!r}")
    if boundary not in (SPEND_OF, SPEND_P):
        raise OptionError(f"boundary is {SPEND_OF!r} or {SPEND_P!r}, got {boundary!r}")
    if (assigned is None) != (measured is None):
        raise OptionError("assigned= and measured= go together")
    if isinstance(source, Mapping) and any(isinstance(v, Moments) for v in source.values()):
        days = given_days(source)
        _check([*_of_arms(days, of), *_of_time(days, of.plan)], WHAT)
        of = of.among({arm for own in days.values() for arm in own.arms})
        return _told(days, of, (looks, boundary), of_moments(days, of.shares or {}), None)
    if day is None:
        raise OptionError("day= names the column of the day from which a row counts")
    columns = TrialColumns(arm, of.strata, of.cluster, of.unit)
    wanted = (named(covariates, "covariates"), named(by, "by"))
    with tables.open_log(source, table) as opened:
        what = f"{WHAT} ({opened.what})"
        try:
            dates = (assigned, measured) if assigned and measured else None
            days = _read(opened, of, columns, (day, dates))
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None
    of = of.among({arm for own in days.values() for arm in own.arms})
    asked = [metric for metric in of.metrics if metric.role == "satisfaction"]
    outcome = (*asked, *of.metrics)[0].column  # answers are what may be missing
    sizes = sample_ratio(source, plan=plan, arm=arm, by=wanted[1], day=day, table=table,
                         outcome=outcome)  # fmt: skip
    try:
        alike = _alike(source, of, arm, wanted[0], table)
    except DataError as error:  # rows were sound: what is wrong is too few of them, or constant
        of = replace(of, notes=(*of.notes, f"Balance is not known yet: {error.problems[0]}."))
        alike = None
    return _told(days, of, (looks, boundary), sizes, alike)


def _read(
    source: Source, of: Said, columns: TrialColumns, when: tuple[str, tuple[str, str] | None]
) -> dict[date, Moments]:
    """Moments of each day, or every problem of the rows."""
    asked = asked_of(of.metrics, ())
    numbers = tuple(dict.fromkeys(term.column for item in asked for term in item.terms))
    within = TrialColumns(columns.arm, columns.strata, columns.cluster, columns.unit, numbers)
    days, problems = read_days(source, within, asked, when[0])
    if when[1] is not None:
        problems += measured_before(source, *when[1], unit=columns.unit)
    if not problems and of.plan is not None:
        problems = [*_of_arms(days, of), *_of_time(days, of.plan)]
    _check(problems, f"{WHAT} ({source.what})")
    return days


def _check(problems: list[Problem], what: str) -> None:
    if problems:
        raise DataError(what, problems)


def _of_arms(days: Mapping[date, Moments], of: Said) -> Iterable[Problem]:
    """Arms that the plan does not have; that some are not there yet is no problem."""
    there = sorted({arm for own in days.values() for arm in own.arms})
    known = [label_of(arm) for arm in of.shares or {}]
    for arm in there:
        if arm not in known and arm != HOLDOUT:
            yield Problem(f"arm {arm!r} is not in the plan",
                          remedy=f"Arms of the plan: {', '.join(map(repr, known))}")  # fmt: skip


def _of_time(days: Mapping[date, Moments], plan: TestPlan) -> Iterable[Problem]:
    """Rows of before the test began."""
    early = [day for day in days if day < plan.start]
    if early:
        rows = int(sum(days[day].rows.sum() for day in early))
        yield Problem(f"rows are dated before the test began, {plan.start}", rows,
                      f"day {min(early)}", "Leave them out, or use them as before=")  # fmt: skip


def _alike(
    source: Any, of: Said, arm: str, covariates: tuple[str, ...], table: str | None
) -> Balance | None:
    """What arms were like in all columns from before the test, if there are any."""
    before = [metric.before for metric in of.metrics if metric.before is not None]
    own = [name for item in before for name in ((item,) if isinstance(item, str) else item)]
    columns = tuple(dict.fromkeys([*own, *covariates]))
    if not columns:
        return None
    return balance(source, covariates=columns, control=of.control, arm=arm, strata=of.strata,
                   cluster=of.cluster, level=of.level, table=table)  # fmt: skip


def _told(
    days: Mapping[date, Moments], of: Said, how: tuple[str, str], sizes: SampleRatio,
    alike: Balance | None,
) -> Monitored:  # fmt: skip
    plan = of.plan
    assert plan is not None  # noqa: S101 - the door has refused it
    schedule = scheduled(plan, list(days), *how)
    errors = "cr2" if of.cluster else "welch"
    adjust = CUPED if any(metric.before for metric in of.metrics) else PLAIN
    choices = Choices(label_of(of.control), adjust, errors, of.level, 999, 1, False)
    standing = {metric: of.standing(metric) for metric in of.metrics}
    table = looked(days, schedule, choices, standing)
    late = max(days) > plan.end
    notes = list(of.notes)
    if late:
        notes.append(f"Rows after the end of the test, {plan.end}, are in no planned look.")
    if how[0] == PLANNED_LOOKS and not schedule.days:
        notes.append("No planned look is over yet.")
    whole = next(iter(until(days, [max(days)])))
    others = [label_of(name) for name in of.shares or {}
              if label_of(name) not in (choices.control, HOLDOUT)]  # fmt: skip
    blank = () if whole is None or not schedule.days else tuple(untold(whole, choices, others))
    table = table.assign(day=table["day"].astype("datetime64[ns]"))
    harm = table[table["state"].isin([BROKEN, WORSE])]
    sentence = _advice(table, harm, plan, (len(schedule.days), how[0]), _but(sizes, blank))
    told = (*blank, *notes)
    return Monitored(sizes, alike, table, plan, of.level, len(harm) > 0, sentence, told)


def _but(sizes: SampleRatio, blank: tuple[str, ...]) -> str:
    """What must be known before a sentence that finds no harm is believed."""
    said = "; believe no effect before it is known why arms are unlike" if sizes.mismatch else ""
    return said + ("; not everything planned can be compared, see below" if blank else "")


def _advice(
    table: "pd.DataFrame", harm: "pd.DataFrame", plan: TestPlan, when: tuple[int, str], but: str
) -> str:
    """What to do by the plan. when: looks over, and their kind; but: what to know before it."""
    over, kind = when
    done = f"look {over} of {plan.looks}" if kind == PLANNED_LOOKS else f"day {over}"
    if len(harm):
        row = harm.sort_values("look", kind="stable").iloc[0]
        ends = f"{row['estimate']:.4g} ({row['lower']:.4g} to {row['upper']:.4g})"
        if row["state"] == BROKEN:
            said = f"is beyond its margin of {row['margin']:g}: the guardrail is broken"
        else:
            said = "is beyond its boundary, for the worse"
        return (f"Stop for harm: at look {row['look']}, {row['metric']} of {row['arm']}, {ends}, "
                f"{said}.")  # fmt: skip
    if not len(table):
        return f"Go on: at {done} nothing can be compared yet{but}."
    last = table.groupby(["metric", "arm"], sort=False).tail(1)
    parts = []
    for guarded, what in ((True, "guardrails"), (False, "metrics")):
        own = last[last["margin"].notna() == guarded]
        states = own["state"].value_counts()
        told = ", ".join(f"{n} {state}" for state, n in states.items())
        parts += [f"{what}: {told}"] if len(own) else []
    end = (kind == PLANNED_LOOKS and over >= plan.looks) or None
    open_ = bool(np.any(last["state"] == UNKNOWN))
    head = "The test is at its end" if end else "Go on"
    tail = "; analyse it" if end else "" if open_ else "; all is known, and may be analysed"
    return f"{head}: no harm at {done} ({'; '.join(parts)}){but or tail}."
