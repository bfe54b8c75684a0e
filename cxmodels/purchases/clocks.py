"""Two clocks for each customer, which covariates speed up and slow down: one of buying, one of
leaving.

With rates lambda exp(g' z(t)) and mu exp(h' w(t)) of steps of covariates z and w, a customer is one
of constant rates in the time A(t) of the first clock and B(t) of the second:

    A(t) = integral_0^t exp(g' z(u)) du,    B(t) = integral_0^t exp(h' w(u)) du

Source: Bachmann, Meierer and Naef (2021), "The Role of Time-Varying Contextual Factors in Latent
Attrition Models for Customer Base Analysis", Marketing Science 40(4).
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from cxmodels.errors import DataError, Problem
from cxmodels.numerics.arrays import Floats, Ints

CELLS = 2_000_000  # rows times steps worked out at once: 16 MB an array
BEYOND = 1e-9  # share of a step by which rounding may leave what is known


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of time in which m customers may have left, each within one step of covariates.

    row: (c,) whose piece; cell: (c,) the step it lies in, counted through all (m, s); past: (c,)
    time from the beginning of the step to that of the piece; length: (c,) how long it is.
    """

    row: Ints
    cell: Ints
    past: Floats
    length: Floats

    @classmethod
    def between(cls, since: Floats, low: Floats, high: Floats) -> "Pieces":
        """The pieces of (low, high) (m,), cut at the steps `since` (m, s)."""
        ends = np.concatenate([since[:, 1:], np.full((len(since), 1), np.inf)], axis=1)
        begin = np.maximum(since, low[:, None])
        length = np.minimum(ends, high[:, None]) - begin
        cell = np.flatnonzero(length > 0.0)
        past = begin.ravel()[cell] - since.ravel()[cell]
        return cls(cell // since.shape[1], cell, past, length.ravel()[cell])

    @classmethod
    def at(cls, since: Floats, time: Floats) -> "Pieces":
        """A piece without length for each time (m, j) of each customer, row by row."""
        row = np.repeat(np.arange(len(time)), time.shape[1])
        cell = (steps_at(since, time) + np.arange(len(time))[:, None] * since.shape[1]).ravel()
        past = time.ravel() - since.ravel()[cell]
        return cls(row, cell, past, np.zeros(row.size))

    def some(self, chosen: Ints) -> "Pieces":
        """Some of them."""
        row, cell = self.row[chosen], self.cell[chosen]
        return Pieces(row, cell, self.past[chosen], self.length[chosen])


@dataclass(frozen=True, eq=False)
class Paths:
    """The steps of p customers' covariates, at most s each, in one unit of time.

    since: (p, s) when each step begins, infinite where a customer has fewer; row: (p, s) its row
    of `purchase` and `dropout`, both (rows, q), the columns that move each clock in the places of
    their coefficients; until: (p,) how far all is known; now: (p,) the end of observation;
    who: (p,) a customer of each path; last: the last day that `until` takes in; unit: of time.
    """

    since: Floats
    row: Ints
    purchase: Floats
    dropout: Floats
    until: Floats
    now: Floats
    who: tuple[object, ...]
    last: date
    unit: str

    @cached_property
    def length(self) -> Floats:
        """(p, s): how long each step lasts, the last one to `until`; 0 where there is none."""
        ends = np.concatenate([self.since[:, 1:], np.full((len(self.since), 1), np.inf)], axis=1)
        known = np.minimum(ends, self.until[:, None])
        found = known - np.where(np.isfinite(self.since), self.since, known)
        return np.asarray(np.maximum(found, 0.0))

    def clocks(self, effects: Floats, place: Ints) -> "Clocks":
        """The clocks of customers with these paths (m,); effects (q,), or (m, q) if they differ."""
        return Clocks(
            self.since[place],
            self._clock(self.purchase, effects, place),
            self._clock(self.dropout, effects, place),
        )

    def _clock(self, columns: Floats, effects: Floats, place: Ints) -> "Clock":
        row = self.row[place]
        if effects.ndim == 1:
            rate = np.exp(columns @ effects)[row]
        else:
            eta = np.zeros(row.shape)
            for q in np.flatnonzero(columns.any(axis=0)):
                eta += effects[:, q, None] * columns[row, q]
            rate = np.exp(eta)
        return Clock(rate, _before(rate * self.length[place]))

    def slopes(self, columns: Floats, rate: Floats, place: Ints) -> Floats:
        """(m, s, q): d A / d effect as each step begins, of customers with rates (m, s)."""
        pace = (rate * self.length[place])[..., None] * columns[self.row[place]]
        return _before(pace, axis=1)

    def ask_for(self, place: Ints, time: Floats) -> None:
        """Raises DataError where covariates are not known for as long as `time` (m,)."""
        short = time > self.until[place] * (1.0 + BEYOND) + BEYOND
        if not short.any():
            return
        paths, first = np.unique(place[short], return_index=True)
        lacking = (time - self.until[place])[short]
        remedy = (
            "Predictions reach as far as the covariates are known: add rows for the future with "
            "the values you project, or say until= in with_covariates(..., time=...) where the "
            "last ones hold on."
        )
        what = (
            f"{paths.size:,} paths of covariates end on {self.last}, {lacking.max():.4g} "
            f"{self.unit}s too soon"
        )
        who = f"customer {self.who[paths[int(np.argmin(first))]]}"
        raise DataError("covariates over time", [Problem(what, first=who, remedy=remedy)])


def _before(pieces: Floats, axis: int = -1) -> Floats:
    """The sum of all pieces that come before each one."""
    return np.cumsum(pieces, axis=axis) - pieces


@dataclass(frozen=True, eq=False)
class Clock:
    """One clock: its rate (m, s) within steps and its reading (m, s) as they begin."""

    rate: Floats
    start: Floats

    def at(self, pieces: Pieces) -> Floats:
        """Its reading (c,) as pieces begin."""
        return np.asarray(self.start.take(pieces.cell) + self.pace(pieces) * pieces.past)

    def pace(self, pieces: Pieces) -> Floats:
        """Its rate (c,) within pieces."""
        return np.asarray(self.rate.take(pieces.cell))


@dataclass(frozen=True, eq=False)
class Clocks:
    """Both clocks of m customers, with the steps (m, s) on which they change pace."""

    since: Floats
    buying: Clock
    leaving: Clock

    def at(self, pieces: Pieces) -> tuple[Floats, Floats]:
        """A and B (c,) as pieces begin."""
        return self.buying.at(pieces), self.leaving.at(pieces)

    def read(self, time: Floats) -> tuple[Floats, Floats]:
        """A and B (m, j) at times (m, j) since the first purchase."""
        A, B = self.at(Pieces.at(self.since, time))
        return A.reshape(time.shape), B.reshape(time.shape)

    def pace(self, time: Floats) -> tuple[Floats, Floats]:
        """How fast A runs, and B (m, j): what a purchase rate needs."""
        moments = Pieces.at(self.since, time)
        pace, B = self.buying.pace(moments), self.leaving.at(moments)
        return pace.reshape(time.shape), B.reshape(time.shape)


def steps_at(since: Floats, time: Floats) -> Ints:
    """(m, j): the step (m, s) in which each time (m, j) falls."""
    found = np.zeros(time.shape, dtype=np.int64)
    for place in range(1, since.shape[1]):
        found += time >= since[:, place, None]
    return found
