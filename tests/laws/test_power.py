"""Power told is power met: simulated tests reject as often as is said, size included; inverses."""

from math import sqrt

import numpy as np
import pytest
import scipy

import cxmodels as cx
from cxmodels.experiments.comparisons import (
    Clusters,
    Means,
    Pairs,
    Proportions,
    Ratios,
    SteppedWedge,
)
from cxmodels.experiments.power import Worth, detectable, power, power_table, sample_size

RUNS = 4_000
ERROR = 4.0 * sqrt(0.25 / RUNS)  # four standard errors of a share
COMPARISONS = {
    "means": (Means(3.0), 1.1, 120),
    "unequal": (Means(3.0, share=0.2), 1.4, 150),
    "Welch": (Means((2.0, 5.0), share=0.3), 1.6, 140),
    "CUPED": (Means(3.0, correlation=0.7), 0.9, 120),
    "shares": (Proportions(0.3), 0.1, 700),
    "fewer": (Proportions(0.3, share=0.7), -0.1, 900),
    "arcsine": (Proportions(0.3, method="arcsine"), 0.1, 700),
    "ratio": (Ratios((6.0, 3.0), (2.0, 0.8), 0.5), 0.25, 600),
    "clusters": (Clusters(Means(3.0), 8.0, 0.15), 1.6, 240),
    "uneven": (Clusters(Means(3.0), 10.0, 0.15, variation=0.5), 1.5, 400),
    "pairs": (Pairs(3.0, 0.6), 1.1, 80),
    "wedge": (SteppedWedge((4, 3, 4), 2.0, 0.6, 0.4, 0.3, periods=0.2, extra=1), 0.6, 990),
}


def welch(y0, y1, equal=True):
    return scipy.stats.ttest_ind(y1, y0, axis=1, equal_var=equal).pvalue


def means(rng, c, effect, n):
    n1 = round(n * c.share)
    sds = c.sd if isinstance(c.sd, tuple) else (c.sd, c.sd)
    y0 = rng.normal(2.0, sds[0], (RUNS, n - n1))
    y1 = rng.normal(2.0 + effect, sds[1], (RUNS, n1))
    return welch(y0, y1, equal=not isinstance(c.sd, tuple))


def cuped(rng, c, effect, n):
    """Least squares on the arm and what was known before."""
    x = rng.normal(size=(RUNS, n))
    y = c.sd * (c.correlation * x + sqrt(1 - c.correlation**2) * rng.normal(size=(RUNS, n)))
    arm = np.arange(n) < n // 2
    y = y + effect * arm
    design = np.stack([np.ones((RUNS, n)), np.broadcast_to(arm, (RUNS, n)), x], axis=2)
    inverse = np.linalg.inv(design.transpose(0, 2, 1) @ design)
    b = inverse @ (design.transpose(0, 2, 1) @ y[:, :, None])
    left = y - (design @ b)[:, :, 0]
    error = np.sqrt((left**2).sum(axis=1) / (n - 3) * inverse[:, 1, 1])
    return 2 * scipy.stats.t.sf(np.abs(b[:, 1, 0] / error), n - 3)


def shares(rng, c, effect, n):
    n1 = round(n * c.share)
    x0, x1 = rng.binomial(n - n1, c.base, RUNS), rng.binomial(n1, c.base + effect, RUNS)
    p0, p1, scale = x0 / (n - n1), x1 / n1, 1 / n1 + 1 / (n - n1)
    if c.method == "arcsine":
        z = 2 * (np.arcsin(np.sqrt(p1)) - np.arcsin(np.sqrt(p0))) / sqrt(scale)
    else:
        p = (x0 + x1) / n
        z = (p1 - p0) / np.sqrt(p * (1 - p) * scale)
    return 2 * scipy.special.ndtr(-np.abs(z))


def ratio(rng, c, effect, n):
    (a, s), (b, t), r = c.above, c.below, c.correlation
    found = []
    for lift in (0.0, effect):
        below = b + t * (z := rng.normal(size=(RUNS, n // 2)))
        above = a + s * (r * z + sqrt(1 - r**2) * rng.normal(size=z.shape)) + lift * b
        q = above.mean(axis=1) / below.mean(axis=1)
        part = (above - q[:, None] * below) / below.mean(axis=1)[:, None]
        found.append((q, part.var(axis=1, ddof=1) / (n // 2)))
    (q0, v0), (q1, v1) = found
    return 2 * scipy.special.ndtr(-np.abs(q1 - q0) / np.sqrt(v0 + v1))


def clusters(rng, c, effect, n):
    """Cluster means weighted by size: the ratio estimator's residuals give the error."""
    k = round(n / c.size)
    size = np.full((RUNS, k), c.size)
    if c.variation:
        size = np.maximum(rng.gamma(c.variation**-2, c.size * c.variation**2, (RUNS, k)), 1.0)
    sd, arm = c.of.sd, np.arange(k) < k // 2
    y = rng.normal(0.0, sd * np.sqrt(c.icc + (1 - c.icc) / size)) + effect * arm
    difference, variance = 0.0, 0.0
    for sign, own in ((1, arm), (-1, ~arm)):
        w, m = size[:, own], own.sum()
        middle = (w * y[:, own]).sum(axis=1) / w.sum(axis=1)
        left = w * (y[:, own] - middle[:, None])
        variance = variance + (left**2).sum(axis=1) / w.sum(axis=1) ** 2 * m / (m - 1)
        difference = difference + sign * middle
    return 2 * scipy.stats.t.sf(np.abs(difference) / np.sqrt(variance), k - 2)


def pairs(rng, c, effect, n):
    shape = (RUNS, n // 2)
    shared = sqrt(c.correlation) * rng.normal(size=shape)
    own = sqrt(1 - c.correlation) * rng.normal(size=(2, *shape))
    y = c.sd * (shared + own)
    return scipy.stats.ttest_rel(y[1] + effect, y[0], axis=1).pvalue


def wedge(rng, c, effect, n):
    """Means of cells drawn from the model, estimated by least squares with known variances."""
    times, cell = len(c.waves) + 1 + c.extra, n / c.cells
    start = np.repeat(np.arange(len(c.waves)), c.waves)
    x = (np.arange(times) > start[:, None]).astype(float)
    level, slope = rng.normal(size=(2, RUNS, len(start), 1))
    slope = c.correlation * level + sqrt(1 - c.correlation**2) * slope
    noise = rng.normal(0.0, sqrt(c.sd**2 / cell + c.periods**2), (RUNS, *x.shape))
    y = c.between * level + (effect + c.effects * slope) * x + np.arange(times) ** 2 + noise
    top, bottom = 0.0, 0.0
    for i in range(len(start)):
        cov = (c.sd**2 / cell + c.periods**2) * np.eye(times) + c.between**2
        cov = cov + c.effects**2 * np.outer(x[i], x[i])
        cov = cov + c.correlation * c.between * c.effects * (x[i][:, None] + x[i])
        d = np.column_stack([np.eye(times), x[i]])
        top = top + y[:, i] @ np.linalg.solve(cov, d)
        bottom = bottom + d.T @ np.linalg.solve(cov, d)
    inverse = np.linalg.inv(bottom)
    return 2 * scipy.special.ndtr(-np.abs((top @ inverse)[:, -1]) / sqrt(inverse[-1, -1]))


SIMULATED = {
    "means": means, "unequal": means, "Welch": means, "CUPED": cuped, "shares": shares,
    "fewer": shares, "arcsine": shares, "ratio": ratio, "clusters": clusters, "uneven": clusters,
    "pairs": pairs, "wedge": wedge,
}  # fmt: skip


@pytest.mark.parametrize("name", COMPARISONS)
def test_power_is_what_a_simulation_meets(name):
    comparison, effect, n = COMPARISONS[name]
    seen = {
        lift: float((SIMULATED[name](np.random.default_rng(11), comparison, lift, n) < 0.05).mean())
        for lift in (0.0, effect)
    }
    told = power(comparison, effect, n)
    print(name, round(told, 3), seen)
    assert 0.4 < told < 0.97
    # the design effect of uneven clusters is itself an approximation
    spare = 0.02 if name == "uneven" else 0.0
    assert seen[effect] == pytest.approx(told, abs=ERROR + spare)
    assert seen[0.0] == pytest.approx(0.05, abs=4 * sqrt(0.0475 / RUNS) + spare / 2)


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("sides", [1, 2])
def test_size_and_effect_are_inverses_of_power(name, sides):
    comparison, effect, n = COMPARISONS[name]
    how = {"alpha": 0.03, "sides": sides}
    assert power(comparison, 0.0, n, **how) == pytest.approx(0.03, rel=1e-9)
    told = power(comparison, effect, n, **how)
    sized = sample_size(comparison, effect, power=told, **how)
    assert sized.n == pytest.approx(n, rel=1e-6)
    found = detectable(comparison, n, power=told, up=effect > 0, **how)
    assert found.effect == pytest.approx(effect, rel=1e-6)
    assert power(comparison, effect, 1.1 * n, **how) > told
    assert sized.table["power"].iloc[0] == pytest.approx(0.03, rel=1e-9)
    enough = sized.units.get("units", sized.units.get("control", 0) + sized.units.get("treated", 0))
    assert n * (1 - 1e-6) <= enough <= n + 1.05 * comparison.least + 50
    assert "seen with a chance" in sized.sentence


def test_units_of_the_outcome_do_not_matter():
    one, ten = Means(2.0), Means(20.0)
    assert power(one, 0.5, 300) == pytest.approx(power(ten, 5.0, 300), rel=1e-12)
    assert power(one, 0.5, 300) == pytest.approx(power(one, -0.5, 300), rel=1e-12)
    plain = Clusters(one, 1.0, 0.4)
    assert power(plain, 0.5, 300) == pytest.approx(power(one, 0.5, 300), rel=1e-12)
    assert power(Pairs(2.0, 0.0), 0.5, 4_000) == pytest.approx(power(one, 0.5, 4_000), abs=1e-3)
    same = Means((2.0, 2.0))
    assert power(same, 0.5, 300) == pytest.approx(power(one, 0.5, 300), rel=1e-12)
    saved = sample_size(Means(2.0, correlation=0.8), 0.1).n / sample_size(one, 0.1).n
    assert saved == pytest.approx(0.36, rel=1e-3)


def test_money():
    found = detectable(Means(100.0), 10_000, worth=Worth(0.4, 50_000, "EUR"))
    assert found.money == pytest.approx(found.effect * 20_000)
    assert "EUR a year" in found.sentence and "money" in found.table
    assert repr(found).startswith("Power of the test")
    assert power_table(Proportions(0.1), [0.0, 0.01], 10_000)["power"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Means(0.0), "sd 0.0 is no number above 0"),
        (lambda: Means(float("nan")), "sd nan"),
        (lambda: Means(1.0, share=1.0), "share 1.0 does not lie"),
        (lambda: Means(1.0, correlation=1.0), "correlation 1.0"),
        (lambda: Proportions(1.2), "base 1.2"),
        (lambda: Proportions(0.1, method="exact"), "neither 'pooled' nor"),
        (lambda: Clusters(Means(1.0), 0.5, 0.1), "size 0.5"),
        (lambda: Clusters(Means(1.0), 5.0, 1.1), "icc 1.1"),
        (lambda: SteppedWedge((6,), 1.0, 0.1), "no stepped wedge"),
        (lambda: SteppedWedge((6, 0), 1.0, 0.1), "waves"),
        (lambda: SteppedWedge((6, 6), 1.0, -0.1), "between -0.1"),
        (lambda: Pairs("wide", 0.1), "sd 'wide'"),
        (lambda: Ratios((1.0, 1.0), (0.0, 1.0), 0.0), "mean below"),
        (lambda: Worth(-1.0, 5), "value -1.0"),
        (lambda: power(Means(1.0), 0.1, 2), "n 2 is not above 2"),
        (lambda: power(Means(1.0), 0.1, "many"), "n 'many'"),
        (lambda: power(Means(1.0), None, 10), "effect None is no number"),
        (lambda: Means((1.0, 2.0, 3.0)), "control, treated"),
        (lambda: Clusters(Pairs(1.0, 0.1), 5.0, 0.1), "clusters are of"),
        (lambda: power("t", 0.1, 10), "takes a comparison"),
        (lambda: power(Means(1.0), 0.1, 10, sides=3), "neither 1 nor 2"),
        (lambda: power(Means(1.0), 0.1, 10, alpha=0.0), "alpha 0.0"),
        (lambda: sample_size(Means(1.0), 0.0), "what is not there"),
        (lambda: sample_size(Means(1.0), 0.1, power=0.01), "power 0.01"),
        (lambda: sample_size(Proportions(0.9), 0.2), "out of 0 to 1"),
    ],
)
def test_what_cannot_be(call, told):
    with pytest.raises(cx.OptionError, match=told):
        call()


def test_what_cannot_be_seen():
    with pytest.raises(cx.FitError, match="no number of units"):
        sample_size(SteppedWedge((2, 2), 1.0, 0.5, periods=0.4), 0.1)
    with pytest.raises(cx.FitError, match="see no effect"):
        detectable(Proportions(0.99), 100)
