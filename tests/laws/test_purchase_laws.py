"""Every purchase family obeys every law, and a simulated base gives its parameters back."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.bg_bb import BGBB
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.family import PurchaseFamily
from tests.laws.purchase_laws import histories, laws_of

FAMILIES: tuple[PurchaseFamily, ...] = (BGBB(), BGNBD())


CASES = [
    pytest.param(family, law, id=f"{family.name}-{law.__name__}")
    for family in FAMILIES
    for law in laws_of(family)
]


@pytest.mark.parametrize(("family", "law"), CASES)
def test_law(family, law):
    law(family)


@pytest.fixture(scope="module")
def truth():
    return np.array([0.6, 5.0, 0.9, 2.5])


@pytest.fixture(scope="module")
def base(truth):
    seen = histories(BGNBD(), truth, 40.0, 21)
    frame = pd.DataFrame({"frequency": seen.frequency, "recency": seen.recency, "T": seen.T})
    return CustomerBase.from_summary(frame.head(20_000), unit="week")


def test_refit_recovers_the_truth(base, truth):
    found = BGNBD().fit(base).parameters
    distance = (found["estimate"] - truth) / found["std_error"]
    assert (distance.abs() < 4).all(), found


def test_row_order_does_not_matter(base):
    fit = BGNBD().fit(base)
    shuffled = base.table.sample(frac=1.0, random_state=3).reset_index(drop=True)
    columns = ["frequency", "recency", "T"]
    again = BGNBD().fit(CustomerBase.from_summary(shuffled[columns], unit="week"))
    assert np.abs(again.theta / fit.theta - 1.0).max() < 1e-7


def test_a_batch_equals_its_rows(base):
    fit = BGNBD().fit(base)
    columns = ["frequency", "recency", "T"]
    few = base.table[columns].iloc[[0, 5, 17, 400]].reset_index(drop=True)
    together = fit.predict(CustomerBase.from_summary(few, unit="week"), horizon="26W")
    for row in range(len(few)):
        one = CustomerBase.from_summary(few.iloc[[row]].reset_index(drop=True), unit="week")
        alone = fit.predict(one, horizon="26W")
        for name in ("p_alive", "p_alive_at_horizon", "expected_purchases", "p_no_purchase"):
            assert alone[name].iloc[0] == pytest.approx(together[name].iloc[row], rel=1e-12)


def test_the_unit_of_time_changes_no_prediction(base):
    columns = ["frequency", "recency", "T"]
    days = base.table[columns].assign(recency=base.table["recency"] * 7, T=base.table["T"] * 7)
    weekly, daily = BGNBD().fit(base), BGNBD().fit(CustomerBase.from_summary(days, unit="day"))
    assert daily.theta[1] == pytest.approx(7 * weekly.theta[1], rel=1e-6)
    shift = base.table["frequency"].sum() * np.log(7)
    assert daily.log_likelihood == pytest.approx(weekly.log_likelihood - shift, abs=1e-5)
    a = weekly.predict(base, horizon="26W", seed=4)
    b = daily.predict(CustomerBase.from_summary(days, unit="day"), horizon="26W", seed=4)
    for name in ("p_alive", "expected_purchases", "lower", "upper"):
        np.testing.assert_allclose(a[name], b[name], rtol=2e-5)


def test_pmf_of_a_customer_averages_to_the_expectation(base):
    fit = BGNBD().fit(base)
    few = base.table[["frequency", "recency", "T"]].head(30)
    part = CustomerBase.from_summary(few, unit="week")
    pmf = fit.conditional_pmf(np.arange(3000), part, horizon="13W")
    assert np.abs(pmf.sum(axis=1) - 1).max() < 1e-9
    predicted = fit.predict(part, horizon="13W")
    np.testing.assert_allclose(pmf @ np.arange(3000), predicted["expected_purchases"], rtol=1e-7)
    np.testing.assert_allclose(pmf[:, 0], predicted["p_no_purchase"], rtol=1e-9)
