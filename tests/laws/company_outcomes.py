"""What a simulated company's customers did in each quarter, beside their true satisfaction, and the
effect that an ordinary regression finds in it: nothing of the package's own enters but the tables.
"""

import numpy as np
import pandas as pd
import statsmodels.api as sm

from cxmodels.data.simulate import Company


def quarters_of(company: Company) -> pd.DataFrame:
    """A row of each active customer and quarter: outcomes, days until the end, points, controls."""
    table = company.satisfaction.drop(columns="simulated")
    people = company.customers.merge(company.subscriptions[["customer_id", "end"]])
    people = people.drop(columns="simulated")
    table = table.merge(people, on="customer_id")
    closes = table["date"] + pd.offsets.QuarterEnd()
    table["leaves"] = (table["end"] <= closes).astype(float)
    table["days"] = (table["end"].where(table["leaves"] > 0, closes) - table["date"]).dt.days
    table["tenure"] = (table["date"] - table["joined"]).dt.days / 365.25
    table["plus"] = (table["segment"] == "plus").astype(float)
    lines = company.transactions
    lines = lines[
        lines["date"] > lines["customer_id"].map(table.groupby("customer_id")["date"].min())
    ]
    counted = {
        "orders": lines.drop_duplicates("order_id"),
        "lines": lines,
        "cases": company.cases,
        "referrals": company.referrals,
        "campaigns": company.campaigns,
    }
    keys = ["customer_id", "date"]
    for name, events in counted.items():
        begins = events["date"].dt.to_period("Q").dt.start_time.astype(table["date"].dtype)
        found = events.assign(date=begins).groupby(keys).size().rename(name).reset_index()
        table = table.merge(found, on=keys, how="left")
    begins = lines["date"].dt.to_period("Q").dt.start_time.astype(table["date"].dtype)
    amount = lines.assign(date=begins).groupby(keys)["amount"].sum().reset_index()
    table = table.merge(amount, on=keys, how="left")
    names = [*counted, "amount"]
    table[names] = table[names].fillna(0.0)
    return table


def effect(
    table: pd.DataFrame, outcome: str, *, exposure: str | None = None, logit: bool = False
) -> tuple[float, float]:
    """Coefficient of points with its error, clustered by customer, all confounders as controls."""
    given = table if exposure is None else table[table[exposure] > 0]
    x = sm.add_constant(given[["points", "tenure", "plus", "campaigns"]])
    season = pd.get_dummies(given["date"].dt.quarter, drop_first=True, prefix="q", dtype=float)
    x = x.join(season)
    family = sm.families.Binomial() if logit else sm.families.Poisson()
    offset = None if exposure is None else np.log(given[exposure])
    model = sm.GLM(given[outcome], x, family=family, offset=offset)
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": given["customer_id"]})
    return float(fit.params["points"]), float(fit.bse["points"])


def effects(company: Company) -> dict[str, tuple[float, float]]:
    """Each set effect, as the tables show it."""
    table = quarters_of(company)
    table["further"] = table["lines"] - table["orders"]
    return {
        "leaving": effect(table, "leaves", logit=True),
        "orders": effect(table, "orders", exposure="days"),
        "order_value": effect(table, "amount", exposure="lines"),
        "breadth": effect(table, "further", exposure="orders"),
        "referrals": effect(table, "referrals", exposure="days"),
        "cases": effect(table, "cases", exposure="days"),
        "acquisition_cost": acquisition(company),
    }


def acquisition(company: Company) -> tuple[float, float]:
    """Of the mean true points of a channel, a quarter before, on the log of cost."""
    points = company.satisfaction.merge(company.customers[["customer_id", "channel"]])
    mean = points.groupby(["channel", "date"])["points"].mean().reset_index()
    new = company.customers.dropna(subset="acquisition_cost")
    begins = (new["joined"].dt.to_period("Q") - 1).dt.start_time.astype(mean["date"].dtype)
    joined = new.assign(date=begins).merge(mean, on=["channel", "date"])
    x = sm.add_constant(joined[["points"]])
    x = x.join(pd.get_dummies(joined["channel"], drop_first=True, dtype=float))
    family = sm.families.Gamma(sm.families.links.Log())
    fit = sm.GLM(joined["acquisition_cost"], x, family=family).fit(cov_type="HC0")
    return float(fit.params["points"]), float(fit.bse["points"])
