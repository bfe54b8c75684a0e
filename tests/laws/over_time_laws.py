"""Laws of covariates over time, run over the formulas as they are and as broken on purpose."""

from collections.abc import Callable
from datetime import date

import numpy as np
import scipy

from cxmodels.purchases import clocked_departures
from cxmodels.purchases.by_paths import ByPaths
from cxmodels.purchases.clocked_departures import Past
from cxmodels.purchases.clocks import Paths
from cxmodels.purchases.family import p_no_purchase
from cxmodels.purchases.over_time import OverTime
from cxmodels.purchases.pareto_nbd import ParetoNBD
from tests.laws.over_time_designs import design_of_three

CUSTOMERS, STEPS, AHEAD = 7, 9, 12.5
THETA = np.array([0.73, 8.3, 0.64, 12.7, 0.43, -0.71, 0.87])  # r, alpha, s, beta, three effects
PLAIN = ParetoNBD()


def paths_and_past(seed: int = 1) -> tuple[Paths, Past]:
    """Seven customers with up to nine steps, one of them with a single one; x = 0 included, and a
    purchase on the last day."""
    rng = np.random.default_rng(seed)
    since = np.cumsum(rng.exponential(3.1, (CUSTOMERS, STEPS)), axis=1)
    since[:, 0] = 0.0
    since[2, 5:] = since[3, 1:] = np.inf
    T = rng.uniform(5.0, 30.0, CUSTOMERS)
    x = np.array([2.0, 3.0, 0.0, 5.0, 1.0, 0.0, 11.0])
    t_x = np.where(x > 0, T * rng.uniform(0.1, 0.9, CUSTOMERS), 0.0)
    t_x[1] = T[1]
    rows = CUSTOMERS * STEPS
    purchase, dropout = rng.normal(0.0, 0.5, (2, rows, 3))
    purchase[:, 2] = dropout[:, 0] = 0.0  # the second effect is shared
    row = np.arange(rows).reshape(CUSTOMERS, STEPS)
    paths = Paths(
        since, row, purchase, dropout, T + AHEAD, T, tuple(range(CUSTOMERS)), date(2024, 1, 1),
        "week",
    )  # fmt: skip
    weight = rng.uniform(0.5, 3.0, CUSTOMERS)
    return paths, Past(x, t_x, T, weight, np.arange(CUSTOMERS), since)


def family_of(paths: Paths) -> OverTime:
    """The family with its customers' paths."""
    family = OverTime.of(PLAIN, design_of_three())
    return OverTime(plain=PLAIN, space=family.space, link=ByPaths(PLAIN, family.link.design, paths))


def living(seed: int = 1, theta: np.ndarray = THETA) -> tuple[OverTime, np.ndarray, Paths, Past]:
    """The family, the parameters of its customers alive at T, and what they did."""
    paths, past = paths_and_past(seed)
    family = family_of(paths)
    own = family.link.rows(theta, past.place)
    return family, family.alive(own, past.x, past.t_x, past.T), paths, past


def paces(paths: Paths, who: int, theta: np.ndarray = THETA) -> tuple[np.ndarray, np.ndarray]:
    """exp(effects x columns) of each step of one customer."""
    rows = paths.row[who]
    return np.exp(paths.purchase[rows] @ theta[4:]), np.exp(paths.dropout[rows] @ theta[4:])


def clocks_by_hand(paths: Paths, who: int, low: float, high: float) -> list[tuple[float, ...]]:
    """(length, pace of buying, pace of leaving) of every piece of (low, high)."""
    buying, leaving = paces(paths, who)
    ends = np.append(paths.since[who][1:], np.inf)
    found = []
    for j, (start, end) in enumerate(zip(paths.since[who], ends, strict=True)):
        length = min(end, high) - max(start, low)
        if np.isfinite(start) and length > 0:
            found.append((length, buying[j], leaving[j]))
    return found


def by_rates(shapes: np.ndarray, question: Callable) -> float:
    """The mean over lambda ~ Gamma(r, alpha) and mu ~ Gamma(s, beta) of what customers of given
    rates do: the trapezoidal rule in both logs, which converges geometrically."""
    r, alpha, s, beta = shapes
    (lam, first), (mu, second) = rates(r, alpha), rates(s, beta)
    each = [
        weight * float(second @ question(rate, mu)) for rate, weight in zip(lam, first, strict=True)
    ]
    return float(np.sum(each))


def rates(shape: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of a gamma variable, evenly spaced in their logs, and their weights."""
    step = 0.1
    value = np.exp(np.arange(-42.0 / shape, 6.0, step)) / rate
    log_density = shape * np.log(rate * value) - rate * value - scipy.special.gammaln(shape)
    return value, step * np.exp(log_density)


def of_history(paths: Paths, past: Past, who: int) -> Callable:
    """Probability density of a history given lambda and mu: A10 to A12 of Schmittlein et al.,
    piece by piece; leaves the paces at the purchases out."""
    x, t_x, T = past.x[who], past.t_x[who], past.T[who]

    def density(lam: float, mu: np.ndarray) -> np.ndarray:
        stays = np.ones_like(mu)
        for length, a, b in clocks_by_hand(paths, who, 0.0, t_x):
            stays = stays * np.exp(-(lam * a + mu * b) * length)
        gone = np.zeros_like(mu)
        for length, a, b in clocks_by_hand(paths, who, t_x, T):
            force = lam * a + mu * b
            gone = gone - mu * b / force * np.expm1(-force * length) * stays
            stays = stays * np.exp(-force * length)
        return lam**x * (stays + gone)

    return density


def likelihood_is_the_mean_over_rates() -> None:
    paths, past = paths_and_past()
    found = np.exp(clocked_departures.log_likelihood(THETA, past, paths))
    for who in range(CUSTOMERS):
        brute = by_rates(THETA[:4], of_history(paths, past, who))
        np.testing.assert_allclose(found[who], brute, rtol=1e-9)


def p_alive_is_a_share_of_the_likelihood() -> None:
    family, _, paths, past = living()
    own = family.link.rows(THETA, past.place)
    found = family.p_alive(own, past.x, past.t_x, past.T)

    def staying(who: int) -> Callable:
        pieces = clocks_by_hand(paths, who, 0.0, past.T[who])
        A, B = (sum(piece[0] * piece[1 + k] for piece in pieces) for k in (0, 1))
        return lambda lam, mu: lam ** past.x[who] * np.exp(-lam * A - mu * B)

    for who in range(CUSTOMERS):
        whole = by_rates(THETA[:4], of_history(paths, past, who))
        alive = by_rates(THETA[:4], staying(who))
        np.testing.assert_allclose(found[who], alive / whole, rtol=1e-9)


def without_effects_it_is_pareto_nbd() -> None:
    none = np.append(THETA[:4], np.zeros(3))
    family, alive, paths, past = living(theta=none)
    seen, t = (past.x, past.t_x, past.T), np.float64(AHEAD)
    own = family.link.rows(none, past.place)
    plain = PLAIN.alive(none[:4], *seen)
    found = clocked_departures.log_likelihood(none, past, paths)
    np.testing.assert_allclose(found, PLAIN.log_likelihood(none[:4], *seen), rtol=1e-12)
    np.testing.assert_allclose(family.p_alive(own, *seen), PLAIN.p_alive(none[:4], *seen))
    for name in ("survival", "expected_purchases", "purchase_rate"):
        mine, theirs = getattr(family, name)(alive, t), getattr(PLAIN, name)(plain, t)
        np.testing.assert_allclose(mine, theirs, rtol=1e-10)
    n = np.arange(60)
    for name in ("log_pmf", "log_pmf_survivors"):
        mine = getattr(family, name)(alive[:, None, :], n, t)
        np.testing.assert_allclose(mine, getattr(PLAIN, name)(plain[:, None, :], n, t), rtol=1e-9)


def derivatives_are_slopes() -> None:
    paths, past = paths_and_past()
    found = clocked_departures.derivatives(THETA, past, paths)

    def value(theta: np.ndarray) -> float:
        return float(clocked_departures.log_likelihood(theta, past, paths) @ past.weight)

    h = 1e-5 * np.eye(THETA.size)
    slope = [(value(THETA + step) - value(THETA - step)) / 2e-5 for step in h]
    bend = [
        clocked_departures.derivatives(THETA + step, past, paths).gradient
        - clocked_departures.derivatives(THETA - step, past, paths).gradient
        for step in h
    ]
    np.testing.assert_allclose(found.value, value(THETA), rtol=1e-13)
    np.testing.assert_allclose(found.gradient, slope, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found.hessian, np.array(bend) / 2e-5, rtol=1e-6, atol=1e-6)


def a_step_in_two_is_one() -> None:
    """Cutting a step changes nothing; nor does another unit of time, but for its constant."""
    paths, past = paths_and_past()
    whole = clocked_departures.log_likelihood(THETA, past, paths)
    cut = np.concatenate([paths.since[:, :4], paths.since[:, 3:]], axis=1)
    following = np.where(np.isfinite(paths.since[:, 4]), paths.since[:, 4], paths.since[:, 3] + 2.0)
    cut[:, 4] = 0.3 * paths.since[:, 3] + 0.7 * following
    row = np.concatenate([paths.row[:, :4], paths.row[:, 3:]], axis=1)
    finer = Paths(
        cut, row, paths.purchase, paths.dropout, paths.until, paths.now, paths.who, paths.last,
        "week",
    )  # fmt: skip
    again = Past(past.x, past.t_x, past.T, past.weight, past.place, cut)
    found = clocked_departures.log_likelihood(THETA, again, finer)
    np.testing.assert_allclose(found, whole, rtol=1e-12)
    days = Paths(
        7 * paths.since, paths.row, paths.purchase, paths.dropout, 7 * paths.until, 7 * paths.now,
        paths.who, paths.last, "day",
    )  # fmt: skip
    seen = Past(past.x, 7 * past.t_x, 7 * past.T, past.weight, past.place, 7 * past.since)
    theta = THETA * np.array([1, 7, 1, 7, 1, 1, 1])
    found = clocked_departures.log_likelihood(theta, seen, days)
    np.testing.assert_allclose(found, whole - past.x * np.log(7.0), rtol=1e-12)


def futures_agree_with_each_other() -> None:
    """The pmf sums to 1 and to the expectation; the rate is the slope of the expectation; survival
    is what the survivors' pmf sums to."""
    family, alive, *_ = living()
    t, n = np.float64(AHEAD), np.arange(400)
    pmf = np.exp(family.log_pmf(alive[:, None, :], n, t))
    expected = family.expected_purchases(alive, t)
    np.testing.assert_allclose(pmf.sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(pmf @ n, expected, rtol=1e-8)
    np.testing.assert_allclose(p_no_purchase(family, alive, t), pmf[:, 0], rtol=1e-12)
    survivors = np.exp(family.log_pmf_survivors(alive[:, None, :], n, t)).sum(axis=1)
    np.testing.assert_allclose(survivors, family.survival(alive, t), rtol=1e-9)
    at, h = np.array([0.7, 3.9, 8.8]), 1e-5
    ends = family.expected_purchases(alive[:, None, :], np.concatenate([at - h, at + h]))
    slope = (ends[:, 3:] - ends[:, :3]) / (2 * h)
    np.testing.assert_allclose(family.purchase_rate(alive[:, None, :], at), slope, rtol=1e-5)


def futures_agree_with_given_rates() -> None:
    """Survival and expectation of a customer alive, by quadrature over lambda and mu."""
    family, alive, paths, past = living()
    t = np.float64(AHEAD)
    who = 0
    pieces = clocks_by_hand(paths, who, past.T[who], past.T[who] + AHEAD)

    def staying(lam: float, mu: np.ndarray) -> np.ndarray:
        return np.exp(-mu * sum(length * b for length, _, b in pieces))

    def buying(lam: float, mu: np.ndarray) -> np.ndarray:
        stays, mean = np.ones_like(mu), np.zeros_like(mu)
        for length, a, b in pieces:
            mean = mean - a * stays * np.expm1(-mu * b * length) / (mu * b)
            stays = stays * np.exp(-mu * b * length)
        return lam * mean

    for name, question in (("survival", staying), ("expected_purchases", buying)):
        found = getattr(family, name)(alive, t)[who]
        np.testing.assert_allclose(found, by_rates(alive[who, :4], question), rtol=1e-9)


def futures_agree_with_simulation() -> None:
    """Counts, times and survival of 40,000 simulated customers of each kind, at 4 errors."""
    family, alive, *_ = living()
    rng, copies, t = np.random.default_rng(5), 40_000, np.float64(AHEAD)
    many = np.repeat(alive, copies, axis=0)
    paths = family.simulate(many, t, rng)
    count = paths.count.reshape(CUSTOMERS, copies)
    agrees(count, family.expected_purchases(alive, t))
    agrees(paths.alive.reshape(CUSTOMERS, copies).astype(float), family.survival(alive, t))
    agrees((count == 2).astype(float), np.exp(family.log_pmf(alive, np.int64(2), t)))
    early = np.bincount(paths.customer[paths.time <= 4.4], minlength=many.shape[0])
    agrees(early.reshape(CUSTOMERS, copies), family.expected_purchases(alive, np.float64(4.4)))
    agrees(
        family.simulate_counts(many, t, rng).reshape(CUSTOMERS, copies),
        family.expected_purchases(alive, t),
    )


def agrees(simulated: np.ndarray, expected: np.ndarray) -> None:
    """Means over copies within 4 standard errors."""
    error = simulated.std(axis=1) / np.sqrt(simulated.shape[1])
    assert (np.abs(simulated.mean(axis=1) - expected) <= 4.0 * error + 1e-12).all()


def conditional_averages_to_unconditional() -> None:
    """What new customers do in (0, u] says, on average, what they do after u."""
    paths, past = paths_and_past()
    family, who, u = family_of(paths), 4, 6.0
    rng, copies = np.random.default_rng(8), 60_000
    new = family.link.rows(THETA, np.array([who]))
    later = min(float(past.T[who]) + AHEAD - u, 9.0)
    walked = family.simulate(np.repeat(new, copies, axis=0), np.float64(u), rng)
    t_x = np.zeros(copies)
    np.maximum.at(t_x, walked.customer, walked.time)
    own = np.repeat(new, copies, axis=0)
    x = walked.count.astype(float)
    p = family.p_alive(own, x, t_x, np.full(copies, u))
    ahead = family.alive(own, x, t_x, np.full(copies, u))
    forecast = p * family.expected_purchases(ahead, np.float64(later))
    whole = family.expected_purchases(new, np.float64(u + later))
    early = family.expected_purchases(new, np.float64(u))
    agrees(forecast[None], whole - early)
    agrees(p[None], family.survival(new, np.float64(u)))


LAWS = (
    likelihood_is_the_mean_over_rates,
    p_alive_is_a_share_of_the_likelihood,
    without_effects_it_is_pareto_nbd,
    derivatives_are_slopes,
    a_step_in_two_is_one,
    futures_agree_with_each_other,
    futures_agree_with_given_rates,
    futures_agree_with_simulation,
    conditional_averages_to_unconditional,
)
