"""The door of firms: every problem with its count and first row, nothing lost, three kinds of q."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.firms import tobins_q

ROWS = pd.DataFrame(
    {
        "firm": ["A", "A", "B", "B"], "period": [2020, 2021, 2020, 2021],
        "score": [70.0, 72.0, 80.0, 81.0], "market_value": [100.0, 110.0, 50.0, 60.0],
        "book_equity": [40.0, 45.0, 30.0, 30.0], "total_assets": [90.0, 95.0, 80.0, 80.0],
        "debt": [50.0, 50.0, 50.0, 50.0], "preferred": [0.0, 0.0, 5.0, 5.0],
        "long_term_debt": [30.0, 30.0, 20.0, 20.0], "current_liabilities": [10.0, 10.0, 25.0, 25.0],
        "current_assets": [20.0, 20.0, 30.0, 30.0],
        "released": ["2020-10-01", "2021-10-01", "2020-10-01", "2021-10-01"],
        "valued": ["2020-12-31", "2021-12-31", "2020-12-31", "2021-12-31"],
    }
)  # fmt: skip


def complaint(table: pd.DataFrame, **more) -> str:
    with pytest.raises(cx.DataError) as caught:
        cx.firm_panel(table, **more)
    return str(caught.value)


def test_q_by_hand():
    panel = cx.firm_panel(ROWS)
    assert tobins_q(panel).tolist()[:3] == [150 / 90, 160 / 95, 100 / 80]
    assert tobins_q(panel, "debt").tolist()[:1] == [150 / 90]
    assert tobins_q(panel, "chung-pruitt").tolist()[2] == (50 + 5 + 20 + 25 - 30) / 80
    missing = ROWS.assign(book_equity=[40.0, np.nan, 30.0, 30.0])
    assert np.isnan(tobins_q(cx.firm_panel(missing))).tolist() == [False, True, False, False]


def test_a_score_released_after_the_value_it_explains():
    late = ROWS.assign(released=["2021-01-01", *ROWS["released"][1:]])
    said = complaint(late)
    assert "released after the value that it is to explain (1 row)" in said
    assert "row 1: firm=A, period=2020" in said


def test_every_problem_at_once():
    wrong = ROWS.copy().astype(object)
    wrong.loc[0, "score"] = 130
    wrong.loc[1, "period"] = 2020
    wrong.loc[2, "market_value"] = -5
    wrong.loc[3, "valued"] = "soon"
    wrong.loc[3, "debt"] = "much"
    said = complaint(wrong)
    for words in (
        "score lies off its scale, 0 to 100 (1 row)", "a firm has two rows in one period (1 row)",
        "market_value is not above 0 (1 row)", "valued is no day (1 row)",
        "debt is no finite number (1 row)",
    ):  # fmt: skip
        assert words in said
    assert said.startswith("firm panel cannot be used, 5 problems")


def test_names_and_columns():
    said = complaint(ROWS.drop(columns="score"))
    assert "there is no one column 'score'" in said and "Columns: firm" in said
    with pytest.raises(cx.OptionError, match="none of firm, period"):
        cx.firm_panel(ROWS, columns={"price": "market_value"})
    with pytest.raises(cx.OptionError, match="lowest to a highest"):
        cx.firm_panel(ROWS, scale=(100, 0))
    other = ROWS.rename(columns={"firm": "ticker", "score": "acsi"})
    panel = cx.firm_panel(other, columns={"firm": "ticker", "score": "acsi"})
    assert panel.table["score"].tolist() == ROWS["score"].tolist()
    kept = cx.firm_panel(ROWS.assign(size=1.0), controls=["size"])
    assert "size" in kept.table


def test_nothing_is_lost_and_order_does_not_matter():
    panel = cx.firm_panel(ROWS.sample(frac=1.0, random_state=3))
    assert panel.table.equals(cx.firm_panel(ROWS).table)
    rows = panel.reconciliation.set_index("item")["rows"]
    assert rows["rows"] == 4 and rows["rows with score"] == 4
    quiet = cx.firm_panel(ROWS.drop(columns=["released", "valued"]))
    assert "nothing says that scores were public" in quiet.notes[0]
    assert "FirmPanel: 4 rows of 2 firms, 2020 to 2021" in repr(panel)
    made = cx.firm_panel(cx.simulate.market(10, 4, seed=1))
    assert "SIMULATED" in repr(made)


def test_parquet_and_arrow(tmp_path):
    ROWS.to_parquet(tmp_path / "firms.parquet")
    assert len(cx.firm_panel(tmp_path / "firms.parquet").table) == 4
