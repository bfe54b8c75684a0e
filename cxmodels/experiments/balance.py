"""How alike two groups are in what was known before: standardised differences and their like.

Differences of means over a standard deviation taken before balancing (of the treated where the
effect on them is asked, else of both: Rosenbaum and Rubin 1985, The American Statistician 39; for 0
and 1 it is the root of p (1 - p)); variance ratios; the largest gap between the two distribution
functions (Kolmogorov and Smirnov); effective sizes by Kish, (sum w)^2 / sum w^2. As told by MatchIt
and cobalt.
"""

from typing import TYPE_CHECKING

import numpy as np

from cxmodels.numerics.arrays import Bools, Floats

if TYPE_CHECKING:
    import pandas as pd

TOLERABLE = 0.1  # standardised difference above which groups are commonly called unlike


def balance_table(
    names: tuple[str, ...], values: Floats, treated: Bools, weights: Floats, estimand: str
) -> "pd.DataFrame":
    """One row a column of values (n, k): means and differences before and after weighting.

    weights: (n,), 0 for units that are not used; estimand: "att" standardises by the treated,
    anything else by both groups. Variance ratios are empty for columns of 0 and 1.

    >>> x = np.array([[0.0], [2.0], [4.0], [2.0], [4.0], [6.0]])
    >>> treated = np.array([False, False, False, True, True, True])
    >>> one = np.ones(6)
    >>> balance_table(("age",), x, treated, one, "att")["smd_before"].tolist()
    [1.0]
    """
    import pandas as pd

    rows = []
    for name, x in zip(names, values.T, strict=True):
        binary = bool(np.isin(x, (0.0, 1.0)).all())
        scale = _scale(x, treated, binary, estimand)
        before = _compared(x, treated, np.ones_like(x), scale)
        after = _compared(x, treated, weights, scale)
        rows.append({
            "covariate": name, "mean_treated": after[0], "mean_control": after[1],
            "smd_before": before[2], "smd_after": after[2],
            "variance_ratio_before": np.nan if binary else before[3],
            "variance_ratio_after": np.nan if binary else after[3],
            "ecdf_before": before[4], "ecdf_after": after[4],
        })  # fmt: skip
    return pd.DataFrame(rows)


def effective_size(weights: Floats) -> float:
    """How many equal weights tell as much as these.

    >>> effective_size(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    total = float(weights @ weights)
    return float(weights.sum()) ** 2 / total if total > 0.0 else 0.0


def _scale(x: Floats, treated: Bools, binary: bool, estimand: str) -> float:
    own, other = (_spread(x[group], binary) for group in (treated, ~treated))
    variance = own if estimand == "att" else 0.5 * (own + other)
    return float(np.sqrt(variance))


def _spread(x: Floats, binary: bool) -> float:
    p = float(x.mean())
    return p * (1.0 - p) if binary else float(x.var(ddof=1))


def _compared(
    x: Floats, treated: Bools, weights: Floats, scale: float
) -> tuple[float, float, float, float, float]:
    """Means of both groups, standardised difference, variance ratio, largest gap."""
    (m1, v1), (m0, v0) = (_moments(x[g], weights[g]) for g in (treated, ~treated))
    apart = m1 - m0
    if scale > 0.0:
        smd = apart / scale
    else:
        smd = 0.0 if abs(apart) < 1e-12 * max(abs(m1), 1.0) else np.nan
    ratio = v1 / v0 if v0 > 0.0 else np.nan
    return m1, m0, smd, ratio, _gap(x, treated, weights)


def _moments(x: Floats, w: Floats) -> tuple[float, float]:
    """Weighted mean, and variance that is right for equal weights."""
    total = float(w.sum())
    mean = float(w @ x) / total
    left = total - float(w @ w) / total
    return mean, float(w @ (x - mean) ** 2) / left if left > 0.0 else np.nan


def _gap(x: Floats, treated: Bools, weights: Floats) -> float:
    order = np.argsort(x, kind="stable")
    step = np.where(treated, weights / weights[treated].sum(),
                    -weights / weights[~treated].sum())[order]  # fmt: skip
    last = np.append(np.diff(x[order]) > 0.0, True)
    return float(np.abs(np.cumsum(step)[last]).max())
