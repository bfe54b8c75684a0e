"""Do customers buy at regular intervals? A look at pairs of intervals, beside the most likely k.

With Erlang-k intervals at each customer's own rate, the share d1 / (d1 + d2) of two neighbouring
intervals is Beta(k, k) whatever the rate, and whatever their sum, so that neither drop-out nor the
end of the window disturbs it. Its variance about a half, 1 / (4 (2k + 1)), gives k.

Source: Wheat and Morrison (1990), Estimating purchase regularity with two interpurchase times,
Journal of Marketing Research 27(1).
"""

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.errors import DataError, Problem
from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.regular import fits_by_k
from cxmodels.results.estimate import check_level

SHARE = "interval_share"


def regularity(base: CustomerBase, *, level: float = 0.9) -> pd.DataFrame:
    """How regular purchases are: k = 1 at random, the larger the more regular.

    Args: base: made with `customer_base(..., regularity=True)`; level: width of intervals.
    Returns: method, k, lower, upper, customers; one row for pairs of intervals (Wheat and Morrison:
    one pair a customer, interval by the delta method on the variance), one for each fitted model
    (whole k; the interval holds the k that a likelihood ratio does not reject).
    Raises: DataError where the base lacks the columns, or fewer than two customers have two
    intervals.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...     unit="week", end="1997-09-30", regularity=True,
    ... )
    >>> regularity(base)["method"].tolist()
    ['pairs of intervals', 'BG/CNBD-k', 'MBG/CNBD-k']
    """
    ask_for_base(base)
    check_level(level)
    if SHARE not in base.table:
        remedy = "Make the base with cx.customer_base(..., regularity=True)"
        raise DataError("customer base", [Problem(f"there is no column {SHARE!r}", remedy=remedy)])
    share = base.table[SHARE].dropna().to_numpy(dtype=np.float64)
    if share.size < 2:
        what = f"{share.size} of {base.customers:,} customers have two intervals between purchases"
        raise DataError("customer base", [Problem(what, remedy="Two such customers are the least")])
    lines = [("pairs of intervals", *wheat_morrison(share, level), share.size)]
    lines += [_most_likely(family, base, level) for family in (BGCNBD, MBGCNBD)]
    return pd.DataFrame(lines, columns=["method", "k", "lower", "upper", "customers"])


def wheat_morrison(share: np.ndarray, level: float) -> tuple[float, float, float]:
    """k and its interval from shares (n,): the variance about a half is 1 / (4 (2k + 1))."""
    square = (share - 0.5) ** 2
    variance = float(square.mean())
    z = float(scipy.special.ndtri((1.0 + level) / 2.0))
    error = z * float(square.std(ddof=1)) / np.sqrt(share.size)
    low, high = max(variance - error, 0.0), variance + error
    return _k_of(variance), _k_of(high), _k_of(low)


def _k_of(variance: float) -> float:
    return (1.0 / (4.0 * variance) - 1.0) / 2.0 if variance > 0.0 else np.inf


def _most_likely(
    family: type[BGCNBD] | type[MBGCNBD], base: CustomerBase, level: float
) -> tuple[str, float, float, float, int]:
    """The most likely k of a family, and the range of those that cannot be rejected."""
    heights = np.array([fit.log_likelihood for fit in fits_by_k(family, base)])
    inside = np.flatnonzero(2.0 * (heights.max() - heights) <= scipy.special.chdtri(1, 1.0 - level))
    k = float(heights.argmax() + 1)
    return family().name, k, float(inside.min() + 1), float(inside.max() + 1), base.customers
