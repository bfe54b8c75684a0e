"""Counts of events that take k random stages each, averaged over customers who differ.

Stages pass at rate lambda; with z = t / A and j stages passed at the start, lambda ~ Gamma(s + j,
rate A), so that the stages passed by t, the first j included, are l with probability

    D(l) = sum_j pi_j NB(l - j; s + j, z),    sum_j pi_j = 1,  0 <= j < k

and N = floor(l / k) events have happened. After each event a customer leaves with probability
p ~ Beta(a, b); beta_n = E[(1-p)^n]. Needed are sums over n of positive terms:

    E[(1-p)^N] = sum_n beta_n P(N = n)
    E[events before leaving] = sum_n (beta_0 + ... + beta_(n-1)) P(N = n)
    their rate at t, sum_n beta_n (density of event n + 1)

All terms are positive, so nothing cancels. Short sums are taken term by term by a recursion. Long
ones are smooth in n: the first terms are taken one by one, the others in blocks by the Gauss rule
for sums (Gram polynomials; Szego, Orthogonal Polynomials, 2.8), which takes a block of any length
at a fixed number of real n.
"""

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints, Number

CHUNK = 4096  # values at a time: what stays in the processor's cache
LONGEST = 300.0  # stages that are summed one by one; from here blocks are cheaper
TAIL = 36.0  # exp(-36) is below the resolution of a double
ONE_BY_ONE = 16  # events at the head of a long sum
NODES = 8  # of the Gauss rule of one block
SPREAD = 2.0  # standard deviations of the stages passed that one block may span


class Sought(Enum):
    """What is averaged."""

    STAYING = "E[(1-p)^N]"
    EVENTS = "E[events before leaving]"
    RATE = "d E[events before leaving] / dz"


def stage_mean(
    sought: Sought, weights: Floats, s: Number, a: Number, b: Number, z: Number
) -> Floats:
    """The average sought; weights (..., k) are pi, the other arguments broadcast with (...).

    >>> random = np.ones(1)  # k = 1; E[(1-p)^N] is the integral of 1 / (1 + p)
    >>> float(stage_mean(Sought.STAYING, random, 1.0, 1.0, 1.0, 1.0))
    0.69314718055994...
    """
    shape = np.broadcast_shapes(weights.shape[:-1], *(np.shape(v) for v in (s, a, b, z)))
    size, k = int(np.prod(shape, dtype=np.int64)), weights.shape[-1]
    pi = np.broadcast_to(weights, (*shape, k)).reshape(size, k).T
    flat = [np.broadcast_to(v, shape).ravel().astype(np.float64) for v in (s, a, b, z)]
    return _flat(sought, pi, np.array(flat)).reshape(shape)


def _flat(sought: Sought, pi: Floats, arguments: Floats) -> Floats:
    s, _, _, z = arguments
    k, top = len(pi), s + len(pi)
    np.maximum(z, 10.0 ** (-270.0 / k), out=z)  # event 1 may need z^(k-1): keeps it a double
    terms = top * z + 8.0 * np.sqrt(top * z * (1.0 + z)) + TAIL / np.log1p(1.0 / z) + 8.0 + 2 * k
    short = (terms < LONGEST) & (top * np.log1p(z) < 600.0)
    value = np.empty(s.size)
    for part in _chunks(np.flatnonzero(short)[np.argsort(terms[short])], CHUNK):
        events = int(terms[part[-1]]) // k + 1
        value[part] = _series(sought, pi[:, part], arguments[:, part], events)
    long = np.flatnonzero(~short)
    for part in _chunks(long[np.lexsort(arguments[2::-1, long])], CHUNK // 8):
        rule = _rule(float(top[part].max()), k, float(terms[part].max()) / k)
        value[part] = _blocks(sought, pi[:, part], arguments[:, part], rule)
    return value


def _chunks(order: Ints, size: int) -> Iterator[Ints]:
    return (order[start : start + size] for start in range(0, order.size, size))


def _shares(sought: Sought, pi: Floats, s: Floats, z: Floats) -> Floats:
    """D(l) = base(l) sum_j share_j l (l-1) ... (l-j+1): the shares (j, n), as many as matter."""
    used = int(np.flatnonzero(pi.any(axis=1)).max()) + 1  # a new customer: j = 0 alone
    S = s + (sought is Sought.RATE)
    shares = np.empty((used, s.size))
    scale = np.ones_like(s)
    for j in range(used):
        shares[j] = pi[j] * scale
        if sought is Sought.RATE:
            shares[j] *= s + j
        scale = scale / (z * (S + j))
    return shares


def _series(sought: Sought, pi: Floats, arguments: Floats, events: int) -> Floats:
    """Term by term; base(l) = NB(l; S, z) by its recursion, the factor of shares by differences.

    For f(l) = sum_j share_j l (l-1) ... (l-j+1) the i-th difference at 0 is i! share_i.
    """
    s, a, b, z = arguments
    k, shares, S = len(pi), _shares(sought, pi, s, z), s + (sought is Sought.RATE)
    differences = [share * scipy.special.factorial(j) for j, share in enumerate(shares)]
    w, both = z / (1.0 + z), a + b
    base, factor, beta = np.exp(-S * np.log1p(z)), w * S, np.ones_like(s)
    before, total, block, step = (np.zeros_like(s) for _ in range(4))
    for n in range(events):
        block[:] = 0.0
        for stage in range(k * n, k * n + k):
            if sought is not Sought.RATE or stage == k * n + k - 1:
                block += np.multiply(base, differences[0], out=step)
            base *= factor
            base *= 1.0 / (stage + 1.0)
            factor += w
            for low, high in pairwise(differences):
                low += high
        block *= before if sought is Sought.EVENTS else beta
        total += block
        before += beta
        beta *= np.divide(b + n, both + n, out=step)
    return np.asarray(total)


def _falling(stage: Number, shares: Floats) -> Floats:
    """sum_j share_j l (l-1) ... (l-j+1), for stages l: a number, or (m, 1)."""
    value = shares[-1] + 0.0 * stage if len(shares) == 1 else 0.0
    if len(shares) > 1:  # Horner's rule
        value = np.broadcast_to(shares[-1], np.broadcast_shapes(np.shape(stage), shares[0].shape))
        for j in range(len(shares) - 2, -1, -1):
            value = shares[j] + (stage - j) * value
    return np.asarray(value)


def _blocks(sought: Sought, pi: Floats, arguments: Floats, rule: tuple[Floats, Floats]) -> Floats:
    """The same sum by a rule: events n (m,) and how many terms each stands for (m,).

    What z does not enter is worked out once for neighbours that share s, a and b.
    """
    s, z = arguments[0], arguments[3]
    n, k, shares = rule[0][:, None], len(pi), _shares(sought, pi, s, z)
    starts = np.append(True, (np.diff(arguments[:3], axis=1) != 0.0).any(axis=0))
    once, place = arguments[:3, starts], np.cumsum(starts) - 1
    S, w = s + (sought is Sought.RATE), z / (1.0 + z)
    first = k * n + (k - 1 if sought is Sought.RATE else 0)
    log = _without_z(sought, once, n, first)[:, place]
    log += first * np.log(w)
    log -= S * np.log1p(z)
    ratio, block = np.ones_like(log), _falling(first, shares)
    for stage in range(1, 1 if sought is Sought.RATE else k):
        ratio *= w * (S + first + stage - 1.0) / (first + stage)
        block = block + ratio * _falling(first + stage, shares)
    return np.asarray(rule[1] @ (np.exp(log, out=log) * block))


def _without_z(sought: Sought, once: Floats, n: Floats, first: Floats) -> Floats:
    """log of beta_n, or of the sum of those before, times Gamma(S+l) / (Gamma(S) l!)."""
    (s, a, b), gammaln = once, scipy.special.gammaln
    if sought is Sought.EVENTS:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            beta = log_before(a, b, n)  # log 0 where n = 0; of two forms one may overflow
    else:
        beta = gammaln(b + n) - gammaln(a + b + n) + gammaln(a + b) - gammaln(b)
    S = s + (sought is Sought.RATE)
    return np.asarray(beta + gammaln(S + first) - gammaln(S) - gammaln(first + 1.0))


def log_before(a: Floats, b: Floats, n: Floats) -> Floats:
    """log of beta_0 + ... + beta_(n-1), n real.

    With e = a - 1 that is (1 + b/e) (1 - exp(-e m)), where m is the mean of digamma over (b+n,
    b+n+e) less that over (b, b+e): sound at a = 1 too. Where b + e is negative, so is e, and
    [Gamma(a+b) Gamma(b+n) / (Gamma(b) Gamma(b+n+e)) - (b+e)] / -e is a sum of positive terms.
    """
    e, gammaln = a - 1.0, scipy.special.gammaln
    apart = _mean_digamma(b + n, e) - _mean_digamma(b, e)
    small = np.abs(e) < 1e-12
    ratio = np.where(small, apart, -np.expm1(-e * apart) / np.where(small, 1.0, e))
    power = gammaln(a + b) - gammaln(b) + gammaln(b + n) - gammaln(b + n + e)
    below = (np.exp(power) - (b + e)) / np.where(small, -1.0, -e)
    value = np.where(b + e > 0.0, (b + e) * ratio, below)
    return np.log(np.where(n > 0, value, 0.0))


def _mean_digamma(x: Floats, e: Floats) -> Floats:
    """Mean of digamma over (x, x + e): by its middle where e is small, else from log gamma."""
    wide = np.abs(e) > 1e-2 * x
    middle = x + np.where(wide, 0.0, e) / 2.0
    bend = e**2 / 24.0 * scipy.special.polygamma(2, middle)
    ends = scipy.special.gammaln(x + e) - scipy.special.gammaln(x)
    return np.where(wide, ends / np.where(wide, e, 1.0), scipy.special.digamma(middle) + bend)


def _rule(s: float, k: int, last: float) -> tuple[Floats, Floats]:
    """Events at which a long sum is evaluated, and how many terms each stands for.

    A block is short against its distance from 0, where beta_n bends, and against the standard
    deviation of the stages passed, sqrt(l (l + s) / s) near l.
    """
    nodes, counts, start = [np.arange(float(ONE_BY_ONE))], [np.ones(ONE_BY_ONE)], ONE_BY_ONE
    while start < last:
        stage = float(k * start)
        length = int(min(start, SPREAD * np.sqrt(stage * (stage + s) / s) / k)) + 1
        inside, count = _gauss(length)
        nodes.append(start + inside)
        counts.append(count)
        start += length
    return np.concatenate(nodes), np.concatenate(counts)


@lru_cache(maxsize=4096)
def _gauss(length: int) -> tuple[Floats, Floats]:
    """Nodes in (0, length - 1) and weights that sum polynomials over 0 ... length - 1 exactly."""
    if length <= NODES:
        return np.arange(float(length)), np.ones(length)
    j = np.arange(1.0, NODES)
    beside = j**2 * (float(length) ** 2 - j**2) / (4.0 * (4.0 * j**2 - 1.0))
    middle = np.full(NODES, (length - 1.0) / 2.0)
    nodes, vectors = scipy.linalg.eigh_tridiagonal(middle, np.sqrt(beside))
    return np.asarray(nodes, dtype=np.float64), np.asarray(length * vectors[0] ** 2)
