"""Models fitted with lifetimes come over with their numbers: the peer itself is the oracle."""

import warnings

import numpy as np
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError

lifetimes = pytest.importorskip("lifetimes")


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount", unit="week",
        end="1997-09-30",
    )  # fmt: skip


def fitted(fitter, *columns, **options):
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # the peer's own
        warnings.simplefilter("ignore")
        return fitter.fit(*columns, **options)


@pytest.fixture(scope="module")
def peer(base):
    table = base.table
    return fitted(lifetimes.BetaGeoFitter(), table["frequency"], table["recency"], table["T"])


def test_parameters_likelihood_and_predictions_are_the_peers(base, peer):
    fit = cx.from_lifetimes(peer, unit="week")
    assert fit.theta.tolist() == peer.params_[["r", "alpha", "a", "b"]].tolist()
    ours = cx.BGNBD().fit(base)
    assert fit.log_likelihood == pytest.approx(ours.log_likelihood, abs=1e-4)
    assert "taken over from lifetimes, at the maximum" in str(fit.status)
    table = base.table
    theirs = peer.conditional_expected_number_of_purchases_up_to_time(
        39.0, table["frequency"], table["recency"], table["T"]
    )
    found = fit.predict(base, horizon="39W", draws=20)["expected_purchases"]
    np.testing.assert_allclose(found, theirs, rtol=1e-6)
    np.testing.assert_allclose(fit.parameters["std_error"], ours.parameters["std_error"], rtol=1e-3)


def test_a_penalised_fit_is_called_one(base):
    table = base.table
    peer = fitted(
        lifetimes.BetaGeoFitter(penalizer_coef=0.1),
        table["frequency"],
        table["recency"],
        table["T"],
    )
    fit = cx.from_lifetimes(peer)
    assert "below the maximum (it was penalised: penalizer_coef 0.1)" in str(fit.status)
    assert fit.log_likelihood < cx.BGNBD().fit(base).log_likelihood - 0.01


def test_spend_comes_over(base):
    paid = base.table[base.table["paid_frequency"] > 0]
    peer = fitted(lifetimes.GammaGammaFitter(), paid["paid_frequency"], paid["monetary_value"])
    fit = cx.from_lifetimes(peer, currency="USD")
    assert fit.theta.tolist() == peer.params_[["p", "q", "v"]].tolist()
    assert fit.log_likelihood == pytest.approx(cx.GammaGamma().fit(base).log_likelihood, abs=0.01)
    value = cx.lifetime_value(
        cx.BGNBD().fit(base), fit, base, horizon="12M", discount_rate=0.1, draws=50
    )
    assert value.equity["estimate"].iloc[0] > 0


def test_weights_are_copies(base):
    table = base.table.groupby(["frequency", "recency", "T"]).size().reset_index(name="many")
    columns = (table["frequency"], table["recency"], table["T"])
    weighted = fitted(lifetimes.BetaGeoFitter(), *columns, weights=table["many"])
    fit = cx.from_lifetimes(weighted)
    assert fit.rows == 2357
    assert fit.log_likelihood == pytest.approx(cx.BGNBD().fit(base).log_likelihood, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "words"),
    [(3, "this is of type int"), (lifetimes.BetaGeoFitter(), "was not fitted: call its fit()")],
)
def test_what_cannot_come_over(given, words):
    with pytest.raises(OptionError, match=r"from_lifetimes|not fitted") as refused:
        cx.from_lifetimes(given)
    assert words in str(refused.value)


def test_weights_that_count_no_customers(peer):
    peer.data["weights"] = 0.5
    with pytest.raises(DataError, match=r"not whole numbers of customers \(2,357 rows\)"):
        cx.from_lifetimes(peer)
