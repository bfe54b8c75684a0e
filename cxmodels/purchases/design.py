"""Which covariates move buying and which leaving, with one coefficient a column or one for both.

Columns are measured from their mean over the customers the model was fitted to, so the family's own
parameters are those of a customer at the mean of every column, whatever level is the reference.
Coefficients are searched for per standard deviation and told per unit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cxmodels.data.covariate_paths import steps_of
from cxmodels.data.covariates import Variable, distinct, read, record
from cxmodels.data.formulas import (
    Columns,
    Formula,
    check_columns,
    moments,
    not_finite,
    read_formula,
    variables_from_json,
    variables_to_json,
)
from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import DataError, OptionError
from cxmodels.numerics.arrays import Floats

PROCESSES = ("purchase", "dropout")


@dataclass(frozen=True, eq=False)
class Side:
    """What moves one process: its formula, the names of its columns, their place among the
    coefficients, and their mean (q,) over the customers of the fit."""

    process: str
    formula: Formula
    columns: tuple[str, ...]
    places: tuple[int, ...]
    mean: Floats


@dataclass(frozen=True, eq=False)
class Design:
    """Both processes, the covariates as recorded, and the coefficients: names and scales (q,).

    scales: one over the standard deviation of the column, so that an effect is searched for per
    standard deviation; over_time: whether a covariate changes while a customer is observed.
    """

    variables: tuple[Variable, ...]
    sides: tuple[Side, ...]
    coefficients: tuple[str, ...]
    scales: Floats
    over_time: bool = False

    def both(self, table: Any) -> tuple[Floats, Floats]:
        """(n, q) columns of purchase and of dropout, all 0 for a process that nothing moves."""
        found = dict(zip((side.process for side in self.sides), self.matrices(table), strict=True))
        none = np.zeros((len(table), len(self.coefficients)))
        purchase, dropout = (found.get(process, none) for process in PROCESSES)
        return purchase, dropout

    def matrices(self, table: Any) -> tuple[Floats, ...]:
        """(n, q) centred columns of each side in the places of their coefficients, else 0.

        Raises DataError where the table breaks what was recorded.
        """
        frame, made = read(table, self.variables), []
        for side in self.sides:
            columns = side.formula.columns(frame)
            problems = list(not_finite(columns, table))
            if problems:
                raise DataError(f"covariates of {side.process}", problems)
            matrix = np.zeros((len(frame), len(self.coefficients)))
            matrix[:, side.places] = columns.values - side.mean
            made.append(matrix)
        return tuple(made)

    def to_json(self) -> dict[str, Any]:
        """The design as plain types."""
        return {
            "variables": variables_to_json(self.variables),
            "coefficients": list(self.coefficients),
            "scales": self.scales.tolist(),
            "over_time": self.over_time,
            "sides": [
                {
                    "process": side.process,
                    "formula": side.formula.text,
                    "columns": list(side.columns),
                    "places": list(side.places),
                    "mean": side.mean.tolist(),
                }
                for side in self.sides
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Design":
        """The design that `to_json` wrote; its formulas are read anew, so they can run nothing."""
        return cls(
            variables=variables_from_json(stored["variables"]),
            sides=tuple(
                Side(
                    process=str(side["process"]),
                    formula=read_formula(side["formula"], str(side["process"])),
                    columns=tuple(side["columns"]),
                    places=tuple(int(place) for place in side["places"]),
                    mean=np.array(side["mean"], dtype=np.float64),
                )
                for side in stored["sides"]
            ),
            coefficients=tuple(stored["coefficients"]),
            scales=np.array(stored["scales"], dtype=np.float64),
            over_time=bool(stored.get("over_time", False)),
        )


def design_of(
    base: CustomerBase, formulas: Mapping[str, object], equal: Iterable[str]
) -> Design | None:
    """The design that formulas ask for on a base; None where no formula has a column.

    formulas: by process, "purchase" and "dropout"; equal: terms with one coefficient for both.
    Raises OptionError for what cannot be read, DataError for columns that cannot be estimated.
    """
    read_in = {
        name: read_formula(text, name) for name, text in formulas.items() if text is not None
    }
    parsed = {name: formula for name, formula in read_in.items() if formula.variables}
    shared = terms_of(equal)
    if not parsed:
        if shared:
            raise OptionError("equal= needs a formula for purchase and one for dropout")
        return None
    names = [name for formula in parsed.values() for name in formula.variables]
    fixed = [name for formula in parsed.values() for name in formula.categories]
    over_time = bool(set(names) & {name for path in base.paths for name in path.names})
    table, observed = _observed(base, tuple(names)) if over_time else (base.table, None)
    variables = record(table, names, fixed)
    frame = read(table, variables)
    kind, first = distinct(frame)
    weight = np.bincount(kind, weights=observed).astype(np.float64)
    rows, who = frame.iloc[first].reset_index(drop=True), table.iloc[first]
    made = {process: formula.columns(rows) for process, formula in parsed.items()}
    for process, columns in made.items():
        check_columns(columns, weight, who, process)
    _check_shared(shared, made)
    found = _assembled(variables, parsed, made, shared, weight)
    return replace(found, over_time=over_time)


def _observed(base: CustomerBase, names: tuple[str, ...]) -> tuple[Any, Floats]:
    """The steps of covariates over time, and for how long each was seen."""
    steps = steps_of(base, names)
    lengths = steps.lengths(base.table["T"].to_numpy(dtype=np.float64))
    seen = lengths > 0.0
    return steps.frame[seen].reset_index(drop=True), lengths[seen]


def _assembled(
    variables: tuple[Variable, ...],
    parsed: Mapping[str, Formula],
    made: Mapping[str, Columns],
    shared: tuple[str, ...],
    weight: Floats,
) -> Design:
    coefficients: dict[str, float] = {}
    sides = []
    for process, columns in made.items():
        mean, sd = moments(columns.values, weight)
        places = []
        for column, term, spread in zip(columns.names, columns.terms, sd, strict=True):
            name = f"{' and '.join(PROCESSES) if term in shared else process}: {column}"
            coefficients.setdefault(name, 1.0 / float(spread))
            places.append(list(coefficients).index(name))
        sides.append(Side(process, parsed[process], columns.names, tuple(places), mean))
    scales = np.array(list(coefficients.values()))
    return Design(variables, tuple(sides), tuple(coefficients), scales)


def terms_of(equal: object) -> tuple[str, ...]:
    """The terms named in `equal`, one name or several; OptionError for anything else."""
    named = (equal,) if isinstance(equal, str) else equal
    terms = tuple(named) if isinstance(named, Iterable) else (None,)
    if not all(isinstance(term, str) for term in terms):
        raise OptionError(f'equal names terms of both formulas, as in ("channel",); got {equal!r}')
    return terms


def _check_shared(shared: tuple[str, ...], made: Mapping[str, Columns]) -> None:
    """Raises OptionError unless each shared term stands in both formulas, coded alike."""
    terms = [set(columns.terms) for columns in made.values()]
    common = set.intersection(*terms) if len(terms) == len(PROCESSES) else set()
    for term in shared:
        if term not in common:
            listed = ", ".join(sorted(common)) if common else "none"
            raise OptionError(
                f"equal={term!r} is not a term of both formulas; those of both: {listed}"
            )
        coded = {
            tuple(name for name, of in zip(columns.names, columns.terms, strict=True) if of == term)
            for columns in made.values()
        }
        if len(coded) > 1:
            raise OptionError(f"equal={term!r} is coded differently in the two formulas")
