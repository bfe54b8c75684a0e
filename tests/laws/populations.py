"""Simulated customers with known truth, told apart from the package's own simulation.

Each customer is walked through purchase by purchase: wait, buy, perhaps leave; so the formulas and
the quick simulation of the package are both checked against the story itself.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase

CDNOW = np.array([0.243, 4.414, 0.793, 2.426])  # r, alpha, a, b in weeks
HEAVY = np.array([3.2, 2.1, 0.8, 60.0])  # 1.5 purchases a week: counts in the dozens
SPEND = np.array([6.25, 3.74, 15.44])  # p, q, gamma


@dataclass(frozen=True)
class Walk:
    """Purchases of m customers: whose and when (k,), in no order; left: when they left (m,)."""

    customer: np.ndarray
    time: np.ndarray
    left: np.ndarray


def walk(lam: np.ndarray, p: np.ndarray, until: np.ndarray, rng: np.random.Generator) -> Walk:
    """Customers who buy at rate lam and leave after each purchase with probability p."""
    here = np.arange(lam.size)
    clock, left = np.zeros(lam.size), np.full(lam.size, np.inf)
    whose, when = [], []
    while here.size:
        clock = clock + rng.exponential(1.0 / lam[here])
        inside = clock <= until[here]
        here, clock = here[inside], clock[inside]
        whose.append(here)
        when.append(clock)
        leaves = rng.random(here.size) < p[here]
        left[here[leaves]] = clock[leaves]
        here, clock = here[~leaves], clock[~leaves]
    return Walk(np.concatenate(whose), np.concatenate(when), left)


@dataclass(frozen=True)
class World:
    """A base, and what its customers really do in the `horizon` after its end.

    purchases: (n,) their count; customer, time, amount: each of them, time from the end of the
    base; level: (n,) each customer's true mean order.
    """

    base: CustomerBase
    purchases: np.ndarray
    customer: np.ndarray
    time: np.ndarray
    amount: np.ndarray
    level: np.ndarray

    def money(self, annual_rate: float, margin: float) -> float:
        """Realised margin after the end, discounted at an annual effective rate; time in weeks."""
        years = self.time * 7 / 365.2425
        return float(margin * (self.amount * (1 + annual_rate) ** -years).sum())


def world(
    theta: np.ndarray,
    spend: np.ndarray,
    *,
    customers: int,
    ages: tuple[float, float],
    horizon: float,
    rng: np.random.Generator,
) -> World:
    """Customers of whole days T even in `ages` (weeks), seen up to T and `horizon` beyond."""
    r, alpha, a, b = theta
    lam, p = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    nu = rng.gamma(spend[1], 1 / spend[2], customers)
    T = rng.integers(round(7 * ages[0]), round(7 * ages[1]), customers, endpoint=True) / 7
    found = walk(lam, p, T + horizon, rng)
    amount = rng.gamma(spend[0], 1.0, found.time.size) / nu[found.customer]
    past = found.time <= T[found.customer]
    x = np.bincount(found.customer[past], minlength=customers)
    t_x = np.zeros(customers)
    np.maximum.at(t_x, found.customer[past], found.time[past])
    total = np.bincount(found.customer[past], weights=amount[past], minlength=customers)
    frame = pd.DataFrame(
        {
            "frequency": x,
            "recency": t_x,
            "T": T,
            "monetary_value": np.where(x > 0, total / np.maximum(x, 1), np.nan),
        }
    )
    later = found.customer[~past]
    return World(
        base=CustomerBase.from_summary(frame, unit="week", currency="USD"),
        purchases=np.bincount(later, minlength=customers),
        customer=later,
        time=found.time[~past] - T[later],
        amount=amount[~past],
        level=spend[0] / nu,
    )


def p_alive(theta: np.ndarray, x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> np.ndarray:
    """P(alive) as printed: Fader and Hardie (2008), "Computing P(alive) Using the BG/NBD Model"."""
    r, alpha, a, b = theta
    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    return np.where(x > 0, 1 / (1 + odds), 1.0)
