"""Remission of leukaemia under 6-MP (Freireich et al. 1963, Blood 21), as printed by others.

Log-rank, survival and the ratio of hazards as Stata and R print them (G. Rodriguez, Survival
Analysis, grodri.github.io/survival/gehan; Cox 1972, JRSS B 34, took the same data), and statsmodels
beside them. The restricted mean is held to a sum over days done by hand.
"""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.api import PHReg, SurvfuncRight, survdiff

from cxmodels.experiments.survival import survival_effects

TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TABLE = pd.DataFrame({
    "arm": ["6-MP"] * 21 + ["placebo"] * 21, "weeks": TREATED + PLACEBO,
    "relapse": RELAPSED + [1] * 21,
})  # fmt: skip


def found(table=TABLE, horizon=23):
    return survival_effects(table, arm="arm", control="placebo", time="weeks", event="relapse",
                            horizon=horizon, time_unit="weeks")  # fmt: skip


def row(result, quantity):
    table = result.table
    return table[table["quantity"] == quantity].iloc[0]


def test_published_figures():
    result = found()
    assert result.log_rank["chi2"].round(2).tolist() == [16.79]
    assert result.log_rank["p_value"][0] < 0.0001
    ratio = row(result, "hazard ratio")
    assert np.log(ratio["estimate"]) == pytest.approx(-1.572, abs=5e-4)  # Efron's ties
    assert ratio["std_error"] == pytest.approx(0.412, abs=5e-4)
    assert row(result, "share left")["mean"] == pytest.approx(0.4482, abs=5e-5)
    curve = result.counts.table.query("arm == '6-MP'").set_index("time")["survival"]
    assert curve[[6, 7, 10, 13, 16, 22]].round(4).tolist() == [
        0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378,
    ]  # fmt: skip


def test_statsmodels_on_other_data():
    """Tied and untied times, unequal arms."""
    rng = np.random.default_rng(4)
    for ties in (1.0, 0.01):
        n = 300
        treated = rng.random(n) < 0.35
        time = np.ceil(rng.exponential(np.where(treated, 20.0, 12.0)) / ties) * ties
        last = np.ceil(rng.uniform(5.0, 60.0, n) / ties) * ties
        event = (time <= last).astype(int)
        seen = np.minimum(time, last)
        table = pd.DataFrame({"arm": np.where(treated, "6-MP", "placebo"), "weeks": seen,
                              "relapse": event})  # fmt: skip
        result = found(table, horizon=25.0)
        chi2, p = survdiff(seen, event, treated)
        assert result.log_rank["chi2"][0] == pytest.approx(chi2, rel=1e-9)
        assert result.log_rank["p_value"][0] == pytest.approx(p, rel=1e-9)
        fit = PHReg(seen, treated[:, None].astype(float), event, ties="efron").fit()
        ratio = row(result, "hazard ratio")
        assert np.log(ratio["estimate"]) == pytest.approx(fit.params[0], abs=1e-6)
        assert ratio["std_error"] == pytest.approx(fit.bse[0], abs=1e-6)
        left, parts = row(result, "share left"), []
        for side in (True, False):
            curve = SurvfuncRight(seen[treated == side], event[treated == side])
            place = np.flatnonzero(curve.surv_times <= 25.0)[-1]
            parts.append((curve.surv_prob[place], curve.surv_prob_se[place]))
        assert left["estimate"] == pytest.approx(parts[0][0] - parts[1][0], rel=1e-9)
        assert left["std_error"] == pytest.approx(np.hypot(parts[0][1], parts[1][1]), rel=1e-9)


def test_restricted_mean_by_hand():
    """Area under the curve as a sum of days, and its error by the jackknife, which is close."""

    def area(table, until=23):
        steps = np.arange(until)
        survival, s = [], 1.0
        for t in steps:
            gone = ((table["weeks"] == t) & (table["relapse"] == 1)).sum()
            s *= 1.0 - gone / (table["weeks"] >= t).sum()
            survival.append(s)
        return sum(survival)

    own, other = (TABLE[TABLE["arm"] == name] for name in ("6-MP", "placebo"))
    kept = row(found(), "time kept")
    assert kept["estimate"] == pytest.approx(area(own) - area(other), rel=1e-12)
    v = 0.0
    for rows in (own, other):
        left = np.array([area(rows.drop(index=place)) for place in rows.index])
        v += (len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()
    assert kept["std_error"] == pytest.approx(v**0.5, rel=0.05)
