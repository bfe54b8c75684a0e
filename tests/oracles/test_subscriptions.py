"""Subscription models meet their published figures.

Sources: Fader and Hardie (2007), "How to project customer retention", Journal of Interactive
Marketing 21, for the two data sets and the sBG (its appendix; the text's .688 for High End is a
typo); Fader, Hardie, Liu, Davin and Steenburgh (2018), Journal of Interactive Marketing 43, for the
beta-discrete-Weibull; Fader and Hardie (2010), Marketing Science 29, for value.
"""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.results.estimate import Outcome
from cxmodels.subscriptions.lifetime import further_renewals, naive_renewals

# per cent of customers who survive years 0 to 12
REGULAR = [100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3]
HIGH_END = [100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4]
PUBLISHED = [
    (cx.SBG(), REGULAR, 7, [0.704077, 1.182043], -1680.26519, 17.0037),
    (cx.SBG(), REGULAR, 4, [0.763665, 1.295829], -1401.559424, 15.95393),
    (cx.SBG(), HIGH_END, 7, [0.668088, 3.806095], -1611.15815, 37.7999),
    (cx.BDW(), HIGH_END, 4, [0.259336, 1.722551, 1.584362], -1222.74932, 38.8911),
]
BASE = np.array([3.80, 15.20])
ACQUIRED = np.array([10000.0, 15000.0, 17500.0, 19000.0, 20500.0])


def base(per_cent, years):
    return cx.SubscriptionBase.from_survivors(per_cent[: years + 1], customers=1000, unit="year")


@pytest.mark.parametrize(("family", "data", "years", "theta", "height", "twelve"), PUBLISHED)
def test_fits(family, data, years, theta, height, twelve):
    fit = family.fit(base(data, years))
    assert fit.status.outcome is Outcome.CONVERGED
    # the printed parameters are a search's end: one unit of the fifth digit
    np.testing.assert_allclose(fit.theta, theta, rtol=2e-5)
    assert fit.log_likelihood == pytest.approx(height, abs=1e-5)
    found = 100 * fit.survival(12, draws=50)["survival"].iloc[0]
    assert found == pytest.approx(twelve, abs=6e-4)
    assert fit.rows == 1000


def test_the_forecast_of_years_8_to_12_is_as_close_as_published():
    """The papers show sBG within a point of the hold-out of both data sets at 7 years."""
    for data, most in ((REGULAR, 0.6), (HIGH_END, 1.7)):
        found = cx.SBG().fit(base(data, 7)).survival(np.arange(8, 13), draws=50)
        assert np.abs(100 * found["survival"] - data[8:]).max() < most


@pytest.mark.parametrize(("renewal", "worth"), [(1, 288.22), (2, 393.94), (5, 568.25)])
def test_discounted_expected_residual_lifetime(renewal, worth):
    """100 a year at 10 per cent, seen when renewal `renewal` is due and paid at once."""
    age = np.array([renewal - 1.0])
    theta = np.array([[0.764, 1.296]])
    found = further_renewals(cx.SBG(), theta, age, force=np.log(1.1)).mean[0, 0]
    assert 100 * found == pytest.approx(worth, abs=5e-3)


def test_value_of_five_cohorts_against_the_naive_answer():
    """Cohorts acquired 4, 3, 2, 1 and 0 years ago; retention of the last year over all cohorts."""
    age = np.arange(4.0, -1.0, -1.0)
    active = ACQUIRED * np.exp(cx.SBG().log_ratio(BASE, 0.0, age))
    before = ACQUIRED * np.exp(cx.SBG().log_ratio(BASE, 0.0, np.maximum(age - 1.0, 0.0)))
    each = further_renewals(cx.SBG(), BASE[None], age, force=np.log(1.1)).mean[0]
    retention = active[:4].sum() / before[:4].sum()
    naive = active.sum() * naive_renewals(retention, force=np.log(1.1))
    assert active @ each == pytest.approx(207_438, abs=0.5)
    assert naive == pytest.approx(182_292, abs=0.5)


def test_value_of_the_same_cohorts_through_the_door():
    """Counts in whole customers, parameters estimated from them."""
    table = pd.DataFrame(
        index=pd.Index(range(2003, 2008), name="cohort"), columns=range(2003, 2008)
    )
    for row, acquired in enumerate(ACQUIRED):
        ages = np.arange(5.0 - row)
        table.iloc[row, row:] = np.round(acquired * np.exp(cx.SBG().log_ratio(BASE, 0.0, ages)))
    subs = cx.SubscriptionBase.from_cohorts(table, unit="year", layout="calendar")
    value = cx.subscription_value(cx.SBG().fit(subs), subs, discount_rate=0.10)
    total = value.total.iloc[0]
    assert total["residual_value"] == pytest.approx(207_438, rel=1e-3)
    assert total["naive_value"] == pytest.approx(182_292, rel=1e-4)
    assert total["naive_value"] < total["lower"]
    assert value.cohorts["residual_value"].sum() == pytest.approx(total["residual_value"])
