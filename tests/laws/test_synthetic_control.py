"""Synthetic control: planted effects where the naive answer fails, sizes, optima, refusals."""

import time

import numpy as np
import pandas as pd
import pytest
import scipy

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.conformal import block_p_value, p_value_of
from cxmodels.experiments.difference_weights import KINDS, even, jackknife
from cxmodels.experiments.simplex_weights import breach, gram, nearest
from cxmodels.experiments.synthetic_control import synthetic_control
from cxmodels.experiments.synthetic_difference import synthetic_difference

NAMES = {"unit": "shop", "period": "week"}
EFFECT = 3.0


def long(Y: np.ndarray, names=None) -> pd.DataFrame:
    """Rows of outcomes (N, T); shops are S00, S01, ... and weeks 1, 2, ..."""
    N, T = Y.shape
    shops = [f"S{place:02d}" for place in range(N)] if names is None else names
    return pd.DataFrame({"shop": np.repeat(shops, T), "week": np.tile(np.arange(1, T + 1), N),
                         "sales": Y.ravel()})  # fmt: skip


def factors(rng, N: int, T: int, *, treated: int = 1, drawn: float = 0.0) -> np.ndarray:
    """A trend and a random walk that units share more or less of, levels of their own, noise.

    drawn: how much more of both the treated have, so that no trend of all units is theirs."""
    f = np.cumsum(rng.normal([[0.25], [0.0]], [[0.3], [0.7]], size=(2, T)), axis=1)
    loads = rng.uniform(0.0, 2.0, size=(N, 2))
    loads[:treated] = loads[:treated] * (1.0 - drawn) + 1.4 * drawn
    return loads @ f + rng.normal(10.0, 1.0, size=(N, 1)) + rng.normal(0.0, 0.5, size=(N, T))


def planted(seed: int, *, N=25, T=36, start=31, treated=1, drawn=1.0, effect=EFFECT):
    rng = np.random.default_rng([7, seed])
    Y = factors(rng, N, T, treated=treated, drawn=drawn)
    Y[:treated, start - 1 :] += effect
    chosen = [f"S{place:02d}" for place in range(treated)]
    return long(Y), {**NAMES, "treated": chosen, "start": start}


def test_a_planted_effect_is_found_where_plain_differences_fail():
    found = []
    for seed in range(18):
        table, asked = planted(seed, T=33)
        own = synthetic_control(table, "sales", placebos=0, **asked)
        other = synthetic_difference(table, "sales", errors="none", **asked)
        found.append([own.effect, other.effect, own.naive, other.table["estimate"].iloc[2]])
    error = np.array(found) - EFFECT
    assert np.abs(error.mean(axis=0)[:2]).max() < 0.35
    assert (error.mean(axis=0)[2:] > 1.5).all()  # the trend that the treated have more of
    rmse = np.sqrt((error**2).mean(axis=0))
    assert rmse[:2].max() < 0.35 * rmse[2:].min()


def sizes(worlds: int) -> dict[str, float]:
    """How often tests at 10 per cent find an effect where there is none."""
    placebo, one, lasting = [], [], []
    for seed in range(worlds):
        rng = np.random.default_rng([11, seed])
        Y = factors(rng, 20, 24)
        asked = {**NAMES, "treated": "S00", "start": 24}
        own = synthetic_control(long(Y), "sales", **asked)
        placebo.append(own.p_value)
        donors = Y[1:13, :24]
        w = rng.dirichlet(np.ones(4))
        treated = w @ donors[:4] + rng.normal(0.0, 0.5, size=24)
        one.append(p_value_of(donors[:, :20], treated[:20], 1, 0.0)(0.0))
        lasting.append(p_value_of(donors, treated, 4, 0.0)(0.0))
    every = {"placebo": placebo, "period": one, "lasting": lasting}
    return {name: float(np.mean(np.array(p) <= 0.1 + 1e-9)) for name, p in every.items()}


def within(share: float, aim: float, worlds: int, errors: float = 3.0) -> bool:
    return abs(share - aim) < errors * np.sqrt(aim * (1.0 - aim) / worlds)


def test_sizes():
    """20 places and 20 shifts reject at exactly 10 per cent; 24 shifts at 2 in 24."""
    found = sizes(30)
    assert within(found["placebo"], 0.1, 30)
    assert within(found["period"], 0.1, 30)
    assert within(found["lasting"], 2.0 / 24.0, 30)


@pytest.mark.slow
def test_sizes_to_their_error():
    found = sizes(1_000)
    print(found)
    assert within(found["placebo"], 0.1, 1_000, 2.6)
    assert within(found["period"], 0.1, 1_000, 2.6)
    assert within(found["lasting"], 2.0 / 24.0, 1_000, 2.6)


def coverage(worlds: int, level: float = 0.95) -> dict[str, float]:
    """How often intervals hold a planted effect where any unit might have been treated; where no
    effect is rejected, however large, there are no ends, and everything is inside."""
    inside = {"placebo": [], "no ends": [], "period": [], "difference": [], "jackknife": []}
    for seed in range(worlds):
        table, asked = planted(seed, N=20, T=20, start=20, drawn=0.0)
        own = synthetic_control(table, "sales", level=level, **asked)
        inside["no ends"].append(own.lower is None)
        inside["placebo"].append(own.lower is None or own.lower <= EFFECT <= own.upper)
        row = own.path.iloc[-1]
        inside["period"].append(row["lower"] <= EFFECT <= row["upper"])
        for errors in ("placebo", "jackknife"):
            table, asked = planted(seed, N=45, T=25, start=21, drawn=0.0, treated=5)
            of = synthetic_difference(table, "sales", errors=errors, level=level,
                                      replications=60, **asked).table.iloc[0]  # fmt: skip
            name = "difference" if errors == "placebo" else errors
            inside[name].append(of["lower"] <= EFFECT <= of["upper"])
    return {name: float(np.mean(held)) for name, held in inside.items()}


def test_coverage():
    found = coverage(20)
    assert found.pop("no ends") < 0.25
    assert min(found.values()) >= 0.75


@pytest.mark.slow
def test_coverage_to_its_error():
    found = coverage(1_000)
    print(found)
    assert found.pop("no ends") < 0.15
    for name, share in found.items():
        assert 0.93 <= share <= (0.97 if name != "jackknife" else 0.985), name


def problems(count: int):
    rng = np.random.default_rng(3)
    for _ in range(count):
        n, T = int(rng.integers(2, 50)), int(rng.integers(1, 40))
        D = rng.normal(size=(n, T)) + rng.choice([0.0, 0.3, 2.0]) * rng.normal(size=T)
        D += rng.choice([0.0, 10.0]) * rng.normal(size=(n, 1))
        yield D, float(rng.choice([0.0, 0.0, 0.1]))


def test_weights_are_at_their_optimum():
    for D, ridge in problems(200):
        n, T = D.shape
        G = gram(D, np.zeros(T), ridge)
        found = nearest(G)
        w = found.weights
        assert found.breach < 1e-10
        assert w.min() >= 0.0
        assert w.sum() == pytest.approx(1.0, abs=1e-12)
        B = np.vstack([D.T / np.sqrt(T), np.sqrt(ridge) * np.eye(n)])
        scale = np.sqrt(np.diag(G).mean())
        target = np.append(np.zeros(len(B)), scale)
        u, _ = scipy.optimize.nnls(np.vstack([B, np.full(n, scale)]), target, maxiter=10_000)
        least = (B @ (u / u.sum())) @ (B @ (u / u.sum()))
        assert w @ G @ w <= least + 1e-8 * np.diag(G).mean()
        if found.unique:
            assert w == pytest.approx(u / u.sum(), abs=1e-6)
            start = np.random.default_rng(1).dirichlet(np.ones(n))
            assert nearest(G, start).weights == pytest.approx(w, abs=1e-7)


def test_ties_copies_and_scales_end_at_an_optimum_too():
    rng = np.random.default_rng(2)
    for _ in range(300):
        n, T = int(rng.integers(2, 40)), int(rng.integers(1, 25))
        D = rng.integers(-2, 3, size=(n, T)) * rng.choice([1.0, 1e4, 1e-5])
        if rng.random() < 0.5:
            D[rng.integers(0, n, size=n // 2)] = D[0]
        if rng.random() < 0.3:
            D[0] *= 1e4
        found = nearest(gram(D, np.zeros(T)))
        assert found.breach < 1e-10
        assert found.weights.min() >= 0.0
        assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_conditions_of_an_optimum_are_noticed_where_they_fail():
    G = gram(np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]]), np.array([0.5, 0.0]))
    assert breach(G, np.array([0.75, 0.25, 0.0])) < 1e-15
    for wrong in ([0.7, 0.3, 0.0], [0.74, 0.25, 0.01], [1.0, 0.0, 0.0]):
        assert breach(G, np.array(wrong)) > 1e-3


def test_of_many_optima_the_most_even_one_is_shown_and_said():
    Y = np.array([[1.0, 2.0, 3.0, 9.0], [0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0],
                  [0.5, 1.5, 2.5, 3.5], [1.5, 2.5, 3.5, 4.5]])  # fmt: skip
    found = synthetic_control(long(Y), "sales", treated="S00", start=4, **NAMES)
    assert found.weights["weight"].tolist() == pytest.approx([0.25] * 4, abs=1e-6)
    assert found.effect == pytest.approx(5.0, abs=1e-6)
    assert any("Other weights fit as well" in note for note in found.notes)
    twin = np.vstack([Y, Y[0]])  # a donor that is the treated
    same = synthetic_control(long(twin), "sales", treated="S00", start=4, **NAMES)
    assert same.mspe < 1e-12


def test_what_changes_nothing():
    table, asked = planted(4, treated=2)
    of = synthetic_difference(table, "sales", **asked)
    own = synthetic_control(table, "sales", placebos=20, **asked)
    rng = np.random.default_rng(1)
    levels = table["shop"].map({name: rng.normal(0, 50) for name in table["shop"].unique()})
    shocks = table["week"].map(dict(enumerate(rng.normal(0, 50, 40))))
    for added in (1000.0, levels):
        moved = synthetic_difference(table.assign(sales=table["sales"] + added), "sales", **asked)
        assert moved.effect == pytest.approx(of.effect, abs=1e-7)
    for added in (1000.0, shocks):
        moved = table.assign(sales=table["sales"] + added)
        again = synthetic_control(moved, "sales", placebos=20, **asked)
        assert again.effect == pytest.approx(own.effect, abs=1e-7)
        assert again.p_value == own.p_value
    errors = of.table["std_error"].tolist()
    assert synthetic_difference(
        table.assign(sales=table["sales"] + 1000.0), "sales", **asked
    ).table["std_error"].tolist() == pytest.approx(errors, abs=1e-7)
    cents = synthetic_difference(table.assign(sales=table["sales"] * 100.0), "sales", **asked)
    assert cents.effect == pytest.approx(100.0 * of.effect, rel=1e-9)
    mixed = table.sample(frac=1.0, random_state=2)
    assert synthetic_difference(mixed, "sales", **asked).effect == of.effect
    assert synthetic_control(mixed, "sales", placebos=20, **asked).effect == own.effect
    dated = table.assign(week=pd.Timestamp("2026-01-05") + pd.to_timedelta(7 * table["week"], "D"))
    days = {**asked, "start": pd.Timestamp("2026-01-05") + pd.Timedelta(days=7 * asked["start"])}
    assert synthetic_difference(dated, "sales", **days).effect == of.effect


def test_tables_of_other_kinds():
    import polars as pl

    table, asked = planted(3, N=10, T=14, start=11)
    own = synthetic_control(table, "sales", **asked)
    months = pd.date_range("2025-01-01", periods=14, freq="MS")
    dated = table.assign(week=list(months) * 10)
    for held, start in (
        (pl.from_pandas(table), 11),
        (
            table.assign(shop=table["shop"].astype("category"), week=table["week"].astype("Int64")),
            11,
        ),
        (table.assign(week=table["week"].astype(str)), "11"),
        (dated, "2025-11-01"),
        (dated.assign(week=dated["week"].dt.date), months[10]),
        (dated.assign(week=dated["week"].dt.tz_localize("Europe/Berlin")), "2025-11"),
        (dated.assign(week=dated["week"].dt.to_period("M")), "2025-11"),
    ):
        found = synthetic_control(held, "sales", **(asked | {"start": start}))
        assert (found.effect, found.p_value) == (own.effect, own.p_value)
        assert ("2025-11-01" in repr(found)) == (str(start) not in ("11",))
    bought = synthetic_control(table.assign(sales=table["sales"] > 10.0), "sales", **asked)
    assert bought.weights["weight"].sum() == pytest.approx(1.0)


def test_weights_sum_to_one_and_a_ridge_evens_them():
    table, asked = planted(5)
    plain = synthetic_control(table, "sales", placebos=0, **asked)
    even_ones = synthetic_control(table, "sales", placebos=0, ridge=1e9, **asked)
    for found in (plain, even_ones):
        assert found.weights["weight"].sum() == pytest.approx(1.0, abs=1e-12)
        assert found.weights["weight"].min() >= 0.0
    assert even_ones.weights["weight"].tolist() == pytest.approx([1 / 24] * 24, abs=1e-6)
    assert plain.mspe < even_ones.mspe
    of = synthetic_difference(table, "sales", errors="none", **asked)
    for weights in (of.unit_weights, of.time_weights):
        assert weights["weight"].sum() == pytest.approx(1.0, abs=1e-12)
        assert weights["weight"].min() >= 0.0
    before = of.path["gap"].to_numpy()[:30]
    assert before @ of.time_weights["weight"] == pytest.approx(0.0, abs=1e-9)
    assert of.path["gap"].to_numpy()[30:].mean() == pytest.approx(of.effect, abs=1e-9)


def test_predictors_find_what_outcomes_find():
    """The outcome of every period as a predictor: no weights of them reach a lower gap."""
    table, asked = planted(6, N=12, T=12, start=9)
    plain = synthetic_control(table, "sales", placebos=0, **asked)
    found = synthetic_control(table, "sales", placebos=3, predictors=[("sales", t) for t in
                              range(1, 9)], **asked)  # fmt: skip
    assert plain.mspe * (1.0 - 1e-9) <= found.mspe <= 1.25 * plain.mspe
    assert found.lower is None or found.lower < found.upper
    with pytest.raises(OptionError, match="predictors reach to 8"):
        found.back_dated(6)


def test_tests_and_intervals_agree():
    table, asked = planted(2, N=20, T=20, start=16, drawn=0.3)
    found = synthetic_control(table, "sales", **asked)
    assert found.p_value == found.tests["p_value"].iloc[0] <= 0.1
    assert found.lower > 0.0 or found.upper < 0.0
    ratios = found.placebos["ratio"]
    assert found.p_value == pytest.approx((ratios >= ratios[0]).mean())
    own = (table["shop"] == "S00") & (table["week"] >= 16)
    for end, outwards in ((found.lower, -1e-3), (found.upper, 1e-3)):
        for step, kept in ((0.0, True), (outwards, False)):  # the last effect that is not rejected
            less = table.assign(sales=table["sales"] - (end + step) * own)
            p = synthetic_control(less, "sales", **asked).p_value
            assert (p > 0.1 + 1e-9) == kept


def test_ranks_and_errors_are_those_of_the_placebos():
    table, asked = planted(2, N=12, T=16, start=13)
    found = synthetic_difference(table, "sales", **asked)
    for row in found.table.to_dict("records"):
        placebos = found.placebos[row["estimator"]].to_numpy()
        as_large = (np.abs(placebos) >= abs(row["estimate"])).sum()
        assert row["p_placebo"] == (1 + as_large) / 12
        assert row["std_error"] == pytest.approx(
            np.sqrt(np.mean((placebos - placebos.mean()) ** 2))
        )
        half = scipy.stats.norm.ppf(0.95) * row["std_error"]
        assert row["lower"] == pytest.approx(row["estimate"] - half)


def test_intervals_by_period_hold_what_is_not_rejected():
    table, asked = planted(3, N=12, T=16, start=16, drawn=0.3)
    row = synthetic_control(table, "sales", placebos=0, **asked).path.iloc[-1]
    wide = table.pivot(index="shop", columns="week", values="sales").to_numpy()
    for end, outwards in ((row["lower"], -1e-3), (row["upper"], 1e-3)):
        for step, kept in ((0.0, True), (outwards, False)):
            y = wide[0] - np.append(np.zeros(15), end + step)
            gaps = y - nearest(gram(wide[1:], y)).weights @ wide[1:]
            p = np.mean(np.abs(gaps) >= abs(gaps[-1]) - 1e-9)
            assert (p > 0.1 + 1e-9) == kept


def test_blocks_by_brute_force():
    rng = np.random.default_rng(1)
    for after in (1, 2, 5):
        gaps = rng.normal(size=9)
        seen = np.abs(gaps[-after:]).mean()
        shifted = [np.abs(np.roll(gaps, turn)[-after:]).mean() for turn in range(9)]
        assert block_p_value(gaps, after) == np.mean(np.array(shifted) >= seen - 1e-12)
    assert block_p_value(np.array([1.0, -1.0, 1.0, 1.0]), 2) == 1.0


def test_placebos_are_quick():
    table, asked = planted(1, N=44, T=31, start=20, treated=5)
    begun = time.perf_counter()
    found = synthetic_difference(table, "sales", replications=200, **asked)
    assert time.perf_counter() - begun < 2.0
    assert len(found.placebos) == 200


def test_the_jackknife_is_that_of_means_where_weights_are_even():
    """With one period on each side and even weights it is the jackknife of two means."""
    rng = np.random.default_rng(8)
    Y = rng.normal(size=(9, 2))
    treated = np.arange(3)
    change = Y[:, 1] - Y[:, 0]
    one, two = change[:3], change[3:]
    left = [np.delete(one, at).mean() - two.mean() for at in range(3)]
    left += [one.mean() - np.delete(two, at).mean() for at in range(6)]
    aim = np.sqrt(8 / 9 * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert jackknife(Y, treated, even(6, 1)) == pytest.approx(aim, rel=1e-12)


def test_no_error_where_the_reference_refuses_one():
    table, asked = planted(1)
    with pytest.raises(FitError, match="no standard error with one treated unit"):
        synthetic_difference(table, "sales", errors="jackknife", **asked)
    few, asked = planted(1, N=7, treated=4)
    with pytest.raises(FitError, match=r"untreated units \(3\) than treated ones \(4\)"):
        synthetic_difference(few, "sales", **asked)
    held = synthetic_difference(few, "sales", errors="none", **asked)
    assert held.table["std_error"].isna().all()
    assert held.table["estimator"].tolist() == list(KINDS)


def both(table, **changed):
    asked = {**NAMES, "treated": "S00", "start": 4} | changed
    for ask in (synthetic_control, synthetic_difference):
        yield lambda ask=ask: ask(table, "sales", **asked)


SOUND = long(np.random.default_rng(1).normal(10.0, 1.0, size=(6, 8)))


@pytest.mark.parametrize(("spoilt", "words"), [
    (lambda t: t.drop(index=3), "1 of 6 units of shop lack periods of week"),
    (lambda t: t.drop(index=[0, 1, 2]), "S00 has no row for 1"),
    (lambda t: pd.concat([t, t.iloc[:2]]), r"two rows in one week \(2 rows\); first: row 49"),
    (lambda t: t.astype({"sales": object}).replace({"sales": {t["sales"][5]: "ten"}}),
     r"sales is no number \(1 row\); first: row 6: shop=S00, week=6, sales=ten"),
    (lambda t: t.assign(sales=t["sales"].where(t.index != 9)), r"sales is missing \(1 row\)"),
    (lambda t: t.assign(sales=t["sales"].where(t.index != 9, np.inf)), "sales is infinite"),
    (lambda t: t.assign(shop=t["shop"].where(t.index != 9)), "shop is missing"),
    (lambda t: t.assign(week=t["week"].where(t.index != 9).astype(object).replace(
        {3: "March"})), "week is neither a number nor a date"),
    (lambda t: t.iloc[:0], "the table is empty"),
])  # fmt: skip
def test_tables_that_are_no_panel(spoilt, words):
    for ask in both(spoilt(SOUND)):
        with pytest.raises(DataError, match=words):
            ask()


def test_every_problem_is_told_at_once():
    table = pd.concat([SOUND, SOUND.iloc[:1]], ignore_index=True)
    table.loc[20, "sales"], table.loc[30, "shop"] = np.nan, None
    with pytest.raises(DataError) as told:
        synthetic_control(table, "sales", treated="S00", start=4, **NAMES)
    assert "3 problems" in str(told.value)


@pytest.mark.parametrize(("changed", "words"), [
    ({"treated": "S99"}, "treated unit 'S99' is not in shop: S00, S01"),
    ({"treated": []}, "treated names no unit"),
    ({"start": 1}, "S00 has no period before it, 1 is the first"),
    ({"start": 9}, "lies after the last period, 8"),
    ({"start": "soon"}, "start 'soon' is not a number"),
    ({"unit": "store"}, "there is no column 'store'"),
    ({"level": 1.5}, "between 0 and 1"),
    ({"seed": -1}, "seed -1"),
])  # fmt: skip
def test_questions_that_are_none(changed, words):
    for ask in both(SOUND, **changed):
        with pytest.raises(OptionError, match=words):
            ask()


def test_too_little_to_compare():
    for ask in both(SOUND[SOUND["shop"] < "S02"]):
        with pytest.raises(FitError, match="1 unit untreated: 2 needed"):
            ask()
    for ask in both(SOUND.assign(sales=4.0)):
        with pytest.raises(FitError, match="sales is 4 in every row"):
            ask()
    with pytest.raises(FitError, match="two periods before"):
        synthetic_difference(SOUND, "sales", treated="S00", start=2, **NAMES)
    one = synthetic_control(SOUND, "sales", treated="S00", start=2, **NAMES)
    assert one.path["lower"].isna().all()
    assert any("No interval by period" in note for note in one.notes)
    assert any(note.startswith("Fitted to few periods, 1") for note in one.notes)
    assert "too few units to tell chance apart" in one.verdict
    assert one.lower is None


@pytest.mark.parametrize(("changed", "words"), [
    ({"ridge": -1.0}, "ridge -1.0 is 0 or more"),
    ({"placebos": 2.5}, "placebos 2.5 is a whole number"),
    ({"fit_from": 5}, "fit_from 5 leaves no period before"),
    ({"predictors": {"sales": (2, 6)}}, "reaches into the treated periods"),
    ({"predictors": {"sales": (20, 30)}}, "holds no period of the table"),
    ({"predictors": "sales"}, "predictors maps columns to windows"),
    ({"predictors": {"price": 2}}, "there is no column 'price'"),
    ({"predictors": {"sales": 2}, "ridge": 1.0}, "ridge goes with outcomes only"),
])  # fmt: skip
def test_choices_of_synthetic_control_that_are_none(changed, words):
    with pytest.raises(OptionError, match=words):
        synthetic_control(SOUND, "sales", **({**NAMES, "treated": "S00", "start": 4} | changed))


def test_predictors_that_are_not_known():
    table = SOUND.assign(price=SOUND["sales"].where(SOUND["shop"] != "S03"))
    with pytest.raises(
        DataError, match=r"predictor price is unknown over 2 in 1 units; first: S03"
    ):
        synthetic_control(table, "sales", treated="S00", start=4, predictors={"price": 2}, **NAMES)


def test_earlier_starts_that_leave_no_room():
    found = synthetic_control(SOUND, "sales", treated="S00", start=4, placebos=0, **NAMES)
    for start in (1, 4, 7):
        with pytest.raises(OptionError, match="is not after 1 and before 4"):
            found.back_dated(start)
    of = synthetic_difference(SOUND, "sales", treated="S00", start=4, errors="none", **NAMES)
    with pytest.raises(OptionError, match="leaves fewer than two periods before it"):
        of.back_dated(2)


def test_faces():
    found = synthetic_control(SOUND, "sales", treated="S00", start=6, **NAMES)
    assert "sales of S00 less a mixture of 5 donors, from 6" in repr(found)
    assert "From 6 on, sales of S00" in found._repr_html_()
    of = synthetic_difference(SOUND, "sales", treated=["S00", "S01"], start=6, **NAMES)
    assert "sales of 2 treated units against 4 others, from 6" in repr(of)
    assert "6 placebos hardly tell how wide chance is" in of._repr_html_()
