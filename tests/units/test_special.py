"""The two averages over drop-out agree with 50-digit arithmetic, also where closed forms break."""

import mpmath as mp
import numpy as np
import pytest

from cxmodels.numerics import special

mp.mp.dps = 50


def reference(kind: str, A: float, a: float, b: float, z: float) -> float:
    """log of the mean over p ~ Beta(a, b): mpmath's 2F1, or its series where that takes minutes."""
    exact = tuple(mp.mpf(float(v)) for v in (A, a, b, z))
    route = hypergeometric if a + b < 10_000 else series
    return float(mp.log(route(kind, *exact)))


def hypergeometric(kind, A, a, b, z):
    if kind == "mean":
        return mp.hyp2f1(A, a, a + b, -z)
    if a == 1:  # the limit from both sides
        near = mp.mpf(10) ** -20
        return (
            hypergeometric(kind, A, a + near, b, z) + hypergeometric(kind, A, a - near, b, z)
        ) / 2
    return (a + b - 1) / (a - 1) * (1 - mp.hyp2f1(A, a - 1, a + b - 1, -z))


def series(kind, A, a, b, z):
    """Sum over a negative binomial count m of E[(1-p)^m], or of E[1 + ... + (1-p)^(m-1)]."""
    w, chance, stays, total, sums = z / (1 + z), (1 + z) ** -A, mp.mpf(1), mp.mpf(0), mp.mpf(0)
    for m in range(1500):
        sums += chance * (stays if kind == "mean" else total)
        total, stays = total + stays, stays * (b + m) / (a + b + m)
        chance *= w * (A + m) / (m + 1)
    return sums


HARD = [
    (0.24, 0.79, 2.4, 9.0),
    (3.2, 1.0, 2.4, 0.7),  # a = 1: the closed form is 0/0
    (3.2, 1.0 + 1e-9, 2.4, 0.7),
    (8.0, 0.4, 0.5, 12.0),  # a + b < 1
    (132.0, 0.8, 134.0, 1.5),  # many purchases
    (5000.0, 0.8, 5001.0, 0.8),
    (0.3, 1e-3, 4.0, 3.0),  # almost nobody leaves
    (0.3, 0.8, 2.4, 1e-9),  # almost no time
    (0.3, 0.8, 2.4, 2e4),  # a very long time
    (2.0, 4000.0, 9000.0, 3.0),
    (58.005977662243005, 39.373664510875386, 7.745420561159822, 14.98),  # scipy is off by 2 %
    (39.690587037458585, 26.91517178517492, 0.0174428458991878, 4.7006),  # scipy: 6e-5
]


@pytest.mark.parametrize("arguments", HARD)
def test_hard_arguments(arguments):
    mean = float(special.log_beta_power_mean(*arguments))
    assert mean == pytest.approx(reference("mean", *arguments), abs=1e-10)
    integral = float(special.log_beta_power_integral(*arguments))
    assert integral == pytest.approx(reference("integral", *arguments), abs=1e-10)


def test_random_arguments():
    rng = np.random.default_rng(8)
    values = np.exp(rng.normal(0.0, 1.6, (25, 4)))
    for arguments in values:
        mean = float(special.log_beta_power_mean(*arguments))
        assert mean == pytest.approx(reference("mean", *arguments), abs=1e-10)


def test_series_and_integral_agree():
    rng = np.random.default_rng(9)
    A, a, b, z = np.exp(rng.normal(0.0, 2.0, (4, 2000)))
    for log_f in (special._power, special._power_integral):
        whole = special._evaluate(log_f, A, a, b, z)
        integral = special._integral(log_f, (A, a, b, z))
        np.testing.assert_allclose(whole, integral, atol=5e-10)


def test_limits_and_shapes():
    assert special.log_beta_power_mean(2.0, 0.8, 2.4, 0.0) == 0.0
    assert special.log_beta_power_integral(2.0, 0.8, 2.4, 0.0) == -np.inf
    assert special.log_beta_power_mean(np.ones((3, 1)), 1.0, 2.0, np.ones(4)).shape == (3, 4)


def test_log_one_minus_exp():
    x = np.array([1e-300, 1e-12, 0.5, np.log(2), 3.0, 800.0])
    expected = [float(mp.log(-mp.expm1(-mp.mpf(v)))) for v in x]
    np.testing.assert_allclose(special.log_one_minus_exp(x), expected, rtol=1e-14, atol=1e-300)
    assert special.log_one_minus_exp(np.zeros(1))[0] == -np.inf
