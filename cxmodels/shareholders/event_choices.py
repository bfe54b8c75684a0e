"""What an event study is asked: events, windows and choices, refused in words if they are none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.given_summaries import as_pandas
from cxmodels.errors import DataError, OptionError, Problem

MODELS = ("market", "market adjusted", "mean", "factors")
CONVENTIONS = ("textbook", "estudy2")


@dataclass(frozen=True, eq=False)
class Choices:
    """first, last: days of the event window; estimation: of the estimation window, in trading days
    from the event, or as days of the calendar; convention: of standardised returns."""

    window: tuple[int, int]
    estimation: tuple[int, int]
    model: str
    convention: str
    logs: bool


def events_of(events: Any) -> pd.DataFrame:
    """asset and date of every event, each once."""
    given = as_pandas(events).reset_index(drop=True)
    missing = [name for name in ("asset", "date") if name not in given]
    if missing:
        raise OptionError(f"events has no column {missing[0]!r}")
    twice = given.duplicated(["asset", "date"])
    if twice.any():
        place = int(np.flatnonzero(twice)[0])
        first = f"row {place + 1:,}: {given['asset'][place]}, {given['date'][place]}"
        raise DataError("events", [Problem("an event stands twice", int(twice.sum()), first)])
    return given[["asset", "date"]]


def windows_of(windows: Any, whole: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """First and last day by name, each within the event window."""
    if windows is None:
        return {f"{whole[0]} to {whole[1]}": whole}
    if not isinstance(windows, Mapping):
        raise OptionError("windows are first and last days by name, as in {'the day': (0, 0)}")
    for name, (begins, ends) in windows.items():
        if begins > ends or ends < whole[0] or begins > whole[1]:
            raise OptionError(f"window {name!r} lies outside of {whole[0]} to {whole[1]}")
    return dict(windows)


def check_choices(how: Choices) -> None:
    if how.convention == "estudy2" and how.model != "market":
        raise OptionError("convention 'estudy2' goes with model='market'")
    if how.model not in MODELS:
        raise OptionError(f"model {how.model!r} is not one of {', '.join(MODELS)}")
    if how.convention not in CONVENTIONS:
        raise OptionError(f"convention {how.convention!r} is not one of {', '.join(CONVENTIONS)}")
    for name, span in (("window", how.window), ("estimation", how.estimation)):
        if not (isinstance(span, tuple) and len(span) == 2
                and all(isinstance(day, int) for day in span)):  # fmt: skip
            raise OptionError(f"{name} is a first and a last day, as in (-1, 1), got {span!r}")
    if not how.window[0] <= how.window[1]:
        raise OptionError(f"window {how.window} does not run forward")
    if not how.estimation[0] <= how.estimation[1] < how.window[0]:
        raise OptionError(
            f"estimation {how.estimation} does not end before the window {how.window}: what is "
            "expected must not know the event"
        )
