"""Are intervals honest where covariates change over time? Run many times on simulated customers, 90
per cent intervals hold the true effects, and the purchases of the quarter that follows, in 90 per
cent of the runs.
"""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.purchases.simulation import future_counts
from tests.laws.over_time_world import AHEAD, ASKED, TRUTH, world

LEVEL, DRAWS = 0.9, 400
TOTAL, COUNT = "purchases of the base", "purchases of a customer"


def replication(seed: int, customers: int, ahead: bool) -> dict[str, float]:
    """What the intervals of one simulated world held; `ahead`: those of purchases too."""
    drawn = world(customers, seed)
    fit = cx.ParetoNBD().fit(drawn.joined, **ASKED)
    found = fit.interval("wald", LEVEL)
    held = {
        name: float(found.loc[name, "lower"] <= value <= found.loc[name, "upper"])
        for name, value in TRUTH.items()
    }
    if ahead:
        linked, seen = fit.on(drawn.joined)
        sample = fit.posterior(DRAWS, seed=seed).values
        total = np.zeros(DRAWS)
        inside = 0.0
        rng = np.random.default_rng(seed)
        for part, _, counts in future_counts(linked.family, sample, seen, float(AHEAD), rng):
            rows = np.flatnonzero((seen.row >= part.start) & (seen.row < part.stop))
            mine = counts[:, seen.row[rows] - part.start]
            low, high = np.quantile(mine, [0.05, 0.95], axis=0, method="inverted_cdf")
            inside += ((low <= drawn.later[rows]) & (drawn.later[rows] <= high)).sum()
            total += mine.sum(axis=1)
        low, high = np.quantile(total, [0.05, 0.95])
        held |= {TOTAL: float(low <= drawn.later.sum() <= high), COUNT: inside / len(drawn.later)}
    return held


def study(runs: int, customers: int, ahead: bool) -> pd.DataFrame:
    return pd.DataFrame([replication(seed, customers, ahead) for seed in range(runs)])


def test_effects_are_covered():
    """6 worlds, 18 intervals: 12 or fewer hold the truth with probability .006 where 90 should."""
    held = study(6, 400, ahead=False)
    assert held.to_numpy().sum() > 12, held.mean()


@pytest.mark.slow
def test_full_study():
    share = study(200, 600, ahead=True).mean()
    print(share)
    for name in (*TRUTH, TOTAL):
        assert 0.85 <= share[name] <= 0.95, share  # 200 runs: standard error 2.1 per cent
    assert share[COUNT] >= 0.9, share  # counts are whole: intervals hold at least their level
