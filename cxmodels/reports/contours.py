"""Finds the lines along which a grid of values keeps one value, as a map shows its heights.

Marching squares: each cell of the grid is crossed where its corners lie on both sides of the
level, at the point that linear interpolation gives; a saddle is decided by the mean of its corners
(Lorensen and Cline 1987, in the plane).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUND = (1, 2, 3, 5)

Point = tuple[float, float]
Segment = tuple[Point, Point]


@dataclass(frozen=True)
class Grid:
    """Values over a rectangle: z[i, j] stands at (x[j], y[i]); NaN where nothing is known."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]


def contour(grid: Grid, level: float) -> list[list[Point]]:
    """The curves on which the grid's value is `level`, each a list of points in order.

    >>> plane = Grid(np.arange(3.0), np.arange(2.0), np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]))
    >>> contour(plane, 0.5)
    [[(0.5, 0.0), (0.5, 1.0)]]
    """
    return _joined(list(_segments(grid, level)))


def _segments(grid: Grid, level: float) -> Iterator[Segment]:
    rows, columns = grid.z.shape
    for i in range(rows - 1):
        for j in range(columns - 1):
            corners = grid.z[[i, i, i + 1, i + 1], [j, j + 1, j + 1, j]]
            if np.isfinite(corners).all() and corners.min() <= level < corners.max():
                xs = grid.x[[j, j + 1, j + 1, j]]
                ys = grid.y[[i, i, i + 1, i + 1]]
                yield from _cell(xs.tolist(), ys.tolist(), corners.tolist(), level)


def _cell(
    xs: Sequence[float], ys: Sequence[float], z: Sequence[float], level: float
) -> Iterator[Segment]:
    above = [value > level for value in z]
    cuts = {
        edge: _cut(xs, ys, z, edge, level)
        for edge in range(4)
        if above[edge] != above[(edge + 1) % 4]
    }
    if len(cuts) == 2:
        first, second = cuts.values()
        yield first, second
    elif len(cuts) == 4:  # a saddle: the middle decides which corners belong together
        if (sum(z) / 4 > level) == above[0]:
            yield cuts[0], cuts[1]
            yield cuts[2], cuts[3]
        else:
            yield cuts[3], cuts[0]
            yield cuts[1], cuts[2]


def _cut(
    xs: Sequence[float], ys: Sequence[float], z: Sequence[float], edge: int, level: float
) -> Point:
    """Where the level crosses the edge; the same point from both cells that share the edge."""
    a, b = sorted((edge, (edge + 1) % 4), key=lambda corner: (xs[corner], ys[corner]))
    share = (level - z[a]) / (z[b] - z[a])
    return xs[a] + share * (xs[b] - xs[a]), ys[a] + share * (ys[b] - ys[a])


def _joined(segments: Sequence[Segment]) -> list[list[Point]]:
    """Segments that touch, strung together."""
    touching: dict[Point, list[int]] = {}
    for place, ends in enumerate(segments):
        for end in ends:
            touching.setdefault(end, []).append(place)
    left = set(range(len(segments)))
    curves: list[list[Point]] = []
    for place in range(len(segments)):
        if place in left:
            left.discard(place)
            start, stop = segments[place]
            forward = _followed(stop, segments, touching, left)
            backward = _followed(start, segments, touching, left)
            curves.append([*reversed(backward), start, stop, *forward])
    return [_distinct(curve) for curve in curves]


def _followed(
    point: Point, segments: Sequence[Segment], touching: dict[Point, list[int]], left: set[int]
) -> list[Point]:
    path: list[Point] = []
    while True:
        following = [place for place in touching[point] if place in left]
        if not following:
            return path
        left.discard(following[0])
        start, stop = segments[following[0]]
        point = stop if start == point else start
        path.append(point)


def _distinct(curve: Sequence[Point]) -> list[Point]:
    """The curve without a point that repeats the one before it."""
    return [point for place, point in enumerate(curve) if not place or point != curve[place - 1]]


def round_levels(low: float, high: float, count: int) -> list[float]:
    """The `count` highest of 1, 2, 3 and 5 times a power of ten strictly between low and high.

    >>> round_levels(0.0, 380.0, 5)
    [30.0, 50.0, 100.0, 200.0, 300.0]
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= max(low, 0.0):
        return []
    power = math.floor(math.log10(high))
    powers = range(power - count // len(_ROUND) - 1, power + 1)
    steps = [factor * 10.0**place for place in powers for factor in _ROUND]
    return [step for step in steps if max(low, 0.0) < step < high][-count:]
