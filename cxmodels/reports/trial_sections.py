"""Sections of the report of a test, in the order in which they are read."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cxmodels.reports import trial_words as words
from cxmodels.reports.document import Block, Chart, Section, Text, Tone
from cxmodels.reports.labels import Labels
from cxmodels.reports.numbers import Kind, interval, written
from cxmodels.reports.tables import Style, table

if TYPE_CHECKING:
    from cxmodels.reports.trial_report import TrialParts


def answered(parts: "TrialParts") -> Section:
    """The question and its answer in money."""
    from cxmodels.reports import plots

    blocks: list[Block] = [Text(words.answer(parts), Tone.NOTE)]
    blocks += [Text(reason) for reason in parts.decision.reasons]
    blocks.append(Chart.of(plots.decision_value(parts.decision.table, parts.labels)))
    blocks.append(_decision(parts))
    return Section(f"{parts.planned.question} The answer", tuple(blocks))


def changing(parts: "TrialParts") -> Section:
    """What would change our mind."""
    return Section("What would change our mind", tuple(Text(said) for said in words.mind(parts)))


def planned(parts: "TrialParts") -> Section:
    """What was written down before, and what was done differently."""
    rows = [line.split(": ", 1) for line in parts.planned.summary().splitlines()]
    frame = pd.DataFrame(rows, columns=["item", "note"])
    blocks: list[Block] = [
        table(frame, ["item", "note"], title="The plan",
              style=_style(parts, labels={"item": "Of the plan", "note": "As written"}))
    ]  # fmt: skip
    on = getattr(parts.plan, "on", None)
    if on is not None:
        blocks.append(words.registered(parts.plan))
        blocks += [Text(f"Deviation of {when}: {what}. Why: {why}", Tone.NOTE)
                   for when, what, why in parts.plan.deviations]  # fmt: skip
    else:
        blocks.append(Text("The plan was not registered: nothing shows that it was written before.",
                           Tone.NOTE))  # fmt: skip
    return Section("What was planned", tuple(blocks))


def flow(parts: "TrialParts") -> Section:
    """Units of each arm, from assignment to outcome."""
    result, units = parts.result, words.sizes(parts.result)
    rows = []
    for metric, own in result.table.groupby("metric", sort=False):
        counts = dict(zip(own["arm"], own["n"], strict=True))
        counts[result.control] = int(own["n_control"].iloc[0])
        rows += [
            {"metric": metric, "arm": arm, "assigned": size, "rows": counts.get(arm, 0),
             "left": size - counts.get(arm, 0), "share": counts.get(arm, 0) / size}
            for arm, size in units.items()
        ]  # fmt: skip
    style = _style(
        parts,
        labels={"metric": "Outcome", "arm": "Arm", "assigned": "Units",
                "rows": "With the outcome", "left": "Without", "share": "Share with it"},
        kinds={"arm": Kind.TEXT, "assigned": Kind.COUNT, "left": Kind.COUNT},
    )  # fmt: skip
    note = f"Are the arms' sizes as planned? p = {result.sample_ratio:.3g}."
    names = ["metric", "arm", "assigned", "rows", "left", "share"]
    made = table(pd.DataFrame(rows), names, title="Units", style=style, note=note)
    notes = [Text(said) for said in result.notes if not said.startswith("Deviation, ")]
    return Section("Flow of units", (made, *notes))


def effects(parts: "TrialParts") -> Section:
    """What the lever did, metric by metric."""
    from cxmodels.reports import plots

    asked = {item.label: item.metric for item in parts.result.moments.asked}
    rows = [_effect_row(row, asked[str(row["metric"])], parts.money_unit)
            for row in parts.result.table.to_dict("records")]  # fmt: skip
    told = {"metric": "Outcome", "arm": "Arm", "control": f"Mean of {parts.result.control}",
            "effect": f"Effect ({parts.result.level:.0%} interval)", "lift": "Relative to control",
            "p_value": "p-value", "adjusted": "p-value, adjusted",
            "standing": "Standing"}  # fmt: skip
    told = _without_arm(told, parts.result.table)
    texts = dict.fromkeys(told, Kind.TEXT) | {"p_value": Kind.P_VALUE, "adjusted": Kind.P_VALUE}
    note = (
        f"p-values adjusted by {parts.result.multiplicity.title()} over the planned outcomes; what "
        "is exploratory was not in the plan, and is a question for the next test."
    )
    made = table(pd.DataFrame(rows), list(told), title="Effects",
                 style=_style(parts, labels=told, kinds=texts), note=note)  # fmt: skip
    labels = Labels(level=parts.result.level, simulated=parts.simulated)
    drawn = Chart.of(plots.metric_effects(parts.result.table, labels))
    return Section("What the lever did", (drawn, made, *_guardrails(parts)))


def _guardrails(parts: "TrialParts") -> list[Block]:
    held = parts.result.guardrails
    if not len(held):
        return []
    frame = held.assign(holds=["yes" if one else "no" for one in held["holds"]])
    told = {"metric": "Guardrail", "arm": "Arm", "estimate": "Effect", "worst": "At worst",
            "margin": "Margin", "p_value": "p-value", "holds": "Holds"}  # fmt: skip
    kinds = {"arm": Kind.TEXT, "holds": Kind.TEXT, "worst": Kind.NUMBER, "margin": Kind.NUMBER}
    return [table(frame, list(told), title="Guardrails",
                  style=_style(parts, labels=told, kinds=kinds))]  # fmt: skip


def _effect_row(row: dict[Any, Any], metric: Any, currency: str) -> dict[str, Any]:
    share = metric.kind == "proportion"
    scale = 100.0 if share else 1.0
    estimate, lower, upper = (scale * row[end] for end in ("estimate", "lower", "upper"))
    effect = interval(estimate, lower, upper, Kind.NUMBER)
    lift = "–"
    if pd.notna(row["lift"]):
        lift = interval(row["lift"], row["lift_lower"], row["lift_upper"], Kind.SHARE)
    unit = {"satisfaction": "points", "spend": currency or "money"}.get(metric.role, "")
    unit = {"proportion": "percentage points", "nps": "points of NPS"}.get(metric.kind, unit)
    mean = written(row["mean_control"], Kind.SHARE if share else Kind.NUMBER)
    name = f"{row['metric']}, {unit}" if unit else row["metric"]
    return {"metric": name, "arm": row["arm"], "control": mean, "effect": effect, "lift": lift,
            "p_value": row["p_value"], "adjusted": row["adjusted"],
            "standing": row["standing"]}  # fmt: skip


def _without_arm(names: dict[str, str], frame: pd.DataFrame) -> dict[str, str]:
    """Columns by their titles, less the arm where there is but one."""
    return {name: told for name, told in names.items()
            if name != "arm" or len(set(frame["arm"])) > 1}  # fmt: skip


def in_money(parts: "TrialParts") -> Section:
    """Margin in the test, residual value after it, and whether the model was right since."""
    if parts.money is None:
        return Section("Money", ())
    told = {"what": "Money", "arm": "Arm", "n": "Units", "n_control": "Units of control",
            "mean_control": "Mean of control", "unadjusted": "Unadjusted",
            "estimate": "Effect a unit"}  # fmt: skip
    shown = parts.money.table.assign(what=parts.money.table["what"].str.capitalize())
    told = _without_arm(told, shown)
    money = dict.fromkeys(("mean_control", "unadjusted", "estimate"), Kind.AMOUNT)
    style = _style(parts, kinds=money, labels=told)
    kinds = {"what": Kind.TEXT, "arm": Kind.TEXT, "n": Kind.COUNT, "n_control": Kind.COUNT}
    style = Style(style.currency, parts.money.level, labels=style.labels,
                  kinds={**style.kinds, **kinds})  # fmt: skip
    meant = [f"{row['what']}: {row['estimand']}." for row in shown.to_dict("records")]
    blocks: list[Block] = [table(shown, list(told), title="Effect on money", style=style,
                                 note=" ".join(meant))]  # fmt: skip
    if len(parts.money.facts):
        facts = parts.money.facts.assign(what=parts.money.facts["what"].str.capitalize())
        names = [name for name in ("what", "arm", "n", "estimate") if name in told]
        blocks.append(table(facts, names, style=style,
                            title="The months since: effect foretold and found"))  # fmt: skip
    blocks += [Text(note) for note in parts.money.notes]
    return Section("The test in money", tuple(blocks))


def reason(parts: "TrialParts") -> Section:
    """Whether satisfaction is why."""
    from cxmodels.reports import plots

    if parts.reason is None:
        return Section("Reason", ())
    told = {"what": "Of the chain", "estimate": "Estimate", "unit": "Unit", "units": "Units"}
    kinds = {"what": Kind.TEXT, "units": Kind.COUNT, "estimate": Kind.NUMBER}
    style = Style(parts.money_unit, parts.reason.level, labels=told, kinds=kinds)
    frame = parts.reason.table.assign(
        what=parts.reason.table["what"].str.capitalize(), unit=parts.reason.table["unit"]
    )
    made = table(frame, ["what", "estimate", "unit", "units"], title="From lever to money",
                 style=style)  # fmt: skip
    said = [Text(parts.reason.sentence, Tone.NOTE), *(Text(note) for note in parts.reason.notes)]
    labels = Labels(level=parts.reason.level, currency=parts.money_unit, simulated=parts.simulated)
    drawn = Chart.of(plots.reason_chain(parts.reason.table, labels))
    return Section("Is satisfaction the reason?", (*said, drawn, made))


def watched(parts: "TrialParts") -> Section:
    """What was seen while it ran."""
    from cxmodels.reports import plots

    seen = parts.monitored
    if seen is None:
        return Section("While it ran", ())
    said = [seen.sample_ratio.sentence, *([] if seen.balance is None else [seen.balance.sentence])]
    labels = Labels(level=seen.level, simulated=parts.simulated)
    blocks: list[Block] = [Text(seen.sentence, Tone.NOTE), *map(Text, said)]
    if seen.looks["lower"].notna().any():
        blocks.append(Chart.of(plots.guardrail_looks(seen.looks, labels)))
    return Section("While it ran", tuple(blocks))


def segmented(parts: "TrialParts") -> Section:
    """Effects by segment, and whether a rule by segment beats treating all."""
    blocks: list[Block] = []
    if parts.targeting is not None:
        told = {"what": "Rule", "estimate": "Worth a unit", "p_value": "p-value"}
        style = Style(parts.money_unit, parts.targeting.level, labels=told,
                      kinds={"what": Kind.TEXT, "estimate": Kind.NUMBER})  # fmt: skip
        blocks.append(Text(parts.targeting.sentence, Tone.NOTE))
        frame = parts.targeting.table.assign(what=parts.targeting.table["what"].str.capitalize())
        blocks.append(table(frame, list(told), title="Targeting, judged on units that did not "
                            "choose the rule", style=style))  # fmt: skip
    if parts.segments is not None:
        told = {"segment": "Segment", "arm": "Arm", "n": "Units", "estimate": "Effect",
                "adjusted": "p-value, adjusted", "shrunk": "Shrunk"}  # fmt: skip
        kinds = {"segment": Kind.TEXT, "arm": Kind.TEXT, "n": Kind.COUNT, "estimate": Kind.NUMBER,
                 "shrunk": Kind.NUMBER, "adjusted": Kind.P_VALUE}  # fmt: skip
        style = Style(parts.money_unit, parts.segments.level, labels=told, kinds=kinds)
        blocks.append(table(parts.segments.table, list(told), title="Effects by segment",
                            style=style))  # fmt: skip
        blocks += [Text(note) for note in parts.segments.sentences]
    return Section("Who should get it?", tuple(blocks))


def assumed(parts: "TrialParts") -> Section:
    """The assumption that buys each number."""
    told = {"number": "Number", "assumption": "Right if", "checked": "Checked"}
    style = _style(parts, labels=told, kinds=dict.fromkeys(told, Kind.TEXT))
    made = table(words.assumptions(parts), list(told), title="Assumptions", style=style)
    return Section("What each number rests on", (made,))


def _decision(parts: "TrialParts") -> Block:
    rows = parts.decision.table
    unit, held = parts.money_unit, []
    for row in rows.to_dict("records"):
        kind = Kind.SHARE if row["unit"] == "share" else Kind.NUMBER
        if str(row["unit"]).startswith("money"):
            kind = Kind.AMOUNT if "a unit" in row["unit"] else Kind.MONEY
        value = "none: it does not pay"
        if pd.notna(row["value"]):
            value = (
                words.surely(row["value"])
                if kind is Kind.SHARE
                else written(row["value"], kind, currency=unit)
            )
        held.append((str(row["what"]).capitalize(), value, row["unit"]))
    frame = pd.DataFrame(held, columns=["item", "value", "unit"])
    style = _style(parts, labels={"item": "Of the decision"}, kinds={"value": Kind.TEXT})
    return table(frame, ["item", "value", "unit"], title="Decision in money", style=style)


def _style(parts: "TrialParts", **more: Any) -> Style:
    return Style(parts.money_unit, parts.result.level, **more)


BUILDERS = (
    answered, changing, planned, flow, watched, effects, in_money, reason, segmented, assumed
)  # fmt: skip
