"""Formulas of whole days and small counts, worked out once for each distinct value."""

from collections.abc import Callable

import numpy as np

from cxmodels.numerics.arrays import Floats, Number

WORTH_IT = 256  # values from which finding the distinct ones pays


def of_distinct(formula: Callable[[Floats], Floats], values: Number) -> Floats:
    """formula(values), with the values on the last axis; each distinct value is computed once.

    The formula's other arguments must be constant along the last axis: numbers, or arrays whose
    last axis has length 1. Where they are not, the formula is applied as it stands.

    >>> of_distinct(np.log1p, np.zeros(3)).tolist()
    [0.0, 0.0, 0.0]
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or given.size < WORTH_IT:
        return formula(given)
    if formula(given[:1]).shape[-1] != 1:  # customers have parameters of their own
        return formula(given)
    distinct, place = np.unique(given, return_inverse=True)
    if 4 * distinct.size > given.size:
        return formula(given)
    return formula(distinct).take(place, axis=-1)
