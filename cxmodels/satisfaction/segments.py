"""Is a point worth the same to everybody? Effects by segment, or by thirds of a number."""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.satisfaction.fitting import check_linked, decided_later
from cxmodels.satisfaction.link import Linked
from cxmodels.satisfaction.outcomes import effects

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS, PARTS = 12, 3


def effects_by(
    linked: Linked,
    by: str,
    *,
    controls: str,
    weights: str | None = None,
    level: float = 0.9,
) -> "pd.DataFrame":
    """The table of `effects`, once for each group of answers, with a test that all are alike.

    by: a column of `linked.table`; a number of many values is cut into thirds. controls, weights,
    level: as in `effects`; `by` itself need not be among the controls. Each group has its own
    reliability.
    Adds: group, alike_p_value (Cochran's Q over groups; a customer in several groups, as by tenure,
    makes it a little too small or too large).
    Errors: OptionError for a column that is not there or has more than 12 groups.
    """
    import pandas as pd

    kinds = _groups(linked, by)
    found, refused = [], []
    for name in kinds.cat.categories:
        try:
            own = effects(
                linked.at((kinds == name).to_numpy()),
                controls=controls, weights=weights, level=level,
            )  # fmt: skip
            found.append(own.table.assign(group=str(name)))
        except FitError as error:
            refused.append(f"{by} {name}: {error}")
    if not found:
        raise FitError("no group can be told: " + "; ".join(refused))
    table = pd.concat(found, ignore_index=True)
    alike = {name: _alike(part) for name, part in table.groupby("outcome", sort=False)}
    table["alike_p_value"] = table["outcome"].map(alike)
    order = ["outcome", "group", *(n for n in table.columns if n not in ("outcome", "group"))]
    return table[order].sort_values("outcome", kind="stable", ignore_index=True)


def _groups(linked: Linked, by: str) -> "pd.Series[Any]":
    """(n,) the group of each answer, as a category."""
    import pandas as pd

    check_linked(linked)
    if by in decided_later(linked) or by == "customer_id":
        raise OptionError(
            f"by {by!r} is decided by what followed the answer, or is the customer: groups are of "
            "what was known before"
        )
    if by not in linked.table:
        listed = ", ".join(map(str, linked.table.columns))
        raise OptionError(f"by {by!r} is no column. Columns: {listed}")
    column = linked.table[by]
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_GROUPS:
        return pd.qcut(column, PARTS, duplicates="drop").astype("category")
    kinds = column.astype("category")
    if len(kinds.cat.categories) > MOST_GROUPS:
        raise OptionError(f"{by!r} has {len(kinds.cat.categories)} groups, more than {MOST_GROUPS}")
    return kinds


def _alike(part: "pd.DataFrame") -> float | None:
    """p-value of Cochran's Q: the estimates differ by no more than their errors."""
    value = part["corrected"].fillna(part["controlled"]).to_numpy(dtype=np.float64)
    if value.size < 2:
        return None
    weight = part["std_error"].to_numpy(dtype=np.float64) ** -2.0
    mean = weight @ value / weight.sum()
    return float(scipy.special.chdtrc(value.size - 1, weight @ (value - mean) ** 2))
