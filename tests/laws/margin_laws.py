"""Laws that the formulas for margins obey. Each raises AssertionError if one is broken.

Written once: test_margin_laws.py runs them over the formulas as they are, and
test_margin_planted_errors.py over formulas broken on purpose, which some law must catch.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from cxmodels.spend import normal_normal
from cxmodels.spend.normal_normal import NormalNormal

Formula = Callable[..., np.ndarray]
# mu, tau, sigma: mostly gains, mostly losses, customers nearly alike
THETAS = np.array([[7.0, 5.5, 12.0], [-1.3, 2.1, 0.6], [0.4, 0.05, 3.0]])
ORDERS = (1.0, 3.0, 8.0)
CUSTOMERS = 100_000
SIGMAS = 4.5
NORMAL = NormalNormal()


@dataclass(frozen=True)
class Formulas:
    """The formulas of the model, each of which may be exchanged for a wrong one."""

    log_density_of_mean: Formula = normal_normal.log_density_of_mean
    log_density_of_orders: Formula = normal_normal.log_density_of_orders
    seen: Formula = normal_normal.seen
    expected_margin: Formula = normal_normal.expected_margin
    variance_of_mean_margin: Formula = normal_normal.variance_of_mean_margin
    next_order_cdf: Formula = normal_normal.next_order_cdf
    next_order_quantile: Formula = normal_normal.next_order_quantile
    next_order_log_density: Formula = normal_normal.next_order_log_density
    expected_order: Formula = NORMAL.expected_order
    sums: Formula = NORMAL.sums
    revenue: Formula = NORMAL.revenue
    simulated_means: Formula = NORMAL.simulated_means
    next_orders: Callable[..., Callable[[float], np.ndarray]] = NORMAL.next_orders


NAMES = tuple(item.name for item in fields(Formulas))


def grid(theta: np.ndarray) -> tuple[np.ndarray, float]:
    """Margins and the step of an integral over them: trapezoids, exact for what is so smooth."""
    wide = float(np.hypot(theta[1], theta[2]))
    m = theta[0] + wide * np.arange(-12.0, 12.0, 0.01)
    return m, 0.01 * wide


def near(values: np.ndarray, expected: float, what: object) -> None:
    error = values.std() / np.sqrt(values.size)
    assert abs(values.mean() - expected) < SIGMAS * error, (what, values.mean(), expected, error)


def orders_are_jointly_normal(g: Formulas) -> None:
    """The density of x margins is that of a normal vector with a level in common."""
    rng = np.random.default_rng(1)
    for theta in THETAS:
        for count in (1, 2, 5):
            z = rng.normal(theta[0], 2.0 * theta[2], count)
            cov = theta[1] ** 2 + theta[2] ** 2 * np.eye(count)
            expected = stats.multivariate_normal(np.full(count, theta[0]), cov).logpdf(z)
            squares = ((z - z.mean()) ** 2).sum()
            found = g.log_density_of_orders(theta, np.float64(count), z.mean(), squares)
            assert abs(found - expected) < 1e-9, (theta, count)


def density_of_the_mean_has_its_moments(g: Formulas) -> None:
    for theta in THETAS:
        m, step = grid(theta)
        for x in ORDERS:
            density = np.exp(g.log_density_of_mean(theta, np.full_like(m, x), m)) * step
            assert abs(density.sum() - 1.0) < 1e-10, (theta, x)
            assert abs(density @ m - theta[0]) < 1e-8
            second = float(g.variance_of_mean_margin(theta)) + theta[2] ** 2 / x
            assert abs(density @ (m - theta[0]) ** 2 / second - 1.0) < 1e-8


def what_was_seen_updates_by_bayes(g: Formulas) -> None:
    """Density of x margins times that of the next one given them is the density of all x + 1."""
    for theta in THETAS:
        for x in (1.0, 4.0):
            z = theta[0] + theta[2] * np.array([0.4, -1.1, 0.9, 2.0])[: int(x)]
            after = np.append(z, theta[0] - 1.7 * theta[2])
            parts = []
            for orders in (z, after):
                squares = ((orders - orders.mean()) ** 2).sum()
                size = np.float64(orders.size)
                parts.append(g.log_density_of_orders(theta, size, orders.mean(), squares))
            customer = g.seen(theta, np.float64(x), np.float64(z.mean()))
            following = g.next_order_log_density(customer, after[-1])
            assert abs(parts[0] + following - parts[1]) < 1e-10, (theta, x)


def conditional_averages_to_unconditional(g: Formulas) -> None:
    for theta in THETAS:
        m, step = grid(theta)
        for x in ORDERS:
            density = np.exp(g.log_density_of_mean(theta, np.full_like(m, x), m)) * step
            customers = g.seen(theta, np.full_like(m, x), m)
            assert abs(density @ g.expected_margin(customers) - theta[0]) < 1e-8
            chance = density @ g.next_order_cdf(customers, np.float64(0.3))
            assert abs(chance - g.next_order_cdf(theta, np.float64(0.3))) < 1e-9
            spread = density @ (g.expected_margin(customers) - theta[0]) ** 2
            spread += density @ g.variance_of_mean_margin(customers)
            assert abs(spread / g.variance_of_mean_margin(theta) - 1.0) < 1e-8


def one_margin_is_a_mean_of_one(g: Formulas) -> None:
    for theta in THETAS:
        m = theta[0] + theta[2] * np.array([-3.0, -0.2, 0.0, 4.0])
        found = g.log_density_of_mean(theta, np.ones(4), m) - g.next_order_log_density(theta, m)
        assert np.abs(found).max() < 1e-12


def cdf_is_the_integral_of_the_density(g: Formulas) -> None:
    for theta in THETAS:
        m, step = grid(theta)
        density = np.exp(g.next_order_log_density(theta, m)) * step
        below = np.cumsum(density) - density / 2
        some = slice(900, 1500, 100)
        assert np.abs(g.next_order_cdf(theta, m[some]) - below[some]).max() < 1e-5
        assert g.next_order_cdf(theta, np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]


def quantile_inverts_the_cdf(g: Formulas) -> None:
    probability = np.array([1e-6, 0.05, 0.37, 0.5, 0.95, 1 - 1e-9])
    for theta in THETAS:
        margins = g.next_order_quantile(theta, probability)
        assert (np.diff(margins) > 0).all()
        assert np.abs(g.next_order_cdf(theta, margins) - probability).max() < 1e-12


def nothing_seen_is_nothing_learnt(g: Formulas) -> None:
    for theta in THETAS:
        found = g.seen(theta, np.array([0.0]), np.array([np.nan]))[0]
        assert np.abs(found - theta).max() < 1e-15


def much_seen_is_all_learnt(g: Formulas) -> None:
    for theta in THETAS:
        customer = g.seen(theta, np.float64(1e12), np.float64(-12.3))
        assert abs(g.expected_margin(customer) + 12.3) < 1e-6
        assert g.variance_of_mean_margin(customer) < 1e-9
        assert abs(customer[2] - theta[2]) < 1e-15


def customers_alike_have_nothing_to_learn(g: Formulas) -> None:
    theta = np.array([2.0, 0.0, 3.0])
    assert (g.seen(theta, np.array([5.0]), np.array([-40.0]))[0] == theta).all()
    constant = np.array([2.0, 0.0, 0.0])  # nor is there anything to divide by
    assert (g.seen(constant, np.array([5.0]), np.array([2.0]))[0] == constant).all()


def rows_and_draws(g: Formulas) -> None:
    """(n, d): each customer under each draw, as one at a time."""
    x, m = np.array([0.0, 1.0, 7.0]), np.array([0.0, -9.0, 4.0])
    found = g.expected_order(THETAS, x, m)
    for place, theta in enumerate(THETAS):
        alone = g.expected_margin(g.seen(theta, x, m))
        assert np.abs(found[:, place] - alone).max() < 1e-12


def simulation_agrees(g: Formulas) -> None:
    """Margins from the model's story: means, and the next one by what was seen."""
    for place, theta in enumerate(THETAS):
        mu, tau, sigma = theta
        rng = np.random.default_rng(place)
        level = mu + tau * rng.standard_normal(CUSTOMERS)
        past = level + sigma * rng.standard_normal((3, CUSTOMERS))
        following = level + sigma * rng.standard_normal(CUSTOMERS)
        m = past.mean(axis=0)
        customers = g.seen(theta, np.float64(3.0), m)
        expected = g.expected_margin(customers)
        near(following - expected, 0.0, (theta, "next"))
        near((following - expected) * m, 0.0, (theta, "next by mean"))
        held = following <= g.next_order_quantile(customers, 0.8)
        near(held.astype(float), 0.8, (theta, "quantile"))
        near((level - expected) ** 2, float(g.variance_of_mean_margin(customers)[0]), "level")
        means = g.simulated_means(theta, np.full(CUSTOMERS, 3.0), rng)
        near(means, mu, (theta, "simulated mean"))
        near((means - mu) ** 2, tau**2 + sigma**2 / 3.0, (theta, "spread of means"))
        one = g.next_orders(theta[None], 3.0, CUSTOMERS, rng)
        for mean in (mu, mu - 2.0 * tau):
            share = g.next_order_cdf(g.seen(theta, np.float64(3.0), np.float64(mean)), one(mean))
            near(share, 0.5, (theta, "next orders"))
            near((share - 0.5) ** 2, 1.0 / 12.0, (theta, "spread of next orders"))


def revenue_is_the_sum_of_orders(g: Formulas) -> None:
    """What discounted margins bring together, against every order simulated alone."""
    worth = np.array([1.0, 0.9, 0.5, 0.2])
    owner = np.array([0, 0, 1, 0])
    for place, theta in enumerate(THETAS):
        mu, tau, sigma = theta
        rng = np.random.default_rng([place, 5])
        sums = g.sums(np.tile(theta, (4, 1)), worth, owner, 3, rng)
        x, m = np.array([0.0, 2.0, 2.0]), np.array([0.0, mu - tau, mu])
        each = np.broadcast_to(sums[:, :, None], (2, 3, CUSTOMERS))
        found = g.revenue(np.tile(theta, (CUSTOMERS, 1)), each, x, m, rng)
        assert found.shape == (3, CUSTOMERS)
        assert not found[2].any()  # no orders, nothing brought
        for row, of in ((0, np.array([1.0, 0.9, 0.2])), (1, np.array([0.5]))):
            w = x[row] * tau**2 / (x[row] * tau**2 + sigma**2)
            middle, left = mu + w * (m[row] - mu), tau * np.sqrt(1.0 - w)
            level = middle + left * rng.standard_normal(CUSTOMERS)
            brought = level * of.sum() + sigma * (of @ rng.standard_normal((of.size, CUSTOMERS)))
            near(found[row], middle * of.sum(), (theta, row))
            variance = left**2 * of.sum() ** 2 + sigma**2 * (of**2).sum()
            near((found[row] - middle * of.sum()) ** 2, variance, (theta, row, "spread"))
            assert stats.ks_2samp(found[row], brought).pvalue > 1e-5


def currency_scales_and_shifts(g: Formulas) -> None:
    for theta in THETAS:
        cents, m, x = 100.0 * theta, np.float64(-1.7 * theta[2]), np.float64(3.0)
        moved = theta + np.array([50.0, 0.0, 0.0])
        plain = g.seen(theta, x, m)
        assert np.abs(g.seen(cents, x, 100.0 * m) - 100.0 * plain).max() < 1e-9
        assert np.abs(g.seen(moved, x, m + 50.0) - plain - [50.0, 0.0, 0.0]).max() < 1e-12
        there = g.next_order_quantile(moved, 0.3) - g.next_order_quantile(theta, 0.3)
        assert abs(there - 50.0) < 1e-12
        density = g.log_density_of_mean(cents, x, 100 * m) - g.log_density_of_mean(theta, x, m)
        assert abs(density + np.log(100)) < 1e-10


LAWS: tuple[Callable[[Formulas], None], ...] = (
    orders_are_jointly_normal,
    density_of_the_mean_has_its_moments,
    what_was_seen_updates_by_bayes,
    conditional_averages_to_unconditional,
    one_margin_is_a_mean_of_one,
    cdf_is_the_integral_of_the_density,
    quantile_inverts_the_cdf,
    nothing_seen_is_nothing_learnt,
    much_seen_is_all_learnt,
    customers_alike_have_nothing_to_learn,
    rows_and_draws,
    currency_scales_and_shifts,
    simulation_agrees,
    revenue_is_the_sum_of_orders,
)
