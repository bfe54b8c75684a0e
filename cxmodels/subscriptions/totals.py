"""The log likelihood where nothing but totals is known: acquired and lost in each period.

Losses of a period come from cohorts of all ages, and which is not known. Each cohort's losses are
multinomial with the chances f(a) = S(a - 1) - S(a) to be lost at renewal a; their sums over
cohorts have exact means and covariances, and with many customers they are normal:

    mean_j = sum_c N_c f(j - c),   Cov_ij = [i = j] mean_j - sum_c N_c f(i - c) f(j - c).

Sources: McCarthy, Fader and Hardie (2017), "Valuing subscription-based businesses using publicly
disclosed customer data", Journal of Marketing 81, for the data; the normal likelihood is standard.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.numerics.transforms import Space
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.spells import log_of_loss, natural

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class TotalsObjective:
    """Normal log likelihood of the losses (periods,) of a base, given who was acquired."""

    family: SubscriptionFamily
    acquired: Floats
    lost: Floats

    @property
    def space(self) -> Space:
        """The family's parameters."""
        return self.family.space

    @property
    def rows(self) -> int:
        """Customers."""
        return int(self.acquired.sum())

    @property
    def scales(self) -> Floats:
        """Times against half the time seen."""
        return self.family.space.scales(time=max(1.0, self.lost.size / 2), money=1.0)

    @cached_property
    def cohorts(self) -> Floats:
        """(cohorts, periods, ages): 1 where a cohort has that age in that period."""
        periods = np.flatnonzero(self._judged)
        ages = np.arange(1, self.acquired.size)
        begun = np.flatnonzero(self.acquired > 0)
        same: Bools = periods[None, :, None] - begun[:, None, None] == ages
        return same.astype(np.float64)

    @property
    def _at_risk(self) -> Floats:
        """Customers at the start of each period, before new ones come."""
        return np.cumsum(self.acquired) - self.acquired - (np.cumsum(self.lost) - self.lost)

    @property
    def _judged(self) -> Bools:
        """Periods in which somebody could be lost."""
        judged: Bools = self._at_risk > 0
        return judged

    def starts(self) -> Floats:
        """The family's own, at the overall retention rate."""
        retention = 1.0 - self.lost.sum() / max(self._at_risk.sum(), 1.0)
        return self.family.starts(float(np.clip(retention, 0.02, 0.999)), self.lost.size / 2)

    def thinned(self, rows: int) -> "TotalsObjective":
        """Itself: periods are few."""
        return self

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., k)."""
        ages = np.arange(self.acquired.size, dtype=np.float64)
        logs = self.family.log_ratio(theta[..., None, :], np.zeros(1), ages)
        chances = -np.diff(np.exp(logs), axis=-1)
        mean, covariance = self._moments(chances)
        away = self.lost[self._judged] - mean
        factor = np.linalg.cholesky(covariance)
        white = np.linalg.solve(factor, away[..., None])[..., 0]
        spread = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        return np.asarray(-0.5 * (white**2).sum(axis=-1) - spread - HALF_LOG_2PI * away.shape[-1])

    def _moments(self, chances: Floats) -> tuple[Floats, Floats]:
        """Means (..., periods) and covariances (..., periods, periods) of the losses."""
        customers = self.acquired[self.acquired > 0]
        each = np.einsum("cpa,...a->...cp", self.cohorts, chances)
        mean = np.einsum("c,...cp->...p", customers, each)
        pairs = np.einsum("c,...cp,...cq->...pq", customers, each, each)
        spread = mean[..., None] * np.eye(mean.shape[-1]) - pairs
        return mean, spread + 1e-9 * np.eye(mean.shape[-1])  # nobody can be lost: not singular

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian at one theta (k,)."""
        k, ages = theta.size, np.arange(self.acquired.size, dtype=np.float64)
        none = np.zeros(ages.size - 1)
        begun = self.family.rows(theta, none, ages[:-1], none)
        ended = log_of_loss(self.family.rows(theta, ages[:-1], ages[1:], none))
        chances = np.exp(begun.value + ended.value)
        logs = (begun.gradient + ended.gradient)[:k]
        slopes = chances * logs
        bends = chances * ((begun.hessian + ended.hessian)[:k, :k] + logs[:, None] * logs[None])
        mean, covariance = self._moments(chances)
        precision: Floats = np.linalg.inv(covariance).astype(np.float64)
        away = self.lost[self._judged] - mean
        first, second = self._changes(chances, slopes, bends)
        gradient, hessian = _normal_derivatives(precision, away, first, second)
        return natural(float(self.log_likelihood(theta)), gradient, hessian, theta)

    def _changes(
        self, chances: Floats, slopes: Floats, bends: Floats
    ) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """First (k, ...) and second (k, k, ...) derivatives of mean and covariance."""
        customers = self.acquired[self.acquired > 0]
        each = np.einsum("cpa,a->cp", self.cohorts, chances)
        moved = np.einsum("cpa,ka->kcp", self.cohorts, slopes)
        bent = np.einsum("cpa,kla->klcp", self.cohorts, bends)
        mean = np.einsum("c,kcp->kp", customers, moved)
        curve = np.einsum("c,klcp->klp", customers, bent)
        eye = np.eye(each.shape[-1])
        pairs = np.einsum("c,kcp,cq->kpq", customers, moved, each)
        cross = np.einsum("c,klcp,cq->klpq", customers, bent, each)
        both = np.einsum("c,kcp,lcq->klpq", customers, moved, moved)
        spread = mean[..., None] * eye - pairs - pairs.swapaxes(-1, -2)
        second = curve[..., None] * eye - cross - cross.swapaxes(-1, -2)
        second = second - both - both.swapaxes(-1, -2)
        return (mean, spread), (curve, second)


def _normal_derivatives(
    precision: Floats,
    away: Floats,
    first: tuple[Floats, Floats],
    second: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Gradient and Hessian of a normal log density in parameters of its mean and covariance."""
    (mean, spread), (curve, bend) = first, second
    told = precision @ away
    turned = np.einsum("pq,kqr->kpr", precision, spread)
    gradient = mean @ told - 0.5 * np.einsum("kpp->k", turned)
    gradient = gradient + 0.5 * np.einsum("p,kpq,q->k", told, spread, told)
    k = len(gradient)
    hessian = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            trace = np.einsum("pq,qp->", precision, bend[i, j])
            trace -= np.einsum("pq,qp->", turned[i], turned[j])
            here = curve[i, j] @ told - mean[i] @ precision @ mean[j] - 0.5 * trace
            here -= told @ spread[j] @ precision @ mean[i] + told @ spread[i] @ precision @ mean[j]
            here += 0.5 * told @ bend[i, j] @ told
            hessian[i, j] = here - told @ spread[i] @ precision @ spread[j] @ told
    return gradient, hessian
