"""Where the uncertainty of customer equity comes from: the split, worked out by hand."""

import numpy as np
import pytest

from cxmodels.value.equity import SOURCES, Totals, shares

RNG = np.random.default_rng(2)
STILL = np.full(200, 50.0)


def totals(purchases=0.0, spend=0.0, rate=0.0) -> Totals:
    """Expected totals around 50 whose parts have these standard deviations, independent."""
    parts = [50 + size * RNG.standard_normal(200) for size in (purchases, spend, rate)]
    return Totals(sum(parts) - 100, *parts)


def test_sources_are_named_in_order():
    assert SOURCES == (
        "purchase parameters",
        "spend parameters",
        "discount rate",
        "behaviour of customers",
        "size of orders",
    )


def test_nothing_uncertain():
    total, share = shares(totals(), 0.0, 0.0)
    assert total == 0.0
    assert share.tolist() == [0.0] * 5


@pytest.mark.parametrize("place", range(3))
def test_one_parameter_alone(place):
    sizes = [0.0, 0.0, 0.0]
    sizes[place] = 4.0
    made = totals(*sizes)
    total, share = shares(made, 0.0, 0.0)
    assert total == pytest.approx(made.every.var())
    assert share[place] == pytest.approx(1.0)


def test_behaviour_and_orders_add_to_the_parameters():
    made = totals(3.0, 2.0)
    between = made.every.var()
    total, share = shares(made, 30.0, 10.0)
    assert total == pytest.approx(between + 40.0)
    assert share.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(share[3:] * total, [30.0, 10.0])
    alone = np.array([made.purchases.var(), made.spend.var(), 0.0])
    np.testing.assert_allclose(share[:3] * total, between * alone / alone.sum(), atol=1e-12)


def test_what_parameters_do_together_is_shared_out():
    """Interaction of two parameters goes to both in proportion: the parts still sum to all."""
    a, b = 1 + 0.3 * RNG.standard_normal(200), 1 + 0.4 * RNG.standard_normal(200)
    made = Totals(50 * a * b, 50 * a, 50 * b, STILL)
    total, share = shares(made, 0.0, 0.0)
    assert total == pytest.approx((50 * a * b).var())
    assert share[:2].sum() == pytest.approx(1.0)
    assert share[1] / share[0] == pytest.approx(b.var() / a.var())


def test_draws_with_an_infinite_mean_are_left_out_of_the_split():
    every = np.append(STILL, np.inf)
    longer = np.append(STILL, STILL[0])
    total, share = shares(Totals(every, longer, longer, longer), 1.0, 1.0)
    assert np.isfinite(total)
    assert share.sum() == pytest.approx(1.0)


def test_without_any_finite_mean_behaviour_and_orders_are_split():
    every = np.full_like(STILL, np.inf)
    total, share = shares(Totals(every, STILL, every, STILL), 3.0, 1.0)
    assert total == 4.0
    assert share.tolist() == [0.0, 0.0, 0.0, 0.75, 0.25]


def test_currency_scales():
    made = totals(3.0, 2.0, 1.0)
    cents = Totals(*(100 * part for part in (made.every, made.purchases, made.spend, made.rate)))
    total, share = shares(made, 30.0, 10.0)
    total_cents, share_cents = shares(cents, 30.0e4, 10.0e4)
    assert total_cents == pytest.approx(1e4 * total)
    np.testing.assert_allclose(share_cents, share)
