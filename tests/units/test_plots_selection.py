"""Pictures of a selection say what their tables say: who was nearest, intervals, units, no rows."""

import json

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

LABELS = Labels(level=0.8, customers=219, currency="EUR", simulated=True)
BACKTEST = pd.DataFrame(
    {
        "origin": ["2024-01-01", "2024-01-01", "2024-04-01", "2024-04-01"],
        "model": ["BG/NBD", "own rate", "BG/NBD", "own rate"],
        "kind": ["model", "rule", "model", "rule"],
        "bias": [-4.2, 31.5, 8.4, 12.5],
        "bias_lower": [-9.1, np.nan, 2.2, np.nan],
        "bias_upper": [1.3, np.nan, 15.7, np.nan],
    }
)
EQUITY = pd.DataFrame(
    {
        "model": ["BG/NBD", "NBD"],
        "equity": [120.5, 240.0],
        "lower": [99.0, 200],
        "upper": [140.0, 280],
    }
)


def said(chart) -> str:
    return json.dumps(chart.to_dict())


def test_the_title_names_the_nearest_model_and_rule():
    text = said(plots.forecast_bias(BACKTEST, LABELS))
    assert "BG/NBD off by 6%" in text
    assert "own rate\\u201d off by 22% on average" in text
    assert "80% interval" in text and "219 customers" in text and "SIMULATED" in text


def test_every_forecast_is_drawn_and_rules_have_no_interval():
    text = said(plots.forecast_bias(BACKTEST, LABELS))
    for number in ("-4.2", "31.5", "8.4", "12.5", "-9.1", "15.7"):
        assert number in text
    assert "datum.bias_lower != null" in text
    assert "Forecast less actual (% of actual)" in text


def test_models_are_compared_in_money():
    chart = plots.model_comparison(EQUITY, LABELS, value="equity", title="Equity by model")
    text = said(chart)
    assert "Equity by model" in text and "120.5" in text and "280" in text
    without = plots.model_comparison(EQUITY[["model", "equity"]], LABELS, value="equity", title="E")
    assert "interval" not in said(without)


def test_no_rows_and_missing_columns():
    assert "No rows to show" in said(plots.forecast_bias(BACKTEST.iloc[:0]))
    empty = plots.model_comparison(EQUITY.iloc[:0], value="equity", title="none")
    assert "No rows to show" in said(empty)
    with pytest.raises(OptionError, match="missing: bias_lower"):
        plots.forecast_bias(BACKTEST.drop(columns="bias_lower"))


def test_pictures_are_drawn():
    for chart in (
        plots.forecast_bias(BACKTEST, LABELS),
        plots.model_comparison(EQUITY, LABELS, value="equity", title="Equity"),
    ):
        assert svg(Chart.of(chart)).startswith("<svg")


CALIBRATION = pd.DataFrame(
    {
        "origin": ["2024-01-01"] * 10 + ["2024-04-01"] * 20,
        "model": ["NBD"] * 10 + ["NBD"] * 10 + ["BG/NBD"] * 10,
        "tenth": [*range(1, 11)] * 3,
        "customers": 219,
        "share": [0.1] * 10 + [0.2, 0.15] + [0.08] * 7 + [0.09] + [0.1] * 9 + [0.3],
        "lower": 0.07,
        "upper": 0.13,
    }
)


def test_calibration_draws_the_latest_origin_with_a_panel_a_model():
    chart = plots.calibration(CALIBRATION, LABELS)
    assert "9 of 10 tenths of BG/NBD" in said(chart)
    assert "forecast from 2024-04-01" in said(chart)
    assert "80% interval" in said(chart)
    assert "SIMULATED" in said(chart)
    assert len(chart.to_dict()["concat"]) == 2
    assert "219 customers" in said(plots.calibration(CALIBRATION))
    assert svg(Chart.of(chart)).startswith("<svg")


def test_calibration_of_no_forecast_says_so():
    chart = plots.calibration(CALIBRATION.head(0))
    assert "nothing was forecast" in said(chart)
    with pytest.raises(OptionError):
        plots.calibration(CALIBRATION.drop(columns="tenth"))
