"""What a roll-out did to those it reached, when, and for how long: group-time effects.

Units first treated in period g are compared, from the last period before, with units that are not
(or not yet) treated: ATT(g, t) = E[Y_t - Y_b | G = g] - E[Y_t - Y_b | controls], as if both would
have changed alike (given covariates). Callaway and Sant'Anna (2021), "Difference-in-differences
with multiple time periods", Journal of Econometrics 225. Errors come from each unit's influence, as
in their package did; those clustered above units have the factor C / (C - 1) and t of C - 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.event_times import EventTimes
from cxmodels.experiments.staggered import Layout, Rollout, rollout_of
from cxmodels.experiments.staggered_aggregates import KEY, KINDS, Aggregate, aggregated
from cxmodels.experiments.staggered_cells import (
    NEVER,
    NOT_YET,
    UNIVERSAL,
    VARYING,
    Cells,
    estimated,
    planned,
)
from cxmodels.experiments.staggered_influence import (
    covariance_of,
    critical_value,
    simultaneous,
    summed,
    wald,
    wald_of_few,
)
from cxmodels.experiments.two_groups import METHODS
from cxmodels.experiments.two_way import TwoWay, two_way
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

CELLS = "group-time"
FEW = 20  # units in a group: with as many, intervals of 90% held 89% of 1,500 roll-outs


@dataclass(frozen=True)
class PreTrend:
    """Wald test that no effect is there before treatment; W and p None where none can be told.

    p: of chi-squared (F where clustered), as packages print it; p_few: of Hotelling's T-squared,
    which keeps its size with few units too, and goes into the sentence; None where they are too few
    for so many effects.
    """

    W: float | None
    df: int
    p: float | None
    sentence: str
    p_few: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class GroupTime(Faced):
    """Effects of a roll-out by group and period.

    table: group (first treated period), period, att (units of the outcome), std_error, lower,
    upper, units (treated, compared), controls; pretrend; naive: two-way fixed effects on the same
    units, None where it cannot be had; refused: comparisons that could not be made, each with its
    reason; account: units and rows used and set aside.
    """

    table: "pd.DataFrame"
    pretrend: PreTrend
    naive: TwoWay | None
    refused: "pd.DataFrame"
    account: "pd.DataFrame"
    outcome: str
    level: float
    notes: tuple[str, ...]
    base: str
    _rollout: Rollout = field(repr=False)
    _cells: Cells = field(repr=False)

    @property
    def overall(self) -> "pd.DataFrame":
        """kind (simple, group, dynamic, calendar) with att, std_error, lower, upper, units."""
        rows = [_rows(self, aggregated(self._rollout, self._cells, kind)[1]) for kind in KINDS]
        found = _frame({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
        found.insert(0, "kind", list(KINDS))
        return found

    def face(self) -> Face:
        """The four aggregates."""
        n, T = self._rollout.y.shape
        head = (
            f"Effect on {self.outcome} of those treated: {n:,} units, {T:,} periods, "
            f"{len(self.table):,} effects by group and period; interval {self.level:.0%}"
        )
        naive = () if self.naive is None else (self.naive.sentence,)
        return Face(head, self.overall, (self.pretrend.sentence, *naive, *self.notes))

    def aggregate(self, kind: str = "dynamic") -> "pd.DataFrame":
        """Averages: simple (one row), group, dynamic (by event_time, 0 the first treated period) or
        calendar; columns att, std_error, lower, upper, units (treated, behind the row)."""
        found = self._aggregate(kind)
        table = _frame(_rows(self, found))
        if kind in KEY:
            table.insert(0, KEY[kind], found.keys)
        return table

    def covariance_of(self, kind: str = CELLS) -> Floats:
        """(A, A) covariance of the rows of `aggregate(kind)`, or of `table` ("group-time")."""
        if kind == CELLS:
            return _covariance(self._rollout, self._cells)
        return covariance_of(self._aggregate(kind).phi, self._rollout.cluster)

    def influence_of(self, kind: str = CELLS) -> "pd.DataFrame":
        """Influence of each unit (index) on each row of `aggregate(kind)` or `table`: their cross
        products, summed, are the covariance."""
        import pandas as pd

        phi = self._phi(kind)
        return pd.DataFrame(phi, index=pd.Index(self._rollout.units, name="unit"))

    def bands(
        self, kind: str = "dynamic", *, draws: int = 999, seed: int | np.random.Generator = 1
    ) -> "pd.DataFrame":
        """`aggregate(kind)` (or `table`) with ends that hold all its rows at once.

        Multiplier bootstrap over units, or clusters; never narrower than the interval of one row.
        """
        found = self.table.copy() if kind == CELLS else self.aggregate(kind)
        width = simultaneous(self._phi(kind), self._rollout.cluster, self.level, draws, seed)
        half = max(width, _critical(self._rollout, self.level)) * found["std_error"]
        return found.assign(lower=found["att"] - half, upper=found["att"] + half)

    def event_times(self) -> EventTimes:
        """Dynamic effects as `honest_bounds` and `pretrend_power` take them.

        Raises: OptionError unless base is "universal": with another base in each period before
        treatment, a trend shows in no row before it and in all after.
        """
        if self.base != UNIVERSAL:
            raise OptionError(
                "effects before treatment are measured from several bases: ask for one, "
                'group_time_effects(..., base="universal")'
            )
        found, a = self._aggregate("dynamic"), self._rollout.anticipation
        covariance = covariance_of(found.phi, self._rollout.cluster)
        return EventTimes(found.keys, found.att, covariance, reference=-1 - a)

    def _aggregate(self, kind: str) -> Aggregate:
        return aggregated(self._rollout, self._cells, kind)[0]

    def _phi(self, kind: str) -> Floats:
        if kind == CELLS:
            return self._cells.influence.of(np.eye(len(self._cells.cells)))
        return self._aggregate(kind).phi


def group_time_effects(  # noqa: PLR0913 - every choice of the estimator by name
    table: Any,
    outcome: str,
    *,
    unit: str,
    period: str,
    first_treated: str | None = None,
    treated: str | None = None,
    covariates: str | Iterable[str] = (),
    control: str = NEVER,
    method: str = "dr",
    base: str = VARYING,
    anticipation: int = 0,
    cluster: str | None = None,
    level: float = 0.9,
) -> GroupTime:
    """Effects on those treated, by the period in which treatment began and the period seen.

    table: anything tabular, a row a unit and period (whole numbers); first_treated: column of the
    period in which a unit's treatment began, empty for never; or treated: column of 0 and 1.
    covariates: columns, or a formula, taken in the base period: trends are alike given these.
    control: "never treated" or "not yet treated"; method: "dr" (doubly robust), "reg" (outcome
    regression), "ipw" (weighting), the same without covariates. base: of periods before treatment,
    "varying" (the period before each) or "universal" (the last before treatment, as after it; its
    own row, 0 by definition, is left out). anticipation: periods before treatment that it may
    already reach. cluster: column of groups of units whose errors go together; level: of intervals.
    Assumes: no effect before treatment but by anticipation, parallel trends, overlap. A comparison
    uses the units seen in both its periods: outcomes are missing at random, given group.
    Two periods and one group give the plain difference in differences.
    Errors: OptionError, DataError (all problems of the rows), FitError (no treated, no controls).

    >>> import pandas as pd
    >>> made = {"shop": [1, 1, 2, 2, 3, 3, 4, 4], "year": [1, 2] * 4,
    ...         "sales": [5.0, 9.0, 6.0, 11.0, 4.0, 5.0, 7.0, 9.0], "opened": [2] * 4 + [None] * 4}
    >>> found = group_time_effects(pd.DataFrame(made), "sales", unit="shop", period="year",
    ...                            first_treated="opened")
    >>> found.table[["group", "period", "att", "units"]].to_numpy().tolist()
    [[2.0, 2.0, 3.0, 2.0]]
    """
    _chosen(control=(control, (NEVER, NOT_YET)), method=(method, METHODS),
            base=(base, (VARYING, UNIVERSAL)))  # fmt: skip
    inside = check_level(level)
    names = covariates if isinstance(covariates, str) else tuple(covariates)
    layout = Layout(outcome, unit, period, first_treated, treated, cluster, names, anticipation)
    rollout = rollout_of(table, layout)
    if control == NEVER and not np.isinf(rollout.group).any():
        raise FitError(
            "no controls: every unit is treated in the end (never is an empty cell, not 0). Those "
            'not yet treated can serve until they are: control="not yet treated"'
        )
    cells = estimated(rollout, tuple(planned(rollout, control, base)), method)
    refused = _refused(rollout, cells)
    naive, why = naive_of(rollout, inside)
    notes = (*rollout.notes, *_notes(rollout, cells), *why)
    covariance = _covariance(rollout, cells)
    return GroupTime(
        _table(rollout, cells, covariance, inside), _pretrend(rollout, cells, covariance), naive,
        refused, rollout.account, outcome, inside, notes, base, rollout, cells,
    )  # fmt: skip


def _chosen(**asked: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, choices) in asked.items():
        if value not in choices:
            raise OptionError(f"{name} {value!r} is not one of {', '.join(choices)}")


def _covariance(rollout: Rollout, cells: Cells) -> Floats:
    return cells.influence.covariance()


def _degrees(rollout: Rollout) -> float:
    return np.inf if rollout.clusters is None else rollout.clusters - 1.0


def _critical(rollout: Rollout, level: float) -> float:
    return critical_value(_degrees(rollout), level)


def _frame(columns: dict[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns)


def _rows(found: GroupTime, part: Aggregate) -> dict[str, Any]:
    rollout = found._rollout
    sums = covariance_of(part.phi, rollout.cluster)
    error = np.sqrt(np.diag(sums))
    half = _critical(rollout, found.level) * error
    return {"att": part.att, "std_error": error, "lower": part.att - half, "upper": part.att + half,
            "units": part.units}  # fmt: skip


def _table(rollout: Rollout, cells: Cells, covariance: Floats, level: float) -> "pd.DataFrame":
    error = np.sqrt(np.diag(covariance))
    half = _critical(rollout, level) * error
    return _frame({
        "group": np.array([int(cell.group) for cell in cells.cells]),
        "period": rollout.periods[[cell.period for cell in cells.cells]],
        "att": cells.att, "std_error": error, "lower": cells.att - half, "upper": cells.att + half,
        "units": cells.units, "controls": cells.controls,
    })  # fmt: skip


def _pretrend(rollout: Rollout, cells: Cells, covariance: Floats) -> PreTrend:
    before = np.flatnonzero([cell.before for cell in cells.cells])
    if not before.size:
        return PreTrend(None, 0, None, "No period before treatment can test the trends.")
    try:
        W, df, p = wald(cells.att[before], covariance[np.ix_(before, before)], _degrees(rollout))
    except FitError as problem:
        return PreTrend(None, 0, None, f"Trends before treatment cannot be tested: {problem}.")
    less = "" if df == before.size else f" ({before.size - df} follow from the others)"
    few = _of_few(rollout, cells, before)
    what = f"{before.size} effects{less} that should be 0"
    if few is None:
        said = (f"Too few units to test trends before treatment: {what}. Look at the effects by "
                "time from treatment, and at honest_bounds.")  # fmt: skip
        return PreTrend(W, df, p, said)
    told = "differ" if few < 0.05 else "do not visibly differ"
    chance = f"p {few:.3f}" if few >= 0.001 else "p < 0.001"
    said = f"Before treatment, trends {told}: {what}, W {W:.2f}, {chance} for so many units."
    if few >= 0.05:
        said += " That is no proof: see what the test could have found (pretrend_power)."
    return PreTrend(W, df, p, said, few)


def _of_few(rollout: Rollout, cells: Cells, before: Ints) -> float | None:
    """By groups of units; where clustered, of clusters, or of all where a cluster is in several."""
    phi = cells.influence.of(np.eye(len(cells.cells))[:, before])
    group, cluster = np.unique(rollout.group, return_inverse=True)[1], rollout.cluster
    if cluster is not None:
        phi, _ = summed(phi, cluster)
        own = np.zeros(len(phi), dtype=np.int64)
        own[cluster] = group
        group = own if (own[cluster] == group).all() else np.zeros_like(own)
    return wald_of_few(cells.att[before], phi, group)


def _refused(rollout: Rollout, cells: Cells) -> "pd.DataFrame":
    return _frame({
        "group": np.array([int(cell.group) for cell, _ in cells.refused], dtype=np.int64),
        "period": np.array([rollout.periods[cell.period] for cell, _ in cells.refused],
                           dtype=np.int64),
        "reason": [reason for _, reason in cells.refused],
    })  # fmt: skip


def naive_of(rollout: Rollout, level: float) -> tuple[TwoWay | None, tuple[str, ...]]:
    try:
        return two_way(rollout, level), ()
    except FitError as problem:
        return None, (f"No two-way fixed effects: {problem}.",)


def _notes(rollout: Rollout, cells: Cells) -> Iterable[str]:
    if cells.refused:
        reasons: dict[str, int] = {}
        for _, reason in cells.refused:
            reasons[reason] = reasons.get(reason, 0) + 1
        told = "; ".join(f"{reason} ({count})" for reason, count in reasons.items())
        yield f"{len(cells.refused)} comparisons could not be made: {told}."
    few = _small(rollout)
    if few.size:
        listed = ", ".join(f"{int(g)}" for g in few[:5]) + (", ..." if few.size > 5 else "")
        yield f"Few units were first treated in {listed}: below 5, errors are too small."
    least = int(np.unique(rollout.group, return_counts=True)[1].min())
    if rollout.clusters is None and least < FEW:
        yield (f"Few units, {least}, in the smallest group compared: intervals are too narrow; of "
               "90%, those by period held 78% with 3, 83% with 5, 87% with 10.")  # fmt: skip
    if rollout.clusters is not None and rollout.clusters < 30:
        yield f"Only {rollout.clusters} clusters: errors and bands are rough."


def _small(rollout: Rollout) -> Ints | Floats:
    groups, count = np.unique(rollout.group[np.isfinite(rollout.group)], return_counts=True)
    return np.asarray(groups[count < 5])
