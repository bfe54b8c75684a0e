"""Several tests of one family: which of them stand when they were all looked at?

Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping", Econometrica 73;
p-values as in Romano and Wolf (2016), Statistics and Probability Letters 113, algorithm 3.1.
"""

from typing import TYPE_CHECKING

import numpy as np

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd


def romano_wolf(
    names: list[str], estimates: Floats, errors: Floats, draws: Floats
) -> "pd.DataFrame":
    """Adjusted p-values that allow for how the tests hang together.

    estimates, errors: (m,); draws: (b, m) resampled estimates, all m from the same resamples, which
    are centred here. Returns: name, t, p_value (alone), adjusted (of the declared family).
    """
    import pandas as pd

    m = len(names)
    if estimates.shape != (m,) or errors.shape != (m,) or draws.ndim != 2 or draws.shape[1] != m:
        raise OptionError(f"{m} names need as many estimates, errors, and columns of draws")
    if len(draws) < 99 or not (errors > 0.0).all():
        raise OptionError("at least 99 draws, and errors above 0, are needed")
    t = np.abs(estimates / errors)
    null = np.abs(draws - draws.mean(axis=0)) / errors
    alone = (1 + (null >= t).sum(axis=0)) / (len(draws) + 1)
    order = np.argsort(-t, kind="stable")
    adjusted, last = np.empty(m), 0.0
    for step, place in enumerate(order):
        largest = null[:, order[step:]].max(axis=1)
        own = float((1 + (largest >= t[place]).sum()) / (len(draws) + 1))
        last = max(last, own)  # never less than what was surer
        adjusted[place] = last
    return pd.DataFrame(
        {"name": names, "t": estimates / errors, "p_value": alone, "adjusted": adjusted}
    )
