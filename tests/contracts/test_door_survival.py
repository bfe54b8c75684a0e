"""The door of survival: every problem of the rows at once, and sentences where nothing is known."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.survival import survival_effects
from cxmodels.experiments.survival_counts import survival_counts

TABLE = pd.DataFrame({
    "id": range(40), "arm": ["A", "B"] * 20, "day": [float(1 + i % 9) for i in range(40)],
    "left": [int(i % 3 > 0) for i in range(40)],
})  # fmt: skip


def found(table, **how):
    asked = {"arm": "arm", "control": "A", "time": "day", "event": "left", "horizon": 8} | how
    return survival_effects(table, **asked)


def broken(column, value, rows=2):
    table = TABLE.astype({column: object})
    table.loc[3 : 2 + rows, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.iloc[:0], "empty"),
        (TABLE.drop(columns="day"), "column 'day' is not there"),
        (broken("day", "soon"), r"'day' holds text that is not a number \(2 rows\); first: row 4"),
        (broken("day", np.inf), "'day' is infinite"),
        (broken("day", -1.0), r"'day' is below 0 \(2 rows\); first: row 4"),
        (broken("left", 2), r"'left' is neither 0 nor 1, as an event is \(2 rows\)"),
        (broken("arm", None), "arm column 'arm' is missing"),
        (TABLE[TABLE["arm"] == "A"], "one arm"),
        (TABLE.assign(arm="C"), "no unit is in arm 'A'"),
        (TABLE.assign(day=np.nan), "fewer than 2 units of 'A'"),
    ],
)
def test_broken_tables(table, words):
    with pytest.raises(DataError, match=words):
        found(table)


def test_every_problem_at_once():
    table = broken("day", -1.0).assign(left=[2] * 40)
    with pytest.raises(DataError, match=r"2 problems(.|\n)*below 0"):
        found(table)


def test_a_unit_twice():
    with pytest.raises(DataError, match="a unit has several rows"):
        found(pd.concat([TABLE, TABLE.iloc[:2]]), unit="id")


def test_nothing_is_known():
    with pytest.raises(FitError, match="after 9, before the horizon 20: take a horizon of at most"):
        found(TABLE.assign(left=0), horizon=20)
    with pytest.raises(FitError, match="no unit of arms 'A', 'B' has the event by 8"):
        found(TABLE.assign(left=0))


@pytest.mark.parametrize("horizon", [0, -1, np.nan, np.inf, "12W", True, None])
def test_horizons(horizon):
    with pytest.raises(OptionError, match="horizon"):
        found(TABLE, horizon=horizon)


def test_choices():
    with pytest.raises(OptionError, match="plays two parts"):
        found(TABLE, event="day")
    with pytest.raises(OptionError, match="level"):
        found(TABLE, level=95)
    with pytest.raises(OptionError, match="multiplicity"):
        found(TABLE, multiplicity="none at all")
    with pytest.raises(OptionError, match="other columns"):
        one = survival_counts(TABLE, arm="arm", time="day", event="left")
        one.merged(survival_counts(TABLE, arm="arm", time="id", event="left"))


def test_an_arm_that_nobody_leaves():
    """A sentence instead of an endless ratio, and no interval of no width."""
    table = TABLE.assign(left=TABLE["left"].where(TABLE["arm"] == "A", 0))
    result = found(table)
    assert result.table.set_index("quantity").loc["hazard ratio", "estimate"] is None or np.isnan(
        result.table.set_index("quantity").loc["hazard ratio", "estimate"]
    )
    assert any("has no bound" in note for note in result.notes)
    assert "nan" not in repr(result).lower()


def test_all_leave_at_once():
    result = found(TABLE.assign(day=8.0, left=1))
    assert result.table["std_error"].isna().sum() >= 2
    assert "nan" not in repr(result).lower()


def test_engines_agree(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    whole = found(TABLE).table
    for other in (tmp_path / "t.csv", tmp_path / "t.parquet", TABLE.assign(left=TABLE["left"] > 0)):
        pd.testing.assert_frame_equal(found(other).table, whole)
