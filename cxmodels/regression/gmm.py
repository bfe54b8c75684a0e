"""Linear generalised method of moments with units as clusters: one step, two steps, Windmeijer."""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy import sparse

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.regression.instruments import Design

ALIKE = 1e-9  # eigenvalues of scaled moments below this share of the largest are none


@dataclass(frozen=True, eq=False)
class Stage:
    """One estimate: coefficients (k,), residuals (n,), weight (L, L), bread (k, k) = (X'Z W
    Z'X)^-1; plain and robust covariances; criterion: the quadratic form of the moments;
    weight_inverse: what the weight is the inverse of; variance: of one error in levels."""

    coefficients: Floats
    residuals: Floats
    weight: Floats
    weight_inverse: Floats
    bread: Floats
    plain: Floats
    robust: Floats
    criterion: float
    variance: float


@dataclass(frozen=True, eq=False)
class Moments:
    """A design with its cross products: XZ (k, L), Zy (L,), units as an indicator (units, n)."""

    design: Design
    Z: Floats
    groups: tuple[str, ...]
    XZ: Floats
    Zy: Floats
    indicator: sparse.csr_matrix
    units_given: int

    @classmethod
    def of(cls, design: Design) -> "Moments":
        """With instruments that follow from others left out; FitError where too few are left."""
        kept = _independent(design.Z)
        Z, k = design.Z[:, kept], design.X.shape[1]
        if kept.size < k:
            raise FitError(
                f"{kept.size} instruments cannot tell {k} coefficients apart: use more lags, or "
                "fewer regressors"
            )
        n = design.unit.size
        units = int(design.unit.max()) + 1
        indicator = sparse.csr_matrix((np.ones(n), (design.unit, np.arange(n))), (units, n))
        groups = tuple(design.groups[place] for place in kept)
        return cls(design, Z, groups, design.X.T @ Z, Z.T @ design.y, indicator, units)

    @property
    def instruments(self) -> int:
        """How many there are."""
        return int(self.Z.shape[1])

    @property
    def units(self) -> int:
        """Units that have a row."""
        return int(np.unique(self.design.unit).size)

    def sums(self, e: Floats) -> Floats:
        """(units, L): Z_i' e_i."""
        return np.asarray(self.indicator @ (self.Z * e[:, None]))

    def without(self, keep: Bools, inverse: Floats) -> float:
        """The criterion of some of the instruments, weighted by their part of the same matrix."""
        XZ, Zy = self.XZ[:, keep], self.Zy[keep]
        weight = _inverse(inverse[np.ix_(keep, keep)])
        bread = _bread(XZ @ weight @ XZ.T)
        b = bread @ (XZ @ (weight @ Zy))
        left = Zy - XZ.T @ b
        return float(left @ weight @ left)


def one_step(moments: Moments) -> Stage:
    """Weights for errors alike in levels: (sum of Z_i' H Z_i)^-1, H what differences make of I."""
    design, Z = moments.design, moments.Z
    base = design.base
    size = int(base.max()) + 1
    rows = np.arange(len(base))
    minus = np.flatnonzero(base[:, 1] >= 0)
    M = sparse.csr_matrix(
        (
            np.r_[np.ones(rows.size), -np.ones(minus.size)],
            (np.r_[rows, minus], np.r_[base[:, 0], base[minus, 1]]),
        ),
        (rows.size, size),
    )
    G = np.asarray(M.T @ Z)
    return _stage(moments, G.T @ G, None)


def two_step(moments: Moments, first: Stage) -> Stage:
    """Weights from the first step's residuals; robust errors corrected for them."""
    g = moments.sums(first.residuals)
    return _stage(moments, g.T @ g, first)


def _stage(moments: Moments, inverse: Floats, first: Stage | None) -> Stage:
    XZ, Zy, design = moments.XZ, moments.Zy, moments.design
    weight = _inverse(inverse)
    bread = _bread(XZ @ weight @ XZ.T)
    b = bread @ (XZ @ (weight @ Zy))
    e = design.y - design.X @ b
    left = Zy - XZ.T @ b
    g = moments.sums(e)
    half = bread @ XZ @ weight
    sandwich = half @ (g.T @ g) @ half.T
    d = ~design.equation
    variance = float(e[d] @ e[d]) / max(int(d.sum()) - b.size, 1) / 2.0
    plain, robust = bread, sandwich
    if first is None:
        plain = variance * bread
    else:
        robust = _windmeijer(moments, first, bread, half, weight @ left)
    return Stage(b, e, weight, inverse, bread, plain, robust, float(left @ weight @ left), variance)


def _windmeijer(
    moments: Moments, first: Stage, bread: Floats, half: Floats, turned: Floats
) -> Floats:
    """V + D V + V D' + D V1 D', D_k = V X'Z W [sum of Z_i' (x_k e' + e x_k') Z_i] W Z'e2.

    Windmeijer (2005), equation (3.3); half: V X'Z W; turned: W Z'e2.
    """
    g = moments.sums(first.residuals)
    own = g @ turned  # (units,) of each unit
    D = np.empty_like(bread)
    for k, column in enumerate(moments.design.X.T):
        q = moments.sums(column)
        D[:, k] = half @ (q.T @ own + g.T @ (q @ turned))
    found = bread + D @ bread + bread @ D.T + D @ first.robust @ D.T
    return np.asarray(found)


def _independent(Z: Floats) -> np.ndarray:
    """Columns (kept,) that do not follow from those before them."""
    size = np.sqrt((Z**2).sum(axis=0))
    if not (size > 0.0).any():
        raise FitError("no instrument is left")
    gram = (Z / np.where(size > 0.0, size, 1.0)).T @ (Z / np.where(size > 0.0, size, 1.0))
    _, r, pivot = scipy.linalg.qr(gram, pivoting=True)
    depth = np.abs(np.diag(r))
    rank = int((depth > ALIKE * depth[0]).sum())
    return np.sort(pivot[:rank])


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a matrix of moments, generalised where few units make it singular."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    even = matrix / size[:, None] / size
    try:
        factor = scipy.linalg.cho_factor(even)
        if np.diag(factor[0]).min() > 1e-6:
            found = scipy.linalg.cho_solve(factor, np.eye(len(even)))
            return np.asarray(found / size[:, None] / size)
    except scipy.linalg.LinAlgError:
        pass
    return np.asarray(scipy.linalg.pinvh(even, rtol=1e-10) / size[:, None] / size)


def _bread(matrix: Floats) -> Floats:
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    even = matrix / size[:, None] / size
    values = np.linalg.eigvalsh(even)
    if values[0] <= 1e-12 * values[-1]:
        raise FitError("the instruments cannot tell the coefficients apart: leave regressors out")
    return np.asarray(np.linalg.inv(even) / size[:, None] / size)
