"""Outcomes of linked answers, and the regressions that all questions about them share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from cxmodels.data.formulas import read_formula
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.covariance import Clustered, clustered
from cxmodels.regression.design import Controls, controls_of
from cxmodels.regression.generalised_linear import Fitted, Kind, regress
from cxmodels.satisfaction.link import YEAR, Linked

if TYPE_CHECKING:
    import pandas as pd

RESPONSE = "response"
FEW = 30  # customers below which clustered errors are too small
FEW_SAID = "Only {} customers: intervals clustered by so few are too narrow."


@dataclass(frozen=True, eq=False)
class Outcome:
    """One outcome of linked answers: y (n,), exposure (n,) or None, and the rows it speaks of.

    per, times: what means are told by, as in "a year", and how many of the exposure's unit that is;
    worth: money a customer and year that grows in proportion to it, None where it is none.
    """

    name: str
    kind: Kind
    unit: str
    y: Floats
    exposure: Floats | None
    rows: Ints
    per: str
    times: float = 1.0
    worth: float | None = None


def outcomes_of(linked: Linked) -> Iterator[Outcome]:
    """Every outcome that the linked tables can speak of."""
    table = linked.table
    left = table["left"].to_numpy()
    if np.isfinite(left).all():
        every = np.arange(len(table))
        yield Outcome("leaving", Kind.YES_NO, "log odds within the window", left, None, every,
                      "a window")  # fmt: skip
    for name in linked.logs:
        yield from _of_log(table, name)


def _of_log(table: "pd.DataFrame", name: str) -> Iterator[Outcome]:
    """Events a day, further lines an event, and the amount a line, of one log."""
    here = np.flatnonzero(table["days"].to_numpy() > 0)
    count, days = table[name].to_numpy()[here], table["days"].to_numpy()[here]
    there = here[count > 0]
    events = table[name].to_numpy()[there]
    lines = table[f"{name}_lines"].to_numpy()[there] if f"{name}_lines" in table else events
    worth = share = None
    if f"{name}_amount" in table:
        worth = float(table[f"{name}_amount"].to_numpy()[here].sum() / max(days.sum(), 1.0) * YEAR)
        share = worth * float((lines - events).sum() / max(lines.sum(), 1.0))
    yield Outcome(name, Kind.COUNT, "log of events a day", count, days, here, "a year", YEAR, worth)
    if f"{name}_lines" in table:
        yield Outcome(f"{name}: further lines", Kind.COUNT, "log of further lines an event",
                      lines - events, events, there, "an event", worth=share)  # fmt: skip
    if f"{name}_amount" in table:
        each = table[f"{name}_amount"].to_numpy()[there] / lines
        paid = each > 0
        yield Outcome(f"{name}: amount a line", Kind.AMOUNT, "log of the amount a line",
                      each[paid], None, there[paid], "a line", worth=worth)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Prepared:
    """Linked answers whose controls are all known: columns (n, k) of the controls, the customer
    (n,) of each row, weights (n,) or None, and in words what was left out."""

    linked: Linked
    design: Controls
    columns: Floats
    cluster: Ints
    clusters: int
    weights: Floats | None
    lost: tuple[str, ...]

    @property
    def score(self) -> Floats:
        """(n,) of each answer."""
        found: Floats = self.linked.table["score"].to_numpy()
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know."""
        said = (
            f"Association given controls ({self.design.formula.text}, quarter of the answer) of "
            f"{len(self.linked.table):,} answers with what the {self.linked.span} them "
            "brought; errors clustered by customer, factor G / (G - 1)."
        )
        few = (FEW_SAID.format(self.clusters),) if self.clusters < FEW else ()
        return (said, *few, *self.lost, *_unpaid(self.linked))

    def fit(
        self, outcome: Outcome, own: Floats, names: tuple[str, ...], *, controls: bool = True
    ) -> tuple[Fitted, Clustered]:
        """An outcome on columns of its own (n, q), which come first, with or without controls."""
        at = outcome.rows
        if not at.size or np.ptp(outcome.y) == 0.0:
            raise FitError("it was the same after every answer")
        if np.ptp(self.cluster[at]) == 0:
            raise FitError("errors clustered by customer need two customers or more")
        others = self.columns[at] if controls else np.ones((at.size, 1))
        told = self.design.names if controls else ("const",)
        x = np.column_stack([own[at], others])
        offset = None if outcome.exposure is None else np.log(outcome.exposure)
        weights = None if self.weights is None else self.weights[at]
        fit = regress(outcome.y, x, (*names, *told), outcome.kind, offset=offset, weights=weights)
        return fit, clustered(fit, x, self.cluster[at], self.clusters)


def refusal(refused: list[str]) -> FitError:
    """One sentence where no outcome can be told: each reason once."""
    reasons = dict.fromkeys(said.partition(", ")[2].rstrip(".") or said for said in refused)
    return FitError(f"no outcome can be told: {'; '.join(reasons)}")


def _unpaid(linked: Linked) -> list[str]:
    """Windows whose events brought nothing or cost money: an amount a line has a log of its own."""
    said = []
    for name in linked.logs:
        if f"{name}_amount" in linked.table:
            odd = (linked.table[name] > 0) & (linked.table[f"{name}_amount"] <= 0)
            if odd.any():
                count = (
                    f"{name}: {int(odd.sum()):,} windows with events have an amount of 0 or less"
                )
                said.append(f"{count}, and are left out of the amount a line.")
    return said


def check_linked(linked: object) -> None:
    """OptionError for what `link` did not make."""
    if not isinstance(linked, Linked):
        raise OptionError(f"this takes linked answers, from link, got {type(linked).__name__}")


def prepared(linked: Linked, controls: str, weights: str | None) -> Prepared:
    """What the regressions of one call share; OptionError for choices that do not exist."""
    import pandas as pd

    check_linked(linked)
    if weights not in (None, RESPONSE):
        raise OptionError(f"weights {weights!r} is not one of None, {RESPONSE!r}")
    _before_the_answer(linked, controls)
    linked, lost = _with_controls(linked, controls)
    if np.ptp(linked.table["score"].to_numpy()) == 0.0:
        raise FitError("every answer has the same score: there is nothing to compare")
    design = controls_of(controls, linked.table)
    columns = design.matrix(linked.table)
    cluster, ids = pd.factorize(linked.table["customer_id"])
    how = None if weights is None else _weights(linked, design, columns)
    return Prepared(linked, design, columns, cluster, ids.size, how, tuple(lost))


def _before_the_answer(linked: Linked, controls: str) -> None:
    """OptionError for controls that the window itself decides: they hold the effect asked for."""
    for name in read_formula(controls, "controls").variables:
        if name in decided_later(linked):
            raise OptionError(
                f"control {name!r} is what followed the answer, and holds the effect that is asked "
                "for: take what was known before it, as in orders_before"
            )
        if name == "score":
            raise OptionError("score is what the effect is of: it is no control")
        if name == "customer_id":
            raise OptionError("customer_id is no control: effects_within compares customers with "
                              "themselves")  # fmt: skip


def decided_later(linked: Linked) -> set[str]:
    """Columns of the linked table that the window after the answer decides."""
    parts = ("", "_lines", "_amount", "_products")
    return {name + part for name in linked.logs for part in parts} | {"left", "days"}


def _with_controls(linked: Linked, controls: str) -> tuple[Linked, list[str]]:
    """The answers whose controls are all known, and how many are not."""
    names = read_formula(controls, "controls").variables
    held = [name for name in names if name in linked.table]
    gaps = linked.table[held].isna().any(axis=1).to_numpy()
    if not gaps.any():
        return linked, []
    if gaps.all():
        raise OptionError(f"no answer has all of {', '.join(held)}: leave out what is empty")
    empty = [name for name in held if linked.table[name].isna().any()]
    said = f"{int(gaps.sum()):,} answers without {', '.join(empty)} are left out."
    return linked.at(~gaps), [said]


def _weights(linked: Linked, design: Controls, columns: Floats) -> Floats:
    """(n,) one over the probability that a customer like this answers, 1 on average."""
    asked = linked.asked[linked.asked[[item.name for item in design.variables]].notna().all(axis=1)]
    answered = asked["answered"].to_numpy()
    if answered.all():
        raise OptionError(
            "weights='response' needs the invitations that nobody answered: rows of the survey "
            "whose scores are empty"
        )
    fit = regress(answered, design.matrix(asked), design.names, Kind.YES_NO)
    share = scipy.special.expit(columns @ fit.coefficients)
    return np.asarray(share.mean() / share)
