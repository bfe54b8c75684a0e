"""Are intervals of covariates honest, and does leaving covariates out show?

Customers of two channels and many levels of satisfaction are walked through purchase by purchase
with known effects; a fit sees the first part of their lives alone. Run many times, 90 per cent
intervals hold the true effects, and the purchases of each channel, in 90 per cent of the runs. The
naive fit, which is blind to the channel, misses each channel's total, in opposite directions.
"""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from tests.laws.populations import walk

WEEKS, AGES, LEVEL = 39, (30.0, 45.0), 0.9
COMMON = np.array([0.7, 6.0, 0.8, 2.4])  # r, alpha, a, b of a shop's customer with a score of 7
BUYS, LEAVES, SCORE = 0.7, -0.8, 0.15  # effects of web on buying and leaving, of score on buying
ASKED = {"purchase": "~ channel + score", "dropout": "~ channel"}


def world(customers: int, seed: int) -> tuple[cx.CustomerBase, np.ndarray]:
    """A base, and what each customer bought in the WEEKS after it."""
    rng = np.random.default_rng([seed, 5])
    web, score = rng.random(customers) < 0.4, rng.normal(7.0, 1.5, customers).round(1)
    r, alpha, a, b = COMMON
    lam = rng.gamma(r, 1 / alpha, customers) * np.exp(BUYS * web + SCORE * (score - 7))
    odds = a / b * np.exp(LEAVES * web)
    mean = odds / (1 + odds)
    p = rng.beta((a + b) * mean, (a + b) * (1 - mean))
    T = rng.uniform(*AGES, customers)
    found = walk(lam, p, T + WEEKS, rng)
    early = found.time <= T[found.customer]
    x = np.bincount(found.customer[early], minlength=customers)
    t_x = np.zeros(customers)
    np.maximum.at(t_x, found.customer[early], found.time[early])
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T, "score": score})
    frame["channel"] = np.where(web, "web", "shop")
    later = np.bincount(found.customer[~early], minlength=customers)
    base = cx.CustomerBase.from_summary(frame, unit="week", covariates=["channel", "score"])
    return base, later


def replication(seed: int, customers: int = 1200) -> dict[str, float]:
    base, later = world(customers, seed)
    fit, naive = cx.BGNBD().fit(base, **ASKED), cx.BGNBD().fit(base)
    found = fit.interval("wald", LEVEL)
    truth = {
        "purchase: channel[web]": BUYS, "purchase: score": SCORE, "dropout: channel[web]": LEAVES,
    }  # fmt: skip
    held = {
        name: float(found.loc[name, "lower"] <= value <= found.loc[name, "upper"])
        for name, value in truth.items()
    }
    expected, blind = (
        one.predict(base, horizon=f"{WEEKS}W", draws=20)["expected_purchases"]
        for one in (fit, naive)
    )
    for channel in ("web", "shop"):
        mine = (base.table["channel"] == channel).to_numpy()
        total = later[mine].sum()
        held[f"{channel}, bias"] = expected[mine].sum() / total - 1.0
        held[f"{channel}, bias of the naive fit"] = blind[mine].sum() / total - 1.0
    return held


def study(replications: int, first: int = 0, customers: int = 1200) -> pd.DataFrame:
    return pd.DataFrame([replication(first + seed, customers) for seed in range(replications)])


def check(table: pd.DataFrame, tolerance: float) -> None:
    mean = table.mean()
    for name in ("purchase: channel[web]", "purchase: score", "dropout: channel[web]"):
        assert abs(mean[name] - LEVEL) < tolerance, mean
    error = table.std() / np.sqrt(len(table))
    for channel in ("web", "shop"):
        assert abs(mean[f"{channel}, bias"]) < 0.015 + 3 * error[f"{channel}, bias"], mean
    # a channel-blind fit expects too little of the loyal and too much of the others
    assert mean["web, bias of the naive fit"] < -0.04, mean
    assert mean["shop, bias of the naive fit"] > 0.04, mean


def test_effects_are_recovered_and_the_naive_fit_is_biased():
    # 12 runs: an interval of 90 per cent holds 9 or more of 12 truths with probability .97
    check(study(12, customers=900), 0.2)


@pytest.mark.slow
def test_coverage_of_effects():
    # 200 runs: the standard error of a share of .9 is .021
    check(study(200, first=100), 0.045)
