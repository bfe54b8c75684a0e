"""The mixture of donors that lies nearest to a target: weights that are not negative and sum to 1.

With D (n, T) the donors less the target and G = D D' / T, plus a ridge on its diagonal, the mixture
minimises w'Gw over the simplex. At the optimum no donor's slope (Gw)_j lies below w'Gw, and those
with weight have exactly that slope: the conditions of Karush, Kuhn and Tucker, which are checked
here to 1e-10 before weights are handed out. Nothing stops early. Source: Wolfe 1976, "Finding the
nearest point in a polytope", Mathematical Programming 11; Lawson and Hanson 1974, chapter 23.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats, Ints

# breach of a slope, over its rounding scale: aimed at, taken, and the most that is handed out
TIGHT, GOOD, ALLOWED = 1e-13, 1e-12, 1e-10
REFINED = 3  # times at most that equal slopes are solved again for what is left
LEAST_RIDGE = 1e-9  # of the mean diagonal: picks one of many optima, that of least sum of squares


@dataclass(frozen=True, eq=False)
class Simplex:
    """weights (n,); breach: the largest of the conditions of an optimum, over its scale; unique:
    whether no other weights do as well."""

    weights: Floats
    breach: float
    unique: bool


def gram(donors: Floats, target: Floats, ridge: float = 0.0) -> Floats:
    """G (n, n) of donors (n, T) and a target (T,): mean products of their gaps, plus a ridge."""
    D = donors - target
    return np.asarray(D @ D.T / D.shape[1] + ridge * np.eye(len(D)))


def nearest(G: Floats, start: Floats | None = None) -> Simplex:
    """The weights that minimise w'Gw over the simplex; start (n,): a guess that speeds it up.

    Where many weights do equally well, as they may with more donors than periods, those with the
    least sum of squares are returned (to 1e-9 of the mean diagonal), and unique is False.
    Raises: FitError where the conditions of an optimum cannot be met to 1e-10.

    >>> nearest(gram(np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]]), np.array([0.5, 0.0]))).weights
    array([0.75, 0.25, 0.  ])
    """
    found = _solved(G, start) if np.diag(G).min() > 0.0 else start
    if found is None or np.diag(G).min() <= 0.0 or _many(G, found):
        eased = G + (LEAST_RIDGE * float(np.trace(G)) / len(G) or 1.0) * np.eye(len(G))
        found = _solved(eased, found)
        return Simplex(found, breach(eased, found), unique=False)
    return Simplex(found, breach(G, found), unique=True)


def _solved(G: Floats, start: Floats | None) -> Floats:
    known = start is not None and bool((start > 0.0).any())
    w = _by_sets(G, start if start is not None and known else np.full(len(G), 1.0 / len(G)))
    if w is not None and breach(G, w) > TIGHT:
        w = _polished(G, w)
    if w is None or breach(G, w) > GOOD:
        other = _by_steps(G)
        other = other if breach(G, other) <= TIGHT else _polished(G, other)
        w = other if w is None or breach(G, other) < breach(G, w) else w
    worst = breach(G, w)
    if not worst <= ALLOWED:
        raise FitError(f"no optimum of the weights was found: conditions are off by {worst:.1g}")
    return w


def breach(G: Floats, w: Floats) -> float:
    """The largest breach of the conditions of an optimum, over the size of each slope's terms."""
    slope, scale = G @ w, _scale(G, w)
    off = slope - float(w @ slope)
    return float(np.max(np.where(w > 0.0, np.abs(off), -off) / scale).clip(0.0))


def _scale(G: Floats, w: Floats) -> Floats:
    norm = np.sqrt(np.diag(G))
    return np.asarray(norm * float(w @ norm))


def _equal_slopes(G: Floats, chosen: Ints) -> Floats:
    """Weights that sum to 1 with one slope for all chosen; some may be negative.

    A constant added to G changes no sum that is held at 1, and keeps a perfect fit solvable.
    """
    own = G[np.ix_(chosen, chosen)]
    shifted = own + float(np.trace(own)) / chosen.size
    found = np.linalg.solve(shifted, np.ones(chosen.size))
    return np.asarray(found / found.sum())


def _polished(G: Floats, w: Floats) -> Floats:
    """The same donors, solved again for what rounding of the added constant has left."""
    chosen = np.flatnonzero(w > 0.0)
    own = G[np.ix_(chosen, chosen)]
    inverse = np.linalg.pinv(own + float(np.trace(own)) / chosen.size)
    even = inverse.sum(axis=1) / inverse.sum()
    best, least = w, breach(G, w)
    for _ in range(REFINED):
        slope = own @ best[chosen]
        change = inverse @ (slope.mean() - slope)
        again = np.zeros(w.size)
        again[chosen] = best[chosen] + change - change.sum() * even
        if not (again.min() >= 0.0 and breach(G, again) < least):
            break
        best, least = again / again.sum(), breach(G, again)
    return best


def _by_sets(G: Floats, start: Floats) -> Floats | None:
    """Swaps whole sets of donors until none is wrong (Hintermueller, Ito and Kunisch 2003, SIAM
    Journal on Optimization 13); None where that runs in circles."""
    inside: Bools = start > 0.0
    for _ in range(25):
        w = np.zeros(len(G))
        try:
            with np.errstate(all="ignore"):
                w[inside] = _equal_slopes(G, np.flatnonzero(inside))
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(w).all():
            return None
        slope = G @ w
        off = slope - float(w @ slope)
        following = np.where(inside, w > 0.0, off < -TIGHT * _scale(G, np.abs(w)))
        if (following == inside).all():
            return w
        if not following.any():
            return None
        inside = following
    return None


def _by_steps(G: Floats) -> Floats:
    """One donor joins at a time, the one with the steepest slope; those pushed below 0 leave."""
    n = len(G)
    chosen = [int(np.argmin(np.diag(G)))]
    w = np.zeros(n)
    w[chosen] = 1.0
    barred: set[int] = set()
    for _ in range(20 * n + 20):
        slope = G @ w
        off = (slope - float(w @ slope)) / _scale(G, w)
        off[[*chosen, *barred]] = 0.0
        joins = int(np.argmin(off))
        if off[joins] >= -TIGHT:
            break
        following, kept = _joined(G, w, [*chosen, joins])
        if joins in kept and float(following @ G @ following) < float(w @ G @ w):
            w, chosen, barred = following, kept, set()
        else:  # rounding: its slope only looked steep
            barred.add(joins)
    return w


def _joined(G: Floats, w: Floats, chosen: list[int]) -> tuple[Floats, list[int]]:
    """Weights after a donor joined: as far towards equal slopes as none falls below 0."""
    now = w[chosen]
    while True:
        try:
            wanted = _equal_slopes(G, np.array(chosen))
        except np.linalg.LinAlgError:
            return w, chosen[:-1]
        low = wanted <= 0.0
        if not low.any():
            now = wanted
            break
        room = now[low] / (now[low] - wanted[low])
        now = now + float(room.min()) * (wanted - now)
        stays = now > 0.0
        stays[np.flatnonzero(low)[room <= room.min()]] = False
        chosen, now = [j for j, stay in zip(chosen, stays, strict=True) if stay], now[stays]
    found = np.zeros(len(G))
    found[chosen] = now
    return found, chosen


def _many(G: Floats, w: Floats) -> bool:
    """Whether donors whose slopes are all the least could trade weight at no loss."""
    slope = G @ w
    level = (slope - float(w @ slope)) <= ALLOWED * _scale(G, w)
    own = G[np.ix_(level, level)]
    size = 1.0 / np.sqrt(np.diag(own).clip(np.finfo(np.float64).tiny))
    values = np.linalg.eigvalsh(own * np.outer(size, size) + np.outer(size, size) / (size**2).max())
    return bool(values[0] <= 1e-13 * values[-1])
