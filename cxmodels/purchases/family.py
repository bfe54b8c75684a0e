"""What every purchase model can be asked: is the customer still there, and what will they buy?

A family is a set of formulas without data. `theta` carries its parameters on the last axis; the
axes before it broadcast against the data, so n customers take theta (k,) or (n, k), and d draws
of n customers take theta (d, 1, k) and give (d, n).

A customer known to be alive at T is a *new* customer whose parameters have been updated
(`alive`), so each conditional quantity is P(alive) times the same quantity of a new customer.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from cxmodels.data.summaries import Profiles
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Bools, Floats, Ints, Number
from cxmodels.numerics.transforms import Space


@dataclass(frozen=True)
class Purchases:
    """Simulated purchases of m customers after time 0.

    count: (m,) purchases of each; customer: (sum of count,) whose purchase it is, ascending;
    time: (sum of count,) when, ascending within a customer; alive: (m,) still there at the end.
    """

    count: Ints
    customer: Ints
    time: Floats
    alive: Bools


class PurchaseFamily(ABC):
    """A model of purchases without contract, where customers leave unseen."""

    name: str
    source: str
    space: Space
    one_time_buyers_alive: bool = False  # whether P(alive) of a one-time buyer is 1 by construction

    @abstractmethod
    def objective(self, profiles: Profiles) -> Objective:
        """The log likelihood of a customer base."""

    @abstractmethod
    def p_alive(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        """P(alive at T | x purchases, the last at t_x)."""

    @abstractmethod
    def alive(self, theta: Floats, x: Number, T: Number) -> Floats:
        """Parameters (..., k) of a customer known to be alive at T after x purchases."""

    @abstractmethod
    def survival(self, theta: Floats, t: Number) -> Floats:
        """P(alive at t | alive at 0)."""

    @abstractmethod
    def expected_purchases(self, theta: Floats, t: Number) -> Floats:
        """E[purchases in (0, t] | alive at 0]."""

    @abstractmethod
    def purchase_rate(self, theta: Floats, t: Number) -> Floats:
        """Expected purchases per unit of time at t of a customer alive at 0, dead ones counted."""

    @abstractmethod
    def log_pmf(self, theta: Floats, n: Ints, t: Number) -> Floats:
        """log P(n purchases in (0, t] | alive at 0)."""

    @abstractmethod
    def log_pmf_survivors(self, theta: Floats, n: Ints, t: Number) -> Floats:
        """log P(n purchases in (0, t] and alive at t | alive at 0)."""

    @abstractmethod
    def simulate_counts(self, theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
        """How many purchases in (0, t] each of m customers makes; theta (m, k)."""

    @abstractmethod
    def simulate(self, theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
        """Purchases in (0, t] of customers alive at 0; theta (m, k), t a number or (m,)."""


def p_no_purchase(family: PurchaseFamily, theta: Floats, t: Number) -> Floats:
    """P(no purchase in (0, t] | alive at 0)."""
    return np.exp(family.log_pmf(theta, np.zeros((), dtype=np.int64), t))


def window_pmf(
    family: PurchaseFamily, theta: Floats, n: Ints, window: tuple[float, float]
) -> Floats:
    """P(n purchases in (t1, t2]) of a customer alive at 0; theta (k,), n (j,) -> (j,).

    Sums over the purchases made before t1: those who left by t1 buy nothing, the others are new
    customers with updated parameters. The sum stops where 1e-15 of the survivors is left.
    """
    t1, t2 = window
    survivors = float(family.survival(theta, np.float64(t1)))
    most, held = 16, 0.0
    while held < survivors * (1.0 - 1e-13) and most < 100_000:
        most *= 4
        before = np.arange(most)
        weight = np.exp(family.log_pmf_survivors(theta, before, np.float64(t1)))
        held = float(weight.sum())
    last = int(np.searchsorted(np.cumsum(weight), held * (1.0 - 1e-15))) + 1
    updated = family.alive(theta, before[:last].astype(np.float64), np.float64(t1))
    after = np.exp(family.log_pmf(updated[:, None, :], np.atleast_1d(n), np.float64(t2 - t1)))
    gone = np.where(np.atleast_1d(n) == 0, 1.0 - survivors, 0.0)
    return np.asarray(gone + weight[:last] @ after)
