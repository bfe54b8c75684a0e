"""What is left of an effect if trends were not parallel: intervals, and where they reach 0.

Rambachan and Roth (2023), "A more credible approach to parallel trends", Review of Economic Studies
90: no post-treatment trend is assumed to be 0; it is bounded by what was seen before treatment
("relative magnitudes") or by how much a straight line may bend ("smoothness"). Takes the event-time
estimates of any package with their covariance.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.event_times import EventTimes, event_times
from cxmodels.experiments.honest_magnitudes import interval_of, keeps_zero, parts_of
from cxmodels.experiments.honest_smoothness import bends_of, fixed_length
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level, normal_quantile
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

MAGNITUDES, SMOOTHNESS = "relative magnitudes", "smoothness"
METHODS = ("hybrid", "conditional")
USUAL = (0.5, 1.0, 1.5, 2.0)  # times the largest move before treatment
BENDS = (0.0, 0.5, 1.0, 2.0)  # times the largest bend before treatment
SINGULAR = 1e-10  # eigenvalue of the correlations below which they are taken to be singular
LARGEST = 1_000.0  # Mbar beyond which nothing is sought


@dataclass(frozen=True, eq=False, repr=False)
class HonestBounds(Faced):
    """An effect under bounded violations of parallel trends.

    table: size (Mbar, a pure number, or M, units of the outcome a period squared), lower, upper,
    excludes_zero; estimate, std_error, lower, upper: as if trends were parallel; breakdown: the
    smallest size at which 0 is no longer ruled out (0: it never was; inf: ruled out at any).
    """

    table: "pd.DataFrame"
    restriction: str
    estimate: float
    std_error: float
    lower: float
    upper: float
    breakdown: float
    level: float
    sentence: str

    def face(self) -> Face:
        """The intervals by size of the violation."""
        head = (
            f"Effect {self.estimate:.4g} ({self.lower:.4g} to {self.upper:.4g} were trends "
            f"parallel), {self.restriction}; interval {self.level:.0%}"
        )
        return Face(head, self.table, (self.sentence,))


def honest_bounds(
    estimate: object,
    covariance: object = None,
    *,
    pre: int | None = None,
    restriction: str = MAGNITUDES,
    sizes: Iterable[float] | None = None,
    weights: Iterable[float] | None = None,
    method: str = "hybrid",
    level: float = 0.9,
) -> HonestBounds:
    """Intervals of an effect that hold for every trend of a given size.

    estimate: (K,) event-time estimates in order, the reference period left out, with covariance
    (K, K) and pre, how many lie before the reference; or a roll-out's result alone, of
    `group_time_effects(base="universal")`, or its `event_times()`.
    restriction: "relative magnitudes" (between periods after treatment, trends move at most Mbar
    times the most they did before) or "smoothness" (from one period to the next, their slope
    changes by at most M; M = 0 is a straight line, which is taken out). sizes: of Mbar (by default
    0.5, 1, 1.5, 2) or M (by default 0, 0.5, 1 and 2 times the largest bend of the estimates before
    treatment); Mbar = 0 is the interval of parallel trends. weights: (q,) of the effects after
    treatment, by default the first alone. method: of relative magnitudes, "hybrid" or "conditional"
    test; level: of intervals.
    Errors: DataError for a covariance that is none, OptionError, FitError.

    >>> found = honest_bounds([0.1, -0.1, 1.0], np.diag([0.01, 0.01, 0.01]), pre=2, sizes=[1.0])
    >>> found.table["excludes_zero"].tolist()
    [True]
    """
    times = taken(estimate, covariance, pre)
    inside = check_level(level)
    if restriction not in (MAGNITUDES, SMOOTHNESS):
        raise OptionError(f"restriction {restriction!r} is not one of {MAGNITUDES}, {SMOOTHNESS}")
    if method not in METHODS:
        raise OptionError(f"method {method!r} is not one of {', '.join(METHODS)}")
    asked = _weights(weights, times)
    point = float(asked @ times.estimate[times.pre :])
    error = float(np.sqrt(asked @ times.covariance[times.pre :, times.pre :] @ asked))
    half = normal_quantile(inside) * error
    naive = (point - half, point + half)
    if restriction == SMOOTHNESS:
        own = _sizes(sizes, [scale * _bend(times, error) for scale in BENDS])
        interval, breakdown = _by_bends(times, asked, inside)
    else:
        own = _sizes(sizes, USUAL)
        interval, breakdown = _by_magnitudes(times, asked, (inside, method == "hybrid"), naive)
    table = _table(own, interval)
    return HonestBounds(
        table, restriction, point, error, *naive, breakdown, inside,
        _sentence(restriction, breakdown, naive),
    )  # fmt: skip


def taken(estimate: object, covariance: object, pre: int | None) -> EventTimes:
    """Event times as given, one step apart."""
    own = getattr(estimate, "event_times", None)
    estimate = own() if callable(own) else estimate
    if isinstance(estimate, EventTimes):
        if covariance is not None or pre is not None:
            raise OptionError("event times bring their covariance and periods: give them alone")
        times = estimate
    elif covariance is None or pre is None:
        raise OptionError("give estimates with covariance and pre, or a roll-out's result alone")
    else:
        times = event_times(estimate, covariance, pre)
    whole = np.sort(np.append(times.times, times.reference))
    if (np.diff(whole) != 1).any():
        raise FitError("event times are not one step apart: a trend over a gap is not bounded here")
    if not times.post:
        raise FitError("no estimate lies after the reference period")
    return times


def determined(sigma: Floats) -> None:
    """Raises FitError where estimates with covariance (K, K) follow from each other."""
    error = np.sqrt(np.diag(sigma))
    if np.linalg.eigvalsh(sigma / error[:, None] / error)[0] < SINGULAR:
        raise FitError(
            "some estimates follow from the others: the covariance is singular, as where there are "
            "fewer clusters than estimates"
        )


def _weights(weights: Iterable[float] | None, times: EventTimes) -> Floats:
    first = np.zeros(times.post)
    first[0] = 1.0
    if weights is None:
        return first
    try:
        found = np.asarray(list(weights), dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("weights are numbers, one an estimate after treatment") from None
    if found.shape != first.shape or not np.isfinite(found).all() or not found.any():
        raise OptionError(f"weights are {times.post} numbers, not all 0, one an estimate after")
    return found


def _sizes(sizes: Iterable[float] | None, usual: Iterable[float]) -> Floats:
    try:
        found = np.asarray(list(usual if sizes is None else sizes), dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("sizes are numbers from 0 on") from None
    if not found.size or found.ndim != 1 or not np.isfinite(found).all() or (found < 0.0).any():
        raise OptionError("sizes are one or more numbers from 0 on")
    return found


def _bend(times: EventTimes, error: float) -> float:
    """The largest bend of the estimates up to the reference; the error where there is none."""
    line = np.append(times.estimate[: times.pre], 0.0)
    return float(np.abs(np.diff(line, 2)).max()) if line.size >= 3 else error


def _by_bends(
    times: EventTimes, weights: Floats, level: float
) -> tuple[Callable[[float], tuple[float, float]], float]:
    """Intervals by M, and the M at which they reach 0."""
    determined(times.covariance)
    bends = bends_of(times.estimate, times.covariance, times.pre, weights)

    def interval(M: float) -> tuple[float, float]:
        found = fixed_length(bends, M, level)
        return found.centre - found.half, found.centre + found.half

    def spare(M: float) -> float:
        found = fixed_length(bends, M, level)
        return abs(found.centre) - found.half

    if spare(0.0) <= 0.0:
        return interval, 0.0
    high = fixed_length(bends, 0.0, level).sigma
    while spare(high) > 0.0:
        high *= 2.0
    return interval, float(scipy.optimize.brentq(spare, 0.0, high, rtol=1e-10))


def _by_magnitudes(
    times: EventTimes, weights: Floats, how: tuple[float, bool], naive: tuple[float, float]
) -> tuple[Callable[[float], tuple[float, float]], float]:
    """Intervals by Mbar, and the Mbar at which 0 is kept."""
    given = (times.estimate, times.covariance, times.pre, weights)
    if times.pre < 1:
        raise FitError("no move before treatment is known: an estimate before it is needed")

    def interval(Mbar: float) -> tuple[float, float]:
        if Mbar == 0.0:
            return naive
        return interval_of(list(parts_of(*given, (Mbar, *how))), weights, Mbar)

    def kept(Mbar: float) -> bool:
        return keeps_zero(parts_of(*given, (Mbar, *how)))

    if naive[0] <= 0.0 <= naive[1]:
        return interval, 0.0
    low, high = 0.0, 1.0
    while not kept(high):
        low, high = high, 2.0 * high
        if high > LARGEST:
            return interval, np.inf
    while high - low > 1e-4 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if kept(middle) else (middle, high)
    return interval, high


def _table(sizes: Floats, interval: Callable[[float], tuple[float, float]]) -> "pd.DataFrame":
    import pandas as pd

    ends = np.array([interval(float(size)) for size in sizes])
    outside = (ends[:, 0] > 0.0) | (ends[:, 1] < 0.0)
    return pd.DataFrame({"size": sizes, "lower": ends[:, 0], "upper": ends[:, 1],
                         "excludes_zero": outside})  # fmt: skip


def _sentence(restriction: str, breakdown: float, naive: tuple[float, float]) -> str:
    if breakdown == 0.0:
        if restriction == SMOOTHNESS and (naive[0] > 0.0 or naive[1] < 0.0):
            return "A straight difference in trends explains the effect: 0 is not ruled out."
        return "Zero is not ruled out even if trends were parallel."
    if np.isinf(breakdown):
        return f"Zero is ruled out up to {LARGEST:g} times the largest move before treatment."
    if restriction == SMOOTHNESS:
        return (
            f"Zero is ruled out unless the difference in trends bends by more than {breakdown:.3g} "
            "from one period to the next."
        )
    return (
        f"Zero is ruled out unless trends moved, after treatment, more than {breakdown:.2f} times "
        "the most that they moved before it."
    )
