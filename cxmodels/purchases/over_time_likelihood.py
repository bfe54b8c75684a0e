"""The log likelihood of a base whose covariates change over time, with derivatives."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cxmodels.data.covariate_paths import occasions_of
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.likelihood.objective import Derivatives
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.clocked_departures import Past, derivatives, log_likelihood
from cxmodels.purchases.clocks import Paths, steps_at
from cxmodels.purchases.likelihood import threaded
from cxmodels.purchases.over_time import OverTime

CELLS = 60_000  # customers times steps in each thread: what stays in a cache


@dataclass(frozen=True, eq=False)
class OverTimeObjective:
    """m distinct histories with their paths; bought: (m, q), the columns of purchase summed over
    the purchases of all customers who share a history."""

    family: OverTime
    past: Past
    paths: Paths
    bought: Floats
    starting: Floats
    scales: Floats
    constant: float = 0.0  # of the log likelihood, without parameters

    @classmethod
    def of(cls, family: OverTime, base: CustomerBase, theta: Floats) -> "OverTimeObjective":
        """Starts where no covariate has an effect: at `theta` (4,) of the plain fit, then at the
        plain family's own starts."""
        link, seen = family.link.on(base)
        placed, paths = replace(family, link=link), link.placed
        plain = family.plain.objective(seen)
        starts = np.vstack([theta, plain.starts()])
        none = np.zeros((len(starts), len(family.link.design.coefficients)))
        x, since = seen.frequency.astype(np.float64), paths.since[seen.kind]
        past = Past(x, seen.recency, seen.T, seen.weight, seen.kind, since)
        return cls(
            placed,
            past,
            paths,
            _bought(base, seen, paths),
            np.concatenate([starts, none], axis=1),
            np.concatenate([plain.scales, family.link.design.scales]),
        )

    @property
    def space(self) -> Space:
        """The family's parameters, then the coefficients."""
        return self.family.space

    @property
    def rows(self) -> int:
        """Customers."""
        return int(self.past.weight.sum())

    def starts(self) -> Floats:
        """Starting values without effects."""
        return self.starting

    def thinned(self, rows: int) -> "OverTimeObjective":
        """Every k-th distinct history with its weight, so that about `rows` steps remain."""
        step = self.paths.since.shape[1] * self.past.x.size // max(1, 10 * rows)
        if step < 2:
            return self
        few = slice(None, None, step)
        return replace(self, past=self.past.rows(few), bought=self.bought[few])

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log likelihood (...) at theta (..., K)."""
        flat = theta.reshape(-1, theta.shape[-1])
        bought = self.bought.sum(axis=0)

        def of(one: Floats, past: Past) -> float:
            with np.errstate(all="ignore"):  # far draws overflow: what is not finite is set aside
                return float(log_likelihood(one, past, self.paths) @ past.weight)

        def work(draws: slice) -> Floats:
            return np.array([sum(of(one, past) for past in self.parts) for one in flat[draws]])

        found = np.concatenate(threaded(work, len(flat), 8))
        found += flat[:, 4:] @ bought
        return np.asarray(self.constant + found).reshape(theta.shape[:-1])

    def derivatives(self, theta: Floats) -> Derivatives:
        """Value, gradient (K,) and Hessian (K, K) at theta (K,)."""
        parts = threaded(self._derivatives(theta), len(self.parts), 1)
        gradient = np.sum([part.gradient for part in parts], axis=0)
        bought = self.bought.sum(axis=0)
        gradient[4:] += bought
        return Derivatives(
            self.constant + float(sum(part.value for part in parts) + theta[4:] @ bought),
            gradient,
            np.sum([part.hessian for part in parts], axis=0),
        )

    def _derivatives(self, theta: Floats) -> Callable[[slice], Derivatives]:
        def work(part: slice) -> Derivatives:
            with np.errstate(all="ignore"):  # a step too far may overflow: refused by the search
                return derivatives(theta, self.parts[part][0], self.paths)

        return work

    @cached_property
    def parts(self) -> list[Past]:
        """The histories in parts that fit into memory with all their steps."""
        size, step = self.past.x.size, max(16, CELLS // self.paths.since.shape[1])
        return [self.past.rows(slice(start, start + step)) for start in range(0, size, step)]


def _bought(base: CustomerBase, seen: Profiles, paths: Paths) -> Floats:
    """(m, q): columns of purchase at every repeat purchase, summed within each history."""
    customer, time = occasions_of(base)
    history = seen.row[customer]
    kind = seen.kind[history]
    step = steps_at(paths.since[kind], time[:, None])[:, 0]
    columns = paths.purchase[paths.row[kind, step]]
    found = np.zeros((seen.frequency.size, columns.shape[1]))
    np.add.at(found, history, columns)
    return found
