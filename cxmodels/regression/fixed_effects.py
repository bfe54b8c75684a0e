"""Regression of a count or an amount with a constant of its own for each group: fixed effects.

Mean mu_it = exp(a_i + x_it b + offset_it). Given the total of a group, the Poisson likelihood has
no a_i: mu_it = Y_i w_it, w_it = exp(x_it b + offset_it) / sum over s of the same (Hausman, Hall and
Griliches 1984, Econometrica 52, equation 2.3). The estimate asks only that the mean is right
(Wooldridge 1999), so amounts may be used as well, and errors are clustered by group.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.generalised_linear import solve

MOST_STEPS = 60
NEARLY = 0.01  # share of a column that the columns before it have to leave to it


@dataclass(frozen=True, eq=False)
class WithinFit:
    """Coefficients (k,) within groups.

    influence: (g, k) of each group; covariance: (k, k), clustered by group, factor G / (G - 1);
    mu, share: (n,) fitted means, and their share of the group's total; centred: (n, k) columns less
    the group's mean, weighed by mu; rows: (n,) which of the given rows are used; groups: how many.
    """

    coefficients: Floats
    influence: Floats
    covariance: Floats
    mu: Floats
    share: Floats
    centred: Floats
    rows: Ints
    groups: int


def usable(y: Floats, group: Ints) -> Ints:
    """Rows of groups that have two rows or more, and a total above 0: the others say nothing."""
    size, total = np.bincount(group), np.bincount(group, weights=y)
    return np.flatnonzero((size[group] > 1) & (total[group] > 0.0))


def moving(x: Floats, group: Ints) -> Ints:
    """Which columns (k,) move within groups and do not follow from those before them."""
    mean = _means(x, group, np.ones(len(x)))
    centred = x - mean[group]
    size = np.sqrt((centred**2).sum(axis=0))
    kept: list[int] = []
    basis = np.empty((len(x), 0))
    for place in range(x.shape[1]):
        if size[place] <= 1e-9 * (1.0 + np.abs(x[:, place]).max()) * np.sqrt(len(x)):
            continue
        unit = centred[:, place] / size[place]
        rest = unit - basis @ (basis.T @ unit)
        rest -= basis @ (basis.T @ rest)
        left = float(np.sqrt(rest @ rest))
        if left > NEARLY:
            kept.append(place)
            basis = np.column_stack([basis, rest / left])
    return np.array(kept, dtype=np.int64)


def _means(x: Floats, group: Ints, weight: Floats) -> Floats:
    """(g, k) weighted means of columns by group."""
    total = np.maximum(np.bincount(group, weights=weight), 1e-300)
    sums = [np.bincount(group, weights=weight * column) for column in x.T]
    return np.asarray(np.array(sums).T / total[:, None])


def within_groups(
    y: Floats, x: Floats, group: Ints, groups: int, *, offset: Floats | None = None
) -> WithinFit:
    """The fit of y (n,) on x (n, k), all of whose columns move within groups (n,) 0 to groups - 1.

    Raises: FitError where fewer than two groups say anything, or no finite estimate exists.
    """
    rows = usable(y, group)
    own = group[rows]
    if np.unique(own).size < 2:
        raise FitError("customers with two answers and some outcome are fewer than two")
    y, x = y[rows], x[rows]
    base = np.zeros(y.size) if offset is None else offset[rows]
    total = np.bincount(own, weights=y, minlength=groups)
    b = np.zeros(x.shape[1])
    value = -np.inf
    for _ in range(MOST_STEPS):
        share = _share(x @ b + base, own, groups)
        mu = total[own] * share
        centred = x - _means(x, own, mu)[own]
        information = centred.T @ (mu[:, None] * centred)
        step = solve(information, centred.T @ (y - mu))
        b, new = _climbed(y, x, base, (own, groups), (b, step, value))
        done = new - value <= 1e-12 * (1.0 + abs(new)) and np.abs(step).max() < 1e-9
        value = new
        if done:
            break
    else:
        raise FitError("no finite estimate: the outcome is there for some values of a column alone")
    slopes = (y - mu)[:, None] * centred
    sums = np.array([np.bincount(own, weights=part, minlength=groups) for part in slopes.T])
    influence = solve(information, sums).T
    present = np.unique(own).size
    covariance = present / (present - 1.0) * (influence.T @ influence)
    return WithinFit(b, influence, covariance, mu, share, centred, rows, present)


def _share(eta: Floats, own: Ints, groups: int) -> Floats:
    """(n,) exp(eta) over its sum within the group."""
    top = np.full(groups, -np.inf)
    np.maximum.at(top, own, eta)
    high = np.exp(eta - top[own])
    return np.asarray(high / np.bincount(own, weights=high, minlength=groups)[own])


def _climbed(
    y: Floats,
    x: Floats,
    base: Floats,
    groups: tuple[Ints, int],
    at: tuple[Floats, Floats, float],
) -> tuple[Floats, float]:
    """The step, halved until the conditional log likelihood does not fall."""
    b, step, value = at
    for halving in range(30):
        there = b + step * 0.5**halving
        share = _share(x @ there + base, *groups)
        new = float(y @ np.log(np.maximum(share, 1e-300)))
        if new >= value - 1e-12 * (1.0 + abs(value)):
            return there, new
    return b, value
