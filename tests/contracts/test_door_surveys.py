"""What the door says of survey answers: all problems, counts, the first row; nothing is lost."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.data.surveys import survey_base

SCALES = {"nps": (0, 10), "csat": (1, 5)}
NAMES = {"customer": "who", "time": "when", "scores": SCALES}


def told() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": [3, 1, 1, 2, 2, 4],
            "when": pd.to_datetime(
                ["2024-03-01", "2024-01-05", "2024-04-05", "2024-01-07", "2024-02-07", "2024-02-09"]
            ),
            "nps": [9, 7, 10, np.nan, 3, 0],
            "csat": [5, 4, 5, np.nan, np.nan, 1],
        }
    )


def test_a_sound_table_in_order():
    given = told()
    base = survey_base(given, **NAMES)
    assert base.table["customer_id"].tolist() == [1, 1, 2, 2, 3, 4]
    assert base.table["date"].is_monotonic_increasing is False
    assert base.table["nps"].fillna(-1).tolist() == [7, 10, -1, 3, 9, 0]
    assert base.response_rate == pytest.approx(5 / 6)
    assert base.scores == ("nps", "csat")
    assert len(base.answers) == 5
    assert base.notes == ("1 answers leave some scores empty.",)
    pd.testing.assert_frame_equal(given, told())  # nothing of the user's is changed


@pytest.mark.parametrize("make", [pl.from_pandas, lambda f: f.astype({"nps": object}), lambda f: f])
def test_engines_agree(make):
    expected = survey_base(told(), **NAMES).table
    pd.testing.assert_frame_equal(survey_base(make(told()), **NAMES).table, expected)


def test_files_agree(tmp_path):
    expected = survey_base(told(), **NAMES).table
    told().to_csv(tmp_path / "answers.csv", index=False)
    told().to_parquet(tmp_path / "answers.parquet")
    for name in ("answers.csv", "answers.parquet"):
        found = survey_base(str(tmp_path / name), **NAMES).table
        pd.testing.assert_frame_equal(found, expected)


def test_every_problem_at_once():
    given = told().astype({"csat": object})
    given.loc[0, "nps"], given.loc[1, "nps"] = 11, -1
    given.loc[2, "csat"] = "very"
    given.loc[3, "when"] = pd.NaT
    with pytest.raises(cx.DataError) as caught:
        survey_base(given, **NAMES)
    said = str(caught.value)
    assert "3 problems" in said
    assert "score 'nps' lies off its scale, 0 to 10 (2 rows); first: row 1: who=3" in said
    assert "column 'csat' holds text that is not a number (1 row)" in said
    assert "time column 'when' is missing (1 row)" in said


def test_two_answers_of_one_instant():
    given = pd.concat([told(), told().iloc[[1]].assign(nps=8)])
    with pytest.raises(cx.DataError, match=r"two different answers of one instant \(1 row\)"):
        survey_base(given, **NAMES)


def test_copies_and_invitations_of_answers_are_counted_and_set_aside():
    silent = told().iloc[[1]].assign(nps=np.nan, csat=np.nan)
    base = survey_base(pd.concat([told(), told().iloc[[0]], silent]), **NAMES)
    pd.testing.assert_frame_equal(base.table, survey_base(told(), **NAMES).table)
    account = base.reconciliation.set_index("item")["rows"]
    assert account["survey"] == 8
    assert account["set aside: says nothing more"] == 2
    parts = account.drop("survey").sum()
    assert parts == account["survey"]


def test_rows_without_customer_are_counted():
    given = told().astype({"who": "Int64"})
    given.loc[0, "who"] = pd.NA
    base = survey_base(given, **NAMES)
    assert base.reconciliation.set_index("item")["rows"]["set aside: no customer id"] == 1
    assert "1 rows name no customer" in base.notes[0]


def test_months_on_another_scale_are_told():
    days = ["2024-01-05"] * 40 + ["2024-02-05"] * 40
    given = pd.DataFrame({"who": range(80), "when": days, "nps": [5] * 40 + [50, 85] * 20})
    with pytest.raises(cx.DataError, match=r"seems to mix two scales by month \(40 rows\)"):
        survey_base(given, customer="who", time="when", scores={"nps": (0, 100)})


def test_nobody_answered_nothing_there_and_wrong_names():
    with pytest.raises(cx.DataError, match="no invitation was answered"):
        survey_base(told().assign(nps=np.nan, csat=np.nan), **NAMES)
    with pytest.raises(cx.DataError, match="the table is empty"):
        survey_base(told().iloc[:0], **NAMES)
    with pytest.raises(cx.DataError, match=r"number column 'ces' is not there. Columns: 'who'"):
        survey_base(told(), customer="who", time="when", scores={"ces": (1, 7)})
    for scores in ({}, {"nps": (10, 0)}, {"nps": 10}, {"nps": (0, np.inf)}):
        with pytest.raises(cx.OptionError):
            survey_base(told(), customer="who", time="when", scores=scores)
    with pytest.raises(cx.OptionError, match="plays two parts"):
        survey_base(told(), customer="who", time="who", scores=SCALES)


def test_a_simulated_survey_passes():
    made = simulate.company(500, seed=1)
    scales = {"recommend": (0, 10), "satisfied": (1, 5), "effort": (1, 7), "quality": (0, 10)}
    base = survey_base(made.surveys, customer="customer_id", time="date", scores=scales)
    assert 0.3 < base.response_rate < 0.6
    assert len(base.table) == len(made.surveys)
    assert "answers of" in repr(base)
