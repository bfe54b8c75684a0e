"""Several metrics and arms looked at together: p-values that allow for it.

Holm (1979, Scandinavian Journal of Statistics 6), Hochberg (1988, Biometrika 75), Benjamini and
Hochberg (1995, JRSS B 57), by the library statsmodels; Romano and Wolf (2005) with draws from the
joint normal law of the estimates.
"""

from collections.abc import Sequence

import numpy as np

from cxmodels.chance import generator
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.multiplicity import romano_wolf

METHODS = {"holm": "holm", "hochberg": "simes-hochberg", "benjamini-hochberg": "fdr_bh"}
JOINT = "romano-wolf"
WAYS = (*METHODS, JOINT, "none")


def adjusted(p_values: Sequence[float] | Floats, how: str) -> Floats:
    """p-values (m,) of one family, adjusted.

    how: "holm" or "hochberg" (chance of any false finding), "benjamini-hochberg" (share of findings
    that are false), or "none". Errors: OptionError for another, or for what is no p-value.

    >>> adjusted([0.01, 0.04, 0.03], "holm").round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if how not in (*METHODS, "none"):
        raise OptionError(f"multiplicity {how!r} is not one of {', '.join(WAYS)}")
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise OptionError("p-values are numbers from 0 to 1, in one row")
    if how == "none" or p.size < 2:  # one question has nothing to be adjusted for
        return p
    from statsmodels.stats.multitest import multipletests  # heavy, and needed here alone

    return np.asarray(multipletests(p, method=METHODS[how])[1], dtype=np.float64)


def jointly(estimates: Floats, errors: Floats, covariance: Floats, draws: int, seed: int) -> Floats:
    """Romano and Wolf's adjusted p-values (m,): draws are normal with `covariance` (m, m), scaled
    to the errors (m,)."""
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / scale[:, None] / scale)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = generator(seed, 7).normal(size=(draws, estimates.size))
    names = [str(place) for place in range(estimates.size)]
    found = romano_wolf(names, estimates, errors, normal @ root.T * errors)
    return found["adjusted"].to_numpy(dtype=np.float64)
