"""Pareto-smoothed importance sampling: known tails, another program, brute force, resampling."""

import numpy as np
import pytest
from scipy import special, stats

from cxmodels.numerics import importance
from cxmodels.numerics.importance import (
    Mixture,
    StudentT,
    even_uniforms,
    fit_pareto,
    grouped,
    pareto_quantiles,
    pareto_smooth,
    systematic,
)


@pytest.mark.parametrize("k", [-0.4, 0.0, 0.3, 0.7, 1.2])
def test_shape_of_a_pareto_sample(k):
    """Mean over 40 samples of 1,000; the estimator's sd is about (1 + k) / sqrt(n)."""
    rng = np.random.default_rng(7)
    fits = [
        fit_pareto(np.sort(stats.genpareto.rvs(k, scale=2.5, size=1000, random_state=rng)))
        for _ in range(40)
    ]
    shapes, scales = np.transpose(fits)
    assert shapes.mean() == pytest.approx(k, abs=0.03)
    assert scales.mean() == pytest.approx(2.5, rel=0.03)
    assert shapes.std() < 1.3 * (1 + abs(k)) / np.sqrt(1000) + 0.01


@pytest.mark.parametrize("k", [-0.3, 0.0, 0.8])
def test_quantiles_are_those_of_scipy(k):
    shares = np.array([0.01, 0.4, 0.9, 0.999])
    theirs = stats.genpareto.ppf(shares, k, scale=1.7)
    np.testing.assert_allclose(pareto_quantiles(shares, k, 1.7), theirs, rtol=1e-12)


@pytest.mark.parametrize("alpha", [1.25, 2.0, 4.0])
def test_k_hat_of_pareto_weights(alpha):
    """Ratios with tail P(w > x) = x^-alpha have k = 1 / alpha (Vehtari et al. 2024, section 2)."""
    rng = np.random.default_rng(3)
    found = [pareto_smooth(rng.exponential(size=20_000) / alpha).pareto_k for _ in range(20)]
    # k-hat is drawn towards 1/2 by 10 of about 430 tail draws: up to .007 here
    assert np.mean(found) == pytest.approx(1 / alpha, abs=0.03)


# arviz 0.19.0, arviz.stats.stats.psislw on x = s log(u / (1 - u)), u = frac(i * .6180339887498949)
ARVIZ = [
    (1000, 1.5, 1.3967840460222727, -0.5971175857084491, 0.32364914753983454, -22.35473945210523),
    (4000, 1.0, 0.9559730493510995, -1.756139790945704, 0.04016840772123738, -18.598100510572696),
    (40, 2.0, 0.8531649155152642, -0.6936920722698366, 0.29682247763583647, -15.574412315350079),
]


@pytest.mark.parametrize(("n", "s", "k", "largest", "squares", "least"), ARVIZ)
def test_equal_to_arviz(n, s, k, largest, squares, least):
    u = np.arange(1, n + 1) * 0.6180339887498949 % 1
    found = pareto_smooth(s * np.log(u / (1 - u)))
    assert found.pareto_k == pytest.approx(k, rel=1e-12)
    assert found.log_weights.max() == pytest.approx(largest, rel=1e-12)
    assert found.log_weights.min() == pytest.approx(least, rel=1e-12)
    assert found.effective == pytest.approx(1 / squares, rel=1e-12)


def test_order_and_constant_do_not_matter():
    rng = np.random.default_rng(2)
    ratios, order = rng.standard_t(4, size=500), rng.permutation(500)
    first, second = pareto_smooth(ratios), pareto_smooth(ratios[order] - 1e5)
    np.testing.assert_allclose(first.weights[order], second.weights, rtol=1e-9)
    assert first.weights.sum() == pytest.approx(1.0)


def test_impossible_points_weigh_nothing():
    rng = np.random.default_rng(2)
    ratios = rng.normal(size=1000)
    with_holes = np.concatenate([ratios, np.full(200, -np.inf), np.full(50, np.nan)])
    found = pareto_smooth(with_holes)
    assert (found.weights[1000:] == 0.0).all()
    assert found.weights.sum() == pytest.approx(1.0)


def test_no_weight_no_tail_and_equal_weights():
    assert pareto_smooth(np.full(100, -np.inf)).pareto_k == np.inf
    assert pareto_smooth(np.array([0.0, 1.0, 2.0])).pareto_k == np.inf
    lone = np.full(1000, -np.inf)
    lone[3] = 1.0
    assert pareto_smooth(lone).pareto_k == np.inf
    equal = pareto_smooth(np.full(1000, -3.0))
    assert equal.pareto_k == -np.inf
    assert equal.effective == pytest.approx(1000)


def test_smoothing_beats_plain_weights_where_the_tail_is_heavy():
    """E[x] under a wide normal from a narrow one: brute force over 300 repetitions."""
    rng = np.random.default_rng(8)
    errors = []
    for _ in range(300):
        x = rng.normal(size=1000)
        ratios = stats.norm.logpdf(x, 0.4, 1.6) - stats.norm.logpdf(x)  # k = 1 - 1/1.6^2 = .61
        plain = special.softmax(ratios)
        errors.append([plain @ x - 0.4, pareto_smooth(ratios).weights @ x - 0.4])
    plain, smooth = np.sqrt(np.mean(np.square(errors), axis=0))
    assert smooth < plain


def test_t_density_is_scipys_and_draws_have_its_moments():
    spread = np.array([[2.0, 0.6], [0.6, 0.5]])
    made = StudentT.of(np.array([1.0, -2.0]), spread, 5.0)
    points = made.place(even_uniforms(20_000, 3, np.random.default_rng(4)))
    theirs = stats.multivariate_t([1.0, -2.0], spread, df=5.0).logpdf(points[:50])
    np.testing.assert_allclose(made.log_density(points[:50]), theirs, rtol=1e-10)
    np.testing.assert_allclose(points.mean(axis=0), [1.0, -2.0], atol=0.02)
    np.testing.assert_allclose(np.cov(points.T), spread * 5 / 3, rtol=0.05)


def test_a_spread_that_is_not_positive_is_made_so():
    made = StudentT.of(np.zeros(2), np.array([[1.0, 0.0], [0.0, -1.0]]), 4.0)
    assert np.isfinite(made.log_density(np.ones((1, 2)))).all()


MIX = Mixture(
    (
        StudentT.of(np.array([0.0]), np.array([[1.0]]), 4.0),
        StudentT.of(np.array([6.0]), np.array([[0.25]]), 4.0),
    ),
    (0.3, 0.7),
)


def test_mixture_density_integrates_to_one_and_draws_follow_it():
    grid = np.linspace(-200, 200, 400_001)
    assert np.trapezoid(np.exp(MIX.log_density(grid[:, None])), grid) == pytest.approx(1, abs=1e-4)
    draws = MIX.draw(5000, np.random.default_rng(6))
    assert (draws > 3.5).mean() == pytest.approx(0.7, abs=0.02)
    assert draws.mean() == pytest.approx(4.2, abs=0.05)


def test_weighted_mixture_draws_give_a_known_mean():
    """Importance sampling from the mixture to a gamma(3): mean 3, variance 3."""
    draws = MIX.draw(8000, np.random.default_rng(1))
    target = stats.gamma.logpdf(draws[:, 0], 3.0)
    found = pareto_smooth(target - MIX.log_density(draws))
    assert found.weights @ draws[:, 0] == pytest.approx(3.0, abs=0.1)


def test_even_uniforms_are_even_in_every_coordinate_and_unbiased():
    made = even_uniforms(1000, 6, np.random.default_rng(9))
    for column in made.T:
        assert stats.kstest(column, "uniform").statistic < 0.01  # iid: about .03
    averages = [
        np.prod(2 * even_uniforms(200, 3, np.random.default_rng(s)), axis=1).mean()
        for s in range(200)
    ]
    assert np.mean(averages) == pytest.approx(1.0, abs=4 * np.std(averages) / np.sqrt(200))
    iid = [
        np.prod(2 * np.random.default_rng(s).uniform(size=(200, 3)), axis=1).mean()
        for s in range(200)
    ]
    assert np.std(averages) < 0.4 * np.std(iid)


def copies_law(resample):
    """Every index appears n w times, give or take one, and the order carries no pattern."""
    rng = np.random.default_rng(12)
    weights = special.softmax(rng.normal(size=300))
    chosen = resample(weights, 5000, rng)
    copies = np.bincount(chosen, minlength=300)
    assert np.abs(copies - 5000 * weights).max() <= 1.0 + 1e-9
    assert abs(np.corrcoef(chosen[:-1], chosen[1:])[0, 1]) < 0.06


def test_systematic_resampling():
    copies_law(systematic)
    weights = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    assert set(systematic(weights, 100, np.random.default_rng(0))) == {1, 3}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda w, n, rng: rng.integers(len(w), size=n),  # weights forgotten
        lambda w, n, rng: rng.choice(len(w), size=n, p=w),  # multinomial noise
        lambda w, n, rng: np.sort(systematic(w, n, rng)),  # not shuffled
    ],
)
def test_planted_errors_in_resampling_are_caught(wrong):
    with pytest.raises(AssertionError):
        copies_law(wrong)


@pytest.mark.parametrize("wrong", ["unsmoothed", "sign", "density"])
def test_planted_errors_in_weights_are_caught(monkeypatch, wrong):
    """Each law above fails on a wrong variant."""
    if wrong == "unsmoothed":
        monkeypatch.setattr(importance, "pareto_quantiles", lambda s, k, sigma: sigma * s)
        with pytest.raises(AssertionError):
            test_equal_to_arviz(*ARVIZ[0])
    elif wrong == "sign":
        right = importance.fit_pareto
        monkeypatch.setattr(importance, "fit_pareto", lambda x: (-right(x)[0], right(x)[1]))
        with pytest.raises(AssertionError):
            test_k_hat_of_pareto_weights(2.0)
    else:
        monkeypatch.setattr(
            Mixture, "log_density", lambda self, points: self.parts[0].log_density(points)
        )
        with pytest.raises(AssertionError):
            test_weighted_mixture_draws_give_a_known_mean()


def test_groups_part_what_is_apart():
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(0, 0.1, (200, 2)), rng.normal(5, 0.1, (100, 2))])
    label = grouped(points, 2, rng)
    assert len(set(label[:200]) & set(label[200:])) == 0
