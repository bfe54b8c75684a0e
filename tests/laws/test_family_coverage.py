"""Are intervals honest in every family? Customers of each are simulated from known parameters, seen
for a while, and followed on. Run many times, 90 per cent intervals hold the parameters, and what
all customers buy in the half year that follows, in 90 per cent of the runs; intervals of one
customer's count hold at least that, since counts are whole.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.simulation import future_counts
from tests.laws.test_purchase_laws import CONTINUOUS, TRUTHS

LEVEL, DRAWS, AHEAD = 0.9, 400, 26.0
TOTAL, COUNT = "purchases of the base", "purchases of a customer"
QUICK = ("NBD", "MBG/NBD", "BG/NBD")  # the others are studied in the slow test alone
KNOWN = {family.name: family for family in CONTINUOUS}


def replication(name: str, customers: int, seed: int) -> dict[str, float]:
    """What the intervals of one simulated world held."""
    family, theta = KNOWN[name], TRUTHS[name]
    base, later = world(family, theta, customers, seed)
    fit = family.fit(base)
    ends = fit.posterior(DRAWS, seed=seed).table.quantile([0.05, 0.95])
    held = {
        parameter: float(low <= truth <= high)
        for parameter, truth, low, high in zip(
            fit.family.space.names, theta, *ends.values, strict=True
        )
    }
    linked, seen = fit.on(base)
    sample = fit.posterior(DRAWS, seed=seed).values
    inside, rng = 0, np.random.default_rng(seed)
    for part, _, counts in future_counts(linked.family, sample, seen, AHEAD, rng):
        rows = np.flatnonzero((seen.row >= part.start) & (seen.row < part.stop))
        low, high = np.quantile(counts, [0.05, 0.95], axis=0, method="inverted_cdf")
        place = seen.row[rows] - part.start
        inside += ((low[place] <= later[rows]) & (later[rows] <= high[place])).sum()
    # customers who share a history share its draws: each needs futures of their own for a total
    total = total_of(linked.family, sample, seen, later.size, rng)
    low, high = np.quantile(total, [0.05, 0.95])
    return held | {TOTAL: float(low <= later.sum() <= high), COUNT: inside / later.size}


def total_of(
    family: PurchaseFamily, sample: np.ndarray, seen, customers: int, rng: np.random.Generator
) -> np.ndarray:
    """(d,): simulated purchases of all customers, each alone, under each draw."""
    x, t_x, T = seen.frequency.astype(float)[seen.row], seen.recency[seen.row], seen.T[seen.row]
    found = np.zeros(len(sample))
    for place, theta in enumerate(sample):
        alive = family.alive(theta, x, t_x, T)
        counts = family.simulate_counts(alive, np.float64(AHEAD), rng)
        found[place] = counts[rng.random(customers) < family.p_alive(theta, x, t_x, T)].sum()
    return found


def world(
    family: PurchaseFamily, theta: np.ndarray, customers: int, seed: int
) -> tuple[CustomerBase, np.ndarray]:
    """Simulated customers of two ages, and what each buys in the weeks ahead."""
    rng = np.random.default_rng([seed, 31])
    T = np.where(np.arange(customers) % 2, 45.0, 36.0)
    walked = family.simulate(np.broadcast_to(theta, (customers, theta.size)), T + AHEAD, rng)
    early = walked.time <= T[walked.customer]
    x = np.bincount(walked.customer[early], minlength=customers)
    t_x = np.zeros(customers)
    np.maximum.at(t_x, walked.customer[early], walked.time[early])
    later = np.bincount(walked.customer[~early], minlength=customers)
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    return CustomerBase.from_summary(frame, unit="week"), later


def study(name: str, runs: int, customers: int = 1200, processes: int = 1) -> pd.DataFrame:
    asked = ([name] * runs, [customers] * runs, range(runs))
    if processes == 1:
        return pd.DataFrame(map(replication, *asked))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return pd.DataFrame(pool.map(replication, *asked, chunksize=4))


@pytest.mark.parametrize("name", QUICK)
def test_small_study(name):
    """16 worlds: 10 or fewer hold a truth with probability .003 where 90 per cent should."""
    held = study(name, 16, customers=600)
    assert (held.drop(columns=COUNT).sum() > 10).all(), held.mean()
    assert held[COUNT].mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_full_study(name):
    """200 worlds: the standard error of a share is 2.1 per cent."""
    share = study(name, 200, processes=2).mean()
    print(name, share.round(3).to_dict())
    assert 0.86 <= share[TOTAL] <= 0.94, share
    assert share[COUNT] >= 0.9, share
    assert (share.drop([TOTAL, COUNT]).between(0.85, 0.95)).all(), share
