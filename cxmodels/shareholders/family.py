"""Several outcomes of one score: which stand when all of the declared family were looked at?

Each outcome has the effect of a point within firms, on rows of its own; p-values that allow for the
number of outcomes, and for how they hang together, are those of Romano and Wolf, with whole firms'
influences turned in sign together across outcomes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.firms import FirmPanel, check_panel
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.multiplicity import romano_wolf
from cxmodels.regression.panel import panel_fit
from cxmodels.results.estimate import POWER, check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_outcomes import OUTCOMES, Locked, locked, locked_column, names_of

DRAWS = 1_999


@dataclass(frozen=True, eq=False, repr=False)
class Family(Faced):
    """table: outcome, unit, estimate (a point, within firms, not corrected for the score's error),
    std_error, lower, upper, p_value (alone), adjusted (of the family), power (smallest effect found
    four times in five), rows, firms."""

    table: pd.DataFrame
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Every outcome with both p-values."""
        head = f"A point of the score within firms; interval {self.level:.0%}"
        return Face(head, self.table, self.notes)


def outcome_family(
    panel: FirmPanel,
    outcomes: Iterable[str],
    *,
    definition: str = "assets",
    controls: Iterable[str] = (),
    level: float = 0.9,
    seed: int = 1,
) -> Family:
    """The effects within firms of a declared family of outcomes, with adjusted p-values.

    outcomes: of `value_relevance`, or columns of the panel, such as one that the score cannot move
    (a placebo outcome: it should not stand); definition, controls, level: as there; seed: of the
    draws.
    Errors: OptionError for fewer than two outcomes, or one that is none; FitError where one of them
    cannot be told.
    """
    inside, given = check_level(level), names_of(controls)
    check_panel(panel)
    if isinstance(outcomes, str) or not isinstance(outcomes, Iterable):
        raise OptionError(f"outcomes are several names, as in ['q'], got {outcomes!r}")
    names = list(dict.fromkeys(map(str, outcomes)))
    if len(names) < 2:
        raise OptionError("a family has two outcomes or more")
    firms = {firm: place for place, firm in enumerate(panel.table["firm"].unique())}
    rows, influences = [], []
    for name in names:
        held = _held(panel, name, definition, given)
        try:
            row, influence = _one(held, firms, inside)
        except FitError as error:
            raise FitError(f"{name}: {error}") from None
        rows.append({"outcome": name, "unit": held.unit, **row})
        influences.append(influence)
    table = pd.DataFrame(rows)
    turned = generator(seed).choice([-1.0, 1.0], (DRAWS, len(firms))) @ np.array(influences).T
    estimates, errors = (table[name].to_numpy() for name in ("estimate", "std_error"))
    table["adjusted"] = romano_wolf(names, estimates, errors, turned)["adjusted"]
    order = ["outcome", "unit", "estimate", "std_error", "lower", "upper", "p_value", "adjusted",
             "power", "rows", "firms"]  # fmt: skip
    standing = [row["outcome"] for row in table.to_dict("records") if row["adjusted"] < 0.05]
    said = f"Standing at 5 per cent of {len(names)} outcomes: {', '.join(standing) or 'none'}."
    notes = (said, "Association within firms and years; errors clustered by firm; not corrected "
             "for the error of the score, which takes all of them towards 0 alike.")  # fmt: skip
    return Family(table[order], inside, notes)


def _held(panel: FirmPanel, name: str, definition: str, controls: list[str]) -> Locked:
    if name in OUTCOMES:
        return locked(panel, name, definition, controls)
    return locked_column(panel, name, controls)


def _one(held: Locked, firms: dict[Any, int], level: float) -> tuple[dict[str, float], Floats]:
    """The effect of a point, and the influence (g,) of each firm of the panel on it."""
    fit = panel_fit(held.held, "y", ["score", *held.columns], unit="firm", period="period",
                    estimator="two-way", level=level)  # fmt: skip
    X = fit.linear.X
    of = np.array([firms[firm] for firm in np.unique(held.held["firm"])])[fit.linear.unit]
    sums = np.zeros((len(firms), X.shape[1]))
    np.add.at(sums, of, X * fit.linear.e[:, None])
    row = fit.table.iloc[0]
    told = {name: float(row[name]) for name in
            ("estimate", "std_error", "lower", "upper", "p_value")}  # fmt: skip
    more = {"power": POWER * told["std_error"], "rows": fit.rows, "firms": fit.units}
    return told | more, (sums @ np.linalg.inv(X.T @ X))[:, 0]
