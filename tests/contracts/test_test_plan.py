"""A plan is one frozen object: hashed, registered once, changed only as a dated deviation."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.experiments.analysis import analyse, analyse_moments
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moments import moments
from cxmodels.experiments.plan import Registered, Rule, TestPlan, register, registered

METRICS = (
    Metric("score", name="satisfied", role="satisfaction", before="score_before"),
    Metric("stayed", "proportion", role="retention"),
    Metric("orders", "ratio", name="orders a visit", role="spend", per="visits"),
    Metric("complaints", better="lower", margin=0.02),
)
PARTS = {
    "question": "Do calls back within a day keep customers?", "lever": "call back within a day",
    "cost": 2.5, "unit": "customer_id", "arms": ("as now", "call back"), "metrics": METRICS,
    "start": "2026-03-01", "end": "2026-05-31", "value": "residual CLV, margin 30 per cent",
}  # fmt: skip


def plan(**changes) -> TestPlan:
    return TestPlan(**(PARTS | changes))


def test_the_hash_is_of_what_is_said_not_of_how():
    same = plan(arms=["as now", "call back"], cost=2.5, start=date(2026, 3, 1), shares=())
    assert same.hash == plan().hash == plan().changed().hash
    assert len({plan().hash, *(plan(**change).hash for change in (
        {"cost": 2.6}, {"end": "2026-06-01"}, {"rule": Rule(sure=0.95)}, {"holdout": 0.1},
        {"metrics": METRICS[:3]}, {"arms": ("as now", "call")}, {"strata": ("segment",)},
    ))}) == 8  # fmt: skip
    assert json.loads(plan().canonical)["version"] == 1
    with pytest.raises(AttributeError):
        plan().cost = 3.0


def test_the_summary_names_everything():
    told = plan(cluster="branch", strata=("segment",), looks=3, holdout=0.05).summary()
    for said in ("Do calls back", "at 2.5 a unit", "as now (50%), call back (50%)", "branch (all",
                 "balanced within segment", "looked at 3 times",
                 "satisfied (satisfaction; mean of score", "Rule: Keep", "Held out for long: 5%",
                 "complaints (guardrail; mean; lower is better, at most 0.02 worse)",
                 "orders a visit (spend; ratio of orders per visits"):  # fmt: skip
        assert said in told, said
    assert plan().hash in plan().summary()
    assert plan().exploratory(["stayed", "clicks"]) == {"stayed": False, "clicks": True}


def test_it_is_registered_once_and_deviations_are_dated(tmp_path):
    held = register(plan(), tmp_path / "test", on="2026-02-20")
    assert isinstance(held, Registered)
    again = register(plan(), tmp_path / "test", on="2026-02-25")
    assert again.on == date(2026, 2, 20) and again.plan.hash == plan().hash
    assert (tmp_path / "test" / "plan.txt").read_text(encoding="utf-8").startswith("Question:")
    with pytest.raises(cx.OptionError, match="another plan was registered here on 2026-02-20, with "
                                             "other cost"):  # fmt: skip
        register(plan(cost=9.0), tmp_path / "test")
    later = again.deviate("ended a week early", "the call centre closed", on="2026-05-24")
    assert registered(tmp_path / "test").deviations == later.deviations
    assert held.deviations == later.deviations  # whoever read the plan before knows it too
    assert "Deviation, 2026-05-24: ended a week early (the call centre closed)" in repr(later)
    with pytest.raises(cx.OptionError, match="before the plan was registered"):
        again.deviate("earlier", "because", on="2026-01-01")
    with pytest.raises(cx.OptionError, match="what is different, and why"):
        again.deviate(" ", "because")


def test_a_plan_changed_by_hand_is_told(tmp_path):
    register(plan(), tmp_path, on="2026-02-20")
    path = tmp_path / "plan.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"cost": 2.5', '"cost": 1.5'),
                    encoding="utf-8")  # fmt: skip
    with pytest.raises(cx.OptionError, match="was changed after it was registered on 2026-02-20"):
        registered(tmp_path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(cx.OptionError, match="cannot be read as a plan"):
        registered(tmp_path)
    with pytest.raises(cx.OptionError, match="no plan is registered"):
        registered(tmp_path / "elsewhere")


def test_every_problem_of_a_plan_at_once():
    with pytest.raises(cx.OptionError) as error:
        plan(
            question=" ", cost=float("nan"), arms=("a", "a"), shares=(0.5, 0.6), looks=0,
            metrics=(METRICS[3], METRICS[3]), start="2026-06-01", level=1.0, rule="ship",
        )  # fmt: skip
    told = str(error.value)
    assert "this is no plan yet, 10 to mend" in told
    for said in (
        "question is said", "cost must be money, a finite number; it is nan",
        "or more different names", "sum to 1", "two metrics",
        "no guardrail", "start and end", "looks must be", "level is from", "rule is a Rule",
    ):  # fmt: skip
        assert said in told, said


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"role": "fun"}, "role 'fun'"), ({"kind": "median"}, "kind 'median'"),
        ({"kind": "ratio"}, "per= goes with"), ({"per": "visits"}, "per= goes with"),
        ({"role": "guardrail"}, "a guardrail has margin="), ({"margin": 0.1}, "a guardrail has"),
        ({"role": "guardrail", "margin": -1.0}, "from 0 on"), ({"better": "more"}, "better"),
        ({"column": " "}, "a metric names a column"),
    ],
)  # fmt: skip
def test_metrics_that_are_none(parts, said):
    with pytest.raises(cx.OptionError, match=said):
        Metric(**({"column": "x", "role": "spend"} | parts))


@pytest.mark.parametrize(("parts", "said"), [
    ({"arms": (0, 1)}, "as text, the control first"), ({"arms": ("A", None)}, "as text"),
    ({"shares": {"A": 0.5, "B": 0.5}}, "shares are one for each"),
    ({"shares": ("a", "b")}, "shares are one for each"), ({"level": "95%"}, "level is from"),
    ({"holdout": "5%"}, "holdout from 0"), ({"cost": "2"}, "cost must be money"),
])  # fmt: skip
def test_numbers_and_names_that_are_none(parts, said):
    with pytest.raises(cx.OptionError, match=said):
        plan(**parts)


def test_numbers_of_other_kinds_and_a_file_for_a_folder(tmp_path):
    made = plan(cost=np.float32(2.5), looks=np.int64(4), level=np.float64(0.9))
    assert made.hash == plan(cost=2.5, looks=4, level=0.9).hash
    with pytest.raises(cx.OptionError, match="sure from"):
        Rule(sure="a")
    (tmp_path / "note").write_text("")
    with pytest.raises(cx.OptionError, match="'note' is a file: a plan is registered in a folder"):
        register(made, tmp_path / "note")


def test_wrong_kinds():
    with pytest.raises(cx.OptionError, match="arms are several"):
        plan(arms="as now")
    with pytest.raises(cx.OptionError, match="'colour' is no part of a plan"):
        plan().changed(colour="red")
    with pytest.raises(cx.OptionError, match="sure from"):
        Rule(sure=0.2)


def _seen(**changes) -> pd.DataFrame:
    chance = np.random.default_rng(7)
    n = 400
    columns = {
        "customer_id": np.arange(n), "arm": np.where(np.arange(n) % 2, "call back", "as now"),
        "score": chance.normal(7.0, 2.0, n), "score_before": chance.normal(7.0, 2.0, n),
        "stayed": chance.integers(0, 2, n), "orders": chance.poisson(2.0, n),
        "visits": 1 + chance.poisson(3.0, n), "complaints": chance.integers(0, 2, n),
        "clicks": chance.poisson(1.0, n),
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def test_an_analysis_takes_the_plan_and_labels_what_is_beyond_it(tmp_path):
    found = analyse(_seen(), arm="arm", plan=plan(), metrics=["clicks"])
    assert found.control == "as now" and found.level == 0.95
    assert found.table.set_index("metric")["standing"].to_dict() == {
        "satisfied": "planned", "stayed": "planned", "orders a visit": "planned",
        "complaints": "planned", "clicks": "exploratory",
    }  # fmt: skip
    assert "standing" in repr(found)
    alone = analyse(_seen(), arm="arm", plan=plan())
    pd.testing.assert_frame_equal(found.table.iloc[:4], alone.table)  # one more question costs none
    read = moments(_seen(), arm="arm", metrics=METRICS, unit="customer_id")
    pd.testing.assert_frame_equal(analyse_moments(read, plan=plan()).table, alone.table)
    free = analyse(_seen(), arm="arm", control="as now", metrics=["clicks"])
    assert free.table["standing"].tolist() == ["no plan"]
    held = register(plan(), tmp_path, on="2026-02-20").deviate("late", "snow", on="2026-03-02")
    assert "Deviation, 2026-03-02: late (snow)." in analyse(_seen(), arm="arm", plan=held).notes
    after = register(plan(), tmp_path / "late", on="2030-01-01")
    said = analyse(_seen(), arm="arm", plan=after).notes
    assert [
        note for note in said if note.startswith("Registered on 2030-01-01, after it had ended")
    ]
    (tmp_path / "late" / "plan.json").unlink()
    with pytest.raises(cx.OptionError, match="the plan is no longer in 'late'"):
        analyse(_seen(), arm="arm", plan=after)


def test_an_analysis_that_is_not_as_planned_is_all_exploratory():
    found = analyse(_seen(), arm="arm", plan=plan(), control="call back")
    assert set(found.table["standing"]) == {"exploratory"}
    assert "Not as planned: control is 'call back' where the plan has 'as now'" in repr(found)
    metric = Metric("score", name="satisfied", role="satisfaction")  # without what was before
    with pytest.raises(cx.OptionError, match="two metrics are called 'satisfied'"):
        analyse(_seen(), arm="arm", plan=plan(), metrics=[metric])


def test_arms_that_are_not_those_of_the_plan():
    three = plan(arms=("as now", "call back", "letter"))
    with pytest.raises(cx.DataError, match="no unit is in arm 'letter' of the plan"):
        analyse(_seen(), arm="arm", plan=three)
    odd = _seen(
        arm=np.where(np.arange(400) % 2, "call back", np.array(["as now"] * 398 + ["x"] * 2))
    )
    with pytest.raises(cx.DataError, match="arm 'x' is not in the plan"):
        analyse(odd, arm="arm", plan=plan())
    with pytest.raises(cx.OptionError, match="name control=, or give the plan="):
        analyse(_seen(), arm="arm", metrics=["score"])
    with pytest.raises(cx.OptionError, match="plan= is a TestPlan, or a registered one, got str"):
        analyse(_seen(), arm="arm", plan="mine")
    read = moments(_seen(), arm="arm", metrics=METRICS)
    with pytest.raises(cx.OptionError, match="read without the plan's strata"):
        analyse_moments(read, plan=plan(strata=("clicks",)))
