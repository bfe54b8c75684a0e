"""Where purchases fall on counted opportunities: which bases, horizons and ages make sense."""

import numpy as np

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Bools, Floats

HOW = (
    "Opportunities are counted in one unit: make the base of a log with the same word for unit "
    'and collapse, as in customer_base(log, ..., unit="month", collapse="month"); in a summary, '
    "recency is the number of the last opportunity taken and T the number there were"
)


def ask_for_opportunities(base: CustomerBase) -> None:
    """DataError unless recency and T of `base` are whole numbers of opportunities.

    All that is wrong is told together, with counts and the first row.
    """
    ask_for_base(base)
    table = base.table
    x, t_x, T = (table[name].to_numpy(dtype=np.float64) for name in ("frequency", "recency", "T"))
    broken = [
        ("recency is no whole number of opportunities", _fraction(t_x)),
        ("T is no whole number of opportunities", _fraction(T)),
        ("more purchases than opportunities up to the last one", x > t_x),
    ]
    problems = [_told(base, what, wrong) for what, wrong in broken if wrong.any()]
    if problems:
        raise DataError("customer base", problems)


def _fraction(values: Floats) -> Bools:
    return np.asarray(values != np.floor(values))


def _told(base: CustomerBase, what: str, wrong: Bools) -> Problem:
    place = int(np.argmax(wrong))
    row = base.table.iloc[place]
    names = ("customer_id", "frequency", "recency", "T")
    shown = ", ".join(f"{name}={row[name]}" for name in names)
    return Problem(what, int(wrong.sum()), f"row {place + 1:,}: {shown}", HOW)


def whole_horizon(length: float, horizon: object, unit: str) -> float:
    """A horizon in opportunities, rounded down; OptionError where it holds not even one."""
    count = float(np.floor(length + 1e-9))
    if length > 0.0 and count == 0.0:
        raise OptionError(
            f"horizon {horizon} is {length:.3f} of a {unit}: the model counts opportunities, one a "
            f"{unit}, and the horizon ends before the next one"
        )
    return count
