"""Power: R's power.t.test, power.prop.test, pwr and swPwr; published design effects."""

from math import sqrt

import pytest

from cxmodels.experiments.comparisons import (
    Clusters,
    Means,
    Proportions,
    Ratios,
    SteppedWedge,
)
from cxmodels.experiments.power import detectable, power, sample_size


def close(value: float):
    """R's searches stop at about 1e-6 of n."""
    return pytest.approx(value, rel=1e-6)


def test_means():
    one = Means(sd=1.0)
    assert power(one, 1.0, 40) == close(0.868952801692)
    assert sample_size(one, 1.0, power=0.9).n / 2 == close(22.0210977039)
    assert sample_size(one, 1.0, power=0.9, sides=1).n / 2 == close(17.8471260865)
    assert sample_size(one, 0.2).n / 2 == close(393.405696022)
    assert sample_size(one, 0.5).n / 2 == close(63.7656104441)
    assert power(Means(sd=1.0, share=0.6), 0.6, 150, sides=1) == close(0.973726154629)
    assert power(Means(sd=1.0, share=0.4), -0.6, 150, sides=1) == close(0.973726154629)


def test_proportions():
    # R leaves out the tail on the other side, 1.3e-6 here
    assert power(Proportions(0.5), 0.25, 100) == pytest.approx(0.740165901331, rel=1e-5)
    assert power(Proportions(0.75), -0.25, 100) == pytest.approx(0.740165901331, rel=1e-5)
    found = sample_size(Proportions(0.5), 0.25, power=0.9).n / 2
    assert found == pytest.approx(76.7069301141, rel=1e-5)
    assert sample_size(Proportions(0.10), 0.02).n / 2 == pytest.approx(3840.84748243, rel=1e-5)
    assert sample_size(Proportions(0.05), 0.005).n / 2 == pytest.approx(31233.4379401, rel=1e-5)
    arcsine = sample_size(Proportions(0.10, method="arcsine"), 0.02).n / 2
    assert arcsine == pytest.approx(3834.59575246, rel=1e-5)


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({}, 0.7861895925),
        ({"extra": 3}, 0.8171283257),
        ({"effects": 0.0045}, 0.7724894264),
        ({"effects": 0.0045, "correlation": 0.4}, 0.7651551072),
    ],
)
def test_stepped_wedge(more, value):
    """Examples 1 to 4 of the manual of swPwr: 24 clusters in 4 waves, 120 units a cell, .05 against
    .035, whose variance is that of their mean."""
    wedge = SteppedWedge((6, 6, 6, 6), sqrt(0.0425 * 0.9575), 0.01, **more)
    assert power(wedge, 0.035 - 0.05, 120 * wedge.cells) == pytest.approx(value, abs=5e-9)


def test_hussey_and_hughes_in_closed_form():
    """Their equation 8: I s^2 (s^2 + T t^2) / ((I U - W) s^2 + (U^2 + I T U - T W - I V) t^2)."""
    waves, sd, tau, n = (3, 1, 2), 1.3, 0.4, 17
    wedge = SteppedWedge(waves, sd, tau)
    T, total = len(waves) + 1, sum(waves)
    x = [[float(t > w) for t in range(T)] for w, c in enumerate(waves) for _ in range(c)]
    U = sum(map(sum, x))
    W = sum(sum(row[t] for row in x) ** 2 for t in range(T))
    V = sum(sum(row) ** 2 for row in x)
    s2, t2 = sd**2 / n, tau**2
    top = total * s2 * (s2 + T * t2)
    variance = top / ((total * U - W) * s2 + (U**2 + total * T * U - T * W - total * V) * t2)
    assert wedge.errors(1.0, n * wedge.cells).null == pytest.approx(sqrt(variance), rel=1e-12)


def test_design_effect_and_delta_method():
    plain = Means(sd=2.0)
    assert Clusters(plain, 20, 0.05).design_effect == pytest.approx(1.95)
    uneven = Clusters(plain, 20, 0.05, variation=0.65)  # Eldridge et al.: 1 + (1.4225 m - 1) icc
    assert uneven.design_effect == pytest.approx(1 + (1.4225 * 20 - 1) * 0.05)
    # Kohavi et al. (2020), chapter 18: var(Y/X) = (v_y - 2 r cov + r^2 v_x) / mean_x^2
    ratio = Ratios((6.0, 3.0), (2.0, 1.5), 0.4)
    assert ratio.sd == pytest.approx(sqrt(9 - 2 * 3 * 0.4 * 4.5 + 9 * 2.25) / 2)
    found = detectable(ratio, 5_000)
    assert power(ratio, found.effect, 5_000) == pytest.approx(0.8, abs=1e-9)
