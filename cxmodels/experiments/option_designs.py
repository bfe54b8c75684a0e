"""The designs that a history can carry: what each would use, how it is tried, what threatens it.

Each is made from a `Setting`, or says in a sentence why it cannot be.
"""

from dataclasses import replace

import numpy as np

from cxmodels.chance import generator
from cxmodels.experiments.comparisons import Clusters, Means, Pairs, Proportions
from cxmodels.experiments.option_history import History
from cxmodels.experiments.option_periods import geo, past_rollout, series, switchback, wedge
from cxmodels.experiments.option_setting import LEAST_CLUSTERS, Design, Made, Setting
from cxmodels.experiments.placebo_clusters import ClusterTrial, cluster_lots, sized
from cxmodels.experiments.placebo_units import (
    PairTrial,
    balanced,
    ground_of,
    neighbours,
    unit_trial,
    within,
)
from cxmodels.numerics.arrays import Floats, Ints

LEAST_STRATUM = 4
CLOSE = 0.9999  # a correlation beyond which nothing is left to tell
USUAL_HOLDOUT = 0.05


def _correlation(setting: Setting) -> float:
    x = setting.history.x
    if x is None:
        return 0.0
    own, y = x[setting.kept], setting.history.y[setting.kept]
    if not min(own.var(), y.var()) > 0.0:
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


DESIGNS: dict[str, Design] = {
    "customer-randomised": customer, "stratified": stratified, "matched pairs": pairs,
    "re-randomised": rerandomised, "cluster": cluster, "stepped wedge": wedge,
    "switchback": switchback, "geo": geo, "encouragement": encouragement, "hold-out": holdout,
    "difference in differences on the past": past_rollout, "interrupted series": series,
}  # fmt: skip
