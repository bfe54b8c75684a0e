"""Where to look when summing over the unknown moment at which a customer left.

Integrals over a moment tau in (low, high) of smooth functions that bend over times of m + tau (m:
how far left of 0 the nearest singularity is) and, where a law has a pace k, over times of 1 / k.
In y = log(m + tau) such functions are smooth in a strip, so that Gauss and Legendre's rule
converges geometrically. Where the range is long or the function falls far, it is cut into panels,
equal in log(m + tau) + k tau.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints

FALL = 42.0  # what has fallen to exp(-42) no longer counts
CELLS = 24_576  # nodes times rows at once: what stays in a processor's cache
DROP = 4.0  # logs of the function that weigh as much as one of time
SIZES = np.array([3, 4, 6, 8, 10, 12, 16])  # nodes of a panel
UP_TO = np.array(
    [0.018, 0.07, 0.4, 0.9, 1.5, 2.1]
)  # logs of time for which they suffice, to 1e-13; else 16
PANEL = 3.0  # logs of time in a panel where there are several
MOST_PANELS = 64
RULES = {int(size): np.polynomial.legendre.leggauss(size) for size in SIZES}


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


def grouped(span: Range, *, from_zero: bool = False) -> Iterator[tuple[Ints, Nodes]]:
    """Rows that need equally many nodes, with their nodes, in parts that fit a cache.

    from_zero: whether tau itself must be exact where it is far below the scale, and not only
    scale + tau.
    """
    burden = np.maximum(span.length, span.drop / DROP)
    panels = np.clip(np.ceil(burden / PANEL), 1, MOST_PANELS).astype(np.int64)
    nodes = 16 * panels
    single = panels == 1
    nodes[single] = SIZES[np.searchsorted(UP_TO, burden[single])]
    for count in np.flatnonzero(np.bincount(nodes)):
        members = np.flatnonzero(nodes == count)
        step = max(64, CELLS // int(count))
        for start in range(0, members.size, step):
            part = members[start : start + step]
            yield part, _nodes(span.rows(part), int(count), from_zero)


def _nodes(span: Range, count: int, from_zero: bool) -> Nodes:
    """The nodes of one panel, or of several of 16 nodes each."""
    points, weights = RULES[min(count, 16)]
    rule = (points, weights, np.expm1 if from_zero else _exp_minus_one)
    panels = count // points.size
    if panels == 1:
        return Nodes(*_panel(span.low, span.high, span.scale, *rule))
    cuts = ends(span, panels)
    low, high = cuts[:-1, None], cuts[1:, None]
    tau, weight = _panel(low, high, span.scale, *rule)
    shape = (panels * points.size, span.low.size)
    return Nodes(tau.reshape(shape), weight.reshape(shape))


def _panel(
    low: Floats,
    high: Floats,
    scale: Floats,
    points: Floats,
    weights: Floats,
    expm1: Callable[[Floats], Floats],
) -> tuple[Floats, Floats]:
    """Nodes of y = log(scale + tau) on a new axis before the last: d tau = (scale + tau) dy."""
    first = scale + low
    length = np.log1p((high - low) / first)
    grown = expm1(0.5 * (points[:, None] + 1.0) * length)
    tau = low + first * grown
    return tau, 0.5 * weights[:, None] * length * first * (1.0 + grown)


def _exp_minus_one(y: Floats) -> Floats:
    """Three times as fast as expm1, with an error of 1e-16 beside 1."""
    y = np.exp(y)
    y -= 1.0
    return y


def ends(span: Range, panels: int) -> Floats:
    """(panels + 1, m): ends of panels equal in log(scale + tau) + pace tau.

    With w = pace (scale + tau): w + log w is linear along panels; its inverse is Wright's omega.
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
