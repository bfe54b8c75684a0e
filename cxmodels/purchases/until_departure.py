"""Purchases at a customer's own rate until an unseen end: what the Pareto/NBD family shares.

A customer buys at rate lambda ~ Gamma(r, rate alpha) until a lifetime with survival S and density
f ends. With n = r + x the likelihood of x purchases, the last at t_x, seen until T is

    Gamma(n) / Gamma(r) alpha^r { (alpha+T)^-n S(T) + integral_{t_x}^T (alpha+tau)^-n f(tau) dtau }

alive at T, or gone at tau: Schmittlein, Morrison and Colombo (1987), equations A10 to A12, before
their hypergeometric functions. Kept as an integral it is smooth in all parameters at every
argument, and its derivatives are integrals of the same kind: the moments at which the customer may
have left, "alive" among them, are weighted by their probability, and the gradient of the log
likelihood is the mean gradient of the log terms (Fisher's identity), its Hessian that of the mean
curvature plus the covariance of the gradients (Louis 1982).

theta carries r, alpha and then the parameters of the law of lifetimes on the last axis.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Bools, Floats, Ints, Number
from cxmodels.numerics.lookup import of_distinct
from cxmodels.purchases.departures import FALL, Nodes, Range, grouped
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.lifetime_laws import LifetimeLaw, Slopes

PIECE = 16_384  # histories planned at once


@dataclass(frozen=True)
class Histories:
    """m histories with the parameters of their customers, all flat (m,). power: r + x."""

    power: Floats
    alpha: Floats
    law: tuple[Floats, ...]
    t_x: Floats
    T: Floats

    def rows(self, part: "slice | Ints") -> "Histories":
        """Some of them."""
        law = tuple(value[part] for value in self.law)
        return Histories(self.power[part], self.alpha[part], law, self.t_x[part], self.T[part])


def flat(theta: Floats, *values: Number) -> tuple[tuple[int, ...], list[Floats], list[Floats]]:
    """The broadcast shape, then parameters and values as vectors of its size."""
    columns = [theta[..., place] for place in range(theta.shape[-1])]
    shape = np.broadcast_shapes(columns[0].shape, *(np.shape(value) for value in values))
    both = [
        np.ravel(np.broadcast_to(v, shape)).astype(np.float64, copy=False)
        for v in (*columns, *values)
    ]
    return shape, both[: len(columns)], both[len(columns) :]


def log_likelihood(law: LifetimeLaw, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history; arguments broadcast."""
    r, alpha = theta[..., 0], theta[..., 1]
    buying = by_count(scipy.special.gammaln, r, x)
    return np.asarray(buying + r * np.log(alpha) + _log_ended(law, theta, x, t_x, T))


def by_count(formula: Callable[[Floats], Floats], r: Floats, x: Number) -> Floats:
    """formula(r + x) - formula(r), looked up over distinct x where all share r."""
    alike = np.ndim(r) == 0 or r.shape[-1] == 1
    late = of_distinct(lambda x: formula(r + x), x) if alike else formula(np.asarray(r + x))
    return np.asarray(late - formula(r))


def log_p_alive(law: LifetimeLaw, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """log P(alive at T | x, t_x, T): the share of the first term in the braces above."""
    shape, (r, alpha, *rest), (count, _, end) = flat(theta, x, t_x, T)
    alive = law.log_survival(tuple(rest), end) - (r + count) * np.log(alpha + end)
    return np.asarray(alive.reshape(shape) - _log_ended(law, theta, x, t_x, T))


def _log_ended(law: LifetimeLaw, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """log of the braces, in the shape of the arguments."""
    shape, (r, alpha, *rest), (x, t_x, T) = flat(theta, x, t_x, T)
    seen = Histories(r + x, alpha, tuple(rest), t_x, T)
    value = np.empty(T.size)
    for part in _pieces(T.size):
        piece = seen.rows(part)
        inside = value[part]
        for rows, nodes in grouped(_range(law, piece)):
            inside[rows] = _log_sum(law, piece.rows(rows), nodes)
    return value.reshape(shape)


def _pieces(size: int) -> Iterator[slice]:
    return (slice(start, start + PIECE) for start in range(0, size, PIECE))


def _range(law: LifetimeLaw, seen: Histories) -> Range:
    """Where the customers may have left: from t_x to T, or to where it no longer counts."""
    scale = np.minimum(seen.alpha, law.scale(seen.law))
    high, drop = seen.T, _drop(law, seen, seen.T)
    far = np.flatnonzero(drop > FALL)
    if far.size:
        some = seen.rows(far)
        with np.errstate(over="ignore"):  # infinite: no end before T
            silent = some.t_x + (some.alpha + some.t_x) * np.expm1(FALL / some.power)
        near = np.minimum(silent, law.reach(some.law, some.t_x, FALL))
        high = high.copy()
        high[far] = np.minimum(near, some.T)
        drop[far] = _drop(law, some, high[far])
    return Range(seen.t_x, high, scale, *law.pace(seen.law), drop)


def _drop(law: LifetimeLaw, seen: Histories, high: Floats) -> Floats:
    """By how much, in logs, (alpha + tau)^-n S(tau) falls from t_x to `high`."""
    fall = seen.power * np.log((seen.alpha + high) / (seen.alpha + seen.t_x))
    fall += law.log_survival(seen.law, seen.t_x) - law.log_survival(seen.law, high)
    return fall


def _log_sum(law: LifetimeLaw, seen: Histories, nodes: Nodes) -> Floats:
    """log of alive plus gone, for rows that have these nodes."""
    n, alpha = seen.power, seen.alpha
    terms = law.log_density(seen.law, nodes.tau)
    terms -= n * np.log(alpha + nodes.tau)
    alive = law.log_survival(seen.law, seen.T) - n * np.log(alpha + seen.T)
    top = np.maximum(terms.max(axis=0), alive)
    terms -= top
    np.exp(terms, out=terms)
    return np.asarray(
        top + np.log(np.einsum("jm,jm->m", nodes.weight, terms) + np.exp(alive - top))
    )


def rows(law: LifetimeLaw, theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (k,) or (m, k)."""
    k = theta.shape[-1]
    r, alpha, *rest = np.broadcast_to(theta, (x.size, k)).T
    seen = Histories(r + x, alpha, tuple(rest), t_x, T)
    found = RowDerivatives(np.empty(x.size), np.empty((k, x.size)), np.empty((k, k, x.size)))
    for part in _pieces(x.size):
        piece, start = seen.rows(part), part.start
        for members, nodes in grouped(_range(law, piece)):
            one = _of_ending(law, piece.rows(members), nodes)
            found.value[start + members] = one.value
            found.gradient[:, start + members] = one.gradient
            found.hessian[:, :, start + members] = one.hessian
    return _with_buying(found, theta[..., 0], alpha, x)


def _trigamma(z: Floats) -> Floats:
    return np.asarray(scipy.special.polygamma(1, z))


def _with_buying(found: RowDerivatives, r: Floats, alpha: Floats, x: Floats) -> RowDerivatives:
    """Adds log Gamma(r + x) - log Gamma(r) + r log(alpha) and its derivatives, in place."""
    found.value[:] += by_count(scipy.special.gammaln, r, x) + r * np.log(alpha)
    found.gradient[0] += by_count(scipy.special.digamma, r, x) + np.log(alpha)
    found.gradient[1] += r / alpha
    found.hessian[0, 0] += by_count(_trigamma, r, x)
    found.hessian[0, 1] += 1.0 / alpha
    found.hessian[1, 0] += 1.0 / alpha
    found.hessian[1, 1] -= r / alpha**2
    return found


def _of_ending(law: LifetimeLaw, seen: Histories, nodes: Nodes) -> RowDerivatives:
    """log of the braces with its derivatives, for rows that have these nodes."""
    gone = _terms(seen, nodes.tau, law.density_slopes(seen.law, nodes.tau))
    alive = _terms(seen, seen.T[None], law.survival_slopes(seen.law, seen.T[None]))
    top = np.maximum(gone.value.max(axis=0), alive.value[0])
    p_gone, p_alive = nodes.weight * np.exp(gone.value - top), np.exp(alive.value - top)
    total = p_gone.sum(axis=0) + p_alive[0]
    first, second = moments(p_gone / total, gone)
    more = moments(p_alive / total, alive)
    first += more[0]
    second += more[1] - first[:, None] * first
    return RowDerivatives(top + np.log(total), first, second)


def _terms(seen: Histories, tau: Floats, of_law: Slopes) -> Slopes:
    """log of (alpha + tau)^-n times the law's term, with derivatives in r, alpha and the law's."""
    n = seen.power
    log_late, late = np.log(seen.alpha + tau), 1.0 / (seen.alpha + tau)
    steep = n * late
    shifted = {(i + 2, j + 2): bend for (i, j), bend in of_law.hessian.items()}
    return Slopes(
        of_law.value - n * log_late,
        (-log_late, -steep, *of_law.gradient),
        {(0, 1): -late, (1, 1): steep * late, **shifted},
    )


def moments(p: Floats, terms: Slopes) -> tuple[Floats, Floats]:
    """Sums over moments of p times gradient (k, m), and of p times (curvature plus its square)."""
    k, m = len(terms.gradient), p.shape[1]
    first, second = np.empty((k, m)), np.empty((k, k, m))
    for i, slope in enumerate(terms.gradient):
        weighted = p * slope
        first[i] = weighted.sum(axis=0)
        for j in range(i, k):
            second[i, j] = np.einsum("jm,jm->m", weighted, terms.gradient[j])
            if (i, j) in terms.hessian:
                second[i, j] += np.einsum(
                    "jm,jm->m", p, np.broadcast_to(terms.hessian[i, j], p.shape)
                )
            second[j, i] = second[i, j]
    return first, second


def simulate_counts(law: LifetimeLaw, theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers alive at 0; theta (m, k)."""
    return _lived(law, theta, t, rng)[0]


def simulate(law: LifetimeLaw, theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at rate lambda until the lifetime ends or t comes; theta (m, k)."""
    count, end, alive = _lived(law, theta, t, rng)
    return spread_evenly(count, end, alive, rng)


def _lived(
    law: LifetimeLaw, theta: Floats, t: Number, rng: np.random.Generator
) -> tuple[Ints, Floats, Bools]:
    """Purchases of each customer, when they or the window ended, and whether it was the window."""
    r, alpha, *rest = (theta[..., place] for place in range(theta.shape[-1]))
    rate, lifetime = rng.standard_gamma(r) / alpha, law.draw(tuple(rest), rng)
    end = np.minimum(lifetime, t)
    return rng.poisson(rate * end), end, lifetime > t


def spread_evenly(
    count: Ints,
    end: Floats,
    alive: Bools,
    rng: np.random.Generator,
) -> Purchases:
    """Purchases at a constant rate until `end` (m,), given how many: in order, even in (0, end)."""
    customer = np.repeat(np.arange(count.size), count)
    steps = np.cumsum(rng.standard_exponential(customer.size + count.size))
    place = np.arange(customer.size) + customer  # one step more for each customer, after the last
    last = np.cumsum(count + 1) - 1
    before = np.concatenate([[0.0], steps[last[:-1]]])
    time = (steps[place] - before[customer]) / (steps[last] - before)[customer] * end[customer]
    return Purchases(count, customer, time, alive)
