"""Sequential tests: sizes while peeking, power, what an interval holds; and what peeking does."""

from math import inf, sqrt

import numpy as np
import pytest
import scipy

import cxmodels as cx
from cxmodels.experiments.comparisons import Means, Proportions
from cxmodels.experiments.confidence_sequence import confidence_sequence
from cxmodels.experiments.crossing import crossing
from cxmodels.experiments.power import sample_size
from cxmodels.experiments.sequential import SPENDING, design, sequential_size
from cxmodels.experiments.stopping import after_stopping, repeated_interval

RUNS = 200_000
UNEVEN = [0.2, 0.35, 0.7, 1.0]
DESIGNS = {
    "obrien-fleming": (4, {"kind": "obrien-fleming"}),
    "pocock": (5, {"kind": "pocock", "sides": 1, "alpha": 0.025}),
    "wang-tsiatis": (UNEVEN, {"kind": "wang-tsiatis", "parameter": 0.25}),
    "spend obrien-fleming": (UNEVEN, {}),
    "spend pocock": (6, {"kind": "spend pocock", "alpha": 0.1}),
    "hwang-shih-decani": (UNEVEN, {"kind": "spend hwang-shih-decani", "parameter": 1.0}),
    "power": (3, {"kind": "spend power", "parameter": 3.0, "sides": 1, "alpha": 0.025}),
    "futility": (4, {"sides": 1, "alpha": 0.025, "futility": ("spend pocock", 0.9)}),
}


def paths(times, drift, runs=RUNS, seed=3):
    """Z (runs, looks) of tests whose score moves by independent normal steps."""
    times = np.asarray(times)
    steps = np.diff(times, prepend=0.0)
    rng = np.random.default_rng(seed)
    moves = rng.normal(drift * steps, np.sqrt(steps), (runs, times.size))
    return moves.cumsum(axis=1) / np.sqrt(times)


def first(hit):
    """The look (from 0) of the first hit, or the number of looks."""
    return np.where(hit.any(axis=1), hit.argmax(axis=1), hit.shape[1])


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_crossings_are_those_of_simulated_tests(name, drift):
    looks, how = DESIGNS[name]
    found = design(looks, **how)
    z = paths(found.times, drift)
    up, down = z >= found.upper, z <= found.lower
    when = first(up | down)
    told = found.crossed(drift)
    for k in range(found.looks):
        for chance, hit in ((told.upper[k], up), (told.lower[k], down & ~up)):
            seen = float(((when == k) & hit[:, k]).mean())
            assert abs(seen - chance) < 4.5 * sqrt(chance * (1 - chance) / RUNS) + 1e-9
    units = np.append(found.times, 1.0)[when]
    spread = 4.5 * float(units.std()) / sqrt(RUNS)
    assert found.expected_share(drift) == pytest.approx(float(units.mean()), abs=spread)


@pytest.mark.parametrize("name", DESIGNS)
def test_size_while_peeking(name):
    looks, how = DESIGNS[name]
    found = design(looks, **how)
    alpha, sides = found.alpha, found.sides
    exact = sides * crossing(found.times, found.binding, found.upper).upper.sum()
    assert exact == pytest.approx(alpha, abs=1e-9)
    z = paths(found.times, 0.0)
    beyond = (np.abs(z) if sides == 2 else z) >= found.upper
    error = 4.0 * sqrt(alpha / RUNS)
    assert beyond.any(axis=1).mean() == pytest.approx(alpha, abs=error)  # nor does futility bind
    naive = -scipy.special.ndtri(alpha / sides)
    peeked = ((np.abs(z) if sides == 2 else z) >= naive).any(axis=1).mean()
    assert peeked > 1.7 * alpha
    assert found.table["spent"].iloc[-1] == pytest.approx(alpha, abs=1e-9)


def test_peeking_at_real_data():
    """t tests of skewed spend at ten looks: size nominal by design, twice and more without."""
    rng = np.random.default_rng(8)
    plan, runs, rejected = design(10), 4_000, np.zeros((runs := 4_000, 2))
    y = rng.gamma(0.8, 10.0, (runs, 2_000, 2))
    for k, n in enumerate(range(200, 2_001, 200)):
        p = scipy.stats.ttest_ind(y[:, :n, 0], y[:, :n, 1], axis=1).pvalue
        z = -scipy.special.ndtri(p / 2)
        rejected[:, 0] += z >= plan.upper[k]
        rejected[:, 1] += p < 0.05
    by_design, peeked = (rejected > 0).mean(axis=0)
    print(by_design, peeked)
    assert by_design == pytest.approx(0.05, abs=4 * sqrt(0.0475 / runs))
    assert peeked > 0.15


@pytest.mark.parametrize(("kind", "held"), [("normal", 0.9), ("skewed", 0.9), ("shares", 0.95)])
def test_a_confidence_sequence_holds_at_all_looks(kind, held):
    runs, most = 600, 4_000
    rng = np.random.default_rng(5)
    looks = np.unique(np.geomspace(200, most, 60).astype(int))
    missed, peeked = 0, 0
    for _ in range(runs):
        y = {"normal": lambda: rng.normal(size=most), "skewed": lambda: rng.gamma(0.7, size=most),
             "shares": lambda: (rng.random(most) < 0.2) * 1.0}[kind]()  # fmt: skip
        truth = {"normal": 0.0, "skewed": 0.7, "shares": 0.2}[kind]
        mean = y.cumsum()[looks - 1] / looks
        sd = np.sqrt((y**2).cumsum()[looks - 1] / looks - mean**2)
        error = sd / np.sqrt(looks)
        t = confidence_sequence(mean - truth, error, looks, tuned=800, level=held).table
        missed += bool(((t["lower"] > 0) | (t["upper"] < 0)).any())
        assert (t["p_value"].iloc[-1] <= 1 - held) == bool(
            ((t["lower"] > 0) | (t["upper"] < 0)).any()
        )
        peeked += bool((np.abs(mean - truth) > scipy.special.ndtri((1 + held) / 2) * error).any())
    print(kind, missed / runs, peeked / runs)
    assert missed / runs < 1 - held + 3 * sqrt(held * (1 - held) / runs)
    assert peeked / runs > 2 * (1 - held)


def test_the_sequence_is_narrowest_where_it_is_tuned():
    n = np.geomspace(50, 100_000, 400)
    for tuned in (500, 5_000):
        rows = confidence_sequence(np.zeros(400), 1 / np.sqrt(n), n, tuned=tuned, level=0.95).table
        relative = rows["upper"] * np.sqrt(n)
        assert n[relative.argmin()] == pytest.approx(tuned, rel=0.15)
    one = confidence_sequence(0.3, 0.1, 900, tuned=500).table.iloc[0]
    ten = confidence_sequence(3.0, 1.0, 900, tuned=500).table.iloc[0]
    assert ten["lower"] == pytest.approx(10 * one["lower"]) and ten["p_value"] == one["p_value"]


def test_planned_power_and_units():
    plan = design(5, kind="obrien-fleming")
    found = sequential_size(Means(3.0), 0.4, plan, power=0.85)
    assert found.n == pytest.approx(found.fixed * plan.inflation(0.85))
    assert found.fixed == sample_size(Means(3.0), 0.4, power=0.85).n
    assert found.expected_with < found.fixed < found.n
    table = found.table
    rng, runs = np.random.default_rng(6), 4_000
    for effect, chance in ((0.4, 0.85), (0.0, 0.05)):
        stopped, used = np.zeros(runs, dtype=bool), np.full(runs, float(table["units"].iloc[-1]))
        sums = np.zeros((runs, 2))
        squares, before = np.zeros((runs, 2)), 0
        for row in table.to_dict("records"):
            m = int(row["units"]) // 2
            y = rng.normal([0.0, effect], 3.0, (runs, m - before, 2))
            sums, squares, before = sums + y.sum(axis=1), squares + (y**2).sum(axis=1), m
            mean = sums / m
            v = (squares / m - mean**2).sum(axis=1) / (m - 1)
            hit = (np.abs(mean[:, 1] - mean[:, 0]) / np.sqrt(v) >= row["upper"]) & ~stopped
            used[hit] = row["units"]
            stopped |= hit
        assert stopped.mean() == pytest.approx(chance, abs=4 * sqrt(chance * (1 - chance) / runs))
        told = found.expected_with if effect else found.expected_without
        assert used.mean() == pytest.approx(told, abs=4 * used.std() / sqrt(runs) + 2)


def stopped(sides, drift, runs):
    """Interval, median and p-value by the stagewise order; the plain estimate is biased."""
    plan = design(4, kind="pocock", sides=sides, alpha=0.1 / (3 - sides))
    z = paths(plan.times, drift, runs, seed=4)
    when = np.minimum(first((np.abs(z) if sides == 2 else z) >= plan.upper), 3)
    held, above, plain, p = [], [], [], []
    for k, row in zip(when.tolist(), z, strict=True):
        error = 2.0 / sqrt(plan.times[k])  # so that a drift of 1 is an effect of 2
        found = after_stopping(plan, k + 1, row[k] * error, error)
        held.append(found.lower <= 2 * drift <= found.upper)
        above.append(found.unbiased > 2 * drift)
        plain.append(found.estimate)
        p.append(found.p_value)
        assert found.crossed == bool((abs(row[k]) if sides == 2 else row[k]) >= plan.upper[k])
        assert found.crossed == (found.p_value <= plan.alpha * (1 + 1e-6))
    print(sides, drift, np.mean(held), np.mean(above), np.mean(plain) - 2 * drift)
    level = 1 - plan.alpha if sides == 2 else 1 - 2 * plan.alpha
    assert np.mean(held) == pytest.approx(level, abs=4 * sqrt(level * (1 - level) / runs))
    assert np.mean(above) == pytest.approx(0.5, abs=4 * 0.5 / sqrt(runs))
    if drift:
        assert np.mean(plain) > 2 * drift + 0.2
    else:
        assert scipy.stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("sides", "drift"), [(1, 0.0), (2, 3.5)])
def test_what_is_told_after_stopping(sides, drift):
    stopped(sides, drift, 60)


@pytest.mark.slow
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("drift", [0.0, 1.5, 3.5])
def test_intervals_after_stopping(sides, drift):
    stopped(sides, drift, 1_000)


def test_repeated_intervals_hold_together():
    plan = design(UNEVEN)
    z = paths(plan.times, 1.0, 20_000)
    error = 1 / np.sqrt(plan.times)
    held = np.ones(len(z), dtype=bool)
    for k in range(4):
        low, high = repeated_interval(plan, k + 1, 0.0, float(error[k]))
        middle = z[:, k] * error[k]
        held &= (middle + low <= 1.0) & (middle + high >= 1.0)
    assert held.mean() == pytest.approx(0.95, abs=4 * sqrt(0.0475 / 20_000))
    one = design(3, sides=1)
    assert repeated_interval(one, 2, 1.0, 0.1) == (1.0 - 0.1 * one.upper[1], inf)


def test_one_look_is_the_fixed_test():
    for kind in ("obrien-fleming", "pocock", *SPENDING[:2]):
        found = design(1, kind=kind)
        assert found.upper[0] == pytest.approx(scipy.special.ndtri(0.975), abs=1e-9)
        assert found.inflation(0.8) == pytest.approx(1.0, abs=1e-9)
    stopped = after_stopping(found, 1, 0.5, 0.2)
    assert stopped.p_value == pytest.approx(2 * scipy.special.ndtr(-2.5), rel=1e-8)
    assert stopped.unbiased == pytest.approx(0.5, abs=1e-8)
    half = 0.2 * scipy.special.ndtri(0.975)
    assert (stopped.lower, stopped.upper) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-8)


def test_crossing_against_the_multivariate_normal():
    """Exact integration by another program: P(no look beyond) as a normal box."""
    times = np.array([0.15, 0.5, 0.6, 1.0])
    upper = np.array([2.9, 2.3, 2.5, 2.0])
    cov = np.minimum.outer(times, times) / np.sqrt(np.outer(times, times))
    for drift in (0.0, 1.7):
        box = scipy.stats.multivariate_normal(
            drift * np.sqrt(times), cov, abseps=1e-8, maxpts=10**6
        )
        inside = box.cdf(upper, lower_limit=-upper, rng=np.random.default_rng(1))
        found = crossing(times, -upper, upper, drift)
        assert found.upper.sum() + found.lower.sum() == pytest.approx(1 - inside, abs=2e-6)


def test_looks_as_they_were_met():
    """A spending kind holds its size at shares that were not planned."""
    early = design([0.3, 0.55])
    whole = design([0.3, 0.55, 1.0])
    assert early.upper.tolist() == pytest.approx(whole.upper[:2].tolist(), abs=1e-9)
    assert early.table["spent"].iloc[-1] < 0.05
    close = design([0.5, 0.501, 1.0], kind="spend pocock")
    exact = 2 * crossing(close.times, -close.upper, close.upper).upper.sum()
    assert exact == pytest.approx(0.05, abs=1e-9)
    many = design(100)
    assert 2 * crossing(many.times, -many.upper, many.upper).upper.sum() == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: design(0), "looks 0 is not from 1"),
        (lambda: design("often"), "no number of looks"),
        (lambda: design([0.5, 0.4, 1.0]), "do not grow"),
        (lambda: design([0.5, 1.2]), "do not grow"),
        (lambda: design([0.5, 0.8], kind="pocock"), "may stop short"),
        (lambda: design(3, kind="haybittle"), "is not one of"),
        (lambda: design(3, kind="wang-tsiatis"), "takes a parameter, delta"),
        (lambda: design(3, parameter=1.0), "takes no parameter"),
        (lambda: design(3, kind="spend power", parameter=-1.0), "rho -1"),
        (lambda: design(3, alpha=0.7), "alpha 0.7"),
        (lambda: design(3, sides=3), "neither 1 nor 2"),
        (lambda: design(3, futility=("spend pocock", 0.8)), "test of one side"),
        (lambda: design(3, sides=1, futility=("pocock", 0.8)), "is a pair"),
        (lambda: sequential_size(Proportions(0.1), 0.02, 5), "plan is what"),
        (lambda: sequential_size(Proportions(0.1), 0.02, design([0.5, 0.8])), "stops short"),
        (lambda: after_stopping(design(3), 4, 0.1, 0.1), "look 4"),
        (lambda: after_stopping(design(3), 1, 0.1, 0.0), "error 0.0"),
        (lambda: repeated_interval(design(3), 1, None, 0.1), "estimate None"),
        (lambda: confidence_sequence("a", 1.0, 1.0, tuned=5), "are numbers"),
        (lambda: confidence_sequence([1.0, 2.0], 1.0, 1.0, tuned=5), "as many looks"),
        (lambda: confidence_sequence(1.0, 1.0, 1.0, tuned=0), "tuned 0"),
    ],
)
def test_what_cannot_be(call, told):
    with pytest.raises(cx.OptionError, match=told):
        call()


def test_looks_that_are_none():
    with pytest.raises(cx.DataError) as caught:
        confidence_sequence([1.0, np.nan, 1.0], [1.0, 1.0, -1.0], [5, 4, 9], tuned=100)
    told = str(caught.value)
    assert "estimate is no finite number (1 row); first: look 2" in told
    assert "error is no finite number above 0 (1 row); first: look 3" in told
    assert "n is not above that of the look before (1 row); first: look 2" in told
