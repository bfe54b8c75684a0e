"""The chance to survive a beta-distributed danger, exact where differences of log gammas are not.

    R(a, b, x) = log [B(a, b + x) / B(a, b)],   x >= 0,

is the log survival of the beta-geometric (x periods) and of the beta-discrete-Weibull (x = t^c).
Differences of log gammas lose every digit where a / b is tiny ("almost nobody leaves") or where a
and b are huge ("customers are alike"). Here both arguments are first raised above 10 by the
recurrence of the gamma function, whose factors are log1p terms, and then Stirling's series is
differenced by hand; every term is of the size of the result.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Number

RAISED = 10  # Stirling's series with 7 terms is exact to 1e-16 from here on
_BERNOULLI = np.array([1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6])
_ORDER = 2 * np.arange(1, _BERNOULLI.size + 1)


@dataclass(frozen=True)
class BetaRatio:
    """R (m,), its gradient (3, m) and Hessian (3, 3, m) in (a, b, x)."""

    value: Floats
    gradient: Floats
    hessian: Floats


def log_beta_ratio(a: Number, b: Number, x: Number) -> Floats:
    """log [B(a, b + x) / B(a, b)] for a > 0, b > 0, x >= 0; arguments broadcast.

    >>> bool(np.isclose(log_beta_ratio(1.0, 1.0, 3.0), np.log(1 / 4)))
    True
    """
    grown = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b), np.shape(x)))
    c = np.asarray(a + b)
    product = np.asarray(a * x)
    far = c + x
    for j in range(RAISED):  # the product of all 1 + step, less 1
        step = product / ((b + j) * (far + j))
        grown += step + grown * step
    b, c = b + RAISED, c + RAISED
    return np.asarray(-np.log1p(grown) - _stirling(a, b, c, x, product))


def _stirling(a: Number, b: Number, c: Number, x: Number, product: Floats) -> Floats:
    """-R for b above 10, by Stirling's series (Abramowitz and Stegun 1964, 6.1.41); c = a + b."""
    leading = x * np.log1p(a / (b + x)) + a * np.log1p(x / c)
    leading = leading + b * np.log1p(-product / ((b + x) * c))
    leading = leading + 0.5 * np.log1p(product / (b * (c + x)))
    return np.asarray(leading + _corrections(c, x) - _corrections(b, x))


def _corrections(z: Number, x: Number) -> Floats:
    """Sum of B_2k / (2k (2k - 1)) [(z + x)^(1 - 2k) - z^(1 - 2k)], without cancelling.

    The differences q_p = u^p - v^p follow q_(p+2) = (u^2 + v^2) q_p - u^2 v^2 q_(p-2).
    """
    u, v = 1.0 / (z + x), 1.0 / z
    both, pair = u * u + v * v, u * v
    here = np.asarray(-x * pair)  # u - v
    before = np.asarray(x + 0.0 * here)  # 1 / u - 1 / v
    pair = pair * pair
    total = np.zeros(np.shape(here))
    for bernoulli, order in zip(_BERNOULLI, _ORDER, strict=True):
        total += bernoulli / (order * (order - 1.0)) * here
        before, here = here, both * here - pair * before
    return total


def beta_ratio(a: Floats, b: Floats, x: Floats) -> BetaRatio:
    """R with first and second derivatives, one for each of m arguments."""
    c = a + b
    value = log_beta_ratio(a, b, x)
    here = _digamma_step(c, x)
    across = _digamma_step(b + x, a)
    gradient = np.stack([-here, _digamma_cross(a, b, x), -across])
    bend, own = _trigamma_step(c, x), _trigamma_step(b, x)
    edge = scipy.special.polygamma(1, c + x)
    slope = _trigamma_step(b + x, a)
    hessian = np.empty((3, 3, *np.shape(value)))
    hessian[0, 0] = hessian[0, 1] = hessian[1, 0] = -bend
    hessian[0, 2] = hessian[2, 0] = -edge
    hessian[1, 1] = own - bend
    hessian[1, 2] = hessian[2, 1] = hessian[2, 2] = -slope
    return BetaRatio(value, gradient, hessian)


def _digamma_step(z: Floats, x: Floats) -> Floats:
    """psi(z + x) - psi(z)."""
    total = np.zeros(np.broadcast_shapes(np.shape(z), np.shape(x)))
    for j in range(RAISED):
        total += x / ((z + j) * (z + x + j))
    z = z + RAISED
    logs = np.log1p(x / z)
    total += logs + 0.5 * x / (z * (z + x))
    for bernoulli, order in zip(_BERNOULLI, _ORDER, strict=True):
        total -= bernoulli / order * z ** -float(order) * np.expm1(-order * logs)
    return total


def _digamma_cross(a: Floats, b: Floats, x: Floats) -> Floats:
    """[psi(b + x) - psi(b)] - [psi(c + x) - psi(c)] with c = a + b: dR / db."""
    c = a + b
    total = np.zeros(np.shape(a + b + x))
    for j in range(RAISED):
        near, far = (b + j) * (b + x + j), (c + j) * (c + x + j)
        total += x * a * (b + c + x + 2 * j) / (near * far)
    b, c = b + RAISED, c + RAISED
    near, far = b * (b + x), c * (c + x)
    total += np.log1p(a * x / (b * (c + x))) + 0.5 * x * a * (b + c + x) / (near * far)
    for bernoulli, order in zip(_BERNOULLI, _ORDER, strict=True):
        step = b ** -float(order) * np.expm1(-order * np.log1p(x / b))
        step -= c ** -float(order) * np.expm1(-order * np.log1p(x / c))
        total -= bernoulli / order * step
    return total


def _trigamma_step(z: Floats, x: Floats) -> Floats:
    """psi'(z + x) - psi'(z)."""
    total = np.zeros(np.broadcast_shapes(np.shape(z), np.shape(x)))
    for j in range(RAISED):
        total -= x * (2 * z + x + 2 * j) / ((z + j) * (z + x + j)) ** 2
    z = z + RAISED
    logs = np.log1p(x / z)
    total += np.expm1(-logs) / z + 0.5 * np.expm1(-2.0 * logs) / z**2
    for bernoulli, order in zip(_BERNOULLI, _ORDER, strict=True):
        power = order + 1.0
        total += bernoulli * z**-power * np.expm1(-power * logs)
    return total
