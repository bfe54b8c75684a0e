"""The door of jumps at a cutoff: hostile tables end in an answer or in one clear error."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.discontinuity import discontinuity


def table(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    score = rng.uniform(0.0, 100.0, n)
    spend = 0.1 * score + 5.0 * (score >= 60.0) + rng.normal(size=n)
    return pd.DataFrame({"score": score, "spend": spend, "age": rng.normal(40.0, 9.0, n)})


def asked(given, cutoff=60, **choices):
    return discontinuity(given, running="score", cutoff=cutoff, outcome="spend", **choices)


@pytest.mark.parametrize(("spoilt", "words"), [
    (lambda t: t.iloc[:0], "0 units below 60 with score and outcome.*No row has both"),
    (lambda t: t[t["score"] > 60], "0 units below 60 .*'score' runs from 60"),
    (lambda t: t[t["score"] < 61], "from 60 on with score and outcome, where 10"),
    (lambda t: t.assign(score=60.0), "0 units below 60"),
    (lambda t: t.assign(score=np.nan), "No row has both"),
    (lambda t: t.assign(spend=7.1), "outcome 'spend' is the same for every unit"),
    (lambda t: t.assign(spend=[np.inf, *t["spend"][1:]]), r"'spend' is infinite.*\(1 row"),
    (lambda t: t.assign(score=[-np.inf, *t["score"][1:]]), r"score 'score' is infinite"),
    (lambda t: t.assign(score=["low"] * 400), r"score 'score' is no number \(400 rows"),
    (lambda t: t.assign(spend=["a lot", *t["spend"][1:]]), "outcome 'spend' is no number"),
    (lambda t: t.assign(score=pd.Timestamp("2026-01-01")), "score 'score' holds dates"),
    (lambda t: t.drop(columns="spend"), "there is no one column 'spend'. Columns: score, age"),
    (lambda t: t.drop(columns="score"), "there is no one column 'score'"),
    (lambda t: pd.concat([t, t[["score"]]], axis=1), "there is no one column 'score'"),
])  # fmt: skip
def test_tables_that_are_none(spoilt, words):
    with pytest.raises(DataError, match=f"(?s){words}"):
        asked(spoilt(table()))


@pytest.mark.parametrize(("spoilt", "words"), [
    (lambda t: t.assign(score=np.where(t["score"] < 60, 20.0, 80.0)), "different value"),
    (lambda t: t.assign(score=t["score"].round(-1)), "different value|within"),
    (lambda t: t.assign(spend=(t["score"] > 99.0).astype(int)), "no noise"),
])  # fmt: skip
def test_tables_that_cannot_be_fitted(spoilt, words):
    with pytest.raises(FitError, match=words):
        asked(spoilt(table()))


def test_hostile_tables_that_have_an_answer():
    given = table()
    spoilt = {
        "text": given.astype(str),
        "nullable": given.astype("Float64").where(given["age"] > 30.0),
        "twice": pd.concat([given, given], ignore_index=True),
        "whole numbers": given.round().astype(int),
        "shuffled": given.sample(frac=1.0, random_state=1),
        "binary": given.assign(spend=(given["age"] > 40.0)),
        "few": given.iloc[:60],
        "large": given * 1e90,
        "small": given * 1e-90,
    }
    for name, own in spoilt.items():
        scale = {"large": 1e90, "small": 1e-90}.get(name, 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = asked(own, cutoff=60 * scale)
            points = found.points()
            means = points.drop(columns=["lower", "upper"])  # of one unit there is no interval
            shown = [found.table, found.sides, found.lines(), means, points[points["units"] > 1]]
            widths = found.widths()
            places = found.placebos()
        for frame in shown:
            assert np.isfinite(frame.select_dtypes("number").to_numpy()).all(), name
        for frame in (widths, places):
            told = frame["why"] != ""
            assert frame.loc[told, "estimate"].isna().all()
            assert np.isfinite(frame.loc[~told, "estimate"].astype(float)).all(), name
        assert "Jump of spend" in repr(found)


def test_rows_left_out_are_told():
    given = table()
    given.loc[3:5, "spend"] = None
    assert "3 rows lack the score or the outcome" in asked(given).notes[-1]


def test_order_of_rows_does_not_matter():
    given = table().round(0)  # many of the same score
    one, other = asked(given), asked(given.sample(frac=1.0, random_state=2))
    assert (one.estimate, one.std_error) == pytest.approx((other.estimate, other.std_error))


@pytest.mark.parametrize(("choices", "words"), [
    ({"cutoff": None}, "cutoff None is no number"),
    ({"cutoff": True}, "cutoff True is no number"),
    ({"cutoff": np.nan}, "cutoff nan is no number"),
    ({"level": 95}, "level is the width"),
    ({"bandwidth": "wide"}, "bandwidth 'wide' is neither 'error', 'coverage' nor"),
    ({"bandwidth": None}, "bandwidth None is neither"),
    ({"bandwidth": 0}, "bandwidth 0 is no positive"),
    ({"bandwidth": np.inf}, "bandwidth inf is no positive"),
])  # fmt: skip
def test_choices_that_cannot_be(choices, words):
    with pytest.raises(OptionError, match=words):
        asked(table(), **choices)


def test_a_width_that_holds_too_few():
    with pytest.raises(FitError, match="of the cutoff on one side: a curve of order"):
        asked(table(), bandwidth=0.1)
    wide = asked(table(), bandwidth=1e6)
    assert wide.bandwidth == wide.bias_bandwidth == 1e6
    empty = wide.widths([1e-8])
    assert empty["estimate"].isna().all() and "different value" in empty["why"][0]


def test_questions_that_cannot_be():
    found = asked(table())
    for cutoff in (60.0, np.nan):
        with pytest.raises(OptionError, match="other than the true one"):
            found.placebos([cutoff])
    with pytest.raises(OptionError, match="cannot be the outcome as well"):
        found.continuity("score")
    with pytest.raises(DataError, match="there is no one column 'rank'"):
        found.continuity(["age", "rank"])
    with pytest.raises(OptionError, match="factor"):
        found.widths([0.0])
    with pytest.raises(OptionError, match="bins"):
        found.points(0)
    far = found.placebos([1e6])
    assert far["estimate"].isna().all() and "0 units on one side" in far["why"][0]


def test_density_of_a_score_in_few_steps():
    rng = np.random.default_rng(1)
    score = rng.integers(0, 8, 4_000).astype(float)
    given = pd.DataFrame({"score": score, "spend": score + rng.normal(size=4_000)})
    found = discontinuity(given, running="score", cutoff=4, outcome="spend", bandwidth=5)
    with pytest.raises(FitError, match="goes in steps of about 1"):
        found.density()
