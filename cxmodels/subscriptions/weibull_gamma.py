"""Weibull-gamma in continuous time: contracts that may end on any day.

A customer's contract lasts to t with probability exp(-lambda (t / alpha)^c); c above 1: the danger
of a customer rises with age. Over customers lambda ~ Gamma(r, 1):

    S(t) = (1 + (t / alpha)^c)^-r.

The papers write alpha for our alpha^c; here alpha is a time, so that days or months give one
answer.
It is the Burr XII distribution; c = 1 is the exponential-gamma (Pareto of the second kind).
Sources: Hardie, Fader and Wisniewski (1998), Journal of Forecasting 17; Fader and Hardie (2018),
"Fitting the Weibull-gamma", brucehardie.com.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.numerics.arrays import Floats, Number
from cxmodels.numerics.transforms import Dimension, Parameter, Space
from cxmodels.subscriptions.family import RatioDerivatives, SubscriptionFamily

if TYPE_CHECKING:
    from cxmodels.data.subscriptions import SubscriptionBase
    from cxmodels.subscriptions.fitted import FittedSubscriptions

LARGE = 30.0  # log u from which 1 + u is u to the last digit

R = Parameter(
    "r",
    "shape of the danger over customers: large where they are alike",
    low="almost nobody leaves",
    high="customers are alike: all have the same danger to leave",
)
ALPHA = Parameter(
    "alpha",
    "time scale of leaving",
    dimension=Dimension.TIME,
    low="customers who leave do so at once",
    high="almost nobody leaves",
)
C = Parameter(
    "c",
    "how one customer's danger changes with age: above 1 it rises",
    low="leaving does not depend on age",
    high="all who leave do so at one age",
)


@dataclass(frozen=True)
class WeibullGamma(SubscriptionFamily):
    """Weibull-gamma, with N, standard errors, cohorts and covariates.

    leaving: a formula such as "~ channel + price" of columns that may explain who leaves; the
    danger of a customer is multiplied by exp(coefficient).
    """

    leaving: str | None = None
    name: str = field(default="Weibull-gamma", init=False)
    source = "Hardie, Fader and Wisniewski (1998), Journal of Forecasting 17"
    space = Space((R, ALPHA, C))
    whole_periods = False

    def fit(self, base: "SubscriptionBase") -> "FittedSubscriptions":
        """Maximum likelihood; DataError where the base cannot tell who leaves when."""
        from cxmodels.subscriptions.fitted import fit_subscriptions

        return fit_subscriptions(self, base)

    def log_ratio(self, theta: Floats, t0: Number, t1: Number, shift: Number = 0.0) -> Floats:
        """log S(t1) / S(t0) = -r log [1 + (u1 - u0) / (1 + u0)] with u = exp(shift) (t / alpha)^c.

        >>> theta = np.array([1.0, 10.0, 1.0])
        >>> round(float(np.exp(WeibullGamma().log_ratio(theta, 0.0, 10.0))), 4)
        0.5
        """
        r, alpha, c = theta[..., 0], theta[..., 1], theta[..., 2]
        with np.errstate(divide="ignore"):  # age 0: log u = -inf, u = 0
            v0, v1 = (c * np.log(np.asarray(t) / alpha) + shift for t in (t0, t1))
        before, after = (np.exp(np.minimum(v, LARGE)) for v in (v0, v1))
        near = np.log1p((after - before) / (1.0 + before))
        far = np.logaddexp(0.0, v1) - np.logaddexp(0.0, v0)
        return np.asarray(-r * np.where(v1 < LARGE, near, far))

    def log_ratio_moved(
        self, theta: Floats, age: float, t: Number, moved: tuple[Number, Number]
    ) -> Floats:
        """-r log [1 + exp(s + d) (u1 - u0) / (1 + exp(s) u0)] with u = (t / alpha)^c."""
        r, alpha, c = theta[..., 0], theta[..., 1], theta[..., 2]
        with np.errstate(over="ignore"):
            u0, u1 = (np.minimum((np.asarray(v) / alpha) ** c, np.exp(LARGE)) for v in (age, t))
        faced = np.exp(np.minimum(moved[0] + moved[1], LARGE)) * (u1 - u0)
        return np.asarray(-r * np.log1p(faced / (1.0 + np.exp(moved[0]) * u0)))

    def rows(self, theta: Floats, t0: Floats, t1: Floats, shift: Floats) -> RatioDerivatives:
        """With v = log u: d log(1 + u) / dv = u / (1 + u), and v is linear in log alpha, shift."""
        r = theta[0]
        value = self.log_ratio(theta, t0, t1, shift)
        gradient, hessian = np.zeros((4, t0.size)), np.zeros((4, 4, t0.size))
        for t, sign in ((t1, -1.0), (t0, 1.0)):
            slope, bend = _log_one_plus(theta, t, shift)
            gradient[1:] += sign * r * slope
            hessian[1:, 1:] += sign * r * bend
        gradient[0] = hessian[0, 0] = value
        hessian[0, 1:] = hessian[1:, 0] = gradient[1:]
        return RatioDerivatives(value, gradient, hessian)

    def tail(self, theta: Floats) -> Floats:
        """S(t) ~ t^-(r c)."""
        return np.asarray(theta[..., 0] * theta[..., 2])

    def simulate(self, theta: Floats, n: int, rng: np.random.Generator) -> Floats:
        r, alpha, c = theta
        danger = np.maximum(rng.standard_gamma(r, n), 1e-300)
        with np.errstate(over="ignore"):  # an endless contract
            return np.asarray(alpha * (rng.standard_exponential(n) / danger) ** (1.0 / c))

    def starts(self, retention: float, time: float) -> Floats:
        shapes = np.array([1.0, 3.0, 0.5])
        fall = -np.log(retention)
        scale = time * shapes / max(fall, 1e-3)
        return np.stack([shapes, scale, np.array([1.0, 1.3, 0.8])], axis=-1)


def _log_one_plus(theta: Floats, t: Floats, shift: Floats) -> tuple[Floats, Floats]:
    """Derivatives (3, m), (3, 3, m) of log(1 + u) in (log alpha, log c, shift); 0 at t = 0."""
    _, alpha, c = theta
    later = t > 0.0
    logs = np.where(later, c * np.log(np.where(later, t, 1.0) / alpha), 0.0)  # log u less the shift
    with np.errstate(over="ignore"):  # u beyond a double: its share is 1
        share = np.where(later, 1.0 / (1.0 + np.exp(-logs - shift)), 0.0)
    steps = np.stack([np.full(t.size, -c), logs, np.ones(t.size)])
    bends = np.zeros((3, 3, t.size))
    bends[0, 1] = bends[1, 0] = -c
    bends[1, 1] = logs
    spread = share * (1.0 - share)
    return share * steps, spread * steps[:, None] * steps[None, :] + share * bends
