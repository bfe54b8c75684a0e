"""What treated units would have been, imputed from rows that are not treated yet or never.

y_it = a_i + l_t + x_it b + e_it is fitted to untreated rows alone; what treated rows lie above it
is their effect, and averages of that are estimates (Borusyak, Jaravel and Spiess 2024, "Revisiting
event-study designs", Review of Economic Studies 91, theorem 2). Each is a sum v_it y_it; its error
is that of theorem 3 there, sum over units of (sum_t v_it e_it)^2, with e of treated rows their
effect less the mean effect of their group and period: it is too large rather than too small.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.difference_in_differences import naive_of
from cxmodels.experiments.staggered import Layout, Rollout, rollout_of
from cxmodels.experiments.staggered_aggregates import KEY, KINDS
from cxmodels.experiments.staggered_influence import covariance_of, critical_value
from cxmodels.experiments.two_way import TwoWay
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.regression.generalised_linear import independent, solve
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 2  # rows of a group and period: the spread of one alone is not known
ROUNDING = 1e-11  # share of the largest eigenvalue below which one is 0


@dataclass(frozen=True, eq=False)
class _Fitted:
    """own: (n,) group of each unit; untreated, treated: (n, T) rows that are fitted, and those
    whose effect can be told; e: (n, T) residuals, 0 elsewhere; effect: (n, T) of treated rows;
    laplace: (T, T) pseudo-inverse of what units leave of periods; x: (n, T, k) covariates less
    both effects; gram: (k, k) inverse of their cross products."""

    own: Ints
    untreated: Bools
    treated: Bools
    e: Floats
    effect: Floats
    laplace: Floats
    x: Floats
    gram: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Imputed(Faced):
    """Effects by imputation.

    table: event_time (0 is the first treated period), att, std_error, lower, upper, units; overall:
    one row, the mean over all rows that are treated; naive, account, notes: as in GroupTime.
    """

    table: "pd.DataFrame"
    overall: "pd.DataFrame"
    naive: TwoWay | None
    account: "pd.DataFrame"
    outcome: str
    level: float
    notes: tuple[str, ...]
    _rollout: Rollout = field(repr=False)
    _fitted: _Fitted = field(repr=False)

    def face(self) -> Face:
        """The mean effect, and that by time since treatment."""
        row = self.overall.iloc[0]
        head = (
            f"Effect on {self.outcome} of those treated, by imputation: {row['att']:.4g} "
            f"({row['lower']:.4g} to {row['upper']:.4g}); interval {self.level:.0%}"
        )
        naive = () if self.naive is None else (self.naive.sentence,)
        return Face(head, self.table, (*naive, *self.notes))

    def aggregate(self, kind: str = "dynamic") -> "pd.DataFrame":
        """Means over treated rows: simple (all), or by group, event time (dynamic) or calendar."""
        return _table(self._rollout, self._fitted, kind, self.level)

    def covariance_of(self, kind: str = "dynamic") -> Floats:
        """(A, A) covariance of the rows of `aggregate(kind)`."""
        _, _, phi, _ = _averages(self._rollout, self._fitted, kind)
        return covariance_of(phi, self._rollout.cluster)


def imputation_effects(  # noqa: PLR0913 - every choice of the estimator by name
    table: Any,
    outcome: str,
    *,
    unit: str,
    period: str,
    first_treated: str | None = None,
    treated: str | None = None,
    covariates: str | Iterable[str] = (),
    anticipation: int = 0,
    cluster: str | None = None,
    level: float = 0.9,
) -> Imputed:
    """Effects on those treated, against what untreated rows say of units, periods and covariates.

    Arguments as in `group_time_effects`; covariates are those of each row, and must not be moved by
    treatment. All untreated periods serve as base, so that errors are smaller than there if trends
    are parallel throughout, and bias is larger if they part. A row of a unit without an untreated
    row, or of a period without one, has no effect that could be told; such rows are counted.
    Errors: OptionError, DataError (all problems of the rows), FitError (nothing to impute from).

    >>> import pandas as pd
    >>> made = {"shop": [1, 1, 2, 2, 3, 3, 4, 4], "year": [1, 2] * 4,
    ...         "sales": [5.0, 9.0, 6.0, 11.0, 4.0, 5.0, 7.0, 9.0], "opened": [2] * 4 + [None] * 4}
    >>> found = imputation_effects(pd.DataFrame(made), "sales", unit="shop", period="year",
    ...                            first_treated="opened")
    >>> found.table[["event_time", "att", "units"]].round(9).to_numpy().tolist()
    [[0.0, 3.0, 2.0]]
    """
    inside = check_level(level)
    names = covariates if isinstance(covariates, str) else tuple(covariates)
    layout = Layout(outcome, unit, period, first_treated, treated, cluster, names, anticipation)
    rollout = rollout_of(table, layout)
    fitted, notes = _fit(rollout)
    naive, why = naive_of(rollout, inside)
    return Imputed(
        _table(rollout, fitted, "dynamic", inside), _table(rollout, fitted, "simple", inside),
        naive, rollout.account, outcome, inside, (*rollout.notes, *notes, *why), rollout, fitted,
    )  # fmt: skip


def _fit(rollout: Rollout) -> tuple[_Fitted, tuple[str, ...]]:
    """The fit on untreated rows, and effects of treated ones."""
    known = rollout.seen if rollout.x is None else rollout.seen & np.isfinite(rollout.x).all(axis=2)
    early = rollout.periods < rollout.group[:, None] - rollout.anticipation
    untreated, treated = known & early, known & ~early
    own = np.searchsorted(rollout.groups, rollout.group).astype(np.int64)
    told = treated & _reached(untreated)
    told &= _counts(told, own)[own] >= FEWEST
    if not told.any():
        raise FitError(
            "no effect can be estimated: no treated unit has a row before treatment in periods "
            "that untreated rows tie to a later one, with another unit of its group beside it"
        )
    laplace = _laplace(untreated)
    y = rollout.y - _predicted(rollout.y, untreated, laplace)
    x, gram = _left(rollout, untreated, laplace)
    if x.shape[2]:
        b = gram @ np.einsum("ntk,nt->k", x, np.where(untreated, y, 0.0))
        y = y - x @ b
    lost = int((treated & ~told).sum())
    gone = int((rollout.seen & ~known).sum())
    told_of = ((lost, "treated rows have no effect that could be told"),
               (gone, "rows lack a covariate"))  # fmt: skip
    notes = tuple(f"{count:,} {what}." for count, what in told_of if count)
    fitted = _Fitted(own, untreated, told, np.where(untreated, y, 0.0), np.where(told, y, 0.0),
                     laplace, x, gram)  # fmt: skip
    return fitted, notes


def _counts(rows: Bools, own: Ints) -> Floats:
    """(G, T) rows of each group and period."""
    G = int(own.max()) + 1
    return np.stack([np.bincount(own, weights=column, minlength=G) for column in rows.T], axis=1)


def _reached(untreated: Bools) -> Bools:
    """(n, T) periods whose level is tied to that of the unit by untreated rows."""
    o = untreated.astype(np.float64)
    _, part = sparse.csgraph.connected_components(sparse.csr_matrix(o.T @ o), directed=False)
    tied = untreated.any(axis=1)
    mine = np.where(tied, part[np.argmax(untreated, axis=1)], -1)
    return np.asarray((part == mine[:, None]) & untreated.any(axis=0))


def _laplace(untreated: Bools) -> Floats:
    """Pseudo-inverse of diag(rows of a period) - sum_i o_i o_i' / (rows of i)."""
    o = untreated.astype(np.float64)
    size = np.maximum(o.sum(axis=1), 1.0)
    left = np.diag(o.sum(axis=0)) - o.T @ (o / size[:, None])
    values, ways = np.linalg.eigh(left)
    held = values > ROUNDING * values[-1]  # one direction a connected part has 0
    return np.asarray((ways[:, held] / values[held]) @ ways[:, held].T)


def _predicted(values: Floats, untreated: Bools, laplace: Floats) -> Floats:
    """(n, T) effects of units and periods, fitted to untreated rows."""
    o = untreated.astype(np.float64)
    held = np.where(untreated, values, 0.0)
    size = np.maximum(o.sum(axis=1), 1.0)
    mean = held.sum(axis=1) / size
    period = laplace @ (held.sum(axis=0) - o.T @ mean)
    return np.asarray((mean - o @ period / size)[:, None] + period)


def _left(rollout: Rollout, untreated: Bools, laplace: Floats) -> tuple[Floats, Floats]:
    """Covariates less effects of units and periods, and the inverse of their cross products."""
    n, T = untreated.shape
    if rollout.x is None:
        return np.zeros((n, T, 0)), np.zeros((0, 0))
    names = rollout.names[1:]
    columns = [rollout.x[:, :, place + 1] for place in range(len(names))]
    x = np.stack([c - _predicted(c, untreated, laplace) for c in columns], axis=2)
    inside = x[untreated]
    for place, name in enumerate(names):
        spread = float(columns[place][untreated].std())
        if float(inside[:, place].std()) <= 1e-9 * max(spread, 1e-300):
            raise FitError(
                f"covariate {name!r} does not vary within units beyond what periods say: leave it "
                "out, or give its product with the period"
            )
    independent(inside, names)
    return np.nan_to_num(x), solve(inside.T @ inside, np.eye(len(names)))


def _averages(rollout: Rollout, fitted: _Fitted, kind: str) -> tuple[Ints, Floats, Floats, Ints]:
    """Keys (A,), estimates (A,), influences (n, A) and units (A,) of the averages of a kind."""
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    own, count = fitted.own, _counts(fitted.treated, fitted.own)
    keys, weights = _weights(rollout, count, kind)
    A, n, G = keys.size, own.size, len(count)
    T = count.shape[1]
    total = np.stack([np.bincount(own, weights=c, minlength=G) for c in fitted.effect.T], axis=1)
    mean = total / np.maximum(count, 1.0)
    away = np.where(fitted.treated, fitted.effect - mean[own], 0.0)
    s, phi, cross = np.zeros((n, A)), np.zeros((n, A)), np.zeros((fitted.x.shape[2], A))
    behind = np.zeros(A, dtype=np.int64)
    for g in range(G):
        rows, w = np.flatnonzero(own == g), weights[:, g].T.reshape(T, A)
        s[rows] = fitted.treated[rows] @ w
        phi[rows] = away[rows] @ w
        behind += (s[rows] > 0.0).sum(axis=0)
        inside = np.where(fitted.treated[rows][:, :, None], fitted.x[rows], 0.0)
        cross += np.einsum("ntk,ta->ka", inside, w)
    o = fitted.untreated.astype(np.float64)
    size = np.maximum(o.sum(axis=1), 1.0)
    r = np.einsum("gt,agt->ta", count, weights)
    phi -= fitted.e @ (fitted.laplace @ (r - o.T @ (s / size[:, None])))
    phi -= np.einsum("nt,ntk->nk", fitted.e, fitted.x) @ (fitted.gram @ cross)
    return keys, np.einsum("gt,agt->a", total, weights), phi, behind


def _weights(rollout: Rollout, count: Floats, kind: str) -> tuple[Ints, Floats]:
    """Keys (A,), and weights (A, G, T) of a row of each group and period in each average."""
    group, period = np.broadcast_arrays(rollout.groups[:, None], rollout.periods)
    there = count > 0.0
    after = there & (period >= group)
    if not after.any():
        raise FitError("no effect after treatment could be estimated")
    if kind == "simple":
        return np.zeros(1, dtype=np.int64), (after / count[after].sum())[None]
    among = there if kind == "dynamic" else after
    since = period - np.where(np.isfinite(group), group, 0.0)
    by = {"group": group, "dynamic": since, "calendar": period}[kind]
    keys = np.unique(by[among])
    sets = (by == keys[:, None, None]) & among
    return keys.astype(np.int64), sets / (sets * count).sum(axis=(1, 2))[:, None, None]


def _table(rollout: Rollout, fitted: _Fitted, kind: str, level: float) -> "pd.DataFrame":
    import pandas as pd

    keys, att, phi, behind = _averages(rollout, fitted, kind)
    error = np.sqrt(np.diag(covariance_of(phi, rollout.cluster)))
    degrees = np.inf if rollout.clusters is None else rollout.clusters - 1.0
    half = critical_value(degrees, level) * error
    table = pd.DataFrame({"att": att, "std_error": error, "lower": att - half, "upper": att + half,
                          "units": behind})  # fmt: skip
    if kind in KEY:
        table.insert(0, KEY[kind], keys)
    return table
