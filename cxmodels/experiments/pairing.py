"""Pairs of units that are alike: nearest neighbours by Mahalanobis distance, the closest first.

Greedy: of all neighbours the closest two are a pair, then the closest of those left. An optimal
matching would be closer on the whole by little, and take time with the cube of their number
(Greevy, Lu, Silber and Rosenbaum 2004, "Optimal multivariate matching before randomization",
Biostatistics 5(2)).
"""

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Floats, Ints

NEIGHBOURS = 8


def paired(x: Floats) -> tuple[Ints, float]:
    """A pair for every unit, and the mean distance within pairs in standard deviations.

    x: (n, k) covariates, in an order that decides ties. Returns labels (n,) from 0 on; of an odd
    number the last unit left joins the pair nearest to it. Raises FitError below two units.

    >>> paired(np.array([[1.0], [9.0], [1.5], [8.0]]))[0].tolist()
    [0, 1, 0, 1]
    """
    if len(x) < 2:
        raise FitError("there are fewer than two units to pair")
    z = whitened(x)
    gaps: list[float] = []
    label, left = np.full(len(z), -1, dtype=np.int64), np.arange(len(z))
    while left.size > 1:
        for i, j, gap in _closest(z[left]):
            a, b = left[i], left[j]
            if label[a] < 0 and label[b] < 0:
                label[a] = label[b] = len(gaps)
                gaps.append(gap)
        left = np.flatnonzero(label < 0)
    if left.size:
        others = np.flatnonzero(label >= 0)
        label[left[0]] = label[others[np.argmin(((z[others] - z[left[0]]) ** 2).sum(axis=1))]]
    return label, float(np.mean(gaps))


def whitened(x: Floats) -> Floats:
    """x (n, k) less its mean, turned so that columns (n, rank) have variance 1 and none is the
    other's; constant and repeated columns vanish."""
    centred = x - x.mean(axis=0)
    scale = centred.std(axis=0, ddof=1) if len(x) > 1 else np.zeros(x.shape[1])
    kept = scale > 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300)
    if not kept.any():
        return np.zeros((len(x), 1))
    unit = centred[:, kept] / scale[kept]
    values, vectors = np.linalg.eigh(unit.T @ unit / (len(x) - 1))
    held = values > 1e-9 * values.max()
    return np.asarray(unit @ (vectors[:, held] / np.sqrt(values[held])), dtype=np.float64)


def _closest(z: Floats) -> list[tuple[int, int, float]]:
    """Neighbours (i < j, distance), the closest first."""
    k = min(NEIGHBOURS + 1, len(z))
    distance, near = scipy.spatial.cKDTree(z).query(z, k=k)
    i = np.repeat(np.arange(len(z)), k)
    j, gap = np.asarray(near).ravel(), np.asarray(distance).ravel()
    low, high = np.minimum(i, j), np.maximum(i, j)
    kept = low < high
    low, high, gap = low[kept], high[kept], gap[kept]
    order = np.lexsort((high, low, gap))
    return list(zip(low[order].tolist(), high[order].tolist(), gap[order].tolist(), strict=True))
