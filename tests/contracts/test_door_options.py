"""The door of tried designs: a bad past is told in one sentence, every problem at once."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import CxError, DataError, FitError, OptionError
from cxmodels.experiments.metrics import Metric
from tests.laws.option_worlds import past, plan

TABLE = past(n=40, T=8, branches=8, regions=4)
WIDE = TABLE.drop_duplicates("customer_id")


def tried(table, *, of=None, **how):
    asked = {"time": "month", "draws": 50} | how
    return (of or plan()).options(table, **asked)


def broken(column, value, rows=2):
    table = TABLE.astype({column: object})
    table.iloc[3 : 3 + rows, table.columns.get_loc(column)] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.iloc[:0], "empty"),
        (broken("y", "much"), r"y is no number \(2 rows\); first: row 4"),
        (broken("y", np.inf), "y is infinite"),
        (broken("y", np.nan), "y is missing"),
        (broken("customer_id", None), "customer_id is missing"),
        (broken("month", "soon"), "month is neither a number nor a date"),
        (broken("segment", None), "segment is missing"),
        (broken("segment", "other"), "segment changes within a customer_id"),
        (pd.concat([TABLE, TABLE.iloc[:3]]), r"two rows in one month \(3 rows\)"),
        (TABLE.drop(index=TABLE.index[5]), "1 of 40 units lack periods of month"),
    ],
)
def test_a_past_that_breaks_its_contract(table, words):
    with pytest.raises(DataError, match=words):
        tried(table)


def test_every_problem_is_listed_at_once():
    table = broken("y", "much")
    table.iloc[20, table.columns.get_loc("segment")] = None
    with pytest.raises(DataError, match="2 problems") as caught:
        tried(table)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        (Metric("y", "proportion", role="retention"), 0.5, "y is neither 0 nor 1"),
        (Metric("y", "nps", role="satisfaction"), 11, "no answer from 0 to 10"),
        (Metric("y", "hurdle", role="spend"), -1.0, "y is below 0"),
        (Metric("y", "ratio", per="stayed", role="spend"), "x", "y is no number"),
    ],
)
def test_outcomes_that_are_not_of_their_kind(metric, value, words):
    with pytest.raises(DataError, match=words):
        tried(TABLE.assign(y=value), of=plan(metrics=(metric,)))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"time": "day"}, "there is no column 'day'"),
        ({"cluster": "shop"}, "there is no column 'shop'"),
        ({"outcome": "visits"}, "no metric of the plan: y, stayed"),
        ({"worth": 3.0}, "as in Worth"),
        ({"effect": 0.0}, "effect is 0"),
        ({"effect": np.nan}, "effect nan is no number"),
        ({"outcome": "stayed", "effect": 0.9}, "out of 0 to 1"),
        ({"uptake": 1.5}, "uptake 1.5 does not lie between 0 and 1"),
        ({"draws": 10}, "draws 10 is a whole number from 50"),
        ({"seed": -1}, "seed -1"),
        ({"periods": 0}, "periods 0 is a whole number"),
        ({"absent": "guess"}, "absent 'guess' is not one of"),
        ({"progress": "print"}, "progress is a function"),
    ],
)
def test_arguments_that_cannot_be(how, words):
    with pytest.raises(OptionError, match=words):
        tried(TABLE, **how)


def test_periods_that_are_numbers_need_a_length():
    table = TABLE.assign(month=TABLE["month"].rank(method="dense"))
    with pytest.raises(OptionError, match="say periods="):
        tried(table)
    assert tried(table, periods=3).table.equals(tried(TABLE).table)


@pytest.mark.parametrize(
    ("table", "how", "words"),
    [
        (TABLE[TABLE["customer_id"] < 5], {}, "5 units: 8 are the least"),
        (TABLE, {"periods": 9}, "8 periods and the test lasts 9"),
        (TABLE.assign(y=3.0), {}, "the same for every unit"),
        (TABLE.assign(stayed=1), {"outcome": "stayed"}, "the same for every unit"),
    ],
)
def test_pasts_that_hold_no_answer(table, how, words):
    with pytest.raises(FitError, match=words):
        tried(table, **how)


def test_designs_that_cannot_be_say_why():
    found = tried(WIDE, time=None, of=plan(strata=()))
    why = found.refused.set_index("design")["why"]
    assert found.table["design"].tolist() == ["customer-randomised", "hold-out"]
    for name, words in {
        "stratified": "names no strata", "matched pairs": "nothing is known from before",
        "cluster": r"no column names clusters", "geo": "no column names regions",
        "encouragement": "uptake=", "interrupted series": "no column names time",
        "difference in differences on the past": "rolled_out=",
    }.items():  # fmt: skip
        assert words in why[name], name
    few = tried(TABLE, cluster="segment", geo="segment").refused.set_index("design")["why"]
    assert "2 clusters: 4 are the least" in few["cluster"]
    assert "2 regions: 4 are the least" in few["geo"]


def test_gaps_may_mean_nothing_and_before_may_come_in_a_column():
    assert len(tried(TABLE.drop(index=TABLE.index[5]), absent="zero").table)
    metric = Metric("y", before="earlier", role="spend")
    wide = WIDE.assign(earlier=WIDE["y"] + np.arange(len(WIDE)) % 3)
    wide.iloc[3, wide.columns.get_loc("earlier")] = np.nan
    found = tried(wide, time=None, of=plan(metrics=(metric,)))
    assert "matched pairs" in found.table["design"].tolist()


@pytest.mark.parametrize("kind", ["nps", "hurdle", "ratio"])
def test_all_kinds_of_metrics(kind):
    rng = np.random.default_rng(1)
    table = TABLE.assign(y=rng.integers(0, 11, len(TABLE)), visits=rng.integers(1, 5, len(TABLE)))
    per = "visits" if kind == "ratio" else None
    found = tried(table, of=plan(metrics=(Metric("y", kind, per=per, role="spend"),)),
                  cluster="branch", geo="region", uptake=0.5)  # fmt: skip
    assert len(found.table) == 11
    assert not found.table.isna().any().any()


@pytest.mark.parametrize("seed", range(6))
def test_hostile_pasts_end_in_a_table_or_in_one_sentence(seed):
    rng = np.random.default_rng(seed)
    table = TABLE.copy()
    kind = seed % 6
    if kind == 0:
        table["y"] = table["customer_id"] * 1e12
    if kind == 1:
        table["y"] = (table["customer_id"] == 3).astype(float)
    if kind == 2:
        table["y"] = table["month"].dt.month + 0.0 * table["y"] + table["customer_id"] % 2
    if kind == 3:
        table["y"] = np.where(table["branch"] == 0, 1e9, table["y"])
    if kind == 4:
        table["branch"] = table["customer_id"]
    if kind == 5:
        table["y"] = rng.choice([0.0, 1e-300], len(table))
    try:
        found = tried(table, cluster="branch", geo="region", uptake=0.2)
    except CxError as error:
        assert len(str(error)) < 400
        return
    assert not found.table.isna().any().any()
    assert repr(found)


def test_several_arms_and_looks_are_told():
    three = plan(arms=("as now", "call", "write"), looks=3, holdout=0.1)
    found = tried(TABLE, of=three)
    row = found.table.set_index("design").loc["customer-randomised"]
    assert row["units"] == 24 and row["treated"] == 12
    assert any("smallest other" in note for note in found.notes)
    assert any("3 looks" in note for note in found.notes)
