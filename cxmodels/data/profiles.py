"""Customers with the same history are counted once: distinct (frequency, recency, T) with weights.

A purchase likelihood depends on a customer through these three numbers only, and a real base has
far fewer of them than customers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Profiles:
    """Distinct histories, sorted by frequency, recency and T.

    frequency, recency, T, weight: shape (m,); row: shape (n,), the profile of each customer.
    """

    frequency: Ints
    recency: Floats
    T: Floats
    weight: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.frequency)


def compress(frequency: Ints, recency: Floats, T: Floats) -> Profiles:
    """The distinct histories of n customers and how many customers share each.

    >>> found = compress(np.array([2, 0, 2]), np.array([3.5, 0.0, 3.5]), np.array([9.0, 9.0, 9.0]))
    >>> found.frequency, found.weight, found.row
    (array([0, 2]), array([1., 2.]), array([1, 0, 1]))
    """
    codes, firsts = _ranks(frequency)
    for values in (recency, T):
        ranks, _ = _ranks(values)
        codes, firsts = _ranks(codes * (int(ranks.max(initial=0)) + 1) + ranks)
    weight = np.bincount(codes, minlength=len(firsts)).astype(np.float64)
    return Profiles(
        np.asarray(frequency, dtype=np.int64)[firsts],
        np.asarray(recency, dtype=np.float64)[firsts],
        np.asarray(T, dtype=np.float64)[firsts],
        weight,
        codes,
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
