"""The spend model obeys its laws, gives a simulated base back, and says where it cannot."""

import mpmath
import numpy as np
import pandas as pd
import pytest

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import DataError, OptionError
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.results.estimate import Outcome
from cxmodels.spend import gamma_gamma
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.spend.order_means import OrderMeans, SpendObjective
from tests.laws.spend_laws import LAWS, THETAS, Formulas

TRUTH = np.array([6.2, 3.7, 15.4])


def spenders(n: int, theta: np.ndarray, seed: int) -> pd.DataFrame:
    """n customers of the model, about a third without a paid repeat order, as a summary."""
    rng = np.random.default_rng(seed)
    x = rng.negative_binomial(1.0, 0.4, n).astype(float)
    nu = rng.gamma(theta[1], 1 / theta[2], n)
    total = rng.gamma(theta[0] * np.maximum(x, 1e-9), 1.0) / nu
    return pd.DataFrame(
        {
            "frequency": x.astype(int),
            "recency": np.where(x > 0, 20.0 + nu.argsort() / n, 0.0),
            "T": 40.0,
            "monetary_value": np.where(x > 0, total / np.maximum(x, 1), np.nan),
        }
    )


def base_of(frame: pd.DataFrame) -> CustomerBase:
    return CustomerBase.from_summary(frame, unit="week")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law(Formulas())


@pytest.fixture(scope="module")
def objective():
    return SpendObjective(OrderMeans.from_table(base_of(spenders(400, TRUTH, 1)).table))


@pytest.mark.parametrize("theta", THETAS)
def test_the_likelihood_is_the_sum_of_the_densities(objective, theta):
    data = objective.data
    each = gamma_gamma.log_density_of_mean(theta, data.x, data.m)
    assert objective.log_likelihood(theta) == pytest.approx(data.weight @ each, rel=1e-12)


@pytest.mark.parametrize("theta", THETAS)
def test_derivatives_match_the_value(objective, theta):
    found = objective.derivatives(theta)
    assert found.value == pytest.approx(float(objective.log_likelihood(theta)), rel=1e-12)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-5 * theta[k]
        up, down = objective.derivatives(theta + step), objective.derivatives(theta - step)
        slope = (up.value - down.value) / (2 * step[k])
        assert abs(slope - found.gradient[k]) < 1e-5 * (1 + abs(found.gradient).max())
        bend = (up.gradient - down.gradient) / (2 * step[k])
        assert np.abs(bend - found.hessian[k]).max() < 1e-6 * (1 + np.abs(found.hessian).max())


def test_derivatives_in_forty_digits(objective):
    """Numerical derivatives by mpmath of the density as printed (Fader and Hardie 2013, 1a)."""
    data = objective.data
    few = slice(0, len(data.x), 20)
    pairs = list(zip(data.x[few], data.m[few], strict=True))

    def log_likelihood(p, q, gamma):
        total = mpmath.mpf(0)
        for x, m in pairs:
            x, m = mpmath.mpf(float(x)), mpmath.mpf(float(m))
            total += mpmath.loggamma(p * x + q) - mpmath.loggamma(p * x) - mpmath.loggamma(q)
            total += q * mpmath.log(gamma) + (p * x - 1) * mpmath.log(m) + p * x * mpmath.log(x)
            total -= (p * x + q) * mpmath.log(gamma + m * x)
        return total

    x, m = np.array(pairs).T
    small = OrderMeans(x, m, np.ones_like(x), len(x), len(x), int(x.sum()), int(x.sum()))
    found = SpendObjective(small).derivatives(TRUTH)
    with mpmath.workdps(40):
        at = tuple(mpmath.mpf(float(value)) for value in TRUTH)
        orders = np.eye(3, dtype=int)
        slopes = [float(mpmath.diff(log_likelihood, at, tuple(map(int, n)))) for n in orders]
        bends = [
            [float(mpmath.diff(log_likelihood, at, tuple(map(int, a + b)))) for b in orders]
            for a in orders
        ]
        value = float(log_likelihood(*at))
    assert found.value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-9)
    np.testing.assert_allclose(found.hessian, bends, rtol=1e-9)


def test_draws_are_rows(objective):
    """Many draws are interpolated in log gamma; each equals the direct sum."""
    rng = np.random.default_rng(3)
    many = TRUTH * np.exp(0.5 * rng.standard_normal((3000, 3)))
    together = objective.log_likelihood(many)
    alone = np.array([objective.log_likelihood(theta) for theta in many[::50]])
    np.testing.assert_allclose(together[::50], alone, rtol=1e-12)
    shaped = objective.log_likelihood(many.reshape(30, 100, 3))
    assert (shaped.ravel() == together).all()


def test_weights_are_copies():
    frame = spenders(40, TRUTH, 5)
    once = OrderMeans.from_table(base_of(frame).table)
    thrice = OrderMeans.from_table(base_of(pd.concat([frame] * 3, ignore_index=True)).table)
    assert (thrice.weight == 3 * once.weight).all()
    assert thrice.used == 3 * once.used
    one, three = SpendObjective(once), SpendObjective(thrice)
    assert three.log_likelihood(TRUTH) == pytest.approx(3 * one.log_likelihood(TRUTH), rel=1e-13)
    assert three.rows == 3 * one.rows


def test_a_thinned_likelihood_has_fewer_customers_alike(objective):
    half = objective.thinned(objective.data.x.size // 2)
    assert half.rows < objective.rows
    whole = objective.log_likelihood(TRUTH) / objective.rows
    assert half.log_likelihood(TRUTH) / half.rows == pytest.approx(whole, rel=0.05)
    assert objective.thinned(10_000) is objective


def test_refit_recovers_the_truth():
    found = GammaGamma().fit(base_of(spenders(20_000, TRUTH, 7))).parameters
    distance = (found["estimate"] - TRUTH) / found["std_error"]
    assert (distance.abs() < 4).all(), found


def test_row_order_does_not_matter():
    frame = spenders(2000, TRUTH, 8)
    fit = GammaGamma().fit(base_of(frame))
    again = GammaGamma().fit(base_of(frame.sample(frac=1.0, random_state=1)))
    np.testing.assert_allclose(again.theta, fit.theta, rtol=1e-7)


def test_cents_give_the_answers_of_dollars():
    frame = spenders(1500, TRUTH, 9)
    cents_frame = frame.assign(monetary_value=frame["monetary_value"] * 100)
    dollars, cents = GammaGamma().fit(base_of(frame)), GammaGamma().fit(base_of(cents_frame))
    scale = np.array([1.0, 1.0, 100.0])
    np.testing.assert_allclose(cents.theta, dollars.theta * scale, rtol=1e-6)
    errors = [fit.parameters["std_error"].to_numpy() for fit in (cents, dollars)]
    np.testing.assert_allclose(errors[0], errors[1] * scale, rtol=1e-5)
    shift = dollars.rows * np.log(100)
    assert cents.log_likelihood == pytest.approx(dollars.log_likelihood - shift, abs=1e-6)
    np.testing.assert_allclose(
        cents.posterior(1000, seed=3).values,
        dollars.posterior(1000, seed=3).values * scale,
        rtol=1e-4,
    )
    some = base_of(frame.head(50)), base_of(cents_frame.head(50))
    a = dollars.predict(some[0], draws=300, seed=2).drop(columns="customer_id")
    b = cents.predict(some[1], draws=300, seed=2).drop(columns="customer_id")
    np.testing.assert_allclose(b, 100 * a, rtol=1e-4)


@pytest.fixture(scope="module")
def fit():
    return GammaGamma().fit(base_of(spenders(1500, TRUTH, 11)))


def test_a_batch_equals_its_rows(fit):
    frame = spenders(60, TRUTH, 12)
    together = fit.predict(base_of(frame), draws=300, seed=4)
    for row in (0, 7, 31):
        alone = fit.predict(base_of(frame.iloc[[row]].reset_index(drop=True)), draws=300, seed=4)
        for name in ("expected_spend", "lower", "upper", "spend_lower", "spend_upper"):
            assert alone[name].iloc[0] == pytest.approx(together[name].iloc[row], rel=1e-12)


def test_many_customers_are_interpolated(fit):
    """With more distinct sums than nodes, intervals come from a curve: within half a per cent,
    below the Monte Carlo error of a 5 per cent quantile of 2,400 orders (2 per cent)."""
    frame = spenders(30_000, TRUTH, 13)
    whole = fit.predict(base_of(frame), draws=300, seed=4)
    place = np.arange(0, 30_000, 1000)
    few = fit.predict(base_of(frame.iloc[place].reset_index(drop=True)), draws=300, seed=4)
    for name in ("lower", "upper", "spend_lower", "spend_upper"):
        np.testing.assert_allclose(few[name], whole[name].iloc[place], rtol=5e-3)


def test_the_predictive_interval_holds_the_next_order(fit):
    """90 per cent of next orders of new customers of the truth, by what was seen of each."""
    rng = np.random.default_rng(15)
    n = 6000
    x = rng.integers(0, 5, n).astype(float)
    nu = rng.gamma(TRUTH[1], 1 / TRUTH[2], n)
    mean = rng.gamma(TRUTH[0] * np.maximum(x, 1)) / np.maximum(x, 1) / nu
    following = rng.gamma(TRUTH[0], 1.0, n) / nu
    frame = pd.DataFrame(
        {
            "frequency": x.astype(int),
            "recency": np.where(x > 0, 9.0, 0.0),
            "T": 10.0,
            "monetary_value": np.where(x > 0, mean, np.nan),
        }
    )
    found = fit.predict(base_of(frame), draws=1000)
    held = (following >= found["spend_lower"]) & (following <= found["spend_upper"])
    for count in (0, 1, 4):  # 1,200 customers each: standard error .9 per cent
        assert 0.86 <= held[x == count].mean() <= 0.935, count
    naive = (following >= found["lower"]) & (following <= found["upper"])
    assert naive.mean() < 0.3  # the interval of the expectation is none of the next order


def test_cdf_and_quantile_of_customers_and_of_a_new_one(fit):
    base = base_of(spenders(30, TRUTH, 16))
    amounts = fit.quantile(0.8, base)
    each = [
        float(gamma_gamma.next_order_cdf(theta, amount))
        for theta, amount in zip(fit.customer_parameters(base), amounts, strict=True)
    ]
    np.testing.assert_allclose(each, 0.8, rtol=1e-10)
    assert fit.cdf(float(fit.quantile(0.3))) == pytest.approx(0.3, rel=1e-10)
    assert fit.cdf(25.0, base).shape == (30,)
    with pytest.raises(OptionError, match="between 0 and 1"):
        fit.quantile(1.5)
    with pytest.raises(OptionError, match="between 0 and 1"):
        fit.predict(base, level=90)


def test_free_orders_count_as_orders_not_as_spend():
    frame = spenders(500, TRUTH, 17)
    paid = frame["frequency"].clip(upper=2)
    frame = frame.assign(paid_frequency=paid)
    fit = GammaGamma().fit(base_of(frame))
    assert fit.paid_share == pytest.approx(paid.sum() / frame["frequency"].sum())
    assert "free of charge" in fit.notes[1]
    alike = GammaGamma().fit(base_of(frame.assign(frequency=paid)))
    np.testing.assert_allclose(fit.theta, alike.theta, rtol=1e-10)


def test_equal_spends_end_at_a_boundary_in_words():
    frame = spenders(300, TRUTH, 19)
    known = frame["frequency"] > 0
    fit = GammaGamma().fit(base_of(frame.assign(monetary_value=np.where(known, 12.5, np.nan))))
    assert fit.status.outcome in (Outcome.BOUNDARY, Outcome.FLAT)
    assert "equal" in fit.status.sentence or "alike" in fit.status.sentence
    assert fit.mean_spend == pytest.approx(12.5, rel=1e-3)
    assert fit.parameters["std_error"].isna().any()


def test_equal_spends_are_predicted():
    frame = spenders(60, TRUTH, 19)
    frame = frame.assign(monetary_value=np.where(frame["frequency"] > 0, 12.5, np.nan))
    base = base_of(frame)
    found = GammaGamma().fit(base).predict(base, draws=40)
    np.testing.assert_allclose(found["expected_spend"], 12.5, rtol=1e-3)
    assert (found["lower"] > 12).all()
    assert (found["upper"] < 13).all()


def test_a_mean_that_does_not_exist_is_said():
    heavy = np.array([3.0, 0.7, 5.0])
    frame = spenders(2000, heavy, 21)
    fit = GammaGamma().fit(base_of(frame))
    assert fit.theta[1] < 1
    assert any("1 or below" in note and "infinite" in note for note in fit.notes)
    assert fit.mean_spend == np.inf
    found = fit.predict(base_of(frame), draws=200)
    bought = (frame["frequency"] > 0).to_numpy()
    assert np.isinf(found["expected_spend"][~bought]).all()
    assert np.isfinite(found["expected_spend"][bought]).all()
    assert np.isfinite(found["spend_upper"]).all()  # quantiles exist where the mean does not


def test_a_variance_that_does_not_exist_is_said():
    fit = GammaGamma().fit(base_of(spenders(3000, np.array([3.0, 1.5, 5.0]), 22)))
    assert any("2 or below" in note for note in fit.notes)


@pytest.mark.parametrize("payers", [0, 1, 2])
def test_fewer_than_three_payers_cannot_be_fitted(payers):
    frame = spenders(50, TRUTH, 23)
    payer = (frame["frequency"] > 0) & ((frame["frequency"] > 0).cumsum() <= payers)
    frame = frame.assign(monetary_value=frame["monetary_value"].where(payer))
    with pytest.raises(DataError, match=f"{payers} of 50 customers") as caught:
        GammaGamma().fit(base_of(frame))
    assert "at least 3 are needed" in str(caught.value)


def test_three_payers_can(recwarn):
    frame = spenders(50, TRUTH, 23)
    payer = (frame["frequency"] > 0) & ((frame["frequency"] > 0).cumsum() <= 3)
    fit = GammaGamma().fit(
        base_of(frame.assign(monetary_value=frame["monetary_value"].where(payer)))
    )
    assert fit.rows == 3
    assert str(fit.status)
    assert len(fit.posterior(200).values) == 200


def test_posterior_agrees_with_the_curvature_where_data_are_many():
    fit = GammaGamma().fit(base_of(spenders(20_000, TRUTH, 7)))
    draws = fit.posterior(2000, seed=5, prior=NormalPrior(sd=10.0))
    logs = np.log(draws.values / fit.estimate.scales)
    wald = np.sqrt(np.diag(fit.estimate.real_covariance))
    np.testing.assert_allclose(logs.std(axis=0), wald, rtol=0.08)
    assert draws.pareto_k < 0.7
