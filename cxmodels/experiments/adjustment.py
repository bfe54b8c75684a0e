"""Two arms compared: plain, with noise taken out by what was known before, or stratum by stratum.

CUPED: y - theta (x - mean x) with one theta of both arms (Deng, Xu, Kohavi and Walker 2013, WSDM,
eq. 5). Lin: a slope of each arm's own (Lin 2013, Annals of Applied Statistics 7, section 4).
ANCOVA: one slope within arms (Freedman 2008). Strata: effects weighted by their size (Miratrix,
Sekhon and Yu 2013, JRSS B 75, eq. 2). Ratios enter linearised (Deng, Knoblich and Lu 2018, KDD).
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.metric_kinds import Asked
from cxmodels.experiments.robust_errors import inverse
from cxmodels.experiments.sums import Sums, stacked, together, valued
from cxmodels.numerics.arrays import Floats

PLAIN, CUPED, LIN, ANCOVA = "none", "cuped", "lin", "ancova"


@dataclass(frozen=True, eq=False)
class Contrast:
    """What stands in each arm, control first: mean (..., 2), its covariance (..., 2, 2), and
    degrees of freedom (...)."""

    mean: Floats
    covariance: Floats
    degrees: Floats

    @property
    def estimate(self) -> Floats:
        """Second less first."""
        return np.asarray(self.mean[..., 1] - self.mean[..., 0])

    @property
    def variance(self) -> Floats:
        """Of the estimate."""
        v = self.covariance
        return np.asarray(v[..., 0, 0] + v[..., 1, 1] - 2.0 * v[..., 0, 1])


def cuped_slopes(groups: Sums, asked: Asked) -> Floats:
    """theta (q,) of groups (..., 2): covariance over variance, arms and then strata put together.

    Of several strata, what differs between them is left out.
    """
    if not asked.covariates:
        return np.zeros(0)
    whole = together(groups)
    if whole.n.ndim:
        product, n = whole.product.sum(axis=0), float(whole.n.sum()) - len(whole.n)
        mean = (whole.n[:, None] * whole.mean).sum(axis=0) / whole.n.sum()
        whole = Sums(np.float64(n + 1.0), mean, product)  # type: ignore[arg-type]
    _, y = valued(whole.mean, asked.outcome)
    _, x = stacked(whole.mean, asked.covariates)
    spread = x @ whole.product @ x.T
    scale = np.sqrt(np.diag(spread))
    if not (scale > 0.0).all():
        raise FitError("a covariate does not vary, or not within strata: leave it out")
    scaled = np.linalg.pinv(spread / scale[:, None] / scale, rcond=1e-12, hermitian=True)
    return np.asarray(scaled / scale[:, None] / scale @ (x @ whole.product @ y))


def plain(groups: Sums, asked: Asked, theta: Floats) -> Contrast:
    """Arms (..., 2) compared, less theta (q,) times the covariates; errors and degrees by Welch.

    Var of an arm's mean = w'S w / n with w the gradient of outcome less theta times that of the
    covariates, at the arm's own means; nu by Satterthwaite (Welch 1947, Biometrika 34).
    """
    value, w = valued(groups.mean, asked.outcome)
    if theta.size:
        x, slopes = stacked(groups.mean, asked.covariates)
        middle, _ = stacked(together(groups).mean, asked.covariates)
        value = value - (x - middle[..., None, :]) @ theta
        w = w - np.einsum("...qk,q->...k", slopes, theta)
    own = np.einsum("...i,...ij,...j->...", w, groups.covariance, w) / groups.n
    return Contrast(value, own[..., :, None] * np.eye(2), welch(own, groups.n))


def welch(own: Floats, n: Floats) -> Floats:
    """Degrees of freedom of a sum of independent variances (..., a) of means of n each."""
    below = (own**2 / np.maximum(n - 1.0, 1.0)).sum(axis=-1)
    return np.asarray(own.sum(axis=-1) ** 2 / np.where(below > 0.0, below, 1.0))


def over_strata(parts: Contrast, weight: Floats, n: Floats) -> Contrast:
    """Strata (..., s) put together with weights (s,) that sum to 1; n: (..., s, 2) of each cell."""
    mean = np.einsum("s,...sa->...a", weight, parts.mean)
    own = np.diagonal(parts.covariance, axis1=-2, axis2=-1) * (weight**2)[:, None]
    flat = own.reshape(*own.shape[:-2], -1)
    size = n.reshape(*n.shape[:-2], -1)
    return Contrast(mean, own.sum(axis=-2)[..., None] * np.eye(2), welch(flat, size))


@dataclass(frozen=True, eq=False)
class Recipe:
    """Two arms as a least squares problem, rows u = E_a (1, x) on z.

    centre (2, k): means of the arms; level (2,): the outcome there; to_z (2, k) and to_x (q, k):
    gradients, so that z = level + to_z (c - centre) and x = to_x (c - middle) with middle (k,);
    design E (2, p, 1 + q), of which the first two columns of u are the arms.
    """

    centre: Floats
    level: Floats
    to_z: Floats
    to_x: Floats
    middle: Floats
    design: Floats
    bread: Floats
    coefficients: Floats
    n: Floats

    @property
    def degrees(self) -> float:
        """Rows less coefficients."""
        return float(self.n.sum()) - len(self.coefficients)

    def rows(self, columns: Floats, arm: int) -> tuple[Floats, Floats]:
        """Columns (n, k) of an arm, 0 or 1, as rows u (n, p) and residuals (n,)."""
        x = (columns - self.middle) @ self.to_x.T
        z = self.level[arm] + (columns - self.centre[arm]) @ self.to_z[arm]
        u = np.column_stack([np.ones(len(x)), x]) @ self.design[arm].T
        return u, z - u @ self.coefficients

    def cells(self, sums: Sums, arm: int) -> tuple[Floats, Floats]:
        """Sums of cells (c,) of an arm as u'u (c, p, p) and u'e (c, p)."""
        off, e = sums.mean - self.middle, self.design[arm]
        x = off @ self.to_x.T
        to_e, base = self._residual(arm)
        n = sums.n
        inside = np.zeros((n.size, e.shape[1], e.shape[1]))
        inside[:, 0, 0] = n
        inside[:, 0, 1:] = inside[:, 1:, 0] = n[:, None] * x
        spread = self.to_x @ sums.product @ self.to_x.T
        inside[:, 1:, 1:] = spread + n[:, None, None] * x[:, :, None] * x[:, None, :]
        left = base + off @ to_e  # mean residual
        score = np.zeros((n.size, e.shape[1]))
        score[:, 0] = n * left
        score[:, 1:] = n[:, None] * left[:, None] * x + sums.product @ to_e @ self.to_x.T
        return e @ inside @ e.T, score @ e.T

    def _residual(self, arm: int) -> tuple[Floats, float]:
        """The residual as base + to_e (c - middle)."""
        b = self.design[arm].T @ self.coefficients  # of (1, x)
        to_e = self.to_z[arm] - b[1:] @ self.to_x
        base = self.level[arm] + (self.middle - self.centre[arm]) @ self.to_z[arm] - b[0]
        return to_e, float(base)


def recipe(groups: Sums, asked: Asked, how: str, theta: Floats) -> Recipe:
    """The least squares problem of two arms (2,) with `how`: none, cuped, lin or ancova."""
    whole = together(groups)
    level, to_z = valued(groups.mean, asked.outcome)
    _, to_x = stacked(whole.mean, asked.covariates)
    if how in (PLAIN, CUPED):
        if theta.size:
            x, slopes = stacked(groups.mean, asked.covariates)
            middle, _ = stacked(whole.mean, asked.covariates)
            level, to_z = level - (x - middle) @ theta, to_z - np.einsum("aqk,q->ak", slopes, theta)
        to_x = to_x[:0]
    design = _design(len(to_x), how)
    gram = np.zeros((design.shape[1], design.shape[1]))
    right = np.zeros(design.shape[1])
    for arm in (0, 1):
        x = to_x @ (groups.mean[arm] - whole.mean)
        inside = np.zeros((1 + x.size, 1 + x.size))
        product = groups.product[arm]
        n = float(groups.n[arm])
        inside[0, 0], inside[0, 1:], inside[1:, 0] = n, n * x, n * x
        inside[1:, 1:] = to_x @ product @ to_x.T + n * np.outer(x, x)
        gram += design[arm] @ inside @ design[arm].T
        own = np.concatenate([[n * level[arm]], n * level[arm] * x + to_x @ product @ to_z[arm]])
        right += design[arm] @ own
    bread = inverse(gram)
    b = bread @ right
    b = b + bread @ (right - gram @ b)
    return Recipe(groups.mean, level, to_z, to_x, whole.mean, design, bread, b, groups.n)


def _design(q: int, how: str) -> Floats:
    """E of each arm: (2, p, 1 + q), arms first, then slopes: of each arm for Lin, else one."""
    each = q if how == LIN else 0
    design = np.zeros((2, 2 + q + each, 1 + q))
    for arm in (0, 1):
        design[arm, arm, 0] = 1.0
        start = 2 + arm * each
        design[arm, start : start + q, 1:] = np.eye(q)
    return design
