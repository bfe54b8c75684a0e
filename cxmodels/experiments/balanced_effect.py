"""What the arm did to an outcome, beside what a plain comparison says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.experiments.matched_sets import APART, Sets
from cxmodels.experiments.observed_groups import Groups
from cxmodels.experiments.weighted_effect import Effect, set_effect, tilted_effect
from cxmodels.experiments.weighting import Tilt
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

LEAST = 3  # units of each arm in sets without which nothing is told of their spread
PLAIN, WEIGHTED, ADJUSTED = "as they are", "balanced", "balanced and adjusted"


@dataclass(frozen=True, eq=False, repr=False)
class BalancedEffect(Faced):
    """table: how (as they are, balanced, balanced and adjusted), estimate, std_error, lower, upper,
    p_value; estimate and the rest: of its last row, in units of the outcome."""

    table: "pd.DataFrame"
    outcome: str
    estimand: str
    estimate: float
    std_error: float
    lower: float
    upper: float
    level: float
    sentence: str

    def face(self) -> Face:
        """The plain comparison and the balanced one."""
        return Face(f"{self.estimand.capitalize()}: {self.outcome}; interval {self.level:.0%}",
                    self.table, (self.sentence,))  # fmt: skip


def effect_of(
    groups: Groups, how: tuple[Sets | None, Tilt | None, Floats | None], outcome: str,
    asked: tuple[str, str], adjust: bool, level: float,
) -> BalancedEffect:  # fmt: skip
    """The effect on an outcome; asked: the estimand, and what it is in words."""
    import pandas as pd

    inside = check_level(level)
    y = groups.outcome(outcome)
    if not np.ptp(y) > 0.0:
        raise FitError(f"{outcome} is {y[0]:g} in every row: there is nothing to compare")
    rows = [_row(PLAIN, plain(y, groups.treated), inside)]
    for name, x in ((WEIGHTED, None), (ADJUSTED, groups.x)):
        if name == WEIGHTED or adjust:
            rows.append(_row(name, _found(y, groups.treated, how, x, asked[0]), inside))
    last = rows[-1]
    said = (
        f"{outcome} differs by {rows[0]['estimate']:+.4g} as they are, and by "
        f"{last['estimate']:+.4g} ({last['lower']:+.4g} to {last['upper']:+.4g}) once alike in "
        "covariates: causal if nothing else moved both."
    )
    return BalancedEffect(
        pd.DataFrame(rows), outcome, asked[1], last["estimate"], last["std_error"],
        last["lower"], last["upper"], inside, said,
    )  # fmt: skip


def plain(y: Floats, treated: Bools) -> Effect:
    """Difference of means with Welch's error and degrees.

    >>> found = plain(np.array([1.0, 3.0, 2.0, 6.0]), np.array([False, False, True, True]))
    >>> found.estimate, round(found.std_error, 4)
    (2.0, 2.2361)
    """
    one, other = y[treated], y[~treated]
    parts = [group.var(ddof=1) / len(group) for group in (one, other)]
    total = float(sum(parts))
    squares = sum(part**2 / (len(group) - 1)
                  for part, group in zip(parts, (one, other), strict=True))  # fmt: skip
    degrees = total**2 / float(squares) if squares > 0.0 else float(len(y) - 2)
    return Effect(float(one.mean() - other.mean()), float(np.sqrt(total)), degrees)


def _found(
    y: Floats, treated: Bools, how: tuple[Sets | None, Tilt | None, Floats | None],
    x: Floats | None, estimand: str,
) -> Effect:  # fmt: skip
    sets, tilt, odds = how
    if sets is not None:
        used = np.flatnonzero(sets.label != APART) if sets.pairs is None else np.unique(sets.pairs)
        left = int(treated[used].sum()), int((~treated[used]).sum())
        if min(left) < LEAST:
            raise FitError(
                f"{left[0]} treated and {left[1]} control units are left in sets: an effect with "
                f"an error takes {LEAST} of each. Take wider classes, or weights (how='entropy')"
            )
    if tilt is not None:
        return tilted_effect(y, treated, tilt, x)
    if sets is None:
        return plain(y, treated)
    return set_effect(y, treated, sets, x, estimand, odds)


def _row(how: str, found: Effect, level: float) -> dict[str, Any]:
    half = float(scipy.special.stdtrit(found.degrees, (1.0 + level) / 2.0)) * found.std_error
    if found.std_error > 0.0:
        p = 2.0 * float(scipy.special.stdtr(found.degrees, -abs(found.estimate) / found.std_error))
    else:
        p = 1.0 if found.estimate == 0.0 else 0.0
    estimate = found.estimate
    return {"how": how, "estimate": estimate, "std_error": found.std_error,
            "lower": estimate - half, "upper": estimate + half, "p_value": p}  # fmt: skip
