"""Do customers who buy often also spend more per order? The spend model assumes that they do not.

Spearman's rank correlation between paid repeat orders and mean order among repeat buyers, with
the interval of Bonett and Wright (2000): Fisher's z with variance (1 + r^2 / 2) / (n - 3).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats

if TYPE_CHECKING:
    from cxmodels.spend.fitted import FittedSpend

SIMULATIONS, MOST_SIMULATED = 200, 2000
SMALL = 0.1  # |correlation| below which equity hardly moves: 1 per cent of rank variance shared


@dataclass(frozen=True)
class Independence:
    """Rank correlation of order count and mean order over `customers` repeat buyers.

    lower, upper: interval at `level`; by_chance: the correlation that independence itself would
    show, because means of few orders are skewed (0 where no spend fit was given); sentence: what it
    means for customer equity.
    """

    correlation: float
    lower: float
    upper: float
    by_chance: float
    customers: int
    level: float
    sentence: str

    @property
    def table(self) -> pd.DataFrame:
        """One row: correlation, lower, upper, by_chance, customers, sentence."""
        columns = ["correlation", "lower", "upper", "by_chance", "customers", "sentence"]
        return pd.DataFrame([{name: getattr(self, name) for name in columns}])

    def __str__(self) -> str:
        return self.sentence


def independence(
    base: CustomerBase, spend_fit: "FittedSpend | None" = None, *, level: float = 0.9
) -> Independence:
    """The rank correlation between paid repeat orders and mean order, with its interval.

    Args: base: a customer base with monetary_value; spend_fit: its fitted spend model, from which
    the correlation under independence is simulated (taken as 0 if None); level: width of the
    interval, 0 to 1.
    Raises: FitError with fewer than 4 repeat buyers or no variation to correlate.
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must lie between 0 and 1, got {level}")
    orders = base.table["paid_frequency"].to_numpy(dtype=np.float64)
    mean = base.table["monetary_value"].to_numpy(dtype=np.float64)
    known = (orders >= 1) & ~np.isnan(mean)
    orders, mean = orders[known], mean[known]
    n = int(known.sum())
    if n < 4 or np.ptp(orders) == 0 or np.ptp(mean) == 0:
        raise FitError(
            f"no correlation of orders and spend: {n} customers have paid repeat orders, and they "
            "must be at least 4 and differ both in how often and in how much they buy"
        )
    from scipy.stats import spearmanr  # heavy, and needed here alone

    r = float(spearmanr(orders, mean).statistic)
    lower, upper = fisher_interval(r, n, level)
    chance = 0.0 if spend_fit is None else _by_chance(spend_fit, orders)
    said = _sentence(r, (lower, upper), chance, level)
    return Independence(r, lower, upper, chance, n, level, said)


def _by_chance(spend_fit: "FittedSpend", orders: Floats) -> float:
    """Mean rank correlation when spend is independent of the number of orders (simulated)."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    few = rng.choice(orders, MOST_SIMULATED) if orders.size > MOST_SIMULATED else orders
    found = []
    for _ in range(SIMULATIONS):
        mean = spend_fit.family.simulated_means(spend_fit.theta, few, rng)
        found.append(float(spearmanr(few, mean).statistic))
    return float(np.mean(found))


def fisher_interval(r: float, n: int, level: float) -> tuple[float, float]:
    """Interval of a rank correlation r from n pairs (Bonett and Wright 2000, equation 5).

    >>> [round(end, 4) for end in fisher_interval(0.5, 103, 0.95)]
    [0.3287, 0.6394]
    """
    half = scipy.special.ndtri((1 + level) / 2) * np.sqrt((1 + r * r / 2) / (n - 3))
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    return float(np.tanh(z - half)), float(np.tanh(z + half))


def _sentence(r: float, ends: tuple[float, float], chance: float, level: float) -> str:
    lower, upper = ends
    found = f"Rank correlation of order count and mean order {r:.2f} ({level:.0%} interval "
    found += f"{lower:.2f} to {upper:.2f}"
    chance = round(chance, 2) + 0.0
    found += f"; independence would show {chance:.2f}): " if chance else "): "
    if lower <= chance <= upper:
        return found + "no sign that frequent buyers spend more or less per order, as assumed."
    above = r - chance
    more, low, high = ("more", "low", "high") if above > 0 else ("less", "high", "low")
    size, effect = (
        ("a little", "hardly moves") if abs(above) < SMALL else ("clearly", "matters for")
    )
    return found + (
        f"frequent buyers spend {size} {more} per order. Spend is shrunk to one mean for all, so "
        f"equity of frequent buyers comes out too {low} and of rare ones too {high}; "
        f"a correlation of this size {effect} the total."
    )
