"""The picture of the ladder says what its table says: rungs, naive and corrected, what was set."""

import json

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

TABLE = pd.DataFrame(
    {
        "rung": ["pooled", "firm and year"],
        "naive": [0.04, 0.006],
        "naive_error": [0.002, 0.002],
        "corrected": [0.045, None],
        "std_error": [0.0022, 0.002],
    }
)


def test_ladder():
    chart = plots.value_ladder(
        TABLE, Labels(level=0.95, simulated=True), firms=120, truth=0.012, outcome="q"
    )
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "120 firms", "95% interval", "set amount", "pooled",
                  "Change with one point more"):  # fmt: skip
        assert words in text
    assert f"{np.expm1(0.045):.6f}"[:7] in text
    drawn = svg(Chart.of(chart))
    assert "firm and year" in drawn
    with pytest.raises(OptionError, match="value_ladder"):
        plots.value_ladder(TABLE.drop(columns="naive_error"))
