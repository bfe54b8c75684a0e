"""The Nile (statsmodels, R's sandwich), a geo experiment (matched_markets), eight units."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import nile

from cxmodels.experiments.interrupted_series import interrupted_series
from cxmodels.experiments.randomisation_test import randomisation_test
from cxmodels.experiments.time_based_regression import time_based_regression

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_nile():
    """Newey-West with 4 lags, not prewhitened, no small-sample factor."""
    table = nile.load_pandas().data
    found = interrupted_series(
        table,
        "volume",
        period="year",
        start=1899,
        errors="newey-west",
        lags=4,
        convention="sandwich",
    )
    assert found.table["estimate"].tolist() == pytest.approx(
        [1082.0960591133, 1.1595511768, -289.1026853664, -0.4690887676], abs=1e-8
    )
    assert found.table["std_error"].tolist() == pytest.approx(
        [33.66093739863, 2.5903084783, 61.77593894331, 2.70157743303], abs=1e-8
    )
    stata = interrupted_series(table, "volume", period="year", start=1899, lags=4,
                               errors="newey-west")  # fmt: skip
    ratio = stata.table["std_error"] / found.table["std_error"]
    assert ratio.tolist() == pytest.approx([np.sqrt(100 / 96)] * 4, rel=1e-12)
    assert found.naive == pytest.approx(table["volume"][28:].mean() - table["volume"][:28].mean())


@pytest.fixture(scope="module")
def geos():
    folder = DATA / "experiments"
    if not (folder / "salesandcost.csv").is_file():
        pytest.skip("salesandcost.csv is not here: set CXMODELS_DATA")
    table = pd.read_csv(folder / "salesandcost.csv", parse_dates=["date"])
    groups = pd.read_csv(folder / "geoassignment.csv")
    return table, groups.loc[groups["geo.group"] == 2, "geo"].tolist()


def test_time_based_regression(geos):
    """R's and Python's summary with one tail of 90 per cent; two-tailed ends are simulated."""
    table, treated = geos
    found = time_based_regression(
        table, "sales", geo="geo", period="date", treated=treated, start="2015-02-16",
        end="2015-03-15", cost="cost", absent="zero", level=0.9,
    )  # fmt: skip
    rows = found.table.set_index("quantity")
    assert rows.loc["iROAS", "estimate"] == pytest.approx(2.9467424337, abs=1e-9)
    assert rows.loc["iROAS", "lower_one_sided"] == pytest.approx(2.8261944195, abs=1e-9)
    assert rows.loc["incremental outcome", "estimate"] == pytest.approx(147337.1216845, abs=1e-5)
    assert found.cost == pytest.approx(50_000.0)
    assert found.slope == pytest.approx(0.99970012, abs=5e-9)
    assert rows.loc["iROAS", "lower"] == pytest.approx(2.79135, abs=2e-3)
    assert rows.loc["iROAS", "upper"] == pytest.approx(3.102936, abs=2e-3)
    assert rows.loc["lift", "estimate"] == pytest.approx(0.173998, abs=1e-4)
    assert rows.loc["lift", "lower_one_sided"] == pytest.approx(0.165686, abs=1e-4)
    assert found.p_positive == pytest.approx(1.0, abs=1e-6)
    assert found.path["cumulative"].iloc[-1] == pytest.approx(147337.1216845, abs=1e-5)


def test_days_that_are_not_there_are_refused_unless_they_mean_none(geos):
    from cxmodels.errors import DataError

    table, treated = geos
    with pytest.raises(DataError, match=r"17 of 100 units of geo lack periods .* 75 in all"):
        time_based_regression(table, "sales", geo="geo", period="date", treated=treated,
                              start="2015-02-16")  # fmt: skip


def test_eight_units():
    """Cunningham 2021, "Causal inference: the mixtape", section 4.2: eight units, four of them
    treated, difference 1; 70 assignments."""
    table = pd.DataFrame({"d": [1] * 4 + [0] * 4, "y": [10, 5, 16, 3, 5, 7, 8, 10]})
    found = randomisation_test(table, "y", arm="d")
    assert found.estimate == 1.0
    assert (found.assignments, found.exact) == (70, True)
    assert found.p_value == pytest.approx(0.8571428571428571, abs=1e-12)
    assert found.p_greater == pytest.approx(0.42857142857142855, abs=1e-12)
    cups = pd.DataFrame({"milk": [1, 0] * 4, "called": [1, 0] * 4})
    assert randomisation_test(cups, "called", arm="milk").p_greater == pytest.approx(1 / 70)
