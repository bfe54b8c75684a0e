"""Customer equity: what all present customers are worth, and where its uncertainty comes from.

Var(total) = Var(E[total | parameters]) + E[Var(total | parameters)]. The first part is split over
purchase parameters, spend parameters and the discount rate, in proportion to the variance when only
one of them is drawn; the second over behaviour (when and whether customers buy) and order sizes.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.numerics.arrays import Floats
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.expectation import (
    discounted_by_draw,
    discounted_if_alive,
    p_alive,
    spend,
)
from cxmodels.value.histories import Histories
from cxmodels.value.outcomes import Families, Parameters
from cxmodels.value.terms import Terms

CELLS = 2_000_000
SOURCES = (
    "purchase parameters",
    "spend parameters",
    "discount rate",
    "behaviour of customers",
    "size of orders",
)


@dataclass(frozen=True)
class Totals:
    """(d,) expected totals under draws: of all parameters, and of one kind with the rest fixed."""

    every: Floats
    purchases: Floats
    spend: Floats
    rate: Floats

    def times(self, factor: float) -> "Totals":
        """Every total times a factor."""
        return Totals(
            *(factor * part for part in (self.every, self.purchases, self.spend, self.rate))
        )


def expected_totals(
    families: Families,
    theta: tuple[Floats, Floats],
    drawn: Parameters,
    ahead: Floats,
    seen: Histories,
    curve: DiscountCurve,
) -> Totals:
    """Sums over customers of expected residual value under each draw, as if all orders were paid.

    theta: the estimates; ahead: (g, d) from `discounted_by_draw` at the curve's own rate.
    """
    family = families.purchases
    fixed = discounted_if_alive(family, theta[0], seen, curve)
    varied = np.ptp(drawn.rates) > 0
    at_rates = ahead
    if varied:
        at_rates = discounted_by_draw(family, drawn.purchases, seen, curve, drawn.rates)
    weight = seen.weight * seen.margin

    def work(part: slice) -> Floats:
        group, w = seen.group[part], weight[part]
        alive = p_alive(family, drawn.purchases, seen, part)
        orders = spend(families.spend, drawn.spend, seen, part)
        alive_0 = p_alive(family, theta[0][None], seen, part)[:, 0]
        orders_0 = spend(families.spend, theta[1][None], seen, part)[:, 0]
        by_spend = (alive_0 * fixed[group] * w) @ orders
        by_purchases = (orders_0 * w) @ (alive * ahead[group])
        orders *= alive
        orders *= at_rates[group]
        return np.stack([w @ orders, by_purchases, by_spend])

    step = max(1, CELLS // len(drawn))
    with ThreadPoolExecutor(2) as pool:
        slices = [slice(start, start + step) for start in range(0, seen.size, step)]
        sums = np.sum(list(pool.map(work, slices)), axis=0)
    rate = np.zeros(len(drawn))
    if varied:
        middle = np.broadcast_to(theta[0], drawn.purchases.shape)
        under = discounted_by_draw(family, middle, seen, curve, drawn.rates)
        every = slice(0, seen.size)
        alive = p_alive(family, theta[0][None], seen, every)[:, 0]
        worth = alive * spend(families.spend, theta[1][None], seen, every)[:, 0] * weight
        rate = np.bincount(seen.group, weights=worth, minlength=seen.ahead.x.size) @ under
    return Totals(sums[0], sums[1], sums[2], rate)


def shares(totals: Totals, behaviour: float, orders: float) -> tuple[float, Floats]:
    """Variance of the total, and the share (5,) of each of SOURCES; they sum to 1.

    behaviour, orders: variance of the total given the parameters, from when customers buy and
    from how much. Draws under which the mean order is infinite are left out of the split; with
    fewer than two others, behaviour and orders alone are split.
    """
    finite = np.isfinite(totals.every) & np.isfinite(totals.spend)
    kinds = (totals.every, totals.purchases, totals.spend, totals.rate)
    if finite.sum() >= 2 and np.isfinite(totals.purchases).all():
        every, *alone = (float(kind[finite].var()) for kind in kinds)
    else:
        every, alone = 0.0, [0.0, 0.0, 0.0]
    between = every * np.array(alone) / max(sum(alone), 1e-300)
    parts = np.concatenate([between, [behaviour, orders]])
    total = float(parts.sum())
    return total, parts / total if total > 0 else np.zeros(len(SOURCES))


def equity_table(
    estimate: float,
    interval: tuple[float, float],
    variance: tuple[float, Floats],
    customers: int,
    terms: Terms,
) -> pd.DataFrame:
    """Total with interval, then one row for each source of its uncertainty."""
    total, share = variance
    rows = [
        {
            "item": "customer equity",
            "estimate": estimate,
            "lower": interval[0],
            "upper": interval[1],
            "std_dev": np.sqrt(total),
            "variance_share": 1.0,
        }
    ]
    rows += [
        {"item": source, "std_dev": np.sqrt(total * part), "variance_share": part}
        for source, part in zip(SOURCES, share, strict=True)
        if not (source == "discount rate" and terms.rate_sd == 0.0)
    ]
    table = pd.DataFrame(rows)
    estimand = f"discounted margin of present customers over {terms.span}, new ones left out"
    return table.assign(unit=terms.currency, customers=customers, estimand=estimand)
