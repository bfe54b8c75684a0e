"""Laws that the Gamma-Gamma formulas obey. Each raises AssertionError if one is broken.

Written once: test_spend_laws.py runs them over the formulas as they are, and
test_value_planted_errors.py over formulas broken on purpose, which some law must catch.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from cxmodels.spend import gamma_gamma

Formula = Callable[..., np.ndarray]
# p, q, gamma in general position; q above 2.5, so that variances over customers exist
THETAS = np.array([[6.25, 3.74, 15.44], [0.83, 5.3, 41.0], [2.6, 3.1, 0.7]])
ORDERS = (1.0, 3.0, 8.0)
CUSTOMERS = 100_000
SIGMAS = 4.5  # about 100 comparisons with simulation, each missed once in 150,000 honest runs


@dataclass(frozen=True)
class Formulas:
    """The formulas of the model, each of which may be exchanged for a wrong one."""

    log_density_of_mean: Formula = gamma_gamma.log_density_of_mean
    seen: Formula = gamma_gamma.seen
    expected_spend: Formula = gamma_gamma.expected_spend
    variance_of_mean_spend: Formula = gamma_gamma.variance_of_mean_spend
    next_order_cdf: Formula = gamma_gamma.next_order_cdf
    next_order_quantile: Formula = gamma_gamma.next_order_quantile
    next_order_log_density: Formula = gamma_gamma.next_order_log_density


NAMES = tuple(item.name for item in fields(Formulas))


def grid(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amounts m and weights of an integral over m from 0 to infinity: trapezoids in log m."""
    step = 0.02
    # the density falls at least like m^0.83 at 0 and like m^-3.1 (m^-1.1 when times m^2) above
    m = np.exp(np.arange(-50.0, 40.0, step)) * theta[2]
    return m, step * m


def density_integrates_to_one(g: Formulas) -> None:
    for theta in THETAS:
        m, weight = grid(theta)
        for x in ORDERS:
            total = np.exp(g.log_density_of_mean(theta, np.full_like(m, x), m)) @ weight
            assert abs(total - 1.0) < 1e-10, (theta, x, total)


def density_has_the_moments(g: Formulas) -> None:
    """E[m] is the expected spend; E[m^2] = E[(p / nu)^2] (1 + 1 / (p x))."""
    for theta in THETAS:
        m, weight = grid(theta)
        mean = float(g.expected_spend(theta))
        second = float(g.variance_of_mean_spend(theta)) + mean**2
        for x in ORDERS:
            density = np.exp(g.log_density_of_mean(theta, np.full_like(m, x), m)) * weight
            assert abs(density @ m / mean - 1.0) < 1e-9, (theta, x)
            assert abs(density @ m**2 / (second * (1 + 1 / (theta[0] * x))) - 1.0) < 1e-6


def conditional_averages_to_unconditional(g: Formulas) -> None:
    """Over all means m of x orders, what is expected next is what is expected of anybody."""
    for theta in THETAS:
        m, weight = grid(theta)
        amount = np.float64(1.3 * theta[2])
        for x in ORDERS:
            density = np.exp(g.log_density_of_mean(theta, np.full_like(m, x), m)) * weight
            customers = g.seen(theta, x, m)
            assert abs(density @ g.expected_spend(customers) / g.expected_spend(theta) - 1) < 1e-9
            chance = density @ g.next_order_cdf(customers, amount)
            assert abs(chance - g.next_order_cdf(theta, amount)) < 1e-9


def bayes_rule_holds(g: Formulas) -> None:
    """Mean m of x orders, then an order z: the density of the mean of all x + 1, both ways.

    f(m) f(z | m) against f(m') f(z' | m') with the roles of two single orders exchanged.
    """
    for theta in THETAS:
        first, second = 0.7 * theta[2], 2.9 * theta[2]
        both = []
        for m, z in ((first, second), (second, first)):
            one = np.float64(1.0)
            then = g.next_order_log_density(g.seen(theta, one, np.float64(m)), np.float64(z))
            both.append(float(g.log_density_of_mean(theta, one, np.float64(m)) + then))
        assert abs(both[0] - both[1]) < 1e-10, (theta, both)


def one_order_is_a_mean_of_one(g: Formulas) -> None:
    for theta in THETAS:
        m = theta[2] * np.array([0.02, 0.4, 1.7, 30.0])
        found = g.log_density_of_mean(theta, np.ones(4), m) - g.next_order_log_density(theta, m)
        assert np.abs(found).max() < 1e-10


def cdf_is_the_integral_of_the_density(g: Formulas) -> None:
    for theta in THETAS:
        m, weight = grid(theta)
        density = np.exp(g.next_order_log_density(theta, m)) * weight
        assert abs(density.sum() - 1.0) < 1e-10
        below = np.cumsum(density) - density / 2  # trapezoids up to each point
        some = slice(2000, 2900, 90)
        found = g.next_order_cdf(theta, m[some])
        assert np.abs(found - below[some]).max() < 2e-4, theta  # the last half step is of order 2
        assert g.next_order_cdf(theta, np.array([-1.0, 0.0, np.inf])).tolist() == [0.0, 0.0, 1.0]


def quantile_inverts_the_cdf(g: Formulas) -> None:
    probability = np.array([1e-6, 0.05, 0.37, 0.5, 0.95, 1 - 1e-9])
    for theta in THETAS:
        amounts = g.next_order_quantile(theta, probability)
        assert (np.diff(amounts) > 0).all()
        assert np.abs(g.next_order_cdf(theta, amounts) - probability).max() < 1e-12
        assert g.next_order_quantile(theta, np.array([0.0, 1.0])).tolist() == [0.0, np.inf]


def currency_scales(g: Formulas) -> None:
    for theta in THETAS:
        cents, m, x = theta * [1, 1, 100], np.float64(1.7 * theta[2]), np.float64(3.0)
        seen, seen_cents = g.seen(theta, x, m), g.seen(cents, x, 100 * m)
        assert abs(g.expected_spend(seen_cents) / g.expected_spend(seen) - 100) < 1e-10
        spread = g.variance_of_mean_spend(seen_cents) / g.variance_of_mean_spend(seen)
        assert abs(spread - 10_000) < 1e-8
        assert abs(g.next_order_cdf(seen_cents, 100 * m) - g.next_order_cdf(seen, m)) < 1e-12
        quantiles = [g.next_order_quantile(case, 0.9) for case in (seen_cents, seen)]
        assert abs(quantiles[0] / quantiles[1] - 100) < 1e-10
        density = g.log_density_of_mean(cents, x, 100 * m) - g.log_density_of_mean(theta, x, m)
        assert abs(density + np.log(100)) < 1e-10


def nothing_seen_is_nothing_learnt(g: Formulas) -> None:
    for theta in THETAS:
        assert (g.seen(theta, np.array([0.0]), np.array([np.nan]))[0] == theta).all()


def much_seen_is_all_learnt(g: Formulas) -> None:
    for theta in THETAS:
        customer = g.seen(theta, np.float64(1e9), np.float64(12.3))
        assert abs(g.expected_spend(customer) / 12.3 - 1.0) < 1e-6
        assert g.variance_of_mean_spend(customer) < 1e-6


def no_mean_without_enough_q(g: Formulas) -> None:
    theta = np.array([[2.0, 1.0, 5.0], [2.0, 0.4, 5.0], [2.0, 1.7, 5.0]])
    assert np.isinf(g.expected_spend(theta)).tolist() == [True, True, False]
    assert np.isinf(g.variance_of_mean_spend(theta)).all()


def simulation_agrees(g: Formulas) -> None:
    """Orders from the model's story: means, their spread, the next order by what was seen."""
    for place, theta in enumerate(THETAS):
        p, q, gamma = theta
        rng = np.random.default_rng(place)
        nu = rng.gamma(q, 1 / gamma, CUSTOMERS)
        past = rng.gamma(p, 1.0, (3, CUSTOMERS)) / nu
        following = rng.gamma(p, 1.0, CUSTOMERS) / nu
        m = past.mean(axis=0)
        near(m, float(g.expected_spend(theta)), "mean spend")
        customers = g.seen(theta, np.float64(3.0), m)
        expected = g.expected_spend(customers)
        group = np.searchsorted(np.quantile(m, [0.25, 0.5, 0.75]), m)
        for part in range(4):  # by what was seen, so that errors do not average away
            inside = group == part
            near((following - expected)[inside], 0.0, f"next order, quarter {part}")
            share = g.next_order_cdf(customers[inside], following[inside])
            assert stats.kstest(share, "uniform").pvalue > 1e-5, (theta, part)
            level = (p / nu)[inside]
            spread = (level - expected[inside]) ** 2 - g.variance_of_mean_spend(customers[inside])
            near(np.clip(spread, -1e4 * gamma**2, 1e4 * gamma**2), 0.0, "variance of the level")


def near(sample: np.ndarray, expected: float, what: str) -> None:
    """The mean of a simulated sample agrees with a formula within its Monte Carlo error."""
    error = sample.std() / np.sqrt(sample.size) + 1e-12
    assert abs(sample.mean() - expected) < SIGMAS * error, (what, sample.mean(), expected, error)


LAWS: tuple[Callable[[Formulas], None], ...] = (
    nothing_seen_is_nothing_learnt,
    much_seen_is_all_learnt,
    no_mean_without_enough_q,
    currency_scales,
    density_integrates_to_one,
    density_has_the_moments,
    conditional_averages_to_unconditional,
    bayes_rule_holds,
    one_order_is_a_mean_of_one,
    cdf_is_the_integral_of_the_density,
    quantile_inverts_the_cdf,
    simulation_agrees,
)
