"""Portfolios in calendar time from what was known: scores sorted by their release dates.

In every month firms are sorted by the newest score that was out before the month began; nothing
later may choose them. The long portfolio holds the best group, the short one the worst. All firms
with scores, held together, show what the choice of firms alone brought: a list that was drawn up
when it was known who had done well beats any market.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.days import as_days
from cxmodels.data.factors import checked_factors
from cxmodels.data.returns import Returns, check_returns
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.factor_model import (
    ALL,
    LONG_SHORT,
    Alphas,
    conditional_alphas,
    factor_alphas,
    factor_sets,
    holdings_betas,
)
from cxmodels.shareholders.holdings import (
    groups_of,
    known_before,
    public_scores,
    returns_of_groups,
    sizes_of,
    weights_of,
    with_last_month,
)
from cxmodels.shareholders.neutral import characteristics, neutral_scores

SORTS, WEIGHTS = ("level", "change"), ("equal", "value")
FEWEST_MONTHS = 24
FAME = 3.0  # t of the alpha of all firms with scores, above which their choice is in question
UP, DOWN = "up markets", "down markets"


@dataclass(frozen=True, eq=False, repr=False)
class Portfolios(Faced):
    """Calendar-time portfolios.

    returns: by month, one column a group (1 the lowest scores), `long short` and `all with scores`,
    less costs where asked; alphas: name of the factor set -> Alphas; conditional: factors,
    portfolio, alpha and what goes with it, by exposures that the holdings had shown before each
    month; markets: mean of long short in up and in down markets; holdings: month, group, firms,
    turnover; audit: what may have leaked, in sentences.
    """

    returns: pd.DataFrame
    alphas: dict[str, Alphas]
    conditional: pd.DataFrame
    markets: pd.DataFrame
    holdings: pd.DataFrame
    level: float
    audit: tuple[str, ...]

    def face(self) -> Face:
        """The long less short portfolio by factor set."""
        rows = []
        for name, found in self.alphas.items():
            row = found.table.set_index("portfolio").loc[LONG_SHORT]
            rows.append({"factors": name, **row[["alpha", "t", "lower", "upper", "a_year",
                                                 "detectable", "periods"]]})  # fmt: skip
        head = (
            "Best less worst scores: alpha and its interval a month (share), a_year and detectable "
            f"per cent a year; interval {self.level:.0%}"
        )
        return Face(head, pd.DataFrame(rows), self.audit)


def satisfaction_portfolios(  # noqa: PLR0913 - the door of the question: every choice by name
    returns: Returns,
    scores: Any,
    factors: pd.DataFrame,
    *,
    by: str = "level",
    groups: int = 3,
    weights: str = "equal",
    size: pd.DataFrame | None = None,
    neutral: Mapping[str, Any] | None = None,
    chosen: str | date | None = None,
    longest: int = 15,
    riskless: str | None = "RF",
    cost: float = 0.0,
    lost: float = 0.0,
    level: float = 0.9,
) -> Portfolios:
    """Sorts firms by public scores and tells the alphas of the groups.

    Args: returns: of firms by month, from `returns_of`; scores: a table with asset, score and
    released (the day on which it was public); factors: by month, as shares, with a column named as
    `riskless` says (None: returns are in excess already); alphas are told by CAPM, three, four and
    five factors, and momentum, as far as columns of these names are there; by: "level" or "change"
    (against the score before); weights: "equal" or "value", by `size` (months by assets: market
    value before the month); neutral: what is held fixed, as in {"industry": labels by asset,
    "size": a frame of months by assets}: firms are then sorted by what it leaves of their scores;
    chosen: the day on which the firms were chosen, if they are a list; longest: months after which
    a score is old; cost: of trading one unit of money, as a share; lost: return of a firm in the
    month after its last, as a share (-0.3 is usual for failures); level: of intervals.
    Errors: DataError for scores without release dates; FitError where groups are too small.
    """
    inside = check_level(level)
    check_returns(returns)
    _check(by, weights, groups, size)
    _check_terms(cost, lost, longest)
    f = checked_factors(factors, returns, riskless)
    told, audit = public_scores(scores, returns, by)
    months = pd.DatetimeIndex(returns.days).to_period("M")
    if months.has_duplicates:
        raise OptionError("returns hold several days of one month: give monthly returns")
    known = known_before(told, months, returns.assets, longest)
    known = neutral_scores(known, characteristics(neutral or {}, months, returns))
    values, _ = with_last_month(returns.values, lost)
    place = groups_of(known, values, groups)
    sizes = sizes_of(size, months, returns) if weights == "value" else None
    held, every = weights_of(place, sizes, groups), weights_of(np.minimum(place, 0), sizes, 1)
    made, holdings = returns_of_groups(values, held, months, cost)
    made[ALL] = returns_of_groups(values, every, months, cost)[0]["1"]
    if made[LONG_SHORT].notna().sum() < FEWEST_MONTHS:
        raise FitError(
            f"fewer than {FEWEST_MONTHS} months have 3 firms in the best and in the worst group: "
            "take fewer groups, or more firms"
        )
    excess = _excess(made, f, riskless)
    own = [name for name in f.columns if name != riskless]
    if not own:
        raise OptionError("factors hold the riskless return alone: give the market's at least")
    sets = factor_sets(own)
    alphas = {name: factor_alphas(excess, f[part], level=inside) for name, part in sets.items()}
    weight = {name: held[at] for at, name in enumerate(made.columns[:groups])} | {ALL: every[0]}
    weight[LONG_SHORT] = held[-1] - held[0]
    seen = (*_chosen(chosen, made), *_famous(alphas), *audit, *_left(returns, known, lost))
    return Portfolios(
        returns=made,
        alphas=alphas,
        conditional=_conditional((returns, months), (f, sets, riskless), excess, weight, inside),
        markets=_markets(excess[LONG_SHORT], f[sets["CAPM"][0]]),
        holdings=holdings,
        level=inside,
        audit=(*seen, *returns.notes),
    )


def _check(by: str, weights: str, groups: int, size: pd.DataFrame | None) -> None:
    if by not in SORTS or weights not in WEIGHTS:
        raise OptionError(f"by is one of {', '.join(SORTS)}, weights one of {', '.join(WEIGHTS)}")
    if weights == "value" and size is None:
        raise OptionError("weights='value' needs size=, market values by month and asset")
    if not isinstance(groups, int) or groups < 2:
        raise OptionError(f"groups {groups!r} is not 2 or more")


def _check_terms(cost: Any, lost: Any, longest: Any) -> None:
    if not (isinstance(cost, int | float) and 0.0 <= cost < 1.0):
        raise OptionError(f"cost {cost!r} is a share of what is traded, from 0 to below 1")
    if not (isinstance(lost, int | float) and -1.0 <= lost <= 1.0):
        raise OptionError(f"lost {lost!r} is a return, a share from -1 to 1")
    if not isinstance(longest, int) or longest < 1:
        raise OptionError(f"longest {longest!r} is a whole number of months, 1 or more")


def _conditional(
    given: tuple[Returns, Any],
    explained: tuple[pd.DataFrame, dict[str, list[str]], str | None],
    excess: pd.DataFrame,
    weight: dict[str, Floats],
    level: float,
) -> pd.DataFrame:
    """Alphas by the exposures of holdings, for CAPM and the largest set of factors."""
    (returns, months), (f, sets, riskless) = given, explained
    aligned = f.reindex(months)
    free = 0.0 if riskless is None else aligned[riskless].to_numpy(dtype=np.float64)[:, None]
    own = returns.values - free
    parts = []
    for name in dict.fromkeys(["CAPM", max(sets, key=lambda label: len(sets[label]))]):
        F = aligned[sets[name]].to_numpy(dtype=np.float64)
        betas = holdings_betas(own, F)
        told = conditional_alphas(excess, F, betas, weight, level)
        parts.append(told.assign(factors=name))
    return pd.concat(parts, ignore_index=True)


def _chosen(chosen: str | date | None, made: pd.DataFrame) -> list[str]:
    """Whether the list of firms is younger than the returns it is judged by."""
    if chosen is None:
        return []
    day = as_days(pd.Series([str(chosen)]))[0]
    if pd.isna(day):
        raise OptionError(f"chosen {chosen!r} is no day, as in 2006-06-30")
    there = made.index[made[LONG_SHORT].notna()]
    early = int((pd.PeriodIndex(there).to_timestamp(how="end") <= day).sum())
    if not early:
        return []
    return [
        f"LOOK-AHEAD: the firms were chosen on {day:%Y-%m-%d}, after {early:,} of {len(there):,} "
        "months of returns; what these months show was known when they were chosen."
    ]


def _famous(alphas: dict[str, Alphas]) -> list[str]:
    """Whether all firms with scores, held together, did better than can be."""
    row = next(iter(alphas.values())).table.set_index("portfolio").loc[ALL]
    if row["t"] < FAME:
        return []
    return [
        f"LOOK-AHEAD: all firms with scores, held together, earn {row['a_year']:+.1f} per cent a "
        f"year more than their exposure pays (t {row['t']:.1f}): they were chosen when it was "
        "known who had done well, or those that did badly are missing. Only the best less the "
        "worst among them is left to judge scores by."
    ]


def _excess(made: pd.DataFrame, factors: pd.DataFrame, riskless: str | None) -> pd.DataFrame:
    """Groups less the riskless return; long short is paid for by itself."""
    if riskless is None:
        return made
    free = factors[riskless].reindex(made.index)
    out = made.sub(free, axis=0)
    out[LONG_SHORT] = made[LONG_SHORT]
    return out


def _markets(spread: "pd.Series[float]", market: "pd.Series[float]") -> pd.DataFrame:
    """Long less short where the market rose and where it fell: does satisfaction cushion a fall?"""
    both = pd.DataFrame({"spread": spread, "market": market}).dropna()
    rows = []
    for name, part in ((UP, both[both["market"] > 0]), (DOWN, both[both["market"] <= 0])):
        n = len(part)
        if n < 2:
            continue
        error = float(part["spread"].std(ddof=1) / np.sqrt(n))
        mean = float(part["spread"].mean())
        rows.append({"market": name, "mean": mean, "std_error": error, "t": mean / error,
                     "months": n})  # fmt: skip
    return pd.DataFrame(rows)


def _left(returns: Returns, known: Floats, lost: float) -> list[str]:
    """Firms that have a score and stop having returns before the end."""
    there = np.isfinite(returns.values)
    last = there.shape[0] - 1 - np.argmax(there[::-1], axis=0)
    gone = (last < there.shape[0] - 1) & np.isfinite(known).any(axis=0)
    if not gone.any():
        return [
            "No firm stops having returns: if those that left the market are missing, alphas are "
            "those of survivors."
        ]
    told = f"{int(gone.sum()):,} firms stop having returns; in the month after their last they"
    return [f"{told} are held at a return of {lost:.0%} (lost=)."]
