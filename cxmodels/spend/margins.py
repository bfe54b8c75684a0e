"""The margins behind a spend model, and how likely given parameters make them.

All that the Normal-Normal likelihood knows of customers with x repeat orders is how many they are,
the mean of their mean margins and how these vary; and, where the base keeps the squared deviations
of each customer's margins, their sum over all customers. So it costs the same for a thousand
customers and for a million. Without those deviations the density is that of the means alone, and
sigma is learnt from how means of many orders vary less than means of few.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cxmodels.errors import DataError, Problem
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Dimension, Parameter, Space, Support

SPACE = Space(
    (
        Parameter(
            "mu",
            "mean margin of an order, over customers",
            Support.REAL,
            Dimension.MONEY,
            low="margins are negative without limit",
            high="margins are without limit",
        ),
        Parameter(
            "tau",
            "standard deviation of customers' own levels of margin",
            dimension=Dimension.MONEY,
            low="all customers have the same level of margin",
            high="customers differ without limit",
        ),
        Parameter(
            "sigma",
            "standard deviation of one customer's margins",
            dimension=Dimension.MONEY,
            low="all orders of one customer earn the same",
            high="one customer's orders differ without limit",
        ),
    )
)
RESOLUTION = 1e-6  # of the typical size: margins closer than that are not told apart
LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class OrderMargins:
    """Margins of repeat orders by count of orders x (k,), and all together.

    x: distinct counts; customers: who has so many; mean: of their mean margins; spread: squared
    deviations of these from `mean`, summed; within: squared deviations of margins from the mean of
    their customer, summed over all, None where the base does not keep them.
    """

    x: Floats
    customers: Floats
    mean: Floats
    spread: Floats
    within: float | None

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "OrderMargins":
        """The paid repeat orders of a base's table (paid_frequency, monetary_value)."""
        x = table["paid_frequency"].to_numpy(dtype=np.float64)
        m = table["monetary_value"].to_numpy(dtype=np.float64)
        known = (x >= 1) & ~np.isnan(m)
        if known.sum() < 3:
            problem = Problem(
                f"margins cannot be learnt: {int(known.sum())} of {len(table):,} customers have a "
                "repeat order; at least 3 are needed"
            )
            raise DataError("customer base", [problem])
        if not m[known].any() and not (table.get("monetary_squares", x)[known] > 0).any():
            problem = Problem("every margin is 0", int(known.sum()), remedy="Check the column.")
            raise DataError("customer base", [problem])
        counts, place = np.unique(x[known], return_inverse=True)
        customers = np.bincount(place).astype(np.float64)
        mean = np.bincount(place, weights=m[known]) / customers
        blur = (RESOLUTION * float(np.sqrt(np.mean(m[known] ** 2)))) ** 2
        off = np.bincount(place, weights=(m[known] - mean[place]) ** 2)
        spread = off + blur * customers / counts
        within = None
        if "monetary_squares" in table:
            squares = table["monetary_squares"].to_numpy(dtype=np.float64)
            within = float(squares[known].sum() + blur * (x[known] - 1.0).sum())
        return cls(counts, customers, mean, spread, within)

    @property
    def grand_mean(self) -> float:
        """Mean of customers' mean margins."""
        return float(self.customers @ self.mean / self.customers.sum())

    @property
    def deviation(self) -> float:
        """Standard deviation of customers' mean margins."""
        about = self.spread + self.customers * (self.mean - self.grand_mean) ** 2
        return float(np.sqrt(about.sum() / self.customers.sum()))


@dataclass(frozen=True)
class MarginsObjective:
    """The Normal-Normal log likelihood of one base's margins."""

    data: OrderMargins

    @property
    def space(self) -> Space:
        """mu, tau and sigma."""
        return SPACE

    @property
    def rows(self) -> int:
        """Customers with a repeat order."""
        return int(self.data.customers.sum())

    @property
    def scales(self) -> Floats:
        """The size of a mean margin, and twice their standard deviation over customers.

        mu has a scale of its own: margins may vary by far less than they amount to. A level of 0
        is no scale, so that of the deviations stands in.
        """
        deviation = max(self.data.deviation, float(np.finfo(np.float64).tiny) ** 0.5)
        return np.array([max(abs(self.data.grand_mean), deviation), deviation, deviation])

    @cached_property
    def degrees(self) -> float:
        """Repeat orders beyond the first one of each customer, where their deviations are known."""
        data = self.data
        return float(data.customers @ (data.x - 1.0)) if data.within is not None else 0.0

    @cached_property
    def _constant(self) -> float:
        n, x = self.data.customers, self.data.x
        if self.data.within is None:
            return float(0.5 * n @ (np.log(x) - LOG_2PI))
        return float(-0.5 * LOG_2PI * (n @ x))

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) of theta (..., 3), with V = sigma^2 + x tau^2 for each count x."""
        data = self.data
        mu, tau, sigma = (theta[..., place, None] for place in range(3))
        V = sigma**2 + data.x * tau**2
        squares = data.spread + data.customers * (data.mean - mu) ** 2
        means = -0.5 * (data.customers * np.log(V) + data.x * squares / V).sum(axis=-1)
        sigma = sigma[..., 0]
        inside = -self.degrees * np.log(sigma) - 0.5 * (data.within or 0.0) / sigma**2
        return np.asarray(self._constant + means + inside)

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian at theta (3,), all analytic."""
        data, (mu, tau, sigma) = self.data, theta
        n, x, W = data.customers, data.x, data.within or 0.0
        V = sigma**2 + x * tau**2
        away = data.mean - mu
        Q = x * (data.spread + n * away**2)
        slope, bend = -0.5 * n / V + 0.5 * Q / V**2, 0.5 * n / V**2 - Q / V**3
        by_tau, by_sigma = 2.0 * x * tau, 2.0 * sigma
        gradient = np.array(
            [
                (x * n * away / V).sum(),
                (slope * by_tau).sum(),
                (slope * by_sigma).sum() - self.degrees / sigma + W / sigma**3,
            ]
        )
        turning = -x * n * away / V**2
        hessian = np.empty((3, 3))
        hessian[0] = -(x * n / V).sum(), (turning * by_tau).sum(), (turning * by_sigma).sum()
        hessian[1, 1] = (bend * by_tau**2 + slope * 2.0 * x).sum()
        hessian[1, 2] = (bend * by_tau * by_sigma).sum()
        inside = self.degrees / sigma**2 - 3.0 * W / sigma**4
        hessian[2, 2] = (bend * by_sigma**2 + 2.0 * slope).sum() + inside
        lower = np.tril_indices(3, -1)
        hessian[lower] = hessian.T[lower]
        return Derivatives(float(self.log_likelihood(theta)), gradient, hessian)

    def starts(self) -> Floats:
        """Three splits of the variance of means, between customers and within them."""
        mu, deviation = self.data.grand_mean, self.data.deviation
        sigma = deviation
        if self.degrees > 0.0 and self.data.within:
            sigma = float(np.sqrt(self.data.within / self.degrees))
        return np.array(
            [[mu, deviation, sigma], [mu, 0.3 * deviation, sigma], [mu, 0.1 * deviation, deviation]]
        )

    def thinned(self, rows: int) -> "MarginsObjective":
        """Itself: its cost does not grow with the rows."""
        return self
