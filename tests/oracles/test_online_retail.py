"""A real log at the edge of the model: Online Retail, where almost nobody seems to leave.

BG/NBD's drop-out runs to 0 there. The status says so in words, and the predictions are those of the
NBD model without drop-out, fitted here by brute force (Ehrenberg 1959).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import cxmodels as cx

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
LOG = DATA / "online_retail" / "online_retail_invoices_CC0.csv.gz"
pytestmark = pytest.mark.skipif(
    not LOG.exists(), reason="Online Retail is not shipped: see CXMODELS_DATA"
)


@pytest.fixture(scope="module")
def base():
    return cx.customer_base(
        LOG,
        customer="CustomerID",
        time="date",
        amount="value",
        unit="week",
        end="2011-08-31",
        holdout_end="2011-12-09",
        currency="GBP",
    )


@pytest.fixture(scope="module")
def fit(base):
    return cx.BGNBD().fit(base)


def nbd(base) -> np.ndarray:
    """r and alpha of the NBD model by maximum likelihood, straight from its density."""
    x, T = (base.table[name].to_numpy(dtype=float) for name in ("frequency", "T"))

    def cost(logs):
        r, alpha = np.exp(logs)
        terms = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
        return -(terms - (r + x) * np.log(alpha + T)).sum()

    found = optimize.minimize(
        cost,
        [0.0, 1.0],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 4000},
    )
    return np.exp(found.x)


def test_the_edge_is_told_in_words(fit):
    assert "boundary" in str(fit.status)
    assert "almost nobody leaves" in str(fit.status)
    assert fit.parameters.loc[["a", "b"], "std_error"].isna().all()


def test_predictions_are_those_of_the_model_without_drop_out(base, fit):
    r, alpha = nbd(base)
    np.testing.assert_allclose(fit.theta[:2], [r, alpha], rtol=1e-4)
    x, T = (base.table[name].to_numpy(dtype=float) for name in ("frequency", "T"))
    t = fit.length("12M", base.end)
    predicted = fit.predict(base, horizon="12M", draws=100)["expected_purchases"]
    np.testing.assert_allclose(predicted, (r + x) / (alpha + T) * t, rtol=1e-3)


def test_equity_is_finite_and_its_interval_holds_the_estimate(base, fit):
    value = cx.lifetime_value(
        fit,
        cx.GammaGamma().fit(base),
        base,
        horizon="12M",
        discount_rate=0.1,
        margin=0.3,
        draws=100,
    )
    total = value.equity.iloc[0]
    assert total["lower"] < total["estimate"] < total["upper"]
    assert np.isfinite(value.customers.select_dtypes("number").to_numpy()).all()


def test_refunds_missing_ids_and_truncation_are_told(base):
    table = base.reconciliation.set_index("item")
    assert table.loc["set aside: refunds without their purchase", "rows"] > 2000
    assert any("truncation" in note.lower() for note in base.notes)
    parts = table.index != "log"
    assert sum(table.loc[parts, "amount"]) == table.loc["log", "amount"]
    assert table.loc[parts, "rows"].sum() == table.loc["log", "rows"]


def test_a_run_in_forecasts_new_customers_and_the_naive_base_does_not():
    """Customers acquired in March to early June, followed for 26 weeks each, against the forecast
    for a new customer made at the end of August: naive is 45 per cent too high. Counted by pandas.
    """
    asked = {"customer": "CustomerID", "time": "date", "amount": "value"}
    log = pd.read_csv(LOG, parse_dates=["date"]).dropna(subset=["CustomerID"])
    days = log.assign(day=log["date"].dt.normalize()).groupby(["CustomerID", "day"])["value"].sum()
    days = days[days > 0.001].reset_index()
    first = days.groupby("CustomerID")["day"].transform("min")
    known = log.loc[log["date"] < "2011-03-01", "CustomerID"].unique()
    new = days[~days["CustomerID"].isin(known) & first.between("2011-03-01", "2011-06-09")]
    later = (new["day"] - first[new.index]).dt.days.between(1, 182)
    actual = later.sum() / new["CustomerID"].nunique()

    def forecast(**choices):
        base = cx.customer_base(LOG, end="2011-08-31", **choices, **asked)
        fit = cx.BGNBD().fit(base)
        return float(fit.new_customer(horizon="26W", draws=20)["expected_purchases"].iloc[0])

    assert forecast() > 1.4 * actual
    assert forecast(acquired_from="2011-03-01") == pytest.approx(actual, rel=0.15)
