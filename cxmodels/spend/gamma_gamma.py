"""How much a customer spends on an order, learnt from few orders by leaning on all customers.

Gamma-Gamma model: one customer's orders are z ~ Gamma(p, rate nu), and nu ~ Gamma(q, rate gamma)
over customers. x: paid repeat orders; m: their mean; a customer who was seen is a new customer
with q' = q + p x and gamma' = gamma + m x. So every formula below takes (p, q', gamma') and serves
both, and the next order is gamma' times a beta-prime(p, q').

Sources: Colombo and Jiang (1999); Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary
Value", cited below as FH. Parameters stand on the last axis; axes before it broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import CustomerBase
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.spend.family import SpendFamily
from cxmodels.spend.fitted import FittedSpend, fit_spend
from cxmodels.spend.order_means import OrderMeans, SpendObjective, ask_for_payments


def log_density_of_mean(theta: Floats, x: Floats, m: Floats) -> Floats:
    """Log density of the mean m of x paid orders, FH equation (1a).

    theta: (..., 3) as p, q, gamma; x: paid orders, 1 or more; m: their mean, above 0.

    >>> theta = np.array([6.25, 3.74, 15.44])
    >>> log_density_of_mean(theta, np.array([2.0]), np.array([35.0])).round(6)
    array([-4.095817])
    """
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    total = m * x
    # written with log1p so that neither a huge p nor a tiny gamma loses digits
    return np.asarray(
        -scipy.special.betaln(p * x, q)
        - p * x * np.log1p(gamma / total)
        - q * np.log1p(total / gamma)
        - np.log(m)
    )


def seen(theta: Floats, x: Floats, m: Floats) -> Floats:
    """Parameters (p, q + p x, gamma + m x) of a customer with x paid orders of mean m, FH (4).

    m may be NaN where x is 0: such a customer is a new one.
    """
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    total = np.where(np.asarray(x) > 0, np.asarray(m) * np.asarray(x), 0.0)
    return np.stack(np.broadcast_arrays(p, q + p * x, gamma + total), axis=-1)


def expected_spend(theta: Floats) -> Floats:
    """Expected amount of an order, p gamma' / (q' - 1), FH (5); infinite where q' <= 1.

    theta: (..., 3) as `seen` returns them, or the population's own.

    >>> cdnow = np.array([6.249349, 3.744256, 15.444307])
    >>> expected_spend(seen(cdnow, np.array([2.0]), np.array([30.0, 35.0, 40.0]))).round(4)
    array([30.9309, 35.0307, 39.1305])
    """
    return mean_order(theta[..., 0], theta[..., 1], theta[..., 2])


def mean_order(p: Number, q: Number, gamma: Number) -> Floats:
    """`expected_spend` of parameters given one by one, which broadcast."""
    with np.errstate(divide="ignore"):  # q = 1: infinite
        mean = np.asarray(p * gamma)
        mean /= np.maximum(q - 1.0, 0.0)
    return mean


def variance_of_mean_spend(theta: Floats) -> Floats:
    """Variance over customers of their own mean order p / nu; infinite where q' <= 2.

    From 1 / nu being inverse gamma: p^2 gamma'^2 / ((q' - 1)^2 (q' - 2)).
    """
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    finite = q > 2
    safe = np.where(finite, q, 3.0)
    return np.where(finite, (p * gamma / (safe - 1)) ** 2 / (safe - 2), np.inf)


def next_order_cdf(theta: Floats, amount: Floats) -> Floats:
    """P(next order <= amount): gamma' times a beta-prime(p, q') variable.

    >>> next_order_cdf(np.array([6.25, 3.74, 15.44]), np.array([0.0, 35.0])).round(4)
    array([0.    , 0.6527])
    """
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    amount = np.maximum(amount, 0.0)
    with np.errstate(invalid="ignore"):  # an infinite amount: the share is 1
        share = np.where(np.isinf(amount), 1.0, amount / (gamma + amount))
    return np.asarray(scipy.special.betainc(p, q, share))


def next_order_quantile(theta: Floats, probability: float | Floats) -> Floats:
    """The amount that the next order stays below with the given probability.

    >>> theta = np.array([6.25, 3.74, 15.44])
    >>> round(float(next_order_cdf(theta, next_order_quantile(theta, 0.9))), 12)
    0.9
    """
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    share = scipy.special.betaincinv(p, q, probability)
    rest = scipy.special.betaincinv(
        q, p, 1 - np.asarray(probability)
    )  # 1 - share, exact in the upper tail
    with np.errstate(divide="ignore"):  # probability 1: the amount is infinite
        return np.asarray(gamma * share / rest)


def next_order_log_density(theta: Floats, amount: Floats) -> Floats:
    """Log density of the next order at `amount` > 0 (beta-prime with scale gamma')."""
    p, q, gamma = theta[..., 0], theta[..., 1], theta[..., 2]
    ratio = amount / gamma
    return np.asarray(
        scipy.special.xlogy(p - 1, ratio)
        - (p + q) * np.log1p(ratio)
        - scipy.special.betaln(p, q)
        - np.log(gamma)
    )


@dataclass(frozen=True)
class GammaGamma(SpendFamily):
    """Gamma-Gamma model of spend per order (Colombo and Jiang 1999; Fader and Hardie 2013)."""

    name: str = field(default="Gamma-Gamma", init=False)
    losses: bool = field(default=False, init=False)

    def fit(self, base: CustomerBase) -> FittedSpend:
        """Maximum likelihood on the mean paid repeat order of each customer that has one.

        Args: base: a customer base with monetary_value.
        Returns: the frozen fit. Raises: DataError where fewer than three customers have paid
        repeat orders, OptionError where amounts are margins.
        """
        return fit_spend(self, base)

    def objective(self, base: CustomerBase) -> Objective:
        ask_for_payments(base, self.name)
        return SpendObjective(OrderMeans.from_table(base.table))

    def seen(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        return seen(theta, x, m)

    def expected_order(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        p, q, gamma = theta.T
        x = x[:, None]
        return mean_order(p, q + p * x, gamma + x * m[:, None])

    def cdf(self, theta: Floats, amount: Floats) -> Floats:
        return next_order_cdf(theta, amount)

    def quantile(self, theta: Floats, probability: float | Floats) -> Floats:
        return next_order_quantile(theta, probability)

    def next_orders(
        self, theta: Floats, x: float, copies: int, rng: np.random.Generator
    ) -> Callable[[float], Floats]:
        p, q, gamma = theta.T
        shape = (copies, len(theta))
        ratio = rng.standard_gamma(p, shape) / rng.standard_gamma(q + p * x, shape)
        return lambda m: (gamma + x * m) * ratio

    def sums(
        self, theta: Floats, worth: Floats, owner: Ints, owners: int, rng: np.random.Generator
    ) -> Floats:
        """S = sum of d(t_j) Gamma(p), in units of the customer's own level of spend."""
        orders = worth * rng.standard_gamma(theta[:, 0])
        return np.bincount(owner, weights=orders, minlength=owners)[None].astype(np.float64)

    def revenue(
        self, theta: Floats, sums: Floats, x: Floats, m: Floats, rng: np.random.Generator
    ) -> Floats:
        """(gamma + x m) S / G with G ~ Gamma(q + p x)."""
        p, q, gamma = theta.T
        found = sums[0] * (gamma + (x * m)[:, None])
        found /= levels(p, q, x, rng)
        return np.asarray(found)

    def simulated_means(self, theta: Floats, x: Floats, rng: np.random.Generator) -> Floats:
        p, q, gamma = theta
        nu = rng.standard_gamma(q, x.size) / gamma
        return np.asarray(rng.standard_gamma(p * x) / (x * nu))

    def warnings(self, theta: Floats) -> tuple[str, ...]:
        q = float(theta[1])
        if q <= 1:
            return (
                f"q = {q:.2f} is 1 or below: a customer without paid orders has an infinite "
                "expected order. The data have too few or too extreme large spenders for a mean.",
            )
        if q <= 2:
            return (
                f"q = {q:.2f} is 2 or below: mean orders vary over customers without a finite "
                "variance, so a few very large spenders may outweigh all others.",
            )
        return ()


def levels(p: Floats, q: Floats, orders: Floats, rng: np.random.Generator) -> Floats:
    """(n, d) draws of G ~ Gamma(q + p x) for customers with `orders` paid orders (n,)."""
    return rng.standard_gamma(q + p * orders[:, None])
