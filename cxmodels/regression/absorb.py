"""Columns less their fixed effects: one group exactly, two exactly, more by alternation.

Two ways: what the first effects leave of the second solves D2' M1 D2 g = D2' M1 x, a system as
small as the smaller of the two, so that a firm and year panel of any size takes one step.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy import sparse

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats, Ints

DENSE = 3_000  # levels of the smaller effect up to which its system is solved directly
CLOSE, MOST_ROUNDS = 1e-12, 10_000


@dataclass(frozen=True, eq=False)
class Effects:
    """Groups (e, n) of each of e effects, numbered from 0, and how many constants they are."""

    groups: tuple[Ints, ...]
    constants: int


def singletons(groups: "list[Ints]") -> Bools:
    """(n,) rows that no effect leaves alone: groups of one row are taken out until none is left."""
    keep = np.ones(groups[0].size, np.bool_) if groups else np.ones(0, np.bool_)
    while True:
        alone = np.zeros_like(keep)
        for group in groups:
            count = np.bincount(group[keep], minlength=int(group.max(initial=0)) + 1)
            alone |= keep & (count[group] == 1)
        if not alone.any():
            return keep
        keep &= ~alone


def effects_of(groups: "list[Ints]") -> Effects:
    """Effects renumbered, with the constants that they take: of two, less their connected parts."""
    dense = tuple(np.unique(group, return_inverse=True)[1].astype(np.int64) for group in groups)
    counts = [int(group.max(initial=-1)) + 1 for group in dense]
    constants = sum(counts)
    for place in range(1, len(dense)):
        first, other = dense[0], dense[place]
        graph = sparse.coo_matrix(
            (np.ones(first.size), (first, other + counts[0])),
            (counts[0] + counts[place],) * 2,
        )
        constants -= sparse.csgraph.connected_components(graph, directed=False)[0]
    return Effects(dense, constants)


def absorbed(x: Floats, effects: Effects) -> Floats:
    """(n, k) columns less all their effects."""
    if not effects.groups:
        return x
    if len(effects.groups) == 1:
        return x - _means(x, effects.groups[0])[effects.groups[0]]
    if len(effects.groups) == 2:
        return _two_ways(x, *effects.groups)
    return _in_turns(x, effects.groups)


def _means(x: Floats, group: Ints) -> Floats:
    count = np.bincount(group)
    return np.stack([np.bincount(group, weights=column) / count for column in x.T], axis=1)


def _two_ways(x: Floats, one: Ints, two: Ints) -> Floats:
    if one.max() < two.max():
        one, two = two, one
    first = x - _means(x, one)[one]
    many, few = int(one.max()) + 1, int(two.max()) + 1
    cross = sparse.csr_matrix((np.ones(one.size), (one, two)), (many, few))
    size = np.bincount(one, minlength=many)
    right = np.stack([np.bincount(two, weights=column, minlength=few) for column in first.T], 1)
    weighted = sparse.diags(1.0 / size) @ cross
    left = sparse.diags(np.bincount(two, minlength=few).astype(np.float64)) - cross.T @ weighted
    if few <= DENSE:
        found, *_ = scipy.linalg.lstsq(left.toarray(), right, lapack_driver="gelsy", cond=1e-11)
    else:
        found = np.stack([_solved(left.tocsr(), column) for column in right.T], axis=1)
    return np.asarray(first - found[two] + np.asarray(weighted @ found)[one])


def _solved(left: sparse.csr_matrix, right: Floats) -> Floats:
    scale = sparse.diags(1.0 / np.maximum(left.diagonal(), 1e-12))
    found, failed = sparse.linalg.cg(left, right, rtol=1e-13, maxiter=MOST_ROUNDS, M=scale)
    if failed:
        raise FitError("the fixed effects cannot be told apart: too few units meet in two groups")
    return np.asarray(found)


def _in_turns(x: Floats, groups: tuple[Ints, ...]) -> Floats:
    scale = np.sqrt((x**2).sum(axis=0)) + 1e-300
    for _ in range(MOST_ROUNDS):
        before = x
        for group in (*groups, *groups[-2::-1]):
            x = x - _means(x, group)[group]
        if (np.sqrt(((x - before) ** 2).sum(axis=0)) <= CLOSE * scale).all():
            return x
    raise FitError("the fixed effects do not settle: leave one of them out")
