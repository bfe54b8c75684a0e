"""Laws of renewals still to come, discounted: sums beside recursions, simulation beside moments."""

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np

from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.lifetime import further_renewals, naive_renewals
from cxmodels.subscriptions.sbg import SBG
from cxmodels.subscriptions.weibull_gamma import WeibullGamma

FORCE = float(np.log(1.1))
AGES = np.array([0.0, 1.0, 4.0])
# parameters whose mean lifetime is finite (kappa above 1), one of them barely
FAMILIES = (
    (SBG(), np.array([2.3, 4.1])),
    (SBG(), np.array([1.04, 5.2])),
    (BDW(), np.array([0.9, 3.1, 1.7])),
    (WeibullGamma(), np.array([1.4, 5.3, 1.1])),
)


@dataclass(frozen=True)
class Formulas:
    """What may be exchanged for something wrong."""

    further_renewals: Callable = further_renewals
    naive_renewals: Callable = naive_renewals


def sbg_meets_the_hypergeometric_form(g: Formulas) -> None:
    """Fader and Hardie (2010), equation (6), in 30 digits."""
    for alpha, beta, rate in ((0.764, 1.296, 0.1), (3.8, 15.2, 0.1), (0.31, 0.07, 0.004)):
        theta = np.array([[alpha, beta]])
        found = g.further_renewals(SBG(), theta, AGES, force=float(np.log1p(rate))).mean[0]
        with mpmath.workdps(30):
            a, b, d = mpmath.mpf(alpha), mpmath.mpf(beta), 1 / (1 + mpmath.mpf(rate))
            exact = [
                (b + n) / (a + b + n) * mpmath.hyp2f1(1, b + n + 1, a + b + n + 1, d) for n in AGES
            ]
        np.testing.assert_allclose(found, np.array(exact, dtype=float), rtol=1e-9)


def sums_agree(g: Formulas) -> None:
    """Mean and second moment, term by term, to where 1e-14 is left."""
    t = np.arange(1.0, 700.0)
    worth = np.exp(-0.05 * (t - 1.0))
    earned = np.cumsum(worth)
    for family, theta in FAMILIES:
        found = g.further_renewals(family, theta[None], AGES, force=0.05)
        for place, age in enumerate(AGES):
            alive = np.exp(family.log_ratio(theta, age, age + t))
            assert abs(found.mean[0, place] / (alive @ worth) - 1.0) < 1e-10
            square = alive @ (worth * (2.0 * earned - worth))
            assert abs(found.square[0, place] / square - 1.0) < 1e-9


def undiscounted_sums_have_their_limit(g: Formulas) -> None:
    """The mean of the sBG is (beta + T) / (alpha - 1); of all, V(T) = r [1 + V(T + 1)]."""
    for family, theta in FAMILIES:
        ages = np.append(AGES, AGES + 1.0)
        found = g.further_renewals(family, theta[None], ages, force=0.0).mean[0]
        renewal = np.exp(family.log_ratio(theta, AGES, AGES + 1.0))
        np.testing.assert_allclose(found[:3], renewal * (1.0 + found[3:]), rtol=1e-9)
        if isinstance(family, SBG):
            exact = (theta[1] + ages) / (theta[0] - 1.0)
            np.testing.assert_allclose(found, exact, rtol=1e-7)


def undiscounted_sums_agree_with_mpmath(g: Formulas) -> None:
    """BdW and Weibull-gamma without discounting, by an Euler-Maclaurin sum in 20 digits."""
    for family, theta in FAMILIES[2:]:
        found = g.further_renewals(family, theta[None], AGES[:1], force=0.0).mean[0, 0]
        first, last = np.arange(1.0, 20_000.0), 20_000.0
        direct = float(np.exp(family.log_ratio(theta, 0.0, first)).sum())
        kappa = float(family.tail(theta))
        near, far = np.exp(family.log_ratio(theta, 0.0, np.array([last, 2.0 * last])))
        power = -np.log2(far / near)  # the local power; kappa at last
        assert abs(power - kappa) < 1e-3
        rest = near * last / (kappa - 1.0) + near / 2.0
        assert abs(found / (direct + rest) - 1.0) < 1e-4


def a_horizon_cuts(g: Formulas) -> None:
    for family, theta in FAMILIES:
        t = np.arange(1.0, 8.0)
        alive = np.exp(family.log_ratio(theta, 2.0, 2.0 + t))
        found = g.further_renewals(family, theta[None], np.array([2.0]), force=FORCE, periods=7)
        assert abs(found.mean[0, 0] / (alive @ np.exp(-FORCE * (t - 1.0))) - 1.0) < 1e-12
        never = g.further_renewals(family, theta[None], np.array([2.0]), force=FORCE, periods=400)
        always = g.further_renewals(family, theta[None], np.array([2.0]), force=FORCE)
        assert abs(never.mean[0, 0] / always.mean[0, 0] - 1.0) < 1e-12


def simulated_lives_have_these_moments(g: Formulas) -> None:
    """Mean and variance of what a new customer pays, against 200,000 simulated lives."""
    family, theta = FAMILIES[0]
    ended = family.simulate(theta, 200_000, np.random.default_rng(3))
    d = np.exp(-FORCE)
    paid = -np.expm1(-FORCE * (np.maximum(ended, 1.0) - 1.0)) / (1.0 - d)
    found = g.further_renewals(family, theta[None], AGES[:1], force=FORCE)
    sd = paid.std()
    assert abs(paid.mean() - found.mean[0, 0]) < 4.5 * sd / np.sqrt(paid.size)
    assert abs(paid.var() / found.variance[0, 0] - 1.0) < 0.03  # standard error about .5 per cent


def constant_danger_is_naive(g: Formulas) -> None:
    """Where customers are alike, model and naive answer are the same."""
    theta = np.array([[1.3e9, 4.7e9]])
    for periods in (np.inf, 5):
        model = g.further_renewals(SBG(), theta, AGES, force=FORCE, periods=periods).mean[0]
        naive = g.naive_renewals(4.7 / 6.0, force=FORCE, periods=periods)
        np.testing.assert_allclose(model, naive, rtol=1e-7)


LAWS = (
    sbg_meets_the_hypergeometric_form,
    sums_agree,
    undiscounted_sums_have_their_limit,
    undiscounted_sums_agree_with_mpmath,
    a_horizon_cuts,
    simulated_lives_have_these_moments,
    constant_danger_is_naive,
)
