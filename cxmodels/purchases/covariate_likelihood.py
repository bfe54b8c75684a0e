"""The log likelihood of a base whose customers have parameters of their own, with derivatives."""

from dataclasses import dataclass

import numpy as np

from cxmodels.data.summaries import Profiles
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.covariates import ByCovariates, WithCovariates
from cxmodels.purchases.likelihood import CELLS, threaded


@dataclass(frozen=True, eq=False)
class CovariatesObjective:
    """Log likelihood of m distinct histories with kinds, in the family's parameters and the
    coefficients; `starting` (s, K)."""

    family: WithCovariates
    profiles: Profiles
    starting: Floats
    scales: Floats
    constant: float = 0.0  # of the log likelihood, without parameters

    @classmethod
    def of(
        cls, family: WithCovariates, profiles: Profiles, theta: Floats | None = None
    ) -> "CovariatesObjective":
        """Starts where no covariate has an effect: at `theta` (k,) of the plain fit, then at the
        plain family's own starts."""
        plain, link = family.plain.objective(profiles), _link(family)
        starts = plain.starts() if theta is None else np.vstack([theta, plain.starts()])
        none = np.zeros((len(starts), len(link.design.coefficients)))
        scales = np.concatenate([plain.scales, link.design.scales])
        return cls(family, profiles, np.concatenate([starts, none], axis=1), scales)

    @property
    def space(self) -> Space:
        """The family's parameters, then the coefficients."""
        return self.family.space

    @property
    def rows(self) -> int:
        """Customers."""
        return int(self.profiles.weight.sum())

    def starts(self) -> Floats:
        """Starting values without effects."""
        return self.starting

    def thinned(self, rows: int) -> "CovariatesObjective":
        """Every k-th distinct history with its weight, so that about `rows` remain."""
        step = self.profiles.T.size // max(1, rows)
        if step < 2:
            return self
        few = self.profiles.every(slice(None, None, step))
        return CovariatesObjective(self.family, few, self.starting, self.scales)

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., K)."""
        flat, seen, link = theta.reshape(-1, theta.shape[-1]), self.profiles, _link(self.family)

        def work(part: slice) -> Floats:
            own = link.rows(flat, seen.kind[part])
            rows = self.family.plain.log_likelihood(own, *_past(seen, part))
            return rows @ seen.weight[part]

        with np.errstate(all="ignore"):  # far draws overflow; what is not finite has no likelihood
            found = np.sum(threaded(work, seen.T.size, max(256, CELLS // len(flat))), axis=0)
        return np.asarray(self.constant + found).reshape(theta.shape[:-1])

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient (K,) and Hessian (K, K) at theta (K,)."""
        seen, link = self.profiles, _link(self.family)

        def work(part: slice) -> Derivatives:
            kind = seen.kind[part]
            own = link.rows(theta, kind)
            found = self.family.plain.rows(own, *_past(seen, part))
            return link.chained(theta, kind, found, seen.weight[part])

        parts = threaded(work, seen.T.size, CELLS // 8)
        return Derivatives(
            self.constant + float(sum(part.value for part in parts)),
            np.sum([part.gradient for part in parts], axis=0),
            np.sum([part.hessian for part in parts], axis=0),
        )


def _past(seen: Profiles, part: slice) -> tuple[Floats, Floats, Floats]:
    return seen.frequency[part].astype(np.float64), seen.recency[part], seen.T[part]


def _link(family: WithCovariates) -> ByCovariates:
    assert isinstance(family.link, ByCovariates)  # noqa: S101 - for the types; `of` made it so
    return family.link
