"""Customers with the same history are counted once: distinct (frequency, recency, T) with weights.

A purchase likelihood depends on a customer through these three numbers only, and a real base has
far fewer of them than customers.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Profiles:
    """Distinct histories, sorted by frequency, recency and T.

    frequency, recency, T, weight: shape (m,); row: shape (n,), the profile of each customer;
    kind: (m,) place among the distinct rows of covariates, one place where there are none.
    """

    frequency: Ints
    recency: Floats
    T: Floats
    weight: Floats
    row: Ints
    kind: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def __post_init__(self) -> None:
        if self.kind.size != self.frequency.size:
            object.__setattr__(self, "kind", np.broadcast_to(self.kind, self.frequency.shape))

    def __len__(self) -> int:
        return len(self.frequency)

    def every(self, part: slice) -> "Profiles":
        """Some of the histories with their weights, each its own row."""
        frequency = self.frequency[part]
        return Profiles(
            frequency,
            self.recency[part],
            self.T[part],
            self.weight[part],
            np.arange(frequency.size),
            self.kind[part],
        )


def compress(frequency: Ints, recency: Floats, T: Floats, kind: Ints | None = None) -> Profiles:
    """The distinct histories of n customers and how many customers share each.

    kind: (n,) which row of covariates a customer has; None where there are no covariates.

    >>> found = compress(np.array([2, 0, 2]), np.array([3.5, 0.0, 3.5]), np.array([9.0, 9.0, 9.0]))
    >>> found.frequency, found.weight, found.row
    (array([0, 2]), array([1., 2.]), array([1, 0, 1]))
    """
    codes, firsts = _ranks(frequency)
    for values in (recency, T) if kind is None else (recency, T, kind):
        ranks, _ = _ranks(values)
        codes, firsts = _ranks(codes * (int(ranks.max(initial=0)) + 1) + ranks)
    weight = np.bincount(codes, minlength=len(firsts)).astype(np.float64)
    return Profiles(
        np.asarray(frequency, dtype=np.int64)[firsts],
        np.asarray(recency, dtype=np.float64)[firsts],
        np.asarray(T, dtype=np.float64)[firsts],
        weight,
        codes,
        np.zeros(1, dtype=np.int64) if kind is None else np.asarray(kind, dtype=np.int64)[firsts],
    )


def _ranks(values: Ints | Floats) -> tuple[Ints, Ints]:
    """The rank of each value among the distinct ones, and where each distinct value stands.

    Hashing finds the distinct values in linear time; only those are sorted.
    """
    import pandas as pd

    codes, distinct = pd.factorize(np.asarray(values))
    order = np.argsort(distinct, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranks = rank[codes]
    where = np.empty(len(order), dtype=np.int64)
    where[ranks[::-1]] = np.arange(len(codes))[::-1]
    return ranks, where
