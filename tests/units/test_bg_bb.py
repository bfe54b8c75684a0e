"""BG/BB at hard arguments against 50-digit arithmetic, at its edges, and where it refuses."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.numerics.partial_sums import log_partial_sum, log_rising, rising_slopes
from cxmodels.purchases import bg_bb
from cxmodels.purchases.bg_bb_likelihood import rows

OPPORTUNITIES = (0, 1, 2, 3, 6, 12, 25, 52, 120, 365, 1500, 5000)


def hard(count: int, seed: int):
    """Parameters over ten orders of magnitude, histories over every kind of count."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        theta = 10.0 ** rng.uniform(-3, 3, 4)
        if rng.random() < 0.2:
            theta[rng.integers(4)] = 10.0 ** rng.uniform(3, 7)
        if rng.random() < 0.1:
            theta[2] = 1.0  # the closed form of the mean is 0/0 here
        T = int(rng.choice(OPPORTUNITIES))
        t_x = int(rng.choice([0, T, rng.integers(T + 1), min(T, 1)]))
        x = int(rng.choice([min(t_x, 1), t_x, rng.integers(min(t_x, 1), t_x + 1)]))
        t_x = t_x if x else 0
        yield theta, x, t_x, T


def products(above, below, terms):
    """Sum of `terms` products of ratios, and the last product, to 50 digits."""
    total, term = mp.mpf(0), mp.mpf(1)
    for k in range(terms):
        total += term
        for a in above:
            term *= a + k
        for b in below:
            term /= b + k
    return total, term


def exact(theta, x, t_x, T):
    """The quantities by the paper's equations, each a plain sum or product of 50 digits."""
    with mp.workdps(50):
        a, b, c, d = (mp.mpf(float(v)) for v in theta)

        def taken(x, i):
            return mp.rf(a, x) * mp.rf(b, i - x) / mp.rf(a + b, i)

        stay = mp.rf(d, T) / mp.rf(c + d, T)
        alive = taken(x, T) * stay
        leaving, _ = products([b + t_x - x, d + t_x], [a + b + t_x, c + d + t_x + 1], T - t_x)
        leaving *= taken(x, t_x) * mp.rf(d, t_x) * c / mp.rf(c + d, t_x + 1)
        times, _ = products([d + 1], [c + d + 1], T)
        gone, _ = products([x + 1, b, d + x], [1, a + b + x, c + d + x + 1], T - x)
        gone *= taken(x, x) * mp.rf(d, x) * c / mp.rf(c + d, x + 1)
        count = mp.binomial(T, x) * alive
        return {
            "log_likelihood": float(mp.log(alive + leaving)),
            "p_alive": float(alive / (alive + leaving)),
            "survival": float(stay),
            "expected_purchases": float(a / (a + b) * d / (c + d) * times),
            "log_pmf": float(mp.log(count + gone)),
            "log_pmf_survivors": float(mp.log(count)),
        }


def check_hard(count, seed):
    for theta, x, t_x, T in hard(count, seed):
        asked = np.float64(T)
        found = {
            "log_likelihood": bg_bb.log_likelihood(theta, x, t_x, T),
            "p_alive": bg_bb.p_alive(theta, x, t_x, T),
            "survival": bg_bb.survival(theta, asked),
            "expected_purchases": bg_bb.expected_purchases(theta, asked),
            "log_pmf": bg_bb.log_pmf(theta, np.array(x), asked),
            "log_pmf_survivors": bg_bb.log_pmf_survivors(theta, np.array(x), asked),
        }
        for name, value in exact(theta, x, t_x, T).items():
            case = (name, theta.tolist(), x, t_x, T, float(found[name]), value)
            if name.startswith("log"):  # an error of the log is a relative one of the chance
                assert abs(found[name] - value) < 1e-8, case
            else:
                assert abs(found[name] - value) <= 1e-8 * value + 1e-290, case


def test_forty_hard_arguments():
    check_hard(40, 1)


@pytest.mark.slow
def test_a_thousand_hard_arguments():
    check_hard(1000, 2)


def check_slopes(count, seed):
    """Gradient and Hessian of single histories against differences of 50-digit values."""
    for theta, x, t_x, T in hard(count, seed):
        if T > 120:
            continue
        found = rows(theta, *(np.array([float(v)]) for v in (x, t_x, T)))
        with mp.workdps(50):
            gradient = np.array([difference(theta, (x, t_x, T), [k]) for k in range(4)])
            bend = np.array(
                [[difference(theta, (x, t_x, T), [j, k]) for j in range(4)] for k in range(4)]
            )
        size = 1.0 / theta  # slopes in logs of the parameters are of order 1
        case = (theta.tolist(), x, t_x, T)
        near = np.abs(found.gradient[:, 0] - gradient)
        assert (near <= 1e-9 * (np.abs(gradient) + size)).all(), case
        near = np.abs(found.hessian[:, :, 0] - bend)
        assert (near <= 1e-8 * (np.abs(bend) + np.outer(size, size))).all(), case


def difference(theta, past, along):
    """A first or mixed second derivative by central differences at 50 digits."""
    point = [mp.mpf(float(v)) for v in theta]
    steps = [point[k] * mp.mpf(10) ** -12 for k in along]
    total = mp.mpf(0)
    for signs in np.ndindex(*[2] * len(along)):
        moved, sign = list(point), 1
        for k, step, up in zip(along, steps, signs, strict=True):
            moved[k] += step if up else -step
            sign *= 1 if up else -1
        total += sign * exact_log_likelihood(moved, *past)
    return float(total / mp.fprod(2 * step for step in steps))


def exact_log_likelihood(theta, x, t_x, T):
    a, b, c, d = theta
    alive = mp.rf(a, x) * mp.rf(b, T - x) / mp.rf(a + b, T) * mp.rf(d, T) / mp.rf(c + d, T)
    leaving, _ = products([b + t_x - x, d + t_x], [a + b + t_x, c + d + t_x + 1], T - t_x)
    leaving *= mp.rf(a, x) * mp.rf(b, t_x - x) / mp.rf(a + b, t_x)
    leaving *= mp.rf(d, t_x) * c / mp.rf(c + d, t_x + 1)
    return mp.log(alive + leaving)


def test_slopes_at_hard_arguments():
    check_slopes(25, 3)


@pytest.mark.slow
def test_slopes_at_many_hard_arguments():
    check_slopes(300, 4)


def test_rising_factorials_of_any_size():
    rng = np.random.default_rng(5)
    a = 10.0 ** rng.uniform(-6, 10, 200)
    t = np.concatenate([rng.integers(0, 5000, 100).astype(float), rng.uniform(0, 40, 100)])
    found = log_rising(a, t)
    with mp.workdps(50):
        for one, start, length in zip(found, a, t, strict=True):
            start, length = mp.mpf(float(start)), mp.mpf(float(length))
            exact = float(mp.loggamma(start + length) - mp.loggamma(start))
            assert one == pytest.approx(exact, rel=1e-13, abs=1e-13)


def test_a_sum_that_would_overflow():
    """4,000 terms up to 10^2400: scaled on the way."""
    found = log_partial_sum([2001.0, 3000.0], [1.0, 4.0], np.array([4000, 0, 1]))
    with mp.workdps(50):
        total, _ = products([mp.mpf(2001), mp.mpf(3000)], [mp.mpf(1), mp.mpf(4)], 4000)
        assert found[0] == pytest.approx(float(mp.log(total)), rel=1e-13)
    assert found[1:].tolist() == [-np.inf, 0.0]


def base_of(x, t_x, T, unit="month", **more):
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T, **more})
    return cx.CustomerBase.from_summary(frame, unit=unit)


def simulated(theta, customers, ages, seed):
    """A base of customers with as many opportunities as drawn from `ages`, walked one by one."""
    rng = np.random.default_rng(seed)
    alpha, beta, gamma, delta = theta
    T = rng.choice(ages, customers)
    p, leaves = rng.beta(alpha, beta, customers), rng.beta(gamma, delta, customers)
    there = np.ones(customers, dtype=bool)
    x, t_x = np.zeros(customers), np.zeros(customers)
    for i in range(1, max(ages) + 1):
        there &= rng.random(customers) >= leaves
        buys = there & (rng.random(customers) < p) & (i <= T)
        x += buys
        t_x[buys] = i
    return base_of(x, t_x, T)


TRUTH = np.array([1.2, 0.75, 0.66, 2.8])


@pytest.fixture(scope="module")
def base():
    return simulated(TRUTH, 20_000, [0, 1, 3, 6, 10, 15], 8)


@pytest.fixture(scope="module")
def fit(base):
    return cx.BGBB().fit(base)


def test_refit_recovers_the_truth(fit):
    found = fit.parameters
    distance = (found["estimate"] - TRUTH) / found["std_error"]
    assert (distance.abs() < 4).all(), found


def test_no_opportunity_yet(fit):
    """A customer first seen in the last period is new: alive, and as a new customer ahead."""
    found = fit.predict(base_of([0, 1], [0, 1], [0, 1]), horizon="6M", draws=50).iloc[0]
    new = fit.new_customer(horizon="6M", draws=50).iloc[0]
    assert found["p_alive"] == 1.0
    assert found["expected_purchases"] == pytest.approx(new["expected_purchases"], rel=1e-12)


def test_a_purchase_at_the_last_opportunity_is_a_sign_of_life(fit):
    found = fit.predict(base_of([1, 4, 1], [6, 6, 3], [6, 6, 6]), horizon="6M", draws=50)
    assert found["p_alive"].iloc[:2].tolist() == [1.0, 1.0]
    assert found["p_alive"].iloc[2] < 1.0


def test_an_interval_of_the_count_holds_the_opportunities(fit, base):
    found = fit.predict(base, horizon="3M", draws=100)
    assert found["purchases_upper"].max() <= 3
    assert (found["expected_purchases"] <= 3).all()
    pmf = fit.conditional_pmf(np.arange(6), base_of([0, 2], [0, 5], [6, 6]), horizon="3M")
    assert pmf[:, 4:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert pmf.sum(axis=1) == pytest.approx([1.0, 1.0], rel=1e-12)


def test_a_window_of_opportunities(fit):
    late = fit.pmf(np.arange(5), horizon="4M", start="6M")
    assert late.sum() == pytest.approx(1.0, rel=1e-12)
    both = bg_bb.expected_purchases(fit.theta, np.array([6.0, 10.0]))
    assert late @ np.arange(5) == pytest.approx(both[1] - both[0], rel=1e-10)


def test_counted_customers_are_copies(fit):
    rows = {"frequency": [0, 1, 2], "recency": [0, 2, 5], "T": [6, 6, 5], "donors": [5, 0, 7]}
    counted = cx.CustomerBase.from_summary(pd.DataFrame(rows), unit="month", count="donors")
    assert counted.table["frequency"].tolist() == [0] * 5 + [2] * 7
    assert counted.profiles.weight.tolist() == [5.0, 7.0]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"donors": [5, -1, 7]}, cx.DataError, "not a whole number of 0 or more .*row 2"),
        ({"donors": [5, 1.5, 7]}, cx.DataError, "not a whole number of 0 or more"),
        ({"donors": ["5", "many", "7"]}, cx.DataError, "not a whole number of 0 or more"),
        ({"donors": [0, 0, 0]}, cx.DataError, "empty"),
        ({"recency": [0, 7, 5]}, cx.DataError, "recency exceeds T.*row 2"),
        ({"customer_id": [1, 2, 3]}, cx.OptionError, "give one of the two"),
        ({"donors": None}, cx.OptionError, "there is no column 'donors'"),
    ],
)
def test_counts_that_are_none(change, error, words):
    rows = {"frequency": [0, 1, 2], "recency": [0, 2, 5], "T": [6, 6, 5], "donors": [5, 3, 7]}
    rows |= change
    frame = pd.DataFrame({name: values for name, values in rows.items() if values is not None})
    with pytest.raises(error, match=f"(?s){words}"):
        cx.CustomerBase.from_summary(frame, unit="month", count="donors")


def test_a_base_in_continuous_time_is_refused(fit):
    wrong = base_of([1, 2, 0, 3], [2.5, 4, 0, 2], [6, 6.2, 5, 6])
    with pytest.raises(cx.DataError) as caught:
        cx.BGBB().fit(wrong)
    told = str(caught.value)
    assert "recency is no whole number of opportunities" in told
    assert "T is no whole number of opportunities" in told
    assert "more purchases than opportunities up to the last one" in told
    assert "row 1: customer_id=0" in told
    assert 'collapse="month"' in told
    with pytest.raises(cx.DataError, match="no whole number"):
        fit.predict(wrong, horizon="6M")


def test_the_map_has_possible_cells_alone(fit):
    table = cx.recency_frequency_map(fit, T=6, horizon="6M", most=20)
    assert len(table) == 1 + 6 * 7 / 2
    assert ((table["frequency"] <= table["recency"]) & (table["recency"] <= 6)).all()
    assert (table.loc[table["recency"] == 6, "p_alive"] == 1.0).all()
    with pytest.raises(cx.OptionError, match="whole number"):
        cx.recency_frequency_map(fit, T=6.5, horizon="6M")


def test_saved_and_loaded(fit, base, tmp_path):
    again = cx.load(fit.save(tmp_path / "bgbb.json"))
    assert again.theta.tolist() == fit.theta.tolist()
    few = base_of([0, 3], [0, 5], [6, 6])
    a, b = (one.predict(few, horizon="6M", draws=100) for one in (fit, again))
    assert a["expected_purchases"].tolist() == b["expected_purchases"].tolist()


STAYED = np.repeat([0, 1, 2, 3, 4, 5, 6, 8, 10], [150, 80, 50, 40, 30, 20, 20, 30, 150])
EDGES = [
    ([1, 2, 3, 4, 5, 6] * 20, [6] * 120, 6, "almost nobody leaves"),
    (  # every second opportunity, as long as they stayed
        (STAYED + 1) // 2, np.maximum(STAYED - 1 + STAYED % 2, 0), 10,
        "all customers take an opportunity with the same probability",
    ),
    (  # everybody leaves after about five
        [0, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 1, 0, 0] * 20,
        [0, 3, 4, 5, 6, 4, 5, 6, 6, 6, 6, 5, 0, 0] * 20, 12,
        "all customers leave with the same probability",
    ),
    (  # everybody takes each opportunity until he leaves, and nobody could be one who never does
        np.repeat([1, 2, 3, 4, 5], [50, 20, 12, 9, 100]),
        np.repeat([1, 2, 3, 4, 5], [50, 20, 12, 9, 100]), 5, "take nearly every opportunity",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("x", "t_x", "T", "words"), EDGES)
def test_edges_are_told_in_words(x, t_x, T, words):
    found = cx.BGBB().fit(base_of(x, t_x, T))
    assert np.isfinite(found.log_likelihood)
    assert words in str(found.status), found.status


def test_all_or_none_is_told_by_either_of_two_stories_that_fit_alike():
    """Those who take none never would, or they left at once: the likelihood is the same."""
    x = [4] * 30 + [0] * 60
    found = cx.BGBB().fit(base_of(x, x, 4))
    assert found.log_likelihood == pytest.approx(30 * np.log(1 / 3) + 60 * np.log(2 / 3), abs=1e-3)
    stories = ("take either all or none", "take nearly every opportunity")
    assert any(words in str(found.status) for words in stories), found.status


@pytest.mark.parametrize("kind", ["all take all", "nobody returns twice", "long", "tiny"])
def test_strange_bases_end_in_a_sentence(kind):
    made = {
        "all take all": lambda: base_of([6] * 50, [6] * 50, [6] * 50),
        "nobody returns twice": lambda: base_of([0] * 90 + [1] * 10, [0] * 90 + [1] * 10, 6),
        "long": lambda: simulated(np.array([0.8, 9.0, 0.6, 90.0]), 150, [5000, 2000], 4),
        "tiny": lambda: base_of([0, 1], [0, 1], [1, 1]),
    }[kind]()
    found = cx.BGBB().fit(made)
    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.log_likelihood)
    rng = np.random.default_rng(1)
    random = np.exp(rng.normal(0.0, 2.0, (50, 4)))
    best = found.objective.log_likelihood(random).max()
    assert found.log_likelihood > best - 0.01
    assert str(found.status)


def test_slopes_of_rising_factorials():
    rng = np.random.default_rng(6)
    a, t = 10.0 ** rng.uniform(-3, 9, 100), rng.integers(0, 5000, 100).astype(float)
    first, second = rising_slopes(a, t)
    with mp.workdps(50):
        for place in range(a.size):
            start, end = mp.mpf(a[place]), mp.mpf(a[place]) + mp.mpf(t[place])
            exact = [float(mp.psi(order, end) - mp.psi(order, start)) for order in (0, 1)]
            assert first[place] == pytest.approx(exact[0], rel=1e-12, abs=1e-300)
            assert second[place] == pytest.approx(exact[1], rel=1e-12, abs=1e-300)
