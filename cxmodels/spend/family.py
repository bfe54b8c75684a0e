"""What every spend model can be asked: what will an order bring, and what do many bring together?

A family is a set of formulas without data. `theta` carries its parameters on the last axis. x: a
customer's paid orders so far; m: their mean (anything finite where x is 0). Customers stand on rows
and draws of the parameters on columns: theta (d, 3) with x, m (n,) gives (n, d).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from cxmodels.data.summaries import CustomerBase
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Floats, Ints


class SpendFamily(ABC):
    """A model of what an order brings, whoever places it and however often."""

    name: str
    losses: bool  # whether an order may bring less than nothing

    @abstractmethod
    def objective(self, base: CustomerBase) -> Objective:
        """The log likelihood of a base's orders."""

    @abstractmethod
    def seen(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        """Parameters of a customer with x paid orders of mean m, who is a new one with these."""

    @abstractmethod
    def expected_order(self, theta: Floats, x: Floats, m: Floats) -> Floats:
        """(n, d): what the next order of each customer is expected to bring under each theta."""

    @abstractmethod
    def cdf(self, theta: Floats, amount: Floats) -> Floats:
        """P(next order <= amount) of a customer with parameters theta (..., 3)."""

    @abstractmethod
    def quantile(self, theta: Floats, probability: float | Floats) -> Floats:
        """What the next order stays below with the given probability."""

    @abstractmethod
    def next_orders(
        self, theta: Floats, x: float, copies: int, rng: np.random.Generator
    ) -> Callable[[float], Floats]:
        """Simulated next orders (copies, d) of customers with x orders, by their mean m.

        One set of chances serves all means, so that quantiles are smooth in m.
        """

    @abstractmethod
    def sums(
        self,
        theta: Floats,
        worth: Floats,
        owner: Ints,
        owners: int,
        rng: np.random.Generator,
    ) -> Floats:
        """(c, owners): what has to be known of paid orders to say what they bring together.

        theta: (j, 3) of each order; worth: (j,) its discount factor; owner: (j,) whose it is.
        """

    @abstractmethod
    def revenue(
        self, theta: Floats, sums: Floats, x: Floats, m: Floats, rng: np.random.Generator
    ) -> Floats:
        """(n, d): what orders with these sums (c, n, d) bring to each customer under each draw."""

    @abstractmethod
    def simulated_means(self, theta: Floats, x: Floats, rng: np.random.Generator) -> Floats:
        """Mean (n,) of x orders of new customers; theta (3,)."""

    def misfit(self, theta: Floats, base: CustomerBase) -> tuple[str, ...]:
        """Where the base looks unlike the fitted model, in sentences."""
        return ()

    @abstractmethod
    def warnings(self, theta: Floats) -> tuple[str, ...]:
        """What the parameters (3,) say that a reader of values has to know."""
