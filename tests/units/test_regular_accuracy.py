"""BG/NBD, MBG/NBD, BG/CNBD-k and MBG/CNBD-k agree with 50-digit arithmetic at hard arguments.

The reference sums over single stages by their recursion; it knows neither the blocks of the
package's sums nor its logs. 1e-8 relative is asked of every quantity (absolute of logs).
"""

import mpmath as mp
import numpy as np
import pytest

from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.mbg_nbd import MBGNBD

DIGITS = 50
LONGEST = {"few": 4_000, "many": 40_000}  # stages of a reference sum, which takes a second or more


def family_of(k: int, first: int):
    if k == 0:
        return (BGNBD, MBGNBD)[first](), 1
    return (BGCNBD, MBGCNBD)[first](k=k), k


def cases(count: int, size: str):
    """(k, first, theta, x, t_x, T, t, n): k = 0 stands for the families without k."""
    rng = np.random.default_rng(count)
    found = []
    while len(found) < count:
        k, first = int(rng.choice([0, 1, 2, 3, 5, 12])), int(rng.integers(0, 2))
        theta = np.exp(rng.normal([0.0, 1.0, 0.0, 0.5], [1.0, 1.5, 1.5, 1.5]))
        if rng.random() < 0.1:
            theta[2] = 1.0
        x = int(rng.choice([0, 0, 1, 3, 12, 60, 400, 5000]))
        T = float(np.exp(rng.normal(3.0, 1.0)))
        t_x = 0.0 if x == 0 else T * float(rng.choice([1.0, 0.999, rng.random(), 1e-3]))
        t, n = float(np.exp(rng.normal(2.0, 1.5))), int(rng.choice([0, 1, 2, 7]))
        if stages_of(max(k, 1), theta, x, T, t) < LONGEST[size]:
            found.append((k, first, theta, x, t_x, T, t, n))
    return found


def stages_of(k, theta, x, T, t):
    s, z = theta[0] + k * x + k, t / (theta[1] + T)
    return s * z + 16 * np.sqrt(s * z * (1 + z)) + 110 / np.log1p(1 / z) + 4 * k


def reference(k, first, theta, x, t_x, T, t, n):
    """P(alive), log likelihood; survival, purchases, rate, P(n), P(n, alive) if alive at T."""
    size = int(stages_of(k, theta, x, T, t)) + 10 * k
    r, alpha, a, b, t_x, T, t = (mp.mpf(float(v)) for v in (*theta, t_x, T, t))
    c, s, early, late = x + first, r + k * x, alpha + t_x, alpha + T
    w = (T - t_x) / late
    parts = [mp.rf(s, j) * w**j / mp.factorial(j) for j in range(k)]
    silent = (early / late) ** s * mp.fsum(parts)
    odds = a / (b + c - 1) if c else mp.mpf(0)
    buying = mp.loggamma(s) - mp.loggamma(r) + r * mp.log(alpha) - s * mp.log(early)
    staying = mp.log(mp.beta(a, b + c)) - mp.log(mp.beta(a, b))
    found = [silent / (silent + odds), buying + staying + mp.log(silent + odds)]
    weights = [part / mp.fsum(parts) for part in parts]
    return found + ahead(k, (weights, s, a, b + c, t / late), late, n, size)


def ahead(k, state, late, n, size):
    weights, s, a, b, z = state
    v, beta, before = z / (1 + z), mp.mpf(1), mp.mpf(0)
    now = [weights[j] * (1 + z) ** -(s + j) for j in range(k)]
    faster = [weights[j] * (s + j) * (1 + z) ** -(s + j + 1) for j in range(k)]
    staying = purchases = rate = exactly = at_least = mp.mpf(0)
    for stage in range(size):
        block, last = divmod(stage, k)
        chance = mp.fsum(now[: stage + 1])
        staying += beta * chance
        purchases += before * chance
        rate += beta * mp.fsum(faster[: stage + 1]) / late if last == k - 1 else 0
        exactly += chance if block == n else 0
        at_least += chance if block >= n else 0
        for j in range(min(stage + 1, k)):
            now[j] *= v * (s + stage) / (stage - j + 1)
            faster[j] *= v * (s + 1 + stage) / (stage - j + 1)
        if last == k - 1:
            before, beta = before + beta, beta * (b + block) / (a + b + block)
    share = mp.beta(a, b + n) / mp.beta(a, b)
    left = mp.beta(a + 1, b + n - 1) / mp.beta(a, b) * at_least if n else mp.mpf(0)
    return [staying, purchases, rate, share * exactly + left, share * exactly]


def ours(family, theta, x, t_x, T, t, n):
    past = (np.float64(x), np.float64(t_x), np.float64(T))
    updated, t, n = family.alive(theta, *past), np.float64(t), np.array(n)
    values = [family.p_alive(theta, *past), family.log_likelihood(theta, *past)]
    values += [
        formula(updated, t)
        for formula in (family.survival, family.expected_purchases, family.purchase_rate)
    ]
    return [*values, np.exp(family.log_pmf(updated, n, t)),
            np.exp(family.log_pmf_survivors(updated, n, t))]  # fmt: skip


def agree(case):
    k, first, theta, x, t_x, T, t, n = case
    family, stages = family_of(k, first)
    found = ours(family, theta, x, t_x, T, t, n)
    with mp.workdps(DIGITS):
        expected = reference(stages, first, theta, x, t_x, T, t, n)
        for place, (value, truth) in enumerate(zip(found, expected, strict=True)):
            scale = max(1, abs(truth)) if place == 1 else max(abs(truth), mp.mpf("1e-280"))
            assert abs(mp.mpf(float(value)) - truth) <= 1e-8 * scale, (place, value, truth, case)


@pytest.mark.parametrize("place", range(4))
def test_hard_arguments(place):
    for case in cases(40, "few")[place::4]:
        agree(case)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(20))
def test_a_thousand_hard_arguments(place):
    for case in cases(1000, "many")[place::20]:
        agree(case)


@pytest.mark.parametrize("family", [BGNBD(), MBGNBD()], ids=lambda family: family.name)
def test_one_stage_is_a_purchase_at_random(family):
    """With k = 1 every quantity is that of BG/NBD and MBG/NBD."""
    regular = MBGCNBD(k=1) if isinstance(family, MBGNBD) else BGCNBD(k=1)
    rng = np.random.default_rng(2)
    theta, x = np.exp(rng.normal(0.5, 1.0, (300, 4))), rng.integers(0, 9, 300).astype(float)
    T = np.exp(rng.normal(3.0, 1.0, 300))
    t_x = np.where(x > 0, T * rng.random(300), 0.0)
    one, other = (kind.alive(theta, x, t_x, T) for kind in (regular, family))
    for name in ("p_alive", "log_likelihood"):
        both = [getattr(kind, name)(theta, x, t_x, T) for kind in (regular, family)]
        np.testing.assert_allclose(*both, rtol=1e-11, atol=1e-11)
    for name in ("survival", "expected_purchases", "purchase_rate"):
        for new, old in ((one, other), (theta, theta)):
            both = [getattr(regular, name)(new, 7.0), getattr(family, name)(old, 7.0)]
            np.testing.assert_allclose(*both, rtol=1e-12)
    for name in ("log_pmf", "log_pmf_survivors"):
        n = np.arange(300) % 5
        both = [getattr(kind, name)(theta, n, 7.0) for kind in (regular, family)]
        np.testing.assert_allclose(*both, rtol=1e-10, atol=1e-10)
    a, b = (kind.rows(theta, x, t_x, T) for kind in (regular, family))
    np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(a.hessian, b.hessian, rtol=1e-8, atol=1e-8)
