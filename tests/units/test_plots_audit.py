"""Pictures of an audit say what their tables say: titles, units, parts, and every number."""

import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg
from tests.units.test_plots import axis_titles

LABELS = Labels(unit="quarter", level=0.8, customers=219, currency="EUR")


def matrix() -> pd.DataFrame:
    """Three cohorts; the last quarter is observed in part, one cohort is empty."""
    rows = [
        ("2024-Q1", "2024-Q1", 0, 40, 40, 52, "1040.50", True),
        ("2024-Q1", "2024-Q2", 1, 40, 18, 21, "420.25", True),
        ("2024-Q1", "2024-Q3", 2, 40, 9, 9, "180.75", False),
        ("2024-Q2", "2024-Q2", 0, 30, 30, 36, "739.75", True),
        ("2024-Q2", "2024-Q3", 1, 30, 12, 13, "251.00", False),
        ("2024-Q3", "2024-Q3", 0, 0, 0, 0, "0", False),
    ]
    columns = ["cohort", "period", "age", "customers", "active_customers", "orders", "revenue"]
    table = pd.DataFrame(rows, columns=[*columns, "complete"])
    return table.assign(revenue=[Decimal(text) for text in table["revenue"]])


def flow() -> pd.DataFrame:
    rows = [
        ("left", 22, 420.5, 0.0, -420.5),
        ("stayed, spent less", 8, 310.0, 190.25, -119.75),
        ("stayed, spent the same", 0, 0.0, 0.0, 0.0),
        ("stayed, spent more", 10, 310.0, 650.5, 340.5),
        ("new", 30, 0.0, 319.25, 319.25),
        ("all", 70, 1040.5, 1160.0, 119.5),
    ]
    columns = ["group", "customers", "revenue_before", "revenue_after", "change"]
    return pd.DataFrame(rows, columns=columns)


def deciles() -> pd.DataFrame:
    share = pd.Series([0.41, 0.2, 0.12, 0.08, 0.06, 0.05, 0.03, 0.025, 0.015, 0.01])
    return pd.DataFrame(
        {
            "decile": range(1, 11),
            "customers": 7,
            "revenue": share * 1160,
            "share": share,
            "lower": share * 0.9,
            "upper": share * 1.1,
        }
    )


def curve(**more: Any) -> pd.DataFrame:
    days = [5, 21, 60, 118]
    share = [0.05, 0.18, 0.31, 0.42]
    table = pd.DataFrame({"days": days, "share": share})
    return table.assign(lower=table["share"] - 0.03, upper=table["share"] + 0.04, **more)


def drawn() -> dict[str, Any]:
    both = pd.concat([curve(cohort="2024-Q1"), curve(cohort="2024-Q2")])
    return {
        "revenue": plots.cohort_chart(matrix(), LABELS),
        "orders": plots.cohort_chart(matrix().drop(columns="complete"), LABELS, value="orders"),
        "active": plots.cohort_heatmap(matrix(), LABELS),
        "spent": plots.cohort_heatmap(matrix(), LABELS, value="revenue_per_acquired"),
        "flow": plots.two_period_flow(flow(), LABELS),
        "deciles": plots.decile_bars(deciles(), LABELS),
        "second": plots.second_purchase_curve(curve(), LABELS),
        "seconds": plots.second_purchase_curve(both, LABELS),
    }


SPECS = {name: chart.to_dict() for name, chart in drawn().items()}
TEXTS = {
    "revenue": (
        "Revenue by cohort: 63.8% of 2024-Q2 is from customers acquired in it",
        "cohorts by quarter of the first purchase, the oldest below · pale, observed in part: "
        "2024-Q3 · 219 customers",
        {"Revenue (EUR)", "Quarter of purchase"},
    ),
    "orders": (
        "Orders by cohort: 0.0% of 2024-Q3 is from customers acquired in it",
        "cohorts by quarter of the first purchase, the oldest below · 219 customers",
        {"Orders", "Quarter of purchase"},
    ),
    "active": (
        "Share active by age of the cohort",
        "per customer acquired · * observed in part · 219 customers",
        {"Age of the cohort in quarters", "Cohort"},
    ),
    "spent": (
        "Revenue per customer by age of the cohort",
        "per customer acquired in EUR · * observed in part · 219 customers",
        {"Age of the cohort in quarters", "Cohort"},
    ),
    "flow": (
        "Revenue rose by €119.50, from €1,040 to €1,160",
        "change in EUR by group · customers of the group at the bar · 219 customers",
        {"Change in revenue (EUR)"},
    ),
    "deciles": (
        "The top tenth of customers brings 41.0% (36.9 to 45.1) of the revenue",
        "decile 1: the largest customers · whiskers: 80% interval · 219 customers",
        {"Decile of customers by revenue, largest first", "Share of revenue"},
    ),
    "second": (
        "Customers who have bought a second time: 42.0% (39.0 to 46.0) within 118 days",
        "Kaplan-Meier · shaded band: 80% interval · 219 customers",
        {"Days since the first purchase", "Share that has bought again"},
    ),
    "seconds": (
        "Customers who have bought a second time",
        "Kaplan-Meier · shaded band: 80% interval · 219 customers",
        {"Days since the first purchase", "Share that has bought again"},
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_the_pictures(name: str) -> None:
    title, subtitle, axes = TEXTS[name]
    spec = SPECS[name]
    assert spec["title"]["text"] == title
    assert spec["title"]["subtitle"] == subtitle
    assert set(axis_titles(spec)) == axes
    assert len(spec["description"]) > 40


@pytest.mark.parametrize("name", TEXTS)
def test_every_picture_can_be_drawn(name: str) -> None:
    drawing = svg(Chart.of(drawn()[name]))
    assert drawing.startswith("<svg")
    assert all(title in drawing for title in TEXTS[name][2])


def rows(name: str) -> list[dict[str, Any]]:
    return [row for data in SPECS[name]["datasets"].values() for row in data]


def test_the_bars_are_the_table() -> None:
    cells = {(row["cohort"], row["period"]): row for row in rows("revenue")}
    assert len(cells) == 5  # the empty cohort has no key in the legend
    assert cells["2024-Q1", "2024-Q2"]["revenue"] == 420.25
    assert cells["2024-Q1", "2024-Q3"]["whole"] == "no"


def test_the_cells_are_shares_of_those_acquired() -> None:
    labels = {(row["cohort"], row["age"]): row["label"] for row in rows("active")}
    assert labels == {
        ("2024-Q1", 0): "100%", ("2024-Q1", 1): "45%", ("2024-Q1", 2): "22%*",
        ("2024-Q2", 0): "100%", ("2024-Q2", 1): "40%*",
    }  # fmt: skip
    spent = {(row["cohort"], row["age"]): row["label"] for row in rows("spent")}
    assert spent["2024-Q1", 0] == "26"


def test_groups_without_customers_are_no_bars() -> None:
    groups = {row["group"] for row in rows("flow") if "group" in row}
    assert groups == {"Left", "Stayed, spent less", "Stayed, spent more", "New"}


def test_wrong_tables_and_choices_are_told() -> None:
    with pytest.raises(OptionError, match="missing: change"):
        plots.two_period_flow(flow().drop(columns="change"))
    with pytest.raises(OptionError, match="'profit' is not one of revenue, orders, active"):
        plots.cohort_chart(matrix(), value="profit")
    with pytest.raises(OptionError, match="is not one of active_share, revenue_per_acquired"):
        plots.cohort_heatmap(matrix(), value="orders")


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (plots.cohort_chart, matrix()),
        (plots.cohort_heatmap, matrix()),
        (plots.two_period_flow, flow()),
        (plots.decile_bars, deciles()),
        (plots.second_purchase_curve, curve()),
    ],
)
def test_an_empty_table_says_so_and_a_full_one_is_left_alone(draw, table: pd.DataFrame) -> None:
    assert "No rows to show" in json.dumps(draw(table.iloc[:0]).to_dict())
    before = table.copy()
    draw(table)
    pd.testing.assert_frame_equal(table, before)


def test_a_hostile_currency_stays_text() -> None:
    spec = json.dumps(
        plots.two_period_flow(flow(), Labels(currency="</script>'+alert(1)")).to_dict()
    )
    assert "alert(1)" in spec
    assert "+alert(1)'" not in spec
