"""Value relevance: what a point of satisfaction goes with in a firm's value, rung by rung.

Every rung of the ladder compares other firms, or other years, on the same locked rows. What shrinks
from one rung to the next is what the comparison before it took for satisfaction: industry, size,
the quality of a firm.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.errors import FitError
from cxmodels.regression.panel import panel_fit
from cxmodels.results.estimate import POWER, check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_outcomes import locked, names_of
from cxmodels.shareholders.rungs import GMM, LOG, SLOPES, Asked, Rung, rungs
from cxmodels.shareholders.score_error import error_of, turned

if TYPE_CHECKING:
    from cxmodels.regression.conventions import Errors

WITHIN = "firm and year"


@dataclass(frozen=True, eq=False, repr=False)
class ValueRelevance(Faced):
    """The ladder.

    table: rung, naive (log of the outcome a point, or its own unit) with naive_error, reliability
    (of what the rung compares of the score), corrected, std_error, lower, upper, p_value of the
    best there is, per_cent (a point), per_within_sd (log, a firm's own standard deviation),
    elasticity (per cent an outcome, a per cent of the score at its mean), money (a point, at the
    median firm), power (smallest effect found with 80 per cent), rows, firms, estimand. placebo:
    the next score beside this one. verdict: a sentence. unit: of the effects.
    """

    table: pd.DataFrame
    placebo: pd.DataFrame
    verdict: str
    outcome: str
    unit: str
    error: float
    level: float
    convention: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The ladder, naive and corrected."""
        names = ["rung", "naive", "reliability", "corrected", "lower", "upper", "per_cent", "rows"]
        if self.unit != LOG:
            names.remove("per_cent")
        unit = "logs" if self.unit == LOG else self.unit
        head = f"{self.outcome} on the score, {unit} a point; interval {self.level:.0%}"
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
    equity, after Ohlson 1995), "cash flow growth" (log, to the next period), "cash flow
    variability" (log standard deviation of cash flow over assets, this period and the four after),
    "systematic risk" (beta), "idiosyncratic risk" (log) or "cost of equity" (per cent a year), the
    last three of `firm_returns`; controls: columns of the panel, in logs where the user put them;
    error: standard deviation of one score's error, points; read from the panel if None; errors: as
    in `panel_fit`, Stata's convention; level: width of intervals. Rows lacking a column are left
    out on every rung, and so are firms with one row.
    Errors: OptionError for an outcome that is none, FitError where too little is left.
    """
    inside = check_level(level)
    check_panel(panel)
    given = locked(panel, outcome, definition, names_of(controls))
    s2, said = error_of(panel, error)
    own = Asked(given.held, ["score", *given.columns], s2, inside, errors, given.overlapping,
                given.unit, given.worth)  # fmt: skip
    found: dict[str, Rung] = {}
    refused = []
    for name, rung in rungs(own):
        if isinstance(rung, Rung):
            found[name] = rung
        else:
            refused.append(f"{name}: {rung}.")
    if not found:
        raise FitError("no rung can be told: " + " ".join(refused))
    table = pd.DataFrame([rung.row for rung in found.values()])
    placebo, why_none = _placebo(own)
    remarks = [rung.said for rung in found.values() if rung.said]
    return ValueRelevance(
        table=table,
        placebo=placebo,
        verdict=_verdict(table, placebo, outcome, own.unit, why_none),
        outcome=outcome,
        unit=own.unit,
        error=float(np.sqrt(s2[0])),
        level=inside,
        convention=_convention(found),
        notes=(*given.notes, said, *remarks, *refused, *panel.notes),
    )


def _convention(found: dict[str, Rung]) -> str:
    """Whose errors each rung has: what most have first, then those of the others by name."""
    plain = [name for name in found if name not in ("between", SLOPES, GMM)]
    first = found[plain[0]].convention if plain else ""
    told = [f"Errors {first}"] if plain else []
    told += [f"{name}: {rung.convention}" for name, rung in found.items()
             if name not in plain and rung.convention != first]  # fmt: skip
    return "; ".join(told).rstrip(".") + "."


def _placebo(asked: Asked) -> tuple[pd.DataFrame, str]:
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


def _verdict(
    table: pd.DataFrame, placebo: pd.DataFrame, outcome: str, unit: str, why_none: str
) -> str:
    rung = WITHIN if (table["rung"] == WITHIN).any() else table["rung"].iloc[-1]
    row, pooled = (table[table["rung"] == name].iloc[0] for name in (rung, table["rung"].iloc[0]))
    told = (
        f"{_where(rung)} a point goes with {_said(row, unit)} of {outcome} ({_ends(row, unit)})"
        + (f"; pooled, with {_said(pooled, unit)}." if pooled["rung"] == "pooled" else ".")
    )
    if rung != WITHIN:
        return f"{told} Association only: nothing can be told within firms."
    if row["lower"] <= 0.0 <= row["upper"]:
        least = (
            f"{100 * row['power']:.1f} per cent" if unit == LOG else f"{row['power']:.3g} {unit}"
        )
        told += (
            f" No effect within firms can be told from none; one of {least} would have been found "
            "four times in five."
        )
    if placebo.empty:
        return f"{told} Association only: no placebo can be told, {why_none}."
    lead = placebo.iloc[1]
    if lead["p_value"] < 0.05:
        return (
            f"{told} Association only: the next score goes with this year's {outcome} "
            f"(p {lead['p_value']:.2g}), which it cannot have moved."
        )
    told += f" The next score says nothing of this year's {outcome} (p {lead['p_value']:.2g})"
    best = float(row["naive"] if pd.isna(row["corrected"]) else row["corrected"])
    if POWER * float(lead["std_error"]) > abs(best):
        return (
            f"{told}, but it would have to say more than the score itself does to be heard: "
            "association only."
        )
    if row["lower"] <= 0.0 <= row["upper"]:
        return f"{told}."
    return (
        f"{told}: an association that may be read as an effect only if nothing that moves both "
        "within a year is left out, which no placebo sees."
    )


def _where(rung: str) -> str:
    """What a rung compares, for the start of a sentence."""
    return "Within firms" if rung == WITHIN else f"On the rung {rung!r}"


def _said(row: "pd.Series[float]", unit: str) -> str:
    """The best estimate of a rung with its unit."""
    if unit == LOG:
        return f"{row['per_cent']:+.1f} per cent"
    best = row["naive"] if pd.isna(row["corrected"]) else row["corrected"]
    return f"{best:+.3g} {unit}"


def _ends(row: "pd.Series[float]", unit: str) -> str:
    if unit == LOG:
        return f"{100 * np.expm1(row['lower']):+.1f} to {100 * np.expm1(row['upper']):+.1f}"
    return f"{row['lower']:+.3g} to {row['upper']:+.3g}"
