"""What was held when: the newest score out before each month, the groups it sorts firms into."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.days import as_days
from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.returns import Returns
from cxmodels.errors import DataError, Problem
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.shareholders.factor_model import LONG_SHORT

FEWEST = 3  # firms in a group, for a month to count


def public_scores(scores: Any, returns: Returns, by: str) -> tuple[pd.DataFrame, list[str]]:
    """Scores in order of release, their changes where asked; DataError without release dates."""
    given = as_pandas(scores).reset_index(drop=True)
    missing = [name for name in ("asset", "score", "released") if name not in given]
    if missing:
        remedy = "A sort by scores that were not out yet is a look into the future"
        raise DataError("scores", [Problem(f"there is no column {missing[0]!r}", remedy=remedy)])
    day = as_days(given["released"])
    number = pd.to_numeric(given["score"], errors="coerce")
    problems = [
        Problem(what, int(broken.sum()), f"row {int(np.flatnonzero(broken)[0]) + 1:,}")
        for what, broken in (
            ("released is no day", day.isna().to_numpy()),
            ("score is no number", (number.isna() & given["score"].notna()).to_numpy()),
            ("an asset has two scores released on one day",
             (given.assign(released=day).duplicated(["asset", "released"])
              & day.notna()).to_numpy()),
        )
        if broken.any()
    ]  # fmt: skip
    if problems:
        raise DataError("scores", problems)
    told = pd.DataFrame({"asset": given["asset"].astype(str), "score": number, "released": day})
    told = told.dropna(subset="score").sort_values(["asset", "released"], ignore_index=True)
    strangers = ~told["asset"].isin(returns.assets)
    if strangers.all():
        names = f"{told['asset'].iloc[0]!r}" if len(told) else "none"
        remedy = f"Scores name firms as {names}, returns as {returns.assets[0]!r}: write them alike"
        raise DataError("scores", [Problem("no firm with scores has returns", len(told),
                                           remedy=remedy)])  # fmt: skip
    audit = []
    if strangers.any():
        lost = told.loc[strangers, "asset"].nunique()
        every = told["asset"].nunique()
        audit.append(
            f"{lost:,} of {every:,} firms with scores have no returns: if they are those that "
            "failed, alphas are those of survivors."
        )
    if by == "change":
        told["score"] = told.groupby("asset")["score"].diff()
        told = told.dropna(subset="score")
    return told[told["asset"].isin(returns.assets)], audit


def known_before(told: pd.DataFrame, months: Any, assets: tuple[str, ...], longest: int) -> Floats:
    """(t, n) newest score that was out before each month began, and is not too old."""
    out = np.full((len(months), len(assets)), np.nan)
    starts = months.to_timestamp()
    place = {name: at for at, name in enumerate(assets)}
    for name, part in told.groupby("asset"):
        released = part["released"].to_numpy()
        last = np.searchsorted(released, starts.to_numpy(), side="left") - 1
        there = last >= 0
        of = part["score"].to_numpy()[np.maximum(last, 0)]
        age = (starts.to_numpy() - released[np.maximum(last, 0)]) / np.timedelta64(1, "D") / 30.44
        out[:, place[str(name)]] = np.where(there & (age <= longest), of, np.nan)
    return out


def groups_of(known: Floats, values: Floats, groups: int) -> Ints:
    """(t, n) group from 0 by quantiles of the scores of a month; -1 without score or return."""
    out = np.full(known.shape, -1, dtype=np.int64)
    for t, row in enumerate(known):
        use = np.flatnonzero(np.isfinite(row) & np.isfinite(values[t]))
        if use.size < groups * FEWEST:
            continue
        cuts = np.quantile(row[use], np.arange(1, groups) / groups)
        out[t, use] = np.searchsorted(cuts, row[use], side="left")
    return out


def with_last_month(values: Floats, lost: float) -> tuple[Floats, int]:
    """Returns (t, n) with `lost` in the month after the last of each asset that ends early: who
    held it did not know; and how many end."""
    out, t = values.copy(), len(values)
    there = np.isfinite(values)
    last = t - 1 - np.argmax(there[::-1], axis=0)
    gone = np.flatnonzero((last < t - 1) & there.any(axis=0))
    out[last[gone] + 1, gone] = lost
    return out, gone.size


def sizes_of(size: pd.DataFrame | None, months: Any, returns: Returns) -> Floats:
    if size is None:
        return np.ones(returns.values.shape)
    frame = size.set_axis(pd.DatetimeIndex(pd.to_datetime(size.index)).to_period("M"))
    held = frame.reindex(index=months, columns=list(returns.assets)).to_numpy(dtype=np.float64)
    return np.where(np.isfinite(held) & (held > 0), held, 0.0)


def weights_of(place: Ints, size: Floats | None, groups: int) -> Floats:
    """(g, t, n) weights that sum to 1 in each group and month; 0 where a group is too small."""
    out = np.zeros((groups, *place.shape))
    for group in range(groups):
        member = place == group
        enough = member.sum(axis=1) >= FEWEST
        raw = member * (1.0 if size is None else size) * enough[:, None]
        total = raw.sum(axis=1, keepdims=True)
        out[group] = np.divide(raw, total, out=np.zeros_like(raw), where=total > 0)
    return out


def returns_of_groups(
    values: Floats, held: Floats, months: Any, cost: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns of groups by month, less the cost of trading into them; and what they held."""
    filled = np.where(np.isfinite(values), values, 0.0)
    made, rows, paid = {}, [], {}
    for group, weight in enumerate(held):
        there = weight.sum(axis=1) > 0
        gross = (weight * filled).sum(axis=1)
        grown = weight * (1.0 + filled)
        total = grown.sum(axis=1, keepdims=True)
        drifted = np.divide(grown, total, out=np.zeros_like(grown), where=total > 0)
        before = np.vstack([np.zeros((1, weight.shape[1])), drifted[:-1]])
        turnover = 0.5 * np.abs(weight - before).sum(axis=1)
        name = str(group + 1)
        paid[name] = 2.0 * cost * turnover  # what is bought and what is sold
        made[name] = np.where(there, gross - paid[name], np.nan)
        rows.append(pd.DataFrame({"month": months, "group": group + 1, "turnover": turnover,
                                  "firms": (weight > 0).sum(axis=1)})[there])  # fmt: skip
    frame = pd.DataFrame(made, index=months)
    names = list(frame.columns)
    frame[LONG_SHORT] = frame[names[-1]] - frame[names[0]] - 2.0 * paid[names[0]]  # short: pays too
    return frame, pd.concat(rows, ignore_index=True)
