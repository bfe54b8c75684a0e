"""Firms that left the panel: between which ends could the effect lie, had they stayed?

Nobody knows what they would have been worth. Had they kept their last score, and lost or gained up
to `move` logs of value, each year that is missing would have pulled the slope within firms one way
or the other; the two ends take the worst for each (in the manner of Horowitz and Manski 2000,
Journal of the American Statistical Association 95). They are bounds, no interval: what they hold
rests on `move`, not on chance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Bools
from cxmodels.regression.panel import panel_fit
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_outcomes import locked
from cxmodels.shareholders.firm_value import WITHIN, value_relevance

USUAL = 0.95  # quantile of yearly changes of the outcome that `move` is by default


@dataclass(frozen=True, eq=False, repr=False)
class SurvivorBounds(Faced):
    """estimate: effect within firms as it stands, corrected as the ladder has it; lower, upper: had
    firms that left stayed; firms, rows: that are missing; share: of all rows; move: logs."""

    estimate: float
    lower: float
    upper: float
    firms: int
    rows: int
    share: float
    move: float
    sentence: str

    def face(self) -> Face:
        """The estimate between its two ends."""
        table = pd.DataFrame([{"estimate": self.estimate, "lower": self.lower, "upper": self.upper,
                               "missing_rows": self.rows, "share": self.share}])  # fmt: skip
        return Face("Effect of a point within firms, had firms that left stayed", table,
                    (self.sentence,))  # fmt: skip


def survivor_bounds(
    panel: FirmPanel,
    *,
    outcome: str = "q",
    definition: str = "assets",
    move: float | None = None,
    error: float | None = None,
) -> SurvivorBounds:
    """Ends of the effect of a point within firms, had those that left the panel stayed.

    outcome, definition, error: as in `value_relevance`; move: how many logs (or units) of it a firm
    that left may have lost or gained since its last row, by default what 95 per cent of yearly
    changes lie below.
    Errors: FitError where no firm ends before the panel does.
    """
    check_panel(panel)
    if move is not None and not isinstance(move, int | float):
        raise OptionError(f"move {move!r} is a number of logs, 0 or more")
    given = locked(panel, outcome, definition, [])
    held = given.held[["firm", "period", "score", "y"]]
    added = _missing(held)
    if added.empty:
        raise FitError("no firm ends before the panel does: nothing is missing that could be told")
    most = _usual(held) if move is None else float(move)
    if not (np.isfinite(most) and most >= 0.0):
        raise OptionError(f"move {move!r} is 0 or more")
    ladder = value_relevance(panel, outcome=outcome, definition=definition, error=error)
    row = ladder.table[ladder.table["rung"] == WITHIN].iloc[0]
    by = 1.0 if pd.isna(row["reliability"]) else float(row["reliability"])
    both = pd.concat([held.assign(added=False), added.assign(added=True)], ignore_index=True)
    both = _compared(both.sort_values(["firm", "period"]))
    ends = _ends(both, both["added"].to_numpy(), most)
    estimate, share = float(row["naive"]) / by, len(added) / len(both)
    lower, upper = ends[0] / by, ends[1] / by
    firms = added["firm"].nunique()
    return SurvivorBounds(estimate, lower, upper, firms, len(added), share, most,
                          _sentence(estimate, (lower, upper), (firms, share), most))  # fmt: skip


def _missing(held: pd.DataFrame) -> pd.DataFrame:
    """Rows of firms after their last, with their last score and value."""
    end = int(held["period"].max())
    last = held.groupby("firm", sort=True).tail(1)
    parts = [
        pd.DataFrame({"firm": row["firm"], "period": range(int(row["period"]) + 1, end + 1),
                      "score": row["score"], "y": row["y"]})
        for row in last[last["period"] < end].to_dict("records")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else held.iloc[:0]


def _compared(both: pd.DataFrame) -> pd.DataFrame:
    """Rows that are not alone in their firm or year: the others compare nothing."""
    while True:
        alone = both.groupby("firm")["y"].transform("size") == 1
        alone |= both.groupby("period")["y"].transform("size") == 1
        if not alone.any():
            return both.reset_index(drop=True)
        both = both[~alone]


def _usual(held: pd.DataFrame) -> float:
    """What most yearly changes of the outcome, up or down, lie below."""
    same = (held["firm"] == held["firm"].shift()) & (held["period"] == held["period"].shift() + 1)
    change = held["y"].diff()[same].abs()
    if change.empty:
        raise FitError("no firm has two years in a row: give move=")
    return float(change.quantile(USUAL))


def _ends(both: pd.DataFrame, added: Bools, most: float) -> tuple[float, float]:
    """The smallest and the largest slope: each added value moves against, or with, its weight."""
    fit = panel_fit(both, "y", ["score"], unit="firm", period="period", estimator="two-way")
    x = fit.linear.X[:, 0]
    weight = x / float(x @ x)
    middle, reach = float(weight @ both["y"].to_numpy()), float(np.abs(weight[added]).sum()) * most
    return middle - reach, middle + reach


def _sentence(
    estimate: float, ends: tuple[float, float], lost: tuple[int, float], most: float
) -> str:
    (lower, upper), (firms, share) = ends, lost
    told = (
        f"{firms:,} firms end early ({share:.0%} of all rows would be theirs): had they kept their "
        f"last score and moved by up to {most:.2f}, the effect of a point, {estimate:+.4f} as it "
        f"stands, would lie from {lower:+.4f} to {upper:+.4f}."
    )
    if min(lower, estimate) > 0.0 or max(upper, estimate) < 0.0:
        return f"{told} Its sign does not rest on them."
    return f"{told} Its sign rests on them."
