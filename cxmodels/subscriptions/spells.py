"""The log likelihood of contracts seen between ages, for any subscription family.

A contract known to be alive at age e that ended between l and u has S(l) - S(u) over S(e); one
still active at l has S(l) over S(e). Whole periods, days, gaps between counts, and records that
begin after the contracts did are all cases of this.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.numerics.special import log_one_minus_exp
from cxmodels.numerics.transforms import Space
from cxmodels.subscriptions.design import Design
from cxmodels.subscriptions.family import RatioDerivatives, SubscriptionFamily

CELLS = 200_000  # draws times rows at once


@dataclass(frozen=True)
class Spells:
    """Distinct spells (m,): ages, how many customers, and their covariates (m, p)."""

    entry: Floats
    lower: Floats
    upper: Floats
    weight: Floats
    covariates: Floats

    @classmethod
    def of(cls, table: pd.DataFrame, design: Design) -> "Spells":
        """The distinct spells of a base; what does not matter to the fit is summed over."""
        numbers = design.matrix(table)
        ages = table[["entry", "lasted", "ended"]].to_numpy(dtype=np.float64)
        every = np.concatenate([ages, numbers], axis=1)
        distinct, place = np.unique(every, axis=0, return_inverse=True)
        customers = table["customers"].to_numpy(dtype=np.float64)
        weight = np.bincount(place.ravel(), customers, minlength=len(distinct))
        told = (distinct[:, 1] > distinct[:, 0]) | np.isfinite(distinct[:, 2])  # S(e) / S(e) is 1
        entry, lower, upper = distinct[:, :3].T
        return cls(entry[told], lower[told], upper[told], weight[told], distinct[told, 3:])

    @property
    def lost(self) -> Bools:
        """Which spells ended."""
        return np.isfinite(self.upper)

    @property
    def mean_time(self) -> float:
        """Mean time over which customers were seen."""
        seen = np.where(self.lost, self.upper, self.lower)
        return float(np.average(seen, weights=self.weight))

    @property
    def retention(self) -> float:
        """Share renewing in one unit of time, as if it were constant: renewals over chances."""
        time = float((np.where(self.lost, self.upper, self.lower) - self.entry) @ self.weight)
        gone = float(self.weight[self.lost].sum())
        return float(np.clip(1.0 - gone / max(time, gone + 1.0), 0.02, 0.999))


@dataclass(frozen=True)
class SpellsObjective:
    """Log likelihood of the spells of a base in natural parameters, coefficients last."""

    family: SubscriptionFamily
    spells: Spells
    design: Design
    rows: int

    @property
    def space(self) -> Space:
        """The family's parameters and the coefficients."""
        return self.design.space(self.family.space)

    @property
    def scales(self) -> Floats:
        """Times against the mean time seen, coefficients against their covariate's spread."""
        own = self.family.space.scales(time=self.spells.mean_time, money=1.0)
        numbers, weight = self.spells.covariates, self.spells.weight
        mean = np.average(numbers, axis=0, weights=weight)
        spread = np.sqrt(np.average((numbers - mean) ** 2, axis=0, weights=weight))
        return np.append(own, 1.0 / np.where(spread > 0.0, spread, 1.0))

    def starts(self) -> Floats:
        """The family's own, with coefficients of 0."""
        seen = self.spells
        own = self.family.starts(seen.retention, seen.mean_time)
        return np.concatenate([own, np.zeros((len(own), len(self.design.names)))], axis=1)

    def thinned(self, rows: int) -> "SpellsObjective":
        """Itself: spells are few."""
        return self

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., k + p)."""
        flat = theta.reshape(-1, theta.shape[-1])
        step = max(1, CELLS // max(1, self.spells.weight.size))
        parts = [self._values(flat[i : i + step]) for i in range(0, len(flat), step)]
        return np.concatenate(parts).reshape(theta.shape[:-1])

    def _values(self, theta: Floats) -> Floats:
        seen, k = self.spells, self.family.space.size
        own, shift = theta[:, None, :k], theta[:, k:] @ seen.covariates.T
        found = self.family.log_ratio(own, seen.entry, seen.lower, shift) @ seen.weight
        lost = seen.lost
        if lost.any():
            fall = self.family.log_ratio(
                own, seen.lower[lost], seen.upper[lost], shift[:, lost] if shift.any() else 0.0
            )
            found = found + log_one_minus_exp(-fall) @ seen.weight[lost]
        return np.asarray(found)

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient and Hessian at one theta (k + p,)."""
        seen, k = self.spells, self.family.space.size
        own, shift = theta[:k], seen.covariates @ theta[k:]
        lasted = self.family.rows(own, seen.entry, seen.lower, shift)
        lost = seen.lost
        fell = self.family.rows(own, seen.lower[lost], seen.upper[lost], shift[lost])
        ended = log_of_loss(fell)
        value = float(lasted.value @ seen.weight + ended.value @ seen.weight[lost])
        moved = np.concatenate([lasted.gradient, ended.gradient], axis=1)
        bent = np.concatenate([lasted.hessian, ended.hessian], axis=2)
        weight = np.concatenate([seen.weight, seen.weight[lost]])
        numbers = np.concatenate([seen.covariates, seen.covariates[lost]])
        return natural(value, *_with_coefficients(moved, bent, weight, numbers), own)


def log_of_loss(fell: RatioDerivatives) -> RatioDerivatives:
    """log(1 - exp(B)) of B = log S(u) / S(l) < 0, with derivatives."""
    value = log_one_minus_exp(-fell.value)
    with np.errstate(over="ignore"):  # everybody leaves: both derivatives are 0
        grown = np.expm1(-fell.value)
        slope, bend = -1.0 / grown, -(1.0 + 1.0 / grown) / grown
    pairs = fell.gradient[:, None] * fell.gradient[None, :]
    return RatioDerivatives(value, slope * fell.gradient, slope * fell.hessian + bend * pairs)


def _with_coefficients(
    moved: Floats, bent: Floats, weight: Floats, numbers: Floats
) -> tuple[Floats, Floats]:
    """Sums over rows; each coefficient moves the shift, the last coordinate, by its covariate."""
    k = len(moved) - 1
    gradient = np.append(moved[:k] @ weight, (moved[k] * weight) @ numbers)
    size = gradient.size
    hessian = np.empty((size, size))
    hessian[:k, :k] = bent[:k, :k] @ weight
    hessian[:k, k:] = (bent[:k, k] * weight) @ numbers
    hessian[k:, :k] = hessian[:k, k:].T
    hessian[k:, k:] = (numbers * (bent[k, k] * weight)[:, None]).T @ numbers
    return gradient, hessian


def natural(value: float, gradient: Floats, hessian: Floats, own: Floats) -> Derivatives:
    """From logs of the family's own parameters to the parameters; coefficients are as they are."""
    scale = np.append(own, np.ones(gradient.size - own.size))
    logs = np.append(gradient[: own.size], np.zeros(gradient.size - own.size))
    return Derivatives(
        value, gradient / scale, (hessian - np.diag(logs)) / (scale[:, None] * scale)
    )
