"""BG/CNBD-k and MBG/CNBD-k broken on purpose: each wrong variant is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest

from cxmodels.numerics import stages
from cxmodels.purchases import bg_cnbd, bg_cnbd_likelihood, bg_nbd
from cxmodels.purchases.bg_cnbd import MBGCNBD, Customers
from cxmodels.purchases.bg_cnbd_likelihood import Shape
from tests.laws.test_purchase_planted_errors import caught_by

K2 = Shape(2, 1)


def of_another(name, shape):
    """The formula of one stage more, or of nobody leaving at the start."""
    formula = getattr(bg_cnbd, name)
    return lambda self, theta, *args: formula(shape, theta, *args)


def forgets_silence(name):
    """Every living customer is taken to have just bought."""
    formula = getattr(bg_cnbd, name)

    def wrong(self, theta, *args):
        if theta.shape[-1] == 5:
            theta = np.concatenate([theta[..., :4], 0.0 * theta[..., 4:]], axis=-1)
        return formula(K2, theta, *args)

    return wrong


def three_of(name):
    return [of_another(name, Shape(3, 1)), of_another(name, Shape(2, 0)), forgets_silence(name)]


def state(change):
    def wrong(self, theta, x, t_x, T):
        found = bg_cnbd.alive(K2, theta, x, t_x, T)
        r, alpha, a, b, gap = (found[..., place] for place in range(5))
        return np.stack(np.broadcast_arrays(*change(r, alpha, a, b, gap, x)), axis=-1)

    return wrong


def p_alive(change):
    return lambda self, theta, x, t_x, T: change(theta, x, t_x, T)


def density_of(change):
    def wrong(self, profiles):
        right = bg_cnbd.ErlangFamily.objective(self, profiles)
        return replace(right, family=Broken(change))

    return wrong


class Broken:
    """A family whose likelihood of single histories is changed."""

    def __init__(self, change):
        self.change, self.space = change, MBGCNBD(k=2).space

    def log_likelihood(self, theta, x, t_x, T):
        return self.change(theta, x, t_x, T)

    def rows(self, theta, x, t_x, T):
        found = bg_cnbd_likelihood.rows(K2, theta, x, t_x, T)
        return replace(found, value=self.change(theta, x, t_x, T))


def likelihood(theta, x, t_x, T):
    return bg_cnbd_likelihood.log_likelihood(K2, theta, x, t_x, T)


PLANTED = {
    "survival": three_of("survival"),
    "expected_purchases": three_of("expected_purchases"),
    "purchase_rate": three_of("purchase_rate"),
    "log_pmf": [
        *three_of("log_pmf")[:2],
        lambda self, theta, n, t: bg_cnbd.log_pmf_survivors(K2, theta, n, t),
    ],
    "log_pmf_survivors": [
        *three_of("log_pmf_survivors")[:2],
        lambda self, theta, n, t: bg_cnbd.log_pmf_survivors(K2, theta, n, t * 1.01),
    ],
    "simulate": [
        of_another("simulate", Shape(3, 1)),
        of_another("simulate", Shape(2, 0)),
        lambda self, theta, t, rng: bg_nbd.simulate(theta[..., :4] * [1, 2, 1, 1], t, rng),
    ],
    "simulate_counts": [
        of_another("simulate_counts", Shape(3, 1)),
        of_another("simulate_counts", Shape(2, 0)),
        lambda self, theta, t, rng: bg_nbd.simulate_counts(theta[..., :4] * [1, 2, 1, 1], t, rng),
    ],
    "alive": [
        state(lambda r, alpha, a, b, gap, x: (r - x, alpha, a, b, gap)),
        state(lambda r, alpha, a, b, gap, x: (r, alpha, a, b - 1, gap)),
        state(lambda r, alpha, a, b, gap, x: (r, alpha, a, b, 0.0 * gap)),
    ],
    "p_alive": [
        p_alive(lambda *past: bg_cnbd.p_alive(Shape(3, 1), *past)),
        p_alive(lambda *past: bg_cnbd.p_alive(Shape(2, 0), *past)),
        p_alive(lambda theta, x, t_x, T: bg_cnbd.p_alive(K2, theta, x, T - t_x, T)),
    ],
    "objective": [
        density_of(lambda *past: bg_cnbd_likelihood.log_likelihood(Shape(2, 0), *past)),
        density_of(lambda *past: bg_cnbd_likelihood.log_likelihood(Shape(3, 1), *past)),
        density_of(lambda theta, x, t_x, T: likelihood(theta, x, t_x, T) + 0.01 * x),
    ],
}
CASES = [(name, place) for name, wrong in PLANTED.items() for place in range(len(wrong))]


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_wrong_formula_is_caught(name, place):
    broken = type("Broken", (MBGCNBD,), {name: PLANTED[name][place]})
    assert caught_by(broken(k=2)), f"wrong variant {place} of {name} slipped through"


def weights_of(change):
    return lambda k, s, late, mark: change(bg_cnbd_weights(k, s, late, mark), k)


bg_cnbd_weights = bg_cnbd.stage_weights
WEIGHTS = [
    lambda right, k: right[..., ::-1],
    lambda right, k: np.full_like(right, 1.0 / k),
    lambda right, k: right**2 / (right**2).sum(axis=-1, keepdims=True),
]


@pytest.mark.parametrize("place", range(3))
def test_wrong_weights_of_stages_are_caught(monkeypatch, place):
    monkeypatch.setattr(bg_cnbd, "stage_weights", weights_of(WEIGHTS[place]))
    assert caught_by(MBGCNBD(k=2))


def window_of(change):
    """Customers at the opening of a window, told wrongly."""

    def wrong(self, family, theta, t):
        weight, states = bg_cnbd_at(self, family, theta, t)
        return change(weight, states.copy())

    return wrong


def forget_stages(weight, states):
    states[..., 4] = 0.0
    return weight, states


def forget_purchases(weight, states):
    states[..., 0] = states[0, 0]
    return weight, states


def forget_survival(weight, states):
    states[..., 3] = states[0, 3]
    return weight, states


bg_cnbd_at = bg_cnbd.ByStage.at


@pytest.mark.parametrize("change", [forget_stages, forget_purchases, forget_survival])
def test_a_wrong_window_is_caught(monkeypatch, change):
    monkeypatch.setattr(bg_cnbd.ByStage, "at", window_of(change))
    assert caught_by(MBGCNBD(k=2))


def derivative(place):
    def wrong(k, s, early, gap):
        gradient, hessian = right(k, s, early, gap)
        if place == 0:
            gradient[0] *= 1.001
        elif place == 1:
            gradient[1] *= 1.001
        else:
            hessian[0, 1] *= 1.01
        return gradient, hessian

    right = bg_cnbd_likelihood._silent
    return wrong


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_derivative_is_caught(monkeypatch, place):
    monkeypatch.setattr(bg_cnbd_likelihood, "_silent", derivative(place))
    assert caught_by(MBGCNBD(k=2))


def shares_of(change):
    right = stages._shares
    return lambda sought, pi, s, z: change(right(sought, pi, s, z), s, z)


@pytest.mark.parametrize(
    "change",
    [
        lambda found, s, z: found * (1.0 + 0.001 * z),
        lambda found, s, z: found[:1],
        lambda found, s, z: found * (s / (s + 0.01)),
    ],
)
def test_a_wrong_sum_is_caught(monkeypatch, change):
    monkeypatch.setattr(stages, "_shares", shares_of(change))
    assert caught_by(MBGCNBD(k=2))


def test_the_parts_are_right_when_left_alone():
    assert not caught_by(MBGCNBD(k=2))
    assert Customers.of(K2, np.array([1.0, 2.0, 0.5, 3.0])).b == 4.0
