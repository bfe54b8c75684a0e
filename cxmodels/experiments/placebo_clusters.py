"""Lots drawn for whole clusters of the past: in one arm for good, in waves, or back and forth.

Clusters for good are analysed by CR2 with Satterthwaite's degrees, as `analyse` does; for two arms
of whole clusters its matrices come down to sums. Waves and switchbacks are analysed by permutation
of the lots: the two-way estimate of cells of clusters and periods, against that of other lots.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cxmodels.chance import generator
from cxmodels.experiments.option_history import History
from cxmodels.experiments.placebo_trials import ByLots, Trial, beyond
from cxmodels.experiments.placebo_units import added_up, drawn
from cxmodels.numerics.arrays import Bools, Floats, Ints

Waves = Callable[[np.random.Generator, int], Bools]  # (rows, G, T) who is treated when


@dataclass(frozen=True, eq=False)
class Sized:
    """Clusters: units m, sums of y and x (G,), room (up, down) in which a share can turn; spread:
    sums of x x and x y about their means, 0 where there is no x; periods of the test."""

    m: Floats
    y: Floats
    x: Floats
    rooms: tuple[Floats, Floats] | None
    spread: tuple[float, float]
    periods: int


def sized(history: History, code: Ints) -> Sized:
    """The clusters of a history; y and x less their means."""
    G = int(code.max()) + 1
    y = history.y - history.y.mean()
    x = np.zeros(y.size) if history.x is None else history.x - history.x.mean()
    rooms = None
    if history.share:
        up, down = (added_up(code, history.room(side)) for side in (True, False))
        rooms = (up, down)
    m = np.bincount(code, minlength=G).astype(np.float64)
    return Sized(m, added_up(code, y), added_up(code, x), rooms,
                 (float(x @ x), float(x @ y)), history.last)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ClusterTrial(Trial):
    """Tests of whole clusters. lots: (R, G); seed of the units that turn."""

    clusters: Sized
    lots: Bools
    seed: tuple[int, int]

    def rejects(self, effect: float, alpha: float) -> Bools:
        """With the effect added to all units of treated clusters."""
        return beyond(*by_clusters(self.clusters, self.lots, effect * self.clusters.m), alpha)

    def seen(self, effect: float, alpha: float) -> Bools:
        """With units that turn."""
        rooms, periods = self.clusters.rooms, self.clusters.periods
        if rooms is None or effect == 0.0:
            return self.rejects(effect, alpha)
        room = rooms[0 if effect > 0.0 else 1]
        free = float(room.sum() / self.clusters.m.sum()) / periods
        chance = min(abs(effect) / max(free, 1e-300), 1.0)
        rng = generator(*self.seed, 1)
        flips = rng.binomial(room.astype(np.int64), chance, self.lots.shape)
        added = np.sign(effect) * flips / periods
        return beyond(*by_clusters(self.clusters, self.lots, added), alpha)


def by_clusters(clusters: Sized, lots: Bools, added: Floats) -> tuple[Floats, Floats, Floats]:
    """Estimates, CR2 errors and Satterthwaite's degrees (R,) of lots (R, G), with `added` (G,) or
    (R, G) to the sums of treated clusters; CUPED with one slope.

    Within an arm of n units every row of I - H has 1' (I - 11'/n)^-1/2 = (1 - m/n)^-1/2 1', so that
    with E_g the sum of residuals V = sum_g E_g^2 / (1 - m_g / n) / n^2 (Bell and McCaffrey 2002).
    """
    z = lots.astype(np.float64)
    y = clusters.y + z * added
    own, both = clusters.spread
    if own > 0.0:
        theta = (both + (z * added * (clusters.x / clusters.m)).sum(axis=1)) / own
        y = y - theta[:, None] * clusters.x
    parts = [_arm(y, clusters.m * side) for side in (z, 1.0 - z)]
    (mean1, v1, p1, q1), (mean0, v0, p0, q0) = parts
    return mean1 - mean0, np.sqrt(v1 + v0), (p1 + p0) ** 2 / (q1 + q0)


def _arm(y: Floats, m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, its variance, and tr P and tr P P of an arm; m (R, G) units, 0 of the other arm.

    P_gh = [g = h] m_g k_g^2 - k_g k_h m_g m_h / n with k_g = (1 - m_g / n)^-1/2 / n.
    """
    here = m > 0.0
    n = m.sum(axis=1, keepdims=True)
    mean = (y * here).sum(axis=1, keepdims=True) / n
    left = np.where(here, y - m * mean, 0.0)
    k2 = np.where(here, 1.0 / np.where(here, 1.0 - m / n, 1.0), 0.0) / n**2
    variance = (left**2 * k2).sum(axis=1)
    square = k2 * m**2
    diagonal = (k2 * m - square / n) ** 2
    across = square.sum(axis=1) ** 2 - (square**2).sum(axis=1)
    trace = (k2 * m - square / n).sum(axis=1)
    return mean[:, 0], variance, trace, diagonal.sum(axis=1) + across / n[:, 0] ** 2


def cluster_lots(rng: np.random.Generator, draws: int, G: int, share: float) -> Bools:
    """(R, G), two clusters at least in each arm."""
    return drawn(rng, draws, G, int(np.clip(round(share * G), 2, G - 2)))


def cells_of(history: History, code: Ints) -> Floats:
    """(G, T) means of clusters in the periods that stand for the test."""
    G = int(code.max()) + 1
    m = np.bincount(code, minlength=G)
    columns = [added_up(code, column) / m for column in history.Y[:, -history.last :].T]
    return np.column_stack(columns)


def two_way_left(cells: Floats, part: float = 1.0) -> Floats:
    """Cells (..., G, T) less effects of periods, and of clusters in `part`: 1 - sqrt(s^2 / (s^2 +
    T t^2)) makes of random effects t and noise s independent rows (Hussey and Hughes 2007)."""
    left = cells - part * cells.mean(axis=-1, keepdims=True)
    return np.asarray(left - left.mean(axis=-2, keepdims=True))


def noise_of(cells: Floats) -> tuple[float, float]:
    """Standard deviations of cells (G, T) within clusters and periods, and of clusters."""
    G, T = cells.shape
    within = float((two_way_left(cells) ** 2).sum()) / ((G - 1) * (T - 1))
    between = float(cells.mean(axis=1).var(ddof=1)) - within / T
    return float(np.sqrt(within)), float(np.sqrt(max(between, 0.0)))


def waves(G: int, T: int) -> Waves:
    """All start untreated; clusters join in T - 1 waves as equal as can be, in an order drawn."""
    start = 1 + np.arange(G) * (T - 1) // G

    def lots(rng: np.random.Generator, rows: int) -> Bools:
        own = start[np.argsort(rng.random((rows, G)), axis=1)]
        return np.asarray(np.arange(T) >= own[:, :, None])

    return lots


def back_and_forth(G: int, T: int) -> Waves:
    """In every period half of the clusters are treated, drawn anew."""

    def lots(rng: np.random.Generator, rows: int) -> Bools:
        parts = [drawn(rng, rows, G, max(G // 2, 1)) for _ in range(T)]
        return np.stack(parts, axis=2)

    return lots


def panel_trial(
    cells: Floats, lots: Waves, draws: int, seed: tuple[int, int], part: float = 1.0
) -> ByLots:
    """Placebo tests of cells (G, T), each against as many other lots: b = sum D y / sum D^2, D and
    y what is left of treatment and cells after effects of periods and, in `part`, of clusters."""
    rng = generator(*seed)
    own, others = (
        two_way_left(lots(rng, draws).astype(np.float64), part).reshape(draws, -1) for _ in range(2)
    )
    weight, other = (
        left / np.maximum((left**2).sum(axis=1, keepdims=True), 1e-300) for left in (own, others)
    )
    flat = two_way_left(cells, part).ravel()
    return ByLots(weight @ flat, (weight * own).sum(axis=1), other @ flat, other @ own.T)
