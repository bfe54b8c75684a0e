"""BG/BB meets its published figures on donations to a non-profit organisation.

Source: Fader, Hardie and Shang (2010), Marketing Science 29(6): the 1995 cohort of 11,104 donors,
six annual opportunities each (also in the lifetimes package, MIT); their figures and the unrounded
parameters that R's BTYD finds.
"""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.purchases import bg_bb

DONORS = {  # frequency: donors by recency, from the lowest recency to 6
    0: [3464],
    1: [1091, 277, 129, 78, 119, 129],
    2: [613, 255, 155, 173, 234],
    3: [322, 181, 225, 357],
    4: [240, 284, 512],
    5: [335, 728],
    6: [1203],
}


@pytest.fixture(scope="module")
def base():
    rows = [(x, x + k, 6, count) for x, counts in DONORS.items() for k, count in enumerate(counts)]
    frame = pd.DataFrame(rows, columns=["frequency", "recency", "T", "donors"])
    return cx.CustomerBase.from_summary(frame, unit="year", count="donors")


@pytest.fixture(scope="module")
def fit(base):
    return cx.BGBB().fit(base)


def test_the_donors(base):
    assert base.customers == 11104
    assert len(base.profiles) == 22


def test_parameters(fit):
    expected = [1.203505, 0.749709, 0.656738, 2.783578]
    np.testing.assert_allclose(fit.parameters["estimate"], expected, rtol=1e-4)


def test_log_likelihood(fit):
    assert fit.log_likelihood == pytest.approx(-33225.581274, abs=1e-5)


def test_expected_purchases_of_a_new_customer(fit):
    found = bg_bb.expected_purchases(fit.theta, np.arange(1, 4))
    np.testing.assert_allclose(found, [0.498543, 0.923351, 1.296876], atol=5e-6)
    table = fit.new_customer(horizon="3Y", draws=50)
    assert table["expected_purchases"].iloc[0] == pytest.approx(found[2])


def test_pmf(fit):
    np.testing.assert_allclose(
        fit.pmf(np.arange(3), horizon="6Y"), [0.3111372, 0.1700882, 0.1214776], atol=2e-6
    )


def test_the_next_five_years(fit, base):
    total = fit.predict(base, horizon="5Y", draws=50)["expected_purchases"].sum()
    assert total == pytest.approx(12884.2, abs=0.05)


@pytest.mark.parametrize(
    ("x", "t_x", "n"), [(0, 0, 6), (3, 4, 6), (6, 6, 6), (2, 5, 9), (40, 55, 60)]
)
def test_discounted_purchases_have_their_closed_form(x, t_x, n):
    """FHS equation (14): a Gauss hypergeometric function of 1 / (1 + d)."""
    theta = np.array([1.203505, 0.749709, 0.656738, 2.783578])
    frame = pd.DataFrame({"frequency": [x, 1], "recency": [t_x, 1], "T": [n, 3]})
    base = cx.CustomerBase.from_summary(frame, unit="year")
    fit = _at(theta)
    found = cx.discounted_purchases(fit, base, discount_rate=0.10)["discounted_purchases"].iloc[0]
    a, b, c, d = (mp.mpf(float(v)) for v in theta)
    likelihood = mp.exp(mp.mpf(float(bg_bb.log_likelihood(theta, x, t_x, n))))
    later = mp.beta(a + x + 1, b + n - x) / mp.beta(a, b)
    later *= mp.beta(c, d + n + 1) / mp.beta(c, d) / mp.mpf("1.1")
    later *= mp.hyp2f1(1, d + n + 1, c + d + n + 1, 1 / mp.mpf("1.1"))
    assert found == pytest.approx(float(later / likelihood), rel=1e-9)


def _at(theta):
    """A fit that holds these parameters."""
    from dataclasses import replace

    frame = pd.DataFrame({"frequency": [0, 1, 2, 1], "recency": [0, 1, 3, 2], "T": [3, 3, 3, 2]})
    fit = cx.BGBB().fit(cx.CustomerBase.from_summary(frame, unit="year"))
    return replace(fit, estimate=replace(fit.estimate, theta=theta))
