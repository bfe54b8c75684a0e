"""Randomisation inference: what the draw of lots alone would have done to a difference in means.

Nothing is assumed but the lots: so many of n units were drawn, every set as likely. Under an effect
that is the same for all, outcomes under any other draw are known, so that a p-value is a share of
draws, and the effects it does not reject are an interval. Sources: Fisher 1935, "The design of
experiments", chapter 2; Rosenbaum 2002, "Observational studies", section 2.6 (inversion); Phipson
and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9 (no p-value of 0).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.unit_periods import frame_of, number_problems, told
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

AT_ONCE = 4_000_000  # cells of lots drawn together


@dataclass(frozen=True, eq=False, repr=False)
class RandomisationTest(Faced):
    """estimate: mean of treated less mean of others, units of the outcome; p_value (two-sided:
    draws with a difference as large), p_greater, p_less: under no effect on anyone; lower, upper:
    constant effects that neither one-sided test rejects at half of 1 - level (None: too few draws
    to reject any); assignments: that were compared; exact: whether that is all there are."""

    estimate: float
    p_value: float
    p_greater: float
    p_less: float
    lower: float | None
    upper: float | None
    assignments: int
    exact: bool
    treated: int
    others: int
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The difference with its p-values."""
        row = {"treated": self.treated, "others": self.others, "difference": self.estimate,
               "lower": self.lower, "upper": self.upper, "p_value": self.p_value,
               "p_greater": self.p_greater, "p_less": self.p_less}  # fmt: skip
        kind = "all" if self.exact else "drawn"
        head = f"Difference in means, {self.assignments:,} assignments ({kind}); {self.level:.0%}"
        return Face(head, pd.DataFrame([row]), self.notes)


def randomisation_test(
    table: Any,
    outcome: str,
    *,
    arm: str,
    treatment: Any = 1,
    draws: int = 20_000,
    level: float = 0.9,
    seed: int = 1,
) -> RandomisationTest:
    """A difference in means against every other way the lots might have fallen.

    table: one row a unit that lots were drawn for; arm: a column of two values, of which
    `treatment` is the treated one; draws: all assignments are compared if they are no more, else so
    many are drawn by `seed` (p-values are then (1 + as large) / (1 + drawn)).
    Errors: DataError for cells that are no numbers, OptionError, FitError for an empty arm.

    >>> cups = pd.DataFrame({"milk_first": [1, 1, 1, 1, 0, 0, 0, 0],
    ...                      "called": [1, 1, 1, 1, 0, 0, 0, 0]})
    >>> found = randomisation_test(cups, "called", arm="milk_first")
    >>> found.assignments, round(found.p_greater, 6)
    (70, 0.014286)
    """
    inside = check_level(level)
    if not isinstance(draws, int) or isinstance(draws, bool) or draws < 1:
        raise OptionError(f"draws {draws!r} is a whole number from 1 on")
    y, lots = _arms(table, outcome, arm, treatment)
    exact = comb(y.size, int(lots.sum())) <= draws
    rng = generator(seed)
    difference, overlap = _draws(y, lots, None if exact else draws, rng)
    k, n = int(lots.sum()), y.size
    estimate = float(y[lots].mean() - y[~lots].mean())
    slack = 1e-12 * float(np.abs(y).max())
    added = 0 if exact else 1  # the lots that fell count among those that were drawn

    def share(hits: Bools) -> float:
        return (added + int(hits.sum())) / (added + hits.size)

    lower, upper = _ends((difference, overlap), estimate, (k, n, added), inside)
    return RandomisationTest(
        estimate=estimate,
        p_value=share(np.abs(difference) >= abs(estimate) - slack),
        p_greater=share(difference >= estimate - slack),
        p_less=share(difference <= estimate + slack),
        lower=lower,
        upper=upper,
        assignments=difference.size,
        exact=exact,
        treated=k,
        others=n - k,
        level=inside,
        notes=tuple(_notes(lower, difference.size, exact)),
    )


def _arms(table: Any, outcome: str, arm: str, treatment: Any) -> tuple[Floats, Bools]:
    """Outcomes (n,) and which units are treated."""
    held = frame_of(table, (arm, outcome))
    problems = [*told(f"{arm} is missing", held[arm].isna(), held, (arm,)),
                *number_problems(held, outcome, (arm,))]  # fmt: skip
    if problems:
        raise DataError("table", problems)
    values = list(dict.fromkeys(held[arm].tolist()))
    listed = ", ".join(map(repr, values[:5])) + (", ..." if len(values) > 5 else "")
    if treatment not in values:
        raise OptionError(f"treatment {treatment!r} is no value of {arm}: {listed}")
    if len(values) != 2:
        raise OptionError(f"{arm} has {len(values)} values, {listed}: keep the rows of two")
    y = pd.to_numeric(held[outcome]).to_numpy(dtype=np.float64)
    if np.ptp(y) == 0.0:
        raise FitError(f"{outcome} is {y[0]:g} in every row: lots can have moved nothing")
    return y, (held[arm] == treatment).to_numpy(dtype=bool)


def _draws(
    y: Floats, lots: Bools, draws: int | None, rng: np.random.Generator
) -> tuple[Floats, Ints]:
    """Differences in means (m,) of other lots, and how many of the treated they hold."""
    n, k = y.size, int(lots.sum())
    total, sums, overlap = float(y.sum()), [], []
    for chosen in _sets(n, k, draws, rng):
        sums.append(y[chosen].sum(axis=1))
        overlap.append(lots[chosen].sum(axis=1))
    inside = np.concatenate(sums)
    difference = inside / k - (total - inside) / (n - k)
    return difference, np.concatenate(overlap).astype(np.int64)


def _sets(n: int, k: int, draws: int | None, rng: np.random.Generator) -> Iterator[Ints]:
    """Sets of k of n (m, k), all of them or drawn ones."""
    if draws is None:
        flat = np.fromiter(chain.from_iterable(combinations(range(n), k)), dtype=np.int64)
        yield flat.reshape(-1, k)
        return
    most = max(AT_ONCE // n, 1)
    for first in range(0, draws, most):
        shape = (min(most, draws - first), n)
        yield np.argpartition(rng.random(shape), k - 1, axis=1)[:, :k]


def _ends(
    drawn: tuple[Floats, Ints], estimate: float, sizes: tuple[int, int, int], level: float
) -> tuple[float | None, float | None]:
    """Least and largest constant effects that are not rejected.

    With an effect theta, lots that hold a of the k treated show D - theta c, c = a / k - (k - a) /
    (n - k), where those that fell show D0 - theta: they are as large if theta is at least
    (D0 - D) / (1 - c). The ends are order statistics of that.
    """
    (difference, overlap), (k, n, added) = drawn, sizes
    c = overlap / k - (k - overlap) / (n - k)
    same = overlap == k
    turn = (estimate - difference[~same]) / (1.0 - c[~same])
    always = int(same.sum()) + added
    places = difference.size + added
    rank = int(np.floor((1.0 - level) / 2.0 * places + 1e-9)) - always  # from 0, in order
    if rank < 0:
        return None, None
    ordered = np.sort(turn)
    return float(ordered[rank]), float(ordered[-1 - rank])


def _notes(lower: float | None, assignments: int, exact: bool) -> Iterator[str]:
    if lower is None:
        yield f"No interval: {assignments:,} assignments are too few to reject an effect."
    else:
        yield "The interval takes the effect for the same in all units; its tails are equal."
    if not exact:
        yield "Assignments were drawn: p-values count the lots that fell among them."
