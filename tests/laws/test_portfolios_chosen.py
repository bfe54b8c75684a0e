"""Portfolios of chosen firms, confounded industries and exposures that move: naive and not."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.returns import Returns
from cxmodels.shareholders.factor_model import ALL, factor_sets, holdings_betas
from cxmodels.shareholders.neutral import neutral_scores

MONTHS = pd.date_range("2005-01-31", periods=180, freq="ME")
NAMES = tuple(f"f{place}" for place in range(60))


def scores_of(points: np.ndarray, names=NAMES) -> pd.DataFrame:
    """SIMULATED: (15, n) yearly scores, released in October."""
    return pd.DataFrame(
        [(name, value, f"{2005 + year}-10-15") for year, row in enumerate(points)
         for name, value in zip(names, row, strict=True)],
        columns=["asset", "score", "released"],
    )  # fmt: skip


def market(rng: np.random.Generator, mean: float | np.ndarray = 0.006) -> np.ndarray:
    return mean + 0.045 * rng.standard_normal(180)


def factors_of(m: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"Mkt-RF": m - 0.001, "RF": 0.001}, index=MONTHS)


def row(found, name: str = "long short"):
    return found.alphas["CAPM"].table.set_index("portfolio").loc[name]


def famous(seed: int, *, chosen: bool) -> tuple:
    """Returns without any alpha; `chosen`: of 240 firms the 60 that did best in all the window."""
    rng = np.random.default_rng(seed)
    m = market(rng)
    r = rng.uniform(0.7, 1.3, 240) * m[:, None] + 0.08 * rng.standard_normal((180, 240))
    best = np.argsort(-np.log1p(r).sum(axis=0))[:60] if chosen else np.arange(60)
    scores = scores_of(rng.normal(75, 4, (15, 60)))
    return Returns(r[:, best], MONTHS.to_numpy(), NAMES, ()), scores, factors_of(m)


def test_firms_chosen_by_fame_at_the_end_make_a_huge_alpha_that_is_flagged():
    found = cx.satisfaction_portfolios(*famous(1, chosen=True))
    assert row(found, ALL)["a_year"] > 5
    assert row(found, ALL)["t"] > 5
    assert found.audit[0].startswith("LOOK-AHEAD: all firms with scores")
    assert abs(row(found)["t"]) < 3
    told = cx.satisfaction_portfolios(*famous(1, chosen=True), chosen="2019-12-31")
    assert "chosen on 2019-12-31, after" in told.audit[0]
    with pytest.raises(cx.OptionError, match="chosen 'soon' is no day"):
        cx.satisfaction_portfolios(*famous(1, chosen=True), chosen="soon")


def test_firms_that_nobody_chose_are_not_flagged():
    flagged = sum(
        found.audit[0].startswith("LOOK-AHEAD")
        for found in (cx.satisfaction_portfolios(*famous(s, chosen=False)) for s in range(20, 60))
    )
    assert flagged <= 1


def trades(seed: int):
    """Industries differ in scores and in returns; within them there is nothing."""
    rng = np.random.default_rng(seed)
    m, trade = market(rng), np.repeat(np.arange(6), 10)
    r = m[:, None] + 0.003 * (trade - 2.5) + 0.06 * rng.standard_normal((180, 60))
    scores = scores_of(75 + 3 * (trade - 2.5) + rng.normal(0, 3, (15, 60)))
    return Returns(r, MONTHS.to_numpy(), NAMES, ()), scores, factors_of(m)


def test_industries_that_differ_in_scores_and_returns():
    """Raw sorts bet on industries; neutral ones find nothing, on average and as often as chance."""
    trade = np.repeat(np.arange(6), 10)
    industry = pd.Series([f"trade {number}" for number in trade], index=NAMES)
    size = pd.DataFrame(np.tile(trade.astype(float), (180, 1)), index=MONTHS, columns=list(NAMES))
    for held in ({"industry": industry}, {"size": size}):
        t = [row(cx.satisfaction_portfolios(*trades(s), neutral=held))["t"] for s in range(12)]
        assert abs(np.mean(t)) < 0.9
    assert row(cx.satisfaction_portfolios(*trades(3)))["t"] > 4
    with pytest.raises(cx.OptionError, match="'industry' names none"):
        cx.satisfaction_portfolios(*trades(3), neutral={"industry": industry.add_prefix("x")})


def test_neutral_scores_are_residuals():
    rng = np.random.default_rng(4)
    score, size = rng.normal(size=(2, 30)), rng.normal(size=(2, 30, 1))
    left = neutral_scores(score, [size])
    for t in range(2):
        X = np.column_stack([np.ones(30), size[t]])
        b = np.linalg.lstsq(X, score[t], rcond=None)[0]
        assert left[t] == pytest.approx(score[t] - X @ b)


def test_exposures_that_move_with_the_market():
    """Good firms are bold ones when the market pays for it: an alpha without conditioning, none
    once the exposures of holdings are paid for."""
    rng = np.random.default_rng(5)
    late = np.arange(180) >= 96
    m = market(rng, np.where(late, 0.02, -0.004))
    beta = np.repeat([0.4, 1.6], 30)
    r = 0.001 + beta * (m[:, None] - 0.001) + 0.03 * rng.standard_normal((180, 60))
    bold = np.where(np.arange(15)[:, None] >= 8, 1.0, -1.0) * (beta - 1.0)
    scores = scores_of(75 + 8 * bold + rng.normal(0, 1, (15, 60)))
    found = cx.satisfaction_portfolios(
        Returns(r, MONTHS.to_numpy(), NAMES, ()), scores, factors_of(m)
    )
    fair = found.conditional.set_index(["factors", "portfolio"]).loc[("CAPM", "long short")]
    assert row(found)["t"] > 3
    assert abs(fair["t"]) < 2.5
    assert fair["periods"] < row(found)["periods"]


def test_exposures_of_holdings_are_those_of_the_months_before():
    rng = np.random.default_rng(6)
    f, y = rng.normal(size=(80, 2)), rng.normal(size=(80, 3))
    y[:70, 2] = np.nan
    y[10, 1] = np.nan
    betas = holdings_betas(y, f)
    X = np.column_stack([np.ones(60), f[15:75]])
    assert betas[75, 0] == pytest.approx(np.linalg.lstsq(X, y[15:75, 0], rcond=None)[0][1:])
    rows = np.flatnonzero(np.isfinite(y[:40, 1]))
    X = np.column_stack([np.ones(rows.size), f[rows]])
    assert betas[40, 1] == pytest.approx(np.linalg.lstsq(X, y[rows, 1], rcond=None)[0][1:])
    assert np.isnan(betas[:24]).all()
    assert np.isnan(betas[:, 2]).all()


def test_names_of_factor_sets():
    names = ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom"]
    sets = factor_sets(names)
    assert [len(part) for part in sets.values()] == [1, 3, 4, 5, 6]
    assert list(factor_sets(["world"])) == ["CAPM"]
    assert factor_sets(["world", "carry"])["all factors"] == ["world", "carry"]
