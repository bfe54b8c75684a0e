"""Averages over events of k stages: k = 1 is that of special.py; sums by blocks are exact."""

import numpy as np
import pytest

from cxmodels.numerics import special, stages
from cxmodels.numerics.stages import Sought, stage_mean


@pytest.fixture(scope="module")
def arguments():
    rng = np.random.default_rng(3)
    s, a, b, z = np.exp(rng.normal(0.0, 2.0, (4, 900)))
    a[:100] = 1.0  # where the sum of beta_n is 0/0 in closed form
    a[100:200] = 1.0 + 1e-7 * rng.normal(size=100)
    a[200:300] = 1.0 + 1e-3 * rng.normal(size=100)
    return s, a, b, z * 20.0


def test_one_stage(arguments):
    s, a, b, z = arguments
    pi = np.ones((s.size, 1))
    staying = np.exp(special.log_beta_power_mean(s, a, b, z))
    events = np.exp(special.log_beta_power_integral(s, a, b, z))
    rate = s * np.exp(special.log_beta_power_mean(s + 1.0, a, b, z))
    for sought, expected in zip(Sought, (staying, events, rate), strict=True):
        np.testing.assert_allclose(stage_mean(sought, pi, s, a, b, z), expected, rtol=5e-9)


@pytest.mark.parametrize("sought", Sought)
def test_blocks_equal_term_by_term(monkeypatch, sought):
    rng = np.random.default_rng(4)
    s, a, b, z = np.exp(rng.normal([1.0, 0.0, 0.5, 1.0], 1.0, (40, 4))).T
    pi = rng.dirichlet(np.ones(4), 40)
    monkeypatch.setattr(stages, "LONGEST", 1e9)
    one_by_one = stage_mean(sought, pi, s, a, b, z)
    monkeypatch.setattr(stages, "LONGEST", 0.0)
    np.testing.assert_allclose(stage_mean(sought, pi, s, a, b, z), one_by_one, rtol=1e-9)


@pytest.mark.parametrize("length", [1, 5, 9, 40, 1000])
def test_the_rule_sums_polynomials(length):
    nodes, weights = stages._gauss(length)
    n = np.arange(length) / length
    for degree in range(2 * stages.NODES):
        found = weights @ (nodes / length) ** degree
        assert found == pytest.approx((n**degree).sum(), rel=1e-10)


def test_no_customers():
    assert stage_mean(Sought.RATE, np.ones((0, 2)), np.ones(0), 1.0, 1.0, 1.0).shape == (0,)
