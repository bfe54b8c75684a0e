"""A change of covariates from now on: exact where there is an integral, true in simulation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy

import cxmodels as cx
from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.weibull_gamma import WeibullGamma

TERMS = {"discount_rate": 0.1, "horizon": "24M", "margin": 0.3}
BUYS, LEAVES, ORDER = 0.1, -0.15, 10.0  # set effects of a point, mean order
YEAR = 365.2425 / 7.0
FORCE, AHEAD = np.log(1.1) / YEAR, 2.0 * YEAR


def world(n: int, seed: int, leaves: float = LEAVES) -> tuple:
    """Customers with scores 0 to 10 that move buying and leaving (SIMULATED): base, scores, and
    the true rates and whether each is alive."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 11, n)
    rate = rng.gamma(0.8, 1 / 8.0, n) * np.exp(BUYS * (score - 6))
    danger = rng.gamma(1.0, 1 / 40.0, n) * np.exp(leaves * (score - 6))
    T = rng.uniform(30, 60, n)
    life = rng.exponential(1.0 / danger)
    seen = np.minimum(T, life)
    x = rng.poisson(rate * seen)
    last = np.where(x > 0, seen * rng.random(n) ** (1.0 / np.maximum(x, 1)), 0.0)
    level = 6.0 * ORDER * 2.0 / rng.gamma(3.0, 1.0, n)  # mean of means: 6 * 20 / 2 / 6 = ORDER
    paid = np.where(x > 0, rng.gamma(6.0 * np.maximum(x, 1)) * level / 6.0 / np.maximum(x, 1), 0)
    paid = paid / 6.0
    frame = pd.DataFrame({"customer_id": np.arange(n), "frequency": x, "recency": last, "T": T,
                          "monetary_value": np.where(x > 0, paid, np.nan)})  # fmt: skip
    base = cx.CustomerBase.from_summary(frame, unit="week", currency="EUR")
    return base, pd.DataFrame({"customer_id": frame["customer_id"], "score": score}), (
        rate, danger, life > T, level / 6.0)  # fmt: skip


def changed(base, scores):
    return base.with_covariates(scores), base.with_covariates(
        scores.assign(score=scores["score"] + 1)
    )


def test_without_leaving_it_is_a_formula():
    base, scores, _ = world(1_500, 2)
    before, after = changed(base, scores)
    fit, spend = cx.NBD().fit(before, purchase="~ score"), cx.GammaGamma().fit(before)
    found = cx.value_change(fit, before, after, spend_fit=spend, **TERMS).table
    r, alpha = fit.at(score=0).theta
    effect, table = fit.theta[-1], before.table
    own = (r + table["frequency"]) / (alpha * np.exp(-effect * table["score"]) + table["T"])
    order = spend.predict(before).set_index("customer_id")["expected_spend"]
    kept = -np.expm1(-FORCE * AHEAD) / FORCE * 0.3
    worth = own.to_numpy() * order.reindex(table["customer_id"]).to_numpy() * kept
    assert found["before"][0] == pytest.approx(worth.sum(), rel=2e-3)  # calendar months
    assert found["per_cent"][0] == pytest.approx(100 * np.expm1(effect), rel=1e-9)
    assert found["after"][1] * 1_500 == pytest.approx(found["after"][0])


@pytest.mark.parametrize("x, t_x", [(0, 0.0), (4, 30.0), (4, 8.0)])
def test_a_customer_is_what_the_integral_over_both_rates_gives(x, t_x):
    base, scores, _ = world(1_500, 3)
    before = base.with_covariates(scores)
    fit, spend = (
        cx.ParetoNBD().fit(before, purchase="~ score", dropout="~ score"),
        cx.GammaGamma().fit(before),
    )
    one = pd.DataFrame({"customer_id": [1], "frequency": [x], "recency": [t_x], "T": [40.0],
                        "monetary_value": [12.0 if x else np.nan]})  # fmt: skip
    alone = cx.CustomerBase.from_summary(one, unit="week", currency="EUR")
    kind = pd.DataFrame({"customer_id": [1], "score": [7]})
    found = cx.value_change(fit, *changed(alone, kind), spend_fit=spend, draws=50, **TERMS).table
    r, alpha, s, beta = fit.at(score=7).theta
    own, (buys, leaves) = ((r, alpha), (s, beta)), fit.theta[4:]
    nodes = [scipy.stats.gamma(a, scale=1 / b) for a, b in own]
    u = (np.arange(600) + 0.5) / 600
    lam, mu = np.meshgrid(nodes[0].ppf(u), nodes[1].ppf(u), indexing="ij")
    later = lam**x * np.exp(-(lam + mu) * 40.0)  # alive at T, and x purchases
    gone = lam**x * mu / (lam + mu) * (np.exp(-(lam + mu) * t_x) - np.exp(-(lam + mu) * 40.0))
    total = (later + gone).sum()

    def worth(more: float, less: float) -> float:
        rate = FORCE + mu * less
        return float((later * lam * more * -np.expm1(-rate * AHEAD) / rate).sum() / total)

    order = 0.3 * float(spend.predict(alone)["expected_spend"].iloc[0])
    assert found["before"][0] == pytest.approx(order * worth(1.0, 1.0), rel=6e-3)
    assert found["after"][0] == pytest.approx(order * worth(np.exp(buys), np.exp(leaves)), rel=6e-3)


def test_it_starts_from_the_value_of_the_base():
    base, scores, _ = world(1_500, 4)
    before, after = changed(base, scores)
    spend = cx.GammaGamma().fit(before)
    for family in (cx.BGNBD(), cx.ParetoNBD()):
        fit = family.fit(before, purchase="~ score", dropout="~ score")
        found = cx.value_change(fit, before, after, spend_fit=spend, draws=100, **TERMS)
        values = [cx.lifetime_value(fit, spend, b, draws=50, **TERMS) for b in (before, after)]
        row = found.table.set_index("item")
        assert row["before"].iloc[0] == pytest.approx(values[0].equity["estimate"][0], rel=1e-4)
        new = [value.new_customer["lifetime_value"][0] for value in values]
        assert row.loc["a new customer", ["before", "after"]].tolist() == pytest.approx(new, 1e-5)
        assert (row["lower"] < row["change"]).all() and (row["change"] < row["upper"]).all()
        still = cx.value_change(fit, before, before, spend_fit=spend, draws=50, **TERMS).table
        assert still["change"].abs().max() == 0.0


def worlds(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each interval holds the truth, the estimate and the naive one as shares of it."""
    held, ours, naive = [], [], []
    for seed in range(count):
        base, scores, (rate, danger, alive, order) = world(2_500, 100 + seed)
        before, after = changed(base, scores)
        fit = cx.ParetoNBD().fit(before, purchase="~ score", dropout="~ score")
        spend = cx.GammaGamma().fit(before)
        row = cx.value_change(fit, before, after, spend_fit=spend, **TERMS).table.iloc[0]

        def worth(lam, mu, order=order, alive=alive):
            faced = FORCE + mu
            return 0.3 * float((order * lam * -np.expm1(-faced * AHEAD) / faced)[alive].sum())

        truth = worth(rate * np.exp(BUYS), danger * np.exp(LEAVES)) - worth(rate, danger)
        held.append(row["lower"] <= truth <= row["upper"])
        ours.append(row["change"] / truth)
        joined = [
            cx.lifetime_value(fit, spend, b, draws=2, **TERMS).equity["estimate"][0]
            for b in (before, after)
        ]
        naive.append((joined[1] - joined[0]) / truth)
    return np.array(held), np.array(ours), np.array(naive)


def test_the_truth_is_found_and_the_naive_answer_is_a_third_of_it():
    _, ours, naive = worlds(2)
    assert abs(ours.mean() - 1.0) < 0.2
    assert naive.max() < 0.6  # other covariates joined to the base as if they had always held


@pytest.mark.slow
def test_coverage():
    """The truth is of customers as they are: their own chance beside that of the parameters, which
    the interval leaves out, costs little at this size."""
    held, ours, naive = worlds(200)
    print(f"held {held.mean():.3f}, ours {ours.mean():.3f}, naive {naive.mean():.3f}")
    assert 0.80 <= held.mean() <= 0.95
    assert abs(ours.mean() - 1.0) < 0.03


def contracts(n: int, seed: int) -> pd.DataFrame:
    """SIMULATED contracts of a score that moves leaving by -.2 a point."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 11, n)
    odds = -2.2 - 0.2 * (score - 6) + rng.normal(0, 0.4, n)
    life = rng.geometric(scipy.special.expit(odds))
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    end = [day + pd.DateOffset(months=int(k)) for day, k in zip(start, life, strict=True)]
    ended = pd.Series(end).where(pd.Series(end) <= pd.Timestamp("2025-06-30"))
    return pd.DataFrame({"customer_id": np.arange(n), "start": start, "end": ended, "score": score})


def subscription_bases(n: int = 800, seed: int = 5) -> list:
    frame = contracts(n, seed)
    made = {"customer": "customer_id", "start": "start", "end": "end", "unit": "month",
            "as_of": "2025-06-30", "covariates": ["score"]}  # fmt: skip
    return [
        cx.SubscriptionBase.from_contracts(frame.assign(score=frame["score"] + more), **made)
        for more in (0, 1)
    ]


@pytest.mark.parametrize(
    "family", [cx.SBG, pytest.param(cx.BDW, marks=pytest.mark.slow), cx.WeibullGamma]
)
def test_contracts(family):
    before, after = subscription_bases()
    fit = family(leaving="~ score").fit(before)
    found = cx.value_change(
        fit, before, after, discount_rate=0.1, horizon="24M", amount=5.0, draws=100
    ).table.set_index("item")
    value = cx.subscription_value(fit, before, discount_rate=0.1, horizon="24M", amount=5.0)
    assert found["before"].iloc[0] == pytest.approx(value.total["residual_value"][0], rel=1e-9)
    assert (found["lower"] > 0).all()
    kinds = before.contracts.query("active")["score"].value_counts()
    for name, more in (("before", 0), ("after", 1)):
        each = [
            5.0 * float(
                cx.residual_lifetime(
                    fit, 0, discount_rate=0.1, horizon="24M", at={"score": score + more}, draws=2
                )["discounted_lifetime"].iloc[0]
            )
            for score in kinds.index
        ]  # fmt: skip
        mean = np.average(each, weights=kinds)
        assert found.loc["renewals of a new customer", name] == pytest.approx(mean, rel=1e-9)
    endless = cx.value_change(
        fit, before, after, discount_rate=0.1, horizon=None, amount=5.0, draws=50
    ).table
    whole = cx.subscription_value(fit, before, discount_rate=0.1, horizon=None, amount=5.0)
    assert endless["before"][0] == pytest.approx(whole.total["residual_value"][0], rel=1e-6)


def test_survival_under_a_change_is_an_integral_over_customers():
    """Each has a danger of their own, which survival to 6 has sorted, and which then is moved."""
    r, alpha, c, shift, change = 0.8, 20.0, 1.3, 0.3, -0.5
    u = (np.arange(400_000) + 0.5) / 400_000
    own = scipy.stats.gamma(r).ppf(u)
    first = np.exp(-own * np.exp(shift) * (6 / alpha) ** c)
    then = own * np.exp(shift + change) * ((15 / alpha) ** c - (6 / alpha) ** c)
    expected = (first * np.exp(-then)).mean() / first.mean()
    theta = np.array([r, alpha, c])
    found = float(np.exp(WeibullGamma().log_ratio_moved(theta, 6.0, 15.0, (shift, change))))
    assert found == pytest.approx(expected, rel=1e-5)
    theta = np.array([0.7, 3.0, 1.3])
    stays = BDW().log_ratio_moved(theta, 6.0, 15.0, (0.3, 0.0))
    assert stays == pytest.approx(BDW().log_ratio(theta, 6.0, 15.0, 0.3), rel=1e-12)
    a, b = 0.7, 3.0 + 6**1.3
    odds = a / b * np.exp(-0.5)
    a, b = (a + b) * odds / (1 + odds), (a + b) / (1 + odds)
    beta = scipy.special.betaln
    expected = beta(a, b + 15**1.3 - 6**1.3) - beta(a, b)
    assert BDW().log_ratio_moved(theta, 6.0, 15.0, (0.0, -0.5)) == pytest.approx(expected)


def test_reliability_multiplies_the_effect():
    base, scores, _ = world(1_200, 6)
    before, after = changed(base, scores)
    fit = cx.NBD().fit(before, purchase="~ score")
    spend = cx.GammaGamma().fit(before)
    half = cx.value_change(fit, before, after, spend_fit=spend, reliability=0.5, **TERMS)
    effect = fit.theta[-1]
    assert half.table["per_cent"][0] == pytest.approx(100 * np.expm1(2 * effect), rel=1e-9)
    two = base.with_covariates(scores.assign(score=scores["score"] + 2))
    whole = cx.value_change(fit, before, two, spend_fit=spend, **TERMS)
    assert half.table["after"].tolist() == pytest.approx(whole.table["after"].tolist(), rel=1e-9)
    assert "0.5" in half.notes[1] and "too small" in whole.notes[1]


def test_refusals():
    base, scores, _ = world(300, 7)
    before, after = changed(base, scores)
    fit, spend = cx.NBD().fit(before, purchase="~ score"), cx.GammaGamma().fit(before)
    alike = cx.NBD().fit(before)

    def refused(words, fit=fit, before=before, after=after, **terms):
        terms = {"spend_fit": spend, **TERMS, **terms}
        with pytest.raises(cx.OptionError, match=words):
            cx.value_change(fit, before, after, **terms)

    refused("no covariates", fit=alike)
    refused("not the same customers", after=replace(after, table=after.table.iloc[:-1]))
    refused("spend_fit", spend_fit=None)
    refused("reliability", reliability=0.0)
    refused("takes a fit", fit="fit")
    refused("level", level=90)
    refused("below 50", draws=1)
    one, two = subscription_bases(200)
    contract = cx.SBG(leaving="~ score").fit(one)
    refused("amount", fit=contract, before=one, after=two)
    refused(
        "no covariates", fit=cx.SBG().fit(one), before=one, after=two, spend_fit=None, amount=1.0
    )
    counted = cx.SubscriptionBase.from_survivors([100, 80, 70], unit="month")
    refused(
        "from_contracts", fit=contract, before=counted, after=counted, spend_fit=None, amount=1.0
    )
