"""Tests that ask few clusters for no more than they can give: wild bootstrap and permutation.

With few clusters, t tests reject too often; the wild cluster bootstrap imposes the hypothesis,
turns the signs of whole clusters' residuals, and asks how large a t that gives (Cameron, Gelbach
and Miller 2008, Review of Economics and Statistics 90, section III.B; Webb's weights below 12
clusters).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.conventions import Linear
from cxmodels.regression.panel import PanelFit

FEW = 12  # clusters below which signs alone give too few different draws
WEBB = np.sqrt([1.5, 1.0, 0.5])
CELLS = 20_000_000  # draws times clusters at once
MOST_STEPS, MOST_LEVELS = 60, 500


@dataclass(frozen=True, eq=False)
class Resampled:
    """statistic: t of the hypothesis; p_value; lower, upper: ends of the set of values that are not
    rejected (None where not asked for); draws, clusters; sentence."""

    statistic: float
    p_value: float
    lower: float | None
    upper: float | None
    draws: int
    clusters: int
    sentence: str


@dataclass(frozen=True, eq=False)
class _Asked:
    """A coefficient of a fit: its place; x: its column less all others (n,); base: these (n, q);
    group: the cluster of each row."""

    held: Linear
    place: int
    x: Floats
    base: Floats
    group: Ints


def wild_bootstrap(
    fit: PanelFit,
    coefficient: str,
    *,
    by: str = "unit",
    value: float = 0.0,
    draws: int = 9_999,
    level: float | None = None,
    seed: int = 1,
) -> Resampled:
    """Is a coefficient `value`? Wild cluster bootstrap with the hypothesis imposed.

    by: "unit" or "period", the clusters; level: of an interval of all values not rejected, by
    bisection; seed: of the draws. Residuals and columns are those of the fit, less its effects.
    """
    place = _place(fit, coefficient)
    if by not in ("unit", "period"):
        raise OptionError(f"by {by!r} is neither unit nor period")
    if not isinstance(draws, int) or draws < 99:
        raise OptionError(f"draws {draws!r} is below 99")
    if not np.isfinite(value):
        raise OptionError(f"value {value!r} is a finite number")
    held = fit.linear
    _, group = np.unique(getattr(held, by), return_inverse=True)
    clusters = int(group.max()) + 1
    if clusters < 3:
        raise FitError(f"{clusters} clusters: at least 3 are needed")
    asked = _Asked(held, place, *_apart(held, place, by), group.astype(np.int64))
    weights = _weights(clusters, draws, generator(seed))
    statistic, p = _p_value(asked, value, weights)
    lower, upper = (None, None) if level is None else _inverted(asked, weights, level)
    many = "" if clusters >= FEW else f" Only {clusters} clusters."
    said = (
        f"wild cluster bootstrap by {by} ({clusters:,} clusters, {draws:,} draws): t "
        f"{statistic:.3f}, p {p:.3f} that {coefficient} is {value:g}.{many}"
    )
    return Resampled(statistic, p, lower, upper, draws, clusters, said)


def _place(fit: PanelFit, coefficient: str) -> int:
    if not isinstance(fit, PanelFit):
        raise OptionError(f"this takes a fit of panel_fit, got {type(fit).__name__}")
    names = list(fit.table["coefficient"])
    if coefficient not in names:
        raise OptionError(f"coefficient {coefficient!r} is not one of {', '.join(names)}")
    return names.index(coefficient)


def _apart(held: Linear, place: int, by: str) -> tuple[Floats, Floats]:
    """The column less what the others say of it (n,), and an orthonormal base (n, q) of these and
    of effects that cut across the clusters."""
    columns = [np.delete(held.X, place, axis=1)]
    across = [item for item in held.levels if not item[1 if by == "unit" else 2]]
    if across:
        other = held.period if by == "unit" else held.unit
        levels, own = np.unique(other, return_inverse=True)
        if len(across) > 1 or across[0][0] != levels.size or levels.size > MOST_LEVELS:
            raise OptionError(
                f"effects cut across the clusters by {by} in ways that a bootstrap of sums cannot "
                "follow: take the other clusters, or fewer effects"
            )
        dummies = (own[:, None] == np.arange(levels.size)).astype(np.float64)
        if len(held.levels) > 1:
            _, group = np.unique(getattr(held, by), return_inverse=True)
            dummies = (
                dummies - (_by(group, dummies, group.max() + 1).T / np.bincount(group)).T[group]
            )
        columns.append(dummies)
    q, r, _ = scipy.linalg.qr(np.column_stack(columns), mode="economic", pivoting=True)
    depth = np.abs(np.diag(r))
    base = q[:, : int((depth > 1e-10 * depth.max(initial=1e-300)).sum())]
    x = held.X[:, place]
    return x - base @ (base.T @ x), np.asarray(base, dtype=np.float64)


def _weights(clusters: int, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, G): signs, or Webb's six points for few clusters."""
    signs = rng.integers(0, 2, (draws, clusters)) * 2.0 - 1.0
    if clusters >= FEW:
        return np.asarray(signs, dtype=np.float64)
    return np.asarray(signs * WEBB[rng.integers(0, 3, (draws, clusters))])


def _p_value(asked: "_Asked", value: float, weights: Floats) -> tuple[float, float]:
    """t of the hypothesis, and the share of draws with one as large: by sums over clusters alone.

    With e the residuals under the hypothesis, draw y* = fit + v_g e: its slope less `value` is
    sum v_g c_g / A, c_g = sum of x e; its cluster scores s*_g = v_g c_g - (slope) a_g - what the
    other columns take, linear in v too.
    """
    held, x, base, group = asked.held, asked.x, asked.base, asked.group
    y = held.X @ held.coefficients + held.e - value * held.X[:, asked.place]
    e = y - base @ (base.T @ y)  # the hypothesis imposed
    G = weights.shape[1]
    c = np.bincount(group, weights=x * e, minlength=G)
    a = np.bincount(group, weights=x * x, minlength=G)
    A = float(a.sum())
    cross, inner = _by(group, x[:, None] * base, G), _by(group, e[:, None] * base, G)

    def t_of(v: Floats) -> Floats:
        slope = v @ c / A
        scores = v * c - slope[:, None] * a - (v @ inner) @ cross.T
        return np.asarray(slope * A / np.sqrt((scores**2).sum(axis=1)))

    seen = float(t_of(np.ones((1, G)))[0])
    step = max(1, CELLS // G)
    drawn = np.concatenate([t_of(weights[i : i + step]) for i in range(0, len(weights), step)])
    return seen, float(np.mean(np.abs(drawn) >= abs(seen) - 1e-12))


def _by(group: Ints, columns: Floats, G: int) -> Floats:
    """(G, q) sums of columns (n, q) by cluster."""
    sums = [np.bincount(group, weights=column, minlength=G) for column in columns.T]
    return np.asarray(sums, dtype=np.float64).reshape(len(sums), G).T


def _inverted(asked: _Asked, weights: Floats, level: float) -> tuple[float, float]:
    """Where the p-value crosses 1 - level, on either side of the estimate."""
    middle, size = float(asked.held.coefficients[asked.place]), 1.0 - level
    scores = np.bincount(asked.group, weights=asked.x * asked.held.e)
    error = float(np.sqrt((scores**2).sum())) / float(asked.x @ asked.x)

    def p(value: float) -> float:
        return _p_value(asked, value, weights)[1]

    ends = []
    for side in (-1.0, 1.0):
        inside, outside = middle, middle + side * 3.0 * error
        for _ in range(20):
            if p(outside) < size:
                break
            outside = middle + 2.0 * (outside - middle)
        else:
            ends.append(side * np.inf)
            continue
        for _ in range(MOST_STEPS):
            half = 0.5 * (inside + outside)
            inside, outside = (half, outside) if p(half) >= size else (inside, half)
            if abs(outside - inside) <= 1e-4 * error:
                break
        ends.append(0.5 * (inside + outside))
    return float(ends[0]), float(ends[1])


def permuted(
    fit: PanelFit, coefficient: str, *, by: str = "unit", draws: int = 999, seed: int = 1
) -> Resampled:
    """Does a column say anything that its owners' places would not? The column's values are dealt
    to other units as whole series (by="unit"), or shuffled within periods (by="period").

    Series are dealt among units seen in the same periods, so that gaps stay where they are.
    """
    place, held = _place(fit, coefficient), fit.linear
    if by not in ("unit", "period"):
        raise OptionError(f"by {by!r} is neither unit nor period")
    if not isinstance(draws, int) or draws < 99:
        raise OptionError(f"draws {draws!r} is below 99")
    rng = generator(seed)
    x, base = _apart(held, place, by)
    y = held.X @ held.coefficients + held.e
    left = y - base @ (base.T @ y)
    seen = float(x @ left / (x @ x))
    column = held.X[:, place]
    dealer = _dealer(held, by)
    drawn = np.empty(draws)
    for draw in range(draws):
        moved = column[dealer(rng)]
        moved = moved - base @ (base.T @ moved)
        drawn[draw] = moved @ left / max(float(moved @ moved), 1e-300)
    p = float((1 + np.sum(np.abs(drawn) >= abs(seen) - 1e-12)) / (draws + 1))
    groups = int(np.unique(getattr(held, by)).size)
    said = f"permutation by {by} ({draws:,} draws): p {p:.3f} that {coefficient} says nothing"
    return Resampled(seen, p, None, None, draws, groups, said)


def _dealer(held: Linear, by: str) -> Callable[[np.random.Generator], Ints]:
    """Which row each row takes its value from, drawn anew at each call."""
    if by == "period":
        order = np.argsort(held.period, kind="stable")
        cuts = np.flatnonzero(np.diff(held.period[order])) + 1
        parts = np.split(order, cuts)
    else:
        _, unit = np.unique(held.unit, return_inverse=True)
        rows = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
        shapes: dict[bytes, list[Ints]] = {}
        for part in rows:
            own = part[np.argsort(held.period[part])]
            shapes.setdefault(held.period[own].tobytes(), []).append(own)
        grids = [np.stack(group) for group in shapes.values()]
        if max(len(grid) for grid in grids) < 3:
            raise FitError("no three units are seen in the same periods: permute by period")

    def deal(rng: np.random.Generator) -> Ints:
        source = np.arange(held.period.size)
        if by == "period":
            for part in parts:
                source[part] = rng.permutation(part)
        else:
            for grid in grids:
                source[grid.ravel()] = grid[rng.permutation(len(grid))].ravel()
        return source

    return deal
