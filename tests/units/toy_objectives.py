"""Small likelihoods whose answers are known on paper."""

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.transforms import Dimension, Parameter, Space, Support


@dataclass(frozen=True)
class GammaTimes:
    """n gamma waiting times: shape, and scale in the unit of time."""

    times: np.ndarray
    space: Space = field(
        default=Space(
            (
                Parameter("shape", "regularity", high="times are all alike"),
                Parameter("scale", "time per unit of shape", dimension=Dimension.TIME),
            )
        )
    )

    @property
    def rows(self):
        return len(self.times)

    @property
    def scales(self):
        return self.space.scales(time=float(self.times.mean()), money=1.0)

    def log_likelihood(self, theta):
        k, s = theta[..., 0], theta[..., 1]
        n, total, logs = len(self.times), self.times.sum(), np.log(self.times).sum()
        return (k - 1) * logs - total / s - n * (k * np.log(s) + special.gammaln(k))

    def derivatives(self, theta):
        k, s = theta
        n, total, logs = len(self.times), self.times.sum(), np.log(self.times).sum()
        gradient = np.array([logs - n * (np.log(s) + special.digamma(k)), total / s**2 - n * k / s])
        cross = -n / s
        hessian = np.array(
            [
                [-n * special.polygamma(1, k), cross],
                [cross, -2 * total / s**3 + n * k / s**2],
            ]
        )
        return Derivatives(float(self.log_likelihood(theta)), gradient, hessian)

    def starts(self):
        mean = self.times.mean()
        return np.array([[1.0, mean], [20.0, mean / 20.0]])

    def thinned(self, rows):
        return self if rows >= self.rows else GammaTimes(self.times[:: self.rows // rows])


@dataclass(frozen=True)
class Line:
    """Normal regression with known noise sd 1: a quadratic log likelihood (OLS is exact)."""

    X: np.ndarray
    y: np.ndarray

    @property
    def space(self):
        names = [f"b{place}" for place in range(self.X.shape[1])]
        return Space(tuple(Parameter(name, "slope", Support.REAL) for name in names))

    @property
    def rows(self):
        return len(self.y)

    @property
    def scales(self):
        return np.ones(self.X.shape[1])

    def log_likelihood(self, theta):
        return -0.5 * ((self.y - theta @ self.X.T) ** 2).sum(axis=-1)

    def derivatives(self, theta):
        left = self.y - self.X @ theta
        return Derivatives(float(-0.5 * left @ left), self.X.T @ left, -self.X.T @ self.X)

    def starts(self):
        return np.zeros((1, self.X.shape[1]))

    def thinned(self, rows):
        return self


@dataclass(frozen=True)
class Surface:
    """Any log density of k parameters, derivatives by central differences."""

    density: object
    space: Space
    first: np.ndarray
    rows: int = 100
    scales: np.ndarray = None

    def __post_init__(self):
        if self.scales is None:
            object.__setattr__(self, "scales", np.ones(self.space.size))

    def log_likelihood(self, theta):
        return self.density(theta)

    def derivatives(self, theta):
        k = len(theta)
        step = np.eye(k) * 1e-4 * np.maximum(np.abs(theta), 1e-3)
        width = np.diag(step)
        f = self.density
        gradient = np.array([f(theta + h) - f(theta - h) for h in step]) / (2 * width)
        hessian = np.array(
            [
                [f(theta + g + h) - f(theta + g - h) - f(theta - g + h) + f(theta - g - h)]
                for g in step
                for h in step
            ]
        ).reshape(k, k) / (4 * np.outer(width, width))
        return Derivatives(float(f(theta)), gradient, hessian)

    def starts(self):
        return np.atleast_2d(self.first)

    def thinned(self, rows):
        return self


def real_space(k):
    """k real parameters x0, x1, ..."""
    return Space(tuple(Parameter(f"x{place}", "", Support.REAL) for place in range(k)))


@dataclass(frozen=True)
class Coins:
    """x heads in n throws with chance a / (a + b): only a/b is in the data."""

    x: int
    n: int
    scales: np.ndarray = field(default_factory=lambda: np.ones(2))
    space: Space = field(
        default=Space(
            (
                Parameter("a", "heads", low="never heads", high="always heads"),
                Parameter("b", "tails", low="always heads", high="never heads"),
            )
        )
    )

    @property
    def rows(self):
        return self.n

    def log_likelihood(self, theta):
        a, b = theta[..., 0], theta[..., 1]
        return -self.x * np.log1p(b / a) - (self.n - self.x) * np.log1p(a / b)

    def derivatives(self, theta):
        (a, b), x, z, n = theta, self.x, self.n - self.x, self.n
        both = 1 / (a + b)
        gradient = np.array([x / a - n * both, z / b - n * both])
        hessian = np.array(
            [[n * both**2 - x / a**2, n * both**2], [n * both**2, n * both**2 - z / b**2]]
        )
        return Derivatives(float(self.log_likelihood(theta)), gradient, hessian)

    def starts(self):
        return np.array([[1.0, 2.0]])

    def thinned(self, rows):
        return self


@dataclass(frozen=True)
class Arrivals:
    """x arrivals of a Poisson process in a time T; with x = 0 the rate runs to 0."""

    x: int
    T: float
    rows: int = 10
    scales: np.ndarray = field(default_factory=lambda: np.ones(1))
    space: Space = field(
        default=Space((Parameter("rate", "arrivals per time", low="nobody arrives"),))
    )

    def log_likelihood(self, theta):
        return self.x * np.log(theta[..., 0]) - self.T * theta[..., 0]

    def derivatives(self, theta):
        rate = theta[0]
        hessian = np.array([[-self.x / rate**2]])
        gradient = np.array([self.x / rate - self.T])
        return Derivatives(float(self.log_likelihood(theta)), gradient, hessian)

    def starts(self):
        return np.array([[1.0]])

    def thinned(self, rows):
        return self


@dataclass(frozen=True)
class Counts:
    """Negative binomial counts (shape r, mean m); even counts push r to infinity."""

    counts: np.ndarray
    scales: np.ndarray = field(default_factory=lambda: np.ones(2))
    space: Space = field(
        default=Space(
            (
                Parameter("r", "how alike customers are", high="customers are all alike"),
                Parameter("m", "mean count"),
            )
        )
    )

    @property
    def rows(self):
        return len(self.counts)

    def log_likelihood(self, theta):
        r, m = theta[..., [0]], theta[..., [1]]
        x = self.counts
        log_terms = sum(np.where(x > j, np.log1p(j / r), 0.0) for j in range(x.max()))
        return (log_terms + x * np.log(m) - (r + x) * np.log1p(m / r)).sum(axis=-1)

    def derivatives(self, theta):
        (r, m), x = theta, self.counts
        n, total = len(x), x.sum()
        j = np.arange(x.max())
        more = np.array([(x > place).sum() for place in j])
        log_all, both = np.log1p(m / r), r + m
        d_r = -(more @ (j / (r * (r + j)))) - n * log_all + (n * r + total) * m / (r * both)
        d_m = total / m - (n * r + total) / both
        d_rr = more @ (j * (2 * r + j) / (r * (r + j)) ** 2) + 2 * n * m / (r * both)
        d_rr -= (n * r + total) * m * (2 * r + m) / (r * both) ** 2
        d_rm = (total - n * m) / both**2
        d_mm = -total / m**2 + (n * r + total) / both**2
        hessian = np.array([[d_rr, d_rm], [d_rm, d_mm]])
        return Derivatives(float(self.log_likelihood(theta)), np.array([d_r, d_m]), hessian)

    def starts(self):
        return np.array([[1.0, self.counts.mean()], [5.0, 1.0]])

    def thinned(self, rows):
        return self
