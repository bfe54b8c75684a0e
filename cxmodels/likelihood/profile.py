"""An interval that trusts the likelihood itself: which values fit nearly as well as the best one.

At each value of one parameter the others are fitted again; values whose log likelihood lies
within half a chi-square quantile of the maximum are inside (Cox and Snell 1989, section 2.4).
Where the likelihood never falls that far, the interval is open and ends at the parameter's edge.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.likelihood.identification import at_limit
from cxmodels.likelihood.objective import Objective, RealScale
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.optimise import LIMIT, Climb, climb
from cxmodels.results.estimate import Estimate, Limit

MARGIN = 0.2  # how far the curve reaches beyond the interval, relative to its half width
TAIL = 6.0  # logs of the curve shown towards an open end
HIGHER = 1e-4  # a profile above the estimate by this much means a better optimum elsewhere
LEVELS = np.array([0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999])  # at which an edge's limit is stored


@dataclass(frozen=True)
class ProfileCurve:
    """The profile likelihood of one parameter and the interval read from it.

    lower, upper: natural scale; the edge of the parameter's range where the likelihood does not
    fall. table: columns value (natural), log_likelihood, below_maximum. sentence: what was found.
    """

    name: str
    level: float
    lower: float
    upper: float
    table: pd.DataFrame
    sentence: str


def profile(
    objective: Objective, estimate: Estimate, name: str, *, level: float = 0.9, points: int = 25
) -> ProfileCurve:
    """The profile likelihood of the parameter `name`, with its interval.

    Args:
        objective: log likelihood of the data; estimate: its maximum.
        name: the parameter; level: width of the interval; points: rows of the curve.

    Returns: the curve, with ends where twice the loss reaches the chi-square(1) quantile.
    Errors: OptionError for an unknown parameter, a level outside 0 to 1, or under 3 points.
    """
    if points < 3:
        raise OptionError(f"a curve needs at least 3 points, got {points}")
    line = _Line(RealScale(objective), estimate.space.index(name), estimate.maximised)
    origin, cut = estimate.real, loss_at(level)
    step = _first_step(estimate, line.place, cut)
    low, high = (line.end(origin, sign * step, cut) for sign in (-1.0, 1.0))
    curve = line.curve(origin, _grid(origin[line.place], low, high, points))
    values = [line.natural(origin, np.nan if end is None else end) for end in (low, high)]
    ends = line.edges
    return ProfileCurve(
        name=name,
        level=level,
        lower=ends[0] if low is None else values[0],
        upper=ends[1] if high is None else values[1],
        table=curve,
        sentence=_sentence(estimate, name, low, high, curve),
    )


def loss_at(level: float) -> float:
    """The loss of log likelihood that bounds an interval: half a chi-square(1) quantile.

    >>> round(loss_at(0.95), 4)
    1.9207
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must lie between 0 and 1, got {level}")
    return float(scipy.special.ndtri((1.0 + level) / 2.0) ** 2 / 2.0)


def edge_limit(view: RealScale, found: Climb, place: int, outward: float) -> Limit:
    """How far from an edge a parameter may lie, for a range of levels.

    Args: found: where the search ran to the edge; place: the parameter; outward: -1 where it ran
    to its low end, +1 for the high one.
    """
    line = _Line(view, place, found.value)
    losses = np.array([loss_at(level) for level in LEVELS])
    ends = [line.end(found.point, -outward, cut) for cut in losses]
    real = np.array([np.nan if end is None else end for end in ends])
    return Limit(view.objective.space.names[place], bool(outward < 0.0), losses, real)


@dataclass(frozen=True)
class _Line:
    """The likelihood as a function of one real coordinate, the others refitted."""

    view: RealScale
    place: int
    top: float

    @property
    def edges(self) -> tuple[float, float]:
        """Natural values at the two ends of the parameter's support."""
        ends = np.array([[-np.inf], [np.inf]]) * np.ones(len(self.view.scales))
        low, high = self.view.natural(ends)[:, self.place]
        return float(low), float(high)

    def natural(self, origin: Floats, value: float) -> float:
        """Natural value of a real coordinate."""
        point = origin.copy()
        point[self.place] = value
        return float(self.view.natural(point)[self.place])

    def refit(self, near: Floats, value: float) -> Climb:
        """The best fit with the coordinate held at `value`, searched from `near`."""
        start = near.copy()
        start[self.place] = value
        moving = np.arange(len(start)) != self.place
        return climb(self.view.derivatives, start, moving=moving)

    def end(self, origin: Floats, step: float, cut: float) -> float | None:
        """Where the loss reaches `cut` in the direction of `step`; None if it never does."""
        known = [(float(origin[self.place]), origin)]
        while True:
            inner, near = known[-1]
            outer = float(np.clip(inner + step, 1.0 - LIMIT, LIMIT - 1.0))
            refitted = self.refit(near, outer)
            fixed = np.arange(len(origin)) == self.place
            if at_limit(refitted, fixed):  # another parameter follows without end: level
                return None
            if self.top - refitted.value >= cut:
                break
            if abs(outer) >= LIMIT - 1.0:
                return None
            known.append((outer, refitted.point))
            step *= 2.0
        low, high = sorted((inner, outer))

        def over(value: float) -> float:  # close to straight in the value, so quick to solve
            loss = self.top - self.refit(near, value).value
            return float(np.sqrt(np.clip(loss, 0.0, 100.0 * cut)) - np.sqrt(cut))

        if over(inner) >= 0.0:  # the origin itself lies below the maximum by the cut
            return inner
        from scipy.optimize import brentq  # heavy, and needed here alone

        return float(brentq(over, low, high, xtol=1e-8, rtol=1e-10))

    def curve(self, origin: Floats, grid: Floats) -> pd.DataFrame:
        """The profile over a grid of the coordinate, each fit begun at its neighbour's."""
        heights = np.empty(len(grid))
        middle = int(np.abs(grid - origin[self.place]).argmin())
        for order in (range(middle, len(grid)), range(middle - 1, -1, -1)):
            near = origin
            for place in order:
                refitted = self.refit(near, float(grid[place]))
                heights[place] = refitted.value
                near = refitted.point if np.isfinite(refitted.value) else near
        values = [self.natural(origin, float(value)) for value in grid]
        columns = {"value": values, "log_likelihood": heights, "below_maximum": self.top - heights}
        return pd.DataFrame(columns)


def _first_step(estimate: Estimate, place: int, cut: float) -> float:
    """Half a Wald interval where there is one, else one log."""
    half = float(np.sqrt(2.0 * cut * estimate.real_covariance[place, place]))
    return half if np.isfinite(half) and half > 0.0 else 1.0


def _grid(origin: float, low: float | None, high: float | None, points: int) -> Floats:
    start = (origin if high is None else min(origin, high)) - TAIL if low is None else low
    stop = (origin if low is None else max(origin, low)) + TAIL if high is None else high
    start -= MARGIN * (origin - start) if low is not None else 0.0
    stop += MARGIN * (stop - origin) if high is not None else 0.0
    return np.clip(np.linspace(start, stop, points), 1.0 - LIMIT, LIMIT - 1.0)


def _sentence(
    estimate: Estimate, name: str, low: float | None, high: float | None, curve: pd.DataFrame
) -> str:
    parameter = estimate.space.parameters[estimate.space.index(name)]
    below, above = parameter.ends
    if low is None and high is None:
        found = f"open at both ends: the likelihood does not determine {name}"
    elif low is None:
        found = f"open below: {name} may be as small as {below}" + _meaning(parameter.low)
    elif high is None:
        found = f"open above: {name} may run to {above}" + _meaning(parameter.high)
    else:
        found = "closed: the likelihood falls on both sides"
    if curve["below_maximum"].min() < -HIGHER:
        found += "; a better fit than the estimate lies on this curve, so the estimate is not best"
    return found


def _meaning(words: str) -> str:
    return f" ({words})" if words else ""
