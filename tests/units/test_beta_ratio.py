"""log B(a, b + x) / B(a, b) and its derivatives in 60 digits, at hard arguments."""

import mpmath
import numpy as np
import pytest

from cxmodels.numerics.beta_ratio import beta_ratio, log_beta_ratio

RNG = np.random.default_rng(8)
HARD = np.exp(RNG.uniform([-25, -25, -12], [25, 25, 12], (120, 3)))


def exact(a, b, x):
    """Value, gradient and Hessian's distinct parts (aa, ax, bb, xx), as log gammas define them."""
    a, b, x = map(mpmath.mpf, (a, b, x))
    c, psi = a + b, mpmath.digamma

    def bend(z):
        return mpmath.psi(1, z)

    value = mpmath.loggamma(b + x) + mpmath.loggamma(c)
    value -= mpmath.loggamma(c + x) + mpmath.loggamma(b)
    slope = [
        psi(c) - psi(c + x),
        psi(b + x) - psi(b) - psi(c + x) + psi(c),
        psi(b + x) - psi(c + x),
    ]
    bends = [
        bend(c) - bend(c + x),
        -bend(c + x),
        bend(b + x) - bend(b) - bend(c + x) + bend(c),
        bend(b + x) - bend(c + x),
    ]
    return [value, *slope, *bends]


def found(a, b, x):
    made = beta_ratio(*(np.array([v]) for v in (a, b, x)))
    h = made.hessian[..., 0]
    return [made.value[0], *made.gradient[:, 0], h[0, 0], h[0, 2], h[1, 1], h[2, 2]]


def test_value_and_derivatives_at_hard_arguments():
    for a, b, x in HARD:
        with mpmath.workdps(60):
            truth = [float(v) for v in exact(a, b, x)]
        made = found(a, b, x)
        np.testing.assert_allclose(made[0], truth[0], rtol=2e-8)
        np.testing.assert_allclose(made[1:6], truth[1:6], rtol=1e-8)
        # bb is a difference of differences; it counts against b^-2, the scale of logs
        assert abs(made[6] - truth[6]) < 1e-8 * abs(truth[6]) + 1e-12 * b**-2
        np.testing.assert_allclose(made[7], truth[7], rtol=1e-9)


def test_ordinary_arguments_to_the_last_digits():
    for a, b, x in np.exp(RNG.uniform(-4, 4, (100, 3))):
        with mpmath.workdps(40):
            truth = float(exact(a, b, x)[0])
        assert log_beta_ratio(a, b, x) == pytest.approx(truth, rel=1e-13)


def test_nothing_happens_in_no_time():
    assert log_beta_ratio(1.7, 2.3, 0.0) == 0.0
    made = beta_ratio(np.array([1.7]), np.array([2.3]), np.array([0.0]))
    assert made.value[0] == made.gradient[0, 0] == made.gradient[1, 0] == 0.0
    assert made.gradient[2, 0] < 0.0


def test_arguments_broadcast():
    a, b, x = np.array([[0.7], [1.9]]), 2.2, np.array([1.0, 4.0, 9.5])
    together = log_beta_ratio(a, b, x)
    assert together.shape == (2, 3)
    assert together[1, 2] == log_beta_ratio(1.9, 2.2, 9.5)
