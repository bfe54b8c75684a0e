"""Survival without a model: the Kaplan-Meier curve with its band, by the library statsmodels.

Customers still active are counted while they were seen, those whose records begin late from then
on. The band is pointwise, by Greenwood's variance on the log-log scale (Kalbfleisch and Prentice
1980), which stays between 0 and 1.
"""

import numpy as np
import pandas as pd

from cxmodels.data.subscriptions import SubscriptionBase, ask_for_subscriptions
from cxmodels.errors import DataError, Problem
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.results.estimate import check_level, normal_quantile


def kaplan_meier(base: SubscriptionBase, *, level: float = 0.9) -> pd.DataFrame:
    """The product-limit estimate of survival by age, over all cohorts of a base.

    Args: base: counts by age, or contracts; level: width of the pointwise band.
    Returns: age, at_risk (customers just before), lost, survival, lower, upper; age 0 first, then
    each age at which customers left.
    Raises: DataError where counts of some periods are missing.
    """
    ask_for_subscriptions(base)
    inside = check_level(level)
    spells = base.spells
    _ask_for_each_period(base)
    lost = np.isfinite(spells["ended"].to_numpy(dtype=np.float64))
    age = np.where(lost, spells["ended"], spells["lasted"]).astype(np.float64)
    seen = age > spells["entry"].to_numpy(dtype=np.float64)
    many = spells["customers"].to_numpy(dtype=np.int64)[seen]
    entry = spells["entry"].to_numpy(dtype=np.float64)[seen]
    each = (np.repeat(age[seen], many), np.repeat(lost[seen], many), np.repeat(entry, many))
    return _curve(each[0], each[1], each[2], inside)


def _curve(age: Floats, lost: Bools, entry: Floats, level: float) -> pd.DataFrame:
    """The curve of single customers: last seen at `age`, `lost` then or not, seen from `entry`."""
    from statsmodels.duration.survfunc import SurvfuncRight  # heavy, and needed here alone

    late = entry if (entry > 0).any() else None
    fitted = SurvfuncRight(age, lost.astype(np.float64), entry=late)
    times, survival = fitted.surv_times, fitted.surv_prob
    lower, upper = _band(survival, fitted.surv_prob_se, level)
    start = int((entry <= 0).sum())
    return pd.DataFrame(
        {
            "age": np.append(0.0, times),
            "at_risk": np.append(start, fitted.n_risk).astype(np.int64),
            "lost": np.append(0, fitted.n_events).astype(np.int64),
            "survival": np.append(1.0, survival),
            "lower": np.append(1.0, lower),
            "upper": np.append(1.0, upper),
        }
    )


def _band(survival: Floats, error: Floats, level: float) -> tuple[Floats, Floats]:
    """Pointwise ends S^exp(+-z se / (S log S)); where nobody is left, 0 and the last upper end."""
    inside = (survival > 0.0) & (survival < 1.0)
    safe = np.where(inside, survival, 0.5)
    width = normal_quantile(level) * np.where(inside, error, 0.0) / (safe * np.abs(np.log(safe)))
    lower = np.where(inside, safe ** np.exp(width), np.where(survival >= 1.0, 1.0, 0.0))
    upper = np.where(inside, safe ** np.exp(-width), np.where(survival >= 1.0, 1.0, 0.0))
    gone = np.flatnonzero(survival <= 0.0)
    if gone.size and gone[0] > 0:
        upper[gone] = upper[gone[0] - 1]
    return lower, upper


def _ask_for_each_period(base: SubscriptionBase) -> None:
    if base.totals is not None:
        raise DataError(
            "subscription base", [Problem("only totals are known, not how old the customers were")]
        )
    wide = base.spells["ended"] - base.spells["lasted"] > 1.0
    gaps = wide & np.isfinite(base.spells["ended"])
    if gaps.any():
        first = base.spells[gaps].iloc[0]
        raise DataError(
            "subscription base",
            [
                Problem(
                    "customers were not counted in every period",
                    int(gaps.sum()),
                    f"cohort {first['cohort']}: between ages {first['lasted']:g} and "
                    f"{first['ended']:g}",
                    "A model can be fitted to such counts, Kaplan and Meier's curve cannot",
                )
            ],
        )
