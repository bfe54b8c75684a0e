"""Beta-discrete-Weibull: customers differ in their chance to leave, which also changes with age.

A customer renews for the t-th time with a chance that follows a discrete Weibull with theta, the
chance to leave at the first renewal, and a shape c: above 1 the danger of a customer rises with
age, below 1 it falls, 1 is the sBG. Over customers, theta ~ Beta(alpha, beta):

    S(t) = B(alpha, beta + t^c) / B(alpha, beta).

Source: Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to project customer retention
revisited: the role of duration dependence", Journal of Interactive Marketing 43, equation (6).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.numerics.arrays import Floats, Number
from cxmodels.numerics.beta_ratio import beta_ratio, log_beta_ratio
from cxmodels.numerics.transforms import Parameter, Space
from cxmodels.subscriptions.beta_shift import own_derivatives, own_parameters
from cxmodels.subscriptions.family import RatioDerivatives, SubscriptionFamily, chained

if TYPE_CHECKING:
    from cxmodels.data.subscriptions import SubscriptionBase
    from cxmodels.subscriptions.fitted import FittedSubscriptions

FARTHEST = 1e150  # t^c beyond which products of it would overflow

ALPHA = Parameter(
    "alpha",
    "shape of the chance to leave: few customers with low chances where it is large",
    low="almost nobody leaves",
    high="customers are alike: all have the same chance to leave",
)
BETA = Parameter(
    "beta",
    "shape of the chance to stay",
    low="customers who leave do so at the first renewal",
    high="customers are alike: all have the same chance to leave",
)
C = Parameter(
    "c",
    "how one customer's danger changes with age: above 1 it rises",
    low="whoever renews once never leaves",
    high="nobody renews twice",
)


@dataclass(frozen=True)
class BDW(SubscriptionFamily):
    """Beta-discrete-Weibull, with N, standard errors, cohorts and covariates.

    leaving: a formula such as "~ channel + price" of columns that may explain who leaves; a
    coefficient is added to the log odds of the mean chance to leave at the first renewal.
    """

    leaving: str | None = None
    name: str = field(default="beta-discrete-Weibull", init=False)
    source = "Fader, Hardie, Liu, Davin and Steenburgh (2018), Journal of Interactive Marketing 43"
    space = Space((ALPHA, BETA, C))
    whole_periods = True

    def fit(self, base: "SubscriptionBase") -> "FittedSubscriptions":
        """Maximum likelihood; DataError where the base cannot tell who leaves when."""
        from cxmodels.subscriptions.fitted import fit_subscriptions

        return fit_subscriptions(self, base)

    def log_ratio(self, theta: Floats, t0: Number, t1: Number, shift: Number = 0.0) -> Floats:
        """log S(t1) / S(t0), Fader et al. (2018) equation (6).

        >>> theta = np.array([0.259336, 1.722551, 1.584362])  # High End, four years
        >>> round(100 * float(np.exp(BDW().log_ratio(theta, 0.0, 12.0))), 3)
        38.891
        """
        return log_ratio(theta[..., 0], theta[..., 1], theta[..., 2], (t0, t1), shift)

    def log_ratio_moved(
        self, theta: Floats, age: float, t: Number, moved: tuple[Number, Number]
    ) -> Floats:
        own = theta[..., 0], theta[..., 1], theta[..., 2]
        return log_ratio_moved(*own, (age, t), moved)

    def rows(self, theta: Floats, t0: Floats, t1: Floats, shift: Floats) -> RatioDerivatives:
        return rows(theta, t0, t1, shift)

    def tail(self, theta: Floats) -> Floats:
        """S(t) ~ t^-(alpha c)."""
        return np.asarray(theta[..., 0] * theta[..., 2])

    def simulate(self, theta: Floats, n: int, rng: np.random.Generator) -> Floats:
        """Ages at which contracts of n customers end: inverts (1 - p)^(t^c) at a uniform."""
        alpha, beta, c = theta
        log_stay = log_of_beta(beta, alpha, n, rng)
        waits = rng.standard_exponential(n) / np.maximum(-log_stay, 1e-300)
        with np.errstate(over="ignore"):  # an endless contract
            return np.asarray(np.maximum(np.ceil(waits ** (1.0 / c)), 1.0))

    def starts(self, retention: float, time: float) -> Floats:
        both = np.array([1.0, 5.0, 0.3])
        ends = np.array([1.0, 1.0, 1.5])
        return np.stack([both * (1.0 - retention), both * retention, ends], axis=-1)


def log_of_beta(a: float, b: float, n: int, rng: np.random.Generator) -> Floats:
    """log of n draws from Beta(a, b), exact where the draw itself would round to 1."""
    first, second = rng.standard_gamma(a, n), rng.standard_gamma(b, n)
    return np.asarray(-np.log1p(second / np.maximum(first, 1e-300)))


def log_ratio(
    alpha: Number, beta: Number, c: Number, ages: tuple[Number, Number], shift: Number
) -> Floats:
    """log S(t1) / S(t0) = R(alpha, beta + t0^c, t1^c - t0^c), with own alpha and beta.

    Because a customer who lasted to t0 is a new one with beta + t0^c.
    """
    alpha, beta = own_parameters(alpha, beta, shift)
    with np.errstate(over="ignore"):  # an age that hardly anybody reaches: see below
        powers = [np.asarray(t) ** c for t in ages]
    before, after = (np.minimum(power, FARTHEST) for power in powers)
    found = log_beta_ratio(alpha, beta + before, after - before)
    return found if np.max(powers[1], initial=0.0) <= FARTHEST else found - far(alpha, c, ages)


def log_ratio_moved(
    alpha: Number,
    beta: Number,
    c: Number,
    ages: tuple[float, Number],
    moved: tuple[Number, Number],
) -> Floats:
    """log S(t1) / S(t0) where the shift changes at t0: survival to t0 has left chances to leave
    that are Beta(alpha, beta + t0^c), and their mean moves on the log odds."""
    alpha, beta = own_parameters(alpha, beta, moved[0])
    with np.errstate(over="ignore"):
        before, after = (np.minimum(np.asarray(t, np.float64) ** c, FARTHEST) for t in ages)
    alpha, beta = own_parameters(alpha, beta + before, moved[1])
    return log_beta_ratio(alpha, beta, after - before)


def far(alpha: Number, c: Number, ages: tuple[Number, Number]) -> Floats:
    """What log S falls between two ages beyond FARTHEST, where S(t) is t^(-alpha c)."""
    with np.errstate(divide="ignore"):  # age 0
        beyond = [np.maximum(c * np.log(t) - np.log(FARTHEST), 0.0) for t in ages]
    return np.asarray(alpha * (beyond[1] - beyond[0]))


def rows(theta: Floats, t0: Floats, t1: Floats, shift: Floats) -> RatioDerivatives:
    """log S(t1) / S(t0) at theta (3,), with derivatives in (log alpha, log beta, log c, shift)."""
    alpha, beta, c = theta
    own, first, second = own_derivatives(alpha, beta, shift)
    before, after = t0**c, t1**c
    found = beta_ratio(own[0], own[1] + before, after - before)
    outer = RatioDerivatives(found.value, found.gradient, found.hessian)
    place = np.array([0, 1, 3])  # log alpha, log beta, shift; log c comes between
    jacobian, bends = np.zeros((3, 4, t0.size)), np.zeros((3, 4, 4, t0.size))
    jacobian[:2, place] = first
    bends[:2, place[:, None], place] = second
    slopes, curves = zip(*(_power_derivatives(t, c) for t in (t0, t1)), strict=True)
    jacobian[1, 2], bends[1, 2, 2] = slopes[0], curves[0]
    jacobian[2, 2], bends[2, 2, 2] = slopes[1] - slopes[0], curves[1] - curves[0]
    return chained(outer, jacobian, bends, found.value)


def _power_derivatives(t: Floats, c: float) -> tuple[Floats, Floats]:
    """First and second derivative of t^c in log c; 0 at t = 0."""
    logs = c * np.log(np.where(t > 0.0, t, 1.0))
    power = t**c
    return power * logs, power * logs * (1.0 + logs)
