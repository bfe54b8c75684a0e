"""How many purchases a customer makes until an unseen end: the other half of the Pareto/NBD family.

With the symbols of `until_departure`, a new customer makes n purchases in (0, t] with probability

    Gamma(r+n) / (Gamma(r) n!) alpha^r { t^n (alpha+t)^-(r+n) S(t)
                                         + integral_0^t tau^n (alpha+tau)^-(r+n) f(tau) dtau }

alive at t, or gone at tau: Fader and Hardie (2006), "Deriving an Expression for P(X(t) = x) Under
the Pareto/NBD Model", equation 8, before the integral is solved.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.purchases.departures import FALL, Range, ends, grouped
from cxmodels.purchases.lifetime_laws import LifetimeLaw
from cxmodels.purchases.until_departure import flat, log_likelihood

GLANCES = 48  # cells in which the peak of an integrand is looked for, twice
PIECE = 512
LEAST = -1e300  # stands for log 0 where differences are taken


def log_pmf_survivors(law: LifetimeLaw, theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n, alive at t)."""
    shape, (r, alpha, *rest), (count, end) = flat(theta, np.asarray(n, dtype=np.float64), t)
    found = log_negative_binomial(r, alpha, count, end) + law.log_survival(tuple(rest), end)
    return np.asarray(found.reshape(shape))


def log_negative_binomial(r: Number, alpha: Number, n: Number | Ints, t: Number) -> Floats:
    """log P(n purchases by time t without an end)."""
    gammaln = scipy.special.gammaln
    n = np.asarray(n, dtype=np.float64)
    choose = gammaln(r + n) - gammaln(r) - gammaln(n + 1.0)
    z = np.asarray(t / alpha)
    return np.asarray(choose - r * np.log1p(z) + scipy.special.xlogy(n, z / (1.0 + z)))


def log_pmf(law: LifetimeLaw, theta: Floats, n: Ints, t: Number) -> Floats:
    """log P(X(t) = n): those alive after n, and those who left after n."""
    if not np.any(n):  # no purchase: a history of its own
        return log_likelihood(law, theta, np.zeros(np.shape(n)), 0.0 * t, t)
    shape, (r, alpha, *rest), (count, end) = flat(theta, np.asarray(n, dtype=np.float64), t)
    alive = log_negative_binomial(r, alpha, count, end) + law.log_survival(tuple(rest), end)
    gammaln = scipy.special.gammaln
    gone = gammaln(r + count) - gammaln(r) - gammaln(count + 1.0) + r * np.log(alpha)
    for start in range(0, end.size, PIECE):
        part = slice(start, start + PIECE)
        terms = Counted(law, r[part], alpha[part], tuple(v[part] for v in rest), count[part])
        gone[part] += terms.log_integral(end[part])
    return np.logaddexp(alive, gone).reshape(shape)


@dataclass(frozen=True)
class Counted:
    """tau^n (alpha + tau)^-(r + n) f(tau) for m customers and counts n."""

    law: LifetimeLaw
    r: Floats
    alpha: Floats
    rest: tuple[Floats, ...]
    n: Floats

    def log_terms(self, tau: Floats, rows: "slice | Ints" = slice(None)) -> Floats:
        """Logs (j, m) at moments (j, m) of some of the customers."""
        r, alpha, n = self.r[rows], self.alpha[rows], self.n[rows]
        value = self.law.log_density(tuple(v[rows] for v in self.rest), tau)
        return value + scipy.special.xlogy(n, tau / (alpha + tau)) - r * np.log(alpha + tau)

    def log_integral(self, t: Floats) -> Floats:
        """log of the integral from 0 to t, (m,)."""
        scale = np.minimum(self.alpha, self.law.scale(self.rest))
        span = Range(0.0 * t, t, scale, *self.law.pace(self.rest), 0.0 * t)
        span = self._focused(self._focused(span))
        value = np.empty(t.size)
        for rows, nodes in grouped(span, from_zero=True):
            terms = self.log_terms(nodes.tau, rows)
            top = np.maximum(terms.max(axis=0), LEAST)
            value[rows] = _log(np.einsum("jm,jm->m", nodes.weight, np.exp(terms - top))) + top
        return value

    def _focused(self, span: Range) -> Range:
        """The range cut to where the integrand is within exp(-FALL) of its peak, with its drop."""
        grid = ends(span, GLANCES)
        with np.errstate(divide="ignore"):  # time 0 of purchases: log 0
            height = self.log_terms(grid) + np.log(span.scale + grid)
        height -= np.maximum(height.max(axis=0), LEAST)
        seen = height > -FALL
        first = np.maximum(seen.argmax(axis=0) - 1, 0)
        last = np.minimum(GLANCES - seen[::-1].argmax(axis=0) + 1, GLANCES)
        every = np.arange(span.low.size)
        change = np.abs(np.diff(np.maximum(height, -1.5 * FALL), axis=0)).sum(axis=0)
        return Range(
            grid[first, every], grid[last, every], span.scale, span.pace, span.until, change
        )


def expected_time(law: LifetimeLaw, rest: tuple[Floats, ...], t: Floats) -> Floats:
    """Time (m,) that a customer with these parameters spends alive by t: integral of S."""
    zero = 0.0 * t
    high = np.minimum(law.reach(rest, zero, FALL), t)
    drop = -law.log_survival(rest, high)
    span = Range(zero, high, law.scale(rest), *law.pace(rest), drop)
    value = np.empty(t.size)
    for rows, nodes in grouped(span):
        alive = np.exp(law.log_survival(tuple(v[rows] for v in rest), nodes.tau))
        value[rows] = np.einsum("jm,jm->m", nodes.weight, alive)
    return value


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # an empty range: log 0
        return np.log(values)
