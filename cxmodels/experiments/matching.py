"""Groups that nobody drew, made comparable in what was known before: matched, classed or weighted.

One way in, whatever the method: covariates and arms give weights and a table of balance; only then
is an outcome asked for. It holds if everything that moved both treatment and outcome is among the
covariates; `sensitivity` says how far that may fail for pairs, and for regressions
`cxmodels.regression.sensitivity` does. Overviews: Stuart (2010), "Matching methods for causal
inference", Statistical Science 25; Ho, Imai, King and Stuart (2007), Political Analysis 15.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.balance import TOLERABLE, balance_table, effective_size
from cxmodels.experiments.balanced_effect import BalancedEffect, effect_of
from cxmodels.experiments.matched_sets import APART, Sets, classes, coarsened, nearest
from cxmodels.experiments.observed_groups import Groups, groups_of
from cxmodels.experiments.rosenbaum import RosenbaumBounds, rosenbaum_bounds
from cxmodels.experiments.weighting import (
    ATE,
    ATO,
    ATT,
    Propensity,
    Tilt,
    entropy_weights,
    probability_weights,
    propensity,
)
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

SCORE = "propensity score"
TARGETS = {ATT: "effect on the treated", ATE: "effect on all units",
           ATO: "effect on those who might have been in either arm"}  # fmt: skip


@dataclass(frozen=True)
class Nearest:
    """Pairs: caliper in standard deviations of the log odds (None: any distance); replace: whether
    a control may stand for several treated units."""

    caliper: float | None = None
    replace: bool = False

    def __post_init__(self) -> None:
        good = isinstance(self.caliper, int | float) and not isinstance(self.caliper, bool)
        if self.caliper is not None and not (good and 0.0 < float(self.caliper) < np.inf):
            raise OptionError(f"caliper {self.caliper!r} is no positive number, such as 0.2")


@dataclass(frozen=True)
class Subclasses:
    """Classes of the propensity score, at its quantiles."""

    count: int = 6

    def __post_init__(self) -> None:
        whole = isinstance(self.count, int) and not isinstance(self.count, bool)
        if not whole or self.count < 1:
            raise OptionError(f"count {self.count!r} of classes is no whole number from 1 on")


@dataclass(frozen=True)
class Coarsened:
    """Cells of equal covariates, numbers cut into bins: how many, or edges, by covariate; Sturges'
    rule for the others."""

    bins: Mapping[str, object] = field(default_factory=dict)


How = str | Nearest | Subclasses | Coarsened
WAYS: dict[str, How] = {
    "entropy": "entropy", "propensity": "propensity", "nearest": Nearest(),
    "subclass": Subclasses(), "cem": Coarsened(),
}  # fmt: skip
CAN: dict[object, tuple[str, ...]] = {
    "entropy": (ATT, ATE), "propensity": (ATT, ATE, ATO), Nearest: (ATT,), Subclasses: (ATT, ATE),
    Coarsened: (ATT, ATE),
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Balanced(Faced):
    """Two groups made comparable.

    balance: covariate, means, standardised differences, variance ratios and largest gaps between
    distribution functions, before and after; sizes: group, units, used, effective; units: row (of
    the table, from 0), treated, weight, set (pair, class or cell; empty where there are none) and
    propensity (empty where none was needed). Weights of the treated are 1 for "att", and those of
    controls sum to the treated; else both sum to all units.
    """

    balance: "pd.DataFrame"
    sizes: "pd.DataFrame"
    units: "pd.DataFrame"
    estimand: str
    how: str
    notes: tuple[str, ...]
    _groups: Groups = field(repr=False)
    _sets: Sets | None = field(repr=False)
    _tilt: Tilt | None = field(repr=False)
    _odds: Floats | None = field(repr=False)

    @property
    def weights(self) -> Floats:
        """(n,) of the rows in `units`."""
        return self.units["weight"].to_numpy(dtype=np.float64)

    def face(self) -> Face:
        """Standardised differences before and after."""
        shown = ["covariate", "mean_treated", "mean_control", "smd_before", "smd_after"]
        head = f"{TARGETS[self.estimand].capitalize()}, balanced by {self.how}"
        return Face(head, self.balance[shown], self.notes)

    def effect(self, outcome: str, *, adjust: bool = True, level: float = 0.9) -> BalancedEffect:
        """The effect of the arm on a column of the same table.

        adjust: whether covariates are also taken out by regression in each arm, which keeps the
        answer right if either the weights or the regression are; level: of intervals.
        Errors: DataError for outcomes that are missing or no numbers.
        """
        if outcome in {one.name for one in self._groups.covariates}:
            raise OptionError(f"{outcome!r} was balanced on: an effect on it is 0 by design")
        target = TARGETS[self.estimand]
        return effect_of(self._groups, (self._sets, self._tilt, self._odds), outcome,
                         (self.estimand, target), adjust, level)  # fmt: skip

    def sensitivity(
        self, outcome: str, *, gammas: Iterable[float] | None = None, level: float = 0.9
    ) -> RosenbaumBounds:
        """How much an unseen cause could change the answer of pairs: Rosenbaum's bounds.

        Errors: FitError where units are not pairs of their own.
        """
        pairs = None if self._sets is None else self._sets.pairs
        if pairs is None or (np.bincount(pairs[:, 1]) > 1).any():
            raise FitError(
                "Rosenbaum's bounds are of pairs: balance with how='nearest', without replacement; "
                "for weights see cxmodels.regression.sensitivity"
            )
        y = self._groups.outcome(outcome)
        found = rosenbaum_bounds(y[pairs[:, 0]], y[pairs[:, 1]], gammas=gammas, level=level)
        after = self.balance.set_index("covariate")["smd_after"].astype(float).abs()
        if not after.max() > TOLERABLE:
            return found
        return replace(found, notes=(
            f"Pairs still differ by {after.max():.2f} standard deviations in {after.idxmax()}: the "
            "bounds take them as they are, and call robust what is but this difference. Match more "
            "closely first, as by Nearest(caliper=0.2).",
        ))  # fmt: skip


def balanced(
    table: Any,
    *,
    arm: str,
    control: Any,
    covariates: Iterable[str] | str,
    how: How = "entropy",
    estimand: str = ATT,
) -> Balanced:
    """Treated and control units made comparable in their covariates; outcomes play no part.

    table: one row a unit; arm: a column of two arms, of which `control` is one; covariates: columns
    from before treatment, numbers or categories (rows that lack one are left out and counted).
    how: "entropy" (weights that balance means exactly), "propensity" (inverse probability),
    "nearest" (pairs), "subclass" (six classes), "cem" (coarsened exact matching), or `Nearest`,
    `Subclasses`, `Coarsened` with choices of their own; estimand: "att" (the treated), "ate" (all;
    not of pairs) or "ato" (overlap, of "propensity" alone). Cells and calipers may leave treated
    units out: the answer is then on those that are left.
    Errors: DataError with every problem; OptionError; FitError where groups do not overlap.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"called": [1, 1, 1, 0, 0, 0, 0], "age": [30, 40, 50, 20, 30, 50, 60],
    ...                       "spend": [14, 15, 16, 9, 10, 12, 13]})
    >>> found = balanced(table, arm="called", control=0, covariates=["age"])
    >>> found.balance["mean_control"].round(6).tolist()
    [40.0]
    >>> round(found.effect("spend").estimate, 6)
    4.0
    """
    way = _way(how, estimand)
    groups = groups_of(table, arm, control, covariates)
    scored = propensity(groups) if way == "propensity" or isinstance(way, Nearest | Subclasses) \
        else None  # fmt: skip
    if isinstance(way, str):
        tilt = (entropy_weights(groups, estimand) if scored is None
                else probability_weights(groups.treated, scored, estimand))  # fmt: skip
        said = "entropy" if scored is None else "inverse probability"
        return _record(groups, (None, tilt), scored, estimand, said)
    sets = _set(way, groups, scored, estimand)
    return _record(groups, (sets, None), scored, estimand, sets.said)


def _way(how: How, estimand: str) -> How:
    """The method in one form, once it goes with what is asked."""
    if isinstance(how, str):
        if how not in WAYS:
            raise OptionError(f"how {how!r} is not one of {', '.join(WAYS)}")
        how = WAYS[how]
    key: object = how if isinstance(how, str) else type(how)
    if key not in CAN:
        raise OptionError(f"how is one of {', '.join(WAYS)}, Nearest, Subclasses or Coarsened")
    if estimand not in TARGETS:
        raise OptionError(f"estimand {estimand!r} is not one of {', '.join(TARGETS)}")
    allowed = CAN[key]
    if estimand not in allowed:
        named = how if isinstance(how, str) else type(how).__name__
        raise OptionError(f"estimand {estimand!r} is not told by {named}, but {', '.join(allowed)}")
    return how


def _set(
    way: Nearest | Subclasses | Coarsened, groups: Groups, scored: Propensity | None, estimand: str
) -> Sets:
    if isinstance(way, Coarsened):
        return coarsened(groups.covariates, groups.treated, way.bins)
    if scored is None:
        raise OptionError("no propensity score is there to match by")
    if isinstance(way, Subclasses):
        return classes(scored.score, groups.treated, way.count, estimand)
    return nearest(scored.odds, groups.treated, way.caliper, way.replace)


def _record(
    groups: Groups, found: tuple[Sets | None, Tilt | None], scored: Propensity | None,
    estimand: str, said: str,
) -> Balanced:  # fmt: skip
    import pandas as pd

    sets, tilt = found
    w = _scaled(groups, sets, tilt, estimand)
    names, values = groups.names, groups.values
    if scored is not None:
        names, values = (SCORE, *names), np.column_stack([scored.score, values])
    balance = balance_table(names, values, groups.treated, w, estimand)
    arms = ((groups.arm, groups.treated), (groups.control, ~groups.treated))
    sizes = pd.DataFrame([
        {"group": name, "units": int(own.sum()), "used": int((w[own] > 0.0).sum()),
         "effective": effective_size(w[own])} for name, own in arms
    ])  # fmt: skip
    empty = np.full(len(w), np.nan)
    units = pd.DataFrame({
        "row": groups.place, "treated": groups.treated, "weight": w,
        "set": empty if sets is None else np.where(sets.label == APART, np.nan, sets.label),
        "propensity": empty if scored is None else scored.score,
    })  # fmt: skip
    return Balanced(
        balance, sizes, units, estimand, said, _notes(balance, sizes, groups), groups, sets, tilt,
        None if scored is None else scored.odds,
    )  # fmt: skip


def _scaled(groups: Groups, sets: Sets | None, tilt: Tilt | None, estimand: str) -> Floats:
    """(n,) weights, as `Balanced` says."""
    treated = groups.treated
    if tilt is not None:
        w = tilt.weights.copy()
        total = float(treated.sum()) if estimand == ATT else float(len(w))
    elif sets is not None and sets.pairs is not None:
        counts = np.bincount(sets.pairs.ravel(), minlength=len(treated)).astype(np.float64)
        return np.where(treated, np.minimum(counts, 1.0), counts)
    else:
        label = sets.label if sets is not None else np.zeros(len(treated), dtype=np.int64)
        w = np.zeros(len(treated))
        used = label != APART
        base = used & treated if estimand == ATT else used
        size = np.bincount(label[base], minlength=int(label.max()) + 1)
        for own in (used & treated, used & ~treated):
            w[own] = (size / np.bincount(label[own], minlength=len(size)))[label[own]]
        total = float(base.sum())
    for own in (treated, ~treated):
        w[own] *= total / w[own].sum()
    return w


def _notes(balance: "pd.DataFrame", sizes: "pd.DataFrame", groups: Groups) -> tuple[str, ...]:
    told = [
        f"{row['group']}: {row['used']:,} of {row['units']:,} units used, which weigh as much as "
        f"{row['effective']:,.1f}."
        for row in sizes.to_dict("records")
    ]  # fmt: skip
    off = balance[balance["smd_after"].abs() > TOLERABLE]
    if len(off):
        worst = off.iloc[int(np.argmax(off["smd_after"].abs().to_numpy()))]
        told.append(
            f"{len(off):,} of {len(balance):,} differ by more than {TOLERABLE:g} standard "
            f"deviations still, {worst['covariate']} most ({worst['smd_after']:+.2f})."
        )
    first = sizes.iloc[0]
    if first["used"] < first["units"]:
        told.append(f"{first['units'] - first['used']:,} treated units are compared with none: the "
                    "answer is on the others.")  # fmt: skip
    if groups.lost:
        told.append(f"{groups.lost:,} rows lack an arm or a covariate, and are left out.")
    return tuple(told)
