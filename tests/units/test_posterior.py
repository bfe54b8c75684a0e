"""Posterior draws: exact answers, heavy tails, calibration by simulation, units, planted errors."""

import json
from functools import partial

import numpy as np
import pytest
from scipy import integrate, stats

from cxmodels.errors import OptionError
from cxmodels.likelihood import posterior
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.objective import RealScale
from cxmodels.likelihood.posterior import NormalPrior, Target, sample
from cxmodels.numerics import sampler
from cxmodels.numerics.importance import Mixture
from cxmodels.numerics.sampler import ensemble
from cxmodels.results.draws import Draws
from tests.units.toy_objectives import Arrivals, Coins, GammaTimes, Line, Surface, real_space

TIMES = np.random.default_rng(21).gamma(2.3, 4.0, size=40)
X = np.column_stack([np.ones(30), np.random.default_rng(2).normal(size=(30, 2))])
Y = X @ np.array([1.0, -2.0, 0.5]) + np.random.default_rng(3).normal(size=30)


def conjugate(sd):
    """Mean and covariance of the normal posterior of Line(X, Y) under a normal(0, sd) prior."""
    covariance = np.linalg.inv(X.T @ X + np.eye(3) / sd**2)
    return covariance @ X.T @ Y, covariance


def line_law(draw):
    """Draws against the exact normal posterior: .05 sd for means, 3 per cent for sds."""
    line = Line(X, Y)
    mean, covariance = conjugate(0.3)  # a prior that counts for a quarter of the data
    made = draw(line, maximise(line, model="line"), prior=NormalPrior(0.0, 0.3))
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((made.values.mean(axis=0) - mean) / sd, 0.0, atol=0.05)
    np.testing.assert_allclose(made.values.std(axis=0) / sd, 1.0, atol=0.03)
    theirs = covariance / np.outer(sd, sd)
    np.testing.assert_allclose(np.corrcoef(made.values.T), theirs, atol=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_laplace_is_exact_for_a_normal(seed):
    line_law(partial(sample, seed=seed))
    made = sample(Line(X, Y), maximise(Line(X, Y), model="line"), seed=seed)
    assert made.pareto_k < 0.3
    assert made.effective > 3000
    assert made.method == "Laplace, importance sampling"


def test_a_skewed_posterior_against_quadrature():
    """Rate with 3 arrivals in 2 weeks under a normal prior on its log: integrals by scipy.quad."""
    arrivals, prior = Arrivals(3, 2.0), NormalPrior(0.5, 1.5)
    made = sample(arrivals, maximise(arrivals, model="m"), prior=prior)

    def density(u):
        return np.exp(3 * u - 2 * np.exp(u) - 0.5 * ((u - 0.5) / 1.5) ** 2)

    mass = integrate.quad(density, -20, 8)[0]
    u = np.log(made.values[:, 0])
    mean = integrate.quad(lambda x: x * density(x) / mass, -20, 8)[0]
    sd = np.sqrt(integrate.quad(lambda x: (x - mean) ** 2 * density(x) / mass, -20, 8)[0])
    assert u.mean() == pytest.approx(mean, abs=0.05 * sd)
    assert u.std() == pytest.approx(sd, rel=0.03)
    for point in (-0.8, 0.3, 1.0):
        below = integrate.quad(density, -20, point)[0] / mass
        assert (u < point).mean() == pytest.approx(below, abs=0.012)


def test_a_posterior_at_an_edge_against_quadrature():
    """No arrivals: the likelihood is level towards 0, the prior alone closes the posterior."""
    arrivals = Arrivals(0, 20.0)
    made = sample(arrivals, maximise(arrivals, model="m"))

    def density(u):
        return np.exp(-20 * np.exp(u) - 0.5 * (u / 3) ** 2)

    mass = integrate.quad(density, -25, 4)[0]
    u = np.log(made.values[:, 0])
    for point in (-8.0, -6.0, -4.5, -3.0):
        below = integrate.quad(density, -25, point)[0] / mass
        assert (u < point).mean() == pytest.approx(below, abs=0.02)


def test_a_level_line_is_closed_by_the_prior():
    """Only a/b is in the data: log a + log b keeps its prior, normal(0, 3 sqrt 2)."""
    coins = Coins(30, 100)
    made = sample(coins, maximise(coins, model="coins"))
    both = np.log(made.values).sum(axis=1)
    assert both.mean() == pytest.approx(0.0, abs=0.05 * 3 * np.sqrt(2))
    assert both.std() == pytest.approx(3 * np.sqrt(2), rel=0.04)
    share = made.values[:, 0] / made.values.sum(axis=1)
    assert share.mean() == pytest.approx(0.3, abs=0.01)


# -- where the first guess fails -------------------------------------------------------------------


def banana(theta):
    """x0 normal(0, 1), x1 normal(x0^2, .3): curved, so that Laplace fails."""
    x, y = theta[..., 0], theta[..., 1]
    return -0.5 * x**2 - 0.5 * ((y - x**2) / 0.3) ** 2


def cauchy(theta):
    """Two dimensions, tails far heavier than those of the proposal."""
    return -1.5 * np.log1p((theta**2).sum(axis=-1))


WIDE = NormalPrior(0.0, 50.0)


def first_k(surface, estimate):
    target = Target(RealScale(surface), *WIDE.placed(RealScale(surface)))
    laplace = posterior._laplace(target, estimate.real)
    rng = np.random.default_rng(1)
    return posterior._importance(target, laplace, 4000, rng, "").smoothed.pareto_k


def banana_law(made, spread=0.08):
    x, y = made.values.T
    assert x.mean() == pytest.approx(0.0, abs=0.12)
    assert x.std() == pytest.approx(1.0, abs=spread)
    assert y.mean() == pytest.approx(1.0, abs=0.15)
    assert np.median(np.abs(x)) == pytest.approx(0.6745, abs=0.05)
    assert (y - x**2).std() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_banana_is_covered_by_the_refitted_mixture(seed):
    surface = Surface(banana, real_space(2), np.array([0.5, 0.5]))
    estimate = maximise(surface, model="banana")
    assert first_k(surface, estimate) > 0.7
    made = sample(surface, estimate, seed=seed, prior=WIDE)
    assert made.method == "t mixture, importance sampling"
    assert made.pareto_k <= 0.7
    banana_law(made)


def test_the_first_guess_alone_would_fail_on_the_banana(monkeypatch):
    """Planted error: k-hat ignored."""
    monkeypatch.setattr(posterior, "TRUSTED", np.inf)
    monkeypatch.setattr(posterior, "GOOD", np.inf)
    monkeypatch.setattr(posterior, "SURE", np.inf)
    monkeypatch.setattr(posterior, "WORTH", 0.0)
    surface = Surface(banana, real_space(2), np.array([0.5, 0.5]))
    with pytest.raises(AssertionError):
        banana_law(sample(surface, maximise(surface, model="banana"), prior=WIDE))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_heavy_tails(seed):
    """Quartiles against a sum over a fine grid of the search's square, |x| <= 30."""
    surface = Surface(cauchy, real_space(2), np.array([0.5, 0.5]))
    estimate = maximise(surface, model="Cauchy")
    assert first_k(surface, estimate) > 0.5  # in theory 6/7: weights grow as r^6, tail r^-7
    made = sample(surface, estimate, seed=seed, prior=WIDE)
    grid = np.linspace(-30, 30, 1501)
    square = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    mass = np.exp(cauchy(square) - 0.5 * ((square / 50) ** 2).sum(axis=-1)).sum(axis=1)
    truth = np.interp([0.25, 0.5, 0.75], mass.cumsum() / mass.sum(), grid + 0.02)
    quartiles = np.quantile(made.values, [0.25, 0.5, 0.75], axis=0)
    # standard error of a quartile of 4,000 draws: sqrt(.25 * .75 / 4000) / density .16 = .043
    np.testing.assert_allclose(quartiles, np.stack([truth, truth], axis=1), atol=0.13)


def test_the_sampler_is_the_last_resort(monkeypatch):
    monkeypatch.setattr(posterior, "ROUNDS", 0)
    monkeypatch.setattr(posterior, "SURE", np.inf)  # all points at once: a fair start for walkers
    surface = Surface(banana, real_space(2), np.array([0.5, 0.5]))
    made = sample(surface, maximise(surface, model="banana"), prior=WIDE)
    assert made.method.startswith("ensemble sampler")
    assert made.pareto_k > 0.7  # the failure that called for it stays on show
    assert 100 < made.effective < 4000
    banana_law(made, spread=0.12)  # walkers rarely reach the tips: .93 to 1.07 over eight seeds


def test_the_sampler_on_a_known_normal():
    rng = np.random.default_rng(3)
    walk = ensemble(
        lambda x: -0.5 * ((x - [1.0, -2.0]) ** 2 / [1.0, 9.0]).sum(axis=1),
        rng.normal(size=(32, 2)),
        draws=4000,
        rng=rng,
    )
    assert walk.settled
    np.testing.assert_allclose(walk.draws.mean(axis=0), [1.0, -2.0], atol=0.3)
    np.testing.assert_allclose(walk.draws.std(axis=0), [1.0, 3.0], rtol=0.06)


# -- laws ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [8, 0])
def test_the_same_seed_gives_the_same_draws_on_every_path(monkeypatch, rounds):
    monkeypatch.setattr(posterior, "ROUNDS", rounds)
    monkeypatch.setattr(sampler, "MOST_STEPS", 1000)
    surface = Surface(banana, real_space(2), np.array([0.5, 0.5]))
    estimate = maximise(surface, model="banana")
    first, again, other = (
        sample(surface, estimate, seed=seed, prior=WIDE)
        for seed in (4, np.random.default_rng(4), 5)
    )
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)


def unit_law(prior):
    """Weeks or hours: the same draws but for the factor, from the same seed."""
    weeks, hours = GammaTimes(TIMES), GammaTimes(168 * TIMES)
    a = sample(weeks, maximise(weeks, model="m"), prior=prior)
    b = sample(hours, maximise(hours, model="m"), prior=prior)
    np.testing.assert_allclose(b.values, a.values * [1.0, 168.0], rtol=1e-4)


def test_the_default_prior_is_free_of_units():
    unit_law(None)


def test_a_prior_that_carries_units_is_caught():
    with pytest.raises(AssertionError):
        unit_law(NormalPrior(unit_free=False))


def test_a_prior_in_natural_units_moves_with_the_scale():
    """normal(0, 3) on log(scale) is normal(-log mean, 3) on the unit-free coordinate."""
    objective = GammaTimes(TIMES)
    estimate = maximise(objective, model="m")
    shift = np.array([0.0, -np.log(TIMES.mean())])
    a = sample(objective, estimate, prior=NormalPrior(unit_free=False))
    b = sample(objective, estimate, prior=NormalPrior(shift, 3.0))
    np.testing.assert_allclose(a.values, b.values, rtol=1e-12)


def calibration(draw, replications=300, picks=63):
    """Ranks of the true log parameters among posterior draws (Talts et al. 2018): p value.

    12 gamma times from parameters drawn from the prior; the ranks are uniform if and only if
    the draws come from the posterior under that prior.
    """
    rng, prior = np.random.default_rng(31), NormalPrior(0.3, 0.6, unit_free=False)
    ranks = []
    for replication in range(replications):
        truth = np.exp(rng.normal(0.3, 0.6, size=2))
        objective = GammaTimes(rng.gamma(truth[0], truth[1], size=12))
        estimate = maximise(objective, model="m")
        made = draw(objective, estimate, draws=1000, seed=replication, prior=prior)
        ranks.append((made.resample(picks, rng).values < truth).sum(axis=0))
    shares = (np.transpose(ranks) + rng.uniform(size=(2, replications))) / (picks + 1)
    p = [stats.kstest(share, "uniform").pvalue for share in shares]
    p += [stats.chisquare(np.histogram(share, 8, (0, 1))[0]).pvalue for share in shares]
    return min(p)


def test_simulation_based_calibration():
    assert calibration(sample) > 0.005


def narrow(objective, estimate, **options):
    """The likelihood counted twice."""
    made = sample(objective, estimate, **options)
    centre = made.values.mean(axis=0)
    values = centre + (made.values - centre) / np.sqrt(2)
    return Draws(made.names, values, made.pareto_k, made.effective, made.method)


def with_jacobian(objective, estimate, **options):
    """The prior of the shape read as one on theta: a Jacobian too many, which shifts it."""
    shifted = NormalPrior(np.array([0.3 - 0.36, 0.3]), 0.6, unit_free=False)
    return sample(objective, estimate, **{**options, "prior": shifted})


def unweighted(objective, estimate, **options):
    """The Laplace guess without weights."""
    rng = np.random.default_rng(options["seed"])
    view = RealScale(objective)
    target = Target(view, *NormalPrior().placed(view))
    points = posterior._laplace(target, estimate.real).draw(1000, rng)
    return Draws(objective.space.names, view.natural(points), 0.0, 1.0, "")


@pytest.mark.parametrize("wrong", [narrow, with_jacobian, unweighted])
def test_planted_errors_fail_the_calibration(wrong):
    assert calibration(wrong, replications=200) < 0.005


@pytest.mark.parametrize("wrong", ["weights", "prior", "density"])
def test_planted_errors_fail_the_exact_posterior(monkeypatch, wrong):
    if wrong == "weights":
        monkeypatch.setattr(posterior, "systematic", lambda w, n, rng: rng.integers(len(w), size=n))
    elif wrong == "prior":
        monkeypatch.setattr(
            Target, "log_density", lambda self, real: self.view.log_likelihood(real)
        )
    else:
        right = Mixture.log_density
        monkeypatch.setattr(Mixture, "log_density", lambda self, x: right(self, x) * 0.8)
    with pytest.raises(AssertionError):
        line_law(sample)


def test_non_finite_points_weigh_nothing():
    """Half of the plane is impossible: NaN above x0 = 1, so the draws are a cut normal."""

    def cut(theta):
        x = theta[..., 0]
        return np.where(x > 1.0, np.nan, -0.5 * x**2)

    surface = Surface(cut, real_space(1), np.array([0.2]))
    made = sample(surface, maximise(surface, model="cut"), prior=NormalPrior(0.0, 1e3))
    assert made.values.max() <= 1.0
    assert made.values.mean() == pytest.approx(stats.truncnorm.mean(-np.inf, 1.0), abs=0.05)


# -- the record ------------------------------------------------------------------------------------


def test_draws_tables_and_json():
    line = Line(X, Y)
    made = sample(line, maximise(line, model="line"), draws=500, seed=2)
    assert len(made) == len(made.table) == 500
    assert list(made.table.columns) == ["b0", "b1", "b2"]
    interval = made.interval(0.8)
    inside = (made.table["b1"] >= interval.loc["b1", "lower"]) & (
        made.table["b1"] <= interval.loc["b1", "upper"]
    )
    assert inside.mean() == pytest.approx(0.8, abs=0.005)
    again = Draws.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(again.values, made.values)
    assert (again.pareto_k, again.method) == (made.pareto_k, made.method)
    endless = Draws(("r",), np.ones((2, 1)), np.inf, 0.0, "m")
    assert Draws.from_json(json.loads(json.dumps(endless.to_json()))).pareto_k == np.inf


def test_resample_repeats_only_where_it_must():
    made = Draws(("r",), np.arange(10.0)[:, None], 0.1, 10.0, "m")
    assert len(set(made.resample(7, 3).values[:, 0])) == 7
    copies = np.bincount(made.resample(25, 3).values[:, 0].astype(int), minlength=10)
    assert set(copies) == {2, 3}
    np.testing.assert_array_equal(made.resample(7, 3).values, made.resample(7, 3).values)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"prior": "flat"}])
def test_options_that_make_no_sense(wrong):
    line = Line(X, Y)
    with pytest.raises((OptionError, AttributeError)):
        sample(line, maximise(line, model="line"), **wrong)
    with pytest.raises(OptionError):
        NormalPrior(0.0, 0.0)
    with pytest.raises(OptionError):
        Draws(("r",), np.ones((2, 1)), 0.0, 2.0, "m").interval(1.0)
