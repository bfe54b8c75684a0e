"""Each metric of each arm beside the control: which sums, which adjustment, which errors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.adjustment import (
    ANCOVA,
    CUPED,
    LIN,
    PLAIN,
    Contrast,
    cuped_slopes,
    over_strata,
    plain,
    recipe,
)
from cxmodels.experiments.cluster_errors import clustered_errors
from cxmodels.experiments.metric_kinds import Asked, Quantity
from cxmodels.experiments.moments import Moments
from cxmodels.experiments.permutation import Stratum, permuted
from cxmodels.experiments.sums import Sums, pooled
from cxmodels.experiments.trial_rows import Job, Rows, Rowwise, by_influence, by_leverage
from cxmodels.numerics.arrays import Bools, Floats, Ints

ADJUST = (PLAIN, CUPED, LIN, ANCOVA)
ERRORS = ("welch", "hc2", "hc3", "cr2", "permutation")
POWER = {"hc2": 1, "hc3": 2}
EXACT = 1e-6  # of the error without covariates: below it, what is left is rounding


@dataclass(frozen=True)
class Choices:
    """How a test is analysed; the door says what each means."""

    control: str
    adjust: str
    errors: str
    level: float
    draws: int
    seed: int
    assigned: bool  # strata weigh by all units, not by those whose outcome is known


@dataclass(frozen=True, eq=False)
class Compared:
    """One metric of one arm beside the control; n, units (2,): known, and all, control first;
    reach: half the interval in errors."""

    asked: Asked
    arm: str
    contrast: Contrast
    n: Floats
    units: Floats
    reach: float
    p_value: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """Cells of two arms: arm 0, 1 or -1 (2 c,), stratum from 0, sums with gaps filled; groups:
    (s, 2) sums of strata and arms; fill (k,); weight (s,) of the strata."""

    asked: Asked
    label: str
    arm: Ints
    stratum: Ints
    sums: Sums
    groups: Sums
    fill: Floats
    weight: Floats
    units: Floats

    @property
    def theta(self) -> Floats:
        """CUPED's slopes."""
        return cuped_slopes(self.groups if len(self.weight) > 1 else self.groups.at(0), self.asked)


def compared(moments: Moments, choices: Choices, rowwise: Rowwise | None) -> list[Compared]:
    """All metrics of all arms but the control. rowwise: None where there are sums alone."""
    others = [arm for arm in moments.arms if arm != choices.control]
    pairs = [_pair(moments, asked, (choices.control, arm), choices)
             for asked in moments.asked for arm in others]  # fmt: skip
    if rowwise is None and (choices.errors == "permutation" or _by_rows(choices)):
        raise OptionError(
            f"{choices.adjust} with errors {choices.errors} needs the rows themselves: call "
            "analyse on the source, or take adjust='cuped' with errors='welch'"
        )
    if choices.errors == "permutation" and rowwise is not None:
        return list(_permuted(pairs, rowwise, choices))
    if _by_rows(choices) and rowwise is not None:
        jobs = [job_of(pair, rowwise.arms, choices) for pair in pairs]
        contrasts = by_leverage(rowwise, jobs)
    elif choices.errors == "cr2":
        _, cluster = np.unique(moments.cluster, return_inverse=True)
        contrasts = [_clustered(pair, np.tile(cluster, 2), choices.adjust) for pair in pairs]
    else:
        contrasts = [_plain(pair, choices) for pair in pairs]
    return [_told(pair, c, choices) for pair, c in zip(pairs, contrasts, strict=True)]


def _by_rows(choices: Choices) -> bool:
    return choices.adjust in (LIN, ANCOVA) and choices.errors in POWER


def _pair(moments: Moments, asked: Asked, arms: tuple[str, str], choices: Choices) -> _Pair:
    block, label = moments.block(asked), moments.arm.astype(str)
    code = np.where(label == arms[1], 1, np.where(label == arms[0], 0, -1))
    fill = pooled(block.sums, np.where(code >= 0, 0, -1), 1).mean[0]
    if choices.adjust == PLAIN:
        asked = replace(asked, covariates=())
    strata, stratum = np.unique(moments.stratum, return_inverse=True)
    size = strata.size
    units = np.bincount(2 * stratum[code >= 0] + code[code >= 0], moments.rows[code >= 0], 2 * size)
    sums, code, stratum = block.filled(fill), np.tile(code, 2), np.tile(stratum, 2)
    flat = pooled(sums, np.where(code >= 0, 2 * stratum + code, -1), 2 * size)
    k = len(asked.terms)
    groups = Sums(flat.n.reshape(size, 2), flat.mean.reshape(size, 2, k),
                  flat.product.reshape(size, 2, k, k))  # fmt: skip
    units = units.reshape(size, 2)
    weight = (units if choices.assigned else groups.n).sum(axis=1)
    weight = weight / weight.sum()
    return _Pair(asked, arms[1], code, stratum, sums, groups, fill, weight, units.sum(axis=0))


def job_of(pair: _Pair, arms: tuple[str, ...], choices: Choices) -> Job:
    """What one pass over the rows has to do for a pair without strata."""
    how = choices.adjust
    theta = pair.theta if how == CUPED else np.zeros(0)
    found = recipe(pair.groups.at(0), pair.asked, how, theta)
    places = (arms.index(choices.control), arms.index(pair.label))
    return Job(pair.asked, places, found, POWER.get(choices.errors, 0), pair.fill)


def joint_covariance(moments: Moments, choices: Choices, rowwise: Rowwise) -> Floats:
    """Covariance (m, m) of the estimates of all metrics and arms, from each unit's influence."""
    others = [arm for arm in moments.arms if arm != choices.control]
    jobs = [job_of(_pair(moments, asked, (choices.control, arm), choices), rowwise.arms, choices)
            for asked in moments.asked for arm in others]  # fmt: skip
    return by_influence(rowwise, jobs)


def _plain(pair: _Pair, choices: Choices) -> Contrast:
    found = plain(pair.groups, pair.asked, pair.theta)
    if choices.errors != "welch":  # HC2 and HC3 of arms alone
        n = pair.groups.n
        times = n / (n - 1.0) if choices.errors == "hc3" else np.ones_like(n)
        covariance = found.covariance * times[..., None]
        degrees = np.asarray(n.sum(axis=-1) - 2.0)
        found = Contrast(found.mean, covariance, degrees)
        if len(pair.weight) == 1:
            return Contrast(found.mean[0], found.covariance[0], found.degrees[0])
    return over_strata(found, pair.weight, pair.groups.n)


def _clustered(pair: _Pair, cluster: Ints, how: str) -> Contrast:
    """CR2, stratum by stratum; variances of strata add up, as do degrees by Satterthwaite."""
    theta = pair.theta if how == CUPED else np.zeros(0)
    parts = [_one_clustered(pair, cluster, stratum, how, theta)
             for stratum in range(len(pair.weight))]  # fmt: skip
    mean = np.einsum("s,sa->a", pair.weight, np.stack([part.mean for part in parts]))
    v = np.einsum("s,sab->ab", pair.weight**2, np.stack([part.covariance for part in parts]))
    own = pair.weight**2 * np.array([float(part.variance) for part in parts])
    nu = np.array([float(part.degrees) for part in parts])
    degrees = own.sum() ** 2 / max(float((own**2 / nu).sum()), 1e-300)
    return Contrast(mean, v, np.float64(degrees))  # type: ignore[arg-type]


def _one_clustered(pair: _Pair, cluster: Ints, stratum: int, how: str, theta: Floats) -> Contrast:
    here = (pair.arm >= 0) & (pair.stratum == stratum) & (pair.sums.n > 0)
    found = recipe(pair.groups.at(stratum), pair.asked, how, theta)
    names, own = np.unique(cluster[here], return_inverse=True)
    arm, sums = pair.arm[here], pair.sums.at(here)
    p = len(found.coefficients)
    gram, score = np.zeros((names.size, p, p)), np.zeros((names.size, p))
    for side in (0, 1):
        at = arm == side
        inside, left = found.cells(sums.at(at), side)
        np.add.at(gram, own[at], inside)
        np.add.at(score, own[at], left)
    errors = clustered_errors(gram, score, found.bread)
    contrast = np.zeros(p)
    contrast[:2] = -1.0, 1.0
    return Contrast(found.coefficients[:2], errors.covariance[:2, :2],
                    np.float64(errors.degrees(contrast)))  # type: ignore[arg-type]  # fmt: skip


def _told(pair: _Pair, contrast: Contrast, choices: Choices) -> Compared:
    error, degrees = np.sqrt(max(float(contrast.variance), 0.0)), float(contrast.degrees)
    n = float(pair.groups.n.sum())
    if not error > EXACT * np.sqrt(float(pair.groups.product[..., 0, 0].sum())) / n:
        name = pair.asked.label
        raise FitError(
            f"{name!r} is told to the last digit by what was known before, and has no error: is "
            "that column the outcome itself? Leave it out"
        )
    reach = float(scipy.stats.t.ppf((1.0 + choices.level) / 2.0, degrees))
    p = float(2.0 * scipy.stats.t.sf(abs(float(contrast.estimate)) / error, degrees))
    n = pair.groups.n.sum(axis=0)
    return Compared(pair.asked, pair.label, contrast, n, pair.units, reach, p)


def _permuted(pairs: list[_Pair], rowwise: Rowwise, choices: Choices) -> Iterator[Compared]:
    rows = rowwise.whole()
    control = rowwise.arms.index(choices.control)
    clustered = rowwise.plan.cluster is not None
    for place, pair in enumerate(pairs):
        own = rowwise.arms.index(pair.label)
        here = rows.known(pair.asked) & ((rows.arm == control) | (rows.arm == own))
        columns = rows.columns(pair.asked, pair.fill)[here]
        treated, stratum = rows.arm[here] == own, rows.stratum[here]
        asked, theta = pair.asked, pair.theta
        if clustered:
            asked, columns, treated, stratum = _summed(
                rows, here, pair, (columns, treated, stratum)
            )
            theta = np.zeros(0)
        _, code = np.unique(stratum, return_inverse=True)
        strata = [Stratum(columns[code == s], treated[code == s], float(pair.weight[s]))
                  for s in range(len(pair.weight))]  # fmt: skip
        chance = choices.draws, generator(choices.seed, place)
        dealt = permuted(strata, asked, theta, chance, choices.level)
        if clustered:
            contrast = _of_clusters(strata, asked)
        else:
            contrast = over_strata(plain(pair.groups, asked, theta), pair.weight, pair.groups.n)
        n = pair.groups.n.sum(axis=0)
        yield Compared(pair.asked, pair.label, contrast, n, pair.units, dealt.reach, dealt.p_value)


def _summed(
    rows: Rows, here: Bools, pair: _Pair, given: tuple[Floats, Bools, Ints]
) -> tuple[Asked, Floats, Bools, Ints]:
    """Clusters as rows: sums of a linearised outcome less CUPED's part, and how many units."""
    columns, treated, stratum = given
    found = recipe(_pooled_strata(pair.groups), pair.asked, CUPED, pair.theta)
    z = np.where(
        treated, found.level[1] + (columns - found.centre[1]) @ found.to_z[1],
        found.level[0] + (columns - found.centre[0]) @ found.to_z[0],
    )  # fmt: skip
    _, first, own = np.unique(rows.cluster[here], return_index=True, return_inverse=True)
    both = np.bincount(own, treated) / np.bincount(own)
    if ((both > 0.0) & (both < 1.0)).any():
        raise OptionError("a cluster holds units of both arms: clusters cannot be dealt whole")
    sums = np.column_stack([np.bincount(own, z), np.bincount(own).astype(np.float64)])
    asked = replace(pair.asked, outcome=Quantity(0, 1), covariates=())
    return asked, sums, treated[first], stratum[first]


def _pooled_strata(groups: Sums) -> Sums:
    s, a = groups.n.shape
    k = groups.mean.shape[-1]
    flat = Sums(groups.n.ravel(), groups.mean.reshape(-1, k), groups.product.reshape(-1, k, k))
    return pooled(flat, np.tile(np.arange(a), s), a)


def _of_clusters(strata: list[Stratum], asked: Asked) -> Contrast:
    """The contrast that is dealt: of clusters, stratum by stratum."""
    code = np.concatenate([2 * s + part.treated for s, part in enumerate(strata)])
    columns = np.concatenate([part.columns for part in strata])
    k = columns.shape[1]
    cells = Sums(np.ones(len(columns)), columns, np.zeros((len(columns), k, k)))
    flat = pooled(cells, code.astype(np.int64), 2 * len(strata))
    size = len(strata)
    groups = Sums(flat.n.reshape(size, 2), flat.mean.reshape(size, 2, k),
                  flat.product.reshape(size, 2, k, k))  # fmt: skip
    weight = np.array([part.weight for part in strata])
    return over_strata(plain(groups, asked, np.zeros(0)), weight, groups.n)


@dataclass(frozen=True, eq=False)
class Stratified:
    """An arm beside the control in each stratum (s,): contrasts, n (s, 2); fill (k,) and theta (q,)
    as they were adjusted by."""

    asked: Asked
    arm: str
    strata: list[str]
    contrast: Contrast
    n: Floats
    fill: Floats
    theta: Floats


def by_stratum(moments: Moments, asked: Asked, arm: str, choices: Choices) -> Stratified:
    """Contrasts of each stratum by Welch, with one theta of all."""
    pair = _pair(moments, asked, (choices.control, arm), choices)
    theta = pair.theta
    contrast = plain(pair.groups, pair.asked, theta)
    strata = [str(name) for name in np.unique(moments.stratum)]
    return Stratified(pair.asked, arm, strata, contrast, pair.groups.n, pair.fill, theta)
