"""The five lenses against plain counts, and what they must add up to."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import OptionError
from cxmodels.measures import figures, second_purchase, two_periods
from cxmodels.measures.audit import Audit
from cxmodels.results.shown_tables import written
from tests.contracts.test_cohort_table import ASKED, dirty

BEFORE, AFTER = "2023-Q3", "2023-Q4"


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return dirty(seed=21, n=2500)


@pytest.fixture(scope="module")
def audit(log) -> Audit:
    return cx.audit(log, period="quarter", periods=(BEFORE, AFTER), currency="EUR", **ASKED)


@pytest.fixture(scope="module")
def bought(log) -> pd.DataFrame:
    """Customer, quarter, orders, revenue, first quarter, first and second day; by pandas."""
    rows = log[log["who"].notna()]
    days = rows.groupby(["who", "when"])["paid"].agg(["sum", "min"]).reset_index()
    days = days[(days["sum"] > 1e-9) | ((days["sum"].abs() < 1e-9) & (days["min"] >= 0))]
    days = days.assign(quarter=days["when"].dt.to_period("Q").astype(str))
    days["quarter"] = days["quarter"].str.replace("Q", "-Q")
    first = days.groupby("who")["quarter"].transform("min")
    return days.assign(first=first).rename(columns={"sum": "paid"})


def quarter(bought: pd.DataFrame, name: str) -> pd.DataFrame:
    inside = bought[bought["quarter"] == name]
    return inside.groupby("who").agg(orders=("paid", "size"), revenue=("paid", "sum"))


def value(table: pd.DataFrame, item: str) -> float:
    (found,) = table.loc[table["item"] == item, "value"]
    return float(found)


def test_one_period_is_a_plain_count(audit, bought) -> None:
    known, found = quarter(bought, AFTER), audit.one_period.figures
    assert value(found, "customers") == len(known)
    assert value(found, "orders") == known["orders"].sum()
    assert value(found, "revenue") == pytest.approx(known["revenue"].sum(), rel=1e-12)
    assert value(found, "customers with one order") == pytest.approx((known["orders"] == 1).mean())
    new = bought.groupby("who")["first"].first().reindex(known.index) == AFTER
    assert value(found, "customers acquired in it") == pytest.approx(new.mean())
    medians = audit.one_period.quantiles.query("quantile == 0.5").set_index("item")["value"]
    middle = known["revenue"].sort_values().iloc[int(np.ceil(len(known) / 2)) - 1]
    assert medians["revenue per customer"] == pytest.approx(middle)


def test_revenue_is_the_product_of_its_parts(audit) -> None:
    found = audit.one_period.figures
    parts = [value(found, item) for item in ("customers", "orders per customer", "value per order")]
    assert np.prod(parts) == pytest.approx(value(found, "revenue"), rel=1e-12)


def test_groups_of_one_period_add_up(audit) -> None:
    found = audit.one_period
    for table in (found.orders, found.deciles):
        for item in ("customers", "orders", "revenue"):
            assert table[item].sum() == pytest.approx(value(found.figures, item), rel=1e-12)
    assert found.orders["share"].sum() == pytest.approx(1)
    assert found.deciles["share"].sum() == pytest.approx(1)
    assert (found.deciles["least"].to_numpy()[:-1] >= found.deciles["most"].to_numpy()[1:]).all()
    assert found.deciles["customers"].max() - found.deciles["customers"].min() <= 1


def test_the_flow_is_a_plain_count(audit, bought) -> None:
    before, after = quarter(bought, BEFORE)["revenue"], quarter(bought, AFTER)["revenue"]
    first = bought.groupby("who")["first"].first()
    flow = audit.two_periods.flow.set_index("group")
    stay = before.index.intersection(after.index)
    change = (after[stay] - before[stay]).round(6)
    come = after.index.difference(before.index)
    expected = {
        "left": len(before.index.difference(after.index)),
        "stayed, spent less": int((change < 0).sum()),
        "stayed, spent the same": int((change == 0).sum()),
        "stayed, spent more": int((change > 0).sum()),
        "came back": int((first[come] < BEFORE).sum()),
        "new": int((first[come] > BEFORE).sum()),
    }
    assert flow["customers"].drop("all").to_dict() == expected
    assert flow.loc["all", "customers"] == sum(expected.values())


def test_every_change_adds_up(audit, bought) -> None:
    gap = quarter(bought, AFTER)["revenue"].sum() - quarter(bought, BEFORE)["revenue"].sum()
    lens = audit.two_periods
    parts = lens.flow[lens.flow["group"] != "all"]
    assert parts["change"].sum() == pytest.approx(gap, rel=1e-10)
    drivers = lens.drivers.groupby("group")["change"].sum()
    assert drivers["all customers"] == pytest.approx(gap, rel=1e-10)
    stayed = parts[parts["group"].str.startswith("stayed")]["change"].sum()
    assert drivers["stayed"] == pytest.approx(stayed, rel=1e-10)
    for side, name in (("before", BEFORE), ("after", AFTER)):
        product = lens.drivers[lens.drivers["group"] == "all customers"][side].prod()
        assert product == pytest.approx(value(lens.figures, f"revenue in {name}"), rel=1e-12)
    assert lens.deciles["customers"].sum() == value(lens.figures, f"customers in {BEFORE}")


def test_one_cohort_is_a_plain_count(audit, bought) -> None:
    table = audit.one_cohort.life
    name = table["cohort"].iloc[0]
    members = bought[bought["first"] == name]
    size = members["who"].nunique()
    assert value(audit.one_cohort.figures, "customers acquired") == size
    for row in table.itertuples():
        inside = members[members["quarter"] == row.period]
        assert row.active_customers == inside["who"].nunique()
        assert row.orders == len(inside)
        assert row.revenue_per_acquired == pytest.approx(inside["paid"].sum() / size)
        if row.age:
            assert row.active_share_lower < row.active_share < row.active_share_upper
    assert table["cumulative_per_acquired"].iloc[-1] == pytest.approx(members["paid"].sum() / size)


def test_time_to_the_second_purchase_is_censored_at_the_end(audit, bought, log) -> None:
    """Product over days of the shares that do not come back, customer by customer."""
    members = bought[bought["first"] == audit.one_cohort.life["cohort"].iloc[0]]
    days = members.sort_values("when").groupby("who")["when"].apply(list)
    end = log.loc[log["who"].notna(), "when"].max()
    waits = [((d[1] if len(d) > 1 else end) - d[0]).days for d in days]
    came = [len(d) > 1 for d in days]
    left, expected = 1.0, {}
    for day in sorted({w for w, c in zip(waits, came, strict=True) if c}):
        risk = sum(w >= day for w in waits)
        left *= 1 - sum(w == day and c for w, c in zip(waits, came, strict=True)) / risk
        expected[day] = 1 - left
    curve = audit.one_cohort.second_purchase
    assert curve["days"].tolist() == list(expected)
    np.testing.assert_allclose(curve["share"], list(expected.values()), rtol=1e-12)


def test_two_cohorts_are_compared_at_the_same_age(audit, bought) -> None:
    lens = audit.two_cohorts
    names = lens.life["cohort"].unique()
    quarters = sorted(bought["quarter"].unique())
    found = lens.differences[lens.differences["item"] == "share active"].set_index("age")
    assert 0 not in found.index  # everybody is active when acquired
    for age, row in found.iterrows():
        shares = []
        for name in names:
            members = bought[bought["first"] == name]
            later = members[members["quarter"] == quarters[quarters.index(name) + age]]
            shares.append(later["who"].nunique() / members["who"].nunique())
        assert row["value"] == pytest.approx(shares[1] - shares[0])
        assert row["lower"] < row["value"] < row["upper"]


def test_the_whole_base_ties_to_the_account(audit) -> None:
    lens = audit.whole_base
    account = audit.reconciliation.set_index("item")["amount"]
    due = account["base: first purchases"] + account["base: repeat purchases"]
    assert sum(lens.matrix["revenue"]) == due
    for table in (lens.periods, lens.cohorts):
        assert round(float(table["revenue"].sum()), 4) == float(due)
    assert lens.periods["new_customers"].sum() == lens.cohorts["customers"].sum()
    assert lens.cohorts["customers"].sum() == audit.customers
    assert lens.periods["growth"].isna().tolist()[:2] == [True, True]  # the first is a part


def test_every_row_says_whether_it_is_a_census(audit) -> None:
    for lens in audit.lenses:
        for table in lens.tables().values():
            if "basis" not in table:
                continue
            counted = table["basis"] == figures.CENSUS
            assert table.loc[counted, ["lower", "upper"]].isna().all(axis=None)
            estimates = table[table["basis"].str.startswith("estimate,")]
            inside = (estimates["lower"] <= estimates["value"]) | estimates["lower"].isna()
            assert inside.all()
            assert (table["n"] > 0).all()
            assert table["unit"].str.len().min() > 0


def test_tables_show_themselves(audit) -> None:
    page = audit._repr_html_()
    assert page.count("<h3>Lens") == 5
    text = written(audit.one_period.figures).set_index("item")["value"]
    assert text["customers with one order"].endswith("%")
    assert "." in text["revenue"]
    assert "Lens 5" in repr(audit)


def test_lenses_that_the_log_does_not_allow_are_told() -> None:
    log = pd.DataFrame({"who": [1, 1, 2], "when": "2024-02-05", "paid": [2.5, 4.0, 3.0]})
    log.loc[1, "when"] = "2024-02-09"
    found = cx.audit(log, period="month", **ASKED)
    assert found.two_periods is None
    assert found.two_cohorts is None
    assert any("Only one period has purchases" in note for note in found.notes)
    assert any("the window holds only 2024-02-05 to 2024-02-09" in note for note in found.notes)
    assert len(found.lenses) == 3


def test_an_opening_that_old_customers_crowd_is_no_cohort() -> None:
    rng = np.random.default_rng(3)
    old = pd.DataFrame({"who": rng.integers(1, 900, 6000), "day": rng.integers(0, 700, 6000)})
    new = pd.DataFrame({"who": 1000 + np.arange(400), "day": rng.integers(0, 700, 400)})
    log = pd.concat([old, new])
    log["when"] = pd.Timestamp("2022-01-01") + pd.to_timedelta(log["day"], unit="D")
    found = cx.audit(log.assign(paid=5.5), period="quarter", **ASKED)
    assert found.one_cohort.life["cohort"].iloc[0] == "2022-Q2"
    assert any("Left truncation is likely" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"periods": ("2023-Q3", "2031-Q1")}, "periods are two different ones of .*'2031-Q1'"),
        ({"cohorts": ("2023-Q3", "2023-Q3")}, "cohorts are two different ones"),
        ({"periods": "2023-Q3"}, "periods are two different ones"),
        ({"level": 1.0}, "level 1.0 is not between 0 and 1"),
        ({"period": "day"}, "period 'day' is not one of"),
    ],
)
def test_wrong_choices_are_told(log, change: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        cx.audit(log, **{"period": "quarter", **ASKED, **change})


def test_currency_scales_and_customers_are_relabelled(log, audit) -> None:
    """In another currency money scales and nothing else moves; names and row order do not count."""
    other = log.assign(paid=log["paid"] * 4, who=-log["who"]).sample(frac=1, random_state=1)
    found = cx.audit(other, period="quarter", periods=(BEFORE, AFTER), **ASKED)
    flow, scaled = audit.two_periods.flow, found.two_periods.flow
    assert (flow["customers"] == scaled["customers"]).all()
    np.testing.assert_allclose(scaled["change"], 4 * flow["change"], rtol=1e-9, atol=1e-9)
    mine, theirs = audit.one_period.figures, found.one_period.figures
    factor = np.where(mine["unit"] == "EUR", 4.0, 1.0)
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(theirs[name], factor * mine[name], rtol=1e-9)


def sequential(before, after):
    """The factors change one after the other in one order only: the sum is right, the parts not."""
    (a, b, c), (a_, b_, c_) = before, after
    return np.array([(a_ - a) * b * c, a_ * (b_ - b) * c, a_ * b_ * (c_ - c)])


def without_the_middle(before, after):
    found = []
    for place in range(3):
        (b, c), (b_, c_) = (np.delete(side, place) for side in (before, after))
        found.append((after[place] - before[place]) * (b * c + b_ * c_) / 2)
    return np.array(found)


def at_the_start(before, after):
    rest = [np.delete(before, place).prod() for place in range(3)]
    return (after - before) * np.array(rest)


def fair(split) -> None:
    """The parts add up, whatever order the factors are named in, and equal the mean over orders."""
    from itertools import permutations

    before, after = np.array([3.0, 1.7, 21.0]), np.array([4.4, 1.2, 29.0])
    found = split(before, after)
    assert found.sum() == pytest.approx(after.prod() - before.prod())
    np.testing.assert_allclose(split(before[::-1], after[::-1]), found[::-1])
    total = np.zeros(3)
    for order in permutations(range(3)):
        now = before.copy()
        for place in order:
            was = now.prod()
            now[place] = after[place]
            total[place] += now.prod() - was
    np.testing.assert_allclose(found, total / 6)


def test_the_split_of_a_change_is_fair() -> None:
    fair(two_periods.contributions)


@pytest.mark.parametrize("wrong", [sequential, without_the_middle, at_the_start])
def test_a_wrong_split_is_caught(wrong) -> None:
    with pytest.raises(AssertionError):
        fair(wrong)


def only_those_who_came_back(days, again, level):
    return true_curve(days[again], again[again], level)


def nobody_is_censored(days, again, level):
    return true_curve(np.where(again, days, 1e6), again, level)


def censored_count_as_back(days, again, level):
    return true_curve(days, np.ones_like(again), level)


true_curve = second_purchase.second_purchase


@pytest.mark.parametrize(
    "wrong", [only_those_who_came_back, nobody_is_censored, censored_count_as_back]
)
def test_a_wrong_waiting_curve_is_caught(log, bought, wrong, monkeypatch) -> None:
    monkeypatch.setattr("cxmodels.measures.one_cohort.second_purchase", wrong)
    found = cx.audit(log, period="quarter", **ASKED)
    with pytest.raises(AssertionError):
        test_time_to_the_second_purchase_is_censored_at_the_end(found, bought, log)
