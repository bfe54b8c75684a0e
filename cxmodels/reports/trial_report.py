"""The report of a test: question, answer in money, decision, and what each number rests on.

Its parts are the records of `cxmodels.experiments` and `cxmodels.value_chain` as they come; what is
not there is left out, and nothing is estimated here.
"""

from dataclasses import dataclass
from typing import Any

from cxmodels.errors import OptionError
from cxmodels.reports import trial_sections as sections
from cxmodels.reports import trial_words as words
from cxmodels.reports.document import Document, Fact, Facts
from cxmodels.reports.labels import Labels
from cxmodels.reports.numbers import Kind, between, written

NEEDED = {
    "plan": ("question", "summary", "hash"),
    "result": ("table", "guardrails", "sample_ratio", "control"),
    "decision": ("choice", "table", "reasons"),
    "money": ("table", "facts", "units"),
    "reason": ("table", "sentence", "breakdown"),
    "monitored": ("sample_ratio", "balance", "looks"),
    "segments": ("table", "joint"),
    "targeting": ("table", "segments", "sentence"),
}


@dataclass(frozen=True, kw_only=True)
class TrialParts:
    """What a test came to.

    plan: `cx.TestPlan`, or as registered (then its date and deviations are told); result: of
    `analyse`; decision: of `decide`; money: of `money_of_test`; reason: of `reason`; monitored: of
    `monitor`; segments: of `effects_by_segment`; targeting: of `targeting`; simulated: not of real
    customers.
    Errors: OptionError for a part that is another thing.
    """

    plan: Any
    result: Any
    decision: Any
    money: Any = None
    reason: Any = None
    monitored: Any = None
    segments: Any = None
    targeting: Any = None
    title: str = ""
    currency: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        registered = getattr(self.plan, "plan", None)
        for name, wanted in NEEDED.items():
            part = self.plan if name == "plan" else getattr(self, name)
            part = registered if name == "plan" and registered is not None else part
            if part is None and name not in ("plan", "result", "decision"):
                continue
            lost = [attribute for attribute in wanted if not hasattr(part, attribute)]
            if lost:
                kind = type(part).__name__
                raise OptionError(f"{name}= of a test's report has no {lost[0]}: it is a {kind}")

        own = getattr(self.result, "plan", None)
        if own is not None and own.hash != self.planned.hash:
            raise OptionError("result= is of another plan than plan=: a report tells of one test")

    @property
    def askew(self) -> str:
        """What is to be said first where the arms' sizes are not as drawn; else nothing."""
        return str(getattr(self.result, "askew", ""))

    @property
    def planned(self) -> Any:
        """The plan itself."""
        return getattr(self.plan, "plan", self.plan)

    @property
    def money_unit(self) -> str:
        """Currency, as said or as the money of the test has it."""
        return self.currency or getattr(self.money, "currency", "")

    @property
    def labels(self) -> Labels:
        """What stands under pictures of money."""
        return Labels(level=self.decision.level, currency=self.money_unit, simulated=self.simulated)


def trial_report(parts: TrialParts) -> Document:
    """The report of a test: the answer first, then plan, units, effects, money, reason, segments,
    and the assumption that buys each number. No row of it is a unit's."""
    built = (build(parts) for build in sections.BUILDERS)
    plan = parts.planned
    return Document(
        title=parts.title or f"A test: {plan.lever}",
        subtitle=f"{plan.question} {plan.start} to {plan.end}",
        sections=tuple(section for section in built if section.blocks),
        headline=Facts(tuple(_headline(parts))),
        simulated=parts.simulated,
    )


def _headline(parts: TrialParts) -> list[Fact]:
    """Choice, net value of a unit and of all, and how sure it is."""
    table, unit = parts.decision.table.set_index("what")["value"], parts.money_unit
    net, low, high = (float(table[f"net value{end}"]) for end in ("", ", lower", ", upper"))
    sure = next(name for name in table.index if name.startswith("probability of more"))
    ends = between(low, high, Kind.AMOUNT, like=net)
    choice = "None: arms are not as drawn" if parts.askew else f"{parts.decision.choice} the lever"
    return [
        Fact("Decision by the rule", choice.capitalize()),
        Fact("Net value a unit", written(net, Kind.AMOUNT, currency=unit),
             f"{parts.labels.band}: {ends}"),
        Fact("Net value of all, a year",
             written(float(table["net value of all"]), Kind.MONEY, currency=unit)),
        Fact(sure.capitalize(), words.surely(float(table[sure])),
             f"the rule asks for {parts.planned.rule.sure:.0%}"),
    ]  # fmt: skip
