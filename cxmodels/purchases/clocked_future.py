"""What a customer alive now does next, by the two clocks of buying and leaving.

m customers with r, alpha, s, beta (m, 4), their clocks, and the time `now` (m,) they stand at; each
quantity is asked at times t (m, j) after now. A and B below run from now on: A(t) = A(now + t) -
A(now). See clocks.py for them and clocked_departures.py for the likelihood.
"""

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.clocked_departures import Even
from cxmodels.purchases.clocks import Clock, Clocks, Pieces
from cxmodels.purchases.departures import Range, grouped


def survival(theta: Floats, clocks: Clocks, now: Floats, t: Floats) -> Floats:
    """P(alive at t) = (beta / (beta + B(t)))^s."""
    _, _, s, beta = theta.T[:, :, None]
    _, B = from_now(clocks, now, t)
    return np.asarray(np.exp(-s * np.log1p(B / beta)))


def purchase_rate(theta: Floats, clocks: Clocks, now: Floats, t: Floats) -> Floats:
    """d E[X(t)] / dt = (r / alpha) dA/dt S(t)."""
    r, alpha, s, beta = theta.T[:, :, None]
    pace, there = clocks.pace(now[:, None] + t)
    _, here = clocks.read(now[:, None])
    return np.asarray(r / alpha * pace * np.exp(-s * np.log1p((there - here) / beta)))


def expected_purchases(theta: Floats, clocks: Clocks, now: Floats, t: Floats) -> Floats:
    """E[X(t)] = (r / alpha) integral_0^t S dA, in closed form within each step of covariates.

    With z = log(b1 / b0) between beta + B as the step begins and ends, the integral is a / b times
    beta^s b0^(1-s) z exprel((1-s) z), s = 1 included; as in Schmittlein et al. (1987), equation 17.
    """
    found = np.zeros(t.shape)
    for place in range(t.shape[1]):
        pieces = Pieces.between(clocks.since, now, now + t[:, place])
        row = pieces.row
        r, alpha, s, beta = theta[row].T
        haste = clocks.leaving.pace(pieces)
        _, here = clocks.read(now[:, None])
        before = beta + clocks.leaving.at(pieces) - here[row, 0]
        z = np.log1p(haste * pieces.length / before)
        share = np.exp(s * np.log(beta / before))
        each = r / alpha * clocks.buying.pace(pieces) / haste * share * before * z
        each *= scipy.special.exprel((1.0 - s) * z)
        found[:, place] = np.bincount(row, weights=each, minlength=len(t))
    return found


def log_pmf_survivors(theta: Floats, clocks: Clocks, now: Floats, t: Floats, n: Ints) -> Floats:
    """log P(X(t) = n, alive at t): negative binomial in A(t), times survival; n (m, j)."""
    r, alpha, s, beta = theta.T[:, :, None]
    A, B = from_now(clocks, now, t)
    return np.asarray(_log_count(r, alpha, A, n) - s * np.log1p(B / beta))


def _log_count(r: Floats, alpha: Floats, A: Floats, n: Ints) -> Floats:
    """log P(n purchases until the clock of buying reads A)."""
    lifted = (
        scipy.special.gammaln(r + n) - scipy.special.gammaln(r) - scipy.special.gammaln(n + 1.0)
    )
    late = np.log(alpha + A)
    return np.asarray(lifted + r * (np.log(alpha) - late) + scipy.special.xlogy(n, A) - n * late)


def log_pmf(theta: Floats, clocks: Clocks, now: Floats, t: Floats, n: Ints) -> Floats:
    """log P(X(t) = n): as survivors, or gone at tau after n purchases, summed over tau."""
    found = log_pmf_survivors(theta, clocks, now, t, n)
    for place in range(t.shape[1]):
        pieces = Pieces.between(clocks.since, now, now + t[:, place])
        left = _log_left(theta, clocks, now, pieces, n[:, place].astype(np.float64))
        top = found[:, place].copy()
        np.maximum.at(top, pieces.row, left)
        held = np.where(np.isfinite(top), top, 0.0)
        total = np.exp(found[:, place] - held)
        total += np.bincount(
            pieces.row, weights=np.exp(left - held[pieces.row]), minlength=total.size
        )
        with np.errstate(divide="ignore"):  # no time ahead, and purchases asked for: impossible
            found[:, place] = held + np.log(total)
    return found


def _log_left(theta: Floats, clocks: Clocks, now: Floats, pieces: Pieces, n: Floats) -> Floats:
    """(c,): log P(n purchases and gone) within each piece of the time ahead."""
    row = pieces.row
    r, alpha, s, beta = theta[row].T
    A, B = (reading[row, 0] for reading in clocks.read(now[:, None]))
    clock = clocks.buying.at(pieces) - A
    each = Even(
        r + n[row],
        alpha + clock,
        clocks.buying.pace(pieces),
        s,
        beta + clocks.leaving.at(pieces) - B,
        clocks.leaving.pace(pieces),
        pieces.length,
    )
    lifted = (
        scipy.special.gammaln(r + n[row]) - scipy.special.gammaln(r)
        - scipy.special.gammaln(n[row] + 1.0) + r * np.log(alpha) + s * np.log(beta)
    )  # fmt: skip
    span, found = each.span, np.empty(row.size)
    steep = Range(
        span.low, span.high, span.scale, span.pace, span.until, span.drop + n[row]
    )  # A^n rises from 0 at the first piece
    for rows, nodes in grouped(steep, from_zero=True):
        terms = each.some(rows).log_terms(nodes.tau)
        reading = clock[rows] + each.pace[rows] * nodes.tau
        terms += scipy.special.xlogy(n[row[rows]], np.maximum(reading, 0.0))
        top = terms.max(axis=0)
        held = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):  # far too many purchases for so short a time
            found[rows] = held + np.log(np.einsum("jm,jm->m", nodes.weight, np.exp(terms - held)))
    return np.asarray(lifted + found)


def from_now(clocks: Clocks, now: Floats, t: Floats) -> tuple[Floats, Floats]:
    """A(t) and B(t) from now on (m, j); exactly 0 at t = 0."""
    A, B = clocks.read(now[:, None] + t)
    first, second = clocks.read(now[:, None])
    return np.maximum(A - first, 0.0), np.maximum(B - second, 0.0)


def ends(
    theta: Floats, clocks: Clocks, now: Floats, t: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """Simulated purchases (m,) until a customer leaves or t (m,) comes; what the clock of buying
    reads then, from now on; and the time until then."""
    r, alpha, s, beta = theta.T
    buys = rng.standard_gamma(r) / alpha
    with np.errstate(divide="ignore", over="ignore"):  # a hazard of 0: never
        lifetime = beta * (rng.standard_exponential(s.size) / rng.standard_gamma(s))
    _, B = from_now(clocks, now, t[:, None])
    _, here = clocks.read(now[:, None])
    stays = lifetime >= B[:, 0]
    reading = here[:, 0] + np.where(stays, B[:, 0], lifetime)
    left = _inverse(clocks.since, clocks.leaving, reading) - now
    alive = np.where(stays, t, np.clip(left, 0.0, t))
    A, _ = from_now(clocks, now, alive[:, None])
    return rng.poisson(buys * A[:, 0]), A[:, 0], alive


def _inverse(since: Floats, clock: Clock, reading: Floats) -> Floats:
    """(m,): the time at which a clock with steps `since` (m, s) reads `reading`."""
    begun = np.isfinite(since) & (clock.start <= reading[:, None])
    row, step = np.arange(reading.size), np.maximum(begun.sum(axis=1) - 1, 0)
    past = (reading - clock.start[row, step]) / clock.rate[row, step]
    return np.asarray(since[row, step] + past)


def when(clocks: Clocks, now: Floats, owner: Ints, reading: Floats) -> Floats:
    """Times after now at which the clock of buying reads `reading` (p,), counted from now on, for
    purchases of customers `owner` (p,)."""
    A, _ = clocks.read(now[:, None])
    own = Clock(clocks.buying.rate[owner], clocks.buying.start[owner])
    time = _inverse(clocks.since[owner], own, A[owner, 0] + reading)
    return np.maximum(time - now[owner], 0.0)
