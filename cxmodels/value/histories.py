"""Customers with the same past are worked out once: distinct purchase and spend histories."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase
from cxmodels.numerics.arrays import Floats, Ints


@dataclass(frozen=True)
class Histories:
    """m distinct histories of n customers.

    profile: which distinct (x, t_x, T), ascending; x, t_x, T: purchases; orders, mean: paid repeat
    orders and their mean (0 where none); margin: of a customer's revenue; weight: how many
    customers share the history; group: (m,) place among the g distinct (x, T) `alive_x`,
    `alive_T`, which say all about the future of a customer who is alive; row: (n,) the history of
    each customer.
    """

    profile: Ints
    x: Floats
    t_x: Floats
    T: Floats
    orders: Floats
    mean: Floats
    margin: Floats
    weight: Floats
    alive_x: Floats
    alive_T: Floats
    group: Ints
    row: Ints

    @property
    def size(self) -> int:
        """Number of distinct histories."""
        return self.x.size

    @classmethod
    def of(cls, base: CustomerBase, margin: Floats) -> "Histories":
        """The histories of a base, from its profiles, the columns of spend, and margins (n,)."""
        seen = base.profiles
        orders = base.table["paid_frequency"].to_numpy(dtype=np.float64)
        mean = np.where(orders > 0, base.table["monetary_value"].to_numpy(dtype=np.float64), 0.0)
        row = seen.row
        for figure in (orders, mean, margin):
            row, first = _split(row, figure)
        order = np.argsort(seen.row[first], kind="stable")  # slices of it share few profiles
        first, row = first[order], np.argsort(order)[row]
        profile = seen.row[first]
        times, place = np.unique(seen.T, return_inverse=True)
        groups, group = np.unique(seen.frequency * times.size + place, return_inverse=True)
        return cls(
            profile=profile,
            x=seen.frequency[profile].astype(np.float64),
            t_x=seen.recency[profile],
            T=seen.T[profile],
            orders=orders[first],
            mean=mean[first],
            margin=margin[first],
            weight=np.bincount(row).astype(np.float64),
            alive_x=(groups // times.size).astype(np.float64),
            alive_T=times[groups % times.size],
            group=group[profile],
            row=row,
        )

    def pooled(self) -> "Histories":
        """Customers with the same purchases and number of paid orders as one, for sums over them.

        Expected spend is linear in the mean order, so the mean of a pool (by margin) serves; the
        weight of a pool is the sum of its margins, and its own margin 1.
        """
        row, first = _split(self.profile, self.orders)
        order = np.argsort(self.profile[first], kind="stable")
        first, row = first[order], np.argsort(order)[row]
        earned = self.weight * self.margin
        weight = np.bincount(row, weights=earned)
        mean = np.bincount(row, weights=earned * self.mean) / weight
        return replace(
            self,
            profile=self.profile[first],
            x=self.x[first],
            t_x=self.t_x[first],
            T=self.T[first],
            orders=self.orders[first],
            mean=mean,
            margin=np.ones(first.size),
            weight=weight.astype(np.float64),
            group=self.group[first],
            row=row[self.row],
        )

    def each(self) -> "Histories":
        """The same customers one by one, each with a history and a future of their own."""
        row, own = self.row, np.arange(self.row.size)
        x, T = self.x[row], self.T[row]
        return Histories(
            profile=self.profile[row],
            x=x,
            t_x=self.t_x[row],
            T=T,
            orders=self.orders[row],
            mean=self.mean[row],
            margin=self.margin[row],
            weight=np.ones(row.size),
            alive_x=x,
            alive_T=T,
            group=own,
            row=own,
        )


def _split(row: Ints, figure: Floats) -> tuple[Ints, Ints]:
    """Histories (n,) told apart by one more figure, and the first customer of each."""
    codes, distinct = pd.factorize(figure)
    key = row.astype(np.int64) * max(1, len(distinct)) + codes
    place, keys = pd.factorize(key)
    first = np.full(len(keys), -1, dtype=np.int64)
    first[place[::-1]] = np.arange(place.size)[::-1]
    return place.astype(np.int64), first
