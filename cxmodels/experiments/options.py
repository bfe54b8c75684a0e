"""Which test to run: every design that one's own past can carry, tried on it, side by side.

Each design is run many times on the past, where nothing happened: what it rejects then is its size.
With the effect put in, what it rejects is its power, which stands beside that of the formula. No
power is told without its size.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.comparisons import Proportions, between, finite
from cxmodels.experiments.metrics import GUARDRAIL, Metric
from cxmodels.experiments.option_designs import DESIGNS, USUAL_HOLDOUT, means_of
from cxmodels.experiments.option_history import Asked, History, history_of
from cxmodels.experiments.option_setting import Made, Setting
from cxmodels.experiments.placebo_trials import SURE, least_seen, share_of
from cxmodels.experiments.power import Worth, detectable, power
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    from cxmodels.experiments.plan import TestPlan

POWER = 0.8
FEWEST, MOST = 50, 5_000  # draws
KNOWN = 20  # placebo tests below which a size is hardly known
DIFFER = "simulation and formula differ"
HOLDS, UNKNOWN, OFF = "holds", "hardly known", "off"
ORDER = {HOLDS: 0, UNKNOWN: 1, OFF: 2}
RULE = (
    "Designs whose size holds come first, then those with too few placebo tests to know it, then "
    "those whose size is off; within these, by the least effect seen (of the formula, or of the "
    "simulation where the two differ), then by cost."
)
WRITTEN = {"mde": ".4g", "mde_money": ",.0f", "cost": ",.0f"}
Told = Callable[[str], None]


@dataclass(frozen=True, eq=False, repr=False)
class Options(Faced):
    """Designs, the best first.

    table: design; size_holds ("holds", "hardly known", "off"); units, treated, clusters (0: none);
    placebos (tests of nothing), size (share of them that reject) with lower and upper; power at
    `effect` with lower and upper, power_formula; mde: the least effect seen with a chance of 80 per
    cent, in the outcome's unit, and mde_formula (inf: none is); mde_money a year, where worth is
    known; days; cost; flag: what is wrong with the figures; threat. Intervals are exact, 99 per
    cent. refused: design, why. best: name of the first whose size holds, None if none does.
    """

    table: pd.DataFrame
    refused: pd.DataFrame
    outcome: str
    effect: float
    best: str | None
    rule: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Size, power and least visible effect by design."""
        shown = ["design", "size", "size_holds", "power", "power_formula", "mde", "mde_money",
                 "days", "cost", "flag"]  # fmt: skip
        kept = [name for name in shown if name in self.table]
        head = f"Designs for {self.outcome}: power at an effect of {self.effect:+.4g}"
        refused = zip(self.refused["design"], self.refused["why"], strict=True)
        not_these = (f"Not {name}: {why}." for name, why in refused)
        told = self.table[kept].copy()
        for name, form in WRITTEN.items():
            if name in told:
                told[name] = [format(value, form) for value in told[name]]
        return Face(head, told, (*self.notes, self.rule, *not_these))


def ranked(  # noqa: PLR0913 - what a history can say, by name
    plan: "TestPlan",
    history: Any,
    *,
    time: str | None = None,
    outcome: str | None = None,
    worth: Worth | None = None,
    effect: float | None = None,
    cluster: str | None = None,
    geo: str | None = None,
    rolled_out: str | None = None,
    uptake: float | None = None,
    periods: int | None = None,
    absent: str = "refuse",
    draws: int = 200,
    seed: int = 1,
    progress: Told | None = None,
) -> Options:
    """What `TestPlan.options` answers; it says what each argument is."""
    metric = _metric(plan, outcome)
    _check(worth, uptake, draws, progress)
    generator(seed)
    asked = Asked(
        plan.unit, time, metric, plan.strata, cluster or plan.cluster or None, geo, rolled_out,
        (plan.start, plan.end), periods, absent,
    )  # fmt: skip
    past = history_of(history, asked)
    setting = _setting(plan, past, uptake, (draws, seed))
    up = metric.better == "higher"
    aim = _aim(setting, effect, up)
    rows, refused = [], []
    for place, (name, design) in enumerate(DESIGNS.items()):
        if progress is not None:
            progress(f"{name}, {place + 1} of {len(DESIGNS)}")
        made = design(setting, (seed, place))
        if isinstance(made, str):
            refused.append((name, made))
        else:
            rows.append(_row(name, made, plan, (aim, 1.0 - plan.level, worth)))
    if not rows:
        raise FitError("no design can be tried on this history: "
                       + "; ".join(f"{name}: {why}" for name, why in refused))  # fmt: skip
    table = _in_order(pd.DataFrame(rows))
    holding = table.loc[table["size_holds"] == HOLDS, "design"]
    return Options(
        table, pd.DataFrame(refused, columns=["design", "why"]), metric.label, aim,
        str(holding.iloc[0]) if len(holding) else None, RULE,
        tuple(_notes(plan, past, table, (effect is None, draws, worth))),
    )  # fmt: skip


def _metric(plan: "TestPlan", outcome: str | None) -> Metric:
    if outcome is None:
        return next(metric for metric in plan.metrics if metric.role != GUARDRAIL)
    for metric in plan.metrics:
        if metric.label == outcome:
            return metric
    listed = ", ".join(metric.label for metric in plan.metrics)
    raise OptionError(f"outcome {outcome!r} is no metric of the plan: {listed}")


def _check(worth: Any, uptake: float | None, draws: Any, progress: Any) -> None:
    if worth is not None and not isinstance(worth, Worth):
        raise OptionError(f"worth {worth!r} is a Worth, as in Worth(value=12.0, reach=200_000)")
    if uptake is not None and uptake != 1.0:
        between("uptake", uptake, 0.0, 1.0)
    if isinstance(draws, bool) or not isinstance(draws, int) or not FEWEST <= draws <= MOST:
        raise OptionError(f"draws {draws!r} is a whole number from {FEWEST} to {MOST:,}")
    if progress is not None and not callable(progress):
        raise OptionError("progress is a function that takes a sentence, as in progress=print")


def _setting(
    plan: "TestPlan", past: History, uptake: float | None, chance: tuple[int, int]
) -> Setting:
    """The control beside the smallest other arm, of the units that are not held out."""
    shares = plan.shares or (1.0 / len(plan.arms),) * len(plan.arms)
    pair = (shares[0], min(shares[1:]))
    part = sum(pair) * (1.0 - plan.holdout)
    n = max(round(part * past.units), 2)
    kept = np.arange(past.units)
    if n < past.units:
        kept = np.sort(generator(chance[1], len(DESIGNS)).permutation(past.units)[:n])
    return Setting(past, kept, pair[1] / sum(pair), plan.holdout or USUAL_HOLDOUT,
                   None if uptake is None else float(uptake), plan.level, *chance)  # fmt: skip


def _aim(setting: Setting, effect: float | None, up: bool) -> float:
    """The effect that power is told at: by default the least that units by lot would see."""
    if not setting.history.y[setting.kept].var() > 0.0:
        raise FitError("the outcome does not vary among the units of the two arms")
    if effect is None:
        comparison = means_of(setting, setting.share)
        n, alpha = setting.kept.size, 1.0 - setting.level
        try:
            return detectable(comparison, n, power=POWER, alpha=alpha, up=up).effect
        except (FitError, OptionError):
            raise FitError(
                f"{n} units see no effect with a chance of {POWER:.0%}: say effect="
            ) from None
    if finite("effect", effect) == 0.0:
        raise OptionError("effect is 0: power is told at an effect, and the size beside it")
    base = float(setting.history.y.mean())
    if setting.history.share and not 0.0 <= base + effect <= 1.0:
        raise OptionError(f"an effect of {effect:g} takes the share {base:.4g} out of 0 to 1")
    return float(effect)


def _row(
    name: str, made: Made, plan: "TestPlan", how: tuple[float, float, Worth | None]
) -> dict[str, Any]:
    """Everything about one design."""
    aim, alpha, worth = how
    size = share_of(made.trial.rejects(0.0, alpha))
    power_at = share_of(made.trial.seen(aim, alpha))
    formula, least = _by_formula(made, aim, alpha)
    start = least if np.isfinite(least) else abs(aim)
    mde = least_seen(made.trial, alpha, float(np.copysign(start, aim)), POWER)
    tests = made.trial.rejects(0.0, alpha).size
    standing = OFF if size[1] > alpha else UNKNOWN if tests < KNOWN else HOLDS
    row: dict[str, Any] = {
        "design": name, "size_holds": standing, "units": made.units, "treated": made.treated,
        "clusters": made.clusters, "placebos": tests, "size": size[0], "size_lower": size[1],
        "size_upper": size[2], "power": power_at[0], "power_lower": power_at[1],
        "power_upper": power_at[2], "power_formula": formula, "mde": mde, "mde_formula": least,
    }  # fmt: skip
    if worth is not None:
        row["mde_money"] = worth.of(mde)
    days = 0 if made.past else (plan.end - plan.start).days + 1
    cost = 0.0 if made.past else plan.cost * made.treated * made.paid
    return row | {"days": days, "cost": cost, "flag": _flag(standing, power_at, formula),
                  "threat": made.threat}  # fmt: skip


def _by_formula(made: Made, aim: float, alpha: float) -> tuple[float, float]:
    """Power at the effect, and the least effect seen; 1 where a share cannot rise so far."""
    seen = aim * made.scale
    if isinstance(made.comparison, Proportions):
        seen = float(np.clip(seen, -made.comparison.base, 1.0 - made.comparison.base))
    if made.n <= made.comparison.least:
        return alpha, inf
    chance = power(made.comparison, seen, made.n, alpha=alpha)
    try:
        least = detectable(made.comparison, made.n, power=POWER, alpha=alpha, up=aim > 0.0)
    except FitError:
        return chance, inf
    return chance, abs(least.effect) / made.scale


def _flag(standing: str, seen: tuple[float, float, float], formula: float) -> str:
    told = []
    if standing == OFF:
        told.append("size off: its power means nothing")
    if standing == UNKNOWN:
        told.append("too few placebo tests to know its size")
    if not seen[1] <= formula <= seen[2]:
        told.append(f"{DIFFER}: trust the simulation")
    return "; ".join(told)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The best first."""
    apart = table["flag"].str.contains(DIFFER)
    least = table["mde"].where(apart, table["mde_formula"])
    keys = [table["cost"].to_numpy(), least.to_numpy(), table["size_holds"].map(ORDER).to_numpy()]
    return table.iloc[np.lexsort(keys)].reset_index(drop=True)


def _notes(
    plan: "TestPlan", past: History, table: pd.DataFrame, how: tuple[bool, int, Worth | None]
) -> Iterator[str]:
    chosen, draws, worth = how
    if chosen:
        yield (f"The effect is the least that units by lot see with a chance of {POWER:.0%} by the "
               "formula: say effect= for another.")  # fmt: skip
    best = table.iloc[0]
    if best["size_holds"] == HOLDS:
        money = "" if worth is None else f" ({best['mde_money']:,.0f} {worth.currency} a year)"
        yield f"Best: {best['design']}, which sees an effect of {best['mde']:.4g}{money}."
        yield f"Its main threat: {best['threat']}"
    else:
        yield "No design is known to hold its size on this past."
    yield (
        f"Sizes are shares of {draws} tests of nothing on the last {past.last} of "
        f"{past.Y.shape[1]} periods, with intervals of {SURE:.0%}; {1 - plan.level:.0%} is right. "
        "Tests at dates overlap, so that theirs is known less well than told."
    )
    if len(plan.arms) > 2:
        yield (f"Of {len(plan.arms)} arms, the control is set beside the smallest other one; "
               "designs by cluster, region and period give all units to these two.")  # fmt: skip
    if plan.looks > 1:
        yield f"Power is that of one look; {plan.looks} looks cost a little of it."
    if past.share:
        yield ("A share rises by units that turn; in designs by region and period its cells rise "
               "alike.")  # fmt: skip
