"""The robustness object: published figures, planted selection, and every kind of fit."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import cxmodels as cx
from cxmodels.regression.dynamic_panel import dynamic_panel
from cxmodels.regression.panel import panel_fit
from cxmodels.regression.robustness import robustness
from cxmodels.shareholders import specification_curve

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
DARFUR = DATA / "experiments" / "darfur.csv"


def told(found, check: str) -> float:
    return float(found.checks.set_index("check").loc[check, "value"])


def planted(delta: float, effect: float, n: int = 400_000):
    """SIMULATED: what is left out is selected `delta` times as strongly as what is not."""
    rng = np.random.default_rng(1)
    seen, unseen = rng.normal(size=n), 0.7 * rng.normal(size=n)
    x = 0.5 * seen + delta * 0.5 * unseen + rng.normal(size=n)
    y = effect * x + seen + unseen + 0.8 * rng.normal(size=n)
    table = pd.DataFrame({"y": y, "x": x, "seen": seen, "unseen": unseen})
    return table, smf.ols("y ~ x + seen + unseen", table).fit().rsquared


@pytest.mark.parametrize("delta", [0.5, 1.0, 1.7])
def test_oster_finds_the_planted_selection(delta):
    table, most = planted(delta, 0.0)
    fit = smf.ols("y ~ x + seen", table).fit()
    assert fit.params["x"] > 0.1  # the naive answer: there is none
    assert told(robustness(fit, "x", r_max=most), "Oster's delta") == pytest.approx(delta, rel=0.02)


def test_oster_finds_the_effect_where_selection_is_equal():
    table, most = planted(1.0, 0.4)
    found = robustness(smf.ols("y ~ x + seen", table).fit(), "x", r_max=most)
    assert told(found, "Oster's effect at 1") == pytest.approx(0.4, abs=0.01)


@pytest.mark.skipif(not DARFUR.exists(), reason="Darfur is not here: set CXMODELS_DATA")
def test_darfur():
    table = pd.read_csv(DARFUR)
    fit = smf.ols(
        "peacefactor ~ directlyharmed + age + farmer_dar + herder_dar + pastvoted + hhsize_darfur"
        " + female + C(village)", table,
    ).fit()  # fmt: skip
    found = robustness(fit, "directlyharmed")
    assert told(found, "partial R2") == pytest.approx(0.02187309, rel=1e-6)
    assert told(found, "robustness value") == pytest.approx(0.138776354, rel=1e-6)
    assert told(found, "robustness value, significant") == pytest.approx(0.076257966, rel=1e-6)
    female = found.benchmarks[found.benchmarks["column"] == "female"]["estimate"].tolist()
    assert female == pytest.approx([0.075220, 0.052915, 0.030396], abs=1e-6)


def test_a_panel_fit_is_the_regression_with_dummies():
    made = cx.simulate.market(40, 8, seed=2).assign(size=lambda t: np.log(t["total_assets"]))
    made["y"] = np.log(made["market_value"])
    fit = panel_fit(made, "y", ["score", "size"], unit="firm", period="period", estimator="two-way")
    dummies = smf.ols("y ~ score + size + C(firm) + C(period)", made).fit()
    ours, theirs = robustness(fit, "score"), robustness(dummies, "score")
    for check in ("partial R2", "robustness value"):
        assert told(ours, check) == pytest.approx(told(theirs, check), rel=1e-6)
    row = theirs.benchmarks.set_index(["column", "times"]).loc[("size", 1.0)]
    own = ours.benchmarks.set_index(["column", "times"]).loc[("size", 1.0)]
    assert own["estimate"] == pytest.approx(row["estimate"], rel=1e-6)
    assert told(ours, "power") == pytest.approx(2.801585 * fit.table["std_error"][0], rel=1e-5)


def test_gmm_and_instruments():
    made = cx.simulate.market(150, 8, seed=3)
    made["y"] = np.log(made["market_value"])
    gmm = dynamic_panel(made, "y", ["score"], unit="firm", period="period", collapse=True)
    found = robustness(gmm, "score")
    assert found.checks["check"].tolist() == ["power", "AR(1), p", "AR(2), p", "Hansen, p",
                                              "instruments"]  # fmt: skip
    # shaped as fits by instruments of linearmodels are
    iv = SimpleNamespace(params=pd.Series({"score": 0.02}), std_errors=pd.Series({"score": 0.01}))
    assert told(robustness(iv, "score"), "power") == pytest.approx(0.02801585, rel=1e-5)
    assert robustness(iv, "score").checks["check"].tolist() == ["power"]
    with pytest.raises(cx.OptionError, match="'scor' is not one of"):
        robustness(gmm, "scor")
    with pytest.raises(cx.OptionError, match="takes a fit"):
        robustness(3.0, "score")


def test_the_curve_of_specifications():
    made = cx.simulate.market(150, 10, seed=4).assign(size=lambda t: np.log(t["total_assets"]))
    panel = cx.firm_panel(made, controls=["size"])
    found = specification_curve(panel, controls=["size"], shuffles=19)
    # three outcomes (no parts of Chung and Pruitt's), two sets of controls, seven rungs, two scores
    assert len(found.table) == 3 * 2 * 7 * 2
    assert found.table["elasticity"].is_monotonic_increasing
    own = found.summary.set_index("compares")
    assert own.loc["between firms", "median"] > 2.5 > own.loc["within firms", "median"] > 0
    one = cx.value_relevance(panel).table.set_index("rung").loc["firm and year"]
    at = found.table.query(
        "outcome == 'q, assets' and controls == 'none' and rung == 'firm and year'"
    ).set_index("score")
    assert at.loc["corrected", "elasticity"] == pytest.approx(one["elasticity"], rel=1e-9)
    assert own.loc["between firms", "p_median"] == pytest.approx(1 / 20)


def test_scores_that_say_nothing_are_no_better_than_shuffled_ones():
    truth = cx.simulate.MarketTruth(value=0.0, industry_value=0.0, firm_value=0.0)
    made = cx.simulate.market(100, 8, seed=5, truth=truth)
    found = specification_curve(cx.firm_panel(made), error=1.6, shuffles=19)
    assert found.summary["p_median"].min() > 0.1


def test_refusals_of_the_curve():
    panel = cx.firm_panel(cx.simulate.market(30, 6, seed=6))
    for asked, said in (
        ({"rungs": ["system GMM"]}, "rungs system GMM is not one of"),
        ({"rungs": []}, "are none: take some of"),
        ({"controls": list("abcdef")}, "too many sets"),
        ({"controls": ["age"]}, "'age' is no column"),
        ({"shuffles": -1}, "shuffles -1"),
    ):
        with pytest.raises(cx.OptionError, match=said):
            specification_curve(panel, **asked)
