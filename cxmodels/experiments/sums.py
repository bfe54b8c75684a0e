"""Counts, means and centred cross-products, and what follows from them alone.

Pieces are put together exactly (Chan, Golub and LeVeque 1983, The American Statistician 37): with
N = sum n and M = sum n m / N, P = sum P_i + sum n_i (m_i - M)(m_i - M)'.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.experiments.metric_kinds import Quantity
from cxmodels.numerics.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Sums:
    """n (...), mean (..., k) and product (..., k, k), the cross-products about the mean."""

    n: Floats
    mean: Floats
    product: Floats

    def at(self, keep: Any) -> "Sums":
        """Some of them, along the first axis."""
        return Sums(self.n[keep], self.mean[keep], self.product[keep])

    @property
    def covariance(self) -> Floats:
        """(..., k, k), over n - 1."""
        return self.product / np.maximum(self.n - 1.0, 1.0)[..., None, None]


def joined(one: Sums, two: Sums) -> Sums:
    """Two rows of sums, one after the other."""
    return Sums(
        np.concatenate([one.n, two.n]),
        np.concatenate([one.mean, two.mean]),
        np.concatenate([one.product, two.product]),
    )


def pooled(pieces: Sums, code: Ints, size: int) -> Sums:
    """Pieces (c,) put together into groups (size,) by their code; code -1 is left out."""
    pieces, code = pieces.at(code >= 0), code[code >= 0]
    k = pieces.mean.shape[1]

    def added(values: Floats) -> Floats:
        flat = values.reshape(len(code), -1)
        columns = [np.bincount(code, column, size) for column in flat.T]
        return np.array(columns, dtype=np.float64).T.reshape(size, *values.shape[1:])

    n = np.asarray(np.bincount(code, pieces.n, size), dtype=np.float64)
    mean = added(pieces.n[:, None] * pieces.mean) / np.maximum(n, 1.0)[:, None]
    off = pieces.mean - mean[code]
    mean = mean + added(pieces.n[:, None] * off) / np.maximum(n, 1.0)[:, None]  # rounding
    off = pieces.mean - mean[code]
    spread = pieces.n[:, None, None] * off[:, :, None] * off[:, None, :]
    return Sums(n, mean, added((pieces.product + spread).reshape(len(code), k, k)))


def together(sums: Sums) -> Sums:
    """The last axis of groups (..., a) put together."""
    n = sums.n.sum(axis=-1)
    weight = (sums.n / np.maximum(n, 1.0)[..., None])[..., None]
    mean = (weight * sums.mean).sum(axis=-2)
    off = sums.mean - mean[..., None, :]
    spread = np.einsum("...a,...ai,...aj->...ij", sums.n, off, off)
    return Sums(n, mean, sums.product.sum(axis=-3) + spread)


def valued(mean: Floats, quantity: Quantity) -> tuple[Floats, Floats]:
    """A quantity at means (..., k): its value (...), and its gradient (..., k) in the means.

    Of a ratio R = a / b the gradient is 1 / b and -R / b: the delta method.
    """
    gradient = np.zeros_like(mean)
    if quantity.below is None:
        gradient[..., quantity.above] = 1.0
        return mean[..., quantity.above], gradient
    below = mean[..., quantity.below]
    ratio = mean[..., quantity.above] / below
    gradient[..., quantity.above] = 1.0 / below
    gradient[..., quantity.below] = -ratio / below
    return ratio, gradient


def stacked(mean: Floats, quantities: tuple[Quantity, ...]) -> tuple[Floats, Floats]:
    """Several quantities at means (..., k): values (..., q) and gradients (..., q, k)."""
    if not quantities:
        return np.zeros((*mean.shape[:-1], 0)), np.zeros((*mean.shape[:-1], 0, mean.shape[-1]))
    found = [valued(mean, quantity) for quantity in quantities]
    return np.stack([value for value, _ in found], -1), np.stack([slope for _, slope in found], -2)
