"""Covariates of contracts: from a formula such as "~ channel + price" to columns of numbers.

Numbers enter as they are; texts and categories as one column for each level but the first. What
was seen at the fit (levels, their order) is kept and replayed at a prediction.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.transforms import Parameter, Space, Support

_NAME = re.compile(r"^[^\W\d][\w.]*$")


@dataclass(frozen=True)
class Term:
    """One covariate: its column, and its levels (none: it is a number)."""

    column: str
    levels: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its coefficients."""
        return tuple(f"{self.column}[{level}]" for level in self.levels[1:]) or (self.column,)


@dataclass(frozen=True)
class Design:
    """The covariates of a fit, in the order of their coefficients; none by default."""

    terms: tuple[Term, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return tuple(name for term in self.terms for name in term.names)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table must have."""
        return tuple(term.column for term in self.terms)

    def space(self, own: Space) -> Space:
        """A family's parameters and the coefficients."""
        added = [
            Parameter(name, "added to a customer's danger to leave", Support.REAL)
            for name in self.names
        ]
        return Space((*own.parameters, *added))

    def matrix(self, table: pd.DataFrame) -> Floats:
        """(n, p) numbers of the customers in a table; DataError where one is unknown."""
        problems, parts = [], []
        for term in self.terms:
            if term.column not in table:
                problems.append(Problem(f"there is no covariate {term.column!r}"))
                continue
            part, problem = _columns(term, table[term.column])
            parts.append(part)
            problems += problem
        if problems:
            raise DataError("covariates", problems)
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0))

    def to_json(self) -> list[dict[str, Any]]:
        """The design as plain types."""
        return [{"column": term.column, "levels": list(term.levels)} for term in self.terms]

    @classmethod
    def from_json(cls, stored: Sequence[Mapping[str, Any]]) -> "Design":
        """The design that `to_json` wrote."""
        return cls(tuple(Term(str(i["column"]), tuple(map(str, i["levels"]))) for i in stored))


def design_of(formula: str | None, table: pd.DataFrame) -> Design:
    """The design that a formula means for the customers of a table.

    >>> seen = pd.DataFrame({"channel": ["web", "shop", "web"], "price": [9.0, 12.0, 14.0]})
    >>> design_of("~ channel + price", seen).names
    ('channel[web]', 'price')
    """
    if formula is None:
        return Design()
    names = _terms(formula)
    unknown = [name for name in names if name not in table]
    if unknown:
        known = [str(name) for name in table]
        raise OptionError(
            f"covariate {unknown[0]!r} is not in the base: name it in covariates= when the base is "
            f"made; columns: {', '.join(known)}"
        )
    design = Design(tuple(_term(name, table[name]) for name in names))
    numbers = design.matrix(table)
    rank = np.linalg.matrix_rank(np.column_stack([np.ones(len(numbers)), numbers]))
    if rank <= numbers.shape[1]:
        raise DataError(
            "covariates",
            [
                Problem(
                    f"{', '.join(design.names)} cannot be told apart, or one is constant",
                    remedy="Leave out a covariate that follows from the others",
                )
            ],
        )
    return design


def _terms(formula: str) -> list[str]:
    text = formula.strip().removeprefix("~")
    names = [name.strip() for name in text.split("+")]
    names = [name for name in names if name != "1"]
    if not formula.strip().startswith("~") or not all(map(_NAME.match, names)) or not names:
        raise OptionError(
            f"leaving={formula!r} is not a formula such as '~ channel + price': columns joined by "
            "+ (put interactions and functions into columns of their own)"
        )
    return list(dict.fromkeys(names))


def _term(name: str, column: "pd.Series[Any]") -> Term:
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        levels = tuple(sorted(column.astype(str).unique()))
        return Term(name, levels)
    return Term(name)


def _columns(term: Term, column: "pd.Series[Any]") -> tuple[Floats, list[Problem]]:
    if not term.levels:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(values)
        what = f"covariate {term.column!r} is not a finite number"
        return values[:, None], [Problem(what, int(bad.sum()))] if bad.any() else []
    texts = column.astype(str).to_numpy()
    new = ~np.isin(texts, np.array(term.levels, dtype=object).astype(str))
    problems = []
    if new.any():
        what = f"covariate {term.column!r} has a level that the fit has not seen"
        first = str(texts[int(np.argmax(new))])
        known = f"Levels: {', '.join(term.levels)}"
        problems.append(Problem(what, int(new.sum()), first, known))
    found = [(texts == level).astype(np.float64) for level in term.levels[1:]]
    return (np.stack(found, axis=1) if found else np.zeros((len(texts), 0))), problems
