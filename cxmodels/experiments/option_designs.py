"""The designs that a history can carry: what each would use, how it is tried, what threatens it.

Each is made from a `Setting`, or says in a sentence why it cannot be.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cxmodels.chance import generator
from cxmodels.experiments.comparisons import (
    Clusters,
    Comparison,
    Means,
    Pairs,
    Proportions,
    SteppedWedge,
)
from cxmodels.experiments.option_history import History
from cxmodels.experiments.placebo_clusters import (
    ClusterTrial,
    back_and_forth,
    cells_of,
    cluster_lots,
    noise_of,
    panel_trial,
    sized,
    waves,
)
from cxmodels.experiments.placebo_times import (
    LINE,
    SIDES,
    region_trial,
    rollout_trial,
    series_trial,
)
from cxmodels.experiments.placebo_trials import ByError, Stated, Trial
from cxmodels.experiments.placebo_units import (
    PairTrial,
    balanced,
    ground_of,
    neighbours,
    unit_trial,
    within,
)
from cxmodels.numerics.arrays import Floats, Ints

LEAST_CLUSTERS, LEAST_CELLS, LEAST_STRATUM = 4, 12, 4
CLOSE = 0.9999  # a correlation beyond which nothing is left to tell
USUAL_HOLDOUT = 0.05


@dataclass(frozen=True, eq=False)
class Setting:
    """history; kept (n,): units of the control and the arm compared with it; share of them that is
    treated; holdout: share; uptake: None if it is not known; level of intervals; draws, seed."""

    history: History
    kept: Ints
    share: float
    holdout: float
    uptake: float | None
    level: float
    draws: int
    seed: int


@dataclass(frozen=True, eq=False)
class Made:
    """A design: its placebo tests; the comparison and n of its formula; units, treated, clusters
    (0: none) and threat, a sentence; scale: share of the effect that the comparison sees; paid:
    share of the treated that cost; past: whether it happened already."""

    trial: Trial
    comparison: Comparison
    n: float
    units: int
    treated: int
    threat: str
    clusters: int = 0
    scale: float = 1.0
    paid: float = 1.0
    past: bool = False


Design = Callable[[Setting, tuple[int, int]], Made | str]


def _correlation(setting: Setting) -> float:
    x = setting.history.x
    if x is None:
        return 0.0
    own, y = x[setting.kept], setting.history.y[setting.kept]
    if np.ptp(own) == 0.0 or np.ptp(y) == 0.0:
        return 0.0
    return float(np.clip(np.corrcoef(own, y)[0, 1], -CLOSE, CLOSE))


def means_of(setting: Setting, share: float) -> Means | Proportions:
    """The formula of two arms of single units: of shares where nothing is known before."""
    y = setting.history.y[setting.kept]
    if setting.history.share and setting.history.x is None and setting.history.last == 1:
        return Proportions(float(y.mean()), share)
    return Means(float(y.std(ddof=1)), share, _correlation(setting))


def _two_arms(setting: Setting, share: float, least: int = 2) -> int | str:
    """Treated units, or why there are too few."""
    n = setting.kept.size
    treated = int(np.clip(round(share * n), 1, n - 1))
    if min(treated, n - treated) < least:
        return f"an arm would hold {min(treated, n - treated)} units: {least} are the least"
    return treated


def customer(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Units by lot, one by one."""
    treated = _two_arms(setting, setting.share)
    if isinstance(treated, str):
        return treated
    ground = ground_of(setting.history, setting.kept, seed, strata=False)
    n = setting.kept.size
    return Made(
        unit_trial(ground, within(ground.edges, setting.share), setting.draws),
        means_of(setting, setting.share), n, n, treated,
        "Units of the two arms must not reach each other.",
    )  # fmt: skip


def stratified(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Units by lot within strata."""
    history = setting.history
    if history.strata is None:
        return "the plan names no strata"
    ground = ground_of(history, setting.kept, seed, strata=True)
    sizes = np.diff(ground.edges)
    small = int((sizes < LEAST_STRATUM).sum())
    if small:
        return f"{small} of {sizes.size} strata hold fewer than {LEAST_STRATUM} units"
    lots = within(ground.edges, setting.share)
    treated = int(np.clip(np.rint(setting.share * sizes), 1, sizes - 1).sum())
    trial = unit_trial(ground, lots, setting.draws)
    n = setting.kept.size
    group = np.repeat(np.arange(sizes.size), sizes)
    left, near = (_less_groups(part, group) for part in (ground.y, ground.x))
    sd = float(np.sqrt((left**2).sum() / max(n - sizes.size, 1)))
    spread = float(np.sqrt((left @ left) * (near @ near)))
    r = float(np.clip(left @ near / spread, -CLOSE, CLOSE)) if spread > 0.0 else 0.0
    if not sd > 0.0:
        return "the outcome does not vary within strata"
    return Made(
        trial, Means(sd, setting.share, r), n, n,
        treated, "Units of the two arms must not reach each other; strata must be known before.",
    )  # fmt: skip


def _less_groups(values: Floats | None, group: Ints) -> Floats:
    """Values (n,) less the mean of their group."""
    if values is None:
        return np.zeros(group.size)
    means = np.bincount(group, values) / np.bincount(group)
    left: Floats = values - means[group]
    return left


def pairs(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """One of each pair of units that were alike before."""
    if setting.history.x is None:
        return "nothing is known from before the test, by which units could be paired"
    ground = ground_of(setting.history, setting.kept, seed, strata=False)
    if ground.x is None or ground.x.size < 2 * LEAST_CLUSTERS:
        return f"there are fewer than {2 * LEAST_CLUSTERS} units to pair"
    left, right = neighbours(ground.x, generator(*seed, 2))
    gap = ground.y[left] - ground.y[right]
    if np.ptp(gap) == 0.0:
        return "the two of every pair have the same outcome"
    used = ground.y[np.concatenate([left, right])]
    sd = float(used.std(ddof=1))
    r = 1.0 - float(gap.var(ddof=1)) / (2.0 * sd**2)
    return Made(
        PairTrial(ground, left, right, setting.draws), Pairs(sd, float(np.clip(r, -CLOSE, CLOSE))),
        2 * left.size, 2 * left.size, left.size,
        "A pair of which one is lost is lost whole; pairs must be known before.",
    )  # fmt: skip


def rerandomised(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Units by lot, drawn until the arms are alike."""
    treated = _two_arms(setting, setting.share)
    if isinstance(treated, str):
        return treated
    if setting.history.x is None:
        return "nothing is known from before the test, in which arms could be alike"
    ground = ground_of(setting.history, setting.kept, seed, strata=False)
    if ground.x is None:
        return "nothing is known from before the test"
    n = setting.kept.size
    return Made(
        unit_trial(ground, balanced(ground.x, setting.share), setting.draws),
        means_of(setting, setting.share), n, n, treated,
        "Adjusted by what arms are balanced in (CUPED), it gains little more than that does.",
    )  # fmt: skip


def cluster(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Whole clusters by lot."""
    code = setting.history.cluster
    if code is None:
        return "no column names clusters (cluster=)"
    clusters = sized(setting.history, code)
    G = clusters.m.size
    if G < LEAST_CLUSTERS:
        return f"{G} clusters: {LEAST_CLUSTERS} are the least"
    lots = cluster_lots(generator(*seed), setting.draws, G, setting.share)
    n = setting.history.units
    z = _adjusted(setting.history)
    sd, icc = _between(z, code)
    if not sd > 0.0:
        return "the outcome does not vary once what was known before is taken out"
    spread = float(clusters.m.std()) / float(clusters.m.mean())
    share = float(lots[0].sum()) / G
    return Made(
        ClusterTrial(clusters, lots, seed),
        Clusters(Means(sd, share), float(clusters.m.mean()), icc, spread), n, n,
        round(share * n), "What happens to one cluster happens to all its units: few clusters, "
        "little known.", clusters=G,
    )  # fmt: skip


def _adjusted(history: History) -> Floats:
    """(N,) outcomes less what was foretold by before."""
    y = history.y - history.y.mean()
    if history.x is None:
        return np.asarray(y)
    x = history.x - history.x.mean()
    left: Floats = y - float(x @ y) / float(x @ x) * x
    return left


def _between(z: Floats, code: Ints) -> tuple[float, float]:
    """Standard deviation of z (N,) and share of variance between clusters, by analysis of variance
    (Donner and Klar 2000, "Design and analysis of cluster randomization trials", section 1.4)."""
    m = np.bincount(code).astype(np.float64)
    mean = np.bincount(code, z) / m
    n, G = z.size, m.size
    among = float((m * (mean - z.mean()) ** 2).sum()) / (G - 1)
    inside = float(((z - mean[code]) ** 2).sum()) / max(n - G, 1)
    size = (n - float((m**2).sum()) / n) / (G - 1)
    between = max((among - inside) / size, 0.0)
    total = between + inside
    return float(np.sqrt(total)), (between / total if total > 0.0 else 0.0)


def wedge(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Clusters that join in waves."""
    found = _cells(setting, setting.history.cluster, 3, "waves of clusters need 3")
    if isinstance(found, str):
        return found
    cells, within_sd, between_sd = found
    G, T = cells.shape
    if G < T - 1:
        return f"{G} clusters cannot join in {T - 1} waves"
    trial = panel_trial(cells, waves(G, T), setting.draws, seed)
    by_wave = tuple(int(n) for n in np.bincount(np.arange(G) * (T - 1) // G))
    comparison = SteppedWedge(by_wave, within_sd, between_sd)
    return Made(
        trial, comparison, G * T, setting.history.units, setting.history.units,
        "The effect must be the same at once and later; all are treated in the end.", clusters=G,
    )  # fmt: skip


def switchback(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Clusters or regions treated and not, period by period."""
    history = setting.history
    code = history.geo if history.cluster is None else history.cluster
    found = _cells(setting, code, 2, "going back and forth needs 2")
    if isinstance(found, str):
        return found
    cells, within_sd, _ = found
    G, T = cells.shape
    if G * T < LEAST_CELLS:
        return f"{G} clusters in {T} periods are {G * T} cells: {LEAST_CELLS} are the least"
    trial = panel_trial(cells, back_and_forth(G, T), setting.draws, seed)
    return Made(
        trial, Means(within_sd, max(G // 2, 1) / G), G * (T - 1), history.units, history.units,
        "Carry-over: what a period of treatment leaves behind counts for the next one, and the "
        "effect comes out too small. The past cannot show it.", clusters=G,
    )  # fmt: skip


def _cells(
    setting: Setting, code: Ints | None, periods: int, why: str
) -> tuple[Floats, float, float] | str:
    """Cells of clusters and periods with their noise, or why there are none."""
    history = setting.history
    if code is None:
        return "no column names clusters (cluster=)"
    if not history.timed:
        return "no column names time (time=): the history has one row a unit"
    if history.last < periods:
        return f"the test lasts {history.last} period{'s' * (history.last > 1)}: {why}"
    cells = cells_of(history, code)
    if len(cells) < LEAST_CLUSTERS:
        return f"{len(cells)} clusters: {LEAST_CLUSTERS} are the least"
    within_sd, between_sd = noise_of(cells)
    if within_sd <= 1e-9 * float(np.abs(cells).max()):
        return "clusters move alike in every period: there is no noise to learn from"
    return cells, within_sd, between_sd


def geo(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Regions by lot, against what the other regions foretell."""
    history = setting.history
    if history.geo is None:
        return "no column names regions (geo=)"
    if not history.timed:
        return "no column names time (time=): the history has one row a unit"
    G = int(history.geo.max()) + 1
    if G < LEAST_CLUSTERS:
        return f"{G} regions: {LEAST_CLUSTERS} are the least"
    if history.before < LINE:
        return f"{history.before} periods before the test: a line needs {LINE}"
    trial = region_trial(history, history.geo, setting.draws, seed)
    return _stated(
        trial, setting, round(history.units * max(G // 2, 1) / G),
        "Regions must not touch each other, and what foretold one must go on to do so.", G,
    )  # fmt: skip


def _stated(
    trial: ByError, setting: Setting, treated: int, threat: str, clusters: int = 0
) -> Made | str:
    """A design whose formula is the error that the method states, in the middle of its tests."""
    error = float(np.median(trial.std_error))
    if not error > 1e-12 * float(np.abs(setting.history.Y).max()):
        return "its error is 0 in the past: the outcome does not move by itself"
    freedom = float(np.median(trial.degrees))
    n = setting.history.units
    return Made(trial, Stated(error, freedom), n, n, treated, threat, clusters)


def encouragement(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Units invited by lot, of which a share takes the lever up."""
    if setting.uptake is None:
        return "it is not said which share would take the lever up (uptake=)"
    treated = _two_arms(setting, setting.share)
    if isinstance(treated, str):
        return treated
    ground = ground_of(setting.history, setting.kept, seed, strata=False)
    lots, n = within(ground.edges, setting.share), setting.kept.size
    return Made(
        unit_trial(ground, lots, setting.draws, setting.uptake), means_of(setting, setting.share),
        n, n, treated, "The invitation by itself must change nothing, and the effect is that on "
        "those who take it up.", scale=setting.uptake, paid=setting.uptake,
    )  # fmt: skip


def holdout(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """All are treated but a few."""
    whole = np.arange(setting.history.units)
    everyone = replace(setting, kept=whole, share=1.0 - setting.holdout)
    made = customer(everyone, seed)
    if isinstance(made, str):
        return made
    return replace(
        made,
        threat="The lever is paid for before it is known to work; few are left to compare with.",
    )


def past_rollout(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Difference in differences of a roll-out that happened."""
    del seed
    history, rolled = setting.history, setting.history.rolled
    if rolled is None:
        return "no column says who had the lever in the past, and from when (rolled_out=)"
    if not history.timed:
        return "no column names time (time=): the history has one row a unit"
    reached = int(np.isfinite(rolled).sum())
    if min(reached, history.units - reached) < 2:
        return (
            f"{reached} of {history.units} units had the lever in the past: two groups are needed"
        )
    trial = rollout_trial(history, rolled, history.cluster)
    if trial is None:
        return (f"fewer than {history.last + 1} periods lie before the lever came: no placebo date "
                "is left")  # fmt: skip
    made = _stated(trial, setting, reached, "Those reached were chosen: without the lever both "
                   "groups must have changed alike.")  # fmt: skip
    if isinstance(made, str):
        return made
    count = 0 if history.cluster is None else int(history.cluster.max()) + 1
    return replace(made, clusters=count, past=True)


def series(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """All units at once, against the line before."""
    del seed
    history = setting.history
    if not history.timed:
        return "no column names time (time=): the history has one row a unit"
    if history.last < SIDES:
        return f"the test lasts {history.last} periods: a line needs {SIDES} on either side"
    trial = series_trial(history, setting.draws, setting.level)
    if trial is None:
        return "the history is too short for a line before and a test after it"
    return _stated(trial, setting, history.units, "Whatever else changes on the day, and any "
                   "season or bend of the line, is taken for the effect.")  # fmt: skip


DESIGNS: dict[str, Design] = {
    "customer-randomised": customer, "stratified": stratified, "matched pairs": pairs,
    "re-randomised": rerandomised, "cluster": cluster, "stepped wedge": wedge,
    "switchback": switchback, "geo": geo, "encouragement": encouragement, "hold-out": holdout,
    "difference in differences on the past": past_rollout, "interrupted series": series,
}  # fmt: skip
