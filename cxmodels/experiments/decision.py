"""From an effect in money to a decision: by the rule of the plan, with what either choice may lose.

The effect on value a unit, less what the lever costs a unit, is the net value; what is known of it
is normal. A prior around none, with the spread that effects of such levers have, shrinks it: of
many tests the one that looks best is best in part by luck (winner's curse). What testing longer is
worth is the mean of what a better informed choice would bring more (Raiffa and Schlaifer 1961,
"Applied Statistical Decision Theory", section 5.5).
"""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.experiments.answer_tables import ASKEW, ODD
from cxmodels.experiments.plan import Rule
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

KEEP, DROP = "keep", "drop"


@dataclass(frozen=True, eq=False, repr=False)
class Decision(Faced):
    """choice: "keep" or "drop"; table: what, value, unit (effect as measured and shrunk, cost, net
    value with its interval, probability that it is above what the rule asks, expected loss of
    either choice, worth of testing longer, payback); reasons: why, in sentences."""

    choice: str
    table: pd.DataFrame
    level: float
    reasons: tuple[str, ...]

    def face(self) -> Face:
        """The choice, and what stands behind it."""
        head = f"Decision by the rule: {self.choice} the lever (interval {self.level:.0%})"
        return Face(head, self.table, self.reasons)


@dataclass(frozen=True)
class _Known:
    """Net value a unit: mean and spread."""

    mean: float
    spread: float

    def above(self, least: float) -> float:
        """Probability that it is above `least`."""
        return float(scipy.special.ndtr((self.mean - least) / self.spread))

    def gain(self, spread: float | None = None) -> float:
        """E max(x, 0) of a normal x with this mean."""
        s = self.spread if spread is None else spread
        if s <= 0.0:
            return max(self.mean, 0.0)
        z = self.mean / s
        density = float(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))
        return self.mean * float(scipy.special.ndtr(z)) + s * density

    @property
    def loss(self) -> float:
        """E max(-x, 0)."""
        return self.gain() - self.mean


def decide(  # noqa: PLR0913 - everything that a decision in money rests on, by name
    effect: float,
    std_error: float,
    *,
    cost: float,
    units: float,
    rule: Rule | None = None,
    prior_sd: float | None = None,
    longer: float = 1.0,
    once: float = 0.0,
    guardrails: dict[str, bool] | None = None,
    sample_ratio: float | None = None,
    level: float = 0.9,
) -> Decision:
    """Keep the lever, or drop it?

    effect, std_error: on value a unit (money, such as margin now and the change in residual CLV);
    cost: of the lever a unit; units: that it would be given to a year; rule: of the plan; prior_sd:
    spread of true effects of levers like this (None: the effect is taken as measured); longer: how
    many times the present test another one would be; once: what it costs to roll the lever out,
    borne by the units of the first year;
    guardrails: name -> whether it holds; sample_ratio: p-value of the arms' sizes, of `analyse`:
    where they are not as drawn, nothing is shipped on the test; level: of the interval.

    >>> decide(3.0, 1.0, cost=1.0, units=10_000).choice
    'keep'
    """
    inside, rule = check_level(level), rule or Rule()
    if not isinstance(rule, Rule):
        raise OptionError(f"rule= is a Rule, as in Rule(sure=0.9), got {type(rule).__name__}")
    _check({"effect": effect, "cost": cost, "once": once}, std_error, units, prior_sd, longer)
    keep = 1.0 if prior_sd is None else prior_sd**2 / (prior_sd**2 + std_error**2)
    net = _Known(keep * effect - cost - once / units, float(np.sqrt(keep)) * std_error)
    yearly = units * (net.mean + once / units)
    z = float(scipy.special.ndtri((1.0 + inside) / 2.0))
    sure, broken = net.above(rule.least), [n for n, held in (guardrails or {}).items() if not held]
    odd = sample_ratio is not None and sample_ratio < ODD
    choice = KEEP if sure >= rule.sure and not broken and not odd else DROP
    worth = units * _worth_of_more(net, std_error, prior_sd, longer)
    again = "as much" if longer == 1.0 else f"{longer:g} times as much"
    rows = [
        ("effect, as measured", effect, "money a unit"),
        ("effect, shrunk", keep * effect, "money a unit"), ("cost", cost, "money a unit"),
        ("roll-out", once / units, "money a unit"),
        ("net value", net.mean, "money a unit"),
        ("net value, lower", net.mean - z * net.spread, "money a unit"),
        ("net value, upper", net.mean + z * net.spread, "money a unit"),
        (f"probability of more than {rule.least:g}", sure, "share"),
        ("net value of all", units * net.mean, "money a year"),
        ("expected loss if kept", units * net.loss, "money a year"),
        ("expected loss if dropped", units * net.gain(), "money a year"),
        (f"worth of testing {again} again", worth, "money a year"),
        ("payback", once / yearly if yearly > 0.0 else None, "years"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["what", "value", "unit"])
    reasons = (*([ASKEW.format(sample_ratio)] if odd else []),
               *_reasons(rule, sure, broken, keep, worth))  # fmt: skip
    return Decision(choice, table, inside, reasons)


def _check(numbers: dict[str, Any], std_error: Any, units: Any, prior_sd: Any, longer: Any) -> None:
    for name, own in numbers.items():
        if not (isinstance(own, Real) and np.isfinite(float(own))):
            raise OptionError(f"{name} must be money, a finite number; it is {own!r}")
    for name, own in (("std_error", std_error), ("units", units), ("longer", longer),
                      ("prior_sd", 1.0 if prior_sd is None else prior_sd)):  # fmt: skip
        if not (isinstance(own, Real) and np.isfinite(float(own)) and float(own) > 0.0):
            raise OptionError(f"{name} must be a number above 0; it is {own!r}")


def _worth_of_more(net: _Known, std_error: float, prior_sd: float | None, longer: float) -> float:
    """What a choice after a further test of `longer` times the size brings more, a unit."""
    now = net.spread**2
    later = 1.0 / (1.0 / now + longer / std_error**2)
    if prior_sd is None:
        later = std_error**2 / (1.0 + longer)
    moves = float(np.sqrt(max(now - later, 0.0)))  # spread of where the mean will be then
    return net.gain(moves) - max(net.mean, 0.0)


def _reasons(rule: Rule, sure: float, broken: list[str], keep: float, worth: float) -> Any:
    told = "above 0.999" if sure > 0.999 else "below 0.001" if sure < 0.001 else f"{sure:.3f}"
    yield (
        f"Net value is above {rule.least:g} a unit with probability {told}; the rule asks for "
        f"{rule.sure:g}."
    )
    if broken:
        yield f"Guardrails broken: {', '.join(broken)}: the rule drops the lever whatever it earns."
    if keep < 1.0:
        yield f"The effect is shrunk to {keep:.0%} of what was measured, towards levers like it."
    if worth < 0.5:
        yield "A further test is worth nothing: it would not change the choice."
        return
    yield (
        f"A further test can be worth up to {worth:,.0f} a year in a better choice: run it if it "
        "costs less."
    )
