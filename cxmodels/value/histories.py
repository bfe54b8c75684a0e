"""Customers with the same past are worked out once: distinct purchase and spend histories."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.simulation import AliveGroups


@dataclass(frozen=True)
class Histories:
    """m distinct histories of n customers.

    profile: which distinct (x, t_x, T), ascending; x, t_x, T: purchases; orders, mean: paid repeat
    orders and their mean (0 where none); margin: of a customer's revenue; kind: row of covariates;
    weight: how many customers share the history; group: (m,) place among the g `ahead`, states
    that say all about the future of a customer who is alive; row: (n,) the history of each
    customer.
    """

    profile: Ints
    x: Floats
    t_x: Floats
    T: Floats
    orders: Floats
    mean: Floats
    margin: Floats
    kind: Ints
    weight: Floats
    ahead: AliveGroups
    group: Ints
    row: Ints

    @property
    def size(self) -> int:
        """Number of distinct histories."""
        return self.x.size

    @classmethod
    def of(
        cls, family: PurchaseFamily, base: CustomerBase, seen: Profiles, margin: Floats
    ) -> "Histories":
        """The histories of a base, from its profiles, the columns of spend, and margins (n,)."""
        orders = base.table["paid_frequency"].to_numpy(dtype=np.float64)
        mean = np.where(orders > 0, base.table["monetary_value"].to_numpy(dtype=np.float64), 0.0)
        row = seen.row
        for figure in (orders, mean, margin):
            row, first = _split(row, figure)
        order = np.argsort(seen.row[first], kind="stable")  # slices of it share few profiles
        first, row = first[order], np.argsort(order)[row]
        profile = seen.row[first]
        groups = AliveGroups.of(family, seen)
        return cls(
            profile=profile,
            x=seen.frequency[profile].astype(np.float64),
            t_x=seen.recency[profile],
            T=seen.T[profile],
            orders=orders[first],
            mean=mean[first],
            margin=margin[first],
            kind=seen.kind[profile],
            weight=np.bincount(row).astype(np.float64),
            ahead=groups,
            group=groups.group[profile],
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
            kind=self.kind[first],
            weight=weight.astype(np.float64),
            group=self.group[first],
            row=row[self.row],
        )

    def each(self) -> "Histories":
        """The same customers one by one, each with a history and a future of their own."""
        row, own = self.row, np.arange(self.row.size)
        x, t_x, T = (figure[row] for figure in (self.x, self.t_x, self.T))
        kind = self.kind[row]
        return Histories(
            profile=self.profile[row],
            x=x,
            t_x=t_x,
            T=T,
            orders=self.orders[row],
            mean=self.mean[row],
            margin=self.margin[row],
            kind=kind,
            weight=np.ones(row.size),
            ahead=AliveGroups(x, t_x, T, kind, own),
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
