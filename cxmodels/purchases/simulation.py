"""Simulated purchases: of new customers, and of present ones given what they did so far."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import Profiles
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.family import PurchaseFamily

CELLS = 4_000_000  # draws times profiles held at once: 32 MB an array
MOST_FUTURES = 20_000_000  # draws times groups held at once: beyond, slice by slice


def simulated_log(
    family: PurchaseFamily, theta: Floats, customers: int, *, T: float, seed: int
) -> pd.DataFrame:
    """Purchases of new customers over T units of time, the first at time 0; marked as simulated."""
    if customers < 1 or not T > 0:
        raise OptionError(f"customers and T must be above 0, got {customers} and {T}")
    rng = generator(seed)
    paths = family.simulate(np.broadcast_to(theta, (customers, theta.size)), np.float64(T), rng)
    customer = np.concatenate([np.arange(customers), paths.customer])
    time = np.concatenate([np.zeros(customers), paths.time])
    order = np.lexsort((time, customer))
    table = pd.DataFrame({"customer_id": customer[order] + 1, "time": time[order]})
    return table.assign(simulated=True)


@dataclass(frozen=True)
class AliveGroups:
    """Customers whose futures are alike once they are known to be alive: g distinct states.

    x, t_x, T, kind: (g,) of each; group: (m,) which of them each profile belongs to. Recency
    tells groups apart only where the family remembers it.
    """

    x: Floats
    t_x: Floats
    T: Floats
    kind: Ints
    group: Ints

    @classmethod
    def of(cls, family: PurchaseFamily, seen: Profiles) -> "AliveGroups":
        """The groups among m distinct histories."""
        key, first = seen.frequency, np.arange(seen.frequency.size)
        for values in (seen.T, seen.kind, *([seen.recency] if family.remembers_recency else [])):
            distinct, place = np.unique(values, return_inverse=True)
            _, first, key = np.unique(
                key * distinct.size + place, return_index=True, return_inverse=True
            )
        x, T, kind = seen.frequency[first].astype(np.float64), seen.T[first], seen.kind[first]
        return cls(x, seen.recency[first], T, kind, key)

    def parts(self, draws: int) -> Iterator[tuple[slice, "AliveGroups"]]:
        """Slices of the profiles with the groups they belong to, and the place of each in them.

        All groups every time (the same array x) where they are few; those of the slice where
        customers have parameters of their own and there are nearly as many groups as customers.
        """
        step = max(1, CELLS // draws)
        few = self.x.size * draws <= MOST_FUTURES
        for start in range(0, self.group.size, step):
            part = slice(start, start + step)
            if few:
                yield part, replace(self, group=self.group[part])
                continue
            found, place = np.unique(self.group[part], return_inverse=True)
            x, t_x, T = (value[found] for value in (self.x, self.t_x, self.T))
            yield part, AliveGroups(x, t_x, T, self.kind[found], place)

    def alive(self, family: PurchaseFamily, theta: Floats) -> Floats:
        """(..., g, k): parameters of each group's customers, alive now, under theta (..., K)."""
        return family.alive(family.link.rows(theta, self.kind), self.x, self.t_x, self.T)


def p_alive(
    family: PurchaseFamily, theta: Floats, seen: Profiles, part: slice = slice(None)
) -> Floats:
    """(..., part): P(alive) of some of the distinct histories under theta (..., K)."""
    past = (seen.frequency[part].astype(np.float64), seen.recency[part], seen.T[part])
    return family.p_alive(family.link.rows(theta, seen.kind[part]), *past)


def future_counts(
    family: PurchaseFamily, theta: Floats, seen: Profiles, t: float, rng: np.random.Generator
) -> Iterator[tuple[slice, Floats, Ints]]:
    """Simulated purchases in the next t units of each profile under each draw.

    theta: (d, k). Yields slices of the profiles with P(alive) and counts, both (d, profiles of the
    slice); profiles of one group share the draws of what they would do if alive.
    """
    of: Floats | None = None
    for part, near in AliveGroups.of(family, seen).parts(len(theta)):
        if of is not near.x:
            of, updated = near.x, near.alive(family, theta)
            flat = updated.reshape(-1, updated.shape[-1])
            if_alive = family.simulate_counts(flat, np.float64(t), rng).reshape(updated.shape[:2])
        chance = p_alive(family, theta, seen, part)
        still = rng.random(chance.shape) < chance
        yield part, chance, np.where(still, if_alive[:, near.group], 0)
