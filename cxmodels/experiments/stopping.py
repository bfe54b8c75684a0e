"""What a test says that was looked at by a design: intervals at any look, and what holds at the
one where it stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.experiments.comparisons import finite, positive
from cxmodels.experiments.crossing import crossing
from cxmodels.experiments.sequential import FARTHEST, Design
from cxmodels.results.estimate import told_p
from cxmodels.results.shown_tables import Face, Faced


@dataclass(frozen=True, eq=False, repr=False)
class Stopped(Faced):
    """A test that stopped at a look.

    estimate, error: as given; unbiased: the estimate that is too large as often as too small;
    lower, upper: its interval of 1 - alpha (of sides 1: 1 - 2 alpha), and p_value, all by the
    stagewise order; z: estimate over error; crossed: whether z lies beyond a boundary.
    """

    look: int
    estimate: float
    error: float
    z: float
    crossed: bool
    unbiased: float
    lower: float
    upper: float
    p_value: float
    sentence: str

    def face(self) -> Face:
        """Estimates beside one another."""
        row = {"look": self.look, "estimate": self.estimate, "unbiased": self.unbiased,
               "lower": self.lower, "upper": self.upper, "p_value": self.p_value}  # fmt: skip
        return Face("A test that stopped", pd.DataFrame([row]), (self.sentence,))


def repeated_interval(
    plan: Design, look: int, estimate: float, error: float
) -> tuple[float, float]:
    """The interval at a look that holds at all looks together, whether one stops or not.

    Returns estimate -+ c_k error; of a test of one side (estimate - c_k error, inf). It leaves out
    0 exactly where the boundary is crossed (Jennison and Turnbull 1989, Journal of the Royal
    Statistical Society B 51).

    >>> from cxmodels.experiments.sequential import design
    >>> repeated_interval(design(3, kind="pocock"), 2, 1.0, 0.4)
    (0.0842..., 1.9157...)
    """
    _look(plan, look)
    half = float(plan.upper[look - 1]) * positive("error", error)
    middle = finite("estimate", estimate)
    return middle - half, (middle + half if plan.sides == 2 else inf)


def after_stopping(plan: Design, look: int, estimate: float, error: float) -> Stopped:
    """Stagewise p-value, median unbiased estimate and interval of a test that stopped at `look`.

    An outcome is as extreme as this where a test stops above the boundary at an earlier look, or at
    this one with a larger z (Tsiatis, Rosner and Mehta 1984, Biometrics 40; Jennison and Turnbull
    2000, section 8.4). Futility does not count, as it does not bind: the p-value of one side is
    then too large rather than too small. Errors: OptionError for a look that is none.

    >>> from cxmodels.experiments.sequential import design
    >>> found = after_stopping(design(5, kind="obrien-fleming"), 3, 0.30, 0.10)
    >>> round(found.p_value, 4), round(found.unbiased, 3), found.crossed
    (0.0035, 0.297, True)
    """
    _look(plan, look)
    middle, z = (
        finite("estimate", estimate),
        finite("estimate", estimate) / positive("error", error),
    )
    unit = error * sqrt(float(plan.times[look - 1]))  # the effect of a drift of 1

    def above(drift: float) -> float:
        """Chance of an outcome at least as far up."""
        times, lower, upper = (
            plan.times[:look],
            plan.binding[:look].copy(),
            plan.upper[:look].copy(),
        )
        lower[-1], upper[-1] = z, z
        return float(crossing(times, lower, upper, drift).upper.sum())

    tail = plan.alpha / plan.sides
    ends = [_drift(above, chance, z) for chance in (tail, 0.5, 1.0 - tail)]
    lower, unbiased, upper = (unit * end for end in ends)
    p = above(0.0) if plan.sides == 1 else 2.0 * min(above(0.0), 1.0 - above(0.0))
    high, low = float(plan.upper[look - 1]), float(plan.binding[look - 1])
    crossed = z >= high or z <= low
    told = (
        f"At look {look} z is {z:.2f}, {'beyond' if crossed else 'within'} its boundary "
        f"({high:.2f}); p {told_p(p)} over all looks, effect {unbiased:.4g} ({lower:.4g} to "
        f"{upper:.4g}), where the plain estimate is {middle:.4g}."
    )
    return Stopped(look, middle, float(error), z, bool(crossed), unbiased, lower, upper, p, told)


def _drift(above: Callable[[float], float], chance: float, z: float) -> float:
    """The drift under which outcomes as far up come with `chance`."""
    reach = FARTHEST + abs(z)
    return float(scipy.optimize.brentq(lambda x: above(x) - chance, -reach, reach, xtol=1e-11))


def _look(plan: Design, look: int) -> None:
    if not isinstance(plan, Design):
        raise OptionError(f"plan is what design() made, got {type(plan).__name__}")
    if not isinstance(look, int | np.integer) or not 1 <= look <= plan.looks:
        raise OptionError(f"look {look!r} is not from 1 to {plan.looks}")
