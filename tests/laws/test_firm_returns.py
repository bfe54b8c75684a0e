"""Returns and risk of firms around releases: against regressions by hand, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.shareholders import firm_returns

MONTHS = pd.date_range("2005-01-31", periods=144, freq="ME")


@pytest.fixture(scope="module")
def world():
    """SIMULATED: five firms, twelve years, two factors."""
    rng = np.random.default_rng(1)
    factors = pd.DataFrame({"Mkt-RF": 0.006 + 0.04 * rng.standard_normal(144),
                            "SMB": 0.002 + 0.03 * rng.standard_normal(144), "RF": 0.002},
                           index=MONTHS)  # fmt: skip
    rows = []
    for firm in range(5):
        r = 0.002 + (0.6 + 0.2 * firm) * factors["Mkt-RF"] + 0.05 * rng.standard_normal(144)
        rows.append(pd.DataFrame({"asset": f"F{firm}", "date": MONTHS, "return": r}))
    table = pd.concat(rows)
    firms = pd.DataFrame([(f"F{firm}", year, 70.0 + firm + year % 3, f"{year}-10-15")
                          for firm in range(5) for year in range(2005, 2017)],
                         columns=["firm", "period", "score", "released"])  # fmt: skip
    return cx.firm_panel(firms), table, factors


def test_against_regressions_by_hand(world):
    panel, table, factors = world
    found = firm_returns(panel, cx.returns_of(table), factors).table.set_index(["firm", "period"])
    own = table[table["asset"] == "F3"].set_index("date")["return"]
    X = sm.add_constant(factors[["Mkt-RF", "SMB"]])
    row = found.loc[("F3", 2011)]
    before = slice("2005-11-01", "2010-10-31")
    b = sm.OLS(own[before] - 0.002, X[before]).fit().params
    year = slice("2010-11-01", "2011-10-31")
    expected = 0.002 + factors.loc[year, ["Mkt-RF", "SMB"]] @ b[["Mkt-RF", "SMB"]]
    gap = (1 + own[year]).prod() - (1 + expected).prod()
    assert row["abnormal_return"] == pytest.approx(gap, rel=1e-10)
    after = slice("2011-11-01", "2014-10-31")
    fit = sm.OLS(own[after] - 0.002, X[after]).fit()
    assert row["beta"] == pytest.approx(fit.params["Mkt-RF"], rel=1e-10)
    assert row["idiosyncratic_risk"] == pytest.approx(np.sqrt(12 * fit.scale), rel=1e-10)
    premia = factors.loc[:"2011-10-31", ["Mkt-RF", "SMB"]].mean() * 12
    cost = 100 * (0.024 + fit.params[["Mkt-RF", "SMB"]] @ premia)
    assert row["cost_of_equity"] == pytest.approx(cost, rel=1e-10)


def test_what_is_not_known_is_empty_and_counted(world):
    panel, table, factors = world
    short = table[~((table["asset"] == "F0") & (table["date"] == "2011-05-31"))]
    found = firm_returns(panel, cx.returns_of(short[short["asset"] != "F4"]), factors)
    held = found.table.set_index(["firm", "period"])
    assert np.isnan(held.loc[("F0", 2011), "abnormal_return"])
    assert np.isfinite(held.loc[("F0", 2012), "abnormal_return"])
    assert held.loc["F4"]["beta"].isna().all()
    assert held.loc["F1"]["abnormal_return"].isna().sum() == 3  # 24 months before a year
    assert "1 firms have no returns." in found.notes


def test_risk_is_an_outcome_of_the_ladder():
    made = cx.simulate.market(60, 8, seed=2)
    rng = np.random.default_rng(3)
    panel = cx.firm_panel(made).with_columns(
        beta=1.0 - 0.05 * (made["satisfaction"].to_numpy() - 76) + rng.normal(0, 0.1, len(made))
    )
    found = cx.value_relevance(panel, outcome="systematic risk", error=1.6)
    row = found.table.set_index("rung").loc["firm and year"]
    assert row["lower"] < -0.05 < row["upper"] < 0
    assert pd.isna(row["per_cent"]) and pd.isna(row["money"])
    assert "units of beta" in found.verdict and "per_cent" not in found.face().table
    assert any("share periods" in note for note in found.notes)
    with pytest.raises(cx.OptionError, match="add it with firm_returns"):
        cx.value_relevance(cx.firm_panel(made), outcome="cost of equity")


def test_refusals(world):
    panel, table, factors = world
    returns = cx.returns_of(table)
    bare = cx.firm_panel(panel.table[["firm", "period", "score"]])
    for call, said in (
        (lambda: firm_returns(bare, returns, factors), "no released days"),
        (lambda: firm_returns(panel, returns, factors, riskless="T-bill"), "no column 'T-bill'"),
        (lambda: firm_returns(panel, returns, factors[["RF"]]), "the riskless return alone"),
        (lambda: firm_returns(panel, returns, factors, months=0), "1 or more"),
        (lambda: firm_returns(panel, returns, factors.shift(freq="9000D")), "share no day"),
        (
            lambda: firm_returns(
                panel, cx.returns_of(table.assign(asset="x" + table["asset"])), factors
            ),
            "no firm of the panel is an asset",
        ),
    ):
        with pytest.raises(cx.OptionError, match=said):
            call()
