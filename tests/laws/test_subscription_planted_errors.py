"""Subscription formulas broken on purpose: each wrong variant is caught by some law."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from cxmodels.subscriptions import bdw, lifetime
from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.family import RatioDerivatives
from cxmodels.subscriptions.lifetime import Renewals, further_renewals, naive_renewals
from cxmodels.subscriptions.sbg import SBG
from cxmodels.subscriptions.weibull_gamma import WeibullGamma
from tests.laws.renewal_laws import LAWS as RENEWAL_LAWS
from tests.laws.renewal_laws import Formulas
from tests.laws.subscription_laws import CASES, LAWS


@dataclass(frozen=True)
class Swapped(SBG):
    """alpha and beta exchanged."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return super().log_ratio(theta[..., ::-1], t0, t1, shift)


@dataclass(frozen=True)
class Unconditional(SBG):
    """S(t1) in place of S(t1) / S(t0): the trap of valuing active customers."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return super().log_ratio(theta, 0.0 * np.asarray(t0), t1, shift)


@dataclass(frozen=True)
class OneFactor(SBG):
    """A covariate that multiplies alpha and beta by one factor: the mean does not move."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        factor = np.exp(np.asarray(shift))
        return bdw.log_ratio(theta[..., 0] * factor, theta[..., 1] * factor, 1.0, (t0, t1), 0.0)


@dataclass(frozen=True)
class OnePeriodEarly(SBG):
    """The first renewal taken for age 0."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return super().log_ratio(theta, np.asarray(t0) + 1.0, np.asarray(t1) + 1.0, shift)


@dataclass(frozen=True)
class ShapeOnTheDifference(BDW):
    """(t1 - t0)^c in place of t1^c - t0^c."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        span = np.asarray(t1) - np.asarray(t0)
        alpha, beta = bdw.own_parameters(theta[..., 0], theta[..., 1], shift)
        before = np.asarray(t0) ** theta[..., 2]
        return bdw.log_beta_ratio(alpha, beta + before, span ** theta[..., 2])


@dataclass(frozen=True)
class ShapeForgotten(BDW):
    """c = 1: the sBG."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return SBG().log_ratio(theta[..., :2], t0, t1, shift)


@dataclass(frozen=True)
class ShapeInverted(BDW):
    """t^(1/c)."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return bdw.log_ratio(theta[..., 0], theta[..., 1], 1 / theta[..., 2], (t0, t1), shift)


@dataclass(frozen=True)
class TailWithoutShape(BDW):
    """kappa = alpha."""

    def tail(self, theta):
        return theta[..., 0]


@dataclass(frozen=True)
class RateForScale(WeibullGamma):
    """alpha taken for a rate."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        turned = np.stack([theta[..., 0], 1 / theta[..., 1], theta[..., 2]], axis=-1)
        return super().log_ratio(turned, t0, t1, shift)


@dataclass(frozen=True)
class ScaleOutside(WeibullGamma):
    """t^c / alpha in place of (t / alpha)^c."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        moved = theta.copy()
        moved[..., 1] = theta[..., 1] ** (1 / theta[..., 2])
        return super().log_ratio(moved, t0, t1, shift)


@dataclass(frozen=True)
class ShiftOnTime(WeibullGamma):
    """The covariate speeds time up, in place of multiplying the danger."""

    def log_ratio(self, theta, t0, t1, shift=0.0):
        return super().log_ratio(theta, t0, t1, theta[..., 2] * np.asarray(shift))


def with_rows(kind, change):
    """The family with derivatives changed."""

    @dataclass(frozen=True)
    class Wrong(kind):
        def rows(self, theta, t0, t1, shift):
            return change(super().rows(theta, t0, t1, shift), theta)

    return Wrong()


def natural_slope(found, theta):
    """Derivatives in the parameters passed off as derivatives in their logs."""
    scale = np.append(theta, 1.0)[:, None]
    return RatioDerivatives(found.value, found.gradient / scale, found.hessian)


def no_bend(found, theta):
    """The second derivative of the inner function forgotten."""
    hessian = found.hessian.copy()
    hessian[0, 0] -= found.gradient[0]
    return RatioDerivatives(found.value, found.gradient, hessian)


def sign(found, theta):
    """The shift's slope with the wrong sign."""
    gradient = found.gradient.copy()
    gradient[-1] *= -1.0
    return RatioDerivatives(found.value, gradient, found.hessian)


WRONG = [
    ("sBG", Swapped()),
    ("sBG", Unconditional()),
    ("sBG", OneFactor()),
    ("sBG", OnePeriodEarly()),
    ("BdW", ShapeOnTheDifference()),
    ("BdW", ShapeForgotten()),
    ("BdW", ShapeInverted()),
    ("BdW", TailWithoutShape()),
    ("Weibull-gamma", RateForScale()),
    ("Weibull-gamma", ScaleOutside()),
    ("Weibull-gamma", ShiftOnTime()),
    *(
        (name, with_rows(kind, change))
        for name, kind in (("sBG", SBG), ("BdW", BDW), ("Weibull-gamma", WeibullGamma))
        for change in (natural_slope, no_bend, sign)
    ),
]


def caught(laws, given) -> str | None:
    """The name of the first law that fails."""
    for law in laws:
        try:
            law(given)
        except AssertionError:
            return law.__name__
    return None


@pytest.mark.parametrize(("name", "family"), WRONG, ids=lambda value: type(value).__name__)
def test_a_wrong_formula_is_caught(name, family):
    assert caught(LAWS, replace(CASES[name], family=family))


def paid_a_period_later(family, theta, ages, *, force, periods=np.inf, shift=0.0):
    made = further_renewals(family, theta, ages, force=force, periods=periods, shift=shift)
    d = np.exp(-force)
    return Renewals(d * made.mean, d**2 * made.square)


def as_new_customers(family, theta, ages, *, force, periods=np.inf, shift=0.0):
    return further_renewals(family, theta, 0.0 * ages, force=force, periods=periods, shift=shift)


def without_a_tail(family, theta, ages, *, force, periods=np.inf, shift=0.0):
    reach = min(periods, 60.0)
    return further_renewals(family, theta, ages, force=force, periods=reach, shift=shift)


def independent_periods(family, theta, ages, *, force, periods=np.inf, shift=0.0):
    """Renewals of one customer taken for independent: the variance is too small."""
    made = further_renewals(family, theta, ages, force=force, periods=periods, shift=shift)
    return Renewals(made.mean, made.mean**2 + made.mean * np.exp(-force))


@pytest.mark.parametrize(
    "wrong", [paid_a_period_later, as_new_customers, without_a_tail, independent_periods]
)
def test_a_wrong_lifetime_is_caught(wrong):
    assert caught(RENEWAL_LAWS, Formulas(further_renewals=wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda r, *, force, periods=np.inf: naive_renewals(r, force=force, periods=periods) / r,
        lambda r, *, force, periods=np.inf: naive_renewals(r, force=0.0, periods=periods),
        lambda r, *, force, periods=np.inf: naive_renewals(r, force=force),
    ],
)
def test_a_wrong_naive_answer_is_caught(wrong):
    assert caught(RENEWAL_LAWS, Formulas(naive_renewals=wrong))


def test_nothing_is_caught_where_nothing_is_wrong():
    assert caught(RENEWAL_LAWS, Formulas()) is None
    assert lifetime.STEPS > 60
