"""How near to a cutoff units must be: the width that balances noise and the bend of the curve.

The mean squared error of the jump's estimate falls with noise and grows with curvature, which is
estimated by a wider fit, whose own width needs a wider one still. Calonico, Cattaneo and Farrell
(2020), "Optimal bandwidth choice for robust bias-corrected inference in regression discontinuity
designs", Econometrics Journal 23; regularised as in Imbens and Kalyanaraman (2012), Review of
Economic Studies 79.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.local_polynomials import SAME, Side, coefficient_weights, variances
from cxmodels.numerics.arrays import Floats

PILOT = 2.576  # Silverman's rule for the triangular kernel, in spreads
NORMAL_IQR = 1.349  # quartiles of a normal lie so many standard deviations apart
HEAPED = 0.2  # share of repeated values from which the pilot must hold enough different ones
HELD = 10  # of them on each side


@dataclass(frozen=True)
class Widths:
    """h: of the fit; b: of the wider fit that tells its bend."""

    h: float
    b: float


@dataclass(frozen=True)
class _Constants:
    """Of one side and stage: variance, bias, and the noise of that bias."""

    noise: float
    bend: float
    doubt: float


def optimal_widths(left: Side, right: Side) -> Widths:
    """Widths of the smallest mean squared error of a jump in levels, alike on both sides.

    Local linear with a quadratic correction; variances by nearest neighbours.
    Errors: FitError where either side has too few different values, or outcomes have no noise.
    """
    scale, size = (
        max(float(np.abs(own).max()) for own in both)
        for both in ((left.x, right.x), (left.y, right.y))
    )
    size = size if size > 0.0 else 1.0
    found = _scaled(*(Side(side.x / scale, side.y / size) for side in (left, right)))
    return Widths(found.h * scale, found.b * scale)


def coverage_widths(best: Widths, units: int) -> Widths:
    """The fit's width shrunk by `units**(-1 / 20)`: the rate at which the interval of a local
    linear fit errs least in what it holds. Calonico, Cattaneo and Farrell (2020), section 4.

    >>> round(coverage_widths(Widths(1.0, 2.0), 1024).h, 4)
    0.7071
    """
    return Widths(best.h * float(units) ** -0.05, best.b)


def _scaled(left: Side, right: Side) -> Widths:
    """Of numbers near one, of whose high powers none leaves the range of arithmetic."""
    sides = (left, right)
    furthest = max(side.reach for side in sides)
    pilot = pilot_width(left, right)
    stage = [_constants(side, (3, 3), pilot, side.reach * SAME, doubted=False) for side in sides]
    width = max(min(_width(stage, 3), furthest), _least(left, right))
    stage = [_constants(side, (2, 2), pilot, width) for side in sides]
    b = min(_width(stage, 2), furthest)
    stage = [_constants(side, (1, 0), pilot, b) for side in sides]
    return Widths(min(_width(stage, 1), furthest), b)


def pilot_width(left: Side, right: Side) -> float:
    """Where the curve's noise is looked at first: a rule of thumb, by the spread of all units.

    >>> x = np.linspace(0.01, 1.0, 100)
    >>> round(pilot_width(Side(-x[::-1], x), Side(x, x)), 3)
    0.521
    """
    x = np.concatenate([left.x, right.x])
    low, high = np.quantile(x, [0.25, 0.75], method="averaged_inverted_cdf")
    places = len(left.places) + len(right.places)
    spread = float(np.std(x, ddof=1))
    if high > low:  # else more than half of all units share a value
        spread = min(spread, float(high - low) / NORMAL_IQR)
    width = float(PILOT * spread * places**-0.2)
    return max(min(width, max(left.reach, right.reach)), _least(left, right))


def _least(left: Side, right: Side) -> float:
    """The width that holds enough different values where many are the same."""
    heaped = any(1.0 - len(side.places) / len(side.x) >= HEAPED for side in (left, right))
    if not heaped:
        return 0.0
    return (
        max(float(side.places[: min(HELD, len(side.places))][-1]) for side in (left, right)) * SAME
    )


def _constants(
    side: Side, kind: tuple[int, int], pilot: float, width: float, *, doubted: bool = True
) -> _Constants:
    """Of coefficient `kind[1]` of a fit of order `kind[0]`, its bend from a fit within `width`."""
    order, which = kind
    own = coefficient_weights(side.x, pilot, order)[which]
    noise = float((own**2) @ variances(side, pilot))
    shape = float(own @ side.x ** (order + 1)) * pilot ** (which - order - 1)
    wider = coefficient_weights(side.x, width, order + 1)[order + 1]
    power = 2.0 * (order + 1 - which)
    bend = np.sqrt(power) * shape * float(wider @ side.y)
    doubt = 0.0
    if doubted:
        doubt = power * 3.0 * shape**2 * float((wider**2) @ variances(side, width))
    return _Constants((2 * which + 1) * pilot ** (2 * which + 1) * noise, float(bend), doubt)


def _width(stage: list[_Constants], order: int) -> float:
    left, right = stage
    squared = (right.bend - left.bend) ** 2 + left.doubt + right.doubt
    noise = left.noise + right.noise
    if not noise > 0.0:
        raise FitError("outcomes near the cutoff have no noise: no width can be told from them; "
                       "give bandwidth=")  # fmt: skip
    return (noise / squared) ** (1.0 / (2 * order + 3)) if squared > 0.0 else float(np.inf)


def fit_weights(x: Floats, widths: Widths) -> tuple[Floats, Floats]:
    """(n,) weights of the curve's height at the cutoff, as fitted, and less what its bend adds.

    The weights of a quadratic at b tell the curvature, of which the linear fit at h takes up
    `sum(weights * x**2)`: Calonico, Cattaneo and Titiunik (2014), section 3.

    >>> x = np.linspace(0.0, 1.0, 50)
    >>> straight, bent = fit_weights(x, Widths(0.5, 0.8))
    >>> abs(float(straight @ (1 + x**2)) - 1.0) > 0.01, round(float(bent @ (1 + x**2)), 6)
    (True, 1.0)
    """
    straight = coefficient_weights(x, widths.h, 1)[0]
    curvature = coefficient_weights(x, widths.b, 2)[2]
    return straight, straight - float(straight @ x**2) * curvature
