"""What is no panel, no returns, no factor: every call of the room of owners ends in words."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels import shareholders
from cxmodels.regression.panel import panel_fit
from cxmodels.regression.panel_tests import hausman
from cxmodels.regression.robustness import robustness
from cxmodels.reports import plots

MADE = cx.simulate.market(60, 8, seed=1)
PANEL = cx.firm_panel(MADE, controls=["abnormal_return"])
STOCKS = cx.simulate.stocks(30, 12, seed=2)
RETURNS, FACTORS = cx.returns_of(STOCKS.returns), STOCKS.factors
KEYS = {"unit": "firm", "period": "period"}
TABLE = MADE.assign(y=np.log(MADE["market_value"]), x=np.log(MADE["total_assets"]))


def portfolios(factors=FACTORS, scores=STOCKS.scores, **more):
    return cx.satisfaction_portfolios(RETURNS, scores, factors, **more)


@pytest.mark.parametrize("thing", [MADE, None, [1], "panel"])
def test_what_is_no_panel_or_no_returns(thing):
    for call in (cx.value_relevance, shareholders.specification_curve, shareholders.survivor_bounds,
                 shareholders.score_error, cx.stock_response):  # fmt: skip
        with pytest.raises(cx.OptionError, match="takes a panel from firm_panel"):
            call(thing)
    with pytest.raises(cx.OptionError, match="takes a panel from firm_panel"):
        shareholders.outcome_family(thing, ["q", "market value"])
    with pytest.raises(cx.OptionError, match="takes returns from returns_of"):
        cx.satisfaction_portfolios(thing, STOCKS.scores, FACTORS)
    with pytest.raises(cx.OptionError, match="takes returns from returns_of"):
        cx.event_study(thing, STOCKS.scores)
    with pytest.raises(cx.OptionError, match="own is a ladder"):
        cx.claims(thing if thing is not None else 1)


def test_factors_keep_their_contract():
    month = FACTORS.index.strftime("%Y%m").astype(int)
    plain = portfolios().alphas["three factors"].table
    zoned = FACTORS.tz_localize("UTC")
    periods = FACTORS.set_axis(FACTORS.index.to_period("M"))
    for same in (FACTORS.set_axis(month), zoned, periods, FACTORS[::-1]):
        assert portfolios(same).alphas["three factors"].table.equals(plain)
    for factors, said in (
        (FACTORS * 100, "divide per cent by 100"), (pd.concat([FACTORS, FACTORS]), "of one period"),
        (FACTORS.reset_index(drop=True), "the index holds no day"), (FACTORS.head(0), "no row"),
        (FACTORS.set_axis(["SMB", "SMB", "HML", "RF"], axis=1), "two columns are called 'SMB'"),
        (FACTORS.assign(SMB="x"), "holds what is no number"),
        (FACTORS.assign(SMB=np.inf), "is infinite"),
    ):  # fmt: skip
        with pytest.raises(cx.DataError, match=said):
            portfolios(factors)
    for factors, said in ((None, "are a frame"), ([1], "are a frame"),
                          (FACTORS[["RF"]], "the riskless return alone")):  # fmt: skip
        with pytest.raises(cx.OptionError, match=said):
            portfolios(factors)
    for odd in (FACTORS.assign(twice=FACTORS["Mkt-RF"]), FACTORS.assign(flat=0.01)):
        with pytest.raises(cx.FitError, match="follows from the others"):
            portfolios(odd)
    with pytest.raises(cx.DataError, match="divide per cent by 100"):
        shareholders.firm_returns(PANEL, RETURNS, FACTORS * 100)
    daily = cx.simulate.stocks(10, 3, seed=1, frequency="day")
    events = daily.scores.rename(columns={"released": "date"})
    with pytest.raises(cx.DataError, match="divide per cent by 100"):
        cx.event_study(cx.returns_of(daily.returns), events, factors=daily.factors * 1000,
                       model="factors")  # fmt: skip


def test_days_of_every_kind():
    zoned = STOCKS.scores.assign(released=STOCKS.scores["released"].dt.tz_localize("UTC"))
    text = STOCKS.scores.assign(released=STOCKS.scores["released"].astype(str) + "T00:00:00+02:00")
    plain = portfolios().returns
    for scores in (zoned, text):
        assert portfolios(scores=scores).returns.equals(plain)
    with pytest.raises(cx.DataError, match=r"released is no day \(360 rows\)"):
        portfolios(scores=STOCKS.scores.assign(released=20101001))
    both = {name: MADE[name].dt.tz_localize("UTC") for name in ("released", "valued")}
    assert len(cx.firm_panel(MADE.assign(**both)).table) == len(MADE)
    strangers = STOCKS.scores.assign(asset="x" + STOCKS.scores["asset"])
    with pytest.raises(cx.DataError, match="no firm with scores has returns"):
        portfolios(scores=strangers)


def test_panels_that_are_misread_no_more():
    for wrong, said in (
        (MADE.assign(delisted="maybe"), "delisted is neither yes nor no"),
        (MADE.assign(period=pd.to_datetime(MADE["period"].astype(str))), "period holds dates"),
        (MADE.assign(period=MADE["period"] * 10**6), "periods run from 2010000000"),
        (MADE.assign(score=MADE["score"] / 10), "lowest tenth of their scale"),
        (MADE.assign(released=20101001), "released is no day"), (MADE.head(0), "has no row"),
    ):  # fmt: skip
        with pytest.raises(cx.DataError, match=said):
            cx.firm_panel(wrong)
    kept = (MADE["period"] < 2017) | (MADE["firm"] > "F0010")
    lost = cx.firm_panel(MADE[kept].assign(delisted="no")).survivors
    assert set(lost["why"]) == {"not said"}
    for asked in ({"controls": None}, {"controls": "size"}, {"scale": None}, {"scale": "0-100"},
                  {"columns": "firm"}):  # fmt: skip
        with pytest.raises(cx.OptionError):
            cx.firm_panel(MADE, **asked)


def test_controls_and_outcomes_that_are_none():
    for controls in (None, "debt", ["score"], ["firm"], [["debt"]], ["released"]):
        with pytest.raises(cx.OptionError):
            cx.value_relevance(PANEL, controls=controls)
    text = PANEL.with_columns(text="a", flat=1.0)
    for name in ("text", "flat"):
        with pytest.raises(cx.OptionError, match="holds no numbers that differ"):
            shareholders.specification_curve(text, controls=[name])
    twice = PANEL.with_columns(one=PANEL.table["debt"], two=2.0 * PANEL.table["debt"])
    notes = shareholders.specification_curve(twice, controls=["one", "two"]).notes
    assert "specifications cannot be told" in notes[0]
    for outcomes in (None, "q", ["q"], ["q", "score"], ["q", "industry"], ["q", "released"]):
        with pytest.raises(cx.OptionError):
            shareholders.outcome_family(PANEL, outcomes)
    per_cent = PANEL.with_columns(abnormal_return=100 * PANEL.table["abnormal_return"])
    for panel, asked, said in (
        (PANEL, {"controls": ["abnormal_return"]}, "in the model already"),
        (PANEL, {"abnormal": "released"}, "holds no numbers"),
        (per_cent, {}, "divide per cent by 100"), (PANEL, {"error": "a"}, "standard deviation in"),
    ):  # fmt: skip
        with pytest.raises(cx.OptionError, match=said):
            cx.stock_response(panel, **asked)


def test_a_comparison_between_firms_is_not_called_within():
    still = MADE.assign(score=MADE.groupby("firm")["score"].transform("mean"))
    verdict = cx.value_relevance(cx.firm_panel(still)).verdict
    assert verdict.startswith("On the rung 'industry and year'")
    assert verdict.endswith("Association only: nothing can be told within firms.")
    with pytest.raises(cx.FitError, match="every score is the same"):
        cx.value_relevance(cx.firm_panel(MADE.assign(score=70.0)))
    flat = MADE.assign(market_value=1.0, total_assets=1.0, book_equity=1.0)
    with pytest.raises(cx.FitError, match="the outcome is the same in every row"):
        cx.value_relevance(cx.firm_panel(flat))


def test_a_shock_to_both_is_never_called_an_effect():
    """SIMULATED: each year's shock moves score and value; satisfaction does nothing."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        made = cx.simulate.market(60, 8, seed=seed, truth=cx.simulate.MarketTruth(value=0.0))
        shock = 0.3 * rng.standard_normal(len(made))
        told = made.assign(score=(made["score"] + 8 * shock).clip(0, 100),
                           market_value=made["market_value"] * np.exp(shock))  # fmt: skip
        verdict = cx.value_relevance(cx.firm_panel(told), error=1.6).verdict
        assert "so much is the effect" not in verdict
        assert "ssociation" in verdict or "No effect" in verdict


def test_panels_without_enough_to_tell_errors():
    three = TABLE[TABLE["firm"].isin(TABLE["firm"].unique()[:3])]
    with pytest.raises(cx.FitError, match="3 clusters cannot carry the errors of 5 coefficients"):
        panel_fit(three, "y", ["x", "debt"], estimator="mundlak", **KEYS)
    few = TABLE[TABLE["firm"].isin(TABLE["firm"].unique()[:9])]
    assert "see wild_bootstrap" in panel_fit(few, "y", ["x"], **KEYS).convention
    with pytest.raises(cx.FitError, match="the outcome does not vary"):
        panel_fit(TABLE.assign(y=1.0), "y", ["x"], **KEYS)
    with pytest.raises(cx.OptionError, match="span -1"):
        panel_fit(TABLE, "y", ["x"], estimator="difference", span=-1, **KEYS)
    for thing in (None, [1]):
        with pytest.raises(cx.OptionError, match="a table is"):
            panel_fit(thing, "y", ["x"], **KEYS)
    with pytest.raises(cx.OptionError, match="regressors are names"):
        panel_fit(TABLE, "y", "x", **KEYS)
    fits = [panel_fit(TABLE, "y", ["x"], estimator=e, **KEYS) for e in ("difference", "pooled")]
    with pytest.raises(cx.OptionError, match="one with random effects"):
        hausman(*fits)
    exact = panel_fit(TABLE.assign(y=2 * TABLE["x"]), "y", ["x"], errors="iid", **KEYS)
    checks = robustness(exact, "x").checks.set_index("check")["value"]
    assert checks["robustness value"] == pytest.approx(1.0)


def test_events_and_pictures():
    events = STOCKS.scores.rename(columns={"released": "date"})
    market = FACTORS["Mkt-RF"]
    with pytest.raises(cx.DataError, match=r"an event stands twice \(360 rows\)"):
        cx.event_study(RETURNS, pd.concat([events, events]), market=market)
    with pytest.raises(cx.FitError, match="0 were given"):
        cx.event_study(RETURNS, events.head(0), market=market)
    for window in ("x", None, (0.0, 1.0)):
        with pytest.raises(cx.OptionError, match="first and a last day"):
            cx.event_study(RETURNS, events, market=market, window=window)
    ladder = cx.value_relevance(PANEL)
    with pytest.raises(cx.OptionError, match=r"got ValueRelevance; give its \.table"):
        plots.value_ladder(ladder)
    for thing in (None, MADE):
        with pytest.raises(cx.OptionError, match="draws returns by month"):
            plots.portfolio_growth(thing)


def test_firms_that_stop_do_not_leave_in_the_month_they_fail():
    """The month after the last return is held, at what `lost` says."""
    gone = STOCKS.returns[~((STOCKS.returns["asset"] == "F0003")
                            & (STOCKS.returns["date"] > "2012-06-30"))]  # fmt: skip
    told = [cx.satisfaction_portfolios(cx.returns_of(gone), STOCKS.scores, FACTORS, lost=lost)
            for lost in (0.0, -0.5)]  # fmt: skip
    assert "held at a return of -50% (lost=)" in told[1].audit[-1]
    gap = (told[0].returns["all with scores"] - told[1].returns["all with scores"]).fillna(0.0)
    assert gap[gap.abs() > 1e-12].index.astype(str).tolist() == ["2012-07"]
    assert gap.max() == pytest.approx(0.5 / 30)
