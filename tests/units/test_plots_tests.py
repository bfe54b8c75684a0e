"""Pictures of tests say what their tables say, in their units, and refuse other tables."""

import json

import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.experiments.comparisons import Means
from cxmodels.experiments.decision import decide
from cxmodels.experiments.power import sample_size
from cxmodels.experiments.sequential import design
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

ENDS = {"lower": [0.1, -0.3], "upper": [0.5, 0.2]}
LOOKS = pd.DataFrame({
    "metric": "minutes", "arm": "call", "day": pd.to_datetime(["2026-03-07", "2026-03-14"]),
    "estimate": [0.3, -0.05], "line": -0.4, "margin": 0.4, "state": ["holds", "not yet known"],
    **ENDS,
})  # fmt: skip
EFFECTS = pd.DataFrame({
    "metric": ["spend", "NPS"], "arm": "call", "n": [900, 400], "estimate": [0.3, -0.05],
    "lift": [0.1, None], "lift_lower": [0.05, None], "lift_upper": [0.15, None], **ENDS,
})  # fmt: skip
PATH = pd.DataFrame({
    "period": [1, 2, 3], "treated": [5.0, 6.0, 9.0], "synthetic": [5.1, 6.0, 7.0],
    "gap": [-0.1, 0.0, 2.0], "lower": [None, None, 1.0], "upper": [None, None, 3.0],
})  # fmt: skip
SERIES = PATH.rename(columns={"treated": "outcome", "synthetic": "fitted", "gap": "effect"})
LINKS = pd.DataFrame({"what": ["effect on satisfaction", "worth of a point"], "unit": "points",
                      "estimate": [0.2, 3.0], "lower": [0.1, 1.0],
                      "upper": [0.3, float("inf")]})  # fmt: skip
BOUNDS = pd.DataFrame({"size": [0.5, 1.0], "lower": [0.3, -0.1], "upper": [0.8, 1.2]})
TIMES = pd.DataFrame({"event_time": [-2, -1, 0, 1], "att": [0.1, 0.0, 1.0, 1.2],
                      "lower": [-0.1, None, 0.8, 0.9], "upper": [0.3, None, 1.2, 1.5]})  # fmt: skip
PLACEBOS = pd.DataFrame({"unit": ["a", "b"], "ratio": [3.0, 1.0]})
DRAWN = {
    "metric_effects": (EFFECTS, {}, ("change beside control", "difference, in its unit", "90%")),
    "guardrail_looks": (LOOKS, {}, ("margin", "holds", "over all looks")),
    "look_boundaries": (design(3).table, {}, ("3 looks", "5.0% spent")),
    "power_curve": (sample_size(Means(sd=1.0), 0.1).table, {"unit": "points"}, ("points", "80%")),
    "decision_value": (decide(3.0, 1.0, cost=1.0, units=10).table, {}, ("97.7%", "after the cost")),
    "event_time_effects": (TIMES, {}, ("From treatment on", "units of the outcome")),
    "honest_bounds_by_size": (BOUNDS, {"breakdown": 0.9}, ("M = 0.9", "breakdown 0.9")),
    "synthetic_path": (PATH, {"start": 3, "placebos": PLACEBOS}, ("Treated", "RMSPE")),
    "interrupted_path": (SERIES.assign(counterfactual=7.0), {"start": 3}, ("Counterfactual",)),
    "reason_chain": (LINKS, {}, ("worth of a point (points)", "values not rejected")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_picture(name):
    table, how, words = DRAWN[name]
    draw = getattr(plots, name)
    chart = draw(table, Labels(simulated=True), **how)
    text = json.dumps(chart.to_dict())
    for word in (*words, "SIMULATED data"):
        assert word in text
    assert len(svg(Chart.of(chart))) > 2_000
    before = table.copy()
    draw(table, **how)
    pd.testing.assert_frame_equal(table, before)
    with pytest.raises(OptionError, match=name):
        draw(pd.DataFrame({"other": [1]}), **how)
    with pytest.raises(OptionError, match=name):
        draw([1, 2], **how)


def test_net_value_is_above_0_as_often_as_the_decision_says():
    decided = decide(3.0, 1.5, cost=1.5, units=10)
    sure = decided.table.set_index("what")["value"]["probability of more than 0"]
    title = plots.decision_value(decided.table).title.text
    assert f"probability {float(sure):.1%}" in str(title)
