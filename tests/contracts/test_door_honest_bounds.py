"""The door of honest bounds: estimates of other packages, and what is refused in words."""

import numpy as np
import pytest

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.event_times import EventTimes, event_times
from cxmodels.experiments.honest_bounds import honest_bounds
from cxmodels.experiments.pretrend_power import pretrend_power

BETA, SIGMA = [0.1, -0.1, 1.0, 1.2], np.diag([0.01, 0.02, 0.03, 0.04])
DOORS = [honest_bounds, pretrend_power]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("beta", "sigma", "words"),
    [
        ([0.1, np.nan, 1.0, 1.2], SIGMA, r"an estimate is missing or infinite \(1 row\)"),
        (BETA, SIGMA[:3], r"covariance is \(3, 4\), \(4, 4\) is needed"),
        (BETA, SIGMA + np.triu(np.ones((4, 4)), 1) * 0.01, "covariance is not symmetric"),
        (BETA, np.diag([0.01, 0.0, 0.03, 0.04]), "Leave the reference period out"),
        (BETA, SIGMA - 0.02 * (1 - np.eye(4)), "it has a direction below 0"),
        (BETA, SIGMA * np.nan, "entries that are missing or infinite"),
    ],
)
def test_covariances_that_are_none(door, beta, sigma, words):
    with pytest.raises(DataError, match=words):
        door(beta, sigma, pre=2)


@pytest.mark.parametrize("door", DOORS)
def test_periods(door):
    for pre in (-1, 4, 1.5, True, "two"):
        with pytest.raises(OptionError, match=r"pre .* is not from 0 to 3"):
            door(BETA, SIGMA, pre=pre)
    with pytest.raises(OptionError, match="give estimates with covariance and pre"):
        door(BETA, SIGMA)
    with pytest.raises(OptionError, match="no array of numbers"):
        door(["a"], SIGMA, pre=0)
    times = event_times(BETA, SIGMA, 2)
    with pytest.raises(OptionError, match="give them alone"):
        door(times, pre=2)
    assert repr(door(times)) == repr(door(BETA, SIGMA, pre=2))
    with pytest.raises(FitError, match="before"):
        door(BETA, SIGMA, pre=0)
    gap = event_times(BETA, SIGMA, 2, times=[-4, -2, 0, 1])
    with pytest.raises(FitError, match="not one step apart"):
        door(gap)
    with pytest.raises(FitError, match="no estimate lies after"):
        door(EventTimes(np.array([-3, -2]), np.array(BETA[:2]), SIGMA[:2, :2]))


def test_times_of_their_own():
    early = event_times(BETA, SIGMA, 2, times=[-4, -3, -1, 0])
    assert (early.reference, early.pre, early.post) == (-2, 2, 2)
    for times in ([-3, -2, -1, 0], [0, 1, 2], [-3, -2, 0.5, 1], [1, 0, -2, -3]):
        with pytest.raises(OptionError, match="times"):
            event_times(BETA, SIGMA, 2, times=times)


def test_choices():
    with pytest.raises(OptionError, match="restriction 'flat' is not one of"):
        honest_bounds(BETA, SIGMA, pre=2, restriction="flat")
    with pytest.raises(OptionError, match="method 'C' is not one of hybrid, conditional"):
        honest_bounds(BETA, SIGMA, pre=2, method="C")
    with pytest.raises(OptionError, match="level is the width"):
        honest_bounds(BETA, SIGMA, pre=2, level=95)
    for sizes in ([-1.0], [], ["a"], [np.nan]):
        with pytest.raises(OptionError, match="sizes are"):
            honest_bounds(BETA, SIGMA, pre=2, sizes=sizes)
    for weights in ([1.0], [0.0, 0.0], ["a", "b"], [np.nan, 1.0]):
        with pytest.raises(OptionError, match="weights are"):
            honest_bounds(BETA, SIGMA, pre=2, weights=weights)
    with pytest.raises(OptionError, match="test 'all' is not one of any, joint"):
        pretrend_power(BETA, SIGMA, pre=2, test="all")
    with pytest.raises(OptionError, match=r"power 0\.01 is not between the test's size"):
        pretrend_power(BETA, SIGMA, pre=2, power=[0.01])
    with pytest.raises(OptionError, match="no finite number"):
        pretrend_power(BETA, SIGMA, pre=2, slope=np.inf)
    with pytest.raises(OptionError, match="give a slope, or one power"):
        pretrend_power(BETA, SIGMA, pre=2, power=[])


def test_what_is_said():
    nothing = honest_bounds([0.1, -0.1, 0.1, 0.2], SIGMA, pre=2)
    assert nothing.breakdown == 0.0 and "even if trends were parallel" in nothing.sentence
    line = honest_bounds([-2.0, -1.0, 1.0, 2.0], SIGMA, pre=2, restriction="smoothness")
    assert "A straight difference in trends explains the effect" in line.sentence
    sure = honest_bounds(BETA, SIGMA, pre=2)
    assert "times the most that they moved before it" in sure.sentence
    assert "were trends parallel" in repr(sure) and "interval 90%" in sure._repr_html_()
    bent = honest_bounds(BETA, SIGMA, pre=2, restriction="smoothness")
    assert "unless the difference in trends bends by more than" in bent.sentence
    assert bent.table["size"].tolist() == pytest.approx([0.0, 0.15, 0.3, 0.6])
    told = pretrend_power(BETA, SIGMA, pre=2)
    assert "is found 80% of the time" in told.sentence and "finding one of none" in repr(told)


def test_estimates_that_follow_from_each_other():
    same = np.ones((4, 4))
    for how in ({"restriction": "smoothness"}, {}):
        with pytest.raises(FitError, match="covariance is"):
            honest_bounds(BETA, same, pre=2, **how)
    with pytest.raises(FitError, match="fewer clusters than estimates"):
        pretrend_power(BETA, same, pre=2, test="joint")
    assert pretrend_power(BETA, same, pre=2).size == pytest.approx(0.05, abs=1e-4)
