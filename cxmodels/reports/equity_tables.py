"""The tables that a customer equity report is made of, each with its columns."""

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

import pandas as pd

from cxmodels.reports.labels import Labels
from cxmodels.reports.numbers import as_number


@dataclass(frozen=True)
class EquityTables:
    """Every table that the report shows; a table that is None or empty leaves its section out.

    title: the report's title; unit: the base's time unit ("week"); currency: code such as "USD" or
    ""; level: width of all intervals; simulated: the numbers describe no real customers;
    horizon: how far expected purchases look ahead, in words ("next 52 weeks").

    summary: item, value, lower, upper, unit (NaN bounds where there is no interval); items
      "customers", "expected purchases" (unit says over what) and any others, for the headline
    parameters: parameter (column or index), estimate, std_error, lower, upper[, window, meaning]
    reconciliation: item, rows, customers, amount, note
    tracking, frequency, holdout, conditional: as purchases.backtest returns them
    recency_frequency: frequency, recency, p_alive, expected_purchases
    iso_value: frequency, recency, value
    lorenz: customers_share, value_share, lower, upper
    concentration: group, share, lower, upper
    equity: item, estimate, lower, upper, std_dev, variance_share, unit, customers, estimand
    posterior: parameter, value (one row a draw)
    new_customer: one row: lifetime_value, lower, upper[, expected_purchases, ...]
    assumptions: item, value
    notes: remarks in words: parameter status, model statements, warnings of the base
    cautions: the remarks that bear on the equity itself, shown beside it
    top_customers: customer_id and value columns; None unless asked for
    """

    summary: pd.DataFrame | None = None
    parameters: pd.DataFrame | None = None
    reconciliation: pd.DataFrame | None = None
    tracking: pd.DataFrame | None = None
    frequency: pd.DataFrame | None = None
    holdout: pd.DataFrame | None = None
    conditional: pd.DataFrame | None = None
    recency_frequency: pd.DataFrame | None = None
    iso_value: pd.DataFrame | None = None
    lorenz: pd.DataFrame | None = None
    concentration: pd.DataFrame | None = None
    equity: pd.DataFrame | None = None
    posterior: pd.DataFrame | None = None
    new_customer: pd.DataFrame | None = None
    assumptions: pd.DataFrame | None = None
    top_customers: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    title: str = "Customer equity"
    subtitle: str = ""
    currency: str = ""
    unit: str = "week"
    level: float = 0.9
    simulated: bool = False
    horizon: str = ""

    @property
    def labels(self) -> Labels:
        """What stands under every chart."""
        return Labels(
            self.unit, self.level, self.customers, self.currency, self.simulated, self.horizon
        )

    @property
    def customers(self) -> int | None:
        """How many customers stand behind the report, where the summary or the equity says so."""
        row, total = named_row(self.summary, "item", "customers"), self.total
        said = (None if row is None else row.get("value"), _customers_of(total))
        known = [number for number in map(as_number, said) if math.isfinite(number)]
        return int(known[0]) if known else None

    @property
    def total(self) -> "pd.Series[Any] | None":
        """The row of customer equity itself: named so, else the first with an estimate."""
        if not filled(self.equity):
            return None
        known = self.equity[self.equity["estimate"].notna()]
        named = known[known["item"].astype(str).str.contains("equity|total", case=False)]
        rows = named if len(named) else known
        return rows.iloc[0] if len(rows) else None

    @property
    def sources(self) -> pd.DataFrame:
        """The rows of the equity table that split its variance by source."""
        if not filled(self.equity) or "variance_share" not in self.equity.columns:
            return pd.DataFrame(columns=["item", "std_dev", "variance_share"])
        total = self.total
        rows = self.equity[self.equity["variance_share"].notna()]
        return rows if total is None else rows.drop(index=[total.name], errors="ignore")

    @property
    def gini(self) -> tuple[float, float, float] | None:
        """The Gini coefficient with its interval, where the concentration table has it."""
        row = named_row(self.concentration, "group", "gini")
        if row is None:
            return None
        share, lower, upper = (as_number(row.get(name)) for name in ("share", "lower", "upper"))
        return share, lower, upper


def _customers_of(total: "pd.Series[Any] | None") -> object:
    return None if total is None else total.get("customers")


def filled(frame: pd.DataFrame | None) -> TypeGuard[pd.DataFrame]:
    """Whether there is a table and it has rows."""
    return frame is not None and len(frame) > 0


def named_row(frame: pd.DataFrame | None, column: str, name: str) -> "pd.Series[Any] | None":
    """The first row whose text in `column` begins with `name`, whatever its case."""
    if not filled(frame) or column not in frame.columns:
        return None
    rows = frame[frame[column].astype(str).str.lower().str.startswith(name)]
    return rows.iloc[0] if len(rows) else None
