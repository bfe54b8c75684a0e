"""Portfolios in calendar time from what was known: scores sorted by their release dates.

In every month firms are sorted by the newest score that was out before the month began; nothing
later may choose them. The long portfolio holds the best group, the short one the worst.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.returns import Returns
from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.factor_model import Alphas, factor_alphas

SORTS, WEIGHTS = ("level", "change"), ("equal", "value")
FEWEST = 3  # firms in a group, for a month to count
UP, DOWN = "up markets", "down markets"


@dataclass(frozen=True, eq=False, repr=False)
class Portfolios(Faced):
    """Calendar-time portfolios.

    returns: by month, one column a group (1 the lowest scores) and `long short`, less costs where
    asked; alphas: name of the factor set -> Alphas; markets: mean of long short in up and in down
    markets; holdings: month, group, firms, turnover; audit: what may have leaked, in sentences.
    """

    returns: pd.DataFrame
    alphas: dict[str, Alphas]
    markets: pd.DataFrame
    holdings: pd.DataFrame
    level: float
    audit: tuple[str, ...]

    def face(self) -> Face:
        """The long less short portfolio by factor set."""
        rows = []
        for name, found in self.alphas.items():
            row = found.table.set_index("portfolio").loc["long short"]
            rows.append({"factors": name, **row[["alpha", "t", "lower", "upper", "a_year",
                                                 "detectable", "periods"]]})  # fmt: skip
        head = f"Best less worst scores, alpha a month; interval {self.level:.0%}"
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
    longest: int = 15,
    riskless: str | None = "RF",
    cost: float = 0.0,
    level: float = 0.9,
) -> Portfolios:
    """Sorts firms by public scores and tells the alphas of the groups.

    Args: returns: of firms by month, from `returns_of`; scores: a table with asset, score and
    released (the day on which it was public); factors: by month, as shares, with a column named as
    `riskless` says (None: returns are in excess already); CAPM takes its first other column, "all
    factors" takes all; by: "level" or "change" (against the score before); weights: "equal" or
    "value", by `size` (months by assets: market value before the month); longest: months after
    which a score is old; cost: of trading one unit of money, as a share; level: of intervals.
    Errors: DataError for scores without release dates; FitError where groups are too small.
    """
    inside = check_level(level)
    if by not in SORTS or weights not in WEIGHTS:
        raise OptionError(f"by is one of {', '.join(SORTS)}, weights one of {', '.join(WEIGHTS)}")
    if weights == "value" and size is None:
        raise OptionError("weights='value' needs size=, market values by month and asset")
    if groups < 2:
        raise OptionError(f"groups {groups} is below 2")
    told, audit = _scores(scores, returns, by)
    months = pd.DatetimeIndex(returns.days).to_period("M")
    if months.has_duplicates:
        raise OptionError("returns hold several days of one month: give monthly returns")
    known = _known(told, months, returns.assets, longest)
    place = _groups(known, returns.values, groups)
    held = _weighed(place, _sizes(size, months, returns) if weights == "value" else None, groups)
    made, holdings = _returns(returns.values, held, months, cost)
    if made["long short"].notna().sum() < 24:
        raise FitError(
            "fewer than 24 months have 3 firms in the best and in the worst group: take fewer "
            "groups, or more firms"
        )
    f = factors.set_axis(pd.DatetimeIndex(pd.to_datetime(factors.index)).to_period("M"))
    excess = _excess(made, f, riskless)
    own = [name for name in f.columns if name != riskless]
    sets = {"CAPM": own[:1]} | ({"all factors": own} if len(own) > 1 else {})
    alphas = {name: factor_alphas(excess, f[chosen], level=inside) for name, chosen in sets.items()}
    return Portfolios(
        returns=made,
        alphas=alphas,
        markets=_markets(excess["long short"], f[own[0]]),
        holdings=holdings,
        level=inside,
        audit=(*audit, *_left(returns, known), *returns.notes),
    )


def _scores(scores: Any, returns: Returns, by: str) -> tuple[pd.DataFrame, list[str]]:
    """Scores in order of release, their changes where asked; DataError without release dates."""
    given = as_pandas(scores).reset_index(drop=True)
    missing = [name for name in ("asset", "score", "released") if name not in given]
    if missing:
        remedy = "A sort by scores that were not out yet is a look into the future"
        raise DataError("scores", [Problem(f"there is no column {missing[0]!r}", remedy=remedy)])
    day = _days(given["released"])
    number = pd.to_numeric(given["score"], errors="coerce")
    problems = [
        Problem(what, int(broken.sum()), f"row {int(np.flatnonzero(broken)[0]) + 1:,}")
        for what, broken in (
            ("released is no day", day.isna().to_numpy()),
            ("score is no number", (number.isna() & given["score"].notna()).to_numpy()),
            ("an asset has two scores released on one day",
             given.assign(released=day).duplicated(["asset", "released"]).to_numpy()),
        )
        if broken.any()
    ]  # fmt: skip
    if problems:
        raise DataError("scores", problems)
    told = pd.DataFrame({"asset": given["asset"].astype(str), "score": number, "released": day})
    told = told.dropna(subset="score").sort_values(["asset", "released"], ignore_index=True)
    strangers = ~told["asset"].isin(returns.assets)
    audit = []
    if strangers.any():
        lost = told.loc[strangers, "asset"].nunique()
        every = told["asset"].nunique()
        audit.append(
            f"{lost:,} of {every:,} firms with scores have no returns: if they are those that "
            "failed, alphas are those of survivors."
        )
    if by == "change":
        told["score"] = told.groupby("asset")["score"].diff()
        told = told.dropna(subset="score")
    return told[told["asset"].isin(returns.assets)], audit


def _days(column: Any) -> Any:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    return pd.to_datetime(column.astype("string"), errors="coerce", format="ISO8601")


def _known(told: pd.DataFrame, months: Any, assets: tuple[str, ...], longest: int) -> Floats:
    """(t, n) newest score that was out before each month began, and is not too old."""
    out = np.full((len(months), len(assets)), np.nan)
    starts = months.to_timestamp()
    place = {name: at for at, name in enumerate(assets)}
    for name, part in told.groupby("asset"):
        released = part["released"].to_numpy()
        last = np.searchsorted(released, starts.to_numpy(), side="left") - 1
        there = last >= 0
        of = part["score"].to_numpy()[np.maximum(last, 0)]
        age = (starts.to_numpy() - released[np.maximum(last, 0)]) / np.timedelta64(1, "D") / 30.44
        out[:, place[str(name)]] = np.where(there & (age <= longest), of, np.nan)
    return out


def _groups(known: Floats, values: Floats, groups: int) -> Ints:
    """(t, n) group from 0 by quantiles of the scores of a month; -1 without score or return."""
    out = np.full(known.shape, -1, dtype=np.int64)
    for t, row in enumerate(known):
        use = np.flatnonzero(np.isfinite(row) & np.isfinite(values[t]))
        if use.size < groups * FEWEST:
            continue
        cuts = np.quantile(row[use], np.arange(1, groups) / groups)
        out[t, use] = np.searchsorted(cuts, row[use], side="left")
    return out


def _sizes(size: pd.DataFrame | None, months: Any, returns: Returns) -> Floats:
    if size is None:
        return np.ones(returns.values.shape)
    frame = size.set_axis(pd.DatetimeIndex(pd.to_datetime(size.index)).to_period("M"))
    held = frame.reindex(index=months, columns=list(returns.assets)).to_numpy(dtype=np.float64)
    return np.where(np.isfinite(held) & (held > 0), held, 0.0)


def _weighed(place: Ints, size: Floats | None, groups: int) -> Floats:
    """(g, t, n) weights that sum to 1 in each group and month; 0 where a group is too small."""
    out = np.zeros((groups, *place.shape))
    for group in range(groups):
        member = place == group
        enough = member.sum(axis=1) >= FEWEST
        raw = member * (1.0 if size is None else size) * enough[:, None]
        total = raw.sum(axis=1, keepdims=True)
        out[group] = np.divide(raw, total, out=np.zeros_like(raw), where=total > 0)
    return out


def _returns(
    values: Floats, held: Floats, months: Any, cost: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns of groups by month, less the cost of trading into them; and what they held."""
    filled = np.where(np.isfinite(values), values, 0.0)
    made, rows, paid = {}, [], {}
    for group, weight in enumerate(held):
        there = weight.sum(axis=1) > 0
        gross = (weight * filled).sum(axis=1)
        grown = weight * (1.0 + filled)
        total = grown.sum(axis=1, keepdims=True)
        drifted = np.divide(grown, total, out=np.zeros_like(grown), where=total > 0)
        before = np.vstack([np.zeros((1, weight.shape[1])), drifted[:-1]])
        turnover = 0.5 * np.abs(weight - before).sum(axis=1)
        name = str(group + 1)
        paid[name] = 2.0 * cost * turnover  # what is bought and what is sold
        made[name] = np.where(there, gross - paid[name], np.nan)
        rows.append(pd.DataFrame({"month": months, "group": group + 1, "turnover": turnover,
                                  "firms": (weight > 0).sum(axis=1)})[there])  # fmt: skip
    frame = pd.DataFrame(made, index=months)
    names = list(frame.columns)
    frame["long short"] = (
        frame[names[-1]] - frame[names[0]] - 2.0 * paid[names[0]]
    )  # short: pays too
    return frame, pd.concat(rows, ignore_index=True)


def _excess(made: pd.DataFrame, factors: pd.DataFrame, riskless: str | None) -> pd.DataFrame:
    """Groups less the riskless return; long short is paid for by itself."""
    if riskless is None:
        return made
    if riskless not in factors:
        raise OptionError(
            f"factors have no column {riskless!r}, the riskless return: name it, or riskless=None"
        )
    free = factors[riskless].reindex(made.index)
    out = made.sub(free, axis=0)
    out["long short"] = made["long short"]
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


def _left(returns: Returns, known: Floats) -> list[str]:
    """Firms that have a score and stop having returns before the end."""
    there = np.isfinite(returns.values)
    last = there.shape[0] - 1 - np.argmax(there[::-1], axis=0)
    gone = (last < there.shape[0] - 1) & np.isfinite(known).any(axis=0)
    if not gone.any():
        return [
            "No firm stops having returns: if those that left the market are missing, alphas are "
            "those of survivors."
        ]
    return [f"{int(gone.sum()):,} firms stop having returns; what their last holders got is not "
            "known unless it stands in the last return."]  # fmt: skip
