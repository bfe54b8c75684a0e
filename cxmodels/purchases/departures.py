"""Where to look when summing over the unknown moment at which a customer left.

Integrals over a moment tau in (low, high) of smooth functions that bend over times of m + tau (m: the
distance to the nearest singularity left of 0) and, where a law has a pace k, over times of 1 / k.
In y = log(m + tau) such functions are smooth in a strip, so that Gauss and Legendre's rule
converges geometrically. Where the range is long or the function falls far, it is cut into panels,
equal in log(m + tau) + k tau.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints

FALL = 42.0  # what has fallen to exp(-42) no longer counts
CELLS = 24_576  # nodes times rows at once: what stays in a processor's cache
LENGTH, DROP = 2.5, 12.0  # of a panel: in logs of time, and in logs of the function
SHORT = 0.25  # share of a panel up to which half its nodes suffice
MOST_PANELS = 64
RULES = {
    size: tuple(np.asarray(v) for v in np.polynomial.legendre.leggauss(size)) for size in (8, 16)
}


@dataclass(frozen=True)
class Range:
    """Moments between low and high, (m,) each, with the scale and the pace of what is summed.

    until: the moment from which the pace is 0; drop: by how much, in logs, the function changes
    between low and high.
    """

    low: Floats
    high: Floats
    scale: Floats
    pace: Floats
    until: Floats
    drop: Floats

    def rows(self, chosen: Ints) -> "Range":
        """Some of the ranges."""
        every = (self.low, self.high, self.scale, self.pace, self.until, self.drop)
        return Range(*(v[chosen] for v in every))

    @property
    def length(self) -> Floats:
        """From low to high in log(scale + tau) + pace tau: panels are equal in it."""
        return self.log_length + self.pace * self.paced(self.high)

    @property
    def log_length(self) -> Floats:
        """From low to high in log(scale + tau)."""
        return np.log1p((self.high - self.low) / (self.scale + self.low))

    def paced(self, tau: Floats) -> Floats:
        """How much of low to tau has a pace."""
        return np.maximum(np.minimum(tau, self.until) - self.low, 0.0)


@dataclass(frozen=True)
class Nodes:
    """Moments (j, m) and their weights (j, m) for m ranges: sums of weight x function."""

    tau: Floats
    weight: Floats


def grouped(span: Range) -> Iterator[tuple[Ints, Nodes]]:
    """Rows that need equally many nodes, with their nodes, in parts that fit a cache."""
    burden = np.maximum(span.length / LENGTH, span.drop / DROP)
    panels = np.minimum(np.ceil(np.maximum(burden, 1.0)), MOST_PANELS).astype(np.int64)
    panels[burden <= SHORT] = 0
    for count in np.flatnonzero(np.bincount(panels)):
        members = np.flatnonzero(panels == count)
        size = 8 if count == 0 else 16 * int(count)
        step = max(64, CELLS // size)
        for start in range(0, members.size, step):
            part = members[start : start + step]
            yield part, _nodes(span.rows(part), int(count))


def _nodes(span: Range, panels: int) -> Nodes:
    """Half a panel's nodes where `panels` is 0."""
    points, weights = RULES[8 if panels == 0 else 16]
    if panels <= 1:
        tau, weight = _panel(span.low, span.high, span.scale, points, weights)
        return Nodes(tau, weight)
    cuts = ends(span, panels)
    low, high = cuts[:-1, None], cuts[1:, None]
    tau, weight = _panel(low, high, span.scale, points, weights)
    shape = (panels * points.size, span.low.size)
    return Nodes(tau.reshape(shape), weight.reshape(shape))


def _panel(
    low: Floats, high: Floats, scale: Floats, points: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Nodes of y = log(scale + tau) on a new axis before the last: d tau = (scale + tau) dy."""
    first = scale + low
    length = np.log1p((high - low) / first)
    grown = np.expm1(0.5 * (points[:, None] + 1.0) * length)
    tau = low + first * grown
    return tau, 0.5 * weights[:, None] * length * first * (1.0 + grown)


def ends(span: Range, panels: int) -> Floats:
    """(panels + 1, m): ends of panels equal in log(scale + tau) + pace tau.

    With w = pace (scale + tau): w + log w is linear along the panels; its inverse is Wright's omega.
    """
    along = np.linspace(0.0, 1.0, panels + 1)[1:-1, None] * span.length
    first, paced = span.scale + span.low, span.pace * span.paced(span.high)
    free = np.minimum(np.maximum(along - paced, 0.0), span.log_length)
    inner = span.low + first * np.expm1(free)  # where the pace has ended, or is 0
    if span.pace.any():
        w = span.pace * first
        bent = scipy.special.wrightomega(w + np.log(w) + along) / span.pace - span.scale
        inner = np.where(bent < span.until, bent, inner)
    inner = np.clip(inner, span.low, span.high)
    return np.concatenate([span.low[None], inner, span.high[None]])
