"""90 per cent intervals of subscription models hold the truth in 90 per cent of simulated worlds.

A small study runs always, with limits that honest binomial counts keep; the full one is marked slow
and must land between 87 and 93 per cent. The plug-in interval (the estimate taken for the truth)
and the naive value (one constant retention rate) stand beside, and must fail.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import cxmodels as cx
from cxmodels.subscriptions.lifetime import further_renewals

LEVEL, D, YEARS = 0.90, 1.0 / 1.1, 20
FAMILIES = {
    "sBG": (cx.SBG(), np.array([0.9, 2.8])),
    "BdW": (cx.BDW(), np.array([0.8, 2.5, 1.3])),
    "Weibull-gamma": (cx.WeibullGamma(), np.array([1.1, 3.0, 1.2])),
}


def replication(family, theta, cohort, seed, draws=400):
    """Whether each interval held its truth, in one simulated world of five cohorts."""
    rng = np.random.default_rng([seed, 41])
    rows, actual, paid = [], [], 0.0
    for age in range(2, 7):
        ended = family.simulate(theta, cohort, rng)
        rows.append([*((ended > t).sum() for t in range(age + 1)), *[np.nan] * (6 - age)])
        active = ended[ended > age]
        actual.append((active > age + 5).sum())
        renewed = np.ceil(np.minimum(active, 1e6)) - 1.0 - age  # renewals after that of `age`
        paid += ((1.0 - D ** np.minimum(renewed, YEARS)) / (1.0 - D)).sum()
    base = cx.SubscriptionBase.from_cohorts(
        pd.DataFrame(rows, index=pd.Index(range(5), name="cohort")), unit="year"
    )
    fit = family.fit(base)
    options = {"level": LEVEL, "draws": draws, "seed": seed}
    wald = fit.parameters
    held = {
        f"parameter {name}": _in(truth, wald.loc[name])
        for name, truth in zip(wald.index, theta, strict=True)
    }
    survival = np.exp(family.log_ratio(theta, 0.0, 10.0))
    held["survival to 10"] = _in(survival, fit.survival(10, **options).iloc[0])
    rate = np.exp(family.log_ratio(theta, 8.0, 9.0))
    held["retention at 9"] = _in(rate, fit.retention_rate(9, **options).iloc[0])
    life = further_renewals(family, theta[None], np.array([3.0]), force=-np.log(D)).mean[0, 0]
    found = cx.residual_lifetime(fit, 3, discount_rate=0.1, **options).iloc[0]
    held["discounted lifetime"] = _in(life, found)
    ahead = fit.predict(base, horizon=5, **options)
    inside = (ahead["customers_lower"] <= actual) & (actual <= ahead["customers_upper"])
    held["customers of a cohort"] = float(inside.mean())
    value = cx.subscription_value(fit, base, discount_rate=0.1, horizon=YEARS, **options).total
    held["value of the base"] = _in(paid, value.iloc[0])
    half = (value["upper"] - value["lower"]) / 2.0
    held["value, constant retention"] = float(abs(value["naive_value"][0] - paid) < half[0])
    return held


def _in(truth, row):
    return float(row["lower"] <= truth <= row["upper"])


def study(name, runs, cohort, first=0):
    family, theta = FAMILIES[name]
    return pd.DataFrame(
        [replication(family, theta, cohort, seed) for seed in range(first, first + runs)]
    ).mean()


@pytest.mark.parametrize(("name", "runs"), [("sBG", 14), ("Weibull-gamma", 14)])
def test_small_study(name, runs):
    share = study(name, runs, 400)
    # one truth a run: fewer or more than this are 1 chance in 1,000 each
    lowest, highest = stats.binom.ppf([0.001, 0.999], runs, LEVEL) / runs
    kinds = [kind for kind in share.index if "constant" not in kind]
    assert (share[kinds] >= lowest).all(), share
    assert (share[kinds] <= highest).all(), share
    assert share["value, constant retention"] < 0.2, share


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_full_study(name):
    share = study(name, 400, 1000)
    print(share)
    kinds = [kind for kind in share.index if "constant" not in kind]
    assert (share[kinds] >= 0.87).all(), share
    assert (share[kinds] <= 0.93).all(), share
    assert share["value, constant retention"] < 0.1, share
