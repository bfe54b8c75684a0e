"""How likely regular buying with quiet leaving makes one history, with slopes and curvature.

A customer has had c chances to leave: x in BG/CNBD-k, x + 1 in MBG/CNBD-k. With s = r + k x, the
silence g = T - t_x and w = g / (alpha + T), per customer (Reutterer, Platzer and Schroeder 2021,
appendix, rearranged so that nothing cancels):

    log Gamma(s) / Gamma(r) + r log alpha - s log(alpha + t_x) + log B(a, b+c) / B(a, b)
        + log(G + [c > 0] a / (b+c-1)),
    G = P(fewer than k stages in g) = ((alpha+t_x) / (alpha+T))^s Q,  Q = sum_{j<k} (s)_j w^j / j!

Left out is a factor that no parameter enters: the product over intervals d of d^(k-1) / (k-1)!,
see `of_intervals`. It is 1 for k = 1.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Number
from cxmodels.numerics.beta_ratio import beta_ratio, log_beta_ratio
from cxmodels.purchases import bg_nbd_likelihood
from cxmodels.purchases.family import RowDerivatives


@dataclass(frozen=True)
class Shape:
    """k: stages between purchases; first: chances to leave right after the first purchase."""

    k: int
    first: int


@dataclass(frozen=True)
class Silence:
    """Q and its derivatives: in s (s, ss), and w d/dw (w), w^2 d2/dw2 (ww), w d2/(dw ds) (sw)."""

    value: Floats
    s: Floats
    ss: Floats
    w: Floats
    ww: Floats
    sw: Floats

    @classmethod
    def of(cls, k: int, s: Floats, w: Floats) -> "Silence":
        """Q = sum_{j<k} (s)_j w^j / j!, term by term."""
        term, slope, bend = np.ones_like(s * w), np.zeros_like(s * w), np.zeros_like(s * w)
        sums = np.stack([term, *np.zeros((5, *term.shape))])
        for j in range(1, k):
            step = 1.0 / (s + (j - 1))
            term, slope, bend = term * (s + (j - 1)) * w / j, slope + step, bend + step**2
            sums[:3] += term * np.stack([np.ones_like(slope), slope, slope**2 - bend])
            sums[3:] += term * np.stack([0.0 * slope + j, 0.0 * slope + j * (j - 1), j * slope])
        return cls(*sums)


def log_silence(k: int, s: Number, w: Number) -> Floats:
    """log Q."""
    term = total = np.ones(np.broadcast_shapes(np.shape(s), np.shape(w)))
    for j in range(1, k):
        term = term * ((s + (j - 1)) * w / j)
        total = total + term
    return np.log(total)


def log_no_purchase(k: int, s: Number, early: Number, gap: Number) -> Floats:
    """log G: no purchase in a silence, where lambda ~ Gamma(s, early) when it began."""
    return np.asarray(log_silence(k, s, gap / (early + gap)) - s * np.log1p(gap / early))


def log_likelihood(shape: Shape, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """Log likelihood of each history without its factor of intervals, theta (..., 4)."""
    r, alpha, a, b = (theta[..., place] for place in range(4))
    x = np.asarray(x, dtype=np.float64)
    c, more = x + shape.first, shape.k * x
    s, early = r + more, alpha + t_x
    value = scipy.special.gammaln(s) - scipy.special.gammaln(r)
    value = value - r * np.log1p(t_x / alpha) - more * np.log(early)
    value = value + log_beta_ratio(a, b, c)
    silent = log_no_purchase(shape.k, s, early, T - t_x)
    odds = np.log(a) - np.log(b + (np.maximum(c, 1.0) - 1.0))
    return np.asarray(value + np.where(c > 0, np.logaddexp(silent, odds), silent))


def rows(shape: Shape, theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (4,) or (m, 4).

    With u = log G, o = log(a / (b+c-1)) and the weight h = G / (G + a / (b+c-1)), the last term has
    gradient h u' + (1-h) o' and Hessian h u'' + (1-h) o'' + h (1-h) (u' - o') (u' - o')^T.
    """
    r, alpha, a, b = np.broadcast_to(theta, (x.size, 4)).T
    digamma, trigamma = scipy.special.digamma, partial(scipy.special.polygamma, 1)
    c, s, early = x + shape.first, r + shape.k * x, alpha + t_x
    none, stay = np.zeros_like(x), 1.0 / (b + (np.maximum(c, 1.0) - 1.0))
    silent, curvature = _silent(shape.k, s, early, T - t_x)
    odds = np.stack([none, none, 1.0 / a, -stay])
    log_odds = np.log(a) + np.log(stay)
    u = log_no_purchase(shape.k, s, early, T - t_x)
    h = np.where(c > 0, scipy.special.expit(u - log_odds), 1.0)
    apart = silent - odds
    gradient = h * silent + (1.0 - h) * odds
    hessian = h * curvature + h * (1.0 - h) * apart[:, None] * apart
    hessian[2, 2] -= (1.0 - h) / a**2
    hessian[3, 3] += (1.0 - h) * stay**2
    staying = beta_ratio(a, b, c)
    gradient[0] += digamma(s) - digamma(r) - np.log1p(t_x / alpha)
    gradient[1] += r / alpha - s / early
    gradient[2:] += staying.gradient[:2]
    hessian[0, 0] += trigamma(s) - trigamma(r)
    hessian[[0, 1], [1, 0]] += 1.0 / alpha - 1.0 / early
    hessian[1, 1] += s / early**2 - r / alpha**2
    hessian[2:, 2:] += staying.hessian[:2, :2]
    return RowDerivatives(log_likelihood(shape, theta, x, t_x, T), gradient, hessian)


def _silent(k: int, s: Floats, early: Floats, gap: Floats) -> tuple[Floats, Floats]:
    """Gradient (4, m) and Hessian (4, 4, m) of log G in r, alpha, a, b; dw/dalpha = -w / late."""
    late = early + gap
    found = Silence.of(k, s, gap / late)
    in_s, in_w = found.s / found.value, found.w / found.value
    gradient, hessian = np.zeros((4, s.size)), np.zeros((4, 4, s.size))
    gradient[0] = in_s - np.log1p(gap / early)
    gradient[1] = s * (1.0 / early - 1.0 / late) - in_w / late
    hessian[0, 0] = found.ss / found.value - in_s**2
    cross = 1.0 / early - 1.0 / late - (found.sw / found.value - in_s * in_w) / late
    hessian[0, 1] = hessian[1, 0] = cross
    hessian[1, 1] = s * (1.0 / late**2 - 1.0 / early**2)
    hessian[1, 1] += (found.ww / found.value - in_w**2 + 2.0 * in_w) / late**2
    return gradient, hessian


def of_intervals(k: int, purchases: float, log_intervals: float) -> float:
    """What the parts of the likelihood without parameters add to its log: they compare k.

    purchases: repeat purchases of the base; log_intervals: sum of the logs of their intervals.
    """
    return float((k - 1) * log_intervals - purchases * scipy.special.gammaln(k))


def starts(k: int, profiles: Profiles) -> Floats:
    """Those of BG/NBD, with k stages for each purchase."""
    values: Floats = bg_nbd_likelihood.starts(profiles) * np.array([1.0, 1.0 / k, 1.0, 1.0])
    return values
