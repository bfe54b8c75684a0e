"""Designs tried on a past whose truth is known: right ones hold their size, wrong ones show it."""

import numpy as np
import pandas as pd
import pytest
import scipy

import cxmodels as cx
from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.option_history import Asked, history_of
from cxmodels.experiments.placebo_clusters import by_clusters, cluster_lots, sized
from cxmodels.experiments.placebo_times import region_trial, series_trial
from cxmodels.experiments.placebo_trials import ByError, ByLots
from cxmodels.experiments.placebo_units import contrast, ground_of, unit_trial, within
from cxmodels.experiments.power import Worth
from cxmodels.experiments.time_based_regression import time_based_regression
from tests.laws.option_worlds import past, plan, tried

LOTS = ["customer-randomised", "stratified", "matched pairs", "re-randomised", "cluster",
        "stepped wedge", "switchback", "encouragement", "hold-out"]  # fmt: skip


def history(table, strata=("segment",), metric=None):
    span = plan().start, plan().end
    return history_of(table, Asked("customer_id", "month", metric or Metric("y"), strata, "branch",
                                   "region", None, span, None, "refuse"))  # fmt: skip


def one_row(table, last=3):
    """One row a unit: the outcome of the last months, and what was before."""
    when = table["month"].rank(method="dense")
    late = when > when.max() - last
    wide = table.groupby("customer_id").agg(
        branch=("branch", "first"), segment=("segment", "first")
    )
    wide["y"] = table[late].groupby("customer_id")["y"].mean()
    wide["before"] = table[~late].groupby("customer_id")["y"].mean()
    return wide.reset_index()


@pytest.mark.parametrize("strata", [False, True])
def test_draws_of_units_are_analysed_as_analyse_does(strata):
    table = past(n=60, seed=4)
    own = history(table)
    ground = ground_of(own, np.arange(60), (3, 0), strata)
    lots = within(ground.edges, 0.4)
    found = contrast(unit_trial(ground, lots, 5).sums, adjusted=True)
    treated = lots(np.random.default_rng([3, 0]), 5)
    wide = one_row(table)
    if strata:
        wide = wide.iloc[np.argsort(own.strata, kind="stable")]
    for draw in range(5):
        seen = wide.assign(arm=np.where(treated[draw], "b", "a"))
        told = analyse(
            seen,
            arm="arm",
            control="a",
            metrics=["y"],
            covariates="before",
            shares={"a": 0.6, "b": 0.4},
            strata="segment" if strata else None,
        )
        row = told.table.iloc[0]
        assert found[0][draw] == pytest.approx(row["estimate"], rel=1e-9)
        assert found[1][draw] == pytest.approx(row["std_error"], rel=1e-9)
        t = abs(found[0][draw]) / found[1][draw]
        p = 2.0 * scipy.stats.t.sf(t, found[2][draw])
        assert p == pytest.approx(row["p_value"], rel=1e-7)


@pytest.mark.parametrize("strata", [False, True])
def test_an_effect_in_the_sums_is_an_effect_in_the_rows(strata):
    ground = ground_of(history(past(n=60, seed=4)), np.arange(60), (3, 0), strata)
    trial = unit_trial(ground, within(ground.edges, 0.4), 200)
    changed = trial.again(0.5)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        assert (trial.seen(0.5, alpha) == trial.rejects(0.5, alpha)).all()
    assert not np.allclose(changed[:, :, 1, 3], trial.sums[:, :, 1, 3])
    assert changed[:, :, 0] == pytest.approx(trial.sums[:, :, 0])


def test_draws_of_clusters_are_analysed_as_analyse_does():
    table = past(n=103, seed=5, branches=11)
    own = history(table)
    clusters, lots = sized(own, own.cluster), cluster_lots(np.random.default_rng(1), 4, 11, 0.4)
    effect = 0.7
    found = by_clusters(clusters, lots, effect * clusters.m)
    wide = one_row(table)
    for draw in range(4):
        treated = lots[draw][own.cluster]
        seen = wide.assign(arm=np.where(treated, "b", "a"), y=wide["y"] + effect * treated)
        told = analyse(seen, arm="arm", control="a", metrics=["y"], covariates="before",
                       cluster="branch", shares={"a": 0.6, "b": 0.4})  # fmt: skip
        row = told.table.iloc[0]
        assert found[0][draw] == pytest.approx(row["estimate"], rel=1e-9)
        assert found[1][draw] == pytest.approx(row["std_error"], rel=1e-9)
        p = 2.0 * scipy.stats.t.sf(abs(found[0][draw]) / found[1][draw], found[2][draw])
        assert p == pytest.approx(row["p_value"], rel=1e-7)


def test_regions_are_analysed_as_time_based_regression_does():
    table = past(n=80, seed=6)
    own = history(table)
    trial = region_trial(own, own.geo, 6, (2, 7))
    rng = np.random.default_rng([2, 7])
    u = rng.random((6, 10))
    lots = u <= np.partition(u, 4, axis=1)[:, 4:5]
    start = rng.integers(4, 10, 6)
    months = np.sort(table["month"].unique())
    regions = table.groupby(["region", "month"], as_index=False)["y"].sum()
    first = table.drop_duplicates("customer_id")
    names = list(dict.fromkeys(first["region"]))
    for draw in range(6):
        treated = [name for name, lot in zip(names, lots[draw], strict=True) if lot]
        told = time_based_regression(
            regions, "y", geo="region", period="month", treated=treated,
            start=months[start[draw]], end=months[start[draw] + 2],
        )  # fmt: skip
        reach = 3 * first["region"].isin(treated).sum()
        row = told.table.iloc[0]
        assert trial.estimate[draw] * reach == pytest.approx(row["estimate"], rel=1e-8)
        assert trial.std_error[draw] * reach == pytest.approx(row["std_error"], rel=1e-8)


@pytest.mark.parametrize("place", [19.5, 19.0, -19.5, 18.5])
def test_lots_reject_where_one_in_twenty_is_as_extreme(place):
    reference = np.arange(20.0)[:19] + 1.0  # 1 to 19: p is 1/20 beyond 19, 2/20 at 19
    trial = ByLots(np.array([place]), np.ones(1), reference, np.zeros((19, 1)))
    assert trial.rejects(0.0, 0.1)[0] == (abs(place) >= 18.5)
    assert trial.rejects(0.0, 0.05)[0] == (abs(place) > 19.0)
    assert trial.rejects(np.sign(place), 0.05)[0]  # an effect moves it beyond them all


def test_lots_hold_their_size_and_formulas_their_power():
    found, rows = tried(past(seed=2), draws=600)
    assert set(LOTS) <= set(rows.index)
    for name in LOTS:
        error = np.sqrt(0.05 * 0.95 / 600)
        assert abs(rows.loc[name, "size"] - 0.05) < 3.5 * error, name
    for name in [*LOTS[:4], "encouragement", "hold-out"]:
        assert not rows.loc[name, "flag"], name
        assert rows.loc[name, "mde"] == pytest.approx(rows.loc[name, "mde_formula"], rel=0.12)
    assert found.best == "stratified" or found.best in LOTS[:4]


def test_clusters_analysed_as_if_units_were_strangers_do_not_hold_their_size():
    own = history(past(seed=3, shock=0.0, between=1.5))
    lots = cluster_lots(np.random.default_rng(1), 500, 20, 0.5)
    y = own.y

    def naive(lot):
        return scipy.stats.ttest_ind(y[lot[own.cluster]], y[~lot[own.cluster]]).pvalue < 0.05

    clusters = sized(own, own.cluster)
    plain = type(clusters)(clusters.m, clusters.y, 0.0 * clusters.x, None, (0.0, 0.0), 3)
    estimate, error, degrees = by_clusters(plain, lots, 0.0)
    right = np.abs(estimate) > scipy.stats.t.ppf(0.975, degrees) * error
    assert np.mean([naive(lot) for lot in lots]) > 0.3
    assert right.mean() < 0.08


def test_a_season_is_taken_for_an_effect_by_an_interrupted_series():
    path = 2.0 * (np.arange(48) // 3 % 4 == 3)  # every last quarter
    _, rows = tried(past(T=48, seed=4, path=path))
    row = rows.loc["interrupted series"]
    assert row["size_holds"] == "off" and row["size"] > 0.15
    assert "power means nothing" in row["flag"]
    assert rows.loc["customer-randomised", "size_holds"] == "holds"
    off = rows["size_holds"] == "off"
    assert off.iloc[-1] and off.is_monotonic_increasing


def test_trends_that_differ_show_in_the_past_of_a_rollout():
    table = past(T=36, seed=5)
    reached = table["branch"] < 8
    table["rolled"] = pd.NaT
    table.loc[reached, "rolled"] = sorted(table["month"].unique())[30]
    _, alike = tried(table, rolled_out="rolled")
    month = table["month"].rank(method="dense")
    table["y"] += np.where(reached, 0.15 * month, 0.0)
    _, apart = tried(table, rolled_out="rolled")
    name = "difference in differences on the past"
    assert alike.loc[name, "size_holds"] != "off"
    assert apart.loc[name, "size_holds"] == "off"
    assert apart.loc[name, ["days", "cost"]].tolist() == [0, 0.0]
    assert "chosen" in apart.loc[name, "threat"]


def test_skew_and_few_units_part_the_formula_from_the_simulation():
    y = np.exp(np.random.default_rng(8).normal(0.0, 2.0, 60))
    table = pd.DataFrame({"customer_id": range(60), "y": y})
    found = plan(strata=(), shares=(0.9, 0.1)).options(table, draws=1_000)
    row = found.table.set_index("design").loc["customer-randomised"]
    assert "trust the simulation" in row["flag"]
    assert abs(row["power"] - row["power_formula"]) > 0.1


def test_power_is_what_fresh_tests_reject():
    table = past(n=300, seed=9, branches=1, regions=1, shock=0.0)
    effect, reps = 0.3, 400
    found = plan().options(table, time="month", effect=effect, draws=1_000)
    told = found.table.set_index("design").loc["customer-randomised", "power"]
    rng = np.random.default_rng(10)
    own = rng.normal(size=(reps, 300))
    x = own + rng.normal(0.0, np.sqrt(1.0 / 9.0), (reps, 300))
    lots = np.argsort(rng.random((reps, 300)), axis=1) < 150
    y = own + rng.normal(0.0, np.sqrt(1.0 / 3.0), (reps, 300)) + effect * lots
    theta = ((y - y.mean(1, keepdims=True)) * x).sum(1) / (
        (x - x.mean(1, keepdims=True)) ** 2).sum(1)  # fmt: skip
    z = y - theta[:, None] * x
    p = [scipy.stats.ttest_ind(a[b], a[~b], equal_var=False).pvalue
         for a, b in zip(z, lots, strict=True)]  # fmt: skip
    assert abs(np.mean(np.array(p) < 0.05) - told) < 0.11  # both by simulation; sd of the past too


def test_the_least_visible_effect_is_seen_four_times_in_five_and_scales():
    table = past(seed=11)
    worth = Worth(3.0, 1_000.0)
    _, rows = tried(table, worth=worth, draws=400)
    one = rows.loc["customer-randomised"]
    assert one["mde_money"] == pytest.approx(3_000.0 * one["mde"])
    _, again = tried(table, effect=float(one["mde"]), draws=400)
    assert again.loc["customer-randomised", "power"] == pytest.approx(0.8, abs=0.01)
    many = table.assign(y=table["y"] * 100.0)
    _, cents = tried(many, draws=400)
    assert cents.loc[rows.index, "mde"].to_numpy() == pytest.approx(100.0 * rows["mde"].to_numpy())
    assert rows.loc["encouragement", "mde_formula"] == pytest.approx(one["mde_formula"] / 0.3)
    assert rows.loc["encouragement", "cost"] == pytest.approx(0.3 * one["cost"])
    assert rows.loc["hold-out", "treated"] == 380
    assert "Carry-over" in rows.loc["switchback", "threat"]


def test_a_share_rises_by_units_that_turn():
    table = past(seed=12, T=12)
    own = plan(end="2028-01-31")
    _, rows = tried(table, plan_of=own, outcome="stayed", effect=0.06, draws=600)
    for name in ("customer-randomised", "stratified", "matched pairs", "hold-out"):
        row = rows.loc[name]
        assert row["power_lower"] <= row["power_formula"] <= row["power_upper"], name
    by_cluster = rows.loc["cluster"]  # whole months of three, so that one unit turns by thirds
    _, longer = tried(table, outcome="stayed", effect=0.03, draws=600)
    for name in ("customer-randomised", "stratified", "matched pairs"):
        row = longer.loc[name]
        assert row["power_lower"] <= row["power_formula"] <= row["power_upper"], name
    _, longer = tried(table, outcome="stayed", effect=0.06, draws=600)
    assert longer.loc["cluster", "power"] == pytest.approx(
        longer.loc["cluster", "power_formula"], abs=0.12
    )
    assert by_cluster["power"] < longer.loc["cluster", "power"]
    _, lower = tried(table, plan_of=own, outcome="stayed", effect=-0.06, draws=600)
    assert lower.loc["customer-randomised", "power"] > 0.15


def test_the_same_whatever_the_order_of_rows_and_the_same_again():
    table = past(seed=13)
    shuffled = table.sample(frac=1.0, random_state=1)
    first, second = (tried(one)[0].table for one in (table, shuffled))
    pd.testing.assert_frame_equal(first, second)
    other = tried(table, seed=2)[0].table
    assert not first["size"].equals(other["size"])
    told = []
    tried(table, progress=told.append)
    assert len(told) == 12 and told[0] == "customer-randomised, 1 of 12"


def test_its_face_says_what_matters():
    found, _ = tried(past(seed=14), worth=Worth(3.0, 1_000.0))
    text = repr(found)
    for words in ("Designs for y", "Best: ", "main threat", "Not difference in differences",
                  "then by cost", "mde_money"):  # fmt: skip
        assert words in text
    assert isinstance(found, cx.experiments.options.Options)


def study(histories, draws=200):
    """Sizes of every design, pooled over fresh pasts with a straight trend."""
    hits = {}
    for seed in range(histories):
        table = past(n=200, T=24, seed=100 + seed, path=0.02 * np.arange(24), shock=0.3)
        _, rows = tried(table, draws=draws, seed=seed)
        for name, row in rows.iterrows():
            total = hits.setdefault(name, [0.0, 0])
            total[0] += row["size"] * row["placebos"]
            total[1] += row["placebos"]
    return {name: (share / n, n) for name, (share, n) in hits.items()}


@pytest.mark.parametrize("histories", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_sizes_over_many_pasts(histories):
    for name, (size, n) in study(histories).items():
        most = 0.05 + 4.0 * np.sqrt(0.05 * 0.95 / n)
        if name in LOTS:
            assert size < most, (name, size)
        elif histories > 4:
            assert size < 0.15, (name, size)


def test_an_interrupted_series_of_independent_months_is_near_its_size():
    rng = np.random.default_rng(3)
    rejected, tests = 0, 0
    for _ in range(12):
        own = history(past(n=20, T=40, seed=int(rng.integers(1e6)), shock=0.0))
        trial = series_trial(own, 200, 0.95)
        assert isinstance(trial, ByError)
        hits = trial.rejects(0.0, 0.05)
        rejected, tests = rejected + int(hits.sum()), tests + hits.size
    assert rejected / tests < 0.15
