"""The rungs of the ladder: estimators from the loosest comparison to the tightest.

A score is read with error, which hurts most where little of it is left to compare: each effect
stands beside the one corrected for it,

    corrected = naive / lambda,  lambda = 1 - s2 A / B,

B the sum of squares of the score that a rung compares, A that of an error of variance 1. System GMM
needs no lambda: scores of two years before and more, whose errors are others, stand for this one's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError
from cxmodels.regression.dynamic_panel import DynamicPanel, dynamic_panel
from cxmodels.regression.panel import PanelFit, panel_fit
from cxmodels.regression.slopes import slopes_by
from cxmodels.results.estimate import POWER, told_p
from cxmodels.shareholders.score_error import LEAST

if TYPE_CHECKING:
    from cxmodels.regression.conventions import Errors

LONG = 3  # years of a long difference
LOG = "log"
SLOPES, GMM = "slopes by industry", "system GMM"
ESTIMAND = {
    "pooled": "firms and years with higher scores against all others",
    "year": "firms with higher scores against others of the year",
    "between": "firms whose scores are higher on average against other firms",
    "industry and year": "firms with higher scores against others of their industry and year",
    "firm and year": "years in which a firm's score is above its own average",
    SLOPES: "the same within each industry, the mean of industries' own slopes (drawn together)",
    "first difference": "firms whose score rose against others in the year",
    "long difference": f"the same over {LONG} years",
    GMM: "this year's score, last year's value and score held fixed; older ones as instruments",
}


@dataclass(frozen=True, eq=False)
class Asked:
    """Locked rows, columns (the score first), variance of the score's error with its error,
    level, whose errors, whether outcomes of years share periods, unit of y, and money of a log
    of the outcome at the median firm (None: none)."""

    held: pd.DataFrame
    columns: list[str]
    s2: tuple[float, float]
    level: float
    errors: "str | Errors"
    overlapping: bool
    unit: str
    worth: float | None


@dataclass(frozen=True)
class Rung:
    """A row of the ladder, whose errors it has, and a remark ("" for none)."""

    row: dict[str, Any]
    convention: str
    said: str = ""


def rungs(asked: Asked, names: Iterable[str] = tuple(ESTIMAND)) -> Iterator[tuple[str, Rung | str]]:
    """Rungs by name, or why one cannot be told."""
    for rung in names:
        if rung in ("industry and year", SLOPES) and "industry" not in asked.held:
            continue
        try:
            yield rung, _rung(asked, rung)
        except FitError as problem:
            yield rung, str(problem)


def _rung(asked: Asked, rung: str) -> Rung:
    if rung == SLOPES:
        return _slopes(asked)
    if rung == GMM:
        return _gmm(asked)
    every: dict[str, dict[str, Any]] = {
        "pooled": {"estimator": "pooled"},
        "year": {"estimator": "period"},
        "between": {"estimator": "between"},
        "industry and year": {"estimator": "pooled", "effects": [("industry", "period")]},
        "firm and year": {"estimator": "two-way"},
        "first difference": {"estimator": "difference", "effects": ["period"]},
        "long difference": {"estimator": "difference", "effects": ["period"], "span": LONG},
    }
    how = every[rung]
    errors = "hc1" if rung == "between" else asked.errors
    fit = panel_fit(
        asked.held, "y", asked.columns, unit="firm", period="period", errors=errors,
        level=asked.level, **how,
    )  # fmt: skip
    naive, spread = (float(fit.table[name].iloc[0]) for name in ("estimate", "std_error"))
    own = _freed(asked, (naive, spread), _reliability(asked, fit, how))
    counts = fit.degrees, fit.rows, fit.units
    return Rung(_row(asked, rung, (naive, spread), own, counts), fit.convention)


def _freed(
    asked: Asked, naive: tuple[float, float], read: tuple[float, float]
) -> tuple[float, float, float | None]:
    """Value and error freed of the error of the score, and the reliability; None without error."""
    if asked.s2[0] <= 0.0:
        return (*naive, None)
    (value, spread), (reliability, by) = naive, read
    if reliability < LEAST:
        raise FitError(
            f"what it compares of the score is nearly all error (reliability {reliability:.2f})"
        )
    error = float(np.hypot(spread / reliability, value * by / reliability**2))
    return value / reliability, error, reliability


def _slopes(asked: Asked) -> Rung:
    """The mean of industries' own slopes within firms and years."""
    found = slopes_by(
        asked.held, "y", "score", by="industry", unit="firm", period="period",
        controls=asked.columns[1:],
    )  # fmt: skip
    naive, spread = (float(found.table[name].iloc[0]) for name in ("estimate", "std_error"))
    fit = panel_fit(asked.held, "y", asked.columns, unit="firm", period="period",
                    estimator="within", effects=[("industry", "period")])  # fmt: skip
    own = _freed(asked, (naive, spread), _reliability(asked, fit, {"estimator": "within"}))
    statistic, df, p = found.homogeneity
    groups = found.own["group"].nunique()
    said = (
        f"{SLOPES}: {groups} industries, all slopes alike: chi2({df}) {statistic:.1f}, "
        f"p {told_p(p)}."
    )
    row = _row(asked, SLOPES, (naive, spread), own, (groups - 1.0, fit.rows, fit.units))
    return Rung(row, "of the mean of slopes, by their spread over industries", said)


def _gmm(asked: Asked) -> Rung:
    """System GMM, collapsed, two steps: the score endogenous, and (naive) taken for exact."""
    if asked.overlapping:
        raise FitError("outcomes of years share periods, so that the past is in the present")
    names = ["score", "L1.score", *asked.columns[1:]]

    def fit(first: int) -> DynamicPanel:
        return dynamic_panel(
            asked.held, "y", names, unit="firm", period="period", kind="system", collapse=True,
            instruments={"y": (2, None), "score": (first, None)}, level=asked.level,
        )  # fmt: skip

    rough = fit(1)
    exact = asked.s2[0] <= 0.0  # nothing says that the score has an error
    found = rough if exact else fit(2)
    naive, best = ((float(own.table["estimate"].iloc[1]), float(own.table["std_error"].iloc[1]))
                   for own in (rough, found))  # fmt: skip
    p = found.tests.set_index("test")["p_value"].dropna().to_dict()
    told = ", ".join(f"{name} p {p[name]:.2g}" for name in ("AR(2)", "Hansen") if name in p)
    if min(p.get("AR(2)", 1.0), p.get("Hansen", 1.0)) < 0.05:
        raise FitError(f"its instruments are rejected ({told})")
    said = (
        f"{GMM}: {found.instruments} instruments (collapsed), {found.units:,} firms; {told}; "
        + ("the score is taken for exact." if exact else
           "instruments free it of the error of the score, and cost most of what can be told.")
    )  # fmt: skip
    row = _row(asked, GMM, naive, (*best, None), (np.inf, found.rows, found.units))
    return Rung(row | {"corrected": None if exact else best[0]}, found.convention, said)


def _row(
    asked: Asked,
    rung: str,
    naive: tuple[float, float],
    best: tuple[float, float, float | None],
    counts: tuple[float, int, int],
) -> dict[str, Any]:
    """A rung in every unit: of logs per cent and money, of levels neither."""
    (value, error, reliability), (degrees, rows, firms) = best, counts
    half = float(scipy.special.stdtrit(degrees, (1.0 + asked.level) / 2.0)) * error
    score, logs = asked.held["score"], asked.unit == LOG
    own_sd = float(np.sqrt((score - score.groupby(asked.held["firm"]).transform("mean")).var()))
    return {
        "rung": rung,
        "naive": naive[0],
        "naive_error": naive[1],
        "reliability": reliability,
        "corrected": None if reliability is None else value,
        "std_error": error,
        "lower": value - half,
        "upper": value + half,
        "p_value": float(2.0 * scipy.special.stdtr(degrees, -abs(value) / error)),
        "per_cent": 100.0 * float(np.expm1(value)) if logs else None,
        "per_within_sd": value * own_sd,
        "elasticity": value * float(score.mean()) if logs else None,
        "money": None if asked.worth is None else asked.worth * float(np.expm1(value)),
        "power": POWER * error,
        "rows": rows,
        "firms": firms,
        "estimand": f"association: {ESTIMAND[rung]}",
    }


def _reliability(asked: Asked, fit: PanelFit, how: dict[str, Any]) -> tuple[float, float]:
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
