"""The model of margins obeys its laws, gives a simulated base back, and says where it cannot."""

import mpmath
import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError
from cxmodels.results.estimate import Outcome
from cxmodels.spend import normal_normal
from cxmodels.spend.margins import MarginsObjective, OrderMargins
from tests.laws.margin_laws import LAWS, THETAS, Formulas

TRUTH = np.array([7.0, 5.5, 12.0])


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law(Formulas())


def earners(n: int, theta: np.ndarray, seed: int) -> pd.DataFrame:
    """n simulated customers with 0 to many repeat orders, as a summary with squared deviations."""
    rng = np.random.default_rng([seed, 12])
    x = rng.negative_binomial(1.0, 0.4, n)
    level = rng.normal(theta[0], theta[1], n)
    mean = level + theta[2] * rng.standard_normal(n) / np.sqrt(np.maximum(x, 1))
    squares = theta[2] ** 2 * rng.chisquare(np.maximum(x - 1, 1)) * (x > 1)
    return pd.DataFrame(
        {
            "frequency": x,
            "recency": np.where(x > 0, 20.0, 0.0),
            "T": 40.0,
            "monetary_value": np.where(x > 0, mean, np.nan),
            "monetary_squares": squares,
        }
    )


def base_of(frame: pd.DataFrame) -> cx.CustomerBase:
    return cx.CustomerBase.from_summary(frame, unit="week", negative="loss", currency="EUR")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return earners(600, TRUTH, 1)


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("squares", [True, False])
def test_the_likelihood_is_the_sum_of_the_densities(frame, theta, squares):
    given = frame if squares else frame.drop(columns="monetary_squares")
    objective = MarginsObjective(OrderMargins.from_table(base_of(given).table))
    some = frame[frame["frequency"] > 0]
    x, m = some["frequency"].to_numpy(float), some["monetary_value"].to_numpy()
    if squares:
        each = normal_normal.log_density_of_orders(theta, x, m, some["monetary_squares"].to_numpy())
    else:
        each = normal_normal.log_density_of_mean(theta, x, m)
    assert objective.rows == len(some)
    assert objective.log_likelihood(theta) == pytest.approx(each.sum(), rel=1e-9)
    many = objective.log_likelihood(np.stack([theta, 1.1 * theta, theta])[:, None])
    assert many.shape == (3, 1)
    assert many[2, 0] == pytest.approx(each.sum(), rel=1e-9)


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("squares", [True, False])
def test_derivatives_in_forty_digits(frame, theta, squares):
    few = frame[frame["frequency"] > 0].head(20)
    given = few if squares else few.drop(columns="monetary_squares")
    data = OrderMargins.from_table(base_of(given).table)

    def log_likelihood(mu, tau, sigma):
        total = mpmath.mpf(0)
        for x, m, S in few[["frequency", "monetary_value", "monetary_squares"]].to_numpy():
            V = sigma**2 + x * tau**2
            total -= (mpmath.log(V) + x * (m - mu) ** 2 / V) / 2
            if squares:
                total -= (x - 1) * mpmath.log(sigma) + S / (2 * sigma**2)
        return total

    found = MarginsObjective(data).derivatives(theta)
    with mpmath.workdps(40):
        at = tuple(mpmath.mpf(float(value)) for value in theta)
        orders = np.eye(3, dtype=int)
        slopes = [float(mpmath.diff(log_likelihood, at, tuple(map(int, n)))) for n in orders]
        bends = [
            [float(mpmath.diff(log_likelihood, at, tuple(map(int, a + b)))) for b in orders]
            for a in orders
        ]
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.hessian, bends, rtol=1e-8, atol=1e-9)


def test_the_truth_is_found_again():
    fit = cx.NormalNormal().fit(base_of(earners(20_000, TRUTH, 2)))
    off = (fit.theta - TRUTH) / fit.parameters["std_error"].to_numpy()
    assert np.abs(off).max() < 4.0
    assert fit.status.outcome is Outcome.CONVERGED
    assert not fit.misfit


def test_deviations_within_customers_sharpen_what_is_learnt():
    frame = earners(2_000, TRUTH, 3)
    whole = cx.NormalNormal().fit(base_of(frame))
    means = cx.NormalNormal().fit(base_of(frame.drop(columns="monetary_squares")))
    assert (whole.parameters["std_error"] < 0.8 * means.parameters["std_error"]).loc["sigma"]
    assert np.abs((means.theta - TRUTH) / means.parameters["std_error"]).max() < 4.0


def test_means_alone_of_customers_with_as_many_orders_leave_a_direction_flat():
    frame = earners(500, TRUTH, 4).query("frequency == 2").drop(columns="monetary_squares")
    fit = cx.NormalNormal().fit(base_of(frame))
    assert fit.status.outcome is not Outcome.CONVERGED
    assert "tau and sigma are not determined apart" in str(fit.status)


@pytest.mark.parametrize(
    ("values", "squares", "word"),
    [
        ([3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0], "same level"),
        ([3.0, 3.0, 3.0, 3.0], [8.0, 9.0, 2.0, 4.0], "same level"),
        ([3.0, -5.0, 1.0, 9.0], [0.0, 0.0, 0.0, 0.0], "converged"),
        ([1e9, -1e9, 3e8, 2e8], [1e17, 1e18, 2e17, 0.0], ""),
        ([1000.0, 1000.001, 999.999, 1000.0], [1e-6, 2e-6, 1e-6, 1e-6], ""),
        ([-1e-7, 2e-7, 1e-7, -3e-7], [1e-14, 2e-14, 1e-14, 1e-14], ""),
    ],
)
def test_margins_at_the_edge_end_in_an_answer(values, squares, word):
    frame = pd.DataFrame(
        {
            "frequency": [2, 3, 4, 2],
            "recency": 3.0,
            "T": 5.0,
            "monetary_value": values,
            "monetary_squares": squares,
        }
    )
    base = base_of(frame)
    fit = cx.NormalNormal().fit(base)
    assert np.isfinite(fit.theta).all()
    assert np.isfinite(fit.log_likelihood)
    assert word in str(fit.status)
    found = fit.predict(base, draws=200)
    assert np.isfinite(found.drop(columns="customer_id").to_numpy()).all()
    assert (found["lower"] <= found["upper"]).all()
    assert all(len(note) > 20 for note in fit.notes)


def test_refusals_say_what_to_do(frame):
    two = frame[frame["frequency"] > 0].head(2)
    with pytest.raises(DataError, match="2 of 2 customers have a repeat order; at least 3"):
        cx.NormalNormal().fit(base_of(two))
    nothing = frame.assign(monetary_value=0.0, monetary_squares=0.0)
    with pytest.raises(DataError, match="every margin is 0"):
        cx.NormalNormal().fit(base_of(nothing))
    base = base_of(frame)
    with pytest.raises(OptionError, match="NormalNormal"):
        cx.GammaGamma().fit(base)
    with pytest.raises(OptionError, match="positive amounts"):
        cx.order_drift(base)
    with pytest.raises(OptionError, match="positive amounts"):
        cx.spend_dependence(cx.NBD().fit(base), base, horizon=None, discount_rate=0.1)
    paid = cx.CustomerBase.from_summary(
        frame.assign(monetary_value=frame["monetary_value"].abs()), unit="week"
    )
    spend = cx.GammaGamma().fit(paid)
    with pytest.raises(OptionError, match="fitted on payments, the amounts of this base are marg"):
        spend.predict(base)
    with pytest.raises(OptionError, match="fitted on margins"):
        fit = cx.NormalNormal().fit(base)
        cx.lifetime_value(cx.NBD().fit(paid), fit, paid, horizon="12M", discount_rate=0.1)


def test_skewed_margins_are_told():
    frame = earners(3_000, TRUTH, 5)
    some = frame["frequency"] > 0
    skewed = np.random.default_rng(1).exponential(12.0, some.sum()) - 6.0
    frame.loc[some, "monetary_value"] = skewed
    assert "skewed" in cx.NormalNormal().fit(base_of(frame)).notes[-1]


def test_a_saved_fit_predicts_the_same(frame, tmp_path):
    base = base_of(frame)
    fit = cx.NormalNormal().fit(base)
    again = cx.load(fit.save(tmp_path / "margins.json"))
    assert again.notes == fit.notes
    first, second = fit.predict(base), again.predict(base)
    assert (first["expected_spend"] == second["expected_spend"]).all()
    assert np.abs(first["lower"] - second["lower"]).max() < 0.3


def test_payments_are_refused():
    base = cx.CustomerBase.from_summary(earners(50, TRUTH, 6).query("frequency > 0").abs())
    with pytest.raises(OptionError, match="model of margins"):
        cx.NormalNormal().fit(base)
