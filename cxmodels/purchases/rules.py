"""What simple rules predict: last period's buyers keep buying, everyone keeps their own rate.

A model that cannot beat them is not worth its parameters. Source: Wuebben and von Wangenheim
(2008), "Instant Customer Base Analysis: Managerial Heuristics Often 'Get It Right'", Journal of
Marketing 72(3), for the rules of own rate and hiatus.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.data.summaries import CustomerBase
from cxmodels.numerics.arrays import Bools, Floats

STEPS = 50  # hiatus lengths tried


@dataclass(frozen=True)
class Rule:
    """A rule's predictions for n customers: purchases (n,) and whether any at all (n,)."""

    name: str
    expected: Floats
    buys: Bools


def own_rate(base: CustomerBase, t: float) -> Rule:
    """Every customer keeps their past purchases per unit of time."""
    x, T = _history(base, "frequency"), _history(base, "T")
    expected = x / np.where(T > 0, T, np.inf) * t
    return Rule("own rate", expected, expected >= 0.5)


def mean_rate(base: CustomerBase, t: float) -> Rule:
    """Every customer buys what customers bought on average, per unit of time observed."""
    x, T = _history(base, "frequency"), _history(base, "T")
    expected = np.full(x.size, x.sum() / T.sum() * t if T.sum() > 0 else 0.0)
    return Rule("mean", expected, expected >= 0.5)


def last_period(base: CustomerBase, earlier: CustomerBase) -> Rule:
    """Every customer buys as often as in the period before, which had the same length.

    earlier: the base as it stood one period before, with that period as its hold-out. A customer
    who came within the period is taken at their repeat purchases since.
    """
    before = earlier.table.set_index("customer_id")["holdout_frequency"]
    known = before.reindex(base.table["customer_id"]).to_numpy(dtype=np.float64)
    expected = np.where(np.isnan(known), _history(base, "frequency"), known)
    return Rule("last period", expected, expected > 0)


def hiatus(base: CustomerBase, earlier: CustomerBase, t: float) -> Rule:
    """Who has been away longer than a hiatus is gone, the others keep their own rate.

    The hiatus is the one that would have told buyers of the period before from others best.
    """
    bought = earlier.table["holdout_frequency"].to_numpy() > 0
    away = _history(earlier, "T") - _history(earlier, "recency")
    lengths = np.quantile(away, np.linspace(0.0, 1.0, STEPS))
    right = [np.mean((away <= length) == bought) for length in lengths]
    length = lengths[int(np.argmax(right))]
    buys = _history(base, "T") - _history(base, "recency") <= length
    return Rule("hiatus", np.where(buys, own_rate(base, t).expected, 0.0), buys)


def rules(base: CustomerBase, earlier: CustomerBase | None, t: float) -> list[Rule]:
    """Every rule that the data at hand allow."""
    found = [own_rate(base, t), mean_rate(base, t)]
    if earlier is not None:
        found += [last_period(base, earlier), hiatus(base, earlier, t)]
    return found


def _history(base: CustomerBase, name: str) -> Floats:
    return base.table[name].to_numpy(dtype=np.float64)
