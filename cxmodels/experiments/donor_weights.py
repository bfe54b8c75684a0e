"""Weights of donors for one treated series: by its outcome before treatment, or by predictors too.

By outcomes: w minimises the mean squared gap before treatment, plus ridge * sum w^2, over the
simplex. By predictors (Abadie, Diamond and Hainmueller 2010, Journal of the American Statistical
Association 105, section 2.3): w(V) minimises the gaps of predictors in units of their standard
deviations, weighted by V, and V is searched for the least mean squared gap of the outcome. Many V
give the same w, and the search has many local optima: V is never reported, and the search starts
from several places and keeps the best.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.simplex_weights import gram, nearest
from cxmodels.experiments.unit_periods import Grid, shown
from cxmodels.numerics.arrays import Floats, Ints

DRAWN, KEPT, STEPS = 300, 3, 400  # random V looked at, descents from the best, steps of each
LEAST_SHARE = 1e-8  # of V for each predictor: with none at 0 the mixture stays unique


@dataclass(frozen=True, eq=False)
class Weighed:
    """Of one treated series: weights (n,) of donors, gap (T,) treated less synthetic, breach of the
    conditions of an optimum, unique: whether no other weights fit as well."""

    donors: Ints
    weights: Floats
    treated: Floats
    gap: Floats
    breach: float
    unique: bool

    @property
    def synthetic(self) -> Floats:
        """(T,) the mixture of donors."""
        return self.treated - self.gap


@dataclass(frozen=True, eq=False)
class Study:
    """What is held fixed over all refits of one study.

    Y (N, T); window: first place and end of the periods that weights are fitted to; start: place
    of the first treated period; ridge: squared outcome; X (N, K): predictors, or None, known from
    periods up to last_predictor; seed: of the search for V.
    """

    Y: Floats
    window: tuple[int, int]
    start: int
    ridge: float = 0.0
    X: Floats | None = None
    last_predictor: int = -1
    seed: int = 1

    @property
    def fitted_to(self) -> slice:
        """Periods that weights are fitted to."""
        return slice(*self.window)

    def weigh(self, treated: Ints, donors: Ints, near: Floats | None = None) -> Weighed:
        """Weights for the mean of the treated; near (N,): weights of all units to start from."""
        y, others = self.Y[treated].mean(axis=0), self.Y[donors]
        start = None
        if near is not None and near[donors].sum() > 0.0:
            start = near[donors]
        if self.X is None:
            held = self.fitted_to
            found = nearest(gram(others[:, held], y[held], self.ridge), start)
            w, breach, unique = found.weights, found.breach, found.unique
        else:
            w, breach = self._by_predictors(treated, donors)
            unique = True
        return Weighed(donors, w, y, y - w @ others, breach, unique)

    def _by_predictors(self, treated: Ints, donors: Ints) -> tuple[Floats, float]:
        X, Y = np.asarray(self.X), self.Y[:, self.fitted_to]
        everyone = np.concatenate([donors, treated])
        spread = X[everyone].std(axis=0, ddof=1)
        D = (X[donors] - X[treated].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        gaps = Y[donors] - Y[treated].mean(axis=0)
        starts = _starts(X[everyone] / np.where(spread > 0.0, spread, 1.0), Y[everyone])
        best = _searched(D, gaps, starts, self.seed)
        found = nearest(_weighted(D, best))
        return found.weights, found.breach


def _weighted(D: Floats, v: Floats) -> Floats:
    """Gram matrix of predictor gaps D (n, K) under shares v (K,), of any sign and sum."""
    share = np.abs(v) / np.abs(v).sum() + LEAST_SHARE
    return np.asarray((D * share) @ D.T)


def _starts(X: Floats, Y: Floats) -> list[Floats]:
    """Equal shares, and those by a regression of outcomes on predictors, as R's Synth has it."""
    K = X.shape[1]
    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), Y, rcond=None)[0][1:]
    strength = (slopes**2).sum(axis=1)
    equal = np.full(K, 1.0 / K)
    return [equal, strength / strength.sum()] if strength.sum() > 0.0 else [equal]


def _searched(D: Floats, gaps: Floats, starts: list[Floats], seed: int) -> Floats:
    """Shares of predictors whose weights leave the least mean squared gap of the outcome."""
    last: list[Floats | None] = [None]

    def loss(v: Floats) -> float:
        if not np.isfinite(v).all() or not np.abs(v).sum() > 0.0:
            return float("inf")
        found = nearest(_weighted(D, v), last[0]).weights
        last[0] = found
        return float(np.mean((found @ gaps) ** 2))

    if D.shape[1] == 1:
        return starts[0]
    drawn = generator(seed).dirichlet(np.full(D.shape[1], 0.3), size=DRAWN)
    tried = np.array([loss(v) for v in drawn])
    best, least = starts[0], loss(starts[0])
    options: Any = {"maxiter": STEPS, "xatol": 1e-8, "fatol": 1e-12 * max(least, 1e-300)}
    for start in [*starts, *drawn[np.argsort(tried)[:KEPT]]]:
        found = scipy.optimize.minimize(loss, start, method="Nelder-Mead", options=options)
        if found.fun < least:
            best, least = np.abs(found.x) / np.abs(found.x).sum(), float(found.fun)
    polished = scipy.optimize.minimize(loss, best, method="Powell", options={"maxiter": 20})
    return np.asarray(polished.x if polished.fun < least else best, dtype=np.float64)


Window = Any  # a period, a (first, last) pair, or a list of periods


def predictors_of(
    grid: Grid, asked: Mapping[str, Window] | Iterable[tuple[str, Window]], unit: str, period: str
) -> tuple[Floats, list[str], int]:
    """Means of columns over windows by unit (N, K), their names, and the last place they reach.

    Raises: DataError listing units without a known value, OptionError for a window that is none.
    """
    import pandas as pd

    pairs = pairs_of(asked)
    columns, names, problems, last = [], [], [], -1
    place = grid.held[period].to_numpy()
    for column, window in pairs:
        inside, words = _window(grid, column, window)
        last = max(last, int(np.flatnonzero(inside)[-1]))
        rows = grid.held[inside[place]]
        values = pd.to_numeric(rows[column]).groupby(rows[unit]).mean()
        found = values.reindex(range(len(grid.units))).to_numpy(dtype=np.float64)
        lacking = np.flatnonzero(~np.isfinite(found))
        if lacking.size:
            first = str(grid.units[int(lacking[0])])
            problems.append(Problem(f"predictor {column} is unknown over {words} in "
                                    f"{lacking.size:,} units", first=first))  # fmt: skip
        columns.append(found)
        names.append(f"{column}, {words}")
    if problems:
        raise DataError("predictors", problems)
    X = np.column_stack(columns)
    if (np.ptp(X, axis=0) == 0.0).all():
        raise OptionError("every predictor is the same in all units: they tell no donors apart")
    return X, names, last


def pairs_of(
    asked: Mapping[str, Window] | Iterable[tuple[str, Window]],
) -> list[tuple[str, Window]]:
    """Columns with their windows, however they were given."""
    pairs = list(asked.items()) if isinstance(asked, Mapping) else list(asked)
    if not pairs or any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
        raise OptionError(
            "predictors maps columns to windows, as in {'income': (1980, 1988), 'age': 1988}"
        )
    return pairs


def _window(grid: Grid, column: str, window: Window) -> tuple[Any, str]:
    """(T,) which periods a window holds, and its name."""
    T = len(grid.periods)
    said = f"window of {column}"
    if isinstance(window, tuple) and len(window) == 2:
        chosen = np.arange(grid.place(said, window[0]), grid.place(said, window[1], after=True))
    else:
        single = isinstance(window, str) or not isinstance(window, Iterable)
        ends = [(grid.place(said, item), grid.place(said, item, after=True))
                for item in ([window] if single else list(window))]  # fmt: skip
        chosen = np.array([first for first, end in ends if end > first], dtype=np.int64)
    if not chosen.size:
        raise OptionError(f"window {window!r} of predictor {column!r} holds no period of the table")
    if chosen.max() >= grid.start:
        raise OptionError(
            f"window {window!r} of predictor {column!r} reaches into the treated periods: "
            "treatment may have moved what it would predict"
        )
    inside = np.zeros(T, dtype=bool)
    inside[chosen] = True
    first, last = (shown(grid.periods[int(at)]) for at in (chosen.min(), chosen.max()))
    return inside, first if first == last else f"{first} to {last}"
