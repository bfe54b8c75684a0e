"""How an estimate shows itself in a terminal or notebook: model, customers, status, parameters."""

from html import escape
from typing import TYPE_CHECKING, Protocol

from cxmodels.results.draws import FIGURES
from cxmodels.results.estimate import Criterion, Estimate

if TYPE_CHECKING:
    import pandas as pd


class Telling(Protocol):
    """A sentence and the table behind it."""

    @property
    def sentence(self) -> str:
        """What was found, in words."""

    @property
    def table(self) -> "pd.DataFrame":
        """The figures."""


class Said:
    """Gives whatever has a `sentence` and a `table` a face: the sentence, then the table."""

    def __str__(self: Telling) -> str:
        return self.sentence

    def __repr__(self: Telling) -> str:
        return f"{self.sentence}\n{self.table.to_string(index=False, float_format=FIGURES)}"

    def _repr_html_(self: Telling) -> str:
        table = self.table.to_html(index=False, float_format=FIGURES, na_rep="", border=0)
        return f"<p>{escape(self.sentence)}</p>{table}"


class Shown:
    """Gives whatever holds an `estimate` a short face in place of its raw fields."""

    estimate: Estimate

    def __repr__(self) -> str:
        return (
            f"{_head(self.estimate)}\n{self.estimate.parameters().to_string(float_format=FIGURES)}"
        )

    def _repr_html_(self) -> str:
        table = self.estimate.parameters().to_html(float_format=FIGURES, na_rep="")
        return f"<p>{escape(_head(self.estimate))}</p>{table}"


def _head(estimate: Estimate) -> str:
    height = f"log likelihood {estimate.log_likelihood:,.2f}"
    if estimate.criterion is Criterion.PENALISED:
        height += f", penalised {estimate.maximised:,.2f}"
    return f"{estimate.model}, {estimate.rows:,} customers, {height}; {estimate.status}"
