"""Least squares over time whose shocks last: e_t = rho e_(t-1) + u_t.

Residuals of a line look less alike than shocks are, for the line bends to them: rho is that whose
expected autocorrelation of residuals, tr(M A M V) / tr(M V), is the one that is seen (M takes the
line out, A is the lag, V_st = rho^|s-t|). Coefficients follow by generalised least squares, the
first row kept (Prais and Winsten 1954, Cowles Commission discussion paper 383).
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.numerics.arrays import Floats

GRID = np.linspace(-0.95, 0.98, 194)  # of rho
LONG = 1_500  # rows from which a line bends too little to matter


@dataclass(frozen=True, eq=False)
class Lasting:
    """Coefficients (k,), their covariance (k, k), degrees of freedom of t, and rho."""

    coefficients: Floats
    values: Floats
    degrees: int
    rho: float


def seen_rho(X: Floats, e: Floats) -> float:
    """rho from the residuals e (T,) of least squares on X (T, k), freed of what the line takes;
    0 where the fit is perfect."""
    total = float(e @ e)
    if not total > 0.0:
        return 0.0
    seen = float(e[1:] @ e[:-1]) / total
    T = e.size
    if T >= LONG:
        return seen
    M = np.eye(T) - X @ np.linalg.solve(X.T @ X, X.T)
    A = 0.5 * (np.eye(T, k=1) + np.eye(T, k=-1))
    lags = np.arange(T)
    twice = np.where(lags > 0, 2.0, 1.0)
    lagged = M @ A @ M
    above = twice * np.array([np.trace(lagged, offset=lag) for lag in lags])
    below = twice * np.array([np.trace(M, offset=lag) for lag in lags])
    powers = GRID[:, None] ** lags
    expected = np.maximum.accumulate((powers @ above) / (powers @ below))
    return float(np.interp(seen, expected, GRID))


def lasting(X: Floats, y: Floats) -> Lasting:
    """Generalised least squares of y (T,) on X (T, k) with shocks that last.

    >>> t = np.arange(8.0)
    >>> found = lasting(np.column_stack([np.ones(8), t]), 2.0 + 3.0 * t + (t % 2))
    >>> found.coefficients.round(2), found.rho < 0.0
    (array([2.49, 3.  ]), True)
    """
    b = np.linalg.lstsq(X, y, rcond=None)[0]
    rho = seen_rho(X, y - X @ b)
    first = np.sqrt(1.0 - rho**2)
    rows = np.vstack([first * X[:1], X[1:] - rho * X[:-1]])
    aims = np.concatenate([[first * y[0]], y[1:] - rho * y[:-1]])
    found = np.linalg.lstsq(rows, aims, rcond=None)[0].astype(np.float64)
    u = aims - rows @ found
    degrees = y.size - X.shape[1] - 1  # one for rho
    values = np.linalg.inv(rows.T @ rows) * float(u @ u) / degrees
    return Lasting(found, values, degrees, rho)
