"""Profile likelihood: equal to Wald where that is exact, known ends, open ends, planted errors."""

import numpy as np
import pytest
from scipy import optimize, stats

from cxmodels.errors import OptionError
from cxmodels.likelihood import profile as module
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.profile import loss_at, profile
from tests.units.toy_objectives import Arrivals, Coins, Counts, GammaTimes, Line

TIMES = np.random.default_rng(21).gamma(2.3, 4.0, size=40)
X = np.column_stack([np.ones(30), np.random.default_rng(2).normal(size=(30, 2))])
Y = X @ np.array([1.0, -2.0, 0.5]) + np.random.default_rng(3).normal(size=30)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_equal_to_wald_for_a_quadratic(level):
    line = Line(X, Y)
    estimate = maximise(line, model="line")
    wald = estimate.parameters(level)
    for name in estimate.space.names:
        curve = profile(line, estimate, name, level=level)
        assert curve.lower == pytest.approx(wald.loc[name, "lower"], abs=1e-6)
        assert curve.upper == pytest.approx(wald.loc[name, "upper"], abs=1e-6)
        assert curve.sentence == "closed: the likelihood falls on both sides"


def poisson_law(x, T):
    """Ends of one rate solve x log(rate T / x) - (rate T - x) = -chi2(1, level) / 2."""
    arrivals = Arrivals(x, T)
    curve = profile(arrivals, maximise(arrivals, model="m"), "rate", level=0.95)
    cut = stats.chi2.ppf(0.95, 1) / 2

    def gap(rate):
        return x * np.log(rate * T / x) - (rate * T - x) + cut

    assert curve.lower == pytest.approx(optimize.brentq(gap, 1e-9, x / T), rel=1e-5)
    assert curve.upper == pytest.approx(optimize.brentq(gap, x / T, 1e3), rel=1e-5)


@pytest.mark.parametrize(("x", "T"), [(1, 2.0), (7, 3.5), (400, 90.0)])
def test_ends_of_a_poisson_rate(x, T):
    poisson_law(x, T)


@pytest.mark.parametrize("name", ["shape", "scale"])
def test_ends_of_a_gamma_with_a_nuisance_parameter(name):
    """Against a brute-force profile: scipy's scalar minimiser over the other parameter."""
    objective = GammaTimes(TIMES)
    estimate = maximise(objective, model="m")
    curve = profile(objective, estimate, name)
    place = estimate.space.index(name)

    def best(value):
        def other(u):
            theta = np.full(2, np.exp(u))
            theta[place] = value
            return -objective.log_likelihood(theta)

        near = np.log(estimate.theta[1 - place])
        return -optimize.minimize_scalar(other, bracket=(near - 0.5, near + 0.5), tol=1e-12).fun

    for end in (curve.lower, curve.upper):
        assert estimate.log_likelihood - best(end) == pytest.approx(loss_at(0.9), abs=1e-5)
    for row in curve.table.iloc[::6].itertuples():
        assert row.log_likelihood == pytest.approx(best(row.value), abs=1e-6)


def test_the_curve_peaks_at_the_estimate_and_reaches_past_the_ends():
    objective = GammaTimes(TIMES)
    estimate = maximise(objective, model="m")
    curve = profile(objective, estimate, "shape", points=41)
    table = curve.table
    assert len(table) == 41
    assert table["value"].is_monotonic_increasing
    assert table["value"].iloc[0] < curve.lower < estimate.theta[0] < curve.upper
    assert curve.upper < table["value"].iloc[-1]
    assert (table["below_maximum"] >= -1e-8).all()
    best = table["below_maximum"].to_numpy().argmin()
    assert abs(np.log(table["value"][best] / estimate.theta[0])) < 0.05


def test_open_below_where_the_rate_ran_to_zero():
    arrivals = Arrivals(0, 5.0)
    curve = profile(arrivals, maximise(arrivals, model="m"), "rate", level=0.95)
    assert curve.lower == 0.0
    assert curve.upper == pytest.approx(stats.chi2.ppf(0.95, 1) / 2 / 5.0, rel=1e-4)
    assert curve.sentence == "open below: rate may be as small as 0 (nobody arrives)"
    assert np.isfinite(curve.table).all().all()


def test_open_above_where_the_shape_ran_to_infinity():
    counts = np.tile([2, 3, 2, 3, 3, 2, 4, 1, 3, 2], 3)
    objective = Counts(counts)
    estimate = maximise(objective, model="m")
    curve = profile(objective, estimate, "r")
    assert curve.upper == np.inf
    loss = estimate.log_likelihood - objective.log_likelihood(np.array([curve.lower, 2.5]))
    assert loss == pytest.approx(loss_at(0.9), abs=1e-4)  # the mean of counts stays the best m
    assert curve.lower == pytest.approx(estimate.parameters()["lower"]["r"], rel=1e-6)


def test_open_at_both_ends_where_only_a_ratio_is_determined():
    for x in (30, 0):
        coins = Coins(x, 100)
        curve = profile(coins, maximise(coins, model="m"), "a")
        assert (curve.lower, curve.upper) == (0.0, np.inf)
        assert curve.sentence == "open at both ends: the likelihood does not determine a"


def test_an_estimate_that_is_not_best_is_told():
    objective = GammaTimes(TIMES)
    poor = maximise(objective, model="m")
    lower = object.__new__(type(poor))
    lower.__dict__.update({**poor.__dict__, "log_likelihood": poor.log_likelihood - 0.5})
    assert "not best" in profile(objective, lower, "shape").sentence


@pytest.mark.parametrize("wrong", ["cut", "others held", "one step"])
def test_planted_errors_are_caught(monkeypatch, wrong):
    if wrong == "cut":  # chi-square without the half
        monkeypatch.setattr(module, "loss_at", lambda level: stats.chi2.ppf(level, 1))
        with pytest.raises(AssertionError):
            poisson_law(7, 3.5)
        return
    right = module.climb
    steps = 0 if wrong == "others held" else 1
    monkeypatch.setattr(
        module,
        "climb",
        lambda f, start, *, moving: right(f, start, moving=moving, most_steps=steps),
    )
    with pytest.raises(AssertionError):
        test_ends_of_a_gamma_with_a_nuisance_parameter("shape")


@pytest.mark.parametrize("wrong", [{"level": 1.0}, {"points": 2}])
def test_options_that_make_no_sense(wrong):
    objective = GammaTimes(TIMES)
    estimate = maximise(objective, model="m")
    with pytest.raises(OptionError):
        profile(objective, estimate, "shape", **wrong)
    with pytest.raises(OptionError, match="shape, scale"):
        profile(objective, estimate, "rate")
