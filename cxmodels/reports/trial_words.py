"""What the report of a test says in words: the answer, what would change it, what it rests on."""

from typing import TYPE_CHECKING, Any

import pandas as pd
import scipy

from cxmodels.reports.document import Text, Tone
from cxmodels.reports.numbers import Kind, interval, written

if TYPE_CHECKING:
    from cxmodels.reports.trial_report import TrialParts

REST, VALUE = "residual value", "value"
MOST = 0.999


def decided(parts: "TrialParts") -> dict[str, float]:
    """Rows of the decision by their names."""
    table = parts.decision.table.set_index("what")["value"]
    return {str(name): float(value) for name, value in table.items() if pd.notna(value)}


def answer(parts: "TrialParts") -> str:
    """The question's answer in money, with its interval, and the choice."""
    told, unit = decided(parts), parts.money_unit
    net = interval(told["net value"], told["net value, lower"], told["net value, upper"],
                   Kind.AMOUNT, currency=unit)  # fmt: skip
    choice = "Keep" if parts.decision.choice == "keep" else "Drop"
    choice = f"{parts.askew} By the numbers alone: {choice.lower()}" if parts.askew else choice
    return (
        f"{choice} the lever. A unit with it is worth {net} more, after the lever's cost of "
        f"{written(told['cost'], Kind.AMOUNT, currency=unit)}, than a unit without "
        f"({parts.labels.band})."
    )


def registered(plan: Any) -> Text:
    """When the plan was written down: before the test began, or too late to bind anybody."""
    if plan.late:
        return Text(plan.late, Tone.NOTE)
    return Text(f"Registered on {plan.on}, before the test began.")


def mind(parts: "TrialParts") -> list[str]:
    """What would change the decision."""
    ways = (_askew, _against_plan, _by_cost, _by_model, _by_guardrail, _by_reason, _by_loss)
    return [said for way in ways for said in way(parts)]


def _askew(parts: "TrialParts") -> list[str]:
    said = getattr(parts, "askew", "")
    return [said] if said else []


def _against_plan(parts: "TrialParts") -> list[str]:
    told = decided(parts)["cost"]
    if abs(told - parts.planned.cost) <= 1e-9 * max(abs(told), 1.0):
        return []
    return [f"The plan says that the lever costs {parts.planned.cost:g} a unit; the decision "
            f"counts {told:g}."]  # fmt: skip


def _by_cost(parts: "TrialParts") -> list[str]:
    """The cost at which the rule would choose otherwise."""
    told, rule = decided(parts), parts.planned.rule
    z = float(scipy.special.ndtri((1.0 + parts.decision.level) / 2.0))
    spread = (told["net value, upper"] - told["net value, lower"]) / 2.0 / z
    turn = told["cost"] + told["net value"] - rule.least
    turn -= float(scipy.special.ndtri(rule.sure)) * spread
    at, now = (written(x, Kind.AMOUNT, currency=parts.money_unit) for x in (turn, told["cost"]))
    if parts.decision.choice == "keep":
        return [f"At a cost above {at} a unit the rule would drop it; it costs {now}."]
    if turn <= 0.0:
        return ["No cost above 0 would make the rule keep it on what this test shows."]
    if turn >= told["cost"]:
        return ["Its net value would let the rule keep it: a guardrail is what drops it."]
    return [f"At a cost below {at} a unit the rule would keep it; it costs {now}."]


def _by_model(parts: "TrialParts") -> list[str]:
    """How much of the residual value may fail to come."""
    if parts.money is None or len(parts.money.table["arm"].unique()) > 1:
        return []
    own = parts.money.table.set_index("what")["estimate"].astype(float)
    cost, rest = decided(parts)["cost"], own[REST]
    if not rest > 0.0 or own[VALUE] <= cost:
        return []
    share = 1.0 - (own[VALUE] - cost) / rest
    if share <= 0.0:
        return ["The money that is in already pays for it: no word of the model is needed."]
    return [f"It pays for itself as long as {share:.0%} or more of the residual value that the "
            "model foretells does come."]  # fmt: skip


def _by_guardrail(parts: "TrialParts") -> list[str]:
    return [
        f"Guardrail {row['metric']} ({row['arm']}) is at worst {row['worst']:+.4g} against a "
        f"margin of {row['margin']:g}: it {'holds' if row['holds'] else 'does not hold'}."
        for row in parts.result.guardrails.to_dict("records")
    ]


def _by_reason(parts: "TrialParts") -> list[str]:
    if parts.reason is None:
        return []
    if parts.reason.breakdown <= 0.0:
        return ["Satisfaction is not shown to be the reason: among those whose score is known the "
                "effect on money cannot be told from none."]  # fmt: skip
    return [f"Satisfaction is no longer shown to be the reason if {parts.reason.breakdown:.0%} or "
            "more of the effect on money comes by another way."]  # fmt: skip


def _by_loss(parts: "TrialParts") -> list[str]:
    told, unit = decided(parts), parts.money_unit
    name = (
        "expected loss if kept" if parts.decision.choice == "keep" else "expected loss if dropped"
    )
    lost = written(told[name], Kind.MONEY, currency=unit)
    more = next((n for n in told if n.startswith("worth of testing")), None)
    told_more = (
        "" if more is None else f"; {more} is {written(told[more], Kind.MONEY, currency=unit)}"
    )
    return [f"That this choice may be wrong costs {lost} a year in expectation{told_more}."]


def surely(share: float) -> str:
    """A probability, never told as none or all.

    >>> surely(0.99999), surely(0.42), surely(0.0)
    ('above 99.9%', '42.0%', 'below 0.1%')
    """
    if share > MOST:
        return f"above {MOST:.1%}"
    return f"below {1.0 - MOST:.1%}" if share < 1.0 - MOST else written(share, Kind.SHARE)


def assumptions(parts: "TrialParts") -> pd.DataFrame:
    """number, assumption, checked: what each number rests on."""
    result = parts.result
    held = "agree with" if result.sample_ratio >= 0.001 else "DO NOT agree with"
    rows = [
        ("Effects", "Chance alone decided who is in which arm; no unit's arm moves another unit.",
         f"The arms' sizes {held} the plan (p = {result.sample_ratio:.3g}); the second cannot be "
         "seen in the data."),
        ("Intervals", "Units (or clusters, where these were drawn) are strangers to each other.",
         "; ".join(dict.fromkeys(result.table["method"]))),
        *_missing(result), *_in_money(parts),
        ("Decision", f"Those who get the lever are like the units of the test; it costs "
         f"{decided(parts)['cost']:g} each.", "Not by this test."),
    ]  # fmt: skip
    if parts.reason is not None:
        held = "Not shown by this test in any case."
        if parts.reason.breakdown > 0.0:
            held = f"Holds until {parts.reason.breakdown:.0%} of the effect comes by another way."
        rows.append(("Worth of a point", "The lever moves money by satisfaction alone.", held))
    return pd.DataFrame(rows, columns=["number", "assumption", "checked"])


def _missing(result: Any) -> list[tuple[str, str, str]]:
    units = sizes(result)
    lost = [
        str(row["metric"]) for row in result.table.to_dict("records")
        if row["n"] < units[row["arm"]] or row["n_control"] < units[result.control]
    ]  # fmt: skip
    if not lost:
        return []
    listed = ", ".join(dict.fromkeys(lost))
    return [(f"Effects on {listed}", "Who has no outcome is not chosen by the arm.",
             "By the shares with an outcome in each arm: see the flow of units.")]  # fmt: skip


def _in_money(parts: "TrialParts") -> list[tuple[str, str, str]]:
    if parts.money is None:
        return []
    facts = parts.money.facts
    checked = "Not yet: no months after the test are known."
    if len(facts):
        row = facts.set_index("what").loc["found less foretold"]
        told = interval(row["estimate"], row["lower"], row["upper"], Kind.AMOUNT,
                        currency=parts.money_unit)  # fmt: skip
        checked = f"In the months since, the effect found less the one foretold is {told} a unit."
    return [("Residual value", "What the lever changes of the future shows in the purchases so "
             "far, as the purchase and spend models read them.", checked)]  # fmt: skip


def sizes(result: Any) -> dict[str, int]:
    """Units of each arm, outcome known or not."""
    held = pd.Series(result.moments.rows).groupby(pd.Series(result.moments.arm).astype(str)).sum()
    return {str(arm): int(count) for arm, count in held.items()}
