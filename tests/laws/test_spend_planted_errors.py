"""The spend model broken on purpose: each wrong variant of each formula is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import betaln

from cxmodels.spend import gamma_gamma
from tests.laws.spend_laws import LAWS, Formulas


def parts(theta):
    return theta[..., 0], theta[..., 1], theta[..., 2]


right = Formulas()


def density_without_counts(theta, x, m):
    """The orders taken for one."""
    return gamma_gamma.log_density_of_mean(theta, np.ones_like(x), m)


def density_of_the_sum(theta, x, m):
    """The Jacobian from sum to mean forgotten."""
    return gamma_gamma.log_density_of_mean(theta, x, m) - np.log(x)


def density_with_p_for_px(theta, x, m):
    p, q, _ = parts(theta)
    return gamma_gamma.log_density_of_mean(theta, x, m) + betaln(p * x, q) - betaln(p, q)


def seen_with(q_of, gamma_of):
    def wrong(theta, x, m):
        p, q, gamma = parts(theta)
        x = np.asarray(x, dtype=float)
        m = np.where(x > 0, m, 0.0)
        found = np.broadcast_arrays(p, q_of(p, q, x), gamma_of(p, gamma, x, m))
        return np.stack(found, axis=-1)

    return wrong


def spend_with(formula):
    def wrong(theta):
        p, q, gamma = parts(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(q > 1, formula(p, q, gamma), np.inf)

    return wrong


def variance_with(formula):
    def wrong(theta):
        p, q, gamma = parts(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(q > 2, formula(p, q, gamma), np.inf)

    return wrong


def swapped(formula):
    """p and q exchanged."""
    return lambda theta, *args: formula(theta[..., [1, 0, 2]], *args)


SPEND = {
    "log_density_of_mean": [density_without_counts, density_of_the_sum, density_with_p_for_px],
    "seen": [
        seen_with(lambda p, q, x: q + x, lambda p, g, x, m: g + m * x),
        seen_with(lambda p, q, x: q + p * x, lambda p, g, x, m: g + m),
        seen_with(lambda p, q, x: q + p * x, lambda p, g, x, m: g + p * m * x),
    ],
    "expected_spend": [
        spend_with(lambda p, q, gamma: p * gamma / q),
        spend_with(lambda p, q, gamma: gamma / (q - 1)),
        spend_with(lambda p, q, gamma: p * (q - 1) / gamma),
    ],
    "variance_of_mean_spend": [
        variance_with(lambda p, q, gamma: (p * gamma / (q - 1)) ** 2 / (q - 1)),
        variance_with(lambda p, q, gamma: p * gamma**2 / ((q - 1) ** 2 * (q - 2))),
        variance_with(lambda p, q, gamma: p * gamma / ((q - 1) ** 2 * (q - 2))),
    ],
    "next_order_cdf": [
        swapped(gamma_gamma.next_order_cdf),
        lambda theta, z: 1 - gamma_gamma.next_order_cdf(theta, z),
        lambda theta, z: gamma_gamma.next_order_cdf(theta + np.eye(3)[1], z),
    ],
    "next_order_quantile": [
        swapped(gamma_gamma.next_order_quantile),
        lambda theta, u: gamma_gamma.next_order_quantile(theta, 1 - np.asarray(u)),
        lambda theta, u: gamma_gamma.next_order_quantile(theta, u) * theta[..., 0],
    ],
    "next_order_log_density": [
        swapped(gamma_gamma.next_order_log_density),
        lambda theta, z: gamma_gamma.next_order_log_density(theta, z) + np.log(theta[..., 2]),
        lambda theta, z: gamma_gamma.next_order_log_density(theta + np.eye(3)[0], z),
    ],
}  # fmt: skip
SPEND_CASES = [(name, place) for name, wrong in SPEND.items() for place in range(len(wrong))]


def caught(laws, *args) -> str | None:
    """The name of the first law that fails."""
    for law in laws:
        try:
            law(*args)
        except AssertionError:
            return law.__name__
    return None


def test_nothing_is_caught_where_nothing_is_wrong():
    assert caught(LAWS, right) is None


@pytest.mark.parametrize(("name", "place"), SPEND_CASES)
def test_a_wrong_spend_formula_is_caught(name, place):
    broken = replace(right, **{name: SPEND[name][place]})
    assert caught(LAWS, broken), f"wrong variant {place} of {name} slipped through"
