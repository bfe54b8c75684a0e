"""What a table of units by period must keep to, before effects of a roll-out are read from it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.errors import Problem
from cxmodels.numerics.arrays import Bools

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.experiments.staggered import Layout


def problems_of(held: "pd.DataFrame", layout: "Layout") -> Iterable[Problem]:
    """Every way in which the rows break the contract, with its count and first row."""
    told = _Told(held, layout.unit, layout.period)
    if not len(held):
        yield Problem("the table is empty", remedy="It has not a single row")
        return
    lost = held[layout.unit].isna().to_numpy()
    yield from told.of(f"{layout.unit} is missing", lost)
    when, odd = _whole(held, layout.period)
    yield from told.of(f"{layout.period} is no whole number", odd,
                       "Count periods, as in 2026 or 4 * year + quarter")  # fmt: skip
    y, text = _number(held, layout.outcome)
    yield from told.of(f"{layout.outcome} is no number", text)
    yield from told.of(f"{layout.outcome} is infinite", np.isinf(y))
    if (lost | odd).any():
        return
    yield from told.of(f"a {layout.unit} has two rows in one {layout.period}",
                       held.duplicated([layout.unit, layout.period]).to_numpy())  # fmt: skip
    if layout.first_treated is not None:
        yield from _of_first(held, layout, told, int(when.min()))
    else:
        yield from _of_switch(held, layout, told, when)
    if layout.cluster is not None:
        empty = held[layout.cluster].isna().to_numpy()
        yield from told.of(f"{layout.cluster} is missing", empty)
        yield from told.of(f"{layout.cluster} changes within a {layout.unit}",
                           _changes(held, layout.unit, layout.cluster),
                           "Clusters hold whole units")  # fmt: skip


def _of_first(
    held: "pd.DataFrame", layout: "Layout", told: "_Told", start: int
) -> Iterable[Problem]:
    name = str(layout.first_treated)
    g, text = _number(held, name)
    part = np.modf(np.where(np.isfinite(g), g, 0.0))[0] != 0.0
    yield from told.of(f"{name} is no whole number", text | part | (g == -np.inf))
    yield from told.of(f"{name} changes within a {layout.unit}",
                       _changes(held, layout.unit, name),
                       "Treatment begins once and stays on")  # fmt: skip
    if start > 1:
        yield from told.of(f"{name} is 0, which is no period here", g == 0.0,
                           "Leave it empty for units that are never treated")  # fmt: skip


def _of_switch(
    held: "pd.DataFrame", layout: "Layout", told: "_Told", when: Any
) -> Iterable[Problem]:
    name = str(layout.treated)
    on, text = _number(held, name)
    wrong = text | ~np.isin(on, (0.0, 1.0))
    yield from told.of(f"{name} is neither 0 nor 1", wrong)
    if wrong.any():
        return
    order = np.lexsort((when, held[layout.unit].astype("category").cat.codes.to_numpy()))
    unit = held[layout.unit].to_numpy()[order]
    off = (unit[1:] == unit[:-1]) & (on[order][1:] < on[order][:-1])
    turned = np.zeros(len(held), dtype=np.bool_)
    turned[order[1:][off]] = True
    yield from told.of(f"{name} turns off again", turned,
                       "Effects here are of treatments that stay on")  # fmt: skip


class _Told:
    """Turns marked rows into problems."""

    def __init__(self, held: "pd.DataFrame", unit: str, period: str) -> None:
        self.held, self.names = held, (unit, period)

    def of(self, what: str, broken: Bools, remedy: str = "") -> Iterable[Problem]:
        """The problem, if some row has it."""
        if broken.any():
            place = int(np.argmax(broken))
            row = self.held.iloc[place]
            first = ", ".join(f"{name}={row[name]}" for name in self.names)
            yield Problem(what, int(broken.sum()), f"row {place + 1:,}: {first}", remedy)


def _number(held: "pd.DataFrame", name: str) -> tuple[Any, Bools]:
    """(n,) numbers, NaN where there is none; (n,) where something else stands."""
    import pandas as pd

    column = held[name]
    if column.dtype.kind in "mM" or isinstance(column.dtype, pd.PeriodDtype | pd.DatetimeTZDtype):
        return np.full(len(held), np.nan), column.notna().to_numpy()  # days are no numbers
    found = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return found, np.isnan(found) & column.notna().to_numpy()


def _whole(held: "pd.DataFrame", name: str) -> tuple[Any, Bools]:
    found, _ = _number(held, name)
    with np.errstate(invalid="ignore"):
        return found, ~np.isfinite(found) | (found % 1.0 != 0.0)


def _changes(held: "pd.DataFrame", unit: str, name: str) -> Bools:
    """(n,) rows whose value is not that of their unit's first row."""
    import pandas as pd

    code, names = pd.factorize(held[unit])
    values, _ = pd.factorize(held[name], use_na_sentinel=True)  # -1: empty
    first = np.empty(len(names), dtype=np.int64)
    first[code[::-1]] = values[::-1]
    return np.asarray(values != first[code])
