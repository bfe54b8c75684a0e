"""Says what a refresh would do, after checking its settings and its log. Writes nothing."""

from dataclasses import dataclass
from typing import Any

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.families import FAMILIES
from cxmodels.refresh.bases import Window, base_of
from cxmodels.refresh.plan import plan_of
from cxmodels.refresh.satisfaction import linked_of
from cxmodels.refresh.settings import Config
from cxmodels.spend.families import fit_amounts


@dataclass(frozen=True)
class Rehearsal:
    """What was found and what would run, in lines and in facts."""

    text: str
    facts: dict[str, Any]


def rehearsed(config: Config) -> Rehearsal:
    """Check the log against its contract, try the purchase model on it, and lay out the run.

    Raises DataError where the log breaks its contract or holds no repeat purchases.
    """
    plan, base = plan_of(config), base_of(config, Window.ALL)
    notes, facts = list(base.notes), dict(base.facts())
    facts["model"] = _tried(config, base)
    spend = fit_amounts(base)
    facts["spend"] = f"{spend.family.name}, {spend.status}"
    if config.base.holdout_end is not None:
        early = base_of(config, Window.CALIBRATION)
        held = f"{round(early.holdout_T or 0.0, 1):g} {base.unit.value}s"
        facts["calibration"] = f"{early.customers:,} customers until {early.end}"
        facts["model there"] = _tried(config, early)
        facts["hold-out"] = f"{held} until {base.end}"
        notes += [f"calibration: {note}" for note in early.notes if note not in notes]
    if config.survey is not None:
        _, linked = linked_of(config, config.survey)
        facts["survey"] = f"{len(linked.table):,} answers linked, window {linked.window}"
    state = "finished before" if plan.final.exists() else "new"
    facts["steps"] = ", ".join(step.name for step in plan.steps)
    facts["run"] = f"{plan.final} ({state})"
    return Rehearsal(_text(facts, notes), {**facts, "notes": notes})


def _tried(config: Config, base: CustomerBase) -> str:
    """How the purchase model fares on a base."""
    fit = FAMILIES[config.model.family]().fit(base, **config.model.terms)
    return f"{fit.family.name}, {fit.status}"


def _text(facts: dict[str, str], notes: list[str]) -> str:
    width = max(map(len, facts)) + 2
    lines = ["The log keeps its contract. This would run:"]
    lines += [f"  {word:<{width}}{text}" for word, text in facts.items()]
    lines += [f"  note: {note}" for note in notes]
    return "\n".join(lines)
