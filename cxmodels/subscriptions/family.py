"""What every subscription model can be asked: how likely is a contract to last to an age?

A family is a set of formulas without data. `theta` carries its parameters on the last axis; the
axes before it broadcast against ages. `shift` is what covariates add to a customer's own danger,
0 for a customer without any: each family says what it moves.

Everything follows from one formula, log S(t1) / S(t0), the log chance that a contract alive at age
t0 lasts to t1; kept as a ratio, it is exact where almost nobody leaves.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from cxmodels.numerics.arrays import Floats, Number
from cxmodels.numerics.transforms import Space


@dataclass(frozen=True)
class RatioDerivatives:
    """log S(t1) / S(t0) of m rows (m,), with gradient (k + 1, m) and Hessian (k + 1, k + 1, m).

    Derivatives are in the logs of the k parameters and in the shift, which comes last.
    """

    value: Floats
    gradient: Floats
    hessian: Floats


class SubscriptionFamily(ABC):
    """A model of how long contracts last."""

    name: str
    source: str
    space: Space
    whole_periods: bool  # contracts end at renewals alone

    @abstractmethod
    def log_ratio(self, theta: Floats, t0: Number, t1: Number, shift: Number = 0.0) -> Floats:
        """log P(active at t1 | active at t0), 0 <= t0 <= t1; theta (..., k), the rest broadcast."""

    @abstractmethod
    def log_ratio_moved(
        self, theta: Floats, age: float, t: Number, moved: tuple[Number, Number]
    ) -> Floats:
        """log P(active at t | active at age), age <= t; moved: the shift up to that age, and what
        is added to it from then on."""

    @abstractmethod
    def rows(self, theta: Floats, t0: Floats, t1: Floats, shift: Floats) -> RatioDerivatives:
        """The same at one theta (k,) for m rows, with derivatives."""

    @abstractmethod
    def tail(self, theta: Floats) -> Floats:
        """The power kappa with which survival falls at last, S(t) ~ t^-kappa: its mean is finite
        where kappa is above 1."""

    @abstractmethod
    def simulate(self, theta: Floats, n: int, rng: np.random.Generator) -> Floats:
        """Ages (n,) at which contracts of n new customers end; whole periods where they must."""

    @abstractmethod
    def starts(self, retention: float, time: float) -> Floats:
        """Starting values (s, k) where customers stay `time` on average so far, and a share
        `retention` of them renews."""


def log_survival(family: SubscriptionFamily, theta: Floats, t: Number) -> Floats:
    """log S(t) of a new customer; contracts of whole periods end at renewals, not between."""
    age = np.floor(t) if family.whole_periods else np.asarray(t, dtype=np.float64)
    return family.log_ratio(theta, np.zeros(1), age)


def chained(
    outer: RatioDerivatives, jacobian: Floats, second: Floats, value: Floats
) -> RatioDerivatives:
    """Derivatives of F(y(z)) by the chain rule.

    outer: of F in y (j,); jacobian: (j, k, m) dy / dz; second: (j, k, k, m) d2y / dz2.
    """
    gradient = np.einsum("jm,jkm->km", outer.gradient, jacobian)
    hessian = np.einsum("jkm,jim,ilm->klm", jacobian, outer.hessian, jacobian)
    hessian += np.einsum("jm,jklm->klm", outer.gradient, second)
    return RatioDerivatives(value, gradient, hessian)
