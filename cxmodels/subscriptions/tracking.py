"""What the model says beside what happened, by age, with the ages it had not seen marked."""

import numpy as np
import pandas as pd

from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.subscriptions.fitted import FittedSubscriptions
from cxmodels.subscriptions.kaplan_meier import kaplan_meier

CALIBRATION, HOLDOUT = "calibration", "hold-out"


def retention_tracking(
    fit: FittedSubscriptions,
    base: SubscriptionBase,
    *,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Survival and retention by age: the base's own and the model's.

    Args: fit: of the base, or of `base.before_last(k)`, whose later ages are the hold-out; base:
    everything known by now; level: width of intervals; draws, seed: of the posterior.
    Returns: age, part (calibration or hold-out), at_risk, survival_actual, survival_actual_lower,
    survival_actual_upper (Kaplan-Meier with its band), survival_naive (everybody renewing with the
    mean rate of the ages that the fit has seen), survival, survival_lower, survival_upper,
    retention_actual (NaN at age 0), retention_rate, retention_lower, retention_upper.
    """
    fit.check_base(base)
    if fit.design.columns:
        raise OptionError("with covariates every kind of customer has a curve: use fit.survival")
    actual = kaplan_meier(base, level=level).set_index("age")
    ages = np.arange(int(actual.index.max()) + 1)
    known = actual.reindex(ages)
    curve = known[["survival", "lower", "upper"]].ffill()
    lost, at_risk = (known[name].to_numpy(dtype=np.float64) for name in ("lost", "at_risk"))
    own = {"level": level, "draws": draws, "seed": seed}
    model = fit.survival(ages, **own)  # type: ignore[arg-type]
    rate = fit.retention_rate(ages[1:], **own)  # type: ignore[arg-type]
    kept = np.where(at_risk > 0, 1.0 - lost / np.where(at_risk > 0, at_risk, 1.0), np.nan)
    kept[0] = np.nan
    seen = (ages > 0) & (ages <= fit.periods)
    constant = 1.0 - np.nansum(lost[seen]) / max(np.nansum(at_risk[seen]), 1.0)
    return pd.DataFrame(
        {
            "age": ages,
            "part": np.where(ages <= fit.periods, CALIBRATION, HOLDOUT),
            "at_risk": at_risk,
            "survival_actual": curve["survival"].to_numpy(),
            "survival_actual_lower": curve["lower"].to_numpy(),
            "survival_actual_upper": curve["upper"].to_numpy(),
            "survival_naive": constant**ages,
            "survival": model["survival"],
            "survival_lower": model["lower"],
            "survival_upper": model["upper"],
            "retention_actual": kept,
            "retention_rate": _after_start(rate["retention_rate"]),
            "retention_lower": _after_start(rate["lower"]),
            "retention_upper": _after_start(rate["upper"]),
        }
    )


def _after_start(values: "pd.Series[float]") -> Floats:
    return np.append(np.nan, values.to_numpy(dtype=np.float64))
