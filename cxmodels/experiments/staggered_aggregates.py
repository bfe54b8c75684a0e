"""Effects by group and period brought together, with the chance that lies in the weights.

Callaway and Sant'Anna (2021), Journal of Econometrics 225, section 3.3: simple (all treated units
and periods), group, dynamic (by time since treatment), calendar. Where weights are shares of
groups, which are estimated as well, unit i adds sum over the cells k of its own group of
(att_k - A) / (n P) to the influence on A = sum pg_k att_k / P, P = sum pg_k.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.staggered import Rollout
from cxmodels.experiments.staggered_cells import Cells
from cxmodels.numerics.arrays import Bools, Floats, Ints

KINDS = ("simple", "group", "dynamic", "calendar")
KEY = {"group": "group", "dynamic": "event_time", "calendar": "period"}


@dataclass(frozen=True, eq=False)
class Aggregate:
    """A averages of cells. keys: (A,) their group, event time or period; att: (A,); units: (A,)
    treated units behind each; phi: (n, A) influences."""

    keys: Ints
    att: Floats
    units: Ints
    phi: Floats


@dataclass(frozen=True, eq=False)
class _Sums:
    """Weights (K, A) of cells, and (G, A) what each group's units add through the shares."""

    weights: Floats
    shift: Floats


@dataclass(frozen=True, eq=False)
class _Held:
    """K cells as numbers: place (K,) of their group among G, its units (K,), group, period."""

    att: Floats
    place: Ints
    size: Floats
    group: Floats
    period: Floats
    groups: int

    def shared(self, sets: Bools) -> _Sums:
        """Averages over sets (A, K) of cells, weighted by units of their groups."""
        mass = sets * self.size
        total = mass.sum(axis=1)
        weights = mass.T / total
        att = self.att @ weights
        away = np.where(sets, self.att - att[:, None], 0.0) / total[:, None]
        shift = np.zeros((self.groups, len(sets)))
        for k, place in enumerate(self.place):
            shift[place] += away[:, k]
        return _Sums(weights, shift)


def aggregated(rollout: Rollout, cells: Cells, kind: str) -> tuple[Aggregate, Aggregate]:
    """Averages of a kind, and the one number they come to (its key is 0).

    Raises: OptionError for another kind; FitError where no cell follows treatment.
    """
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    held = _held(rollout, cells)
    after = held.period >= held.group
    if not after.any():
        raise FitError("no effect after treatment could be estimated")
    code = np.searchsorted(rollout.groups, rollout.group)
    keys, sets, sums, whole = _averages(held, kind, after)
    count = np.bincount(code, minlength=held.groups)

    def made(found: _Sums, names: Ints, of: Bools) -> Aggregate:
        phi = cells.influence.of(found.weights) + found.shift[code]
        behind = np.array([count[np.unique(held.place[row])].sum() for row in of], dtype=np.int64)
        return Aggregate(names, held.att @ found.weights, behind, phi)

    total = made(whole, np.zeros(1, dtype=np.int64), after[None])
    return (total if kind == "simple" else made(sums, keys, sets)), total


def _averages(held: _Held, kind: str, after: Bools) -> tuple[Ints, Bools, _Sums, _Sums]:
    """Keys, sets (A, K), sums of the averages, and sums of the whole."""
    if kind == "simple":
        whole = held.shared(after[None])
        return np.zeros(1, dtype=np.int64), after[None], whole, whole
    by = {"group": held.group, "dynamic": held.period - held.group, "calendar": held.period}[kind]
    among = np.ones_like(after) if kind == "dynamic" else after
    keys = np.unique(by[among])
    sets = (by == keys[:, None]) & among
    names = keys.astype(np.int64)
    if kind != "group":
        sums = held.shared(sets)
        mean = (keys >= 0.0) / (keys >= 0.0).sum() if kind == "dynamic" else np.ones(
            keys.size) / keys.size  # fmt: skip
        whole = _Sums((sums.weights @ mean)[:, None], (sums.shift @ mean)[:, None])
        return names, sets, sums, whole
    weights = sets.T / sets.sum(axis=1)
    sums = _Sums(weights, np.zeros((held.groups, keys.size)))
    first = [int(np.flatnonzero(row)[0]) for row in sets]
    size, place, att = held.size[first], held.place[first], held.att @ weights
    share = size / size.sum()
    shift = np.zeros((held.groups, 1))
    shift[place, 0] = (att - att @ share) / size.sum()
    return names, sets, sums, _Sums((weights @ share)[:, None], shift)


def _held(rollout: Rollout, cells: Cells) -> _Held:
    groups = rollout.groups
    group = np.array([cell.group for cell in cells.cells])
    place = np.searchsorted(groups, group)
    count = np.bincount(np.searchsorted(groups, rollout.group), minlength=groups.size)
    period = rollout.periods[[cell.period for cell in cells.cells]].astype(np.float64)
    return _Held(cells.att, place, count[place].astype(np.float64), group, period, groups.size)
