"""The orders behind a spend model: how many a customer paid for and their mean, and how likely
given parameters make them.

Only customers with at least one paid repeat order speak about spend; the others are counted.
The Gamma-Gamma log likelihood is a sum of log-beta terms over the distinct order counts x plus
two sums over customers, A(gamma) = sum w x log(1 + gamma / (x m)) and
B(gamma) = sum w log(1 + x m / gamma), with p and q as their factors. Thousands of posterior draws
therefore need A and B only as curves in log gamma, which Chebyshev interpolation gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats, dot
from cxmodels.numerics.transforms import Dimension, Parameter, Space

SPACE = Space(
    (
        Parameter(
            "p",
            "evenness of one customer's orders",
            low="one customer's orders differ without limit",
            high="all orders of one customer are equal",
        ),
        Parameter(
            "q",
            "evenness of customers among each other",
            low="customers differ without limit; the mean spend is infinite",
            high="all customers spend alike",
        ),
        Parameter(
            "gamma",
            "scale of spend",
            dimension=Dimension.MONEY,
            low="the scale of spend is lost to p",
            high="the scale of spend is lost to q",
        ),
    )
)


def ask_for_payments(base: CustomerBase, asker: str) -> None:
    """Raises OptionError where the amounts of a base are margins, which may be negative."""
    if base.losses:
        raise OptionError(
            f'{asker} knows positive amounts alone, and this base was made with negative="loss": '
            "its amounts are margins. cx.NormalNormal() is the model for them"
        )


@dataclass(frozen=True)
class OrderMeans:
    """Distinct (paid orders x, mean m) with how many customers share them.

    customers: all customers of the base; used: those with a paid repeat order; the paid share is
    paid_orders / repeat_orders (zero amounts count as orders, not as spend).
    """

    x: Floats
    m: Floats
    weight: Floats
    customers: int
    used: int
    repeat_orders: int
    paid_orders: int

    @property
    def total(self) -> Floats:
        """Amount x m paid by each row's customer."""
        return self.x * self.m

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "OrderMeans":
        """The paid repeat orders of a base's table (frequency, paid_frequency, monetary_value)."""
        x = table["paid_frequency"].to_numpy(dtype=np.float64)
        m = table["monetary_value"].to_numpy(dtype=np.float64)
        known = (x >= 1) & np.where(np.isnan(m), False, m > 0)
        if known.sum() < 3:
            problem = Problem(
                f"spend cannot be estimated: {int(known.sum())} of {len(table):,} customers have "
                "a repeat order with a positive amount; at least 3 are needed"
            )
            raise DataError("customer base", [problem])
        pairs, weight = np.unique(
            np.stack([x[known], m[known]], axis=1), axis=0, return_counts=True
        )
        return cls(
            x=pairs[:, 0],
            m=pairs[:, 1],
            weight=weight.astype(np.float64),
            customers=len(table),
            used=int(known.sum()),
            repeat_orders=int(table["frequency"].sum()),
            paid_orders=int(x.sum()),
        )


@dataclass(frozen=True)
class SpendObjective:
    """The Gamma-Gamma log likelihood of one base's order means."""

    data: OrderMeans

    @cached_property
    def counts(self) -> Floats:
        """Distinct numbers of paid orders."""
        return np.unique(self.data.x)

    @cached_property
    def customers_by_count(self) -> Floats:
        """Customers at each distinct number of paid orders."""
        place = np.searchsorted(self.counts, self.data.x)
        return np.bincount(place, self.data.weight).astype(np.float64)

    @property
    def space(self) -> Space:
        """p, q and gamma."""
        return SPACE

    @property
    def rows(self) -> int:
        """Customers with a paid repeat order."""
        return self.data.used

    @property
    def scales(self) -> Floats:
        """1, 1 and the mean paid order."""
        return SPACE.scales(1.0, self.mean_order)

    @cached_property
    def mean_order(self) -> float:
        """Mean amount of a paid repeat order."""
        data = self.data
        return float((data.weight * self.data.total).sum() / (data.weight * data.x).sum())

    @cached_property
    def _log_means(self) -> float:
        return float((self.data.weight * np.log(self.data.m)).sum())

    def curves(self, gamma: Floats) -> Floats:
        """A and B (2, g) at each gamma (g,): one pass over the customers for each."""
        weight, x = self.data.weight, self.data.x
        found = np.empty((2, gamma.size))
        for place, value in enumerate(gamma):
            found[0, place] = dot(weight, x, np.log1p(value / self.data.total))
            found[1, place] = dot(weight, np.log1p(self.data.total / value))
        return found

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) of theta (..., 3): the density of the means, FH equation (1a)."""
        p, q, gamma = (theta[..., place, None] for place in range(3))
        betas = -(scipy.special.betaln(p * self.counts, q) @ self.customers_by_count)
        A, B = _by_interpolation(self.curves, gamma[..., 0])
        return np.asarray(betas - p[..., 0] * A - q[..., 0] * B - self._log_means)

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian at theta (3,), all analytic."""
        p, q, gamma = theta
        x, n = self.counts, self.customers_by_count
        weight, s = self.data.weight, self.data.total
        wx = weight * self.data.x
        A, B = self.curves(np.array([gamma]))[:, 0]
        inverse = 1.0 / (gamma + s)
        dA, dB = dot(wx, inverse), -dot(weight, s, inverse) / gamma
        ddA = -dot(wx, inverse, inverse)
        ddB = (
            dot(weight, s * (2 * gamma + s), inverse, inverse) / gamma**2
        )  # 1/gamma^2 - 1/(gamma+s)^2
        value = -(scipy.special.betaln(p * x, q) @ n) - p * A - q * B - self._log_means
        both, one = scipy.special.psi(p * x + q), scipy.special.psi(p * x)
        gradient = np.array(
            [(n * x) @ (both - one) - A, n @ (both - scipy.special.psi(q)) - B, -p * dA - q * dB]
        )
        both, one = scipy.special.polygamma(1, p * x + q), scipy.special.polygamma(1, p * x)
        pp, pq = (n * x**2) @ (both - one), (n * x) @ both
        qq = n @ (both - scipy.special.polygamma(1, q))
        hessian = np.array([[pp, pq, -dA], [pq, qq, -dB], [-dA, -dB, -p * ddA - q * ddB]])
        return Derivatives(float(value), gradient, hessian)

    def starts(self) -> Floats:
        """Four combinations of p and q, with gamma so that the mean order is the data's."""
        p, q = np.array([[3.0, 4.0], [1.0, 3.0], [10.0, 3.0], [3.0, 30.0]]).T
        return np.stack([p, q, self.mean_order * (q - 1) / p], axis=-1)

    def thinned(self, rows: int) -> "SpendObjective":
        """Every k-th distinct row, so that about `rows` remain."""
        step = len(self.data.x) // max(rows, 1)
        if step < 2:
            return self
        part = slice(None, None, step)
        data = replace(
            self.data,
            x=self.data.x[part],
            m=self.data.m[part],
            weight=self.data.weight[part],
            used=int(self.data.weight[part].sum()),
        )
        return SpendObjective(data)


def _by_interpolation(curves: Callable[[Floats], Floats], gamma: Floats) -> Floats:
    """A and B (2, ...) at many gammas: direct when few, else Chebyshev in log gamma.

    log(1 + s / e^u) is analytic within pi of the real line, so that on an interval of half width
    h the error falls by rho = pi / h + sqrt(1 + (pi / h)^2) with each node.
    """
    flat = gamma.ravel()
    good = np.isfinite(flat) & (flat > 0)
    u = np.log(np.where(good, flat, 1.0))
    low, high = (u[good].min(), u[good].max()) if good.any() else (0.0, 0.0)
    half = max((high - low) / 2, 1e-9)
    ratio = np.pi / half
    nodes = int(np.ceil(36.7 / np.log(ratio + np.hypot(1.0, ratio)))) + 4  # exp(-36.7) = 1e-16
    if nodes >= flat.size:
        found = curves(np.where(good, flat, 1.0))
    else:
        angle = (np.arange(nodes) + 0.5) * np.pi / nodes
        at = curves(np.exp((low + high) / 2 + half * np.cos(angle)))
        order = np.arange(nodes)
        coefficients = 2 / nodes * at @ np.cos(np.outer(angle, order))
        coefficients[:, 0] /= 2
        position = np.clip((u - (low + high) / 2) / half, -1, 1)
        found = np.polynomial.chebyshev.chebval(position, coefficients.T)
    found = np.where(good, found, np.inf)
    return np.asarray(found.reshape(2, *gamma.shape))
