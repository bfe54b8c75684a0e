"""Whether arms differ by more than the draw of them explains, in all columns at once.

Under randomisation the values are fixed and the arms are dealt. With T_a the sum over arm a of what
lies beyond its stratum's mean, Cov(T_a, T_b) = sum over strata of (n_a [a = b] - n_a n_b / n) S,
with S the covariance of the stratum; T' V^-1 T is then about chi-squared (Hansen and Bowers 2008,
"Covariate balance in simple, stratified and clustered comparative studies", Statistical Science 23,
section 3.2, here for any number of arms). Clusters are dealt as one: their totals are the values.
With few units, many columns and heavy tails the p-value is too large rather than too small.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Ints

SMALLEST = 1e-10  # of an eigenvalue of the correlation below which columns say the same


@dataclass(frozen=True)
class Omnibus:
    """A test of all columns together: chi-squared statistic, its degrees of freedom, p-value."""

    statistic: float
    degrees: int
    p_value: float


def omnibus(values: Floats, arm: Ints, stratum: Ints) -> Omnibus:
    """From what was dealt. values: (n, p); arm: (n,) from 0; stratum: (n,) from 0.

    >>> found = omnibus(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0, 0, 1, 1]),
    ...                 np.zeros(4, dtype=np.int64))
    >>> found.degrees, round(found.statistic, 3)
    (1, 2.4)
    """
    sizes, first, second = _dealt(arm, stratum)
    n = np.bincount(stratum).astype(np.float64)
    mean = _added(values, stratum) / n[:, None]
    off = values - mean[stratum]
    product = np.stack([off[stratum == s].T @ off[stratum == s] for s in range(n.size)])
    return of_sums(_added(off, arm, first), sizes, product, second)


def of_sums(total: Floats, sizes: Floats, product: Floats, arms: int) -> Omnibus:
    """From sums. total: (a, p) of what lies beyond the strata's means, by arm; sizes: (s, a) of
    what was dealt; product: (s, p, p) cross-products about the strata's means; arms: a."""
    n = sizes.sum(axis=1)
    spread = product / np.maximum(n - 1.0, 1.0)[:, None, None]
    deal = np.einsum("sa,ab->sab", sizes, np.eye(arms)) - np.einsum(
        "sa,sb->sab", sizes, sizes / n[:, None]
    )
    keep = slice(0, arms - 1)  # the last arm is what the others leave
    v = np.einsum("sab,sij->aibj", deal[:, keep, keep], spread)
    t, size = total[keep].ravel(), total[keep].size
    return _quadratic(t, v.reshape(size, size))


def _quadratic(t: Floats, v: Floats) -> Omnibus:
    """T' V^- T, in units of the standard errors; columns that say the same count once."""
    error = np.sqrt(np.maximum(np.diag(v), 0.0))
    moves = error > 0.0
    if not moves.any():
        return Omnibus(0.0, 0, 1.0)
    z, r = t[moves] / error[moves], v[np.ix_(moves, moves)] / np.outer(error[moves], error[moves])
    value, vector = np.linalg.eigh(r)
    kept = value > SMALLEST * len(z)
    statistic = float(((vector[:, kept].T @ z) ** 2 / value[kept]).sum())
    degrees = int(kept.sum())
    return Omnibus(statistic, degrees, float(scipy.stats.chi2.sf(statistic, degrees)))


def _dealt(arm: Ints, stratum: Ints) -> tuple[Floats, int, int]:
    arms, strata = int(arm.max()) + 1, int(stratum.max()) + 1
    sizes = np.bincount(stratum * arms + arm, minlength=strata * arms).reshape(strata, arms)
    return sizes.astype(np.float64), arms, arms


def _added(values: Floats, code: Ints, size: int = 0) -> Floats:
    return np.stack([np.bincount(code, column, size) for column in values.T], axis=1)
