"""Every purchase family obeys every law, and a simulated base gives its parameters back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.summaries import CustomerBase
from cxmodels.numerics.transforms import Dimension
from cxmodels.purchases.bg_bb import BGBB
from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.ggompertz_nbd import GGompertzNBD
from cxmodels.purchases.mbg_nbd import MBGNBD
from cxmodels.purchases.nbd import NBD
from cxmodels.purchases.pareto_nbd import ParetoNBD
from tests.laws.purchase_laws import histories, laws_of

FAMILIES: tuple[PurchaseFamily, ...] = (
    BGBB(),
    BGNBD(),
    MBGNBD(),
    BGCNBD(k=3),
    DependentParetoNBD(),
    MBGCNBD(k=2),
    GGompertzNBD(),
    NBD(),
    ParetoNBD(),
)
CONTINUOUS = tuple(family for family in FAMILIES if not family.discrete)
TRUTHS = {  # in weeks, well away from every edge
    "BG/NBD": np.array([0.6, 5.0, 0.9, 2.5]),
    "Dependent Pareto/NBD": np.array([0.6, 5.0, 0.9, 11.0, 0.5]),
    "Gamma-Gompertz/NBD": np.array([0.9, 3.0, 0.25, 0.9, 20.0]),
    "MBG/NBD": np.array([0.6, 5.0, 0.9, 2.5]),
    "BG/CNBD-k": np.array([0.6, 1.7, 0.9, 2.5]),
    "MBG/CNBD-k": np.array([0.6, 2.5, 0.9, 2.5]),
    "NBD": np.array([0.6, 5.0]),
    "Pareto/NBD": np.array([0.6, 5.0, 0.9, 11.0]),
}
COLUMNS = ["frequency", "recency", "T"]


CASES = [
    pytest.param(family, law, id=f"{family.name}-{law.__name__}")
    for family in FAMILIES
    for law in laws_of(family)
]


@pytest.mark.parametrize(("family", "law"), CASES)
def test_law(family, law):
    law(family)


@pytest.fixture(scope="module", params=CONTINUOUS, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def truth(family):
    return TRUTHS[family.name]


@pytest.fixture(scope="module")
def base(family, truth):
    """1,200 customers; purchases stand on whole days, as in real logs, so that histories repeat."""
    seen = histories(family, truth, 40.0, 21).every(slice(0, 1_200))
    recency = np.where(seen.frequency > 0, np.maximum(np.round(7 * seen.recency), 1) / 7, 0.0)
    frame = pd.DataFrame({"frequency": seen.frequency, "recency": recency, "T": seen.T})
    return CustomerBase.from_summary(frame, unit="week")


@pytest.fixture(scope="module")
def fit(family, base):
    return family.fit(base)


def test_refit_recovers_the_truth(fit, truth):
    found = fit.parameters
    distance = (found["estimate"] - truth) / found["std_error"]
    assert (distance.abs() < 4).all(), found


def test_row_order_does_not_matter(family, base, fit):
    shuffled = base.table.sample(frac=1.0, random_state=3).reset_index(drop=True)
    again = family.fit(CustomerBase.from_summary(shuffled[COLUMNS], unit="week"))
    assert np.abs(again.theta / fit.theta - 1.0).max() < 1e-6


def test_a_batch_equals_its_rows(base, fit):
    few = base.table[COLUMNS].iloc[[0, 5, 17, 400]].reset_index(drop=True)
    together = fit.predict(CustomerBase.from_summary(few, unit="week"), horizon="26W", draws=50)
    for row in range(len(few)):
        one = CustomerBase.from_summary(few.iloc[[row]].reset_index(drop=True), unit="week")
        alone = fit.predict(one, horizon="26W", draws=50)
        for name in ("p_alive", "p_alive_at_horizon", "expected_purchases", "p_no_purchase"):
            assert alone[name].iloc[0] == pytest.approx(together[name].iloc[row], rel=1e-12)


def test_the_unit_of_time_changes_no_prediction(family, base, fit):
    days = base.table[COLUMNS].assign(recency=base.table["recency"] * 7, T=base.table["T"] * 7)
    daily = family.fit(CustomerBase.from_summary(days, unit="day"))
    scales = family.space.scales(time=7.0, money=1.0)
    np.testing.assert_allclose(daily.theta, fit.theta * scales, rtol=1e-5)
    shift = family.stages * base.table["frequency"].sum() * np.log(7)  # stages have a density each
    assert daily.log_likelihood == pytest.approx(fit.log_likelihood - shift, abs=1e-5)
    few = slice(0, 400)
    a, b = (
        one.predict(
            CustomerBase.from_summary(table[few], unit=one.unit), horizon="26W", seed=4, draws=200
        )
        for one, table in ((fit, base.table[COLUMNS]), (daily, days))
    )
    # a mixture refitted to random points doubles every rounding: its draws agree as draws do
    near = 5e-5 if "Laplace" in fit.posterior(200, seed=4).method else 0.15
    for name, rtol in (
        ("p_alive", 5e-5),
        ("expected_purchases", 5e-5),
        ("lower", near),
        ("upper", near),
    ):
        np.testing.assert_allclose(a[name], b[name], rtol=rtol)


def test_pmf_of_a_customer_averages_to_the_expectation(base, fit):
    part = CustomerBase.from_summary(base.table[COLUMNS].head(30), unit="week")
    n = np.arange(800)
    pmf = fit.conditional_pmf(n, part, horizon="13W")
    assert np.abs(pmf.sum(axis=1) - 1).max() < 1e-9
    predicted = fit.predict(part, horizon="13W", draws=50)
    np.testing.assert_allclose(pmf @ n, predicted["expected_purchases"], rtol=1e-7)
    np.testing.assert_allclose(pmf[:, 0], predicted["p_no_purchase"], rtol=1e-9)


def test_one_parameter_at_least_carries_the_unit_of_time(family):
    kinds = {parameter.dimension for parameter in family.space.parameters}
    assert Dimension.TIME in kinds


def test_saved_and_read_back(family, fit, tmp_path):
    stored = replace(fit, objective=None, stored=fit.posterior(50))
    again = cx.load(stored.save(tmp_path / "fit.json"))
    assert again.family == family
    assert again.theta.tolist() == fit.theta.tolist()
