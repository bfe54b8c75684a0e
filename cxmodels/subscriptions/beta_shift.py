"""What covariates move where the chance to leave is beta distributed: its mean, not its spread.

A customer with shift s has log odds log(alpha / beta) + s of the mean chance to leave, and the same
alpha + beta as everybody, so that customers of one kind differ as much as those of another (the
polarisation index 1 / (1 + alpha + beta) stays). Multiplying alpha and beta by one factor would
move the spread alone.
"""

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats, Number


def own_parameters(alpha: Number, beta: Number, shift: Number) -> tuple[Number, Number]:
    """alpha and beta of a customer with the given shift; unchanged where it is 0.

    >>> own_parameters(1.0, 3.0, 0.0)
    (1.0, 3.0)
    """
    if np.ndim(shift) == 0 and shift == 0:
        return alpha, beta
    odds = np.log(alpha) - np.log(beta) + shift
    both = alpha + beta
    return both * scipy.special.expit(odds), both * scipy.special.expit(-odds)


def own_derivatives(alpha: float, beta: float, shift: Floats) -> tuple[Floats, Floats, Floats]:
    """Own alpha and beta (2, m) with first (2, 3, m) and second (2, 3, 3, m) derivatives in
    (log alpha, log beta, shift).

    With sum s = alpha + beta and mean p = expit(log alpha - log beta + shift): own alpha = s p.
    """
    m = shift.size
    own = np.empty((2, m))
    own[0], own[1] = own_parameters(alpha, beta, shift)
    total = alpha + beta
    mean = own[0] / total
    step = np.array([alpha, beta, 0.0])  # ds
    way = np.array([1.0, -1.0, 1.0])
    spread = own[0] * own[1] / total**2  # p (1 - p)
    first, second = np.empty((2, 3, m)), np.empty((2, 3, 3, m))
    slope = way[:, None] * spread
    bend = np.outer(way, way)[:, :, None] * (spread * (1.0 - 2.0 * mean))
    cross = step[:, None, None] * slope
    first[0] = step[:, None] * mean + total * slope
    second[0] = np.diag(step)[:, :, None] * mean + cross + cross.transpose(1, 0, 2) + total * bend
    first[1] = step[:, None] - first[0]  # own beta = s - own alpha
    second[1] = np.diag(step)[:, :, None] - second[0]
    return own, first, second
