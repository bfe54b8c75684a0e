"""Intervals without a model: published figures, brute force, coverage, and planted errors."""

import numpy as np
import pytest
from scipy import stats

from cxmodels.measures import intervals
from cxmodels.measures.second_purchase import second_purchase

# Newcombe (1998), Statistics in Medicine 17, 857, table I, method 3: Wilson's score at 95 per cent
WILSON = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
# Newcombe (1998), Statistics in Medicine 17, 873, table II, method 10, at 95 per cent
DIFFERENCE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (10, 10, 0, 20, 0.6791, 1.0000),
]
# Freireich and co-authors (1963), remission on 6-MP in weeks (+ censored), as in Kalbfleisch and
# Prentice (1980) and every textbook: S(t) at 6, 7, 10, 13, 16, 22, 23, and Greenwood's errors
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
SURVIVAL = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
ERRORS = [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]


def skewed(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.9, 40, n) + 3


@pytest.mark.parametrize(("k", "n", "lower", "upper"), WILSON)
def test_wilson_as_published(k, n, lower, upper) -> None:
    found = intervals.wilson(float(k), float(n), 0.95)
    assert [round(float(end), 4) for end in (found.lower, found.upper)] == [lower, upper]


@pytest.mark.parametrize(("k", "n", "j", "m", "lower", "upper"), DIFFERENCE)
def test_difference_of_shares_as_published(k, n, j, m, lower, upper) -> None:
    first, second = intervals.wilson(j, m, 0.95), intervals.wilson(k, n, 0.95)
    found = intervals.share_difference(first, second)
    assert [round(float(end), 4) for end in (found.lower, found.upper)] == [lower, upper]


def test_the_waiting_curve_as_published() -> None:
    curve = second_purchase(np.array(WEEKS, float), np.array(ENDED, bool), 0.95)
    assert curve["days"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert (1 - curve["share"]).round(4).tolist() == SURVIVAL
    # log-log ends from the published errors: S ** exp(-+ z s / (S |log S|)); 4 digits come in
    S, s = np.array(SURVIVAL), np.array(ERRORS)
    spread = stats.norm.ppf(0.975) * s / (S * np.abs(np.log(S)))
    np.testing.assert_allclose(1 - curve["upper"], S ** np.exp(spread), atol=4e-4)
    np.testing.assert_allclose(1 - curve["lower"], S ** np.exp(-spread), atol=4e-4)


def test_without_censoring_the_curve_is_the_plain_share() -> None:
    days = np.array([3.0, 9.0, 9.0, 14.0, 2.0])
    curve = second_purchase(days, np.ones(5, bool), 0.9)
    assert curve["share"].tolist() == pytest.approx([0.2, 0.4, 0.8, 1.0])
    assert np.isnan(curve["upper"].iloc[-1])  # nobody is left: no interval
    nobody = second_purchase(days, np.zeros(5, bool), 0.9)
    assert len(nobody) == 0


def test_gini_is_the_mean_difference_between_customers() -> None:
    y = skewed(300, 1)
    brute = np.abs(y[:, None] - y[None, :]).mean() / (2 * y.mean())
    assert float(intervals.gini(y, 0.9).value) == pytest.approx(brute, rel=1e-12)
    assert float(intervals.gini(np.full(9, 4.2), 0.9).value) == pytest.approx(0, abs=1e-12)


def test_shares_of_ranks_add_up() -> None:
    y = skewed(437, 2)
    parts = [intervals.share_between(y, at / 10, (at + 1) / 10, 0.9) for at in range(10)]
    assert sum(float(part.value) for part in parts) == pytest.approx(1, rel=1e-12)
    top = np.sort(y)[::-1][:100].sum() / y.sum()
    assert float(intervals.top_share(y, 100 / 437, 0.9).value) == pytest.approx(top, rel=1e-12)
    whole = intervals.share_between(y, 0.0, 1.0, 0.9)
    assert float(whole.upper) - float(whole.lower) == pytest.approx(0, abs=1e-12)


def test_a_ratio_of_ones_is_a_mean() -> None:
    y = skewed(60, 3)
    found, plain = intervals.ratio(y, np.ones(60), 0.9), intervals.mean(y, 0.9)
    for name in ("value", "lower", "upper"):
        assert float(getattr(found, name)) == pytest.approx(float(getattr(plain, name)))


def test_few_have_no_interval_and_nobody_no_value() -> None:
    one = np.array([5.0])
    assert float(intervals.mean(one, 0.9).value) == 5
    assert np.isnan(float(intervals.mean(one, 0.9).lower))
    assert np.isnan(float(intervals.mean(one[:0], 0.9).value))
    assert np.isnan(float(intervals.wilson(0, 0, 0.9).value))
    assert np.isnan(float(intervals.ratio(one, np.zeros(1), 0.9).value))
    assert np.isnan(float(intervals.gini(np.zeros(3), 0.9).value))
    assert np.isnan(float(intervals.top_share(np.zeros(3), 0.2, 0.9).value))
    ends = intervals.quantiles(skewed(4, 5), np.array([0.5, 0.99]), 0.9)
    assert np.isnan(ends.upper[1])
    assert np.isnan(float(intervals.mean_difference(one, one[:0], 0.9).value))


KINDS = ("share", "mean", "ratio", "gini", "top", "decile", "median", "waiting")


def held(size: int, runs: int, seed: int) -> dict[str, float]:
    """How often 90 per cent intervals hold the truth over simulated samples."""
    rng = np.random.default_rng(seed)
    big = rng.gamma(0.9, 40, 2_000_000) + 3
    truth = {
        "share": 0.23,
        "mean": 39.0,
        "ratio": 3.7,
        "gini": float(intervals.gini(big, 0.9).value),
        "top": float(intervals.top_share(big, 0.2, 0.9).value),
        "decile": float(intervals.share_between(big, 0.3, 0.4, 0.9).value),
        "median": float(np.median(big)),
        "waiting": 1 - np.exp(-30 / 80),
    }
    count = dict.fromkeys(KINDS, 0)
    for _ in range(runs):
        for kind, found in _sampled(size, rng).items():
            count[kind] += bool(found.lower <= truth[kind] <= found.upper)
    return {kind: number / runs for kind, number in count.items()}


def _sampled(size: int, rng: np.random.Generator) -> dict[str, intervals.Interval]:
    y = rng.gamma(0.9, 40, size) + 3
    orders = rng.geometric(0.6, size).astype(float)
    spend = orders * 3.7 * rng.gamma(4, 0.25, size)
    wait, censored = rng.exponential(80, size), rng.uniform(20, 120, size)
    curve = second_purchase(np.ceil(np.minimum(wait, censored)), wait <= censored, 0.9)
    row = curve[curve["days"] <= 30].iloc[-1]
    quantile = intervals.quantiles(y, np.array([0.5]), 0.9)
    return {
        "share": intervals.wilson(rng.binomial(size, 0.23), size, 0.9),
        "mean": intervals.mean(y, 0.9),
        "ratio": intervals.ratio(spend, orders, 0.9),
        "gini": intervals.gini(y, 0.9),
        "top": intervals.top_share(y, 0.2, 0.9),
        "decile": intervals.share_between(y, 0.3, 0.4, 0.9),
        "median": intervals.Interval(quantile.value[0], quantile.lower[0], quantile.upper[0]),
        "waiting": intervals.Interval(row["share"], row["lower"], row["upper"]),
    }


@pytest.fixture(scope="module")
def small() -> dict[str, float]:
    return held(size=400, runs=300, seed=6)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth(small, kind: str) -> None:
    # 300 honest runs at 0.9 lie within these limits but for 1 chance in 1,000 each side
    lowest, highest = stats.binom.ppf([0.001, 0.999], 300, 0.9) / 300
    assert lowest <= small[kind] <= highest, small


@pytest.fixture(scope="module")
def long() -> dict[str, float]:
    return held(size=1000, runs=4000, seed=8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth_at_length(long, kind: str) -> None:
    assert 0.87 <= long[kind] <= 0.93, long


def wald(k, n, level):
    p = np.asarray(k) / np.asarray(n)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(p * (1 - p) / n)
    return intervals.Interval(p, p - half, p + half)


def one_sided(level):
    return float(stats.norm.ppf(level))


def without_square(k, n, level):
    found = true_wilson(k, n, level)
    return intervals.Interval(found.value, found.lower + 0.004, found.upper)


true_wilson = intervals.wilson


@pytest.mark.parametrize(
    ("name", "wrong"), [("wilson", wald), ("_normal", one_sided), ("wilson", without_square)]
)
def test_a_wrong_interval_of_shares_is_caught(name: str, wrong, monkeypatch) -> None:
    monkeypatch.setattr(intervals, name, wrong)
    with pytest.raises(AssertionError):
        test_wilson_as_published(*WILSON[0])


def as_if_known(values, start, stop, level):
    """The quantile taken as known: a ratio of sums, wider than the truth."""
    falling = np.sort(values)[::-1]
    inside = np.zeros(len(values))
    inside[int(start * len(values)) : int(stop * len(values))] = 1
    return intervals.ratio(falling * inside, falling, level)


def without_the_total(values, start, stop, level):
    found = true_between(values, start, stop, level)
    half = float(found.upper - found.lower) / 6
    return intervals.Interval(found.value, found.value - half, found.value + half)


def doubled(values, start, stop, level):
    found = true_between(values, start, stop, level)
    return intervals.Interval(found.value * 1.05, found.lower * 1.05, found.upper * 1.05)


true_between = intervals.share_between


@pytest.mark.parametrize("wrong", [as_if_known, without_the_total, doubled])
def test_a_wrong_share_of_the_top_is_caught(wrong, monkeypatch) -> None:
    found = intervals.share_between(skewed(4000, 9), 0.0, 0.2, 0.9)
    true_width = float(found.upper - found.lower)
    # spread of the share itself over 400 samples of that size, by brute force
    shares = [
        np.sort(y)[::-1][:800].sum() / y.sum() for y in (skewed(4000, 50 + i) for i in range(400))
    ]
    width = 2 * stats.norm.ppf(0.95) * np.std(shares)
    assert true_width == pytest.approx(width, rel=0.12)  # 400 runs: 3.5 per cent a sd, three of it
    planted = wrong(skewed(4000, 9), 0.0, 0.2, 0.9)
    wide = abs(float(planted.upper - planted.lower) / width - 1) > 0.12
    assert wide or abs(float(planted.value - found.value)) > 1e-6
