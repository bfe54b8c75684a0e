"""Each metric at each look of a running test: its interval, and what it is known to be.

By the plan's looks: error is spent by the share of the planned looks that are over, information
grows with the units known (Lan and DeMets 1989), and the interval at a look is estimate -+ c_k
errors (Jennison and Turnbull 1989). Without planned looks: an asymptotic confidence sequence.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.experiments.comparison import Choices, Compared, compared
from cxmodels.experiments.confidence_sequence import half_width
from cxmodels.experiments.daily_moments import until
from cxmodels.experiments.metric_kinds import Asked
from cxmodels.experiments.moment_problems import problems_of
from cxmodels.experiments.moments import Moments
from cxmodels.experiments.plan import TestPlan
from cxmodels.experiments.sequential import CLOSEST, calendar_boundary
from cxmodels.numerics.arrays import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

PLANNED_LOOKS, ALWAYS_VALID = "planned", "always"
HOLDS, BROKEN, UNKNOWN = "holds", "broken", "not yet known"
BETTER, WORSE = "better", "worse"
SOME = 50  # units known in each arm from which an asymptotic sequence is shown
NAMES = ["metric", "arm", "look", "day", "n", "n_control", "estimate", "std_error", "lower",
         "upper", "margin", "line", "state", "standing"]  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """Days of looks that are over; time: share of the planned looks until each; kind: planned, or
    always; boundary: of spending."""

    days: tuple[date, ...]
    time: tuple[float, ...]
    kind: str
    boundary: str


def scheduled(plan: TestPlan, known: Sequence[date], kind: str, boundary: str) -> Schedule:
    """Looks that are over by the last day known: the plan's, evenly spaced, or every day known."""
    if kind == ALWAYS_VALID:
        return Schedule(tuple(known), (), kind, boundary)
    length = (plan.end - plan.start).days + 1
    shares = [look / plan.looks for look in range(1, plan.looks + 1)]
    days = [plan.start + timedelta(round(length * share) - 1) for share in shares]
    over = [place for place, day in enumerate(days) if day <= known[-1]]
    return Schedule(tuple(days[i] for i in over), tuple(shares[i] for i in over), kind, boundary)


@dataclass(frozen=True)
class _Seen:
    """A metric of an arm at a look, and at which look that was."""

    look: int
    day: date
    item: Compared


def looked(
    days: Mapping[date, Moments], schedule: Schedule, choices: Choices, standing: Mapping[Any, str]
) -> "pd.DataFrame":
    """One row a metric, arm and look at which both arms can be compared."""
    import pandas as pd

    seen: dict[tuple[str, str], list[_Seen]] = {}
    for place, total in enumerate(until(days, schedule.days)):
        for item in _comparable(total, choices):
            key = (item.asked.label, item.arm)
            seen.setdefault(key, []).append(_Seen(place + 1, schedule.days[place], item))
    rows = [row for found in seen.values() for row in _rows(found, schedule, choices, standing)]
    return pd.DataFrame(rows, columns=NAMES)


def _comparable(total: Moments | None, choices: Choices) -> Iterable[Compared]:
    """Metrics that can be compared by now; of revenue with a hurdle, revenue itself."""
    for asked in total.asked if total is not None else ():
        if asked.label == asked.metric.label and total is not None:
            for arm in (arm for arm in total.arms if arm != choices.control):
                pair = _pair_of(total, (choices.control, arm), asked)
                if not list(problems_of(pair, choices.control)):
                    with suppress(FitError):  # of few units, that happen to lie on a line
                        yield from compared(pair, choices, None)


def untold(total: Moments, choices: Choices, arms: Iterable[str]) -> Iterable[str]:
    """Metrics and arms that cannot be compared even with all rows, each with its reason."""
    there = total.arms
    for arm in arms:
        if arm not in there:
            yield f"No unit is in arm {arm!r} yet: it cannot be compared."
    for asked in total.asked:
        for arm in arms if asked.label == asked.metric.label else ():
            why = _why(total, (choices.control, arm), asked, choices) if arm in there else ""
            if why:
                yield f"{asked.label} of {arm} cannot be compared yet: {why}."


def _why(total: Moments, arms: tuple[str, str], asked: Asked, choices: Choices) -> str:
    pair = _pair_of(total, arms, asked)
    problems = list(problems_of(pair, choices.control))
    if problems:
        return problems[0].what
    try:
        compared(pair, choices, None)
    except FitError as error:
        return str(error)
    return ""


def _pair_of(total: Moments, arms: tuple[str, str], asked: Asked) -> Moments:
    """Two arms and a metric alone, so that what others lack does not count."""
    keep = np.isin(total.arm.astype(str), arms)
    own = total.block(asked)
    blocks = (replace(own, sums=own.sums.at(keep), apart=own.apart.at(keep)),)
    return replace(total, asked=(asked,), arm=total.arm[keep], stratum=total.stratum[keep],
                   cluster=total.cluster[keep], rows=total.rows[keep], blocks=blocks)  # fmt: skip


def _rows(
    found: list[_Seen], schedule: Schedule, choices: Choices, standing: Mapping[Any, str]
) -> Iterable[dict[str, Any]]:
    metric = found[0].item.asked.metric
    sign = 1.0 if metric.better == "higher" else -1.0
    for one, half in zip(found, _halves(found, schedule, choices.level), strict=True):
        estimate = float(one.item.contrast.estimate)
        wide = np.isfinite(half)
        ends = (estimate - half, estimate + half) if wide else (None, None)
        worst, best = sorted((sign * (estimate - half), sign * (estimate + half)))
        yield {
            "metric": one.item.asked.label, "arm": one.item.arm, "look": one.look, "day": one.day,
            "n": int(one.item.n[1]), "n_control": int(one.item.n[0]), "estimate": estimate,
            "std_error": float(one.item.contrast.variance) ** 0.5, "lower": ends[0],
            "upper": ends[1], "margin": metric.margin,
            "line": 0.0 if metric.margin is None else -sign * metric.margin,
            "state": _state(worst, best, metric.margin), "standing": standing[metric],
        }  # fmt: skip


def _state(worst: float, best: float, margin: float | None) -> str:
    """What an interval says; worst and best are turned so that higher is better."""
    if margin is None:
        return BETTER if worst > 0.0 else WORSE if best < 0.0 else UNKNOWN
    return HOLDS if worst > -margin else BROKEN if best < -margin else UNKNOWN


def _halves(found: list[_Seen], schedule: Schedule, level: float) -> Floats:
    """Half the interval at each look; infinite where nothing may be said yet."""
    error = np.array([float(one.item.contrast.variance) ** 0.5 for one in found])
    n = np.array([one.item.n for one in found], dtype=np.float64)
    if schedule.kind == ALWAYS_VALID:
        enough = n.min(axis=1) >= SOME
        half = np.full(error.size, np.inf)
        if enough.any():
            total = n.sum(axis=1)[enough]  # what it is tuned for is known at its first look
            half[enough] = half_width(error[enough], total, level, float(4.0 * total[0]))
        return half
    information = n.prod(axis=1) / n.sum(axis=1)
    time = np.array([schedule.time[one.look - 1] for one in found])
    new = _grows(information)
    edge = calendar_boundary(information[new], time[new], kind=schedule.boundary,
                             alpha=1.0 - level)  # fmt: skip
    last = np.searchsorted(new, np.arange(error.size), side="right") - 1  # look that holds still
    degrees = np.array([float(one.item.contrast.degrees) for one in found])
    reach = scipy.stats.t.isf(scipy.special.ndtr(-edge[np.maximum(last, 0)]), degrees)
    return np.asarray(np.where(last >= 0, reach, np.inf) * error)


def _grows(information: Floats) -> Ints:
    """Places of looks that know more than the look before, by as much as a look needs."""
    kept: list[int] = []
    for place, now in enumerate(information.tolist()):
        before = float(information[kept[-1]]) if kept else 0.0
        if now - before > 1.01 * CLOSEST * information[-1]:
            kept.append(place)
    return np.array(kept, dtype=np.int64)
