"""What each metric of a test asks of the data.

Each kind is a mean of something that a unit is worth, or a ratio of two such means, so that counts,
means and cross-products are all that is ever needed of the data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from cxmodels.errors import OptionError
from cxmodels.experiments.metrics import Metric


class Form(Enum):
    """What a unit's value is turned into before it is averaged."""

    VALUE = "{}"
    ABOVE_ZERO = "whether {} is above 0"
    WHERE_ANY = "{} where it is above 0"
    SCORE = "NPS of {}"


@dataclass(frozen=True)
class Term:
    """A column in the form in which it is averaged."""

    column: str
    form: Form = Form.VALUE

    def __str__(self) -> str:
        return self.form.value.format(self.column)


@dataclass(frozen=True)
class Quantity:
    """A mean of the term at place `above`, over that of the term at `below` where there is one."""

    above: int
    below: int | None = None


@dataclass(frozen=True)
class Asked:
    """One row of the answer: terms (k) of which the first `outcomes` are outcomes and the others
    from before the test; what is compared, and what it is adjusted for, in places among them."""

    label: str
    metric: Metric
    terms: tuple[Term, ...]
    outcomes: int
    outcome: Quantity
    covariates: tuple[Quantity, ...]
    estimand: str


def metrics_of(
    given: Iterable[str | Metric] | str | Metric, none: bool = False
) -> tuple[Metric, ...]:
    """Metrics as given: names of columns are means. OptionError where two share a name, and where
    there are none unless `none` may be."""
    listed = [given] if isinstance(given, str | Metric) else list(given)
    wrong = [item for item in listed if not isinstance(item, str | Metric)]
    if wrong or not (listed or none):
        said = f"got {wrong[0]!r}" if wrong else "got none"
        raise OptionError(f"metrics are names of columns or Metric(...), {said}")
    found = tuple(Metric(item) if isinstance(item, str) else item for item in listed)
    labels = [metric.label for metric in found]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise OptionError(f"two metrics are called {twice[0]!r}: give one a name=")
    return found


def asked_of(metrics: tuple[Metric, ...], covariates: tuple[str, ...]) -> tuple[Asked, ...]:
    """What each metric asks of the data; revenue with a hurdle asks three things."""
    return tuple(asked for metric in metrics for asked in _asked(metric, covariates))


def _asked(metric: Metric, covariates: tuple[str, ...]) -> list[Asked]:
    name, label = metric.column, metric.label
    value = Term(name)
    if metric.kind == "hurdle":
        any_, some = Term(name, Form.ABOVE_ZERO), Term(name, Form.WHERE_ANY)
        return [
            _one(metric, covariates, f"{label}, any", (any_,), f"share of units with any {name}"),
            _one(metric, covariates, f"{label}, of those with any", (some,),
                 f"mean {name} of those who have any, who need not be alike in the two arms"),
            _one(metric, covariates, label, (value,), f"mean {name}, zeros counted"),
        ]  # fmt: skip
    if metric.kind == "nps":
        said = f"per cent promoters less per cent detractors in {name}"
        return [_one(metric, covariates, label, (Term(name, Form.SCORE),), said)]
    if metric.per is not None:
        said = f"total {name} over total {metric.per}"
        return [_one(metric, covariates, label, (value, Term(metric.per)), said)]
    said = f"share of units with {name}" if metric.kind == "proportion" else f"mean {name}"
    return [_one(metric, covariates, label, (value,), said)]


def _one(
    metric: Metric, shared: tuple[str, ...], label: str, terms: tuple[Term, ...], estimand: str
) -> Asked:
    count = len(terms)
    outcome = Quantity(0, 1 if count == 2 else None)
    before: list[Term] = []
    quantities: list[Quantity] = []

    def place(name: str) -> int:
        if Term(name) not in before:
            before.append(Term(name))
        return count + before.index(Term(name))

    if isinstance(metric.before, tuple):
        quantities.append(Quantity(place(metric.before[0]), place(metric.before[1])))
    elif metric.before is not None:
        quantities.append(Quantity(place(metric.before)))
    quantities += [Quantity(place(name)) for name in shared]
    unique = tuple(dict.fromkeys(quantities))
    return Asked(label, metric, (*terms, *before), count, outcome, unique, estimand)
