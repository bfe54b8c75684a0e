"""What customers under contract will still pay: by age, by cohort, and for the base as a whole.

Whoever renews pays once a period. A customer known to be active at age T brings the discounted sum
of S(T + t) / S(T); the naive answer gives everybody one constant retention rate and is too low,
because old customers are loyal ones (Fader and Hardie 2010, "Customer-base valuation in a
contractual setting: the perils of ignoring heterogeneity", Marketing Science 29).
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.data.units import Span
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats
from cxmodels.results.draws import FIGURES
from cxmodels.results.estimate import check_level
from cxmodels.subscriptions.cohorts import Groups, gamma_draws
from cxmodels.subscriptions.curves import Ages, Kind, ages_of, curve, ends, shifts
from cxmodels.subscriptions.fitted import FittedSubscriptions
from cxmodels.subscriptions.lifetime import further_renewals, naive_renewals
from cxmodels.value.discount import DiscountCurve
from cxmodels.value.terms import as_number


class Due(Enum):
    """When the next renewal is paid, seen from the day of valuation."""

    NOW = "now"
    NEXT_PERIOD = "next period"

    @classmethod
    def parse(cls, text: "str | Due") -> "Due":
        """The choice named by `text`."""
        try:
            return cls(text)
        except ValueError:
            choices = ", ".join(item.value for item in cls)
            raise OptionError(f"next_payment {text!r} is not one of {choices}") from None


@dataclass(frozen=True)
class _Terms:
    """force: discount rate a period; periods: renewals that count; factor: of the first one."""

    force: float
    periods: float
    factor: float

    @classmethod
    def of(
        cls,
        fit: FittedSubscriptions,
        rate: float,
        horizon: "int | str | Span | None",
        next_payment: "str | Due",
    ) -> "_Terms":
        if fit.unit is None:
            raise OptionError(
                "a rate is annual, and the length of a period is not stated: make the base with "
                "unit='month' or another"
            )
        curve = DiscountCurve.of(horizon="1Y", rate=rate, unit=fit.unit)
        if horizon is None and rate == 0:
            raise OptionError("all future needs a discount_rate above 0: give a horizon or a rate")
        periods = np.inf if horizon is None else np.floor(fit.length(horizon) + 1e-9)
        later = Due.parse(next_payment) is Due.NEXT_PERIOD
        return cls(curve.force, float(periods), float(np.exp(-curve.force)) if later else 1.0)


def residual_lifetime(  # noqa: PLR0913 - every term of a valuation by name
    fit: FittedSubscriptions,
    age: Ages,
    *,
    discount_rate: float,
    horizon: "int | str | Span | None" = None,
    next_payment: "str | Due" = Due.NOW,
    at: Kind = None,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Discounted expected residual lifetime: renewals still to come, each worth 1 when paid.

    Args: fit: a subscription fit; age: whole periods that a customer is known to have lasted, 0
    for one before the first renewal; discount_rate: annual and effective; horizon: periods or a
    span, all future if None; next_payment: "now" where the next renewal is due on the day of
    valuation, "next period" where one has just been paid; at: values of the covariates; level,
    draws, seed: of the interval.
    Returns: age, discounted_lifetime, lower, upper (interval of the expectation), in payments.
    """
    ages = np.floor(ages_of(age, "age"))
    terms = _Terms.of(fit, discount_rate, horizon, next_payment)
    k = fit.family.space.size

    def lifetime(theta: Floats) -> Floats:
        shift = shifts(fit, theta, at)[:, 0]
        made = further_renewals(
            fit.family, theta[:, :k], ages, force=terms.force, periods=terms.periods, shift=shift
        )
        return terms.factor * made.mean

    theta = fit.posterior(draws, seed=seed).values
    return curve(fit, lifetime, "discounted_lifetime", ages, draws=theta, level=level)


@dataclass(frozen=True, repr=False)
class SubscriptionValue:
    """What the present customers of a base will still pay, discounted.

    total: one row: customers, residual_value, lower, upper (interval of what they will pay:
    parameters and behaviour), value_lower, value_upper (of its expectation: parameters alone),
    naive_value, difference. cohorts: the same by cohort and age. naive_retention: the constant rate
    of the naive answer: of the last period, over all customers who were up for renewal in it.
    sentence: the finding.
    """

    total: pd.DataFrame
    cohorts: pd.DataFrame
    naive_retention: float
    sentence: str

    def __repr__(self) -> str:
        shown = self.cohorts.to_string(float_format=FIGURES, index=False)
        return f"{self.sentence}\n{shown}"

    def _repr_html_(self) -> str:
        from html import escape

        shown = self.cohorts.to_html(float_format=FIGURES, index=False)
        return f"<p>{escape(self.sentence)}</p>{shown}"


def subscription_value(  # noqa: PLR0913 - every term of a valuation by name
    fit: FittedSubscriptions,
    base: SubscriptionBase,
    *,
    discount_rate: float,
    amount: "float | pd.Series[float]" = 1.0,
    horizon: "int | str | Span | None" = None,
    next_payment: "str | Due" = Due.NOW,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 1,
) -> SubscriptionValue:
    """The value of a base of many cohorts, beside the naive answer.

    Args: fit: a subscription fit; base: its present customers; discount_rate: annual and effective;
    amount: margin of one renewal, a number or a Series by cohort; horizon: periods or a span, all
    future if None; next_payment: as in `residual_lifetime`; level, draws, seed: of the intervals.
    Returns: the value with its tables.
    Customers share the parameters, so cohorts are drawn jointly; given them, a cohort's payments
    have their exact mean and variance, and a gamma distribution.
    """
    fit.check_base(base)
    inside, groups = check_level(level), Groups.of(fit, base)
    terms = _Terms.of(fit, discount_rate, horizon, next_payment)
    each = _amounts(amount, groups.table["cohort"]) * terms.factor
    drawn = groups.renewals(
        fit, fit.posterior(draws, seed=seed).values, force=terms.force, periods=terms.periods
    )
    point = groups.renewals(fit, fit.theta[None], force=terms.force, periods=terms.periods).mean[0]
    retention = constant_retention(base)
    naive = naive_renewals(retention, force=terms.force, periods=terms.periods)
    worth = groups.customers * each
    mean = worth * drawn.mean
    variance = groups.customers * each**2 * drawn.variance
    rng = generator(seed, 13)
    facts = {"residual_value": worth * point, "naive_value": worth * naive}
    own = groups.table[["cohort", "age", "customers"]]
    cohorts = _valued(own, facts, mean, gamma_draws(mean, variance, rng), inside)
    whole = {name: values.sum(keepdims=True) for name, values in facts.items()}
    sums = mean.sum(axis=1, keepdims=True)
    paid = gamma_draws(sums, variance.sum(axis=1, keepdims=True), rng)
    everybody = pd.DataFrame({"customers": [int(groups.customers.sum())]})
    total = _valued(everybody, whole, sums, paid, inside)
    return SubscriptionValue(total, cohorts, retention, _sentence(total.iloc[0], retention, inside))


def _valued(
    own: pd.DataFrame, facts: dict[str, Floats], mean: Floats, paid: Floats, level: float
) -> pd.DataFrame:
    (lower, upper), (least, most) = ends(paid, level), ends(mean, level)
    return own.assign(
        residual_value=facts["residual_value"],
        lower=lower,
        upper=upper,
        value_lower=least,
        value_upper=most,
        naive_value=facts["naive_value"],
        difference=facts["residual_value"] - facts["naive_value"],
    )


def _sentence(total: "pd.Series[float]", retention: float, level: float) -> str:
    value, naive = total["residual_value"], total["naive_value"]
    off = abs(naive / value - 1.0)
    side = "below" if naive < value else "above"
    band = f"{total['lower']:,.0f} to {total['upper']:,.0f}, {level:.0%}"
    return (
        f"{total['customers']:,.0f} customers will still pay {value:,.0f} ({band}), discounted; "
        f"a constant retention of {retention:.1%} gives {naive:,.0f}, {off:.0%} {side}"
    )


def constant_retention(base: SubscriptionBase) -> float:
    """The naive rate: of all customers up for renewal in the last period, the share that renewed.

    Where counts of the last period are missing: renewals over chances to renew, of all periods.
    """
    known = base.cohorts["previous"].notna()
    before = float(base.cohorts.loc[known, "previous"].sum())
    if before > 0:
        return float(base.cohorts.loc[known, "renewed"].sum()) / before
    spells = base.spells
    lost = np.isfinite(spells["ended"])
    time = np.where(lost, spells["ended"], spells["lasted"]) - spells["entry"]
    chances = float((time * spells["customers"]).sum())
    return 1.0 - float(spells.loc[lost, "customers"].sum()) / max(chances, 1.0)


def _amounts(amount: object, cohorts: "pd.Series[str]") -> Floats:
    """(j,) margin of one renewal of each group."""
    if not isinstance(amount, pd.Series):
        return np.full(len(cohorts), as_number(amount, "amount"))
    if amount.index.has_duplicates:
        raise DataError("amount", [Problem("several amounts for one cohort")])
    missing = ~cohorts.isin(amount.index)
    if missing.any():
        first = f"cohort {cohorts[missing].iloc[0]}"
        raise DataError("amount", [Problem("a cohort has no amount", int(missing.sum()), first)])
    return amount.reindex(cohorts).to_numpy(dtype=np.float64)
