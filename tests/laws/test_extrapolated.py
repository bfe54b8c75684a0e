"""SIMEX: exact where its parabola is, and on the way to regression calibration elsewhere."""

import numpy as np
import pytest

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.regression.measurement_error import simex
from cxmodels.satisfaction import extrapolated
from tests.laws.satisfaction_study import CONTROLS, TRUTHS, linked_company


def test_a_parabola_is_run_back_exactly():
    """An effect that bends with the variance v of the score as 1 - 0.1 v + 0.01 v^2: without error
    (v = 1 of 3) it is 0.91."""
    scores = np.random.default_rng(1).normal(size=200_000) * np.sqrt(3.0)
    found = simex(lambda s: 1 - 0.1 * s.var() + 0.01 * s.var() ** 2, scores, 2.0,
                  draws=4, rng=np.random.default_rng(2))  # fmt: skip
    assert found.value == pytest.approx(0.91, abs=0.003)
    assert (np.diff(found.effects[:2]) != 0).all()


def test_least_squares_with_a_small_error():
    rng = np.random.default_rng(3)
    true = rng.normal(size=50_000)
    y = 0.8 * true + rng.normal(size=50_000)
    read = true + 0.4 * rng.normal(size=50_000)
    found = simex(lambda s: float(np.polyfit(s, y, 1)[0]), read, 0.16, draws=10, rng=rng)
    assert found.effects[0] == pytest.approx(0.8 / 1.16, abs=0.02)
    assert found.value == pytest.approx(0.8, abs=0.03)
    assert found.error < 0.005


def test_beside_regression_calibration():
    """With a reliability of .56 the parabola leaves up to half of the error in."""
    made = simulate.company(6_000, seed=61, quarters=6)
    table = extrapolated(linked_company(made), controls=CONTROLS, draws=10).set_index("outcome")
    table = table.loc[list(TRUTHS)]
    beyond = (table["simex"] - table["controlled"]) / (table["corrected"] - table["controlled"])
    assert beyond.between(0.25, 1.1).all(), beyond
    assert (table["effect_2"].abs() < table["effect_1"].abs()).all()
    assert (table["effect_1"].abs() < table["controlled"].abs()).all()


def test_refusals():
    made = simulate.company(400, seed=1, truth=simulate.Truth(retest=0.0))
    with pytest.raises(cx.FitError, match="repeated answers are too few"):
        extrapolated(linked_company(made), controls=CONTROLS)
    with pytest.raises(cx.OptionError, match="draws 1"):
        extrapolated(linked_company(made), controls=CONTROLS, draws=1)
