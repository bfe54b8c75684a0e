"""Simulated purchases: of new customers, and of present ones given what they did so far."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxmodels.data.summaries import Profiles
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.family import PurchaseFamily

CELLS = 4_000_000  # draws times profiles held at once: 32 MB an array


def simulated_log(
    family: PurchaseFamily, theta: Floats, customers: int, *, T: float, seed: int
) -> pd.DataFrame:
    """Purchases of new customers over T units of time, the first at time 0; marked as simulated."""
    if customers < 1 or not T > 0:
        raise OptionError(f"customers and T must be above 0, got {customers} and {T}")
    rng = np.random.default_rng(seed)
    paths = family.simulate(np.broadcast_to(theta, (customers, theta.size)), np.float64(T), rng)
    customer = np.concatenate([np.arange(customers), paths.customer])
    time = np.concatenate([np.zeros(customers), paths.time])
    order = np.lexsort((time, customer))
    table = pd.DataFrame({"customer_id": customer[order] + 1, "time": time[order]})
    return table.assign(simulated=True)


def alive_groups(seen: Profiles) -> tuple[Floats, Floats, Ints]:
    """Distinct (x, T), and which of them each profile belongs to.

    Given that a customer is alive, x and T say all there is to know about their future.
    """
    times, place = np.unique(seen.T, return_inverse=True)
    key = seen.frequency * times.size + place
    groups, group = np.unique(key, return_inverse=True)
    return (groups // times.size).astype(np.float64), times[groups % times.size], group


def future_counts(
    family: PurchaseFamily, theta: Floats, seen: Profiles, t: float, rng: np.random.Generator
) -> Iterator[tuple[slice, Ints]]:
    """Simulated purchases in the next t units of each profile under each draw.

    theta: (d, k). Yields slices of the profiles with counts (d, profiles of the slice); profiles
    with the same (x, T) share the draws of what they would do if alive.
    """
    x, T, group = alive_groups(seen)
    updated = family.alive(theta[:, None, :], x, T)
    shape = updated.shape[:2]
    counts = family.simulate_counts(updated.reshape(-1, theta.shape[-1]), np.float64(t), rng)
    if_alive = counts.reshape(shape)
    step = max(1, CELLS // len(theta))
    for start in range(0, seen.T.size, step):
        part = slice(start, start + step)
        past = (seen.frequency[part].astype(np.float64), seen.recency[part], seen.T[part])
        chance = family.p_alive(theta[:, None, :], *past)
        still = rng.random(chance.shape) < chance
        yield part, np.where(still, if_alive[:, group[part]], 0)
