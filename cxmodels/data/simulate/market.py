"""Simulated firms whose truth is known: what a point of satisfaction does to value, what hides it.

Every firm has a lasting satisfaction and one that comes and goes; scores are noisy readings of it.
Industries differ in both satisfaction and value; what a firm was worth may colour its score (halo);
firms that fall below a value leave the market. Every table has a column `simulated`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.chance import generator
from cxmodels.data.profiles import Floats
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

INDUSTRIES = ("airlines", "banks", "energy", "food", "hotels", "retail", "software", "telecoms")
MARGIN, EARNINGS, GROWTH = 0.05, 0.02, 0.04  # of assets; a point; log, a year
MIDDLE = 76.0  # points of satisfaction, on a scale of 0 to 100


@dataclass(frozen=True, kw_only=True)
class MarketTruth:
    """The set amounts of a simulated market.

    value: log of q that a point of true satisfaction adds; industry_score, industry_value: standard
    deviation over industries of scores, in points, and what a point of that adds to log q by
    confounding; firm_value: log of q a point of a firm's *lasting* satisfaction goes with, by
    confounding; between, within, persistence: standard deviation over firms and over time, points,
    and correlation from year to year; error: of a score, points; halo: points that one log more of
    q the year before adds to a score, though not to satisfaction; noise: of log q, with
    `noise_persistence`; survival: log of q below which a firm leaves (None: none does).
    """

    value: float = 0.012
    industry_score: float = 3.0
    industry_value: float = 0.06
    firm_value: float = 0.03
    between: float = 3.0
    within: float = 2.0
    persistence: float = 0.6
    error: float = 1.6
    halo: float = 0.0
    noise: float = 0.25
    noise_persistence: float = 0.5
    survival: float | None = None
    news: float = 0.006
    earnings_news: float = 1.5
    slow: float = 0.0

    def __post_init__(self) -> None:
        for name, own in vars(self).items():
            if own is not None and not (isinstance(own, int | float) and np.isfinite(own)):
                raise OptionError(f"{name} {own!r} is not a finite number")
        for name in ("persistence", "noise_persistence"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise OptionError(f"{name} {getattr(self, name)} is not from 0 to below 1")
        for name in ("between", "within", "error", "noise", "industry_score"):
            if not getattr(self, name) >= 0.0:
                raise OptionError(f"{name} {getattr(self, name)} is a spread: 0 or more")


def market(
    firms: int = 200,
    years: int = 12,
    *,
    seed: int | np.random.Generator = 1,
    truth: MarketTruth | None = None,
    first: int = 2010,
) -> "pd.DataFrame":
    """A table of simulated firms by year, in the columns that `firm_panel` reads.

    Returns: firm, period, industry, score (0 to 100), satisfaction (the truth, points), released,
    valued, market_value, book_equity, total_assets, debt, earnings, cash_flow,
    abnormal_return (share, over the year that ends with `valued`), delisted, simulated.

    >>> made = market(20, 4, seed=3)
    >>> len(made), bool(made["simulated"].all())
    (80, True)
    """
    import pandas as pd

    for name, count, least in (("firms", firms, 5), ("years", years, 3)):
        if not isinstance(count, int) or count < least:
            raise OptionError(f"{name} {count!r} is not a whole number of {least} or more")
    if not isinstance(first, int):
        raise OptionError(f"first {first!r} is no year")
    set_to, rng = MarketTruth() if truth is None else truth, generator(seed)
    if not isinstance(set_to, MarketTruth):
        raise OptionError(f"truth is a MarketTruth, as in MarketTruth(value=0.0), got {truth!r}")
    trade = rng.integers(0, len(INDUSTRIES), firms)
    common = set_to.industry_score * rng.standard_normal(len(INDUSTRIES))[trade]
    lasting = set_to.between * rng.standard_normal(firms)
    passing, noise = (_ar(rng, firms, years, spread, keep) for spread, keep in (
        (set_to.within, set_to.persistence), (set_to.noise, set_to.noise_persistence)))  # fmt: skip
    points = common[:, None] + lasting[:, None] + passing
    log_q = 0.4 + set_to.value * points + noise + 0.03 * rng.standard_normal(years)
    log_q += (set_to.industry_value * common + set_to.firm_value * lasting)[:, None]
    before = np.column_stack([log_q[:, :1], log_q[:, :-1]])
    told = MIDDLE + points + set_to.halo * (before - 0.4)
    score = np.clip(told + set_to.error * rng.standard_normal((firms, years)), 0.0, 100.0)
    alive = _alive(log_q, set_to.survival)
    table = _accounts(log_q, points, rng, first)
    table = table.assign(
        firm=np.repeat([f"F{place:04d}" for place in range(firms)], years),
        industry=np.repeat(np.take(INDUSTRIES, trade), years),
        score=np.round(score.ravel(), 1),
        satisfaction=MIDDLE + points.ravel(),
        abnormal_return=_abnormal(table, (points, passing), set_to, rng).ravel(),
        delisted=(alive & ~np.column_stack([alive[:, 1:], np.ones(firms, bool)])).ravel(),
        simulated=True,
    )
    order = ["firm", "period", "industry", "score", "satisfaction"]
    rest = [name for name in table.columns if name not in order]
    return pd.DataFrame(table[alive.ravel()][[*order, *rest]].reset_index(drop=True))


def _abnormal(
    table: "pd.DataFrame", satisfaction: tuple[Floats, Floats], truth: MarketTruth,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """(firms, years) return on what was not foreseen of satisfaction and earnings; the first year
    has none. satisfaction: all of it, and what comes and goes."""
    points, passing = satisfaction
    new = np.full(points.shape, np.nan)
    new[:, 1:] = passing[:, 1:] - truth.persistence * passing[:, :-1]
    earnings, assets = (table[name].to_numpy().reshape(points.shape)
                        for name in ("earnings", "total_assets"))  # fmt: skip
    profit = np.full(points.shape, np.nan)
    expected = MARGIN * np.exp(GROWTH) * (1.0 + EARNINGS * (points - new))
    profit[:, 1:] = earnings[:, 1:] / assets[:, :-1] - expected[:, 1:]
    out = truth.news * (1.0 - truth.slow) * new + truth.earnings_news * profit
    out[:, 2:] += truth.news * truth.slow * new[:, 1:-1]
    return np.asarray(out + 0.15 * rng.standard_normal(points.shape))


def _ar(rng: np.random.Generator, firms: int, years: int, spread: float, keep: float) -> Floats:
    """(firms, years) that come and go, in their stationary spread from the start."""
    out = np.empty((firms, years))
    out[:, 0] = rng.standard_normal(firms)
    for year in range(1, years):
        out[:, year] = keep * out[:, year - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(firms)
    return spread * out


def _alive(log_q: Floats, survival: float | None) -> np.ndarray:
    """(firms, years): until the year, included, in which a firm falls below."""
    if survival is None:
        return np.ones(log_q.shape, dtype=bool)
    below = np.cumsum(log_q < survival, axis=1)
    return np.column_stack([np.ones(len(below), bool), below[:, :-1] == 0])


def _accounts(
    log_q: Floats, points: Floats, rng: np.random.Generator, first: int
) -> "pd.DataFrame":
    """Balance sheets that give q back: (assets + market value - book equity) / assets."""
    import pandas as pd

    firms, years = log_q.shape
    start = rng.normal(8.0, 1.2, (firms, 1))
    growth = np.cumsum(GROWTH + 0.05 * rng.standard_normal((firms, years)), axis=1)
    assets = np.exp(start + growth)
    share = rng.uniform(0.2, 0.45, (firms, 1)) * np.ones((1, years))
    equity = np.minimum(share, 0.9 * np.exp(log_q)) * assets
    worth = (np.exp(log_q) - 1.0) * assets + equity
    worth = np.maximum(worth, 0.02 * assets)
    equity = worth - (np.exp(log_q) - 1.0) * assets
    earnings = (
        MARGIN * assets * (1.0 + EARNINGS * points + 0.3 * rng.standard_normal((firms, years)))
    )
    period = np.tile(first + np.arange(years), firms)
    days = pd.to_datetime(pd.Series(period).astype(str))
    return pd.DataFrame(
        {
            "period": period,
            "released": (days + pd.DateOffset(months=10)).astype("datetime64[s]"),
            "valued": (days + pd.DateOffset(months=11, days=30)).astype("datetime64[s]"),
            "market_value": worth.ravel(),
            "book_equity": equity.ravel(),
            "total_assets": assets.ravel(),
            "debt": (assets - equity).ravel(),
            "earnings": earnings.ravel(),
            "cash_flow": (earnings + 0.03 * assets * rng.uniform(0.8, 1.2, assets.shape)).ravel(),
        }
    )
