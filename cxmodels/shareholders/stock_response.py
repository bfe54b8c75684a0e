"""The stock response model: what did the market make of a score that it had not foreseen?

    r_it = b (score_it - E score_it) + c (earnings_it - E earnings_it) + f_i + d_t + e_it,

with r the abnormal return over the year that holds the release, and E what past scores (earnings)
and effects of firms and years foresee (Mizik and Jacobson 2004, Journal of Marketing 68). Past
values stand beside the present ones, so that b is that of what was not foreseen by *them* (Frisch,
Waugh, Lovell): no forecast is estimated first, and none has an error of its own that is forgotten.
In total a point goes with b + c g, g being what a point of news goes with in earnings news; that
equals the coefficient of the score with earnings left out, on the same rows.

The market reads the score that is released, which is what it is: its news has no error. `per point
of satisfaction` is another question, and has another answer: if the market knows satisfaction by
itself, of which the score is a noisy reading, the effect is that of a noisy regressor, corrected.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.panel import PanelFit, panel_fit
from cxmodels.regression.panel_grid import panel_of
from cxmodels.results.estimate import POWER, check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_outcomes import names_of
from cxmodels.shareholders.score_error import error_of, turned

FEWEST = 10  # firms
MOST_SPREAD = 2.0  # of yearly returns: larger ones are per cent taken for shares
DIRECT, THROUGH, TOTAL, LATER = "direct", "through earnings", "total", "in the year after"


@dataclass(frozen=True, eq=False, repr=False)
class StockResponse(Faced):
    """The response of returns to news.

    table: part (direct, through earnings, total, in the year after), naive (the change of a score
    taken for news), estimate (percentage points of return a point of the score that was not
    foreseen) with std_error, lower, upper, p_value, power (smallest found four times in five),
    of_satisfaction (a point of satisfaction, should the market see that) with its error, rows,
    firms. foreseen: coefficient of each past value over that of the news, -1 times what the market
    seems to have expected. verdict: a sentence.
    """

    table: pd.DataFrame
    foreseen: pd.DataFrame
    verdict: str
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The parts of the response."""
        names = ["part", "naive", "estimate", "lower", "upper", "power", "of_satisfaction",
                 "of_satisfaction_error", "rows"]  # fmt: skip
        head = (
            f"Abnormal return, percentage points, a point of score that was not foreseen; interval "
            f"{self.level:.0%}"
        )
        return Face(head, self.table[names], (self.verdict, *self.notes))


@dataclass(frozen=True, eq=False)
class _Part:
    """A coefficient with the influence (firms,) of each firm on it, and its like for satisfaction
    (None where nothing corrects it)."""

    value: float
    influence: Floats
    of_satisfaction: tuple[float, Floats, float] | None

    def plus(self, other: "_Part", times: float) -> "_Part":
        """This and another coefficient `times` over."""
        ours, theirs = self.of_satisfaction, other.of_satisfaction
        both = None
        if ours is not None and theirs is not None:
            both = (ours[0] + times * theirs[0], ours[1] + times * theirs[1],
                    ours[2] + times * theirs[2])  # fmt: skip
        return _Part(
            self.value + times * other.value, self.influence + times * other.influence, both
        )


def stock_response(
    panel: FirmPanel,
    *,
    abnormal: str = "abnormal_return",
    earnings: str = "earnings",
    past: int = 1,
    controls: Iterable[str] = (),
    error: float | None = None,
    level: float = 0.9,
) -> StockResponse:
    """What returns make of scores and earnings that were not foreseen. Estimand: news value.

    abnormal: a column of the panel, the return over the year that holds the release less what was
    to be expected, as a share (see `firm_returns`); earnings: a column of money, told over total
    assets of the year before; past: how many past scores and earnings foresee the present ones;
    controls: further columns; error: standard deviation of a score's error in points, read from the
    panel if None; level: of intervals, whose errors are clustered by firm.
    Errors: OptionError for columns that are not there, FitError where too little is left.

    >>> from cxmodels.data.firms import firm_panel
    >>> from cxmodels.data.simulate.market import market
    >>> panel = firm_panel(market(60, 8, seed=2), controls=["abnormal_return"])
    >>> found = stock_response(panel)
    >>> found.table["part"].tolist()[:3]
    ['direct', 'through earnings', 'total']
    """
    inside, names = check_level(level), names_of(controls)
    check_panel(panel)
    wrong = [name for name in names if name in (abnormal, earnings)]
    if wrong:
        raise OptionError(f"{wrong[0]!r} is in the model already: it is no control")
    if not (isinstance(past, int) and 1 <= past <= 4):
        raise OptionError(f"past {past!r} is not 1 to 4: how many past scores foresee the present")
    held = _rows(panel, (abnormal, earnings), past, names)
    s2, said = error_of(panel, error)
    told = _Regressed(held, past, names, s2)
    total, direct = told.part("y", profits=False), told.part("y")
    parts = {DIRECT: direct, THROUGH: total.plus(direct, -1.0), TOTAL: total}
    naive = {DIRECT: told.of_change("y"), TOTAL: told.of_change("y", profits=False)}
    naive[THROUGH] = naive[TOTAL] - naive[DIRECT]
    refused = []
    try:
        parts[LATER] = told.later()
    except FitError as problem:
        refused.append(f"{LATER}: {problem}.")
    rows = [_row(name, part, naive.get(name), told, inside) for name, part in parts.items()]
    table = pd.DataFrame(rows)
    return StockResponse(
        table, told.foreseen(), _verdict(table), inside,
        (*_notes(held, len(panel.table), past), said, *refused, *panel.notes),
    )  # fmt: skip


def _rows(
    panel: FirmPanel, columns: tuple[str, str], past: int, controls: list[str]
) -> pd.DataFrame:
    """Rows with a return, present and past scores and earnings (over assets of the year before)."""
    t, (abnormal, earnings) = panel.table, columns
    missing = [n for n in (abnormal, earnings, "total_assets", *controls) if n not in t]
    if missing:
        raise OptionError(
            f"the panel has no column {missing[0]!r}: give it to firm_panel with controls=, and "
            "make abnormal returns with firm_returns"
        )
    if not pd.api.types.is_numeric_dtype(t[abnormal]):
        raise OptionError(f"{abnormal!r} holds no numbers: abnormal returns are shares")
    if float(t[abnormal].std()) > MOST_SPREAD:
        raise OptionError(
            f"{abnormal!r} has a standard deviation of {t[abnormal].std():.3g}: returns are shares "
            "(.05 is five per cent): divide per cent by 100"
        )
    grid = panel_of(t, "firm", "period", dict.fromkeys(
        ["score", "total_assets", earnings, abnormal, *controls]))  # fmt: skip
    assets = grid.lagged("total_assets", 1)
    made: dict[str, Any] = {"firm": grid.unit, "period": grid.period, "y": grid.columns[abnormal]}
    for lag in range(past + 1):
        made[f"score_{lag}"] = grid.lagged("score", lag)
        made[f"profit_{lag}"] = grid.lagged(earnings, lag) / assets
    made["change"] = made["score_0"] - made["score_1"]
    made["profit_change"] = made["profit_0"] - made["profit_1"]
    made["y_after"] = np.full(grid.unit.size, np.nan)
    before = grid.before(1)
    made["y_after"][before[before >= 0]] = made["y"][before >= 0]
    frame = pd.DataFrame(made | {name: grid.columns[name] for name in controls})
    needed = [name for name in frame.columns if name != "y_after"]
    frame = frame[np.isfinite(frame[needed].to_numpy(dtype=np.float64)).all(axis=1)]
    frame = frame[frame.groupby("firm")["y"].transform("size") > 1].reset_index(drop=True)
    if frame["firm"].nunique() < FEWEST:
        raise FitError(
            f"{frame['firm'].nunique()} firms have two years with a return, and score and earnings "
            f"of that year and the {past} before: {FEWEST} are the least"
        )
    return pd.DataFrame(frame)


@dataclass(frozen=True, eq=False)
class _Regressed:
    """The regressions of one call on its locked rows."""

    held: pd.DataFrame
    past: int
    controls: list[str]
    s2: tuple[float, float]

    def fit(self, outcome: str, columns: list[str], held: pd.DataFrame | None = None) -> PanelFit:
        """With effects of firms and years."""
        return panel_fit(
            self.held if held is None else held, outcome, [*columns, *self.controls], unit="firm",
            period="period", estimator="two-way",
        )  # fmt: skip

    def columns(self, *, profits: bool) -> list[str]:
        """Present and past scores, then earnings."""
        lags = range(self.past + 1)
        own = [f"score_{lag}" for lag in lags]
        return [*own, *(f"profit_{lag}" for lag in lags)] if profits else own

    def part(
        self, outcome: str, held: pd.DataFrame | None = None, *, profits: bool = True
    ) -> _Part:
        """The coefficient of the present score beside past ones, with earnings or without."""
        rows = self.held if held is None else held
        fit = self.fit(outcome, self.columns(profits=profits), rows)
        X, q = fit.linear.X, self.past + 1
        firm = np.unique(rows["firm"])[fit.linear.unit]
        scores = np.zeros((int(self.held["firm"].max()) + 1, X.shape[1]))
        np.add.at(scores, firm, X * fit.linear.e[:, None])
        influence = scores @ np.linalg.inv(X.T @ X)
        b = fit.linear.coefficients
        best = self._corrected(fit, b, influence, q)
        return _Part(float(b[0]), influence[:, 0], best)

    def later(self) -> _Part:
        """The return of the year after on this year's news, half-panel jackknifed (Dhaene and
        Jochmans 2015, Review of Economic Studies 82): later scores hold the news that moves it,
        and effects of firms tie them to present ones."""
        held = self.held[self.held["y_after"].notna()]
        middle = held.groupby("firm")["period"].transform("median")
        whole = self.part("y_after", held)
        for half in (held["period"] <= middle, held["period"] > middle):
            whole = whole.plus(self.part("y_after", held[half]), -0.25)
        return whole.plus(whole, 1.0)

    def _corrected(
        self, fit: PanelFit, b: Floats, influence: Floats, q: int
    ) -> tuple[float, Floats, float] | None:
        """The first coefficient freed of the error of scores: value, influence, slope in s2."""
        X, others = fit.linear.X[:, :q], fit.linear.X[:, q:]
        if others.shape[1]:
            X = X - others @ np.linalg.lstsq(others, X, rcond=None)[0]
        free = len(X) - fit.linear.absorbed - others.shape[1]
        noise = self._noise(fit, free, q)
        try:
            turn = turned(X.T @ X, noise, self.s2[0])
            slope = (turned(X.T @ X, noise, self.s2[0] + 1e-4) - turn)[0] @ b[:q] / 1e-4
        except FitError:
            return None
        return float(turn[0] @ b[:q]), influence[:, :q] @ turn[0], float(slope)

    def _noise(self, fit: PanelFit, free: int, q: int) -> Floats:
        """(q, q) cross products of errors of variance 1 of present and past scores, less their
        means by firm: years that two scores share are errors in common."""
        C = np.eye(q) * free
        unit, period = fit.linear.unit, fit.linear.period
        size, wide = np.bincount(unit), int(period.max()) + 1
        row = unit * wide + period
        for gap in range(1, q):
            inside = np.isin(row - gap, row) & (period - gap >= period.min())
            shared = float((1.0 / size[unit[inside]]).sum())
            for lag in range(q - gap):
                C[lag, lag + gap] = C[lag + gap, lag] = -shared
        return C

    def of_change(self, outcome: str, *, profits: bool = True) -> float:
        """The naive coefficient: of the change of a score, as if the last one were foreseen."""
        names = ["change", "profit_change"] if profits else ["change"]
        return float(self.fit(outcome, names).table["estimate"].iloc[0])

    def foreseen(self) -> pd.DataFrame:
        """What past values should count for, by how score and earnings follow them."""
        rows = []
        for name in ("score", "profit"):
            lags = [f"{name}_{lag}" for lag in range(1, self.past + 1)]
            fit = self.fit(f"{name}_0", lags)
            for lag, row in enumerate(fit.table.head(self.past).to_dict("records"), start=1):
                told = {"of": "score" if name == "score" else "earnings", "lag": lag}
                rows.append(told | {"persistence": row["estimate"], "std_error": row["std_error"]})
        return pd.DataFrame(rows)


def _row(
    name: str, part: _Part, naive: float | None, told: _Regressed, level: float
) -> dict[str, Any]:
    G = told.held["firm"].nunique()
    factor, t = G / (G - 1.0), float(scipy.special.stdtrit(G - 1.0, (1.0 + level) / 2.0))
    value, error = (
        100.0 * part.value,
        100.0 * float(np.sqrt(factor) * np.linalg.norm(part.influence)),
    )
    best: dict[str, float | None] = {"of_satisfaction": None, "of_satisfaction_error": None}
    if part.of_satisfaction is not None and told.s2[0] > 0.0:
        true, influence, slope = part.of_satisfaction
        spread = np.sqrt(factor * influence @ influence + (slope * told.s2[1]) ** 2)
        best = {"of_satisfaction": 100.0 * true, "of_satisfaction_error": 100.0 * float(spread)}
    rows = int(told.held["y_after"].notna().sum()) if name == LATER else len(told.held)
    return {
        "part": name,
        "naive": None if naive is None else 100.0 * naive,
        "estimate": value,
        "std_error": error,
        "lower": value - t * error,
        "upper": value + t * error,
        "p_value": 2.0 * float(scipy.special.stdtr(G - 1.0, -abs(value) / error)),
        "power": POWER * error,
        **best,
        "rows": rows,
        "firms": int(told.held["firm"].nunique()),
    }


def _verdict(table: pd.DataFrame) -> str:
    own = table.set_index("part").to_dict("index")
    total, through = own[TOTAL], own[THROUGH]
    told = (
        f"A point that was not foreseen goes with {total['estimate']:+.2f} percentage points of "
        f"return in its year ({total['lower']:+.2f} to {total['upper']:+.2f}), "
        f"{through['estimate']:+.2f} of them through earnings."
    )
    if total["lower"] <= 0.0 <= total["upper"]:
        told += (
            f" That cannot be told from none; {total['power']:.2f} would have been found four "
            "times in five."
        )
    if LATER not in own:
        return told
    later = own[LATER]
    if later["lower"] > 0.0 or later["upper"] < 0.0:
        return (
            f"{told} In the year after, the same point goes with {later['estimate']:+.2f} more (p "
            f"{later['p_value']:.2g}): the market was slow, or risk was not paid for."
        )
    return (
        f"{told} The year after does not follow it (p {later['p_value']:.2g}; "
        f"{later['power']:.2f} would have been found)."
    )


def _notes(held: pd.DataFrame, rows: int, past: int) -> list[str]:
    return [
        "News value, an association: the return a point that was not foreseen, in the year of its "
        "release; no value of being satisfied, which is in the price already.",
        f"Foreseen by {past} past score{'' if past == 1 else 's'} and earnings, effects of firms "
        f"and years; locked on {len(held):,} of {rows:,} rows; errors clustered by "
        f"{held['firm'].nunique():,} firms, factor G / (G - 1).",
        "of_satisfaction: should the market see satisfaction itself, of which a score is a noisy "
        "reading.",
    ]
