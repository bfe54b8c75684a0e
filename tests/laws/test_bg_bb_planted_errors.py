"""BG/BB formulas broken on purpose: each wrong variant of each formula is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest

from cxmodels.numerics import partial_sums
from cxmodels.purchases import bg_bb, bg_bb_likelihood
from cxmodels.purchases.bg_bb import BGBB, split
from tests.laws.test_purchase_planted_errors import caught_by, updated


def changed(formula, change):
    """The formula called with changed parameters (alpha, beta, gamma, delta)."""

    def wrong(theta, *args):
        return formula(np.stack(np.broadcast_arrays(*change(*split(theta))), axis=-1), *args)

    return wrong


def swap_leaving(alpha, beta, gamma, delta):
    return alpha, beta, delta, gamma


def swap_buying(alpha, beta, gamma, delta):
    return beta, alpha, gamma, delta


def leaves_after_the_purchase(theta, t, rng):
    """The coin of leaving is tossed at the end of an opportunity, not at its opening."""
    found = bg_bb.simulate(theta, t, rng)
    present, _, _ = bg_bb._present(theta, np.asarray(t) + 1.0, rng)
    return replace(found, alive=present > t)


def two_an_opportunity(theta, t, rng):
    found = bg_bb.simulate(theta, t, rng)
    return replace(
        found,
        count=2 * found.count,
        customer=np.repeat(found.customer, 2),
        time=np.repeat(found.time, 2),
    )


def pmf_left_only_at_the_end(theta, n, t):
    """Those who left are forgotten, except before the first opportunity."""
    gone = np.log(split(theta)[2] / (split(theta)[2] + split(theta)[3]))
    stayed = bg_bb.log_pmf_survivors(theta, n, t)
    return np.where(np.asarray(n) == 0, np.logaddexp(stayed, gone), stayed)


def rows_scaled(where, factor):
    def wrong(theta, x, t_x, T):
        found = bg_bb_likelihood.rows(theta, x, t_x, T)
        gradient, hessian = found.gradient.copy(), found.hessian.copy()
        if where == "gradient":
            gradient[2] *= factor
        elif where == "bend":
            hessian[1, 1] *= factor
        else:
            hessian[0, 2] *= factor
            hessian[2, 0] *= factor
        return replace(found, gradient=gradient, hessian=hessian)

    return wrong


def likelihood_without_leaving(theta, x, t_x, T):
    return bg_bb_likelihood.log_alive(theta, np.asarray(x, dtype=np.float64), np.asarray(T))


PLANTED = {
    "p_alive": [
        changed(bg_bb.p_alive, swap_buying),
        lambda theta, x, t_x, T: bg_bb.p_alive(theta, x, t_x, T) * bg_bb.survival(theta, 1.0),
        lambda theta, x, t_x, T: bg_bb.p_alive(theta, x, np.where(x > 0, x, 0.0), T),
    ],
    "alive": [
        updated(lambda a, b, c, d, x, T: (a + x, b + T, c, d + T)),
        updated(lambda a, b, c, d, x, T: (a + x, b + T - x, c, d)),
        updated(lambda a, b, c, d, x, T: (a + x, b + T - x, c + 1.0, d + T)),
    ],
    "survival": [
        changed(bg_bb.survival, swap_leaving),
        lambda theta, t: bg_bb.survival(theta, t + 1.0) / bg_bb.survival(theta, 1.0),
        changed(bg_bb.survival, lambda a, b, c, d: (a, b, c + 0.02, d)),
    ],
    "expected_purchases": [
        changed(bg_bb.expected_purchases, swap_leaving),
        lambda theta, t: bg_bb.expected_purchases(theta, t) / bg_bb.survival(theta, 1.0),
        lambda theta, t: split(theta)[0] / (split(theta)[0] + split(theta)[1]) * t,
    ],
    "purchase_rate": [
        lambda theta, t: bg_bb.purchase_rate(theta, np.asarray(t) - 1.0),
        changed(bg_bb.purchase_rate, swap_buying),
        changed(bg_bb.purchase_rate, lambda a, b, c, d: (a, b, c, d + 0.01)),
    ],
    "log_pmf": [
        lambda theta, n, t: bg_bb.log_pmf_survivors(theta, n, t),
        pmf_left_only_at_the_end,
        changed(bg_bb.log_pmf, lambda a, b, c, d: (a, b + 0.01, c, d)),
    ],
    "log_pmf_survivors": [
        changed(bg_bb.log_pmf_survivors, swap_leaving),
        changed(bg_bb.log_pmf_survivors, swap_buying),
        lambda theta, n, t: bg_bb.log_pmf_survivors(theta, n, np.asarray(t) - 1.0),
    ],
    "simulate": [
        leaves_after_the_purchase,
        two_an_opportunity,
        lambda theta, t, rng: replace(
            found := bg_bb.simulate(theta, t, rng), time=np.maximum(found.time - 0.5, 0.5)
        ),
    ],
    "log_likelihood": [
        likelihood_without_leaving,
        changed(bg_bb_likelihood.log_likelihood, swap_leaving),
        lambda theta, x, t_x, T: bg_bb_likelihood.log_likelihood(theta, x, t_x, T) * 0.5,
    ],
    "rows": [
        rows_scaled("gradient", 1.001),
        rows_scaled("bend", 1.001),
        rows_scaled("across", 1.01),
    ],
}  # fmt: skip
CASES = [(name, place) for name, wrong in PLANTED.items() for place in range(len(wrong))]


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_wrong_formula_is_caught(name, place):
    broken = type("Broken", (BGBB,), {name: staticmethod(PLANTED[name][place])})
    assert caught_by(broken()), f"wrong variant {place} of {name} slipped through"


def one_term_less(above, below, terms):
    return partial_sums.log_partial_sum(above, below, np.maximum(terms - 1, 0))


def first_ratio_twice(above, below, terms):
    return partial_sums.log_partial_sum((*above, above[0]), (*below, below[0] + 0.01), terms)


def one_ratio_late(above, below, terms):
    return partial_sums.log_partial_sum((above[0] + 1.0, *above[1:]), below, terms)


@pytest.mark.parametrize("wrong", [one_term_less, first_ratio_twice, one_ratio_late])
@pytest.mark.parametrize("where", [bg_bb, bg_bb_likelihood])
def test_a_wrong_sum_is_caught(monkeypatch, wrong, where):
    monkeypatch.setattr(where, "log_partial_sum", wrong)
    assert caught_by(BGBB())


def rising_short(a, t):
    return partial_sums.log_rising(a, np.maximum(np.asarray(t) - 1.0, 0.0))


def rising_by_stirling_alone(a, t):
    """Without the correction series, as for large arguments only."""
    a, t = np.asarray(a, dtype=np.float64), np.asarray(t, dtype=np.float64)
    return t * np.log(a) + (a + t - 0.5) * np.log1p(t / a) - t


def rising_powers(a, t):
    return t * np.log(a)


@pytest.mark.parametrize("wrong", [rising_short, rising_by_stirling_alone, rising_powers])
def test_a_wrong_rising_factorial_is_caught(monkeypatch, wrong):
    monkeypatch.setattr(bg_bb, "log_rising", wrong)
    monkeypatch.setattr(bg_bb_likelihood, "log_rising", wrong)
    assert caught_by(BGBB())
