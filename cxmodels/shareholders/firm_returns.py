"""What each firm's shares did around a release: the year's abnormal return, and the risk after it.

The abnormal return is that of the months up to the one of the release, bought and held, less what
the firm's exposure to factors before them would have brought. Risk is read from the months after
the release, which no score could have used: beta, what is left of the returns, and the cost of
equity that exposures and the factors' long-run premia amount to.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.factors import checked_factors
from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.data.returns import Returns, check_returns
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Bools, Floats

FEWEST = 24  # returns that exposures are read from
COLUMNS = ("abnormal_return", "beta", "idiosyncratic_risk", "cost_of_equity")
PER_YEAR = ((20.0, 12.0), (5.0, 52.0), (0.0, 252.0))  # days between returns -> returns a year


@dataclass(frozen=True, eq=False)
class _Market:
    """Days (t,) and by day: returns of firms (t, n), factors (t, k) in excess, the riskless return
    (t,); year: returns in a year."""

    days: Any
    values: Floats
    factors: Floats
    riskless: Floats
    year: float

    def between(self, first: Any, last: Any) -> Bools:
        """(t,) whether a day lies after `first` and not after `last`."""
        return np.asarray((self.days > first) & (self.days <= last))


def firm_returns(
    panel: FirmPanel,
    returns: Returns,
    factors: pd.DataFrame,
    *,
    riskless: str | None = "RF",
    months: int = 12,
    before: int = 60,
    ahead: int = 36,
) -> FirmPanel:
    """The panel with four more columns: what shares did before and after each release.

    Args: returns: of the firms by day or month, whose assets have the names of firms; factors: by
    the same days, as shares, a column each (the market first) and the riskless return under the
    name `riskless` (None: returns are in excess already); months: of the year that ends with that
    of the release; before: months before it from which exposures are read; ahead: months after it
    from which risk is read (years then share months: cluster by firm).
    Adds: abnormal_return (share), beta (exposure to the first factor), idiosyncratic_risk (standard
    deviation a year of what factors leave, share), cost_of_equity (per cent a year: riskless return
    and exposures times mean premia up to the release); empty where fewer than 24 returns are known.
    Errors: OptionError without release dates or a name in common, FitError where nothing is left.
    """
    check_panel(panel)
    check_returns(returns)
    if "released" not in panel.table:
        raise OptionError("the panel has no released days: returns of the release need them")
    for name, span in (("months", months), ("before", before), ("ahead", ahead)):
        if not isinstance(span, int) or span < 1:
            raise OptionError(f"{name} {span!r} is a whole number of months, 1 or more")
    market = _market(returns, factors, riskless)
    place = {name: at for at, name in enumerate(returns.assets)}
    columns = [place.get(str(firm), -1) for firm in panel.table["firm"]]
    if max(columns) < 0:
        raise OptionError("no firm of the panel is an asset of the returns: names have to be alike")
    months_of = panel.table["released"].to_numpy().astype("datetime64[M]")
    rows = [
        (np.nan,) * len(COLUMNS) if at < 0 or np.isnat(month)
        else _row(market, at, month, (months, before, ahead))
        for at, month in zip(columns, months_of, strict=True)
    ]  # fmt: skip
    made = pd.DataFrame(rows, columns=list(COLUMNS), index=panel.table.index)
    if made.isna().all(axis=None):
        raise FitError(f"no release has {FEWEST} returns before it or after it")
    strangers = panel.table.loc[np.array(columns) < 0, "firm"].nunique()
    notes = [
        f"Returns: {int(made['abnormal_return'].notna().sum()):,} of {len(made):,} rows have an "
        f"abnormal return, {int(made['beta'].notna().sum()):,} a risk."
    ]
    if strangers:
        notes.append(f"{strangers:,} firms have no returns.")
    found = panel.with_columns(**{name: made[name].to_numpy() for name in COLUMNS})
    return found.with_notes(*notes)


def _market(returns: Returns, factors: pd.DataFrame, riskless: str | None) -> _Market:
    held = checked_factors(factors, returns, riskless)
    own = [name for name in held.columns if name != riskless]
    if not own:
        raise OptionError("factors hold the riskless return alone: give the market's at least")
    days = pd.DatetimeIndex(returns.days)
    gaps = np.diff(days.to_numpy()) / np.timedelta64(1, "D")
    gap = float(np.median(gaps)) if gaps.size else 1.0
    year = next(per for least, per in PER_YEAR if gap >= least)
    monthly = isinstance(held.index, pd.PeriodIndex)  # months, whichever day they are told by
    aligned = held.reindex(days.to_period("M") if monthly else days)
    F = aligned[own].to_numpy(dtype=np.float64)
    free = np.zeros(len(days)) if riskless is None else aligned[riskless].to_numpy(np.float64)
    if not np.isfinite(F).all(axis=1).any():
        raise OptionError("the factors and the returns share no day")
    return _Market(days.to_numpy(), returns.values, F, free, year)


def _row(
    market: _Market, at: int, month: Any, spans: tuple[int, int, int]
) -> tuple[float, float, float, float]:
    """The four columns of one release."""
    months, before, ahead = spans
    end = _last_day(month)
    begins = _last_day(month - months)
    y = market.values[:, at]
    known = np.isfinite(y) & np.isfinite(market.factors).all(axis=1) & np.isfinite(market.riskless)
    abnormal = np.nan
    earlier = known & market.between(_last_day(month - months - before), begins)
    later = known & market.between(end, _last_day(month + ahead))
    exposures = _exposures(market, y, earlier)
    year = market.between(begins, end)
    if exposures is not None and year.any() and known[year].all():
        b = exposures[0]
        expected = market.riskless[year] + market.factors[year] @ b[1:]
        abnormal = float(np.prod(1.0 + y[year]) - np.prod(1.0 + expected))
    after = _exposures(market, y, later)
    if after is None:
        return abnormal, np.nan, np.nan, np.nan
    b, spread = after
    past = np.isfinite(market.factors).all(axis=1) & (market.days <= end)
    if past.sum() < FEWEST:
        return abnormal, float(b[1]), spread * float(np.sqrt(market.year)), np.nan
    premium = market.factors[past].mean(axis=0) * market.year
    now = market.riskless[later].mean()
    cost = 100.0 * float(now * market.year + b[1:] @ premium)
    return abnormal, float(b[1]), spread * float(np.sqrt(market.year)), cost


def _last_day(month: Any) -> Any:
    """The last day of a month."""
    return ((month + 1).astype("datetime64[D]") - 1).astype("datetime64[ns]")


def _exposures(market: _Market, y: Floats, use: Bools) -> tuple[Floats, float] | None:
    """Constant and exposures (1 + k,), and the spread of what is left; None for few returns."""
    k = market.factors.shape[1]
    if use.sum() < max(FEWEST, k + 2):
        return None
    X = np.column_stack([np.ones(int(use.sum())), market.factors[use]])
    excess = y[use] - market.riskless[use]
    b = np.linalg.lstsq(X, excess, rcond=None)[0]
    e = excess - X @ b
    return np.asarray(b, dtype=np.float64), float(np.sqrt(e @ e / (e.size - k - 1)))
