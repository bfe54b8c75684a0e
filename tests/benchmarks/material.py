"""What the benchmarks work on: simulated customers and a simulated log, written once per run.

Customers are drawn from the model itself with parameters like those of CDNOW; the log has busier
ones. Dates stand on whole days, as in real logs, and amounts on whole cents.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import cxmodels as cx
from cxmodels.purchases import bg_nbd

CUSTOMERS, LOG_CUSTOMERS, LOG_ROWS = 1_000_000, 1_000_000, 10_000_000
SMALL = 1_000  # divides the sizes for a run that only shows that everything works
DAYS, FIRST_DAYS = 273, 84  # CDNOW: 39 weeks, customers who first bought in the first twelve
LIKE_CDNOW = np.array([0.2426, 4.4136, 0.7929, 2.4259])  # Fader, Hardie and Lee (2005), weeks
BUSY = np.array([1.5, 12.0, 0.2, 8.0])  # about nine purchases a customer in two years
SPEND = (6.25, 3.74, 15.44)  # Fader and Hardie (2013), USD
LOG_DAYS, LOG_START, LOG_END = 728, "2023-01-01", "2024-12-28"


@dataclass(frozen=True)
class Material:
    """A folder with summary.parquet, log.parquet and facts.json."""

    folder: Path

    @property
    def log(self) -> Path:
        """Transactions: customer_id, time, amount; in order of time."""
        return self.folder / "log.parquet"

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row a customer: frequency, recency, T (weeks), monetary_value."""
        return pd.read_parquet(self.folder / "summary.parquet")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Sizes, and parameters that both programs are given where only prediction is timed."""
        return dict(json.loads((self.folder / "facts.json").read_text()))


def prepared(folder: Path, *, small: bool) -> Material:
    """The material, simulated into an empty folder."""
    share = SMALL if small else 1
    rng = np.random.default_rng(20_050_401)
    summary = summary_of(CUSTOMERS // share, rng)
    summary.to_parquet(folder / "summary.parquet")
    rows = write_log(folder / "log.parquet", LOG_CUSTOMERS // share, LOG_ROWS // share, rng)
    base = cx.CustomerBase.from_summary(summary, unit="week")
    facts = {
        "customers": len(summary),
        "profiles": int(base.profiles.T.size),
        "log_rows": rows,
        "log_customers": LOG_CUSTOMERS // share,
        "purchases": cx.BGNBD().fit(base).theta.tolist(),
        "spend": cx.GammaGamma().fit(base).theta.tolist(),
    }
    (folder / "facts.json").write_text(json.dumps(facts))
    return Material(folder)


def summary_of(customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Customers as a summary in weeks; purchases of one day count as one occasion."""
    observed = DAYS - rng.integers(0, FIRST_DAYS, customers)
    theta = np.broadcast_to(LIKE_CDNOW, (customers, 4))
    paths = bg_nbd.simulate(theta, observed / 7.0, rng)
    day = np.ceil(paths.time * 7.0).astype(np.int64)
    occasions = np.unique(paths.customer * (DAYS + 1) + day)
    who, when = occasions // (DAYS + 1), occasions % (DAYS + 1)
    frequency = np.bincount(who, minlength=customers)
    recency = np.zeros(customers)
    np.maximum.at(recency, who, when)
    value = np.where(frequency > 0, mean_order(frequency, rng), np.nan)
    return pd.DataFrame(
        {
            "customer_id": np.arange(customers),
            "frequency": frequency,
            "recency": recency / 7.0,
            "T": observed / 7.0,
            "monetary_value": value,
        }
    )


def mean_order(frequency: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean order of each customer under the Gamma-Gamma model, in cents at the finest."""
    p, q, gamma = SPEND
    scale = rng.standard_gamma(q, frequency.size) / gamma
    shape = p * np.maximum(frequency, 1)
    mean = rng.standard_gamma(shape) / (scale * np.maximum(frequency, 1))
    return np.maximum(np.round(mean, 2), 0.01)


def write_log(path: Path, customers: int, rows: int, rng: np.random.Generator) -> int:
    """A log of exactly `rows` purchases, as a shop would keep it; returns the rows."""
    theta = np.broadcast_to(BUSY, (customers, 4))
    first = rng.integers(0, LOG_DAYS // 2, customers).astype(np.float64)
    paths = bg_nbd.simulate(theta, (LOG_DAYS - first) / 7.0, rng)
    who = np.concatenate([np.arange(customers), paths.customer])
    day = np.concatenate([first, first[paths.customer] + paths.time * 7.0])
    if who.size < rows:
        more = rng.integers(0, who.size, rows - who.size)
        who, day = np.concatenate([who, who[more]]), np.concatenate([day, day[more]])
    order = np.argsort(day[:rows], kind="stable")
    who, seconds = who[:rows][order], (day[:rows][order] * 86_400 * 0.999).astype("int64")
    amount = np.round(rng.standard_gamma(4.0, rows) * 9.0 + 0.01, 2)
    time = np.datetime64(LOG_START, "s") + seconds.astype("timedelta64[s]")
    table = pd.DataFrame({"customer_id": who, "time": time, "amount": amount})
    table.to_parquet(path, index=False)
    return rows
