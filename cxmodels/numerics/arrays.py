"""The kinds of array that the numerics room takes and returns."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Number = float | np.float64 | Floats  # a number, or an array that broadcasts
