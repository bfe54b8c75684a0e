"""How likely purchases are by the two clocks of a customer, summed over when the customer left.

With n = r + x, A and B the clocks of buying and leaving (see clocks.py), one customer's likelihood
of x purchases, the last at t_x, seen until T is, but for the rates at the purchases themselves,

    Gamma(n) / Gamma(r) alpha^r beta^s { (alpha + A(T))^-n (beta + B(T))^-s
        + s integral_{t_x}^T (alpha + A(tau))^-n (beta + B(tau))^-(s+1) dB(tau) }

Between two changes of covariates both clocks run evenly, so the integral falls into pieces that are
smooth. A piece is a function of r, alpha' = alpha + A and beta' = beta + B as it begins, the rates
a and b of the clocks, and s; what it owes to covariates is the chain rule, and the pieces of one
customer are weighed by their probability (Fisher's and Louis's identities, as in until_departure).

Source: Bachmann, Meierer and Naef (2021), Marketing Science 40(4), for the model; the integral here
takes the place of their sums of hypergeometric functions.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.clocks import Clocks, Paths, Pieces
from cxmodels.purchases.departures import FALL, Nodes, Range, grouped
from cxmodels.purchases.lifetime_laws import Slopes
from cxmodels.purchases.until_departure import moments

FARTHEST = 1e100  # beyond any sensible time
R, LATE, PACE, S, GONE, HASTE = range(6)  # r, alpha', a, s, beta', b: what a piece depends on


@dataclass(frozen=True, eq=False)
class Past:
    """m customers: purchases x, the last at t_x, seen until T; weight, place of their path, and
    its steps (m, s)."""

    x: Floats
    t_x: Floats
    T: Floats
    weight: Floats
    place: Ints
    since: Floats

    @cached_property
    def pieces(self) -> Pieces:
        """The pieces of time in which they may have left."""
        return Pieces.between(self.since, self.t_x, self.T)

    @cached_property
    def opening(self) -> Pieces:
        """The moment of the last purchase of each."""
        return Pieces.at(self.since, self.t_x[:, None])

    @cached_property
    def closing(self) -> Pieces:
        """The end of observation of each."""
        return Pieces.at(self.since, self.T[:, None])

    def rows(self, part: slice) -> "Past":
        """Some of them."""
        x, t_x, T = self.x[part], self.t_x[part], self.T[part]
        return Past(x, t_x, T, self.weight[part], self.place[part], self.since[part])


@dataclass(frozen=True, eq=False)
class Even:
    """Pieces as functions of what they depend on, (c,) each: n = r + x, alpha', a, s, beta', b."""

    n: Floats
    late: Floats
    pace: Floats
    s: Floats
    gone: Floats
    haste: Floats
    length: Floats

    def some(self, chosen: Ints) -> "Even":
        """Some of them."""
        every = (self.n, self.late, self.pace, self.s, self.gone, self.haste, self.length)
        return Even(*(values[chosen] for values in every))

    @property
    def span(self) -> Range:
        """Where to look: both clocks bend over times of alpha' / a and beta' / b.

        Far from every sensible effect clocks overflow; what comes of it has no likelihood.
        """
        late, gone = self.late / self.pace, self.gone / self.haste
        scale = np.nan_to_num(np.minimum(late, gone), nan=1.0, posinf=FARTHEST)
        drop = np.nan_to_num(self.drop, nan=0.0, posinf=FARTHEST)
        none = np.zeros_like(late)
        return Range(none, self.length, np.maximum(scale, 1.0 / FARTHEST), none, none, drop)

    @property
    def drop(self) -> Floats:
        """By how much, in logs, a piece falls from its start to its end at the most."""
        late, gone = self.pace / self.late, self.haste / self.gone
        return np.asarray((self.n * late + self.s * gone) * self.length)

    def log_terms(self, v: Floats) -> Floats:
        """log of (alpha' + a v)^-n s b (beta' + b v)^-(s+1), v (j, c) from the piece's start."""
        late, gone = self.late + self.pace * v, self.gone + self.haste * v
        return np.asarray(
            np.log(self.s * self.haste) - self.n * np.log(late) - (self.s + 1.0) * np.log(gone)
        )

    def slopes(self, v: Floats) -> Slopes:
        """The same with derivatives in r, alpha', a, s, beta' and b."""
        late, gone = self.late + self.pace * v, self.gone + self.haste * v
        u, w, s1 = 1.0 / late, 1.0 / gone, self.s + 1.0
        log_gone, nu, sw = np.log(gone), self.n * u, s1 * w
        gradient = (
            -np.log(late),
            -nu,
            -nu * v,
            1.0 / self.s - log_gone,
            -sw,
            1.0 / self.haste - sw * v,
        )
        bends = {
            (R, LATE): -u,
            (R, PACE): -u * v,
            (LATE, LATE): nu * u,
            (LATE, PACE): nu * u * v,
            (PACE, PACE): nu * u * v * v,
            (S, S): -1.0 / self.s**2,
            (S, GONE): -w,
            (S, HASTE): -w * v,
            (GONE, GONE): sw * w,
            (GONE, HASTE): sw * w * v,
            (HASTE, HASTE): sw * w * v * v - 1.0 / self.haste**2,
        }
        return Slopes(self.log_terms(v), gradient, bends)


def even(theta: Floats, x: Floats, clocks: Clocks, pieces: Pieces) -> Even:
    """What the pieces of m customers depend on; theta (4,), or (m, 4): r, alpha, s, beta."""
    r, alpha, s, beta = (theta[pieces.row] if theta.ndim > 1 else theta).T[:4]
    n = r + x[pieces.row]
    late, gone = clocks.at(pieces)
    return Even(
        n,
        alpha + late,
        clocks.buying.pace(pieces),
        np.broadcast_to(s, n.shape),
        beta + gone,
        clocks.leaving.pace(pieces),
        pieces.length,
    )


def log_braces(theta: Floats, past: Past, clocks: Clocks) -> tuple[Floats, Floats]:
    """log of the braces (m,), and of their first term, alive at T; theta (4,) or (m, 4)."""
    alive = log_alive(theta, past, clocks)
    pieces, each = _counted(theta, past, clocks, alive)
    value = np.empty(pieces.row.size)
    for rows, nodes in grouped(each.span):
        value[rows] = _log_integral(each.some(rows), nodes)
    return _log_total(alive, pieces.row, value), alive


def log_alive(theta: Floats, past: Past, clocks: Clocks) -> Floats:
    """log of (alpha + A(T))^-n (beta + B(T))^-s."""
    r, alpha, s, beta = theta.T[:4]
    A, B = clocks.at(past.closing)
    return np.asarray(-(r + past.x) * np.log(alpha + A) - s * np.log(beta + B))


def _counted(theta: Floats, past: Past, clocks: Clocks, alive: Floats) -> tuple[Pieces, Even]:
    """The pieces that count beside the customer's largest one, or beside "alive"."""
    pieces = past.pieces
    every = even(theta, past.x, clocks, pieces)
    r, alpha, s, beta = theta.T[:4]
    A, B = clocks.at(past.opening)
    at_once = -(r + past.x) * np.log(alpha + A) - s * np.log(beta + B)
    falling = np.flatnonzero((at_once - alive > FALL)[pieces.row])
    if not falling.size:
        return pieces, every
    some, row = every.some(falling), pieces.row[falling]
    top = some.log_terms(np.zeros(falling.size)) + np.log(some.length)
    highest = alive.copy()
    np.maximum.at(highest, row, top - some.drop)  # the least that a piece can hold
    counts = np.ones(pieces.row.size, dtype=bool)
    counts[falling] = top > highest[row] - FALL
    chosen = np.flatnonzero(counts)
    return pieces.some(chosen), every.some(chosen)


def _log_integral(each: Even, nodes: Nodes) -> Floats:
    terms = each.log_terms(nodes.tau)
    top = terms.max(axis=0)
    return np.asarray(top + np.log(np.einsum("jm,jm->m", nodes.weight, np.exp(terms - top))))


def _log_total(alive: Floats, row: Ints, value: Floats) -> Floats:
    """log of alive plus all pieces of each customer."""
    top = alive.copy()
    np.maximum.at(top, row, value)
    total = np.exp(alive - top)
    total += np.bincount(row, weights=np.exp(value - top[row]), minlength=alive.size)
    return np.asarray(top + np.log(total))


def log_likelihood(theta: Floats, past: Past, paths: Paths) -> Floats:
    """(m,): log likelihood of each customer at theta (K,), but for the rates at the purchases."""
    r, alpha, s, beta = theta[:4]
    clocks = paths.clocks(theta[4:], past.place)
    braces, _ = log_braces(theta, past, clocks)
    lifted = scipy.special.gammaln(r + past.x) - scipy.special.gammaln(r)
    return np.asarray(lifted + r * np.log(alpha) + s * np.log(beta) + braces)


def derivatives(theta: Floats, past: Past, paths: Paths) -> Derivatives:
    """The weighted sum of the same with its gradient (K,) and Hessian (K, K)."""
    clocks = paths.clocks(theta[4:], past.place)
    alive = log_alive(theta, past, clocks)
    gone = _Terms.of_leaving(*_counted(theta, past, clocks, alive))
    whole = gone.joined(_Terms.of_staying(theta, past, clocks, alive))
    total = _log_total(alive, gone.pieces.row, gone.value)
    found = _chained(
        theta, past, paths, clocks, whole, np.exp(whole.value - total[whole.pieces.row])
    )
    return _with_buying(found, theta, past, total)


@dataclass(frozen=True, eq=False)
class _Terms:
    """Pieces with log value (c,), mean slope (6, c), and mean of curvature plus squared slope
    (6, 6, c) in what a piece depends on."""

    pieces: Pieces
    value: Floats
    first: Floats
    second: Floats

    @classmethod
    def of_leaving(cls, pieces: Pieces, each: Even) -> "_Terms":
        """The integrals over the pieces."""
        count = pieces.row.size
        found = cls(pieces, np.empty(count), np.empty((6, count)), np.empty((6, 6, count)))
        for rows, nodes in grouped(each.span):
            terms = each.some(rows).slopes(nodes.tau)
            top = terms.value.max(axis=0)
            p = nodes.weight * np.exp(terms.value - top)
            total = p.sum(axis=0)
            found.value[rows] = top + np.log(total)
            found.first[:, rows], found.second[:, :, rows] = moments(p / total, terms)
        return found

    @classmethod
    def of_staying(cls, theta: Floats, past: Past, clocks: Clocks, alive: Floats) -> "_Terms":
        """The terms "alive at T", each in the step that holds T."""
        r, alpha, s, beta = theta[:4]
        A, B = clocks.at(past.closing)
        late, gone, n = alpha + A, beta + B, r + past.x
        first, second = np.zeros((6, n.size)), np.zeros((6, 6, n.size))
        first[[R, LATE, S, GONE]] = -np.log(late), -n / late, -np.log(gone), -s / gone
        second[LATE, LATE], second[GONE, GONE] = n / late**2, s / gone**2
        second[R, LATE] = second[LATE, R] = -1.0 / late
        second[S, GONE] = second[GONE, S] = -1.0 / gone
        second += first[:, None] * first
        return cls(past.closing, alive, first, second)

    def joined(self, other: "_Terms") -> "_Terms":
        """These and others."""
        mine, more = self.pieces, other.pieces
        pieces = Pieces(
            np.concatenate([mine.row, more.row]),
            np.concatenate([mine.cell, more.cell]),
            np.concatenate([mine.past, more.past]),
            np.concatenate([mine.length, more.length]),
        )
        return _Terms(
            pieces,
            np.concatenate([self.value, other.value]),
            np.concatenate([self.first, other.first], axis=-1),
            np.concatenate([self.second, other.second], axis=-1),
        )


def _chained(
    theta: Floats, past: Past, paths: Paths, clocks: Clocks, terms: _Terms, share: Floats
) -> Derivatives:
    """Weighted derivatives of the log of the braces in theta, from those of the pieces.

    With J = d(piece's own) / d theta and shares p of the pieces: the gradient of a customer is
    G = sum p J' g, the Hessian sum p (J' E[h + g g'] J + g . d2(own) / d theta2) - G G'.
    """
    pieces, K = terms.pieces, theta.size
    row, columns = paths.row[past.place].take(pieces.cell), (paths.purchase, paths.dropout)
    J = np.zeros((6, K, row.size))
    J[[R, LATE, S, GONE], [0, 1, 2, 3]] = 1.0
    hessian = np.zeros((K, K))
    w = share * past.weight[pieces.row]
    for X, clock, start, rate in zip(
        columns, (clocks.buying, clocks.leaving), (LATE, GONE), (PACE, HASTE), strict=True
    ):
        now = clock.pace(pieces)[:, None] * X[row]
        slope = paths.slopes(X, clock.rate, past.place).reshape(-1, K - 4)[pieces.cell]
        J[start, 4:] = (slope + pieces.past[:, None] * now).T
        J[rate, 4:] = now.T
        mass = _mass(pieces, w * terms.first[start], w * terms.first[rate], paths, past)
        at = np.bincount(
            paths.row[past.place].ravel(), weights=(mass * clock.rate).ravel(), minlength=len(X)
        )
        hessian[4:, 4:] += (X.T * at) @ X
    slopes = np.einsum("iac,ic->ac", J, terms.first * share)
    G = np.stack([np.bincount(pieces.row, weights=one, minlength=past.x.size) for one in slopes])
    half = np.einsum("ijc,jbc->ibc", terms.second * w, J)
    hessian += np.einsum("iac,ibc->ab", J, half) - (G * past.weight) @ G.T
    return Derivatives(0.0, G @ past.weight, hessian)


def _mass(pieces: Pieces, late: Floats, pace: Floats, paths: Paths, past: Past) -> Floats:
    """(m, s): how the second derivatives of clock and rate load each step of a customer.

    d2 A / d effects2 at a piece's start is the sum over earlier time of rate x z z', and that of
    the rate itself is rate x z z' of its own step; late, pace (c,): what each is multiplied by.
    """
    shape = (past.x.size, paths.row.shape[1])

    def summed(values: Floats) -> Floats:
        found = np.bincount(pieces.cell, weights=values, minlength=shape[0] * shape[1])
        return found.astype(np.float64).reshape(shape)

    from_here = np.cumsum(summed(late)[:, ::-1], axis=1)[:, ::-1]
    after = from_here - summed(late)
    return np.asarray(after * paths.length[past.place] + summed(late * pieces.past + pace))


def _with_buying(found: Derivatives, theta: Floats, past: Past, total: Floats) -> Derivatives:
    """Adds log Gamma(r + x) - log Gamma(r) + r log alpha + s log beta and its derivatives."""
    (r, alpha, s, beta), w, x = theta[:4], past.weight, past.x
    many = w.sum()
    lifted = scipy.special.gammaln(r + x) - scipy.special.gammaln(r)
    value = float(w @ (lifted + total)) + many * (r * np.log(alpha) + s * np.log(beta))
    gradient, hessian = found.gradient, found.hessian
    gradient[0] += w @ (scipy.special.digamma(r + x) - scipy.special.digamma(r))
    gradient[:4] += many * np.array([np.log(alpha), r / alpha, np.log(beta), s / beta])
    trigamma = scipy.special.polygamma(1, r + x) - scipy.special.polygamma(1, r)
    hessian[0, 0] += w @ trigamma
    for i, j, bend in ((0, 1, 1 / alpha), (2, 3, 1 / beta)):
        hessian[i, j] += many * bend
        hessian[j, i] += many * bend
    hessian[1, 1] -= many * r / alpha**2
    hessian[3, 3] -= many * s / beta**2
    return Derivatives(value, gradient, hessian)
