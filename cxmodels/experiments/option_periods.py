"""Designs over time: clusters in waves or back and forth, regions, past roll-outs, all at once."""

from dataclasses import replace

import numpy as np

from cxmodels.experiments.comparisons import Means, SteppedWedge
from cxmodels.experiments.option_setting import LEAST_CLUSTERS, Made, Setting
from cxmodels.experiments.placebo_clusters import (
    back_and_forth,
    cells_of,
    noise_of,
    panel_trial,
    waves,
)
from cxmodels.experiments.placebo_times import (
    LINE,
    SIDES,
    region_trial,
    rollout_trial,
    series_trial,
)
from cxmodels.experiments.placebo_trials import ByError, Stated
from cxmodels.numerics.arrays import Floats, Ints

LEAST_CELLS = 12
TIMELESS = "no column names time (time=): the history has one row a unit"


def wedge(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Clusters that join in waves."""
    found = _cells(setting, setting.history.cluster, 3, "waves of clusters need 3")
    if isinstance(found, str):
        return found
    cells, within_sd, between_sd = found
    G, T = cells.shape
    if G < T - 1:
        return f"{G} clusters cannot join in {T - 1} waves"
    part = 1.0 - within_sd / float(np.sqrt(within_sd**2 + T * between_sd**2))
    trial = panel_trial(cells, waves(G, T), setting.draws, seed, part)
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
        return TIMELESS
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
        return TIMELESS
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


def past_rollout(setting: Setting, seed: tuple[int, int]) -> Made | str:
    """Difference in differences of a roll-out that happened."""
    del seed
    history, rolled = setting.history, setting.history.rolled
    if rolled is None:
        return "no column says who had the lever in the past, and from when (rolled_out=)"
    if not history.timed:
        return TIMELESS
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
        return TIMELESS
    if history.last < SIDES:
        return f"the test lasts {history.last} periods: a line needs {SIDES} on either side"
    trial = series_trial(history, setting.draws, setting.level)
    if trial is None:
        return "the history is too short for a line before and a test after it"
    return _stated(trial, setting, history.units, "Whatever else changes on the day, and any "
                   "season or bend of the line, is taken for the effect.")  # fmt: skip
