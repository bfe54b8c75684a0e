"""A test in the simulated company: half of those who are there are given a lever with a set effect.

The lever starts on START; the company is watched from two years before until two years after END,
the last day of the test.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.experiments.assignment import assign

START, END, SINCE = "2022-01-01", "2022-12-31", "2023-06-30"
ARMS = ("as now", "call")
RATE, MARGIN = 0.10, 0.30


@dataclass(frozen=True)
class Trial:
    """SIMULATED: the company, and the arm of each unit."""

    company: simulate.Company
    arms: pd.DataFrame

    def base(self, holdout_end: str | None = None) -> cx.CustomerBase:
        """As it stood on the last day of the test."""
        return cx.customer_base(
            self.company.transactions.drop(columns="simulated"), customer="customer_id",
            time="date", amount="amount", order="order_id", unit="week", currency="USD", end=END,
            holdout_end=holdout_end,
        )  # fmt: skip

    def answered(self, score: str = "points") -> pd.DataFrame:
        """A row a unit: arm, score on the first day of the test, margin and leaving in its first
        quarter, tenure and segment. score: "points" (the true ones) or a question."""
        made = self.company
        found = made.satisfaction.loc[made.satisfaction["date"] == START, ["customer_id", "points"]]
        if score != "points":
            asked = made.surveys.loc[made.surveys["date"] == START, ["customer_id", score]]
            found = found.merge(asked.dropna(), on="customer_id")
        found = found.merge(self.arms[["customer_id", "arm"]], on="customer_id")
        lines, closes = made.transactions, pd.Timestamp("2022-03-31")
        lines = lines[lines["date"].between(START, closes)]
        paid = lines.groupby("customer_id")["amount"].sum()
        found["money"] = MARGIN * found["customer_id"].map(paid).fillna(0.0)
        orders = lines.groupby("customer_id")["order_id"].nunique()
        found["orders"] = found["customer_id"].map(orders).fillna(0.0)
        people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
        found = found.merge(people[["customer_id", "segment", "joined", "end"]], on="customer_id")
        found["leaves"] = (found["end"] <= closes).astype(float)
        found["plus"] = (found["segment"] == "plus").astype(float)
        found["tenure"] = (pd.Timestamp(START) - found["joined"]).dt.days / 365.25
        return found

    def margin_after(self, day: str, until: str) -> pd.Series:
        """What each unit really brought after a day up to another, discounted to END."""
        lines = self.company.transactions
        lines = lines[(lines["date"] > day) & (lines["date"] <= until)]
        years = (lines["date"] - pd.Timestamp(END)).dt.days / 365.25
        paid = (lines["amount"] * (1 + RATE) ** -years).groupby(lines["customer_id"]).sum()
        return MARGIN * self.arms["customer_id"].map(paid).fillna(0.0)


@cache
def trial(
    n: int,
    seed: int,
    truth: simulate.Truth | None = None,
    *,
    quarters: int = 20,
    start: str = "2020-01-01",
    until: str | None = None,
    **effects: float,
) -> Trial:
    """A trial in a company of n customers; until: last day of the lever, which else never ends."""
    as_is = simulate.company(n, seed=seed, truth=truth, quarters=quarters, start=start)
    there = as_is.subscriptions
    there = there[(there["start"] < START) & ~(there["end"] < START)]["customer_id"]
    arms = assign(there.tolist(), arms=list(ARMS), salt=f"lever {seed}").table
    given = arms.loc[arms["arm"] == "call", "customer_id"]
    lever = simulate.Lever(customers=given, start=START, end=until, **effects)
    made = simulate.company(n, seed=seed, truth=truth, quarters=quarters, start=start, lever=lever)
    return Trial(made, arms)


def effect(table: pd.DataFrame, column: str) -> tuple[float, float]:
    """Difference of arm means and its error."""
    by_arm = table.groupby("arm")[column]
    mean, error = by_arm.mean(), by_arm.sem()
    return float(mean["call"] - mean["as now"]), float(np.hypot(error["call"], error["as now"]))
