"""Maximum likelihood: paper answers, uncertainty, edges, level lines, and planted errors."""

import json

import numpy as np
import pytest
from scipy import optimize, special, stats

from cxmodels.errors import FitError
from cxmodels.likelihood import fit
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.transforms import Parameter, Space
from cxmodels.results.estimate import Estimate, Outcome
from tests.units.toy_objectives import (
    Arrivals,
    Coins,
    Counts,
    GammaTimes,
    Line,
    Surface,
    real_space,
)

TIMES = np.random.default_rng(21).gamma(2.3, 4.0, size=400)
X = np.column_stack([np.ones(50), np.random.default_rng(2).normal(size=(50, 2))])
Y = X @ np.array([1.0, -2.0, 0.5]) + np.random.default_rng(3).normal(size=50)


def gamma_truth(times):
    """Shape and scale by the textbook equation log k - digamma(k) = log mean - mean log."""
    gap = np.log(times.mean()) - np.log(times).mean()
    shape = optimize.brentq(lambda k: np.log(k) - special.digamma(k) - gap, 1e-3, 1e3, xtol=1e-13)
    return np.array([shape, times.mean() / shape])


def gamma_information(theta, n):
    """Fisher information of (shape, scale): [[trigamma k, 1/s], [1/s, k/s^2]] times n."""
    k, s = theta
    return n * np.array([[special.polygamma(1, k), 1 / s], [1 / s, k / s**2]])


def test_gamma_estimate_and_log_likelihood():
    found = maximise(GammaTimes(TIMES), model="gamma")
    truth = gamma_truth(TIMES)
    np.testing.assert_allclose(found.theta, truth, rtol=1e-6)
    height = stats.gamma.logpdf(TIMES, truth[0], scale=truth[1]).sum()
    assert found.log_likelihood == pytest.approx(height, abs=1e-8)
    assert found.status.outcome is Outcome.CONVERGED
    assert found.free.all()
    assert found.aic == pytest.approx(4 - 2 * height)
    assert found.bic == pytest.approx(2 * np.log(400) - 2 * height)


def covariance_law(found, n):
    """At a maximum the natural covariance is the inverse natural information, all entries."""
    truth = np.linalg.inv(gamma_information(found.theta, n))
    np.testing.assert_allclose(found.covariance.to_numpy(), truth, rtol=1e-4)
    table = found.parameters()
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(truth)), rtol=1e-4)


def test_covariance_on_the_natural_scale():
    covariance_law(maximise(GammaTimes(TIMES), model="gamma"), 400)


class OneSided(Estimate):
    @property
    def covariance(self):
        slope = self.space.slope(self.real, self.scales)
        return super().covariance / slope


class NoJacobian(Estimate):
    @property
    def covariance(self):
        slope = self.space.slope(self.real, self.scales)
        return super().covariance / np.outer(slope, slope)


class InformationForCovariance(Estimate):
    @property
    def real_covariance(self):
        return self.information


@pytest.mark.parametrize("wrong", [OneSided, NoJacobian, InformationForCovariance])
def test_planted_errors_in_the_covariance_are_caught(monkeypatch, wrong):
    monkeypatch.setattr(fit, "Estimate", wrong)
    found = maximise(GammaTimes(TIMES), model="gamma")
    with pytest.raises(AssertionError):
        covariance_law(found, 400)


def test_missing_curvature_in_the_chain_rule_gives_a_wrong_covariance_away_from_the_top():
    """At a maximum the curvature term vanishes; the climb and the profile need it elsewhere.

    tests/units/test_transforms.py catches it there; here the search must still not be fooled.
    """

    class Flat(Space):
        def curvature(self, real, scales):
            return np.zeros_like(real)

    found = maximise(GammaTimes(TIMES, Flat(GammaTimes(TIMES).space.parameters)), model="gamma")
    np.testing.assert_allclose(found.theta, gamma_truth(TIMES), rtol=1e-5)


def test_wald_interval_is_symmetric_on_the_log_scale():
    table = maximise(GammaTimes(TIMES), model="gamma").parameters(level=0.8)
    up, down = (
        np.log(table["upper"] / table["estimate"]),
        np.log(table["estimate"] / table["lower"]),
    )
    np.testing.assert_allclose(up, down, rtol=1e-10)
    # delta method: sd of the log is sd / estimate
    np.testing.assert_allclose(
        up, 1.2815515655446004 * table["std_error"] / table["estimate"], rtol=1e-10
    )


def test_regression_is_ordinary_least_squares():
    found = maximise(Line(X, Y), model="line")
    inverse = np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(found.theta, inverse @ X.T @ Y, rtol=1e-9)
    np.testing.assert_allclose(found.covariance.to_numpy(), inverse, rtol=1e-9)


def test_the_unit_of_time_moves_only_the_scale():
    week, day = GammaTimes(TIMES), GammaTimes(7 * TIMES)
    a, b = maximise(week, model="gamma"), maximise(day, model="gamma")
    np.testing.assert_allclose(b.theta, a.theta * [1, 7], rtol=1e-9)
    np.testing.assert_allclose(b.real, a.real, atol=1e-9)
    np.testing.assert_allclose(b.information, a.information, rtol=1e-6)
    assert b.log_likelihood == pytest.approx(a.log_likelihood - 400 * np.log(7), abs=1e-7)


def test_many_rows_are_thinned_for_the_starts_and_polished_on_all():
    times = np.random.default_rng(4).gamma(0.7, 3.0, size=100_000)
    found = maximise(GammaTimes(times), model="gamma")
    np.testing.assert_allclose(found.theta, gamma_truth(times), rtol=1e-6)
    assert found.rows == 100_000


def test_the_higher_of_two_tops_is_found():
    def two(theta):
        x = theta[..., 0]
        return np.logaddexp(np.log(0.2) - 2 * (x + 3) ** 2, np.log(0.8) - 2 * (x - 3) ** 2)

    surface = Surface(two, real_space(1), np.array([[-3.0], [2.0]]))
    assert maximise(surface, model="two").theta[0] == pytest.approx(3.0, abs=1e-4)


# -- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [0.02, 5.0, 4e6])
def test_a_rate_that_runs_to_zero(T):
    """No arrivals in T: the rate runs to 0; its one-sided limit is chi2(1, level) / (2 T)."""
    found = maximise(Arrivals(0, T), model="Poisson")
    assert str(found.status) == "boundary: rate ran to 0: nobody arrives"
    assert found.status.outcome is Outcome.BOUNDARY
    assert found.log_likelihood == pytest.approx(0.0, abs=1e-5)
    table = found.parameters(level=0.9)
    assert np.isnan(table["std_error"].iloc[0])
    assert table["lower"].iloc[0] == 0.0
    assert table["upper"].iloc[0] == pytest.approx(stats.chi2.ppf(0.9, 1) / 2 / T, rel=1e-4)
    # between the stored levels the limit is interpolated
    between = found.parameters(level=0.85)["upper"].iloc[0]
    assert between == pytest.approx(stats.chi2.ppf(0.85, 1) / 2 / T, rel=1e-4)
    assert np.isnan(found.covariance.to_numpy()).all()


@pytest.mark.parametrize("copies", [1, 200])
def test_a_shape_that_runs_to_infinity(copies):
    """Counts more even than Poisson: r runs to infinity, the mean keeps its Poisson error."""
    counts = np.tile([2, 3, 2, 3, 3, 2, 4, 1, 3, 2], copies)
    found = maximise(Counts(counts), model="NBD")
    assert str(found.status) == "boundary: r ran to infinity: customers are all alike"
    assert found.free.tolist() == [False, True]
    assert found.theta[1] == pytest.approx(counts.mean(), rel=1e-5)
    assert found.log_likelihood == pytest.approx(
        stats.poisson.logpmf(counts, counts.mean()).sum() + special.gammaln(counts + 1).sum(),
        abs=1e-4,
    )
    error = np.sqrt(counts.mean() / len(counts))
    assert found.parameters()["std_error"]["m"] == pytest.approx(error, rel=1e-3)
    assert np.isinf(found.parameters()["upper"]["r"])


def test_counts_more_varied_than_poisson_stay_inside():
    """The soft limit of the search makes no false edge where the maximum is inside."""
    counts = np.random.default_rng(6).negative_binomial(0.8, 0.25, size=500)
    found = maximise(Counts(counts), model="NBD")
    assert found.status.outcome is Outcome.CONVERGED
    top = optimize.minimize(
        lambda u: -Counts(counts).log_likelihood(np.exp(u)), np.zeros(2), tol=1e-10
    )
    assert found.log_likelihood == pytest.approx(-top.fun, abs=1e-6)


@pytest.mark.parametrize("start", [[1e-9, 1.0], [1e9, 1e-3], [1e6, 1e6]])
def test_a_start_on_a_plateau_does_not_strand_the_search(start):
    counts = np.random.default_rng(6).negative_binomial(0.8, 0.25, size=500)

    class Far(Counts):
        def starts(self):
            return np.array([start])

    found, near = (maximise(made(counts), model="NBD") for made in (Far, Counts))
    assert found.log_likelihood == pytest.approx(near.log_likelihood, abs=1e-6)


def test_only_a_ratio_is_determined():
    found = maximise(Coins(30, 100), model="coins")
    assert str(found.status) == "flat: only a/b is determined, not a and b apart"
    assert found.theta[0] / found.theta.sum() == pytest.approx(0.3, abs=1e-5)
    assert found.parameters()[["std_error", "lower", "upper"]].isna().all().all()


def test_a_ratio_that_runs_to_its_edge():
    found = maximise(Coins(0, 100), model="coins")
    expected = "boundary: a/b ran to 0: never heads; a and b are not determined apart"
    assert str(found.status) == expected
    assert found.theta[0] / found.theta[1] < 1e-6


def test_a_product_and_an_unused_parameter():
    space = Space((Parameter("p", ""), Parameter("q", ""), Parameter("z", "")))

    def density(theta):
        return -50 * (np.log(theta[..., 0]) + np.log(theta[..., 1]) - 1.0) ** 2

    found = maximise(Surface(density, space, np.ones(3)), model="product")
    assert found.status.outcome is Outcome.FLAT
    assert "only p*q is determined, not p and q apart" in str(found.status)
    assert "z is not determined by these data" in str(found.status)


# -- hostile -------------------------------------------------------------------------------------


class Broken(Arrivals):
    """Not a number above rate 2, so that the first steps fall off."""

    def log_likelihood(self, theta):
        return np.where(theta[..., 0] > 2.0, np.nan, super().log_likelihood(theta))

    def derivatives(self, theta):
        good = super().derivatives(theta)
        return good if theta[0] <= 2.0 else Derivatives(np.nan, good.gradient, good.hessian)

    def starts(self):
        return np.array([[np.nan], [5.0], [-1.0], [0.01]])


def test_holes_in_the_likelihood_are_stepped_around():
    found = maximise(Broken(38, 20.0), model="broken")
    assert found.theta[0] == pytest.approx(1.9, rel=1e-6)


def test_nothing_finite_is_an_error_in_words():
    class Nowhere(Broken):
        def log_likelihood(self, theta):
            return np.full(theta.shape[:-1], np.nan)

    with pytest.raises(FitError, match="not finite at any start"):
        maximise(Nowhere(3, 2.0), model="broken")


def test_a_search_that_cannot_arrive_says_stopped():
    class Wrong(Arrivals):
        def derivatives(self, theta):
            good = super().derivatives(theta)
            return Derivatives(good.value, -good.gradient, good.hessian)

    found = maximise(Wrong(38, 20.0), model="wrong")
    assert found.status.outcome is Outcome.STOPPED
    assert str(found.status).startswith("stopped: ")


def test_json_round_trip_through_text():
    for objective in (GammaTimes(TIMES), Arrivals(0, 5.0)):
        found = maximise(objective, model="m")
        again = Estimate.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
        assert again.parameters(0.95).equals(found.parameters(0.95))
        assert again.covariance.equals(found.covariance)
        assert (again.status, again.space) == (found.status, found.space)
        assert (again.bic, again.model) == (found.bic, "m")
