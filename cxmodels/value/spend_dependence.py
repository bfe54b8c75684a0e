"""What it costs to take spend for independent of frequency: the size of the bias in equity.

Gamma-Gamma shrinks every customer's mean order to one mean for all. Where frequent buyers spend
more per order, that lifts the rare and lowers the frequent. Here equity is worked out both ways: as
Gamma-Gamma has it, and with a scale that moves with the purchase rate (spend/frequency_scaled.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.simulation import AliveGroups
from cxmodels.results.estimate import check_level
from cxmodels.results.shown import Said
from cxmodels.spend.frequency_scaled import FrequencyScaled, Rates, Scaled, fit_scaled
from cxmodels.spend.order_means import OrderMeans, ask_for_payments
from cxmodels.value.discounted_purchases import discounted_purchases
from cxmodels.value.terms import Margin, margins

STEP = 1e-4  # of r, in which a slope is taken: good to 1e-8


@dataclass(frozen=True, repr=False)
class SpendDependence(Said):
    """Equity with and without the independence of spend and frequency.

    table: item (equity if independent, equity if dependent, bias of independence), estimate, lower,
    upper, per_cent of the equity if dependent; delta: by how many per cent orders are larger where
    purchases are one per cent more frequent, with its interval; p_value: of delta = 0; customers:
    customer_id, expected_spend, residual_value, and both if independent; sentence: in words.
    """

    table: pd.DataFrame
    delta: float
    delta_lower: float
    delta_upper: float
    p_value: float
    customers: pd.DataFrame
    sentence: str


def spend_dependence(
    fit: FittedPurchases,
    base: CustomerBase,
    *,
    horizon: str | Span | None,
    discount_rate: float,
    margin: Margin = 1.0,
    level: float = 0.9,
) -> SpendDependence:
    """The bias in equity that comes of taking spend for independent of frequency.

    Args: fit: a purchase model; base: customers with amounts; horizon, discount_rate, margin: as in
    `lifetime_value`; level: width of intervals, which carry the uncertainty of delta alone.
    Raises: DataError where spend cannot be estimated or all customers buy equally often.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1997-09-30")
    >>> found = spend_dependence(cx.BGNBD().fit(base), base, horizon="36M", discount_rate=0.10)
    >>> round(found.delta, 2), found.table["item"].tolist()[2]
    (0.09, 'bias of independence')
    """
    check_level(level)
    ask_for_payments(base, "spend_dependence")
    share = margins(margin, base)
    ahead = discounted_purchases(fit, base, horizon=horizon, discount_rate=discount_rate)
    orders = ahead["discounted_purchases"].to_numpy(dtype=np.float64)
    found = fit_scaled(base.table, rates_of(fit, base), level=level)
    data = OrderMeans.from_table(base.table)
    weight = share * orders * data.paid_orders / data.repeat_orders

    def equity(at: Scaled) -> float:
        return float(weight @ found.expected_spend(at, base.table))

    return _told(found, equity, _customers(found, base, weight), level)


def rates_of(fit: FittedPurchases, base: CustomerBase) -> Rates:
    """What a purchase model knows of each customer's rate.

    The density of lambda being proportional to lambda^(r - 1) exp(-alpha lambda), E[log lambda |
    purchases] = psi(r) - log alpha + d log likelihood / d r: alive and gone are weighted in it.
    """
    if fit.family.discrete:
        raise OptionError(
            f"{fit.family.name} has chances of a purchase and no purchase rates: fit a model of "
            "continuous time to ask how spend depends on them"
        )
    linked, seen = fit.on(base)
    groups = AliveGroups.of(linked.family, seen)
    alive = groups.alive(linked.family, linked.theta)[groups.group]
    shape, rate = alive[:, 0], alive[:, 1]
    if isinstance(linked.family, DependentParetoNBD):  # its rates are tilted: as if alive
        mean_log = scipy.special.digamma(shape) - np.log(rate)
    else:
        mean_log = _mean_log_rate(linked, seen)
    return Rates(*(value[seen.row] for value in (mean_log, shape, rate)))


def _mean_log_rate(linked: FittedPurchases, seen: Profiles) -> Floats:
    family, past = linked.family, (seen.frequency.astype(np.float64), seen.recency, seen.T)
    own = family.link.rows(linked.theta, seen.kind)
    r, alpha = own[..., 0], own[..., 1]
    aside = np.zeros_like(own)
    aside[..., 0] = STEP * r
    rise = family.log_likelihood(own + aside, *past) - family.log_likelihood(own - aside, *past)
    return np.asarray(scipy.special.digamma(r) - np.log(alpha) + rise / (2.0 * STEP * r))


def _customers(found: FrequencyScaled, base: CustomerBase, weight: Floats) -> pd.DataFrame:
    spend, alike = (found.expected_spend(at, base.table) for at in (found.best, found.independent))
    return pd.DataFrame(
        {
            "customer_id": base.table["customer_id"].to_numpy(),
            "expected_spend": spend,
            "residual_value": weight * spend,
            "expected_spend_if_independent": alike,
            "residual_value_if_independent": weight * alike,
        }
    )


def _told(
    found: FrequencyScaled,
    equity: Callable[[Scaled], float],
    customers: pd.DataFrame,
    level: float,
) -> SpendDependence:
    alike, best = equity(found.independent), equity(found.best)
    ends = sorted((equity(found.lower), equity(found.upper)))
    bias = [alike - end for end in ends][::-1]
    rows = [
        ("equity if independent", alike, np.nan, np.nan),
        ("equity if dependent", best, *ends),
        ("bias of independence", alike - best, *bias),
    ]
    table = pd.DataFrame(rows, columns=["item", "estimate", "lower", "upper"])
    table["per_cent"] = 100.0 * table["estimate"] / best
    p = float(scipy.special.chdtrc(1, found.ratio))
    delta = found.best.delta
    shown = [round(10 * at, 1) + 0.0 for at in (delta, found.lower.delta, found.upper.delta)]
    said = (
        f"who buys 10 per cent more often spends {shown[0]:+.1f} per cent per order ({level:.0%} "
        f"interval {shown[1]:+.1f} to {shown[2]:+.1f}, p = {p:.2g}, {found.customers:,} customers)"
    )
    if p > 0.1:
        said = f"no sign that spend depends on frequency: {said}"
    else:
        how = "too low" if best > alike else "too high"
        said += (
            f"; taken for independent, equity comes out {abs(100 * (alike / best - 1)):.1f} per "
        )
        said += f"cent {how}"
    return SpendDependence(table, delta, found.lower.delta, found.upper.delta, p, customers, said)
