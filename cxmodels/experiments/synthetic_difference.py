"""Synthetic difference in differences: units and periods are weighted to be like the treated ones.

Difference in differences asks that all untreated units would have moved as the treated did;
synthetic control, that a mixture has the same level. This asks only that a mixture moves alike, and
weights periods before treatment by how well they foretell those after. Source: Arkhangelsky, Athey,
Hirshberg, Imbens and Wager 2021, American Economic Review 111; `difference_weights` has the
equations. For California's Proposition 99 the optimum is -15.605; R's synthdid, which stops its
search early, has -15.604, and -19.620 for a synthetic control that is -19.514 at its optimum.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.difference_weights import (
    KINDS,
    Doubled,
    Ridges,
    jackknife,
    ridges_of,
    weights_of,
)
from cxmodels.experiments.placebo_sets import sets_of
from cxmodels.experiments.unit_periods import Grid, Names, grid_of, shown
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level, normal_quantile
from cxmodels.results.shown_tables import Face, Faced

ERRORS = ("placebo", "jackknife", "none")
FEW = 20  # placebos below which a standard error is hardly known


@dataclass(frozen=True, eq=False, repr=False)
class SyntheticDifference(Faced):
    """table: estimator (synthetic difference, synthetic control, difference in differences, the
    naive one), estimate (units of the outcome, mean over periods after), std_error, lower, upper,
    p_value (normal), p_placebo (rank among placebos, two-sided). unit_weights: unit, weight.
    time_weights: period, weight. path: period, treated, synthetic (moved to the weighted level
    before), gap. placebos: unit, and each estimate there. zeta_units, zeta_times: roots of ridges.
    breach: of the conditions of an optimum. verdict: a sentence."""

    table: pd.DataFrame
    unit_weights: pd.DataFrame
    time_weights: pd.DataFrame
    path: pd.DataFrame
    placebos: pd.DataFrame
    zeta_units: float
    zeta_times: float
    breach: float
    level: float
    errors: str
    verdict: str
    notes: tuple[str, ...]
    grid: Grid

    @property
    def effect(self) -> float:
        """The synthetic difference in differences."""
        return float(self.table["estimate"].iloc[0])

    def face(self) -> Face:
        """The three estimates."""
        g = self.grid
        head = (
            f"{g.outcome} of {g.treated_name} against {g.donors.size:,} others, from "
            f"{shown(g.periods[g.start])}; interval {self.level:.0%}"
        )
        return Face(head, self.table, (self.verdict, *self.notes))

    def back_dated(self, start: Any, *, errors: str = "none") -> "SyntheticDifference":
        """The same as if treatment had begun at an earlier `start`, on periods before it did: an
        effect there is none that was had. Errors: OptionError for a start that leaves no room."""
        grid = self.grid
        place = grid.place("start", start)
        if not 1 < place < grid.start:
            raise OptionError(
                f"start {start!r} leaves fewer than two periods before it, or none from it to "
                f"{shown(grid.periods[grid.start])}"
            )
        earlier = replace(grid, Y=grid.Y[:, : grid.start], periods=grid.periods[: grid.start],
                          start=place)  # fmt: skip
        return _told(earlier, self.level, (errors, 200, 1))


def synthetic_difference(  # noqa: PLR0913 - every choice of the design by name
    table: Any,
    outcome: str,
    *,
    unit: str,
    period: str,
    treated: Any,
    start: Any,
    errors: str = "placebo",
    replications: int = 200,
    level: float = 0.9,
    seed: int = 1,
) -> SyntheticDifference:
    """The effect on treated units by synthetic difference in differences, beside simpler ones.

    table: one row a unit and period (numbers or dates), none missing; treated: a unit's name, or
    several that begin together; start: first treated period; errors: "placebo" (untreated units
    treated in turn: all sets, if they are no more than `replications`, else so many drawn; assumes
    treated units to vary as others do), "jackknife" (several treated units) or "none"; level: of
    normal intervals; seed: of sets drawn.
    Errors: DataError for a table that is no full panel, OptionError, FitError where the error asked
    for is not defined.

    >>> from cxmodels.experiments.synthetic_difference import synthetic_difference
    >>> rows = [(u, t, (u * t) % 5 + 9.0 * (u == 2 and t > 5)) for u in range(8) for t in range(8)]
    >>> table = pd.DataFrame(rows, columns=["shop", "week", "sales"])
    >>> found = synthetic_difference(table, "sales", unit="shop", period="week", treated=2, start=6)
    >>> found.table["estimator"].tolist()
    ['synthetic difference', 'synthetic control', 'difference in differences']
    """
    inside = check_level(level)
    if errors not in ERRORS:
        raise OptionError(f"errors {errors!r} is not one of {', '.join(ERRORS)}")
    whole = isinstance(replications, int) and not isinstance(replications, bool)
    if not whole or replications < 2:
        raise OptionError(f"replications {replications!r} is a whole number from 2 on")
    generator(seed)
    grid = grid_of(table, Names(outcome, unit, period), treated, start)
    return _told(grid, inside, (errors, replications, seed))


def _told(grid: Grid, level: float, how: tuple[str, int, int]) -> SyntheticDifference:
    """Every estimate with its error, and what the first is made of."""
    errors, replications, seed = how
    Y, treated = grid.Y[grid.donors], grid.Y[grid.treated].mean(axis=0)
    ridges = ridges_of(Y, grid.treated.size, grid.start)
    weights = {kind: weights_of(kind, (Y, treated), ridges, grid.start) for kind in KINDS}
    placebos = pd.DataFrame(columns=["unit", *KINDS])
    if errors == "placebo":
        placebos = _placebos(grid, ridges, weights, (replications, seed))
    table, refused = _table(grid, weights, placebos, (errors, level))
    first = weights[KINDS[0]]
    return SyntheticDifference(
        table=table,
        unit_weights=pd.DataFrame({"unit": [grid.units[at] for at in grid.donors],
                                   "weight": first.units}).sort_values(
            "weight", ascending=False, kind="stable", ignore_index=True),
        time_weights=pd.DataFrame({"period": list(grid.periods[: grid.start]),
                                   "weight": first.times}),
        path=_path(grid, first, Y, treated),
        placebos=placebos,
        zeta_units=ridges.units,
        zeta_times=ridges.times,
        breach=max(found.breach for found in weights.values()),
        level=level,
        errors=errors,
        verdict=_verdict(grid, table, level),
        notes=(*_notes(grid, first, errors, len(placebos)), *refused),
        grid=grid,
    )  # fmt: skip


def _table(
    grid: Grid, weights: dict[str, Doubled], placebos: pd.DataFrame, how: tuple[str, float]
) -> tuple[pd.DataFrame, list[str]]:
    """Every estimate with its error, and which of the simpler ones have none."""
    Y, treated = grid.Y[grid.donors], grid.Y[grid.treated].mean(axis=0)
    rows, refused = [], []
    for kind, found in weights.items():
        error = None
        if how[0] == "placebo":
            error = float(placebos[kind].std(ddof=0))
        elif how[0] == "jackknife":
            try:
                error = jackknife(grid.Y, grid.treated, found)
            except FitError as problem:
                if kind == KINDS[0]:
                    raise
                refused.append(f"{kind}: {problem}.")
        rows.append(_row(kind, found.estimate(Y, treated), error, placebos, how[1]))
    return pd.DataFrame(rows), refused


def _placebos(
    grid: Grid, ridges: Ridges, weights: dict[str, Doubled], drawn: tuple[int, int]
) -> pd.DataFrame:
    """Every estimate with untreated units in the place of the treated (Algorithm 4 there)."""
    size, donors = grid.treated.size, grid.donors
    if donors.size < size + 2:
        raise FitError(
            f"placebos need more untreated units ({donors.size}) than treated ones ({size}), by 2: "
            "errors='none', or 'jackknife' with several treated units"
        )
    rows = []
    for held in sets_of(np.arange(donors.size), size, drawn[0], generator(drawn[1])):
        kept = np.ones(donors.size, dtype=bool)
        kept[held] = False
        Y, own = grid.Y[donors[kept]], grid.Y[donors[held]].mean(axis=0)
        row: dict[str, Any] = {
            "unit": " and ".join(str(grid.units[int(at)]) for at in donors[held])
        }
        for kind in KINDS:
            near = replace(weights[kind], units=weights[kind].units[kept])
            row[kind] = weights_of(kind, (Y, own), ridges, grid.start, near).estimate(Y, own)
        rows.append(row)
    return pd.DataFrame(rows)


def _row(
    kind: str, estimate: float, error: float | None, placebos: pd.DataFrame, level: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"estimator": kind, "estimate": estimate, "std_error": error}
    row |= dict.fromkeys(["lower", "upper", "p_value", "p_placebo"])
    if error is not None:
        half = normal_quantile(level) * error
        row["lower"], row["upper"] = estimate - half, estimate + half
        if error > 0.0:
            row["p_value"] = 2.0 * float(scipy.special.ndtr(-abs(estimate) / error))
    if len(placebos):
        size = np.abs(placebos[kind].to_numpy(dtype=np.float64))
        as_large = int((size >= abs(estimate) * (1.0 - 1e-9)).sum())
        row["p_placebo"] = (1.0 + as_large) / (1.0 + size.size)
    return row


def _path(grid: Grid, weights: Doubled, Y: Floats, treated: Floats) -> pd.DataFrame:
    """The treated and the mixture, moved to the treated's weighted level before treatment."""
    gap = treated - weights.units @ Y
    gap = gap - float(weights.times @ gap[: grid.start])
    return pd.DataFrame({"period": list(grid.periods), "treated": treated,
                         "synthetic": treated - gap, "gap": gap})  # fmt: skip


def _verdict(grid: Grid, table: pd.DataFrame, level: float) -> str:
    row, naive = table.iloc[0].to_dict(), table.iloc[-1].to_dict()
    told = (
        f"From {shown(grid.periods[grid.start])} on, {grid.outcome} of {grid.treated_name} moved "
        f"by {row['estimate']:+.4g} against others weighted to move alike"
    )
    if row["std_error"] is None:
        return f"{told}; against all others alike, by {naive['estimate']:+.4g}."
    told += (
        f" ({row['lower']:+.4g} to {row['upper']:+.4g}); against all others alike, by "
        f"{naive['estimate']:+.4g}."
    )
    if row["lower"] <= 0.0 <= row["upper"]:
        told += f" It cannot be told from none at {level:.0%}."
    return told


def _notes(grid: Grid, weights: Doubled, errors: str, placebos: int) -> list[str]:
    notes = [
        f"{int((weights.units > 1e-6).sum()):,} of {grid.donors.size:,} units and "
        f"{int((weights.times > 1e-6).sum()):,} of {grid.start:,} periods before have weight, at "
        "their optimum."
    ]
    if errors == "none":
        notes.append("No standard error was asked for.")
    if errors == "jackknife":
        notes.append("Errors by the jackknife over units, weights held.")
    if errors == "placebo":
        notes.append(
            f"Errors from {placebos:,} placebos: right if treated units vary as untreated ones do."
        )
        if placebos < FEW:
            notes.append(f"{placebos} placebos hardly tell how wide chance is.")
    return notes
