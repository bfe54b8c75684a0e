"""How a customer's own parameters follow from the population's when a covariate moves a process.

A process (buying, leaving) is moved by a number eta, the sum of coefficients times covariates. Two
ways serve all families: a gamma rate is divided by exp(eta), so that the mean it stands for is
multiplied by exp(eta); the mean of a beta distribution moves on the log odds with its weight kept.

Source: Fader and Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and
BG/NBD Models", for the first. Their BG/NBD covariates act on a and b apart; here the mean moves.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats


@dataclass(frozen=True)
class MovedDerivatives:
    """Own parameters (p, m) of m customers; slope (p, p + 1, m) and bend (p, p + 1, p + 1, m) in
    the population's p parameters and eta, which comes last."""

    own: Floats
    slope: Floats
    bend: Floats


class Moved(ABC):
    """The parameters of one process, how eta moves them, and what it moves in words."""

    parameters: tuple[str, ...]
    what: str

    @abstractmethod
    def own(self, common: Floats, eta: Floats) -> Floats:
        """(..., p) own parameters from the population's (..., p) and eta (...)."""

    @abstractmethod
    def derivatives(self, common: Floats, eta: Floats) -> MovedDerivatives:
        """The same with derivatives, for common (p,) and eta (m,)."""


@dataclass(frozen=True)
class Rate(Moved):
    """A gamma rate, divided by exp(eta): the mean purchase (or leaving) rate times exp(eta)."""

    parameters: tuple[str]
    what: str = "mean purchase rate"

    def own(self, common: Floats, eta: Floats) -> Floats:
        return common * np.exp(-eta)[..., None]

    def derivatives(self, common: Floats, eta: Floats) -> MovedDerivatives:
        factor = np.exp(-eta)
        value, none = common[0] * factor, np.zeros_like(factor)
        return MovedDerivatives(
            own=value[None],
            slope=np.stack([factor, -value])[None],
            bend=np.array([[none, -factor], [-factor, value]])[None],
        )


@dataclass(frozen=True)
class Share(Moved):
    """The mean m = a / (a + b) of a beta distribution: logit m moves by eta, a + b is kept.

    With p = sigmoid(log a - log b + eta): a_i = (a + b) p, b_i = (a + b) (1 - p). Scaling a and b
    by one factor, as some programs do, could not move the mean at all.
    """

    parameters: tuple[str, str]
    what: str = "odds of leaving"

    def own(self, common: Floats, eta: Floats) -> Floats:
        a, b = common[..., 0], common[..., 1]
        u = np.log(a) - np.log(b) + eta
        parts = [scipy.special.expit(u), scipy.special.expit(-u)]
        return np.stack([(a + b) * part for part in parts], axis=-1)

    def derivatives(self, common: Floats, eta: Floats) -> MovedDerivatives:
        """With w = p (1 - p), v = w (1 - 2 p) the first two derivatives of the sigmoid p(u)."""
        a, b = common
        own = self.own(common, eta).T
        p, q = own / (a + b)
        w, total = p * q, a + b
        v = w * (q - p)
        u = np.array([1.0 / a, -1.0 / b, 1.0])  # slope of u in a, b and eta
        sums = np.array([1.0, 1.0, 0.0])  # slope of a + b
        first = sums[:, None] * p + total * u[:, None] * w
        cross = np.multiply.outer(sums, u) + np.multiply.outer(u, sums)
        second = cross[..., None] * w + total * np.multiply.outer(u, u)[..., None] * v
        second[0, 0] -= total / a**2 * w
        second[1, 1] += total / b**2 * w
        slope = np.stack([first, sums[:, None] - first])
        return MovedDerivatives(own=own, slope=slope, bend=np.stack([second, -second]))
