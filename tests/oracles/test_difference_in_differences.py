"""Minimum wages and teen employment in 500 counties: R's did, Stata's csdid, imputation.

R: package did as run for d2cml-ai/csdid (r_ref of its tests), analytic errors. Stata: csdid with
method(dripw), as printed by its author (playingwithstata, "DID: The Fall"), seven digits.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.experiments.difference_in_differences import group_time_effects
from cxmodels.experiments.imputation_effects import imputation_effects

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
KEYS = {"unit": "countyreal", "period": "year", "first_treated": "g"}
CELLS = [(g, t) for g in (2004, 2006, 2007) for t in (2004, 2005, 2006, 2007)]
NEVER = [
    (-0.0105032462209624, 0.0232510363681664), (-0.0704231581031467, 0.0309847667572767),
    (-0.137258738889403, 0.0364356642876865), (-0.100811363085404, 0.0343592258346732),
    (0.00652011242423301, 0.0233268051418047), (-0.00275081875051882, 0.0195585610358817),
    (-0.00459460695286304, 0.0177551966592763), (-0.0412244715462175, 0.0202291807041068),
    (0.0305066555832928, 0.01503356028013), (-0.00272589288611625, 0.0163958328955344),
    (-0.0310871193896889, 0.0178775113133435), (-0.0260544107191966, 0.0166554353492522),
]  # fmt: skip
NOT_YET = [
    (-0.0193723636759221, 0.0223101128836806), (-0.0783190990620607, 0.0303902285433973),
    (-0.136274346328678, 0.03540338496891), (-0.100811363085404, 0.0343592258346732),
    (-0.00256255094261098, 0.0225302351453388), (-0.00193924609578875, 0.019042158605819),
    (0.00466087631997615, 0.0163355842468236), (-0.0412244715462175, 0.0202291807041068),
    (0.0297593647610311, 0.0145335416386514), (-0.0024106128000969, 0.0160312963755178),
    (-0.0310871193896889, 0.0178775113133435), (-0.0260544107191966, 0.0166554353492522),
]  # fmt: skip
REGRESSION = [
    (-0.014911237790361, 0.0220556930763195), (-0.0769963229660512, 0.0283597455101496),
    (-0.141080104628588, 0.0348362869536185), (-0.107544274673046, 0.0327376926434119),
    (-0.0020660581184395, 0.022122286483578), (-0.00696828306727072, 0.0183457856293695),
    (0.000765525026395888, 0.0191959070328785), (-0.0415356365293253, 0.0197168736453729),
    (0.0263658317469803, 0.0140189493226751), (-0.00475983533866949, 0.0156699660373289),
    (-0.028502106413859, 0.0181320658924703), (-0.0287894881938243, 0.0161678672536918),
]  # fmt: skip
STATA = [
    (-0.0145297, 0.0221292), (-0.0764219, 0.0286713), (-0.1404483, 0.0353782),
    (-0.1069039, 0.0328865), (-0.0004721, 0.0222234), (-0.0062025, 0.0184957),
    (0.0009606, 0.0194002), (-0.0412939, 0.0197211), (0.0267278, 0.0140657),
    (-0.0045766, 0.0157178), (-0.0284475, 0.0181809), (-0.0287814, 0.016239),
]  # fmt: skip
OVERALL = {  # simple, group, dynamic, calendar; W and its p (R's, which are rounded to 5 digits)
    "never": ([(-0.0399512751551763, 0.0120340127701854), (-0.0310182822287484, 0.0124460593209979),
               (-0.0772398214573151, 0.0199649890618494), (-0.0417004321312822, 0.01597185188456)],
              7.79123662720035, 0.16812),
    "not yet": ([(-0.0397636256230437, 0.0120524247873419),
                 (-0.030462228112565, 0.0125751201316818),
                 (-0.0773993139705847, 0.0195601769463944),
                 (-0.0442670834758837, 0.0155709044211449)], 7.79092771882739, 0.16814),
    "regression": ([(-0.0419686124215432, 0.0114448297682151),
                    (-0.0329292402290042, 0.0118603087662617),
                    (-0.0807817453337615, 0.0187458547114755),
                    (-0.0445323313531745, 0.0148850278130483)], 6.8612749537136, 0.23116),
}  # fmt: skip
PARTS = {
    "group": [(-0.0797491265747291, 0.0263677994350273), (-0.0229095392495403, 0.0167033302551619),
              (-0.0260544107191966, 0.0166554353492522)],
    "dynamic": [(0.0305066555832928, 0.01503356028013), (-0.000563084626385429, 0.01329164473655),
                (-0.0244587449711696, 0.0142364022105193),
                (-0.0199318167892593, 0.0118263640580582), (-0.0509573670651939, 0.016893476268678),
                (-0.137258738889403, 0.0364356642876865), (-0.100811363085404, 0.0343592258346733)],
    "calendar": [(-0.0105032462209624, 0.0232510363681664),
                 (-0.0704231581031467, 0.0309847667572767),
                 (-0.0488159842650431, 0.0201258612605003),
                 (-0.0370593399359766, 0.0137470791411185)],
}  # fmt: skip


@pytest.fixture(scope="module")
def counties():
    path = DATA / "experiments" / "mpdta.csv"
    if not path.is_file():
        pytest.skip("mpdta.csv is not here: set CXMODELS_DATA")
    table = pd.read_csv(path)
    return table.assign(g=table["first.treat"].where(table["first.treat"] > 0))


def pairs(table) -> np.ndarray:
    return table[["att", "std_error"]].to_numpy()


@pytest.mark.parametrize("method", ["dr", "reg", "ipw"])
def test_never_treated(counties, method):
    found = group_time_effects(counties, "lemp", method=method, **KEYS)
    assert list(zip(found.table["group"], found.table["period"], strict=True)) == CELLS
    assert pairs(found.table) == pytest.approx(np.array(NEVER), abs=1e-10)


def test_methods_without_covariates_agree_unit_by_unit(counties):
    """A formula of a constant alone goes the way of covariates."""
    whole = group_time_effects(counties, "lemp", **KEYS)
    for method in ("dr", "reg", "ipw"):
        found = group_time_effects(counties, "lemp", covariates="~ 1", method=method, **KEYS)
        assert pairs(found.table) == pytest.approx(np.array(NEVER), abs=1e-10)
        assert np.abs(found.influence_of() - whole.influence_of()).max().max() < 1e-12


@pytest.mark.parametrize("case", OVERALL)
def test_other_controls_covariates_and_aggregates(counties, case):
    how = {"never": {}, "not yet": {"control": "not yet treated"},
           "regression": {"covariates": ["lpop"], "method": "reg"}}[case]  # fmt: skip
    cells = {"never": NEVER, "not yet": NOT_YET, "regression": REGRESSION}[case]
    found = group_time_effects(counties, "lemp", **KEYS, **how)
    assert pairs(found.table) == pytest.approx(np.array(cells), abs=1e-10)
    overall, W, p = OVERALL[case]
    assert pairs(found.overall) == pytest.approx(np.array(overall), abs=1e-10)
    assert pytest.approx(W, abs=1e-8) == found.pretrend.W
    assert (found.pretrend.df, round(found.pretrend.p, 5)) == (5, p)


def test_parts_of_aggregates(counties):
    found = group_time_effects(counties, "lemp", **KEYS)
    for kind, printed in PARTS.items():
        assert pairs(found.aggregate(kind)) == pytest.approx(np.array(printed), abs=1e-10)
    assert found.aggregate("dynamic")["event_time"].tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_doubly_robust_of_stata(counties):
    found = group_time_effects(counties, "lemp", covariates=["lpop"], **KEYS)
    assert pairs(found.table) == pytest.approx(np.array(STATA), abs=6e-8)
    assert (round(found.pretrend.W, 2), round(found.pretrend.p, 4)) == (6.84, 0.2327)
    row = found.aggregate("simple")
    assert pairs(row)[0] == pytest.approx((-0.0417518, 0.0115028), abs=6e-8)
    events = [(0.0267278, 0.0140657), (-0.0036165, 0.0129283), (-0.023244, 0.0144851),
              (-0.0210604, 0.0114942), (-0.0530032, 0.0163465), (-0.1404483, 0.0353782),
              (-0.1069039, 0.0328865)]  # fmt: skip
    assert pairs(found.aggregate("dynamic")) == pytest.approx(np.array(events), abs=6e-8)
    years = [(-0.0145297, 0.0221292), (-0.0764219, 0.0286713), (-0.0461757, 0.0212107),
             (-0.0395822, 0.0129299)]  # fmt: skip
    assert pairs(found.aggregate("calendar")) == pytest.approx(np.array(years), abs=6e-8)


def test_weighting_of_diff_diff(counties):
    """diff-diff 3.13, run on the same data: estimation_method="ipw", covariates=["lpop"]."""
    found = group_time_effects(counties, "lemp", covariates=["lpop"], method="ipw", **KEYS)
    printed = [(-0.014548431154139521, 0.022114533111436768),
               (-0.07644986075866038, 0.028648862537383666),
               (-0.14046460265549193, 0.03537100178568243),
               (-0.10693255710571604, 0.03288915170894682),
               (-0.0008685602909433154, 0.022152843418129415)]  # fmt: skip
    assert pairs(found.table)[:5] == pytest.approx(np.array(printed), abs=1e-10)


def test_one_base_and_anticipation(counties):
    """diff-diff 3.13: base_period="universal"; anticipation=1 with controls not yet treated."""
    found = group_time_effects(counties, "lemp", base="universal", **KEYS).event_times()
    assert found.times.tolist() == [-4, -3, -2, 0, 1, 2, 3]
    printed = [0.0033063566925123355, 0.025021829597555008, 0.024458744971169562]
    assert found.estimate[:3] == pytest.approx(printed, abs=1e-10)
    errors = [0.024451872943931748, 0.018118920697401324, 0.01423640221051932]
    assert np.sqrt(np.diag(found.covariance))[:3] == pytest.approx(errors, abs=1e-10)
    how = {"anticipation": 1, "control": "not yet treated"}
    early = group_time_effects(counties, "lemp", **KEYS, **how)
    assert early.account["units"].tolist() == [0, 20, 0, 480]  # 2004 has no base: set aside
    printed = [(-0.00256255094261098, 0.0225302351453388),
               (-0.00193924609578875, 0.019042158605819),
               (-0.007345425703381855, 0.02294286226755905),
               (-0.043975290296736295, 0.026578767016967698),
               (0.02975936476103115, 0.01453354163865145),
               (-0.0027258928861162643, 0.01639583289553442),
               (-0.031087119389688875, 0.017877511313343517),
               (-0.0571415301088855, 0.020210163218686017)]  # fmt: skip
    assert pairs(early.table) == pytest.approx(np.array(printed), abs=1e-10)


def test_imputation(counties):
    """diff-diff 3.13, ImputationDiD: estimates iterated to 1e-11, errors exact."""
    found = imputation_effects(counties, "lemp", **KEYS)
    printed = [(-0.031066927191940524, 0.013577249746179961),
               (-0.052234856747866425, 0.01881242682276271),
               (-0.13607811443998677, 0.03534197213337396),
               (-0.10470747157562328, 0.033765853357791635)]  # fmt: skip
    assert pairs(found.table) == pytest.approx(np.array(printed), abs=1e-10)
    assert pairs(found.overall)[0] == pytest.approx((-0.04770991827781727, 0.013222488650016436),
                                                    abs=1e-10)  # fmt: skip
