"""The response to news: set amounts recovered, a change taken for news misses them, identities."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import statsmodels.formula.api as smf

import cxmodels as cx
from cxmodels.data.simulate.market import EARNINGS, GROWTH, MARGIN, MarketTruth
from cxmodels.shareholders import stock_response

SET = MarketTruth()
THROUGH = 100 * SET.earnings_news * MARGIN * np.exp(GROWTH) * EARNINGS
TRUTH = {"direct": 100 * SET.news, "through earnings": THROUGH,
         "total": 100 * SET.news + THROUGH, "in the year after": 0.0}  # fmt: skip


def made(seed: int, firms: int = 300, years: int = 12, **truth):
    table = cx.simulate.market(firms, years, seed=seed, truth=MarketTruth(**truth))
    return cx.firm_panel(table, controls=["abnormal_return"])


def held(seed: int) -> list[tuple[float, bool, float]]:
    """Estimates, whether intervals hold the truth, naive ones: a score without error, and with."""
    rows = []
    for error in (0.0, None):
        truth = {} if error is None else {"error": 0.0}
        found = stock_response(made(seed, **truth), error=error, level=0.95).table
        for row in found.to_dict("records"):
            value, spread = row["estimate"], row["std_error"]
            if error is None:
                value, spread = row["of_satisfaction"], row["of_satisfaction_error"]
            inside = abs(value - TRUTH[row["part"]]) < 1.968 * spread
            rows.append((value, inside, np.nan if row["naive"] is None else row["naive"]))
    return rows


def study(markets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with ProcessPoolExecutor(2) as pool:
        found = np.array(list(pool.map(held, range(5_000, 5_000 + markets))), dtype=float)
    return found[..., 0].mean(axis=0), found[..., 1].mean(axis=0), found[..., 2].mean(axis=0)


def test_set_amounts_are_recovered():
    value, inside, naive = study(16)
    truth = np.array([*TRUTH.values()] * 2)
    assert np.abs(value - truth).max() < 0.12
    assert inside.mean() > 0.85
    assert (naive[[4, 6]] < 0.5 * truth[[4, 6]]).all()  # a change, two thirds of it error


@pytest.mark.slow
def test_coverage():
    value, inside, naive = study(400)
    print(value.round(3), inside, naive.round(3))
    assert ((inside > 0.92) & (inside < 0.98)).all()
    assert np.abs(value - np.array([*TRUTH.values()] * 2)).max() < 0.06


def test_a_slow_market_is_told():
    quick = stock_response(made(3), error=0.0)
    assert "does not follow" in quick.verdict
    slow = stock_response(made(3, firms=600, error=0.0, news=0.02, slow=0.5), error=0.0)
    assert "the market was slow" in slow.verdict
    assert slow.table.set_index("part").loc["in the year after", "estimate"] == pytest.approx(
        1.0, abs=0.3
    )


def test_against_statsmodels_with_dummies():
    panel = made(8, firms=40, years=8)
    found = stock_response(panel, error=1.6).table.set_index("part")
    t = panel.table.copy()
    by = t.groupby("firm")
    t["score_1"] = by["score"].shift(1)
    t["p0"], t["p1"] = (by["earnings"].shift(lag) / by["total_assets"].shift(1) for lag in (0, 1))
    t = t.dropna(subset=["score_1", "abnormal_return", "p0"])
    direct = smf.ols("abnormal_return ~ score + score_1 + p0 + p1 + C(firm) + C(period)", t).fit()
    total = smf.ols("abnormal_return ~ score + score_1 + C(firm) + C(period)", t).fit()
    assert found.loc["direct", "estimate"] == pytest.approx(100 * direct.params["score"], rel=1e-8)
    assert found.loc["total", "estimate"] == pytest.approx(100 * total.params["score"], rel=1e-8)
    # through earnings: what a point does to earnings news, times what that does to returns
    g = smf.ols("p0 ~ score + score_1 + p1 + C(firm) + C(period)", t).fit().params["score"]
    g1 = smf.ols("p1 ~ score + score_1 + C(firm) + C(period)", t).fit().params["score"]
    indirect = direct.params["p0"] * g + g1 * (
        direct.params["p1"] + direct.params["p0"]
        * smf.ols("p0 ~ score + score_1 + p1 + C(firm) + C(period)", t).fit().params["p1"]
    )  # fmt: skip
    assert found.loc["through earnings", "estimate"] == pytest.approx(100 * indirect, rel=1e-6)


def test_scale_and_refusals():
    table = cx.simulate.market(60, 8, seed=4)
    panel = cx.firm_panel(table, controls=["abnormal_return"])
    ten = cx.firm_panel(
        table.assign(score=table["score"] / 10), controls=["abnormal_return"], scale=(0, 10)
    )
    one, two = (stock_response(p, error=e).table for p, e in ((panel, 1.6), (ten, 0.16)))
    assert two["estimate"].tolist() == pytest.approx((10 * one["estimate"]).tolist(), rel=1e-6)
    with pytest.raises(cx.OptionError, match="no column 'abnormal_return'"):
        stock_response(cx.firm_panel(table))
    with pytest.raises(cx.OptionError, match="past 0 is not 1 to 4"):
        stock_response(panel, past=0)
    with pytest.raises(cx.FitError, match="10 are the least"):
        stock_response(cx.firm_panel(table[table["firm"] < "F0008"], controls=["abnormal_return"]))
