"""Invented tables for the report's tests: plausible in shape, results of nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.reports.equity_tables import EquityTables

PERIODS, HELD = 24, 8


def tracking() -> pd.DataFrame:
    """Weekly and cumulative purchases over a calibration and a hold-out."""
    week = np.arange(1, PERIODS + 1)
    expected = 40 * np.exp(-week / 30)
    actual = np.round(expected + 5 * np.sin(week))
    frame = pd.DataFrame(
        {
            "period": week,
            "period_end": pd.Timestamp("2023-01-01") + pd.to_timedelta(7 * week, unit="D"),
            "part": np.where(week <= PERIODS - HELD, "calibration", "hold-out"),
        }
    )
    for stem, seen, said in (
        ("", actual, expected),
        ("cumulative_", actual.cumsum(), expected.cumsum()),
    ):
        width = 1.6 * np.sqrt(said)
        frame[f"{stem}actual"], frame[f"{stem}expected"] = seen, said
        frame[f"{stem}lower"], frame[f"{stem}upper"] = said - width, said + width
    return frame


def by_frequency() -> pd.DataFrame:
    """Customers by number of repeat purchases."""
    expected = np.array([141.2, 43.9, 20.8, 12.3])
    return pd.DataFrame(
        {
            "frequency": ["0", "1", "2", "3+"],
            "customers": [139, 47, 21, 12],
            "actual": [139.0, 47.0, 21.0, 12.0],
            "expected": expected,
            "lower": expected - 6.5,
            "upper": expected + 6.5,
        }
    )


def grid() -> pd.DataFrame:
    """A map over recency and frequency on which value grows with both."""
    frequency, recency = (part.ravel() for part in np.meshgrid(np.arange(6), np.arange(0, 25, 4)))
    alive = np.where(frequency == 0, 1.0, 1 / (1 + frequency * np.exp(-recency / 8)))
    bought = alive * (frequency + 0.3) / 5
    frame = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency.astype(float),
            "p_alive": alive,
            "expected_purchases": bought,
            "value": bought * 17.5,
        }
    )
    return frame[(frame["frequency"] > 0) | (frame["recency"] == 0)]


def lorenz() -> pd.DataFrame:
    """A curve below the line of equality with a band."""
    share = np.linspace(0, 1, 41)
    value = share**3
    band = 0.1 * share * (1 - share)
    return pd.DataFrame(
        {
            "customers_share": share,
            "value_share": value,
            "lower": np.clip(value - band, 0, 1),
            "upper": value + band,
        }
    )


def equity() -> pd.DataFrame:
    """A total and its variance by source."""
    nan = float("nan")
    rows = [
        ("customer equity", 5234.5, 4701.2, 5812.9, 338.0, 1.0),
        ("parameters", nan, nan, nan, 241.0, 0.508),
        ("behaviour", nan, nan, nan, 237.0, 0.492),
    ]
    columns = ["item", "estimate", "lower", "upper", "std_dev", "variance_share"]
    extra = {"unit": "EUR", "customers": 219, "estimand": "residual value, 36 months"}
    return pd.DataFrame(rows, columns=columns).assign(**extra)


def retention() -> pd.DataFrame:
    """Survival and renewal by age over a calibration of four periods and a hold-out of three."""
    age = np.arange(8)
    rate = np.append(np.nan, 0.7 + 0.03 * age[1:])
    frame = pd.DataFrame({"age": age, "part": np.where(age <= 4, "calibration", "hold-out")})
    survival = np.cumprod(np.append(1.0, rate[1:]))
    for stem, model, width in (("survival", survival, 0.02), ("retention", rate, 0.03)):
        name = "retention_rate" if stem == "retention" else stem
        frame[f"{stem}_actual"], frame[name] = model + 0.004, model
        frame[f"{stem}_lower"], frame[f"{stem}_upper"] = model - width, model + width
    return frame.assign(
        survival_actual_lower=survival - 0.01,
        survival_actual_upper=survival + 0.02,
        survival_naive=0.75**age,
    )


def subscription_cohorts() -> pd.DataFrame:
    """Values of three cohorts, the naive answer a fifth below."""
    worth = np.array([100.0, 200.0, 300.0])
    return pd.DataFrame(
        {
            "cohort": [2021, 2022, 2023],
            "residual_value": worth,
            "lower": worth - 8.5,
            "upper": worth + 9.5,
            "naive_value": 0.8 * worth,
        }
    )


def posterior() -> pd.DataFrame:
    """Draws of two parameters."""
    chance = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "parameter": np.repeat(["r", "alpha"], 300),
            "value": np.exp(chance.normal(0.3, 0.2, 600)),
        }
    )


def tables(**changed: Any) -> EquityTables:
    """A full set of tables, with some of them changed."""
    shares = [("top 1 per cent", 0.121, 0.105, 0.139), ("top 20 per cent", 0.488, 0.45, 0.52)]
    shares.append(("Gini", 0.5, 0.47, 0.53))
    log = [
        ("rows in the log", 619, 219, 24190.5, ""),
        ("exact duplicates", -9, 0, -512.25, "same customer, day and amount"),
        ("in the base", 610, 219, 23678.25, ""),
    ]
    holdout = [
        ("total, actual", 182, np.nan, np.nan, "purchases"),
        ("bias of the total", -0.1215, -0.173, -0.069, "share"),
        ("calibration", 0.00004, np.nan, np.nan, "p-value"),
    ]
    full = EquityTables(
        summary=pd.DataFrame(
            [("expected purchases", 189.2, 170.4, 208.9, "purchases")],
            columns=["item", "value", "lower", "upper", "unit"],
        ),
        parameters=pd.DataFrame(
            {
                "estimate": [1.35, 1.34],
                "std_error": [0.27, np.nan],
                "lower": [0.97, np.nan],
                "upper": [1.87, np.nan],
            },
            index=pd.Index(["r", "alpha"], name="parameter"),
        ),
        reconciliation=pd.DataFrame(log, columns=["item", "rows", "customers", "amount", "note"]),
        tracking=tracking(),
        frequency=by_frequency(),
        holdout=pd.DataFrame(holdout, columns=["metric", "value", "lower", "upper", "unit"]),
        conditional=by_frequency(),
        recency_frequency=grid(),
        iso_value=grid(),
        lorenz=lorenz(),
        concentration=pd.DataFrame(shares, columns=["group", "share", "lower", "upper"]),
        equity=equity(),
        posterior=posterior(),
        new_customer=pd.DataFrame([{"lifetime_value": 31.4, "lower": 28.2, "upper": 34.9}]),
        assumptions=pd.DataFrame({"item": ["Margin"], "value": ["30% of revenue"]}),
        notes=("BG/NBD: converged.",),
        title="Equity of an invented shop",
        currency="EUR",
        simulated=True,
    )
    return replace(full, **changed)
