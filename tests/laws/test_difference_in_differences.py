"""Effects of a roll-out: coverage, where the naive answer fails, and what must change nothing."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.difference_in_differences import group_time_effects
from cxmodels.experiments.imputation_effects import imputation_effects
from cxmodels.experiments.staggered_influence import wald_of_few

KEYS = {"unit": "shop", "period": "month", "first_treated": "opened"}
GROUPS, SHARES = np.array([3.0, 5.0, 6.0, np.inf]), np.array([0.2, 0.2, 0.25, 0.35])
T = 7


def effect(group, since):
    """Of each group, growing with the months since treatment."""
    return np.where(since >= 0, (1.0 + 0.5 * since) * np.where(group == 3.0, 1.5, 0.6), 0.0)


def rollout(seed: int, n: int = 240, shocks: float = 0.0, clusters: int = 40) -> pd.DataFrame:
    """Shops whose level goes with when they are treated; months that all share; errors that last;
    districts with shocks of their own, in which all shops are treated at once."""
    rng = np.random.default_rng(seed)
    district = np.arange(n) % clusters
    if shocks:
        group = rng.choice(GROUPS, clusters, p=SHARES)[district]
    else:
        group = rng.choice(GROUPS, n, p=SHARES)
    month = np.arange(1, T + 1)
    e = rng.standard_normal((n, T))
    for t in range(1, T):
        e[:, t] += 0.5 * e[:, t - 1]
    level = rng.standard_normal(n) + 2.0 * (group < 6.0)
    own = 0.5 * rng.standard_normal(n)[:, None]  # effects differ between shops
    since = month - group[:, None]
    y = level[:, None] + 0.3 * month + e + effect(group[:, None], since) + own * (since >= 0)
    y += shocks * np.cumsum(rng.standard_normal((clusters, T)), axis=1)[district]
    return pd.DataFrame(
        {
            "shop": np.repeat(np.arange(n), T), "month": np.tile(month, n), "sales": y.ravel(),
            "opened": np.repeat(np.where(np.isfinite(group), group, np.nan), T),
            "district": np.repeat(district, T),
        }
    )  # fmt: skip


def truths() -> dict[str, float]:
    """The four aggregates with the true shares of groups."""
    cells = [(g, t, p) for g, p in zip(GROUPS[:3], SHARES[:3], strict=True)
             for t in range(int(g), T + 1)]  # fmt: skip
    att = np.array([float(effect(g, t - g)) for g, t, _ in cells])
    g, t, p = np.array(cells).T
    by = {"simple": np.zeros(len(g)), "group": g, "dynamic": t - g, "calendar": t}
    found = {}
    for kind, key in by.items():
        parts = [np.average(att[key == k], weights=p[key == k]) for k in np.unique(key)]
        weights = [p[key == k][0] for k in np.unique(key)] if kind == "group" else None
        found[kind] = float(np.average(parts, weights=weights))
    return found


def study(replications: int, first: int = 0) -> pd.Series:
    """Whether intervals hold the truth, by estimate; the naive answer; p of the pre-trend test."""
    truth, rows = truths(), []
    for seed in range(first, first + replications):
        made = rollout(seed, n=400)
        row = {}
        for control in ("never treated", "not yet treated"):
            found = group_time_effects(made, "sales", control=control, level=0.95, **KEYS)
            whole = found.overall.set_index("kind")
            for kind, value in truth.items():
                row[f"{kind}, {control}"] = whole.loc[kind, "lower"] < value < (
                    whole.loc[kind, "upper"])  # fmt: skip
            row[f"pre-trend, {control}"] = found.pretrend.p_few < 0.05
        told = imputation_effects(made, "sales", level=0.95, **KEYS)
        table = told.aggregate("group")
        own = [np.mean(effect(g, np.arange(T + 1 - g))) for g in table["group"]]
        row["imputation, group"] = ((table["lower"] < own) & (own < table["upper"])).mean()
        row["naive"] = found.naive.lower < truth["simple"] < found.naive.upper
        rows.append(row)
    return pd.DataFrame(rows).astype(float).mean()


def checked(found: pd.Series, low: float, high: float, size: float) -> None:
    tests = found.index.str.startswith("pre-trend")
    held = found[~tests & (found.index != "naive")]
    assert ((held >= low) & (held <= high)).all(), held
    assert (found[tests] <= size).all(), found[tests]
    assert found["naive"] < 0.6  # effects that grow, and earlier ones taken for controls


def test_coverage_reduced():
    checked(study(60), 0.86, 1.0, 0.14)


@pytest.mark.slow
def test_coverage():
    found = study(1000, first=10_000)
    print(found.round(3).to_string())
    checked(found, 0.93, 0.97, 0.07)


def test_naive_has_the_wrong_sign():
    """Everyone is treated in the end, and effects grow, none of them below 1."""
    rng = np.random.default_rng(5)
    n, months = 400, np.arange(1, 9)
    group = np.repeat([2.0, 7.0], n // 2)
    since = months - group[:, None]
    y = rng.standard_normal((n, 1)) + 0.2 * rng.standard_normal((n, 8)) + np.where(
        since >= 0, 1.0 + 3.0 * since, 0.0)  # fmt: skip
    table = pd.DataFrame({"shop": np.repeat(np.arange(n), 8), "month": np.tile(months, n),
                          "sales": y.ravel(), "opened": np.repeat(group, 8)})  # fmt: skip
    found = group_time_effects(table, "sales", control="not yet treated", **KEYS)
    assert found.naive.upper < 0.0 and found.naive.negative < -0.1
    assert "below 0" in found.naive.sentence
    cells = found.table[found.table["period"] >= found.table["group"]]
    true = 1.0 + 3.0 * (cells["period"] - cells["group"])
    assert np.abs(cells["att"] - true).max() < 0.1
    told = imputation_effects(table, "sales", **KEYS)
    assert np.abs(told.table["att"] - (1.0 + 3.0 * told.table["event_time"])).max() < 0.1
    assert "10 treated rows" not in told.notes[0] and "800 treated rows" in told.notes[0]


def clustered_study(replications: int) -> tuple[float, float]:
    truth, held = truths()["simple"], []
    for seed in range(replications):
        made = rollout(30_000 + seed, n=400, shocks=0.5)
        row = []
        for cluster in (None, "district"):
            found = group_time_effects(made, "sales", cluster=cluster, level=0.95, **KEYS)
            one = found.aggregate("simple").iloc[0]
            row.append(one["lower"] < truth < one["upper"])
        held.append(row)
    return tuple(np.mean(held, axis=0))


def test_clustered_data_reduced():
    alone, by_district = clustered_study(60)
    assert alone < 0.75 and by_district > 0.84


@pytest.mark.slow
def test_clustered_data():
    alone, by_district = clustered_study(1000)
    print(alone, by_district)
    assert alone < 0.7 and 0.915 < by_district < 0.975  # 40 districts, 8 of a group


def test_bands_hold_all_at_once():
    held = []
    for seed in range(60):
        found = group_time_effects(rollout(seed), "sales", level=0.9, **KEYS)
        band, alone = found.bands("dynamic", draws=399, seed=seed), found.aggregate("dynamic")
        assert (band["upper"] - band["lower"] > alone["upper"] - alone["lower"]).all()
        truth = []
        for e in band["event_time"]:
            there = [(g, p) for g, p in zip(GROUPS[:3], SHARES[:3], strict=True)
                     if 2 <= g + e <= T]  # fmt: skip
            sizes, shares = zip(*((float(effect(g, e)), p) for g, p in there), strict=True)
            truth.append(np.average(sizes, weights=shares))
        held.append(((band["lower"] < truth) & (truth < band["upper"])).all())
    assert 0.8 < np.mean(held) <= 1.0
    again = found.bands("dynamic", draws=399, seed=59)
    assert again.equals(band)
    whole = found.bands("group-time", draws=399)
    assert (whole["upper"] > found.table["upper"]).all()


def both(table, **how):
    return (
        group_time_effects(table, "sales", **KEYS, **how),
        imputation_effects(table, "sales", **KEYS),
    )


def same(one, two, rel=1e-9):
    for a, b in zip(one, two, strict=True):
        pd.testing.assert_frame_equal(a.table, b.table, rtol=rel, atol=1e-10, check_dtype=False)
        for kind in ("simple", "group", "calendar"):
            pd.testing.assert_frame_equal(
                a.aggregate(kind), b.aggregate(kind), rtol=rel, atol=1e-10
            )


@pytest.mark.parametrize("control", ["never treated", "not yet treated"])
def test_rows_without_an_outcome_are_as_if_they_were_not_there(control):
    rng = np.random.default_rng(1)
    made = rollout(3)
    holes = made.assign(sales=made["sales"].where(rng.random(len(made)) > 0.15))
    holes.loc[holes["month"] == 4, "sales"] = np.nan  # a month goes altogether
    one, two = both(holes, control=control), both(holes.dropna(subset="sales"), control=control)
    same(one, two)
    lost = int(holes["sales"].isna().sum())
    for a, b in zip(one, two, strict=True):
        assert a.account["rows"].iloc[0] == lost and b.account["rows"].iloc[0] == 0
        assert (a.naive.estimate, a.naive.std_error) == (b.naive.estimate, b.naive.std_error)
    assert one[0].table["units"].max() < made.loc[made["opened"].notna(), "shop"].nunique()
    assert f"{lost:,} rows without an outcome." in one[0].notes


def test_order_names_and_units_of_time_and_outcome():
    made = rollout(4)
    one = both(made)
    same(one, both(made.sample(frac=1.0, random_state=2)))
    same(one, both(made.assign(shop="s" + made["shop"].astype(str).str.zfill(4))))
    late = both(made.assign(month=made["month"] + 2000, opened=made["opened"] + 2000))
    for a, b in zip(one, late, strict=True):
        assert b.table["att"].to_numpy() == pytest.approx(a.table["att"].to_numpy(), rel=1e-9)
        assert b.overall["std_error"].to_numpy() == pytest.approx(
            a.overall["std_error"].to_numpy(), rel=1e-9
        )
    many = both(made.assign(sales=100.0 * made["sales"] + 7.0))
    for a, b in zip(one, many, strict=True):
        for name in ("att", "std_error"):
            assert b.table[name].to_numpy() == pytest.approx(
                100 * a.table[name].to_numpy(), rel=1e-8
            )


def test_sums_of_groups_equal_units_one_by_one():
    """A unit with a single row takes the way of sums away, and changes shares by nothing."""
    made = rollout(6)
    whole = group_time_effects(made, "sales", cluster="district", **KEYS)
    alone = pd.DataFrame({"shop": [9999], "month": [1], "sales": [1.0], "district": [0]})
    found = group_time_effects(pd.concat([made, alone]), "sales", cluster="district", **KEYS)
    pd.testing.assert_frame_equal(found.table, whole.table, rtol=1e-9)
    pd.testing.assert_frame_equal(found.overall, whole.overall, rtol=1e-9)
    phi = whole.influence_of().groupby(np.arange(240) % 40).sum().to_numpy()
    assert phi.T @ phi * 40 / 39 == pytest.approx(whole.covariance_of(), rel=1e-9, abs=1e-14)


def test_treated_column_says_the_same():
    made = rollout(7)
    on = made.assign(on=(made["month"] >= made["opened"]).astype(int)).drop(columns="opened")
    keys = {"unit": "shop", "period": "month", "treated": "on"}
    one, two = group_time_effects(on, "sales", **keys), group_time_effects(made, "sales", **KEYS)
    pd.testing.assert_frame_equal(one.table, two.table)
    first = on[(on["month"] == 5) & (on["shop"].isin(made.loc[made["opened"] == 5, "shop"][:14]))]
    gap = group_time_effects(on.drop(index=first.index), "sales", **keys)
    assert (
        gap.account.set_index("item").loc["treatment began in a period without a row", "units"] == 2
    )
    assert any("without a row" in note for note in gap.notes)


def test_two_periods_are_the_plain_difference():
    made = rollout(8)
    two = made[made["month"].isin([4, 5]) & ~made["opened"].isin([3.0, 6.0])]
    wide = two.pivot(index="shop", columns="month", values="sales")
    change, on = wide[5] - wide[4], two.groupby("shop")["opened"].first().notna()
    att = change[on].mean() - change[~on].mean()
    error = np.sqrt(change[on].var(ddof=0) / on.sum() + change[~on].var(ddof=0) / (~on).sum())
    for found in both(two):
        row = found.table.iloc[0]
        assert (row["att"], row["std_error"]) == pytest.approx((att, error), rel=1e-9)
        assert found.naive.estimate == pytest.approx(att, rel=1e-9)
    assert "No period before" in both(two)[0].pretrend.sentence


def test_naive_against_dummies():
    made = rollout(9, n=40)
    holes = made.sample(frac=0.85, random_state=1)
    for table in (made, holes):
        d = (table["month"] >= table["opened"]).to_numpy(dtype=float)
        dummies = pd.get_dummies(table[["shop", "month"]].astype(str)).to_numpy(dtype=float)
        x = np.column_stack([d, dummies])
        y = table["sales"].to_numpy()
        b = np.linalg.lstsq(x, y, rcond=None)[0]
        left = d - dummies @ np.linalg.lstsq(dummies, d, rcond=None)[0]
        scores = pd.Series(left * (y - x @ b)).groupby(table["shop"].to_numpy()).sum()
        found = group_time_effects(table, "sales", **KEYS).naive
        assert found.estimate == pytest.approx(b[0], rel=1e-8)
        assert found.std_error == pytest.approx(
            np.sqrt((scores**2).sum()) / (left @ left), rel=1e-8
        )
        assert found.negative == pytest.approx(np.minimum(left[d == 1], 0).sum() / (left @ left))


def imputed_by_hand(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """By dummies and the weights of theorem 3, one event time at a time."""
    t = table.reset_index(drop=True)
    on = (t["month"] >= t["opened"]).to_numpy()
    z = np.column_stack([pd.get_dummies(t[["shop", "month"]].astype(str)).to_numpy(dtype=float),
                         t[columns].to_numpy(dtype=float)])  # fmt: skip
    y = t["sales"].to_numpy()
    tau = y - z @ np.linalg.lstsq(z[~on], y[~on], rcond=None)[0]
    mean = pd.Series(tau[on]).groupby([t["opened"][on].to_numpy(), t["month"][on].to_numpy()])
    e, rows = tau.copy(), []
    e[on] -= mean.transform("mean").to_numpy()
    since = (t["month"] - t["opened"]).to_numpy()
    for k in np.unique(since[on]):
        w = (since == k) / (since == k).sum()
        v = np.where(on, w, 0.0)
        v[~on] = -z[~on] @ np.linalg.pinv(z[~on].T @ z[~on]) @ (z[on].T @ w[on])
        error = np.sqrt((pd.Series(v * e).groupby(t["shop"]).sum() ** 2).sum())
        rows.append((w @ tau, error))
    return pd.DataFrame(rows, columns=["att", "std_error"])


def test_imputation_by_hand():
    rng = np.random.default_rng(2)
    made = rollout(10, n=60)
    made["prices"] = rng.standard_normal(len(made)) + 0.1 * made["month"]
    made["sales"] -= made["prices"]
    holes = made.drop(index=made[(made["shop"] % 3 == 0) & (made["month"] == 2)].index)
    for table in (made, holes):
        for columns in ([], ["prices"]):
            found = imputation_effects(table, "sales", covariates=columns, **KEYS)
            by_hand = imputed_by_hand(table, columns)
            for name in by_hand:
                assert found.table[name].to_numpy() == pytest.approx(
                    by_hand[name].to_numpy(), rel=1e-7
                )
    with pytest.raises(FitError, match="'fixed' does not vary within units"):
        imputation_effects(
            made.assign(fixed=made["shop"] % 7), "sales", covariates=["fixed"], **KEYS
        )


def test_trends_that_go_with_a_covariate():
    """Doubly robust holds with one model wrong: trends bend in x, and so do odds of treatment."""
    rng = np.random.default_rng(12)
    n = 20_000
    x = rng.standard_normal(n)
    off = {}
    for case, bend in (("trend straight", 0.0), ("trend bent", 1.0)):
        odds = 0.8 * x if bend else 0.8 * x + 0.5 * (x**2 - 1.0)
        group = np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), 2.0, np.nan)
        change = x + bend * x**2 + 2.0 * (group == 2.0) + rng.standard_normal(n)
        level = rng.standard_normal(n)
        table = pd.DataFrame({"shop": np.repeat(np.arange(n), 2), "month": np.tile([1, 2], n),
                              "sales": np.column_stack([level, level + change]).ravel(),
                              "opened": np.repeat(group, 2), "x": np.repeat(x, 2)})  # fmt: skip
        for method, columns in (("none", []), ("reg", ["x"]), ("ipw", ["x"]), ("dr", ["x"])):
            how = {"covariates": columns, "method": "dr" if method == "none" else method}
            row = group_time_effects(table, "sales", **KEYS, **how).table.iloc[0]
            off[case, method] = abs(row["att"] - 2.0) / row["std_error"]
    assert off["trend straight", "dr"] < 3 and off["trend bent", "dr"] < 3
    assert off["trend straight", "reg"] < 3 and off["trend bent", "ipw"] < 3
    assert off["trend bent", "reg"] > 5 and off["trend straight", "ipw"] > 5
    assert min(off["trend straight", "none"], off["trend bent", "none"]) > 10


def test_base_and_anticipation():
    made = rollout(13)
    varying = group_time_effects(made, "sales", **KEYS)
    one = group_time_effects(made, "sales", base="universal", **KEYS)
    after = varying.table["period"] >= varying.table["group"]
    merged = varying.table[after].merge(one.table, on=["group", "period"], suffixes=("", "_one"))
    assert (merged["att"] == merged["att_one"]).all() and len(merged) == after.sum()
    events = one.event_times()
    assert -1 not in events.times and (events.pre, events.post) == (4, 5)
    assert events.covariance == pytest.approx(one.covariance_of("dynamic"))
    with pytest.raises(OptionError, match="universal"):
        varying.event_times()
    early = made.copy()
    early["sales"] += 3.0 * (early["month"] == early["opened"] - 1)  # they know a month before
    plain = group_time_effects(early, "sales", **KEYS).aggregate("simple")["att"][0]
    told = group_time_effects(early, "sales", anticipation=1, **KEYS)
    wide = told.aggregate("simple").iloc[0]
    assert plain < truths()["simple"] - 2.0  # the base itself is moved
    assert abs(wide["att"] - truths()["simple"]) < 4 * wide["std_error"]
    row = told.aggregate("dynamic").set_index("event_time").loc[-1]
    assert abs(row["att"] - 3.0) < 4 * row["std_error"]
    imputed = imputation_effects(early, "sales", anticipation=1, **KEYS)
    assert abs(imputed.table.set_index("event_time").loc[-1, "att"] - 3.0) < 0.8


@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_each_comparison_by_hand(base, anticipation):
    """Controls are untreated, and do not anticipate, in the period and in the base."""
    made = rollout(15)
    found = group_time_effects(made, "sales", control="not yet treated", base=base,
                               anticipation=anticipation, **KEYS)  # fmt: skip
    wide = made.pivot(index="shop", columns="month", values="sales")
    group = made.groupby("shop")["opened"].first().fillna(np.inf)
    for row in found.table.itertuples():
        start = row.group - anticipation
        from_last = row.period >= start or base == "universal"
        month = start - 1 if from_last else row.period - 1
        change = wide[row.period] - wide[month]
        serve = (group - anticipation > max(row.period, month)) & (group != row.group)
        own = group == row.group
        assert row.att == pytest.approx(change[own].mean() - change[serve].mean(), abs=1e-12)
        assert (row.units, row.controls) == (own.sum(), serve.sum())
        error = change[own].var(ddof=0) / own.sum() + change[serve].var(ddof=0) / serve.sum()
        assert row.std_error == pytest.approx(np.sqrt(error), rel=1e-9)


def test_nothing_given_is_changed_and_it_shows():
    made = rollout(14)
    kept = made.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, told = both(made)
    pd.testing.assert_frame_equal(made, kept)
    for record in (found, told):
        assert "Two-way fixed effects" in repr(record) and "interval 90%" in record._repr_html_()


def clustered(C: int, times: int) -> tuple[float, float]:
    """The same where shocks and the start of treatment are those of C clusters; 8 effects."""
    rng = np.random.default_rng(C)
    unit, period = np.divmod(np.arange(240 * 8), 8)
    cluster, low = unit // (240 // C), np.zeros(2)
    for _ in range(times):
        begins = rng.permutation(np.resize([4.0, 6.0, np.nan], C))[cluster]
        y = rng.normal(size=(C, 8))[cluster, period] + rng.normal(size=unit.size)
        table = pd.DataFrame({"unit": unit, "t": period, "g": begins, "y": y, "team": cluster})
        found = group_time_effects(
            table, "y", unit="unit", period="t", first_treated="g", base="universal", cluster="team"
        ).pretrend
        low += [found.p < 0.05, found.p_few < 0.05]
    return tuple(low / times)


def rejections(n: int, times: int, effects: int = 18) -> tuple[float, float]:
    """SIMULATED, no effect, no trends: shares rejected at 5 per cent, chi-squared and for few."""
    rng = np.random.default_rng(n)
    unit, period = np.divmod(np.arange(n * 12), 12)
    begins = np.repeat([4.0, 7.0, 10.0, np.nan], n // 4)[unit]
    low = np.zeros(2)
    for _ in range(times):
        shocks = rng.standard_t(6, unit.size) * np.where(begins == 7.0, 2.0, 1.0)
        table = pd.DataFrame({"unit": unit, "t": period, "g": begins, "y": shocks})
        found = group_time_effects(
            table, "y", unit="unit", period="t", first_treated="g", base="universal"
        ).pretrend
        assert found.df == effects
        low += [found.p < 0.05, found.p_few < 0.05]
    return tuple(low / times)


def test_a_joint_test_of_many_effects_keeps_its_size_on_few_units():
    """300 roll-outs of 60 units, 18 effects: at 5 per cent 27 or more with p .002; as packages have
    it, chi-squared, more than 120."""
    usual, few = rejections(60, 300)
    assert 0.015 < few < 0.09
    assert usual > 0.4
    usual, few = clustered(20, 300)
    assert few < 0.09
    assert usual > 0.3


def test_too_few_units_to_test_trends_are_told():
    made = rollout(3, n=12)
    found = group_time_effects(made, "sales", base="universal", **KEYS)
    assert found.pretrend.p_few is None
    assert found.pretrend.sentence.startswith("Too few units to test trends before treatment: ")


@pytest.mark.slow
def test_sizes_before_treatment():
    """2,000 roll-outs each: standard error .005."""
    for n in (40, 60, 120, 240, 400):
        usual, few = rejections(n, 2_000)
        print(f"{n} units, 18 effects: chi-squared {usual:.3f}, for few {few:.3f}")
        assert 0.035 <= few <= 0.065
    for C in (20, 40, 80):
        usual, few = clustered(C, 2_000)
        print(f"{C} clusters, 8 effects: F of clusters {usual:.3f}, for few {few:.3f}")
        assert 0.03 <= few <= 0.065


def test_one_group_is_hotellings():
    """By hand: T-squared of one sample, (n - q) / (q (n - 1)) T-squared against F(q, n - q)."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 3)) + 0.5
    n, q = X.shape
    mean = X.mean(axis=0)
    T2 = n * mean @ np.linalg.solve(np.cov(X.T), mean)
    p = stats.f.sf(T2 * (n - q) / (q * (n - 1)), q, n - q)
    found = wald_of_few(mean, (X - mean) / n, np.zeros(n, dtype=int))
    assert found == pytest.approx(p, rel=1e-10)
    assert wald_of_few(mean, (X[:3] - X[:3].mean(axis=0)) / 3, np.zeros(3, dtype=int)) is None


def test_the_base_that_event_times_need_is_told_with_its_function():
    found = group_time_effects(rollout(3), "sales", **KEYS)
    with pytest.raises(OptionError, match=r'group_time_effects\(\.\.\., base="universal"\)'):
        found.event_times()


def test_few_units_in_a_group_are_told():
    few, many = (group_time_effects(rollout(3, n=n), "sales", **KEYS).notes for n in (40, 240))
    assert any(note.startswith("Few units, ") for note in few)
    assert not any(note.startswith("Few units, ") for note in many)
