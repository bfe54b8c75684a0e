"""Errors where whole clusters were drawn: CR2 with Satterthwaite's degrees, from sums by cluster.

V = M [sum over clusters of X_g' A_g e_g e_g' A_g X_g] M with M = (X'X)^-1 and A_g = (I - H_gg)^-1/2
(CR2; CR0 has I, CR3 the inverse): Bell and McCaffrey (2002, Survey Methodology 28), degrees of
freedom as in Pustejovsky and Tipton (2018, Journal of Business & Economic Statistics 36, eq. 11),
with independent errors of one variance as working model.

With X_g'X_g = S_g = V L V', the rows of a cluster enter through S_g alone: for the root
B = V L^1/2 (k, k) of S_g, X_g'A_g e_g = B (I - B'M B)^-1/2 B^+ X_g'e_g.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats

POWERS = {"cr0": 0.0, "cr2": -0.5, "cr3": -1.0}
ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class ClusterErrors:
    """covariance (k, k) of the coefficients; clusters G; what degrees are made of."""

    covariance: Floats
    clusters: int
    bread: Floats
    own: Floats
    across: Floats

    def degrees(self, contrast: Floats) -> float:
        """Satterthwaite's degrees of freedom of a contrast (k,) of the coefficients.

        nu = (tr P)^2 / tr(P P) with P_gh = p_g'p_h, p_g = (I - H)_g' A_g X_g M c: here
        P_gh = [g = h] u_g'u_g - w_g'M w_h with w_g = X_g'u_g, u_g = A_g X_g M c.
        """
        c = self.bread @ contrast
        w = self.across @ c  # (G, k)
        size = np.einsum("gij,i,j->g", self.own, c, c)
        mixed = np.einsum("gi,ij,gj->g", w, self.bread, w)
        inner = self.bread @ (w.T @ w)
        squares = float((size * (size - 2.0 * mixed)).sum() + np.trace(inner @ inner))
        return float((size - mixed).sum()) ** 2 / squares


def clustered_errors(
    gram: Floats, score: Floats, bread: Floats, kind: str = "cr2"
) -> ClusterErrors:
    """Errors of least squares from what each cluster adds: X_g'X_g (G, k, k) and X_g'e_g (G, k).

    bread: (k, k) = (X'X)^-1; kind: "cr0", "cr2" or "cr3". Errors: FitError for fewer than 2
    clusters.

    >>> x = np.array([[1.0], [1.0], [1.0], [1.0]])  # a mean of two pairs: 1, 3 and 2, 6
    >>> e = np.array([-2.0, 0.0, -1.0, 3.0])
    >>> gram, score = np.full((2, 1, 1), 2.0), np.array([[-2.0], [2.0]])
    >>> found = clustered_errors(gram, score, np.array([[0.25]]))
    >>> round(float(found.covariance[0, 0]), 10), round(found.degrees(np.ones(1)), 10)
    (1.0, 1.0)
    """
    if kind not in POWERS:
        raise OptionError(f"kind {kind!r} is not one of {', '.join(POWERS)}")
    if len(gram) < 2:
        raise FitError("errors by cluster need two clusters or more")
    values, vectors = np.linalg.eigh(gram)
    values = np.where(values > ROUNDING * values[:, -1:], values, 0.0)
    root = vectors * np.sqrt(values)[:, None, :]  # (G, k, k)
    with np.errstate(divide="ignore"):
        back = np.where(values > 0.0, 1.0 / np.sqrt(values), 0.0)
    inward = np.einsum("gki,gk,gi->gi", vectors, score, back)  # B^+ X_g'e_g
    left = np.eye(gram.shape[1]) - np.swapaxes(root, 1, 2) @ bread @ root
    once = _power(left, POWERS[kind])
    twice = _power(left, 2.0 * POWERS[kind])
    moved = np.einsum("gij,gjk,gk->gi", root, once, inward) @ bread
    turned = np.swapaxes(root, 1, 2)
    return ClusterErrors(
        moved.T @ moved, len(gram), bread, root @ twice @ turned, root @ once @ turned
    )


def _power(matrices: Floats, power: float) -> Floats:
    """Powers of symmetric matrices (G, k, k); directions that are fitted whole are left out."""
    if power == 0.0:
        return np.broadcast_to(np.eye(matrices.shape[1]), matrices.shape)
    values, vectors = np.linalg.eigh(matrices)
    kept = values > ROUNDING
    raised = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((vectors * raised[:, None, :]) @ np.swapaxes(vectors, 1, 2))
