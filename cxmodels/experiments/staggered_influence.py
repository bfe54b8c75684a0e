"""How much each unit moves each estimate, kept as small as it can be, and errors made of that.

An estimate less its value is the sum over units of phi_i (Callaway and Sant'Anna 2021, Journal of
Econometrics 225, theorem 2; phi_i = psi_i / n there), so that its covariance is sum phi_i phi_i',
over clusters of units sum (sum phi_i)(sum phi_i)' C / (C - 1).
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints

CELLS = 20_000_000  # draws times clusters at once


@dataclass(frozen=True, eq=False)
class Block:
    """Units (m,) whose influence on K estimates is basis (m, b) times into (b, K)."""

    units: Ints
    basis: Floats
    into: Floats


@dataclass(frozen=True, eq=False)
class Influence:
    """Of n units, in blocks of which each unit may be in one; cluster: (n,) from 0, or None."""

    blocks: tuple[Block, ...]
    n: int
    cluster: Ints | None = None

    def of(self, weights: Floats) -> Floats:
        """(n, A) of each unit on sums of estimates with weights (K, A)."""
        found = np.zeros((self.n, weights.shape[1]))
        for block in self.blocks:
            found[block.units] = block.basis @ (block.into @ weights)
        return found

    @property
    def estimates(self) -> int:
        """K."""
        return int(self.blocks[0].into.shape[1])

    def covariance(self) -> Floats:
        """(K, K) of the estimates."""
        K = self.estimates
        if self.cluster is None:
            total = np.zeros((K, K))
            for block in self.blocks:
                total += block.into.T @ (block.basis.T @ block.basis) @ block.into
            return total
        C = int(self.cluster.max()) + 1
        sums = np.zeros((C, K))
        for block in self.blocks:
            own = self.cluster[block.units]
            sums += _by(own, block.basis, C) @ block.into
        return sums.T @ sums * (C / (C - 1.0))


def covariance_of(phi: Floats, cluster: Ints | None) -> Floats:
    """(A, A) of estimates with influences phi (n, A)."""
    sums, factor = summed(phi, cluster)
    return sums.T @ sums * factor


def summed(phi: Floats, cluster: Ints | None) -> tuple[Floats, float]:
    """(C, A) sums by cluster, and the factor on their products."""
    if cluster is None:
        return phi, 1.0
    C = int(cluster.max()) + 1
    return _by(cluster, phi, C), C / (C - 1.0)


def _by(cluster: Ints, columns: Floats, C: int) -> Floats:
    sums = [np.bincount(cluster, weights=column, minlength=C) for column in columns.T]
    return np.asarray(sums, dtype=np.float64).reshape(columns.shape[1], C).T


def critical_value(degrees: float, level: float) -> float:
    """Half width of an interval in errors: of t, normal where degrees are infinite."""
    return float(scipy.special.stdtrit(degrees, (1.0 + level) / 2.0))


def simultaneous(
    phi: Floats, cluster: Ints | None, level: float, draws: int, seed: int | np.random.Generator
) -> float:
    """Half width, in errors, of a band that holds all estimates at once with `level`.

    Multiplier bootstrap: the quantile of max_a |sum v_i phi_ia| / error_a over random signs v of
    whole clusters (Callaway and Sant'Anna 2021, algorithm 1 with Rademacher's weights).
    """
    if not isinstance(draws, int | np.integer) or draws < 199:
        raise OptionError(f"draws {draws!r} is not a whole number from 199 on")
    sums, _ = summed(phi, cluster)
    error = np.sqrt((sums**2).sum(axis=0))
    if not (error > 0.0).all():
        raise FitError("an estimate without an error has no band")
    scaled, rng = sums / error, generator(seed)
    step = max(1, CELLS // len(scaled))
    largest = np.empty(draws)
    for start in range(0, draws, step):
        m = min(step, draws - start)
        bits = np.frombuffer(rng.bytes(m * (len(scaled) // 8 + 1)), dtype=np.uint8)
        signs = np.unpackbits(bits.reshape(m, -1), axis=1)[:, : len(scaled)]
        drawn = 2.0 * (signs.astype(np.float64) @ scaled) - scaled.sum(axis=0)
        largest[start : start + m] = np.abs(drawn).max(axis=1)
    return float(np.quantile(largest, level))


def wald(estimate: Floats, covariance: Floats, degrees: float) -> tuple[float, int, float]:
    """W, its degrees of freedom and the p-value that all estimates (q,) are 0.

    Chi-squared; where errors are clustered (degrees finite), W / rank against F(rank, degrees).
    """
    size = np.sqrt(np.diag(covariance))
    if not (size > 0.0).all():
        raise FitError("an estimate without an error cannot be tested")
    values, ways = np.linalg.eigh(covariance / size[:, None] / size)
    held = values > 1e-10 * values[-1]
    along = (estimate / size) @ ways[:, held]
    W, rank = float((along**2 / values[held]).sum()), int(held.sum())
    if np.isfinite(degrees):
        return W, rank, float(scipy.special.fdtrc(rank, degrees, W / rank))
    return W, rank, float(scipy.special.chdtrc(rank, W))


def wald_of_few(estimate: Floats, phi: Floats, group: Ints) -> float | None:
    """The p-value that all estimates (q,) are 0 where groups are small; None where too small.

    phi: (n, q) influences of units, or sums over clusters; group: (n,) from 0, whose covariances
    add up. Hotelling's T-squared with the degrees of Krishnamoorthy and Yu (2004, Statistics &
    Probability Letters 66): exact for one group, close for several of unequal spread.
    """
    count = np.bincount(group)
    if (count - 1).sum() < estimate.size:  # the covariance is singular for want of units
        return None
    parts = [phi[group == g] for g in np.flatnonzero(count > 1)]
    sums = np.array([part.T @ part * (len(part) / (len(part) - 1.0)) for part in parts])
    covariance = sums.sum(axis=0)
    size = np.sqrt(np.diag(covariance))
    values, ways = np.linalg.eigh(covariance / size[:, None] / size)
    held = values > 1e-10 * values[-1]
    unit = ways[:, held] / np.sqrt(values[held]) / size[:, None]  # makes the covariance I
    T2, q = float(((estimate @ unit) ** 2).sum()), int(held.sum())
    shares = unit.T @ sums @ unit  # of each group, which sum to I
    trace = np.trace(shares, axis1=1, axis2=2)
    spread = ((shares**2).sum(axis=(1, 2)) + trace**2) / (count[count > 1] - 1.0)
    degrees = (q + q * q) / float(spread.sum())
    if degrees - q + 1.0 < 1.0:
        return None
    return float(scipy.special.fdtrc(q, degrees - q + 1.0, T2 * (degrees - q + 1.0) / degrees / q))
