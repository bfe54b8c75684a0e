"""How likely a test is to see an effect, how many units it takes, and the least it can see.

Power is the chance that the test rejects, in either tail where it has two: without an effect it is
the size. Every figure here is analytic; where the outcome is skewed or units few, simulate as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.comparisons import Comparison, between, finite, positive
from cxmodels.results.shown_tables import Face, Faced

MOST = 1e12  # units
KNOWN, FEW = 1e6, 0.1  # degrees of freedom at which an error is known, and at which nothing is
FAR = 40.0  # standard errors


@dataclass(frozen=True)
class Worth:
    """What an effect is worth: `value` money for one unit of the outcome and one customer a year,
    `reach` customers a year whom a roll-out would touch."""

    value: float
    reach: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        positive("value", self.value)
        positive("reach", self.reach)

    def of(self, effect: float) -> float:
        """Money a year."""
        return effect * self.value * self.reach


@dataclass(frozen=True, eq=False, repr=False)
class Planned(Faced):
    """A test as it would be.

    effect: in the outcome's unit; n: units in all, as the formula has it; units: whole ones by arm;
    power, alpha, sides; money: a year, if the effect's worth is known; table: power at effects from
    none (the size) to twice this one.
    """

    comparison: Comparison
    effect: float
    n: float
    power: float
    alpha: float
    sides: int
    units: dict[str, int]
    money: float | None
    table: pd.DataFrame
    sentence: str

    def face(self) -> Face:
        """Power by effect."""
        return Face("Power of the test", self.table, (self.sentence,))


def power(
    comparison: Comparison, effect: float, n: float, *, alpha: float = 0.05, sides: int = 2
) -> float:
    """Chance that a test of `n` units in all rejects under `effect`.

    sides: 2, or 1 for a test in the effect's direction. Errors: OptionError for what cannot be.

    >>> from cxmodels.experiments.comparisons import Means
    >>> round(power(Means(sd=1.0), 1.0, 40), 6)
    0.868953
    """
    _check(comparison, alpha, sides)
    _units(comparison, n)
    return _power(comparison, finite("effect", effect), float(n), alpha / sides, sides == 2)


def sample_size(
    comparison: Comparison,
    effect: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    worth: Worth | None = None,
) -> Planned:
    """The least number of units with which `effect` is seen with chance `power`.

    Errors: OptionError for what cannot be; FitError where no number is enough.

    >>> from cxmodels.experiments.comparisons import Proportions
    >>> planned = sample_size(Proportions(base=0.10), 0.02)
    >>> planned.units
    {'control': 3841, 'treated': 3841}
    """
    _check(comparison, alpha, sides, power)
    if finite("effect", effect) == 0.0:
        raise OptionError("effect is 0: no number of units sees what is not there")

    def reached(log_n: float) -> float:
        n = float(np.exp(log_n))
        return _power(comparison, effect, n, alpha / sides, sides == 2) - power

    low = np.log(max(comparison.least * (1.0 + 1e-9), 1e-6))
    n = float(np.exp(_crossing(reached, low, np.log(MOST))))
    if not isfinite(n):
        raise FitError(
            f"no number of units sees an effect of {effect:g} with a chance of {power:.0%}"
        )
    return _planned(comparison, (effect, n), (power, alpha, sides), worth)


def detectable(
    comparison: Comparison,
    n: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    worth: Worth | None = None,
    up: bool = True,
) -> Planned:
    """The smallest effect that `n` units see with chance `power`, and what it is worth.

    up: whether it is looked for above 0; a share that rises and one that falls differ.
    Errors: OptionError for what cannot be; FitError where no effect is large enough.

    >>> from cxmodels.experiments.comparisons import Means
    >>> planned = detectable(Means(sd=100.0), 10_000, worth=Worth(1.0, 200_000))
    >>> round(planned.effect, 2), round(planned.money)
    (5.6, 1120740)
    """
    _check(comparison, alpha, sides, power)
    _units(comparison, n)
    sign, room = (1.0 if up else -1.0), comparison.room(up)

    def reached(effect: float) -> float:
        return _power(comparison, sign * effect, n, alpha / sides, sides == 2) - power

    high = 1.0 if room == inf else room
    while room == inf and reached(high) < 0.0:
        high *= 4.0
    effect = sign * _crossing(reached, 0.0, high)
    if not isfinite(effect):
        raise FitError(f"{n:,.0f} units see no effect with a chance of {power:.0%}")
    return _planned(comparison, (effect, float(n)), (power, alpha, sides), worth)


def power_table(
    comparison: Comparison,
    effects: Sequence[float],
    n: float,
    *,
    alpha: float = 0.05,
    sides: int = 2,
) -> pd.DataFrame:
    """Columns effect and power, for each effect; that of 0 is the size.

    >>> from cxmodels.experiments.comparisons import Means
    >>> power_table(Means(sd=1.0), [0.0, 0.5], 100)["power"].round(3).tolist()
    [0.05, 0.697]
    """
    rows = [(x, power(comparison, x, n, alpha=alpha, sides=sides)) for x in effects]
    return pd.DataFrame(rows, columns=["effect", "power"])


def _power(comparison: Comparison, effect: float, n: float, tail: float, both: bool) -> float:
    """P(T > c) + P(T < -c), T noncentral t around shift over its error under the effect."""
    e = comparison.errors(effect, n)
    if e.alternative <= 0.0:  # outcomes all alike: any difference is seen
        return 1.0 if e.shift > 0.0 else 2.0 * tail if both else tail
    if e.degrees < FEW:  # where nothing is known of the error there is no power but the size
        return 2.0 * tail if both else tail
    middle, scale = e.shift / e.alternative, e.null / e.alternative
    upper, lower = _tails(middle, scale, tail, e.degrees)
    return upper + lower if both else upper


def _tails(middle: float, scale: float, tail: float, degrees: float) -> tuple[float, float]:
    """Chance of a value above the critical one, and below its negative."""
    if degrees > KNOWN:
        critical = -float(scipy.special.ndtri(tail)) * scale
        upper, lower = scipy.special.ndtr([middle - critical, -critical - middle])
        return float(upper), float(lower)
    critical = -float(scipy.special.stdtrit(degrees, tail)) * scale
    if degrees >= 1.0 and middle - critical > FAR:  # beyond which the noncentral t has no digits
        return 1.0, 0.0
    with np.errstate(all="ignore"):  # older SciPy warns of what it answers rightly
        upper = float(scipy.stats.nct.sf(critical, degrees, middle))
        lower = float(scipy.stats.nct.cdf(-critical, degrees, middle))
    return (upper if isfinite(upper) else 1.0), (lower if isfinite(lower) else 0.0)


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses 0; the low end if it is above 0 there, NaN if it is never."""
    if function(low) >= 0.0:
        return low
    if not function(high) > 0.0:
        return float("nan")
    return float(scipy.optimize.brentq(function, low, high, xtol=1e-13, rtol=1e-13))


def _check(comparison: Comparison, alpha: float, sides: int, power: float | None = None) -> None:
    if not isinstance(comparison, Comparison):
        raise OptionError(
            "this takes a comparison, as Means(sd=1.0) or Proportions(base=0.1), got "
            f"{type(comparison).__name__}"
        )
    between("alpha", alpha, 0.0, 1.0)
    if sides not in (1, 2):
        raise OptionError(f"sides {sides!r} is neither 1 nor 2")
    if power is not None:
        between("power", power, alpha, 1.0)


def _units(comparison: Comparison, n: float) -> None:
    if not positive("n", n) > comparison.least:
        raise OptionError(f"n {n:g} is not above {comparison.least:g}: there is no error to tell")


def _planned(
    comparison: Comparison,
    found: tuple[float, float],
    how: tuple[float, float, int],
    worth: Worth | None,
) -> Planned:
    """The record of an effect and a number of units."""
    (effect, n), (chance, alpha, sides) = found, how
    most = comparison.room(effect > 0.0)
    effects = [0.0, *(x * effect for x in (0.5, 1.0, 1.5, 2.0) if abs(x * effect) <= most)]
    table = power_table(comparison, effects, n, alpha=alpha, sides=sides)
    money = None if worth is None else worth.of(effect)
    if worth is not None:
        table["money"] = [worth.of(x) for x in effects]
    units = comparison.split(n)
    parts = ", ".join(f"{count:,} {name}" for name, count in units.items())
    told = (
        f"With {parts} an effect of {effect:.4g} is seen with a chance of {chance:.0%}, and one "
        f"that is not there with {alpha:.1%}, by a test of {sides} side{'s' * (sides == 2)}"
    )
    if worth is not None and money is not None:
        told += f"; it is worth {money:,.0f} {worth.currency} a year"
    return Planned(comparison, effect, n, chance, alpha, sides, units, money, table, f"{told}.")
