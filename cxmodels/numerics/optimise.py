"""Climbs to the top of a likelihood, and says whether it got there or kept running.

A Newton search inside a trust region (Nocedal and Wright 2006, chapter 4): each step maximises
the local parabola within a radius, by the eigenvalues of the Hessian, so that a saddle or a
ridge is left along its rising direction. Gains are measured in units of log likelihood and
steps in logs of parameters, so no tolerance depends on the number of customers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from cxmodels.numerics.arrays import Bools, Floats

LIMIT = 30.0  # no coordinate leaves -LIMIT .. LIMIT
MOST_STEPS = 200
FIRST_RADIUS, WIDEST_RADIUS, SMALLEST_RADIUS = 1.0, 4.0, 1e-9
NOTHING = 1e-10  # a gain of log likelihood that is not worth a step: 1e-5 standard errors
LITTLE = 1e-6  # a gain so small for a long step that the search is running to an edge
LONG = 0.3  # a long step: a third of a log
FAINT = 1e-3  # a promised gain that rounding may hide: a thirtieth of a standard error
BLURRED = 10.0  # |coordinate| from which parameters are so large that rounding hides gains
ROUNDING = 8 * np.finfo(np.float64).eps  # of a sum, relative to its size


class Surface(Protocol):
    """Value, gradient (k,) and Hessian (k, k) at a point; value -inf where impossible."""

    @property
    def value(self) -> float:
        """Height of the surface."""

    @property
    def gradient(self) -> Floats:
        """First derivatives (k,)."""

    @property
    def hessian(self) -> Floats:
        """Second derivatives (k, k)."""


class Ending(Enum):
    """Why a climb ended."""

    TOP = "no step within reach gains anything"
    RUNNING = "long steps gain next to nothing: the top lies at an edge or on a level line"
    STUCK = "no step, however short, gains what the derivatives promise"
    LIMIT = "the number of steps ran out"
    NOWHERE = "the function is not finite at the start"


@dataclass(frozen=True)
class Climb:
    """Where a climb ended: point (k,), the surface there, steps taken and why it ended."""

    point: Floats
    surface: Surface
    steps: int
    ending: Ending

    @property
    def value(self) -> float:
        """Height reached."""
        return self.surface.value

    @property
    def arrived(self) -> bool:
        """Whether the climb ended at a top or on a run that gains nothing more."""
        return self.ending in (Ending.TOP, Ending.RUNNING)


def trust_step(gradient: Floats, hessian: Floats, radius: float) -> Floats:
    """The step (k,) of length at most `radius` that maximises the local parabola.

    Nocedal and Wright 2006, theorem 4.1: s = (mu - H)^-1 g with mu just large enough.

    >>> trust_step(np.array([1.0, 0.0]), -np.eye(2), 10.0)
    array([1., 0.])
    >>> trust_step(np.array([4.0, 0.0]), -np.eye(2), 0.5).round(6)
    array([0.5, 0. ])
    """
    bends, axes = np.linalg.eigh(-hessian)  # bends > 0: a peak along that axis
    slope = gradient @ axes
    if bends[0] > 0.0:
        step = slope / bends
        if step @ step <= radius**2:
            return np.asarray(axes @ step)
    low = max(0.0, -bends[0]) + np.finfo(np.float64).tiny
    low *= 1.0 + 1e-12  # strictly above the pole
    high = low + np.sqrt(slope @ slope) / radius
    for _ in range(50):  # halves the bracket of mu: |s| falls with mu
        middle = 0.5 * (low + high)
        step = slope / (bends + middle)
        low, high = (middle, high) if step @ step > radius**2 else (low, middle)
    step = slope / np.maximum(bends + high, np.finfo(np.float64).tiny)
    short = radius**2 - step @ step
    if bends[0] < 0.0 and short > 0.01 * radius**2:  # the "hard case": no slope along the rise
        step[0] += np.copysign(np.sqrt(step[0] ** 2 + short) - abs(step[0]), step[0])
    return np.asarray(axes @ step)


def climb(
    evaluate: Callable[[Floats], Surface],
    start: Floats,
    *,
    moving: Bools | None = None,
    most_steps: int = MOST_STEPS,
) -> Climb:
    """The local maximum reached from `start` (k,); never raises for a value that is not finite.

    Args:
        evaluate: value, gradient and Hessian at a point; value -inf where impossible.
        start: where to begin, within -LIMIT .. LIMIT.
        moving: (k,) coordinates that may move; the others keep their start.
        most_steps: evaluations allowed after the first.
    """
    allowed = np.ones(len(start), dtype=np.bool_) if moving is None else moving
    point = np.clip(start, -LIMIT, LIMIT)
    here = evaluate(point)
    if not np.isfinite(here.value):
        return Climb(point, here, 0, Ending.NOWHERE)
    radius = FIRST_RADIUS
    for steps in range(most_steps):
        step = _step(here, point, allowed, radius)
        ending = _ended(here, point, allowed, radius, step)
        if ending is not None:
            return Climb(point, here, steps, ending)
        there = evaluate(point + step)
        rounding = ROUNDING * abs(here.value)
        ratio = (there.value - here.value + rounding) / (_gain(here, step) + rounding)
        length = float(np.sqrt(step @ step))
        if ratio < 0.25:
            radius = 0.25 * length
        elif ratio > 0.75 and length > 0.9 * radius:
            radius = min(2.0 * radius, WIDEST_RADIUS)
        if ratio > 0.01:
            point, here = point + step, there
    return Climb(point, here, most_steps, Ending.LIMIT)


def _gain(here: Surface, step: Floats) -> float:
    return float(here.gradient @ step + 0.5 * step @ here.hessian @ step)


def _outward(here: Surface, point: Floats) -> Bools:
    """Coordinates (k,) at a limit that rise beyond it."""
    return np.asarray((np.abs(point) >= LIMIT) & (here.gradient * point >= 0.0))


def _step(here: Surface, point: Floats, allowed: Bools, radius: float) -> Floats:
    """The trust-region step over the coordinates that may move, kept inside the limits."""
    used = np.flatnonzero(allowed & ~_outward(here, point))
    step = np.zeros(len(point))
    if used.size:
        hessian = here.hessian[np.ix_(used, used)]
        step[used] = trust_step(here.gradient[used], hessian, radius)
    return np.clip(point + step, -LIMIT, LIMIT) - point


def _ended(
    here: Surface, point: Floats, allowed: Bools, radius: float, step: Floats
) -> Ending | None:
    if radius < LONG:  # a radius that shrank must not pass for a small gain
        step = _step(here, point, allowed, LONG)
    gain = _gain(here, step)
    if gain <= NOTHING + ROUNDING * abs(here.value):
        return Ending.TOP
    if gain <= LITTLE and np.abs(step).max() >= LONG - 1e-9:
        return Ending.RUNNING
    if radius >= SMALLEST_RADIUS:
        return None
    if np.abs(point).max() > BLURRED:
        return Ending.RUNNING
    return Ending.TOP if gain <= FAINT else Ending.STUCK
