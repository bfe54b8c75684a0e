"""The log likelihood of a customer base, summed over its distinct histories, for any family.

A family says how likely one history is, with derivatives in the parameters of that customer; this
sums over histories with their weights, in chunks that two threads share.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cxmodels.data.summaries import Profiles
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.family import PurchaseFamily

THREADS = 2
DEAR = 8  # how much dearer a history is than one with a closed form: starts compete on fewer
CELLS = 100_000  # draws times histories at once in each thread: what stays in a cache


@dataclass(frozen=True)
class HistoriesObjective:
    """Log likelihood of m distinct histories of a base under a family whose customers are alike."""

    family: PurchaseFamily
    profiles: Profiles
    starting: Callable[[Profiles], Floats]
    scales: Floats
    constant: float = 0.0  # of the log likelihood, without parameters

    @classmethod
    def of(
        cls, family: PurchaseFamily, profiles: Profiles, starting: Callable[[Profiles], Floats]
    ) -> "HistoriesObjective":
        """Measured against the base's mean time of observation.

        starting: gives starting values (s, k) of the parameters, the most promising first.
        """
        mean_T = float(np.average(profiles.T, weights=profiles.weight))
        scales = family.space.scales(time=mean_T, money=1.0)
        return cls(family, profiles, starting, scales)

    @property
    def space(self) -> Space:
        """The family's parameters."""
        return self.family.space

    @property
    def rows(self) -> int:
        """Customers."""
        return int(self.profiles.weight.sum())

    def starts(self) -> Floats:
        """The family's own starting values."""
        return self.starting(self.profiles)

    def thinned(self, rows: int) -> "HistoriesObjective":
        """Every k-th distinct history with its weight, so that about `rows` / DEAR remain."""
        step = self.profiles.T.size // max(1, rows // DEAR)
        if step < 2:
            return self
        few = self.profiles.every(slice(None, None, step))
        return HistoriesObjective.of(self.family, few, self.starting)

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., k)."""
        flat, seen = theta.reshape(-1, theta.shape[-1]), self.profiles
        x = seen.frequency.astype(np.float64)

        def of(draws: slice, part: slice) -> Floats:
            past = (x[part], seen.recency[part], seen.T[part])
            return self.family.log_likelihood(flat[draws, None, :], *past) @ seen.weight[part]

        if len(flat) > 1 and len(flat) * x.size > CELLS:  # draws are shared among the threads
            rows = [slice(start, start + CELLS) for start in range(0, x.size, CELLS)]
            parts = threaded(
                lambda draws: np.sum([of(draws, part) for part in rows], axis=0),
                len(flat),
                max(1, CELLS // x.size),
            )
            return (self.constant + np.concatenate(parts)).reshape(theta.shape[:-1])
        found = threaded(lambda part: of(slice(None), part), x.size, max(256, CELLS // len(flat)))
        return np.asarray(self.constant + np.sum(found, axis=0)).reshape(theta.shape[:-1])

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient (k,) and Hessian (k, k) at theta (k,)."""
        seen = self.profiles

        def work(part: slice) -> tuple[float, Floats, Floats]:
            x, w = seen.frequency[part].astype(np.float64), seen.weight[part]
            found = self.family.rows(theta, x, seen.recency[part], seen.T[part])
            return float(found.value @ w), found.gradient @ w, found.hessian @ w

        parts = threaded(work, seen.T.size, CELLS // 8)
        value, gradient, hessian = (sum(items) for items in zip(*parts, strict=True))
        return Derivatives(self.constant + value, gradient, hessian)


Result = TypeVar("Result")


def threaded(work: Callable[[slice], Result], size: int, step: int) -> list[Result]:
    """`work` on slices of `size` items, shared by two threads where there are several."""
    slices = [slice(start, start + step) for start in range(0, size, step)]
    if len(slices) == 1:
        return [work(slices[0])]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, slices))
