"""A likelihood held back by a penalty or a prior, and its maximum, which is called what it is.

An L2 penalty subtracts penalty * sum of squared standardised coefficients; a normal prior adds its
log density. Both are normal terms in real coordinates, with an infinite standard deviation where
nothing holds a parameter back. Source: Hoerl and Kennard (1970) for the penalty.
"""

from dataclasses import dataclass, replace

import numpy as np

from cxmodels.errors import OptionError
from cxmodels.likelihood.fit import maximise
from cxmodels.likelihood.objective import Derivatives, Objective, RealScale
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Space
from cxmodels.results.estimate import Criterion, Estimate, Status


@dataclass(frozen=True, eq=False)
class Penalised:
    """An objective less 1/2 sum ((u - mean) / sd)^2 in real coordinates u (k,).

    prior: where the term is a prior's, so that draws from the posterior use it once.
    """

    likelihood: Objective
    mean: Floats
    sd: Floats
    prior: NormalPrior | None = None

    @classmethod
    def by_prior(cls, likelihood: Objective, prior: NormalPrior) -> "Penalised":
        """The log posterior density in real coordinates, up to a constant."""
        return cls(likelihood, *prior.placed(RealScale(likelihood)), prior)

    @classmethod
    def by_penalty(cls, likelihood: Objective, penalty: float, first: int) -> "Penalised":
        """The L2 penalty on the parameters from place `first` on."""
        size = likelihood.space.size
        free = np.arange(size) < first
        sd = np.where(free, np.inf, 1.0 / np.sqrt(2.0 * penalty))
        return cls(likelihood, np.zeros(size), sd)

    @property
    def space(self) -> Space:
        """The family's parameters."""
        return self.likelihood.space

    @property
    def rows(self) -> int:
        """Customers."""
        return self.likelihood.rows

    @property
    def scales(self) -> Floats:
        """The data's own scale of each parameter (k,)."""
        return self.likelihood.scales

    def starts(self) -> Floats:
        """The likelihood's own starting values."""
        return self.likelihood.starts()

    def thinned(self, rows: int) -> "Penalised":
        """The same on fewer rows."""
        few = self.likelihood.thinned(rows)
        return self if few is self.likelihood else replace(self, likelihood=few)

    def penalty(self, theta: Floats) -> Floats:
        """What is subtracted at theta (..., k)."""
        away = (self.space.to_real(theta, self.scales) - self.mean) / self.sd
        return np.asarray(0.5 * (away**2).sum(axis=-1))

    def log_likelihood(self, theta: Floats) -> Floats:
        """The penalised log likelihood (...) at theta (..., k)."""
        return self.likelihood.log_likelihood(theta) - self.penalty(theta)

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian in natural parameters.

        u' = 1 / s and u'' = -c / s^3 with s, c the slope and curvature of theta in u.
        """
        found, space = self.likelihood.derivatives(theta), self.space
        real = space.to_real(theta, self.scales)
        slope, bend = space.slope(real, self.scales), space.curvature(real, self.scales)
        pull = (real - self.mean) / self.sd**2
        gradient = pull / slope
        hessian = 1.0 / (self.sd * slope) ** 2 - pull * bend / slope**3
        return Derivatives(
            found.value - float(self.penalty(theta)),
            found.gradient - gradient,
            found.hessian - np.diag(hessian),
        )


def maximise_penalised(objective: Penalised, *, model: str) -> Estimate:
    """The maximum of a penalised likelihood, or a posterior mode, and said to be that.

    Its log_likelihood is the likelihood's own, its penalty what was subtracted.
    """
    found = maximise(objective, model=model)
    penalty = float(objective.penalty(found.theta))
    criterion = Criterion.PENALISED if objective.prior is None else Criterion.POSTERIOR
    sentence = f"{found.status.sentence}; {criterion.value}, not maximum likelihood"
    if criterion is Criterion.PENALISED:
        sentence += f" (penalised log likelihood {found.log_likelihood:,.2f})"
    return replace(
        found,
        log_likelihood=found.log_likelihood + penalty,
        penalty=penalty,
        criterion=criterion,
        status=Status(found.status.outcome, sentence),
    )


def held_back(objective: Objective, first: int, penalty: object, prior: object) -> Objective:
    """The objective as `penalty` or `prior` ask for it; OptionError where they make no sense.

    first: place of the first coefficient; the penalty leaves what stands before it alone.
    """
    if isinstance(penalty, bool) or not isinstance(penalty, int | float | np.number):
        raise OptionError(f"penalty is a number, 0 for none, got {penalty!r}")
    if not (np.isfinite(penalty) and penalty >= 0.0):
        raise OptionError(f"penalty is a number of 0 or more, got {penalty}")
    if prior is not None and not isinstance(prior, NormalPrior):
        raise OptionError(f"prior is a cx.NormalPrior(...) or None, got {prior!r}")
    if penalty and prior is not None:
        raise OptionError("penalty and prior hold the coefficients back twice: give one of them")
    if prior is not None:
        return Penalised.by_prior(objective, prior)
    if not penalty:
        return objective
    if first == objective.space.size:
        raise OptionError("penalty is on coefficients of covariates, and there are none")
    return Penalised.by_penalty(objective, float(penalty), first)
