"""Regressions against statsmodels, clustered errors against Petersen and by hand, refusals."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from cxmodels.errors import FitError
from cxmodels.regression.covariance import clustered
from cxmodels.regression.generalised_linear import Kind, regress

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
N, NAMES = 3_000, ("const", "a", "b", "c")


@pytest.fixture
def world():
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(N), rng.normal(size=(N, 3))])
    offset, weights = 0.3 * rng.normal(size=N), rng.uniform(0.5, 2.0, N)
    eta = x @ [0.2, 0.3, -0.5, 0.1] + offset
    y = {
        Kind.YES_NO: (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(float),
        Kind.COUNT: rng.poisson(np.exp(eta)).astype(float),
        Kind.AMOUNT: np.exp(eta) * rng.gamma(2.0, 0.5, N),
        Kind.NUMBER: eta + rng.normal(size=N),
    }
    return x, y, offset, weights, rng.integers(0, 300, N)


PEERS = {
    Kind.YES_NO: sm.families.Binomial(),
    Kind.COUNT: sm.families.Poisson(),
    Kind.AMOUNT: sm.families.Gamma(sm.families.links.Log()),
    Kind.NUMBER: sm.families.Gaussian(),
}


@pytest.mark.parametrize("kind", Kind)
def test_coefficients_are_those_of_statsmodels(kind, world):
    x, y, offset, weights, _ = world
    ours = regress(y[kind], x, NAMES, kind, offset=offset, weights=weights)
    peer = sm.GLM(y[kind], x, family=PEERS[kind], offset=offset, var_weights=weights)
    theirs = peer.fit(tol=1e-14, tol_criterion="params", maxiter=200)
    np.testing.assert_allclose(ours.coefficients, theirs.params, rtol=0, atol=1e-8)
    hessian = peer.hessian(theirs.params, scale=1.0, observed=True)
    np.testing.assert_allclose(ours.information, -hessian, atol=1e-9 * abs(hessian).max())


@pytest.mark.parametrize("kind", Kind)
def test_clustered_errors_are_those_of_statsmodels(kind, world):
    """There every model has the factor (N - 1) / (N - K); ours has it for least squares alone."""
    x, y, offset, _, cluster = world
    ours = clustered(regress(y[kind], x, NAMES, kind, offset=offset), x, cluster, 300)
    peer = sm.GLM(y[kind], x, family=PEERS[kind], offset=offset)
    how = {"method": "newton"} if kind is Kind.AMOUNT else {"tol": 1e-13}
    theirs = peer.fit(cov_type="cluster", cov_kwds={"groups": cluster}, maxiter=200, **how)
    factor = 1.0 if kind is Kind.NUMBER else np.sqrt((N - 1) / (N - 4))
    np.testing.assert_allclose(ours.errors * factor, theirs.bse, rtol=1e-7)


def test_clustered_errors_by_hand(world):
    x, y, _, _, cluster = world
    fit = regress(y[Kind.COUNT], x, NAMES, Kind.COUNT)
    mu = np.exp(x @ fit.coefficients)
    meat, groups = np.zeros((4, 4)), np.unique(cluster)
    for group in groups:
        rows = cluster == group
        score = x[rows].T @ (y[Kind.COUNT][rows] - mu[rows])
        meat += np.outer(score, score)
    bread = np.linalg.inv(x.T @ (mu[:, None] * x))
    expected = groups.size / (groups.size - 1) * bread @ meat @ bread
    np.testing.assert_allclose(clustered(fit, x, cluster, 300).covariance, expected, rtol=1e-8)


def test_petersen():
    """Firm clusters: .0505957 for the slope (numbers of Petersen's page and R's sandwich)."""
    path = DATA / "firms" / "PetersenCL.csv"
    if not path.exists():
        pytest.skip("Petersen's data are not here: set CXMODELS_DATA")
    table = pd.read_csv(path)
    x = np.column_stack([np.ones(len(table)), table["x"]])
    firm = pd.factorize(table["firm"])[0]
    fit = regress(table["y"].to_numpy(float), x, ("const", "x"), Kind.NUMBER)
    assert fit.coefficients.round(6).tolist() == [0.02968, 1.034833]
    assert round(float(clustered(fit, x, firm, 500).errors[1]), 7) == 0.0505957


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (np.column_stack([x, x[:, 1]]), y), "follows from the other columns"),
        (lambda x, y: (np.column_stack([x, 0 * x[:, 1]]), y), "is 0 in every row"),
        (lambda x, y: (x[:3], y[:3]), "3 rows cannot tell"),
        (lambda x, y: (np.column_stack([x, y]), y), "no finite estimate"),
    ],
)
def test_refusals(change, said, world):
    x, y = change(world[0], world[1][Kind.YES_NO])
    with pytest.raises(FitError, match=said):
        regress(y, x, ("const", "a", "b", "c", "d")[: x.shape[1]], Kind.YES_NO)


def test_one_cluster_is_refused(world):
    x, y, *_ = world
    fit = regress(y[Kind.COUNT], x, NAMES, Kind.COUNT)
    with pytest.raises(FitError, match="two customers"):
        clustered(fit, x, np.zeros(N, dtype=int), 1)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_columns_of_any_size(scale, world):
    x, y, *_ = world
    plain = regress(y[Kind.COUNT], x, NAMES, Kind.COUNT)
    stretched = regress(y[Kind.COUNT], x * [1, scale, 1, 1], NAMES, Kind.COUNT)
    np.testing.assert_allclose(stretched.coefficients[1] * scale, plain.coefficients[1], rtol=1e-6)
    rare = regress(y[Kind.COUNT] * scale, x, NAMES, Kind.COUNT)
    np.testing.assert_allclose(rare.coefficients[1:], plain.coefficients[1:], rtol=1e-5)
