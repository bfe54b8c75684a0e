"""Lots drawn for single units of the past, and the tests they give: plain, in strata, in pairs.

Every draw is analysed as `analyse` would: differences by Welch's t, with noise taken out by what
was known before (CUPED), stratum by stratum. Many draws are done at once, for a test needs no more
than sums of its arms: (draws, strata, arms, 6) with n, y, x, yy, xx, xy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from cxmodels.chance import generator
from cxmodels.experiments.option_history import History
from cxmodels.experiments.placebo_trials import Trial, beyond
from cxmodels.numerics.arrays import Bools, Floats, Ints

AT_ONCE = 8_000_000  # cells of lots drawn together
CANDIDATES = 10  # assignments drawn for each that re-randomisation accepts
MANY = 5_000  # units whose arms need no exact size: each by itself, as by a hash
Lots = Callable[[np.random.Generator, int], Bools]
Changed = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, eq=False)
class Ground:
    """The units that lots are drawn for, strata together: y, x (n,), room (n,) periods in which a
    share can turn (up, down), edges (s + 1,) of the strata; periods of the test; seed."""

    y: Floats
    x: Floats | None
    rooms: tuple[Floats, Floats] | None
    edges: Ints
    periods: int
    seed: tuple[int, int]

    def changed(self, effect: float, uptake: float) -> Changed:
        """Draws outcomes under treatment (rows, n). Of a share, units turn, each period by itself
        with a chance that gives `effect` on average (thinning); else the effect is added, to a
        share `uptake` of units."""
        if self.rooms is None:
            return lambda rng, rows: (
                self.y
                + effect
                * (1.0 if uptake == 1.0 else (rng.random((rows, self.y.size)) < uptake))
                * np.ones((rows, 1))
            )
        room = self.rooms[0 if effect > 0.0 else 1]
        free = float(room.mean()) / self.periods
        chance = min(abs(effect) * uptake / max(free, 1e-300), 1.0)
        sign = 1.0 if effect > 0.0 else -1.0

        def turned(rng: np.random.Generator, rows: int) -> Floats:
            if self.periods == 1:
                turning = rng.random((rows, room.size), dtype=np.float32) < chance
                return np.asarray(self.y + sign * (turning * room))
            flips = rng.binomial(room.astype(np.int64), chance, (rows, room.size))
            return np.asarray(self.y + sign * flips / self.periods)

        return turned


def ground_of(history: History, kept: Ints, seed: tuple[int, int], strata: bool) -> Ground:
    """The units `kept` (n,), in order of their strata if `strata`."""
    code = np.zeros(kept.size, dtype=np.int64)
    if strata and history.strata is not None:
        code = history.strata[kept]
    order: Ints = kept[np.argsort(code, kind="stable")]
    sizes = np.unique(code, return_counts=True)[1]
    edges = np.append(0, np.cumsum(sizes)).astype(np.int64)
    y = history.y
    rooms = (history.room(True)[order], history.room(False)[order]) if history.share else None
    x = None if history.x is None else history.x[order] - history.x.mean()
    return Ground(y[order], x, rooms, edges, history.last, seed)


def drawn(rng: np.random.Generator, rows: int, n: int, k: int) -> Bools:
    """(rows, n) sets of k of n, every set as likely."""
    u = rng.random((rows, n))
    return np.asarray(u <= np.partition(u, k - 1, axis=1)[:, k - 1 : k])


def added_up(code: Ints, values: Floats) -> Floats:
    """Sums of values (n,) by group; groups are numbered from 0 on, and none is empty."""
    return np.bincount(code, values).astype(np.float64)


def within(edges: Ints, share: float) -> Lots:
    """Lots of so many units of each stratum."""
    sizes = np.diff(edges)
    treated = np.clip(np.rint(share * sizes), 1, sizes - 1).astype(np.int64)

    def lots(rng: np.random.Generator, rows: int) -> Bools:
        parts = [drawn(rng, rows, int(n), int(k)) for n, k in zip(sizes, treated, strict=True)]
        return np.concatenate(parts, axis=1)

    return lots


def balanced(x: Floats, share: float) -> Lots:
    """The lots of CANDIDATES that leave the arms the most alike in x: those accepted are one in
    as many (Morgan and Rubin 2012, with the distance of one covariate)."""
    n = x.size
    k = int(np.clip(round(share * n), 1, n - 1))
    centred = x - x.mean()

    def lots(rng: np.random.Generator, rows: int) -> Bools:
        found = np.empty((rows, n), dtype=bool)
        for row in range(rows):
            tried = (
                rng.random((CANDIDATES, n), dtype=np.float32) < k / n
                if n >= MANY
                else drawn(rng, CANDIDATES, n, k)
            )
            found[row] = tried[np.argmin(np.abs(tried @ centred))]
        return found

    return lots


@dataclass(frozen=True, eq=False)
class UnitTrial(Trial):
    """Tests of single units. sums: (R, s, 2, 6), control first; adjusted: by CUPED; again: draws
    the sums anew under an effect as it would come about; uptake: share of the treated whom an
    effect reaches."""

    sums: Floats
    adjusted: bool
    again: Callable[[float], Floats]
    uptake: float = 1.0

    def rejects(self, effect: float, alpha: float) -> Bools:
        """With the effect, times the uptake, added to the treated."""
        found = self.sums.copy()
        n, y, x, *_ = np.moveaxis(self.sums[:, :, 1], -1, 0)
        added = effect * self.uptake
        found[:, :, 1, 1] = y + added * n
        found[:, :, 1, 3] += 2.0 * added * y + added**2 * n
        found[:, :, 1, 5] += added * x
        return beyond(*contrast(found, self.adjusted), alpha)

    def seen(self, effect: float, alpha: float) -> Bools:
        """With lots as before and units that turn."""
        return beyond(*contrast(self.again(effect), self.adjusted), alpha)


def contrast(sums: Floats, adjusted: bool) -> tuple[Floats, Floats, Floats]:
    """Estimates, errors and degrees (R,) of sums (R, s, 2, 6): CUPED with one slope of all arms
    within strata, strata weighed by their units, Welch's degrees, as in `analyse`."""
    n, y, x, yy, xx, xy = np.moveaxis(sums, -1, 0)
    theta = np.zeros((len(sums), 1, 1))
    size = n.sum(axis=2)
    if adjusted:
        both = (xy.sum(axis=2) - x.sum(axis=2) * y.sum(axis=2) / size).sum(axis=1)
        own = (xx.sum(axis=2) - x.sum(axis=2) ** 2 / size).sum(axis=1)
        theta = (both / np.where(own > 0.0, own, 1.0))[:, None, None]
    mean = (y - theta * x) / n
    squares = yy - 2.0 * theta * xy + theta**2 * xx - n * mean**2
    variance = np.maximum(squares, 0.0) / np.maximum(n - 1.0, 1.0) / n
    weight = size / size.sum(axis=1, keepdims=True)
    estimate = (weight * (mean[:, :, 1] - mean[:, :, 0])).sum(axis=1)
    parts = weight[:, :, None] ** 2 * variance
    total = parts.sum(axis=(1, 2))
    below = (parts**2 / np.maximum(n - 1.0, 1.0)).sum(axis=(1, 2))
    degrees = total**2 / np.where(below > 0.0, below, 1.0)
    return estimate, np.sqrt(total), degrees


def unit_trial(ground: Ground, lots: Lots, draws: int, uptake: float = 1.0) -> UnitTrial:
    """Placebo tests of `draws` lots."""
    middle = float(ground.y.mean())

    def sums(effect: float) -> Floats:
        return np.concatenate(list(_sums(ground, lots, draws, (middle, effect, uptake))))

    adjusted = ground.x is not None
    return UnitTrial(sums(0.0), adjusted, sums, uptake)


def _sums(
    ground: Ground, lots: Lots, draws: int, how: tuple[float, float, float]
) -> Iterator[Floats]:
    """Sums of arms (rows, s, 2, 6) of so many draws; the same lots whatever the effect."""
    middle, effect, uptake = how
    y = ground.y - middle
    x = np.zeros(y.size) if ground.x is None else ground.x
    columns = np.column_stack([np.ones(y.size), y, x, y**2, x**2, x * y])
    whole = np.add.reduceat(columns, ground.edges[:-1], axis=0)
    rng, own = generator(ground.seed[0], ground.seed[1]), generator(*ground.seed, 1)
    change = ground.changed(effect, uptake) if effect else None
    most = max(AT_ONCE // y.size, 1)
    for first in range(0, draws, most):
        rows = min(most, draws - first)
        chosen = lots(rng, rows)
        treated = _by_stratum(chosen, columns, ground.edges)
        found = np.stack([whole - treated, treated], axis=2)
        if change is not None:
            y1 = np.where(chosen, change(own, rows) - middle, 0.0)
            for place, part in ((1, y1), (3, y1**2), (5, y1 * x)):
                found[:, :, 1, place] = np.add.reduceat(part, ground.edges[:-1], axis=1)
        yield found


def _by_stratum(chosen: Bools, columns: Floats, edges: Ints) -> Floats:
    """Sums over the chosen (rows, n) of columns (n, c) in each stratum: (rows, s, c)."""
    lots = chosen.astype(np.float64)
    parts = [lots[:, a:b] @ columns[a:b] for a, b in pairwise(edges.tolist())]
    return np.stack(parts, axis=1)


@dataclass(frozen=True, eq=False)
class PairTrial(Trial):
    """Pairs, one of each treated, by a t test of their differences. left, right: places (p,)."""

    ground: Ground
    left: Ints
    right: Ints
    draws: int

    def rejects(self, effect: float, alpha: float) -> Bools:
        """With the effect added to each difference, which leaves errors as they are."""
        mean, error = self._plain
        return beyond(mean + effect, error, np.full(self.draws, self.left.size - 1.0), alpha)

    def seen(self, effect: float, alpha: float) -> Bools:
        """With units that turn."""
        if self.ground.rooms is None:
            return self.rejects(effect, alpha)
        mean, error = self._tests(effect)
        return beyond(mean, error, np.full(self.draws, self.left.size - 1.0), alpha)

    @cached_property
    def _plain(self) -> tuple[Floats, Floats]:
        return self._tests(0.0)

    def _tests(self, effect: float) -> tuple[Floats, Floats]:
        """Means of differences and their errors (R,), with units that turn."""
        ground, p = self.ground, self.left.size
        gap = ground.y[self.left] - ground.y[self.right]
        rng, own = generator(*ground.seed), generator(*ground.seed, 1)
        change = ground.changed(effect, 1.0) if effect else None
        most, found = max(AT_ONCE // ground.y.size, 1), []
        for first in range(0, self.draws, most):
            rows = min(most, self.draws - first)
            sign = np.where(rng.random((rows, p)) < 0.5, 1.0, -1.0)
            differences = sign * gap
            if change is not None:
                more = change(own, rows) - ground.y
                differences += np.where(sign > 0.0, more[:, self.left], more[:, self.right])
            error = differences.std(axis=1, ddof=1) / np.sqrt(p)
            found.append(np.stack([differences.mean(axis=1), error]))
        mean, error = np.concatenate(found, axis=1)
        return mean, error


def neighbours(x: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of units next to each other in order of x (n,), ties in an order that is drawn."""
    order = np.lexsort((rng.random(x.size), x)).astype(np.int64)
    p = x.size // 2
    return order[: 2 * p : 2], order[1 : 2 * p : 2]
