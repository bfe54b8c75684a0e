"""A formula such as "~ channel + satisfaction" becomes columns of numbers, the same ones each time.

Formulas are read by formulaic. They may name columns of the base and use + - : * ^ ( ), C(...) with
contr.treatment or contr.sum, log, log1p, exp and sqrt; nothing else is run, so that a formula in a
file is data and not a program. The intercept belongs to the model's own parameters.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.covariates import Variable
from cxmodels.data.profiles import Floats
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

FUNCTIONS = {"C", "log", "log1p", "exp", "sqrt"}
CODINGS = {"treatment", "sum"}
SHOWN = "columns of the base, + - : * ^, C(...), log, log1p, exp and sqrt"
RANK = 1e-8  # share of a standardised column that the others leave unexplained, at the least


@dataclass(frozen=True)
class Formula:
    """A formula that was read: its text, the columns it names, those that are categories."""

    text: str
    variables: tuple[str, ...]
    categories: tuple[str, ...]

    def columns(self, frame: "pd.DataFrame") -> "Columns":
        """The columns for the rows of a frame from `covariates.read`, without the intercept."""
        from formulaic import model_matrix

        context = {"log1p": np.log1p, "sqrt": np.sqrt, "log": np.log, "exp": np.exp}
        with np.errstate(all="ignore"):  # log 0 and its like are told by `not_finite`
            made = model_matrix(self.text, frame, context=context, na_action="ignore")
        names, terms, values = [], [], []
        for term, where in made.model_spec.term_indices.items():
            for place in where if str(term) != "1" else ():
                names.append(str(made.columns[place]).replace("[T.", "[").replace("[S.", "["))
                terms.append(str(term))
                values.append(made.iloc[:, place].to_numpy(dtype=np.float64))
        found = np.stack(values, axis=-1) if values else np.empty((len(frame), 0))
        return Columns(tuple(names), tuple(terms), found)


@dataclass(frozen=True)
class Columns:
    """Columns (n, q) with their names, as in channel[web], and the term each belongs to."""

    names: tuple[str, ...]
    terms: tuple[str, ...]
    values: Floats


def read_formula(text: object, process: str) -> Formula:
    """The formula in `text`; OptionError says what cannot be read, or may not be used.

    >>> read_formula("~ channel + C(store)", "purchase")
    Formula(text='~ channel + C(store)', variables=('channel', 'store'), categories=('store',))
    """
    from formulaic import Formula as Parsed
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    if not isinstance(text, str):
        raise OptionError(f'{process} takes a formula such as "~ channel", got {text!r}')
    try:
        parsed = Parsed(text)
    except (FormulaicError, SyntaxError) as error:
        said = str(error).splitlines()[0] if str(error) else "it breaks off"
        raise OptionError(f"the formula {text!r} for {process} cannot be read: {said}") from None
    if not isinstance(parsed, SimpleFormula):
        raise OptionError(f"the formula {text!r} for {process} has one side: {SHOWN}")
    terms = [str(term) for term in parsed]
    if "1" not in terms:
        raise OptionError(
            f"the formula {text!r} for {process} drops the intercept, which is in the model's own "
            "parameters: leave out - 1 and + 0"
        )
    names: list[str] = []
    categories: list[str] = []
    for term in parsed:
        for factor in term.factors:
            _walk(factor.expr, factor.eval_method.value, text, names, categories)
    return Formula(text, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(categories)))


def _walk(expression: str, method: str, text: str, names: list[str], categories: list[str]) -> None:
    """Adds the columns that a factor names; OptionError for what a formula may not run."""
    if method == "literal":
        return
    if method == "lookup":
        names.append(expression)
        return
    tree = ast.parse(expression, mode="eval").body
    if _called(tree) is None or not all(_plain(node) for node in ast.walk(tree)):
        raise OptionError(
            f"the formula {text!r} uses {expression}; a formula may use {SHOWN}. Make a column of "
            "it first"
        )
    functions = {_called(node) for node in ast.walk(tree)}
    found = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found = [name for name in found if name not in {*functions, "contr"}]
    names += found
    if "C" in functions:
        categories += found


def _called(node: ast.AST) -> str | None:
    """The name of the function that a part of an expression calls, where it has a plain one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return None


def _plain(node: ast.AST) -> bool:
    """Whether a part of an expression is one of the few things that a formula may run."""
    if isinstance(node, ast.Call):
        return _called(node) in FUNCTIONS or _is_coding(node.func)
    if isinstance(node, ast.Attribute):
        return _is_coding(node)
    return isinstance(node, ast.Name | ast.Constant | ast.Load | ast.keyword)


def _is_coding(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in CODINGS
        and isinstance(node.value, ast.Name)
        and node.value.id == "contr"
    )


def check_columns(columns: Columns, weight: Floats, table: "pd.DataFrame", process: str) -> None:
    """Raises DataError for columns that are not finite, constant, or follow from the others.

    weight: (n,) customers behind each row; table: rows with customer_id, for the first offender.
    """
    problems = list(not_finite(columns, table))
    if not problems:
        problems = list(_unidentified(columns, weight))
    if problems:
        raise DataError(f"covariates of {process}", problems)


def not_finite(columns: Columns, table: "pd.DataFrame") -> Iterator[Problem]:
    """Columns with values that are no numbers, as the log of 0."""
    for place, name in enumerate(columns.names):
        wrong = ~np.isfinite(columns.values[:, place])
        if wrong.any():
            first = int(np.argmax(wrong))
            who = f"customer {table['customer_id'].iloc[first]}" if "customer_id" in table else ""
            yield Problem(f"{name} is not finite", int(wrong.sum()), who)


def _unidentified(columns: Columns, weight: Floats) -> Iterator[Problem]:
    from scipy.linalg import qr  # heavy, and needed here alone

    mean, sd = moments(columns.values, weight)
    size = np.abs(columns.values).max(axis=0, initial=0.0)
    constant = sd <= 1e-12 * np.maximum(size, 1e-300)
    for name in np.array(columns.names)[constant]:
        yield Problem(
            f"{name} is the same for every customer: it explains nothing",
            remedy="Leave it out of the formula.",
        )
    held = np.flatnonzero(~constant)
    if not held.size:
        return
    standard = (columns.values[:, held] - mean[held]) / sd[held] * np.sqrt(weight)[:, None]
    _, triangle, order = qr(standard, mode="economic", pivoting=True)
    left = np.zeros(held.size)
    diagonal = np.abs(np.diag(triangle))
    left[: diagonal.size] = diagonal / np.sqrt(weight.sum())
    doubled = [columns.names[held[order[place]]] for place in np.flatnonzero(left < RANK)]
    if doubled:
        others = [columns.names[place] for place in held if columns.names[place] not in doubled]
        yield Problem(
            f"{', '.join(doubled)} can be worked out from {', '.join(others)}",
            remedy="Leave one of them out of the formula: the data cannot tell them apart.",
        )


def moments(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation (q,) of columns (n, q) over weighted rows."""
    share = weight / weight.sum()
    mean = share @ values
    return mean, np.sqrt(share @ (values - mean) ** 2)


def variables_to_json(variables: tuple[Variable, ...]) -> list[dict[str, Any]]:
    """Recorded covariates as plain types."""
    return [
        {"name": item.name, "levels": None if item.levels is None else list(item.levels)}
        for item in variables
    ]


def variables_from_json(stored: list[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """The covariates that `variables_to_json` wrote."""
    return tuple(
        Variable(str(item["name"]), None if item["levels"] is None else tuple(item["levels"]))
        for item in stored
    )
