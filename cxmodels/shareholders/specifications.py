"""The answer over all defensible ways to ask: one estimate a specification, from low to high.

Simonsohn, Simmons and Nelson (2020), "Specification curve analysis", Nature Human Behaviour 4: what
is told is the median over specifications, how many agree, and whether as many would agree if scores
said nothing, which shuffling firms' scores among firms shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.firms import NEEDED, FirmPanel, check_panel
from cxmodels.errors import FitError, OptionError
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_outcomes import Locked, locked, names_of
from cxmodels.shareholders.rungs import Asked, Rung
from cxmodels.shareholders.rungs import rungs as told_rungs
from cxmodels.shareholders.score_error import error_of

BETWEEN = ("pooled", "year", "between", "industry and year")
INSIDE = ("firm and year", "first difference", "long difference")
MOST_CONTROLS = 5
NAIVE, CORRECTED = "naive", "corrected"


@dataclass(frozen=True, eq=False, repr=False)
class SpecificationCurve(Faced):
    """table: one row a specification, from low to high: elasticity with lower and upper, rung,
    compares (within firms or between them), outcome, controls, score (naive or corrected),
    significant, rows, firms; summary: compares, specifications, median, share_positive,
    share_significant, and by shuffled firms p_median, p_significant (empty where not asked for)."""

    table: pd.DataFrame
    summary: pd.DataFrame
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """The medians, between firms and within them."""
        head = (
            f"Elasticity of firm value to satisfaction over {len(self.table):,} specifications; "
            f"interval {self.level:.0%}"
        )
        return Face(head, self.summary, self.notes)


def specification_curve(
    panel: FirmPanel,
    *,
    controls: Iterable[str] = (),
    rungs: Iterable[str] = (*BETWEEN, *INSIDE),
    error: float | None = None,
    level: float = 0.9,
    shuffles: int = 0,
    seed: int = 1,
) -> SpecificationCurve:  # fmt: skip
    """Every definition of q and market value, with every set of controls, on every rung.

    controls: columns of the panel, up to 5, of which every set is tried; rungs: of the ladder,
    without those of GMM and of industries' own slopes; error: as in `value_relevance`; level: of
    intervals and of what is called significant; shuffles: how often firms' scores are dealt to
    other firms to see what chance brings (each costs a whole curve), from `seed`.
    Errors: OptionError for rungs or controls that are none, FitError where no specification can be
    told.
    """
    inside, names = check_level(level), names_of(controls)
    if isinstance(rungs, str) or not isinstance(rungs, Iterable):
        raise OptionError(f"rungs are names of the ladder's, as in ['pooled'], got {rungs!r}")
    asked = list(rungs)
    check_panel(panel)
    _check(panel, names, asked)
    if not (isinstance(shuffles, int) and shuffles >= 0):
        raise OptionError(f"shuffles {shuffles!r} is not a whole number from 0 on")
    s2, said = error_of(panel, error)
    table = _curve(panel, names, asked, (s2, inside))
    if table.empty:
        raise FitError("no specification can be told: value, or scores that vary, are missing")
    summary = _summary(table)
    if shuffles:
        rng = generator(seed)
        chance = [
            _summary(_curve(_dealt(panel, rng), names, asked, (s2, inside)))
            for _ in range(shuffles)
        ]
        summary = _against(summary, chance)
    made = len(table.groupby(["outcome", "controls", "rung", "score"]))
    possible = table["outcome"].nunique() * 2 ** len(names) * len(asked) * table["score"].nunique()
    lost = (f"{possible - made:,} of {possible:,} specifications cannot be told: a control repeats "
            "others, or what is compared does not vary.",) if made < possible else ()  # fmt: skip
    notes = (
        *lost,
        "Elasticities, per cent of value a per cent of the score at its mean; associations. What "
        "differs between firms and within them is what the comparison takes for satisfaction.",
        said,
        *panel.notes,
    )
    return SpecificationCurve(table, summary, inside, notes)


def _check(panel: FirmPanel, controls: list[str], asked: list[str]) -> None:
    if len(controls) > MOST_CONTROLS:
        raise OptionError(f"{len(controls)} controls make too many sets: {MOST_CONTROLS} at most")
    for name in controls:
        if name not in panel.table:
            raise OptionError(f"control {name!r} is no column of the panel")
        column = pd.to_numeric(panel.table[name], errors="coerce")
        if not np.isfinite(column.to_numpy(dtype=np.float64)).any() or column.nunique() < 2:
            raise OptionError(f"control {name!r} holds no numbers that differ")
    wrong = [name for name in asked if name not in (*BETWEEN, *INSIDE)]
    if wrong or not asked:
        told = "is not one of" if wrong else "are none: take some of"
        raise OptionError(f"rungs {wrong[0] if wrong else ''} {told} {', '.join(BETWEEN + INSIDE)}")


def _curve(
    panel: FirmPanel, controls: list[str], asked: list[str],
    how: tuple[tuple[float, float], float],
) -> pd.DataFrame:  # fmt: skip
    """One row a specification, from low to high."""
    have = {*panel.table.columns}
    outcomes = [("q", name) for name, parts in NEEDED.items() if {*parts} <= have]
    if {"market_value", "book_equity"} <= have:
        outcomes.append(("market value", "assets"))
    sets = chain.from_iterable(combinations(controls, size) for size in range(len(controls) + 1))
    rows: list[dict[str, Any]] = []
    for (outcome, definition), chosen in product(outcomes, sets):
        try:
            given = locked(panel, outcome, definition, list(chosen))
        except FitError:
            continue
        label = f"q, {definition}" if outcome == "q" else outcome
        own = {"outcome": label, "controls": ", ".join(chosen) or "none"}
        rows.extend(row | own for row in _rows(given, asked, how))
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return table.sort_values("elasticity", kind="stable", ignore_index=True)


def _rows(
    given: Locked, asked: list[str], how: tuple[tuple[float, float], float]
) -> list[dict[str, Any]]:
    """Naive and corrected elasticities of each rung."""
    (s2, level), mean = how, float(given.held["score"].mean())
    rows = []
    for score, variance in ((NAIVE, (0.0, 0.0)), (CORRECTED, s2)):
        if score == CORRECTED and s2[0] <= 0.0:
            continue
        own = Asked(given.held, ["score", *given.columns], variance, level, "unit",
                    given.overlapping, given.unit, None)  # fmt: skip
        for name, rung in told_rungs(own, asked):
            if not isinstance(rung, Rung):
                continue
            row = rung.row
            rows.append(
                {"elasticity": row["elasticity"], "lower": row["lower"] * mean,
                 "upper": row["upper"] * mean, "rung": name,
                 "compares": "within firms" if name in INSIDE else "between firms",
                 "score": score, "significant": row["lower"] > 0 or row["upper"] < 0,
                 "rows": row["rows"], "firms": row["firms"]}
            )  # fmt: skip
    return rows


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=["compares", "median", "share_significant"])
    grouped = table.groupby("compares", sort=True)
    told = pd.DataFrame(
        {"specifications": grouped.size(), "median": grouped["elasticity"].median(),
         "lowest": grouped["elasticity"].min(), "highest": grouped["elasticity"].max(),
         "share_positive": grouped["elasticity"].agg(lambda e: float((e > 0).mean())),
         "share_significant": grouped["significant"].mean()}
    )  # fmt: skip
    return told.reset_index()


def _dealt(panel: FirmPanel, rng: np.random.Generator) -> FirmPanel:
    """The panel with each firm's scores dealt to another firm, year by year as they were."""
    t = panel.table
    firms = t["firm"].unique()
    to = dict(zip(firms, rng.permutation(firms), strict=True))
    given = t.set_index(["firm", "period"])["score"]
    keys = pd.MultiIndex.from_arrays([t["firm"].map(to), t["period"]])
    return panel.with_columns(score=given.reindex(keys).to_numpy())


def _against(summary: pd.DataFrame, chance: list[pd.DataFrame]) -> pd.DataFrame:
    """How often shuffled scores do as well: medians as far from 0, as many significant."""
    out = summary.copy()
    for column, name in (("median", "p_median"), ("share_significant", "p_significant")):
        told = []
        for row in summary.to_dict("records"):
            drawn = np.array([
                float(one.loc[one["compares"] == row["compares"], column].sum()) for one in chance
            ])  # fmt: skip
            told.append((1 + int((np.abs(drawn) >= abs(row[column]) - 1e-12).sum()))
                        / (len(chance) + 1))  # fmt: skip
        out[name] = told
    return out
