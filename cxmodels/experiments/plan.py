"""The plan of a test: written down before, hashed, and never changed in silence.

A plan says what is asked, what is done to whom and what it costs, which metrics tell (each with its
role in the chain from satisfaction to money), and by which rule it is decided. Its hash is that of
its canonical text; what is done differently later is a dated deviation, and what is analysed beyond
it is exploratory.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from hashlib import sha256
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cxmodels.data.transactions import day
from cxmodels.errors import OptionError
from cxmodels.experiments.metrics import GUARDRAIL, Metric
from cxmodels.experiments.options import Options, Told, ranked
from cxmodels.experiments.power import Worth

VERSION = 1
FILE, LOG, WORDS = "plan.json", "deviations.jsonl", "plan.txt"


def _number(given: Any) -> bool:
    return isinstance(given, Real) and bool(np.isfinite(float(given)))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When the lever is kept: net value a unit (money) is above `least` with probability of `sure`
    or more, and no guardrail is broken."""

    least: float = 0.0
    sure: float = 0.9

    def __post_init__(self) -> None:
        if not (_number(self.least) and _number(self.sure) and 0.5 <= self.sure < 1.0):
            raise OptionError("a rule has a finite least value, and is sure from .5 to below 1")

    def told(self) -> str:
        """The rule in words."""
        return (
            f"Keep the lever if its net value a unit is above {self.least:g} with probability "
            f"{self.sure:g} or more and every guardrail holds; drop it otherwise."
        )


@dataclass(frozen=True, kw_only=True)
class TestPlan:
    """A plan: question; lever, what is done; cost: of doing it to one unit, money; unit: column of
    ids; arms: the control first; shares: of units by arm, alike if empty; metrics; rule; cluster:
    column of what is assigned as a whole; strata: columns within which arms are balanced; start,
    end: first and last day; looks: how often it is looked at, the last at the end; level: of
    intervals; value: how money is counted, in words; holdout: share kept out for long.

    >>> plan = TestPlan(
    ...     question="Do calls back within a day keep customers?", lever="call back within a day",
    ...     cost=2.5, unit="customer_id", arms=("as now", "call back"),
    ...     metrics=(Metric("stayed", "proportion", role="retention"),),
    ...     start="2026-03-01", end="2026-05-31", value="residual CLV by Pareto/NBD, margin 30%")
    >>> plan.hash[:8] == plan.changed(start="2026-03-01").hash[:8]
    True
    """

    __test__: ClassVar[bool] = False  # a name that test runners would collect

    question: str
    lever: str
    cost: float
    unit: str
    arms: tuple[str, ...]
    metrics: tuple[Metric, ...]
    start: date
    end: date
    value: str
    shares: tuple[float, ...] = ()
    rule: Rule = Rule()
    cluster: str = ""
    strata: tuple[str, ...] = ()
    looks: int = 1
    level: float = 0.95
    holdout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, day(name, getattr(self, name)))
        for name in ("arms", "metrics", "shares", "strata"):
            object.__setattr__(self, name, _several(name, getattr(self, name)))
        problems = list(_problems(self))
        if problems:
            told = "\n".join(f"  {place}. {what}" for place, what in enumerate(problems, start=1))
            raise OptionError(f"this is no plan yet, {len(problems)} to mend:\n{told}")

    @property
    def canonical(self) -> str:
        """The plan as one text that does not depend on how it was written down."""
        return json.dumps(_plain(self) | {"version": VERSION}, sort_keys=True, ensure_ascii=False,
                          separators=(",", ":"))  # fmt: skip

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text."""
        return sha256(self.canonical.encode()).hexdigest()

    def changed(self, **parts: Any) -> "TestPlan":
        """Another plan, which has another hash if anything in it is different."""
        known = {field.name for field in fields(self)}
        wrong = [name for name in parts if name not in known]
        if wrong:
            raise OptionError(f"{wrong[0]!r} is no part of a plan: {', '.join(sorted(known))}")
        return replace(self, **parts)

    def summary(self) -> str:
        """The plan for people who will not read JSON."""
        shares = self.shares or (1.0 / len(self.arms),) * len(self.arms)
        arms = ", ".join(
            f"{arm} ({share:.0%})" for arm, share in zip(self.arms, shares, strict=True)
        )
        within = f", balanced within {', '.join(self.strata)}" if self.strata else ""
        by = f"{self.cluster} (all {self.unit} of one together)" if self.cluster else self.unit
        looks = (
            "once, at the end" if self.looks == 1 else f"{self.looks} times, the last at the end"
        )
        lines = [
            f"Question: {self.question}", f"Lever: {self.lever}, at {self.cost:g} a unit",
            f"Arms: {arms}; the first is the control", f"Assigned: by {by}{within}",
            f"Dates: {self.start} to {self.end}; looked at {looks}",
            f"Intervals: {self.level:.0%}",
            *(f"Metric: {metric.told()}" for metric in self.metrics),
            f"Money: {self.value}", f"Rule: {self.rule.told()}", f"Hash: {self.hash}",
        ]  # fmt: skip
        if self.holdout:
            lines.insert(4, f"Held out for long: {self.holdout:.0%} of units")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def exploratory(self, names: Iterable[str]) -> dict[str, bool]:
        """Which of these metrics the plan does not name: what they show is exploratory."""
        known = {metric.label for metric in self.metrics}
        return {name: name not in known for name in names}

    def options(  # noqa: PLR0913 - what a history can say, by name
        self,
        history: Any,
        *,
        time: str | None = None,
        outcome: str | None = None,
        worth: Worth | None = None,
        effect: float | None = None,
        cluster: str | None = None,
        geo: str | None = None,
        rolled_out: str | None = None,
        uptake: float | None = None,
        periods: int | None = None,
        absent: str = "refuse",
        draws: int = 200,
        seed: int = 1,
        progress: Told | None = None,
    ) -> Options:
        """Every design that one's own past can carry, tried on it: size, power, least visible
        effect in the metric and in money a year, duration, cost, main threat.

        history: one row a unit and period (`time`, dates or numbers), or one a unit without it,
        with the columns of the unit and the metric; outcome: a metric, by default the first that is
        no guardrail; worth: of one unit of it (a mean, a period) a customer and year; effect: that
        power is told at, in the metric's unit; cluster (by default the plan's), geo: columns of
        groups; rolled_out: column of the first period in which a unit had the lever in the past;
        uptake: share of the invited who would take it up; periods: that the test lasts, where time
        is numbers; absent: what a row that is not there means, "refuse" or "zero"; draws: placebo
        tests of each design; progress: is told each design.
        Errors: DataError with every problem of the history; OptionError; FitError where it is too
        short, too small or constant.

        >>> past = {"customer_id": range(400), "stayed": [1, 0, 1, 1] * 100}
        >>> plan = TestPlan(
        ...     question="Do calls keep customers?", lever="call back", cost=2.5,
        ...     unit="customer_id", arms=("as now", "call back"), start="2026-03-01",
        ...     metrics=(Metric("stayed", "proportion", role="retention"),), end="2026-05-31",
        ...     value="margin")
        >>> import pandas as pd
        >>> found = plan.options(pd.DataFrame(past), effect=0.12)
        >>> found.best, found.table["days"].tolist()
        ('customer-randomised', [92, 92])
        """
        return ranked(
            self, history, time=time, outcome=outcome, worth=worth, effect=effect, cluster=cluster,
            geo=geo, rolled_out=rolled_out, uptake=uptake, periods=periods, absent=absent,
            draws=draws, seed=seed, progress=progress,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Registered:
    """A plan in a folder: plan; on: the day it was registered; folder: where it is."""

    plan: TestPlan
    on: date
    folder: Path

    @property
    def deviations(self) -> tuple[tuple[date, str, str], ...]:
        """What is done differently: day, what, why, in order, as the folder has it now.

        Errors: OptionError where the folder is gone, or a line of it cannot be read.
        """
        if not (self.folder / FILE).exists():
            raise OptionError(f"the plan is no longer in {self.folder.name!r}: read it again from "
                              "where it is now, registered(folder)")  # fmt: skip
        log = self.folder / LOG
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        try:
            told = [json.loads(line) for line in lines if line]
            return tuple((date.fromisoformat(row["on"]), row["what"], row["why"]) for row in told)
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{LOG} cannot be read: {error}") from None

    def deviate(self, what: str, why: str, *, on: str | date | None = None) -> "Registered":
        """Writes down what is done differently from the plan, and why."""
        if not (what.strip() and why.strip()):
            raise OptionError("a deviation says what is different, and why")
        when = day("on", on) or date.today()
        if when < self.on:
            raise OptionError(f"a deviation of {when} is before the plan was registered, {self.on}")
        line = json.dumps({"on": str(when), "what": what, "why": why}, ensure_ascii=False)
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        return self

    @property
    def late(self) -> str:
        """What is to be said of a plan that was written down after the test began; else nothing."""
        if self.on <= self.plan.start:
            return ""
        when = "while it ran" if self.on <= self.plan.end else "after it had ended"
        return (f"Registered on {self.on}, {when} ({self.plan.start} to {self.plan.end}): what was "
                "seen by then may have gone into the plan.")  # fmt: skip

    def __repr__(self) -> str:
        lines = [self.plan.summary(), self.late or f"Registered on {self.on}"]
        lines += [f"Deviation, {when}: {what} ({why})" for when, what, why in self.deviations]
        return "\n".join(lines)


def register(plan: TestPlan, folder: str | Path, *, on: str | date | None = None) -> Registered:
    """Writes the plan, its summary and its hash to a folder; the same plan again changes nothing.

    Errors: OptionError where another plan is registered there: what changed since is a deviation.
    """
    place = Path(folder)
    if (place / FILE).exists():
        held = registered(place)
        if held.plan.hash != plan.hash:
            changed = [field.name for field in fields(plan)
                       if getattr(plan, field.name) != getattr(held.plan, field.name)]  # fmt: skip
            raise OptionError(
                f"another plan was registered here on {held.on}, with other {', '.join(changed)}: "
                "what changed since is a deviation (.deviate), or a new test in a folder of its own"
            )
        return held
    when = day("on", on) or date.today()
    if place.exists() and not place.is_dir():
        raise OptionError(f"{place.name!r} is a file: a plan is registered in a folder of its own")
    place.mkdir(parents=True, exist_ok=True)
    told = json.loads(plan.canonical)
    text = json.dumps({"plan": told, "hash": plan.hash, "registered": str(when)}, indent=1,
                      ensure_ascii=False)  # fmt: skip
    (place / WORDS).write_text(plan.summary() + "\n", encoding="utf-8")
    half = place / f"{FILE}.half"
    half.write_text(text + "\n", encoding="utf-8")
    half.replace(place / FILE)
    return Registered(plan, when, place)


def registered(folder: str | Path) -> Registered:
    """The plan that was registered in a folder.

    Errors: OptionError where there is none, or where its text was changed by hand: the hash tells.
    """
    place = Path(folder)
    if not (place / FILE).exists():
        raise OptionError(f"no plan is registered in {place.name!r}")
    try:
        held = json.loads((place / FILE).read_text(encoding="utf-8"))
        plan, on = _read(held["plan"]), date.fromisoformat(held["registered"])
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{FILE} cannot be read as a plan: {error}") from None
    if plan.hash != held["hash"]:
        raise OptionError(
            f"the plan in {place.name!r} was changed after it was registered on {on}: its text has "
            f"another hash than the {held['hash'][:12]} it was given"
        )
    found = Registered(plan, on, place)
    _ = found.deviations  # a log that cannot be read is told here
    return found


def _several(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise OptionError(f"{name} are several, as in ({given!r},)")
    return tuple(given)


def _plain(part: Any) -> Any:
    """A plan, or a part of it, as JSON knows it."""
    if isinstance(part, TestPlan | Metric | Rule):
        return {field.name: _plain(getattr(part, field.name)) for field in fields(part)}
    if isinstance(part, tuple):
        return [_plain(item) for item in part]
    if isinstance(part, date):
        return part.isoformat()
    return part if isinstance(part, bool) or not isinstance(part, Real) else float(part)


def _read(held: Mapping[str, Any]) -> TestPlan:
    parts = dict(held)
    version = parts.pop("version")
    if version != VERSION:
        raise OptionError(f"this plan is of version {version:g}, and this program reads {VERSION}")
    parts["metrics"] = tuple(Metric(**metric) for metric in parts["metrics"])
    parts["rule"], parts["looks"] = Rule(**parts["rule"]), int(parts["looks"])
    return TestPlan(**parts)


def _problems(plan: TestPlan) -> Iterable[str]:
    """All that keeps it from being a plan."""
    for name in ("question", "lever", "unit", "value"):
        if not (isinstance(getattr(plan, name), str) and getattr(plan, name).strip()):
            yield f"{name} is said in words"
    if not _number(plan.cost):
        yield f"cost must be money, a finite number; it is {plan.cost!r}"
    named = {type(arm) for arm in plan.arms} == {str} and all(plan.arms)
    if len(plan.arms) < 2 or len(set(plan.arms)) < len(plan.arms) or not named:
        yield "arms are two or more different names, as text, the control first: ('0', '1')"
    shares = [share for share in plan.shares if _number(share)]
    if plan.shares and (len(shares) != len(plan.arms) or min(shares) <= 0.0
                        or abs(sum(shares) - 1.0) > 1e-9):  # fmt: skip
        yield f"shares are one for each of the {len(plan.arms)} arms, above 0, and sum to 1"
    yield from _metric_problems(plan.metrics)
    if plan.start is None or plan.end is None or plan.start > plan.end:
        yield "start and end are days, the first before the last"
    if not (_number(plan.looks) and plan.looks in range(1, 51)):
        yield f"looks must be a whole number from 1 to 50; it is {plan.looks!r}"
    numbers = _number(plan.level) and _number(plan.holdout)
    if not (numbers and 0.5 <= plan.level < 1.0 and 0.0 <= plan.holdout < 1.0):
        yield "level is from .5 to below 1, holdout from 0 to below 1"
    rule: Any = plan.rule
    if not isinstance(rule, Rule):
        yield "rule is a Rule, as in Rule(least=0.0, sure=0.9)"


def _metric_problems(metrics: tuple[Any, ...]) -> Iterable[str]:
    if not metrics or not all(isinstance(metric, Metric) for metric in metrics):
        yield "metrics are one Metric or more"
        return
    for metric in metrics:
        if metric.role is None:
            yield f"metric {metric.label!r} has no role= in the chain"
    names = [metric.label for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"two metrics are called {twice[0]!r}"
    if all(metric.role == GUARDRAIL for metric in metrics):
        yield "one metric at least is no guardrail: it is what the test is for"
