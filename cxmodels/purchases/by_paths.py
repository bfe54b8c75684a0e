"""Each customer's path of covariates: from a base and a design to the steps of two clocks.

What one customer has is r, alpha, s, beta, the effects, the place of their path and the time `now`
on it, at which they are asked about.
"""

from dataclasses import dataclass, replace

import numpy as np

from cxmodels.data.covariate_paths import Steps, steps_of
from cxmodels.data.covariates import distinct, read
from cxmodels.data.profiles import compress
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.clocks import Paths
from cxmodels.purchases.design import Design
from cxmodels.purchases.family import PurchaseFamily

ASK_FOR_A_BASE = (
    "covariates of this fit change over time, so the answer depends on a path of them: ask about "
    "the customers of a base, as in fit.predict(base, horizon=...)"
)


@dataclass(frozen=True, eq=False)
class ByPaths:
    """The link of a design over time; `paths` are those of one base, none before `on`."""

    family: PurchaseFamily
    design: Design
    paths: Paths | None = None

    def own(self, space: Space) -> Space:
        return self.family.space

    def rows(self, theta: Floats, kind: Ints) -> Floats:
        return _at(theta, kind, np.zeros(kind.size))

    def acquired(self, theta: Floats, kind: Ints) -> Floats:
        return _at(theta, kind, self.placed.now[kind])

    def jumps(self, alive: Floats) -> Floats:
        place = alive[..., -2].astype(np.int64)
        ahead = self.placed.since[place] - alive[..., -1:]
        found = np.round(ahead[np.isfinite(ahead)], 6)  # one day, told from several first days
        return np.unique(found[found > 0.0])

    def on(self, base: CustomerBase) -> tuple["ByPaths", Profiles]:
        steps = steps_of(base, tuple(item.name for item in self.design.variables))
        paths, kind = paths_of(base, steps, self.design)
        x, t_x, T = (base.table[name].to_numpy() for name in ("frequency", "recency", "T"))
        return replace(self, paths=paths), compress(x, t_x, T, kind)

    @property
    def placed(self) -> Paths:
        """The paths of the base; OptionError where there is none."""
        if self.paths is None:
            raise OptionError(ASK_FOR_A_BASE)
        return self.paths


def _at(theta: Floats, kind: Ints, now: Floats) -> Floats:
    """(..., m, K + 2): theta (..., K) with the place of each path and the time on it."""
    shape = (*theta.shape[:-1], kind.size)
    whole = np.broadcast_to(theta[..., None, :], (*shape, theta.shape[-1]))
    where = np.broadcast_to(np.stack([kind.astype(np.float64), now], axis=-1), (*shape, 2))
    return np.concatenate([whole, where], axis=-1)


def paths_of(base: CustomerBase, steps: Steps, design: Design) -> tuple[Paths, Ints]:
    """The distinct paths of a base's customers, and which each customer (n,) has."""
    kept, first = distinct(read(steps.frame, design.variables))
    purchase, dropout = design.both(steps.frame.iloc[first].reset_index(drop=True))
    size = np.bincount(steps.customer, minlength=base.customers)
    begin = np.cumsum(size) - size
    place = np.arange(steps.customer.size) - begin[steps.customer]
    shape = (base.customers, int(size.max()))
    since, row = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
    since[steps.customer, place], row[steps.customer, place] = steps.since, kept
    keys: dict[bytes, int] = {}
    kind = np.array(
        [
            keys.setdefault(since[i].tobytes() + row[i].tobytes() + steps.until[i].tobytes(), i)
            for i in range(base.customers)
        ]
    )
    chosen, kind = np.unique(kind, return_inverse=True)
    return Paths(
        since=since[chosen],
        row=row[chosen],
        purchase=purchase,
        dropout=dropout,
        until=steps.until[chosen],
        now=base.table["T"].to_numpy(dtype=np.float64)[chosen],
        who=tuple(base.table["customer_id"].to_numpy()[chosen].tolist()),
        last=steps.last,
        unit=base.unit.value,
    ), kind
