"""Simulated shares whose truth is known: returns by month or day, and scores that come out yearly.

Returns follow a market, a size and a value factor; scores may be worth something (alpha after their
release, or news on its day), or only look so (a good year that colours the score). Every table has
a column `simulated`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.chance import generator
from cxmodels.data.profiles import Floats
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

MIDDLE = 76.0  # points of satisfaction, on a scale of 0 to 100
FREQUENCIES = {"month": (12, "ME"), "day": (252, "B")}  # returns a year, and how days are counted
MARKET = ((0.07, 0.15), (0.02, 0.10), (0.03, 0.10))  # mean and sd a year of each factor, as shares
RISKLESS = 0.02  # a year
RELEASE = "10-15"  # of every year


@dataclass(frozen=True, kw_only=True)
class StocksTruth:
    """The set amounts of simulated shares.

    alpha: return (share, a month) that a point above the mean adds in the year after its release;
    news: return (share) on the day of release a point that was not foreseen; halo: points that one
    log more of return in the months before the release adds to its score; between, within,
    persistence: of scores, points over firms and over years, and correlation from year to year;
    noise: of returns beyond factors, a year, as a share.
    """

    alpha: float = 0.0
    news: float = 0.0
    halo: float = 0.0
    between: float = 3.0
    within: float = 2.0
    persistence: float = 0.6
    noise: float = 0.25

    def __post_init__(self) -> None:
        if not 0.0 <= self.persistence < 1.0:
            raise OptionError(f"persistence {self.persistence} is not from 0 to below 1")
        for name in ("between", "within", "noise"):
            if not getattr(self, name) >= 0.0:
                raise OptionError(f"{name} {getattr(self, name)} is a spread: 0 or more")


@dataclass(frozen=True, eq=False, repr=False)
class Stocks:
    """returns: asset, date, return (share); scores: asset, score, surprise (points that were not
    foreseen), released; factors: by date, Mkt-RF, SMB, HML and RF (shares); truth: what was set."""

    returns: "pd.DataFrame"
    scores: "pd.DataFrame"
    factors: "pd.DataFrame"
    truth: StocksTruth

    def __repr__(self) -> str:
        t, n = self.factors.index, self.returns["asset"].nunique()
        days = f"{t[0]:%Y-%m-%d} to {t[-1]:%Y-%m-%d}"
        return f"Stocks, SIMULATED, {days}: {n:,} assets, {len(t):,} periods"


def stocks(
    firms: int = 60,
    years: int = 15,
    *,
    frequency: str = "month",
    seed: int | np.random.Generator = 1,
    truth: StocksTruth | None = None,
    first: int = 2005,
) -> Stocks:
    """Simulated returns of firms with the scores that came out on 15 October of every year.

    frequency: "month" or "day" (news is seen by the day only); truth: the set amounts; first: year.

    >>> stocks(20, 3, seed=2)
    Stocks, SIMULATED, 2005-01-31 to 2007-12-31: 20 assets, 36 periods
    """
    set_to = StocksTruth() if truth is None else truth
    _check(firms, years, frequency, set_to)
    rng, dates = generator(seed), _dates(first, years, frequency)
    a_year = FREQUENCIES[frequency][0]
    factors = _factors(rng, len(dates), a_year)
    loads = np.column_stack([rng.uniform(0.7, 1.3, firms), 0.3 * rng.standard_normal((firms, 2))])
    chance = set_to.noise / np.sqrt(a_year) * rng.standard_normal((len(dates), firms))
    values = RISKLESS / a_year + factors @ loads.T + chance
    lasting = set_to.between * rng.standard_normal(firms)
    surprise = np.sqrt(1 - set_to.persistence**2) * rng.standard_normal((years, firms))
    passing = np.empty((years, firms))
    for year in range(years):
        before = set_to.persistence * passing[year - 1] if year else 0.0
        passing[year] = before + (surprise[year] if year else rng.standard_normal(firms))
    points = lasting + set_to.within * passing
    score = np.empty((years, firms))
    year_of = dates.year.to_numpy() - first
    day = np.searchsorted(dates, [f"{first + year}-{RELEASE}" for year in range(years)])
    for year in range(years):
        last = day[year]  # the first period that ends on the day of release, or after it
        if frequency == "day":
            values[last] += set_to.news * set_to.within * surprise[year]
        own = values[(year_of == year) & (np.arange(len(dates)) < last)]
        grown = np.log1p(own).sum(axis=0)
        score[year] = MIDDLE + points[year] + set_to.halo * (grown - grown.mean())
        after = slice(last + 1, last + 1 + a_year)
        values[after] += set_to.alpha * 12.0 / a_year * points[year]
    made = _tables(values, (score, set_to.within * surprise), dates, factors, a_year, first)
    return Stocks(*made, set_to)


def _check(firms: int, years: int, frequency: str, truth: Any) -> None:
    for name, count, least in (("firms", firms, 5), ("years", years, 2)):
        if not isinstance(count, int) or count < least:
            raise OptionError(f"{name} {count!r} is not a whole number of {least} or more")
    if frequency not in FREQUENCIES:
        raise OptionError(f"frequency {frequency!r} is not one of {', '.join(FREQUENCIES)}")
    if not isinstance(truth, StocksTruth):
        raise OptionError(f"truth is a StocksTruth, as in StocksTruth(alpha=0.001), got {truth!r}")


def _dates(first: int, years: int, frequency: str) -> Any:
    import pandas as pd

    return pd.date_range(f"{first}-01-01", f"{first + years - 1}-12-31",
                         freq=FREQUENCIES[frequency][1])  # fmt: skip


def _factors(rng: np.random.Generator, periods: int, a_year: int) -> Floats:
    """(t, 3) returns of the market, size and value, in excess."""
    mean, spread = np.array(MARKET).T
    return np.asarray(mean / a_year + spread / np.sqrt(a_year) * rng.standard_normal((periods, 3)))


def _tables(
    values: Floats, scores: tuple[Floats, Floats], dates: Any, factors: Floats, a_year: int,
    first: int,
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":  # fmt: skip
    import pandas as pd

    (t, n), years = values.shape, scores[0].shape[0]
    names = np.array([f"F{place:04d}" for place in range(n)])
    every = np.maximum(values, -0.95).T.ravel()
    returns = pd.DataFrame({"asset": np.repeat(names, t), "date": np.tile(dates, n),
                            "return": every, "simulated": True})  # fmt: skip
    released = pd.to_datetime([f"{first + year}-{RELEASE}" for year in range(years)])
    told = pd.DataFrame({"asset": np.tile(names, years), "score": scores[0].ravel().round(1),
                         "surprise": scores[1].ravel(), "released": np.repeat(released, n),
                         "simulated": True})  # fmt: skip
    frame = pd.DataFrame(factors, index=dates, columns=["Mkt-RF", "SMB", "HML"])
    return returns, told, frame.assign(RF=RISKLESS / a_year)
