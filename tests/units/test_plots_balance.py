"""Pictures of groups that nobody drew say what their tables say."""

import json

import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

BALANCE = pd.DataFrame(
    {
        "covariate": ["age", "income", "region[north]", "flat"],
        "smd_before": [-0.31, 0.05, 1.76, None],
        "smd_after": [0.07, -0.13, 0.24, None],
    }
)


def rows(chart, column):
    """All rows of a chart's data that have a column."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data if column in row]


def test_love_plot():
    chart = plots.love_plot(BALANCE, Labels(simulated=True))
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "2 of 3 above 0.1 after", "1 without a number left out"):
        assert words in text
    dots = {row["covariate"]: (row["before"], row["after"]) for row in rows(chart, "before")}
    assert list(dots)[:1] == ["region[north]"]
    assert dots == {"age": (0.31, 0.07), "income": (0.05, 0.13), "region[north]": (1.76, 0.24)}
    picture = svg(Chart.of(chart))
    assert "Standard deviations between the means" in picture and "region[north]" in picture


def test_empty_and_broken_tables():
    empty = plots.love_plot(BALANCE.iloc[:0])
    assert "No rows to show" in json.dumps(empty.to_dict()) and svg(Chart.of(empty))
    with pytest.raises(OptionError, match="love_plot"):
        plots.love_plot(BALANCE.drop(columns="smd_after"))


POINTS = pd.DataFrame(
    {
        "side": ["below", "below", "above"],
        "mean": [1.0, 1.5, 3.25],
        "score": [55.0, 59.0, 61.0],
        "units": [40, 50, 1],
        "lower": [0.8, 1.3, None],
        "upper": [1.2, 1.7, None],
    }
)
LINES = pd.DataFrame(
    {
        "side": ["below", "below", "above", "above"],
        "score": [50.0, 60.0, 60.0, 70.0],
        "fitted": [0.9, 1.6, 3.1, 4.0],
    }
)
JUMP = pd.DataFrame({"how": ["conventional", "robust"], "estimate": [1.5, 1.4],
                     "lower": [1.1, 0.9], "upper": [1.9, 1.9]})  # fmt: skip


def test_jump():
    chart = plots.cutoff_jump(
        POINTS,
        LINES,
        Labels(simulated=True),
        running="Points of the year",
        outcome="Spend",
        jump=JUMP,
    )
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "91 units in 3 bins", "jump of the straight fits +1.5",
                  "robust +1.4 (0.9 to 1.9)", "bars: 90% interval",
                  "Spend on both sides of the cutoff"):  # fmt: skip
        assert words in text
    assert [row["mean"] for row in rows(chart, "mean")] == [1, 1.5, 3.25]
    assert [row["fitted"] for row in rows(chart, "fitted")] == [0.9, 1.6, 3.1, 4]
    assert rows(chart, "at") == [{"at": 60}]
    assert sum(row["lower"] is not None for row in rows(chart, "lower")) >= 2
    assert "Points of the year" in svg(Chart.of(chart))


def test_jump_of_empty_and_broken_tables():
    for points, lines in ((POINTS.iloc[:0], LINES), (POINTS, LINES.iloc[:0])):
        empty = plots.cutoff_jump(points, lines)
        assert "No rows to show" in json.dumps(empty.to_dict()) and svg(Chart.of(empty))
    with pytest.raises(OptionError, match="cutoff_jump"):
        plots.cutoff_jump(POINTS.drop(columns="units"), LINES)
    with pytest.raises(OptionError, match="cutoff_jump"):
        plots.cutoff_jump(POINTS, LINES.drop(columns="fitted"))
