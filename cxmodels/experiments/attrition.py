"""Outcomes that only some units have: how far could the effect be from what those who answered say?

Lee (2009, Review of Economic Studies 76): where an arm makes more units answer and no unit fewer,
the surplus of its answers is cut off from above or below, which bounds the effect on units that
answer in either arm. Errors are those of his Proposition 3, written as each unit's influence so
that cells of covariates add up; the interval holds the effect itself, not the whole of the bounds
(Imbens and Manski 2004, Econometrica 72, equations 6 and 7).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import DataError, FitError
from cxmodels.experiments.answered import FEWEST, WHAT, Answers, answers_of
from cxmodels.experiments.observed_groups import told
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced


@dataclass(frozen=True, eq=False, repr=False)
class LeeBounds(Faced):
    """table: what (lower bound, upper bound, those who answered), estimate, std_error; lower,
    upper: interval of the effect on units that answer in either arm; cells: cell, n, n_control,
    response, response_control, trimmed (arm), trimmed_share, lower_bound, upper_bound, weight."""

    table: pd.DataFrame
    lower: float
    upper: float
    cells: pd.DataFrame
    level: float
    sentence: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Bounds, and what they say."""
        head = f"Effect on units that answer in either arm, interval {self.level:.0%}"
        return Face(head, self.table, (self.sentence, *self.notes))


@dataclass(frozen=True, eq=False)
class _Cell:
    """One cell: bounds (2,), influence of its units on them (2, m) and on `size`, the units that
    answer in either arm (m,); treated_cut: whether the arm, not the control, is trimmed."""

    rows: Ints
    bounds: Floats
    influence: Floats
    size: float
    size_influence: Floats
    rate: tuple[float, float]
    treated_cut: bool


def lee_bounds(
    table: Any, *, arm: str, control: Any, outcome: str, cells: str | Iterable[str] = (),
    level: float = 0.95,
) -> LeeBounds:  # fmt: skip
    """Bounds of the effect on units whose outcome would be known in either arm.

    table: one row a unit, two arms drawn at random; arm, control: the column of arms, and the one
    left alone; outcome: a column of numbers, empty where not known; cells: columns from before the
    test, whose combinations are trimmed apart, which tightens the bounds, and lets answering rise
    in some and fall in others; level: of the interval.
    Assumes monotone response: within a cell the arm makes nobody answer who would not otherwise,
    or keeps nobody from it. Ties are trimmed in parts, so that the cut is exact.
    Errors: DataError with every problem; FitError for fewer than 10 answers of an arm in a cell.

    >>> seen = pd.DataFrame({"arm": ["A"] * 20 + ["B"] * 20,
    ...                      "score": [*range(12), *[None] * 8, *range(2, 18), *[None] * 4]})
    >>> found = lee_bounds(seen, arm="arm", control="A", outcome="score")
    >>> found.table["estimate"].round(6).tolist()
    [2.0, 6.0, 4.0]
    """
    inside = check_level(level)
    names = [cells] if isinstance(cells, str) else list(dict.fromkeys(cells))
    answers = answers_of(table, arm, control, outcome, names)
    labels, code = _codes(answers, names)
    few = [label for place, label in enumerate(labels) if _fewest(answers, code == place) < FEWEST]
    if few:
        raise FitError(f"{len(few):,} cell{'s have' if len(few) > 1 else ' has'} fewer than "
                       f"{FEWEST} answers of an arm; first: {few[0]!r}. Join cells")  # fmt: skip
    parts = [_cell(answers, np.flatnonzero(code == place)) for place in range(len(labels))]
    bounds, influence, weight = _together(parts, answers.known.size)
    errors = np.sqrt((influence**2).sum(axis=1))
    reach = _reach(float(bounds[1] - bounds[0]), float(errors.max()), inside)
    lower, upper = float(bounds[0] - reach * errors[0]), float(bounds[1] + reach * errors[1])
    naive, naive_error = answers.naive()
    frame = pd.DataFrame({
        "what": ["lower bound", "upper bound", "those who answered"],
        "estimate": [float(bounds[0]), float(bounds[1]), naive],
        "std_error": [float(errors[0]), float(errors[1]), naive_error],
    })  # fmt: skip
    shown = _shown(answers, parts, labels, weight)
    said = _sentence(answers, (lower, upper), inside)
    return LeeBounds(frame, lower, upper, shown, inside, said, tuple(_notes(answers, parts)))


def _codes(answers: Answers, names: list[str]) -> tuple[list[str], Ints]:
    """Labels of cells and each unit's own. DataError where a column of cells is missing."""
    if not names:
        return ["all units"], np.zeros(answers.known.size, dtype=np.int64)
    problems = [problem for name in names for problem in told(
        f"cell column {name!r} is missing", answers.held[name].isna(),
        "Give what is missing a label of its own")]  # fmt: skip
    if problems:
        raise DataError(WHAT, problems)
    first, *others = (answers.held[name].astype(str) for name in names)
    joined = first
    for label in others:
        joined = joined + " | " + label
    code, labels = pd.factorize(joined, sort=True)
    return [str(label) for label in labels], np.asarray(code, dtype=np.int64)


def _fewest(answers: Answers, here: Bools) -> int:
    known = answers.known & here
    return int(min((known & answers.treated).sum(), (known & ~answers.treated).sum()))


def _cell(answers: Answers, rows: Ints) -> _Cell:
    """Bounds of one cell. With a the response, r = min(a) / max(a) is what stays of the fuller arm;
    a unit's influence is that on the two means and, through r, on where the cut lies."""
    treated, known, y = answers.treated[rows], answers.known[rows], answers.y[rows]
    n = np.array([(~treated).sum(), treated.sum()], dtype=np.float64)
    a = np.array([known[~treated].mean(), known[treated].mean()])
    cut = bool(a[1] > a[0])
    full, bare = treated == cut, treated != cut  # the arm that is trimmed, and the other
    many, less = int(cut), 1 - int(cut)
    r = float(a[less] / a[many])
    of_rate = np.where(bare, (known - a[less]) / (a[less] * n[less]),
                       -(known - a[many]) / (a[many] * n[many])) * r  # fmt: skip
    other = bare & known
    plain = float(y[other].mean())
    of_plain = np.where(other, (y - plain) / other.sum(), 0.0)
    own = full & known
    bounds, influence = np.zeros(2), np.zeros((2, rows.size))
    sign = 1.0 if cut else -1.0
    for place, low in ((0, cut), (1, not cut)):
        mean, edge = trimmed_mean(y[own], r, low)
        beyond = np.minimum(y - edge, 0.0) if low else np.maximum(y - edge, 0.0)
        of_mean = np.where(own, (beyond - r * (mean - edge)) / (r * own.sum()), 0.0)
        of_mean += (edge - mean) / r * of_rate
        bounds[place], influence[place] = sign * (mean - plain), sign * (of_mean - of_plain)
    size = float(a[less] * rows.size)
    of_size = np.where(bare, (known - a[less]) * rows.size / n[less], 0.0) + a[less]
    return _Cell(rows, bounds, influence, size, of_size, (float(a[0]), float(a[1])), cut)


def trimmed_mean(y: Floats, kept: float, low: bool) -> tuple[float, float]:
    """Mean of the lowest (or highest) share `kept` of y (m,), the last unit in part; its edge.

    >>> trimmed_mean(np.array([3.0, 1.0, 2.0, 4.0]), 0.625, True)
    (1.8, 3.0)
    """
    ordered = np.sort(y) if low else np.sort(y)[::-1]
    share = np.clip(kept * y.size - np.arange(y.size), 0.0, 1.0)
    last = max(int(np.ceil(kept * y.size - 1e-9)) - 1, 0)
    return float(ordered @ share / share.sum()), float(ordered[last])


def _together(parts: list[_Cell], n: int) -> tuple[Floats, Floats, Floats]:
    """Bounds (2,), influence (2, n) and weights of the cells: how many answer in either arm."""
    size = np.array([part.size for part in parts])
    weight = size / size.sum()
    bounds = weight @ np.stack([part.bounds for part in parts])
    influence = np.zeros((2, n))
    for part, share in zip(parts, weight, strict=True):
        gap = (part.bounds - bounds) / size.sum()
        influence[:, part.rows] = share * part.influence + np.outer(gap, part.size_influence)
    return bounds, influence, weight


def _reach(width: float, error: float, level: float) -> float:
    """c with Phi(c + width / error) - Phi(-c) = level: one-sided where the bounds are far apart."""
    if error == 0.0:
        return 0.0
    far = width / error
    ends = [float(scipy.special.ndtri(p)) for p in (level, (1.0 + level) / 2.0)]

    def gap(c: float) -> float:
        return float(scipy.special.ndtr(c + far) - scipy.special.ndtr(-c)) - level

    return float(scipy.optimize.brentq(gap, ends[0] - 1e-9, ends[1] + 1e-9))


def _shown(
    answers: Answers, parts: list[_Cell], labels: list[str], weight: Floats
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for part, label, share in zip(parts, labels, weight, strict=True):
        treated = int(answers.treated[part.rows].sum())
        rows.append({
            "cell": label, "n": treated, "n_control": part.rows.size - treated,
            "response": part.rate[1], "response_control": part.rate[0],
            "trimmed": answers.arm if part.treated_cut else answers.control,
            "trimmed_share": 1.0 - min(part.rate) / max(part.rate),
            "lower_bound": float(part.bounds[0]), "upper_bound": float(part.bounds[1]),
            "weight": float(share),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _sentence(answers: Answers, ends: tuple[float, float], level: float) -> str:
    less, more = answers.rate
    clear = ends[0] > 0.0 or ends[1] < 0.0
    told = "stays clear of none" if clear else "cannot be told from none"
    return (
        f"{more:.1%} of {answers.arm} and {less:.1%} of {answers.control} answered: whoever is "
        f"missing, the effect on those who answer in either arm lies from {ends[0]:+.4g} to "
        f"{ends[1]:+.4g} ({level:.0%}), and {told}."
    )


def _notes(answers: Answers, parts: list[_Cell]) -> Iterable[str]:
    yield (
        "This holds if the arm moves answering one way only: it makes some answer and keeps none "
        "from it, or the other way round (in each cell). No data can show that."
    )
    ways = {part.treated_cut for part in parts if part.rate[0] != part.rate[1]}
    if len(ways) > 1:
        count = sum(part.treated_cut for part in parts)
        yield (f"{answers.arm} answers more in {count} of {len(parts)} cells and less in the "
               "others; each is trimmed in its own way.")  # fmt: skip
