"""Which mixes of frequency and recency are worth the same: residual value over both."""

import numpy as np
import pandas as pd

from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import one_kind
from cxmodels.purchases.maps import is_possible, recencies
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value.discount import Payment
from cxmodels.value.expectation import scheme_of
from cxmodels.value.terms import as_number, curve_of


def iso_value(
    fit: FittedPurchases,
    spend_fit: FittedSpend,
    *,
    T: float,
    horizon: str | Span | None,
    discount_rate: float,
    margin: float = 1.0,
    payment: str | Payment = Payment.CONTINUOUS,
    most: int = 20,
) -> pd.DataFrame:
    """Residual value of customers aged T who spend like the population.

    Args: T: time since the first purchase in the fit's unit; horizon, discount_rate, margin,
    payment: as in `lifetime_value`; most: largest frequency.
    Returns: frequency, recency (time from first to last purchase), T, value (money); in discrete
    time without rows for more purchases than opportunities up to the last one.
    """
    if not (as_number(T, "T") > 0 and isinstance(most, int) and most >= 1):
        raise OptionError(f"T is a time above 0 and most a count, got {T!r} and {most!r}")
    if not 0.0 < as_number(margin, "margin") <= 1.0:
        raise OptionError(f"margin is a share of revenue, above 0 and at most 1, got {margin}")
    one_kind(fit.family)
    curve = curve_of(fit, horizon=horizon, rate=discount_rate, payment=payment, start=fit.end)
    family, theta = fit.family, fit.theta
    frequency = np.arange(1.0, most + 1)
    recency = recencies(family, T)
    alive = family.alive(theta, frequency, np.float64(T), np.float64(T))
    scheme = scheme_of(family, alive, curve)
    ahead = family.purchase_rate(alive[:, None, :], scheme.times) @ scheme.weights[:, 0]
    x, t_x = np.meshgrid(frequency, recency, indexing="ij")
    possible = is_possible(family, x, t_x)
    x, t_x, ahead = x[possible], t_x[possible], ahead[np.nonzero(possible)[0]]
    p_alive = family.p_alive(theta, x, t_x, np.full_like(x, T))
    order = margin * spend_fit.paid_share * spend_fit.mean_spend
    return pd.DataFrame(
        {
            "frequency": x.astype(np.int64),
            "recency": t_x,
            "T": float(T),
            "value": p_alive * ahead * order,
        }
    )
