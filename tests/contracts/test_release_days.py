"""Scores meet the accounts that they could explain: by release, filing and trading day."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.returns import Returns
from cxmodels.shareholders import aligned

SCORES = pd.DataFrame(
    [("A", 70, "2022-11-30", "2023-02-20"), ("A", 74, "2023-11-30", "2024-02-20"),
     ("B", 80, "2022-11-30", "2023-02-20"), ("B", 82, "2023-11-30", "2024-02-20")],
    columns=["firm", "score", "fieldwork", "released"],
)  # fmt: skip
BOOKS = pd.DataFrame(
    [("A", "2022-12-31", "2023-02-15", 1.0), ("A", "2023-12-31", "2024-02-24", 2.0),
     ("B", "2023-01-31", None, 3.0), ("B", "2024-01-31", "2024-02-20", 4.0),
     ("C", "2023-12-31", "2024-03-01", 5.0)],
    columns=["firm", "fiscal_end", "filed", "total_assets"],
)  # fmt: skip


def test_by_hand():
    found = aligned(SCORES, BOOKS)
    table = found.table.set_index(["firm", "period"])
    assert pd.isna(table.loc[("A", 2022), "score"])  # filed five days before the release
    row = table.loc[("A", 2023)]
    assert row["score"] == 74 and row["valued"] == pd.Timestamp("2024-02-26")  # a Saturday's Monday
    assert row["score_age"] == 6
    early = table.loc[("B", 2022)]  # a year that ends in January is the year before
    assert early["score"] == 80 and early["valued"] == pd.Timestamp("2023-05-01")  # Sunday + 3M
    assert table.loc[("B", 2023), "score_age"] == 0  # released on the day of filing: known by it
    assert pd.isna(table.loc[("C", 2023), "score"])
    account = found.reconciliation.set_index("item")["rows"]
    assert account["rows of accounts"] == 5 == len(found.table)
    assert account["with a score"] == 3
    assert account["without any score before"] == 2
    panel = cx.firm_panel(found.table)
    assert "released" in panel.table and panel.table["total_assets"].sum() == 15.0


def test_trading_days_and_old_scores():
    days = pd.to_datetime(["2023-03-01", "2024-02-28", "2024-03-05"]).to_numpy()
    returns = Returns(np.zeros((3, 1)), days, ("A",), ())
    found = aligned(SCORES, BOOKS.assign(filed=None), returns=returns, public="2M")
    table = found.table.set_index(["firm", "period"])
    assert table.loc[("A", 2022), "valued"] == pd.Timestamp("2023-03-01")
    assert table.loc[("A", 2022), "score"] == 70
    assert "without a trading day after" in set(found.reconciliation["item"])
    late = BOOKS[BOOKS["firm"] == "A"].assign(filed=["2023-02-15", "2025-09-01"])
    old = aligned(SCORES, late)
    assert old.table["score"].isna().all()
    assert old.reconciliation.set_index("item").loc["whose newest score was too old", "rows"] == 1
    assert aligned(SCORES, late, longest="36M").table["score"].notna().sum() == 1


def test_every_problem_at_once():
    scores = pd.concat([SCORES, SCORES.head(1)]).assign(fieldwork="2024-12-01")
    books = pd.concat([BOOKS, BOOKS.head(1)]).assign(filed="2020-01-01")
    with pytest.raises(cx.DataError) as error:
        aligned(scores, books)
    for said in ("two scores released on one day", "released before its fieldwork",
                 "two rows of one fiscal_end", "filed before their year"):  # fmt: skip
        assert said in str(error.value)
    with pytest.raises(cx.DataError, match="released is missing or no day"):
        aligned(SCORES.assign(released="soon"), BOOKS)
    with pytest.raises(cx.DataError, match="no one column 'released'"):
        aligned(SCORES.drop(columns="released"), BOOKS)
    with pytest.raises(cx.OptionError, match="'score', which is made here"):
        aligned(SCORES, BOOKS.assign(score=1))
