"""The customers, fits and terms that the laws of value are checked on, made once."""

from dataclasses import replace
from functools import cache

import numpy as np

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.results.draws import Draws
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.value import lifetime_value
from tests.laws.populations import CDNOW, SPEND, world

TERMS = {"horizon": "52W", "discount_rate": 0.12, "margin": 0.3}
DRAWN = 40  # draws where their number does not matter


@cache
def sample() -> CustomerBase:
    """800 customers to learn from; a tenth of the repeat orders of the frequent are free."""
    rng = np.random.default_rng(41)
    base = world(CDNOW, SPEND, customers=800, ages=(39, 52), horizon=0, rng=rng).base
    x = base.table["frequency"]
    frame = base.table[["frequency", "recency", "T", "monetary_value"]]
    return CustomerBase.from_summary(
        frame.assign(paid_frequency=x - (x > 4)), unit="week", currency="USD"
    )


@cache
def some() -> CustomerBase:
    """30 of them, from one-time buyers to the most frequent."""
    table = sample().table.sort_values(["frequency", "recency"], ignore_index=True)
    place = np.unique(np.append(np.linspace(300, 799, 26).astype(int), [0, 796, 797, 798, 799]))
    columns = ["frequency", "recency", "T", "monetary_value", "paid_frequency"]
    return CustomerBase.from_summary(
        table.loc[place, columns].reset_index(drop=True), unit="week", currency="USD"
    )


@cache
def fits() -> tuple[FittedPurchases, FittedSpend]:
    return BGNBD().fit(sample()), GammaGamma().fit(sample())


Fit = FittedPurchases | FittedSpend


def drawn_at(fit: Fit, values: np.ndarray, theta: np.ndarray | None = None) -> Fit:
    """The fit with these posterior draws (d, k) in place of its data, and the estimate moved."""
    estimate = fit.estimate if theta is None else replace(fit.estimate, theta=theta)
    draws = Draws(fit.estimate.space.names, values, 0.0, float(len(values)), "by hand")
    return replace(fit, estimate=estimate, objective=None, stored=draws)


@cache
def sure() -> tuple[FittedPurchases, FittedSpend]:
    """The fits as if their parameters were known: every draw is the estimate."""
    return tuple(drawn_at(fit, np.tile(fit.theta, (100, 1))) for fit in fits())


def value(fit=None, spend_fit=None, base=None, **terms):
    """lifetime_value of `some()`, with few draws unless said otherwise."""
    known = sure()
    terms = {**TERMS, "draws": DRAWN, **terms}
    base = some() if base is None else base
    return lifetime_value.lifetime_value(fit or known[0], spend_fit or known[1], base, **terms)


def history(base: CustomerBase) -> tuple[np.ndarray, ...]:
    """x, t_x, T, paid orders and the sum of their amounts."""
    table = base.table
    orders = table["paid_frequency"].to_numpy(dtype=float)
    paid = np.where(orders > 0, orders * table["monetary_value"].to_numpy(), 0.0)
    past = [table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    return (*past, orders, paid)
