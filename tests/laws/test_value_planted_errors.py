"""Value broken on purpose: each wrong variant of each formula is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest

from cxmodels.spend import gamma_gamma
from cxmodels.value import (
    concentration,
    discount,
    equity,
    expectation,
    intervals,
    lifetime_value,
    outcomes,
)
from cxmodels.value import new_customer as new
from tests.laws import value_laws
from tests.laws.value_cases import sure

# discounting

Curve, Scheme = discount.DiscountCurve, discount.Scheme
factor, scheme = Curve.factor, Curve.scheme


def nominal(self):
    return self.rate / self.unit.per_year


def a_rate_per_unit(self):
    return np.log1p(self.rate)


def mean_years(self):
    return np.log1p(self.rate) / 52


def paid_at_the_wrong_end(timing, start, end):
    return start if timing is discount.Payment.END else end


def without_horizon(self, s, rate=None):
    return factor(replace(self, length=np.inf), s, rate)


def one_month_late(self, until):
    return months(self, until) + 365.2425 / 12 / 7


months = Curve.months


def weights_without_discount(self, *args, **more):
    return scheme(replace(self, rate=0.0), *args, **more)


def weights_of_the_scale(self, *args, **more):
    """ds = (c + s) dy taken for c dy."""
    found = scheme(self, *args, **more)
    return Scheme(found.times, found.weights / (1 + found.times / args[0])[:, None])


def nodes_out_of_order(self, *args, **more):
    found = scheme(self, *args, **more)
    return Scheme(found.times[::-1], found.weights)


def mid_panel(self, resolution, rates=None, **more):
    """A rectangle rule over a hundred steps."""
    rates = np.array([self.rate]) if rates is None else rates
    step = min(self.length, 3000.0) / 100
    s = (np.arange(100) + 0.5) * step
    return Scheme(s, np.stack([step * factor(self, s, float(rate)) for rate in rates], axis=-1))


DISCOUNT = {
    "a nominal rate": (Curve, "force", property(nominal)),
    "a rate per week": (Curve, "force", property(a_rate_per_unit)),
    "52 weeks a year": (Curve, "force", property(mean_years)),
    "start for end": (discount, "_paid_at", paid_at_the_wrong_end),
    "months begin late": (Curve, "months", one_month_late),
    "no horizon": (Curve, "factor", without_horizon),
    "weights without discount": (Curve, "scheme", weights_without_discount),
    "weights without measure": (Curve, "scheme", weights_of_the_scale),
    "nodes out of order": (Curve, "scheme", nodes_out_of_order),
    "a coarse rule": (Curve, "scheme", mid_panel),
}

# expectations: P(alive), discounted purchases, spend

ahead, ahead_by_draw = expectation.discounted_if_alive, expectation.discounted_by_draw
chance, order = expectation.p_alive, expectation.spend


def everywhere(name, wrong):
    """The formula under each name by which a room calls it."""
    rooms = (expectation, lifetime_value, equity, new)
    return [(room, name, wrong) for room in rooms if hasattr(room, name)]


def of_new_customers(family, theta, seen, curve):
    new_ones = replace(seen, ahead=replace(seen.ahead, x=0 * seen.ahead.x, T=0 * seen.ahead.T))
    return ahead(family, theta, new_ones, curve)


def undiscounted(family, theta, seen, curve):
    alive = seen.ahead.alive(family, theta)
    return family.expected_purchases(alive, min(curve.length, 3000.0))


def without_leaving(family, theta, seen, curve):
    r, alpha, _, _ = theta
    years = min(curve.length, 3000.0)
    rate = (r + seen.ahead.x) / (alpha + seen.ahead.T)
    return rate * (1 - np.exp(-curve.force * years)) / curve.force


RESIDUAL = {
    "purchases of new customers": everywhere("discounted_if_alive", of_new_customers),
    "purchases undiscounted": everywhere("discounted_if_alive", undiscounted),
    "nobody leaves": everywhere("discounted_if_alive", without_leaving),
    "everybody is alive": everywhere("p_alive", lambda *args: np.ones_like(chance(*args))),
    "alive taken for gone": everywhere("p_alive", lambda *args: 1 - chance(*args)),
    "P(alive) squared": everywhere("p_alive", lambda *args: chance(*args) ** 2),
    "spend not shrunk": everywhere(
        "spend",
        lambda family, theta, seen, part: np.where(
            seen.orders[part, None] > 0, seen.mean[part, None], order(family, theta, seen, part)
        ),
    ),
    "spend of the population": everywhere(
        "spend",
        lambda family, theta, seen, part: order(
            family, theta, replace(seen, orders=0 * seen.orders), part
        ),
    ),
    "spend of the last order": everywhere(
        "spend",
        lambda family, theta, seen, part: order(
            family, theta, replace(seen, orders=np.minimum(seen.orders, 1.0)), part
        ),
    ),
}

# shares of variance

split = equity.shares


def behaviour_and_orders_exchanged(totals, behaviour, orders):
    return split(totals, orders, behaviour)


def parameters_forgotten(totals, behaviour, orders):
    nothing = np.zeros_like(totals.every)
    return split(replace(totals, every=nothing), behaviour, orders)


def standard_deviations_added(totals, behaviour, orders):
    total, share = split(totals, behaviour, orders)
    return total, np.sqrt(share) / max(np.sqrt(share).sum(), 1e-300)


def not_normalised(totals, behaviour, orders):
    total, share = split(totals, behaviour, orders)
    return total, share * 1.01


def purchases_and_spend_exchanged(totals, behaviour, orders):
    return split(replace(totals, purchases=totals.spend, spend=totals.purchases), behaviour, orders)


SHARES = {
    item.__name__.replace("_", " "): [(lifetime_value, "shares", item)]
    for item in (
        behaviour_and_orders_exchanged,
        parameters_forgotten,
        standard_deviations_added,
        not_normalised,
        purchases_and_spend_exchanged,
    )
}

# concentration

curve, area = concentration._curve, concentration._gini
CONCENTRATION = {
    "weights forgotten": [
        (concentration, "_curve", lambda value, weight: curve(value, np.ones_like(weight)))
    ],
    "from the top down": [(concentration, "_curve", lambda value, weight: curve(-value, weight))],
    "shares not ordered": [
        (
            concentration,
            "_curve",
            lambda value, weight: (
                np.append(0, np.cumsum(weight)) / weight.sum(),
                np.append(0, np.cumsum(weight * value)) / (weight @ value),
            ),
        )
    ],
    "half the Gini": [(concentration, "_gini", lambda *args: area(*args) / 2)],
    "area below the curve": [
        (concentration, "_gini", lambda people, money: float(np.trapezoid(money, people)))
    ],
    "a staircase": [
        (concentration, "_gini", lambda people, money: 1 - 2 * float(np.diff(people) @ money[:-1]))
    ],
}

# a new customer

repeat, row = new.discounted_purchases, new.new_customer_table


def first_purchase_left_out(*args):
    found = row(*args)
    return found.assign(lifetime_value=found["repeat_purchases_value"])


def first_purchase_twice(*args):
    found = row(*args)
    return found.assign(lifetime_value=found["lifetime_value"] + found["first_purchase"])


def margin_twice(*args):
    found = row(*args)
    return found.assign(first_purchase=found["first_purchase"] * 0.3)


def repeat_undiscounted(family, theta, terms_curve, *rates):
    return family.expected_purchases(theta, min(terms_curve.length, 3000.0))


def repeat_of_the_seen(family, theta, *terms):
    return repeat(family, family.alive(theta, 1.0, 0.0, 0.0), *terms)


def repeat_with_the_first(family, theta, *terms):
    return repeat(family, theta, *terms) + 1.0


NEW = {
    "first purchase left out": [(lifetime_value, "new_customer_table", first_purchase_left_out)],
    "first purchase twice": [(lifetime_value, "new_customer_table", first_purchase_twice)],
    "margin twice": [(lifetime_value, "new_customer_table", margin_twice)],
    "repeat purchases undiscounted": [(new, "discounted_purchases", repeat_undiscounted)],
    "first purchase as evidence": [(new, "discounted_purchases", repeat_of_the_seen)],
    "first purchase among the repeats": [(new, "discounted_purchases", repeat_with_the_first)],
}

# simulated futures

levels, paths = gamma_gamma.levels, outcomes.simulate_paths


def mean_orders(*args, **more):
    found = paths(*args, **more)
    return replace(found, sums=6.25 * found.purchases[None])


def one_future(*args, **more):
    found = paths(*args, **more)
    return replace(found, sums=0 * found.sums + found.sums[:, :1])


FUTURES = {
    "everybody is alive in futures": [
        (outcomes, "p_alive", lambda *args: np.ones_like(chance(*args)))
    ],
    "levels without evidence": [
        (gamma_gamma, "levels", lambda p, q, orders, rng: levels(p, q, 0 * orders, rng))
    ],
    "evidence counted without p": [
        (gamma_gamma, "levels", lambda p, q, orders, rng: rng.standard_gamma(q + orders[:, None]))
    ],
    "every order the mean one": [(intervals, "simulate_paths", mean_orders)],
    "one future for all": [(intervals, "simulate_paths", one_future)],
}
VALUE = {name: [broken] for name, broken in DISCOUNT.items()}
VALUE |= RESIDUAL | SHARES | CONCENTRATION | NEW | FUTURES


@pytest.fixture(scope="module", autouse=True)
def made_before_anything_breaks():
    """What laws share is made by the code as it is."""
    sure()
    value_laws.futures()


def caught(laws) -> str | None:
    """The name of the first law that fails."""
    for law in laws:
        try:
            law()
        except AssertionError:
            return law.__name__
    return None


@pytest.mark.parametrize("name", VALUE)
def test_a_wrong_value_is_caught(name, monkeypatch):
    assert VALUE[name], "nothing was broken"
    for room, attribute, wrong in VALUE[name]:
        monkeypatch.setattr(room, attribute, wrong)
    likely_last = name in SHARES or name in FUTURES
    laws = value_laws.LAWS[::-1] if likely_last else value_laws.LAWS
    assert caught(laws), f"{name} slipped through"
