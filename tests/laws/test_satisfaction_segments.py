"""Effects by group: a group's table is that of its answers alone, and differences are told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels import satisfaction
from tests.laws.satisfaction_study import linked_company

CONTROLS = "~ tenure + channel"


@pytest.fixture(scope="module")
def linked():
    return linked_company(cx.simulate.company(12_000, seed=71))


@pytest.fixture(scope="module")
def found(linked):
    return satisfaction.effects_by(linked, "segment", controls=CONTROLS)


def test_a_group_is_its_answers_alone(linked, found):
    plus = linked.at(linked.table["segment"] == "plus")
    alone = satisfaction.effects(plus, controls=CONTROLS).table
    own = found[found["group"] == "plus"].set_index("outcome").loc[alone["outcome"]]
    for name in ("naive", "controlled", "corrected", "std_error", "rows"):
        np.testing.assert_allclose(own[name].to_numpy(float), alone[name].to_numpy(float))


def test_effects_that_are_alike_are_told_alike(found):
    p = found.drop_duplicates("outcome")["alike_p_value"]
    assert (p > 0.005).all()
    truth = cx.simulate.Truth().referrals
    own = found.query("outcome == 'referrals'")
    assert (abs(own["corrected"] - truth) < 4 * own["std_error"]).all()


def test_a_group_for_whom_a_point_is_worth_more_is_found(linked):
    rng, table = np.random.default_rng(1), linked.table.copy()
    plus = (table["segment"] == "plus").to_numpy()
    more = np.exp(0.25 * (table["score"].to_numpy() - 7.0))
    table["referrals"] = np.where(plus, rng.poisson(0.2 * more), table["referrals"])
    bent = satisfaction.effects_by(replace(linked, table=table), "segment", controls=CONTROLS)
    row = bent.query("outcome == 'referrals'").set_index("group")
    assert row["alike_p_value"].iloc[0] < 0.01
    assert row.loc["plus", "controlled"] == pytest.approx(0.25, abs=0.05)


def test_a_number_is_cut_into_thirds(linked):
    table = satisfaction.effects_by(linked, "tenure", controls="~ segment")
    counts = table.drop_duplicates("group")
    assert len(counts) == 3
    rows = table.query("outcome == 'orders'")["rows"]
    assert rows.sum() == len(linked.table)
    assert rows.max() - rows.min() < 100  # ties at the cuts


def test_refusals(linked):
    with pytest.raises(cx.OptionError, match="by 'age' is no column"):
        satisfaction.effects_by(linked, "age", controls=CONTROLS)
    names = linked.table["customer_id"].mod(20).astype(str)
    many = replace(linked, table=linked.table.assign(many=names))
    with pytest.raises(cx.OptionError, match="has 20 groups, more than 12"):
        satisfaction.effects_by(many, "many", controls=CONTROLS)
    flat = replace(linked, table=linked.table.assign(score=7.0))
    with pytest.raises(cx.FitError, match="no group can be told: segment basic: every answer"):
        satisfaction.effects_by(flat, "segment", controls=CONTROLS)
    assert isinstance(linked.table, pd.DataFrame)
