"""Honest bounds: they hold where violations are inside their set, and the naive interval fails."""

import numpy as np
import pandas as pd
import pytest
import scipy

from cxmodels.experiments.difference_in_differences import group_time_effects
from cxmodels.experiments.honest_bounds import honest_bounds
from cxmodels.experiments.honest_magnitudes import _corners, _errors, parts_of
from cxmodels.experiments.honest_smoothness import bends_of, fixed_length, folded
from cxmodels.experiments.pretrend_power import pretrend_power


def covariance(p: int, q: int, seed: int) -> np.ndarray:
    """Of estimates that share the reference period."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.5, 1.5, p + q)
    return 0.01 * (np.diag(own) + 0.7 + 0.2 * np.outer(own, own))


def drawn(mean: np.ndarray, sigma: np.ndarray, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(mean, sigma, n)


TRUTH = 0.5


def estimates(trend: np.ndarray, sigma: np.ndarray, pre: int, n: int) -> np.ndarray:
    """(n, K) around a trend and an effect of TRUTH in every period after."""
    effect = np.where(np.arange(trend.size) < pre, 0.0, TRUTH)
    return drawn(trend + effect, sigma, n, 4)


def naive_share(betas: np.ndarray, sigma: np.ndarray, pre: int, weights: np.ndarray) -> float:
    """How often the interval of parallel trends holds the truth."""
    off = np.abs(betas[:, pre:] @ weights - TRUTH)
    return float(np.mean(off < 1.959964 * np.sqrt(weights @ sigma[pre:, pre:] @ weights)))


def magnitudes_share(betas, sigma, weights, Mbar, hybrid=True) -> float:
    """How often the truth is kept, at 95 per cent, with two periods before."""
    return float(np.mean([
        any(part.kept(np.array([TRUTH]))[0]
            for part in parts_of(beta, sigma, 2, weights, (Mbar, 0.95, hybrid)))
        for beta in betas
    ]))  # fmt: skip


def smoothness_share(betas, sigma, pre, weights, M) -> float:
    found = [fixed_length(bends_of(beta, sigma, pre, weights), M, 0.95) for beta in betas]
    return float(np.mean([abs(one.centre - TRUTH) <= one.half for one in found]))


FIRST = np.array([1.0, 0.0])
MOVES = {  # differences in trend at times -3, -2 | 0, 1, the reference at -1 is 0
    "late moves as large": np.array([0.3, 0.6, 0.6, 1.2]),
    "of a calm past": np.array([0.0, -0.05, 0.05, 0.1]),
}


@pytest.mark.parametrize("case", MOVES)
def test_relative_magnitudes_hold(case):
    """At the edge of Mbar = 1; parallel trends would hold nothing, and a fifth of it too little."""
    sigma = covariance(2, 2, 1)
    betas = estimates(MOVES[case], sigma, 2, 100)
    assert magnitudes_share(betas, sigma, FIRST, 1.0) >= 0.9
    if case == "late moves as large":
        assert naive_share(betas, sigma, 2, FIRST) < 0.1
        assert magnitudes_share(betas, sigma, FIRST, 0.2) < 0.4
    found = honest_bounds(betas[0], sigma, pre=2, level=0.95, sizes=[1.0])
    kept = magnitudes_share(betas[:1], sigma, FIRST, 1.0)
    assert kept == (found.table["lower"][0] <= TRUTH <= found.table["upper"][0])


@pytest.mark.slow
@pytest.mark.parametrize("hybrid", [True, False])
def test_coverage_of_relative_magnitudes(hybrid):
    """2,000 draws, the first effect and the mean of two; moves so large that the bound is tight on
    one side, and coverage comes down to its level."""
    sigma = covariance(2, 2, 1)
    betas = estimates(np.array([1.0, 3.0, 3.0, 6.0]), sigma, 2, 2000)
    for weights in (FIRST, np.array([0.5, 0.5])):
        held = magnitudes_share(betas, sigma, weights, 1.0, hybrid)
        print(hybrid, weights, held)
        assert naive_share(betas, sigma, 2, weights) == 0.0
        if weights is FIRST:
            assert 0.935 < held < 0.97
        assert held > 0.935


def bent(bends, M: float) -> np.ndarray:
    """The trend with bends up to M that moves the shortest interval the most."""
    s, g, Q = bends.quadratic()
    p, q = bends.start.size, bends.weights.size
    best = scipy.optimize.minimize(
        lambda c: (s + 2 * g @ c + c @ Q @ c) ** 0.5
        * folded(M * (bends.fixed + np.abs(c).sum()) / (s + 2 * g @ c + c @ Q @ c) ** 0.5, 0.95),
        np.zeros(g.size), method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000},
    )  # fmt: skip
    v = np.concatenate([bends.start + bends.turn @ best.x, bends.weights])
    u = np.concatenate([np.full(q, M), np.sign(best.x) * M])  # after, then before
    back = np.maximum(np.arange(p, 0, -1.0)[:, None] - np.arange(1.0, p), 0.0)
    ahead = np.maximum(np.arange(1.0, q + 1)[:, None] - np.arange(q), 0.0)
    line = 0.7 * np.concatenate([-np.arange(p, 0, -1.0), np.arange(1.0, q + 1)])
    trend = np.concatenate([back @ u[q:], ahead @ u[:q]]) + line
    assert v @ trend == pytest.approx(M * (bends.fixed + np.abs(best.x).sum()), rel=1e-6)
    return trend


def test_smoothness_holds_and_the_naive_interval_fails():
    """Under the worst trend for it coverage is exactly the level; a straight line costs nothing."""
    sigma, M = covariance(4, 2, 3), 0.15
    trend = bent(bends_of(np.zeros(6), sigma, 4, np.array([1.0, 0.0])), M)
    betas = estimates(trend, sigma, 4, 1500)
    assert abs(smoothness_share(betas, sigma, 4, FIRST, M) - 0.95) < 0.018
    assert naive_share(betas, sigma, 4, FIRST) < 0.05
    assert smoothness_share(betas[:300], sigma, 4, FIRST, 0.0) < 0.9


@pytest.mark.parametrize("p", [1, 2, 3, 6])
@pytest.mark.parametrize("M", [0.0, 0.02, 0.2, 5.0])
def test_the_shortest_interval_is_the_shortest(p, M):
    """Against a general search over all estimates, straight lines taken out by a constraint."""
    q, sigma = 3, covariance(p, 3, p)
    weights = np.array([0.2, 0.5, 0.3])
    beta = drawn(np.zeros(p + q), sigma, 1, p)[0]
    found = fixed_length(bends_of(beta, sigma, p, weights), M, 0.9)
    t = np.concatenate([-np.arange(p, 0, -1.0), np.arange(1.0, q + 1)])
    bend = np.zeros((p + q - 1, p + q + 1))  # second differences, the reference among them
    for row in range(p + q - 1):
        bend[row, row : row + 3] = 1.0, -2.0, 1.0
    to_bends = np.linalg.pinv(np.delete(bend, p, axis=1))  # trends of given bends, up to a line

    def parts(v):
        a = np.concatenate([v, weights])
        return M * np.abs(a @ to_bends).sum(), np.sqrt(a @ sigma @ a)

    def half(v):
        b, s = parts(v)
        return s * folded(b / s, 0.9)

    line = {"type": "eq", "fun": lambda v: v @ t[:p] + weights @ t[p:]}
    rng, best = np.random.default_rng(1), np.inf
    for start in range(6):
        v = rng.standard_normal(p) * (start > 0)
        v -= (v @ t[:p] + weights @ t[p:]) * t[:p] / (t[:p] @ t[:p])
        got = scipy.optimize.minimize(half, v, constraints=[line], method="SLSQP",
                                      options={"maxiter": 500, "ftol": 1e-14})  # fmt: skip
        best = min(best, got.fun)
    assert found.half <= best * (1 + 1e-7)
    assert found.half == pytest.approx(best, rel=2e-3)  # the search stops at kinks


def test_corners_are_those_of_the_programme():
    """The largest moment, against linear programming over the nuisance effects."""
    rng = np.random.default_rng(6)
    for q in (1, 2, 4):
        for Mbar in (0.3, 1.5):
            p = 2
            sigma = covariance(p, q, q)
            weights = rng.standard_normal(q)
            beta = rng.standard_normal(p + q) * 0.2
            moves = np.zeros((q, p + q))
            for t in range(q):
                moves[t, p + t] = 1.0
                if t:
                    moves[t, p + t - 1] = -1.0
            V = np.array([-1.0, 1.0, *np.zeros(q)])
            up, down = (_errors(side * moves - Mbar * V, sigma) for side in (1.0, -1.0))
            c = np.cumsum(weights[::-1])[::-1]
            theta = 0.1
            z = np.array([weights @ beta[p:] - theta, V @ beta])
            largest = (_corners(c, Mbar, up, down) @ z).max()
            # min eta: +-(D beta - D tau) - Mbar V <= eta error, l'tau = theta
            D = moves[:, p:]
            a = np.vstack([np.hstack([-D, -up[:, None]]), np.hstack([D, -down[:, None]])])
            b = np.concatenate([-(moves @ beta) + Mbar * V @ beta, moves @ beta + Mbar * V @ beta])
            lp = scipy.optimize.linprog(
                [*np.zeros(q), 1.0], A_ub=a, b_ub=b, A_eq=[[*weights, 0.0]], b_eq=[theta],
                bounds=[(None, None)] * (q + 1),
            )  # fmt: skip
            assert largest == pytest.approx(lp.fun, abs=1e-8)


def kept_by_hand(part, theta: float) -> bool:
    """The conditional test with its range found by walking along the largest moment."""
    z = part.point - np.array([theta, 0.0])
    values = part.moments @ z
    k = int(np.argmax(values))
    w = part.moments[k]
    variance = w @ part.spread @ w
    way = part.spread @ w / variance
    t = np.linspace(-15.0, 15.0, 60_001) * np.sqrt(variance)
    walked = part.moments @ (z - way * values[k])[:, None] + np.outer(part.moments @ way, t)
    there = t[np.argmax(walked, axis=0) == k]
    low, high = there[0], min(there[-1], part.least)
    if values[k] <= 0.0:
        return True
    if values[k] > part.least:
        return False
    error = np.sqrt(variance)
    chance = scipy.stats.truncnorm.cdf(values[k] / error, low / error, high / error)
    return bool(chance <= 1.0 - part.size)


def test_conditional_test_by_hand():
    """At values all around the ends, where moments tie and the range is narrow on either side."""
    rng = np.random.default_rng(11)
    answers = []
    for case in range(24):
        q = int(rng.integers(1, 4))
        sigma = covariance(2, q, case)
        beta = 0.15 * rng.standard_normal(2 + q)
        weights = np.abs(rng.standard_normal(q)) + 0.1
        how = (float(rng.choice([0.3, 1.0, 2.0])), 0.9, bool(case % 2))
        part = list(parts_of(beta, sigma, 2, weights, how))[case % 4]
        alpha, first = 0.1, 0.01 * how[2]
        assert part.size == pytest.approx((alpha - first) / (1.0 - first))
        grid = np.linspace(-2.5, 2.5, 7) * np.sqrt(part.spread[0, 0]) + part.point[0]
        ours = part.kept(grid)
        edges = grid[:-1][ours[1:] != ours[:-1]]  # closer, where the answer turns
        grid = np.concatenate([grid, *(np.linspace(e, e + np.diff(grid[:2])[0], 9) for e in edges)])
        ours = part.kept(grid)
        answers += [
            (mine, kept_by_hand(part, theta)) for mine, theta in zip(ours, grid, strict=True)
        ]
    ours, by_hand = np.array(answers).T
    assert 0.2 < ours.mean() < 0.8 and (ours == by_hand).all()


def test_least_favourable_quantile_by_simulation():
    sigma = covariance(2, 3, 5)
    for part in parts_of(np.zeros(5), sigma, 2, np.array([1.0, 0.0, 0.0]), (1.0, 0.95, True)):
        z = np.random.default_rng(2).multivariate_normal([0, 0], part.spread, 100_000)
        largest = (z @ part.moments.T).max(axis=1)
        assert np.mean(largest > part.least) == pytest.approx(0.005, abs=0.001)


def test_order_scale_and_sign():
    sigma = covariance(3, 3, 7)
    beta = np.array([0.1, -0.1, 0.05, 1.0, 1.2, 1.1])
    for restriction in ("relative magnitudes", "smoothness"):
        sizes = np.array([0.25, 0.5, 1.0, 2.0])
        one = honest_bounds(beta, sigma, pre=3, restriction=restriction, sizes=sizes)
        assert (np.diff(one.table["lower"]) < 0).all() and (np.diff(one.table["upper"]) > 0).all()
        unit = 7.0 if restriction == "smoothness" else 1.0
        many = honest_bounds(7.0 * beta, 49.0 * sigma, pre=3, restriction=restriction,
                             sizes=unit * sizes)  # fmt: skip
        assert many.table["lower"].to_numpy() == pytest.approx(7 * one.table["lower"], rel=1e-6)
        assert many.breakdown == pytest.approx(unit * one.breakdown, rel=2e-4)
        flipped = honest_bounds(-beta, sigma, pre=3, restriction=restriction, sizes=sizes)
        assert flipped.table["lower"].to_numpy() == pytest.approx(-one.table["upper"], rel=1e-6)
        at = honest_bounds(beta, sigma, pre=3, restriction=restriction,
                           sizes=[0.99 * one.breakdown, 1.01 * one.breakdown])  # fmt: skip
        assert at.table["excludes_zero"].tolist() == [True, False]
    exact = honest_bounds(beta, sigma, pre=3, sizes=[0.0]).table.iloc[0]
    naive = honest_bounds(beta, sigma, pre=3)
    assert (exact["lower"], exact["upper"]) == (naive.lower, naive.upper)
    near = honest_bounds(beta, sigma, pre=3, sizes=[1e-6]).table.iloc[0]
    assert near["lower"] == pytest.approx(naive.lower, abs=0.05)


def test_from_a_roll_out_whose_trends_part():
    """Those treated grew faster all along: the effect of 1 is out of the naive interval, and in the
    one for straight lines."""
    rng = np.random.default_rng(8)
    n, months = 400, np.arange(1, 9)
    on = np.repeat([True, False], n // 2)
    y = rng.standard_normal((n, 1)) + rng.standard_normal((n, 8)) + 0.4 * months * on[:, None]
    y += 1.0 * ((months >= 6) & on[:, None])
    opened = np.repeat(np.where(on, 6.0, np.nan), 8)
    table = pd.DataFrame({"shop": np.repeat(np.arange(n), 8), "month": np.tile(months, n),
                          "sales": y.ravel(), "opened": opened})  # fmt: skip
    found = group_time_effects(table, "sales", unit="shop", period="month",
                               first_treated="opened", base="universal", level=0.95)  # fmt: skip
    events = found.event_times()
    straight = honest_bounds(events, restriction="smoothness", sizes=[0.0], level=0.95)
    assert straight.lower > 1.0
    assert straight.table["lower"][0] < 1.0 < straight.table["upper"][0]
    moved = honest_bounds(found, sizes=[1.0], level=0.95).table
    assert moved.equals(honest_bounds(events, sizes=[1.0], level=0.95).table)
    assert moved["lower"][0] < 1.0 < moved["upper"][0]
    assert found.pretrend.p < 0.01 and "trends differ" in found.pretrend.sentence
    told = pretrend_power(events)
    assert told.table["slope"][1] < 0.4  # such a trend is found more often than not


def test_power_against_simulation_and_closed_forms():
    sigma = covariance(4, 2, 9)
    slope, times = 0.04, np.array([-4.0, -3, -2, -1])
    beta = drawn(slope * times, sigma[:4, :4], 200_000, 1)
    error = np.sqrt(np.diag(sigma))[:4]
    found = pretrend_power(np.zeros(6), sigma, pre=4, slope=slope)
    assert found.table["power"][0] == pytest.approx(
        (np.abs(beta / error) > 1.959964).any(axis=1).mean(), abs=0.004
    )
    W = np.einsum("ni,ij,nj->n", beta, np.linalg.inv(sigma[:4, :4]), beta)
    joint = pretrend_power(np.zeros(6), sigma, pre=4, slope=-slope, test="joint")
    assert joint.table["power"][0] == pytest.approx((W > 9.487729).mean(), abs=0.004)
    assert joint.size == pytest.approx(0.05) and found.size > 0.05
    for test in (found, joint):
        again = pretrend_power(np.zeros(6), sigma, pre=4, slope=test.table["slope"][2],
                               test=test.test)  # fmt: skip
        assert again.table["power"][0] == pytest.approx(0.8, abs=1e-4)
    one = pretrend_power([0.0, 0.0, 0.0], np.eye(3), pre=1, power=[0.8])
    assert one.table["slope"][0] == pytest.approx(scipy.special.ndtri([0.975, 0.8]).sum(), abs=1e-4)
    assert one.table[["bias_first", "bias_mean"]].to_numpy()[0] == pytest.approx(
        one.table["slope"][0] * np.array([1.0, 1.5])
    )
