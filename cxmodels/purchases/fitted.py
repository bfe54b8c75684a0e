"""A fitted purchase model: its parameters, and what each customer will do next."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, cast

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase, Profiles, ask_for_base
from cxmodels.data.units import Span, TimeUnit
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.fitted import FittedModel
from cxmodels.likelihood.objective import Objective
from cxmodels.likelihood.penalised import Penalised, held_back, maximise_penalised
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.asked import ALIKE, Asked
from cxmodels.purchases.covariate_likelihood import CovariatesObjective
from cxmodels.purchases.covariates import WithCovariates
from cxmodels.purchases.design import Design, design_of
from cxmodels.purchases.family import PurchaseFamily, whole_counts, window_pmf
from cxmodels.purchases.kinds import CovariateEffects, design_in, effects_of, kind_of, one_kind
from cxmodels.purchases.opportunities import ask_for_opportunities, whole_horizon
from cxmodels.purchases.over_time import OverTime, with_design
from cxmodels.purchases.over_time_likelihood import OverTimeObjective
from cxmodels.purchases.prediction import new_customer_table, prediction_table
from cxmodels.purchases.simulation import AliveGroups, p_alive, simulated_log
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Estimate


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedPurchases(FittedModel):
    """What a purchase model found. `rows`: customers used; times are in `unit`.

    end: last day of the base it was fitted to, from which horizons run; None where unknown.
    plain_log_likelihood: of the same family without covariates; remarks: said first in `notes`.
    """

    family: PurchaseFamily
    unit: TimeUnit
    repeaters: int
    end: date | None = None
    plain_log_likelihood: float | None = None
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, in sentences."""
        if self.family.discrete:
            return (
                *self.remarks,
                f"{self.family.name} counts opportunities, one a {self.unit.value}: a horizon that "
                "ends between two of them counts those before its end.",
            )
        once = self.rows - self.repeaters
        if self.family.nobody_leaves:
            return (
                *self.remarks,
                f"{self.family.name} lets nobody leave: P(alive) is 1 for all {self.rows:,} "
                "customers, and purchases go on at their past rate for ever. It is a yardstick; "
                "where some customers have left, its forecasts and values are too high.",
            )
        if not (self.family.one_time_buyers_alive and once):
            return self.remarks
        return (
            *self.remarks,
            f"{self.family.name} gives P(alive) = 1 to the {once:,} of {self.rows:,} customers who "
            "bought once: by construction they have had no occasion to leave. MBG/NBD and "
            "Pareto/NBD let them leave; where most customers bought once, compare the equity.",
        )

    def facts(self) -> dict[str, Any]:
        """Kind, family with its choices, the design of its covariates, unit, repeaters, end."""
        design, family = design_in(self.family), self.family
        plain = family.plain if isinstance(family, WithCovariates | OverTime) else family
        return {
            "kind": "purchases",
            "family": type(plain).__name__,
            "design": None if design is None else design.to_json(),
            "plain_log_likelihood": self.plain_log_likelihood,
            "unit": self.unit.value,
            "repeaters": self.repeaters,
            "end": None if self.end is None else self.end.isoformat(),
            "choices": choices(plain),
            "remarks": list(self.remarks),
        }

    def predict(
        self,
        base: CustomerBase,
        *,
        horizon: str | Span,
        level: float = 0.9,
        draws: int | None = None,
        seed: int = 1,
    ) -> pd.DataFrame:
        """What each customer of a base will do after the base's end.

        Args: base: customers in the unit of the fit; horizon: such as "52W" or "12M"; level:
        width of intervals; draws: of the posterior, 1,000 if None (200 for very large bases);
        seed: of draws and simulation.
        Returns: customer_id, p_alive (now), p_alive_at_horizon, expected_purchases, lower, upper
        (interval of the expectation), purchases_lower, purchases_upper (interval that holds the
        customer's count of purchases with probability `level`), p_no_purchase.
        """
        self.check_base(base)
        return prediction_table(
            self, base, t=self.length(horizon, base.end), level=level, draws=draws, seed=seed
        )

    def new_customer(
        self, *, horizon: str | Span, level: float = 0.9, draws: int = 1000, seed: int = 1
    ) -> pd.DataFrame:
        """What a customer just acquired will do: repeat purchases after the first one.

        Returns: one row, columns as in `predict` without customer_id and p_alive.
        """
        one_kind(self.family)
        theta = self.posterior(draws, seed=seed).values
        return new_customer_table(self, theta, t=self.length(horizon), level=level, seed=seed)

    def pmf(self, n: int | Ints, *, horizon: str | Span, start: str | Span | None = None) -> Floats:
        """P(a new customer makes n repeat purchases), at the fitted parameters.

        Args: n: counts, a number or (j,); horizon: length of the window; start: how long after
        the first purchase the window opens, at once if None.
        Returns: (j,) probabilities.
        """
        one_kind(self.family)
        counts = whole_counts(n)
        opens = 0.0 if start is None else self.length(start)
        if opens == 0.0:
            return np.exp(self.family.log_pmf(self.theta, counts, np.float64(self.length(horizon))))
        return window_pmf(self.family, self.theta, counts, (opens, opens + self.length(horizon)))

    def conditional_pmf(self, n: int | Ints, base: CustomerBase, *, horizon: str | Span) -> Floats:
        """P(customer makes n purchases in the horizon | history): (customers, j)."""
        self.check_base(base)
        counts, t = whole_counts(n), self.length(horizon, base.end)
        fit, seen = self.on(base)
        groups, now = (
            AliveGroups.of(fit.family, seen),
            p_alive(fit.family, fit.theta, seen)[:, None],
        )
        updated = groups.alive(fit.family, fit.theta)[:, None, :]
        pmf = now * np.exp(fit.family.log_pmf(updated, counts, np.float64(t)))[groups.group]
        result: Floats = (pmf + (1.0 - now) * (counts == 0))[seen.row]
        return result

    def simulate(self, customers: int, *, T: float, seed: int = 1) -> pd.DataFrame:
        """Simulated customers observed for T units from their first purchase (simulated data).

        Returns: customer_id, time (0 for the first purchase), simulated (always True).
        """
        one_kind(self.family)
        return simulated_log(self.family, self.theta, customers, T=T, seed=seed)

    def at(self, **covariates: object) -> "FittedPurchases":
        """The fit for customers of one kind, as in fit.at(channel="web", satisfaction=8).

        A fit without covariates whose parameters and draws are those of that kind: what a new
        customer of it does, pmf, simulate, maps and values can be asked of it.
        """
        return kind_of(self, covariates)

    @property
    def covariates(self) -> CovariateEffects:
        """What covariates do: effects in per cent a unit, likelihood ratio against none."""
        return effects_of(self)

    def on(self, base: CustomerBase) -> "tuple[FittedPurchases, Profiles]":
        """The fit as it holds for the customers of `base`, and their distinct histories."""
        self.check_base(base)
        link, seen = self.family.link.on(base)
        if link is self.family.link:
            return self, seen
        linked: PurchaseFamily = replace(cast(Any, self.family), link=link)
        return replace(self, family=linked), seen

    def length(self, horizon: str | Span, start: date | None = None) -> float:
        """A horizon in the fit's unit; calendar months count from `start` or the base's end.

        Whole opportunities in discrete time, rounded down.
        """
        length = Span.parse(horizon).length(self.unit, start or self.end)
        return whole_horizon(length, horizon, self.unit.value) if self.family.discrete else length

    def check_base(self, base: CustomerBase) -> None:
        """Raises OptionError unless `base` is a customer base in the unit of the fit.

        DataError where the family counts opportunities and the base does not.
        """
        ask_for_base(base)
        if base.unit is not self.unit:
            raise OptionError(
                f"the fit is in {self.unit.value}s, the base in {base.unit.value}s: make the base "
                f"with unit={self.unit.value!r}"
            )
        if self.family.discrete:
            ask_for_opportunities(base)


def choices(family: PurchaseFamily) -> dict[str, int]:
    """The whole numbers with which a family was made, such as k."""
    made = [item.name for item in fields(cast(Any, family)) if item.init]
    found = {name: getattr(family, name) for name in made}
    return {name: int(value) for name, value in found.items() if isinstance(value, int)}


def fit_purchases(
    family: PurchaseFamily,
    base: CustomerBase,
    asked: Asked = ALIKE,
    *,
    constant: float = 0.0,
    remarks: tuple[str, ...] = (),
) -> FittedPurchases:
    """Fits a family to a base; DataError where the base cannot say anything about repeat buying.

    constant: what is known of the log likelihood without parameters, for a HistoriesObjective.
    """
    ask_for_base(base)
    seen = base.profiles
    repeaters = int(seen.weight[seen.frequency > 0].sum())
    _ask_for_repeaters(base.customers, repeaters, bool((seen.T > 0).any()))
    design = design_of(base, asked.formulas, asked.equal)
    model = family if design is None else with_design(family, design)
    objective, plain = _plus(family.objective(seen), constant), None
    if isinstance(model, WithCovariates | OverTime):
        alike = maximise(objective, model=family.name)
        objective = _plus(_varied(model, base, alike.theta), constant)
        plain = alike.log_likelihood
    objective = held_back(objective, family.space.size, asked.penalty, asked.prior)
    if isinstance(objective, Penalised):
        estimate = maximise_penalised(objective, model=model.name)
    else:
        estimate = maximise(objective, model=model.name)
    return FittedPurchases(
        family=model,
        estimate=estimate,
        unit=base.unit,
        repeaters=repeaters,
        end=base.end,
        objective=objective,
        plain_log_likelihood=plain,
        remarks=(*_remarks(design, asked), *remarks),
    )


def _varied(model: WithCovariates | OverTime, base: CustomerBase, theta: Floats) -> Objective:
    """The likelihood of customers who differ, searched from where they are alike."""
    if isinstance(model, OverTime):
        return OverTimeObjective.of(model, base, theta)
    link, seen = model.link.on(base)
    return CovariatesObjective.of(replace(model, link=link), seen, theta)


def _plus(objective: Objective, constant: float) -> Objective:
    """The same with a constant added to the log likelihood."""
    return replace(cast(Any, objective), constant=constant) if constant else objective


def _remarks(design: Design | None, asked: Asked) -> tuple[str, ...]:
    said = []
    if design is not None:
        said.append(
            "The family's own parameters are those of a customer at the mean of every covariate "
            "column over the customers it was fitted to."
        )
    if design is not None and design.over_time:
        said.append(
            "Covariates change over time: predictions follow the path that the base gives for "
            "the future, row by row. That path is projected, not known; its own uncertainty is in "
            "no interval. Compare several projections."
        )
    if asked.penalty:
        said.append(
            f"Coefficients are held towards 0 by a penalty of {asked.penalty:g} on their squares "
            "per standard deviation: the fit maximises the penalised log likelihood, its intervals "
            "are too, and AIC and BIC are not offered."
        )
    if asked.prior is not None:
        said.append(
            "MAP: estimates are the mode of the posterior under the given prior, not the maximum "
            "of the likelihood; draws use the same prior."
        )
    return tuple(said)


def _ask_for_repeaters(customers: int, repeaters: int, time_passed: bool) -> None:
    problems = []
    if customers < 2:
        problems.append(
            Problem(
                f"{customers} customer: a model compares customers",
                remedy="Two are the least; hundreds are wanted.",
            )
        )
    if not time_passed:
        problems.append(
            Problem(
                "all customers were first seen on the last day: no time to repeat",
                remedy="Set `end` later, or take a longer log.",
            )
        )
    if not repeaters:
        problems.append(
            Problem(
                f"none of {customers:,} customers bought a second time",
                remedy="Without a repeat purchase neither rate nor drop-out can be learnt: take a "
                "longer window, or check that customer ids identify people across orders.",
            )
        )
    if problems:
        raise DataError("customer base", problems)


def read_purchases(family: PurchaseFamily, stored: Mapping[str, Any]) -> FittedPurchases:
    """The fit that `save` wrote, without its data."""
    design = stored.get("design")
    if design is not None:
        family = with_design(family, Design.from_json(design))
    return FittedPurchases(
        family=family,
        estimate=Estimate.from_json(stored["estimate"]),
        unit=TimeUnit.parse(stored["unit"]),
        repeaters=int(stored["repeaters"]),
        end=None if stored["end"] is None else date.fromisoformat(stored["end"]),
        stored=Draws.from_json(stored["draws"]),
        plain_log_likelihood=stored.get("plain_log_likelihood"),
        remarks=tuple(stored.get("remarks", ())),
    )
