"""Panels: Grunfeld's investment (R's plm, Stata) and Petersen's simulated errors (R's sandwich)."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.regression.panel import panel_fit
from cxmodels.regression.panel_tests import dependence_of, hausman, pesaran_cd
from cxmodels.regression.slopes import fama_macbeth, random_slopes

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
KEYS = {"unit": "firm", "period": "year"}


def table(name: str) -> pd.DataFrame:
    path = DATA / "firms" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set CXMODELS_DATA")
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def grunfeld():
    return table("Grunfeld.csv")


@pytest.fixture(scope="module")
def petersen():
    return table("PetersenCL.csv")


def invested(grunfeld, estimator, errors="iid", **more):
    return panel_fit(
        grunfeld, "inv", ["value", "capital"], estimator=estimator, errors=errors, **KEYS, **more
    )


PRINTED = {
    "pooled": ((0.1155622, 0.0058357), (0.2306785, 0.0254758)),
    "within": ((0.1101238, 0.0118567), (0.3100653, 0.0173545)),
    "two-way": ((0.1177159, 0.0137513), (0.3579163, 0.0227190)),
    "difference": ((0.0890628, 0.0082341), (0.2786940, 0.0471564)),
    "between": ((0.1346461, 0.0287455), (0.0320315, 0.1909378)),
}


@pytest.mark.parametrize("estimator", PRINTED)
def test_estimators(grunfeld, estimator):
    rows = invested(grunfeld, estimator).table.set_index("coefficient")
    for name, (estimate, error) in zip(("value", "capital"), PRINTED[estimator], strict=True):
        assert rows.loc[name, "estimate"] == pytest.approx(estimate, abs=6e-8)
        assert rows.loc[name, "std_error"] == pytest.approx(error, abs=6e-8)


def test_more_of_pooled_and_within(grunfeld):
    pooled = invested(grunfeld, "pooled")
    const = pooled.table.set_index("coefficient").loc["const"]
    assert const["estimate"] == pytest.approx(-42.7143694, abs=6e-8)
    assert const["std_error"] == pytest.approx(9.511676, abs=6e-7)
    assert pooled.r_squared == pytest.approx(0.8124080, abs=6e-8)
    assert invested(grunfeld, "within").r_squared == pytest.approx(0.76676, abs=6e-6)


def test_random_effects_and_hausman(grunfeld):
    fit = invested(grunfeld, "random")
    rows = fit.table.set_index("coefficient")
    assert rows.loc["value", "estimate"] == pytest.approx(0.109781, abs=6e-7)
    assert rows.loc["value", "std_error"] == pytest.approx(0.010493, abs=6e-7)
    assert rows.loc["capital", "estimate"] == pytest.approx(0.308113, abs=6e-7)
    assert rows.loc["capital", "std_error"] == pytest.approx(0.017180, abs=6e-7)
    assert fit.theta == pytest.approx(np.full(10, 0.86122), abs=6e-6)
    found = hausman(invested(grunfeld, "within"), fit)
    assert found.statistic == pytest.approx(2.33036689, abs=6e-9)
    assert (found.degrees_of_freedom, round(found.p_value, 4)) == (2, 0.3119)


def test_swamy(grunfeld):
    found = random_slopes(grunfeld, "inv", ["value", "capital"], **KEYS)
    rows = found.table.set_index("coefficient")
    assert rows.loc["value", ["estimate", "std_error"]].tolist() == pytest.approx(
        [0.084587, 0.019956], abs=6e-7
    )
    assert rows.loc["capital", ["estimate", "std_error"]].tolist() == pytest.approx(
        [0.199418, 0.052653], abs=6e-7
    )
    assert found.homogeneity[:2] == (pytest.approx(901.43, abs=6e-3), 27)


def test_pesaran(grunfeld):
    assert pesaran_cd(invested(grunfeld, "within")).statistic == pytest.approx(4.66119, abs=6e-6)
    left = []
    for _, part in grunfeld.groupby("firm", sort=True):  # a regression a firm
        X = np.column_stack([part[["value", "capital"]], np.ones(len(part))])
        left.append(part["inv"] - X @ np.linalg.lstsq(X, part["inv"], rcond=None)[0])
    e = pd.concat(left)
    firm, year = grunfeld.loc[e.index, "firm"].to_numpy(), grunfeld.loc[e.index, "year"].to_numpy()
    found = dependence_of(e.to_numpy(), firm, year)
    assert found.statistic == pytest.approx(5.34005, abs=6e-6)


STATA = {
    ("unit", None): (0.01589433647768, 0.08496711097464, 20.425202580078),
    ("unit and period", None): (0.01635175387097, 0.07847391274682, 19.505607409785),
    ("driscoll-kraay", 4): (0.0134360177573, 0.04930800664089, 12.190347184209),
    ("newey-west", 4): (0.01142785251475, 0.06842168281423, 16.179042041128),
}


@pytest.mark.parametrize("errors", STATA, ids=[name for name, _ in STATA])
def test_errors_of_stata(grunfeld, errors):
    """Stata's dkraay(5) is a bandwidth: four lags. Their data are single precision: 1e-7."""
    kind, lags = errors
    fit = invested(grunfeld, "pooled").with_errors(kind, "stata", lags=lags)
    assert fit.table["std_error"].tolist() == pytest.approx(STATA[errors], rel=2e-7)


def test_petersen(petersen):
    fit = panel_fit(petersen, "y", ["x"], estimator="pooled", **KEYS)
    assert fit.table["estimate"].round(6).tolist() == [1.034833, 0.029680]
    for errors, convention, lags, printed in (
        ("iid", "stata", None, 0.0285833), ("hc1", "stata", None, 0.0283952),
        ("unit", "stata", None, 0.0505957), ("period", "stata", None, 0.0333889),
        ("unit and period", "sandwich", None, 0.0535580), ("driscoll-kraay", "plm", 1, 0.02816333),
    ):  # fmt: skip
        found = fit.with_errors(errors, convention, lags=lags).table["std_error"][0]
        assert found == pytest.approx(printed, abs=6e-8 if errors != "driscoll-kraay" else 6e-9)
    row = fama_macbeth(petersen, "y", ["x"], **KEYS).iloc[0]
    assert row[["estimate", "std_error"]].tolist() == pytest.approx([1.035586, 0.0333416], abs=6e-7)
