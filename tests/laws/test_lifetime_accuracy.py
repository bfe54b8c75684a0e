"""Every predicted quantity at hard arguments against the same integrals in 50-digit arithmetic."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest

from cxmodels.purchases import ggompertz_nbd, pareto_nbd

FAMILIES = {"Pareto/NBD": pareto_nbd, "Gamma-Gompertz/NBD": ggompertz_nbd}


def hard(name, count, seed):
    """Parameters (count, k), x, t_x, T, n: x to 5,000, times over ten orders, near every edge."""
    rng = np.random.default_rng(seed)
    x = np.floor(np.minimum(np.exp(rng.uniform(-1, 8.6, count)), 5000)) * (rng.random(count) > 0.2)
    T = np.exp(rng.uniform(-9, 9, count))
    r, s = np.exp(rng.uniform(-4, 4, count)), np.exp(rng.uniform(-5, 5, count))
    alpha = T * np.exp(rng.uniform(-9, 9, count))
    late, early = 1 - np.exp(rng.uniform(-18, 0, count)), np.exp(rng.uniform(-18, 0, count))
    share = np.choose(rng.integers(0, 4, count), [late, early, rng.random(count), np.ones(count)])
    t_x = np.where(x > 0, share * T, 0.0)
    if name == "Pareto/NBD":
        law = (s, T * np.exp(rng.uniform(-9, 9, count)))
    else:
        law = (np.exp(rng.uniform(-7, 5, count)) / T, s, np.exp(rng.uniform(-8, 8, count)))
    n = np.floor(np.exp(rng.uniform(-1, 6, count))).astype(int)
    return np.stack([r, alpha, *law], axis=-1), x, t_x, T, n


def survival_and_density(name, law):
    if name == "Pareto/NBD":
        s, beta = law
        return (
            lambda t: (beta / (beta + t)) ** s,
            lambda t: s / (beta + t) * (beta / (beta + t)) ** s,
        )
    b, s, beta = law

    def alive(t):
        return (beta / (beta + mpmath.expm1(b * t))) ** s

    return alive, lambda t: alive(t) * s * b * mpmath.exp(b * t) / (beta + mpmath.expm1(b * t))


def integral(f, low, high, scales):
    """f over (low, high), cut finely in the logs of time above each scale and from the top."""
    if high <= low:
        return mpmath.mpf(0)
    cuts = {low, high}
    for scale in scales:
        for power in range(-30, 31, 2):
            for cut in (low + scale * mpmath.e**power, high - scale * mpmath.e**power):
                if low < cut < high:
                    cuts.add(cut)
    cuts = sorted(cuts)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    total = mpmath.mpf(0)
    for a, b in pairwise(cuts):
        half = (b - a) / 2
        total += half * mpmath.fsum(
            mpmath.mpf(float(w)) * f(a + half * (1 + mpmath.mpf(float(z))))
            for z, w in zip(nodes, weights, strict=True)
        )
    return total


def exact(name, theta, x, t_x, T, n):
    """log likelihood, P(alive), survival, expected purchases, rate, log pmf: in mpmath."""
    theta = [mpmath.mpf(float(v)) for v in theta]
    x, t_x, T, n = (mpmath.mpf(float(v)) for v in (x, t_x, T, n))
    r, alpha = theta[:2]
    S, f = survival_and_density(name, theta[2:])
    scales = [alpha, alpha / (r + x), T]
    if name == "Pareto/NBD":
        scales += [theta[3], theta[3] / (theta[2] + 1)]
    else:
        b, s, beta = theta[2:]
        scales += [1 / b, beta / b, 1 / (b * s)]
    power = r + x
    alive = (alpha + T) ** -power * S(T)
    both = alive + integral(lambda t: (alpha + t) ** -power * f(t), t_x, T, scales)
    likelihood = mpmath.gamma(power) / mpmath.gamma(r) * alpha**r * both
    choose = mpmath.gamma(r + n) / mpmath.gamma(r) / mpmath.factorial(n) * alpha**r
    pmf = T**n * (alpha + T) ** -(r + n) * S(T)
    pmf += integral(lambda t: t**n * (alpha + t) ** -(r + n) * f(t), mpmath.mpf(0), T, scales)
    expected = r / alpha * integral(S, mpmath.mpf(0), T, scales)
    return [
        mpmath.log(likelihood), alive / both, S(T), expected, r / alpha * S(T),
        mpmath.log(choose * pmf),
    ]  # fmt: skip


def compare(name, count, seed):
    formulas = FAMILIES[name]
    theta, x, t_x, T, n = hard(name, count, seed)
    found = [
        formulas.log_likelihood(theta, x, t_x, T),
        formulas.p_alive(theta, x, t_x, T),
        formulas.survival(theta, T),
        formulas.expected_purchases(theta, T),
        formulas.purchase_rate(theta, T),
        formulas.log_pmf(theta, n, T),
    ]
    assert all(np.isfinite(values).all() for values in found)
    worst = np.zeros(len(found))
    with mpmath.workdps(50):
        for row in range(count):
            expected = exact(name, theta[row], x[row], t_x[row], T[row], n[row])
            for place, (values, right) in enumerate(zip(found, expected, strict=True)):
                if right != 0 and abs(right) < 1e-290:  # below a double
                    continue
                # a log's own relative error says nothing near 0: its absolute one does
                size = max(abs(right), 1) if place in (0, 5) else abs(right)
                error = float(abs(mpmath.mpf(float(values[row])) - right) / size)
                worst[place] = max(worst[place], error)
    return worst


@pytest.mark.parametrize("name", FAMILIES)
def test_some_hard_arguments(name):
    assert (compare(name, 6, 7) < 1e-8).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_thousand_hard_arguments(name):
    assert (compare(name, 1000, 8) < 1e-8).all()
