"""Intervals of fixed length that hold if the trend between groups bends by no more than M.

Delta^SD(M): |delta_{t+1} - 2 delta_t + delta_{t-1}| <= M (Rambachan and Roth 2023, "A more credible
approach to parallel trends", Review of Economic Studies 90, equation 8), any slope. An estimate
l' beta_post + v' beta_pre takes out every straight line; of its half length sigma cv(b / sigma),
b its largest bias and cv the quantile of |N(b / sigma, 1)| (their section 4.1), the v that makes it
smallest is found exactly: in coordinates c, the bends before treatment that v gives a weight, b is
M (k + sum |c|) and sigma^2 a quadratic, so that the solution lies on a path of straight pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats

LEAST = 1e-12  # share of the first multiplier at which a path is taken to have ended


@dataclass(frozen=True)
class FixedLength:
    """centre less and plus half hold the effect; bias: the largest that is allowed for."""

    centre: float
    half: float
    bias: float
    sigma: float


@dataclass(frozen=True, eq=False)
class Bends:
    """The estimates of p periods before and q after, in coordinates of bends.

    start: (p,) v at c = 0; turn: (p, p - 1) by which c moves it; fixed: sum of |weights| of bends
    after treatment; beta (p + q,), sigma (p + q, p + q), weights l (q,).
    """

    start: Floats
    turn: Floats
    fixed: float
    beta: Floats
    sigma: Floats
    weights: Floats

    def quadratic(self) -> tuple[float, Floats, Floats]:
        """sigma^2 = s + 2 g'c + c'Q c: s, g (p - 1,), Q (p - 1, p - 1)."""
        first = np.concatenate([self.start, self.weights])
        way = np.vstack([self.turn, np.zeros((self.weights.size, self.turn.shape[1]))])
        s = float(first @ self.sigma @ first)
        return s, way.T @ self.sigma @ first, way.T @ self.sigma @ way

    def estimate(self, c: Floats) -> float:
        """l' beta_post + v' beta_pre."""
        p = self.start.size
        return float(self.weights @ self.beta[p:] + (self.start + self.turn @ c) @ self.beta[:p])


def bends_of(beta: Floats, sigma: Floats, pre: int, weights: Floats) -> Bends:
    """Coordinates for p = pre estimates before the reference; FitError where there are none.

    With delta_0 = 0, slope s and bends u_j: delta_t = t s + sum_{0 <= j < t} (t - j) u_j after and
    delta_{-t} = -t s + sum_{1 <= i < t} (t - i) u_{-i} before.
    """
    if pre < 1:
        raise FitError("a straight trend cannot be told without an estimate before treatment")
    back = np.arange(pre, 0, -1.0)  # periods before the reference
    ahead = np.arange(1.0, weights.size + 1.0)
    bent = np.maximum(back[:, None] - np.arange(1.0, pre), 0.0)  # (p, p - 1)
    inverse = np.linalg.inv(np.column_stack([bent, -back]).T)
    after = np.maximum(ahead[:, None] - np.arange(weights.size), 0.0)
    fixed = float(np.abs(weights @ after).sum())
    start = inverse[:, -1] * -float(weights @ ahead)
    return Bends(start, inverse[:, :-1], fixed, beta, sigma, weights)


def fixed_length(bends: Bends, M: float, level: float) -> FixedLength:
    """The shortest interval for bends up to M."""
    s, g, Q = bends.quadratic()

    def at(c: Floats) -> tuple[float, float]:
        sigma = float(np.sqrt(np.maximum(s + 2.0 * g @ c + c @ Q @ c, 0.0)))
        return sigma, M * (bends.fixed + float(np.abs(c).sum()))

    def rising(piece: "_Piece", multiplier: float) -> float:
        """d half / d multiplier, up to a factor above 0."""
        c = piece.at(multiplier)
        sigma, b = at(c)
        t = b / sigma
        steep = float(np.tanh(folded(t, level) * t))  # d cv / d t
        along = piece.slope
        return (folded(t, level) - t * steep) * float((g + Q @ c) @ along) / sigma + (
            steep * M * float(piece.sign @ along))  # fmt: skip

    best = np.zeros(g.size)
    for piece in _path(g, Q):
        best = piece.at(piece.low)
        if rising(piece, piece.low) <= 0.0:  # a larger multiplier is better than the piece's least
            if rising(piece, piece.high) > 0.0:
                found = scipy.optimize.brentq(
                    partial(rising, piece), piece.low, piece.high, xtol=1e-300, rtol=1e-14
                )
                best = piece.at(float(found))
            else:
                best = piece.at(piece.high)
            break
    sigma, b = at(best)
    return FixedLength(bends.estimate(best), sigma * folded(b / sigma, level), b, sigma)


def folded(t: float, level: float) -> float:
    """c with P(|N(t, 1)| <= c) = level.

    >>> round(folded(0.0, 0.95), 4), round(folded(3.0, 0.95) - 3.0, 4)
    (1.96, 1.6449)
    """
    low, high = scipy.special.ndtri(level) + t, scipy.special.ndtri((1.0 + level) / 2.0) + t

    def over(c: float) -> float:
        return float(scipy.special.ndtr(c - t) - scipy.special.ndtr(-c - t)) - level

    if over(low) >= 0.0:
        return float(low)
    if over(high) <= 0.0:
        return float(high)
    return float(scipy.optimize.brentq(over, low, high, xtol=1e-14))


@dataclass(frozen=True, eq=False)
class _Piece:
    """c = base + multiplier slope, from multiplier high down to low, with sign(c) there."""

    low: float
    high: float
    base: Floats
    slope: Floats
    sign: Floats

    def at(self, multiplier: float) -> Floats:
        """c (p - 1,)."""
        return self.base + multiplier * self.slope


def _path(g: Floats, Q: Floats) -> Iterator[_Piece]:
    """Solutions of min c'Qc / 2 + g'c + multiplier sum |c|, from the largest multiplier to 0.

    The homotopy of Osborne, Presnell and Turlach (2000), IMA Journal of Numerical Analysis 20.
    """
    k = g.size
    if not k:
        return
    high = float(np.abs(g).max())
    first, active, sign = high, np.zeros(k, dtype=np.bool_), np.zeros(k)
    start = int(np.argmax(np.abs(g)))
    active[start], sign[start] = True, -np.sign(g[start])
    for _ in range(50 * k + 50):
        base, slope = np.zeros(k), np.zeros(k)
        inner = Q[np.ix_(active, active)]
        base[active] = -np.linalg.solve(inner, g[active])
        slope[active] = -np.linalg.solve(inner, sign[active])
        low, place = _next(g, Q, (base, slope), active, high)
        yield _Piece(low, high, base, slope, np.where(active, sign, 0.0))
        if place is None or low <= LEAST * first:
            return
        pull = float(g[place] + Q[place] @ (base + low * slope))
        active[place] = not active[place]
        sign[place] = -np.sign(pull) if active[place] else 0.0
        high = low
    raise FitError("the shortest interval was not found: the covariance is close to singular")


def _next(
    g: Floats, Q: Floats, line: tuple[Floats, Floats], active: Bools, high: float
) -> tuple[float, int | None]:
    """The next lower multiplier at which a coordinate leaves 0 or comes to it, and which."""
    base, slope = line
    pull, tilt = g + Q @ base, Q @ slope  # of |pull + m tilt| <= m outside
    candidates = []
    for place in range(g.size):
        if active[place]:
            found = [-base[place] / slope[place]] if slope[place] != 0.0 else []
        else:
            found = [pull[place] / (way - tilt[place]) for way in (1.0, -1.0) if way != tilt[place]]
        candidates += [(m, place) for m in found if 0.0 < m < high * (1.0 - 1e-10)]
    return max(candidates) if candidates else (0.0, None)
