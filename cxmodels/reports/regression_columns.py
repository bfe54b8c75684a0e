"""What a table of regressions takes from each fit: coefficients, counts, tests, whose errors.

Any record will do that has a `table` with columns coefficient, estimate, std_error; what else it
says of itself (rows, units, r_squared, tests, convention, notes, ...) is taken where it is there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.reports.numbers import MISSING, as_number, grouped

FACTS = {
    "outcome": "Outcome", "estimator": "Estimator", "reliability": "Reliability", "rows": "Rows",
    "units": "Units", "firms": "Firms", "r_squared": "R squared", "instruments": "Instruments",
    "AR(1)": "AR(1), p", "AR(2)": "AR(2), p", "Hansen": "Hansen, p",
}  # fmt: skip
TESTS = ("AR(1)", "AR(2)", "Hansen")
NEEDED = ("coefficient", "estimate", "std_error")
_WORDS = {
    "within": "unit effects", "two-way": "unit, period effects", "period": "period effects",
    "difference": "differences", "between": "between units", "random": "random effects",
    "mundlak": "means of units beside",
}  # fmt: skip
_OWN = {"within": 1, "two-way": 2, "period": 1}  # effects that an estimator's name tells
_SHARES = 3  # decimals of p-values, R squared and reliabilities
_R_SQUARED = "R squared is of the columns as each estimator compares them."


@dataclass(frozen=True)
class Coefficient:
    """One estimate and what is known of it; NaN where nothing is."""

    estimate: float
    std_error: float
    statistic: float = math.nan
    p_value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan


@dataclass(frozen=True)
class FitColumn:
    """One column: coefficients by name; facts below them by key of FACTS, as texts.

    statistic: "t" or "z"; level: of the intervals, None if not said; errors: their convention as a
    sentence; notes: what the fit says else.
    """

    name: str
    coefficients: Mapping[str, Coefficient]
    facts: Mapping[str, str]
    outcome: str = ""
    statistic: str = "t"
    level: float | None = None
    errors: str = ""
    notes: tuple[str, ...] = ()


def columns_of(fits: Any) -> list[FitColumn]:
    """The columns of fits by name, or of one fit; a ladder of rungs has one a rung."""
    held = fits if isinstance(fits, Mapping) else {"": fits}
    if isinstance(fits, list | tuple | set | str) or fits is None:
        raise OptionError("fits is one fit, or fits by name of column, as in {'pooled': fit}")
    if not held:
        raise OptionError("fits is empty: a table has one fit at least")
    found: list[FitColumn] = []
    for name, fit in held.items():
        table = fit if isinstance(fit, pd.DataFrame) else getattr(fit, "table", None)
        if isinstance(table, pd.DataFrame) and {"rung", "naive", "naive_error"} <= {*table.columns}:
            found += _ladder(str(name) if len(held) > 1 else "", fit, table)
        else:
            found.append(_fitted(str(name), fit, table))
    return found


def _fitted(name: str, fit: Any, table: Any) -> FitColumn:
    _checked(name, fit, table)
    statistic = "z" if "z" in table.columns else "t"
    coefficients = {}
    for row in table.to_dict("records"):
        value, error = as_number(row["estimate"]), as_number(row["std_error"])
        known = as_number(row.get(statistic))
        coefficients[str(row["coefficient"])] = Coefficient(
            value,
            error,
            value / error if math.isnan(known) and error > 0.0 else known,
            *(as_number(row.get(key)) for key in ("p_value", "lower", "upper")),
        )
    facts = _facts(fit)
    told = _R_SQUARED if "r_squared" in facts and facts.get("estimator") != "pooled" else ""
    notes = tuple(map(str, getattr(fit, "notes", ())))
    return FitColumn(
        name=name or facts.get("estimator", "estimate"),
        coefficients=coefficients,
        facts=facts,
        outcome=str(getattr(fit, "outcome", "") or ""),
        statistic=statistic,
        level=getattr(fit, "level", None),
        errors=_sentence(getattr(fit, "convention", "")),
        notes=(*notes, told) if told else notes,
    )


def _checked(name: str, fit: Any, table: Any) -> None:
    """Refuses what holds no coefficients, with everything that is wrong."""
    source = f"column {name!r}" if name else "the fit"
    if not isinstance(table, pd.DataFrame):
        kind = type(fit).__name__
        raise DataError(source, [Problem(
            f"{kind} has no table of coefficients",
            remedy="Give a fit whose .table has columns coefficient, estimate, std_error",
        )])  # fmt: skip
    missing = [column for column in NEEDED if column not in table.columns]
    if missing:
        listed = ", ".join(map(str, table.columns)) or "none"
        problem = Problem(f"its table lacks {', '.join(missing)}", remedy=f"It has {listed}")
        raise DataError(source, [problem])
    problems = []
    if table.empty:
        problems.append(Problem("its table has no row"))
    names = table["coefficient"].astype(str)
    if (again := names[names.duplicated()]).size:
        problems.append(Problem("a coefficient stands there twice", again.size, again.iloc[0]))
    for column in NEEDED[1:]:
        words = [value for value in table[column] if value is not None and not _number(value)]
        if words:
            problems.append(Problem(f"{column} is not a number", len(words), repr(words[0])))
    if problems:
        raise DataError(source, problems)


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is pd.NA
    return True


def _facts(fit: Any) -> dict[str, str]:
    facts = {"estimator": _estimator(fit)}
    for key in ("rows", "units", "instruments"):
        facts[key] = _count(getattr(fit, key, None))
    facts["r_squared"] = _share(getattr(fit, "r_squared", None))
    tests = getattr(fit, "tests", None)
    if isinstance(tests, pd.DataFrame) and {"test", "p_value"} <= {*tests.columns}:
        found = dict(zip(tests["test"], tests["p_value"], strict=True))
        facts |= {key: p_value(as_number(found[key])) for key in TESTS if key in found}
    return {key: text for key, text in facts.items() if text}


def _estimator(fit: Any) -> str:
    """The comparison in words, with how many effects more it takes."""
    kind = getattr(fit, "kind", None)
    if isinstance(kind, str) and hasattr(fit, "instruments"):
        return f"{kind} GMM"
    name = getattr(fit, "estimator", None)
    if not isinstance(name, str):
        return ""
    more = len(getattr(getattr(fit, "linear", None), "levels", ())) - _OWN.get(name, 0)
    told = f" + {more} effect{'s' if more > 1 else ''}" if more > 0 else ""
    return _WORDS.get(name, name) + told


def _count(value: Any) -> str:
    number = as_number(value)
    return "" if math.isnan(number) else grouped(number)


def _share(value: Any) -> str:
    number = as_number(value)
    return "" if math.isnan(number) else grouped(number, _SHARES)


def p_value(value: float) -> str:
    """A p-value in as few letters as a column has room for.

    >>> p_value(0.1771), p_value(0.00002), p_value(float("nan"))
    ('0.177', '<0.001', '–')
    """
    if math.isnan(value):
        return MISSING
    least = 10.0**-_SHARES
    return f"<{least:g}" if value < least else grouped(value, _SHARES)


def _sentence(convention: Any) -> str:
    """The convention of errors as a sentence of its own."""
    text = str(convention or "").strip().rstrip(".").replace(" - ", " − ")
    if not text:
        return "Of the errors no convention is said."
    return f"{text}." if "errors" in text.lower() else f"Errors {text}."


def _ladder(name: str, ladder: Any, table: pd.DataFrame) -> list[FitColumn]:
    """A column a rung: the naive effect and the one corrected for the score's error."""
    said = _sentence(getattr(ladder, "convention", ""))
    verdict = getattr(ladder, "verdict", "")
    notes = tuple(map(str, (verdict, *getattr(ladder, "notes", ())) if verdict else ()))
    outcome = str(getattr(ladder, "outcome", "") or "")
    columns = []
    for row in table.to_dict("records"):
        rung = str(row["rung"])
        facts = {
            "reliability": _share(row.get("reliability")),
            "rows": _count(row.get("rows")),
            "firms": _count(row.get("firms")),
        }
        # means of firms are one row a firm, which no cluster holds together
        own = "Errors HC1, a row a firm." if rung == "between" else said
        columns.append(FitColumn(
            name=f"{name}: {rung}" if name else rung,
            coefficients=_effects(row),
            facts={key: text for key, text in facts.items() if text},
            outcome=f"{outcome} on the score, logs a point" if outcome else "",
            level=getattr(ladder, "level", None),
            errors=own,
            notes=notes,
        ))  # fmt: skip
    return columns


def _effects(row: Mapping[Any, Any]) -> dict[str, Coefficient]:
    naive, spread = as_number(row["naive"]), as_number(row["naive_error"])
    value, error = as_number(row.get("corrected")), as_number(row.get("std_error"))
    p, lower, upper = (as_number(row.get(key)) for key in ("p_value", "lower", "upper"))
    if math.isnan(value):  # nothing to correct: the ladder's interval is of the naive effect
        return {"naive": Coefficient(naive, spread, naive / spread, p, lower, upper)}
    half = (upper - value) / error * spread  # the same quantile of t
    return {
        "naive": Coefficient(naive, spread, naive / spread, math.nan, naive - half, naive + half),
        "corrected": Coefficient(value, error, value / error, p, lower, upper),
    }
