"""Simulated tests whose truth is known: many outcomes at once, each its own replication."""

import numpy as np
import pandas as pd
import scipy

from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.metrics import Metric

SLOPE, NOISE, LEVEL = 0.5, 0.8, 2.0
SELDOM, OFTEN = 0.1, 0.3  # share of buyers among customers below and above the middle
LIFT = 0.3
PROMOTED = 0.15  # share of passives that the arm makes promoters
RATE = 0.4  # orders a session
ONE = np.array([0.0]), 1.0  # what customers were like before: means of strata, spread within
FIVE = np.sqrt(0.5) * (np.arange(5.0) - 2.0) / np.sqrt(2.0), np.sqrt(0.5)


def revenue(means: np.ndarray, sd: float) -> float:
    """Mean of what a customer brings: E[share of buyers (u) exp(LEVEL + SLOPE u)] with noise."""
    middle = np.exp(SLOPE * means + (SLOPE * sd) ** 2 / 2)
    above = scipy.special.ndtr((means + SLOPE * sd**2) / sd)
    each = middle * (OFTEN * above + SELDOM * (1.0 - above))
    return float(np.exp(LEVEL + NOISE**2 / 2) * each.mean())


def passives() -> float:
    """Share of answers 7 and 8 in control: what the arm can turn into promoters."""
    sd = np.sqrt(1.2**2 + 1.6**2)
    low, high = (scipy.special.ndtr((edge - 7.6) / sd) for edge in (6.5, 8.5))
    return float(high - low)


def truth(kind: str, lift: float, strata: bool) -> dict[str, tuple[float, float | None]]:
    """Ending of the row's name -> effect, and effect relative to control."""
    buyers = 0.5 * (SELDOM + OFTEN)
    if kind == "mean":
        return {"": (revenue(*(FIVE if strata else ONE)) * lift, lift)}
    if kind == "proportion":
        return {"": (buyers * lift, lift)}
    if kind == "ratio":
        return {"": (RATE * lift, lift)}
    if kind == "nps":
        return {"": (100.0 * PROMOTED * passives() * (lift > 0), None)}
    amount = np.exp(LEVEL + (SLOPE**2 + NOISE**2) / 2)
    return {", any": (buyers * lift, lift), ", of those with any": (0.0, 0.0),
            "": (buyers * amount * lift, lift)}  # fmt: skip


def outcome(kind: str, u, treated, lift: float, rng) -> dict[str, np.ndarray]:
    """Columns of one outcome; u: what a customer was like before."""
    n = u.size
    if kind == "ratio":
        sessions = 1.0 + rng.poisson(np.exp(0.6 * u), n)
        return {"y": rng.poisson(RATE * (1.0 + lift * treated) * sessions), "d": sessions}
    if kind == "nps":
        score = np.clip(np.round(7.6 + 1.2 * u + 1.6 * rng.normal(size=n)), 0, 10)
        moved = treated & (lift > 0) & (rng.random(n) < PROMOTED) & (score >= 7)
        return {"y": np.where(moved, np.maximum(score, 9.0), score)}
    chance = np.where(u > 0, OFTEN, SELDOM)
    if kind in ("proportion", "hurdle"):
        chance = chance * (1.0 + lift * treated)
    buys = rng.random(n) < chance
    if kind == "proportion":
        return {"y": buys.astype(float)}
    if kind == "hurdle":  # all buyers are alike, so that those with any compare like with like
        amount = np.exp(LEVEL + np.hypot(SLOPE, NOISE) * rng.normal(size=n))
        return {"y": np.where(buys, amount, 0.0)}
    amount = np.exp(LEVEL + SLOPE * u + NOISE * rng.normal(size=n))
    return {"y": np.where(buys, amount * (1.0 + lift * treated), 0.0)}


def study(kind: str, replications: int, n: int, seed: int, lift: float = 0.0, **how):
    """Rows of analyse for `replications` outcomes of one test with n units."""
    rng = np.random.default_rng(seed)
    treated = rng.permutation(n) < 0.4 * n
    adjusted, strata = how.get("adjust", "none") != "none", "strata" in how
    data: dict[str, np.ndarray] = {}
    if "cluster" in how:
        data["cluster"] = cluster = np.sort(rng.integers(0, 60, n))
        treated = (rng.permutation(60) < 24)[cluster]
    if strata:
        data["stratum"] = rng.integers(0, 5, n)
    data["arm"] = np.where(treated, "B", "A")
    metrics = []
    for place in range(replications):
        u = rng.normal(size=n)
        if "cluster" in how:
            u = np.sqrt(0.3) * rng.normal(size=60)[cluster] + np.sqrt(0.7) * u
        if strata:
            u = FIVE[0][data["stratum"]] + FIVE[1] * u
        made = outcome(kind, u, treated, lift, rng)
        data |= {f"{name}{place}": values for name, values in made.items()}
        data[f"x{place}"] = np.exp(0.4 * u)
        per = f"d{place}" if kind == "ratio" else None
        before = f"x{place}" if adjusted else None
        metrics.append(Metric(f"y{place}", kind, per=per, before=before, name=f"m{place}"))
    return analyse(
        pd.DataFrame(data), arm="arm", control="A", metrics=metrics, multiplicity="none", **how
    ).table
