"""Simulated customers whose orders may be made at a loss, what they bring later, and the value that
is put on them at a day between."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

import cxmodels as cx
from cxmodels.value.discount import DiscountCurve

BUYING = np.array([0.8, 9.0, 0.9, 2.4])  # MBG/NBD r, alpha, a, b
MARGINS = np.array([2.0, 6.0, 9.0])  # mu, tau, sigma
RATE, AHEAD, AGE = 0.12, 52.0, 52.0


@dataclass(frozen=True)
class MarginWorld:
    """A base as seen at AGE weeks, and the discounted margins (n,) of the year that follows.

    payments: the same log of calibration as rows: customer, time in weeks, margin.
    """

    base: cx.CustomerBase
    later: np.ndarray
    payments: pd.DataFrame


def margin_world(customers: int, seed: int, margins: np.ndarray = MARGINS) -> MarginWorld:
    """Customers of one age; the first purchase is at 0."""
    rng = np.random.default_rng([seed, 91])
    mu, tau, sigma = margins
    theta = np.broadcast_to(BUYING, (customers, 4))
    walked = cx.MBGNBD().simulate(theta, np.full(customers, AGE + AHEAD), rng)
    level = mu + tau * rng.standard_normal(customers)
    margin = level[walked.customer] + sigma * rng.standard_normal(walked.customer.size)
    early = walked.time <= AGE
    who = walked.customer
    x = np.bincount(who[early], minlength=customers)
    t_x = np.zeros(customers)
    np.maximum.at(t_x, who[early], walked.time[early])
    total = np.bincount(who[early], weights=margin[early], minlength=customers)
    mean = total / np.maximum(x, 1)
    off = (margin - mean[who]) ** 2
    squares = np.bincount(who[early], weights=off[early], minlength=customers)
    frame = pd.DataFrame(
        {
            "frequency": x,
            "recency": t_x,
            "T": AGE,
            "monetary_value": np.where(x > 0, mean, np.nan),
            "monetary_squares": np.where(x > 1, squares, 0.0),
        }
    )
    base = cx.CustomerBase.from_summary(frame, unit="week", negative="loss", currency="EUR")
    curve = DiscountCurve.of(
        horizon="52W", rate=RATE, unit=base.unit, payment="continuous", start=None
    )
    worth = curve.factor(walked.time[~early] - AGE)
    later = np.bincount(who[~early], weights=worth * margin[~early], minlength=customers)
    rows = {"customer": who[early], "time": walked.time[early], "margin": margin[early]}
    return MarginWorld(base, later, pd.DataFrame(rows))


def value_of(base: cx.CustomerBase, *, draws: int = 400, seed: int = 1, **more) -> cx.Value:
    """The value of the year ahead, from fits to the base alone."""
    fit, spend = cx.MBGNBD().fit(base), cx.NormalNormal().fit(base)
    terms = {"horizon": "52W", "discount_rate": RATE, "draws": draws, "seed": seed, **more}
    return cx.lifetime_value(fit, spend, base, **terms)


def coverage(runs: int, customers: int, first: int = 0) -> pd.DataFrame:
    """What intervals held in simulated worlds: parameters, the total, one customer, a loss."""
    rows = []
    for seed in range(first, first + runs):
        made = margin_world(customers, seed)
        spend = cx.NormalNormal().fit(made.base)
        ends = spend.posterior(400, seed=seed + 1).table.quantile([0.05, 0.95]).to_numpy()
        held = dict(
            zip(["mu", "tau", "sigma"], (ends[0] <= MARGINS) & (ends[1] >= MARGINS), strict=True)
        )
        value = value_of(made.base, seed=seed + 1)
        total, each = value.equity.iloc[0], value.customers
        inside = each["residual_value_lower"] <= made.later
        inside &= made.later <= each["residual_value_upper"]
        rows.append(
            {
                **held,
                "equity": total["lower"] <= made.later.sum() <= total["upper"],
                "a customer": inside.mean(),
                "losses": float((made.later <= 0.0).mean()),
                "p_below": each["p_below"].mean(),
            }
        )
    return pd.DataFrame(rows).astype(float)
