"""Sensitivity of the Darfur estimate, and E-values: published figures.

Sources: R's sensemakr; VanderWeele and Ding (2017).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.regression.sensitivity import (
    Sensitivity,
    benchmark,
    e_value,
    e_value_of_interval,
    sensitivity,
)

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
OWN = ("directlyharmed", "age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female")


@pytest.fixture(scope="module")
def darfur():
    path = DATA / "experiments" / "darfur.csv"
    if not path.exists():
        pytest.skip("the Darfur data are not here: set CXMODELS_DATA")
    table = pd.read_csv(path)
    village = pd.get_dummies(table["village"], drop_first=True, dtype=float)
    x = np.column_stack([np.ones(len(table)), table[list(OWN)].to_numpy(float), village])
    return table["peacefactor"].to_numpy(float), x, ("const", *OWN, *village.columns)


def test_darfur(darfur):
    found = sensitivity(*darfur, "directlyharmed")
    assert found.estimate == pytest.approx(0.09731581928, abs=5e-12)
    assert found.error == pytest.approx(0.02325653781, abs=5e-12)
    assert found.t == pytest.approx(4.18444998, abs=5e-9)
    assert found.degrees == 783
    assert found.partial_r2 == pytest.approx(0.02187309, abs=5e-9)
    assert found.robustness_value == pytest.approx(0.138776354, abs=5e-10)
    assert found.robustness_value_significant == pytest.approx(0.076257966, abs=5e-10)


@pytest.mark.parametrize(("times", "left"), [(1, 0.075220), (2, 0.052915), (3, 0.030396)])
def test_darfur_benchmarks(darfur, times, left):
    found = benchmark(*darfur, ("directlyharmed", "female"), times=times)
    assert found.estimate == pytest.approx(left, abs=5e-7)


def test_e_values():
    assert e_value(3.9) == pytest.approx(7.263034, abs=5e-7)
    assert e_value(0.80) == pytest.approx(1.809017, abs=5e-7)
    assert e_value_of_interval(0.71, 0.91) == pytest.approx(1.428571, abs=5e-7)
    assert e_value_of_interval(0.9, 1.2) == 1.0
    assert e_value(1.0) == 1.0
    with pytest.raises(cx.OptionError):
        e_value(0.0)


def test_a_cause_of_the_robustness_value_leaves_nothing():
    """Its own definition: with that share of both explained, the adjusted estimate is 0; with the
    other, the adjusted t is the critical one."""
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(400), rng.normal(size=(400, 2))])
    y = x @ [1.0, 0.4, -0.3] + rng.normal(size=400)
    found = sensitivity(y, x, ("const", "d", "z"), "d")
    left, _ = found.adjusted(found.robustness_value, found.robustness_value)
    assert left == pytest.approx(0.0, abs=1e-12)
    estimate, error = found.adjusted(*[found.robustness_value_significant] * 2)
    import scipy

    assert estimate / error == pytest.approx(
        scipy.special.stdtrit(found.degrees - 1, 0.975), rel=1e-9
    )


def test_a_cause_left_out_is_what_the_formula_says():
    """The estimate without a cause, adjusted by the cause's own strengths, is that with it."""
    rng = np.random.default_rng(2)
    cause, z = rng.normal(size=(2, 500))
    d = 0.5 * cause + 0.2 * z + rng.normal(size=500)
    y = 0.3 * d + 0.4 * cause + z + rng.normal(size=500)
    names, one = ("const", "d", "z"), np.ones(500)
    short = sensitivity(y, np.column_stack([one, d, z]), names, "d")
    whole = sensitivity(y, np.column_stack([one, d, z, cause]), (*names, "cause"), "d")
    with_column = sensitivity(d, np.column_stack([one, z, cause]), ("const", "z", "cause"), "cause")
    with_outcome = sensitivity(y, np.column_stack([one, d, z, cause]), (*names, "cause"), "cause")
    found = short.adjusted(with_column.partial_r2, with_outcome.partial_r2)
    assert found == pytest.approx((whole.estimate, whole.error), rel=1e-9)


def test_edges_and_refusals(darfur):
    weak = Sensitivity(0.01, 1.0, 100, 0.05)
    assert weak.robustness_value_significant == 0.0
    assert 0 < weak.robustness_value < 0.01
    strong = Sensitivity(1_000.0, 1.0, 100, 0.05)
    assert 0.99 < strong.robustness_value_significant <= strong.robustness_value < 1
    with pytest.raises(cx.OptionError, match="more than all"):
        benchmark(*darfur, ("directlyharmed", "female"), times=200)
    with pytest.raises(cx.OptionError, match="is not one of"):
        sensitivity(*darfur, "harmed")
