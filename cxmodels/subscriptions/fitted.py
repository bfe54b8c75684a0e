"""A fitted subscription model: its parameters, and how long customers stay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.subscriptions import SubscriptionBase, ask_for_subscriptions, spell_counts
from cxmodels.data.units import Span, TimeUnit
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.fitted import FittedModel
from cxmodels.likelihood.objective import Objective
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Estimate
from cxmodels.subscriptions import curves
from cxmodels.subscriptions.cohorts import WHOSE, cohort_table, customer_table
from cxmodels.subscriptions.curves import Ages, Kind
from cxmodels.subscriptions.design import Design, design_of
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.spells import Spells, SpellsObjective
from cxmodels.subscriptions.totals import TotalsObjective


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedSubscriptions(FittedModel):
    """What a subscription model found. `rows`: customers; ages count periods of `unit`.

    unit: length of a period, None where the base did not say; periods: the longest time that was
    observed; counted: at how many ages customers were counted; lost, active: customers.
    """

    family: SubscriptionFamily
    design: Design
    unit: TimeUnit | None
    periods: int
    counted: int
    lost: int
    active: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, in sentences."""
        return tuple(_notes(self))

    def facts(self) -> dict[str, Any]:
        """Kind, family, covariates, unit and counts."""
        return {
            "kind": "subscriptions",
            "family": type(self.family).__name__,
            "design": self.design.to_json(),
            "unit": None if self.unit is None else self.unit.value,
            "periods": self.periods,
            "counted": self.counted,
            "lost": self.lost,
            "active": self.active,
        }

    def survival(
        self,
        t: Ages,
        *,
        age: float = 0.0,
        at: Kind = None,
        level: float = 0.9,
        draws: int = 1000,
        seed: int = 1,
    ) -> pd.DataFrame:
        """P(active at age + t | active at age), S(age + t) / S(age).

        Args: t: periods ahead, a number or several; age: periods that the customer is known to
        have lasted, 0 for a new one; at: values of the covariates; level: width of intervals;
        draws, seed: of the posterior.
        Returns: age (reached), survival, lower, upper; one row for each t.
        """
        ahead, began = curves.ages_of(t, "t"), float(curves.ages_of(age, "age")[0])
        theta = self.posterior(draws, seed=seed).values
        return curves.survival_table(self, ahead, began, at, draws=theta, level=level)

    def retention_rate(
        self, t: Ages, *, at: Kind = None, level: float = 0.9, draws: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """P(active at age t | active at t - 1): the share that renews for the t-th time.

        Args: t: 1 for the first renewal; the others as in `survival`.
        Returns: age, retention_rate, lower, upper; one row for each t.
        """
        ages = curves.ages_of(t, "t", least=1.0)
        theta = self.posterior(draws, seed=seed).values
        return curves.retention_table(self, ages, at, draws=theta, level=level)

    def expected_lifetime(
        self,
        age: Ages = 0.0,
        *,
        horizon: int | str | Span | None = None,
        at: Kind = None,
        level: float = 0.9,
        draws: int = 1000,
        seed: int = 1,
    ) -> pd.DataFrame:
        """Renewals still to come from a customer known to be active at `age`, not discounted.

        Args: age: whole periods; horizon: how far ahead, all future if None, where the mean may be
        infinite: a few customers hardly ever leave.
        Returns: age, expected_lifetime, lower, upper (interval of the expectation); in periods.
        """
        ages = np.floor(curves.ages_of(age, "age"))
        theta = self.posterior(draws, seed=seed).values
        periods = np.inf if horizon is None else np.floor(self.length(horizon))
        return curves.lifetime_table(self, ages, at, periods=periods, draws=theta, level=level)

    def predict(
        self,
        base: SubscriptionBase,
        *,
        horizon: int | str | Span,
        by: str = "cohort",
        level: float = 0.9,
        draws: int = 1000,
        seed: int = 1,
    ) -> pd.DataFrame:
        """Who of today's active customers will still be active.

        Args: base: customers in the unit of the fit; horizon: periods ahead, or a span such as
        "12M"; by: "cohort" for one row a cohort and age, "customer" for one row a customer.
        Returns: by cohort: cohort, age, customers, p_active, expected_customers, lower, upper
        (interval of the expectation), customers_lower, customers_upper (interval that holds the
        count itself). By customer: customer_id, cohort, age, p_active, lower, upper.
        """
        self.check_base(base)
        if by not in WHOSE:
            raise OptionError(f"by={by!r} is not one of {', '.join(WHOSE)}")
        t, theta = self.length(horizon), self.posterior(draws, seed=seed).values
        if by == "customer":
            return customer_table(self, base, t=t, level=level, draws=theta)
        return cohort_table(self, base, t=t, level=level, draws=theta, seed=seed)

    def length(self, horizon: int | str | Span) -> float:
        """A horizon in periods: a number of them, or a span where the unit is known."""
        if isinstance(horizon, int | float | np.number):
            return float(curves.ages_of(float(horizon), "horizon")[0])
        if self.unit is None:
            raise OptionError(
                f"horizon {horizon!r} needs the length of a period: make the base with unit='month'"
                ", or give the number of periods"
            )
        return Span.parse(horizon).length(self.unit)

    def check_base(self, base: SubscriptionBase) -> None:
        """Raises OptionError unless `base` is a subscription base in the unit of the fit."""
        ask_for_subscriptions(base)
        if base.unit is not self.unit:
            fit, given = (
                "not stated" if unit is None else unit.value for unit in (self.unit, base.unit)
            )
            raise OptionError(f"periods of the fit are {fit}, those of the base {given}")


def fit_subscriptions(family: Any, base: SubscriptionBase) -> FittedSubscriptions:
    """Fits a family to a base; DataError where it says nothing about who leaves when."""
    ask_for_subscriptions(base)
    if base.totals is not None:
        return _fit_totals(family, base)
    spells = base.spells if family.whole_periods or base.exact is None else base.exact
    lost, active = spell_counts(spells)
    counted = _counted(spells, family.whole_periods)
    _ask_for_leavers(lost, active, spells, counted)
    design = design_of(family.leaving, spells[list(base.covariates)])
    objective = SpellsObjective(
        family, Spells.of(spells, design), design, int(spells["customers"].sum())
    )
    found = (design, int(lost), int(active), counted)
    return _fitted(family, base, objective, found)


def _fit_totals(family: Any, base: SubscriptionBase) -> FittedSubscriptions:
    if base.totals is None or family.leaving is not None:
        raise OptionError("totals have no covariates: leave `leaving` out")
    acquired, lost = (base.totals[name].to_numpy(np.float64) for name in ("acquired", "lost"))
    at_risk = np.cumsum(acquired) - acquired - (np.cumsum(lost) - lost)
    counted = int((at_risk > 0).sum())
    gone, active = float(lost.sum()), float(acquired.sum() - lost.sum())
    _ask_for_leavers(gone, active, None, counted)
    objective = TotalsObjective(family, acquired, lost)
    return _fitted(family, base, objective, (Design(), int(gone), int(active), counted))


def _fitted(
    family: Any,
    base: SubscriptionBase,
    objective: Objective,
    found: tuple[Design, int, int, int],
) -> FittedSubscriptions:
    design, lost, active, counted = found
    return FittedSubscriptions(
        family=family,
        design=design,
        estimate=maximise(objective, model=family.name),
        unit=base.unit,
        periods=base.periods,
        counted=counted,
        lost=lost,
        active=active,
        objective=objective,
    )


def _counted(spells: pd.DataFrame, whole_periods: bool) -> int:
    """At how many ages above 0 it is known who was still there."""
    ages = spells[["lasted", "ended"]].to_numpy(dtype=np.float64)
    return int(np.unique(ages[np.isfinite(ages) & (ages > 0.0)]).size)


def _ask_for_leavers(lost: float, active: float, spells: pd.DataFrame | None, counted: int) -> None:
    problems = []
    customers = lost + active
    if not lost:
        problems.append(
            Problem(
                f"all {customers:,.0f} customers are still active",
                remedy="Nobody left, so nothing tells when the others will: take a longer window",
            )
        )
    gone = None if spells is None else spells.loc[np.isfinite(spells["ended"]), "lasted"].unique()
    at_once = gone is None or gone.size == 1
    if not active and at_once:
        problems.append(
            Problem(
                f"all {customers:,.0f} customers left at once",
                remedy="Nobody stayed, so nothing tells how customers differ",
            )
        )
    if counted < 2:
        problems.append(
            Problem(
                "customers were counted at a single age",
                remedy="One rate cannot tell how customers differ: two periods are the least, and "
                "a model with three parameters wants three",
            )
        )
    if problems:
        raise DataError("subscription base", problems)


def _notes(fit: FittedSubscriptions) -> Iterator[str]:
    k = fit.family.space.size
    if fit.counted < k:
        yield (
            f"Customers were counted at {fit.counted} ages, and {fit.family.name} has {k} "
            "parameters: more than one curve fits exactly, and what lies beyond is not determined."
        )
    yield (
        f"Customers were observed for {fit.periods} periods at most: what is said of later ages "
        "rests on the model's form."
    )
    kappa = float(fit.family.tail(fit.theta[:k]))
    if kappa <= 1.0:
        yield (
            f"Survival falls like age to the power -{kappa:.2f}: the mean lifetime is infinite, "
            "because a few customers hardly ever leave. Ask for a horizon, or discount."
        )


def read_subscriptions(
    family: SubscriptionFamily, stored: Mapping[str, Any]
) -> FittedSubscriptions:
    """The fit that `save` wrote, without its data."""
    return FittedSubscriptions(
        family=family,
        design=Design.from_json(stored["design"]),
        estimate=Estimate.from_json(stored["estimate"]),
        unit=None if stored["unit"] is None else TimeUnit.parse(stored["unit"]),
        periods=int(stored["periods"]),
        counted=int(stored["counted"]),
        lost=int(stored["lost"]),
        active=int(stored["active"]),
        stored=Draws.from_json(stored["draws"]),
    )
