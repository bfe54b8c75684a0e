"""90 per cent intervals of BG/BB hold the truth in 90 per cent of simulated worlds.

Customers are walked opportunity by opportunity, apart from the package's own simulation; the model
is fitted to what was seen, and asked for its parameters and for purchases to come.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import cxmodels as cx

THETA = np.array([1.2, 0.75, 0.66, 2.8])
AGES, AHEAD = np.array([4, 6, 8]), 6
TOTAL = "purchases of the base"


def replication(customers: int, seed: int) -> dict[str, float]:
    """Share of truths held by each kind of interval, in one simulated world."""
    rng = np.random.default_rng([seed, 31])
    T = rng.choice(AGES, customers)
    p, leaves = rng.beta(*THETA[:2], customers), rng.beta(*THETA[2:], customers)
    i = np.arange(1, AGES.max() + AHEAD + 1)[:, None]
    there = np.cumprod(rng.random((i.size, customers)) >= leaves, axis=0)
    bought = there * (rng.random(there.shape) < p)
    seen = bought * (i <= T)
    x, t_x = seen.sum(axis=0), (seen * i).max(axis=0)
    later = (bought * ((i > T) & (i <= T + AHEAD))).sum(axis=0)
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    base = cx.CustomerBase.from_summary(frame, unit="year")
    fit = cx.BGBB().fit(base)
    fit = replace(fit, objective=None, stored=fit.posterior(1000, seed=seed))
    found = fit.predict(base, horizon=f"{AHEAD}Y", draws=300, seed=seed)
    ends = fit.interval("posterior")
    held = (ends["lower"] <= THETA) & (ends["upper"] >= THETA)
    low, high = found["purchases_lower"], found["purchases_upper"]
    pmf = fit.conditional_pmf(np.arange(AHEAD + 1), base, horizon=f"{AHEAD}Y")
    below = np.concatenate([np.zeros((customers, 1)), pmf.cumsum(axis=1)], axis=1)
    each = np.arange(customers)
    place = below[each, later] + rng.random(customers) * pmf[each, later]
    draws = fit.posterior(300, seed=seed).values
    return {
        **dict(zip(fit.parameters.index, held.astype(float), strict=True)),
        TOTAL: _total(base, draws, later.sum(), rng),
        "purchases of a customer": float(((low <= later) & (later <= high)).mean()),
        "purchases of a customer, randomised": float(np.mean(np.abs(place - 0.5) <= 0.45)),
    }


def _total(base, draws, actual: int, rng: np.random.Generator) -> float:
    """Whether the simulated totals under the draws hold the actual one."""
    seen = base.profiles
    family = cx.BGBB()
    past = (seen.frequency.astype(float), seen.recency, seen.T)
    totals = []
    for theta in draws:
        alive = family.alive(theta, *past)[seen.row]
        counts = family.simulate_counts(alive, np.float64(AHEAD), rng)
        still = rng.random(counts.size) < family.p_alive(theta, *past)[seen.row]
        totals.append((counts * still).sum())
    lower, upper = np.quantile(totals, [0.05, 0.95])
    return float(lower <= actual <= upper)


def study(customers: int, runs: int) -> pd.Series:
    return pd.DataFrame([replication(customers, seed) for seed in range(runs)]).mean()


def test_small_study():
    runs = 16
    share = study(500, runs)
    lowest, highest = stats.binom.ppf([0.001, 0.999], runs, 0.9) / runs
    for name in ("alpha", "beta", "gamma", "delta", TOTAL):
        assert lowest <= share[name] <= highest, share
    assert share["purchases of a customer"] >= 0.88  # counts are discrete: at least 90 per cent
    assert 0.87 <= share["purchases of a customer, randomised"] <= 0.93, share


@pytest.mark.slow
def test_full_study():
    share = study(1500, 400)
    print(share)
    for name in ("alpha", "beta", "gamma", "delta", TOTAL):
        assert 0.87 <= share[name] <= 0.93, share
    assert 0.89 <= share["purchases of a customer, randomised"] <= 0.91, share
