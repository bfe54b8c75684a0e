"""A base of many cohorts, looked at ahead: who will still be active, by cohort or by customer.

Only customers active today count. A customer known to be active at age T is active t periods later
with probability S(T + t) / S(T), not S(T + t).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from cxmodels.chance import generator
from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.subscriptions.curves import ends, whole
from cxmodels.subscriptions.lifetime import Renewals, further_renewals

if TYPE_CHECKING:
    from cxmodels.subscriptions.fitted import FittedSubscriptions

WHOSE = ("cohort", "customer")


@dataclass(frozen=True)
class Groups:
    """Active customers who are alike: age (j,), covariates (j, p), how many (j,), whose cohort."""

    table: pd.DataFrame
    age: Floats
    covariates: Floats
    customers: Floats

    @classmethod
    def of(cls, fit: "FittedSubscriptions", base: SubscriptionBase) -> "Groups":
        """The groups of a base that have somebody active."""
        if base.totals is not None:
            raise OptionError(
                "only totals are known: how many of each cohort are active is not; survival(t) and "
                "retention_rate(t) hold for every cohort"
            )
        held = base.cohorts[base.cohorts["customers"] > 0].reset_index(drop=True)
        return cls(
            held,
            held["age"].to_numpy(dtype=np.float64),
            fit.design.matrix(held),
            held["customers"].to_numpy(dtype=np.float64),
        )

    def shift(self, fit: "FittedSubscriptions", theta: Floats) -> Floats:
        """(d, j): what covariates add for each group."""
        return np.asarray(theta[:, fit.family.space.size :] @ self.covariates.T)

    def survival(self, fit: "FittedSubscriptions", theta: Floats, t: float) -> Floats:
        """(d, j): P(active t later | active now)."""
        own, shift = theta[:, None, : fit.family.space.size], self.shift(fit, theta)
        later = whole(self.age + t, fit.family)
        return np.exp(fit.family.log_ratio(own, self.age, later, shift if shift.any() else 0.0))

    def renewals(
        self, fit: "FittedSubscriptions", theta: Floats, *, force: float, periods: float
    ) -> Renewals:
        """(d, j): discounted further renewals of one customer of each group."""
        shift, own = self.shift(fit, theta), theta[:, : fit.family.space.size]
        found = np.empty((2, len(theta), self.age.size))
        kinds, place = np.unique(self.covariates, axis=0, return_inverse=True)
        for kind in range(len(kinds)):
            members = np.flatnonzero(place.ravel() == kind)
            made = further_renewals(
                fit.family, own, self.age[members], force=force, periods=periods,
                shift=shift[:, members[0]] if shift.size else 0.0,
            )  # fmt: skip
            found[0][:, members], found[1][:, members] = made.mean, made.square
        return Renewals(found[0], found[1])


def cohort_table(
    fit: "FittedSubscriptions",
    base: SubscriptionBase,
    *,
    t: float,
    level: float,
    draws: Floats,
    seed: int,
) -> pd.DataFrame:
    """One row a cohort and age: who will still be active after t periods."""
    inside, groups = check_level(level), Groups.of(fit, base)
    chance = groups.survival(fit, draws, t)
    point = groups.survival(fit, fit.theta[None], t)[0]
    lower, upper = ends(groups.customers * chance, inside)
    number = groups.customers.astype(np.int64)
    counts = generator(seed, 11).binomial(number, chance)
    fewest, most = _count_ends(counts, inside)
    names = list(base.covariates)
    return groups.table[["cohort", "age", "customers", *names]].assign(
        p_active=point,
        expected_customers=groups.customers * point,
        lower=lower,
        upper=upper,
        customers_lower=fewest,
        customers_upper=most,
    )


def _count_ends(counts: Ints, level: float) -> tuple[Ints, Ints]:
    """Whole counts between which at least `level` of the draws lie."""
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    low = np.quantile(counts, tails[0], axis=0, method="inverted_cdf")
    high = np.quantile(counts, tails[1], axis=0, method="inverted_cdf")
    return low.astype(np.int64), high.astype(np.int64)


def customer_table(
    fit: "FittedSubscriptions", base: SubscriptionBase, *, t: float, level: float, draws: Floats
) -> pd.DataFrame:
    """One row an active customer: P(active after t periods), with the interval of the chance."""
    if base.contracts is None:
        raise OptionError("the base counts customers; by='customer' needs a table of contracts")
    inside = check_level(level)
    held = base.contracts[base.contracts["active"]].reset_index(drop=True)
    names = ["age", *fit.design.columns]
    kinds = held[names].drop_duplicates(ignore_index=True)
    groups = Groups(
        kinds, kinds["age"].to_numpy(np.float64), fit.design.matrix(kinds), np.ones(len(kinds))
    )
    lower, upper = ends(groups.survival(fit, draws, t), inside)
    kinds = kinds.assign(
        p_active=groups.survival(fit, fit.theta[None], t)[0], lower=lower, upper=upper
    )
    columns = ["customer_id", "cohort", *names]
    return held[columns].merge(kinds, on=names, how="left")


def gamma_draws(mean: Floats, variance: Floats, rng: np.random.Generator) -> Floats:
    """One outcome each with the given mean and variance, above 0 and skewed as sums of lives are.

    A sum over hundreds of customers is normal, and so is this; for a handful it keeps above 0.
    """
    uniform = rng.random(mean.shape)
    known = (variance > 0.0) & (mean > 0.0)
    shape = np.where(known, mean**2 / np.where(known, variance, 1.0), 1.0)
    scale = np.where(known, variance / np.where(mean > 0.0, mean, 1.0), 1.0)
    return np.where(known, scipy.special.gammaincinv(shape, uniform) * scale, mean)
