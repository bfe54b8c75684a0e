"""Customers of one kind, the mix of kinds in a base, and what each covariate does."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.covariates import read
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.errors import OptionError
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.by_paths import ASK_FOR_A_BASE, ByPaths
from cxmodels.purchases.covariates import (
    ByCovariates,
    WithCovariates,
    asked_for_a_kind,
    moved_by,
)
from cxmodels.purchases.design import Design
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.over_time import OverTime
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Criterion, Estimate

if TYPE_CHECKING:
    from cxmodels.purchases.fitted import FittedPurchases


def design_in(family: PurchaseFamily) -> Design | None:
    """The design of a family with covariates; None where customers are alike."""
    return family.link.design if isinstance(family.link, ByCovariates | ByPaths) else None


def one_kind(family: PurchaseFamily) -> None:
    """Raises OptionError where the customers of a family differ: the question is about one kind."""
    design = design_in(family)
    if design is not None:
        raise OptionError(ASK_FOR_A_BASE if design.over_time else asked_for_a_kind(design))


def kind_of(fit: "FittedPurchases", covariates: dict[str, object]) -> "FittedPurchases":
    """The fit for customers with these covariates; see FittedPurchases.at."""
    family, link = fit.family, fit.family.link
    if isinstance(link, ByPaths):
        raise OptionError(ASK_FOR_A_BASE)
    if not (isinstance(family, WithCovariates) and isinstance(link, ByCovariates)):
        raise OptionError("this fit has no covariates: it holds for every customer as it is")
    wanted = [item.name for item in link.design.variables]
    if set(covariates) != set(wanted):
        given = ", ".join(covariates) or "nothing"
        raise OptionError(f"at() takes {', '.join(wanted)}, got {given}")
    one = link.at(pd.DataFrame({name: [covariates[name]] for name in wanted}))
    only = np.zeros(1, dtype=np.int64)

    def drawn(draws: int, seed: int, prior: NormalPrior | None) -> Draws:
        whole = fit.posterior(draws, seed=seed, prior=prior)
        return replace(
            whole, names=family.plain.space.names, values=one.rows(whole.values, only)[:, 0]
        )

    shown = ", ".join(f"{name}={covariates[name]!r}" for name in wanted)
    said = f"For customers with {shown}, from a fit with covariates."
    return replace(
        fit,
        family=family.plain,
        estimate=_estimate(fit.estimate, family.plain, one),
        objective=None,
        stored=None,
        drawn=drawn,
        plain_log_likelihood=None,
        remarks=(said, *fit.remarks[1:]),
    )


def usual(fit: "FittedPurchases", base: CustomerBase) -> "FittedPurchases":
    """The fit for the most usual customer of a base: the most frequent level of each category and
    the median of each number; the fit itself where it has no covariates."""
    design = design_in(fit.family)
    if design is None:
        return fit
    seen = read(base.table, design.variables)
    middle = {
        item.name: seen[item.name].mode()[0] if item.levels else float(seen[item.name].median())
        for item in design.variables
    }
    return kind_of(fit, middle)


def _estimate(whole: Estimate, family: PurchaseFamily, one: ByCovariates) -> Estimate:
    """Own parameters with the covariance that the delta method gives, on the real scale."""
    space, scales = family.space, whole.scales[: family.space.size]
    theta = one.rows(whole.theta, np.zeros(1, dtype=np.int64))[0]
    inner = whole.space.slope(whole.real, whole.scales)
    outer = space.slope(space.to_real(theta, scales), scales)
    J = one.jacobian(whole.theta) * inner / outer[:, None]
    covariance = J @ np.nan_to_num(whole.real_covariance) @ J.T
    follows = np.abs(J) > 0.0
    return replace(
        whole,
        space=space,
        theta=theta,
        information=np.asarray(np.linalg.pinv(covariance, rcond=1e-12, hermitian=True)),
        scales=scales,
        free=np.asarray(~(follows & ~whole.free).any(axis=1)),
        limits=(),
        criterion=Criterion.KIND,
    )


@dataclass(frozen=True)
class CovariateEffects:
    """What the covariates of a fit do.

    effects: process, covariate, effect_per_cent (of one unit) with lower and upper, moves;
    likelihood_ratio: one row against the same family without covariates: statistic,
    degrees_of_freedom, p_value, sentence; None where a penalty or prior held the fit back.
    """

    effects: pd.DataFrame
    likelihood_ratio: pd.DataFrame | None


def effects_of(fit: "FittedPurchases", level: float = 0.9) -> CovariateEffects:
    """See CovariateEffects; OptionError for a fit without covariates."""
    design, family = design_in(fit.family), fit.family
    if design is None or not isinstance(family, WithCovariates | OverTime):
        raise OptionError("this fit has no covariates: give purchase= or dropout= a formula")
    found = fit.estimate.parameters(level)
    rows = []
    for side in design.sides:
        for column, place in zip(side.columns, side.places, strict=True):
            line = found.loc[[design.coefficients[place]]].iloc[0].to_dict()
            rows.append(
                {
                    "process": side.process,
                    "covariate": column,
                    "effect_per_cent": _per_cent(line["estimate"]),
                    "lower": _per_cent(line["lower"]),
                    "upper": _per_cent(line["upper"]),
                    "moves": moved_by(family.plain, side.process).what,
                }
            )
    return CovariateEffects(pd.DataFrame(rows), _likelihood_ratio(fit, design))


def _per_cent(log_factor: Any) -> float:
    with np.errstate(over="ignore"):  # an effect without bound is infinite
        return 100.0 * float(np.expm1(log_factor))


def _likelihood_ratio(fit: "FittedPurchases", design: Design) -> pd.DataFrame | None:
    """Twice the gain of log likelihood, chi-square with one degree for each coefficient (Wilks)."""
    if fit.plain_log_likelihood is None or fit.estimate.criterion is not Criterion.LIKELIHOOD:
        return None
    gain, degrees = fit.log_likelihood - fit.plain_log_likelihood, len(design.coefficients)
    statistic = max(0.0, 2.0 * gain)
    p = float(scipy.special.chdtrc(degrees, statistic))
    said = (
        f"covariates raise the log likelihood by {gain:,.2f}: by chance alone they would do as "
        f"much with probability {p:.2g}"
    )
    row = {"statistic": statistic, "degrees_of_freedom": degrees, "p_value": p, "sentence": said}
    return pd.DataFrame([row])


@dataclass(frozen=True)
class Mix:
    """Groups of customers of one age and kind: T (g,), kind (g,) and how many they are (g,)."""

    T: Floats
    kind: Ints
    size: Floats

    @classmethod
    def of(cls, seen: Profiles, ages: bool = True) -> "Mix":
        """The groups among m distinct histories; by kind alone where age does not matter."""
        T, age = np.unique(seen.T, return_inverse=True)
        if not ages:
            T, age = np.zeros(1), np.zeros(seen.T.size, dtype=np.int64)
        key = seen.kind * T.size + age
        found, first, place = np.unique(key, return_index=True, return_inverse=True)
        size = np.bincount(place, weights=seen.weight).astype(np.float64)
        return cls(T[found % T.size], seen.kind[first], size)

    def few(self, most: int) -> "Mix":
        """At most `most` groups that stand for all: every so many customers, in order."""
        if self.size.size <= most:
            return self
        ends = np.cumsum(self.size)
        steps = (np.arange(most) + 0.5) * ends[-1] / most
        chosen = np.searchsorted(ends, steps)
        found, count = np.unique(chosen, return_counts=True)
        return Mix(self.T[found], self.kind[found], count * ends[-1] / most)

    def drawn(self, count: int, rng: np.random.Generator) -> Ints:
        """Kinds (count,) of customers taken at random."""
        shares = self.size / self.size.sum()
        return np.asarray(self.kind[rng.choice(self.size.size, size=count, p=shares)])
