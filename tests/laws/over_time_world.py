"""Simulated customers whose season and satisfaction change over time, with the truth beside them.

Walked through week by week with numpy alone: no formula of the package is used. A year is observed;
the quarter that follows is a season again, which a fit without covariates does not know.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

import cxmodels as cx

WEEKS, AHEAD, SEASON = 52, 13, 13  # observed, held out, and high at the beginning of each year
OPENING, END, HOLDOUT_END = "2023-01-02", "2023-12-31", "2024-03-31"  # Mondays to Sundays
COMMON = np.array([0.8, 9.0, 0.7, 16.0])  # r, alpha, s, beta where every covariate is 0
BUYS_SEASON, BUYS_SCORE, LEAVES_SCORE = 0.7, 0.15, -0.4
ASKED = {"purchase": "~ season + score", "dropout": "~ score"}
TRUTH = {
    "purchase: season": BUYS_SEASON,
    "purchase: score": BUYS_SCORE,
    "dropout: score": LEAVES_SCORE,
}


@dataclass(frozen=True, eq=False)
class World:
    """A log (simulated), the season by week, scores by customer and day, purchases held out."""

    log: pd.DataFrame
    season: pd.DataFrame
    scores: pd.DataFrame
    base: cx.CustomerBase
    later: np.ndarray

    @property
    def joined(self) -> cx.CustomerBase:
        """The base with both tables, known to the end of the hold-out."""
        base = self.base.with_covariates(self.season, time="week", until=HOLDOUT_END)
        return base.with_covariates(self.scores, time="asked", until=HOLDOUT_END)


def world(customers: int, seed: int, effects: tuple[float, float, float] | None = None) -> World:
    """Customers acquired in the first half of the year; scores change every eight weeks."""
    rng = np.random.default_rng([seed, 11])
    on_season, on_score, leaving = effects or (BUYS_SEASON, BUYS_SCORE, LEAVES_SCORE)
    r, alpha, s, beta = COMMON
    lam, mu = rng.gamma(r, 1 / alpha, customers), rng.gamma(s, 1 / beta, customers)
    birth = 26.0 * rng.random(customers)
    weeks = np.arange(WEEKS + AHEAD)
    season = (weeks % WEEKS < SEASON).astype(int)
    asked = np.arange(0, WEEKS + AHEAD, 8)
    score = np.clip(rng.normal(0, 1.5, (customers, asked.size)).cumsum(1), -4, 4).round(1)
    now = score[:, np.searchsorted(asked, weeks, side="right") - 1]
    length = np.clip(weeks + 1 - birth[:, None], 0, 1)
    pace = np.exp(leaving * now)
    clock = np.cumsum(length * pace, axis=1) - length * pace
    left = np.clip(rng.exponential(1, customers) / mu, 0, 1e9)[:, None]
    lived = np.clip((left - clock) / pace, 0, length)
    rate = lam[:, None] * np.exp(on_season * season + on_score * now)
    count = rng.poisson(rate * lived)
    who, week = (np.repeat(index.ravel(), count.ravel()) for index in np.indices(count.shape))
    begin = np.maximum(weeks[week], birth[who])
    time = begin + rng.random(who.size) * lived[who, week]
    log = pd.DataFrame(
        {
            "customer_id": np.concatenate([np.arange(customers), who]) + 1,
            "day": pd.Timestamp(OPENING)
            + pd.to_timedelta((np.concatenate([birth, time]) * 604_800).round(), unit="s"),
            "simulated": True,
        }
    )
    base = cx.customer_base(
        log, customer="customer_id", time="day", unit="week", collapse="none",
        end=END, holdout_end=HOLDOUT_END,
    )  # fmt: skip
    later = base.table["holdout_frequency"].to_numpy()
    monday = pd.Timestamp(OPENING) + pd.to_timedelta(weeks * 7, unit="D")
    answers = pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(customers) + 1, asked.size),
            "asked": np.tile(monday[asked], customers),
            "score": score.ravel(),
        }
    )
    return World(log, pd.DataFrame({"week": monday, "season": season}), answers, base, later)
