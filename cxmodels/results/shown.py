"""How an estimate shows itself in a terminal or notebook: model, customers, status, parameters."""

from html import escape

from cxmodels.results.draws import FIGURES
from cxmodels.results.estimate import Criterion, Estimate


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
