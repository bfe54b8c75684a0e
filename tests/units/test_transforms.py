"""The real scale: round trips, derivatives against differences, units, and planted errors."""

import numpy as np
import pytest

from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import FARTHEST, RealScale
from cxmodels.numerics.transforms import Dimension, Parameter, Space, Support
from tests.units.toy_objectives import Coins, Counts, GammaTimes

MIXED = Space(
    (
        Parameter("rate", "positive", dimension=Dimension.TIME),
        Parameter("slope", "real", Support.REAL, Dimension.MONEY),
        Parameter("share", "unit", Support.UNIT),
        Parameter("dependence", "signed", Support.SIGNED),
    )
)
SCALES = MIXED.scales(time=30.0, money=7.5)
TIMES = np.random.default_rng(11).gamma(2.3, 4.0, size=60)


def test_scales_follow_the_dimension():
    assert SCALES.tolist() == [30.0, 7.5, 1.0, 1.0]


def test_round_trip_with_a_draw_axis():
    real = np.random.default_rng(1).normal(0.3, 2.0, size=(5, 2, 4))
    natural = MIXED.to_natural(real, SCALES)
    assert natural.shape == (5, 2, 4)
    np.testing.assert_allclose(MIXED.to_real(natural, SCALES), real, rtol=1e-10, atol=1e-10)


def test_positive_is_log_of_ratio_and_share_is_log_odds():
    real = MIXED.to_real(np.array([60.0, -15.0, 0.2, 0.5]), SCALES)
    np.testing.assert_allclose(real, [np.log(2.0), -2.0, np.log(0.25), np.log(3.0)], rtol=1e-14)


def test_ends_of_the_support_are_infinite_not_errors():
    assert MIXED.to_real(np.array([0.0, 1.0, 0.5, -1.0]), SCALES)[0] == -np.inf
    assert MIXED.to_natural(np.array([-np.inf, 1.0, np.inf, -np.inf]), SCALES)[
        [0, 2, 3]
    ].tolist() == [0, 1, -1]


def test_names_must_be_distinct_and_known():
    with pytest.raises(OptionError, match="distinct"):
        Space((Parameter("r", ""), Parameter("r", "")))
    with pytest.raises(OptionError, match="rate, slope, share"):
        MIXED.index("alpha")


def slope_law(space):
    """slope and curvature are the derivatives of to_natural (central differences)."""
    real, h = np.array([0.7, -1.3, 0.4, 1.1]), 1e-5
    up, down = space.to_natural(real + h, SCALES), space.to_natural(real - h, SCALES)
    middle = space.to_natural(real, SCALES)
    np.testing.assert_allclose(space.slope(real, SCALES), (up - down) / (2 * h), rtol=1e-8)
    # second differences of doubles: 1e-16 * 30 / h**2 leaves about 5e-5
    second = (up - 2 * middle + down) / h**2
    np.testing.assert_allclose(space.curvature(real, SCALES), second, atol=2e-4)


def test_slope_and_curvature():
    slope_law(MIXED)


class WithoutScale(Space):
    def slope(self, real, scales):
        return super().slope(real, np.ones_like(scales))


class WithoutCurvature(Space):
    def curvature(self, real, scales):
        return np.zeros_like(real)


class SlopeForCurvature(Space):
    def curvature(self, real, scales):
        return self.slope(real, scales)


@pytest.mark.parametrize("wrong", [WithoutScale, WithoutCurvature, SlopeForCurvature])
def test_planted_errors_in_the_transform_are_caught(wrong):
    with pytest.raises(AssertionError):
        slope_law(wrong(MIXED.parameters))


def chain_law(objective):
    """Gradient and Hessian in real coordinates against differences of the value itself."""
    view, h = RealScale(objective), 1e-4
    u = np.array([0.6, -0.4])
    found = view.derivatives(u)
    step = np.eye(2) * h

    def value(point):
        return view.log_likelihood(point[None])[0]

    gradient = [(value(u + e) - value(u - e)) / (2 * h) for e in step]
    hessian = [
        [
            (value(u + e + f) - value(u + e - f) - value(u - e + f) + value(u - e - f)) / (4 * h**2)
            for f in step
        ]
        for e in step
    ]
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-6)
    # differences: 1e-16 * 1e3 / h**2 rounding plus h**2 truncation
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-4, atol=1e-3)


OBJECTIVES = [GammaTimes(TIMES), Coins(3, 10), Counts(np.array([0, 3, 1, 7, 2, 0, 4]))]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda made: type(made).__name__)
def test_chain_rule(objective):
    chain_law(objective)


@pytest.mark.parametrize("wrong", [WithoutScale, WithoutCurvature])
def test_planted_errors_in_the_chain_rule_are_caught(wrong):
    space = wrong(GammaTimes(TIMES).space.parameters)
    with pytest.raises(AssertionError):
        chain_law(GammaTimes(TIMES, space))


def test_far_points_count_as_impossible():
    view = RealScale(GammaTimes(TIMES))
    points = np.array([[0.0, 0.0], [FARTHEST + 1, 0.0], [np.nan, 0.0], [np.inf, 0.0]])
    assert np.isfinite(view.log_likelihood(points)).tolist() == [True, False, False, False]
    assert view.derivatives(points[1]).value == -np.inf
    assert view.derivatives(points[2]).value == -np.inf
