"""Levels, curvature, gains against losses and groups: the truth is found, a straight line where it
is straight, and adjusted tables lie nearer to it than raw ones."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.satisfaction import levels, promoters
from tests.laws.satisfaction_study import CONTROLS, linked_company

EXACT = simulate.Truth(
    halo=0.0, error=0.0, orders=0.3, retest=0.0, between=0.6, within=1.2, persistence=0.1
)


@pytest.fixture(scope="module")
def straight():
    """SIMULATED answers without error; a point is worth the same everywhere."""
    return linked_company(simulate.company(12_000, seed=21, truth=EXACT))


@pytest.fixture(scope="module")
def found(straight):
    return levels(straight, controls=CONTROLS)


def bent(linked, factor):
    """The same with orders of the very satisfied (9 and 10) multiplied, as a draw of its own."""
    from dataclasses import replace

    rng, table = np.random.default_rng(3), linked.table.copy()
    top = table["score"] >= 9
    table.loc[top, "orders"] = rng.poisson(factor * table.loc[top, "orders"])
    table["orders_lines"] = table["orders_lines"].clip(lower=table["orders"])
    return replace(linked, table=table)


def test_levels_of_a_straight_line_lie_on_it(found):
    own = found.by_level.query("outcome == 'orders'")
    step = own["score_level"].str.split(" ").str[-1].astype(float) - found.reference
    away = (own["estimate"] - EXACT.orders * step) / own["std_error"]
    assert (away.abs() < 4).all()
    assert len(own) >= 6


def test_curvature_is_flat_where_the_line_is_straight_and_not_elsewhere(straight, found):
    row = found.curvature.set_index("outcome").loc["orders"]
    assert row["sentence"] == "a straight line will do"
    steep = levels(bent(straight, 3.0), controls=CONTROLS).curvature.set_index("outcome")
    assert steep.loc["orders", "sentence"] == "the effect of a point is steeper at the upper end"
    assert steep.loc["orders", "lower"] > 0


def test_a_leap_at_the_top_shows_in_its_level(straight):
    own = levels(bent(straight, 3.0), controls=CONTROLS).by_level.query("outcome == 'orders'")
    own = own.set_index("score_level")
    leap = own.loc["9", "estimate"] - own.loc["8", "estimate"]
    assert leap == pytest.approx(np.log(3.0) + EXACT.orders, abs=0.12)


def test_gains_and_losses_of_a_straight_line_cancel(found):
    own = found.gain_loss.query("outcome == 'orders'").set_index("moved")
    assert own.loc["a point gained", "estimate"] == pytest.approx(0.3, abs=0.06)
    assert own.loc["a point lost", "estimate"] == pytest.approx(-0.3, abs=0.06)
    both = own.loc["gain and loss together"]
    assert abs(both["estimate"]) < 4 * both["std_error"]
    parts = own["estimate"].iloc[:2].sum()
    assert both["estimate"] == pytest.approx(parts, abs=1e-12)


def test_a_loss_that_costs_double_shows(straight):
    from dataclasses import replace

    rng, table = np.random.default_rng(4), straight.table.copy()
    lost = np.maximum(table["score_before"] - table["score"], 0.0).fillna(0.0)
    table["orders"] = rng.binomial(table["orders"].astype(int), np.exp(-0.3 * lost))
    table["orders_lines"] = table["orders_lines"].clip(lower=table["orders"])
    own = levels(replace(straight, table=table), controls=CONTROLS).gain_loss
    own = own.query("outcome == 'orders'").set_index("moved")
    assert own.loc["gain and loss together", "upper"] < 0
    assert own.loc["gain and loss together", "estimate"] == pytest.approx(-0.3, abs=0.08)


def test_level_effects_are_those_of_statsmodels(straight, found):
    table = straight.table
    here = table[table["days"] > 0]
    score = here["score"]
    low = found.by_level.query("outcome == 'orders'")["score_level"].iloc[0]
    edge = float(low.split(" ")[-1])
    kinds = pd.get_dummies(score.clip(lower=edge), dtype=float).drop(columns=found.reference)
    x = pd.concat(
        [kinds, here["tenure"], pd.get_dummies(here["segment"], drop_first=True, dtype=float),
         pd.get_dummies(here["channel"], drop_first=True, dtype=float),
         pd.get_dummies(here["date"].dt.to_period("Q").astype(str), drop_first=True, dtype=float)],
        axis=1,
    )  # fmt: skip
    x.columns = x.columns.astype(str)
    fit = sm.GLM(here["orders"], sm.add_constant(x), family=sm.families.Poisson(),
                 offset=np.log(here["days"])).fit(tol=1e-12)  # fmt: skip
    own = found.by_level.query("outcome == 'orders'")["estimate"].to_numpy()
    np.testing.assert_allclose(own, fit.params.iloc[1 : 1 + own.size], atol=1e-8)


def test_groups_by_hand_and_adjusted(straight):
    table = promoters(straight, controls=CONTROLS).set_index(["outcome", "group"])
    answers = straight.table
    top = answers["score"] >= 9
    rate = answers.loc[top, "orders"].sum() / answers.loc[top, "days"].sum() * 365.2425
    row = table.loc[("orders", "promoters")]
    assert row["raw"] == pytest.approx(rate, rel=1e-9)
    assert row["answers"] == top.sum()
    gap = {
        kind: np.log(row[kind] / table.loc[("orders", "detractors"), kind])
        for kind in ("raw", "adjusted")
    }
    assert gap["adjusted"] < gap["raw"]  # tenure and segment make part of the raw gap
    share = table.loc[("leaving", "promoters")]
    assert 0 < share["adjusted_lower"] < share["adjusted"] < share["adjusted_upper"] < 1


def test_an_adjusted_table_without_controls_is_the_raw_one():
    made = simulate.company(3_000, seed=5, quarters=2)
    both = linked_company(made)
    one = both.at((both.table["date"] == both.table["date"].min()).to_numpy())
    table = promoters(one, controls="~ 1")
    np.testing.assert_allclose(table["raw"], table["adjusted"], rtol=1e-8)
    np.testing.assert_allclose(table["raw_upper"], table["adjusted_upper"], rtol=1e-8)


def test_refusals(straight):
    with pytest.raises(cx.OptionError, match="reference 11 is no level"):
        levels(straight, controls=CONTROLS, reference=11)
    made = simulate.company(500, seed=2)
    csat = linked_company(made, "satisfied", (1, 5))
    with pytest.raises(
        cx.OptionError, match="whole scores from 0 to 10; satisfied has a scale of 1"
    ):
        promoters(csat, controls=CONTROLS)
    assert levels(csat, controls=CONTROLS, reference=4).reference == 4
