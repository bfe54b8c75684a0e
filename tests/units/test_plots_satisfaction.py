"""Pictures of satisfaction say what their tables say: effects, levels, attributes, no rows."""

import json

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

LABELS = Labels(level=0.95, customers=812, simulated=True)
EFFECTS = pd.DataFrame(
    {
        "outcome": ["leaving", "orders"],
        "naive": [-0.10, 0.02],
        "naive_error": [0.02, 0.01],
        "controlled": [-0.15, 0.04],
        "controlled_error": [0.03, 0.01],
        "corrected": [-0.25, 0.08],
        "std_error": [0.05, 0.02],
    }
)
LEVELS = pd.DataFrame(
    {
        "outcome": ["orders"] * 3 + ["cases"],
        "score_level": ["1 to 4", "5", "9", "9"],
        "against": ["7"] * 4,
        "answers": [12, 40, 33, 33],
        "estimate": [-0.5, -0.2, 0.4, -0.1],
        "lower": [-0.9, -0.3, 0.2, -0.4],
        "upper": [-0.1, -0.1, 0.6, 0.2],
    }
)
DRIVERS = pd.DataFrame(
    {
        "attribute": ["quality", "price"],
        "performance": [7.25, 5.5],
        "point_naive": [0.2, 0.1],
        "point_naive_lower": [0.15, 0.05],
        "point_naive_upper": [0.25, 0.15],
        "point": [0.31, 0.08],
        "point_lower": [0.21, -0.02],
        "point_upper": [0.41, 0.18],
    }
)


def said(chart) -> str:
    return json.dumps(chart.to_dict())


def test_effects_are_drawn_in_per_cent_with_their_own_intervals():
    text = said(plots.effect_comparison(EFFECTS, LABELS, score="recommend"))
    assert f"{np.expm1(-0.25):.7g}" in text
    assert f"{np.expm1(0.02 - 1.959964 * 0.01):.5f}"[:7] in text
    assert "95% interval" in text and "812 customers" in text and "SIMULATED" in text
    assert "What a point of recommend goes with" in text
    assert "set amount" not in text


def test_truth_is_marked_where_it_is_known():
    text = said(plots.effect_comparison(EFFECTS, LABELS, score="nps", truth={"orders": 0.08}))
    assert "set amount" in text and f"{np.expm1(0.08):.7g}" in text


def test_without_correction_two_ways_are_drawn():
    text = said(plots.effect_comparison(EFFECTS.assign(corrected=None), LABELS, score="nps"))
    assert "corrected" not in json.loads(text).get("layer", "")
    assert '"series": "corrected"' not in text and "controlled" in text


def test_levels_stand_in_their_order_beside_the_one_compared_with():
    text = said(plots.level_effects(LEVELS, LABELS, outcome="orders", score="recommend"))
    assert '"sort": ["1 to 4", "5", "7", "9"]' in text
    assert "Orders by level of recommend" in text and "per cent against 7" in text
    assert f"{np.expm1(0.6):.7g}" in text
    assert f"{np.expm1(-0.4):.7g}" not in text  # of another outcome


def test_attributes_are_named_and_the_strongest_is_in_the_title():
    text = said(plots.importance_performance(DRIVERS, LABELS, score="recommend"))
    assert "A point on quality moves recommend most" in text
    assert "corrected for mood and error" in text and "0.41" in text and "7.25" in text
    plain = DRIVERS.assign(point=None)
    text = said(plots.importance_performance(plain, LABELS, score="recommend"))
    assert "as answered" in text and "0.25" in text


@pytest.mark.parametrize(
    "draw",
    [
        lambda t: plots.effect_comparison(t(EFFECTS), score="s"),
        lambda t: plots.level_effects(t(LEVELS), outcome="orders", score="s"),
        lambda t: plots.importance_performance(t(DRIVERS), score="s"),
    ],
)
def test_no_rows_and_missing_columns(draw):
    assert svg(Chart.of(draw(lambda table: table.iloc[:0]))).startswith("<svg")
    assert svg(Chart.of(draw(lambda table: table))).startswith("<svg")
    with pytest.raises(OptionError, match="needs a table with columns"):
        draw(lambda table: table.iloc[:, :2])
