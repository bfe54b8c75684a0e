"""What a plan says of an analysis; what the analysis has beyond it is exploratory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cxmodels.errors import OptionError, Problem
from cxmodels.experiments.assignment_query import HOLDOUT
from cxmodels.experiments.metric_kinds import metrics_of
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.plan import Registered, TestPlan

PLANNED, EXPLORATORY, NONE = "planned", "exploratory", "no plan"
LEVEL = 0.95
NO_HOLDOUT = "No row is of the plan's hold-out: the arms are compared among themselves."


@dataclass(frozen=True)
class Said:
    """What is analysed: the control, metrics, strata, cluster and unit (columns), shares of arms,
    level; plan and names of what it plans, None without one; notes: where it is not as planned."""

    control: Any
    metrics: tuple[Metric, ...]
    strata: tuple[str, ...]
    cluster: str | None
    unit: str | None
    shares: Mapping[Any, float] | None
    level: float
    plan: TestPlan | None = None
    notes: tuple[str, ...] = ()

    def standing(self, metric: Metric) -> str:
        """Whether a metric was planned."""
        if self.plan is None:
            return NONE
        return PLANNED if metric in self.plan.metrics and not self._other else EXPLORATORY

    def among(self, arms: Iterable[str]) -> "Said":
        """The same where no row is of the plan's hold-out: arms are compared among themselves."""
        if self.shares is None or HOLDOUT not in self.shares or HOLDOUT in arms:
            return self
        shares = {arm: share for arm, share in self.shares.items() if arm != HOLDOUT}
        return replace(self, shares=shares, notes=(*self.notes, NO_HOLDOUT))

    @property
    def _other(self) -> bool:
        return any(note.startswith("Not as planned") for note in self.notes)

    def problems(self, arms: Iterable[str]) -> Iterable[Problem]:
        """Arms of the data that the plan does not have, and the other way."""
        if self.plan is None:
            return
        known = {*self.plan.arms, *((HOLDOUT,) if self.plan.holdout else ())}
        listed = f"Arms of the plan: {', '.join(map(repr, self.plan.arms))}"
        for arm in arms:
            if arm not in known:
                yield Problem(f"arm {arm!r} is not in the plan", remedy=listed)
        for arm in self.plan.arms:
            if arm not in arms and arm != self.control:
                yield Problem(f"no unit is in arm {arm!r} of the plan", remedy=listed)


def by_plan(own: Said, plan: TestPlan | Registered | None) -> Said:
    """What was given, and what the plan says where nothing was.

    own: control None, metrics and strata empty, cluster, unit and shares None, level NaN where not
    given. OptionError where neither says what is compared.
    """
    level = LEVEL if own.level != own.level else own.level
    if plan is None:
        if own.control is None or not own.metrics:
            missing = "control=" if own.control is None else "metrics="
            raise OptionError(f"name {missing}, or give the plan=")
        return replace(own, level=level)
    deviations: tuple[str, ...] = ()
    if isinstance(plan, Registered):
        deviations = (
            *((plan.late,) if plan.late else ()),
            *(f"Deviation, {when}: {what} ({why})." for when, what, why in plan.deviations),
        )
        plan = plan.plan
    if not isinstance(plan, TestPlan):
        raise OptionError(f"plan= is a TestPlan, or a registered one, got {type(plan).__name__}")
    of_plan = {
        "control": plan.arms[0], "strata": plan.strata, "cluster": plan.cluster or None,
        "unit": plan.unit, "shares": _shares(plan), "level": plan.level,
    }  # fmt: skip
    empty = {"control": None, "strata": (), "cluster": None, "unit": None, "shares": None}
    given = {name: getattr(own, name) for name in of_plan}
    given = {name: value for name, value in given.items()
             if value == value and value != empty.get(name)}  # fmt: skip
    other = tuple(
        f"Not as planned: {name} is {value!r} where the plan has {of_plan[name]!r}; all is "
        "exploratory."
        for name, value in given.items() if value != of_plan[name] and name != "shares"
    )  # fmt: skip
    taken = of_plan | given
    metrics = metrics_of((*plan.metrics, *(m for m in own.metrics if m not in plan.metrics)))
    return Said(metrics=metrics, plan=plan, notes=(*other, *deviations), **taken)


def _shares(plan: TestPlan) -> dict[str, float]:
    shares = plan.shares or (1.0 / len(plan.arms),) * len(plan.arms)
    own = dict(zip(plan.arms, shares, strict=True))
    if not plan.holdout:
        return own
    return {arm: share * (1.0 - plan.holdout) for arm, share in own.items()} | {
        HOLDOUT: plan.holdout
    }
