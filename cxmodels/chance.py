"""Where chance comes from: one seed, said by the user, so that a number can be had again."""

import numpy as np

from cxmodels.errors import OptionError


def generator(seed: int | np.random.Generator, *place: int) -> np.random.Generator:
    """Random numbers of a seed; `place` keeps the parts of one answer apart.

    >>> bool(generator(1).integers(10) == generator(1).integers(10))
    True
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise OptionError(f"seed {seed!r} is not a whole number from 0 on")
    return np.random.default_rng([int(seed), *place] if place else int(seed))
