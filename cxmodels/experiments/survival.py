"""Does an arm keep customers longer? Survival of the arms of a test, where many have not left yet.

Time kept up to a horizon (restricted mean survival), the share left at it, the log-rank test and
the ratio of hazards. A unit that was last seen without the event counts for as long as it was seen:
it neither left then nor stays for ever.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import DataError, FitError, OptionError, Problem
from cxmodels.experiments.answer_tables import label_of
from cxmodels.experiments.families import adjusted
from cxmodels.experiments.survival_counts import WHAT, Curve, SurvivalCounts, survival_counts
from cxmodels.experiments.survival_estimates import Kept, hazard_ratio, kept, log_rank, paired
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

FEWEST = 10  # events of two arms together below which normal intervals are not believed
UNLIKE = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class SurvivalEffects(Faced):
    """table: one row an arm and quantity ("time kept", its ratio, "share left", "hazard ratio"):
    arm, quantity, mean, mean_control, estimate, std_error (of its log for ratios), lower, upper,
    p_value, unit; empty where the data hold no bound. log_rank: arm, chi2, p_value, adjusted.
    arms: arm, n, unknown, events, mean, survival with its interval. counts: what all is made of."""

    table: pd.DataFrame
    log_rank: pd.DataFrame
    arms: pd.DataFrame
    counts: SurvivalCounts
    control: str
    horizon: float
    level: float
    sentences: tuple[str, ...]
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Effects, then what they say and need."""
        head = (f"Survival beside {self.control}, up to {self.horizon:g}, intervals of "
                f"{self.level:.0%}")  # fmt: skip
        return Face(head, self.table, (*self.sentences, *self.notes))


def survival_effects(  # noqa: PLR0913 - the door says everything by keyword
    source: Any,
    *,
    arm: str = "",
    control: Any,
    time: str = "",
    event: str = "",
    horizon: float,
    time_unit: str = "days",
    unit: str | None = None,
    multiplicity: str = "holm",
    level: float = 0.95,
    table: str | None = None,
) -> SurvivalEffects:
    """How long units of each arm stay beside the control, by their times until the event.

    source: one row a unit (a frame, an Arrow table, a Parquet or CSV path, a DuckDB table), or
    `SurvivalCounts` as merged over days, which know their columns; arm, control: the column of
    arms, and the one left alone; time: until the event, or until the unit was last seen without it,
    from 0 on; event: 1 or true where it happened; horizon: up to where time is counted, in the unit
    of `time`, called `time_unit` in tables; unit: if given, none may occur twice; multiplicity: of
    the log-rank tests of several arms; level: of intervals.
    Assumes that units are lost from sight for reasons that have nothing to do with the event.
    Errors: DataError with every problem of the rows; FitError where an arm is not seen up to the
    horizon, or no unit has the event by then.

    >>> import pandas as pd
    >>> seen = pd.DataFrame({"arm": ["A"] * 6 + ["B"] * 6, "left": [1] * 5 + [0] + [1, 1, 0] * 2,
    ...                      "week": [1, 2, 3, 4, 5, 9, 2, 4, 6, 7, 8, 9]})
    >>> found = survival_effects(seen, arm="arm", control="A", time="week", event="left",
    ...                          horizon=8, time_unit="weeks")
    >>> found.table[["quantity", "estimate"]].round(2).values.tolist()[0]
    ['time kept', 2.28]
    """
    inside, until = check_level(level), _horizon(horizon)
    counts = source
    if not isinstance(source, SurvivalCounts):
        counts = survival_counts(source, arm=arm, time=time, event=event, unit=unit, table=table)
    own = label_of(control)
    _check(counts, own, until)
    z = float(scipy.special.ndtri((1.0 + inside) / 2.0))
    found = {name: kept(curve, until) for name, curve in counts.curves.items()}
    rows: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    for name in counts.curves:
        if name == own:
            continue
        pair = paired(counts.curves[own], counts.curves[name])
        rows += [{"arm": name} | row for row in _rows(found[own], found[name], z, time_unit)]
        rows.append({"arm": name} | _hazards(hazard_ratio(pair), z))
        chi2 = log_rank(pair)
        tests.append({"arm": name, "chi2": chi2, "p_value": float(scipy.special.chdtrc(1, chi2))})
    ranks = pd.DataFrame(tests)
    ranks["adjusted"] = adjusted(ranks["p_value"].to_numpy(), multiplicity)
    frame = pd.DataFrame(rows)
    arms = pd.DataFrame([_arm(name, counts.curves[name], found[name], z) for name in found])
    said = tuple(_sentence(row, own, until) for row in rows if row["quantity"] == "time kept")
    return SurvivalEffects(frame, ranks, arms, counts, own, until, inside, said,
                           tuple(_notes(counts, frame, own)))  # fmt: skip


def _horizon(horizon: Any) -> float:
    if (isinstance(horizon, bool) or not isinstance(horizon, int | float | np.number)
            or not np.isfinite(horizon) or horizon <= 0):  # fmt: skip
        raise OptionError(f"horizon {horizon!r} is a number above 0, in the unit of time=")
    return float(horizon)


def _check(counts: SurvivalCounts, control: str, horizon: float) -> None:
    """DataError for arms that are not there; FitError for what the rows do not hold."""
    curves, problems = counts.curves, []
    listed = ", ".join(map(repr, list(curves)[:8])) + (", ..." if len(curves) > 8 else "")
    if control not in curves:
        problems.append(Problem(f"no unit is in arm {control!r}, the control",
                                remedy=f"Arms: {listed}"))  # fmt: skip
    if len(curves) < 2:
        problems.append(Problem(f"there is one arm, {listed}", remedy="A test needs two"))
    for name, curve in curves.items():
        if curve.n < 2:
            problems.append(Problem(f"time and event are known of fewer than 2 units of {name!r}",
                                    curve.n, remedy="Leave the arm out"))  # fmt: skip
    if problems:
        raise DataError(WHAT, problems)
    for name, curve in curves.items():
        last = float(curve.time[-1])
        if last < horizon and curve.censored[-1] > 0:
            most = min(float(c.time[-1]) for c in curves.values() if c.censored[-1] > 0)
            raise FitError(f"nothing is known of arm {name!r} after {last:g}, before the horizon "
                           f"{horizon:g}: take a horizon of at most {most:g}")  # fmt: skip
    still = [name for name, c in curves.items() if not c.events[c.time <= horizon].any()]
    if control in still and len(still) > 1:
        raise FitError(f"no unit of arms {', '.join(map(repr, still))} has the event by "
                       f"{horizon:g}: there is no error to judge a difference by")  # fmt: skip


def _rows(control: Kept, arm: Kept, z: float, unit: str) -> list[dict[str, Any]]:
    """Differences of time and share, and the ratio of times by the delta method on its log."""
    error = (control.mean_variance + arm.mean_variance) ** 0.5
    left = (control.survival_variance + arm.survival_variance) ** 0.5
    first = _row("time kept", (arm.mean, control.mean), arm.mean - control.mean, error, z)
    last = _row("share left", (arm.survival, control.survival), arm.survival - control.survival,
                left, z)  # fmt: skip
    ratio: dict[str, Any] = {"quantity": "ratio of time kept", "mean": arm.mean,
                             "mean_control": control.mean}  # fmt: skip
    if min(arm.mean, control.mean) > 0.0:
        spread = (control.mean_variance / control.mean**2 + arm.mean_variance / arm.mean**2) ** 0.5
        ratio |= _ratio(float(np.log(arm.mean / control.mean)), spread, z) if spread > 0.0 else {}
    return [first | {"unit": unit}, ratio | {"unit": "times"}, last | {"unit": "share"}]


def _row(
    what: str, means: tuple[float, float], estimate: float, error: float, z: float
) -> dict[str, Any]:
    p = float(2.0 * scipy.special.ndtr(-abs(estimate) / error)) if error > 0.0 else None
    some = error > 0.0
    return {"quantity": what, "mean": means[0], "mean_control": means[1], "estimate": estimate,
            "std_error": error if some else None, "lower": estimate - z * error if some else None,
            "upper": estimate + z * error if some else None, "p_value": p}  # fmt: skip


def _ratio(log: float, error: float, z: float) -> dict[str, Any]:
    return {"estimate": float(np.exp(log)), "std_error": error,
            "lower": float(np.exp(log - z * error)), "upper": float(np.exp(log + z * error)),
            "p_value": float(2.0 * scipy.special.ndtr(-abs(log) / error))}  # fmt: skip


def _hazards(found: tuple[float, float] | None, z: float) -> dict[str, Any]:
    row: dict[str, Any] = {"quantity": "hazard ratio", "unit": "times"}
    return row if found is None else row | _ratio(*found, z)


def _arm(name: str, curve: Curve, found: Kept, z: float) -> dict[str, Any]:
    """Survival with the interval of its log(-log), which stays between 0 and 1."""
    s, lower, upper = found.survival, None, None
    if 0.0 < s < 1.0 and found.survival_variance > 0.0:
        half = z * found.survival_variance**0.5 / (s * abs(float(np.log(s))))
        lower, upper = s ** float(np.exp(half)), s ** float(np.exp(-half))
    return {"arm": name, "n": curve.n, "unknown": curve.unknown, "events": int(curve.events.sum()),
            "mean": found.mean, "survival": s, "survival_lower": lower,
            "survival_upper": upper}  # fmt: skip


def _sentence(row: dict[str, Any], control: str, horizon: float) -> str:
    if row["lower"] is None:
        return f"How long {row['arm']} stays beside {control} has no error to judge it by."
    word = "longer" if row["estimate"] >= 0.0 else "less long"
    clear = "" if row["lower"] > 0.0 or row["upper"] < 0.0 else ", which cannot be told from none"
    return (f"Up to {horizon:g} {row['unit']}, a unit of {row['arm']} stays "
            f"{abs(row['estimate']):.3g} {row['unit']} {word} on average than one of {control} "
            f"({row['lower']:+.3g} to {row['upper']:+.3g}){clear}.")  # fmt: skip


def _notes(counts: SurvivalCounts, table: pd.DataFrame, control: str) -> Any:
    yield ("Units lost from sight are taken to be like those still seen (censoring has nothing to "
           "do with the event); the hazard ratio takes it to be one at all times, the others do "
           "not.")  # fmt: skip
    own = counts.curves[control]
    for name, curve in counts.curves.items():
        if curve.unknown:
            yield f"{curve.unknown:,} units of {name} lack time or event, and are left out."
        if name == control:
            continue
        lost, total = own.unknown + curve.unknown, own.n + own.unknown + curve.n + curve.unknown
        if lost and lost < total:
            sides = [[own.n, own.unknown], [curve.n, curve.unknown]]
            p = float(scipy.stats.chi2_contingency(sides, correction=False)[1])
            if p < UNLIKE:
                yield f"Times are missing more in one of {control} and {name} (p {p:.1g})."
        if own.events.sum() + curve.events.sum() < FEWEST:
            yield f"{name} and {control} have fewer than {FEWEST} events: intervals are rough."
    gone = table.loc[(table["quantity"] == "hazard ratio") & table["estimate"].isna(), "arm"]
    for name in gone:
        yield (f"The hazard ratio of {name} has no bound: only one arm has events while the other "
               "is at risk.")  # fmt: skip
