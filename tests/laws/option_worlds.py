"""Simulated pasts in which it is known what a design does."""

import numpy as np
import pandas as pd

from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.plan import TestPlan

MONTHS = pd.date_range("2024-01-01", periods=48, freq="MS")
PARTS = {
    "question": "Do calls back within a day keep customers?", "lever": "call back within a day",
    "cost": 2.5, "unit": "customer_id", "arms": ("as now", "call back"), "start": "2028-01-01",
    "end": "2028-03-31", "value": "margin", "strata": ("segment",),
    "metrics": (Metric("y", role="spend"), Metric("stayed", "proportion", role="retention")),
}  # fmt: skip


def plan(**changes) -> TestPlan:
    return TestPlan(**(PARTS | changes))


def past(
    n=400, T=12, *, seed=1, branches=20, regions=10, between=0.5, noise=1.0, shock=0.2, path=None
) -> pd.DataFrame:
    """Units in branches in regions: lasting differences of units (1) and branches (`between`),
    shocks of branches by month (`shock`), noise; path: (T,) what all have in common."""
    rng = np.random.default_rng(seed)
    unit, month = np.arange(n), np.arange(T)
    branch = unit % branches
    own, lasting = rng.normal(size=n), rng.normal(0.0, between, branches)
    common = np.zeros(T) if path is None else np.asarray(path)
    y = 5.0 + own[:, None] + lasting[branch][:, None] + common
    y = y + rng.normal(0.0, shock, (branches, T))[branch] + rng.normal(0.0, noise, (n, T))
    return pd.DataFrame({
        "customer_id": np.repeat(unit, T), "month": np.tile(MONTHS[month], n), "y": y.ravel(),
        "stayed": (rng.random(n * T) < 0.8).astype(int), "branch": np.repeat(branch, T),
        "region": np.repeat(branch % regions, T),
        "segment": np.repeat(np.where(own > 0.0, "high", "low"), T),
    })  # fmt: skip


def tried(table, *, plan_of=None, **how):
    """Options by month, with branches and regions; rows of the table by design."""
    asked = {"time": "month", "cluster": "branch", "geo": "region", "uptake": 0.3} | how
    found = (plan_of or plan()).options(table, **asked)
    return found, found.table.set_index("design")
