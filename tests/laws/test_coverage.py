"""90 per cent intervals hold the truth in 90 per cent of simulated worlds; naive ones do not.

The study itself is in coverage_study.py. A small version runs always, with the limits that honest
binomial counts keep; the full one is marked slow and must land between 87 and 93 per cent.
"""

from dataclasses import replace

import pytest
from scipy import stats

from tests.laws.coverage_study import BASE, HEAVY_BUYERS, LONG, study

RUNS = 20
EXPECTED, OF_ALL = "expected purchases of a customer", "expected purchases of the base"
COUNT, EVEN = "purchases of a customer", "purchases of a customer, randomised"
CONTENT = "content of that interval"


@pytest.fixture(scope="module")
def small():
    return study(replace(BASE, customers=500, draws=250, asked=100), RUNS).mean()


@pytest.mark.parametrize("kind", [OF_ALL, "equity"])
def test_intervals_of_totals_hold_the_truth(small, kind):
    # one truth a run: fewer or more than this are 1 chance in 200 each
    lowest, highest = stats.binom.ppf([0.005, 0.995], RUNS, 0.9) / RUNS
    assert lowest <= small[kind] <= highest, small


def test_intervals_of_expected_purchases_hold_the_truth(small):
    # customers of a run share its parameters: as few independent truths as runs, at the worst
    lowest, highest = stats.binom.ppf([0.005, 0.995], RUNS, 0.9) / RUNS
    assert lowest <= small[EXPECTED] <= highest, small


def test_the_distribution_of_one_customers_purchases_is_calibrated(small):
    """Counts are discrete, so an equal-tailed interval holds more than 90 per cent; a count placed
    at random within its own probability (randomised PIT) falls in the middle 90 just so often."""
    # 2,000 customers: standard error .7 per cent, twice that for what runs share
    assert 0.86 <= small[EVEN] <= 0.94, small
    assert 0.48 <= small["place of a customer"] <= 0.52


def test_the_interval_of_one_customers_purchases_holds_what_it_says(small):
    """The share held is the probability inside, at least 90 per cent, as the interval promises."""
    assert small[CONTENT] >= 0.9
    assert small[COUNT] == pytest.approx(small[CONTENT], abs=0.02)


def test_dozens_of_purchases_need_no_randomising():
    heavy = study(replace(HEAVY_BUYERS, customers=150, draws=200, asked=60), 12).mean()
    assert 0.86 <= heavy[COUNT] <= 0.95, heavy  # 720 customers: standard error 1.1 per cent
    assert 0.86 <= heavy[EVEN] <= 0.94, heavy


def test_the_product_of_means_fails():
    """Mean order x mean rate x constant retention misses the equity that the interval holds."""
    few = study(replace(LONG, customers=400, draws=150), 8).mean()
    assert few["equity, product of means"] <= 1 / 8
    assert few["equity"] >= 5 / 8  # at 90 per cent, fewer of 8 are 5 chances in 1,000


@pytest.mark.slow
def test_full_study_of_the_base():
    full = study(BASE, 400, processes=2)
    share = full.mean()
    print(share)
    for kind in (EXPECTED, OF_ALL, EVEN, "equity"):
        assert 0.87 <= share[kind] <= 0.93, share
    assert share[COUNT] == pytest.approx(share[CONTENT], abs=0.005)


@pytest.mark.slow
def test_full_study_of_heavy_buyers():
    share = study(HEAVY_BUYERS, 300, processes=2).mean()
    print(share)
    for kind in (EXPECTED, OF_ALL, EVEN, COUNT):
        assert 0.87 <= share[kind] <= 0.93, share


@pytest.mark.slow
def test_full_study_of_naive_intervals():
    """Five years from half a year's data: parameters are most of what is unknown."""
    share = study(LONG, 100, processes=2).mean()
    print(share)
    assert 0.83 <= share["equity"] <= 0.96  # 100 runs: standard error 3 per cent
    assert share["equity, plug-in"] < 0.8
    assert share["equity, product of means"] < 0.1
