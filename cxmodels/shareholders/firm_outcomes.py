"""What a firm's satisfaction may move: its value, its cash flow, its risk; on locked rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.firms import FirmPanel, tobins_q
from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats

OVERLAPPING = (
    "cash flow growth",
    "cash flow variability",
    "systematic risk",
    "idiosyncratic risk",
    "cost of equity",
)
TAKEN = ("firm", "period", "score", "released", "valued", "delisted")
AHEAD, FEWEST = 5, 4  # periods of cash flow that its variability is read from, and the least
LEVELS = {
    "systematic risk": ("beta", "units of beta"),
    "cost of equity": ("cost_of_equity", "per cent a year"),
}
OUTCOMES = ("q", "market value", "cash flow growth", "cash flow variability", "systematic risk",
            "idiosyncratic risk", "cost of equity")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Locked:
    """The rows (held: firm, period, score, y, controls, industry) that all rungs share; columns
    beside the score; overlapping: whether outcomes of years share periods; unit of y: "log", or
    that of a level; worth: money of a log at the median firm (None: none); notes."""

    held: pd.DataFrame
    columns: list[str]
    overlapping: bool
    unit: str
    worth: float | None
    notes: tuple[str, ...]


def names_of(controls: Any) -> list[str]:
    """Names of columns, each once; OptionError for what is none."""
    if isinstance(controls, str) or not isinstance(controls, Iterable):
        raise OptionError(f"controls are names of columns, as in ['size'], got {controls!r}")
    given = list(controls)
    odd = [name for name in given if not isinstance(name, str) or name in TAKEN]
    if odd:
        raise OptionError(f"{odd[0]!r} is no control")
    return list(dict.fromkeys(given))


def locked(panel: FirmPanel, outcome: str, definition: str, controls: list[str]) -> Locked:
    """The rows that every rung uses: all columns known, two rows of a firm or more."""
    if outcome not in OUTCOMES:
        raise OptionError(f"outcome {outcome!r} is not one of {', '.join(OUTCOMES)}")
    missing = [name for name in controls if name not in panel.table]
    if missing:
        raise OptionError(f"control {missing[0]!r} is no column of the panel")
    y, given = _outcome(panel, outcome, definition)
    unit = LEVELS[outcome][1] if outcome in LEVELS else "log"
    how = outcome in OVERLAPPING, unit, _worth(panel, outcome)
    return _locked(panel, y, (controls, given), how)


def locked_column(panel: FirmPanel, name: str, controls: list[str]) -> Locked:
    """The same for a column of the panel, as it is."""
    for own in (name, *controls):
        if own not in panel.table:
            listed = ", ".join((*OUTCOMES, *map(str, panel.table.columns)))
            raise OptionError(f"{own!r} is neither an outcome nor a column of the panel: {listed}")
    if name in TAKEN or not pd.api.types.is_numeric_dtype(panel.table[name]):
        raise OptionError(f"{name!r} is no outcome: outcomes are columns of numbers")
    y = panel.table[name].to_numpy(dtype=np.float64)
    return _locked(panel, y, (controls, {}), (False, f"units of {name}", None))


def _locked(
    panel: FirmPanel, y: Floats, beside: tuple[list[str], dict[str, Floats]],
    how: tuple[bool, str, float | None],
) -> Locked:  # fmt: skip
    t, (controls, given) = panel.table, beside
    held = t[["firm", "period", "score", *controls]].assign(y=y, **given)
    if "industry" in t:
        held["industry"] = t["industry"]
    numbers = held[["score", "y", *controls, *given]].apply(pd.to_numeric, errors="coerce")
    known = np.isfinite(numbers.to_numpy(dtype=np.float64)).all(axis=1)
    if "industry" in held:
        known &= held["industry"].notna().to_numpy()
    held = held[known]
    held = held[held.groupby("firm")["y"].transform("size") > 1]
    if held.empty:
        raise FitError(f"no firm has two rows with all columns known: {_lacking(numbers, t)}")
    if float(np.ptp(held["y"])) == 0.0:
        raise FitError("the outcome is the same in every row")
    lost = len(t) - len(held)
    said = (f"Locked on {len(held):,} rows of {held['firm'].nunique():,} firms; {lost:,} rows lack "
            "a column or are a firm's only one.")  # fmt: skip
    rows = held.reset_index(drop=True)
    return Locked(rows, [*controls, *given], *how, (said,))


def _lacking(numbers: pd.DataFrame, t: pd.DataFrame) -> str:
    """Rows in which each column is a finite number."""
    counts = {"the outcome" if name == "y" else name: int(np.isfinite(numbers[name]).sum())
              for name in numbers}  # fmt: skip
    if "industry" in t:
        counts["industry"] = int(t["industry"].notna().sum())
    return ", ".join(f"{name} in {count:,} of {len(t):,} rows" for name, count in counts.items())


def _outcome(panel: FirmPanel, outcome: str, definition: str) -> tuple[Floats, dict[str, Floats]]:
    """The outcome (n,), and columns that belong beside it."""
    t = panel.table
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN: left out and counted
        if outcome == "q":
            return np.log(np.where((q := tobins_q(panel, definition)) > 0, q, np.nan)), {}
        if outcome == "market value":
            book = _column(t, "book_equity", outcome)
            return np.log(_column(t, "market_value", outcome)), {
                "log_book_equity": np.log(np.where(book > 0, book, np.nan))
            }
        if outcome == "cash flow growth":
            return _growth(t, _column(t, "cash_flow", outcome)), {}
        if outcome == "cash flow variability":
            flow = _column(t, "cash_flow", outcome) / _column(t, "total_assets", outcome)
            return np.log(_variability(t, flow)), {}
        if outcome == "idiosyncratic risk":
            return np.log(_column(t, "idiosyncratic_risk", outcome)), {}
        return _column(t, LEVELS[outcome][0], outcome), {}


def _column(t: pd.DataFrame, name: str, outcome: str) -> Floats:
    if name in t:
        return np.asarray(t[name].to_numpy(dtype=np.float64))
    made = name in ("beta", "idiosyncratic_risk", "cost_of_equity")
    remedy = ": add it with firm_returns(panel, returns, factors)" if made else ""
    raise OptionError(f"{outcome!r} needs {name} in the panel{remedy}")


def _growth(t: pd.DataFrame, flow: Floats) -> Floats:
    """Log of the next period's cash flow over this one's."""
    logs = pd.Series(np.log(np.where(flow > 0, flow, np.nan)), index=t.index)
    following = logs.shift(-1).where(
        (t["firm"] == t["firm"].shift(-1)) & (t["period"].shift(-1) == t["period"] + 1)
    )
    return np.asarray((following - logs).to_numpy(dtype=np.float64))


def _variability(t: pd.DataFrame, flow: Floats) -> Floats:
    """(n,) standard deviation of cash flow over assets, of this period and the AHEAD - 1 after."""
    # a series has no pivot_table
    wide = pd.Series(flow, index=[t["firm"], t["period"]]).unstack()  # noqa: PD010
    first, last = int(t["period"].min()), int(t["period"].max())
    wide = wide.reindex(columns=range(first, last + AHEAD))
    values = wide.to_numpy(dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(values, AHEAD, axis=1)
    known = np.isfinite(windows)
    count = known.sum(axis=2)
    mean = np.where(known, windows, 0.0).sum(axis=2) / np.maximum(count, 1)
    away = np.where(known, windows - mean[..., None], 0.0)
    spread = np.sqrt((away**2).sum(axis=2) / np.maximum(count - 1, 1))
    out = np.where((count >= FEWEST) & (spread > 0), spread, np.nan)
    firm = wide.index.get_indexer(pd.Index(t["firm"]))
    return np.asarray(out[firm, t["period"].to_numpy() - first])


def _worth(panel: FirmPanel, outcome: str) -> float | None:
    """Money of one log of the outcome at the panel's median row: market value and, of q, debt."""
    t: Any = panel.table
    if outcome not in ("q", "market value") or "market_value" not in t:
        return None
    value = t["market_value"]
    if outcome == "q" and {"total_assets", "book_equity"} <= {*t.columns}:
        value = value + t["total_assets"] - t["book_equity"]
    return float(value.median())
