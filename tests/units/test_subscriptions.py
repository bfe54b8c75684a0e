"""Fitted subscription models: what they can be asked, hard inputs, files, Kaplan and Meier."""

import json

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError
from cxmodels.results.estimate import Outcome
from cxmodels.subscriptions.curves import ends

COUNTS = [1000, 869, 743, 653, 593, 551, 517, 491]
FAMILIES = [cx.SBG, cx.BDW, cx.WeibullGamma]


@pytest.fixture(scope="module")
def base():
    return cx.SubscriptionBase.from_survivors(COUNTS, unit="year")


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def fit(request, base):
    return request.param().fit(base)


@pytest.fixture(scope="module")
def priced():
    """Two channels and a price, by contracts."""
    rng = np.random.default_rng(4)
    n = 900
    channel, price = rng.choice(["shop", "web"], n), rng.choice([8.0, 10.0, 13.0], n)
    chance = np.where(channel == "web", 0.05, 0.12) * np.exp(0.1 * (price - 10.0))
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D")
    months = rng.geometric(np.clip(chance, 0.01, 0.9))
    end = pd.Series(start + pd.to_timedelta(months * 30.44, unit="D"))
    frame = pd.DataFrame({"id": np.arange(n), "from": start, "to": end.where(end < "2025-06-30")})
    return cx.SubscriptionBase.from_contracts(
        frame.assign(channel=channel, price=price), customer="id", start="from", end="to",
        as_of="2025-06-30", unit="month", covariates=["channel", "price"],
    )  # fmt: skip


def test_active_later_given_active_now_is_a_ratio(fit):
    """S(T + t) / S(T), not S(T + t)."""
    s = fit.survival([5, 8], draws=50)["survival"]
    given = fit.survival(3, age=5, draws=50)
    assert given["survival"].iloc[0] == pytest.approx(s[1] / s[0], rel=1e-12)
    assert given["age"].iloc[0] == 8
    assert given["survival"].iloc[0] > s[1] + 0.2
    rate = fit.retention_rate([6, 7, 8], draws=50)["retention_rate"]
    assert rate.prod() == pytest.approx(s[1] / s[0], rel=1e-12)


def test_tables_have_intervals_around_the_estimate(fit):
    for name, table in (
        ("survival", fit.survival(range(1, 13), draws=200)),
        ("retention_rate", fit.retention_rate(range(1, 13), draws=200)),
        ("expected_lifetime", fit.expected_lifetime([0, 4], horizon="10Y", draws=200)),
        ("discounted_lifetime", cx.residual_lifetime(fit, [0, 4], discount_rate=0.1, draws=200)),
    ):
        assert (table["lower"] < table[name]).all()
        assert (table[name] < table["upper"]).all()
    narrow = fit.survival(6, level=0.5, draws=200).iloc[0]
    wide = fit.survival(6, level=0.95, draws=200).iloc[0]
    assert narrow["upper"] - narrow["lower"] < wide["upper"] - wide["lower"]


def test_whole_periods_end_at_renewals(base):
    sbg, days = cx.SBG().fit(base), cx.WeibullGamma().fit(base)
    for age in (2.0, 2.5):
        assert sbg.survival(age, draws=20)["survival"][0] == sbg.survival(2)["survival"][0]
    assert days.survival(2.5, draws=20)["survival"][0] < days.survival(2.0)["survival"][0]


def test_cohorts_ahead(fit, base):
    row = fit.predict(base, horizon="5Y").iloc[0]
    assert row["p_active"] == pytest.approx(fit.survival(5, age=7, draws=20)["survival"].iloc[0])
    assert row["expected_customers"] == pytest.approx(491 * row["p_active"])
    assert row["customers_lower"] < row["lower"] < row["expected_customers"] < row["upper"]
    assert row["upper"] < row["customers_upper"]  # chance comes on top
    assert fit.predict(base, horizon=5).equals(fit.predict(base, horizon="5Y"))


def test_an_infinite_mean_is_said_and_a_horizon_helps(fit):
    found = fit.expected_lifetime(0, draws=50).iloc[0]
    assert np.isinf(found["expected_lifetime"])
    assert any("mean lifetime is infinite" in note for note in fit.notes)
    assert np.isfinite(fit.expected_lifetime(0, horizon=50, draws=50)["upper"].iloc[0])


def test_a_fit_is_saved_and_read(fit, base, tmp_path):
    again = cx.load(fit.save(tmp_path / "fit.json"))
    assert isinstance(again, cx.FittedSubscriptions)
    assert again.theta.tolist() == fit.theta.tolist()
    assert (again.unit, again.periods, again.lost, again.active) == (fit.unit, 7, 509, 491)
    assert again.notes == fit.notes
    pd.testing.assert_frame_equal(again.parameters, fit.parameters)
    a, b = again.predict(base, horizon=5), fit.predict(base, horizon=5)
    np.testing.assert_allclose(a["p_active"], b["p_active"], rtol=1e-12)
    np.testing.assert_allclose(a["upper"], b["upper"], rtol=0.02)
    worth = [cx.subscription_value(f, base, discount_rate=0.1, draws=100) for f in (again, fit)]
    assert worth[0].total["residual_value"][0] == pytest.approx(worth[1].total["residual_value"][0])


def test_a_torn_file_is_refused(fit, tmp_path):
    path = fit.save(tmp_path / "fit.json")
    stored = json.loads(path.read_text(encoding="utf-8"))
    for name in ("design", "unit", "periods", "family"):
        path.write_text(json.dumps({k: v for k, v in stored.items() if k != name}))
        with pytest.raises(DataError, match="missing or broken"):
            cx.load(path)


def test_three_kinds_of_interval(fit):
    for method in ("wald", "profile", "posterior"):
        found = fit.interval(method)
        assert (found["lower"] < fit.theta).all()
        assert (found["upper"] > fit.theta).all()
    assert fit.posterior(500).pareto_k < 0.7


def test_wrong_questions(fit, base):
    with pytest.raises(OptionError, match="t counts periods"):
        fit.survival(-1)
    with pytest.raises(OptionError, match="1 or more"):
        fit.retention_rate(0)
    with pytest.raises(OptionError, match="not one of cohort, customer"):
        fit.predict(base, horizon=3, by="channel")
    with pytest.raises(OptionError, match="table of contracts"):
        fit.predict(base, horizon=3, by="customer")
    with pytest.raises(OptionError, match="no covariates"):
        fit.survival(3, at={"channel": "web"})
    with pytest.raises(OptionError, match="level"):
        fit.survival(3, level=90)
    with pytest.raises(OptionError, match="those of the base month"):
        fit.predict(cx.SubscriptionBase.from_survivors(COUNTS, unit="month"), horizon=3)


def test_without_a_unit_money_is_not_discounted():
    base = cx.SubscriptionBase.from_survivors(COUNTS)
    fit = cx.SBG().fit(base)
    assert fit.survival(3, draws=20)["survival"].iloc[0] > 0.6
    with pytest.raises(OptionError, match="length of a period is not stated"):
        cx.subscription_value(fit, base, discount_rate=0.1)
    with pytest.raises(OptionError, match="needs the length of a period"):
        fit.predict(base, horizon="12M")


def test_covariates_reach_every_answer(priced):
    fit = cx.SBG(leaving="~ channel + price").fit(priced)
    found = fit.parameters["estimate"]
    assert found["channel[web]"] < -0.5
    assert found["price"] > 0.03
    web, shop = ({"channel": name, "price": 10.0} for name in ("web", "shop"))
    assert fit.survival(6, at=web)["lower"][0] > fit.survival(6, at=shop)["upper"][0]
    assert fit.retention_rate(1, at=web)["lower"][0] > fit.retention_rate(1, at=shop)["upper"][0]
    long = [cx.residual_lifetime(fit, 3, discount_rate=0.1, at=at, draws=50) for at in (web, shop)]
    assert long[0]["lower"][0] > long[1]["upper"][0]
    people = fit.predict(priced, horizon="6M", by="customer")
    assert len(people) == priced.active
    alike = people.groupby(["age", "channel", "price"])["p_active"].nunique()
    assert (alike == 1).all()
    cohorts = fit.predict(priced, horizon="6M")
    assert cohorts["expected_customers"].sum() == pytest.approx(people["p_active"].sum(), rel=1e-9)
    value = cx.subscription_value(fit, priced, discount_rate=0.1, amount=30.0, draws=60)
    assert value.cohorts["residual_value"].sum() == pytest.approx(value.total["residual_value"][0])


def test_covariates_survive_a_file(priced, tmp_path):
    fit = cx.BDW(leaving="~ channel").fit(priced)
    again = cx.load(fit.save(tmp_path / "fit.json"))
    at = {"channel": "web"}
    assert again.survival(6, at=at)["survival"][0] == fit.survival(6, at=at)["survival"][0]


def test_what_covariates_cannot_be(priced):
    for formula in ("channel", "~ channel * price", "~ log(price)", "~", "~ 1"):
        with pytest.raises(OptionError, match="not a formula such as"):
            cx.SBG(leaving=formula).fit(priced)
    with pytest.raises(OptionError, match="'size' is not in the base"):
        cx.SBG(leaving="~ size").fit(priced)
    fit = cx.SBG(leaving="~ channel").fit(priced)
    with pytest.raises(OptionError, match="who is asked about"):
        fit.survival(3)
    with pytest.raises(DataError, match="level that the fit has not seen"):
        fit.survival(3, at={"channel": "phone"})
    totals = cx.SubscriptionBase.from_totals(
        pd.DataFrame({"acquired": [90, 0, 0], "lost": [0, 30, 9]})
    )
    with pytest.raises(OptionError, match="totals have no covariates"):
        cx.SBG(leaving="~ channel").fit(totals)
    with pytest.raises(OptionError, match="only totals are known"):
        cx.SBG().fit(totals).predict(totals, horizon=2)


def hard():
    """Counts that break naive code: tiny, huge, nobody or everybody leaving, falling renewal."""
    rng = np.random.default_rng(9)
    yield "tiny", [3, 2, 1]
    yield "one stays", [2, 1, 1, 1]
    yield "huge", [10**9, 9 * 10**8, 85 * 10**7, 82 * 10**7]
    yield "one in a million leaves", [10**6, 999_999, 999_998, 999_998]
    yield "nearly all leave at once", [10**6, 3, 2, 2, 2]
    yield "geometric", [1_000_000, 800_000, 640_000, 512_000, 409_600]
    yield "danger rises", [1000, 990, 900, 600, 100, 2]
    yield "all leave in the end", [1000, 500, 200, 50, 0]
    yield "leavers only at first", [1000, 400, 400, 400, 400]
    yield "leavers only at last", [1000, 1000, 1000, 1000, 600]
    yield "two periods", [1000, 869, 743]
    yield "long", [int(10_000 * (1 + age) ** -0.4) for age in range(60)]
    for place in range(4):
        n, start = int(rng.integers(2, 14)), int(rng.integers(5, 5000))
        lost = rng.multinomial(start, rng.dirichlet(np.full(n + 1, 0.4)))
        yield f"random {place}", [*(start - np.cumsum(np.append(0, lost[:-1]))).tolist()]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_hard_inputs_end_in_a_sentence(family):
    for name, counts in hard():
        lost, stayed = counts[0] - counts[-1], counts[-1]
        if not lost or (not stayed and len(set(counts)) == 2):
            continue
        fit = family().fit(cx.SubscriptionBase.from_survivors(counts, unit="month"))
        assert len(str(fit.status)) > 20, name
        assert np.isfinite(fit.log_likelihood), name
        assert np.isfinite(fit.theta).all(), name
        best = random_best(fit, np.random.default_rng(1))
        # one supremum lies at infinity: there the fit stops where the search may not go further
        most = 0.2 if name == "leavers only at last" else 0.01
        assert fit.log_likelihood > best - most, (name, best, fit)
        point = np.exp(fit.family.log_ratio(fit.theta, 0.0, np.arange(30.0)))
        assert ((point >= 0.0) & (point <= 1.0)).all(), name
        assert (np.diff(point) <= 0.0).all(), name


def random_best(fit, rng):
    """The best of 50 climbs would be slow: the best of 1,500 random points around the estimate."""
    spread = rng.standard_normal((1500, fit.theta.size)) * rng.uniform(0.01, 4.0, (1500, 1))
    points = fit.theta * np.exp(spread)
    inside = (
        np.abs(np.log(points / fit.estimate.scales)).max(axis=1) < 30.0
    )  # as far as a fit looks
    with np.errstate(all="ignore"):
        found = fit.objective.log_likelihood(points[inside])
    return np.nanmax(np.where(np.isfinite(found), found, -np.inf))


def test_two_periods_do_not_determine_three_parameters():
    fit = cx.BDW().fit(cx.SubscriptionBase.from_survivors([1000, 869, 743]))
    assert any("counted at 2 ages" in note and "not determined" in note for note in fit.notes)
    assert fit.status.outcome is not Outcome.CONVERGED
    assert fit.parameters["std_error"].isna().any()


def test_customers_alike_run_to_the_edge_in_words():
    fit = cx.SBG().fit(cx.SubscriptionBase.from_survivors([100_000, 80_000, 64_000, 51_200]))
    assert fit.status.outcome is Outcome.BOUNDARY
    assert "customers are alike" in str(fit.status)
    rate = fit.retention_rate([1, 3, 9], draws=50)
    np.testing.assert_allclose(rate["retention_rate"], 0.8, rtol=1e-3)


def product_limit(spells, level):
    """The estimate and its band from the definition: Greenwood's sum, log-log."""
    from scipy.stats import norm

    s, spread, found = 1.0, 0.0, {}
    for age in range(1, int(spells["window"].max()) + 1):
        left = np.where(np.isfinite(spells["ended"]), spells["ended"], spells["lasted"])
        n = spells.loc[(spells["entry"] < age) & (left >= age), "customers"].sum()
        d = spells.loc[spells["ended"] == age, "customers"].sum()
        s *= 1.0 - d / n
        spread += d / (n * (n - d))
        half = norm.ppf((1 + level) / 2) * np.sqrt(spread) / abs(np.log(s))
        found[age] = (s, s ** np.exp(half), s ** np.exp(-half))
    return found


def test_kaplan_meier_is_the_product_limit():
    table = pd.DataFrame(
        [[500, 402, 350, np.nan], [700, 566, np.nan, np.nan], [300, 244, 209, 190]],
        index=pd.Index(["x", "y", "z"], name="cohort"),
    )
    base = cx.SubscriptionBase.from_cohorts(table)
    base = base.rescaled(base.spells.assign(entry=[0.0, 0, 1, 0, 0, 0, 0, 0, 1]), base.cohorts)
    found = cx.kaplan_meier(base, level=0.8).set_index("age")
    for age, (s, lower, upper) in product_limit(base.spells, 0.8).items():
        row = found.loc[age, ["survival", "lower", "upper"]]
        np.testing.assert_allclose(row.to_numpy(dtype=float), [s, lower, upper], rtol=1e-9)


def test_kaplan_meier_needs_every_period():
    table = pd.DataFrame([[500, np.nan, 350]], index=["a"])
    with pytest.raises(DataError, match="not counted in every period"):
        cx.kaplan_meier(cx.SubscriptionBase.from_cohorts(table))


def test_a_missing_library_names_the_extra(base, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lifelines", None)
    with pytest.raises(OptionError, match=r"pip install 'cxmodels\[survival\]'"):
        cx.kaplan_meier(base)


def test_the_hold_out_is_marked_and_a_constant_rate_fails_in_it():
    """The naive answer: everybody renews at the mean rate of seven years."""
    regular = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
    base = cx.SubscriptionBase.from_survivors(regular, unit="year")
    found = cx.retention_tracking(cx.SBG().fit(base.before_last(5)), base)
    held = found[found["part"] == "hold-out"]
    assert held["age"].tolist() == [8, 9, 10, 11, 12]
    inside = held["survival_actual"].between(held["survival_lower"], held["survival_upper"])
    assert inside.all()
    assert (held["survival_naive"] < held["survival_actual_lower"]).all()
    assert held["survival_naive"].iloc[-1] < 0.5 * held["survival_actual"].iloc[-1]
    kept = found["retention_actual"].to_numpy()[1:]
    np.testing.assert_allclose(kept, np.array(regular[1:]) / np.array(regular[:-1]), rtol=1e-12)


def test_the_naive_value_fails_where_the_truth_is_known():
    """Customers of a known sBG, valued by what they went on to pay."""
    rng = np.random.default_rng(31)
    theta, rows, paid = np.array([0.8, 2.4]), [], 0.0
    d = 1.0 / 1.1
    for age in (1, 2, 3, 4, 5):
        ended = cx.SBG().simulate(theta, 4000, rng)
        rows.append([*((ended > t).sum() for t in range(age + 1)), *[np.nan] * (5 - age)])
        ahead = ended[ended > age] - age - 1.0
        paid += ((1.0 - d ** np.minimum(ahead, 10)) / (1.0 - d)).sum()
    table = pd.DataFrame(rows, index=pd.Index(range(5), name="cohort"))
    base = cx.SubscriptionBase.from_cohorts(table, unit="year")
    value = cx.subscription_value(cx.SBG().fit(base), base, discount_rate=0.1, horizon="10Y")
    total = value.total.iloc[0]
    assert total["lower"] < paid < total["upper"]
    assert total["naive_value"] < 0.93 * paid
    assert total["naive_value"] < total["lower"]
    assert "below" in value.sentence


def test_terms_of_a_value(fit, base):
    now = cx.subscription_value(fit, base, discount_rate=0.21, draws=60).total.iloc[0]
    later = cx.subscription_value(
        fit, base, discount_rate=0.21, next_payment="next period", draws=60
    ).total.iloc[0]
    assert later["residual_value"] == pytest.approx(now["residual_value"] / 1.21, rel=1e-12)
    assert later["naive_value"] == pytest.approx(now["naive_value"] / 1.21, rel=1e-12)
    dear = cx.subscription_value(fit, base, discount_rate=0.21, amount=7.0, draws=60).total.iloc[0]
    for name in ("residual_value", "lower", "upper", "value_lower", "naive_value", "difference"):
        assert dear[name] == pytest.approx(7.0 * now[name], rel=1e-9)
    by = pd.Series({"all": 7.0})
    same = cx.subscription_value(fit, base, discount_rate=0.21, amount=by, draws=60).total.iloc[0]
    assert same["residual_value"] == dear["residual_value"]
    with pytest.raises(DataError, match="a cohort has no amount"):
        cx.subscription_value(fit, base, discount_rate=0.1, amount=pd.Series({"b": 1.0}))
    with pytest.raises(OptionError, match="next_payment"):
        cx.residual_lifetime(fit, 1, discount_rate=0.1, next_payment="soon")
    with pytest.raises(OptionError, match="above 0"):
        cx.residual_lifetime(fit, 1, discount_rate=0.0)
    with pytest.raises(OptionError, match="annual and effective"):
        cx.residual_lifetime(fit, 1, discount_rate=12)


def test_a_month_is_a_twelfth_of_the_annual_rate():
    """One payment, surely made, a year from now is worth 1 / 1.1."""
    base = cx.SubscriptionBase.from_survivors(COUNTS, unit="month")
    fit = cx.SBG().fit(base)
    found = cx.residual_lifetime(fit, 0, discount_rate=0.1, horizon="12M", draws=20)
    t = np.arange(12.0)
    alive = np.exp(cx.SBG().log_ratio(fit.theta, 0.0, t + 1.0))
    assert found["discounted_lifetime"][0] == pytest.approx(alive @ 1.1 ** (-t / 12.0), rel=1e-12)


def test_ends_of_draws_with_infinite_ones():
    values = np.array([[1.0, 1.0], [2.0, np.inf], [3.0, np.inf], [4.0, 2.0], [5.0, 3.0]])
    lower, upper = ends(values, 0.8)
    assert lower == pytest.approx([1.4, 1.4])
    assert upper[0] == pytest.approx(4.6)
    assert np.isinf(upper[1])


def test_ages_beyond_a_double_follow_the_power_law():
    """t^c of 10^300 and more: survival goes on falling like t^(-alpha c)."""
    theta = np.array([0.4, 1.3, 91.0])
    found = cx.BDW().log_ratio(theta, 50.0, np.array([3e3, 9e3]))
    fall = -0.4 * 91.0 * np.log(np.array([3e3, 9e3]) / 50.0)
    np.testing.assert_allclose(found, fall, rtol=1e-9)
    whole = cx.BDW().log_ratio(theta, 0.0, np.array([50.0, 3e3]))  # 50^91 is below the cut
    np.testing.assert_allclose(np.diff(whole), found[:1], rtol=1e-9)
