"""How long customers stay: laws of a lifetime whose hazard differs from customer to customer.

Pareto of the second kind (an exponential lifetime with a gamma hazard) and Gamma-Gompertz (a
hazard that grows with age, scaled by a gamma frailty). A law is a set of formulas; its parameters
come as arrays that broadcast against times.

Sources: Schmittlein, Morrison and Colombo (1987), Management Science 33(1); Bemmaor and Glady
(2012), Management Science 58(5).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cxmodels.numerics.arrays import Floats, Number

SETTLED = 30.0  # exp(-30) is 1e-13


@dataclass(frozen=True)
class Slopes:
    """A log density or log survival with its derivatives in the parameters of the law.

    gradient: one array a parameter; hessian: by pair (i, j), i <= j, pairs that are zero left out.
    """

    value: Floats
    gradient: tuple[Floats, ...]
    hessian: dict[tuple[int, int], Floats]


class LifetimeLaw(Protocol):
    """Survival S(t), density f(t) = -S'(t), and what a quadrature over t has to know."""

    def log_survival(self, law: tuple[Floats, ...], t: Number) -> Floats:
        """log S(t)."""

    def log_density(self, law: tuple[Floats, ...], t: Number) -> Floats:
        """log f(t)."""

    def survival_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        """log S(t) and its derivatives."""

    def density_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        """log f(t) and its derivatives."""

    def scale(self, law: tuple[Floats, ...]) -> Floats:
        """How far from 0 the density stops being smooth: it bends over times of scale + t."""

    def pace(self, law: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Rate per unit of time at which it bends besides (0: none), and the time it ends at."""

    def reach(self, law: tuple[Floats, ...], t: Floats, fall: float) -> Floats:
        """The time at which survival has fallen to exp(-fall) of what it was at t."""

    def draw(self, law: tuple[Floats, ...], rng: np.random.Generator) -> Floats:
        """Simulated lifetimes."""


class Pareto:
    """S(t) = (beta / (beta + t))^s: hazard mu ~ Gamma(s, rate beta). Parameters s, beta."""

    def log_survival(self, law: tuple[Floats, ...], t: Number) -> Floats:
        s, beta = law
        return -s * np.log1p(t / beta)

    def log_density(self, law: tuple[Floats, ...], t: Number) -> Floats:
        s, beta = law
        return np.log(s) + s * np.log(beta) - (s + 1.0) * np.log(beta + t)

    def survival_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        s, beta = law
        gap, late = np.log1p(t / beta), 1.0 / (beta + t)
        slope = t * late / beta
        return Slopes(
            -s * gap,
            (-gap, s * slope),
            {(0, 1): slope, (1, 1): -s * slope * (1.0 / beta + late)},
        )

    def density_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        s, beta = law
        late, log_late = 1.0 / (beta + t), np.log(beta + t)
        steep = (s + 1.0) * late
        return Slopes(
            np.log(s) + s * np.log(beta) - (s + 1.0) * log_late,
            (1.0 / s + np.log(beta) - log_late, s / beta - steep),
            {(0, 0): -1.0 / s**2, (0, 1): 1.0 / beta - late, (1, 1): steep * late - s / beta**2},
        )

    def scale(self, law: tuple[Floats, ...]) -> Floats:
        return law[1]

    def pace(self, law: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        return np.zeros_like(law[1]), np.zeros_like(law[1])

    def reach(self, law: tuple[Floats, ...], t: Floats, fall: float) -> Floats:
        s, beta = law
        with np.errstate(over="ignore"):  # infinite where hardly anybody leaves
            return t + (beta + t) * np.expm1(fall / s)

    def draw(self, law: tuple[Floats, ...], rng: np.random.Generator) -> Floats:
        s, beta = law
        with np.errstate(divide="ignore", over="ignore"):  # a hazard of 0: never
            return beta * (rng.standard_exponential(s.shape) / rng.standard_gamma(s))


class GammaGompertz:
    """S(t) = (beta / (beta + e^(b t) - 1))^s: hazard eta b e^(b t), eta ~ Gamma(s, rate beta).

    Parameters b, s, beta. With q = beta e^(-b t) + 1 - e^(-b t), all terms positive,
    log(beta + e^(b t) - 1) = b t + log q.
    """

    def log_survival(self, law: tuple[Floats, ...], t: Number) -> Floats:
        b, s, beta = law
        return s * (np.log(beta) - b * t - np.log(_q(b, beta, t)))

    def log_density(self, law: tuple[Floats, ...], t: Number) -> Floats:
        b, s, beta = law
        free = np.log(s) + np.log(b) + s * np.log(beta)
        return free - s * b * t - (s + 1.0) * np.log(_q(b, beta, t))

    def survival_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        b, s, beta = law
        q = _q_slopes(b, beta, t)
        of_b, of_beta = q.gradient
        free = np.log(beta) - b * t - q.value
        return Slopes(
            s * free,
            (-s * (t + of_b), free, s * (1.0 / beta - of_beta)),
            {
                (0, 0): -s * q.hessian[0, 0],
                (0, 1): -t - of_b,
                (0, 2): -s * q.hessian[0, 1],
                (1, 2): 1.0 / beta - of_beta,
                (2, 2): -s / beta**2 - s * q.hessian[1, 1],
            },
        )

    def density_slopes(self, law: tuple[Floats, ...], t: Floats) -> Slopes:
        """f = hazard x survival: log f = log S + log s + log b - log q."""
        b, s, beta = law
        alive, q = self.survival_slopes(law, t), _q_slopes(b, beta, t)
        of_b, of_beta = q.gradient
        hessian = dict(alive.hessian)
        hessian[0, 0] = hessian[0, 0] - 1.0 / b**2 - q.hessian[0, 0]
        hessian[0, 2] = hessian[0, 2] - q.hessian[0, 1]
        hessian[1, 1] = -1.0 / s**2
        hessian[2, 2] = hessian[2, 2] - q.hessian[1, 1]
        at_b, at_s, at_beta = alive.gradient
        return Slopes(
            alive.value + np.log(s) + np.log(b) - q.value,
            (at_b + 1.0 / b - of_b, at_s + 1.0 / s, at_beta - of_beta),
            hessian,
        )

    def scale(self, law: tuple[Floats, ...]) -> Floats:
        """To the root of beta + e^(b t) - 1 left of 0; where beta is 1 or more it is complex."""
        b, _, beta = law
        return -np.log1p(-np.minimum(beta, 0.95)) / b

    def pace(self, law: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        """Until q is 1 to thirteen digits: from there on the hazard is b s for ever."""
        b, _, beta = law
        return b, (np.log1p(beta) + SETTLED) / b

    def reach(self, law: tuple[Floats, ...], t: Floats, fall: float) -> Floats:
        """beta + e^(b t) - 1 has grown by the factor e^(fall / s)."""
        b, s, beta = law
        grown = fall / s + b * t + np.log(_q(b, beta, t))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # far: infinite
            far = grown + np.log1p((1.0 - beta) * np.exp(-grown))
        return np.where(np.isfinite(far), np.maximum(far / b, t), np.inf)

    def draw(self, law: tuple[Floats, ...], rng: np.random.Generator) -> Floats:
        b, s, beta = law
        with np.errstate(divide="ignore", over="ignore"):  # a frailty of 0: never
            odds = beta * (rng.standard_exponential(s.shape) / rng.standard_gamma(s))
        return np.log1p(odds) / b


def _q(b: Floats, beta: Floats, t: Number) -> Floats:
    return np.asarray(beta * np.exp(-b * t) - np.expm1(-b * t))


def _q_slopes(b: Floats, beta: Floats, t: Floats) -> Slopes:
    """log q with its derivatives in b and beta."""
    late = np.exp(-b * t)
    q = beta * late - np.expm1(-b * t)
    of_beta = late / q
    of_b = t * (1.0 - beta) * of_beta
    return Slopes(
        np.log(q),
        (of_b, of_beta),
        {
            (0, 0): -of_b * (t + of_b),
            (0, 1): -of_beta * (t + of_b),
            (1, 1): -(of_beta**2),
        },
    )
