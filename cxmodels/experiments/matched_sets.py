"""Who is compared with whom: nearest neighbours, classes of the propensity score, coarsened cells.

Greedy pairs by the log odds of treatment (Rosenbaum and Rubin 1985, The American Statistician 39;
caliper as in Austin 2011, Pharmaceutical Statistics 10); classes at quantiles of the score
(Rosenbaum and Rubin 1984, Journal of the American Statistical Association 79); coarsened exact
matching (Iacus, King and Porro 2012, Political Analysis 20).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.observed_groups import Covariate
from cxmodels.numerics.arrays import Bools, Floats, Ints

APART = -1  # the set of a unit that is compared with none
ROUND = 10  # digits of log odds that count: units that are alike are equally near


@dataclass(frozen=True, eq=False)
class Sets:
    """label (n,): the set a unit is in, -1 if in none; pairs (m, 2): places of treated and control,
    where units were paired; said: what was done, in words."""

    label: Ints
    pairs: Ints | None
    said: str


def nearest(odds: Floats, treated: Bools, caliper: float | None, replace: bool) -> Sets:
    """Each treated unit with the control nearest in log odds (n,), the most likely treated first.

    caliper: the largest distance, in standard deviations of the log odds (root of the mean of both
    groups' variances); replace: a control may stand for several. Of controls that are
    alike the first in the table is taken.

    >>> odds = np.array([0.0, 1.0, 0.1, 1.3, 5.0])
    >>> nearest(odds, np.array([True, True, False, False, False]), None, False).pairs.tolist()
    [[1, 3], [0, 2]]
    """
    size = np.sqrt(0.5 * (odds[treated].var(ddof=1) + odds[~treated].var(ddof=1)))
    reach = np.inf if caliper is None else caliper * float(size)
    odds = np.round(odds, ROUND)
    own, others = np.flatnonzero(treated), np.flatnonzero(~treated)
    if not replace and len(others) < len(own) and caliper is None:
        raise FitError(
            f"{len(others):,} controls for {len(own):,} treated: each can be used once only. "
            "Match with replacement, or weight"
        )
    order = own[np.argsort(-odds[own], kind="stable")]
    ranked = others[np.argsort(odds[others], kind="stable")]
    free = _Free(odds[ranked])
    pairs = []
    for unit in order.tolist():
        place = free.nearest(float(odds[unit]), reach)
        if place >= 0:
            pairs.append((unit, int(ranked[place])))
            if not replace:
                free.take(place)
    if not pairs:
        raise FitError("no control lies within the caliper of any treated unit: widen it")
    found = np.array(pairs, dtype=np.int64)
    label = np.full(len(odds), APART, dtype=np.int64)
    if not replace:
        label[found] = np.arange(len(found))[:, None]
    within = "" if caliper is None else f" within {caliper:g} standard deviations"
    said = f"nearest in log odds{within}, {'with' if replace else 'without'} replacement"
    return Sets(label, found, said)


class _Free:
    """Sorted numbers of which some are taken away: the nearest that is left, in near constant time
    (each place points to the next free one, and paths are shortened on the way)."""

    def __init__(self, values: Floats) -> None:
        self.values = values
        self.up = list(range(len(values) + 1))  # the next free place from here on
        self.down = list(range(len(values) + 1))  # 1 + the last free place up to here - 1

    def nearest(self, value: float, reach: float) -> int:
        """Place of the nearest free number, -1 if none is within reach."""
        start = int(np.searchsorted(self.values, value, side="left"))
        above, below = _end(self.up, start), _end(self.down, start) - 1
        far_up = self.values[above] - value if above < len(self.values) else np.inf
        far_down = value - self.values[below] if below >= 0 else np.inf
        if min(far_up, far_down) > reach or (np.isinf(far_up) and np.isinf(far_down)):
            return -1
        if far_up <= far_down:
            return above
        first = int(np.searchsorted(self.values, self.values[below], side="left"))
        return _end(self.up, first)

    def take(self, place: int) -> None:
        """The number at a place is not free any more."""
        self.up[place] = place + 1
        self.down[place + 1] = place


def _end(links: list[int], start: int) -> int:
    end = start
    while links[end] != end:
        end = links[end]
    while links[start] != end:
        links[start], start = end, links[start]
    return end


def classes(score: Floats, treated: Bools, count: int, estimand: str) -> Sets:
    """Classes of the score (n,) at quantiles: of the treated for "att", else of all units.

    Raises: FitError where a class lacks one of the groups.

    >>> score = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    >>> treated = np.array([True, False, True, True, False, True])
    >>> classes(score, treated, 2, "att").label.tolist()
    [0, 0, 0, 1, 1, 1]
    """
    base = score[treated] if estimand == "att" else score
    cuts = np.quantile(base, np.arange(1, count) / count)
    label = np.searchsorted(cuts, score, side="right")
    for own, name in ((treated, "treated"), (~treated, "control")):
        lacking = np.flatnonzero(np.bincount(label[own], minlength=count) == 0)
        if lacking.size:
            raise FitError(
                f"class {lacking[0] + 1} of {count} has no {name} unit: groups hardly overlap "
                "there. Take fewer classes, or match within a caliper"
            )
    return Sets(label.astype(np.int64), None, f"{count} classes of the propensity score")


def coarsened(
    covariates: tuple[Covariate, ...], treated: Bools, bins: Mapping[str, object] | None
) -> Sets:
    """Cells of covariates cut into bins, as far as both groups are in them.

    bins: how many of equal width, or inner and outer edges in order, by covariate; by default
    Sturges' rule, 1 + log2 n rounded up; levels of a category are never joined.

    >>> age = Covariate("age", np.array([20.0, 21.0, 40.0, 60.0]))
    >>> coarsened((age,), np.array([True, False, True, False]), {"age": 3}).label.tolist()
    [0, 0, -1, -1]
    """
    asked = dict(bins or {})
    known = [column.name for column in covariates if not column.levels]
    for name in asked:
        if name not in known:
            raise OptionError(f"bins name {name!r}, which is no covariate of numbers")
    usual = int(np.ceil(1.0 + np.log2(len(treated))))
    cells = [
        column.values.astype(np.int64) if column.levels
        else _binned(column, asked.get(column.name, usual))
        for column in covariates
    ]  # fmt: skip
    _, cell = np.unique(np.column_stack(cells), axis=0, return_inverse=True)
    cell = cell.ravel()
    both = np.bincount(cell[treated], minlength=cell.max() + 1) > 0
    both &= np.bincount(cell[~treated], minlength=cell.max() + 1) > 0
    if not both.any():
        raise FitError("no cell holds treated and controls: take fewer bins, or fewer covariates")
    number = np.cumsum(both) - 1
    label = np.where(both[cell], number[cell], APART)
    return Sets(label, None, f"coarsened exact matching, {int(both.sum()):,} cells with both arms")


def _binned(column: Covariate, bins: object) -> Ints:
    x = column.values
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool):
        if bins < 1:
            raise OptionError(f"bins of {column.name!r}: {bins} is no count from 1 on")
        edges = np.linspace(x.min(), x.max(), int(bins) + 1)[1:-1]
    else:
        try:
            edges = np.asarray(bins, dtype=np.float64)
        except (TypeError, ValueError):
            edges = np.array([])
        if edges.ndim != 1 or not edges.size or not (np.diff(edges) > 0.0).all():
            raise OptionError(f"bins of {column.name!r} are a count, or edges that rise")
    return np.searchsorted(edges, x, side="right").astype(np.int64)
