"""How regular buyers are: fits of the models with k stages between purchases, with k chosen.

The likelihood of k needs the logs of the intervals between purchases, summed over the base. They
carry no other parameter, so a given k can be fitted without them.
"""

from collections.abc import Callable
from dataclasses import replace

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.errors import DataError, Problem
from cxmodels.purchases.asked import ALIKE, Asked
from cxmodels.purchases.bg_cnbd_likelihood import of_intervals
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.fitted import FittedPurchases, fit_purchases

INTERVALS = "log_interval_sum"
MOST_STAGES = 24  # of a given k
MOST_TRIED = 12  # of an estimated one
DECLINES = 3  # steps downhill after which larger k are not tried


def fit_regular(
    family: Callable[[int], PurchaseFamily], k: int | None, base: CustomerBase, asked: Asked = ALIKE
) -> FittedPurchases:
    """The fit with k stages between purchases; with the most likely k where it is None."""
    ask_for_base(base)
    if k is not None:
        return _fit(family(k), k, base, asked)
    tried = fits_by_k(family, base, asked)
    heights = [fit.log_likelihood for fit in tried]
    best = tried[max(range(len(tried)), key=heights.__getitem__)]
    return replace(best, remarks=(*best.remarks, _told(heights)))


def fits_by_k(
    family: Callable[[int], PurchaseFamily], base: CustomerBase, asked: Asked = ALIKE
) -> list[FittedPurchases]:
    """Fits with k = 1, 2, ... up to 12, or until the likelihood has fallen for three steps."""
    if INTERVALS not in base.table:
        raise DataError(
            "customer base",
            [
                Problem(
                    f"there is no column {INTERVALS!r}, from which k is estimated",
                    remedy="Make the base with cx.customer_base(..., regularity=True), give the "
                    "column to CustomerBase.from_summary, or fix k, as in BGCNBD(k=2)",
                )
            ],
        )
    tried: list[FittedPurchases] = []
    for stages in range(1, MOST_TRIED + 1):
        tried.append(_fit(family(stages), stages, base, asked))
        heights = [fit.log_likelihood for fit in tried]
        if stages > DECLINES and heights[-DECLINES - 1] == max(heights):
            break
    return tried


def _fit(family: PurchaseFamily, k: int, base: CustomerBase, asked: Asked) -> FittedPurchases:
    """The fit with given k, with the factor of the intervals where they are known."""
    purchases = float(base.table["frequency"].sum())
    if INTERVALS not in base.table:
        words = (
            f"k = {k} was given and the base has no {INTERVALS!r}: the log likelihood, AIC and "
            "BIC compare with those of the same k only.",
        )
        return fit_purchases(family, base, asked, remarks=words if k > 1 else ())
    constant = of_intervals(k, purchases, float(base.table[INTERVALS].sum()))
    return fit_purchases(family, base, asked, constant=constant)


def _told(heights: list[float]) -> str:
    best = max(range(len(heights)), key=heights.__getitem__)
    others = ", ".join(f"{place + 1}: {height:,.1f}" for place, height in enumerate(heights))
    return (
        f"k = {best + 1} was chosen by log likelihood ({others}); AIC and BIC do not count it as a "
        "parameter, and intervals take it as known."
    )
