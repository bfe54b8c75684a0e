"""The door of matching and weighting: hostile tables end in an answer or in one clear error."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.matching import Coarsened, Nearest, Subclasses, balanced
from cxmodels.experiments.rosenbaum import rosenbaum_bounds

WAYS = ["entropy", "propensity", "nearest", "subclass", "cem"]


def table(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    age = rng.normal(40.0, 10.0, n)
    return pd.DataFrame({"arm": np.where(rng.random(n) < 0.3, "b", "a"), "age": age,
                         "plan": rng.choice(["basic", "plus", "pro"], n),
                         "spend": age + rng.normal(size=n)})  # fmt: skip


def made(given, how="entropy", covariates=("age", "plan"), **choices):
    return balanced(given, arm="arm", control="a", covariates=covariates, how=how, **choices)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("spoilt", "words"), [
    (lambda t: t.iloc[:0], "no unit is in the control arm 'a'"),
    (lambda t: t[t["arm"] == "a"], "1 arm where two are compared"),
    (lambda t: t[t["arm"] == "b"], "no unit is in the control arm 'a'. Arms: b"),
    (lambda t: t.assign(arm=["a", "b", "c", "a"] * 50), "3 arms where two are compared"),
    (lambda t: t.assign(arm=None), "The column of arms is empty"),
    (lambda t: t.assign(age=40.0), "covariate 'age' is the same for every unit"),
    (lambda t: t.assign(age=[np.inf, *t["age"][1:]]), r"'age' is infinite.*\(1 row\)"),
    (lambda t: t.assign(age=np.nan), "0 treated units with all covariates"),
    (lambda t: t.assign(age=[f"u{i}" for i in range(len(t))]), "holds 200 different texts"),
    (lambda t: t.assign(age=pd.Timestamp("2026-01-01")), "covariate 'age' holds dates"),
    (lambda t: t.drop(columns="age"), "there is no one column 'age'"),
    (lambda t: pd.concat([t, t[["age"]]], axis=1), "there is no one column 'age'"),
    (lambda t: t.assign(arm=["b", "b"] + ["a"] * 198), "2 treated units with all covariates"),
])  # fmt: skip
def test_tables_that_are_none(how, spoilt, words):
    with pytest.raises(DataError, match=words):
        made(spoilt(table()), how)


def test_all_problems_are_told_together():
    broken = table().assign(age=[np.inf] + [40.0] * 199, arm=["a", "b", "c", "a"] * 50)
    with pytest.raises(DataError) as caught:
        made(broken)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("how", WAYS)
def test_hostile_tables_that_have_an_answer(how):
    given = table()
    spoilt = [
        given.assign(age=given["age"].astype(str)),
        given.assign(age=given["age"].astype("Float64").where(given["age"] > 25.0)),
        given.assign(plan=given["plan"].astype("category")),
        given.assign(plan=given["plan"] == "pro"),
        given.assign(age=given["age"] * 1e9),
        given.set_index(pd.Index(["same"] * len(given))),
        pd.concat([given, given]),
    ]
    for one in spoilt:
        before = one.copy(deep=True)
        found = made(one, how)
        effect = found.effect("spend")
        numbers = effect.table.drop(columns="how").to_numpy(dtype=float)
        assert np.isfinite(numbers).all()
        assert np.isfinite(found.weights).all() and (found.weights >= 0.0).all()
        assert repr(found) and repr(effect) and effect._repr_html_()
        pd.testing.assert_frame_equal(one, before)


def test_what_has_no_effect_to_tell():
    with pytest.raises(FitError, match="spend is 3 in every row: there is nothing to compare"):
        made(table().assign(spend=3.0)).effect("spend")
    few = pd.DataFrame(
        {"arm": list("babaab"), "x": [1.0, 1, 9, 20, 21, 40], "y": [5, 3, 6, 7, 8, 9]}
    )
    found = balanced(few, arm="arm", control="a", covariates="x", how="cem")
    with pytest.raises(FitError, match="control units are left in sets: an effect with an error"):
        found.effect("y")


def test_bounds_of_pairs_that_are_not_alike_say_so():
    """SIMULATED, no effect: pairs far apart in x differ all the same, and bounds call it robust."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=600)
    took = np.where(rng.random(600) < 1 / (1 + np.exp(0.3 - x)), "b", "a")
    data = pd.DataFrame({"arm": took, "x": x, "y": 5 * x + rng.normal(size=600)})
    asked = {"arm": "arm", "control": "a", "covariates": "x"}
    loose = balanced(data, how="nearest", **asked).sensitivity("y")
    assert loose.breakdown > 5 and loose.notes[0].startswith("Pairs still differ by ")
    assert repr(loose).index("Pairs still differ") < repr(loose).index(loose.sentence)
    assert not balanced(data, how=Nearest(caliper=0.02), **asked).sensitivity("y").notes


def test_rows_that_lack_a_covariate_are_counted():
    given = table()
    given.loc[[3, 7], "plan"] = None
    found = made(given)
    assert "2 rows lack an arm or a covariate" in " ".join(found.notes)
    assert found.units["row"].tolist() == [row for row in range(200) if row not in (3, 7)]


@pytest.mark.parametrize("how", ["entropy", "propensity", "nearest", "subclass"])
def test_groups_that_do_not_overlap(how):
    given = table()
    apart = given.assign(age=np.where(given["arm"] == "b", given["age"] + 500.0, given["age"]))
    words = "'age' is out of reach" if how == "entropy" else "tell treated and controls apart"
    with pytest.raises(FitError, match=words):
        made(apart, how)
    with pytest.raises(FitError, match="no cell holds treated and controls"):
        made(apart, Coarsened({"age": 50}))


def test_columns_that_repeat_each_other():
    twice = table().assign(months=lambda t: 12.0 * t["age"])
    with pytest.raises(FitError, match="follows from the other columns"):
        made(twice, "propensity", ("age", "months"))
    one = made(twice, "entropy", ("age",)).effect("spend")
    both = made(twice, "entropy", ("age", "months")).effect("spend")
    assert both.estimate == pytest.approx(one.estimate)
    assert both.std_error == pytest.approx(one.std_error, rel=0.02)


def test_outcomes():
    given = table()
    for spoilt, words in (
        (given.assign(spend=given["spend"].where(given.index != 4)),
         r"outcome 'spend' is missing \(1 row\); first: row 5"),
        (given.assign(spend="much"), r"outcome 'spend' is no number \(200 rows\)"),
        (given.assign(spend=np.inf), "outcome 'spend' is infinite"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=words):
            made(spoilt).effect("spend")
    with pytest.raises(OptionError, match="there is no one column 'income'"):
        made(given).effect("income")
    with pytest.raises(OptionError, match="level is the width"):
        made(given).effect("spend", level=95)


def test_choices():
    for choices, words in (
        ({"how": "optimal"}, "how 'optimal' is not one of entropy, propensity"),
        ({"how": 3}, "how is one of"),
        ({"how": None}, "how is one of"),
        ({"estimand": "late"}, "estimand 'late' is not one of att, ate, ato"),
        ({"how": "nearest", "estimand": "ate"}, "is not told by Nearest, but att"),
        ({"estimand": "ato"}, "is not told by entropy"),
        ({"covariates": []}, "covariates= names the columns"),
        ({"covariates": ["arm"]}, "cannot be a covariate as well"),
        ({"how": Coarsened({"income": 3})}, "bins name 'income'"),
        ({"how": Coarsened({"age": 0})}, "is no count from 1 on"),
        ({"how": Coarsened({"age": [3, 2]})}, "edges that rise"),
    ):
        with pytest.raises(OptionError, match=words):
            made(table(), **choices)
    for wrong in (lambda: Nearest(caliper=0.0), lambda: Nearest(caliper="near"),
                  lambda: Subclasses(0), lambda: Subclasses(2.5)):  # fmt: skip
        with pytest.raises(OptionError):
            wrong()
    with pytest.raises(FitError, match="each can be used once only"):
        balanced(table(), arm="arm", control="b", covariates=["age"], how="nearest")
    with pytest.raises(FitError, match=r"has no (treated|control) unit"):
        made(table(), Subclasses(60))
    with pytest.raises(FitError, match="within the caliper"):
        made(table(), Nearest(caliper=1e-12))
    with pytest.raises(FitError, match="Rosenbaum's bounds are of pairs"):
        made(table()).sensitivity("spend")
    assert made(table(), "nearest").sensitivity("spend").pairs > 10


@pytest.mark.parametrize(("pairs", "error", "words"), [
    (([], []), FitError, "0 of 0 pairs differ"),
    (([1.0, 2.0], [1.0, 2.0]), FitError, "0 of 2 pairs differ"),
    (([1.0, np.nan, 3.0], [0.0, 1.0, 1.0]), DataError, r"missing or infinite \(1 row\)"),
    (([1.0, np.inf], [0.0, 1.0]), DataError, "missing or infinite"),
    ((["a"], ["b"]), OptionError, "columns of numbers"),
    (([1.0, 2.0], [1.0]), OptionError, "columns of one length"),
])  # fmt: skip
def test_pairs_that_are_none(pairs, error, words):
    with pytest.raises(error, match=words):
        rosenbaum_bounds(*pairs)


def test_choices_of_bounds():
    for choices in ({"gammas": [0.5]}, {"gammas": []}, {"gammas": ["a"]}, {"method": "fast"},
                    {"level": 90}):  # fmt: skip
        with pytest.raises(OptionError):
            rosenbaum_bounds([1.0, 2.0, 5.0], [0.0, 0.0, 1.0], **choices)
    assert "even without hidden bias" in rosenbaum_bounds([1.0, 2.0], [0.0, 3.0]).sentence
