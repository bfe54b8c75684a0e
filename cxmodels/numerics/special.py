"""Averages over an unknown drop-out probability, kept accurate where textbook formulas break.

With p ~ Beta(a, b), the models of this package need

    M(A; a, b, z) = E[(1 + p z)^-A]            = 2F1(A, a; a + b; -z)
    K(r; a, b, z) = E[(1 - (1 + p z)^-r) / p]  = (a+b-1)/(a-1) (1 - 2F1(r, a-1; a+b-1; -z))

The hypergeometric forms (Abramowitz and Stegun 1964, 15.3.1) are 0/0 at a = 1, cancel for small
z, and library code for 2F1 is wrong without notice in places. Two routes replace them. With
w = z / (1 + z) both are averages over a negative binomial count m ~ NB(A, w) of terms in
c_m = E[(1-p)^m]: M = E[c_m], K = E[c_0 + ... + c_(m-1)]; all terms are positive: none cancels.
For large z, M is a sum of two short series in 1 / (1 + z) (15.3.8), kept where they do not cancel.
Elsewhere the integral is taken in the logit of p around its peak by the trapezoid rule, which
converges exponentially.
"""

from collections.abc import Callable, Iterator

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints, Number

NODES = np.linspace(0.0, 1.0, 321)
TAIL = 36.0  # exp(-36) is below the resolution of a double
CHUNK = 4096  # values at a time: what stays in the processor's cache
LONGEST_SERIES = 2000.0  # terms; from here the integral is cheaper
LARGE = 4.0  # z from which the series in 1 / (1 + z) is the shorter one
LARGE_TERMS = 60
LOST = 1e-11  # relative error from which cancelled digits send a value to the integral

LogIntegrand = Callable[[Floats, Floats], Floats]


def log_one_minus_exp(x: Floats) -> Floats:
    """log(1 - exp(-x)) for x > 0, accurate at both ends (Maechler 2012)."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the answer at x = 0
        return np.where(x < np.log(2.0), np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


def log_beta_power_mean(A: Number, a: Number, b: Number, z: Number) -> Floats:
    """log E[(1 + p z)^-A] for p ~ Beta(a, b), A >= 0, z >= 0; arguments broadcast.

    >>> float(np.exp(log_beta_power_mean(1.0, 1.0, 1.0, 1.0)))  # integral of 1 / (1 + p)
    0.69314718055994...
    """
    return _evaluate(_power, A, a, b, z)


def log_beta_power_integral(r: Number, a: Number, b: Number, z: Number) -> Floats:
    """log E[(1 - (1 + p z)^-r) / p] for p ~ Beta(a, b), r > 0, z >= 0; arguments broadcast.

    >>> float(np.exp(log_beta_power_integral(1.0, 1.0, 1.0, 1.0)))  # integral of 1 / (1 + p)
    0.69314718055994...
    """
    return _evaluate(_power_integral, r, a, b, z)


def _evaluate(log_f: LogIntegrand, A: Number, a: Number, b: Number, z: Number) -> Floats:
    shape = np.broadcast_shapes(np.shape(A), np.shape(a), np.shape(b), np.shape(z))
    A, a, b, z = (np.broadcast_to(v, shape).ravel().astype(np.float64) for v in (A, a, b, z))
    with np.errstate(divide="ignore"):  # z = 0: one term
        terms = A * z + 8.0 * np.sqrt(A * z * (1.0 + z)) + TAIL / np.log1p(1.0 / z) + 8.0
    value = np.full(A.shape, np.nan)
    if log_f is _power:
        for part in _chunks(np.flatnonzero(z > LARGE)):
            value[part] = _large(A[part], a[part], b[part], z[part])
    short = np.isnan(value) & (terms < LONGEST_SERIES) & (A * np.log1p(z) < 600.0)
    for part in _chunks(np.flatnonzero(short)[np.argsort(terms[short])]):
        most = int(terms[part[-1]])
        value[part] = _series(log_f, (A[part], a[part], b[part], z[part]), most)
    for part in _chunks(np.flatnonzero(np.isnan(value))):
        value[part] = _integral(log_f, (A[part], a[part], b[part], z[part]))
    return value.reshape(shape)


def _chunks(order: Ints) -> Iterator[Ints]:
    return (order[start : start + CHUNK] for start in range(0, order.size, CHUNK))


def _large(A: Floats, a: Floats, b: Floats, z: Floats) -> Floats:
    """log M by Abramowitz and Stegun 15.3.8; NaN where the two series cancel or do not end."""
    v, c = 1.0 / (1.0 + z), a + b
    with np.errstate(all="ignore"):  # what is not finite becomes NaN
        scale = scipy.special.gammaln(c) + np.array([A, a]) * np.log(v)
        scale += scipy.special.gammaln([a - A, A - a]) - scipy.special.gammaln([a, A])
        scale -= scipy.special.gammaln([c - A, b])
        sign = scipy.special.gammasgn([a - A, A - a]) * scipy.special.gammasgn([c - A, b])
        first, first_size = _ascending(A, b, A - a + 1.0, v)
        second, second_size = _ascending(a, c - A, a - A + 1.0, v)
        both = sign * np.exp(scale)
        total = both[0] * first + both[1] * second
        lost = 1e-15 * (np.abs(both[0]) * first_size + np.abs(both[1]) * second_size)
        return np.where((lost < LOST * total), np.log(total), np.nan)


def _ascending(a: Floats, b: Floats, c: Floats, v: Floats) -> tuple[Floats, Floats]:
    """2F1(a, b; c; v) by its series, and the sum of its terms' sizes; NaN where it is too long."""
    term, total, size = np.ones_like(v), np.ones_like(v), np.ones_like(v)
    for n in range(LARGE_TERMS):
        term = term * ((a + n) * (b + n) / ((c + n) * (n + 1.0)) * v)
        total += term
        size += np.abs(term)
        if n % 8 == 7 and (np.abs(term) < 1e-15 * np.abs(total)).all():
            break
    ended = np.abs(term) < 1e-14 * np.abs(total)
    return np.where(ended, total, np.nan), size


def _series(log_f: LogIntegrand, parameters: tuple[Floats, ...], most: int) -> Floats:
    """log of the sum over m of NB(m; A, w) c_m, or of NB(m; A, w) (c_0 + ... + c_(m-1))."""
    A, a, b, z = parameters
    w, both = z / (1.0 + z), a + b
    probability = np.exp(-A * np.log1p(z))
    survival, purchases, total = np.ones_like(A), np.zeros_like(A), np.zeros_like(A)
    term = np.empty_like(A)
    for m in range(most):
        total += np.multiply(probability, survival if log_f is _power else purchases, out=term)
        purchases += survival
        survival *= np.divide(b + m, both + m, out=term)
        probability *= np.multiply(w, A + m, out=term)
        probability /= m + 1.0
    with np.errstate(divide="ignore"):  # K = 0 at z = 0
        return np.asarray(np.log(total))


def _power(log_p: Floats, parameters: Floats) -> Floats:
    A, z = parameters
    logs: Floats = -A * np.log1p(z * np.exp(log_p))
    return logs


def _power_integral(log_p: Floats, parameters: Floats) -> Floats:
    r, z = parameters
    tiny = log_p < -300.0  # there the ratio has its limit r z, and exp(log_p) may underflow
    inside = np.where(tiny, 0.0, log_p)
    ratio = log_one_minus_exp(r * np.log1p(z * np.exp(inside))) - inside
    return np.where(tiny, np.log(r * z), ratio)


def _integral(log_f: LogIntegrand, parameters: tuple[Floats, ...]) -> Floats:
    A, a, b, z = parameters
    proxy = (A, z) if log_f is _power else (np.ones_like(A), A * z)  # its peak has a closed form
    centre, width = _peak(proxy[0], a, b, proxy[1])
    return _trapezoid(log_f, (A, a, b, z), centre, width)


def _peak(A: Floats, a: Floats, b: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Where p^a (1-p)^b (1+pz)^-A peaks in logit p (root of a quadratic), and its width there."""
    square, linear = z * (a + b - A), a + b + z * (A - a)
    root = np.sqrt(linear * linear + 4.0 * a * square)
    below = 2.0 * a / np.maximum(linear + root, 1e-300)
    above = (root - linear) / np.where(square > 0.0, 2.0 * square, 1.0)
    p = np.clip(np.where(linear > 0.0, below, above), 1e-300, 1.0 - 1e-16)
    bend = A * z * (1.0 - 2.0 * p - p * p * z) / (1.0 + p * z) ** 2
    curvature = np.maximum(p * (1.0 - p) * (a + b + bend), 1e-12)
    return scipy.special.logit(p), np.minimum(
        1.0 / np.sqrt(curvature), 1.0
    )  # (1+pz) bends within 1


def _trapezoid(
    log_f: LogIntegrand,
    parameters: tuple[Floats, ...],
    centre: Floats,
    width: Floats,
) -> Floats:
    """log of the integral over logit p = centre + width sinh(v); both tails cut at exp(-36)."""
    A, a, b, z = (v[:, None] for v in parameters)
    centre, width = centre[:, None], width[:, None]
    left = np.minimum(centre, -np.log1p(A * z)) - TAIL / np.minimum(a, 1.0)
    right = np.maximum(centre, 0.0) + TAIL / np.minimum(b, 1.0)
    low, high = np.arcsinh((left - centre) / width), np.arcsinh((right - centre) / width)
    step = (high - low) / (NODES.size - 1)
    v = low + (high - low) * NODES
    logit = centre + width * np.sinh(v)
    log_p, log_q = -np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)
    terms = a * log_p + b * log_q + log_f(log_p, np.stack(np.broadcast_arrays(A, z)))
    terms += np.log(step * width) + np.logaddexp(v, -v) - np.log(2.0)  # Jacobian: cosh(v)
    return np.asarray(scipy.special.logsumexp(terms, axis=1) - scipy.special.betaln(a, b)[:, 0])
