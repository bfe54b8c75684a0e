"""Sums of many terms, each the one before it times a ratio: exact recursions, without overflow.

With (a)_t = a (a+1) ... (a+t-1), the sums are truncated hypergeometric series at 1,

    G = sum_{k=0}^{m-1} prod_{j<k} [(a_1 + j) ... (a_p + j)] / [(b_1 + j) ... (b_p + j)]

All terms are positive, so nothing cancels; a sum of 5,000 terms loses three digits of sixteen.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints, Number

CHUNK = 8192  # sums at a time: what stays in the processor's cache
LARGE = 20.0  # from here Stirling's series is exact to the last digit
GROWING = 8  # terms at a time where they may grow
HUGE = 1e200  # where a sum is scaled down, so that the next steps cannot overflow
SPENT = 1e-18  # share of a sum below which falling terms add nothing: the recursion ends


def log_rising(a: Number, t: Number) -> Floats:
    """log (a)_t = log Gamma(a + t) - log Gamma(a) for a > 0 and t >= 0; t may be a fraction.

    Relative accuracy holds where the two logs are large and close, as for a = 1e9, t = 1.

    >>> float(log_rising(3.0, 2.0))  # log(3 * 4)
    2.484906649788...
    """
    a, t = np.asarray(a, dtype=np.float64), np.asarray(t, dtype=np.float64)
    small = a < LARGE
    if small.all():
        return _gamma_ratio(a, t)
    if not small.any():
        return _stirling_ratio(a, t)
    either = _gamma_ratio(np.minimum(a, LARGE), t), _stirling_ratio(np.maximum(a, LARGE), t)
    return np.where(small, *either)


def _gamma_ratio(a: Floats, t: Floats) -> Floats:
    return np.asarray(scipy.special.gammaln(a + t) - scipy.special.gammaln(a))


def _stirling_ratio(a: Floats, t: Floats) -> Floats:
    direct = t * np.log(a) + (a + t - 0.5) * np.log1p(t / a) - t
    return np.asarray(direct + (_correction(a + t) - _correction(a)))


def _correction(z: Floats) -> Floats:
    """log Gamma(z) less (z - 1/2) log z - z + log(2 pi) / 2 (Abramowitz and Stegun 6.1.41)."""
    v = 1.0 / (z * z)
    series = 1.0 / 12 - v * (1.0 / 360 - v * (1.0 / 1260 - v * (1.0 / 1680 - v / 1188)))
    return np.asarray(series / z)


def rising_slopes(a: Number, t: Number) -> tuple[Floats, Floats]:
    """First and second derivative of log (a)_t in a: differences of digamma and of trigamma."""
    a, t = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(t, dtype=np.float64))
    small, big = np.minimum(a, LARGE), np.maximum(a, LARGE)
    digamma, trigamma = scipy.special.digamma, partial(scipy.special.polygamma, 1)
    end = big + t
    gap = t / (big * end)  # 1 / a - 1 / (a + t)
    first = np.log1p(t / big) + gap / 2 + _digamma_rest(end) - _digamma_rest(big)
    second = -gap - gap * (1.0 / big + 1.0 / end) / 2 + _trigamma_rest(end) - _trigamma_rest(big)
    return (
        np.where(a < LARGE, digamma(small + t) - digamma(small), first),
        np.where(a < LARGE, trigamma(small + t) - trigamma(small), second),
    )


def _digamma_rest(z: Floats) -> Floats:
    """digamma(z) less log z - 1 / (2 z) (Abramowitz and Stegun 6.3.18)."""
    v = 1.0 / (z * z)
    return np.asarray(
        -v * (1.0 / 12 - v * (1.0 / 120 - v * (1.0 / 252 - v * (1.0 / 240 - v / 132))))
    )


def _trigamma_rest(z: Floats) -> Floats:
    """trigamma(z) less 1 / z + 1 / (2 z^2) (Abramowitz and Stegun 6.4.12)."""
    v = 1.0 / (z * z)
    return np.asarray(
        v / z * (1.0 / 6 - v * (1.0 / 30 - v * (1.0 / 42 - v * (1.0 / 30 - v * 5 / 66))))
    )


def log_partial_sum(above: Sequence[Number], below: Sequence[Number], terms: Ints) -> Floats:
    """log G with a = `above`, b = `below` and m = `terms`; arguments broadcast. -inf for m = 0.

    >>> float(np.exp(log_partial_sum([1.0], [2.0], np.array(3))))  # 1 + 1/2 + 1/3
    1.83333333333333...
    """
    shape = np.broadcast_shapes(np.shape(terms), *(np.shape(v) for v in (*above, *below)))
    m = np.broadcast_to(terms, shape).ravel()
    order = np.argsort(-m, kind="stable")
    tops, bottoms = (
        [np.broadcast_to(v, shape).ravel()[order].astype(np.float64) for v in side]
        for side in (above, below)
    )
    m, result = m[order], np.empty(m.size)
    for start in range(0, m.size, CHUNK):
        part = slice(start, start + CHUNK)
        chunk = [v[part] for v in tops], [v[part] for v in bottoms]
        result[order[part]] = _log_sums(*chunk, m[part])
    return result.reshape(shape)


def _log_sums(above: list[Floats], below: list[Floats], m: Ints) -> Floats:
    """log G for sums of m terms each, a block of terms at a time; ended ones are left aside."""
    total, term, scale = np.zeros(m.size), np.ones(m.size), np.zeros(m.size)
    falling = np.all([a < b for a, b in zip(above, below, strict=True)], axis=0)
    live, first = np.flatnonzero(m > 0), 0
    while live.size:
        block = CHUNK // live.size if falling[live].all() else min(GROWING, CHUNK // live.size)
        k = np.arange(first, first + max(1, min(block, int(m[live].max()) - first)))[:, None]
        terms = np.ones((k.size + 1, live.size))
        for a, b in zip(above, below, strict=True):
            terms[1:] *= (a[live] + k) / (b[live] + k)
        terms[0] = term[live]
        np.cumprod(terms, axis=0, out=terms)
        first += k.size
        sums, last = total[live] + np.where(k < m[live], terms[:-1], 0.0).sum(axis=0), terms[-1]
        down = np.where(np.maximum(last, sums) > HUGE, HUGE, 1.0)
        total[live], term[live] = sums / down, last / down
        scale[live] += np.log(down)
        ended = (m[live] <= first) | (falling[live] & (last * (m[live] - first) < SPENT * sums))
        live = live[~ended]
    with np.errstate(divide="ignore"):  # no term, no sum: log 0
        return np.asarray(np.log(total) + scale)
