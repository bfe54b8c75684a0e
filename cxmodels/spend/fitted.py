"""A fitted spend model: its parameters, and what each customer will spend on an order."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from cxmodels.spend.family import SpendFamily
from cxmodels.spend.prediction import prediction_table


def fit_spend(family: SpendFamily, base: CustomerBase) -> "FittedSpend":
    """Maximum likelihood on the paid repeat orders of a base."""
    ask_for_base(base)
    objective = family.objective(base)
    estimate = maximise(objective, model=family.name)
    return FittedSpend(
        estimate=estimate,
        family=family,
        customers=base.customers,
        repeat_orders=int(base.table["frequency"].sum()),
        paid_orders=int(base.table["paid_frequency"].sum()),
        currency=base.currency,
        misfit=family.misfit(estimate.theta, base),
        objective=objective,
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedSpend(FittedModel):
    """What a spend model found; `customers` counts the base, `rows` those the fit could use.

    repeat_orders, paid_orders: repeat orders of the base and those with a positive amount (all of
    them where amounts are margins); misfit: where the base looked unlike the fitted model.
    """

    family: SpendFamily
    customers: int
    repeat_orders: int
    paid_orders: int
    currency: str | None = None
    misfit: tuple[str, ...] = ()

    @property
    def paid_share(self) -> float:
        """Share of repeat orders with a positive amount; 1 where there are no orders."""
        return self.paid_orders / self.repeat_orders if self.repeat_orders else 1.0

    @property
    def mean_spend(self) -> float:
        """Expected order of a customer about whom nothing is known; infinite
        where a Gamma-Gamma q is 1 or below."""
        none = np.zeros(1)
        return float(self.family.expected_order(self.theta[None], none, none)[0, 0])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, in sentences."""
        dropped = self.customers - self.rows
        kind = "repeat order" if self.family.losses else "paid repeat order"
        spend = "Margins were" if self.family.losses else "Spend was"
        said = [
            f"{spend} learnt from the {self.rows:,} of {self.customers:,} customers with a {kind}; "
            f"the other {dropped:,} are expected to spend like the population."
        ]
        if self.paid_orders < self.repeat_orders:
            said.append(
                f"{self.repeat_orders - self.paid_orders:,} of {self.repeat_orders:,} repeat "
                f"orders were free of charge; {self.paid_share:.1%} of orders are paid."
            )
        return (*said, *self.family.warnings(self.theta), *self.misfit)

    def facts(self) -> dict[str, Any]:
        """Kind, family, counts of customers and orders, currency."""
        return {
            "kind": "spend",
            "family": type(self.family).__name__,
            "customers": self.customers,
            "repeat_orders": self.repeat_orders,
            "paid_orders": self.paid_orders,
            "currency": self.currency,
            "misfit": list(self.misfit),
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
        self.check_base(base)
        theta = self.posterior(draws, seed=seed).values
        known = (self.theta, theta)
        return prediction_table(self.family, known, base.table, level=level, seed=seed)

    def check_base(self, base: CustomerBase) -> None:
        """Raises OptionError where the amounts of a base are not those that the fit knows."""
        ask_for_base(base)
        if self.family.losses != base.losses:
            kinds = ('margins (negative="loss")', "payments")
            fitted, given = kinds if self.family.losses else kinds[::-1]
            raise OptionError(
                f"spend was fitted on {fitted}, the amounts of this base are {given}: make both "
                "bases alike"
            )

    def customer_parameters(self, base: CustomerBase) -> Floats:
        """(n, 3): parameters of each customer, given their past, at the fitted ones."""
        x = base.table["paid_frequency"].to_numpy(dtype=np.float64)
        m = base.table["monetary_value"].to_numpy(dtype=np.float64)
        return self.family.seen(self.theta, x, m)

    def cdf(self, amount: float, base: CustomerBase | None = None) -> Floats:
        """P(next paid order <= amount) of each customer; of a new customer where base is None."""
        theta = self.theta if base is None else self.customer_parameters(base)
        return self.family.cdf(theta, np.array(amount, dtype=np.float64))

    def quantile(self, probability: float, base: CustomerBase | None = None) -> Floats:
        """The amount that the next paid order stays below with `probability` (0 to 1)."""
        if not 0.0 <= probability <= 1.0:
            raise OptionError(f"probability must lie between 0 and 1, got {probability}")
        theta = self.theta if base is None else self.customer_parameters(base)
        return self.family.quantile(theta, probability)


def read_spend(family: SpendFamily, stored: Mapping[str, Any]) -> FittedSpend:
    """The fit that `save` wrote, without its data."""
    return FittedSpend(
        estimate=Estimate.from_json(stored["estimate"]),
        family=family,
        customers=int(stored["customers"]),
        repeat_orders=int(stored["repeat_orders"]),
        paid_orders=int(stored["paid_orders"]),
        currency=stored["currency"],
        misfit=tuple(stored.get("misfit", ())),
        stored=Draws.from_json(stored["draws"]),
    )
