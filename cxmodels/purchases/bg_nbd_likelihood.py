"""How likely BG/NBD and MBG/NBD make a customer base, with slopes and curvature, at any size.

A customer has had c chances to leave: c = x in BG/NBD, one after each repeat purchase; c = x + 1
in MBG/NBD, the first purchase included. Per customer (Fader, Hardie and Lee 2005, equation 6;
Batislam, Denizel and Filiztekin 2007; rearranged so that nothing cancels):

    sum_{j<x} log(r+j) - sum_{j<c} log(1 + a / (b+j)) - r log(1 + T/alpha) - x log(alpha + T)
        + [c > 0] log(1 + exp(u))
    with u = log a - log(b+c-1) + (r+x) [log(1 + T/alpha) - log(1 + t_x/alpha)]

The sums over j need only how many customers bought more than j times; the terms in T only the
distinct T; so exp and log1p are paid only for customers with c > 0, once per distinct
(x, t_x, T), and the logs inside u are looked up over distinct times.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats, Ints, Number, dot
from cxmodels.numerics.beta_ratio import beta_ratio, log_beta_ratio
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.family import RowDerivatives

CELLS = 2_000_000  # draws times histories evaluated at once: 16 MB an array
THREADS = 2


@dataclass(frozen=True)
class Doubtful:
    """Distinct (x, t_x, T) of customers who may have left, times as places in tables of times."""

    x: Floats
    chances: Floats  # to leave, of each distinct x
    x_place: Ints
    t_x_place: Ints
    T_place: Ints
    weight: Floats


@dataclass(frozen=True)
class BGNBDObjective:
    """Log likelihood of a base, compressed.

    first: chances to leave right after the first purchase, 0 in BG/NBD and 1 in MBG/NBD.
    more_than[j]: customers with x > j; more_chances[j]: with more than j chances to leave.
    """

    space: Space
    rows: int
    scales: Floats
    first: int
    more_than: Floats
    more_chances: Floats
    times: Floats  # distinct T
    customers_at: Floats  # customers with that T
    purchases_at: Floats  # their purchases
    recencies: Floats  # distinct t_x of the doubtful
    doubtful: Doubtful
    profiles: Profiles

    @classmethod
    def from_profiles(cls, space: Space, profiles: Profiles, first: int = 0) -> "BGNBDObjective":
        """Compresses distinct (x, t_x, T) with weights into what the formulas need."""
        x, weight = profiles.frequency, profiles.weight
        counts = np.bincount(x, weights=weight)
        times, T_place = np.unique(profiles.T, return_inverse=True)
        more_than = counts[::-1].cumsum()[::-1]
        may = x + first > 0
        recencies, t_x_place = np.unique(profiles.recency[may], return_inverse=True)
        distinct_x, x_place = np.unique(x[may], return_inverse=True)
        mean_T = float(np.average(profiles.T, weights=weight))
        return cls(
            space=space,
            rows=int(weight.sum()),
            scales=space.scales(time=mean_T, money=1.0),
            first=first,
            more_than=more_than[1:],
            more_chances=more_than[1 - first :],
            times=times,
            customers_at=np.bincount(T_place, weights=weight).astype(np.float64),
            purchases_at=np.bincount(T_place, weights=weight * x).astype(np.float64),
            recencies=recencies,
            doubtful=Doubtful(
                x=distinct_x.astype(np.float64),
                chances=(distinct_x + first).astype(np.float64),
                x_place=x_place,
                t_x_place=t_x_place,
                T_place=T_place[may],
                weight=weight[may],
            ),
            profiles=profiles,
        )

    def starts(self) -> Floats:
        """Starting values: purchase rates near the observed one, few or many leaving."""
        return starts(self.profiles)

    def thinned(self, rows: int) -> "BGNBDObjective":
        """Every k-th distinct history with its weight, so that about `rows` remain."""
        step = self.profiles.T.size // max(1, rows)
        if step < 2:
            return self
        part = slice(None, None, step)
        seen = self.profiles
        return BGNBDObjective.from_profiles(self.space, seen.every(part), self.first)

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., 4); draws are shared among threads."""
        flat = theta.reshape(-1, 4)
        size = max(1, min(len(flat) // THREADS, CELLS // max(1, self.doubtful.weight.size)))
        parts = [flat[start : start + size] for start in range(0, len(flat), size)]
        if len(parts) == 1:
            return self._of_draws(parts[0]).reshape(theta.shape[:-1])
        with ThreadPoolExecutor(THREADS) as pool:
            values = np.concatenate(list(pool.map(self._of_draws, parts)))
        return values.reshape(theta.shape[:-1])

    def _of_draws(self, theta: Floats) -> Floats:
        r, alpha, a, b = (theta[:, [k]] for k in range(4))
        j, c = np.arange(self.more_than.size), np.arange(self.more_chances.size)
        value = np.log(r + j) @ self.more_than - np.log1p(a / (b + c)) @ self.more_chances
        at_T = np.log1p(self.times / alpha)
        value -= (r * at_T) @ self.customers_at + (np.log(alpha) + at_T) @ self.purchases_at
        if self.doubtful.weight.size:
            value += self._odds_gone(theta, at_T)
        return np.asarray(value)

    def _odds_gone(self, theta: Floats, at_T: Floats) -> Floats:
        """Sum of w log(1 + exp(u)) over the doubtful, for each draw (d,)."""
        r, alpha, a, b = (theta[:, [k]] for k in range(4))
        seen = self.doubtful
        at_t_x = np.log1p(self.recencies / alpha)
        u = at_T.take(seen.T_place, axis=1)
        u -= at_t_x.take(seen.t_x_place, axis=1)
        u *= (r + seen.x).take(seen.x_place, axis=1)
        u += (np.log(a) - np.log(b + (seen.chances - 1.0))).take(seen.x_place, axis=1)
        return _softplus(u) @ seen.weight

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient (4,) and Hessian (4, 4) in r, alpha, a, b."""
        return _of_leaving(self, theta, _of_buying(self, theta))


def starts(profiles: Profiles) -> Floats:
    """Purchase rates near the observed one; few, many, and some at once or never leaving (5, 4)."""
    weight = profiles.weight
    mean_T = float(np.average(profiles.T, weights=weight))
    mean_x = float(np.average(profiles.frequency, weights=weight))
    shapes = np.array(
        [[0.3, 0.8, 3.0], [1.0, 0.8, 3.0], [1.0, 0.1, 5.0], [5.0, 1.0, 1.0], [1.0, 1e-4, 1e-3]]
    )
    r, a, b = shapes.T
    alpha = r * mean_T / max(mean_x, 1e-3)
    return np.stack([r, alpha, a, b], axis=-1)


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number, first: int = 0) -> Floats:
    """Log likelihood of each history, theta (..., 4); see the equation above."""
    r, alpha, a, b = (theta[..., k] for k in range(4))
    x, at_T = np.asarray(x, dtype=np.float64), np.log1p(T / alpha)
    chances = x + first
    last = np.maximum(chances, 1.0) - 1.0
    buying = scipy.special.gammaln(r + x) - scipy.special.gammaln(r)
    buying = buying - r * at_T - x * (np.log(alpha) + at_T)
    staying = log_beta_ratio(a, b, chances)
    u = np.log(a) - np.log(b + last) + (r + x) * (at_T - np.log1p(t_x / alpha))
    return np.asarray(buying + staying + np.where(chances > 0, np.logaddexp(0.0, u), 0.0))


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats, first: int = 0) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (4,) or (m, 4)."""
    r, alpha, a, b = np.broadcast_to(theta, (x.size, 4)).T
    digamma, trigamma = scipy.special.digamma, partial(scipy.special.polygamma, 1)
    gap = np.log1p(T / alpha) - np.log1p(t_x / alpha)
    c, late, early = x + first, 1.0 / (alpha + T), 1.0 / (alpha + t_x)
    last = np.maximum(c, 1.0) - 1.0
    stay, power = 1.0 / (b + last), r + x
    u = np.log(a) - np.log(b + last) + power * gap
    s = np.where(c > 0, scipy.special.expit(u), 0.0)
    slope = np.stack([gap, power * (late - early), 1.0 / a, -stay])
    gradient = s * slope
    gradient[0] += digamma(power) - digamma(r) - np.log1p(T / alpha)
    gradient[1] += r / alpha - power * late
    staying = beta_ratio(a, b, c)
    gradient[2:] += staying.gradient[:2]
    hessian = s * (1.0 - s) * slope[:, None] * slope
    hessian[0, 0] += trigamma(power) - trigamma(r)
    hessian[0, 1] += s * (late - early) + 1.0 / alpha - late
    hessian[1, 0] = hessian[0, 1]
    hessian[1, 1] += power * late**2 - r / alpha**2 - s * power * (late**2 - early**2)
    hessian[2:, 2:] += staying.hessian[:2, :2]
    hessian[2, 2] -= s / a**2
    hessian[3, 3] += s * stay**2
    return RowDerivatives(log_likelihood(theta, x, t_x, T, first), gradient, hessian)


def _softplus(u: Floats) -> Floats:
    """log(1 + exp(u)) without overflow, in place."""
    positive = np.maximum(u, 0.0)
    np.abs(u, out=u)
    np.negative(u, out=u)
    np.exp(u, out=u)
    np.log1p(u, out=u)
    u += positive
    return u


def _of_buying(data: BGNBDObjective, theta: Floats) -> Derivatives:
    """The terms in the counts x and in T."""
    r, alpha, a, b = theta
    i, bought = np.arange(data.more_than.size), data.more_than
    j, n = np.arange(data.more_chances.size), data.more_chances
    T, w, x = data.times, data.customers_at, data.purchases_at
    at_T, late = np.log1p(T / alpha), 1.0 / (alpha + T)
    value = bought @ np.log(r + i) - n @ np.log1p(a / (b + j)) - r * (w @ at_T)
    value -= x @ (np.log(alpha) + at_T)
    both, stay = 1.0 / (a + b + j), 1.0 / (b + j)
    gradient = np.array(
        [
            bought @ (1.0 / (r + i)) - w @ at_T,
            r / alpha * (w @ (T * late)) - x @ late,
            -(n @ both),
            n @ (a * both * stay),
        ]
    )
    hessian = np.zeros((4, 4))
    hessian[0, 0] = -(bought @ (1.0 / (r + i) ** 2))
    hessian[0, 1] = hessian[1, 0] = w @ (T * late) / alpha
    hessian[1, 1] = x @ late**2 - r * (w @ (T * late * (1.0 / alpha + late))) / alpha
    hessian[2, 2] = hessian[2, 3] = hessian[3, 2] = n @ both**2
    hessian[3, 3] = n @ (both**2 - stay**2)
    return Derivatives(float(value), gradient, hessian)


def _of_leaving(data: BGNBDObjective, theta: Floats, buying: Derivatives) -> Derivatives:
    """Adds the log(1 + exp(u)) of the doubtful: s = sigmoid(u) weights the derivatives of u."""
    r, alpha, a, b = theta
    seen = data.doubtful
    if not seen.weight.size:
        return buying
    at_T, at_t_x = np.log1p(data.times / alpha), np.log1p(data.recencies / alpha)
    late, early = 1.0 / (alpha + data.times), 1.0 / (alpha + data.recencies)
    power = (r + seen.x)[seen.x_place]
    stay = (1.0 / (b + (seen.chances - 1.0)))[seen.x_place]
    gap = at_T[seen.T_place] - at_t_x[seen.t_x_place]
    bend = late[seen.T_place] - early[seen.t_x_place]
    bend_2 = (late**2)[seen.T_place] - (early**2)[seen.t_x_place]
    u = (np.log(a) - np.log(b + (seen.chances - 1.0)))[seen.x_place] + power * gap
    s = scipy.special.expit(u)
    ws = seen.weight * s
    slopes = np.stack([gap, power * bend, np.full_like(gap, 1.0 / a), -stay])
    value = buying.value + dot(seen.weight, _softplus(u))
    gradient = buying.gradient + np.einsum("kn,n->k", slopes, ws)
    hessian = buying.hessian + np.einsum("kn,jn->kj", slopes * (ws * (1.0 - s)), slopes)
    cross = dot(ws, bend)
    hessian[0, 1] += cross
    hessian[1, 0] += cross
    hessian[1, 1] -= dot(ws, power, bend_2)
    hessian[2, 2] -= ws.sum() / a**2
    hessian[3, 3] += dot(ws, stay, stay)
    return Derivatives(value, gradient, hessian)
