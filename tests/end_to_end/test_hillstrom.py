"""Hillstrom's e-mails from plan to decision, and whether targeting beats sending to all.

The data are read where they are present (CXMODELS_DATA) and are not shipped.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.arm_balance import balance
from cxmodels.experiments.decision import decide
from cxmodels.experiments.honest_segments import effects_by_segment
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.plan import Rule, register
from cxmodels.experiments.sample_ratio import sample_ratio
from cxmodels.experiments.targeting import targeting
from cxmodels.reports import render
from cxmodels.reports.trial_report import TrialParts, trial_report

NONE, MENS, WOMENS = "No E-Mail", "Mens E-Mail", "Womens E-Mail"
MARGIN = 0.40


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    place = Path(os.environ.get("CXMODELS_DATA", "")) / "hillstrom" / "hillstrom.csv.gz"
    if not place.is_file():
        pytest.skip("hillstrom.csv.gz is not here: set CXMODELS_DATA")
    found = pd.read_csv(place)
    return found.assign(id=np.arange(len(found)), margin=MARGIN * found["spend"])


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    made = cx.TestPlan(
        question="Do e-mails bring more than they cost?", lever="an e-mail", cost=0.01, unit="id",
        arms=(NONE, MENS, WOMENS), start="2008-03-20", end="2008-04-03", rule=Rule(sure=0.95),
        value="40% margin of two weeks",
        metrics=(
            Metric("visit", "proportion", role="retention"),
            Metric("conversion", "proportion", role="spend"),
            Metric("margin", role="spend", before="history"),
        ),
    )  # fmt: skip
    return register(made, tmp_path_factory.mktemp("plan"), on="2008-03-01")


def test_arms_are_as_drawn_and_were_alike(rows, plan):
    drawn = sample_ratio(rows, arm="segment", plan=plan, by=["newbie", "mens"])
    told = drawn.checks.set_index("kind")["p_value"]
    assert told["assignment"] == pytest.approx(0.9036929575604196, abs=1e-9)
    assert drawn.mismatch == ()
    columns = ["history", "recency", "mens"]
    assert balance(rows, covariates=columns, arm="segment", control=NONE).p_value > 0.05
    lost = rows.drop(rows.index[rows["segment"] == MENS][:2_000])
    assert sample_ratio(lost, arm="segment", plan=plan).mismatch == ("assignment",)


def test_effects_decision_and_report(rows, plan):
    """Effects are those on record; each e-mail pays by the rule; the report says so."""
    result = analyse(rows, arm="segment", plan=plan, unit="id")
    found = result.table.set_index(["metric", "arm"])
    assert (found["standing"] == "planned").all()
    assert found.loc[("visit", MENS), "estimate"] == pytest.approx(0.07658956365153125, abs=1e-9)
    mens = found.loc[("margin", MENS)]
    assert mens["estimate"] / MARGIN == pytest.approx(0.7674384994278022, abs=1e-9)
    assert mens["std_error"] / MARGIN == pytest.approx(0.14521504219411457, abs=1e-9)
    plain = analyse(rows, arm="segment", control=NONE, metrics=["margin"])
    raw = plain.table.set_index("arm")["estimate"]
    assert raw[MENS] - 0.01 == pytest.approx(0.29793086235781463, abs=1e-9)
    assert raw[WOMENS] - 0.01 == pytest.approx(0.1597648863746387, abs=1e-9)
    for arm in (MENS, WOMENS):
        row = found.loc[("margin", arm)]
        made = decide(row["estimate"], row["std_error"], cost=plan.plan.cost, units=1_000_000,
                      rule=plan.plan.rule)  # fmt: skip
        assert made.choice == "keep"
        dear = decide(row["estimate"], row["std_error"], cost=0.5, units=1_000_000)
        assert dear.choice == "drop"
    page = render.html(trial_report(TrialParts(plan=plan, result=result, decision=made)))
    assert "Keep the lever" in page and "Registered on 2008-03-01" in page


def test_targeting_is_judged_honestly_and_loses_to_sending_to_all(rows, plan):
    two = rows[rows["segment"] != MENS]
    asked = {"arm": "segment", "control": NONE, "metric": "margin",
             "segments": ["womens", "newbie"]}  # fmt: skip
    by = effects_by_segment(two, **asked)
    assert by.table["shrunk"].std() < by.table["estimate"].std()
    assert by.joint["p_value"][0] > 0.05
    rule = targeting(two, cost=0.01, **asked)
    told = rule.table.set_index("what")
    assert told.loc["rule less none", "lower"] > 0.0
    assert told.loc["rule less all", "estimate"] < 0.0 < told.loc["rule less all", "upper"]
    assert told.loc["all less none", "estimate"] == pytest.approx(0.1598, abs=1e-3)
    assert "treat all" in rule.sentence
    kept = rule.segments.query("treat")
    naive = (kept["n"] * (kept["effect"] - kept["cost"])).sum() / rule.segments["n"].sum()
    assert naive > told.loc["all less none", "estimate"] > told.loc["rule less none", "estimate"]
