"""Odd answers and odd outcomes end in numbers or in one sentence, never in a warning or a trace."""

from dataclasses import replace

import numpy as np
import pytest

import cxmodels as cx
from cxmodels import satisfaction as room
from tests.laws.satisfaction_study import CONTROLS, linked_company


@pytest.fixture(scope="module")
def linked():
    return linked_company(cx.simulate.company(600, seed=2))


def with_table(linked, **columns):
    return replace(linked, table=linked.table.assign(**columns))


def scores(linked, change):
    pairs = linked.pairs.assign(
        score=change(linked.pairs["score"]), score_again=change(linked.pairs["score_again"])
    )
    return replace(with_table(linked, score=change(linked.table["score"])), pairs=pairs)


ODD = {
    "one score": lambda x: scores(x, lambda s: 0 * s + 7),
    "two scores": lambda x: scores(x, lambda s: 6.0 + 4.0 * (s > 7)),
    "one customer": lambda x: x.at(
        (x.table["customer_id"] == x.table["customer_id"][0]).to_numpy()
    ),
    "few answers": lambda x: x.at(np.arange(len(x.table)) < 12),
    "no answers twice": lambda x: replace(x, pairs=x.pairs.iloc[:0]),
    "answers agree by chance": lambda x: replace(
        x, pairs=x.pairs.assign(score_again=x.pairs["score_again"].to_numpy()[::-1])
    ),
    "all left": lambda x: with_table(x, left=1.0),
    "nobody left": lambda x: with_table(x, left=0.0),
    "no orders": lambda x: with_table(x, orders=0.0, orders_lines=0.0, orders_amount=0.0),
    "amounts below 0": lambda x: with_table(x, orders_amount=-5.0),
    "huge amounts": lambda x: with_table(x, orders_amount=1e12 * x.table["orders_amount"]),
    "tiny amounts": lambda x: with_table(x, orders_amount=1e-9 * x.table["orders_amount"]),
    "huge scores": lambda x: scores(x, lambda s: 1e6 * s),
    "one customer buys it all": lambda x: with_table(
        x, orders=np.where(x.table.index == 5, 5_000.0, 0.0)
    ),
    "no days": lambda x: with_table(x, days=0.0),
    "a constant control": lambda x: with_table(x, tenure=1.0),
}
ASKED = {
    "effects": lambda x: room.effects(x, controls=CONTROLS),
    "effects, weighed": lambda x: room.effects(x, controls="~ segment", weights="response"),
    "levels": lambda x: room.levels(x, controls=CONTROLS),
    "promoters": lambda x: room.promoters(x, controls="~ segment"),
    "extrapolated": lambda x: room.extrapolated(x, controls="~ segment", draws=2),
    "checks": lambda x: room.checks(x, room.effects(x, controls="~ segment")),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("odd", ODD)
def test_numbers_or_a_sentence(odd, asked, linked):
    try:
        found = ASKED[asked](ODD[odd](linked))
    except cx.CxError as refusal:
        assert 20 < len(str(refusal)) < 700, str(refusal)
        return
    for table in tables_of(found):
        numbers = table.select_dtypes("number").drop(columns="reliability", errors="ignore")
        told = ["estimate", "controlled", "naive", "lower", "upper", "std_error", "raw", "simex"]
        held = numbers[[name for name in told if name in numbers]]
        assert np.isfinite(held.to_numpy()[~held.isna().all(axis=1)]).all(), held


def tables_of(found):
    if isinstance(found, room.Levels):
        return [found.by_level, found.curvature, found.gain_loss]
    return [getattr(found, "table", found)]


def test_few_customers_are_told(linked):
    few = linked.at(linked.table["customer_id"].isin(linked.table["customer_id"].unique()[:20]))
    notes = room.effects(few, controls="~ 1", reliability=0.5).notes
    assert "Only 20 customers" in notes[1]
