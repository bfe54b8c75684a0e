"""A test by dealing the arms anew: what differences would chance alone have shown?

The statistic is the difference over its own error, so that the test holds for the mean where the
arms differ in spread as well (Chung and Romano 2013, Annals of Statistics 41); arms are dealt as
they were drawn, within strata, or to whole clusters.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.adjustment import Contrast, over_strata, plain
from cxmodels.experiments.metric_kinds import Asked
from cxmodels.experiments.sums import Sums
from cxmodels.numerics.arrays import Bools, Floats


@dataclass(frozen=True, eq=False)
class Dealt:
    """p_value; reach: quantile of |t| under chance, in errors, for the interval."""

    p_value: float
    reach: float


@dataclass(frozen=True, eq=False)
class Stratum:
    """Rows of one stratum: columns (n, k), whether treated (n,), and its weight."""

    columns: Floats
    treated: Bools
    weight: float


def permuted(
    strata: list[Stratum], asked: Asked, theta: Floats, chance: tuple[int, np.random.Generator],
    level: float,
) -> Dealt:  # fmt: skip
    """p-value of no effect on any unit, and how many errors an interval of `level` reaches.

    chance: draws and where they come from; theta: CUPED's slopes, which no dealing changes.
    """
    draws = chance[0]
    seen = abs(float(_t(_compared(strata, asked, theta, None)).squeeze()))
    drawn = np.abs(_t(_compared(strata, asked, theta, chance)))
    p = float((1 + (drawn >= seen * (1.0 - 1e-12)).sum()) / (draws + 1))
    place = int(np.ceil(level * (draws + 1))) - 1
    reach = float(np.sort(drawn)[place]) if place < draws else np.inf
    if not np.isfinite(reach):
        raise FitError(f"{draws} draws give no interval of {level:g}: draw more")
    return Dealt(p, reach)


def _t(contrast: Contrast) -> Floats:
    variance = contrast.variance
    return contrast.estimate / np.sqrt(np.where(variance > 0.0, variance, np.inf))


def _compared(
    strata: list[Stratum], asked: Asked, theta: Floats,
    chance: tuple[int, np.random.Generator] | None,
) -> Contrast:  # fmt: skip
    """Contrasts (draws,), or of the arms as they were drawn."""
    groups = [_groups(part, chance) for part in strata]
    n = np.stack([part.n for part in groups], axis=-2)
    sums = Sums(n, np.stack([part.mean for part in groups], axis=-3),
                np.stack([part.product for part in groups], axis=-4))  # fmt: skip
    weight = np.array([part.weight for part in strata])
    return over_strata(plain(sums, asked, theta), weight / weight.sum(), n)


def _groups(part: Stratum, chance: tuple[int, np.random.Generator] | None) -> Sums:
    """Sums (draws, 2) of a stratum whose arms are dealt anew; control is what is left."""
    columns = part.columns - part.columns.mean(axis=0)
    n, k = columns.shape
    squares = np.einsum("ni,nj->nij", columns, columns).reshape(n, k * k)
    values = np.concatenate([columns, squares], axis=1)
    treated = int(part.treated.sum())
    if chance is None:
        first = values[part.treated].sum(axis=0)[None]
    else:
        draws, rng = chance
        first = np.empty((draws, values.shape[1]))
        fewer = min(treated, n - treated)
        for draw in range(draws):
            first[draw] = values[rng.permutation(n)[:fewer]].sum(axis=0)
        if fewer < treated:
            first = values.sum(axis=0) - first
    both = np.stack([values.sum(axis=0) - first, first], axis=1)  # (draws, 2, k + k k)
    size = np.array([n - treated, treated], dtype=np.float64)
    mean = both[..., :k] / size[:, None]
    product = both[..., k:].reshape(*both.shape[:-1], k, k)
    product = product - size[:, None, None] * mean[..., :, None] * mean[..., None, :]
    return Sums(np.broadcast_to(size, both.shape[:-1]), mean + part.columns.mean(axis=0), product)
