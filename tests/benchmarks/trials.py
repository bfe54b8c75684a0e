"""Tests and roll-outs: CUPED against tea-tasting, group-time effects against diff-diff."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.experiments.analysis import TestResult, analyse
from cxmodels.experiments.difference_in_differences import GroupTime, group_time_effects
from cxmodels.experiments.honest_bounds import HonestBounds, honest_bounds
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.synthetic_difference import synthetic_difference
from tests.benchmarks.material import Material
from tests.benchmarks.panels import sized
from tests.benchmarks.works import Facts, Work, quiet

PERIODS = 12


def _trial(units: int) -> pd.DataFrame:
    """SIMULATED: two arms, revenue that most do not bring, and the same from before."""
    rng = np.random.default_rng(1)
    before = rng.gamma(0.4, 20.0, units)
    arm = rng.integers(0, 2, units)
    revenue = 0.6 * before + rng.gamma(0.4, 20.0, units) + 0.05 * arm
    return pd.DataFrame({"arm": arm, "revenue": revenue, "before": before})


def cx_cuped(material: Material) -> Work:
    seen = _trial(sized(material, 5_000_000))

    def do() -> TestResult:
        return analyse(seen, arm="arm", control=0, metrics=[Metric("revenue", before="before")])

    def tell(found: TestResult) -> Facts:
        row = found.table.iloc[0]
        return {"rows": int(row["n"] + row["n_control"]), "effect": round(row["estimate"], 6),
                "error": round(row["std_error"], 6)}  # fmt: skip

    return Work(do, tell)


def tea_cuped(material: Material) -> Work:
    import tea_tasting

    seen = _trial(sized(material, 5_000_000))
    test = tea_tasting.Experiment({"revenue": tea_tasting.Mean("revenue", "before")}, variant="arm")

    def tell(found: Any) -> Facts:
        row = found["revenue"]
        return {"rows": len(seen), "effect": round(row.effect_size, 6)}

    return Work(quiet(lambda: test.analyze(seen)), tell)


def _rollout(units: int) -> pd.DataFrame:
    """SIMULATED: a third each begins in period 5 or 8 or never; effects grow."""
    rng = np.random.default_rng(1)
    unit, period = np.divmod(np.arange(units * PERIODS), PERIODS)
    begins = rng.choice([5.0, 8.0, np.inf], units)[unit]
    after = np.maximum(period - begins + 1.0, 0.0)
    y = rng.normal(size=units)[unit] + 0.1 * period + 0.2 * after + rng.normal(size=unit.size)
    begins = np.where(np.isinf(begins), 0.0, begins)
    return pd.DataFrame({"unit": unit, "period": period, "y": y, "begins": begins})


def cx_group_times(material: Material) -> Work:
    table = _rollout(sized(material, 100_000))
    table["begins"] = table["begins"].replace(0.0, np.nan)

    def do() -> GroupTime:
        return group_time_effects(table, "y", unit="unit", period="period", first_treated="begins")

    def tell(found: GroupTime) -> Facts:
        return {"cells": len(found.table), "first": round(float(found.table["att"].iloc[0]), 6)}

    return Work(do, tell)


def diff_group_times(material: Material) -> Work:
    from diff_diff import CallawaySantAnna

    table = _rollout(sized(material, 100_000))
    asked = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "begins"}

    def tell(found: Any) -> Facts:
        first = min(found.group_time_effects)
        return {"cells": len(found.group_time_effects),
                "first": round(float(found.group_time_effects[first]["effect"]), 6)}  # fmt: skip

    return Work(quiet(lambda: CallawaySantAnna().fit(table, **asked)), tell)


def cx_honest(material: Material) -> Work:
    """Both restrictions, six periods before and six after."""
    K = 12
    rng = np.random.default_rng(1)
    A = rng.normal(size=(K, K))
    covariance = 0.01 * (A @ A.T / K + np.eye(K))
    estimate = 0.05 * rng.normal(size=K) + np.r_[np.zeros(6), np.full(6, 0.6)]

    def do() -> tuple[HonestBounds, HonestBounds]:
        found = [honest_bounds(estimate, covariance, pre=6, restriction=way)
                 for way in ("relative magnitudes", "smoothness")]  # fmt: skip
        return found[0], found[1]

    def tell(found: tuple[HonestBounds, HonestBounds]) -> Facts:
        return {"rows": sum(len(one.table) for one in found)}

    return Work(do, tell)


def cx_placebos(material: Material) -> Work:
    """39 units by 31 periods, as California's cigarettes are."""
    rng = np.random.default_rng(1)
    level, trend = rng.normal(120, 20, 39), rng.normal(-1.0, 0.5, 39)
    common = np.cumsum(rng.normal(0, 2.0, 31))
    rows = [
        (u, t, level[u] + trend[u] * t + common[t] + rng.normal(0, 3) - 15.0 * (u == 2 and t >= 19))
        for u in range(39) for t in range(31)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["state", "year", "packs"])

    def do() -> Any:
        return synthetic_difference(
            table, "packs", unit="state", period="year", treated=2, start=19, replications=200
        )

    return Work(do, lambda found: {"effect": round(float(found.table["estimate"].iloc[0]), 3)})
