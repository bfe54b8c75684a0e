"""What contracts are worth more if covariates change from the day of valuation on.

A customer who has lasted to age T did so under the old covariates; from then on the new ones act on
what survival has left of the population.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Number
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.fitted import FittedSubscriptions
from cxmodels.subscriptions.lifetime import further_renewals
from cxmodels.value.discount import DiscountCurve


@dataclass(frozen=True)
class Contract:
    """Terms: annual rate, horizon, margin of a renewal, and by what effects are multiplied."""

    rate: float
    horizon: int | str | Span | None
    amount: float
    factor: float


@dataclass(frozen=True)
class _Changed:
    """Survival beyond `age`, where shifts (d, 1) of old covariates change by (d, 1)."""

    family: SubscriptionFamily
    age: float
    shift: Floats
    change: Floats

    def log_ratio(self, theta: Floats, t0: Number, t1: Number, shift: Number = 0.0) -> Floats:
        """log P(active at t1 | active at t0), both at `age` or later."""
        since, moved = self.age, (self.shift, self.change)
        later = self.family.log_ratio_moved(theta, since, t1, moved)
        return np.asarray(later - self.family.log_ratio_moved(theta, since, t0, moved))

    def tail(self, theta: Floats) -> Floats:
        """The family's own: covariates do not move it."""
        return self.family.tail(theta)


def contract_change(
    fit: FittedSubscriptions, before: Any, after: Any, terms: Contract, chance: tuple[int, int]
) -> list[tuple[str, Floats, Floats, int]]:
    """Item, value before and after (1 + draws,) with the estimate first, and customers.

    chance: draws and seed. A new customer is one of the kinds of the base, taken at random.
    """
    if not fit.design.columns:
        raise OptionError("this fit has no covariates: fit with leaving= a formula")
    ages, was, will, size = _groups(fit, before, after)
    if fit.unit is None:
        raise OptionError("a rate is annual: make the base with unit='month' or another")
    if terms.horizon is None and terms.rate == 0:
        raise OptionError("all future needs a discount_rate above 0: give a horizon or a rate")
    force = DiscountCurve.of(horizon="1Y", rate=terms.rate, unit=fit.unit).force
    periods = np.inf if terms.horizon is None else np.floor(fit.length(terms.horizon) + 1e-9)
    drawn = fit.posterior(chance[0], seed=chance[1]).values
    theta, k = np.vstack([fit.theta, drawn]), fit.family.space.size
    own, effects = theta[:, :k], theta[:, k:]
    shift, change = effects @ was.T, terms.factor * (effects @ (will - was).T)
    sums = np.zeros((4, len(theta)))
    for place, age in enumerate(ages):
        for row, (since, moved) in enumerate(((age, 0.0), (age, 1.0), (0.0, 0.0), (0.0, 1.0))):
            family: Any = _Changed(fit.family, since, shift[:, [place]], moved * change[:, [place]])
            made = further_renewals(
                family, own, np.array([since]), force=force, periods=float(periods)
            )
            sums[row] += size[place] * terms.amount * made.mean[:, 0]
    number = int(size.sum())
    means = sums / number
    return [
        ("all present customers", sums[0], sums[1], number),
        ("a present customer, on average", means[0], means[1], number),
        ("renewals of a new customer", means[2], means[3], number),
    ]


def _groups(fit: FittedSubscriptions, before: Any, after: Any) -> tuple[Floats, Any, Any, Any]:
    """Active customers who are alike: age (j,), columns before and after (j, p), how many (j,)."""
    for base in (before, after):
        fit.check_base(base)
        if not isinstance(base, SubscriptionBase) or base.contracts is None:
            raise OptionError(
                "who changes? make both bases with SubscriptionBase.from_contracts: one row a "
                "customer"
            )
    one, two = (base.contracts.query("active").reset_index(drop=True) for base in (before, after))
    if not one[["customer_id", "age"]].equals(two[["customer_id", "age"]]):
        raise OptionError("before and after are not the same active customers of the same ages")
    if one.empty:
        raise OptionError("nobody is active: there is nothing left to change")
    columns = fit.design.matrix(one), fit.design.matrix(two)
    ages = np.floor(one["age"].to_numpy(dtype=np.float64))
    rows, size = np.unique(np.column_stack([ages, *columns]), axis=0, return_counts=True)
    p = columns[0].shape[1]
    return rows[:, 0], rows[:, 1 : 1 + p], rows[:, 1 + p :], size.astype(np.float64)
