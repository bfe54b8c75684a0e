"""Laws that every purchase family obeys. Each takes a family and raises AssertionError if broken.

Written once, run over all families (test_purchase_laws.py) and over families broken on purpose
(test_purchase_planted_errors.py), which some law must catch. Where a law holds in continuous time
it is asked at times in general position; families in discrete time are asked at whole ones, sums
stand for integrals, and they have laws of their own (`laws_of`).
"""

import math
from collections.abc import Callable

import numpy as np

from cxmodels.data.profiles import Profiles, compress
from cxmodels.numerics.transforms import Support
from cxmodels.purchases.family import PurchaseFamily, window_pmf

CUSTOMERS = 60_000
SIGMAS = 4.5  # about 150 comparisons with simulation, each missed once in 150,000 honest runs


def thetas(family: PurchaseFamily) -> np.ndarray:
    """Parameter values in general position: no zero, one or equal ones; alpha like a time."""
    rng = np.random.default_rng(len(family.space.names))
    real = rng.normal(0.1, 0.5, (3, family.space.size))
    signed = [item.support is Support.SIGNED for item in family.space.parameters]
    real[:, signed] *= 4.0  # between -1 and 1: near enough to both to matter
    return family.space.to_natural(real, family.space.scales(time=4.0, money=1.0))


def at(family: PurchaseFamily, t: float) -> np.float64:
    """A time in general position, or the opportunity before it."""
    return np.float64(np.floor(t) if family.discrete else t)


def histories(family: PurchaseFamily, theta: np.ndarray, T: float, seed: int) -> Profiles:
    """Histories of new customers after T units of time, straight from the family's simulation."""
    rng, T = np.random.default_rng(seed), float(at(family, T))
    paths = family.simulate(np.broadcast_to(theta, (CUSTOMERS, theta.size)), np.float64(T), rng)
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, paths.customer, paths.time)
    ones = np.ones(CUSTOMERS)
    return Profiles(paths.count.astype(np.int64), t_x, T * ones, ones, np.arange(CUSTOMERS))


def distinct(seen: Profiles) -> Profiles:
    """The same customers, those with one history counted once."""
    return compress(seen.frequency, seen.recency, seen.T)


def near(sample: np.ndarray, expected: float, what: str) -> None:
    """The mean of a simulated sample agrees with a formula within its Monte Carlo error."""
    error = sample.std() / np.sqrt(sample.size) + 1e-12
    assert abs(sample.mean() - expected) < SIGMAS * error, (what, sample.mean(), expected, error)


def pmf_is_a_distribution(family: PurchaseFamily) -> None:
    t = at(family, 7.3)
    for theta in thetas(family):
        n = np.arange(4000)
        pmf = np.exp(family.log_pmf(theta, n, t))
        assert abs(pmf.sum() - 1.0) < 1e-9
        expected = family.expected_purchases(theta, t)
        assert abs(pmf @ n / expected - 1.0) < 1e-7
        alive = np.exp(family.log_pmf_survivors(theta, n, t))
        assert abs(alive.sum() / family.survival(theta, t) - 1.0) < 1e-8
        assert (alive <= pmf * (1 + 1e-12) + 1e-300).all()


def nothing_happens_in_no_time(family: PurchaseFamily) -> None:
    zero = np.float64(0.0)
    for theta in thetas(family):
        here = family.alive(theta, zero, zero, zero)
        for customer in (theta, here):
            assert family.expected_purchases(customer, zero) == 0.0
            pmf = np.exp(family.log_pmf(customer, np.arange(3), zero))
            assert np.abs(pmf - [1.0, 0.0, 0.0]).max() < 1e-14
        assert abs(family.survival(here, zero) - 1.0) < 1e-14
        at_once = family.p_alive(theta, zero, zero, zero)  # below 1 where a first purchase may end
        assert abs(family.survival(theta, zero) - at_once) < 1e-14
        paths = family.simulate(theta[None, :], zero, np.random.default_rng(1))
        assert paths.count.tolist() == [0]


def rate_adds_up(family: PurchaseFamily) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for theta in thetas(family):
        t = 4.5 * (nodes + 1.0)
        living = family.alive(theta, np.float64(2.0), np.float64(2.3), np.float64(4.1))
        for customer in (theta, living):
            total = 4.5 * weights @ family.purchase_rate(customer, t)
            assert abs(total / family.expected_purchases(customer, np.float64(9.0)) - 1.0) < 1e-10


def windows_add_up(family: PurchaseFamily) -> None:
    n = np.arange(400)
    for theta in thetas(family):
        pmf = window_pmf(family, theta, n, (2.3, 5.9))
        ends = family.expected_purchases(theta, np.array([2.3, 5.9]))
        assert abs(pmf.sum() - 1.0) < 1e-9
        assert abs(pmf @ n / (ends[1] - ends[0]) - 1.0) < 1e-7


def chances_add_up(family: PurchaseFamily) -> None:
    for theta in thetas(family):
        total = np.cumsum(family.purchase_rate(theta, np.arange(1.0, 200.0)))
        found = family.expected_purchases(theta, np.arange(1.0, 200.0))
        assert (np.abs(found - total) < 1e-12 * total).all()


def opportunities_are_whole(family: PurchaseFamily) -> None:
    """At most one purchase an opportunity, none between two, and time counts up to the last one."""
    n = np.arange(5)
    for place, theta in enumerate(thetas(family)):
        for quantity in (family.expected_purchases, family.survival):
            assert quantity(theta, np.float64(8.7)) == quantity(theta, np.float64(8.0))
        for pmf in (family.log_pmf, family.log_pmf_survivors):
            assert np.array_equal(pmf(theta, n, np.float64(3.9)), pmf(theta, n, np.float64(3.0)))
            assert pmf(theta, n, np.float64(3.0))[4] == -np.inf
        many = np.broadcast_to(theta, (500, theta.size))
        paths = family.simulate(many, np.float64(8.7), np.random.default_rng(place))
        assert np.array_equal(paths.time, np.floor(paths.time))
        same = np.diff(paths.customer) == 0
        assert (np.diff(paths.time)[same] >= 1).all()


def simulation_agrees(family: PurchaseFamily) -> None:
    T, t = at(family, 8.7), float(at(family, 3.1))
    for place, theta in enumerate(thetas(family)):
        rng = np.random.default_rng(place)
        many = np.broadcast_to(theta, (CUSTOMERS, theta.size))
        paths = family.simulate(many, T, rng)
        assert (np.bincount(paths.customer, minlength=CUSTOMERS) == paths.count).all()
        assert ((paths.time > 0) & (paths.time <= T)).all()
        same = np.diff(paths.customer) == 0
        assert (np.diff(paths.time)[same] >= 0).all()
        near(paths.count, family.expected_purchases(theta, T), "purchases")
        counts = family.simulate_counts(many, T, rng)
        near(counts, family.expected_purchases(theta, T), "counts")
        near(counts == 0, float(np.exp(family.log_pmf(theta, np.array([0]), T))[0]), "0")
        near(paths.alive, family.survival(theta, T), "alive")
        early = np.bincount(paths.customer[paths.time <= t], minlength=CUSTOMERS)
        near(early, family.expected_purchases(theta, np.float64(t)), "early purchases")
        for n in range(4):
            log_n = family.log_pmf(theta, np.array([n]), T)
            near(paths.count == n, float(np.exp(log_n)[0]), f"P({n})")
            alive_n = family.log_pmf_survivors(theta, np.array([n]), T)
            near((paths.count == n) & paths.alive, float(np.exp(alive_n)[0]), f"P({n}, alive)")
        late = paths.count - early
        for n, chance in enumerate(window_pmf(family, theta, np.arange(3), (t, float(T)))):
            near(late == n, float(chance), f"P({n}) in a window")


def conditional_averages_to_unconditional(family: PurchaseFamily) -> None:
    T, t = float(at(family, 6.3)), float(at(family, 5.1))
    for place, theta in enumerate(thetas(family)):
        seen = histories(family, theta, T, 100 + place)
        x = seen.frequency.astype(np.float64)
        p_alive = family.p_alive(theta, x, seen.recency, seen.T)
        assert ((p_alive >= 0) & (p_alive <= 1 + 1e-12)).all()
        near(p_alive, float(family.survival(theta, np.float64(T))), "P(alive)")
        counts, place_of = np.unique(x, return_inverse=True)
        if family.remembers_recency:
            counts, place_of = x, slice(None)
        recency = seen.recency if family.remembers_recency else np.float64(0.0)
        updated = family.alive(theta, counts, recency, np.float64(T))
        ahead = family.expected_purchases(updated, np.float64(t))[place_of]
        both = family.expected_purchases(theta, np.array([T, T + t]))
        near(p_alive * ahead, float(both[1] - both[0]), "purchases ahead")
        later = family.survival(updated, np.float64(t))[place_of]
        near(p_alive * later, float(family.survival(theta, np.float64(T + t))), "P(alive later)")
        for n in range(3):  # weighted within x, so that an error in one x is not averaged away
            alive_n = np.exp(family.log_pmf_survivors(theta, np.array([n]), np.float64(T)))[0]
            near(np.where(x == n, p_alive, 0.0), float(alive_n), f"P(alive, {n})")


def time_has_a_unit(family: PurchaseFamily) -> None:
    unit = family.space.scales(time=7.0, money=1.0)
    for theta in thetas(family):
        days, t = theta * unit, np.float64(3.3)
        for quantity in (family.expected_purchases, family.survival):
            assert abs(quantity(days, 7 * t) / quantity(theta, t) - 1.0) < 1e-11
        n = np.arange(5)
        same = family.log_pmf(days, n, 7 * t) - family.log_pmf(theta, n, t)
        assert np.abs(same).max() < 1e-10
        seen = histories(family, theta, 6.3, 5)
        few = slice(0, 50)
        part = Profiles(
            seen.frequency[few], seen.recency[few], seen.T[few], seen.weight[few], seen.row[few]
        )
        slow = Profiles(part.frequency, part.recency * 7, part.T * 7, part.weight, part.row)
        shift = family.stages * part.frequency.sum() * np.log(7.0)  # a density of stages
        change = family.objective(part).log_likelihood(theta)
        change = change - family.objective(slow).log_likelihood(days) - shift
        assert abs(float(change)) < 1e-8


def likelihood_counts_sequences(family: PurchaseFamily) -> None:
    """Over all recencies, the likelihood of x sums to P(x): of the t_x - 1 opportunities before the
    last purchase, any x - 1 may have been taken."""
    T = 7
    for theta in thetas(family):
        for x in range(T + 1):
            last = range(x, T + 1) if x else (0,)
            ways = [math.comb(t - 1, x - 1) if x else 1 for t in last]
            each = [float(np.exp(_likelihood_of_one(family, theta, x, t, T))) for t in last]
            pmf = float(np.exp(family.log_pmf(theta, np.array([x]), np.float64(T)))[0])
            assert abs(np.dot(ways, each) / pmf - 1.0) < 1e-12, (x, each, pmf)


def likelihood_is_a_density(family: PurchaseFamily) -> None:
    """Over all recencies, the likelihood of x integrates to P(x).

    The likelihood is that of the stages behind the purchases, k each (k = 1: of the purchases
    themselves); given t_x the k x - 1 before the last fill (0, t_x) evenly, in any order: a volume
    of t_x^(kx-1) / (kx-1)!, which is the integral of the factor d^(k-1) / (k-1)! of intervals d.
    """
    T = 5.7
    nodes, weights = np.polynomial.legendre.leggauss(80)
    t_x, weights = T * (nodes + 1) / 2, T * weights / 2
    for theta in thetas(family):
        for x in (1, 2, 3):
            density = [
                float(np.exp(_likelihood_of_one(family, theta, x, float(t), T))) for t in t_x
            ]
            stages = family.stages * x
            volume = t_x ** (stages - 1) / math.factorial(stages - 1)
            found = float((np.array(density) * volume) @ weights)
            pmf = float(np.exp(family.log_pmf(theta, np.array([x]), np.float64(T)))[0])
            assert abs(found / pmf - 1.0) < 1e-9, (x, found, pmf)
        silent = float(np.exp(_likelihood_of_one(family, theta, 0, 0.0, T)))
        assert abs(silent - np.exp(family.log_pmf(theta, np.array([0]), np.float64(T)))[0]) < 1e-12


def _likelihood_of_one(
    family: PurchaseFamily, theta: np.ndarray, x: int, t_x: float, T: float
) -> np.ndarray:
    one = np.ones(1)
    profile = Profiles(np.array([x]), t_x * one, T * one, one, np.zeros(1, dtype=np.int64))
    return family.objective(profile).log_likelihood(theta)


def derivatives_match_the_value(family: PurchaseFamily) -> None:
    truth = thetas(family)[0]
    objective = family.objective(distinct(histories(family, truth, 6.3, 9).every(slice(0, 3000))))
    for theta in thetas(family):
        found = objective.derivatives(theta)
        assert abs(found.value - objective.log_likelihood(theta)) < 1e-9 * abs(found.value)
        for k in range(theta.size):
            step = np.zeros(theta.size)
            step[k] = 1e-5 * theta[k]
            up, down = objective.derivatives(theta + step), objective.derivatives(theta - step)
            slope = (up.value - down.value) / (2 * step[k])
            assert abs(slope - found.gradient[k]) < 1e-5 * (1 + abs(found.gradient).max())
            bend = (up.gradient - down.gradient) / (2 * step[k])
            assert np.abs(bend - found.hessian[k]).max() < 1e-5 * (1 + np.abs(found.hessian).max())


def draws_are_rows(family: PurchaseFamily) -> None:
    values = thetas(family)
    objective = family.objective(
        distinct(histories(family, values[0], 6.3, 11).every(slice(0, 3000)))
    )
    together = objective.log_likelihood(np.concatenate([values] * 5))
    alone = np.array([objective.log_likelihood(theta) for theta in values])
    assert np.abs(together / np.tile(alone, 5) - 1.0).max() < 1e-13


def weights_are_copies(family: PurchaseFamily) -> None:
    theta = thetas(family)[0]
    seen = histories(family, theta, 6.3, 13)
    few = slice(0, 40)
    times = np.arange(1, 41) % 3 + 1
    arrays = (seen.frequency[few], seen.recency[few], seen.T[few])
    weighted = Profiles(*arrays, times.astype(np.float64), np.arange(40))
    copied = Profiles(
        *(np.repeat(v, times) for v in arrays), np.ones(times.sum()), np.arange(times.sum())
    )
    a, b = family.objective(weighted), family.objective(copied)
    assert a.rows == b.rows
    assert abs(a.log_likelihood(theta) / b.log_likelihood(theta) - 1.0) < 1e-13


def rows_add_up(family: PurchaseFamily) -> None:
    """Likelihoods of single histories, with derivatives, sum to those of the base."""
    values = thetas(family)
    seen = histories(family, values[0], 6.3, 17).every(slice(0, 300))
    objective = family.objective(seen)
    x = seen.frequency.astype(np.float64)
    for theta in values:
        found, whole = family.rows(theta, x, seen.recency, seen.T), objective.derivatives(theta)
        each = family.log_likelihood(theta, x, seen.recency, seen.T)
        assert np.abs(found.value - each).max() < 1e-10 * (1 + np.abs(each).max())
        assert abs(each.sum() / whole.value - 1.0) < 1e-11
        size = np.abs(found.gradient).sum(axis=1)
        assert (np.abs(found.gradient.sum(axis=1) - whole.gradient) < 1e-9 * (1 + size)).all()
        size = np.abs(found.hessian).sum(axis=2)
        assert (np.abs(found.hessian.sum(axis=2) - whole.hessian) < 1e-9 * (1 + size)).all()
        own = np.tile(theta, (x.size, 1))
        assert np.array_equal(family.rows(own, x, seen.recency, seen.T).gradient, found.gradient)


CONTINUOUS: tuple[Callable[[PurchaseFamily], None], ...] = (
    rate_adds_up,
    windows_add_up,
    time_has_a_unit,
    likelihood_is_a_density,
)
DISCRETE: tuple[Callable[[PurchaseFamily], None], ...] = (
    chances_add_up,
    opportunities_are_whole,
    likelihood_counts_sequences,
)
ALWAYS: tuple[Callable[[PurchaseFamily], None], ...] = (
    nothing_happens_in_no_time,
    pmf_is_a_distribution,
    derivatives_match_the_value,
    draws_are_rows,
    weights_are_copies,
    rows_add_up,
    simulation_agrees,
    conditional_averages_to_unconditional,
)


def laws_of(family: PurchaseFamily) -> tuple[Callable[[PurchaseFamily], None], ...]:
    """The laws of a family: those of its kind of time, then those of all."""
    return (DISCRETE if family.discrete else CONTINUOUS) + ALWAYS
