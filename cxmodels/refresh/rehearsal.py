"""Says what a refresh would do, after checking its settings and its log. Writes nothing."""

from dataclasses import dataclass
from typing import Any

from cxmodels.refresh.bases import Window, base_of
from cxmodels.refresh.plan import plan_of
from cxmodels.refresh.settings import Config


@dataclass(frozen=True)
class Rehearsal:
    """What was found and what would run, in lines and in facts."""

    text: str
    facts: dict[str, Any]


def rehearsed(config: Config) -> Rehearsal:
    """Check the log against its contract and lay out the run.

    Raises DataError where the log breaks its contract.
    """
    plan = plan_of(config)
    base = base_of(config, Window.ALL)
    notes = list(base.notes)
    facts = dict(base.facts())
    if config.base.holdout_end is not None:
        calibration = base_of(config, Window.CALIBRATION)
        facts["calibration"] = f"{calibration.customers:,} customers until {calibration.end}"
        facts["hold-out"] = f"{calibration.holdout_T:g} {base.unit.value}s until {base.end}"
        notes += [note for note in calibration.notes if note not in notes]
    state = "finished before" if plan.final.exists() else "new"
    facts["steps"] = ", ".join(step.name for step in plan.steps)
    facts["run"] = f"{plan.final} ({state})"
    width = max(map(len, facts)) + 2
    lines = ["The log keeps its contract. This would run:"]
    lines += [f"  {word:<{width}}{text}" for word, text in facts.items()]
    lines += [f"  note: {note}" for note in notes]
    return Rehearsal("\n".join(lines), {**facts, "notes": notes})
