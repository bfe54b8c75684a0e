"""Regressions side by side: estimates, errors below them, and whose errors they are.

One table in every form that a paper or a report wants: text, HTML, LaTeX, Typst, Word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxmodels.errors import OptionError
from cxmodels.reports import regression_markup as markup
from cxmodels.reports.regression_columns import columns_of
from cxmodels.reports.regression_grid import Asked, Grid, Show, grid_of
from cxmodels.reports.regression_typst import typst
from cxmodels.reports.regression_word import write_docx

SUFFIXES = (".txt", ".html", ".tex", ".typ", ".docx")
_MOST = 12  # decimals


@dataclass(frozen=True, eq=False, repr=False)
class RegressionTable:
    """A table of regressions, which shows itself in terminals and notebooks."""

    grid: Grid

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def text(self) -> str:
        """The table in letters of one width."""
        return markup.text(self.grid)

    def html(self) -> str:
        """The table as one HTML element, which needs nothing beside it."""
        return markup.html(self.grid)

    def latex(self) -> str:
        """The table as a LaTeX float; it needs the package booktabs."""
        return markup.latex(self.grid)

    def typst(self) -> str:
        """The table as a Typst figure."""
        return typst(self.grid)

    def write(self, path: str | Path) -> Path:
        """Write the table to a file in the form of its suffix: .txt, .html, .tex, .typ or .docx.

        Errors: OptionError for another suffix, a folder that is none, and for .docx without the
        report extra.
        """
        place = Path(path)
        form = place.suffix.lower()
        if form not in SUFFIXES:
            raise OptionError(f"{place.name!r} does not end in one of {', '.join(SUFFIXES)}")
        if not place.parent.is_dir():
            raise OptionError(f"there is no folder {place.parent} to write the table in")
        if form == ".docx":
            write_docx(self.grid, place)
            return place
        forms = {".html": markup.html_page, ".tex": markup.latex, ".typ": typst}
        written = forms[form](self.grid) if form in forms else f"{self.text()}\n"
        place.write_text(written, encoding="utf-8", newline="\n")
        return place


def regression_table(
    fits: Any,
    *,
    keep: Iterable[str] | None = None,
    labels: Mapping[str, str] | None = None,
    decimals: int = 3,
    stars: bool = False,
    show: str | Show = "std_error",
) -> RegressionTable:
    """Fits side by side, each with its estimates, its counts and tests, and whose errors it has.

    Args: fits: by name of column, or one; panel and GMM fits, any record whose `table` has columns
    coefficient, estimate, std_error, such a table itself, or a ladder of value relevance (rungs as
    columns); keep: coefficients to show, in this order (None: all; those left out are named);
    labels: texts for names of coefficients and of lines below, as in {"units": "Firms"}; decimals:
    of estimates, more where an error would round to nothing; stars: mark p below .10, .05, .01;
    show: what stands in brackets, "std_error", "interval" or "t".
    Errors: OptionError for a choice that is none, DataError for a fit without coefficients.

    >>> import pandas as pd
    >>> from cxmodels.regression.panel import panel_fit
    >>> panel = pd.DataFrame({
    ...     "firm": [1, 1, 1, 2, 2, 2, 3, 3, 3], "year": [1, 2, 3] * 3,
    ...     "score": [70, 72, 75, 60, 66, 63, 81, 80, 84],
    ...     "q": [1.2, 1.3, 1.6, 0.8, 0.9, 1.0, 2.0, 2.0, 2.1]})
    >>> how = {"unit": "firm", "period": "year", "errors": "hc1"}
    >>> regression_table({
    ...     "pooled": panel_fit(panel, "q", ["score"], estimator="pooled", **how),
    ...     "within": panel_fit(panel, "q", ["score"], **how),
    ... }, labels={"score": "Satisfaction", "units": "Firms"}, keep=["score"])
    q
    ────────────────────────────────────
                  pooled         within
                     (1)            (2)
    ────────────────────────────────────
    Satisfaction   0.059          0.040
                  (0.004)        (0.018)
    ────────────────────────────────────
    Estimator     pooled   unit effects
    Rows               9              9
    Firms              3              3
    R squared      0.958          0.551
    ────────────────────────────────────
    In brackets: standard errors.
    Errors HC1, stata.
    Not shown: const.
    (2) R squared is of the columns as each estimator compares
    them.
    """
    if isinstance(decimals, bool) or not (isinstance(decimals, int) and 0 <= decimals <= _MOST):
        raise OptionError(f"decimals {decimals!r} is not a whole number from 0 to {_MOST}")
    if not isinstance(stars, bool):
        raise OptionError(f"stars {stars!r} is neither True nor False")
    held = (keep,) if isinstance(keep, str) else keep
    names = None if held is None else tuple(held)
    asked = Asked(names, dict(labels or {}), decimals, stars, Show.parse(show))
    return RegressionTable(grid_of(columns_of(fits), asked))
