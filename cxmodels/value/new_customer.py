"""What a customer acquired today will bring over a whole life: CLV, first purchase included."""

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.kinds import Mix
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.expectation import scheme_of
from cxmodels.value.outcomes import Families, Parameters, simulated_reach
from cxmodels.value.terms import Terms

COPIES = 20  # simulated customers for each draw
EXACT, AVERAGED, SIMULATED = 2_000, 40, 200  # most kinds: at the estimate, by draw, simulated

ONE = Mix(np.zeros(1), np.zeros(1, dtype=np.int64), np.ones(1))  # customers who are alike


def discounted_purchases(
    family: PurchaseFamily,
    theta: Floats,
    curve: DiscountCurve,
    rates: Floats,
    mix: Mix | None = None,
) -> Floats:
    """(d,): discounted expected repeat purchases of a new customer under each theta (d, k) and
    annual rate (d,); on average over the kinds of a mix where customers differ."""
    kinds = ONE if mix is None else mix
    own = family.link.acquired(theta, kinds.kind)
    distinct, place = np.unique(rates, return_inverse=True)
    scheme = scheme_of(family, own.reshape(-1, own.shape[-1]), curve, distinct)
    rate = family.purchase_rate(own[:, :, None, :], scheme.times)
    share = kinds.size / kinds.size.sum()
    return np.asarray(np.einsum("g,dgj,jd->d", share, rate, scheme.weights[:, place]))


def _by_draw(
    family: PurchaseFamily, theta: Floats, drawn: Parameters, curve: DiscountCurve, mix: Mix
) -> tuple[float, Floats]:
    """The same at the estimate, and under each draw (d,): for some kinds who stand for all where
    there are many, brought to the level of all by what both give at the estimate."""
    flat, few = np.array([curve.rate]), mix.few(AVERAGED)
    exact = float(discounted_purchases(family, theta[None], curve, flat, mix.few(EXACT))[0])
    found = discounted_purchases(family, drawn.purchases, curve, drawn.rates, few)
    if few is mix:
        return exact, found
    return exact, found * (exact / discounted_purchases(family, theta[None], curve, flat, few)[0])


def new_customer_table(
    families: Families,
    theta: tuple[Floats, Floats],
    drawn: Parameters,
    terms: Terms,
    paid_share: float,
    mix: Mix,
) -> pd.DataFrame:
    """One row: lifetime_value with the interval of the expectation and that of one outcome.

    The first purchase is paid today at the population's mean order; repeat purchases follow. Where
    customers differ by covariates, a new one is of a kind taken at random from the base's mix.
    """
    margin = float(terms.margin.mean())
    scale = margin * paid_share
    nobody = np.zeros(1)  # no order of a new customer has been seen
    first = scale * float(families.spend.expected_order(theta[1][None], nobody, nobody)[0, 0])
    repeat, by_draw = _by_draw(families.purchases, theta[0], drawn, terms.curve, mix)
    order = families.spend.expected_order(drawn.spend, nobody, nobody)[0]
    expected = scale * order * (1.0 + by_draw)
    lower, upper = np.quantile(expected, terms.tails, method="nearest")
    found = _outcomes(families, drawn, terms, paid_share, mix)
    least, most = np.quantile(found * margin, terms.tails)
    kinds = "" if mix.size.size == 1 else ", on average over the kinds of customers in the base"
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
        "estimand": f"margin of a customer acquired today over {terms.span}, first purchase in"
        + kinds,
    }
    return pd.DataFrame([row])


def _outcomes(
    families: Families, drawn: Parameters, terms: Terms, paid_share: float, mix: Mix
) -> Floats:
    """Simulated revenue of new customers, several for each draw."""
    rng = generator(terms.seed, 3)
    spend = np.repeat(drawn.spend, COPIES, axis=0)
    size = len(spend)
    few = mix.few(SIMULATED)
    own = families.purchases.link.acquired(drawn.purchases, few.kind)
    kind = rng.choice(few.size.size, size=size, p=few.size / few.size.sum())
    purchases = own[np.arange(size) // COPIES, kind]
    found = families.purchases.simulate(purchases, simulated_reach(terms.curve), rng)
    owner = np.concatenate([np.arange(size), found.customer])
    rates = np.repeat(drawn.rates, COPIES)[found.customer]
    worth = np.concatenate([np.ones(size), terms.curve.factor(found.time, rates)])
    worth *= rng.random(worth.size) < paid_share
    sums = families.spend.sums(spend[owner], worth, owner, size, rng)
    nobody = np.zeros(1)
    return np.asarray(families.spend.revenue(spend, sums[:, None], nobody, nobody, rng)[0])
