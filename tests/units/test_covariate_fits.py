"""A fit with covariates: kinds of customers, values, effects, saving, penalties and priors."""

import json

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.purchases.kinds import Mix, usual


@pytest.fixture(scope="module")
def base():
    whole = cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
        unit="week", end="1997-09-30", holdout_end="1998-06-30",
    )  # fmt: skip
    rng = np.random.default_rng(8)
    bought = whole.table["frequency"].to_numpy() > 0
    kinds = whole.table[["customer_id"]].assign(
        channel=np.where(rng.random(whole.customers) < 0.3 + 0.3 * bought, "web", "store"),
        score=rng.normal(7 + 0.4 * bought, 1.5).round(0),
    )
    return whole.with_covariates(kinds)


@pytest.fixture(scope="module")
def fit(base):
    return cx.BGNBD().fit(base, purchase="~ channel", dropout="~ channel")


def test_a_kind_has_the_predictions_of_its_customers(base, fit):
    whole = fit.predict(base, horizon="39W", draws=100)
    for channel in ("web", "store"):
        mine = (base.table["channel"] == channel).to_numpy()
        alone = fit.at(channel=channel).predict(base, horizon="39W", draws=100)
        for name in ("p_alive", "p_alive_at_horizon", "expected_purchases", "p_no_purchase"):
            np.testing.assert_allclose(whole[name][mine], alone[name][mine], rtol=1e-12)
        # intervals of the expectation come from the same draws of the parameters
        np.testing.assert_allclose(whole["lower"][mine], alone["lower"][mine], rtol=1e-9)


def test_a_kind_is_the_formula_by_hand(fit):
    r, alpha, a, b, web, leaves = fit.theta
    share = (fit.family.link.design.sides[0].mean)[0]
    eta, gone = web * (1 - share), leaves * (1 - share)
    odds = a / b * np.exp(gone)
    expected = [r, alpha * np.exp(-eta), (a + b) * odds / (1 + odds), (a + b) / (1 + odds)]
    kind = fit.at(channel="web")
    np.testing.assert_allclose(kind.theta, expected, rtol=1e-12)
    assert kind.family == cx.BGNBD()
    spread = kind.posterior(2000).interval()
    assert spread["std_dev"].to_numpy() == pytest.approx(
        kind.parameters["std_error"].to_numpy(), rel=0.5
    )
    assert "channel='web'" in kind.notes[0]


def test_what_needs_a_kind_asks_for_it(base, fit):
    spend = cx.GammaGamma().fit(base)
    for question in (
        lambda one: one.new_customer(horizon="39W", draws=50),
        lambda one: one.pmf(2, horizon="39W"),
        lambda one: one.simulate(5, T=3.0),
        lambda one: cx.recency_frequency_map(one, T=39.0, horizon="39W"),
        lambda one: cx.iso_value(one, spend, T=39.0, horizon="39W", discount_rate=0.1),
        lambda one: cx.discounted_purchases(one, discount_rate=0.1),
    ):
        with pytest.raises(cx.OptionError, match=r"fit\.at\(channel='store'\)"):
            question(fit)
        assert question(fit.at(channel="web")) is not None


def test_kinds_that_are_none_are_refused(base, fit):
    with pytest.raises(cx.OptionError, match="at\\(\\) takes channel, got shop"):
        fit.at(shop="web")
    with pytest.raises(cx.DataError, match="a level that the fit has not seen"):
        fit.at(channel="fax")
    plain = cx.BGNBD().fit(base)
    with pytest.raises(cx.OptionError, match="no covariates"):
        plain.at(channel="web")
    with pytest.raises(cx.OptionError, match="no covariates"):
        _ = plain.covariates
    with pytest.raises(cx.OptionError, match="one kind"):
        fit.at(channel="web").interval("profile")
    with pytest.raises(cx.OptionError, match="AIC"):
        _ = fit.at(channel="web").aic


def test_effects_and_likelihood_ratio(base, fit):
    found = fit.covariates
    assert found.effects["covariate"].tolist() == ["channel[web]", "channel[web]"]
    assert found.effects["process"].tolist() == ["purchase", "dropout"]
    assert found.effects["moves"].tolist() == ["mean purchase rate", "odds of leaving"]
    expected = 100 * (np.exp(fit.theta[4:]) - 1)
    np.testing.assert_allclose(found.effects["effect_per_cent"], expected)
    assert (found.effects["lower"] < found.effects["effect_per_cent"]).all()
    row = found.likelihood_ratio.iloc[0]
    gain = fit.log_likelihood - cx.BGNBD().fit(base).log_likelihood
    assert row["statistic"] == pytest.approx(2 * gain, abs=1e-6)
    assert row["degrees_of_freedom"] == 2
    assert row["p_value"] == pytest.approx(np.exp(-gain), rel=1e-6)  # chi-square with two degrees
    assert fit.aic == pytest.approx(12 - 2 * fit.log_likelihood)


def test_a_new_customer_is_the_mix_of_the_base(base, fit):
    spend = cx.GammaGamma().fit(base)
    terms = {"horizon": "36M", "discount_rate": 0.1}
    value = cx.lifetime_value(fit, spend, base, margin=0.3, draws=50, **terms)
    shares = base.table["channel"].value_counts(normalize=True)
    each = {
        channel: cx.discounted_purchases(fit.at(channel=channel), **terms).iloc[0, 0]
        for channel in shares.index
    }
    row = value.new_customer.iloc[0]
    expected = sum(shares[channel] * each[channel] for channel in each)
    assert row["discounted_purchases"] == pytest.approx(expected, rel=1e-7)
    assert row["lower"] < row["lifetime_value"] < row["upper"]
    assert "on average over the kinds" in row["estimand"]
    ahead = cx.discounted_purchases(fit, base, **terms)
    for channel in each:
        mine = (base.table["channel"] == channel).to_numpy()
        alone = cx.discounted_purchases(fit.at(channel=channel), base, **terms)
        np.testing.assert_allclose(
            ahead["discounted_purchases"][mine], alone["discounted_purchases"][mine], rtol=1e-6
        )
        np.testing.assert_allclose(
            value.customers["discounted_purchases"][mine], alone["discounted_purchases"][mine],
            rtol=1e-6,
        )  # fmt: skip


def test_tracking_and_frequencies_sum_over_kinds(base, fit):
    tracked, table = cx.tracking(fit, base, draws=20), cx.frequency_table(fit, base, draws=20)
    cumulative, customers = np.zeros(len(tracked)), np.zeros(len(table))
    for channel in ("web", "store"):
        frame = base.table[base.table["channel"] == channel]
        part = cx.CustomerBase.from_summary(frame, covariates=["channel"])
        kind = fit.at(channel=channel)
        customers += cx.frequency_table(kind, part, draws=20)["expected"].to_numpy()
        T, size = np.unique(part.table["T"], return_counts=True)
        end = (tracked["period_end"] - pd.Timestamp(base.end)).dt.days.to_numpy() / 7
        age = np.maximum(T[:, None] + end, 0.0)
        cumulative += size @ kind.family.expected_purchases(kind.theta, age)
    np.testing.assert_allclose(table["expected"], customers, rtol=1e-9)
    np.testing.assert_allclose(tracked["cumulative_expected"], cumulative, rtol=1e-6)
    assert (tracked["lower"] <= tracked["expected"]).all()


def test_many_kinds_are_stood_for_by_some(base):
    fit = cx.BGNBD().fit(base, purchase="~ score + channel")
    tracked, table = cx.tracking(fit, base, draws=20), cx.frequency_table(fit, base, draws=20)
    assert (tracked["lower"] <= tracked["expected"]).all()
    assert (tracked["expected"] <= tracked["upper"]).all()
    assert table["expected"].sum() == pytest.approx(base.customers)
    assert table["lower"].sum() < base.customers < table["upper"].sum()
    most = usual(fit, base)
    assert most.notes[0].startswith("For customers with score=")


def test_few_of_a_mix_keep_its_size_and_mean():
    rng = np.random.default_rng(2)
    mix = Mix(rng.uniform(5, 9, 900), np.arange(900), rng.integers(1, 5, 900).astype(float))
    few = mix.few(100)
    assert few.size.size <= 100
    assert few.size.sum() == pytest.approx(mix.size.sum())
    assert few.kind @ few.size == pytest.approx(mix.kind @ mix.size, rel=0.01)
    assert mix.few(900) is mix


def test_saved_with_its_design(base, fit, tmp_path):
    again = cx.load(fit.save(tmp_path / "fit.json"))
    np.testing.assert_array_equal(again.theta, fit.theta)
    first, second = (one.predict(base, horizon="39W", draws=50) for one in (fit, again))
    np.testing.assert_array_equal(first["expected_purchases"], second["expected_purchases"])
    np.testing.assert_array_equal(again.at(channel="web").theta, fit.at(channel="web").theta)
    assert again.notes == fit.notes
    assert again.covariates.likelihood_ratio.equals(fit.covariates.likelihood_ratio)
    kind = cx.load(fit.at(channel="web").save(tmp_path / "kind.json"))
    np.testing.assert_array_equal(kind.theta, fit.at(channel="web").theta)


def test_a_saved_formula_runs_nothing(fit, tmp_path):
    path = fit.save(tmp_path / "fit.json")
    stored = json.loads(path.read_text())
    stored["design"]["sides"][0]["formula"] = "~ log(__import__('os').getcwd())"
    path.write_text(json.dumps(stored))
    with pytest.raises(cx.CxError, match="may use"):
        cx.load(path)


def test_a_penalty_says_so_and_shrinks(base, fit, tmp_path):
    asked = {"purchase": "~ channel", "dropout": "~ channel"}
    held = cx.BGNBD().fit(base, penalty=200.0, **asked)
    assert (np.abs(held.theta[4:]) < np.abs(fit.theta[4:])).all()
    assert "maximum of the penalised likelihood, not maximum likelihood" in str(held.status)
    assert "penalised log likelihood" in str(held.status)
    assert "penalised" in repr(held)
    assert held.estimate.maximised < held.log_likelihood < fit.log_likelihood
    assert held.covariates.likelihood_ratio is None
    for criterion in ("aic", "bic"):
        with pytest.raises(cx.OptionError, match="maximum likelihood fits"):
            getattr(held, criterion)
    assert any("penalty of 200" in note for note in held.notes)
    assert cx.load(held.save(tmp_path / "held.json")).estimate.penalty == held.estimate.penalty
    wide = cx.BGNBD().fit(base, penalty=1e8, **asked)
    plain = cx.BGNBD().fit(base)
    np.testing.assert_allclose(wide.theta[:4], plain.theta, rtol=1e-4)


def test_map_is_a_mode_and_its_draws_use_the_prior(base):
    prior = cx.NormalPrior(mean=0.0, sd=0.05)
    found = cx.BGNBD().fit(base, prior=prior)
    assert "posterior mode (MAP), not maximum likelihood" in str(found.status)
    assert any(note.startswith("MAP") for note in found.notes)
    draws, plain = found.posterior(2000), cx.BGNBD().fit(base).posterior(2000, prior=prior)
    np.testing.assert_allclose(draws.values.mean(axis=0), plain.values.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(draws.values.mean(axis=0), found.theta, rtol=0.05)
    with pytest.raises(cx.OptionError, match="AIC"):
        _ = found.aic
    assert np.isfinite(found.interval("profile").to_numpy()).all()


def test_loose_prior_is_maximum_likelihood(base, fit):
    loose = cx.NormalPrior(sd=1e4)
    found = cx.BGNBD().fit(base, purchase="~ channel", dropout="~ channel", prior=loose)
    np.testing.assert_allclose(found.theta, fit.theta, rtol=1e-5)


def test_profile_and_wald_agree_on_a_coefficient(fit):
    wald, profile = fit.interval("wald"), fit.interval("profile")
    name = "purchase: channel[web]"
    np.testing.assert_allclose(profile.loc[name], wald.loc[name], rtol=0.05)
