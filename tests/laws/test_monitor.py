"""A running test watched: sizes at any number of looks, known harm found, peeking shown to fail.

Many outcome columns of one simulated test are replications, so one call watches them all.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy

from cxmodels.experiments.arm_balance import balance
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moments import moments
from cxmodels.experiments.monitor import monitor
from cxmodels.experiments.multinomial_sequence import always_valid, log_odds
from cxmodels.experiments.plan import TestPlan
from cxmodels.experiments.randomisation_omnibus import omnibus
from cxmodels.experiments.sample_ratio import ratio_p, response_p, sample_ratio

LEVEL, MARGIN = 0.9, 0.25


def plan_of(metrics, looks, **more):
    return TestPlan(
        question="Do calls keep customers?", lever="call", cost=2.5, unit="id",
        arms=("as now", "call"), start="2026-03-01", end="2026-03-30", looks=looks,
        value="margin", level=LEVEL, metrics=tuple(metrics), **more,
    )  # fmt: skip


def world(replications: int, effect: float, seed: int, units: int = 3_000) -> pd.DataFrame:
    """A test of 30 days; y0, y1, ...: skewed outcomes, each a replication (its own noise)."""
    rng = np.random.default_rng(seed)
    arm = rng.random(units) < 0.5
    y = rng.gamma(2.0, 1.0, (units, replications)) + effect * arm[:, None]
    frame = pd.DataFrame(y, columns=[f"y{k}" for k in range(replications)])
    day = pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.integers(0, 30, units), "D")
    return frame.assign(id=np.arange(units), arm=np.where(arm, "call", "as now"), day=day)


def looks_of(replications, effect, seed, looks, margin=None, kind="planned"):
    """Rows of looks; metrics of a hundred columns at once."""
    parts = []
    for start in range(0, replications, 100):
        size = min(100, replications - start)
        seen = world(size, effect, seed + start)
        role = {"role": "spend"} if margin is None else {"margin": margin}
        metrics = [Metric(f"y{k}", **role) for k in range(size)]
        if margin is not None:
            metrics.append(Metric("y0", name="other", role="spend"))
        found = monitor(seen, plan=plan_of(metrics, looks), day="day", looks=kind).looks
        found = found[found["metric"] != "other"]
        parts.append(found.assign(metric=found["metric"] + f" {start}"))
    return pd.concat(parts)


def ever(rows, states):
    return rows["state"].isin(states).groupby(rows["metric"]).any().mean()


def within(share, nominal, n, errors=3.0):
    return abs(share - nominal) < errors * np.sqrt(nominal * (1 - nominal) / n)


CASES = [
    (200, 5),
    pytest.param(1_000, 5, marks=pytest.mark.slow),
    pytest.param(1_000, 15, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("replications, looks", CASES)
def test_false_alarms_at_planned_looks_are_nominal_and_peeking_is_not(replications, looks):
    rows = looks_of(replications, 0.0, 11, looks)
    assert len(rows) == replications * looks
    found = ever(rows, ["better", "worse"])
    assert within(found, 1 - LEVEL, replications)
    z = scipy.stats.norm.ppf((1 + LEVEL) / 2)
    peeked = (rows["estimate"].abs() > z * rows["std_error"]).groupby(rows["metric"]).any().mean()
    assert peeked > 0.2  # twice the nominal and more


@pytest.mark.parametrize("replications", [50, pytest.param(1_000, marks=pytest.mark.slow)])
def test_false_alarms_looked_at_daily_stay_below_nominal(replications):
    rows = looks_of(replications, 0.0, 23, 1, kind="always")
    assert rows["look"].max() == 30
    found = ever(rows, ["better", "worse"])
    assert found < 1 - LEVEL + 3.0 * np.sqrt(0.09 / replications)
    shown = rows.dropna(subset="lower")
    z = scipy.stats.norm.ppf((1 + LEVEL) / 2)
    peeked = (shown["estimate"].abs() > z * shown["std_error"]).groupby(shown["metric"]).any()
    assert peeked.mean() > 0.3


@pytest.mark.parametrize("replications", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_guardrail_on_its_margin_breaks_and_holds_seldom(replications):
    """At the margin itself either word is false; each side has half of what the level leaves."""
    rows = looks_of(replications, -MARGIN, 37, 5, margin=MARGIN)
    assert (rows["line"] == -MARGIN).all()
    for state in ("broken", "holds"):
        assert within(ever(rows, [state]), (1 - LEVEL) / 2, replications)


def test_harm_is_found_and_soundness_is_known():
    harmed = looks_of(100, -3.0 * MARGIN, 41, 5, margin=MARGIN)
    assert ever(harmed, ["broken"]) > 0.99
    sound = looks_of(100, 0.0, 43, 5, margin=MARGIN)
    assert ever(sound[sound["look"] == 5], ["holds"]) > 0.85
    assert ever(sound, ["broken"]) == 0.0


def test_lower_is_better_turns_the_line():
    seen = world(1, 1.0, 3)
    metrics = [Metric("y0", margin=MARGIN, better="lower"), Metric("y0", name="n", role="spend")]
    found = monitor(seen, plan=plan_of(metrics, 2), day="day")
    own = found.looks[found.looks["metric"] == "y0"]
    assert (own["line"] == MARGIN).all() and (own["state"] == "broken").all()
    assert found.stop and found.sentence.startswith("Stop for harm: at look 1, y0 of call")
    assert found.looks.loc[found.looks["metric"] == "n", "state"].tolist() == ["better", "better"]


def test_days_kept_apart_are_the_rows_read_at_once():
    seen = world(2, 0.1, 5)
    plan = plan_of([Metric("y0", role="spend"), Metric("y1", margin=1.0)], 6)
    whole = monitor(seen, plan=plan, day="day")
    days = {day: moments(own, arm="arm", metrics=plan.metrics, unit="id")
            for day, own in seen.sample(frac=1.0, random_state=1).groupby("day")}  # fmt: skip
    kept = monitor(dict(reversed(days.items())), plan=plan)
    pd.testing.assert_frame_equal(kept.looks, whole.looks)
    assert kept.sentence == whole.sentence
    pd.testing.assert_frame_equal(kept.sample_ratio.days, whole.sample_ratio.days.query(
        "kind == 'assignment'"))  # fmt: skip
    last = whole.looks[whole.looks["look"] == 6].iloc[0]
    arms = seen.groupby("arm")["y0"]
    gap = arms.mean()["call"] - arms.mean()["as now"]
    assert last["estimate"] == pytest.approx(gap, rel=1e-12)
    assert last["std_error"] == pytest.approx(np.sqrt((arms.var() / arms.size()).sum()), rel=1e-12)


def test_strata_and_clusters_of_the_plan_are_kept_day_by_day():
    seen = world(1, 0.0, 7).assign(region=lambda t: np.where(t["id"] % 3 == 0, "a | b", "c"))
    plan = plan_of([Metric("y0", role="spend")], 1, strata=("region",))
    found = monitor(seen, plan=plan, day="day").looks.iloc[-1]
    pairs = seen.groupby(["region", "arm"])["y0"].mean().unstack()
    weight = seen.groupby("region").size() / len(seen)
    assert found["estimate"] == pytest.approx(
        float(((pairs["call"] - pairs["as now"]) * weight).sum())
    )
    shop = seen["id"] // 10
    seen = seen.assign(shop=shop, arm=np.where(shop % 2, "call", "as now"))
    shared = np.random.default_rng(1).normal(size=400)[shop]  # what units of a shop share
    seen["y0"] += shared
    both = [monitor(seen, plan=plan_of([Metric("y0", role="spend")], 1, cluster=cluster),
                    day="day") for cluster in ("shop", "")]  # fmt: skip
    errors = [found.looks.iloc[-1]["std_error"] for found in both]
    assert errors[0] > 1.5 * errors[1]
    assert both[0].sample_ratio.table["units"].sum() == 300
    assert both[1].sample_ratio.table["units"].sum() == 3_000


# Arms' sizes


def test_always_valid_odds_are_those_of_a_beta_binomial():
    counts = np.array([[3.0, 5.0], [40.0, 10.0], [70.0, 90.0]])
    share = np.array([0.4, 0.6])
    n = counts.sum(axis=1)
    mixed = scipy.stats.betabinom.logpmf(counts[:, 0], n, 50.0 * 0.4, 50.0 * 0.6)
    plain = scipy.stats.binom.logpmf(counts[:, 0], n, 0.4)
    assert log_odds(counts, share, 50.0) == pytest.approx(mixed - plain, abs=1e-9)


@pytest.mark.parametrize("replications", [500, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.6, 0.3)])
def test_arms_looked_at_daily(replications, shares):
    rng = np.random.default_rng(3)
    wanted = np.array(shares)
    daily = rng.multinomial(200, wanted, size=(replications, 60)).cumsum(axis=1).astype(float)
    p = np.array([always_valid(each, wanted)[-1] for each in daily])
    for alpha in (0.01, 0.05, 0.2):
        assert (p < alpha).mean() < alpha + 3 * np.sqrt(alpha * (1 - alpha) / replications)
    last = np.array([[ratio_p(row, wanted) for row in each[9::10]] for each in daily[:300]])
    naive = (last.min(axis=1) < 0.05).mean()
    assert naive > 0.1  # six looks at .05
    assert within((last[:, -1] < 0.05).mean(), 0.05, 300)
    off = wanted + np.where(np.arange(wanted.size) == 0, 0.03, -0.03 / (wanted.size - 1))
    lost = rng.multinomial(200, off, size=(200, 60)).cumsum(axis=1).astype(float)
    assert np.mean([always_valid(each, wanted)[-1] < 0.01 for each in lost]) > 0.9


def test_few_units_are_judged_exactly():
    shares = np.array([0.5, 0.3, 0.2])
    seen = np.array([1.0, 1.0, 6.0])
    every = [c for c in itertools.product(range(9), repeat=3) if sum(c) == 8]

    def statistic(c):
        return float(((np.array(c) - 8 * shares) ** 2 / (8 * shares)).sum())

    chance = [scipy.stats.multinomial.pmf(c, 8, shares) for c in every]
    exact = sum(x for x, c in zip(chance, every, strict=True)
                if statistic(c) >= statistic(seen) - 1e-9)  # fmt: skip
    assert ratio_p(seen, shares) == pytest.approx(exact, abs=4 * np.sqrt(exact / 9_999))
    assert ratio_p(np.array([0.0, 6.0]), np.array([0.5, 0.5])) == pytest.approx(2 / 64)


@pytest.mark.parametrize("clustered", [False, True])
def test_size_of_the_test_of_response(clustered):
    rng = np.random.default_rng(9)
    found = []
    for _ in range(600):
        if not clustered:
            units = rng.multinomial(800, [0.4, 0.6])
            found.append(response_p(units.astype(float), rng.binomial(units, 0.3).astype(float)))
            continue
        rate = np.repeat(rng.beta(0.6, 1.4, 60), 12)
        arm = np.repeat(np.isin(np.arange(60), rng.permutation(60)[:30]), 12)
        y = rng.random(720) < rate
        score = np.bincount(np.repeat(np.arange(60), 12), y - y.mean())
        own = omnibus(score[:, None], arm[::12].astype(int), np.zeros(60, dtype=int)).p_value
        units = np.array([360.0, 360.0])
        found.append((own, response_p(units, np.array([y[~arm].sum(), y[arm].sum()], float))))
    p = np.array(found)
    if clustered:
        assert (p[:, 1] < 0.05).mean() > 0.2  # units of one cluster taken for strangers
        p = p[:, 0]
    assert within((p < 0.05).mean(), 0.05, len(p))


def test_a_mismatch_is_found_where_it_lies():
    rng = np.random.default_rng(4)
    n = 12_000
    seen = pd.DataFrame({
        "arm": rng.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2]),
        "device": rng.choice(["web", "ios", "android", None], n),
        "country": rng.choice(["DE", "FR"], n), "y": rng.normal(size=n),
    })  # fmt: skip
    shares = {"A": 5, "B": 3, "C": 2}
    sound = sample_ratio(seen, shares=shares, by=["device", "country"], outcome="y")
    assert sound.mismatch == () and "may be as drawn" in sound.sentence
    assert set(sound.segments["segment"]) >= {"(missing)", "FR"}
    lost = (seen["device"] == "ios") & (seen["arm"] == "B") & (rng.random(n) < 0.3)
    found = sample_ratio(seen[~lost], shares=shares, by=["device", "country"])
    assert found.mismatch == ("assignment",)
    first = found.segments.iloc[0]
    assert (first["column"], first["segment"], first["arm"]) == ("device", "ios", "B")
    assert (found.segments["adjusted"] < 0.001).sum() == 1
    silent = (seen["arm"] == "C") & (rng.random(n) < 0.15)
    found = sample_ratio(seen.assign(y=seen["y"].mask(silent)), shares=shares, outcome="y")
    assert found.mismatch == ("response",)
    assert found.table.set_index("arm")["response_rate"]["C"] == pytest.approx(0.85, abs=0.03)


# Balance before the test


@pytest.mark.parametrize("replications", [400, pytest.param(2_000, marks=pytest.mark.slow)])
def test_size_of_the_test_of_balance_and_of_single_columns(replications):
    """Twelve columns that go together: one test keeps its size, twelve tests do not."""
    rng = np.random.default_rng(8)
    mix = rng.normal(size=(12, 12))
    stratum = np.repeat([0, 1], [90, 60])
    p, single = [], []
    for _ in range(replications):
        x = rng.normal(size=(150, 12)) @ mix + stratum[:, None]
        x[:, :4] = x[:, :4] > 0.0
        arm = np.concatenate([rng.permutation(np.repeat([0, 1, 2], [30, 30, 30])),
                              rng.permutation(np.repeat([0, 1, 2], [40, 10, 10]))])  # fmt: skip
        p.append(omnibus(x, arm, stratum).p_value)
        single.append(scipy.stats.ttest_ind(x[arm == 0], x[arm == 1], equal_var=False).pvalue.min())
    assert within(np.mean(np.array(p) < 0.05), 0.05, replications, 3.0)
    assert np.mean(np.array(single) < 0.05) > 0.3


def test_the_test_of_balance_is_that_of_permutations():
    rng = np.random.default_rng(2)
    x, arm = rng.gamma(1.0, size=(240, 3)), rng.permutation(np.repeat([0, 1, 2], [120, 60, 60]))
    stratum = np.repeat([0, 1], 120)
    found = omnibus(x, arm, stratum)
    dealt = []
    for _ in range(3_000):
        own = arm.copy()
        for s in (0, 1):
            own[stratum == s] = rng.permutation(own[stratum == s])
        dealt.append(omnibus(x, own, stratum).statistic)
    assert np.mean(dealt) == pytest.approx(6.0, abs=0.2)  # columns times arms but one
    assert found.degrees == 6
    assert np.mean(np.array(dealt) >= found.statistic) == pytest.approx(found.p_value, abs=0.04)


def test_arms_that_were_chosen_are_found():
    rng = np.random.default_rng(6)
    n = 3_000
    x = rng.normal(size=(n, 4))
    arm = np.where(rng.random(n) < scipy.special.expit(0.25 * x[:, 2]), "call", "as now")
    seen = pd.DataFrame(x, columns=list("abcd")).assign(arm=arm, shop=np.arange(n) // 5)
    found = balance(seen, covariates=list("abcd"), control="as now")
    assert found.p_value < 0.001 and "differ by more" in found.sentence
    row = found.table.set_index("covariate").loc["c"]
    own = seen.groupby("arm")["c"]
    spread = np.sqrt(own.var().mean())
    assert row["standardised"] == pytest.approx(
        (own.mean()["call"] - own.mean()["as now"]) / spread, rel=1e-9
    )
    assert abs(row["standardised"]) > row["by_chance"]
    dealt = seen.assign(arm=np.where(seen["shop"] % 2, "call", "as now"))
    assert balance(dealt, covariates="a", control="call", cluster="shop").p_value > 0.001


def test_columns_that_say_the_same_count_once():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 2))
    arm, one = rng.integers(0, 2, 200), np.zeros(200, dtype=int)
    both = omnibus(np.column_stack([x, x @ [1.0, 2.0]]), arm, one)
    assert both.degrees == 2
    assert both.statistic == pytest.approx(omnibus(x, arm, one).statistic, rel=1e-6)
