"""The door of roll-outs: every problem with its count and first row, and refusals in words."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.difference_in_differences import group_time_effects
from cxmodels.experiments.imputation_effects import imputation_effects

KEYS = {"unit": "shop", "period": "month", "first_treated": "opened"}
DOORS = [group_time_effects, imputation_effects]
RNG = np.random.default_rng(1)
ROWS = pd.DataFrame(
    {
        "shop": np.repeat(np.arange(12), 4), "month": np.tile([1, 2, 3, 4], 12),
        "sales": RNG.standard_normal(48).round(3),
        "opened": np.repeat([2.0] * 4 + [3.0] * 3 + [np.nan] * 5, 4),
        "district": np.repeat(np.arange(12) // 2, 4), "x": np.repeat(RNG.standard_normal(12), 4),
    }
)  # fmt: skip
SWITCH = ROWS.assign(on=(ROWS["month"] >= ROWS["opened"]).astype(int)).drop(columns="opened")
ON = {"unit": "shop", "period": "month", "treated": "on"}


@pytest.mark.parametrize("door", DOORS)
def test_every_problem_at_once(door):
    wrong = ROWS.astype(object)
    wrong.loc[3, "sales"] = "many"
    wrong.loc[7, "sales"] = np.inf
    wrong.loc[9, "month"] = 1
    wrong.loc[21, "opened"] = 4.0
    wrong.loc[30, "district"] = 99
    with pytest.raises(DataError) as caught:
        door(wrong, "sales", cluster="district", **KEYS)
    said = str(caught.value)
    for words in (
        "roll-out cannot be used, 5 problems", "sales is no number (1 row); first: row 4: shop=0",
        "sales is infinite (1 row)", "a shop has two rows in one month (1 row); first: row 10",
        "opened changes within a shop (1 row); first: row 22", "Treatment begins once",
        "district changes within a shop (1 row)",
    ):  # fmt: skip
        assert words in said


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"month": ROWS["month"] + 0.5}, "month is no whole number (48 rows)"),
        ({"month": "soon"}, "month is no whole number (48 rows)"),
        ({"month": pd.Timestamp("2026-01-01")}, "month is no whole number (48 rows)"),
        ({"opened": pd.Timestamp("2026-01-01")}, "opened is no whole number (48 rows)"),
        ({"shop": np.nan}, "shop is missing (48 rows)"),
        ({"opened": ROWS["opened"] + 0.5}, "opened is no whole number (28 rows)"),
        ({"opened": "soon"}, "opened is no whole number (48 rows)"),
        ({"opened": ROWS["opened"].fillna(0.0) + 0, "month": ROWS["month"] + 1},
         "opened is 0, which is no period here (20 rows)"),
        ({"sales": np.nan}, "no row has a known sales"),
        ({"district": np.nan}, "district is missing (48 rows)"),
    ],
)  # fmt: skip
def test_problems_one_by_one(door, change, words):
    with pytest.raises(DataError) as caught:
        door(ROWS.assign(**change), "sales", cluster="district", **KEYS)
    assert words in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_treatment_that_turns_off(door):
    off = SWITCH.copy()
    off.loc[3, "on"] = 0
    with pytest.raises(DataError, match=r"on turns off again \(1 row\); first: row 4: shop=0"):
        door(off, "sales", **ON)
    with pytest.raises(DataError, match=r"on is neither 0 nor 1 \(2 rows\)"):
        door(SWITCH.assign(on=[2, None, *SWITCH["on"][2:]]), "sales", **ON)
    shuffled = off.sample(frac=1.0, random_state=1)
    with pytest.raises(DataError, match=r"on turns off again \(1 row\)"):
        door(shuffled, "sales", **ON)


@pytest.mark.parametrize("door", DOORS)
def test_columns_and_choices(door):
    with pytest.raises(OptionError, match=r"no column 'gain'. Columns: shop, month"):
        door(ROWS, "gain", **KEYS)
    with pytest.raises(OptionError, match="no column 'size'"):
        door(ROWS, "sales", covariates=["size"], **KEYS)
    double = pd.concat([ROWS, ROWS[["sales"]]], axis=1)
    with pytest.raises(OptionError, match="several columns are called 'sales'"):
        door(double, "sales", **KEYS)
    with pytest.raises(OptionError, match="one of first_treated"):
        door(ROWS, "sales", unit="shop", period="month")
    with pytest.raises(OptionError, match="one of first_treated"):
        door(ROWS, "sales", treated="x", **KEYS)
    with pytest.raises(OptionError, match="anticipation -1 is not a whole number"):
        door(ROWS, "sales", anticipation=-1, **KEYS)
    with pytest.raises(OptionError, match="level is the width"):
        door(ROWS, "sales", level=95, **KEYS)
    with pytest.raises(OptionError, match="kind 'weekly' is not one of simple"):
        door(ROWS, "sales", **KEYS).aggregate("weekly")
    with pytest.raises(OptionError, match="cannot be read"):
        door(ROWS, "sales", covariates="~ x +", **KEYS)
    for name, value in (("control", "all"), ("method", "ols"), ("base", "last")):
        with pytest.raises(OptionError, match=f"{name} '{value}' is not one of"):
            group_time_effects(ROWS, "sales", **{name: value}, **KEYS)
    with pytest.raises(OptionError, match="draws 10 is not"):
        group_time_effects(ROWS, "sales", **KEYS).bands(draws=10)


@pytest.mark.parametrize("door", DOORS)
def test_units_treated_from_the_start_are_set_aside_and_counted(door):
    early = ROWS.assign(opened=ROWS["opened"].where(ROWS["shop"] > 1, 1.0))
    found = door(early, "sales", **KEYS)
    row = found.account.set_index("item").loc["treated from the first period on"]
    assert (row["units"], row["rows"]) == (2, 8)
    assert "treated from the first period on: 2 units, 8 rows set aside." in found.notes
    without = door(early[early["shop"] > 1], "sales", **KEYS)
    pd.testing.assert_frame_equal(found.table, without.table)
    with pytest.raises(FitError, match="no unit is treated after the first period"):
        door(ROWS.assign(opened=1.0), "sales", **KEYS)


def test_no_controls():
    all_in = ROWS[ROWS["opened"].notna()]
    with pytest.raises(FitError, match="no controls: every unit is treated in the end"):
        group_time_effects(all_in, "sales", **KEYS)
    found = group_time_effects(all_in, "sales", control="not yet treated", **KEYS)
    assert found.table[["group", "period"]].to_numpy().tolist() == [[2, 2], [3, 2]][:1]
    assert set(found.refused["reason"]) == {"no controls"} and len(found.refused) == 5
    at_once = all_in.assign(opened=3.0)
    with pytest.raises(FitError, match="no effect can be estimated: no controls"):
        group_time_effects(at_once, "sales", control="not yet treated", **KEYS)
    with pytest.raises(FitError, match="no effect can be estimated"):
        imputation_effects(at_once, "sales", **KEYS)
    with pytest.raises(FitError, match="one period only"):
        group_time_effects(ROWS[ROWS["month"] == 2], "sales", **KEYS)
    with pytest.raises(FitError, match="no unit is treated"):
        group_time_effects(ROWS.assign(opened=np.nan), "sales", **KEYS)


def test_groups_of_one_and_of_few():
    one = ROWS[~ROWS["shop"].isin([5, 6])]
    found = group_time_effects(one, "sales", **KEYS)
    assert found.table["group"].unique().tolist() == [2]
    assert found.refused["reason"].unique().tolist() == ["1 treated unit"]
    assert any("1 treated unit (3)" in note for note in found.notes)
    assert any("below 5, errors are too small" in note for note in found.notes)
    assert imputation_effects(one, "sales", **KEYS).aggregate("group")["group"].tolist() == [2]


def test_covariates_that_cannot_serve():
    repeated = ROWS.assign(z=2.0 * ROWS["x"])
    with pytest.raises(FitError, match="follows from the other columns"):
        group_time_effects(repeated, "sales", covariates=["x", "z"], method="reg", **KEYS)
    apart = ROWS.assign(x=ROWS["x"] + 50.0 * ROWS["opened"].notna())
    with pytest.raises(FitError, match="no finite estimate"):
        group_time_effects(apart, "sales", covariates=["x"], method="ipw", **KEYS)
    with pytest.raises(DataError, match="a covariate is not finite, as the log of 0"):
        group_time_effects(ROWS.assign(x=0.0), "sales", covariates="~ log(x)", **KEYS)
    big = pd.concat([ROWS.assign(shop=ROWS["shop"] + 100 * k) for k in range(6)])
    big["x"] = np.repeat(np.random.default_rng(2).standard_normal(72), 4)
    holes = big.assign(x=big["x"].where(big["month"] > 1))  # not known in the base of group 2
    found = group_time_effects(holes, "sales", covariates=["x"], **KEYS)
    assert set(found.refused["reason"]) == {"no controls"} and 2 not in set(found.table["group"])


def test_one_cluster():
    with pytest.raises(FitError, match="two clusters or more"):
        group_time_effects(ROWS.assign(district=1), "sales", cluster="district", **KEYS)
    found = group_time_effects(ROWS, "sales", cluster="district", **KEYS)
    assert "Only 6 clusters: errors and bands are rough." in found.notes
