"""Gamma-Gamma meets its published figures, from the raw transaction log.

Sources: Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value", and Fader, Hardie and
Lee (2005), Journal of Marketing Research 42, for the CDNOW sample; unrounded parameters, log
likelihood and standard errors from R CLVTools 0.12.1 on the same sample.
"""

import mpmath
import numpy as np
import pytest

from cxmodels.data import samples
from cxmodels.data.transactions import customer_base
from cxmodels.results.estimate import Outcome
from cxmodels.spend import gamma_gamma
from cxmodels.spend.gamma_gamma import GammaGamma

PUBLISHED = np.array([6.249349, 3.744256, 15.444307])


@pytest.fixture(scope="module")
def base():
    return customer_base(
        samples.cdnow(),
        customer="customer_id",
        time="date",
        amount="amount",
        unit="week",
        end="1997-09-30",
        currency="USD",
    )


@pytest.fixture(scope="module")
def fit(base):
    return GammaGamma().fit(base)


def test_parameters(fit):
    np.testing.assert_allclose(fit.parameters["estimate"], PUBLISHED, rtol=1e-4)
    assert fit.status.outcome is Outcome.CONVERGED


def test_log_likelihood(fit):
    assert fit.log_likelihood == pytest.approx(-4055.917695, abs=1e-5)


def test_standard_errors(fit):
    expected = [1.18997, 0.29014, 4.15953]
    np.testing.assert_allclose(fit.parameters["std_error"], expected, rtol=1e-3)


def test_information_criteria(fit):
    assert fit.aic == pytest.approx(2 * 3 + 2 * 4055.917695, abs=2e-5)
    assert fit.bic == pytest.approx(3 * np.log(946) + 2 * 4055.917695, abs=2e-5)


def test_who_was_used(fit):
    assert (fit.rows, fit.customers) == (946, 2357)
    assert "946 of 2,357" in fit.notes[0]
    assert fit.repeat_orders == 2457
    assert fit.paid_orders <= fit.repeat_orders


def test_expected_spend_of_customers_with_two_orders():
    customers = gamma_gamma.seen(PUBLISHED, np.full(3, 2.0), np.array([30.0, 35.0, 40.0]))
    found = gamma_gamma.expected_spend(customers)
    # one unit of the last printed digit: the formula gives 30.93087 for the first, printed 30.9308
    np.testing.assert_allclose(found, [30.9308, 35.0307, 39.1305], atol=1e-4)


def test_population_mean(fit):
    assert float(gamma_gamma.expected_spend(PUBLISHED)) == pytest.approx(35.1705, abs=5e-5)
    assert fit.mean_spend == pytest.approx(35.1705, rel=1e-4)


def test_customers_without_paid_repeat_orders_spend_like_the_population(fit, base):
    predicted = fit.predict(base, draws=200)
    unknown = (base.table["paid_frequency"] == 0).to_numpy()
    assert unknown.sum() == 2357 - 946
    alone = predicted.loc[unknown, "expected_spend"]
    np.testing.assert_allclose(alone, fit.mean_spend, rtol=1e-12)
    assert (predicted["population_mean"] == fit.mean_spend).all()


@pytest.mark.parametrize(("x", "m"), [(1, 0.5), (2, 35.0), (7, 210.3), (300, 12.0)])
def test_density_against_fifty_digits(x, m):
    """Fader and Hardie (2013), equation (1a), term by term in 50-digit arithmetic."""
    with mpmath.workdps(50):
        p, q, gamma = (mpmath.mpf(float(value)) for value in PUBLISHED)
        z, n = mpmath.mpf(m), mpmath.mpf(x)
        density = mpmath.gamma(p * n + q) / (mpmath.gamma(p * n) * mpmath.gamma(q))
        density *= gamma**q * z ** (p * n - 1) * n ** (p * n) / (gamma + n * z) ** (p * n + q)
        exact = float(mpmath.log(density))
    found = float(gamma_gamma.log_density_of_mean(PUBLISHED, np.float64(x), np.float64(m)))
    assert found == pytest.approx(exact, rel=1e-11, abs=1e-11)
