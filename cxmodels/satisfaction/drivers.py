"""Which attributes move satisfaction: what a point on each is worth, and its share of what is
explained.

Attributes go together, so no share can be read off one coefficient: each share is the mean, over
all orders in which attributes may be entered, of what it adds to R2 (Lindeman, Merenda and Gold
1980; the Shapley value). Answers of one questionnaire share a mood and each has an error; questions
repeated within weeks show the covariance of these errors, which is taken from that of the answers.
Intervals come from resampling customers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.chance import generator
from cxmodels.data.surveys import SurveyBase, one_of, several
from cxmodels.data.units import Span
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.satisfaction.windows import days_of, moved

if TYPE_CHECKING:
    import pandas as pd

MOST_ITEMS = 12  # 2^12 regressions a resample
FEWEST_PAIRS = 30
FEWEST_CUSTOMERS = 10  # an item: with fewer, resamples leave items that say the same


@dataclass(frozen=True, eq=False, repr=False)
class Drivers(Faced):
    """One row an attribute: performance (mean answer) with its scale; point, what one point more on
    it goes with, in points of the score, and share, of what is explained: as answered (naive) and
    corrected for mood and error, each with lower and upper.

    r2: explained by all attributes together; naive_r2: as answered. corrected is empty without
    repeated answers.
    """

    table: "pd.DataFrame"
    score: str
    r2: float | None
    naive_r2: float
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """What a point is worth, and the share; as answered where nothing corrects them."""
        bare = self.r2 is None
        names = (
            ["point_naive", "share_naive"]
            if bare
            else ["point", "point_lower", "point_upper", "share"]
        )
        shown = self.table[["attribute", "performance", *names]]
        return Face(f"Drivers of {self.score}; interval {self.level:.0%}", shown, self.notes)


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums of each customer (g,): weight (g,), values (g, k), products (g, k, k); pairs (g,) and
    their squared differences (g, k, k). The last of the k is the score."""

    weight: Floats
    values: Floats
    products: Floats
    pairs: Floats
    differences: Floats

    def covariances(self, counts: Floats) -> tuple[Floats, Floats]:
        """Of answers and of their errors, (b, k, k) each; counts: (b, g) times a customer is in."""
        n = counts @ self.weight
        mean = (counts @ self.values) / n[:, None]
        flat = counts @ self.products.reshape(len(self.weight), -1)
        second = flat.reshape(-1, *self.products.shape[1:]) / n[:, None, None]
        told = second - mean[:, :, None] * mean[:, None, :]
        pairs = np.maximum(counts @ self.pairs, 1.0)
        apart = (counts @ self.differences.reshape(len(self.weight), -1)).reshape(told.shape)
        return told, apart / (2.0 * pairs[:, None, None])


def drivers(
    surveys: SurveyBase,
    *,
    score: str,
    items: Iterable[str],
    retest: str | Span = "30D",
    draws: int = 500,
    seed: int = 1,
    level: float = 0.9,
) -> Drivers:
    """What a point on each attribute is worth in points of the score, and each attribute's share.

    score: the overall answer; items: the attributes, 2 to 12 scores of the survey; retest: within
    which a second questionnaire of a customer shows the errors of the first; draws: resamples of
    customers. Only questionnaires with all of them answered count.
    """
    check_level(level)
    if not (isinstance(draws, int) and draws >= 20):
        raise OptionError(f"draws {draws!r} is below 20: an interval needs more")
    names = _names(surveys, score, items)
    moments, performance, notes = _moments(surveys, names, Span.parse(retest))
    rng, g = generator(seed), moments.weight.size
    counts = np.concatenate([np.ones((1, g)), rng.multinomial(g, np.full(g, 1.0 / g), draws)])
    told, noise = moments.covariances(counts.astype(np.float64))
    whole = told[0, :-1, :-1]
    if np.linalg.eigvalsh(whole)[0] <= 1e-9 * np.trace(whole):
        raise FitError("one attribute follows from the others, or never varies: leave it out")
    kinds: dict[str, tuple[Floats, Floats, Floats]] = {"naive": _explained(told)}
    if moments.pairs.sum() >= FEWEST_PAIRS:
        true = told - noise
        if np.linalg.eigvalsh(true[0, :-1, :-1])[0] <= 0.0:
            raise FitError("the attributes differ by little more than their error: ask more people")
        kinds["corrected"] = _explained(true)
    else:
        notes.append(
            f"{moments.pairs.sum():,.0f} repeated questionnaires: too few to correct for mood and "
            f"error; {FEWEST_PAIRS} are the least."
        )
    table = _table(names, performance, kinds, level)
    best = "corrected" if "corrected" in kinds else None
    return Drivers(table, score, None if best is None else float(kinds[best][2][0]),
                   float(kinds["naive"][2][0]), level, tuple(notes))  # fmt: skip


def _names(surveys: SurveyBase, score: str, items: Iterable[str]) -> list[str]:
    one_of(surveys, score)
    names = list(dict.fromkeys([*several(surveys, items, "items"), score]))
    if names[-1] != score or not 2 <= len(names) - 1 <= MOST_ITEMS:
        raise OptionError(f"items are 2 to {MOST_ITEMS} scores beside {score!r}")
    return names


def _moments(
    surveys: SurveyBase, names: list[str], soon: Span
) -> tuple[_Moments, Floats, list[str]]:
    import pandas as pd

    table = surveys.table[surveys.table[names].notna().all(axis=1)]
    people, least = table["customer_id"].nunique(), FEWEST_CUSTOMERS * (len(names) - 1)
    if people < least:
        what = f"{people:,} customers answered all items: {least} are the least, "
        what += f"{FEWEST_CUSTOMERS} an item"
        raise DataError("survey", [Problem(what, len(table))])
    values = table[names].to_numpy(dtype=np.float64)
    flat = [name for name, spread in zip(names, np.ptp(values, axis=0), strict=True) if not spread]
    if flat:
        raise DataError("survey", [Problem(f"{flat[0]} is the same in every answer", len(table))])
    middle = values.mean(axis=0)
    values = values - middle
    cluster, ids = pd.factorize(table["customer_id"])
    day = days_of(table["date"])
    near = np.flatnonzero((cluster[1:] == cluster[:-1]) & (day[1:] <= moved(day[:-1], soon)))
    apart = values[near + 1] - values[near]

    def summed(rows: Any, at: Any) -> Floats:
        whole = np.zeros((ids.size, *rows.shape[1:]))
        np.add.at(whole, at, rows)
        return whole

    outer = values[:, :, None] * values[:, None, :]
    moments = _Moments(
        weight=np.bincount(cluster, minlength=ids.size).astype(np.float64),
        values=summed(values, cluster),
        products=summed(outer, cluster),
        pairs=np.bincount(cluster[near], minlength=ids.size).astype(np.float64),
        differences=summed(apart[:, :, None] * apart[:, None, :], cluster[near]),
    )
    notes = [
        f"{len(table):,} questionnaires of {ids.size:,} customers, {near.size:,} of them repeated; "
        "a share is the mean, over all orders, of what an attribute adds to R2."
    ]
    return moments, middle, notes


def _explained(covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Coefficients (b, q), shares (b, q) and R2 (b,) of the last of k variables on the others."""
    b, q = covariance.shape[0], covariance.shape[1] - 1
    x, xy, y = covariance[:, :q, :q], covariance[:, :q, q], covariance[:, q, q]
    r2 = np.zeros((b, 1 << q))
    for subset in range(1, 1 << q):
        held = [place for place in range(q) if subset >> place & 1]
        part = np.linalg.solve(x[:, held][:, :, held], xy[:, held, None])[..., 0]
        r2[:, subset] = (part * xy[:, held]).sum(axis=1) / y
    share = np.zeros((b, q))
    for subset in range(1 << q):
        size = subset.bit_count()
        for place in range(q):
            if not subset >> place & 1:
                gain = r2[:, subset | 1 << place] - r2[:, subset]
                share[:, place] += gain / (q * comb(q - 1, size))
    whole = r2[:, -1]
    point = np.asarray(np.linalg.solve(x, xy[..., None])[..., 0], dtype=np.float64)
    return point, np.asarray(share / whole[:, None]), whole


def _table(
    names: list[str],
    performance: Floats,
    kinds: dict[str, tuple[Floats, Floats, Floats]],
    level: float,
) -> "pd.DataFrame":
    import pandas as pd

    ends, rows = [(1 - level) / 2, (1 + level) / 2], []
    for place, name in enumerate(names[:-1]):
        row: dict[str, Any] = {"attribute": name, "performance": float(performance[place])}
        for at, told in enumerate(("point", "share")):
            for kind, found in kinds.items():
                own = found[at][:, place]
                lower, upper = np.quantile(own[1:], ends)
                stem = told if kind == "corrected" else f"{told}_naive"
                row |= {stem: float(own[0]), f"{stem}_lower": lower, f"{stem}_upper": upper}
            if "corrected" not in kinds:
                row |= {told: None, f"{told}_lower": None, f"{told}_upper": None}
        rows.append(row)
    return pd.DataFrame(rows)
