"""Turns cheap draws from an approximation into draws from the true posterior, and says if it may.

Importance sampling weighs each draw by target over proposal. A few huge weights ruin it; Pareto
smoothing replaces the largest by those of a fitted tail, whose shape k-hat tells how far the
result can be trusted: up to .7 (Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25(72)).
Proposals are multivariate t distributions, or mixtures of them.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints

PRIOR_SHAPE, PRIOR_DRAWS = 0.5, 10.0  # Vehtari et al. 2024, appendix C: k-hat shrinks to 1/2
FEWEST_TAIL = 5  # draws in the tail without which no shape can be fitted


@dataclass(frozen=True)
class Smoothed:
    """Normalised log weights (n,), the tail shape k-hat, and the effective number of draws."""

    log_weights: Floats
    pareto_k: float
    effective: float

    @property
    def weights(self) -> Floats:
        """Weights (n,) that sum to 1."""
        return np.exp(self.log_weights)


def fit_pareto(exceedances: Floats) -> tuple[float, float]:
    """Shape k and scale sigma of a generalised Pareto distribution, by Zhang and Stephens 2009.

    The estimator is the mean of their quasi-posterior over b = -k / sigma, their equations (4)
    to (8); with the sign of k as in Vehtari et al. 2024 (heavy tails have k > 0).

    Args: exceedances: (m,) positive, in increasing order.

    >>> tail = np.linspace(0.005, 0.995, 100)
    >>> k, sigma = fit_pareto(np.expm1(-0.5 * np.log1p(-tail)) / 0.5)  # quantiles, k = 1/2
    >>> round(k, 1), round(sigma, 1)
    (0.5, 1.0)
    """
    n = len(exceedances)
    m = 30 + int(np.sqrt(n))
    quartile = exceedances[int(n / 4 + 0.5) - 1]
    grid = np.arange(1, m + 1)
    b = 1.0 / exceedances[-1] + (1.0 - np.sqrt(m / (grid - 0.5))) / (3.0 * quartile)
    b = np.where(b == 0.0, 1e-12 / exceedances[-1], b)  # b = 0 is the exponential, k = 0
    k = np.log1p(-b[:, None] * exceedances).mean(axis=1)
    profile = n * (np.log(-b / k) - k - 1.0)
    weights = scipy.special.softmax(profile)
    best = float(b @ weights)
    shape = float(np.log1p(-best * exceedances).mean())
    return shape, -shape / best


def pareto_quantiles(shares: Floats, k: float, sigma: float) -> Floats:
    """Quantiles (m,) of the generalised Pareto distribution at `shares` (m,); k = 0 included."""
    tail = -np.log1p(-shares)
    if abs(k) < 1e-12:
        return sigma * tail
    with np.errstate(over="ignore"):  # an endless tail: its largest weights are infinite
        return np.asarray(sigma * np.expm1(k * tail) / k)


def pareto_smooth(log_ratios: Floats) -> Smoothed:
    """Pareto-smoothed importance weights (Vehtari et al. 2024, algorithm 1).

    Args: log_ratios: (n,) log target minus log proposal, up to a constant; -inf counts as 0.
    Returns: weights that sum to 1; k-hat is +inf where no weight or no tail is left, and -inf
    where all weights are equal.
    """
    n = len(log_ratios)
    usable = np.where(np.isnan(log_ratios), -np.inf, log_ratios)
    top = usable.max(initial=-np.inf)
    if not np.isfinite(top):
        return Smoothed(np.full(n, -np.log(max(n, 1))), np.inf, 0.0)
    log_weights = usable - top
    length = int(np.ceil(min(0.2 * n, 3.0 * np.sqrt(n))))
    order = np.argsort(log_weights, kind="stable")
    cutoff = np.exp(log_weights[order[max(n - length - 1, 0)]])
    if cutoff >= 1.0 - 1e-12:  # all weights of the tail are equal: nothing to smooth
        return _normalised(log_weights, -np.inf)
    tail = order[n - length :]
    tail = tail[np.exp(log_weights[tail]) > cutoff]
    if len(tail) < FEWEST_TAIL:
        return _normalised(log_weights, np.inf)
    k, sigma = fit_pareto(np.exp(log_weights[tail]) - cutoff)
    k = (len(tail) * k + PRIOR_DRAWS * PRIOR_SHAPE) / (len(tail) + PRIOR_DRAWS)
    shares = (np.arange(1, len(tail) + 1) - 0.5) / len(tail)
    smooth = cutoff + pareto_quantiles(shares, k, sigma)
    log_weights[tail] = np.minimum(np.log(smooth), 0.0)  # never above the largest raw weight
    return _normalised(log_weights, k)


def _normalised(log_weights: Floats, k: float) -> Smoothed:
    normal = log_weights - scipy.special.logsumexp(log_weights)
    return Smoothed(normal, k, float(np.exp(-scipy.special.logsumexp(2.0 * normal))))


def systematic(weights: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Indices (n,) of an equal-weight sample: each i appears n w_i times, give or take one.

    Args: weights: (m,) that sum to 1; n: draws wanted; rng: chance. In random order.
    """
    steps = (np.arange(n) + rng.uniform()) / n
    chosen = np.searchsorted(np.cumsum(weights), steps * (1.0 - 1e-12))
    return rng.permutation(np.minimum(chosen, len(weights) - 1)).astype(np.int64)


def grouped(points: Floats, groups: int, rng: np.random.Generator) -> Ints:
    """Labels (n,) that split points (n, k) into at most `groups` compact groups (k-means)."""
    centres = points[rng.choice(len(points), size=min(groups, len(points)), replace=False)]
    label = np.zeros(len(points), dtype=np.int64)
    for _ in range(10):
        label = ((centres**2).sum(axis=1) - 2.0 * points @ centres.T).argmin(axis=1)
        for place in np.unique(label):
            centres[place] = points[label == place].mean(axis=0)
    return label


def even_uniforms(n: int, dimensions: int, rng: np.random.Generator) -> Floats:
    """Uniforms (n, dimensions) that fill the cube evenly: Richtmyer's lattice, shifted at random.

    Steps are the square roots of primes (Richtmyer 1951; Niederreiter 1978); the random shift
    (Cranley and Patterson 1976) makes every point uniform, so that averages stay unbiased while
    their noise falls faster than 1/sqrt(n).
    """
    primes: list[int] = []
    number = 2
    while len(primes) < dimensions:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    steps = np.sqrt(np.array(primes)) % 1.0
    lattice = (rng.uniform(size=dimensions) + np.arange(1.0, n + 1.0)[:, None] * steps) % 1.0
    return np.asarray(np.clip(lattice, 1e-12, 1.0 - 1e-12))


@dataclass(frozen=True)
class StudentT:
    """A multivariate t distribution: centre (k,), lower Cholesky factor (k, k), freedom."""

    centre: Floats
    factor: Floats
    freedom: float

    @classmethod
    def of(cls, centre: Floats, spread: Floats, freedom: float) -> "StudentT":
        """With scale matrix `spread` (k, k), made positive definite where it is not."""
        values, vectors = np.linalg.eigh(0.5 * (spread + spread.T))
        values = np.maximum(values, max(1e-12, 1e-10 * values[-1]))
        factor = np.linalg.cholesky((vectors * values) @ vectors.T)
        return cls(centre, factor, freedom)

    def place(self, uniforms: Floats) -> Floats:
        """Draws (n, k) from uniforms (n, k + 1), one coordinate for the tail."""
        normal = scipy.special.ndtri(uniforms[:, :-1])
        chi2 = 2.0 * scipy.special.gammaincinv(0.5 * self.freedom, uniforms[:, -1])
        scaled = normal * np.sqrt(self.freedom / chi2)[:, None]
        return np.asarray(self.centre + scaled @ self.factor.T)

    def log_density(self, points: Floats) -> Floats:
        """Log density (n,) at points (n, k)."""
        k, v = len(self.centre), self.freedom
        away = (points - self.centre) @ np.linalg.inv(
            self.factor
        ).T  # k is small: quicker than solve
        constant = scipy.special.gammaln(0.5 * (v + k)) - scipy.special.gammaln(0.5 * v)
        constant -= 0.5 * k * np.log(v * np.pi) + np.log(np.diag(self.factor)).sum()
        return np.asarray(
            constant - 0.5 * (v + k) * np.log1p(np.einsum("nk,nk->n", away, away) / v)
        )


@dataclass(frozen=True)
class Mixture:
    """A mixture of t distributions with shares that sum to 1."""

    parts: tuple[StudentT, ...]
    shares: tuple[float, ...]

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """`n` draws (n, k), spread evenly; each part gets its share by a coordinate of its own."""
        k = len(self.parts[0].centre)
        uniforms = even_uniforms(n, k + 2, rng)
        part = np.searchsorted(np.cumsum(self.shares)[:-1], uniforms[:, -1])
        points = np.empty((n, k))
        for place, held in enumerate(self.parts):
            points[part == place] = held.place(uniforms[part == place, :-1])
        return points

    def log_density(self, points: Floats) -> Floats:
        """Log density (n,) at points (n, k)."""
        densities = [part.log_density(points) for part in self.parts]
        shares = np.asarray(self.shares)[:, None]
        return np.asarray(scipy.special.logsumexp(np.array(densities), axis=0, b=shares))
