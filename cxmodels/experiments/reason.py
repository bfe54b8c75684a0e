"""Is satisfaction the reason? What a point is worth, if the lever works through satisfaction alone.

With r the effect of the lever on money and p its effect on satisfaction, both from chance alone, a
point is worth r / p under the exclusion restriction: the lever moves money by satisfaction only.
Its interval holds every value w for which r - w p is not told from 0 (Anderson and Rubin 1949;
Fieller 1954): right however weak the effect on satisfaction, and then unbounded, as it should be.
Beside it stands the slope of money on satisfaction among those who were left alone, which is what
a correlation says: their ratio is the share of the correlation that is causal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.answer_tables import UNLIKE, unlike
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.measurement_error import check_reliability
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

FEWEST = 10  # units of an arm
WHOLE = "any value"


@dataclass(frozen=True)
class RatioSet:
    """The values of a ratio that are not rejected, from lower to upper; `kind`: "interval",
    "outside" (all but what lies between) or "any value"."""

    lower: float
    upper: float
    kind: str

    @property
    def ends(self) -> dict[str, float]:
        """lower and upper of an interval that holds the set: endless where it is none itself."""
        known = self.kind == "interval"
        return {"lower": self.lower if known else -np.inf, "upper": self.upper if known else np.inf}

    def of_shares(self) -> str:
        """The set in per cent."""
        if self.kind == WHOLE:
            return WHOLE
        low, high = f"{self.lower:.0%}", f"{self.upper:.0%}"
        return f"{low} to {high}" if self.kind == "interval" else f"below {low} or above {high}"

    def holds(self, value: float) -> bool:
        """Whether a value is not rejected."""
        if self.kind == WHOLE:
            return True
        inside = self.lower <= value <= self.upper
        return (
            inside if self.kind == "interval" else not inside or value in (self.lower, self.upper)
        )

    def __str__(self) -> str:
        if self.kind == WHOLE:
            return WHOLE
        if self.kind == "outside":
            return f"below {self.lower:.4g} or above {self.upper:.4g}"
        return f"{self.lower:.4g} to {self.upper:.4g}"


def ratio_set(above: float, below: float, covariance: Floats, critical: float) -> RatioSet:
    """Values w with |above - w below| <= critical times its error; covariance (2, 2) of both.

    >>> found = ratio_set(2.0, 1.0, np.diag([0.01, 0.0001]), 1.96)
    >>> round(found.lower, 3), round(found.upper, 3)
    (1.801, 2.201)
    """
    q = critical**2
    a = below**2 - q * covariance[1, 1]
    b = -2.0 * (above * below - q * covariance[0, 1])
    c = above**2 - q * covariance[0, 0]
    root = b**2 - 4.0 * a * c
    if a == 0.0 or root < 0.0:
        return RatioSet(-np.inf, np.inf, WHOLE)
    ends = sorted(float((-b + sign * np.sqrt(root)) / (2.0 * a)) for sign in (-1.0, 1.0))
    return RatioSet(ends[0], ends[1], "interval" if a > 0.0 else "outside")


@dataclass(frozen=True, eq=False, repr=False)
class Reason(Faced):
    """table: what (effect on satisfaction, effect on money, worth of a point, slope among the
    control, causal share of that slope), estimate, std_error (empty of ratios), lower, upper,
    units, unit. point, share: the sets of values not rejected; breakdown: share of the effect on
    money that may come by another way before a point's worth cannot be told from 0."""

    table: pd.DataFrame
    point: RatioSet
    share: RatioSet
    breakdown: float
    level: float
    sentence: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The chain, and what it needs."""
        head = f"Is satisfaction the reason? Interval {self.level:.0%}"
        return Face(head, self.table, (self.sentence, *self.notes))


def reason(
    table: Any,
    *,
    arm: str,
    control: Any,
    satisfaction: str,
    money: str,
    covariates: Iterable[str] = (),
    reliability: float = 1.0,
    level: float = 0.95,
) -> Reason:
    """What a point of satisfaction is worth in money, by a lever that was given at random.

    table: one row a unit; arm: a column of two arms, `control` the one left alone; satisfaction,
    money: columns of numbers (rows that lack either are left out and counted); covariates: columns
    from before the test, numbers, taken out of both arms alike and held fixed in the slope;
    reliability: of the score, by which the slope among the control is divided; level: of intervals.
    Errors: DataError with every problem; FitError for fewer than 10 units in an arm.
    """
    inside, names = check_level(level), list(dict.fromkeys(covariates))
    check_reliability(reliability)
    held, lost = _rows(table, (arm, control), (satisfaction, money), names)
    treated = held["treated"].to_numpy(dtype=np.float64)
    X = np.column_stack([np.ones(len(held)), *(held[name] - held[name].mean() for name in names)])
    s, m = (held[name].to_numpy(dtype=np.float64) for name in (satisfaction, money))
    p, p_of = _effect(s, treated, X)
    r, r_of = _effect(m, treated, X)
    slope, slope_of = _slope(s, m, treated == 0.0, X)
    slope, slope_of = slope / reliability, slope_of / reliability
    t = float(scipy.special.stdtrit(len(held) - 2 - len(names), (1.0 + inside) / 2.0))
    both = np.stack([r_of, p_of])
    point = ratio_set(r, p, both @ both.T, t)
    product = slope * p_of + p * slope_of
    pair = np.stack([r_of, product])
    share = ratio_set(r, slope * p, pair @ pair.T, t)
    error = float(np.sqrt(r_of @ r_of))
    breakdown = max(1.0 - t * error / abs(r), 0.0) if r else 0.0
    rows = [
        _row("effect on satisfaction", p, p_of, t, "points"),
        _row("effect on money", r, r_of, t, "money a unit"),
        {"what": "worth of a point", "estimate": r / p if p else None, "std_error": None,
         **point.ends, "unit": "money a point"},
        _row("slope among the control", slope, slope_of, t, "money a point"),
        {"what": "causal share of the slope", "estimate": r / (p * slope) if p * slope else None,
         "std_error": None, **share.ends, "unit": "share"},
    ]  # fmt: skip
    frame = pd.DataFrame(rows).assign(units=len(held))
    said = _sentence((p, r, slope), point, share, (breakdown, t * float(np.sqrt(p_of @ p_of))))
    notes = (
        "Worth of a point and causal share hold if the lever moves money by satisfaction alone "
        "(exclusion); where it also does so directly, they take that for satisfaction's.",
        f"{lost:,} units lack a score or money, and are left out; errors HC2.",
        *_unlike(table, (arm, control), (satisfaction, money), inside),
    )
    return Reason(frame, point, share, breakdown, inside, said, notes)


def _rows(
    table: Any, arms: tuple[str, Any], columns: tuple[str, str], covariates: list[str]
) -> tuple[pd.DataFrame, int]:
    """Units with both columns, `treated` 0 or 1 beside them, and how many lack one."""
    given = as_pandas(table).reset_index(drop=True)
    (arm, control), wanted = arms, [arms[0], *columns, *covariates]
    missing = [name for name in wanted if list(given.columns).count(name) != 1]
    if missing:
        listed = f"Columns: {', '.join(map(str, given.columns))}"
        problems = [Problem(f"there is no one column {name!r}") for name in missing]
        raise DataError("test", [*problems[:-1], Problem(problems[-1].what, remedy=listed)])
    found = list(pd.unique(given[arm].dropna()))
    problems = []
    if control not in found:
        problems.append(Problem(f"no unit is in the control arm {control!r}",
                                remedy=f"Arms: {', '.join(map(str, found))}"))  # fmt: skip
    elif len(found) != 2:
        problems.append(Problem(f"{len(found)} arms where two are compared",
                                remedy="Give the rows of two arms"))  # fmt: skip
    numbers = given[[*columns, *covariates]].apply(pd.to_numeric, errors="coerce")
    for name in (*columns, *covariates):
        words = numbers[name].isna() & given[name].notna()
        endless = np.isinf(numbers[name].astype(np.float64))
        if words.any():
            problems.append(Problem(f"{name!r} holds what is no number", int(words.sum())))
        if endless.any():
            problems.append(Problem(f"{name!r} is infinite", int(endless.sum())))
    if problems:
        raise DataError("test", problems)
    held = numbers.assign(treated=(given[arm] != control).astype(np.float64))
    held = held[numbers.notna().all(axis=1) & given[arm].notna()]
    counts = held["treated"].value_counts()
    if len(counts) < 2 or counts.min() < FEWEST:
        raise FitError(f"fewer than {FEWEST} units of an arm have a score and money")
    flat = [name for name in (*columns, *covariates) if held[name].nunique() < 2]
    if flat:
        raise OptionError(f"{flat[0]!r} is the same for every unit: leave it out")
    return held.reset_index(drop=True), len(given) - len(held)


def _unlike(
    table: Any, arms: tuple[str, Any], columns: tuple[str, str], level: float
) -> Iterable[str]:
    """That answering differs between the arms, and the effect on money of those whose is known."""
    (arm, control), (score, money) = arms, columns
    given = as_pandas(table)
    given = given[given[arm].notna()]
    treated = (given[arm] != control).to_numpy()
    answered = given[score].notna().to_numpy()
    n = np.array([(~treated).sum(), treated.sum()])
    rate = np.array([answered[~treated].mean(), answered[treated].mean()])
    together = answered.mean()
    if not 0.0 < together < 1.0:
        return
    p = unlike(rate * n, n)
    paid = pd.to_numeric(given[money], errors="coerce").to_numpy(dtype=np.float64)
    known = np.isfinite(paid)
    X = np.ones((int(known.sum()), 1))
    r, r_of = _effect(paid[known], treated[known].astype(np.float64), X)
    half = float(scipy.special.ndtri((1.0 + level) / 2.0)) * float(np.sqrt(r_of @ r_of))
    yield (
        f"The effect on money above is of those whose score is known; of all {known.sum():,} whose "
        f"money is, it is {r:.4g} ({r - half:.4g} to {r + half:.4g}) without covariates."
    )
    if p < UNLIKE:
        yield (
            f"{rate[1]:.1%} of the lever's arm and {rate[0]:.1%} of the control have a score (p "
            f"{p:.1g}): who answered may be an effect too, and then none of this holds."
        )


def _effect(y: Floats, treated: Floats, X: Floats) -> tuple[float, Floats]:
    """Effect of the arm on y with covariates (Lin 2013), and the influence of each unit on it,
    whose squares sum to its HC2 variance."""
    full = np.column_stack([treated, X, treated[:, None] * X[:, 1:]])
    bread = np.linalg.pinv(full.T @ full)
    b = bread @ full.T @ y
    leverage = np.einsum("ij,jk,ik->i", full, bread, full)
    e = (y - full @ b) / np.sqrt(np.maximum(1.0 - leverage, 1e-12))
    return float(b[0]), np.asarray((full * e[:, None]) @ bread[0])


def _slope(s: Floats, m: Floats, own: Any, X: Floats) -> tuple[float, Floats]:
    """Slope of money on satisfaction among the control, and the influence of each unit (0 of the
    treated)."""
    full = np.column_stack([s, X])[own]
    bread = np.linalg.pinv(full.T @ full)
    b = bread @ full.T @ m[own]
    leverage = np.einsum("ij,jk,ik->i", full, bread, full)
    e = (m[own] - full @ b) / np.sqrt(np.maximum(1.0 - leverage, 1e-12))
    influence = np.zeros(len(s))
    influence[own] = (full * e[:, None]) @ bread[0]
    return float(b[0]), influence


def _row(what: str, value: float, influence: Floats, t: float, unit: str) -> dict[str, Any]:
    error = float(np.sqrt(influence @ influence))
    return {"what": what, "estimate": value, "std_error": error, "lower": value - t * error,
            "upper": value + t * error, "unit": unit}  # fmt: skip


def _sentence(
    found: tuple[float, float, float], point: RatioSet, share: RatioSet,
    ends: tuple[float, float],
) -> str:  # fmt: skip
    (p, r, slope), (breakdown, reach) = found, ends
    if abs(p) <= reach:
        return (
            f"The lever moves satisfaction by {p:+.3g} points, which cannot be told from none: a "
            f"point may be worth {point}, and nothing is said of satisfaction as the reason."
        )
    told = (
        f"If the lever works by satisfaction alone, a point is worth {r / p:.4g} ({point}); the "
        f"correlation says {slope:.4g}, of which {r / (p * slope):.0%} ({share.of_shares()}) is "
        "causal."
        if slope
        else f"If the lever works by satisfaction alone, a point is worth {r / p:.4g} ({point})."
    )
    if breakdown <= 0.0:
        return f"{told} The effect on money cannot be told from none."
    return (
        f"{told} A point's worth could not be told from none any more if {breakdown:.0%} of the "
        "effect on money came by another way."
    )
