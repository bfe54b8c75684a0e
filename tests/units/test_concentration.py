"""Lorenz curve, Gini and top shares at the edges: equal, one rich, nobody worth anything."""

import numpy as np
import pytest

from cxmodels.value.concentration import concentration, gini, lorenz_points

AT = np.linspace(0.0, 1.0, 21)


def ones(n: int) -> np.ndarray:
    return np.ones(n)


def test_equal_customers():
    assert gini(np.full(7, 3.0), ones(7)) == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(lorenz_points(np.full(7, 3.0), ones(7), AT), AT, atol=1e-14)


def test_one_customer_has_all():
    value = np.append(np.zeros(9), 5.0)
    assert gini(value, ones(10)) == pytest.approx(0.9)
    curve = lorenz_points(value, ones(10), np.array([0.0, 0.9, 0.95, 1.0]))
    np.testing.assert_allclose(curve, [0, 0, 0.5, 1], atol=1e-14)


@pytest.mark.parametrize("n", [1, 6])
def test_nobody_is_worth_anything(n):
    assert gini(np.zeros(n), ones(n)) == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(lorenz_points(np.zeros(n), ones(n), AT), AT)


def test_infinite_customers_hold_all_equally():
    value = np.array([1.0, np.inf, 2.0, np.inf])
    curve = lorenz_points(value, ones(4), np.array([0.5, 0.75, 1.0]))
    np.testing.assert_allclose(curve, [0.0, 0.5, 1.0], atol=1e-12)
    assert gini(value, ones(4)) == pytest.approx(0.5)


def test_weights_are_copies():
    value, weight = np.array([4.0, 1.0, 9.0]), np.array([2.0, 5.0, 1.0])
    copies = np.repeat(value, weight.astype(int))
    assert gini(value, weight) == pytest.approx(gini(copies, ones(8)), rel=1e-14)
    np.testing.assert_allclose(
        lorenz_points(value, weight, AT), lorenz_points(copies, ones(8), AT), atol=1e-14
    )


def test_order_and_currency_do_not_matter():
    value, weight = np.array([4.0, 1.0, 9.0]), np.array([2.0, 5.0, 1.0])
    turned = np.array([2, 0, 1])
    assert gini(100 * value[turned], weight[turned]) == pytest.approx(gini(value, weight))


def test_exponential_values_have_the_gini_of_the_book():
    """Half for an exponential distribution; 1 / (2 a - 1) for a Pareto of index a."""
    share = (np.arange(200_000) + 0.5) / 200_000
    assert gini(-np.log1p(-share), ones(200_000)) == pytest.approx(0.5, abs=1e-4)
    assert gini((1 - share) ** (-1 / 3), ones(200_000)) == pytest.approx(0.2, abs=1e-4)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    value = rng.gamma(0.5, 2.0, 300)
    by_draw = value[:, None] * np.exp(0.2 * rng.standard_normal((300, 400)))
    return concentration(value, by_draw, ones(300), 0.9)


def test_tables_agree_with_each_other(table):
    share = table.table.set_index("group")["share"]
    curve = table.lorenz.set_index(table.lorenz["customers_share"].round(2))["value_share"]
    for top in (1, 5, 20):
        assert share[f"top {top} per cent of customers"] == pytest.approx(
            1 - curve[round(1 - top / 100, 2)], abs=1e-12
        )
    gini_of_curve = 1 - 2 * np.trapezoid(table.lorenz["value_share"], dx=0.01)
    assert share["Gini coefficient"] == pytest.approx(gini_of_curve, abs=2e-3)


def test_a_lorenz_curve_is_convex_and_below_the_diagonal(table):
    for name in ("value_share", "lower", "upper"):
        curve = table.lorenz[name].to_numpy()
        assert curve[0] == pytest.approx(0.0, abs=1e-12)
        assert curve[-1] == pytest.approx(1.0)
        assert (curve <= table.lorenz["customers_share"] + 1e-12).all()
    assert (np.diff(table.lorenz["value_share"], 2) > -1e-12).all()


def test_the_interval_is_that_of_the_draws():
    rng = np.random.default_rng(5)
    value = rng.gamma(0.5, 2.0, 200)
    by_draw = value[:, None] ** rng.uniform(0.5, 1.5, 500)
    found = concentration(value, by_draw, ones(200), 0.8).table.set_index("group")
    each = [gini(drawn, ones(200)) for drawn in by_draw.T]
    ends = np.quantile(each, [0.1, 0.9])
    np.testing.assert_allclose(found.loc["Gini coefficient", ["lower", "upper"]], ends, rtol=1e-12)


def test_few_draws_give_an_interval_inside_the_possible():
    rng = np.random.default_rng(6)
    value = rng.gamma(0.02, 2.0, 50)
    by_draw = value[:, None] ** rng.uniform(0.2, 2.0, 20)
    found = concentration(value, by_draw, ones(50), 0.9)
    for frame in (found.table, found.lorenz):
        assert (frame["lower"] >= 0).all()
        assert (frame["upper"] <= 1).all()
        assert (frame["lower"] <= frame["upper"]).all()
