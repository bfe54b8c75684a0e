"""How likely the BG/BB model makes a history of opportunities taken and missed, with derivatives.

Fader, Hardie and Shang (2010), equation (7), with (a)_k = a (a+1) ... (a+k-1): a customer with x
purchases, the last at opportunity t_x of T, is alive at T or left before opportunity i + 1,

    L = (alpha)_x (beta)_(T-x) / (alpha+beta)_T  (delta)_T / (gamma+delta)_T
      + sum_{i=t_x}^{T-1} (alpha)_x (beta)_(i-x) / (alpha+beta)_i
                          gamma (delta)_i / (gamma+delta)_(i+1)

The terms of the sum fall, each the one before times a ratio: it is worked out by that recursion,
and so are the sums of its derivatives.
"""

from collections.abc import Callable

import numpy as np

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.lookup import of_distinct
from cxmodels.numerics.partial_sums import log_partial_sum, log_rising, rising_slopes
from cxmodels.purchases.family import RowDerivatives

CHUNK = 2048  # histories at once: what stays in the processor's cache
SPENT = 1e-20  # share of the likelihood below which falling terms add nothing to its slopes
PAIRS = ((0, 0), (0, 1), (1, 1), (2, 2), (2, 3), (3, 3))  # second derivatives that are not 0


def starts(profiles: Profiles) -> Floats:
    """Purchase chances near those of customers who stay, few or many leaving (4, 4)."""
    weight = profiles.weight
    taken = float(weight @ profiles.frequency)
    until_last = float(weight @ np.maximum(profiles.recency, 0.3 * profiles.T))
    p = float(np.clip(taken / max(until_last, 1e-9), 0.02, 0.98))
    size = np.array([1.5, 1.5, 5.0, 0.5])
    gamma, delta = np.array([[0.7, 0.2, 2.0, 0.7], [3.0, 5.0, 20.0, 1.0]])
    return np.stack([size * p, size * (1.0 - p), gamma, delta], axis=-1)


def log_alive(theta: Floats, x: Number, T: Number) -> Floats:
    """log P(this sequence of x purchases, alive at T): the first term of L."""
    alpha, beta, gamma, delta = (theta[..., k] for k in range(4))
    taken = _rising(alpha, x) + _rising(beta, T - x) - _rising(alpha + beta, T)
    return np.asarray(taken + _rising(delta, T) - _rising(gamma + delta, T))


def _rising(a: Floats, t: Number) -> Floats:
    """log (a)_t, once for each distinct count t where customers are alike."""
    if np.ndim(a) and np.shape(a)[-1] > 1:
        return log_rising(a, t)
    return of_distinct(lambda t: log_rising(a, t), t)


def log_likelihood(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history, theta (..., 4); see the equation above."""
    alpha, beta, gamma, delta = (theta[..., k] for k in range(4))
    x, t_x, T = (np.asarray(v, dtype=np.float64) for v in (x, t_x, T))
    first = log_alive(theta, x, t_x) + np.log(gamma) - np.log(gamma + delta + t_x)
    rest = log_partial_sum(
        (beta + t_x - x, delta + t_x),
        (alpha + beta + t_x, gamma + delta + t_x + 1.0),
        np.asarray(T - t_x, dtype=np.int64),
    )
    return np.logaddexp(log_alive(theta, x, T), first + rest)


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (4,) or (m, 4)."""
    every = np.broadcast_to(theta, (x.size, 4))
    gradient, hessian = np.empty((4, x.size)), np.empty((4, 4, x.size))
    order = np.argsort(t_x - T, kind="stable")  # sums of like length together
    for start in range(0, x.size, CHUNK):
        part = order[start : start + CHUNK]
        found = _derivatives(every[part].T, x[part], t_x[part], T[part])
        gradient[:, part], hessian[:, :, part] = found
    return RowDerivatives(log_likelihood(theta, x, t_x, T), gradient, hessian)


def _derivatives(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
    """Gradient (4, m) and Hessian (4, 4, m) of log L.

    L is a sum of terms exp(f): its slope is the average of f', its second derivative that of
    f'' + f' f', each weighted by exp(f). The weights are relative to the first term of the sum.
    """
    alpha, beta, gamma, delta = theta
    terms = np.asarray(T - t_x, dtype=np.int64)
    stay = log_alive(theta.T, x, T)
    leave = log_alive(theta.T, x, t_x) + np.log(gamma) - np.log(gamma + delta + t_x)
    top = np.maximum(stay, np.where(terms > 0, leave, -np.inf))
    weight = np.where(terms > 0, np.exp(np.minimum(leave - top, 0.0)), 0.0)
    averages = _Averages(x.size)
    live = np.arange(x.size)
    averages.add(live, np.exp(stay - top)[None], *_slopes(theta, x, T, np.zeros_like(T)))
    slope, bend = _slopes(theta, x, t_x, np.ones_like(T))
    starts = (beta + t_x - x, alpha + beta + t_x, delta + t_x, gamma + delta + t_x + 1.0)
    live, first = live[terms > 0], 0
    while live.size:
        block = max(1, CHUNK // live.size)
        k = np.arange(first, min(first + block, int(terms[live].max())))[:, None]
        inverse = [1.0 / (start[live] + k) for start in starts]
        ratio = inverse[1] / inverse[0] * (inverse[3] / inverse[2])
        w = _running(weight[None, live], ratio, np.cumprod)
        f = _running(slope[:, None, live], _slope_steps(*inverse))
        g = _running(bend[:, None, live], _bend_steps(*inverse))
        averages.add(live, np.where(k < terms[live], w[:-1], 0.0), f[:, :-1], g[:, :-1])
        weight[live], slope[:, live], bend[:, live] = w[-1], f[:, -1], g[:, -1]
        first += k.size
        rest = w[-1] * (1.0 + np.square(f[:, -1]).max(axis=0)) * (terms[live] - first)
        live = live[(terms[live] > first) & (rest > SPENT * averages.total[live])]
    return averages.of_the_log()


def _running(start: Floats, steps: Floats, running: Callable[..., Floats] = np.cumsum) -> Floats:
    """Values (..., k + 1, m) of a running sum or product of k steps from `start` on."""
    return running(np.concatenate([start, steps], axis=-2), axis=-2)


def _slope_steps(a: Floats, ab: Floats, d: Floats, cd: Floats) -> Floats:
    """What one more ratio adds to f': (4, k, m)."""
    return np.stack([-ab, a - ab, -cd, d - cd])


def _bend_steps(a: Floats, ab: Floats, d: Floats, cd: Floats) -> Floats:
    """What one more ratio adds to the PAIRS of f'': (6, k, m)."""
    both, last = ab * ab, cd * cd
    return np.stack([both, both, both - a * a, last, last, last - d * d])


def _slopes(theta: Floats, x: Floats, i: Floats, left: Floats) -> tuple[Floats, Floats]:
    """f' (4, m) and the PAIRS of f'' (6, m) of log [(alpha)_x (beta)_(i-x) / (alpha+beta)_i
    gamma^left (delta)_i / (gamma+delta)_(i+left)]."""
    alpha, beta, gamma, delta = theta
    spans = (
        (alpha, x), (beta, i - x), (alpha + beta, i), (delta, i), (gamma + delta, i + left)
    )  # fmt: skip
    first, second = zip(*(rising_slopes(*span) for span in spans), strict=True)
    slope = [
        first[0] - first[2],
        first[1] - first[2],
        left / gamma - first[4],
        first[3] - first[4],
    ]
    bend = [
        second[0] - second[2],
        -second[2],
        second[1] - second[2],
        -left / gamma**2 - second[4],
        -second[4],
        second[3] - second[4],
    ]
    return np.stack(slope), np.stack(bend)


class _Averages:
    """Running sums of weights, and of first and second derivatives weighted, over terms of L."""

    def __init__(self, m: int) -> None:
        self.total, self.slope = np.zeros(m), np.zeros((4, m))
        self.bend = np.zeros((4, 4, m))

    def add(self, rows: Ints, weight: Floats, slope: Floats, bend: Floats) -> None:
        """Terms (k, n) of n histories with f' (4, k, n) and the PAIRS of f'' (6, k, n); or one."""
        f, g = slope.reshape(4, -1, rows.size), bend.reshape(6, -1, rows.size)
        self.total[rows] += weight.sum(axis=0)
        self.slope[:, rows] += np.einsum("km,akm->am", weight, f)
        self.bend[:, :, rows] += np.einsum("akm,bkm->abm", weight * f, f)
        for (i, j), second in zip(PAIRS, np.einsum("km,akm->am", weight, g), strict=True):
            self.bend[i, j, rows] += second
            if i != j:
                self.bend[j, i, rows] += second

    def of_the_log(self) -> tuple[Floats, Floats]:
        """Gradient and Hessian of the log of the sum."""
        gradient = self.slope / self.total
        return gradient, self.bend / self.total - gradient[:, None] * gradient


def whole(values: Number) -> Ints:
    """Opportunities completed by a time: its whole part, with a rounding error forgiven."""
    return np.asarray(np.floor(np.asarray(values, dtype=np.float64) + 1e-9), dtype=np.int64)
