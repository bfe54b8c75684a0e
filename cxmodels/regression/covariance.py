"""How sure a coefficient is, where rows of one customer (or firm) say much the same.

Clustered covariance (Liang and Zeger 1986): B (sum over clusters of s s') B with B the inverse
information and s a cluster's summed scores. `influence` keeps B s of each cluster, so that errors
of numbers made of several regressions come out right.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.generalised_linear import Fitted, Kind, solve


@dataclass(frozen=True, eq=False)
class Clustered:
    """influence: (g, k) of each cluster on each coefficient; covariance: (k, k), with Stata's
    factor: G / (G - 1), and for least squares (N - 1) / (N - K) besides."""

    influence: Floats
    covariance: Floats
    clusters: int

    @property
    def errors(self) -> Floats:
        """Standard errors (k,)."""
        return np.sqrt(np.diag(self.covariance))


def clustered(fit: Fitted, x: Floats, cluster: Ints, clusters: int) -> Clustered:
    """Covariance of a fit on x (n, k) whose rows belong to `cluster` (n,), numbered from 0.

    Raises: FitError for fewer than two clusters.
    """
    present = int(np.count_nonzero(np.bincount(cluster)))
    if present < 2:
        raise FitError("errors clustered by customer need two customers or more")
    sums = [np.bincount(cluster, weights=fit.slopes * column, minlength=clusters) for column in x.T]
    influence = solve(fit.information, np.array(sums, dtype=np.float64)).T
    factor = present / (present - 1.0)
    if fit.kind is Kind.NUMBER:
        factor *= (fit.rows - 1.0) / (fit.rows - x.shape[1])
    return Clustered(influence, factor * (influence.T @ influence), present)
