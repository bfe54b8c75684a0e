"""Value relevance: what a point of satisfaction goes with in a firm's value, rung by rung.

Every rung of the ladder compares other firms, or other years, on the same locked rows. What shrinks
from one rung to the next is what the comparison before it took for satisfaction: industry, size,
the quality of a firm. A score is read with error, which hurts most where little of it is left to
compare: each effect stands beside the one corrected for it,

    corrected = naive / lambda,  lambda = 1 - s2 A / B,

B the sum of squares of the score that a rung compares, A that of an error of variance 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.firms import FirmPanel, tobins_q
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.panel import PanelFit, panel_fit
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.factor_model import POWER
from cxmodels.shareholders.score_error import LEAST, error_of, turned

if TYPE_CHECKING:
    from cxmodels.regression.conventions import Errors

OUTCOMES = ("q", "market value", "cash flow growth")
LONG = 3  # years of a long difference
COLUMNS = (
    "rung", "naive", "naive_error", "reliability", "corrected", "std_error", "lower", "upper",
    "p_value", "per_cent", "per_within_sd", "elasticity", "money", "power", "rows", "firms",
    "estimand",
)  # fmt: skip
ESTIMAND = {
    "pooled": "firms and years with higher scores against all others",
    "year": "firms with higher scores against others of the year",
    "industry and year": "firms with higher scores against others of their industry and year",
    "between": "firms whose scores are higher on average against other firms",
    "firm and year": "years in which a firm's score is above its own average",
    "first difference": "firms whose score rose against others in the year",
    "long difference": f"the same over {LONG} years",
}


@dataclass(frozen=True, eq=False, repr=False)
class ValueRelevance(Faced):
    """The ladder.

    table: rung, naive (log of the outcome a point) with naive_error, reliability (of what the rung
    compares of the score), corrected, std_error, lower, upper, p_value of the best there is,
    per_cent (a point), per_within_sd (log, a firm's own standard deviation), elasticity (per cent
    an outcome, a per cent of the score at its mean), money (a point, at the median firm), power
    (smallest log effect found with 80 per cent), rows, firms, estimand. placebo: the next score
    beside this one. verdict: a sentence.
    """

    table: pd.DataFrame
    placebo: pd.DataFrame
    verdict: str
    outcome: str
    error: float
    level: float
    convention: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The ladder, naive and corrected."""
        names = ["rung", "naive", "reliability", "corrected", "lower", "upper", "per_cent", "rows"]
        head = f"{self.outcome} on the score, logs a point; interval {self.level:.0%}"
        return Face(head, self.table[names], (self.verdict, self.convention, *self.notes))


def value_relevance(
    panel: FirmPanel,
    *,
    outcome: str = "q",
    definition: str = "assets",
    controls: Iterable[str] = (),
    error: float | None = None,
    errors: "str | Errors" = "unit",
    level: float = 0.9,
) -> ValueRelevance:
    """The ladder of a firm panel: association of the score with a firm's value, on locked rows.

    outcome: "q" (log of Tobin's q by `definition`), "market value" (its log, given the log of book
    equity, after Ohlson 1995), "cash flow growth" (log, to the next period); controls: columns of
    the panel, in logs where the user put them; error: standard deviation of one score's error,
    points; read from the panel if None; errors: as in `panel_fit`, Stata's convention; level: width
    of intervals. Rows lacking a column are left out on every rung, and so are firms with one row.
    Errors: OptionError for an outcome that is none, FitError where too little is left.
    """
    inside, names = check_level(level), list(controls)
    held, given, notes = _locked(panel, outcome, definition, names)
    s2, said = error_of(panel, error)
    own = _Asked(held, ["score", *given], s2, inside, errors, _worth(panel, outcome))
    rows, refused, convention = [], [], ""
    for rung, how in _rungs("industry" in held).items():
        try:
            row, said_of = _rung(own, rung, how)
            rows.append(row)
            convention = convention or said_of
        except FitError as problem:
            refused.append(f"{rung}: {problem}.")
    if not rows:
        raise FitError("no rung can be told: " + " ".join(refused))
    table, (placebo, why_none) = pd.DataFrame(rows)[list(COLUMNS)], _placebo(own)
    return ValueRelevance(
        table=table,
        placebo=placebo,
        verdict=_verdict(table, placebo, outcome, why_none),
        outcome=outcome,
        error=float(np.sqrt(s2[0])),
        level=inside,
        convention=f"Errors {convention}.",
        notes=(*notes, said, *refused, *panel.notes),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """Locked rows, columns, variance of the score's error with its error, level, whose errors, and
    money of a log of the outcome at the median firm (None: none)."""

    held: pd.DataFrame
    columns: list[str]
    s2: tuple[float, float]
    level: float
    errors: "str | Errors"
    worth: float | None


def _locked(
    panel: FirmPanel, outcome: str, definition: str, controls: list[str]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The rows that every rung uses, the columns beside the score, and what was left out."""
    if outcome not in OUTCOMES:
        raise OptionError(f"outcome {outcome!r} is not one of {', '.join(OUTCOMES)}")
    missing = [name for name in controls if name not in panel.table]
    if missing:
        raise OptionError(f"control {missing[0]!r} is no column of the panel")
    t = panel.table
    y, given = _outcome(panel, outcome, definition)
    held = t[["firm", "period", "score", *controls]].assign(y=y, **given)
    if "industry" in t:
        held["industry"] = t["industry"]
    numbers = held[["score", "y", *controls, *given]].apply(pd.to_numeric, errors="coerce")
    known = np.isfinite(numbers.to_numpy(dtype=np.float64)).all(axis=1)
    if "industry" in held:
        known &= held["industry"].notna().to_numpy()
    held = held[known]
    held = held[held.groupby("firm")["y"].transform("size") > 1]
    if held.empty:
        raise FitError("no firm has two rows with all columns known")
    lost = len(t) - len(held)
    said = [f"Locked on {len(held):,} rows of {held['firm'].nunique():,} firms; {lost:,} rows lack "
            "a column or are a firm's only one."]  # fmt: skip
    return held.reset_index(drop=True), [*controls, *given], said


def _outcome(panel: FirmPanel, outcome: str, definition: str) -> tuple[Floats, dict[str, Floats]]:
    """The outcome (n,), and columns that belong beside it."""
    t = panel.table
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN: left out and counted
        if outcome == "q":
            return np.log(np.where((q := tobins_q(panel, definition)) > 0, q, np.nan)), {}
        if outcome == "market value":
            if "book_equity" not in t or "market_value" not in t:
                raise OptionError("'market value' needs market_value and book_equity in the panel")
            book = t["book_equity"].to_numpy()
            return np.log(t["market_value"].to_numpy()), {
                "log_book_equity": np.log(np.where(book > 0, book, np.nan))
            }
        if "cash_flow" not in t:
            raise OptionError("'cash flow growth' needs cash_flow in the panel")
        flow = np.log(t["cash_flow"].where(t["cash_flow"] > 0))
        following = flow.shift(-1).where(
            (t["firm"] == t["firm"].shift(-1)) & (t["period"].shift(-1) == t["period"] + 1)
        )
        return (following - flow).to_numpy(), {}


def _worth(panel: FirmPanel, outcome: str) -> float | None:
    """Money of one log of the outcome at the panel's median row: market value and, of q, debt."""
    t = panel.table
    if outcome == "cash flow growth" or "market_value" not in t:
        return None
    value = t["market_value"]
    if outcome == "q" and {"total_assets", "book_equity"} <= {*t.columns}:
        value = value + t["total_assets"] - t["book_equity"]
    return float(value.median())


def _rungs(industry: bool) -> dict[str, dict[str, Any]]:
    """Estimators by rung, from the loosest comparison to the tightest."""
    rungs: dict[str, dict[str, Any]] = {
        "pooled": {"estimator": "pooled"},
        "year": {"estimator": "period"},
        "between": {"estimator": "between"},
        "industry and year": {"estimator": "pooled", "effects": [("industry", "period")]},
        "firm and year": {"estimator": "two-way"},
        "first difference": {"estimator": "difference", "effects": ["period"]},
        "long difference": {"estimator": "difference", "effects": ["period"], "span": LONG},
    }
    if not industry:
        del rungs["industry and year"]
    return rungs


def _rung(asked: _Asked, rung: str, how: dict[str, Any]) -> tuple[dict[str, Any], str]:
    errors = "hc1" if rung == "between" else asked.errors
    fit = panel_fit(
        asked.held, "y", asked.columns, unit="firm", period="period", errors=errors,
        level=asked.level, **how,
    )  # fmt: skip
    naive, spread = (float(fit.table[name].iloc[0]) for name in ("estimate", "std_error"))
    value, error, reliability = naive, spread, None
    if asked.s2[0] > 0.0:
        reliability, by = _reliability(asked, fit, how)
        if reliability < LEAST:
            raise FitError(
                f"what it compares of the score is nearly all error (reliability {reliability:.2f})"
            )
        value = naive / reliability
        error = float(np.hypot(spread / reliability, naive * by / reliability**2))
    return _told(asked, fit, (value, error)) | {
        "rung": rung,
        "naive": naive,
        "naive_error": spread,
        "reliability": reliability,
        "corrected": None if reliability is None else value,
        "estimand": f"association: {ESTIMAND[rung]}",
    }, fit.convention


def _told(asked: _Asked, fit: PanelFit, best: tuple[float, float]) -> dict[str, Any]:
    """The best estimate of a rung in every unit."""
    (value, error), score = best, asked.held["score"]
    half = float(scipy.special.stdtrit(fit.degrees, (1.0 + asked.level) / 2.0)) * error
    own_sd = float(np.sqrt((score - score.groupby(asked.held["firm"]).transform("mean")).var()))
    return {
        "std_error": error,
        "lower": value - half,
        "upper": value + half,
        "p_value": float(2.0 * scipy.special.stdtr(fit.degrees, -abs(value) / error)),
        "per_cent": 100.0 * float(np.expm1(value)),
        "per_within_sd": value * own_sd,
        "elasticity": value * float(score.mean()),
        "money": None if asked.worth is None else asked.worth * float(np.expm1(value)),
        "power": POWER * error,
        "rows": fit.rows,
        "firms": fit.units,
    }


def _reliability(asked: _Asked, fit: PanelFit, how: dict[str, Any]) -> tuple[float, float]:
    """lambda of a rung, and its error from that of s2."""
    x, others = fit.linear.X[:, 0], fit.linear.X[:, 1:]
    left = x - others @ np.linalg.lstsq(others, x, rcond=None)[0] if others.shape[1] else x
    free = len(x) - fit.linear.absorbed - others.shape[1]
    each = 1.0
    if how["estimator"] == "difference":
        each = 2.0
    elif how["estimator"] == "between":
        each = float((1.0 / asked.held.groupby("firm").size()).mean())
    share = each * free / float(left @ left)
    return 1.0 - asked.s2[0] * share, asked.s2[1] * share


def _placebo(asked: _Asked) -> tuple[pd.DataFrame, str]:
    """The next score beside this one, within firms: what is to come cannot have moved what was.

    Both are read with error, which the demeaning ties together: the two effects solve
    (X'X - s2 C) b = X'X naive, with C the cross product of errors of variance 1.
    """
    held = asked.held
    following = (
        held["score"]
        .shift(-1)
        .where(
            (held["firm"] == held["firm"].shift(-1))
            & (held["period"].shift(-1) == held["period"] + 1)
        )
    )
    table = held.assign(next_score=following)
    try:
        fit = panel_fit(table, "y", ["score", "next_score", *asked.columns[1:]], unit="firm",
                        period="period", estimator="two-way", errors=asked.errors)  # fmt: skip
        names = ["score", "next_score"]
        b, V = fit.table["estimate"].to_numpy()[:2], fit.covariance[:2, :2]
        X, others = fit.linear.X[:, :2], fit.linear.X[:, 2:]
        if others.shape[1]:
            X = X - others @ np.linalg.lstsq(others, X, rcond=None)[0]
        size = np.bincount(np.unique(fit.linear.unit, return_inverse=True)[1])
        cross = float(np.sum((size - 1) / size))
        free = len(X) - fit.linear.absorbed - others.shape[1]
        C = np.array([[free, -cross], [-cross, free]])
        turn = turned(X.T @ X, C, asked.s2[0])
        slope = (turned(X.T @ X, C, asked.s2[0] + 1e-4) - turn) / 1e-4
        value = turn @ b
        covariance = turn @ V @ turn.T + asked.s2[1] ** 2 * np.outer(slope @ b, slope @ b)
    except FitError as error:
        return pd.DataFrame(), str(error)
    spread = np.sqrt(np.diag(covariance))
    p = 2.0 * scipy.special.ndtr(-np.abs(value / spread))
    table = pd.DataFrame({"column": names, "naive": b, "effect": value, "std_error": spread,
                          "p_value": p, "rows": fit.rows, "firms": fit.units})  # fmt: skip
    return table, ""


def _verdict(table: pd.DataFrame, placebo: pd.DataFrame, outcome: str, why_none: str) -> str:
    rung = "firm and year" if (table["rung"] == "firm and year").any() else table["rung"].iloc[-1]
    row = table.set_index("rung").loc[rung]
    pooled = table.iloc[0]
    told = (
        f"Within firms a point goes with {row['per_cent']:+.1f} per cent of {outcome} "
        f"({100 * np.expm1(row['lower']):+.1f} to {100 * np.expm1(row['upper']):+.1f}); pooled, "
        f"with {pooled['per_cent']:+.1f}."
    )
    if row["lower"] <= 0.0 <= row["upper"]:
        told += (
            f" No effect within firms can be told from none; one of {100 * row['power']:.1f} per "
            "cent would have been found four times in five."
        )
    if placebo.empty:
        return f"{told} Association only: no placebo can be told, {why_none}."
    lead = placebo.iloc[1]
    if lead["p_value"] < 0.05:
        return (
            f"{told} Association only: the next score goes with this year's {outcome} "
            f"(p {lead['p_value']:.2g}), which it cannot have moved."
        )
    return (
        f"{told} The next score says nothing of this year's {outcome} (p {lead['p_value']:.2g}): "
        "if nothing that changes within firms is left out, that is the effect of a point."
    )
