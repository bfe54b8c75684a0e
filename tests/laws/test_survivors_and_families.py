"""Bounds hold what the whole market shows, families keep their size, placebos do not stand."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.shareholders import outcome_family, survivor_bounds


def test_bounds_hold_what_the_market_would_have_shown():
    """The same markets with no firm lost: their estimate lies between the ends, every time."""
    gaps = cx.simulate.MarketTruth(survival=0.0)
    for seed in range(8):
        whole = cx.value_relevance(cx.firm_panel(cx.simulate.market(120, 8, seed=seed)), error=1.6)
        lost = cx.firm_panel(cx.simulate.market(120, 8, seed=seed, truth=gaps))
        found = survivor_bounds(lost, error=1.6)
        seen = whole.table.set_index("rung").loc["firm and year", "corrected"]
        assert found.lower < seen < found.upper
        assert found.firms > 10 and 0.02 < found.share < 0.5


def test_nothing_moves_nothing():
    gaps = cx.simulate.MarketTruth(survival=0.0)
    panel = cx.firm_panel(cx.simulate.market(120, 8, seed=1, truth=gaps))
    still = survivor_bounds(panel, error=1.6, move=0.0)
    assert still.lower == pytest.approx(still.upper)
    wide, narrow = (survivor_bounds(panel, error=1.6, move=by) for by in (0.4, 0.1))
    assert wide.lower < narrow.lower < narrow.upper < wide.upper
    middle = (wide.lower + wide.upper) / 2
    assert middle == pytest.approx(still.lower)
    assert "Its sign rests on them" in wide.sentence
    with pytest.raises(cx.OptionError, match="move -1 is 0 or more"):
        survivor_bounds(panel, move=-1)
    with pytest.raises(cx.FitError, match="no firm ends before"):
        survivor_bounds(cx.firm_panel(cx.simulate.market(30, 6, seed=1)))


def noisy(seed: int, columns: int = 6):
    made, rng = cx.simulate.market(40, 8, seed=seed), np.random.default_rng(seed)
    names = [f"noise {place}" for place in range(columns)]
    return cx.firm_panel(made.assign(**{name: rng.normal(size=len(made)) for name in names}),
                         controls=names), names  # fmt: skip


def test_a_family_of_nothing_rejects_as_often_as_it_may():
    """Six outcomes of noise: alone one in four families rejects at 5 per cent, adjusted few."""
    alone = adjusted = 0
    for seed in range(60):
        panel, names = noisy(seed)
        table = outcome_family(panel, names, seed=seed).table
        alone += (table["p_value"] < 0.05).any()
        adjusted += (table["adjusted"] < 0.05).any()
    assert adjusted <= 8  # 3 expected
    assert alone > adjusted


def test_outcomes_that_move_stand_and_a_placebo_does_not():
    more = cx.simulate.market(250, 10, seed=3)
    rng = np.random.default_rng(1)
    panel = cx.firm_panel(more.assign(rain=rng.normal(size=len(more))), controls=["rain"])
    found = outcome_family(panel, ["q", "market value", "rain"])
    table = found.table.set_index("outcome")
    assert (table.loc[["q", "market value"], "adjusted"] < 0.05).all()
    assert table.loc["rain", "adjusted"] > 0.05
    assert found.notes[0] == "Standing at 5 per cent of 3 outcomes: q, market value."
    assert table.loc["rain", "unit"] == "units of rain"
    one = cx.value_relevance(panel, error=0.0).table.set_index("rung").loc["firm and year"]
    assert table.loc["q", "estimate"] == pytest.approx(one["naive"])
    with pytest.raises(cx.OptionError, match="two outcomes or more"):
        outcome_family(panel, ["q"])
    with pytest.raises(cx.OptionError, match="'sun' is neither an outcome"):
        outcome_family(panel, ["q", "sun"])


def test_claims_by_the_point_stand_apart_from_elasticities():
    own = cx.value_relevance(cx.firm_panel(cx.simulate.market(80, 8, seed=2)))
    table = cx.claims(own).table
    row = table[(table["source"] == "yours") & table["unit"].str.endswith(", a point")]
    assert len(row) == 1
    assert pd.isna(row["elasticity"].iloc[0])
    within = own.table.set_index("rung").loc["firm and year", "per_cent"]
    assert row["figure"].iloc[0] == pytest.approx(within)
    asset = table[table["unit"].str.contains("customer-related asset")]
    assert asset["elasticity"].isna().all()
