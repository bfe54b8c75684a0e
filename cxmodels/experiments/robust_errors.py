"""Errors of least squares where the spread differs from unit to unit: HC0 to HC3.

V = (X'X)^-1 [sum of w_i e_i^2 x_i x_i'] (X'X)^-1 with w_i = 1 (HC0), 1 / (1 - h_i) (HC2) or
1 / (1 - h_i)^2 (HC3), h_i = x_i'(X'X)^-1 x_i (MacKinnon and White 1985, Journal of Econometrics 29,
equations 7 to 9). For arms without covariates HC2 is Welch's.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats

POWER = {"hc0": 0, "hc1": 0, "hc2": 1, "hc3": 2}
FULL = 1e-10  # 1 - h below which a row is fitted by a coefficient of its own, and says nothing


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """coefficients (k,), bread (k, k) = (X'X)^-1, residuals (n,)."""

    coefficients: Floats
    bread: Floats
    residuals: Floats


def least_squares(x: Floats, y: Floats) -> LeastSquares:
    """The fit of y (n,) on x (n, k). FitError where columns repeat one another."""
    gram = x.T @ x
    bread = inverse(gram)
    coefficients = bread @ (x.T @ y)
    coefficients = coefficients + bread @ (x.T @ (y - x @ coefficients))  # one refinement
    return LeastSquares(coefficients, bread, y - x @ coefficients)


def inverse(gram: Floats) -> Floats:
    """Inverse of X'X (k, k), scaled first. FitError where columns repeat one another."""
    scale = np.sqrt(np.diag(gram))
    if not (scale > 0.0).all():
        raise FitError("a covariate does not vary, or an arm is empty: leave it out")
    values, vectors = np.linalg.eigh(gram / scale[:, None] / scale)
    if values[0] < 1e-12 * values[-1]:
        raise FitError("covariates repeat one another: leave some out")
    return np.asarray((vectors / values) @ vectors.T / scale[:, None] / scale)


def spread(x: Floats, e: Floats, bread: Floats, power: int) -> Floats:
    """The part of V that rows x (n, k) with residuals e (n,) add; parts of all rows sum to V."""
    lever = x @ bread
    left = 1.0 - np.einsum("nk,nk->n", lever, x)
    weight = np.where(left > FULL, e**2 / np.maximum(left, FULL) ** power, 0.0)
    return np.asarray(lever.T @ (weight[:, None] * lever))


def robust_covariance(x: Floats, y: Floats, kind: str = "hc2") -> Floats:
    """Covariance (k, k) of least squares of y (n,) on x (n, k).

    kind: "classical", "hc0", "hc1", "hc2" or "hc3". Errors: OptionError for another.

    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    >>> float(robust_covariance(x, np.array([1.0, 3.0, 2.0, 6.0]))[1, 1].round(9))  # 2/2 + 8/2
    5.0
    """
    if kind not in ("classical", *POWER):
        raise OptionError(f"kind {kind!r} is not one of classical, {', '.join(POWER)}")
    fit = least_squares(x, y)
    n, k = x.shape
    if kind == "classical":
        return np.asarray(fit.bread * float(fit.residuals @ fit.residuals) / (n - k))
    found = spread(x, fit.residuals, fit.bread, POWER[kind])
    return np.asarray(found * n / (n - k)) if kind == "hc1" else found
