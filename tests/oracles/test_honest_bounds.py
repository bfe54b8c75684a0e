"""Medicaid's expansion (R's HonestDiD), village registers of the poor (Stata's pretrends).

HonestDiD: its README, repeated by StatsPAI 1.40.2 with fixest's covariance (nonnested). R walks
a grid of .00037 and simulates the least favourable case with 1,000 draws, hence .0015.
"""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.experiments.honest_bounds import honest_bounds
from cxmodels.experiments.pretrend_power import pretrend_power
from cxmodels.regression.panel import panel_fit

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
BETA = [-0.005285342424, -0.011297318398, -0.002675975541, -0.001419311905, 0.000339677489,
        0.046446864502, 0.069206180303]  # fmt: skip
YEARS = [year for year in range(2008, 2016) if year != 2013]


def file(name: str) -> Path:
    path = DATA / "experiments" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set CXMODELS_DATA")
    return path


@pytest.fixture(scope="module")
def insured():
    """Estimates and covariance of states that expanded Medicaid in 2014 against later ones."""
    states = pd.read_csv(file("ehec_data.csv"))
    held = states[(states["year"] < 2016) & (states["yexp2"] != 2015)].copy()
    for year in YEARS:
        held[f"in {year}"] = (held["yexp2"] == 2014) * (held["year"] == year) * 1.0
    fit = panel_fit(held, "dins", [f"in {year}" for year in YEARS], unit="stfips", period="year",
                    estimator="two-way", errors="unit", convention="fixest")  # fmt: skip
    return fit.table["estimate"].to_numpy(), fit.covariance


def test_event_study(insured):
    beta, sigma = insured
    assert beta == pytest.approx(np.array(BETA), abs=1e-9)
    printed = np.loadtxt(file("ehec_betahat_sigma_nonnested.csv"), delimiter=",")
    assert sigma == pytest.approx(printed[:, 1:], rel=1e-8)


def test_relative_magnitudes(insured):
    started = time.process_time()
    found = honest_bounds(*insured, pre=5, level=0.95)
    assert time.process_time() - started < 2.0
    printed = [(0.0241, 0.0673), (0.0171, 0.072), (0.00859, 0.0796), (-0.00107, 0.0883)]
    assert found.table[["lower", "upper"]].to_numpy() == pytest.approx(
        np.array(printed), abs=0.0015
    )
    assert found.table["excludes_zero"].tolist() == [True, True, True, False]
    assert 1.5 < found.breakdown < 2.0
    conditional = honest_bounds(*insured, pre=5, level=0.95, method="conditional")
    assert conditional.table["lower"].to_numpy() == pytest.approx(found.table["lower"], abs=0.002)


def test_smoothness(insured):
    started = time.process_time()
    sizes = [0.0, 0.01, 0.02, 0.03, 0.05]
    found = honest_bounds(*insured, pre=5, level=0.95, restriction="smoothness", sizes=sizes)
    assert time.process_time() - started < 1.0
    printed = [(0.0259, 0.0607), (0.0132, 0.0787), (0.00286, 0.0907), (-0.00714, 0.101),
               (-0.0271, 0.121)]  # fmt: skip
    ends = found.table[["lower", "upper"]].to_numpy()
    assert ends[:3] == pytest.approx(np.array(printed[:3]), abs=2e-4)
    assert ends[3:] == pytest.approx(np.array(printed[3:]), abs=4e-4)  # printed to .001
    nonnested = [(0.02597, 0.06072), (0.01317, 0.07868), (0.00283, 0.09074), (-0.00716, 0.10074),
                 (-0.02716, 0.12074)]  # fmt: skip
    assert ends == pytest.approx(np.array(nonnested), abs=2e-5)
    assert 0.02 < found.breakdown < 0.03


SIGMA = [[0.0089065712, 0.0044883136, 0.0014587025], [0.0044883136, 0.0059369169, 0.0027500791],
         [0.0014587025, 0.0027500791, 0.0030386248]]  # fmt: skip


def test_power_of_a_test_of_trends():
    """Stata's pretrends, its example of He and Wang (2017): slope of power .5 and Bayes factor."""
    covariance = np.zeros((4, 4))
    covariance[:3, :3], covariance[3, 3] = SIGMA, 1.0
    found = pretrend_power([0.0667031482, -0.0077017923, -0.0307690538, 0.0], covariance, pre=3,
                           slope=0.0520662478209672)  # fmt: skip
    assert found.table["power"][0] == pytest.approx(0.5, abs=2e-5)
    assert found.table["slope"][1] == pytest.approx(0.0520662478209672, rel=2e-5)
    assert 0.5 / (1.0 - found.size) == pytest.approx(0.5690176871738699, abs=2e-5)
