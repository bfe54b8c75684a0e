"""The report of a test answers in money first, and says what each number rests on."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.decision import decide
from cxmodels.experiments.honest_segments import effects_by_segment
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.monitor import monitor
from cxmodels.experiments.plan import Registered, register
from cxmodels.experiments.reason import reason
from cxmodels.experiments.targeting import targeting
from cxmodels.reports import render
from cxmodels.reports.document import Table, Text
from cxmodels.reports.trial_report import TrialParts, trial_report
from cxmodels.reports.trial_words import mind, registered
from cxmodels.value_chain.test_money import money_of_test
from tests.laws.lever_world import ARMS, END, MARGIN, RATE, SINCE, START, trial


def plan_of(question: str = "Do calls keep customers?") -> cx.TestPlan:
    return cx.TestPlan(
        question=question, lever="call back", cost=2.5, unit="customer_id", arms=ARMS,
        metrics=(
            Metric("recommend", role="satisfaction"),
            Metric("leaves", "proportion", better="lower", role="retention"),
            Metric("money", role="spend"),
            Metric("orders", margin=0.2),
        ),
        start=START, end=END, value="margin and residual value, Pareto/NBD, 24 months",
    )  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    made = trial(6_000, 3, points=0.8, quarters=20)
    plan = register(plan_of(), tmp_path_factory.mktemp("plan"), on="2021-12-01")
    plan = plan.deviate("calls began a week late", "staff was ill", on="2022-01-10")
    rows = made.answered().drop(columns="points")
    rows = rows.merge(made.answered("recommend")[["customer_id", "recommend"]], how="left")
    result = analyse(rows, arm="arm", plan=plan, metrics=["tenure"])
    base = made.base(SINCE)
    fit, spend_fit = cx.ParetoNBD().fit(base), cx.GammaGamma().fit(base)
    money = money_of_test(
        made.arms, base, fit, spend_fit, plan=plan, horizon="24M", discount_rate=RATE,
        margin=MARGIN, draws=50,
    )  # fmt: skip
    seen = rows.assign(day=pd.Timestamp(START) + pd.to_timedelta(rows["customer_id"] % 300, "D"))
    names = {"arm": "arm", "control": ARMS[0], "metric": "money", "segments": "segment"}
    return TrialParts(
        plan=plan, result=result, money=money, simulated=True,
        monitored=monitor(seen, plan=plan, day="day", covariates=["tenure"]),
        segments=effects_by_segment(rows, **names), targeting=targeting(rows, cost=0.5, **names),
        decision=money.decide(units=20_000, result=result, once=10_000.0),
        reason=reason(rows, arm="arm", control=ARMS[0], satisfaction="recommend", money="money"),
    )  # fmt: skip


def texts(document):
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Text):
                yield block.text
            elif isinstance(block, Table):
                yield from (cell for row in block.rows for cell in row)


def test_all_of_it(parts):
    document = trial_report(parts)
    headings = [section.heading for section in document.sections]
    assert headings == [
        "Do calls keep customers? The answer", "What would change our mind", "What was planned",
        "Flow of units", "While it ran", "What the lever did", "The test in money",
        "Is satisfaction the reason?", "Who should get it?", "What each number rests on",
    ]  # fmt: skip
    assert document.sections[0].blocks[0].text.startswith("Keep the lever.")
    told = list(texts(document))
    said = "\n".join(told)
    for words in ("calls began a week late", "percentage points", "exploratory", "margin of 0.2",
                  "At a cost above", "registered on 2021-12-01", "foretold"):  # fmt: skip
        assert words.lower() in said.lower(), words
    assert not {"nan", "none", "<na>"} & {cell.lower() for cell in told}
    page = render.html(document)
    ids = parts.money.units["customer_id"]
    assert not [unit for unit in ids[ids > 1_000] if f">{unit}<" in page]
    assert "Simulated data" in page
    assert render.pdf(document)[:4] == b"%PDF"
    assert render.html(trial_report(parts)) == page


def test_the_least_of_it_and_a_lever_that_is_dropped(parts):
    plan = plan_of("Does <b>it</b> work?")
    few = TrialParts(
        plan=plan, result=replace(parts.result, plan=plan),
        decision=decide(0.1, 1.0, cost=2.0, units=100),
    )  # fmt: skip
    document = trial_report(few)
    said = "\n".join(texts(document))
    assert document.sections[0].blocks[0].text.startswith("Drop the lever.")
    assert "was not registered" in said
    assert "No cost above 0" in said
    assert "<b>it</b>" not in render.html(document)


def test_the_cost_at_which_the_rule_turns():
    """By hand: net value 5.5 - 2.5, spread 1, sure at .9: above 5.5 - 1.2816 it is dropped."""
    held = SimpleNamespace(
        planned=plan_of(), decision=decide(5.5, 1.0, cost=2.5, units=100, level=0.95),
        money=None, reason=None, money_unit="EUR",
        result=SimpleNamespace(guardrails=pd.DataFrame()),
    )  # fmt: skip
    assert mind(held)[0] == "At a cost above €4.22 a unit the rule would drop it; it costs €2.50."


def test_arms_that_are_not_as_drawn_decide_nothing(parts):
    odd = replace(parts, result=replace(parts.result, sample_ratio=3e-9))
    document = trial_report(odd)
    assert document.headline.facts[0].value == "None: arms are not as drawn"
    assert document.sections[0].blocks[0].text.startswith("The arms' sizes are not what was drawn")
    assert mind(odd)[0].startswith("The arms' sizes are not what was drawn (p 3e-09)")
    dropped = decide(5.5, 1.0, cost=2.5, units=100, sample_ratio=3e-9)
    assert dropped.choice == "drop" and "nothing is shipped on it" in dropped.reasons[0]
    with pytest.raises(cx.OptionError, match="result= is of another plan than plan="):
        replace(parts, plan=plan_of("Another question?"))


def test_a_plan_that_was_registered_too_late_is_told(tmp_path):
    plan = plan_of()
    for on, said in ((date(2021, 12, 1), "before the test began"),
                     (date(2022, 6, 1), "while it ran"),
                     (date(2023, 6, 1), "after it had ended")):  # fmt: skip
        assert said in registered(Registered(plan, on, tmp_path)).text


def test_another_thing_in_place_of_a_part_is_told(parts):
    with pytest.raises(cx.OptionError, match="decision= of a test's report has no choice"):
        replace(parts, decision=parts.result.table)
    with pytest.raises(cx.OptionError, match="result="):
        TrialParts(plan=plan_of(), result=None, decision=parts.decision)
