"""Formulas broken on purpose: each wrong variant of each formula is caught by some law."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy

from cxmodels.likelihood.objective import Derivatives
from cxmodels.purchases import bg_nbd, bg_nbd_likelihood
from cxmodels.purchases.bg_nbd import BGNBD, split
from tests.laws.purchase_laws import laws_of


def with_parameters(formula, change):
    """The formula called with changed parameters (r, alpha, a, b)."""

    def wrong(theta, *args):
        return formula(np.stack(np.broadcast_arrays(*change(*split(theta))), axis=-1), *args)

    return wrong


def updated(change):
    """`alive` with a wrong update of (r, alpha, a, b) by x and T."""

    def wrong(theta, x, t_x, T):
        return np.stack(np.broadcast_arrays(*change(*split(theta), x, T)), axis=-1)

    return wrong


def swap(r, alpha, a, b):
    return r, alpha, b, a


def without_minus_one(theta, x, t_x, T):
    r, alpha, a, b = split(theta)
    odds = np.log(a) - np.log(b + x) + (r + x) * np.log((alpha + T) / (alpha + t_x))
    return np.where(x > 0, 1 / (1 + np.exp(odds)), 1.0)


def one_time_buyers_may_be_gone(theta, x, t_x, T):
    r, alpha, a, b = split(theta)
    odds = np.log(a) - np.log(b + np.maximum(x, 1) - 1)
    odds = odds + (r + x) * np.log((alpha + T) / (alpha + t_x))
    return 1 / (1 + np.exp(odds))


def never_leaves(theta, t, rng):
    found = bg_nbd.simulate(theta, t, rng)
    r, alpha, _, _ = split(theta)
    count = rng.poisson(rng.standard_gamma(r) / alpha * t)
    return replace(found, count=count)


def pmf_without_leaving(theta, n, t):
    return bg_nbd.log_pmf_survivors(theta, n, t)


def pmf_leaves_one_later(theta, n, t):
    n = np.asarray(n)
    r, alpha, a, b = split(theta)
    late = scipy.special.betaln(a + 1, b + np.maximum(n, 1)) - scipy.special.betaln(a, b)
    gone = np.where(n > 0, late + bg_nbd.log_at_least(r, t / alpha, np.maximum(n, 1)), -np.inf)
    return np.logaddexp(bg_nbd.log_pmf_survivors(theta, n, t), gone)


def times_backwards(theta, t, rng):
    found = bg_nbd.simulate(theta, t, rng)
    end = np.broadcast_to(t, found.count.shape)
    return replace(found, time=end[found.customer] - found.time)


PLANTED = {
    "p_alive": [
        without_minus_one,
        one_time_buyers_may_be_gone,
        lambda theta, x, t_x, T: bg_nbd.p_alive(theta, x, T - t_x, T),
    ],
    "alive": [
        updated(lambda r, alpha, a, b, x, T: (r, alpha + T, a, b + x)),
        updated(lambda r, alpha, a, b, x, T: (r + x, alpha + T, a, b)),
        updated(lambda r, alpha, a, b, x, T: (r + x, alpha, a, b + x)),
    ],
    "survival": [
        with_parameters(bg_nbd.survival, swap),
        with_parameters(bg_nbd.survival, lambda r, alpha, a, b: (r + 1, alpha, a, b)),
        lambda theta, t: np.sqrt(bg_nbd.survival(theta, t)),
    ],
    "expected_purchases": [
        with_parameters(bg_nbd.expected_purchases, swap),
        with_parameters(bg_nbd.expected_purchases, lambda r, alpha, a, b: (r, alpha, a, b + 1)),
        lambda theta, t: split(theta)[0] / split(theta)[1] * t,
    ],
    "purchase_rate": [
        with_parameters(bg_nbd.purchase_rate, lambda r, alpha, a, b: (r + 1, alpha, a, b)),
        lambda theta, t: bg_nbd.purchase_rate(theta, t) * split(theta)[1],
        lambda theta, t: split(theta)[0] / split(theta)[1] * bg_nbd.survival(theta, t),
    ],
    "log_pmf": [
        pmf_without_leaving,
        pmf_leaves_one_later,
        lambda theta, n, t: bg_nbd.log_pmf(theta, np.asarray(n) + 1, t),
    ],
    "log_pmf_survivors": [
        with_parameters(bg_nbd.log_pmf_survivors, swap),
        lambda theta, n, t: bg_nbd.log_negative_binomial(split(theta)[0], t / split(theta)[1], n),
        lambda theta, n, t: bg_nbd.log_pmf_survivors(theta, n, t / 2),
    ],
    "simulate": [
        never_leaves,
        with_parameters(bg_nbd.simulate, swap),
        times_backwards,
    ],
}  # fmt: skip
CASES = [(name, place) for name, wrong in PLANTED.items() for place in range(len(wrong))]


def caught_by(family) -> list[str]:
    caught = []
    for law in laws_of(family):
        try:
            law(family)
        except AssertionError:
            caught.append(law.__name__)
            break
    return caught


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_wrong_formula_is_caught(name, place):
    broken = type("Broken", (BGNBD,), {name: staticmethod(PLANTED[name][place])})
    assert caught_by(broken()), f"wrong variant {place} of {name} slipped through"


def missing_term(place):
    def wrong(data, theta, buying):
        found = bg_nbd_likelihood._of_leaving(data, theta, buying)
        gradient, hessian = found.gradient.copy(), found.hessian.copy()
        if place == 0:
            gradient[2] *= 1.001
        elif place == 1:
            hessian[0, 1] *= 1.001
        else:
            return Derivatives(found.value + 0.001 * theta[1], gradient, hessian)
        return Derivatives(found.value, gradient, hessian)

    return wrong


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_derivative_is_caught(monkeypatch, place):
    original, wrong = bg_nbd_likelihood._of_leaving, missing_term(place)
    fake = SimpleNamespace(inside=False)

    def once(data, theta, buying):
        if fake.inside:
            return original(data, theta, buying)
        fake.inside = True
        try:
            return wrong(data, theta, buying)
        finally:
            fake.inside = False

    monkeypatch.setattr(bg_nbd_likelihood, "_of_leaving", once)
    assert caught_by(BGNBD())


def likelihood_variant(place):
    def wrong(self, theta):
        right = original(self, theta)
        if place == 0:  # the odds of having left use b + x in place of b + x - 1
            shifted = theta.copy()
            shifted[..., 3] += 0.05
            return original(self, shifted)
        if place == 1:  # a constant per purchase, as when alpha is taken for a scale
            return right - self.purchases_at.sum() * np.log(theta[..., 1])
        return right * 0.5  # half the customers forgotten

    original = bg_nbd_likelihood.BGNBDObjective.log_likelihood
    return wrong


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_likelihood_is_caught(monkeypatch, place):
    monkeypatch.setattr(
        bg_nbd_likelihood.BGNBDObjective, "log_likelihood", likelihood_variant(place)
    )
    assert caught_by(BGNBD())
