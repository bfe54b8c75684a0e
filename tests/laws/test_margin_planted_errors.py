"""The model of margins broken on purpose: each wrong variant of each formula is caught by a law."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from cxmodels.spend import normal_normal
from cxmodels.spend.normal_normal import NormalNormal
from tests.laws.margin_laws import LAWS, NAMES, Formulas

right = Formulas()
NORMAL = NormalNormal()


def parts(theta):
    return theta[..., 0], theta[..., 1], theta[..., 2]


def mean_with(variance):
    def wrong(theta, x, m):
        mu, tau, sigma = parts(theta)
        return stats.norm(mu, np.sqrt(variance(tau, sigma, x))).logpdf(m)

    return wrong


def seen_with(weight, left=None):
    def wrong(theta, x, m):
        mu, tau, sigma = parts(theta)
        w = weight(tau, sigma, np.asarray(x, dtype=float))
        level = mu + w * (np.where(np.asarray(x) > 0, m, 0.0) - mu)
        rest = tau * np.sqrt(np.maximum(1.0 - w, 0.0)) if left is None else left(tau, w)
        return np.stack(np.broadcast_arrays(level, rest, sigma), axis=-1)

    return wrong


def own(tau, sigma, x):
    return x * tau**2 / np.maximum(x * tau**2 + sigma**2, 1e-300)


def brought_with(expected, variance):
    def wrong(theta, sums, x, m, rng):
        D, Q = sums
        _, tau, sigma = theta.T
        w = own(tau, sigma, x[:, None])
        middle = expected(NORMAL.expected_order(theta, x, m), theta, D)
        spread = np.sqrt(variance(tau**2 * (1.0 - w), sigma**2, D, Q))
        return middle + spread * rng.standard_normal(D.shape)

    return wrong


def means_with(variance):
    def wrong(theta, x, rng):
        mu, tau, sigma = theta
        return mu + np.sqrt(variance(tau, sigma, x)) * rng.standard_normal(x.size)

    return wrong


def next_with(spread, seen_x=lambda x: x):
    def wrong(theta, x, copies, rng):
        chance = spread(normal_normal.seen(theta, x, 0.0)) * rng.standard_normal((copies, 1))
        return lambda m: NORMAL.expected_order(theta, np.array([seen_x(x)]), np.array([m])) + chance

    return wrong


def squares_with(of):
    def wrong(theta, x, m, S):
        plain = normal_normal.log_density_of_orders(theta, x, m, S)
        return plain + of(theta[..., 2], x, S)

    return wrong


WRONG = {
    "log_density_of_mean": [
        mean_with(lambda tau, sigma, x: tau**2 + sigma**2),
        mean_with(lambda tau, sigma, x: (tau**2 + sigma**2) / x),
        mean_with(lambda tau, sigma, x: (tau + sigma / np.sqrt(x)) ** 2),
    ],
    "log_density_of_orders": [
        squares_with(lambda sigma, x, S: 0.5 * np.log(x)),
        squares_with(lambda sigma, x, S: -np.log(sigma)),
        squares_with(lambda sigma, x, S: 0.25 * S / sigma**2),
    ],
    "seen": [
        seen_with(lambda tau, sigma, x: tau**2 / (tau**2 + sigma**2) * (x > 0)),
        seen_with(lambda tau, sigma, x: x * tau / np.maximum(x * tau + sigma, 1e-300)),
        seen_with(own, lambda tau, w: tau * (1.0 - w)),
    ],
    "expected_margin": [
        lambda theta: np.zeros_like(theta[..., 0]),
        lambda theta: np.maximum(theta[..., 0], 0.0),
        lambda theta: theta[..., 0] + theta[..., 1] ** 2 / 100.0,
    ],
    "variance_of_mean_margin": [
        lambda theta: theta[..., 1],
        lambda theta: theta[..., 1] ** 2 + theta[..., 2] ** 2,
        lambda theta: theta[..., 2] ** 2,
    ],
    "next_order_cdf": [
        lambda theta, z: special.ndtr((z - theta[..., 0]) / theta[..., 2]),
        lambda theta, z: special.ndtr((z - theta[..., 0]) / theta[..., 1:3].sum(axis=-1)),
        lambda theta, z: special.ndtr((theta[..., 0] - z) / np.hypot(*parts(theta)[1:])),
    ],
    "next_order_quantile": [
        lambda theta, p: theta[..., 0] + theta[..., 2] * special.ndtri(p),
        lambda theta, p: -theta[..., 0] + np.hypot(*parts(theta)[1:]) * special.ndtri(p),
        lambda theta, p: np.maximum(normal_normal.next_order_quantile(theta, p), 0.0),
    ],
    "next_order_log_density": [
        lambda theta, z: stats.norm(theta[..., 0], theta[..., 2]).logpdf(z),
        lambda theta, z: stats.norm(theta[..., 0], theta[..., 1:3].sum(axis=-1)).logpdf(z),
        lambda theta, z: normal_normal.next_order_log_density(theta, z) + 0.1,
    ],
    "expected_order": [
        lambda theta, x, m: np.broadcast_to(m[:, None], (x.size, len(theta))),
        lambda theta, x, m: np.maximum(NORMAL.expected_order(theta, x, m), 0.0),
        lambda theta, x, m: NORMAL.expected_order(theta, np.minimum(x, 1.0), m),
    ],
    "sums": [
        lambda theta, worth, *rest: NORMAL.sums(theta, np.ones_like(worth), *rest),
        lambda *args: NORMAL.sums(*args)[::-1],
        lambda *args: np.stack([NORMAL.sums(*args)[0], NORMAL.sums(*args)[0] ** 2]),
    ],
    "revenue": [
        brought_with(lambda e, theta, D: e * D, lambda left, noise, D, Q: (left + noise) * Q),
        brought_with(lambda e, theta, D: e * D, lambda left, noise, D, Q: (left + noise) * D**2),
        brought_with(
            lambda e, theta, D: theta[:, 0] * D,
            lambda left, noise, D, Q: left * D**2 + noise * Q,
        ),
        brought_with(lambda e, theta, D: e * D, lambda left, noise, D, Q: left * D**2 + noise * D),
    ],
    "simulated_means": [
        means_with(lambda tau, sigma, x: tau**2 + sigma**2),
        means_with(lambda tau, sigma, x: (tau**2 + sigma**2) / x),
        means_with(lambda tau, sigma, x: sigma**2 / x),
    ],
    "next_orders": [
        next_with(lambda theta: theta[..., 2]),
        next_with(lambda theta: theta[..., 1] + theta[..., 2]),
        next_with(normal_normal.spread_of_order, lambda x: 0.0 * x),
    ],
}
CASES = [(name, place) for name, wrong in WRONG.items() for place in range(len(wrong))]


def caught(formulas: Formulas) -> bool:
    for law in LAWS:
        try:
            with np.errstate(all="ignore"):
                law(formulas)
        except AssertionError:
            return True
    return False


def test_every_formula_is_broken():
    assert set(WRONG) == set(NAMES)
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_wrong_formula_is_caught(name, place):
    assert caught(replace(right, **{name: WRONG[name][place]})), f"{name} {place} slipped through"
