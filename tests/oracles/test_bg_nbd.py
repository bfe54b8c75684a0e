"""BG/NBD meets its published figures, from the raw transaction log.

Sources: Fader, Hardie and Lee (2005), Marketing Science 24(2), tables and appendix; standard
errors and unrounded parameters from R CLVTools 0.12.1 on the same sample.
"""

import numpy as np
import pytest

from cxmodels.data import samples
from cxmodels.data.transactions import customer_base
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.purchases import bg_nbd
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.tracking import frequency_table

ROUNDED = np.array([0.243, 4.414, 0.793, 2.426])


@pytest.fixture(scope="module")
def base():
    return customer_base(
        samples.cdnow(),
        customer="customer_id",
        time="date",
        amount="amount",
        unit="week",
        end="1997-09-30",
        holdout_end="1998-06-30",
    )


@pytest.fixture(scope="module")
def fit(base):
    return BGNBD().fit(base)


def test_parameters(fit):
    expected = [0.2425945, 4.4136019, 0.7929199, 2.4258881]
    np.testing.assert_allclose(fit.parameters["estimate"], expected, rtol=1e-4)


def test_log_likelihood(fit):
    assert fit.log_likelihood == pytest.approx(-9582.429207, abs=1e-5)


def test_standard_errors(fit):
    expected = [0.0125574, 0.3782239, 0.1857328, 0.7054069]
    np.testing.assert_allclose(fit.parameters["std_error"], expected, rtol=1e-3)


def test_information_criteria(fit):
    assert fit.aic == pytest.approx(2 * 4 + 2 * 9582.429207, abs=2e-5)
    assert fit.bic == pytest.approx(4 * np.log(2357) + 2 * 9582.429207, abs=2e-5)


def test_expected_purchases_of_a_new_customer():
    found = bg_nbd.expected_purchases(ROUNDED, np.arange(1.0, 6.0))
    printed = [0.0532678912, 0.1033897398, 0.1508652309, 0.1960681724, 0.2392882003]
    np.testing.assert_allclose(found, printed, atol=5e-11)


def test_pmf():
    ten = np.exp(bg_nbd.log_pmf(ROUNDED, np.array([10]), 2.0))[0]
    assert ten == pytest.approx(1.07868964e-7, abs=5e-16)
    none = np.exp(bg_nbd.log_pmf(ROUNDED, np.array([0]), 39.0))[0]
    assert none == pytest.approx(0.573786352, abs=5e-10)


def test_one_customer():
    p_alive = float(bg_nbd.p_alive(ROUNDED, 2.0, 30.43, 38.86))
    assert p_alive == pytest.approx(0.726579, abs=5e-7)
    ahead = bg_nbd.expected_purchases(bg_nbd.alive(ROUNDED, 2.0, 30.43, 38.86), 39.0)
    assert p_alive * float(ahead) == pytest.approx(1.226028, abs=5e-7)


def test_sums_over_customers(fit, base):
    predicted = fit.predict(base, horizon="39W", draws=200)
    assert predicted["expected_purchases"].sum() == pytest.approx(1653.41, abs=0.005)
    assert predicted["p_alive"].sum() == pytest.approx(1917.28, abs=0.005)


def test_expected_histogram(fit, base):
    table = frequency_table(fit, base)
    printed = [1407.7, 460.3, 192.5, 101.2, 59.8, 38.1, 25.5]
    np.testing.assert_allclose(table["expected"][:7], printed, atol=0.051)
    # the paper's cells sum to 2,356.3 of 2,357 customers: its last cell ends at a finite x
    assert table["expected"].sum() == pytest.approx(2357)
    assert 71.2 <= table["expected"].iloc[7] <= 71.2 + 2357 - 2356.3 + 0.4
    assert table["actual"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]


def test_posterior_under_the_reference_prior(fit):
    """Reference: 60,000 importance draws, k-hat below 0, effective size 49,000."""
    draws = fit.posterior(4000, seed=2, prior=NormalPrior(mean=0.0, sd=3.0, unit_free=False))
    logs = np.log(draws.values)
    means, sds = [-1.4167, 1.4846, -0.2101, 0.9183], [0.0517, 0.0857, 0.2412, 0.2988]
    assert (np.abs(logs.mean(axis=0) - means) < 0.05 * np.array(sds)).all()
    np.testing.assert_allclose(logs.std(axis=0), sds, rtol=0.03)
    assert draws.pareto_k < 0.7


@pytest.mark.parametrize(("unit", "per_week"), [("hour", 168.0), ("day", 7.0), ("week", 1.0)])
def test_the_default_prior_has_no_unit(base, fit, unit, per_week):
    from cxmodels.data.summaries import CustomerBase

    columns = ["frequency", "recency", "T"]
    frame = base.table[columns].assign(
        recency=base.table["recency"] * per_week, T=base.table["T"] * per_week
    )
    again = BGNBD().fit(CustomerBase.from_summary(frame, unit=unit))
    found, expected = again.posterior(2000, seed=3).values, fit.posterior(2000, seed=3).values
    found = found / np.array([1.0, per_week, 1.0, 1.0])
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=1e-2)
