"""Placebo tests over time: regions against regions, a roll-out before it came, all at once.

What is not drawn by lot has but its dates: the test is tried at every earlier date on which nothing
happened. These overlap, so that they tell less than as many draws would.
"""

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import FitError
from cxmodels.experiments.interrupted_series import interrupted_series
from cxmodels.experiments.option_history import History
from cxmodels.experiments.placebo_trials import ByError
from cxmodels.experiments.placebo_units import added_up, drawn
from cxmodels.numerics.arrays import Floats, Ints

LINE = 4  # periods before a test in regions: see `time_based_regression`
SIDES = 3  # periods on either side of an interruption
LEAST = 6  # periods in all that tell four coefficients and a correlation
STRAIGHT = 1e-24  # of the variance, below which a line fits without noise


def region_totals(history: History, code: Ints) -> tuple[Floats, Floats]:
    """(G, T) totals of regions and (G,) their units."""
    G = int(code.max()) + 1
    totals = np.column_stack([added_up(code, column) for column in history.Y.T])
    return totals, np.bincount(code, minlength=G).astype(np.float64)


def region_trial(history: History, code: Ints, draws: int, seed: tuple[int, int]) -> ByError:
    """Half of the regions, drawn, against the others, in a window drawn from the past, each by
    `time_based_regression`: the cumulative effect, a unit and period."""
    totals, units = region_totals(history, code)
    G, T = totals.shape
    rng = generator(*seed)
    lots = drawn(rng, draws, G, max(G // 2, 1)).astype(np.float64)
    start = rng.integers(LINE, T - history.last + 1, draws)
    treated, whole = lots @ totals, totals.sum(axis=0)
    found = np.zeros((draws, 3))
    for t0 in np.unique(start):
        here = start == t0
        window = slice(0, int(t0) + history.last)
        found[here] = _beyond_line(whole[window] - treated[here, window], treated[here, window],
                                   int(t0))  # fmt: skip
    reach = history.last * (lots @ units)
    return ByError(found[:, 0] / reach, found[:, 1] / reach, found[:, 2])


def _beyond_line(x: Floats, y: Floats, t0: int) -> Floats:
    """Cumulative outcome beyond the line, its error and degrees (R, 3), of control and treated
    totals (R, T): equations 4 to 8 of Kerman, Wang and Vaver 2017."""
    m, D = x[:, :t0].mean(axis=1), x.shape[1] - t0
    dx = x[:, :t0] - m[:, None]
    spread = (dx**2).sum(axis=1)
    flat = spread <= STRAIGHT * (x**2).sum(axis=1)
    slope = np.where(flat, 0.0, (dx * y[:, :t0]).sum(axis=1) / np.where(flat, 1.0, spread))
    level = y[:, :t0].mean(axis=1) - slope * m
    e = y[:, :t0] - level[:, None] - slope[:, None] * x[:, :t0]
    noise = (e**2).sum(axis=1) / (t0 - 2)
    after = (x[:, t0:] - m[:, None]).sum(axis=1)
    cumulative = (y[:, t0:] - level[:, None] - slope[:, None] * x[:, t0:]).sum(axis=1)
    line = D**2 / t0 + np.where(flat, 0.0, after**2 / np.where(flat, 1.0, spread))
    return np.column_stack([cumulative, np.sqrt(noise * (D + line)), np.full(len(x), t0 - 2.0)])


def rollout_trial(history: History, rolled: Floats, cluster: Ints | None) -> ByError | None:
    """Difference in differences of those reached later against those never reached, at every date
    before the first was reached; None if there is no such date. Errors by unit, or by cluster."""
    reached = np.isfinite(rolled)
    first, D = int(rolled[reached].min()), history.last
    rows = []
    for date in range(1, first - D + 1):
        before = history.Y[:, max(date - D, 0) : date].mean(axis=1)
        change = history.Y[:, date : date + D].mean(axis=1) - before
        rows.append(_two_groups(change, reached, cluster))
    if not rows:
        return None
    estimate, error, degrees = np.array(rows).T
    return ByError(estimate, error, degrees)


def _two_groups(
    change: Floats, reached: "np.ndarray[tuple[int], np.dtype[np.bool_]]", cluster: Ints | None
) -> tuple[float, float, float]:
    """Difference of mean changes, from each unit's influence."""
    influence = np.zeros(change.size)
    for side, sign in ((reached, 1.0), (~reached, -1.0)):
        own = change[side]
        influence[side] = sign * (own - own.mean()) / own.size
    estimate = float(change[reached].mean() - change[~reached].mean())
    if cluster is not None:
        influence = added_up(cluster, influence)
    n = influence.size
    return estimate, float(np.sqrt((influence**2).sum() * n / (n - 1.0))), n - 1.0


def series_trial(history: History, draws: int, level: float) -> ByError | None:
    """`interrupted_series` of the mean of all units at every date (of `draws` at most) that leaves
    enough periods; None if there is none."""
    series, D = history.Y.mean(axis=0), history.last
    dates = np.arange(max(SIDES, LEAST - D), series.size - D + 1)
    if dates.size > draws:
        dates = dates[np.unique(np.linspace(0, dates.size - 1, draws).astype(np.int64))]
    rows = []
    for date in dates:
        T = int(date) + D
        table = pd.DataFrame({"period": np.arange(T), "outcome": series[:T]})
        try:
            found = interrupted_series(table, "outcome", period="period", start=int(date),
                                       level=level)  # fmt: skip
        except FitError:
            continue
        rows.append((found.effect, found.std_error, T - 5.0))
    return ByError(*np.array(rows).T) if rows else None
