"""The climb: known tops, saddles, edges, level lines, and values that are not finite."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize

from cxmodels.numerics.optimise import LIMIT, Ending, climb, trust_step


def surface(value, gradient, hessian):
    return SimpleNamespace(value=value, gradient=np.array(gradient), hessian=np.array(hessian))


def rosenbrock(point):
    return surface(-optimize.rosen(point), -optimize.rosen_der(point), -optimize.rosen_hess(point))


@pytest.mark.parametrize("k", [2, 5, 15])
def test_rosenbrock_from_its_classic_start(k):
    """Top at (1, ..., 1), Rosenbrock 1960; the start is off the line to the local one."""
    found = climb(rosenbrock, np.tile([-1.2, 1.0], k)[:k] if k == 2 else np.full(k, 1.7))
    assert found.ending is Ending.TOP
    np.testing.assert_allclose(found.point, 1.0, atol=1e-4)


def test_quadratic_takes_one_step():
    bend = np.array([[2.0, 0.3], [0.3, 1.0]])
    top = np.array([0.2, -0.3])
    found = climb(
        lambda p: surface(-0.5 * (p - top) @ bend @ (p - top), -bend @ (p - top), -bend),
        np.zeros(2),
    )
    assert found.steps == 1
    np.testing.assert_allclose(found.point, top, atol=1e-14)


def test_a_saddle_is_left_although_its_slope_is_zero():
    def saddle(p):
        x, y = p
        return surface(
            x**2 - x**4 - y**2, [2 * x - 4 * x**3, -2 * y], [[2 - 12 * x**2, 0.0], [0.0, -2.0]]
        )

    found = climb(saddle, np.zeros(2))
    assert found.value == pytest.approx(0.25, abs=1e-9)  # at x = 1/sqrt(2), y = 0


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_an_edge_is_run_towards_and_named(size):
    found = climb(
        lambda p: surface(-size * np.exp(p[0]), [-size * np.exp(p[0])], [[-size * np.exp(p[0])]]),
        np.zeros(1),
    )
    assert found.ending is Ending.RUNNING
    assert found.value == pytest.approx(0.0, abs=1e-5)


def test_level_ground_ends_at_once():
    found = climb(lambda p: surface(3.0, [0.0, 0.0], np.zeros((2, 2))), np.ones(2))
    assert found.ending is Ending.TOP
    assert found.steps == 0


def test_a_steady_slope_ends_at_the_limit():
    found = climb(lambda p: surface(p[0], [1.0], [[0.0]]), np.zeros(1))
    assert found.point[0] == LIMIT
    assert found.ending is Ending.TOP


def test_values_that_are_not_finite_are_stepped_back_from():
    """log(x) - x in x itself, impossible below 0: the first steps would fall off."""

    def walled(p):
        x = p[0] + 0.5
        if x <= 0.0:
            return surface(-np.inf, [0.0], [[0.0]])
        return surface(np.log(x) - x, [1 / x - 1], [[-1 / x**2]])

    for start in (-0.49, 3.0):
        found = climb(walled, np.array([start]))
        assert found.point[0] == pytest.approx(0.5, abs=1e-4)
    assert climb(walled, np.array([-1.0])).ending is Ending.NOWHERE


def test_wrong_derivatives_end_as_stuck_not_as_a_top():
    found = climb(lambda p: surface(-float(p[0]), [1.0], [[-1.0]]), np.zeros(1))
    assert found.ending is Ending.STUCK
    assert not found.arrived


def test_steps_can_run_out():
    found = climb(rosenbrock, np.array([-1.2, 1.0]), most_steps=3)
    assert found.ending is Ending.LIMIT


def test_held_coordinates_stay():
    found = climb(rosenbrock, np.array([0.5, 0.0]), moving=np.array([False, True]))
    np.testing.assert_allclose(found.point, [0.5, 0.25], atol=1e-6)  # best b is a squared


def test_rounding_of_a_huge_sum_does_not_stop_the_climb():
    """1e7 log likelihood units, values good to 1e-9 only, as with a million customers."""
    rng = np.random.default_rng(5)

    def noisy(p):
        value = -1e7 - 5e5 * (p[0] - 0.3) ** 2 + 2e-9 * rng.standard_normal()
        return surface(value, [-1e6 * (p[0] - 0.3)], [[-1e6]])

    found = climb(noisy, np.zeros(1))
    assert found.ending is Ending.TOP
    assert found.point[0] == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_trust_step_is_the_best_within_its_radius(seed):
    """Against random steps of the same radius; indefinite Hessians and zero slopes among them."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 6))
    root = rng.normal(size=(k, k))
    hessian = 0.5 * (root + root.T)
    gradient = rng.normal(size=k) * (seed % 4 > 0)
    radius = float(rng.uniform(0.1, 2.0))
    step = trust_step(gradient, hessian, radius)
    assert np.sqrt(step @ step) <= radius * (1 + 1e-6)

    def gain(s):
        return s @ gradient + 0.5 * np.einsum("...i,ij,...j", s, hessian, s)

    others = rng.normal(size=(20_000, k))
    others *= (
        radius
        * rng.uniform(size=(20_000, 1)) ** (1 / k)
        / np.linalg.norm(others, axis=1, keepdims=True)
    )
    assert gain(step) >= gain(others).max() - 1e-6
