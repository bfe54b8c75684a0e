"""Pareto/NBD, Gamma-Gompertz/NBD and NBD meet their published figures.

Sources: Schmittlein, Morrison and Colombo (1987); Fader, Hardie and Lee (2005), "RFM and CLV";
Fader and Hardie's notes on P(X(t) = x) and on the CDNOW sample; Bemmaor and Glady (2012); R
CLVTools 0.12.1 and BTYDplus on the same sample.
"""

from dataclasses import replace

import numpy as np
import pytest

import cxmodels as cx
from cxmodels.purchases import pareto_nbd

PRINTED = np.array([0.553, 10.578, 0.606, 11.669])
ROUNDED = np.array([0.55, 10.56, 0.61, 11.64])
CLVTOOLS = np.array([0.5532700, 10.5778007, 0.6060200, 11.6639])


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount", unit="week",
        end="1997-09-30", holdout_end="1998-06-30",
    )  # fmt: skip


@pytest.fixture(scope="module")
def fit(base):
    return cx.ParetoNBD().fit(base)


def at(fit, theta):
    """The fit with other parameters."""
    return replace(fit, estimate=replace(fit.estimate, theta=np.asarray(theta)))


def test_parameters(fit):
    found = fit.parameters["estimate"]
    np.testing.assert_allclose(found[["r", "alpha"]], CLVTOOLS[:2], rtol=1e-4)
    # s/beta is nearly level there: programs stop along it between beta 11.658 and 11.669
    assert found["s"] / found["beta"] == pytest.approx(CLVTOOLS[2] / CLVTOOLS[3], rel=1e-4)
    assert 11.658 <= found["beta"] <= 11.669
    np.testing.assert_allclose(found.round(3)[:3], PRINTED[:3])


def test_log_likelihood(fit):
    assert fit.log_likelihood == pytest.approx(-9594.976181, abs=1e-5)
    assert fit.log_likelihood >= float(fit.objective.log_likelihood(CLVTOOLS))


def test_standard_errors(fit):
    """Theirs, where they stopped: the curvature changes along the level line."""
    information = -fit.objective.derivatives(CLVTOOLS).hessian
    found = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(found, [0.0476202, 0.8426997, 0.1870532, 6.2036742], rtol=1e-3)
    np.testing.assert_allclose(fit.parameters["std_error"], found, rtol=2e-3)


def test_fixed_parameters():
    found = pareto_nbd.expected_purchases(ROUNDED, np.arange(1.0, 4.0))
    printed = [0.0507782062, 0.0991608842, 0.1454250652]
    np.testing.assert_allclose(found, printed, atol=6e-11)
    none = np.exp(pareto_nbd.log_pmf(ROUNDED, np.array([0]), 39.0))[0]
    assert none == pytest.approx(0.5959380696, abs=6e-11)


def ahead(theta, x, t_x, T, t):
    past = (np.float64(x), np.float64(t_x), np.float64(T))
    later = pareto_nbd.expected_purchases(pareto_nbd.alive(theta, *past), t)
    return float(pareto_nbd.p_alive(theta, *past) * later)


def test_conditional_expectation():
    """Two weeks ahead of ten purchases, the last at 35 of 39 weeks."""
    assert ahead(ROUNDED, 10, 35, 39, 2.0) == pytest.approx(0.3884117232, abs=6e-11)


def test_pair_that_underflows_elsewhere(fit):
    found = [ahead(fit.theta, x, 200, 200, 10.0) for x in (132, 133)]
    np.testing.assert_allclose(found, [6.20605, 6.25287], rtol=2e-4)


def test_sums_over_customers(fit, base):
    """At the peer's parameters; along the level line of s and beta both move by 1e-4."""
    for one, tolerance in ((at(fit, CLVTOOLS), 1.0), (fit, 5.0)):
        predicted = one.predict(base, horizon="39W", draws=50)
        expected = predicted["expected_purchases"].sum()
        assert expected == pytest.approx(1665.66, abs=0.04 * tolerance)
        assert predicted["p_alive"].sum() == pytest.approx(1051.97, abs=0.03 * tolerance)


def annual(per_week):
    """A rate per week, compounded at every moment, as an effective annual one."""
    return float(np.expm1(per_week * 365.2425 / 7))


def test_discounted_residual_transactions(fit):
    import pandas as pd

    one = pd.DataFrame({"frequency": [7], "recency": [35.0], "T": [77.86]})
    given = at(fit, [0.5629966, 12.5590370, 0.4081095, 10.5148048])
    table = cx.discounted_purchases(
        given, cx.CustomerBase.from_summary(one, unit="week"), discount_rate=annual(0.0027)
    )
    assert table["discounted_purchases"].iloc[0] == pytest.approx(1.8641833, abs=6e-8)


def test_discounted_transactions_of_a_new_customer(fit):
    rate = annual(np.log(1.10) / 52)  # their year has 52 weeks
    found = cx.discounted_purchases(at(fit, PRINTED), discount_rate=rate)
    assert found["discounted_purchases"].iloc[0] == pytest.approx(4.8145, abs=6e-5)


def test_nbd(base):
    fit = cx.NBD().fit(base)
    np.testing.assert_allclose(fit.theta, [0.3847659, 12.0720137], rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(-9763.657615, abs=1e-5)
    assert "nobody leave" in fit.notes[0]


def test_gamma_gompertz_ends_at_pareto(base, fit):
    found = cx.GGompertzNBD().fit(base)
    assert found.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)
    assert str(found.status).startswith("boundary: b ran to 0 and beta ran to 0 together")
    assert "Pareto/NBD" in str(found.status)
    np.testing.assert_allclose(found.theta[[0, 1, 3]], fit.theta[[0, 1, 2]], rtol=1e-3)
    assert found.theta[4] / found.theta[2] == pytest.approx(fit.theta[3], rel=1e-3)
