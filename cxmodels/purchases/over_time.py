"""Pareto/NBD whose customers' covariates change over time: season, marketing, satisfaction history.

What one customer has is told in by_paths.py; alpha and beta are those of a customer whose clocks
stand where they do now.
Known to be alive at T, a customer is one with r + x, alpha + A(T), s and beta + B(T), at T on the
path; what comes then depends on the path ahead, which has to be projected.

Source: Bachmann, Meierer and Naef (2021), Marketing Science 40(4); see clocks.py for the symbols.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.transforms import Space
from cxmodels.purchases import clocked_future
from cxmodels.purchases.by_paths import ASK_FOR_A_BASE, ByPaths
from cxmodels.purchases.clocked_departures import Past, log_braces
from cxmodels.purchases.clocks import CELLS
from cxmodels.purchases.covariates import WithCovariates, coefficient, moved_by
from cxmodels.purchases.design import Design
from cxmodels.purchases.family import PurchaseFamily, Purchases, RowDerivatives
from cxmodels.purchases.until_departure import spread_evenly

OWN = 4  # r, alpha, s, beta


def ahead(formula: Callable[..., Floats]) -> Callable[..., Any]:
    """The quantity that a formula of times (m, j) ahead, and counts, gives; arguments broadcast."""

    def quantity(self: "OverTime", theta: Floats, *given: Any) -> Floats:
        n_then_t = given[::-1]  # the family's order is n, t; the formula's t, n
        lead = theta.shape[:-1]
        shape = np.broadcast_shapes(lead, *(np.shape(value) for value in given))
        if not (lead and lead[-1] == 1 and shape[:-1] == lead[:-1]):
            theta = np.broadcast_to(theta, (*shape, theta.shape[-1]))
        flat = theta.reshape(-1, theta.shape[-1])  # several times for each customer, or one
        spread = [np.broadcast_to(v, shape).reshape(len(flat), -1) for v in n_then_t]
        paths = self.link.placed

        def work(part: slice) -> Floats:
            rows, columns = flat[part], [value[part] for value in spread]
            paths.ask_for(_place(rows), rows[:, -1] + columns[0].max(axis=1, initial=0.0))
            clocks = paths.clocks(_effects(rows), _place(rows))
            return formula(rows[:, :OWN], clocks, rows[:, -1], *columns)

        return np.concatenate(self._parts(len(flat), work)).reshape(shape)

    quantity.__name__ = formula.__name__
    return quantity


@dataclass(frozen=True, kw_only=True)
class OverTime(PurchaseFamily):
    """Pareto/NBD with covariates over time; formulas take what one customer has (..., K + 2)."""

    plain: PurchaseFamily
    space: Space
    link: ByPaths
    name: str = field(default="Pareto/NBD", init=False)
    source: str = field(
        default="Bachmann, Meierer and Naef (2021), Marketing Science 40(4)", init=False
    )

    @classmethod
    def of(cls, family: PurchaseFamily, design: Design) -> "OverTime":
        """The family with a design over time; OptionError where it does not take one."""
        if not family.clocked:
            raise OptionError(
                f"covariates that change over time are for ParetoNBD, not for {family.name}: use "
                "cx.ParetoNBD(), or a column that stays, such as its value at the first purchase"
            )
        words = {side.process: moved_by(family, side.process).what for side in design.sides}
        added = [coefficient(name, words) for name in design.coefficients]
        return cls(
            plain=family,
            space=Space((*family.space.parameters, *added)),
            link=ByPaths(family, design),
        )

    def objective(self, profiles: Profiles) -> Objective:
        raise OptionError(ASK_FOR_A_BASE)

    def log_likelihood(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        """But for the rates at the purchases themselves, which (x, t_x, T) do not tell."""
        braces, _ = self._braces(theta, x, t_x, T)
        r, alpha, s, beta = _split(theta)
        lifted = scipy.special.gammaln(r + x) - scipy.special.gammaln(r)
        return np.asarray(lifted + r * np.log(alpha) + s * np.log(beta) + braces)

    def rows(self, theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
        raise OptionError(ASK_FOR_A_BASE)

    def p_alive(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        braces, alive = self._braces(theta, x, t_x, T)
        return np.exp(alive - braces)

    def _braces(self, theta: Floats, x: Number, t_x: Number, T: Number) -> tuple[Floats, Floats]:
        shape = np.broadcast_shapes(theta.shape[:-1], *(np.shape(v) for v in (x, t_x, T)))
        flat = np.broadcast_to(theta, (*shape, theta.shape[-1])).reshape(-1, theta.shape[-1])
        past = [np.broadcast_to(v, shape).ravel().astype(np.float64) for v in (x, t_x, T)]

        def work(part: slice) -> tuple[Floats, Floats]:
            rows = flat[part]
            place = _place(rows)
            clocks = self.link.placed.clocks(_effects(rows), place)
            seen_x, last, end = (value[part] for value in past)
            one = Past(seen_x, last, end, np.ones(place.size), place, clocks.since)
            return log_braces(rows[:, :OWN], one, clocks)

        parts = self._parts(len(flat), work)
        braces, alive = (np.concatenate(found).reshape(shape) for found in zip(*parts, strict=True))
        return braces, alive

    def alive(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        shape = np.broadcast_shapes(theta.shape[:-1], *(np.shape(v) for v in (x, t_x, T)))
        found = np.broadcast_to(theta, (*shape, theta.shape[-1])).copy()
        flat = found.reshape(-1, theta.shape[-1])
        time = np.broadcast_to(T, shape).reshape(-1, 1).astype(np.float64)

        def work(part: slice) -> None:
            rows = flat[part]
            clocks = self.link.placed.clocks(_effects(rows), _place(rows))
            A, B = clocks.read(time[part])
            rows[:, 1] += A[:, 0]
            rows[:, 3] += B[:, 0]

        self._parts(len(flat), work)
        found = flat.reshape(found.shape)
        found[..., 0] += x
        found[..., -1] = np.broadcast_to(T, shape)
        return found

    survival = ahead(clocked_future.survival)
    expected_purchases = ahead(clocked_future.expected_purchases)
    purchase_rate = ahead(clocked_future.purchase_rate)
    log_pmf = ahead(clocked_future.log_pmf)
    log_pmf_survivors = ahead(clocked_future.log_pmf_survivors)

    def simulate_counts(self, theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
        return self.simulate_ends(theta, t, rng)[0]

    def simulate_ends(
        self, theta: Floats, t: Number, rng: np.random.Generator
    ) -> tuple[Ints, Floats, Floats]:
        """How many each buys, what the clock of buying reads as they end, and their time alive."""
        paths, span = self.link.placed, np.broadcast_to(t, (len(theta),)).astype(np.float64)

        def work(part: slice) -> tuple[Ints, Floats, Floats]:
            rows = theta[part]
            paths.ask_for(_place(rows), rows[:, -1] + span[part])
            clocks = paths.clocks(_effects(rows), _place(rows))
            return clocked_future.ends(rows[:, :OWN], clocks, rows[:, -1], span[part], rng)

        parts = self._parts(len(theta), work)
        count, clock, alive = (np.concatenate(found) for found in zip(*parts, strict=True))
        return count, clock, alive

    def simulate(self, theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
        count, clock, alive = self.simulate_ends(theta, t, rng)
        even = spread_evenly(count, clock, alive >= t, rng)
        times = np.empty(even.time.size)
        begin = np.cumsum(count) - count

        def work(part: slice) -> None:
            rows = theta[part]
            clocks = self.link.placed.clocks(_effects(rows), _place(rows))
            inside = slice(begin[part][0], begin[part][-1] + count[part][-1])
            owner = even.customer[inside] - part.start
            times[inside] = clocked_future.when(clocks, rows[:, -1], owner, even.time[inside])

        self._parts(len(theta), work)
        return replace(even, time=times)

    def _parts(self, size: int, work: Callable[[slice], Any]) -> list[Any]:
        """`work` on as many rows at once as fit into memory with all their steps."""
        step = max(1, CELLS // self.link.placed.since.shape[1])
        return [work(slice(start, start + step)) for start in range(0, max(size, 1), step)]


def _split(theta: Floats) -> tuple[Floats, ...]:
    return tuple(theta[..., place] for place in range(OWN))


def _effects(rows: Floats) -> Floats:
    """(q,) where all rows have the same effects, which is far quicker, else (m, q)."""
    effects = rows[:, OWN:-2]
    alike = len(effects) > 0 and bool((effects == effects[0]).all())
    return effects[0] if alike else effects


def _place(rows: Floats) -> Ints:
    return rows[:, -2].astype(np.int64)


def with_design(family: PurchaseFamily, design: Design) -> PurchaseFamily:
    """The family with covariates, those that stay or those that change over time."""
    return OverTime.of(family, design) if design.over_time else WithCovariates.of(family, design)
