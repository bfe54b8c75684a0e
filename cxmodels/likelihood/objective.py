"""What a model must offer so that it can be fitted: how well given parameters explain the data.

A family writes `log_likelihood` and `derivatives` in its natural parameters, as the paper has
them; `RealScale` moves both to the real scale on which every search and every sampler works.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Space

FARTHEST = 30.0  # |u| beyond which nothing is evaluated: a factor of 1e13 from the data's scale


@dataclass(frozen=True)
class Derivatives:
    """Value, gradient (k,) and Hessian (k, k) of a log likelihood at one point."""

    value: float
    gradient: Floats
    hessian: Floats

    @property
    def finite(self) -> bool:
        """Whether value, gradient and Hessian are all finite."""
        return bool(
            np.isfinite(self.value)
            and np.isfinite(self.gradient).all()
            and np.isfinite(self.hessian).all()
        )


class Objective(Protocol):
    """The log likelihood of one data set, in the natural parameters of its family."""

    @property
    def space(self) -> Space:
        """The family's parameters."""

    @property
    def rows(self) -> int:
        """Number of customers behind the likelihood."""

    @property
    def scales(self) -> Floats:
        """The data's own scale of each parameter (k,), from `space.scales`."""

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at natural parameters (..., k), all draws in one call."""

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian at one natural theta (k,)."""

    def starts(self) -> Floats:
        """Natural starting values (s, k), the most promising first."""

    def thinned(self, rows: int) -> "Objective":
        """A data set of about `rows` rows for choosing among starts; may be the same object."""


@dataclass(frozen=True)
class RealScale:
    """An objective seen in real coordinates; whatever is not finite there counts as impossible."""

    objective: Objective

    @property
    def scales(self) -> Floats:
        """The data's own scale of each parameter (k,)."""
        return self.objective.scales

    def natural(self, real: Floats) -> Floats:
        """Natural parameters of real coordinates (..., k)."""
        return self.objective.space.to_natural(real, self.scales)

    def real(self, natural: Floats) -> Floats:
        """Real coordinates of natural parameters (..., k)."""
        return self.objective.space.to_real(natural, self.scales)

    def log_likelihood(self, real: Floats) -> Floats:
        """Log likelihood (n,) at real coordinates (n, k); minus infinity where not finite."""
        values = np.full(len(real), -np.inf)
        inside = (np.abs(real) <= FARTHEST).all(axis=-1)  # False for NaN too
        if inside.any():
            with np.errstate(all="ignore"):  # far proposals overflow; they are set aside below
                found = self.objective.log_likelihood(self.natural(real[inside]))
            values[inside] = np.where(np.isfinite(found), found, -np.inf)
        return values

    def derivatives(self, real: Floats) -> Derivatives:
        """Value, gradient and Hessian in real coordinates (k,) by the chain rule.

        With slope s = d theta / d u and curvature c = d2 theta / d u2, both diagonal:
        gradient_u = s g, Hessian_uu = diag(s) H diag(s) + diag(c g).
        """
        space, k = self.objective.space, len(real)
        nowhere = Derivatives(-np.inf, np.zeros(k), np.zeros((k, k)))
        if not (np.abs(real) <= FARTHEST).all():
            return nowhere
        with np.errstate(all="ignore"):  # a step too far may overflow: refused just below
            natural = self.objective.derivatives(self.natural(real))
            slope = space.slope(real, self.scales)
            curvature = space.curvature(real, self.scales)
            hessian = slope[:, None] * natural.hessian * slope
            hessian = hessian + np.diag(curvature * natural.gradient)
            found = Derivatives(natural.value, slope * natural.gradient, hessian)
        return found if found.finite else nowhere
