"""What the same method finds where nothing was done: placebo treatments of other units."""

from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from cxmodels.errors import FitError
from cxmodels.experiments.donor_weights import Study, Weighed
from cxmodels.experiments.unit_periods import Grid
from cxmodels.numerics.arrays import Floats, Ints


def sets_of(among: Ints, size: int, most: int, rng: np.random.Generator) -> list[Ints]:
    """Sets of units to treat as placebos: every one there is, or `most` drawn without order.

    >>> [held.tolist() for held in sets_of(np.arange(3), 2, 10, np.random.default_rng(1))]
    [[0, 1], [0, 2], [1, 2]]
    """
    from itertools import combinations

    if comb(among.size, size) <= most:
        return [np.array(held, dtype=np.int64) for held in combinations(among.tolist(), size)]
    return [np.sort(rng.choice(among, size, replace=False)) for _ in range(most)]


@dataclass(frozen=True, eq=False)
class Placebos:
    """The treated first, then placebos: names, gaps (m, T) treated less mixture, errors (m,) root
    mean squared gaps before, loads (m,): how much of an effect on the treated is in each gap."""

    names: tuple[str, ...]
    gaps: Floats
    errors: Floats
    loads: Floats
    start: int

    def ratios(self, effect: float = 0.0) -> Floats:
        """(m,) root mean squared gaps after over before, had the treated an effect less."""
        left = self.gaps[:, self.start :] - effect * self.loads[:, None]
        return np.asarray(np.sqrt((left**2).mean(axis=1)) / self.errors)

    def p_value(self, effect: float = 0.0) -> float:
        """Rank of the treated under an effect that is the same in every period (Firpo and Possebom
        2018, Journal of Causal Inference 6, section 4)."""
        ratios = self.ratios(effect)
        return float(np.mean(ratios >= ratios[0] * (1.0 - 1e-9)))

    @property
    def table(self) -> pd.DataFrame:
        """unit, effect, pre_rmspe, post_rmspe, ratio."""
        after = self.gaps[:, self.start :]
        return pd.DataFrame({
            "unit": self.names,
            "effect": after.mean(axis=1),
            "pre_rmspe": self.errors,
            "post_rmspe": np.sqrt((after**2).mean(axis=1)),
            "ratio": self.ratios(),
        })  # fmt: skip


def placebos_of(
    grid: Grid, study: Study, found: Weighed, most: int, rng: np.random.Generator
) -> Placebos:
    """Every unit takes the place of the treated in turn, which joins the donors (Abadie, Diamond
    and Hainmueller 2010, section 3.4): where nothing was done all places are alike, so that the
    rank of the treated is exact. Several treated units: sets of as many."""
    everyone = np.arange(len(grid.units))
    near = np.zeros(everyone.size)
    near[found.donors] = found.weights
    names, every, loads = [grid.treated_name], [found], [1.0]
    treated = set(grid.treated.tolist())
    for held in sets_of(everyone, grid.treated.size, most, rng):
        if set(held.tolist()) == treated:
            continue
        again = study.weigh(held, np.setdiff1d(everyone, held), near)
        names.append(" and ".join(str(grid.units[int(at)]) for at in held))
        every.append(again)
        own = float(np.isin(held, grid.treated).mean())
        loads.append(own - float(again.weights[np.isin(again.donors, grid.treated)].sum()))
    floor = 1e-7 * float(study.Y.std())  # a perfect fit divides by next to nothing
    errors = np.array([max(fit_errors(study, one)[0], floor) for one in every])
    gaps = np.stack([one.gap for one in every])
    return Placebos(tuple(names), gaps, errors, np.array(loads), study.start)


def fit_errors(study: Study, found: Weighed) -> tuple[float, float]:
    """Root mean squared gaps before treatment, over the periods fitted to, and after."""
    before, after = found.gap[study.fitted_to], found.gap[study.start :]
    return float(np.sqrt(np.mean(before**2))), float(np.sqrt(np.mean(after**2)))


def without_each(grid: Grid, study: Study, found: Weighed) -> pd.DataFrame:
    """The effect with each donor that has weight left out in turn."""
    rows = []
    for place, weight in zip(found.donors, found.weights, strict=True):
        if weight <= 0.0:
            continue
        others = found.donors[found.donors != place]
        if others.size < 2:
            raise FitError("with 2 donors none can be left out")
        again = study.weigh(grid.treated, others)
        rows.append({
            "unit": grid.units[int(place)], "weight": float(weight),
            "effect": float(again.gap[study.start :].mean()),
            "pre_rmspe": fit_errors(study, again)[0],
        })  # fmt: skip
    return pd.DataFrame(rows).sort_values("weight", ascending=False, ignore_index=True)
