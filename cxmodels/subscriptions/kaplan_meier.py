"""Survival without a model: the Kaplan-Meier curve with its band, by the library lifelines.

Customers still active are counted while they were seen, those whose records begin late from then
on. The band is pointwise, by Greenwood's variance on the log-log scale (Kalbfleisch and Prentice
1980), which stays between 0 and 1.
"""

import numpy as np
import pandas as pd

from cxmodels.data.subscriptions import SubscriptionBase, ask_for_subscriptions
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.results.estimate import check_level


def kaplan_meier(base: SubscriptionBase, *, level: float = 0.9) -> pd.DataFrame:
    """The product-limit estimate of survival by age, over all cohorts of a base.

    Args: base: counts by age, or contracts; level: width of the pointwise band.
    Returns: age, at_risk (customers just before), lost, survival, lower, upper; age 0 first, then
    each age at which customers left or were last seen.
    Raises: DataError where counts of some periods are missing; OptionError where lifelines is not
    installed.
    """
    ask_for_subscriptions(base)
    inside = check_level(level)
    spells = base.spells
    _ask_for_each_period(base)
    lost = np.isfinite(spells["ended"].to_numpy(dtype=np.float64))
    age = np.where(lost, spells["ended"], spells["lasted"]).astype(np.float64)
    seen = age > spells["entry"].to_numpy(dtype=np.float64)
    fitter = _fitter()(alpha=1.0 - inside)
    fitter.fit(
        age[seen],
        lost[seen],
        weights=spells["customers"].to_numpy(dtype=np.float64)[seen],
        entry=spells["entry"].to_numpy(dtype=np.float64)[seen],
    )
    table, band = fitter.event_table, fitter.confidence_interval_
    found = pd.DataFrame(
        {
            "age": table.index.to_numpy(dtype=np.float64),
            "at_risk": table["at_risk"].to_numpy(),
            "lost": table["observed"].to_numpy(),
            "survival": fitter.survival_function_.iloc[:, 0].to_numpy(),
            "lower": band.iloc[:, 0].to_numpy(),
            "upper": band.iloc[:, 1].to_numpy(),
        }
    )
    whole = {"age": np.int64, "at_risk": np.int64, "lost": np.int64}
    return found.astype(whole)


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


def _fitter() -> type:
    try:
        from lifelines import KaplanMeierFitter
    except ImportError as error:
        raise OptionError(
            "the Kaplan-Meier curve needs the library lifelines, which is not installed; run: pip "
            "install 'cxmodels[survival]'"
        ) from error
    fitter: type = KaplanMeierFitter
    return fitter
