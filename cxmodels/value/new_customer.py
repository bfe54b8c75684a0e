"""What a customer acquired today will bring over a whole life: CLV, first purchase included."""

import numpy as np
import pandas as pd

from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.spend import gamma_gamma
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.expectation import scheme_of
from cxmodels.value.outcomes import Parameters, simulated_reach
from cxmodels.value.terms import Terms

COPIES = 20  # simulated customers for each draw


def discounted_purchases(
    family: PurchaseFamily, theta: Floats, curve: DiscountCurve, rates: Floats
) -> Floats:
    """(d,): discounted expected repeat purchases of a new customer under each theta (d, k) and
    annual rate (d,)."""
    distinct, place = np.unique(rates, return_inverse=True)
    scheme = scheme_of(family, theta, curve, distinct)
    rate = family.purchase_rate(theta[:, None, :], scheme.times)
    return np.asarray(np.einsum("dj,jd->d", rate, scheme.weights[:, place]))


def new_customer_table(
    family: PurchaseFamily,
    theta: tuple[Floats, Floats],
    drawn: Parameters,
    terms: Terms,
    paid_share: float,
) -> pd.DataFrame:
    """One row: lifetime_value with the interval of the expectation and that of one outcome.

    The first purchase is paid today at the population's mean order; repeat purchases follow.
    """
    margin = float(terms.margin.mean())
    scale = margin * paid_share
    first = scale * float(gamma_gamma.expected_spend(theta[1]))
    curve, flat = terms.curve, np.array([terms.curve.rate])
    repeat = float(discounted_purchases(family, theta[0][None], curve, flat)[0])
    orders = scale * gamma_gamma.expected_spend(drawn.spend)
    expected = orders * (1.0 + discounted_purchases(family, drawn.purchases, curve, drawn.rates))
    lower, upper = np.quantile(expected, terms.tails, method="nearest")
    least, most = np.quantile(_outcomes(family, drawn, terms, paid_share) * margin, terms.tails)
    row = {
        "lifetime_value": first * (1.0 + repeat),
        "lower": lower,
        "upper": upper,
        "outcome_lower": least,
        "outcome_upper": most,
        "first_purchase": first,
        "repeat_purchases_value": first * repeat,
        "discounted_purchases": repeat,
        "unit": terms.currency,
        "estimand": f"margin of a customer acquired today over {terms.span}, first purchase in",
    }
    return pd.DataFrame([row])


def _outcomes(family: PurchaseFamily, drawn: Parameters, terms: Terms, paid_share: float) -> Floats:
    """Simulated revenue of new customers, several for each draw."""
    rng = np.random.default_rng([terms.seed, 3])
    spend = np.repeat(drawn.spend, COPIES, axis=0)
    nu = rng.standard_gamma(spend[:, 1]) / spend[:, 2]
    purchases = np.repeat(drawn.purchases, COPIES, axis=0)
    found = family.simulate(purchases, simulated_reach(terms.curve), rng)
    owner = np.concatenate([np.arange(nu.size), found.customer])
    rates = np.repeat(drawn.rates, COPIES)[found.customer]
    worth = np.concatenate([np.ones(nu.size), terms.curve.factor(found.time, rates)])
    orders = rng.standard_gamma(spend[owner, 0]) / nu[owner]
    paid = rng.random(orders.size) < paid_share
    return np.bincount(owner, weights=worth * orders * paid, minlength=nu.size).astype(np.float64)
