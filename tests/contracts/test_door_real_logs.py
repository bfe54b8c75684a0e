"""Real logs with real dirt; skipped where the files are not at hand."""

import os
from pathlib import Path

import pandas as pd
import pytest

from cxmodels.data.transactions import customer_base

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
RETAIL = DATA / "online_retail" / "online_retail_invoices_CC0.csv.gz"
MASTER = DATA / "cdnow" / "CDNOW_master.txt.gz"


@pytest.mark.skipif(not MASTER.is_file(), reason="the CDNOW master file is not at hand")
def test_the_cdnow_master() -> None:
    """Counts of the file: 69,659 rows, 23,570 customers, 80 zero amounts, 255 duplicates."""
    log = pd.read_csv(
        MASTER, sep=r"\s+", header=0, names=["customer_id", "date", "discs", "amount"]
    )
    asked = {"customer": "customer_id", "time": "date", "amount": "amount", "time_format": "%Y%m%d"}
    base = customer_base(log, end="1997-09-30", holdout_end="1998-06-30", **asked)
    account = base.reconciliation.set_index("item")
    assert account.loc["log", ["rows", "customers"]].tolist() == [69659, 23570]
    assert base.customers == 23570
    occasions = base.table["frequency"].sum() + base.table["holdout_frequency"].sum() + 23570
    assert 69659 - occasions == 2068  # rows of a customer on a day that he has already bought on
    assert any(note.startswith("80 occasions of amount zero") for note in base.notes)
    assert any(note.startswith("255 exact duplicates") for note in base.notes)
    dropped = customer_base(log, duplicates="drop", **asked).reconciliation.set_index("item")
    assert dropped.loc["set aside: exact duplicates", "rows"] == 255


@pytest.mark.skipif(not RETAIL.is_file(), reason="the Online Retail file is not at hand")
@pytest.mark.parametrize("order", [None, "InvoiceNo"])
def test_online_retail(order: str | None) -> None:
    """Cancellations carry invoice numbers of their own: they are netted within the day."""
    log = pd.read_csv(RETAIL)
    base = customer_base(
        RETAIL,
        customer="CustomerID",
        time="date",
        amount="value",
        order=order,
        covariates=["country"],
        end="2011-08-31",
        holdout_end="2011-12-09",
    )
    account = base.reconciliation.set_index("item")
    assert account.loc["log", ["rows", "customers"]].tolist() == [22190, 4372]
    assert float(account["amount"].iloc[1:].sum()) == pytest.approx(log["value"].sum(), abs=1e-6)
    assert any("Left truncation is likely" in note for note in base.notes)
    assert any("refunds whose purchase was not found" in note for note in base.notes)
    assert any("'country' changes over time for" in note for note in base.notes)
    days = log.assign(day=log["date"].str[:10]).groupby(["CustomerID", "day"])["value"].sum()
    bought = days[days > 0.001].reset_index()
    early = bought[bought["day"] <= "2011-08-31"].groupby("CustomerID").size() - 1
    found = base.table.set_index("customer_id")["frequency"]
    differing = (found.reindex(early.index) != early).sum()
    assert differing <= 2  # the two occasions of amount zero
