"""Survival, renewal and lifetime by age, as tables with intervals."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.lifetime import further_renewals

if TYPE_CHECKING:
    from cxmodels.subscriptions.fitted import FittedSubscriptions

Ages = float | Iterable[float]
Kind = dict[str, object] | None


def ages_of(given: Ages, name: str, least: float = 0.0) -> Floats:
    """Ages (j,) from a number or several; OptionError where one cannot be an age."""
    try:
        several = list(given) if isinstance(given, Iterable) else [given]
        ages = np.asarray(several, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"{name} counts periods: a number or several, got {given!r}") from None
    if ages.ndim != 1 or not ages.size or not (np.isfinite(ages) & (ages >= least)).all():
        raise OptionError(f"{name} counts periods, {least:g} or more, got {given!r}")
    return ages


def whole(ages: Floats, family: SubscriptionFamily) -> Floats:
    """Ages at which something can have happened: renewals where contracts end at them alone."""
    return np.floor(ages) if family.whole_periods else ages


def shifts(fit: "FittedSubscriptions", theta: Floats, at: Kind) -> Floats:
    """(d, 1): what covariates add for a customer with the values `at`."""
    names = fit.design.columns
    if not names:
        if at:
            raise OptionError("the fit has no covariates: leave `at` out")
        return np.zeros((1, 1))
    missing = [name for name in names if name not in (at or {})]
    if missing:
        raise OptionError(
            f"who is asked about? give at={{...}} with a value for {', '.join(missing)}"
        )
    numbers = fit.design.matrix(pd.DataFrame([at]))
    return np.asarray(theta[:, fit.family.space.size :] @ numbers.T)


def survival_table(
    fit: "FittedSubscriptions", t: Floats, age: float, at: Kind, *, draws: Floats, level: float
) -> pd.DataFrame:
    """age, survival, lower, upper: P(active at age + t | active at age)."""
    began, ends = whole(np.array(age), fit.family), whole(age + t, fit.family)

    def survival(theta: Floats) -> Floats:
        own, shift = theta[:, None, : fit.family.space.size], shifts(fit, theta, at)
        return np.exp(fit.family.log_ratio(own, began, ends, shift if shift.any() else 0.0))

    return curve(fit, survival, "survival", age + t, draws=draws, level=level)


def retention_table(
    fit: "FittedSubscriptions", t: Floats, at: Kind, *, draws: Floats, level: float
) -> pd.DataFrame:
    """age, retention_rate, lower, upper: P(active at t | active at t - 1)."""

    def retention(theta: Floats) -> Floats:
        own, shift = theta[:, None, : fit.family.space.size], shifts(fit, theta, at)
        ages = whole(t, fit.family)
        return np.exp(fit.family.log_ratio(own, ages - 1.0, ages, shift if shift.any() else 0.0))

    return curve(fit, retention, "retention_rate", t, draws=draws, level=level)


def lifetime_table(
    fit: "FittedSubscriptions",
    ages: Floats,
    at: Kind,
    *,
    periods: float,
    draws: Floats,
    level: float,
) -> pd.DataFrame:
    """age, expected_lifetime, lower, upper: renewals that a customer active at that age brings."""

    def lifetime(theta: Floats) -> Floats:
        own, shift = theta[:, : fit.family.space.size], shifts(fit, theta, at)[:, 0]
        return further_renewals(fit.family, own, ages, force=0.0, periods=periods, shift=shift).mean

    return curve(fit, lifetime, "expected_lifetime", ages, draws=draws, level=level)


def curve(
    fit: "FittedSubscriptions",
    formula: Callable[[Floats], Floats],
    name: str,
    ages: Floats,
    *,
    draws: Floats,
    level: float,
) -> pd.DataFrame:
    """A formula of parameters (d, k) at the estimate, with the interval of its draws."""
    inside = check_level(level)
    lower, upper = ends(formula(draws), inside)
    point = formula(fit.theta[None])[0]
    age = ages.astype(np.int64) if (ages == np.floor(ages)).all() else ages
    return pd.DataFrame({"age": age, name: point, "lower": lower, "upper": upper})


def ends(values: Floats, level: float) -> tuple[Floats, Floats]:
    """Lower and upper end (j,) of draws (d, j); infinite draws count as large."""
    d = len(values)
    order = np.sort(values, axis=0)
    places = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0]) * (d - 1)
    low, part = np.floor(places).astype(np.int64), (places % 1.0)[:, None]
    first, second = order[low], order[np.minimum(low + 1, d - 1)]
    gap = np.where(np.isinf(second), 0.0, np.where(np.isinf(second), 0.0, second) - np.where(
        np.isinf(first), 0.0, first))  # fmt: skip
    both = np.where(np.isinf(second) & (part > 0.0), np.inf, first + part * gap)
    return both[0], both[1]
