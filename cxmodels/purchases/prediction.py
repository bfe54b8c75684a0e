"""What each customer will do next, with the uncertainty of the parameters and of behaviour."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.family import PurchaseFamily, p_no_purchase
from cxmodels.purchases.simulation import AliveGroups, future_counts, p_alive
from cxmodels.results.estimate import check_level

if TYPE_CHECKING:
    from cxmodels.purchases.fitted import FittedPurchases

MOST_CELLS = 100_000_000  # draws times distinct customers: bounds the work on very large bases
MOST_STATES = 10_000_000  # draws times distinct states of living customers: each costs an integral
DRAWS = (200, 1000)  # least and most draws by default


def default_draws(profiles: int, states: int = 0) -> int:
    """As many posterior draws as keep the work bounded, between 200 and 1,000.

    states: distinct states of living customers, nearly one each where covariates are numbers.
    """
    affordable = min(MOST_CELLS // max(1, profiles), MOST_STATES // max(1, states))
    return int(np.clip(affordable, *DRAWS))


def prediction_table(
    fit: "FittedPurchases",
    base: CustomerBase,
    *,
    t: float,
    level: float,
    draws: int | None,
    seed: int,
) -> pd.DataFrame:
    """One row a customer; see FittedPurchases.predict for the columns."""
    check_level(level)
    fit, seen = fit.on(base)
    family, theta = fit.family, fit.theta
    states = AliveGroups.of(family, seen).x.size
    count = default_draws(seen.T.size, states) if draws is None else draws
    columns = at_the_estimate(family, theta, seen, t)  # first: what cannot be asked fails at once
    sample = fit.posterior(count, seed=seed).values
    ends = _quantiles(family, sample, seen, t, level, seed)
    columns |= dict(
        zip(["lower", "upper", "purchases_lower", "purchases_upper"], ends, strict=True)
    )
    order = [
        "p_alive", "p_alive_at_horizon", "expected_purchases", "lower", "upper",
        "purchases_lower", "purchases_upper", "p_no_purchase",
    ]  # fmt: skip
    table = pd.DataFrame({name: columns[name][seen.row] for name in order})
    table.insert(0, "customer_id", base.table["customer_id"].to_numpy())
    return table


def at_the_estimate(
    family: PurchaseFamily, theta: Floats, seen: Profiles, t: float
) -> dict[str, Floats]:
    groups = AliveGroups.of(family, seen)
    updated, group, span = groups.alive(family, theta), groups.group, np.float64(t)
    now = p_alive(family, theta, seen)
    silent = p_no_purchase(family, updated, span)[group]
    return {
        "p_alive": now,
        "p_alive_at_horizon": now * family.survival(updated, span)[group],
        "expected_purchases": now * family.expected_purchases(updated, span)[group],
        "p_no_purchase": 1.0 - now * (1.0 - silent),
    }


def _quantiles(
    family: PurchaseFamily, sample: Floats, seen: Profiles, t: float, level: float, seed: int
) -> Floats:
    """(4, profiles): interval of the expectation, then of the count."""
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    ends = np.empty((4, seen.T.size))
    rng = generator(seed)
    parts = AliveGroups.of(family, seen).parts(len(sample))
    of: Floats | None = None
    futures = future_counts(family, sample, seen, t, rng)
    for (part, near), (_, chance, counts) in zip(parts, futures, strict=True):
        if of is not near.x:
            of = near.x
            if_alive = family.expected_purchases(near.alive(family, sample), np.float64(t))
        expected = chance * if_alive[:, near.group]
        ends[:2, part] = np.quantile(expected, tails, axis=0)
        ends[2:, part] = np.quantile(counts, tails, axis=0, method="inverted_cdf")
    return ends


def new_customer_table(
    fit: "FittedPurchases", sample: Floats, *, t: float, level: float, seed: int
) -> pd.DataFrame:
    """One row: what a customer just acquired will do after the first purchase."""
    check_level(level)
    family, span = fit.family, np.float64(t)
    tails = [(1 - level) / 2, (1 + level) / 2]
    lower, upper = np.quantile(family.expected_purchases(sample, span), tails)
    repeated = np.repeat(sample, max(1, 20_000 // len(sample)), axis=0)
    counts = family.simulate_counts(repeated, span, generator(seed))
    fewest, most = np.quantile(counts, tails, method="inverted_cdf")
    row = {
        "p_alive_at_horizon": float(family.survival(fit.theta, span)),
        "expected_purchases": float(family.expected_purchases(fit.theta, span)),
        "lower": lower,
        "upper": upper,
        "purchases_lower": fewest,
        "purchases_upper": most,
        "p_no_purchase": float(p_no_purchase(family, fit.theta, span)),
    }
    return pd.DataFrame([row])
