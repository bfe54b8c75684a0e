"""What an order earns when it may earn less than nothing: margins, returns and service included.

Normal-Normal model: one customer's margins are z ~ N(level, sigma^2), and level ~ N(mu, tau^2) over
customers. x: repeat orders; m: the mean of their margins; S: their squared deviations from it; a
customer who was seen is a new customer with mu' and tau'. So every formula below takes (mu', tau',
sigma) and serves both.

Source: Schmittlein and Peterson (1994), "Customer Base Analysis: An Industrial Purchase Process
Application", Marketing Science 13(1), section on the dollar volume of orders. Parameters stand on
the last axis; axes before it broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.spend.family import SpendFamily
from cxmodels.spend.fitted import FittedSpend, fit_spend
from cxmodels.spend.margins import RESOLUTION, MarginsObjective, OrderMargins

TINY = np.finfo(np.float64).tiny
FAR = 4.0  # standard errors by which counts of negative means differ before it is said
LOG_2PI = float(np.log(2.0 * np.pi))


def log_density_of_mean(theta: Floats, x: Number, m: Number) -> Floats:
    """Log density of the mean m of x margins: normal around mu, variance tau^2 + sigma^2 / x."""
    mu, tau, sigma = theta[..., 0], theta[..., 1], theta[..., 2]
    variance = tau**2 + sigma**2 / x
    return np.asarray(-0.5 * (LOG_2PI + np.log(variance) + (m - mu) ** 2 / variance))


def log_density_of_orders(theta: Floats, x: Floats, m: Floats, S: Floats) -> Floats:
    """Log density of x margins with mean m and squared deviations S.

    >>> theta = np.array([2.0, 1.5, 4.0])
    >>> one = log_density_of_orders(theta, np.array([1.0]), np.array([3.0]), np.array([0.0]))
    >>> bool(np.isclose(one, log_density_of_mean(theta, np.array([1.0]), np.array([3.0])))[0])
    True
    """
    sigma = theta[..., 2]
    about_mean = (x - 1.0) * (LOG_2PI + 2.0 * np.log(sigma)) + np.log(x) + S / sigma**2
    return np.asarray(log_density_of_mean(theta, x, m) - 0.5 * about_mean)


def share_learnt(theta: Floats, x: Number) -> Floats:
    """Weight of a customer's own mean of x orders, x tau^2 / (x tau^2 + sigma^2).

    >>> share_learnt(np.array([2.0, 1.0, 3.0]), np.array([0.0, 1.0, 9.0])).tolist()
    [0.0, 0.1, 0.5]
    """
    own = x * theta[..., 1] ** 2
    return np.asarray(own / np.maximum(own + theta[..., 2] ** 2, TINY))


def seen(theta: Floats, x: Number, m: Number) -> Floats:
    """Parameters (mu', tau', sigma) of a customer with x orders of mean m (NaN where x is 0)."""
    mu, tau, sigma = theta[..., 0], theta[..., 1], theta[..., 2]
    w = share_learnt(theta, x)
    own = np.where(np.asarray(x) > 0, m, 0.0)
    level = mu + w * (own - mu)
    return np.stack(np.broadcast_arrays(level, tau * np.sqrt(1.0 - w), sigma), axis=-1)


def expected_margin(theta: Floats) -> Floats:
    """Expected margin of an order, mu'.

    >>> theta = np.array([2.0, 1.0, 3.0])
    >>> expected_margin(seen(theta, np.array([1.0, 9.0]), np.array([-8.0, -8.0]))).tolist()
    [1.0, -3.0]
    """
    return np.asarray(theta[..., 0])


def variance_of_mean_margin(theta: Floats) -> Floats:
    """Variance over customers of their own level, tau'^2."""
    return np.asarray(theta[..., 1] ** 2)


def spread_of_order(theta: Floats) -> Floats:
    """Standard deviation of one order of a customer whose level is not known."""
    return np.hypot(theta[..., 1], theta[..., 2])


def next_order_cdf(theta: Floats, amount: Number) -> Floats:
    """P(next margin <= amount).

    >>> next_order_cdf(np.array([3.0, 3.0, 4.0]), np.array([-2.0, 3.0])).round(4)
    array([0.1587, 0.5   ])
    """
    spread = np.maximum(spread_of_order(theta), TINY)
    return np.asarray(scipy.special.ndtr((amount - theta[..., 0]) / spread))


def next_order_quantile(theta: Floats, probability: float | Floats) -> Floats:
    """What the next margin stays below with the given probability; infinite at 0 and 1."""
    return np.asarray(theta[..., 0] + spread_of_order(theta) * scipy.special.ndtri(probability))


def next_order_log_density(theta: Floats, amount: Floats) -> Floats:
    """Log density of the next margin at `amount`."""
    return log_density_of_mean(theta, 1.0, amount)


@dataclass(frozen=True)
class NormalNormal(SpendFamily):
    """Normal-Normal model of margins, negative ones included (Schmittlein and Peterson 1994)."""

    name: str = field(default="Normal-Normal", init=False)
    losses: bool = field(default=True, init=False)

    def fit(self, base: CustomerBase) -> FittedSpend:
        """Maximum likelihood on the margins of repeat orders: their means, and how they vary.

        Args: base: a customer base made with negative="loss", so that amounts are margins.
        Returns: the frozen fit. Raises: DataError where fewer than three customers have repeat
        orders, OptionError where amounts are payments.

        >>> import cxmodels as cx
        >>> log = cx.samples.cdnow().assign(margin=lambda log: 0.3 * log["amount"] - 5.0)
        >>> base = cx.customer_base(log, customer="customer_id", time="date", amount="margin",
        ...                         unit="week", end="1997-09-30", negative="loss")
        >>> NormalNormal().fit(base).parameters["estimate"].round(1).to_dict()
        {'mu': 5.8, 'tau': 6.1, 'sigma': 11.9}
        """
        return fit_spend(self, base)

    def objective(self, base: CustomerBase) -> Objective:
        if not base.losses:
            raise OptionError(
                f"{self.name} is a model of margins, and the amounts of this base are payments: "
                'make it with negative="loss", or fit cx.GammaGamma()'
            )
        return MarginsObjective(OrderMargins.from_table(base.table))

    def seen(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        return seen(theta, x, m)

    def expected_order(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        mu, w = theta[:, 0], share_learnt(theta, x[:, None])
        return np.asarray(mu + w * (m[:, None] - mu))

    def cdf(self, theta: Floats, amount: Floats) -> Floats:
        return next_order_cdf(theta, amount)

    def quantile(self, theta: Floats, probability: float | Floats) -> Floats:
        return next_order_quantile(theta, probability)

    def next_orders(
        self, theta: Floats, x: float, copies: int, rng: np.random.Generator
    ) -> Callable[[float], Floats]:
        spread = spread_of_order(seen(theta, x, 0.0))
        chance = spread * rng.standard_normal((copies, len(theta)))
        count = np.array([x])
        return lambda m: self.expected_order(theta, count, np.array([m])) + chance

    def sums(
        self, theta: Floats, worth: Floats, owner: Ints, owners: int, rng: np.random.Generator
    ) -> Floats:
        """Sums of discount factors and of their squares: D and Q in `revenue`."""
        parts = [np.bincount(owner, weights=of, minlength=owners) for of in (worth, worth**2)]
        return np.stack(parts).astype(np.float64)

    def revenue(
        self, theta: Floats, sums: Floats, x: Floats, m: Floats, rng: np.random.Generator
    ) -> Floats:
        """Given D and Q, orders bring N(mu' D, tau'^2 D^2 + sigma^2 Q) together."""
        D, Q = sums
        found = self.expected_order(theta, x, m)
        tau, sigma = theta[:, 1], theta[:, 2]
        left = tau**2 * (1.0 - share_learnt(theta, x[:, None]))
        variance = left * D**2
        variance += sigma**2 * Q
        found *= D
        found += np.sqrt(variance, out=variance) * rng.standard_normal(found.shape)
        return found

    def simulated_means(self, theta: Floats, x: Floats, rng: np.random.Generator) -> Floats:
        mu, tau, sigma = theta
        return np.asarray(mu + np.sqrt(tau**2 + sigma**2 / x) * rng.standard_normal(x.size))

    def misfit(self, theta: Floats, base: CustomerBase) -> tuple[str, ...]:
        """Customers with a negative mean margin: how many the base has, and the model expects."""
        x = base.table["paid_frequency"].to_numpy(dtype=np.float64)
        m = base.table["monetary_value"].to_numpy(dtype=np.float64)
        known = (x >= 1) & ~np.isnan(m)
        mu, tau, sigma = theta
        spread = np.maximum(np.sqrt(tau**2 + sigma**2 / x[known]), TINY)
        chance = scipy.special.ndtr(-mu / spread)
        found, expected = int((m[known] < 0.0).sum()), float(chance.sum())
        if abs(found - expected) <= FAR * np.sqrt((chance * (1.0 - chance)).sum()) + 1.0:
            return ()
        return (
            f"{found:,} of {int(known.sum()):,} customers have a negative mean margin, where "
            f"normal margins would give {expected:,.0f}: margins are skewed or have heavy tails. "
            "Means and totals stand; chances of a loss and intervals of single customers are "
            "rough.",
        )

    def warnings(self, theta: Floats) -> tuple[str, ...]:
        mu, tau, _ = theta
        lost = float(next_order_cdf(theta, 0.0))
        below = float(scipy.special.ndtr(-mu / max(tau, TINY)))
        said = [
            f"An order of a new customer is at a loss with probability {lost:.0%}; {below:.0%} of "
            "customers have a level of margin below 0, so more of their orders mean less value."
        ]
        if spread_of_order(theta) < 3.0 * RESOLUTION * abs(mu):
            said = ["Margins do not vary: what differs is below a millionth of their size."]
        if mu <= 0.0:
            said.append(
                f"mu = {mu:.4g} is 0 or below: on average over customers an order earns nothing or "
                "loses money."
            )
        return tuple(said)
