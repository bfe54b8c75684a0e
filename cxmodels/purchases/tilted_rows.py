"""Derivatives of the dependent Pareto/NBD's likelihood: a signed sum of four of Pareto/NBD.

V = (1 + rho) L(alpha, beta) - rho L(alpha', beta) - rho L(alpha, beta') + rho L(alpha', beta'),
alpha' = alpha 2^(1/r), beta' = beta 2^(1/s): see dependent_pareto_nbd.py. With shares p of the four
terms in V, which may be negative, the gradient of log V is the sum of p times theirs, and its
Hessian that of p times (curvature plus squared slope), less the squared gradient.
"""

import numpy as np

from cxmodels.numerics.arrays import Floats
from cxmodels.purchases import pareto_nbd
from cxmodels.purchases.family import RowDerivatives

SIGNS = (1.0, -1.0, -1.0, 1.0)  # slopes of the four weights in rho
LOG_2 = float(np.log(2.0))
LEAST = 1e-300


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood (m,) with gradient (5, m) and Hessian (5, 5, m); theta (5,) or (m, 5)."""
    rho = theta[..., 4]
    terms = [
        _tilted(theta, x, t_x, T, buying, leaving)
        for buying, leaving in ((False, False), (True, False), (False, True), (True, True))
    ]
    top = np.max([term.value for term in terms], axis=0)
    heights = [np.exp(term.value - top) for term in terms]
    weights = (1.0 + rho, -rho, -rho, rho)
    whole = np.maximum(sum(w * h for w, h in zip(weights, heights, strict=True)), LEAST)
    gradient, hessian = np.zeros((5, x.size)), np.zeros((5, 5, x.size))
    for weight, sign, height, term in zip(weights, SIGNS, heights, terms, strict=True):
        share, slope = weight * height / whole, sign * height / whole
        g = term.gradient
        gradient[:4] += share * g
        gradient[4] += slope
        hessian[:4, :4] += share * (term.hessian + g[:, None] * g)
        hessian[:4, 4] += slope * g
    hessian[4, :4] = hessian[:4, 4]
    hessian -= gradient[:, None] * gradient
    return RowDerivatives(top + np.log(whole), gradient, hessian)


def _tilted(
    theta: Floats, x: Floats, t_x: Floats, T: Floats, buying: bool, leaving: bool
) -> RowDerivatives:
    """Pareto/NBD with alpha 2^(1/r) for alpha, beta 2^(1/s) for beta, where asked: in r, alpha, s
    and beta."""
    own = np.array(theta[..., :4], dtype=np.float64)
    pairs = [(0, 1)] * buying + [(2, 3)] * leaving
    for shape, rate in pairs:
        own[..., rate] *= np.exp(np.minimum(LOG_2 / own[..., shape], 600.0))
    found = pareto_nbd.rows(own, x, t_x, T)
    for shape, rate in pairs:
        _chain(found, own[..., shape], own[..., rate], theta[..., rate], (shape, rate))
    return found


def _chain(
    found: RowDerivatives, shape: Floats, moved: Floats, rate: Floats, places: tuple[int, int]
) -> None:
    """From derivatives in `moved` = rate 2^(1/shape) to derivatives in shape and rate, in place."""
    i, j = places
    g, H = found.gradient, found.hessian
    up, bent = -moved * LOG_2 / shape**2, moved * (LOG_2**2 / shape**4 + 2.0 * LOG_2 / shape**3)
    factor = moved / rate
    slope, column = g[j].copy(), H[:, j].copy()
    H[:, i] += up * column
    H[:, j] = factor * column
    row = H[j].copy()
    H[i] += up * row
    H[j] = factor * row
    H[i, i] += bent * slope
    mixed = -factor * LOG_2 / shape**2 * slope
    H[i, j] += mixed
    H[j, i] += mixed
    g[i] += up * slope
    g[j] = factor * slope
