"""The picture of tried designs says what its table says."""

import json

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

TABLE = pd.DataFrame({
    "design": ["stratified", "cluster", "geo", "interrupted series"],
    "size_holds": ["holds", "holds", "hardly known", "off"],
    "size": [0.05, 0.045, 0.0, 0.4], "size_lower": [0.02, 0.013, 0.0, 0.2],
    "size_upper": [0.1, 0.09, 0.5, 0.6], "mde": [0.2, 0.5, np.inf, 30.0],
    "mde_formula": [0.21, 0.4, np.inf, 0.1], "mde_money": [200.0, 500.0, np.inf, 30_000.0],
})  # fmt: skip


def rows(chart, column):
    return [row for data in chart.to_dict()["datasets"].values() for row in data if column in row]


@pytest.mark.parametrize("money", [True, False])
def test_it_says_what_its_table_says(money):
    table = TABLE if money else TABLE.drop(columns="mde_money")
    chart = plots.design_options(table, Labels(level=0.95, currency="USD"), outcome="spend")
    text = json.dumps(chart.to_dict())
    for words in ("least effect on spend", "2 beyond the edge", "dot: simulated"):
        assert words in text
    assert ("USD a year" in text) == money
    told = {row["design"]: row["least"] for row in rows(chart, "least")}
    assert told["cluster"] == (500 if money else 0.5) and told["geo"] is None
    assert {row["alpha"] for row in rows(chart, "alpha")} == {0.05}
    picture = svg(Chart.of(chart))
    for words in (*TABLE["design"], "hardly known", "Placebo tests that reject"):
        assert words in picture


def test_tables_without_rows_or_columns():
    assert "No rows to show" in svg(Chart.of(plots.design_options(TABLE.iloc[:0])))
    none = TABLE.assign(mde=np.inf, mde_formula=np.inf, mde_money=np.inf)
    assert "stratified" in svg(Chart.of(plots.design_options(none)))
    with pytest.raises(OptionError, match="design_options needs a table"):
        plots.design_options(TABLE.drop(columns="size"))
