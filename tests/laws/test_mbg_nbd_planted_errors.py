"""MBG/NBD's formulas broken on purpose: each wrong variant is caught by some law."""

import numpy as np
import pytest

from cxmodels.purchases import bg_nbd, bg_nbd_likelihood, mbg_nbd
from cxmodels.purchases.bg_nbd import split
from cxmodels.purchases.mbg_nbd import MBGNBD, staying
from tests.laws.test_purchase_planted_errors import caught_by, updated


def without_first(formula):
    """As BG/NBD has it: nobody leaves after the first purchase."""
    return lambda theta, *args: formula(theta[..., :4], *args)


def stayers_only(formula):
    """The share that leaves at once is forgotten."""
    return lambda theta, *args: formula(staying(theta)[1], *args)


def b_as_it_was(log, formula):
    """Who has not left at once keeps b, though one purchase has been survived."""

    def wrong(theta, *args):
        stay = staying(theta)[0]
        found = formula(theta[..., :4], *args)
        return stay + found if log else np.exp(stay) * found

    return wrong


def three_of(name, log=False):
    formula = getattr(bg_nbd, name)
    return [without_first(formula), stayers_only(formula), b_as_it_was(log, formula)]


def never_left_at_once(theta, n, t):
    stay, here = staying(theta)
    return stay + bg_nbd.log_pmf(here, n, t)


def too_few_stay(name):
    formula = getattr(mbg_nbd, name)
    return lambda theta, t, rng: formula(theta[..., :4] * np.array([1, 1, 1, 0.9]), t, rng)


def p_alive_with(change):
    def wrong(theta, x, t_x, T):
        r, alpha, a, b = split(theta)
        odds = change(a, b, x) * ((alpha + T) / (alpha + t_x)) ** (r + x)
        return 1 / (1 + odds)

    return wrong


PLANTED = {
    "p_alive": [
        p_alive_with(lambda a, b, x: a / (b + np.maximum(x, 1) - 1)),
        p_alive_with(lambda a, b, x: a / (b + x + 1)),
        lambda theta, x, t_x, T: bg_nbd.p_alive(theta, x, t_x, T),
    ],
    "alive": [
        updated(lambda r, alpha, a, b, x, T: (r + x, alpha + T, a, b + x + 1)),
        updated(lambda r, alpha, a, b, x, T: (r + x, alpha + T, a, b + x, 1.0)),
        updated(lambda r, alpha, a, b, x, T: (r + x, alpha, a, b + x + 1, 1.0)),
    ],
    "survival": three_of("survival"),
    "expected_purchases": three_of("expected_purchases"),
    "purchase_rate": three_of("purchase_rate"),
    "log_pmf_survivors": three_of("log_pmf_survivors", log=True),
    "log_pmf": [never_left_at_once, *three_of("log_pmf", log=True)[:2]],
    "simulate": [*three_of("simulate")[:2], too_few_stay("simulate")],
    "simulate_counts": [*three_of("simulate_counts")[:2], too_few_stay("simulate_counts")],
}
CASES = [(name, place) for name, wrong in PLANTED.items() for place in range(len(wrong))]


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_wrong_formula_is_caught(name, place):
    broken = type("Broken", (MBGNBD,), {name: staticmethod(PLANTED[name][place])})
    assert caught_by(broken()), f"wrong variant {place} of {name} slipped through"


LIKELIHOODS = [
    lambda self, theta: original(self, theta * np.array([1, 1, 1, 1.02])),
    lambda self, theta: original(self, theta) + self.rows * np.log1p(theta[..., 2] / theta[..., 3]),
    lambda self, theta: bg_nbd_likelihood.BGNBDObjective._of_draws(
        self.from_profiles(self.space, self.profiles), theta.reshape(-1, 4)
    ).reshape(theta.shape[:-1]),
]
original = bg_nbd_likelihood.BGNBDObjective.log_likelihood


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_likelihood_is_caught(monkeypatch, place):
    monkeypatch.setattr(bg_nbd_likelihood.BGNBDObjective, "log_likelihood", LIKELIHOODS[place])
    assert caught_by(MBGNBD())
