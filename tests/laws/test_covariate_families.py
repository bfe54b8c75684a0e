"""Covariates in every family: known effects are found again, and everything asked follows them."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.prediction import at_the_estimate
from cxmodels.results.estimate import Outcome
from tests.laws.covariate_laws import formulas, move
from tests.laws.test_purchase_laws import FAMILIES, TRUTHS

CUSTOMERS, OLDEST = 1_500, 40
COMMON = {**TRUTHS, "BG/BB": np.array([1.2, 2.5, 0.7, 9.0])}
BUYS, LEAVES = 0.6, 0.7  # effects of web on buying and on leaving, one way or the other
SAVED = ("NBD", "BG/CNBD-k")  # a family without choices and one with k: both quick to sample


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


def effects(family) -> dict[str, float]:
    asked = formulas(family, "~ channel", "~ channel")
    return {name: {"purchase": BUYS, "dropout": LEAVES}[name] for name in asked}


@pytest.fixture(scope="module")
def base(family):
    """Customers of two channels and two ages."""
    rng = np.random.default_rng(8)
    web = np.arange(CUSTOMERS) % 5 < 2
    own = np.tile(COMMON[family.name], (CUSTOMERS, 1))
    for process, effect in effects(family).items():
        move(family, process, own, effect * (web - web.mean()))
    T = np.where(np.arange(CUSTOMERS) % 2, float(OLDEST), OLDEST - 6.0)
    paths = family.simulate(own, T, rng)
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, paths.customer, paths.time)
    frame = pd.DataFrame({"frequency": paths.count, "recency": t_x, "T": T})
    frame["channel"] = np.where(web, "web", "shop")
    return CustomerBase.from_summary(frame, unit="week", covariates=["channel"])


@pytest.fixture(scope="module")
def fit(family, base):
    return family.fit(base, **formulas(family, "~ channel", "~ channel"))


def test_known_effects_are_found(family, fit):
    truth = np.concatenate([COMMON[family.name], list(effects(family).values())])
    found = fit.interval("wald", 0.99994)  # 4 standard errors on the scale of the search
    assert fit.status.outcome is Outcome.CONVERGED, fit.status
    assert ((found["lower"] < truth) & (truth < found["upper"])).all(), found


def test_a_kind_predicts_as_the_whole_fit_does(base, fit):
    """What is asked of all customers is, customer by customer, what is asked of their kind."""
    bound, seen = fit.on(base)
    whole = at_the_estimate(bound.family, bound.theta, seen, 20.0)
    for channel in ("web", "shop"):
        mine, few = of_channel(base, channel)
        one = fit.at(channel=channel)
        found = at_the_estimate(one.family, one.theta, few.profiles, 20.0)
        for name, values in whole.items():
            expected = found[name][few.profiles.row]
            np.testing.assert_allclose(values[seen.row][mine], expected, rtol=1e-9, atol=1e-12)


def of_channel(base, channel):
    """Which customers are of a channel, and a base of them without covariates."""
    mine = (base.table["channel"] == channel).to_numpy()
    table = base.table.loc[mine, ["frequency", "recency", "T"]].reset_index(drop=True)
    return mine, CustomerBase.from_summary(table, unit="week")


def test_saved_and_read_back(family, fit, base, tmp_path):
    if family.name not in SAVED:
        assert fit.facts()["family"] == type(family).__name__
        return
    fit.save(tmp_path / "fit.json")
    back = cx.load(tmp_path / "fit.json")
    assert back.family.plain == fit.family.plain
    assert back.notes == fit.notes
    before, after = (one.predict(base, horizon="20W", draws=20) for one in (fit, back))
    np.testing.assert_allclose(after["expected_purchases"], before["expected_purchases"])


def test_a_new_customer_is_of_one_kind(fit):
    with pytest.raises(cx.OptionError, match=r"fit\.at"):
        fit.new_customer(horizon="20W")
    shop, web = (fit.at(channel=name).pmf(0, horizon="4W")[0] for name in ("shop", "web"))
    assert 0.0 < web < shop < 1.0


def test_discounted_purchases_of_a_kind_are_those_of_its_customers(fit, base):
    found = cx.discounted_purchases(fit, base, horizon="52W", discount_rate=0.1)
    mine, few = of_channel(base, "web")
    one = cx.discounted_purchases(fit.at(channel="web"), few, horizon="52W", discount_rate=0.1)
    column = found.columns[-1]
    np.testing.assert_allclose(found.loc[mine, column], one[column], rtol=1e-5)


def test_leaving_is_only_for_those_who_can(base, family):
    if family.dropout_moved is None:
        with pytest.raises(cx.OptionError, match="leave the formula for dropout out"):
            family.fit(base, dropout="~ channel")


def test_stages_are_chosen_with_covariates():
    """k is found by likelihood while covariates move buying; the gain is measured at the same k."""
    rng, web = np.random.default_rng(4), np.arange(800) % 2 == 0
    own = np.tile(TRUTHS["BG/CNBD-k"], (800, 1))
    own[:, 1] *= np.exp(-BUYS * web)
    paths = cx.BGCNBD(k=3).simulate(own, np.float64(OLDEST), rng)
    log = pd.DataFrame({"customer": paths.customer, "time": paths.time})
    since = log.groupby("customer")["time"].diff().fillna(log["time"])
    sums = np.log(since).groupby(log["customer"]).sum().reindex(range(800), fill_value=0.0)
    last = log.groupby("customer")["time"].max().reindex(range(800), fill_value=0.0)
    frame = pd.DataFrame({"frequency": paths.count, "recency": last, "T": float(OLDEST)})
    frame = frame.assign(log_interval_sum=sums, channel=np.where(web, "web", "shop"))
    base = CustomerBase.from_summary(frame, unit="week", covariates=["channel"])
    fit = cx.BGCNBD().fit(base, purchase="~ channel")
    assert fit.family.plain.k == 3
    assert "k = 3 was chosen" in fit.notes[1]
    blind = cx.BGCNBD(k=3).fit(base)
    gain = fit.covariates.likelihood_ratio["statistic"].iloc[0]
    assert gain == pytest.approx(2 * (fit.log_likelihood - blind.log_likelihood), abs=1e-5)
    assert "k = 3 was chosen" in fit.at(channel="web").notes[1]
