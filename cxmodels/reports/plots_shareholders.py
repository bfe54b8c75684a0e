"""Pictures of what satisfaction goes with in the value of firms."""

import numpy as np
import pandas as pd
import scipy

from cxmodels.reports import theme
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import Picture, needed, nothing_to_show
from cxmodels.reports.plots_satisfaction import forest

_WAYS = {"naive": "naive_error", "corrected": "std_error"}


def value_ladder(
    table: pd.DataFrame,
    labels: Labels | None = None,
    *,
    outcome: str = "q",
    firms: int | None = None,
    truth: float | None = None,
) -> Picture:
    """What a point of satisfaction goes with in a firm's value, rung by rung, in per cent.

    table: rung, naive, naive_error, corrected, std_error, as `cx.value_relevance` has them; firms:
    how many; truth: the set effect (logs a point) of simulated data.
    """
    labels = labels or Labels()
    data = needed(table, ["rung", *_WAYS, *_WAYS.values()], chart="value_ladder")
    z, parts = float(scipy.special.ndtri((1.0 + labels.level) / 2.0)), []
    for way, error in _WAYS.items():
        effect, half = data[way].astype(float), z * data[error].astype(float)
        ends = {"effect": effect, "lower": effect - half, "upper": effect + half}
        part = pd.DataFrame({name: np.expm1(value) for name, value in ends.items()})
        parts.append(part.assign(outcome=data["rung"], way=way))
    long = pd.concat(parts).dropna(subset="effect")
    known = {} if truth is None else dict.fromkeys(data["rung"], float(np.expm1(truth)))
    chart = forest(long, known) if len(long) else nothing_to_show()
    counted = "" if firms is None else f"{firms:,} firms"
    title = f"What a point of satisfaction goes with in {outcome}"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle("per cent, by what is compared", f"line: {labels.band}", counted),
        description=f"Dot chart. {title}, by rung of the ladder, naive and corrected for the error "
        f"of a score, with {labels.band}s.",
    )
