"""Formulas of covariates over time broken on purpose: each wrong variant is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest

from cxmodels.purchases import clocked_departures, clocked_future, clocks, over_time
from cxmodels.purchases.over_time import OverTime, ahead
from tests.laws.over_time_laws import LAWS


def caught() -> bool:
    """Whether some law fails."""
    for law in LAWS:
        try:
            with np.errstate(all="ignore"):
                law()
        except AssertionError:
            return True
    return False


def scaled(formula, factor):
    return lambda theta, *rest: formula(theta * np.array(factor), *rest)


def without_now(formula):
    """Reads the path from its beginning, not from where the customer stands."""
    return lambda theta, clocks, now, *rest: formula(theta, clocks, 0.0 * now, *rest)


def at_even_pace(formula):
    """Forgets that the clock of buying runs at another pace ahead."""

    def wrong(theta, both, now, *rest):
        even = clocks.Clock(np.ones_like(both.buying.rate), both.buying.start)
        return formula(theta, clocks.Clocks(both.since, even, both.leaving), now, *rest)

    return wrong


def swapped(formula):
    """Takes each clock for the other."""

    def wrong(theta, both, *rest):
        return formula(theta, clocks.Clocks(both.since, both.leaving, both.buying), *rest)

    return wrong


WRONG = (without_now, swapped, lambda formula: scaled(formula, [1, 1, 1, 1.01]))
FUTURES = [
    pytest.param(
        name, wrong, marks=[] if name == "survival" or wrong is WRONG[0] else [pytest.mark.slow]
    )
    for name in (
        "survival", "expected_purchases", "purchase_rate", "log_pmf", "log_pmf_survivors",
    )
    for wrong in WRONG
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong"), FUTURES)
def test_wrong_futures_are_caught(monkeypatch, name, wrong):
    monkeypatch.setattr(OverTime, name, ahead(wrong(getattr(clocked_future, name))))
    assert caught()


def without_the_rate_of_leaving(theta, x, both, pieces):
    each = clocked_departures.even(theta, x, both, pieces)
    return replace(each, haste=np.ones_like(each.haste))


def with_rates_of_the_step_before(theta, x, both, pieces):
    earlier = replace(pieces, cell=np.maximum(pieces.cell - 1, 0))
    each = clocked_departures.even(theta, x, both, pieces)
    return replace(each, pace=both.buying.pace(earlier))


def without_purchases(theta, x, both, pieces):
    return clocked_departures.even(theta, 0.0 * x, both, pieces)


@pytest.mark.parametrize(
    "wrong", [without_the_rate_of_leaving, with_rates_of_the_step_before, without_purchases]
)
def test_wrong_pieces_are_caught(monkeypatch, wrong):
    right = clocked_departures.even
    monkeypatch.setattr(
        clocked_departures, "even", lambda *given: _with(right, wrong, monkeypatch, given)
    )
    assert caught()


def _with(right, wrong, monkeypatch, given):
    with monkeypatch.context() as inner:
        inner.setattr(clocked_departures, "even", right)
        return wrong(*given)


def alive_a_step_early(theta, past, both):
    early = replace(past.closing, past=0.0 * past.closing.past)
    r, alpha, s, beta = theta.T[:4]
    A, B = both.at(early)
    return -(r + past.x) * np.log(alpha + A) - s * np.log(beta + B)


def alive_in_calendar_time(theta, past, both):
    r, alpha, s, beta = theta.T[:4]
    A, _ = both.at(past.closing)
    return -(r + past.x) * np.log(alpha + A) - s * np.log(beta + past.T)


def alive_but_for_one_purchase(theta, past, both):
    r, alpha, s, beta = theta.T[:4]
    A, B = both.at(past.closing)
    return -(r + np.maximum(past.x - 1, 0)) * np.log(alpha + A) - s * np.log(beta + B)


@pytest.mark.parametrize(
    "wrong", [alive_a_step_early, alive_in_calendar_time, alive_but_for_one_purchase]
)
def test_wrong_survivors_are_caught(monkeypatch, wrong):
    monkeypatch.setattr(clocked_departures, "log_alive", wrong)
    assert caught()


@pytest.mark.parametrize("part", ["late", "pace", "past"])
def test_wrong_second_derivatives_are_caught(monkeypatch, part):
    right = clocked_departures._mass

    def wrong(pieces, late, pace, paths, past):
        if part == "past":
            pieces = replace(pieces, past=0.0 * pieces.past)
        late, pace = (
            (0.0 * late if part == "late" else late),
            (0.0 * pace if part == "pace" else pace),
        )
        return right(pieces, late, pace, paths, past)

    monkeypatch.setattr(clocked_departures, "_mass", wrong)
    assert caught()


def never_leaving(theta, both, now, t, rng):
    count, _, _ = clocked_future.ends(theta, both, now, t, rng)
    A, _ = clocked_future.from_now(both, now, t[:, None])
    return count, A[:, 0], t


@pytest.mark.parametrize(
    "wrong", [never_leaving, without_now(clocked_future.ends), swapped(clocked_future.ends)]
)
def test_wrong_simulations_are_caught(monkeypatch, wrong):
    right = clocked_future.ends
    if wrong is never_leaving:
        wrong = lambda *given: _ends(right, monkeypatch, given)  # noqa: E731
    monkeypatch.setattr(clocked_future, "ends", wrong)
    assert caught()


def _ends(right, monkeypatch, given):
    with monkeypatch.context() as inner:
        inner.setattr(clocked_future, "ends", right)
        return never_leaving(*given)


@pytest.mark.parametrize("wrong", ["even", "from_zero", "leaving"])
def test_wrong_times_of_purchases_are_caught(monkeypatch, wrong):
    right = clocked_future.when

    def when(both, now, owner, reading):
        if wrong == "from_zero":
            return right(both, 0.0 * now, owner, reading)
        if wrong == "leaving":
            return right(clocks.Clocks(both.since, both.leaving, both.buying), now, owner, reading)
        return reading

    monkeypatch.setattr(clocked_future, "when", when)
    assert caught()


@pytest.mark.parametrize("wrong", ["x", "A", "B"])
def test_wrong_updates_are_caught(monkeypatch, wrong):
    right = OverTime.alive

    def alive(self, theta, x, t_x, T):
        found = right(self, theta, x, t_x, T)
        place = {"x": 0, "A": 1, "B": 3}[wrong]
        found[..., place] = theta[..., place]
        return found

    monkeypatch.setattr(OverTime, "alive", alive)
    assert caught()


def test_the_formulas_as_they_are_pass():
    assert over_time.OWN == 4
    assert not caught()
