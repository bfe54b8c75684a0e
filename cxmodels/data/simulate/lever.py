"""What a simulated company does for some of its customers: a lever whose effect is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.transactions import day
from cxmodels.errors import OptionError

DIRECT = ("leaving", "orders", "cases")


@dataclass(frozen=True, kw_only=True, eq=False)
class Lever:
    """What is done, for whom and when.

    customers: ids of those it is done for; start, end: first day of its first quarter and last day
    of its last (None: it never ends); points: what it adds to their true satisfaction; answers:
    points that it adds to what they answer, though not to what they feel; leaving, orders, cases:
    what it adds to each outcome by another way than satisfaction, in logs as in `Truth`.
    """

    customers: Iterable[int]
    start: str | date
    end: str | date | None = None
    points: float = 0.0
    answers: float = 0.0
    leaving: float = 0.0
    orders: float = 0.0
    cases: float = 0.0

    def __post_init__(self) -> None:
        ids = np.unique(np.asarray(list(self.customers)))
        if not (ids.size and np.issubdtype(ids.dtype, np.integer)):
            raise OptionError("customers of a lever are ids, whole numbers, one or more")
        object.__setattr__(self, "customers", ids)
        for name in ("start", "end"):
            object.__setattr__(self, name, day(name, getattr(self, name)))
        if self.start is None:
            raise OptionError("a lever has a start, the first day of a quarter")
        numbers = [getattr(self, name) for name in ("points", "answers", *DIRECT)]
        if not all(isinstance(value, int | float) and np.isfinite(value) for value in numbers):
            raise OptionError("effects of a lever are finite numbers")

    def check(self, customers: int, firsts: list[date]) -> None:
        """OptionError for a customer who is none, or a start that is no first day of a quarter."""
        ids: Ints = np.asarray(self.customers)
        if ids[0] < 1 or ids[-1] > customers:
            raise OptionError(f"customers of a lever are from 1 to {customers:,}, got "
                              f"{ids[0] if ids[0] < 1 else ids[-1]}")  # fmt: skip
        if self.start not in firsts:
            raise OptionError(f"a lever starts on the first day of a quarter, from {firsts[0]} to "
                              f"{firsts[-1]}, got {self.start}")  # fmt: skip

    def pushed(self, n: int, first: date) -> Any:
        """(n,): 1 for whom it is done in the quarter that begins on this day, else 0."""
        found = np.zeros(n)
        start, end = day("start", self.start), day("end", self.end)
        if start is not None and first >= start and (end is None or first <= end):
            ids: Ints = np.asarray(self.customers)
            found[ids[(ids >= 1) & (ids <= n)] - 1] = 1.0
        return found


@dataclass(frozen=True)
class Pushes:
    """What a lever adds in a quarter to each customer (m,): to satisfaction, answers, the log odds
    of leaving, the logs of orders and cases."""

    points: Floats
    answers: Floats
    leaving: Floats
    orders: Floats
    cases: Floats

    @classmethod
    def of(cls, lever: Lever | None, n: int, first: date) -> "Pushes":
        """All customers' (n,)."""
        if lever is None:
            return cls(*(np.zeros(n) for _ in range(5)))
        own = lever.pushed(n, first)
        return cls(*(getattr(lever, name) * own for name in ("points", "answers", *DIRECT)))

    def at(self, rows: Ints) -> "Pushes":
        """Of some customers."""
        return Pushes(*(part[rows] for part in (self.points, self.answers, self.leaving,
                                                self.orders, self.cases)))  # fmt: skip
