"""Arellano and Bond (1991), table 4: employment of 140 UK firms, to their printed digits."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.regression.dynamic_panel import dynamic_panel

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
EMPLOYMENT = DATA / "firms" / "EmplUK.csv"
B = ["w", "L1.w", "k", "ys", "L1.ys"]
A = ["w", "L1.w", "k", "L1.k", "L2.k", "ys", "L1.ys", "L2.ys"]


@pytest.fixture(scope="module")
def firms():
    if not EMPLOYMENT.is_file():
        pytest.skip("the employment panel is not here: set CXMODELS_DATA")
    table = pd.read_csv(EMPLOYMENT)
    return table.assign(
        n=np.log(table["emp"]), w=np.log(table["wage"]), k=np.log(table["capital"]),
        ys=np.log(table["output"]),
    )  # fmt: skip


def fitted(firms, regressors, **more):
    return dynamic_panel(firms, "n", regressors, unit="firm", period="year", lags=2, **more)


def test_column_b_two_steps(firms):
    fit = fitted(firms, B, corrected=False)
    printed = {
        "L1.n": (0.474151, 0.085303), "L2.n": (-0.052967, 0.027284), "w": (-0.513205, 0.049345),
        "L1.w": (0.224640, 0.080063), "k": (0.292723, 0.039463), "ys": (0.609775, 0.108524),
        "L1.ys": (-0.446373, 0.124815),
    }  # fmt: skip
    table = fit.table.set_index("coefficient")
    for name, (estimate, error) in printed.items():
        assert table.loc[name, "estimate"] == pytest.approx(estimate, abs=6e-7)
        assert table.loc[name, "std_error"] == pytest.approx(error, rel=1e-5, abs=6e-7)
    tests = fit.tests.set_index("test")
    assert tests.loc["Hansen", "statistic"] == pytest.approx(30.11247, abs=6e-6)
    assert tests.loc["Hansen", "degrees_of_freedom"] == 25
    assert tests.loc["AR(1)", "statistic"] == pytest.approx(-2.427829, abs=6e-7)
    assert tests.loc["AR(2)", "statistic"] == pytest.approx(-0.3325401, abs=6e-8)
    assert (fit.rows, fit.units) == (611, 140)


def test_column_b_windmeijer(firms):
    table = fitted(firms, B).table.set_index("coefficient")
    assert table.loc["L1.n", "std_error"] == pytest.approx(0.1853985, rel=1e-6)


def test_column_a1_one_step(firms):
    fit = fitted(firms, A, steps=1)
    printed = {
        "L1.n": (0.6862259, 0.1445941), "L2.n": (-0.0853582, 0.0560155),
        "w": (-0.6078207, 0.1782055), "k": (0.3568456, 0.0590203),
    }  # fmt: skip
    table = fit.table.set_index("coefficient")
    for name, (estimate, error) in printed.items():
        assert table.loc[name, "estimate"] == pytest.approx(estimate, abs=6e-8)
        assert table.loc[name, "std_error"] == pytest.approx(error, abs=6e-7)
    assert (fit.instruments, fit.rows, fit.units) == (41, 611, 140)


def test_column_a2_two_steps(firms):
    fit = fitted(firms, A)
    table = fit.table.set_index("coefficient")
    assert table.loc["L1.n", "estimate"] == pytest.approx(0.6287089, abs=6e-8)
    assert table.loc["L1.n", "std_error"] == pytest.approx(0.1934135, abs=6e-7)
    hansen = fit.tests.set_index("test").loc["Hansen"]
    assert hansen["statistic"] == pytest.approx(31.381, abs=6e-4)
    assert (hansen["degrees_of_freedom"], round(hansen["p_value"], 3)) == (25, 0.177)
