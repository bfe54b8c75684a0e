"""Synthetic control: what the treated would have been, as a mixture of units nobody treated.

The mixture has weights that are not negative and sum to 1, so that it lies within what was seen;
it is fitted to periods before treatment only. Sources: Abadie, Diamond and Hainmueller 2010,
"Synthetic control methods for comparative case studies", Journal of the American Statistical
Association 105; 2015, American Journal of Political Science 59 (back-dating, leaving donors out).
Weights are solved to the optimum. For Basque terrorism and R's Synth that is .8508 Cataluna, .1492
Madrid; where its search for V stops early or ends in a local optimum, published weights differ.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import OptionError
from cxmodels.experiments.conformal import ends_of, p_value_of
from cxmodels.experiments.donor_weights import Study, Weighed, pairs_of, predictors_of
from cxmodels.experiments.placebo_sets import (
    fit_errors,
    placebos_of,
    without_each,
)
from cxmodels.experiments.unit_periods import Grid, Names, grid_of, shown
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

PLACEBO, CONFORMAL = "placebo", "conformal"
MANY = 1 / 3  # periods after, over those before, beyond which a refit hides an effect
LEAST = 5  # periods before treatment below which a close fit says nothing
POOR = 0.5  # of the treated's own spread before treatment: a gap that is no good fit


@dataclass(frozen=True, eq=False, repr=False)
class SyntheticControl(Faced):
    """A synthetic control.

    weights: unit, weight, largest first. path: period, treated, synthetic, gap, and lower, upper of
    the gap in that period after treatment (conformal; missing where not known). effect: mean gap
    after treatment, units of the outcome; lower, upper: effects, the same in every period, that
    the placebo test does not reject (conformal if none was asked for; None: not known). p_value: of
    no effect by that test. tests: test, p_value, lower, upper. naive: difference in differences
    with all donors alike. placebos: unit (the treated first), effect, pre_rmspe, post_rmspe, ratio.
    balance: of predictors. mspe: mean squared gap before treatment. breach: of the conditions of an
    optimum. verdict: a sentence.
    """

    weights: pd.DataFrame
    path: pd.DataFrame
    effect: float
    lower: float | None
    upper: float | None
    naive: float
    p_value: float | None
    tests: pd.DataFrame
    placebos: pd.DataFrame
    balance: pd.DataFrame
    mspe: float
    breach: float
    level: float
    verdict: str
    notes: tuple[str, ...]
    grid: Grid
    study: Study
    weighed: Weighed

    def face(self) -> Face:
        """The path after treatment."""
        g = self.grid
        head = (
            f"{g.outcome} of {g.treated_name} less a mixture of {g.donors.size:,} donors, from "
            f"{shown(g.periods[g.start])}: {self.effect:+.4g} on average; interval {self.level:.0%}"
        )
        path = self.path.iloc[g.start :]
        told = path.assign(period=[shown(at) for at in path["period"]])
        return Face(head, told, (self.verdict, *self.notes))

    def without_each(self) -> pd.DataFrame:
        """unit, weight, effect, pre_rmspe with each donor that has weight left out in turn."""
        return without_each(self.grid, self.study, self.weighed)

    def back_dated(self, start: Any, *, placebos: int = 0) -> "SyntheticControl":
        """The same as if treatment had begun at an earlier `start`, on periods before it did: an
        effect there is none that was had. Errors: OptionError for a start that leaves no room."""
        grid, study = self.grid, self.study
        place = grid.place("start", start)
        if not study.window[0] < place < grid.start:
            first, last = (shown(grid.periods[at]) for at in (study.window[0], grid.start))
            raise OptionError(f"start {start!r} is not after {first} and before {last}")
        if study.X is not None and place <= study.last_predictor:
            raise OptionError(
                f"predictors reach to {shown(grid.periods[study.last_predictor])}, beyond {start!r}"
            )
        earlier = replace(grid, Y=grid.Y[:, : grid.start], periods=grid.periods[: grid.start],
                          start=place)  # fmt: skip
        held = replace(study, Y=earlier.Y, window=(study.window[0], place), start=place)
        return _told(earlier, held, self.level, placebos, self.balance["predictor"].tolist())


def synthetic_control(  # noqa: PLR0913 - every choice of the design by name
    table: Any,
    outcome: str,
    *,
    unit: str,
    period: str,
    treated: Any,
    start: Any,
    predictors: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
    fit_from: Any = None,
    ridge: float = 0.0,
    placebos: int = 500,
    level: float = 0.9,
    seed: int = 1,
) -> SyntheticControl:
    """The effect on treated units, against a mixture of units that were not treated.

    table: one row a unit and period (numbers or dates), none missing; treated: a unit's name, or
    several, whose mean is told; start: first treated period; predictors: columns with windows, a
    (first, last) pair, a list of periods or one period, whose means the mixture should share (the
    outcome as well, if named), else the outcome in every period; fit_from: first period whose gaps
    count; ridge: squared units of the outcome, the price of unequal weights (0: none); placebos:
    most sets of other units that are treated in turn, 0 for none; seed: of sets drawn, and of the
    search for the importance of predictors.
    Errors: DataError for a table that is no full panel, OptionError, FitError.

    >>> from cxmodels.experiments.synthetic_control import synthetic_control
    >>> rows = [(u, t, u * t + 5 * (u == 2 and t > 3)) for u in range(1, 5) for t in range(1, 6)]
    >>> table = pd.DataFrame(rows, columns=["shop", "week", "sales"])
    >>> found = synthetic_control(table, "sales", unit="shop", period="week", treated=2, start=4)
    >>> round(found.effect, 4), round(found.naive, 4)
    (5.0, 3.3333)
    """
    inside = check_level(level)
    whole = isinstance(placebos, int) and not isinstance(placebos, bool) and placebos >= 0
    if not whole:
        raise OptionError(f"placebos {placebos!r} is a whole number from 0 on: the most sets")
    generator(seed)
    if not (isinstance(ridge, int | float) and 0.0 <= ridge < np.inf):
        raise OptionError(f"ridge {ridge!r} is 0 or more, in squared units of {outcome}")
    if predictors is not None and ridge:
        raise OptionError("ridge goes with outcomes only: leave out predictors, or ridge")
    pairs = [] if predictors is None else pairs_of(predictors)
    others = tuple(dict.fromkeys(column for column, _ in pairs if column != outcome))
    grid = grid_of(table, Names(outcome, unit, period, others), treated, start)
    first = 0 if fit_from is None else grid.place("fit_from", fit_from)
    if first >= grid.start:
        raise OptionError(f"fit_from {fit_from!r} leaves no period before start {start!r}")
    study = Study(grid.Y, (first, grid.start), grid.start, float(ridge), seed=seed)
    names: list[str] = []
    if pairs:
        X, names, last = predictors_of(grid, pairs, unit, period)
        study = replace(study, X=X, last_predictor=last)
    return _told(grid, study, inside, placebos, names)


def _told(
    grid: Grid, study: Study, level: float, placebos: int, names: list[str]
) -> SyntheticControl:
    """Weights, path and every test of one study."""
    found = study.weigh(grid.treated, grid.donors)
    effect = float(found.gap[grid.start :].mean())
    path, notes = _path(grid, study, found, level)
    tests, table = [], pd.DataFrame(columns=["unit", "effect", "pre_rmspe", "post_rmspe", "ratio"])
    if placebos:
        ranked = placebos_of(grid, study, found, placebos, generator(study.seed, 1))
        table = ranked.table
        tests.append(
            _inverted(PLACEBO, ranked.p_value, (effect, ranked.errors[0], len(table)), level)
        )
    if study.X is None:
        donors, y = grid.Y[grid.donors][:, study.window[0] :], found.treated[study.window[0] :]
        lasting = p_value_of(donors, y, len(grid.periods) - grid.start, study.ridge)
        about = (effect, _step(grid, study, found), y.size)
        tests.append(_inverted(CONFORMAL, lasting, about, level))
    own = tests[0] if tests else {"p_value": None, "lower": None, "upper": None}
    weights = pd.DataFrame({"unit": [grid.units[at] for at in found.donors],
                            "weight": found.weights})  # fmt: skip
    return SyntheticControl(
        weights=weights.sort_values("weight", ascending=False, kind="stable", ignore_index=True),
        path=path,
        effect=effect,
        lower=own["lower"],
        upper=own["upper"],
        naive=_naive(grid, study),
        p_value=own["p_value"],
        tests=pd.DataFrame(tests, columns=["test", "p_value", "lower", "upper"]),
        placebos=table,
        balance=_balance(grid, study, found, names),
        mspe=fit_errors(study, found)[0] ** 2,
        breach=found.breach,
        level=level,
        verdict=_verdict(grid, effect, own, len(table)),
        notes=(*_notes(grid, study, found), *notes, *_tests_notes(grid, study, tests)),
        grid=grid,
        study=study,
        weighed=found,
    )


def _naive(grid: Grid, study: Study) -> float:
    """Difference in differences with the mean of all donors."""
    gap = grid.Y[grid.treated].mean(axis=0) - grid.Y[grid.donors].mean(axis=0)
    return float(gap[grid.start :].mean() - gap[study.fitted_to].mean())


def _step(grid: Grid, study: Study, found: Weighed) -> float:
    """A first width of effects to look at."""
    return max(float(found.gap[study.fitted_to].std()), 1e-6 * float(grid.Y.std()))


def _inverted(
    test: str, p_value: Callable[[float], float], at: tuple[float, float, int], level: float
) -> dict[str, Any]:
    """p-value of no effect, and the ends of effects that are not rejected, None where a test with
    so many places cannot reject, or never does."""
    centre, step, places = at
    row: dict[str, Any] = {"test": test, "p_value": p_value(0.0), "lower": None, "upper": None}
    if places * (1.0 - level) >= 1.0 - 1e-9:
        ends = ends_of(p_value, centre, step, level)
        if ends is not None and np.isfinite(ends).all():
            row["lower"], row["upper"] = ends
    return row


def _path(grid: Grid, study: Study, found: Weighed, level: float) -> tuple[pd.DataFrame, list[str]]:
    """The path with a conformal interval for each period after treatment."""
    first, before = study.window[0], grid.start - study.window[0]
    path = pd.DataFrame({"period": list(grid.periods), "treated": found.treated,
                         "synthetic": found.synthetic, "gap": found.gap})  # fmt: skip
    path["lower"], path["upper"] = np.nan, np.nan
    if study.X is not None:
        return path, [
            "No conformal interval: the mixture is by predictors, which are not refitted under an "
            "effect; placebos and back-dating are the tests."
        ]
    if (before + 1) * (1.0 - level) < 1.0 - 1e-9:
        return path, [
            f"No interval by period: with {before} periods before treatment and one after, p is "
            f"{1.0 / (before + 1):.2g} at least."
        ]
    donors, y = grid.Y[grid.donors], found.treated
    for at in range(grid.start, len(grid.periods)):
        kept = [*range(first, grid.start), at]
        own = p_value_of(donors[:, kept], y[kept], 1, study.ridge)
        ends = ends_of(own, float(found.gap[at]), _step(grid, study, found), level)
        if ends is not None:
            path.loc[at, ["lower", "upper"]] = ends
    return path, ["Intervals by period are conformal, each period on its own."]


def _balance(grid: Grid, study: Study, found: Weighed, names: list[str]) -> pd.DataFrame:
    """Predictors of the treated, of the mixture and of the mean donor."""
    if study.X is None:
        return pd.DataFrame(columns=["predictor", "treated", "synthetic", "donors"])
    return pd.DataFrame({
        "predictor": names,
        "treated": study.X[grid.treated].mean(axis=0),
        "synthetic": found.weights @ study.X[found.donors],
        "donors": study.X[found.donors].mean(axis=0),
    })  # fmt: skip


def _verdict(grid: Grid, effect: float, own: dict[str, Any], places: int) -> str:
    way = "above" if effect >= 0.0 else "below"
    told = (
        f"From {shown(grid.periods[grid.start])} on, {grid.outcome} of {grid.treated_name} lay "
        f"{abs(effect):.4g} {way} its mixture of donors"
    )
    if own["lower"] is not None:
        told += f" ({own['lower']:+.4g} to {own['upper']:+.4g} if the same throughout)"
    if not places:
        return f"{told}. No placebo was asked for."
    least = 1.0 / places
    told += f"; placebos: p {own['p_value']:.2g} of {places:,} places"
    if least > 0.1:
        return f"{told}, which can reach {least:.2g} at best: too few units to tell chance apart."
    return f"{told}."


def _tests_notes(grid: Grid, study: Study, tests: list[dict[str, Any]]) -> list[str]:
    """What the tests rest on, and where they have little power."""
    notes = []
    for row in tests:
        if row["test"] == PLACEBO:
            notes.append("Placebos: exact if any unit was as likely to be treated.")
        after, before = len(grid.periods) - grid.start, grid.start - study.window[0]
        if row["test"] == CONFORMAL and after > MANY * before:
            notes.append(
                f"The conformal test of a lasting effect has little power: {after} periods after, "
                f"{before} before; the mixture is refitted to both."
            )
        if row["lower"] is None:
            notes.append(f"No interval of the mean effect by the {row['test']} test.")
    return notes


def _notes(grid: Grid, study: Study, found: Weighed) -> list[str]:
    """How good the mixture is, and what it rests on."""
    before = fit_errors(study, found)[0]
    held = study.fitted_to
    spread = float(found.treated[held].std())
    used = int((found.weights > 1e-6).sum())
    notes = [
        f"{used:,} of {found.donors.size:,} donors have weight; gap before treatment "
        f"{before:.3g} (root mean square of {held.stop - held.start} periods, weights at their "
        "optimum)."
    ]
    if before > POOR * spread and before > 1e-9 * float(np.abs(grid.Y).max()):
        notes.append(
            f"A poor fit: before treatment the outcome itself varies by {spread:.3g}. The treated "
            "may lie outside what donors can mix to; see synthetic_difference."
        )
    if held.stop - held.start < LEAST:
        notes.append(
            f"Fitted to few periods, {held.stop - held.start}: a mixture meets so few by chance, "
            "and a small gap before treatment is no sign of a good one."
        )
    if not found.unique:
        notes.append("Other weights fit as well: those with the least sum of squares are shown.")
    if study.X is not None:
        best = fit_errors(study, replace(study, X=None).weigh(grid.treated, grid.donors))[0]
        notes.append(
            f"Importance of predictors is searched for, not identified and not shown; whatever it "
            f"were, no mixture leaves a gap below {best:.3g}."
        )
    return notes
