"""Covariates that change over time: the laws, and what a user meets with season and satisfaction.

Where effects are 0 the family is Pareto/NBD; where a covariate never changes it is the static fit;
everything else is held against integrals over lambda and mu, and against simulated customers.
"""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.units import TimeUnit
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.simulation import AliveGroups
from tests.laws.over_time_laws import LAWS
from tests.laws.over_time_world import ASKED, TRUTH, World, world


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law()


@pytest.fixture(scope="module")
def simulated() -> World:
    return world(600, seed=4)


@pytest.fixture(scope="module")
def fit(simulated) -> FittedPurchases:
    return cx.ParetoNBD().fit(simulated.joined, **ASKED)


def test_effects_are_found_and_forecasts_follow_the_season(simulated, fit):
    """The fit that does not know the season misses the held-out quarter by a third and more."""
    found, base = fit.parameters, simulated.joined
    error = found["std_error"]
    for name, truth in TRUTH.items():
        assert abs(found.loc[name, "estimate"] - truth) < 4 * error[name], found
    total = simulated.later.sum()
    known = fit.predict(base, horizon="13W", draws=20)["expected_purchases"].sum()
    naive = cx.ParetoNBD().fit(simulated.base)
    blind = naive.predict(simulated.base, horizon="13W", draws=20)["expected_purchases"].sum()
    assert abs(known / total - 1) < 0.15
    assert blind / total - 1 < -0.3
    assert fit.log_likelihood > naive.log_likelihood + 50


def test_a_covariate_that_never_changes_is_a_static_one(simulated):
    base = simulated.base
    kinds = base.table[["customer_id"]].assign(early=(base.table["T"] > 38).astype(int))
    static = cx.ParetoNBD().fit(base.with_covariates(kinds), purchase="~ early", dropout="~ early")
    days = kinds.assign(day=np.datetime64("2023-01-01"))
    again = days.assign(day=np.datetime64("2023-05-01"))  # the same value, said twice
    path = base.with_covariates(pd.concat([days, again]), time="day", until="2024-03-31")
    fit = cx.ParetoNBD().fit(path, purchase="~ early", dropout="~ early")
    np.testing.assert_allclose(fit.log_likelihood, static.log_likelihood, rtol=1e-10)
    # centred at the mean over time in place of that over customers: only the level differs
    np.testing.assert_allclose(fit.theta[4:], static.theta[4:], rtol=1e-4)
    asked = {"horizon": "13W", "draws": 20}
    ours, theirs = fit.predict(path, **asked), static.predict(base.with_covariates(kinds), **asked)
    columns = ["p_alive", "p_alive_at_horizon", "expected_purchases", "p_no_purchase"]
    np.testing.assert_allclose(ours[columns], theirs[columns], rtol=1e-4)


def test_one_coefficient_for_both_and_a_penalty(simulated, fit):
    equal = cx.ParetoNBD().fit(
        simulated.joined, purchase="~ score", dropout="~ score", equal="score"
    )
    assert list(equal.parameters.index[4:]) == ["purchase and dropout: score"]
    held = cx.ParetoNBD().fit(simulated.joined, **ASKED, penalty=200.0)
    assert (np.abs(held.theta[4:]) < np.abs(fit.theta[4:])).all()
    assert "penalised" in str(held.notes)


def test_it_is_kept_in_a_file(tmp_path):
    few = world(120, seed=9).joined
    fit = cx.ParetoNBD().fit(few, purchase="~ season + score")
    fit.save(tmp_path / "over_time.json")
    loaded = cx.load(tmp_path / "over_time.json")
    np.testing.assert_allclose(loaded.theta, fit.theta)
    ours, again = (one.predict(few, horizon="13W", draws=20) for one in (fit, loaded))
    np.testing.assert_allclose(again["expected_purchases"], ours["expected_purchases"])


def test_value_follows_the_path(simulated, fit):
    """Discounted purchases equal a fine sum over days; equity without a season is far lower."""
    base = simulated.joined
    found = cx.discounted_purchases(fit, base, horizon="13W", discount_rate=0.1)
    linked, seen = fit.on(base)
    alive = AliveGroups.of(linked.family, seen)
    living = alive.alive(linked.family, fit.theta)
    t = (np.arange(13 * 70) + 0.5) / 70
    rate = linked.family.purchase_rate(living[:, None, :], t)
    ahead = rate @ np.exp(-np.log(1.1) / TimeUnit.WEEK.per_year * t) / 70
    expected = found["p_alive"].to_numpy() * ahead[alive.group][seen.row]
    np.testing.assert_allclose(found["discounted_purchases"], expected, rtol=1e-6)


def test_what_cannot_be_asked_is_said_in_words(simulated, fit):
    base = simulated.joined
    with pytest.raises(
        cx.DataError, match=r"paths of covariates end on 2024-03-31.*weeks too soon"
    ):
        fit.predict(base, horizon="40W")
    with pytest.raises(cx.DataError, match="the base has no covariates over time"):
        fit.predict(simulated.base, horizon="13W")
    with pytest.raises(cx.OptionError, match="change over time"):
        fit.new_customer(horizon="13W")
    with pytest.raises(cx.OptionError, match="change over time"):
        fit.at(season=1, score=0.0)
    with pytest.raises(cx.OptionError, match="are for ParetoNBD, not for BG/NBD"):
        cx.BGNBD().fit(base, purchase="~ season")
    assert "projected" in " ".join(fit.notes)
    assert list(fit.covariates.effects["covariate"]) == ["season", "score", "score"]


def test_bases_of_customers_who_cannot_be_told_apart(simulated):
    """A covariate that never moves, and one that follows from another, are refused in words."""
    flat = simulated.season.assign(season=1)
    with pytest.raises(cx.DataError, match="the same for every customer"):
        cx.ParetoNBD().fit(simulated.base.with_covariates(flat, time="week"), purchase="~ season")


def test_tracking_follows_the_season(simulated, fit):
    """Nine weeks in ten lie in their interval; the naive fit leaves every held-out week out."""
    found = cx.tracking(fit, simulated.joined, draws=20)
    inside = (found["lower"] <= found["actual"]) & (found["actual"] <= found["upper"])
    assert inside.mean() > 0.8
    naive = cx.tracking(cx.ParetoNBD().fit(simulated.base), simulated.base, draws=20)
    later = naive["part"] == "hold-out"
    assert (naive["upper"] < naive["actual"])[later].mean() > 0.8


def test_hard_covariates_end_in_a_sentence(simulated):
    """Huge, tiny, rare and one-sided covariates; what never varies in sight is refused."""
    weeks = simulated.season["week"]
    place = np.arange(len(weeks))
    effect = {}
    for name, values in {
        "huge": 1e12 * place,
        "tiny": 1e-12 * place,
        "rare": (place == 20).astype(int),
        "never bought": (place == 51).astype(int),
    }.items():
        frame = pd.DataFrame({"week": weeks, "u": values})
        base = simulated.base.with_covariates(frame, time="week")
        fit = cx.ParetoNBD().fit(base, purchase="~ u", dropout="~ u")
        assert len(str(fit.status)) > 20
        assert np.isfinite(fit.theta).all()
        assert np.isfinite(fit.log_likelihood)
        effect[name] = fit.theta[4]
    assert effect["huge"] * 1e24 == pytest.approx(effect["tiny"], rel=1e-3)
    late = pd.DataFrame({"week": weeks, "u": (place > 55).astype(int)})
    with pytest.raises(cx.DataError, match="the same for every customer"):
        cx.ParetoNBD().fit(simulated.base.with_covariates(late, time="week"), purchase="~ u")
