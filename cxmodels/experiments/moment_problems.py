"""What only the whole of a test can show against it: arms, strata or clusters too small to compare,
and columns that never vary."""

from collections.abc import Iterable

import numpy as np

from cxmodels.errors import Problem
from cxmodels.experiments.metric_kinds import Asked
from cxmodels.experiments.moments import Moments
from cxmodels.experiments.sums import Sums, pooled, valued
from cxmodels.numerics.arrays import Ints

MOST_ARMS = 100
LEVEL = 1e-24  # variance over squared mean below which a column does not vary


def problems_of(moments: Moments, control: str) -> Iterable[Problem]:
    """Every way in which a test cannot be analysed, told together."""
    arms = moments.arms
    listed = ", ".join(map(repr, arms[:8])) + (", ..." if len(arms) > 8 else "")
    name = moments.columns.arm
    if control not in arms:
        yield Problem(f"no unit is in arm {control!r}, the control", remedy=f"Arms: {listed}")
    if len(arms) < 2:
        yield Problem(f"arm column {name!r} has one arm, {listed}", remedy="A test needs two")
    if len(arms) > MOST_ARMS:
        yield Problem(f"arm column {name!r} has {len(arms):,} arms: {listed}",
                      remedy="Name the column of the arm, not of the unit")  # fmt: skip
    elif len(arms) > 1:
        code = np.searchsorted(arms, moments.arm.astype(str))
        yield from split_clusters(moments)
        told: set[str] = set()
        for asked in moments.asked:
            for problem in _of_outcome(moments, asked, code, control):
                if problem.what not in told:
                    yield problem
                told.add(problem.what)


def _of_outcome(moments: Moments, asked: Asked, code: Ints, control: str) -> Iterable[Problem]:
    block, arms = moments.block(asked), moments.arms
    sums = pooled(block.filled(np.zeros(len(block.terms))), np.tile(code, 2), len(arms))
    few = [f"{arm!r} {int(n)}" for arm, n in zip(arms, sums.n, strict=True) if n < 2]
    names = " and ".join(str(term) for term in asked.terms[: asked.outcomes])
    if few:
        yield Problem(f"{names} is known of fewer than 2 units of arm {', '.join(few)}",
                      remedy="Leave out the arm or the metric")  # fmt: skip
        return
    still = [arm for arm, moves in zip(arms, _varies(asked, sums), strict=True) if not moves]
    if control in still and len(still) > 1:
        listed = ", ".join(repr(arm) for arm in still)
        yield Problem(f"{names} is the same for all units within arm {listed}",
                      remedy="It has no error to judge a difference by: leave it out")  # fmt: skip
    yield from _of_ratio(asked, sums.mean, arms)
    yield from _of_before(moments, asked, code)
    yield from _of_cells(moments, asked, code)


def _varies(asked: Asked, sums: Sums) -> np.ndarray:
    """Whether an outcome varies within each arm (a,)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 below a ratio is told apart
        value, w = valued(sums.mean, asked.outcome)
        inside = np.einsum("ai,aij,aj->a", w, sums.product, w)
        return np.asarray(~(inside <= LEVEL * sums.n * value**2))


def _of_ratio(asked: Asked, mean: np.ndarray, arms: tuple[str, ...]) -> Iterable[Problem]:
    for quantity in (asked.outcome, *asked.covariates):
        if quantity.below is not None:
            empty = [repr(a) for a, m in zip(arms, mean[:, quantity.below], strict=True) if m == 0]
            if empty:
                name = asked.terms[quantity.below]
                yield Problem(f"{name}, below a ratio, is 0 in all of arm {', '.join(empty)}",
                              remedy="Leave out the arm or the metric")  # fmt: skip


def _of_before(moments: Moments, asked: Asked, code: Ints) -> Iterable[Problem]:
    sums = moments.block(asked).sums
    whole = pooled(sums, code * 0, 1)
    for place, term in enumerate(asked.terms[asked.outcomes :], asked.outcomes):
        if whole.n[0] < 2:
            yield Problem("no unit has all values from before the test",
                          remedy="Leave out the columns that are missing")  # fmt: skip
            return
        if whole.product[0, place, place] <= LEVEL * whole.n[0] * whole.mean[0, place] ** 2:
            yield Problem(f"{term}, from before the test, is the same for every unit",
                          remedy="It takes out no noise: leave it out")  # fmt: skip


def _of_cells(moments: Moments, asked: Asked, code: Ints) -> Iterable[Problem]:
    """Strata without two units (or clusters) of each arm, and arms without two clusters."""
    n, arms = moments.block(asked).n, moments.arms
    what, clusters = "units", moments.columns.cluster is not None
    if clusters:
        n, what = _first_of_each(moments, code, n > 0), "clusters"
    strata, own = np.unique(moments.stratum, return_inverse=True)
    count = np.bincount(own * len(arms) + code, n, strata.size * len(arms))
    count = count.reshape(strata.size, len(arms))
    small = np.argwhere(count < 2)
    if not len(small) or not (clusters or moments.columns.strata):
        return
    place, arm = small[0]
    where = f"stratum {str(strata[place])!r}, " if moments.columns.strata else ""
    known = what.removesuffix("s") if count[place, arm] == 1 else what
    first = f"{where}arm {arms[arm]!r}: {int(count[place, arm])} {known}"
    one = len(small) == 1
    cells = "cell of stratum and arm" if where else "arm"
    cells = cells if one else cells.replace("cell", "cells", 1) if where else "arms"
    said = f"{len(small):,} {cells} {'has' if one else 'have'} fewer than 2 {what}"
    yield Problem(said, first=first, remedy="Join strata, or leave the arm out" if where else
                  "One cluster cannot tell what arms do from what clusters do")  # fmt: skip


def _first_of_each(moments: Moments, code: Ints, known: np.ndarray) -> np.ndarray:
    """1 for the first cell of a cluster in an arm and stratum, else 0, so that it counts once."""
    names, cluster = np.unique(moments.cluster, return_inverse=True)
    _, stratum = np.unique(moments.stratum, return_inverse=True)
    key = ((stratum * len(moments.arms) + code) * names.size + cluster)[known]
    _, first = np.unique(key, return_index=True)
    found = np.zeros(known.size)
    found[np.flatnonzero(known)[first]] = 1.0
    return found


def split_clusters(moments: Moments) -> Iterable[Problem]:
    """Clusters that lie in two strata, whose parts would be taken for strangers."""
    if moments.columns.cluster is None or not moments.columns.strata:
        return
    names, cluster = np.unique(moments.cluster, return_inverse=True)
    _, stratum = np.unique(moments.stratum, return_inverse=True)
    pairs = np.unique(cluster * (stratum.max() + 1) + stratum)
    count = np.bincount(pairs // (stratum.max() + 1), minlength=names.size)
    if (count > 1).any():
        several = int((count > 1).sum())
        yield Problem(f"{several:,} cluster{' lies' if several == 1 else 's lie'} in two strata",
                      first=f"cluster {names[np.argmax(count > 1)]}",
                      remedy="Strata hold whole clusters: take them for covariates")  # fmt: skip
