"""A fitted spend model: its parameters, and what each customer will spend on an order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.errors import OptionError
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.fitted import FittedModel
from cxmodels.numerics.arrays import Floats
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Estimate
from cxmodels.spend import gamma_gamma
from cxmodels.spend.order_means import OrderMeans, SpendObjective
from cxmodels.spend.prediction import prediction_table


@dataclass(frozen=True)
class GammaGamma:
    """Gamma-Gamma model of spend per order (Colombo and Jiang 1999; Fader and Hardie 2013)."""

    name: str = field(default="Gamma-Gamma", init=False)

    def fit(self, base: CustomerBase) -> "FittedSpend":
        """Maximum likelihood on the mean paid repeat order of each customer that has one.

        Args: base: a customer base with monetary_value.
        Returns: the frozen fit. Raises: DataError where fewer than three customers have paid
        repeat orders.
        """
        ask_for_base(base)
        data = OrderMeans.from_table(base.table)
        objective = SpendObjective(data)
        return FittedSpend(
            estimate=maximise(objective, model=self.name),
            customers=data.customers,
            repeat_orders=data.repeat_orders,
            paid_orders=data.paid_orders,
            currency=base.currency,
            objective=objective,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedSpend(FittedModel):
    """What a spend model found; `customers` counts the base, `rows` those the fit could use.

    repeat_orders, paid_orders: repeat orders of the base and those with a positive amount.
    """

    customers: int
    repeat_orders: int
    paid_orders: int
    currency: str | None = None

    @property
    def paid_share(self) -> float:
        """Share of repeat orders with a positive amount; 1 where there are no orders."""
        return self.paid_orders / self.repeat_orders if self.repeat_orders else 1.0

    @property
    def mean_spend(self) -> float:
        """Expected order of a customer about whom nothing is known; infinite where q <= 1."""
        return float(gamma_gamma.expected_spend(self.theta))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, in sentences."""
        q = float(self.theta[1])
        dropped = self.customers - self.rows
        said = [
            f"Spend was learnt from the {self.rows:,} of {self.customers:,} customers with a paid "
            f"repeat order; the other {dropped:,} are expected to spend like the population."
        ]
        if self.paid_orders < self.repeat_orders:
            said.append(
                f"{self.repeat_orders - self.paid_orders:,} of {self.repeat_orders:,} repeat "
                f"orders were free of charge; {self.paid_share:.1%} of orders are paid."
            )
        if q <= 1:
            said.append(
                f"q = {q:.2f} is 1 or below: a customer without paid orders has an infinite "
                "expected order. The data have too few or too extreme large spenders for a mean."
            )
        elif q <= 2:
            said.append(
                f"q = {q:.2f} is 2 or below: mean orders vary over customers without a finite "
                "variance, so a few very large spenders may outweigh all others."
            )
        return tuple(said)

    def facts(self) -> dict[str, Any]:
        """Kind, family, counts of customers and orders, currency."""
        return {
            "kind": "spend",
            "family": "GammaGamma",
            "customers": self.customers,
            "repeat_orders": self.repeat_orders,
            "paid_orders": self.paid_orders,
            "currency": self.currency,
        }

    def predict(
        self, base: CustomerBase, *, level: float = 0.9, draws: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """Spend per paid order of each customer.

        Args: base: customers with paid_frequency and monetary_value; level: width of intervals;
        draws, seed: of the posterior.
        Returns: customer_id, expected_spend, lower, upper (interval of the expectation),
        spend_lower, spend_upper (of the next paid order), population_mean; amounts of money.
        """
        ask_for_base(base)
        theta = self.posterior(draws, seed=seed).values
        return prediction_table(self.theta, theta, base.table, level=level, seed=seed)

    def customer_parameters(self, base: CustomerBase) -> Floats:
        """(n, 3): p, q + p x, gamma + m x of each customer at the fitted parameters."""
        x = base.table["paid_frequency"].to_numpy(dtype=np.float64)
        m = base.table["monetary_value"].to_numpy(dtype=np.float64)
        return gamma_gamma.seen(self.theta, x, m)

    def cdf(self, amount: float, base: CustomerBase | None = None) -> Floats:
        """P(next paid order <= amount) of each customer; of a new customer where base is None."""
        theta = self.theta if base is None else self.customer_parameters(base)
        return gamma_gamma.next_order_cdf(theta, np.array(amount, dtype=np.float64))

    def quantile(self, probability: float, base: CustomerBase | None = None) -> Floats:
        """The amount that the next paid order stays below with `probability` (0 to 1)."""
        if not 0.0 <= probability <= 1.0:
            raise OptionError(f"probability must lie between 0 and 1, got {probability}")
        theta = self.theta if base is None else self.customer_parameters(base)
        return gamma_gamma.next_order_quantile(theta, probability)


def read_spend(stored: Mapping[str, Any]) -> FittedSpend:
    """The fit that `save` wrote, without its data."""
    return FittedSpend(
        estimate=Estimate.from_json(stored["estimate"]),
        customers=int(stored["customers"]),
        repeat_orders=int(stored["repeat_orders"]),
        paid_orders=int(stored["paid_orders"]),
        currency=stored["currency"],
        stored=Draws.from_json(stored["draws"]),
    )
