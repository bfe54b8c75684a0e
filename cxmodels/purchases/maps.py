"""Who is still there and how much they will buy, by how often and how recently they bought."""

import numpy as np
import pandas as pd

from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import one_kind

STEPS = 40  # grid points along recency


def recencies(family: PurchaseFamily, T: float) -> Floats:
    """Recencies of customers aged T for a map: a grid, or in discrete time opportunities."""
    if not family.discrete:
        return np.linspace(0.0, T, STEPS + 1)[1:]
    if T < 1 or int(T) != T:
        raise OptionError(f"{family.name} counts opportunities: T is a whole number, got {T!r}")
    return np.unique(np.round(np.linspace(1.0, T, min(int(T), STEPS))))


def is_possible(family: PurchaseFamily, x: Floats, t_x: Floats) -> Bools:
    """Whether x purchases can have been made by t_x: in discrete time one an opportunity."""
    return np.asarray((x <= t_x) | (not family.discrete))


def recency_frequency_map(
    fit: FittedPurchases, *, T: float, horizon: str | Span, most: int = 20
) -> pd.DataFrame:
    """P(alive) and expected purchases over frequency and recency, for customers aged T.

    Args: T: time since the first purchase, in the fit's unit; horizon: window of the expected
    purchases; most: largest frequency.
    Returns: frequency, recency (time from first to last purchase), T, p_alive, expected_purchases;
    frequency 0 stands at recency 0 only, and a repeat purchase never does. In discrete time there
    is no row for more purchases than opportunities up to the last one.
    """
    if not (isinstance(T, int | float) and T > 0 and isinstance(most, int) and most >= 1):
        raise OptionError(f"T is a time above 0 and most a count, got {T!r} and {most!r}")
    one_kind(fit.family)
    recency = recencies(fit.family, T)
    x, t_x = np.meshgrid(np.arange(1.0, most + 1), recency, indexing="ij")
    possible = is_possible(fit.family, x, t_x)
    x, t_x = x[possible], t_x[possible]
    x, t_x = np.append(0.0, x.ravel()), np.append(0.0, t_x.ravel())
    age = np.full_like(x, T)
    p_alive = fit.family.p_alive(fit.theta, x, t_x, age)
    updated = fit.family.alive(fit.theta, x, t_x, age)
    expected = p_alive * fit.family.expected_purchases(updated, np.float64(fit.length(horizon)))
    return pd.DataFrame(
        {
            "frequency": x.astype(np.int64),
            "recency": t_x,
            "T": age,
            "p_alive": p_alive,
            "expected_purchases": expected,
        }
    )
