"""Sequential tests: R's rpact, tables of Jennison and Turnbull (2000), GrowthBook's sequence."""

from math import sqrt

import pytest

from cxmodels.experiments.confidence_sequence import confidence_sequence, mixing
from cxmodels.experiments.sequential import design

CLASSIC = {
    2: [2.796509681, 1.977430959],
    3: [3.471091445, 2.454432299, 2.00403558],
    4: [4.048591007, 2.862786156, 2.337455108, 2.024295504],
    5: [4.561742327, 3.225638934, 2.633723161, 2.280871164, 2.040073188],
}
POCOCK = {2: 2.178272095, 3: 2.289478456, 4: 2.361299665, 5: 2.413180287}
SPEND_OF = {
    2: [2.962588043, 1.968595646],
    3: [3.710302873, 2.511427484, 1.993047483],
    4: [4.332633646, 2.963131599, 2.359044276, 2.014090143],
    5: [4.876884949, 3.357011922, 2.680280067, 2.289816774, 2.031032063],
}
SPEND_P = {
    3: [2.279428239, 2.294911139, 2.295939587],
    5: [2.437976688, 2.426813863, 2.410194136, 2.396649294, 2.385999702],
}
SIDES = {1: 0.025, 2: 0.05}


def met(found, values, sides=1):
    """rpact's figures are of one side; with two, paths from one boundary to the other count."""
    assert found.tolist() == pytest.approx(values, abs=1e-6 if sides == 1 else 2e-5)


@pytest.mark.parametrize("sides", SIDES)
def test_boundaries(sides):
    how = {"alpha": SIDES[sides], "sides": sides}
    for looks, values in CLASSIC.items():
        met(design(looks, kind="obrien-fleming", **how).upper, values, sides)
        met(design(looks, kind="wang-tsiatis", parameter=0.0, **how).upper, values, sides)
    for looks, value in POCOCK.items():
        met(design(looks, kind="pocock", **how).upper, [value] * looks, sides)
    for looks, values in SPEND_OF.items():
        met(design(looks, **how).upper, values, sides)
    for looks, values in SPEND_P.items():
        met(design(looks, kind="spend pocock", **how).upper, values, sides)
    hsd = design([0.3, 0.7, 1.0], kind="spend hwang-shih-decani", parameter=-4.0, **how)
    met(hsd.upper, [3.066699549, 2.483666398, 2.002767421], sides)
    power = design([0.3, 0.7, 1.0], kind="spend power", parameter=2.0, **how)
    met(power.upper, [2.840803718, 2.295720674, 2.069040783], sides)


def test_inflation():
    for looks, value in {2: 1.007786255, 3: 1.017406224, 4: 1.023846458, 5: 1.028410978}.items():
        found = design(looks, kind="obrien-fleming", alpha=0.025, sides=1).inflation(0.8)
        assert found == pytest.approx(value, abs=1e-6)
    for looks, value in {2: 1.110412628, 3: 1.166386064, 4: 1.202469071, 5: 1.228572722}.items():
        found = design(looks, kind="pocock", alpha=0.025, sides=1).inflation(0.8)
        assert found == pytest.approx(value, abs=1e-6)


def test_futility():
    found = design(3, alpha=0.025, sides=1, futility=("spend obrien-fleming", 0.8))
    met(found.lower[:2], [-0.2361446099, 1.1703720312])
    assert found.lower[2] == found.upper[2]
    met(found.upper, SPEND_OF[3])  # it does not bind
    theta = found.drift(0.8)
    assert found.crossed(theta).lower.sum() == pytest.approx(0.2, abs=1e-8)


def test_jennison_and_turnbull():
    """Their tables 2.1 and 2.2: constants and maximal over fixed size at alpha .05, power .9."""
    for looks, c, size in ((2, 2.178, 1.100), (5, 2.413, 1.207), (10, 2.555, 1.271)):
        found = design(looks, kind="pocock")
        assert found.upper[0] == pytest.approx(c, abs=6e-4)
        assert found.inflation(0.9) == pytest.approx(size, abs=6e-4)
    for looks, c, size in ((2, 1.977, 1.007), (5, 2.040, 1.026), (10, 2.087, 1.037)):
        found = design(looks, kind="obrien-fleming")
        assert found.upper[-1] == pytest.approx(c, abs=6e-4)
        assert found.inflation(0.9) == pytest.approx(size, abs=6e-4)


def test_sequence_on_a_relative_lift():
    """GrowthBook's tests of its sequential test: sums, sums of squares and counts of two arms."""
    (sa, qa, na), (sb, qb, nb) = (1396.87, 52377.9767, 3000), (2422.7, 134698.29, 3461)
    a, b = sa / na, sb / nb
    va, vb = (qa - sa**2 / na) / (na - 1), (qb - sb**2 / nb) / (nb - 1)
    lift = (b - a) / a
    error = sqrt(vb / nb / a**2 + va / na * b**2 / a**4)
    assert lift == pytest.approx(0.5033610858562358, abs=1e-12)
    assert error == pytest.approx(0.3334122146400735, abs=1e-12)
    ends = {1000: (-0.5584405051077315, 1.5651626768202032),
            5000: (-0.5097177608556427, 1.5164399325681144)}  # fmt: skip
    for tuned, (lower, upper) in ends.items():
        row = confidence_sequence(lift, error, na + nb, tuned=tuned, level=0.95).table.iloc[0]
        assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), abs=1e-9)
    assert mixing(0.05, 1000) == pytest.approx(0.08908509752892212, abs=1e-12)
