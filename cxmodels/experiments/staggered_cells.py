"""Effects by group and period: which comparisons there are, and each with its influence.

ATT(g, t) is the change, from the base period, of units first treated in g against that of controls
(Callaway and Sant'Anna 2021, Journal of Econometrics 225, equations 2.2 to 2.9). Without covariates
and with every outcome known, means and cross products of each group hold all there is to know.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cxmodels.errors import FitError
from cxmodels.experiments.staggered import Rollout
from cxmodels.experiments.staggered_influence import Block, Influence
from cxmodels.experiments.two_groups import compared
from cxmodels.numerics.arrays import Bools, Floats, Ints

FEWEST = 2  # units of either side: below, there is no error
NEVER, NOT_YET = "never treated", "not yet treated"
VARYING, UNIVERSAL = "varying", "universal"


@dataclass(frozen=True)
class Cell:
    """A comparison: group g, places of period and base in the grid, (G,) which groups control."""

    group: float
    period: int
    base: int
    controls: tuple[bool, ...]
    before: bool


@dataclass(frozen=True, eq=False)
class Cells:
    """K comparisons that could be made: att (K,), units (K,) and controls (K,) compared, their
    influence; refused: comparisons that could not, each with the reason."""

    cells: tuple[Cell, ...]
    att: Floats
    units: Ints
    controls: Ints
    influence: Influence
    refused: tuple[tuple[Cell, str], ...]


def planned(rollout: Rollout, control: str, base: str) -> Iterator[Cell]:
    """Every comparison that groups and periods admit."""
    groups, periods, a = rollout.groups, rollout.periods, rollout.anticipation
    for g in groups[np.isfinite(groups)].tolist():
        before_g = rollout.base_of(g)
        for t in range(periods.size):
            before = periods[t] < g - a
            b = t - 1 if before and base == VARYING else before_g
            if b < 0 or b == t:
                continue
            if control == NEVER:
                serve = np.isinf(groups)
            else:
                serve = (groups - a > periods[max(t, b)]) & (groups != g)
            yield Cell(g, t, b, tuple(serve.tolist()), bool(before))


def estimated(rollout: Rollout, cells: tuple[Cell, ...], method: str) -> Cells:
    """All comparisons; FitError, with the reasons, where none can be made."""
    code = np.searchsorted(rollout.groups, rollout.group)
    whole = rollout.x is None and bool(rollout.seen.all())
    made = _by_sums(rollout, cells, code) if whole else _by_units(rollout, cells, code, method)
    if not made.cells:
        reasons = list(dict.fromkeys(reason for _, reason in made.refused))
        raise FitError("no effect can be estimated: " + "; ".join(reasons))
    return made


def _few(treated: int, controls: int) -> str:
    if controls < FEWEST:
        return "no controls" if controls == 0 else "one control only"
    return f"{treated} treated unit{'' if treated == 1 else 's'}" if treated < FEWEST else ""


def _by_sums(rollout: Rollout, cells: tuple[Cell, ...], code: Ints) -> Cells:
    """From means and deviations of each group: all outcomes known, no covariates."""
    count = np.bincount(code)
    G, T = count.size, rollout.periods.size
    rows = [np.flatnonzero(code == h) for h in range(G)]
    mean = np.stack([rollout.y[own].mean(axis=0) for own in rows])
    sizes = [
        (int(count[np.searchsorted(rollout.groups, c.group)]), int(count[list(c.controls)].sum()))
        for c in cells
    ]
    reasons = [_few(*size) for size in sizes]
    kept = [k for k, reason in enumerate(reasons) if not reason]
    held = tuple(cells[k] for k in kept)
    into = np.zeros((G, T + 1, len(held)))
    att = np.empty(len(held))
    for k, cell in enumerate(held):
        own, serve = int(np.searchsorted(rollout.groups, cell.group)), np.array(cell.controls)
        move = mean[:, cell.period] - mean[:, cell.base]
        n, m = sizes[kept[k]]
        other = float(count[serve] @ move[serve]) / m
        att[k] = move[own] - other
        into[own, 1 + cell.period, k], into[own, 1 + cell.base, k] = 1.0 / n, -1.0 / n
        into[serve, 1 + cell.period, k], into[serve, 1 + cell.base, k] = -1.0 / m, 1.0 / m
        into[serve, 0, k] = -(move[serve] - other) / m
    blocks = tuple(
        Block(own, np.column_stack([np.ones(own.size), rollout.y[own] - mean[h]]), into[h])
        for h, own in enumerate(rows)
    )
    influence = Influence(blocks, code.size, rollout.cluster)
    units, controls = np.array([sizes[k] for k in kept], dtype=np.int64).reshape(-1, 2).T
    refused = tuple((c, r) for c, r in zip(cells, reasons, strict=True) if r)
    return Cells(held, att, units, controls, influence, refused)


def _by_units(rollout: Rollout, cells: tuple[Cell, ...], code: Ints, method: str) -> Cells:
    """Each comparison by itself, of the units whose outcomes and covariates it needs are known."""
    held: list[Cell] = []
    att: list[float] = []
    sizes: list[tuple[int, int]] = []
    refused: list[tuple[Cell, str]] = []
    phi = np.zeros((code.size, len(cells)), order="F")
    for cell in cells:
        own = int(np.searchsorted(rollout.groups, cell.group))
        part = np.array(cell.controls)[code] | (code == own)
        change = rollout.y[:, cell.period] - rollout.y[:, cell.base]
        part &= np.isfinite(change)
        if rollout.x is not None:
            part &= np.isfinite(rollout.x[:, cell.base, -1])
        place = np.flatnonzero(part)
        treated = code[place] == own
        size = (int(treated.sum()), int((~treated).sum()))
        reason = _few(*size)
        if not reason:
            try:
                found, influence = _one(rollout, cell, (place, treated), change[place], method)
            except FitError as problem:
                reason = str(problem)
        if reason:
            refused.append((cell, reason))
            continue
        phi[place, len(held)] = influence
        held.append(cell)
        att.append(found)
        sizes.append(size)
    K = len(held)
    block = Block(np.arange(code.size), phi[:, :K], np.eye(K))
    units, controls = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
    influence_of = Influence((block,), code.size, rollout.cluster)
    return Cells(tuple(held), np.array(att), units, controls, influence_of, tuple(refused))


def _one(
    rollout: Rollout, cell: Cell, who: tuple[Ints, Bools], change: Floats, method: str
) -> tuple[float, Floats]:
    """One effect and the influence of the units compared."""
    place, treated = who
    if rollout.x is not None:
        return compared(change, treated, rollout.x[place, cell.base], rollout.names, method)
    one, other = float(change[treated].mean()), float(change[~treated].mean())
    moved = np.where(treated, (change - one) / treated.sum(), (other - change) / (~treated).sum())
    return one - other, moved
