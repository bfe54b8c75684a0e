"""The customer bases of a run: made at the door from the log, kept as tables, read back."""

from datetime import date
from enum import Enum

import pandas as pd

from cxmodels.data.profiles import compress
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import customer_base
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import CxError
from cxmodels.refresh.settings import Config
from cxmodels.refresh.store import Workspace

_PARTS = ("table", "reconciliation", "tracking")
_DAYS = ("start", "end", "holdout_end")


class Window(Enum):
    """Which stretch of the log a base covers."""

    CALIBRATION = "calibration"
    ALL = "all"


def base_of(config: Config, window: Window) -> CustomerBase:
    """The base of a window, from the log; DataError where the log breaks its contract.

    CALIBRATION ends at `end` and carries the hold-out; ALL ends at `holdout_end`, or at `end`
    where there is no hold-out.
    """
    source, base = config.source, config.base
    whole = window is Window.ALL
    return customer_base(
        source.file,
        table=source.table,
        customer=source.customer,
        time=source.time,
        amount=source.amount,
        order=source.order,
        time_format=source.time_format,
        timezone=source.timezone,
        unit=base.unit,
        start=base.start,
        acquired_from=base.acquired_from,
        end=(base.holdout_end or base.end) if whole else base.end,
        holdout_end=None if whole else base.holdout_end,
        collapse=base.collapse,
        duplicates=base.duplicates,
        negative=base.negative,
        regularity=config.model.regular,
        covariates=base.covariates,
        currency=config.value.currency,
    )


def part_of(base: CustomerBase, part: str) -> pd.DataFrame:
    """One of the tables of a base that was made from a log."""
    table: pd.DataFrame | None = getattr(base, part)
    if table is None:
        raise CxError(f"a base made from a log has its {part}; this one has none")
    return table


def keep_base(space: Workspace, base: CustomerBase, window: Window) -> None:
    """Keep a base among the files of the run."""
    for part in _PARTS:
        space.put_table(_name(window, f"{part}.parquet"), part_of(base, part))
    facts = {
        "unit": base.unit.value,
        **{name: _text(getattr(base, name)) for name in _DAYS},
        "holdout_T": base.holdout_T,
        "collapse": None if base.collapse is None else base.collapse.value,
        "currency": base.currency,
        "losses": base.losses,
        "covariates": list(base.covariates),
        "notes": list(base.notes),
    }
    space.put_json(_name(window, "facts.json"), facts)


def kept_base(space: Workspace, window: Window) -> CustomerBase:
    """The base that `keep_base` kept."""
    facts = space.json(_name(window, "facts.json"))
    parts = {part: space.table(_name(window, f"{part}.parquet")) for part in _PARTS}
    seen = (parts["table"][name].to_numpy() for name in ("frequency", "recency", "T"))
    return CustomerBase(
        table=parts["table"],
        reconciliation=parts["reconciliation"],
        tracking=parts["tracking"],
        profiles=compress(*seen),
        unit=TimeUnit.parse(facts["unit"]),
        start=_day(facts["start"]),
        end=_day(facts["end"]),
        holdout_end=_day(facts["holdout_end"]),
        holdout_T=facts["holdout_T"],
        collapse=None if facts["collapse"] is None else Collapse(facts["collapse"]),
        currency=facts["currency"],
        losses=facts["losses"],
        covariates=tuple(facts["covariates"]),
        notes=tuple(facts["notes"]),
    )


def _name(window: Window, file: str) -> str:
    return f"base/{window.value}/{file}"


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
