"""Portfolios on simulated months: planted alphas are found, none is made, nothing looks ahead."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data.returns import Returns
from cxmodels.shareholders import factor_alphas, grs

MONTHS = pd.date_range("2005-01-31", periods=180, freq="ME")


def world(seed: int, alpha: float = 0.0, firms: int = 60, halo: float = 0.0) -> tuple:
    """SIMULATED: yearly scores, released in October; returns by a market and, in the twelve months
    after release, alpha a month for each point above the mean; halo: points that a year of good
    returns adds to the score of that year."""
    rng = np.random.default_rng(seed)
    m = 0.006 + 0.045 * rng.standard_normal(180)
    r = rng.uniform(0.7, 1.3, firms) * m[:, None] + 0.07 * rng.standard_normal((180, firms))
    points = rng.normal(0, 3.0, firms) + rng.normal(0, 2.0, (15, firms))
    rows = []
    for year in range(15):
        past = r[12 * year : 12 * year + 9].sum(axis=0)  # until the month of release
        score = 75 + points[year] + halo * (past - past.mean())
        opens = 12 * year + 10  # November: released in October
        r[opens : opens + 12] += alpha * points[year]
        day = f"{2005 + year}-10-15"
        rows += [(f"f{place}", value, day) for place, value in enumerate(score)]
    names = tuple(f"f{place}" for place in range(firms))
    returns = Returns(r, MONTHS.to_numpy(), names, ())
    scores = pd.DataFrame(rows, columns=["asset", "score", "released"])
    factors = pd.DataFrame({"market": m - 0.001, "RF": 0.001}, index=MONTHS)
    return returns, scores, factors


def spread(found) -> pd.Series:
    return found.alphas["CAPM"].table.set_index("portfolio").loc["long short"]


def test_a_planted_alpha_is_found_and_its_size_is_right():
    returns, scores, factors = world(1, alpha=0.001)
    row = spread(cx.satisfaction_portfolios(returns, scores, factors))
    points = scores.groupby("released")["score"].apply(
        lambda s: s[s > s.quantile(2 / 3)].mean() - s[s <= s.quantile(1 / 3)].mean()
    )
    assert row["lower"] < 0.001 * points.mean() < row["upper"]
    assert row["t"] > 3
    joint = cx.satisfaction_portfolios(returns, scores, factors).alphas["CAPM"].grs
    assert joint is not None and joint.degrees_of_freedom[0] == 3


def test_none_is_made_where_there_is_none():
    """60 markets at 5 per cent: 10 or more with p = .001."""
    low = sum(
        spread(cx.satisfaction_portfolios(*world(seed)))["p_value"] < 0.05 for seed in range(60)
    )
    assert low < 10


def test_scores_before_their_release_would_look_into_the_future():
    """The halo of a good year: as if known in January, it makes an alpha; released, none."""
    returns, scores, factors = world(2, halo=12.0)
    honest = spread(cx.satisfaction_portfolios(returns, scores, factors))
    early = scores.assign(released=scores["released"].str.replace("-10-15", "-01-01"))
    cheating = spread(cx.satisfaction_portfolios(returns, early, factors))
    assert cheating["t"] > 4 > 2.5 > abs(honest["t"])
    with pytest.raises(cx.DataError, match="no column 'released'"):
        cx.satisfaction_portfolios(returns, scores.drop(columns="released"), factors)


def test_every_month_is_made_of_what_was_out_before_it():
    returns, scores, factors = world(3)
    found = cx.satisfaction_portfolios(returns, scores, factors)
    assert found.returns["long short"].first_valid_index() == pd.Period("2005-11")
    month = pd.Period("2009-03")
    known = scores[scores["released"] == "2008-10-15"].set_index("asset")["score"]
    cuts = known.quantile([1 / 3, 2 / 3])
    at = list(found.returns.index).index(month)
    r = pd.Series(returns.values[at], returns.assets)
    best, worst = known.index[known > cuts.iloc[1]], known.index[known <= cuts.iloc[0]]
    by_hand = r[best].mean() - r[worst].mean()
    assert found.returns.loc[month, "long short"] == pytest.approx(by_hand)
    changes = cx.satisfaction_portfolios(returns, scores, factors, by="change")
    assert changes.returns["long short"].first_valid_index() == pd.Period("2006-11")


def test_value_weights_and_costs():
    returns, scores, factors = world(4)
    size = pd.DataFrame(1.0, index=MONTHS, columns=list(returns.assets))
    plain = cx.satisfaction_portfolios(returns, scores, factors)
    alike = cx.satisfaction_portfolios(returns, scores, factors, weights="value", size=size)
    pd.testing.assert_frame_equal(plain.returns, alike.returns)
    paid = cx.satisfaction_portfolios(returns, scores, factors, cost=0.005)
    gap = (plain.returns - paid.returns).mean()
    turned = plain.holdings.groupby("group")["turnover"].mean()
    for group in (1, 3):
        assert gap[str(group)] == pytest.approx(2 * 0.005 * turned[group], rel=0.02)
    assert gap["long short"] == pytest.approx(gap["1"] + gap["3"], rel=1e-9)


def test_up_and_down_markets_and_survivors_are_told():
    returns, scores, factors = world(5)
    returns.values[100:, :5] = np.nan
    found = cx.satisfaction_portfolios(returns, pd.concat([scores, pd.DataFrame({
        "asset": ["ghost"], "score": [80.0], "released": ["2010-10-15"]})]), factors)  # fmt: skip
    assert found.markets["market"].tolist() == ["up markets", "down markets"]
    assert found.markets["months"].sum() == found.returns["long short"].notna().sum()
    said = " ".join(found.audit)
    assert "1 of 61 firms with scores have no returns" in said
    assert "5 firms stop having returns" in said


def test_alphas_are_those_of_statsmodels():
    rng = np.random.default_rng(6)
    factors = pd.DataFrame(0.04 * rng.standard_normal((200, 3)), columns=["m", "smb", "hml"])
    y = pd.DataFrame({"p": 0.002 + factors["m"] + 0.03 * rng.standard_normal(200)})
    row = factor_alphas(y, factors, lags=4).table.iloc[0]
    made = sm.OLS(y["p"], sm.add_constant(factors)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True}
    )
    assert row["alpha"] == pytest.approx(made.params["const"], rel=1e-9)
    assert row["std_error"] == pytest.approx(made.bse["const"], rel=1e-9)
    assert row["detectable"] == pytest.approx(1200 * 2.8016 * row["std_error"], rel=1e-4)


def test_grs_keeps_its_size_with_many_portfolios():
    """Exact: 400 times 40 portfolios in 60 months at 5 per cent."""
    rng, low = np.random.default_rng(7), 0
    for _ in range(400):
        f = rng.standard_normal((60, 3))
        low += (
            grs(f @ rng.standard_normal((3, 40)) + rng.standard_normal((60, 40)), f).p_value < 0.05
        )
    assert 7 <= low <= 36


def test_refusals():
    returns, scores, factors = world(8, firms=12)
    for words, more in (
        ("by is one of", {"by": "rank"}), ("needs size=", {"weights": "value"}),
        ("groups", {"groups": 1}), ("no column 'rf'", {"riskless": "rf"}),
    ):  # fmt: skip
        with pytest.raises(cx.OptionError, match=words):
            cx.satisfaction_portfolios(returns, scores, factors, **more)
    with pytest.raises(cx.FitError, match="fewer than 24 months"):
        cx.satisfaction_portfolios(returns, scores, factors, groups=6)
    wrong = scores.assign(released=["soon", *scores["released"][1:]])
    with pytest.raises(cx.DataError, match="released is no day"):
        cx.satisfaction_portfolios(returns, wrong, factors)
    daily = Returns(returns.values, pd.bdate_range("2020-01-01", periods=180).to_numpy(),
                    returns.assets, ())  # fmt: skip
    with pytest.raises(cx.OptionError, match="monthly"):
        cx.satisfaction_portfolios(daily, scores, factors)
    with pytest.raises(cx.FitError, match="too few"):
        grs(np.ones((10, 9)), np.ones((10, 2)))
