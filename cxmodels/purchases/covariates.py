"""Any purchase family with covariates: each customer has parameters of their own.

The formulas of the family are used as they are; what is estimated is its parameters and one
coefficient for each column of the design. How a process is moved is the family's to say (`Moved`).

Source: Fader and Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and
BG/NBD Models"; see moving.py for where this differs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.covariates import distinct, read
from cxmodels.data.profiles import compress
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import FARTHEST, Derivatives, Objective
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.numerics.transforms import Parameter, Space, Support
from cxmodels.purchases.design import Design
from cxmodels.purchases.family import Link, PurchaseFamily, RowDerivatives, Survivors
from cxmodels.purchases.moving import Moved

ASK_FOR_A_KIND = (
    "this fit has covariates: say for which customers, as in fit.at({example}), and ask that"
)


@dataclass(frozen=True, eq=False)
class ByCovariates:
    """The link of a design; `matrices` (kinds, q) are those of one base, none before `on`.

    eta is held within FARTHEST: no customer is more than a factor of 1e13 from the population.
    """

    family: PurchaseFamily
    design: Design
    matrices: tuple[Floats, ...] = ()

    def own(self, space: Space) -> Space:
        return self.family.space

    def rows(self, theta: Floats, kind: Ints) -> Floats:
        k, theta = self.family.space.size, np.asarray(theta)
        own = np.broadcast_to(theta[..., None, :k], (*theta.shape[:-1], kind.size, k))
        return moved_on(self, own, theta, kind)

    def acquired(self, theta: Floats, kind: Ints) -> Floats:
        return self.rows(theta, kind)

    def jumps(self, alive: Floats) -> Floats:
        return np.empty(0)

    def on(self, base: CustomerBase) -> tuple[Link, Profiles]:
        frame = read(base.table, self.design.variables)
        kind, first = distinct(frame)
        found = self.at(base.table.iloc[first].reset_index(drop=True))
        x, t_x, T = (base.table[name].to_numpy() for name in ("frequency", "recency", "T"))
        return found, compress(x, t_x, T, kind)

    def at(self, table: Any) -> "ByCovariates":
        """The link for customers whose kinds are the rows of a table."""
        return ByCovariates(self.family, self.design, self.design.matrices(table))

    @property
    def moved(self) -> tuple[Moved, ...]:
        """How each side of the design moves its process."""
        return tuple(moved_by(self.family, side.process) for side in self.design.sides)

    def chained(
        self, theta: Floats, kind: Ints, found: RowDerivatives, weight: Floats
    ) -> Derivatives:
        """Weighted sums over rows of a log likelihood's derivatives in theta (K,), from those in
        each row's own parameters.

        With phi = (population's parameters, eta of each side) and J = d own / d phi:
        gradient J' g, Hessian J' H J + sum_j g_j d2 own_j / d phi2; then d eta / d coefficient is
        the design's column.
        """
        k = self.family.space.size
        J, bends = self._jacobian(theta, kind)
        g = found.gradient * weight
        gradient = np.einsum("jm,jam->am", g, J)
        half = np.einsum("jlm,lbm->jbm", found.hessian * weight, J)
        hessian = np.einsum("jam,jbm->abm", J, half)
        for places, among, bend in bends:
            hessian[np.ix_(among, among)] += np.einsum("jm,jabm->abm", g[places], bend)
        columns = [matrix[kind] for matrix in self._inside(theta)]
        size = theta.size
        G, H = np.zeros(size), np.zeros((size, size))
        G[:k] = gradient[:k].sum(axis=1)
        H[:k, :k] = hessian[:k, :k].sum(axis=2)
        for p, X in enumerate(columns):
            G[k:] += gradient[k + p] @ X
            H[:k, k:] += hessian[:k, k + p] @ X
            for q, Y in enumerate(columns):
                H[k:, k:] += (X.T * hessian[k + p, k + q]) @ Y
        H[k:, :k] = H[:k, k:].T
        return Derivatives(float(found.value @ weight), G, H)

    def jacobian(self, theta: Floats) -> Floats:
        """(k, K): slope of the own parameters of the first kind in theta (K,)."""
        k = self.family.space.size
        J, _ = self._jacobian(theta, np.zeros(1, dtype=np.int64))
        etas = np.stack([matrix[0] for matrix in self._inside(theta)])
        return np.concatenate([J[:, :k, 0], J[:, k:, 0] @ etas], axis=1)

    def _jacobian(
        self, theta: Floats, kind: Ints
    ) -> tuple[Floats, list[tuple[list[int], list[int], Floats]]]:
        """d own / d phi (k, k + sides, m), and for each side the places of its parameters, those
        of what they follow, and their second derivatives."""
        k, sides = self.family.space.size, len(self.design.sides)
        J = np.zeros((k, k + sides, kind.size))
        J[np.arange(k), np.arange(k)] = 1.0
        bends = []
        for place, (moved, matrix) in enumerate(zip(self.moved, self._placed(), strict=True)):
            places = _places(self.family, moved)
            among = [*places, k + place]
            eta = np.clip(matrix @ theta[k:], -FARTHEST, FARTHEST)[kind]
            found = moved.derivatives(theta[places], eta)
            J[np.ix_(places, among)] = found.slope
            bends.append((places, among, found.bend))
        return J, bends

    def _inside(self, theta: Floats) -> list[Floats]:
        """The matrices (kinds, q) with 0 where eta is held at its farthest and has no slope."""
        effects = theta[self.family.space.size :]
        return [
            np.where(np.abs(matrix @ effects)[:, None] <= FARTHEST, matrix, 0.0)
            for matrix in self._placed()
        ]

    def _placed(self) -> tuple[Floats, ...]:
        if not self.matrices:
            raise OptionError(asked_for_a_kind(self.design))
        return self.matrices


def moved_on(link: ByCovariates, own: Floats, theta: Floats, kind: Ints) -> Floats:
    """Parameters (..., g, k) of customers of these kinds (g,), moved by the eta of each kind."""
    k, own = link.family.space.size, own.copy()
    for moved, matrix in zip(link.moved, link._placed(), strict=True):
        eta = np.clip(theta[..., k:] @ matrix.T, -FARTHEST, FARTHEST)[..., kind]
        places = _places(link.family, moved)
        own[..., places] = moved.own(own[..., places], eta)
    return own


def _places(family: PurchaseFamily, moved: Moved) -> list[int]:
    return [family.space.index(name) for name in moved.parameters]


def asked_for_a_kind(design: Design) -> str:
    """What to say where a question needs one kind of customer."""
    first = [
        f"{item.name}={item.levels[0]!r}" if item.levels else f"{item.name}=..."
        for item in design.variables
    ]
    return ASK_FOR_A_KIND.format(example=", ".join(first))


def moved_by(family: PurchaseFamily, process: str) -> Moved:
    """How covariates move a process of the family; OptionError where it has none."""
    moved = family.purchase_moved if process == "purchase" else family.dropout_moved
    if moved is None:
        lacks = "has no drop-out" if process == "dropout" else "cannot have its purchases moved"
        raise OptionError(f"{family.name} {lacks}: leave the formula for {process} out")
    return moved


def _of_family(name: str) -> Callable[..., Any]:
    """A formula of the plain family, for each customer's own parameters."""

    def formula(self: "WithCovariates", *args: Any) -> Any:
        return getattr(self.plain, name)(*args)

    formula.__name__ = name
    return formula


@dataclass(frozen=True, kw_only=True)
class WithCovariates(PurchaseFamily):
    """A family whose customers differ by covariates; its formulas take own parameters (..., k)."""

    plain: PurchaseFamily
    name: str
    source: str
    space: Space
    link: Link
    one_time_buyers_alive: bool
    nobody_leaves: bool
    discrete: bool
    remembers_recency: bool
    stages: int
    survivors: Survivors

    @classmethod
    def of(cls, family: PurchaseFamily, design: Design) -> "WithCovariates":
        """The family with a design; OptionError where it lacks a process that a formula moves."""
        link = ByCovariates(family, design)
        words = {side.process: moved_by(family, side.process).what for side in design.sides}
        added = [coefficient(name, words) for name in design.coefficients]
        return cls(
            plain=family,
            name=family.name,
            source=family.source,
            space=Space((*family.space.parameters, *added)),
            link=link,
            one_time_buyers_alive=family.one_time_buyers_alive,
            nobody_leaves=family.nobody_leaves,
            discrete=family.discrete,
            remembers_recency=family.remembers_recency,
            stages=family.stages,
            survivors=family.survivors,
        )

    def objective(self, profiles: Profiles) -> Objective:
        from cxmodels.purchases.covariate_likelihood import CovariatesObjective

        return CovariatesObjective.of(self, profiles)

    log_likelihood = _of_family("log_likelihood")
    rows = _of_family("rows")
    p_alive = _of_family("p_alive")
    alive = _of_family("alive")
    survival = _of_family("survival")
    expected_purchases = _of_family("expected_purchases")
    purchase_rate = _of_family("purchase_rate")
    log_pmf = _of_family("log_pmf")
    log_pmf_survivors = _of_family("log_pmf_survivors")
    simulate_counts = _of_family("simulate_counts")
    simulate = _of_family("simulate")


def coefficient(name: str, words: dict[str, str]) -> Parameter:
    """The effect of a column on the processes it moves, in words."""
    processes, _, column = name.partition(": ")
    moved = [f"the log of the {words[process]}" for process in processes.split(" and ")]
    return Parameter(
        name,
        f"effect of one unit of {column} on {' and '.join(moved)}",
        support=Support.REAL,
        low=f"the more {column}, the nearer its process comes to a stop",
        high=f"the more {column}, the faster its process runs, without limit",
    )
