"""How strong an unseen cause would have to be to explain pairs away: Rosenbaum's bounds.

Were two units of a pair alike in all that matters, either would be the treated one with odds of 1.
If something unseen makes these odds lie anywhere between 1 / Gamma and Gamma, the p-value of a test
is no number any more but an interval, and so are estimate and its ends. Rosenbaum (2002),
Observational Studies, 2nd edition, section 4.3: the signed-rank test and Hodges and Lehmann's
estimate for numbers, McNemar's test for yes or no. Pairs that do not differ are ranked but not
counted (as there, and in Pratt 1959; other programs drop them first). For regressions and ratios
see `cxmodels.regression.sensitivity`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.experiments.observed_groups import told
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level, told_p
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

USUAL = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0)
EXACT = 200  # pairs up to which the law of the statistic is summed up, not approximated
FEWEST = 2  # pairs that differ
LARGEST = 1e6  # Gamma beyond which nothing is sought
NUMBERS, YES_NO = "signed ranks", "McNemar"
METHODS = ("exact", "normal")


@dataclass(frozen=True, eq=False, repr=False)
class RosenbaumBounds(Faced):
    """Pairs under hidden bias.

    table: gamma (odds of being the treated one of a pair, at the most), p_lower, p_upper (of the
    one-sided test on the side of the effect), estimate_lower, estimate_upper (Hodges and Lehmann's,
    units of the outcome), lower, upper (ends of the interval that holds at this gamma; empty, as
    are the estimates, for yes or no). breakdown: the smallest gamma at which the effect is not told
    from none (1: it never was); pairs; differ: pairs whose outcomes differ.
    """

    table: "pd.DataFrame"
    breakdown: float
    test: str
    pairs: int
    differ: int
    level: float
    sentence: str
    notes: tuple[str, ...] = ()

    def face(self) -> Face:
        """The bounds by gamma."""
        head = f"{self.pairs:,} pairs under hidden bias, {self.test}; interval {self.level:.0%}"
        return Face(head, self.table, (*self.notes, self.sentence))


def rosenbaum_bounds(
    treated: object,
    control: object,
    *,
    gammas: Iterable[float] | None = None,
    method: str | None = None,
    level: float = 0.9,
) -> RosenbaumBounds:
    """Bounds of p-value, estimate and interval of matched pairs under hidden bias up to gamma.

    treated, control: (n,) outcomes, the i-th of each a pair; 0 and 1 alone are taken as no and yes.
    gammas: from 1 on, by default 1 to 5; method: "exact" or "normal" (by default exact up to 200
    pairs); level: of intervals, an effect being told from none if p is (1 - level) / 2 or less.
    Errors: DataError for outcomes that are missing or infinite; OptionError; FitError for fewer
    than 2 pairs that differ.

    >>> found = rosenbaum_bounds([5, 6, 7, 9, 8, 4], [4, 4, 4, 4, 4, 5], gammas=[1, 2])
    >>> found.table["p_upper"].round(4).tolist()
    [0.0469, 0.1756]
    """
    inside = check_level(level)
    asked = _gammas(gammas)
    y1, y0 = _pairs(treated, control)
    if method is not None and method not in METHODS:
        raise OptionError(f"method {method!r} is not one of {', '.join(METHODS)}")
    yes_no = bool(np.isin(np.concatenate([y1, y0]), (0.0, 1.0)).all())
    d = y1 - y0
    differ = d[d != 0.0]
    if differ.size < FEWEST:
        raise FitError(
            f"{differ.size} of {d.size:,} pairs differ in their outcome: nothing to test"
        )
    exact = differ.size <= EXACT if method is None else method == "exact"
    ranks = np.ones(differ.size) if yes_no else scipy.stats.rankdata(np.abs(d))[d != 0.0]
    above = float(ranks[differ > 0.0].sum())
    seen = max(above, float(ranks.sum()) - above)  # on the side of the effect
    law = _Law(ranks, exact)
    alpha = (1.0 - inside) / 2.0
    rows = []
    for gamma in asked.tolist():
        p = gamma / (1.0 + gamma)
        row = {"gamma": gamma, "p_lower": law.tail(seen, 1.0 - p), "p_upper": law.tail(seen, p)}
        ends = (np.nan,) * 4 if yes_no else _ends(d, p, alpha, exact)
        names = ("estimate_lower", "estimate_upper", "lower", "upper")
        rows.append(row | dict(zip(names, ends, strict=True)))
    breakdown = _breakdown(law, seen, alpha)
    return _record(rows, breakdown, (YES_NO if yes_no else NUMBERS, exact), (d.size, differ.size),
                   inside)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Law:
    """The sum of ranks that a coin with probability p picks."""

    ranks: Floats
    exact: bool

    def tail(self, seen: float, p: float) -> float:
        """P(sum >= seen)."""
        if not self.exact:
            mean, spread = p * self.ranks.sum(), p * (1.0 - p) * (self.ranks @ self.ranks)
            whole = 0.5 if np.ptp(self.ranks) == 0.0 else 0.0  # McNemar's: a count, half a step off
            return float(scipy.special.ndtr((mean - seen + whole) / np.sqrt(spread)))
        if np.ptp(self.ranks) == 0.0:
            count = seen / self.ranks[0]
            return float(scipy.stats.binom.sf(np.ceil(count - 1e-9) - 1.0, self.ranks.size, p))
        law = summed(np.rint(2.0 * self.ranks).astype(np.int64), p)
        return float(min(law[int(np.ceil(2.0 * seen - 1e-9)) :].sum(), 1.0))


def summed(weights: object, p: float) -> Floats:
    """Probabilities of 0, 1, ... for the sum of whole weights that are each taken with p.

    >>> summed([1, 2], 0.5).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    law = np.ones(1)
    for weight in np.sort(np.asarray(weights, dtype=np.int64)).tolist():
        grown = np.zeros(law.size + weight)
        grown[: law.size] = (1.0 - p) * law
        grown[weight:] += p * law
        law = grown
    return law


def _ends(d: Floats, p: float, alpha: float, exact: bool) -> tuple[float, float, float, float]:
    """Lowest and highest estimate, and ends of the interval, were odds of a pair p / (1 - p)."""
    n = d.size
    whole = n * (n + 1) // 2
    low = _hodges_lehmann(np.sort(d), p * whole)
    high = -_hodges_lehmann(np.sort(-d), p * whole)
    ranks = np.arange(1.0, n + 1.0)
    if exact:
        tails = np.cumsum(summed(ranks, p)[::-1])[::-1]
        rejected = np.flatnonzero(tails <= alpha)
        critical = int(rejected[0]) if rejected.size else whole + 1
    else:
        spread = np.sqrt(p * (1.0 - p) * float(ranks @ ranks))
        critical = int(np.ceil(p * whole - scipy.special.ndtri(alpha) * spread))
    if critical > whole:
        return low, high, -np.inf, np.inf
    return low, high, _walsh(np.sort(d), critical), -_walsh(np.sort(-d), critical)


def _hodges_lehmann(d: Floats, count: float) -> float:
    """The shift at which `count` averages of two (or one) of sorted d (n,) lie above it."""
    whole = d.size * (d.size + 1) // 2
    near = round(count)
    if abs(count - near) < 1e-9 * max(count, 1.0) and near < whole:
        return 0.5 * (_walsh(d, near) + _walsh(d, near + 1))
    return _walsh(d, min(int(np.ceil(count)), whole))


def _walsh(d: Floats, k: int) -> float:
    """The k-th largest (d_i + d_j) / 2, i <= j, of sorted d (n,), by halving."""

    def reached(at: float) -> bool:
        twice = d.size * d.size - int(np.searchsorted(d, 2.0 * at - d, side="left").sum())
        own = d.size - int(np.searchsorted(d, at, side="left"))
        return (twice + own) // 2 >= k

    low, high = float(d[0]), float(d[-1])
    if reached(high):
        return high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if reached(middle) else (low, middle)
    return float(np.round(low, 12)) if abs(low) < 1e3 else low


def _breakdown(law: _Law, seen: float, alpha: float) -> float:
    """The gamma at which the larger p-value is alpha; 1 where it is above it at once."""

    def spare(log_gamma: float) -> float:
        return alpha - law.tail(seen, float(scipy.special.expit(log_gamma)))

    if spare(0.0) < 0.0:
        return 1.0
    if spare(np.log(LARGEST)) > 0.0:
        return np.inf
    found = scipy.optimize.brentq(spare, 0.0, np.log(LARGEST), xtol=1e-10)
    return float(np.exp(found))


def _gammas(gammas: Iterable[float] | None) -> Floats:
    try:
        found = np.asarray(list(USUAL if gammas is None else gammas), dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("gammas are numbers from 1 on") from None
    if found.ndim != 1 or not found.size or not np.isfinite(found).all() or (found < 1.0).any():
        raise OptionError("gammas are one or more numbers from 1 on")
    return found


def _pairs(treated: object, control: object) -> tuple[Floats, Floats]:
    try:
        y1, y0 = (np.asarray(side, dtype=np.float64) for side in (treated, control))
    except (TypeError, ValueError):
        raise OptionError("treated and control are columns of numbers") from None
    if y1.ndim != 1 or y1.shape != y0.shape:
        raise OptionError(f"treated and control are columns of one length, got {y1.shape} and "
                          f"{y0.shape}")  # fmt: skip
    broken = ~(np.isfinite(y1) & np.isfinite(y0))
    problems = list(told("an outcome is missing or infinite", broken, "Leave the pair out"))
    if problems:
        raise DataError("pairs", problems)
    return y1, y0


def _record(
    rows: list[dict[str, float]], breakdown: float, how: tuple[str, bool],
    sizes: tuple[int, int], level: float,
) -> RosenbaumBounds:  # fmt: skip
    import pandas as pd

    test = f"{how[0]}, {'exact' if how[1] else 'normal approximation'}"
    if breakdown <= 1.0:
        said = "The effect is not told from none even without hidden bias."
    elif np.isinf(breakdown):
        said = f"The effect is told from none up to odds of {LARGEST:g}."
    else:
        said = (
            f"The effect is told from none unless something unseen makes the odds of treatment "
            f"differ {breakdown:.2f} times inside pairs; without any, p is "
            f"{told_p(rows[0]['p_upper'])}."
            if rows[0]["gamma"] == 1.0
            else f"The effect is told from none up to odds of {breakdown:.2f} inside pairs."
        )
    return RosenbaumBounds(pd.DataFrame(rows), breakdown, test, *sizes, level, said)
