"""Simulated shares: what was set is found by regressions that know nothing of our rooms."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data.simulate import StocksTruth, stocks


def long(made) -> pd.DataFrame:
    """Returns with factors and the newest score of each firm and date."""
    scores = made.scores.sort_values("released").rename(columns={"released": "date"})
    rows = made.returns.sort_values("date").merge(made.factors, left_on="date", right_index=True)
    for table in (scores, rows):
        table["date"] = table["date"].astype("datetime64[ns]")
    return pd.merge_asof(rows, scores[["asset", "date", "score", "surprise"]], on="date",
                         by="asset", allow_exact_matches=False)  # fmt: skip


def test_an_alpha_a_point_is_what_was_set():
    made = stocks(200, 15, seed=1, truth=StocksTruth(alpha=0.001))
    table = long(made).dropna(subset="score")
    table = table[table["date"].dt.month.isin([1, 2, 3, 4, 5])]  # held since the last October
    X = sm.add_constant(np.column_stack([table["score"] - 76, table[["Mkt-RF", "SMB", "HML"]]]))
    fit = sm.OLS(table["return"] - table["RF"], X).fit()
    assert abs(fit.params.iloc[1] - 0.001) < 4 * fit.bse.iloc[1]
    assert fit.params.iloc[2] == pytest.approx(1.0, abs=0.05)


def test_news_moves_the_day_of_release_alone():
    made = stocks(100, 4, seed=2, frequency="day", truth=StocksTruth(news=0.01))
    told = made.scores.rename(columns={"released": "date"})
    first = told["date"].dt.year > told["date"].dt.year.min()  # surprises are of later years
    days = np.sort(made.factors.index)
    told = told[first].assign(date=lambda t: days[np.searchsorted(days, t["date"])])
    both = told.merge(made.returns, on=["asset", "date"])
    slope, error = _slope(both["surprise"], both["return"])
    assert abs(slope - 0.01) < 4 * error
    next_day = told.assign(date=lambda t: days[np.searchsorted(days, t["date"]) + 1])
    slope, error = _slope(*next_day.merge(made.returns, on=["asset", "date"])[
        ["surprise", "return"]].to_numpy().T)  # fmt: skip
    assert abs(slope) < 4 * error


def _slope(x, y) -> tuple[float, float]:
    fit = sm.OLS(np.asarray(y), sm.add_constant(np.asarray(x))).fit()
    return float(fit.params[1]), float(fit.bse[1])


def test_a_halo_looks_back_and_makes_no_alpha_once_released():
    found = []
    for seed in range(12):
        made = stocks(60, 12, seed=seed, truth=StocksTruth(halo=20.0))
        R = cx.returns_of(made.returns)
        early = made.scores.assign(released=made.scores["released"] - pd.DateOffset(months=9))
        for scores in (made.scores, early):
            told = cx.satisfaction_portfolios(R, scores, made.factors).alphas["three factors"]
            found.append(told.table.set_index("portfolio").loc["long short", "t"])
    honest, cheating = np.array(found).reshape(12, 2).T
    assert abs(honest.mean()) < 1.0
    assert cheating.min() > 4


def test_tables_are_marked_and_wrong_arguments_told():
    made = stocks(10, 2, seed=1)
    assert made.returns["simulated"].all() and made.scores["simulated"].all()
    assert "SIMULATED" in repr(made)
    for call, said in (
        (lambda: stocks("x"), "firms 'x' is not a whole number"),
        (lambda: stocks(10, 1), "years 1 is not"),
        (lambda: stocks(10, 2, frequency="week"), "frequency 'week' is not one of month, day"),
        (lambda: stocks(10, 2, truth=1), "truth is a StocksTruth"),
        (lambda: stocks(10, 2, seed=-1), "seed -1 is not"),
        (lambda: StocksTruth(persistence=1.0), "persistence 1.0"),
        (lambda: StocksTruth(noise=-1.0), "noise -1.0 is a spread"),
    ):
        with pytest.raises(cx.OptionError, match=said):
            call()
