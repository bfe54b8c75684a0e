"""Laws that the formulas of every subscription model obey. Each raises AssertionError if broken.

Written once: test_subscription_laws.py runs them over the families as they are, and
test_subscription_planted_errors.py over families broken on purpose, which some law must catch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import integrate, stats

from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.sbg import SBG
from cxmodels.subscriptions.weibull_gamma import WeibullGamma

AGES = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 9.0, 17.0])
CUSTOMERS = 60_000
SIGMAS = 4.5  # some 60 comparisons with simulation, each missed once in 150,000 honest runs


@dataclass(frozen=True)
class Case:
    """A family at parameters in general position, and how one customer's survival is mixed.

    mixed: t, theta, shift -> S(t) by quadrature over customers, an independent way to the formula.
    """

    family: SubscriptionFamily
    theta: np.ndarray
    mixed: Callable[[float, np.ndarray, float], float]


def beta_mixture(power: Callable[[float, np.ndarray], float]) -> Callable[..., float]:
    """E[(1 - p)^(t^c)] over p ~ Beta(alpha, beta) whose mean's log odds are moved by the shift."""

    def mixed(t: float, theta: np.ndarray, shift: float) -> float:
        both, odds = theta[0] + theta[1], theta[0] / theta[1] * np.exp(shift)
        alpha = both * odds / (1.0 + odds)
        density = stats.beta(alpha, both - alpha)
        points = density.ppf([0.01, 0.1, 0.5, 0.9, 0.99])
        exponent = power(t, theta)
        return integrate.quad(
            lambda p: (1.0 - p) ** exponent * density.pdf(p), 0.0, 1.0, points=points, limit=400
        )[0]

    return mixed


def gamma_mixture(t: float, theta: np.ndarray, shift: float) -> float:
    """E[exp(-lambda e^shift (t / alpha)^c)] over lambda ~ Gamma(r, 1)."""
    r, alpha, c = theta
    density = stats.gamma(r)
    danger = np.exp(shift) * (t / alpha) ** c
    return integrate.quad(lambda v: np.exp(-v * danger) * density.pdf(v), 0.0, np.inf, limit=400)[0]


CASES = {
    "sBG": Case(SBG(), np.array([1.37, 2.91]), beta_mixture(lambda t, theta: t)),
    "BdW": Case(BDW(), np.array([1.21, 3.07, 1.38]), beta_mixture(lambda t, theta: t ** theta[2])),
    "Weibull-gamma": Case(WeibullGamma(), np.array([1.61, 4.3, 0.83]), gamma_mixture),
}


def survival(case: Case, t: np.ndarray | float, shift: float = 0.0) -> np.ndarray:
    return np.exp(case.family.log_ratio(case.theta, 0.0, np.asarray(t), shift))


def survival_is_a_probability_that_falls(case: Case) -> None:
    found = survival(case, np.arange(400.0))
    assert found[0] == 1.0
    assert (np.diff(found) < 0.0).all()
    assert (found > 0.0).all()


def losses_sum_to_one(case: Case) -> None:
    """Lost at renewals 1 .. n, and still active at n."""
    ages = np.arange(0.0, 300.0)
    step = case.family.log_ratio(case.theta, ages[:-1], ages[1:])
    lost = survival(case, ages[:-1]) * -np.expm1(step)
    assert abs(lost.sum() + survival(case, ages[-1]) - 1.0) < 1e-12


def ratios_multiply(case: Case) -> None:
    """P(active at t2 | t0) = P(t1 | t0) P(t2 | t1), with and without covariates."""
    for shift in (0.0, 0.7):
        for t0, t1, t2 in ((0.0, 2.0, 5.0), (1.0, 4.0, 11.0)):
            whole = case.family.log_ratio(case.theta, t0, t2, shift)
            first = case.family.log_ratio(case.theta, t0, t1, shift)
            second = case.family.log_ratio(case.theta, t1, t2, shift)
            assert abs(whole - first - second) < 1e-12


def survival_is_the_mixture_over_customers(case: Case) -> None:
    """By quadrature over customers, each with their own constant danger."""
    for shift in (0.0, -0.6, 0.9):
        for t in AGES[1:]:
            exact = case.mixed(float(t), case.theta, shift)
            found = float(survival(case, t, shift))
            assert abs(found / exact - 1.0) < 1e-6, (t, shift, found, exact)


def simulation_agrees(case: Case) -> None:
    made = case.family.simulate(case.theta, CUSTOMERS, np.random.default_rng(5))
    for t in AGES[1:]:
        chance = float(survival(case, t))
        spread = np.sqrt(chance * (1.0 - chance) / CUSTOMERS)
        assert abs((made > t).mean() - chance) < SIGMAS * spread, t


def survival_has_its_power_tail(case: Case) -> None:
    """log S falls by kappa for each log of age, far out."""
    far = np.array([1e12, 1e13])
    slope = np.diff(case.family.log_ratio(case.theta, 0.0, far)) / np.log(10.0)
    assert abs(slope[0] + float(case.family.tail(case.theta))) < 1e-4


def retention_rises_at_last(case: Case) -> None:
    """The loyal stay: where customers differ, renewal rates rise with age in the end."""
    ages = np.arange(20.0, 60.0)
    renewal = case.family.log_ratio(case.theta, ages, ages + 1.0)
    assert (np.diff(renewal) > 0.0).all()


def derivatives_agree_with_differences(case: Case) -> None:
    """rows: gradient and Hessian in logs of parameters and the shift."""
    k = case.theta.size
    t0, t1 = np.array([0.0, 0.0, 2.0, 5.0]), np.array([1.0, 6.0, 3.0, 5.5])
    shift = np.array([0.0, 0.4, -0.3, 0.8])
    found = case.family.rows(case.theta, t0, t1, shift)
    ratio = case.family.log_ratio(case.theta, t0, t1, shift)
    assert np.abs(found.value - ratio).max() < 1e-12

    def at(place: int, step: float) -> tuple[np.ndarray, np.ndarray]:
        theta, moved = case.theta.copy(), shift.copy()
        if place < k:
            theta[place] *= np.exp(step)
        else:
            moved = moved + step
        values = case.family.log_ratio(theta, t0, t1, moved)
        return values, case.family.rows(theta, t0, t1, moved).gradient

    for place in range(k + 1):
        (up, steep), (down, gentle) = at(place, 1e-5), at(place, -1e-5)
        assert np.abs((up - down) / 2e-5 - found.gradient[place]).max() < 1e-8
        assert np.abs((steep - gentle) / 2e-5 - found.hessian[place]).max() < 1e-8


LAWS = (
    survival_is_a_probability_that_falls,
    losses_sum_to_one,
    ratios_multiply,
    survival_is_the_mixture_over_customers,
    simulation_agrees,
    survival_has_its_power_tail,
    retention_rises_at_last,
    derivatives_agree_with_differences,
)
