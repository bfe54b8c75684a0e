"""What is left of scores once industries or characteristics are held fixed, month by month."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.returns import Returns
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats

FEWEST = 3  # firms beyond what is held fixed, for a month to tell anything


def neutral_scores(known: Floats, held: list[Floats]) -> Floats:
    """(t, n) residuals of each month's scores on characteristics (t, n, k); NaN where one is."""
    out = np.full(known.shape, np.nan)
    if not held:
        return known
    for t, row in enumerate(known):
        X = np.column_stack([np.ones(row.size), *(column[t] for column in held)])
        use = np.isfinite(row) & np.isfinite(X).all(axis=1)
        rank = np.linalg.matrix_rank(X[use]) if use.any() else 0
        if use.sum() < rank + FEWEST:
            continue
        b = np.linalg.lstsq(X[use], row[use], rcond=None)[0]
        left = row[use] - X[use] @ b
        left[np.abs(left) < 1e-9 * max(float(np.abs(row[use]).max()), 1.0)] = 0.0
        out[t, use] = left
    return out


def characteristics(neutral: Mapping[str, Any], months: Any, returns: Returns) -> list[Floats]:
    """Each characteristic as (t, n, 1) numbers or (t, n, labels - 1) dummies.

    neutral: name -> a series by asset (labels, such as industries, or numbers that stay), or a
    frame of months by assets: what was known before the month began.
    """
    return [_one(name, given, months, returns) for name, given in neutral.items()]


def _one(name: str, given: Any, months: Any, returns: Returns) -> Floats:
    assets, t = list(returns.assets), len(months)
    if isinstance(given, pd.DataFrame):
        frame = given.set_axis(pd.DatetimeIndex(pd.to_datetime(given.index)).to_period("M"))
        held = frame.reindex(index=months, columns=assets).to_numpy(dtype=np.float64)
        _some(name, np.isfinite(held).any())
        return np.asarray(held[..., None])
    if not isinstance(given, pd.Series):
        raise OptionError(f"neutral {name!r} is a series by asset or a frame of months by assets")
    own = given[~given.index.duplicated()].reindex(assets)
    _some(name, own.notna().any())
    if pd.api.types.is_numeric_dtype(own):
        return np.asarray(np.tile(own.to_numpy(dtype=np.float64)[None, :, None], (t, 1, 1)))
    labels = pd.get_dummies(own, dtype=float).to_numpy()[:, 1:].copy()
    labels[own.isna().to_numpy()] = np.nan
    return np.asarray(np.tile(labels[None], (t, 1, 1)))


def _some(name: str, there: Any) -> None:
    if not there:
        raise OptionError(f"neutral {name!r} names none of the assets (or months) of the returns")
