"""A test that is watched refuses what it cannot use, with every problem and the first row."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cxmodels.errors import DataError, OptionError
from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.arm_balance import balance
from cxmodels.experiments.measured_before import measured_before
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.monitor import monitor
from cxmodels.experiments.plan import TestPlan
from cxmodels.experiments.sample_ratio import sample_ratio

PLAN = TestPlan(
    question="Do calls keep customers?", lever="call", cost=2.5, unit="id",
    arms=("as now", "call"), start="2026-03-01", end="2026-03-28", looks=4, value="margin",
    metrics=(Metric("stayed", "proportion", role="retention"), Metric("minutes", margin=1)),
)  # fmt: skip
N = np.arange(400)
SEEN = pd.DataFrame({
    "id": N, "arm": np.where(N % 2, "call", "as now"),
    "day": pd.Timestamp("2026-03-01") + pd.to_timedelta(N // 20, "D"),
    "stayed": (N % 7 > 2).astype(int), "minutes": N % 11, "age": N % 13, "group": "all",
    "drawn": "2026-03-01", "asked": "2026-03-05",
})  # fmt: skip
DATES = {"assigned": "drawn", "measured": "asked"}
BROKEN = {
    "empty": (SEEN.iloc[:0], "the table is empty"),
    "words for days": (SEEN.assign(day="soon"), r"cannot be read as ISO 8601.*\(400 rows\)"),
    "numbers for days": (SEEN.assign(day=5), "holds whole numbers"),
    "no days": (SEEN.assign(day=None), r"'day' is missing \(400 rows\); first: row 1"),
    "another arm": (SEEN.replace({"arm": {"call": "mail"}}), "arm 'mail' is not in the plan"),
    "no arm": (SEEN.assign(arm=SEEN["arm"].mask(N == 3)), r"arm column 'arm' is missing \(1 row"),
    "text": (SEEN.assign(minutes="many"), "text that is not a number"),
    "infinite": (SEEN.assign(minutes=np.inf), "infinite"),
    "twice": (pd.concat([SEEN, SEEN.head(2)]), "a unit has several rows"),
    "too early": (SEEN.assign(day=SEEN["day"] - pd.Timedelta("9D")), "before the test began"),
    "known before": (SEEN.assign(asked="2026-02-28"), r"before assignment \(400 rows\); first"),
    "no such column": (SEEN.drop(columns="minutes"), "'minutes' is not there"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_monitor_refuses(case):
    seen, said = BROKEN[case]
    with pytest.raises(DataError, match=f"(?s){said}"):
        monitor(seen, plan=PLAN, day="day", **DATES)


def test_all_problems_are_told_together():
    seen = SEEN.assign(minutes="many", asked="2026-02-01")
    seen.loc[5, "day"] = pd.NaT
    with pytest.raises(DataError) as caught:
        monitor(seen, plan=PLAN, day="day", **DATES)
    assert len(caught.value.problems) == 3


def test_what_is_too_little_yet_is_no_error():
    found = monitor(SEEN.head(3), plan=PLAN, day="day", covariates="age")
    assert not len(found.looks) and not found.stop and "nothing can be compared" in repr(found)
    assert repr(found).startswith("No look is over\n") and "Empty" not in repr(found)
    assert "<table" not in found._repr_html_()
    one = monitor(SEEN[SEEN["arm"] == "call"], plan=PLAN, day="day")
    assert one.sample_ratio.mismatch == ("assignment",)
    assert one.face().notes[0] == one.sample_ratio.sentence  # which all else rests on
    alike = monitor(SEEN.assign(stayed=1), plan=PLAN, day="day")
    assert set(alike.looks["metric"]) == {"minutes"}
    assert any(note.startswith("stayed of call cannot be compared yet: ") for note in alike.notes)
    assert "not everything planned can be compared" in alike.sentence
    blind = SEEN.assign(stayed=SEEN["stayed"].where(SEEN["arm"] != "call"))
    assert any(
        "stayed of call cannot" in note for note in monitor(blind, plan=PLAN, day="day").notes
    )
    alone = monitor(SEEN[SEEN["arm"] == "as now"], plan=PLAN, day="day")
    assert any("No unit is in arm 'call' yet" in note for note in alone.notes)
    few = SEEN[(SEEN["arm"] == "as now") | (N % 9 == 0)]
    assert "believe no effect before it is known why" in monitor(few, plan=PLAN, day="day").sentence
    daily = monitor(SEEN, plan=PLAN, day="day", looks="always").looks
    assert daily.loc[daily["n"] < 50, "lower"].isna().all() and daily["lower"].notna().any()


@pytest.mark.parametrize("how, said", [
    ({"day": None}, "day= names"), ({"plan": None}, "TestPlan|name control"),
    ({"looks": "often"}, "'planned' or 'always'"), ({"boundary": "pocock"}, "boundary is"),
    ({"assigned": "drawn"}, "go together"),
])  # fmt: skip
def test_wrong_arguments(how, said):
    with pytest.raises(OptionError, match=said):
        monitor(SEEN, **({"plan": PLAN, "day": "day"} | how))
    with pytest.raises(OptionError) as caught:
        monitor(SEEN, plan=PLAN, day="day", looks="daily")
    assert "boundary" not in str(caught.value)
    with pytest.raises(OptionError, match="mapping of day to moments"):
        monitor({"2026-03-01": monitor(SEEN, plan=PLAN, day="day"), "x": _moments()}, plan=PLAN)


def _moments():
    from cxmodels.experiments.moments import moments

    return moments(SEEN, arm="arm", metrics=PLAN.metrics)


def test_every_engine_gives_the_same(tmp_path):
    path = tmp_path / "seen.csv"
    SEEN.to_csv(path, index=False)
    whole = monitor(SEEN, plan=PLAN, day="day", covariates="age", **DATES)
    for other in (pl.from_pandas(SEEN), str(path)):
        found = monitor(other, plan=PLAN, day="day", covariates="age", **DATES)
        pd.testing.assert_frame_equal(found.looks, whole.looks)
        assert found.balance.statistic == pytest.approx(whole.balance.statistic)


@pytest.mark.parametrize("seen, said", [
    (SEEN.iloc[:0], "the table is empty"), (SEEN.assign(arm="call"), "there is one arm"),
    (SEEN.assign(age=1), "age.*is the same for every unit"),
    (SEEN.assign(age="old"), "text that is not a number"),
    (SEEN.drop(columns="age"), "'age' is not there"),
])  # fmt: skip
def test_balance_refuses(seen, said):
    with pytest.raises(DataError, match=said):
        balance(seen, covariates="age", control="call")


def test_sizes_refuse():
    with pytest.raises(DataError, match="'C' was not drawn"):
        sample_ratio({"A": 5, "C": 5}, shares={"A": 1, "B": 1})
    with pytest.raises(DataError, match="there is one arm"):
        sample_ratio(SEEN.assign(arm="A"))
    with pytest.raises(DataError, match="no unit"):
        sample_ratio({"A": 0, "B": 0})
    with pytest.raises(DataError, match=r"400 segments|'id' has"):
        sample_ratio(pd.concat([SEEN, SEEN.assign(id=N + 400)]), by="id")
    with pytest.raises(DataError, match="not there"):
        sample_ratio(SEEN, by="device")
    for wrong in ({"A": 5.5, "B": 5}, {"A": -1, "B": 5}, {"A": float("nan"), "B": 2}, {"A": 5}):
        with pytest.raises(OptionError, match="whole numbers"):
            sample_ratio(wrong)
    for shares in ({"A": 0, "B": 1}, {"A": "x", "B": 1}, [1, 1]):
        with pytest.raises(OptionError, match="shares"):
            sample_ratio({"A": 5, "B": 6}, shares=shares)


def test_dates_of_outcomes():
    assert measured_before(SEEN, "drawn", "asked") == ()
    same = SEEN.assign(drawn="2026-03-05 14:00:00")  # a day may be later
    assert measured_before(same, "drawn", "asked") == ()
    timed = same.assign(asked="2026-03-05 13:59:00")
    (found,) = measured_before(timed, "drawn", "asked", unit="id")
    assert found.rows == 400 and "id=0" in found.first
    assert measured_before(SEEN.assign(asked=None), "drawn", "asked") == ()
    (lost,) = measured_before(SEEN.assign(drawn=None), "drawn", "asked")
    assert "assigned column 'drawn' is missing" in lost.what
    for soon in measured_before(SEEN.assign(drawn="soon"), "drawn", "asked"):
        assert soon.remedy == "Write days as 2026-03-01"
    (absent,) = measured_before(SEEN, "drawn", "when")
    assert "'when' is not there" in absent.what


def test_an_outcome_before_its_assignment_is_refused_in_the_analysis_too():
    dates = pd.DataFrame({
        "id": range(40), "arm": ["A", "B"] * 20, "spend": [float(n % 7) for n in range(40)],
        "drawn": "2026-03-02", "seen": ["2026-03-01"] * 3 + ["2026-03-09"] * 37,
    })  # fmt: skip
    how = {"arm": "arm", "control": "A", "metrics": "spend", "unit": "id"}
    with pytest.raises(DataError, match=r"measured before assignment \(3 rows\); first: row 1"):
        analyse(dates, **how, assigned="drawn", measured="seen")
    whole = analyse(dates.iloc[3:], **how, assigned="drawn", measured="seen")
    assert whole.table["n"].tolist() == [19]
    with pytest.raises(OptionError, match="go together"):
        analyse(dates, **how, assigned="drawn")


def test_a_hold_out_that_is_not_in_the_rows_is_no_mismatch():
    plan = PLAN.changed(holdout=0.1)
    found = monitor(SEEN, plan=plan, day="day")
    assert found.sample_ratio.mismatch == () and "hold-out" not in found.sample_ratio.sentence
    assert any(note.startswith("No row is of the plan's hold-out") for note in found.notes)
    shown = analyse(SEEN, arm="arm", plan=plan)
    assert shown.sample_ratio == analyse(SEEN, arm="arm", plan=PLAN).sample_ratio
    assert any(note.startswith("No row is of the plan's hold-out") for note in shown.notes)


def test_clusters_in_several_arms_are_not_as_drawn():
    shops = SEEN.assign(shop=N % 40 // 2)  # 20 shops, each in both arms
    found = monitor(shops, plan=PLAN.changed(cluster="shop"), day="day")
    assert "20 of 20 clusters of 'shop' hold units of more than one arm" in repr(found)
    assert found.sample_ratio.mismatch[0] == "assignment"
    whole = sample_ratio(shops.assign(shop=N % 40), cluster="shop")
    assert whole.mismatch == () and "more than one" not in whole.sentence
    from cxmodels.experiments.moments import moments

    day = moments(shops, arm="arm", metrics=PLAN.metrics, cluster="shop")
    kept = monitor({"2026-03-05": day}, plan=PLAN.changed(cluster="shop"))
    assert "20 of 20 clusters" in kept.sample_ratio.sentence


def test_one_cell_of_stratum_and_arm_is_one():
    seen = SEEN.assign(group=np.where(N == 3, "b", "a"))
    seen.loc[[0, 2], "group"] = "b"
    with pytest.raises(DataError, match="1 cell of stratum and arm has fewer than 2 units") as told:
        analyse(seen, arm="arm", control="as now", metrics="minutes", strata="group")
    assert "arm 'call': 1 unit." in str(told.value)
