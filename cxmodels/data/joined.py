"""Columns of another table joined to a customer base: channel, satisfaction, anything known of a
customer beside their purchases."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.transactions import covariate_names
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.summaries import CustomerBase


def with_covariates(base: "CustomerBase", frame: Any, on: str) -> "CustomerBase":
    """The base with the other columns of `frame`; see CustomerBase.with_covariates."""
    given = as_pandas(frame)
    if on not in given:
        listed = ", ".join(map(str, given.columns))
        raise DataError("covariates", [Problem(f"there is no column {on!r}", remedy=listed)])
    names = covariate_names([str(name) for name in given.columns if name != on])
    if not names:
        raise OptionError(f"the frame has no column beside {on!r}: nothing to join")
    taken = [name for name in names if name in base.table]
    if taken:
        raise OptionError(f"the base has a column {taken[0]!r} already: rename it in the frame")
    ids = base.table["customer_id"]
    problems = list(_problems(given, on, ids))
    if problems:
        raise DataError("covariates", problems)
    found = given.set_index(on)[list(names)].reindex(ids).reset_index(drop=True)
    table = base.table.reset_index(drop=True).join(found)
    return replace(base, table=table, covariates=(*base.covariates, *names))


def _problems(given: "pd.DataFrame", on: str, ids: "pd.Series[Any]") -> "list[Problem]":
    twice, problems = given[on].duplicated().to_numpy(), []
    if twice.any():
        first = f"{on} {given[on].to_numpy()[twice][0]}"
        what = f"{on} occurs more than once: a customer has one row of covariates"
        problems.append(Problem(what, int(twice.sum()), first))
    return [*problems, *without_rows(ids, given[on])]


def without_rows(ids: "pd.Series[Any]", given: "pd.Series[Any]") -> "list[Problem]":
    """Customers of a base for whom a frame has no row: a problem, or none."""
    missing = ~ids.isin(given).to_numpy()
    if not missing.any():
        return []
    remedy = "Give every customer of the base a row; the base drops nobody."
    if missing.all():
        remedy = f"None was found: ids are {ids.dtype} in the base, {given.dtype} there."
    first = f"customer {ids.to_numpy()[missing][0]}"
    what = "customers of the base are not in the frame"
    return [Problem(what, int(missing.sum()), first, remedy)]
