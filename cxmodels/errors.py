"""What can go wrong, said to the person with the spreadsheet.

CxError
|-- DataError     the input breaks its contract: every problem, with counts and the first row
|-- FitError      the data are sound but hold no answer to this question
`-- OptionError   an argument or a setting is not one of the choices
"""

from collections.abc import Sequence
from dataclasses import dataclass


class CxError(Exception):
    """Root of every error that cxmodels raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One way in which a table breaks its contract.

    what: the rule that is broken; rows: how many rows break it (0: the table as a whole);
    first: the first offending row in words; remedy: what to do about it.
    """

    what: str
    rows: int = 0
    first: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        count = f" ({self.rows:,} row{'' if self.rows == 1 else 's'})" if self.rows else ""
        first = f"; first: {self.first}" if self.first else ""
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"{self.what}{count}{first}{remedy}"


class DataError(CxError):
    """The input breaks its contract; the message lists every problem found.

    >>> print(DataError("log", [Problem("amount is not a number", 2, "row 3: 'ten'")]))
    log cannot be used, 1 problem:
      1. amount is not a number (2 rows); first: row 3: 'ten'
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"  {place}. {problem}" for place, problem in enumerate(self.problems, start=1)]
        head = f"{self.source} cannot be used, {count} problem{'' if count == 1 else 's'}:"
        return "\n".join([head, *lines])


class FitError(CxError):
    """The data are sound but do not determine what was asked."""


class OptionError(CxError):
    """An argument or a setting is not one of the choices; the message names them."""
