"""The kinds of array that the numerics room takes and returns, and sums of their products."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Number = float | np.float64 | Floats  # a number, or an array that broadcasts


def dot(*factors: Floats) -> float:
    """Sum of products of vectors (n,), in this thread.

    A linear algebra library would wake its own threads for a sum that is over before they are up.

    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(np.einsum(",".join("n" * len(factors)) + "->", *factors))
