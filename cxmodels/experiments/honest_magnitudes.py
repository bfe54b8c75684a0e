"""Intervals that hold if the trend moves after treatment by Mbar times the most it did before.

Delta^RM(Mbar): |delta_{t+1} - delta_t| <= Mbar max_{s < 0} |delta_{s+1} - delta_s| (Rambachan and
Roth 2023, Review of Economic Studies 90, equation 7) is a union over s and signs; an effect is kept
that any part keeps. In each part, with V = +-(beta_{s+1} - beta_s) and the nuisance effects taken
out, only q + 2 moments are left, that must all be 0 or less (their dual's corners, which here have
a closed form): +-(l'beta - theta) - Mbar C V, and -2 Mbar V once for each period after, each over
the errors of the rows it is made of; C = sum |c_t|, c_t = l_t + ... + l_q.
The largest is tested conditionally on which it is (Andrews, Roth and Pakes 2023, Review of Economic
Studies 90, section 4), in the hybrid after a test against the least favourable case with a tenth of
the error, as in R's HonestDiD (method C-LF). The moments are functions of two normal numbers, so
that the least favourable quantile is an integral over angles; nothing is simulated.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats

FIRST_STAGE = 0.1  # share of the error that the hybrid spends on the least favourable test
GRID, ANGLES, HALVINGS = 1_200, 1_440, 50
REACH = 8.0  # errors beyond which the search for accepted values begins


@dataclass(frozen=True, eq=False)
class Part:
    """One s and sign: V the largest move before treatment.

    point: (2,) l'beta and V; spread: (2, 2) their covariance; moments: (k, 2) weights of
    (l'beta - theta, V) in each; least: the least favourable quantile, inf without a first stage.
    """

    point: Floats
    spread: Floats
    moments: Floats
    least: float
    size: float

    def kept(self, theta: Floats) -> Bools:
        """(m,) which values of the effect are not rejected."""
        z = np.stack([self.point[0] - theta, np.full_like(theta, self.point[1])])
        values = self.moments @ z  # (k, m)
        own = np.argmax(values, axis=0)
        top = values[own, np.arange(theta.size)]
        cross = self.moments @ self.spread @ self.moments.T
        ratio = cross[:, own] / np.diag(cross)[own]  # (k, m)
        away = 1.0 - ratio
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = (values - ratio * top) / away
        low = np.where(away > 1e-9, limit, -np.inf).max(axis=0)
        high = np.minimum(np.where(away < -1e-9, limit, np.inf).min(axis=0), self.least)
        error = np.sqrt(np.diag(cross)[own])
        chance = _between(top / error, low / error, high / error)
        return np.asarray((top <= 0.0) | ((top <= self.least) & (chance <= 1.0 - self.size)))


def _between(x: Floats, low: Floats, high: Floats) -> Floats:
    """P(Z <= x) of a standard normal number between low and high, for low <= x <= high."""
    flip = low > 0.0  # from the other side, where tails are small
    a, b, c = np.where(flip, -high, low), np.where(flip, -x, x), np.where(flip, -low, high)
    with np.errstate(invalid="ignore", divide="ignore"):
        top = scipy.special.log_ndtr(c)
        middle = np.minimum(scipy.special.log_ndtr(b) - top, 0.0)
        share = np.expm1(np.minimum(scipy.special.log_ndtr(a) - top, 0.0))
        above = np.expm1(middle) / share
        inside = np.where(flip, above, 1.0 - above)
    return np.where(np.isfinite(inside), np.clip(inside, 0.0, 1.0), 1.0)


def parts_of(
    beta: Floats, sigma: Floats, pre: int, weights: Floats, how: tuple[float, float, bool]
) -> Iterator[Part]:
    """All s and signs, for how = (Mbar above 0, level, hybrid)."""
    Mbar, level, hybrid = how
    if pre < 1:
        raise FitError("no move before treatment is known: an estimate before it is needed")
    q = weights.size
    steps = np.zeros((pre + q, pre + q))  # each move, of delta_0 = 0 to the reference left out
    for t in range(pre + q):
        steps[t, t] = -1.0 if t < pre else 1.0
        if t < pre - 1:
            steps[t, t + 1] = 1.0
        elif t > pre:
            steps[t, t - 1] = -1.0
    whole = np.concatenate([np.zeros(pre), weights])
    c = np.cumsum(weights[::-1])[::-1]
    alpha = 1.0 - level
    first = FIRST_STAGE * alpha if hybrid else 0.0
    for s in range(pre):
        for sign in (1.0, -1.0):
            V = sign * steps[s]
            both = np.stack([whole, V])
            rows = steps[pre:]
            up = _errors(rows - Mbar * V, sigma)
            down = _errors(-rows - Mbar * V, sigma)
            if min(up.min(), down.min()) <= 1e-9 * float(np.sqrt(np.diag(sigma).max())):
                raise FitError("a move between two periods has no error: the covariance is none")
            moments = _corners(c, Mbar, up, down)
            spread = both @ sigma @ both.T
            least = _least_favourable(moments, spread, first) if hybrid else np.inf
            size = (alpha - first) / (1.0 - first)
            yield Part(both @ beta, spread, moments, least, size)


def _errors(rows: Floats, sigma: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", rows, sigma, rows)))


def _corners(c: Floats, Mbar: float, up: Floats, down: Floats) -> Floats:
    """(q + 2, 2) moments: corners of {g >= 0: X'g = 0, errors'g = 1}, X the nuisance effects."""
    reach = Mbar * float(np.abs(c).sum())
    above = float(np.abs(c) @ np.where(c > 0.0, up, down))
    below = float(np.abs(c) @ np.where(c > 0.0, down, up))
    pairs = np.column_stack([np.zeros(c.size), -2.0 * Mbar / (up + down)])
    return np.vstack([[1.0 / above, -reach / above], [-1.0 / below, -reach / below], pairs])


def _least_favourable(moments: Floats, spread: Floats, tail: float) -> float:
    """Quantile 1 - tail of the largest moment where all have mean 0.

    With u_k the moments in independent standard normal numbers, P(max u_k'z > c) is the mean over
    directions e of exp(-c^2 / (2 h^2)), h = max(0, max u_k'e).
    """
    u = moments @ _root(spread)
    angle = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    h = np.maximum(
        (u @ np.stack([np.cos(angle), np.sin(angle)])).max(axis=0), 1e-9 * np.abs(u).max()
    )

    def over(c: float) -> float:
        return float(np.exp(-0.5 * (c / h) ** 2).mean()) - tail

    top = float(h.max())
    return float(scipy.optimize.brentq(over, 0.0, top * 40.0, xtol=1e-12 * top))


def _root(spread: Floats) -> Floats:
    values, ways = np.linalg.eigh(spread)
    return np.asarray(ways * np.sqrt(np.maximum(values, 0.0)))


def interval_of(parts: list[Part], weights: Floats, Mbar: float) -> tuple[float, float]:
    """The lowest and the highest value that some part keeps."""
    C = float(np.abs(np.cumsum(weights[::-1])).sum())
    ends = [end for part in parts if (end := _ends(part, C * Mbar)) is not None]
    if not ends:
        raise FitError("no value of the effect is kept: the estimates contradict each other")
    return min(low for low, _ in ends), max(high for _, high in ends)


def _ends(part: Part, reach: float) -> tuple[float, float] | None:
    error = np.sqrt(np.diag(part.spread))
    half = REACH * error[0] + reach * (abs(part.point[1]) + REACH * error[1])
    for _ in range(20):
        grid = np.linspace(part.point[0] - half, part.point[0] + half, GRID)
        kept = part.kept(grid)
        if not (kept[0] or kept[-1]):
            break
        half *= 2.0
    else:
        raise FitError("values however large are kept: the covariance is close to singular")
    inside = np.flatnonzero(kept)
    if not inside.size:
        return None
    first, last = int(inside[0]), int(inside[-1])
    return _edge(part, grid[first], grid[first - 1]), _edge(part, grid[last], grid[last + 1])


def _edge(part: Part, kept: float, lost: float) -> float:
    """Where values stop being kept, by halving."""
    for _ in range(HALVINGS):
        middle = 0.5 * (kept + lost)
        if part.kept(np.array([middle]))[0]:
            kept = middle
        else:
            lost = middle
        if abs(lost - kept) <= 1e-9 * np.sqrt(part.spread[0, 0]):
            break
    return float(kept)


def keeps_zero(parts: Iterator[Part]) -> bool:
    """Whether some part keeps an effect of 0."""
    return any(bool(part.kept(np.zeros(1))[0]) for part in parts)
