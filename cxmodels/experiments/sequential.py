"""Looking at a test before it ends, without fooling oneself: boundaries for a planned number of
looks.

A test that is looked at five times at 5 per cent finds what is not there one time in seven. The
boundaries here keep the chance at alpha over all looks together (O'Brien and Fleming 1979; Pocock
1977; spending functions of Lan and DeMets 1983, Biometrika 70; Jennison and Turnbull 2000, "Group
Sequential Methods"). For looks without a plan see `confidence_sequence`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import expm1, inf, sqrt

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.experiments.comparisons import Comparison, between, finite
from cxmodels.experiments.crossing import START, Crossed, crossing
from cxmodels.experiments.power import sample_size
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import Face, Faced

OBRIEN_FLEMING, POCOCK, WANG_TSIATIS = "obrien-fleming", "pocock", "wang-tsiatis"
SPEND_OF, SPEND_P = "spend obrien-fleming", "spend pocock"
SPEND_HSD, SPEND_POWER = "spend hwang-shih-decani", "spend power"
SHAPES, SPENDING = (
    (OBRIEN_FLEMING, POCOCK, WANG_TSIATIS),
    (SPEND_OF, SPEND_P, SPEND_HSD, SPEND_POWER),
)
PARAMETERS = {WANG_TSIATIS: "delta", SPEND_HSD: "gamma", SPEND_POWER: "rho"}
MOST_LOOKS, CLOSEST = 100, 1e-3
FARTHEST = 40.0  # standard errors


@dataclass(frozen=True, eq=False, repr=False)
class Design(Faced):
    """Boundaries on z at planned looks.

    times: (K,) shares of information, 1 at the last look; upper: (K,) critical values; lower: (K,)
    their negatives in a test of two sides, below which one stops for want of hope where futility
    was asked for, else -inf; alpha: of all sides; kind, parameter: of the boundary; table: look,
    share, upper, lower, nominal_p (of that side), spent (alpha until then, of all sides).
    """

    times: Floats
    upper: Floats
    lower: Floats
    alpha: float
    sides: int
    kind: str
    table: pd.DataFrame
    sentence: str

    @property
    def looks(self) -> int:
        """How many there are."""
        return len(self.times)

    @property
    def binding(self) -> Floats:
        """Lower boundaries that count for the size: futility does not, so it may be overruled."""
        return -self.upper if self.sides == 2 else np.full(self.looks, -inf)

    def crossed(self, drift: float) -> Crossed:
        """Chances of each look, the mean of z at the last being `drift`."""
        return crossing(self.times, self.lower, self.upper, drift)

    def power(self, drift: float) -> float:
        """Chance to reject under `drift`, on either side where there are two."""
        found = self.crossed(drift)
        return float(found.upper.sum() + (found.lower.sum() if self.sides == 2 else 0.0))

    def expected_share(self, drift: float) -> float:
        """Expected share of the units of the last look."""
        found = self.crossed(drift)
        stop = found.upper + found.lower
        stop[-1] += 1.0 - stop.sum()
        return float(self.times @ stop)

    def drift(self, power: float) -> float:
        """The mean of z at the last look under which the test rejects with chance `power`."""
        between("power", power, self.alpha, 1.0)
        return float(scipy.optimize.brentq(lambda x: self.power(x) - power, 0.0, FARTHEST))

    def inflation(self, power: float) -> float:
        """Units at the last look over those of a test of equal power looked at once."""
        once = design(1, alpha=self.alpha, sides=self.sides, kind=POCOCK)
        return float((self.drift(power) / once.drift(power)) ** 2)

    def face(self) -> Face:
        """Boundaries by look."""
        return Face("Looks and their boundaries", self.table, (self.sentence,))


def design(
    looks: int | Sequence[float],
    *,
    kind: str = SPEND_OF,
    alpha: float = 0.05,
    sides: int = 2,
    parameter: float | None = None,
    futility: tuple[str, float] | None = None,
) -> Design:
    """Boundaries for planned looks.

    looks: how many, equally spaced, or their shares of information, growing to 1 (a spending kind
    may stop short of it, as while a test runs; then give the shares that were met). kind:
    "obrien-fleming", "pocock", "wang-tsiatis" (parameter delta), "spend obrien-fleming", "spend
    pocock" (Lan and DeMets), "spend hwang-shih-decani" (gamma), "spend power" (Kim and DeMets's
    rho). sides: 2, or 1 for improvement alone, where futility, a spending kind and a power, adds
    lower boundaries that spend 1 - power; they do not bind: the size holds if one goes on.
    Errors: OptionError for what is none.

    >>> design(3, kind="obrien-fleming").upper.round(4).tolist()
    [3.4711, 2.4544, 2.004]
    """
    between("alpha", alpha, 0.0, 0.5)
    if sides not in (1, 2):
        raise OptionError(f"sides {sides!r} is neither 1 nor 2")
    times = _times(looks, kind)
    tail, given = alpha / sides, _parameter(kind, parameter)
    if kind in SHAPES:
        upper = _shaped(
            times, tail, sides == 2, {POCOCK: 0.5, OBRIEN_FLEMING: 0.0}.get(kind, given)
        )
    else:
        upper = _spent(times, _spending(kind, given)(times, tail), sides == 2)
    lower = -upper if sides == 2 else np.full(len(times), -inf)
    if futility is not None:
        lower = _futile(times, upper, _futility(futility, sides, kind))
    return _recorded((times, upper, lower), alpha, sides, kind)


def calendar_boundary(
    information: Floats, time: Floats, *, kind: str = SPEND_OF, alpha: float = 0.05, sides: int = 2
) -> Floats:
    """Critical values (K,) of looks at `information` (K,), in any unit, where the error is spent by
    the share of the calendar that has passed, `time` (K,): Lan and DeMets (1989), "Group sequential
    procedures: calendar versus information time", Statistics in Medicine 8.

    kind: "spend obrien-fleming" or "spend pocock". Errors: OptionError for what does not grow.

    >>> calendar_boundary(np.array([10.0, 20.0]), np.array([0.5, 1.0])).round(4).tolist()
    [2.9626, 1.9686]
    """
    if kind not in (SPEND_OF, SPEND_P):
        raise OptionError(f"kind {kind!r} is neither {SPEND_OF!r} nor {SPEND_P!r}")
    between("alpha", alpha, 0.0, 0.5)
    shares = _times(information / information[-1], kind)
    return _spent(shares, _spending(kind, 0.0)(time, alpha / sides), sides == 2)


def _times(looks: int | Sequence[float], kind: str) -> Floats:
    if kind not in (*SHAPES, *SPENDING):
        raise OptionError(f"kind {kind!r} is not one of {', '.join((*SHAPES, *SPENDING))}")
    if isinstance(looks, int) and not isinstance(looks, bool):
        if not 1 <= looks <= MOST_LOOKS:
            raise OptionError(f"looks {looks} is not from 1 to {MOST_LOOKS}")
        return np.arange(1, looks + 1) / looks
    try:
        times = np.asarray(looks, dtype=np.float64)
    except (TypeError, ValueError):
        times = np.zeros(0)
    if times.ndim != 1 or not 1 <= times.size <= MOST_LOOKS or not np.isfinite(times).all():
        raise OptionError(f"looks {looks!r} is no number of looks, nor shares of information")
    if not (np.diff(times, prepend=0.0) >= CLOSEST).all() or times[-1] > 1.0 + 1e-9:
        raise OptionError(f"looks {times.tolist()} do not grow from 0 to 1 by {CLOSEST} at least")
    if kind in SHAPES and times[-1] < 1.0 - 1e-9:
        raise OptionError(f"the last look of {kind!r} is at 1; spending kinds may stop short of it")
    return times


def _parameter(kind: str, parameter: float | None) -> float:
    name = PARAMETERS.get(kind)
    if name is None:
        if parameter is not None:
            raise OptionError(f"{kind!r} takes no parameter")
        return 0.0
    if parameter is None:
        raise OptionError(f"{kind!r} takes a parameter, {name}")
    value = finite(name, parameter)
    if kind == SPEND_POWER and value <= 0.0:
        raise OptionError(f"rho {value:g} is not above 0")
    return value


def _spending(kind: str, parameter: float) -> Callable[[Floats, float], Floats]:
    """Error spent until share t, of one side: Lan and DeMets (1983), Hwang, Shih and DeCani (1990),
    Kim and DeMets (1987)."""

    def spent(t: Floats, tail: float) -> Floats:
        if kind == SPEND_OF:
            return np.asarray(
                2.0 * scipy.special.ndtr(scipy.special.ndtri(tail / 2.0) / np.sqrt(t))
            )
        if kind == SPEND_P:
            return tail * np.log1p((np.e - 1.0) * t)
        if kind == SPEND_POWER:
            return tail * np.asarray(t**parameter)
        if abs(parameter) < 1e-8:
            return tail * t
        return tail * np.expm1(-parameter * t) / expm1(-parameter)

    return spent


def _shaped(times: Floats, tail: float, both: bool, delta: float) -> Floats:
    """c t^(delta - 1/2), c such that one side is crossed with chance `tail`."""
    shape = times ** (delta - 0.5)

    def excess(c: float) -> float:
        low = -c * shape if both else np.full(len(times), -inf)
        return float(crossing(times, low, c * shape).upper.sum()) - tail

    c = scipy.optimize.brentq(excess, 1e-6, FARTHEST, xtol=1e-12)
    return np.asarray(c * shape, dtype=np.float64)


def _spent(times: Floats, spent: Floats, both: bool) -> Floats:
    """Critical values that spend so much of one side until each look."""
    walk, upper, own = START, [], np.diff(spent, prepend=0.0)
    for k, time in enumerate(times.tolist()):
        edge = _edge(partial(walk.upper_tail, time, drift=0.0), float(own[k]))
        upper.append(edge / sqrt(time))
        if k + 1 < len(times):
            walk = walk.step(time, (-edge if both else -inf, edge), 0.0, float(times[k + 1]))
    return np.array(upper)


def _edge(tail: Callable[[float], float], wanted: float, side: float = 1.0) -> float:
    """Where the tail beyond is as wanted, above (side 1) or below (-1); infinitely far where
    nothing is left to spend."""
    if wanted < 1e-300 or tail(side * FARTHEST) >= wanted:
        return side * inf
    return float(scipy.optimize.brentq(lambda x: tail(x) - wanted, -FARTHEST, FARTHEST, xtol=1e-12))


def _futility(futility: tuple[str, float], sides: int, kind: str) -> tuple[str, float]:
    if sides == 2 or kind not in (*SHAPES, *SPENDING):
        raise OptionError("futility is for a test of one side")
    if (
        not isinstance(futility, tuple)
        or len(futility) != 2
        or futility[0] not in (SPEND_OF, SPEND_P)
    ):
        raise OptionError(f"futility {futility!r} is a pair as ({SPEND_OF!r}, 0.8): kind and power")
    return futility[0], between("power", futility[1], 0.0, 1.0)


def _futile(times: Floats, upper: Floats, futility: tuple[str, float]) -> Floats:
    """Lower boundaries that spend 1 - power under the drift at which the last of them meets the
    upper one (Pampallona, Tsiatis and Kim 2001, Drug Information Journal 35)."""
    kind, power = futility
    spent = _spending(kind, 0.0)(times, 1.0 - power)

    own = np.diff(spent, prepend=0.0)

    def bounds(drift: float) -> Floats:
        walk, lower = START, []
        for k, time in enumerate(times.tolist()):
            edge = _edge(partial(walk.lower_tail, time, drift=drift), float(own[k]), -1.0)
            last = float(upper[k]) * sqrt(time)
            if edge >= last and k + 1 < len(times):
                return np.full(len(times), inf)  # the drift is larger than any that fits
            lower.append(edge / sqrt(time))
            if k + 1 < len(times):
                walk = walk.step(time, (edge, last), drift, float(times[k + 1]))
        return np.array(lower)

    def gap(drift: float) -> float:
        return min(float(bounds(drift)[-1] - upper[-1]), FARTHEST)

    lower = bounds(float(scipy.optimize.brentq(gap, 0.1, FARTHEST / 2.0, xtol=1e-12)))
    lower[-1] = upper[-1]
    return lower


def _recorded(bounds: tuple[Floats, Floats, Floats], alpha: float, sides: int, kind: str) -> Design:
    """The record of boundaries."""
    times, upper, lower = bounds
    binding = -upper if sides == 2 else np.full(len(times), -inf)
    table = pd.DataFrame({
        "look": np.arange(1, len(times) + 1), "share": times, "upper": upper, "lower": lower,
        "nominal_p": scipy.special.ndtr(-upper),
        "spent": sides * np.cumsum(crossing(times, binding, upper).upper),
    })  # fmt: skip
    naive = np.full(len(times), -scipy.special.ndtri(alpha / sides))
    low = -naive if sides == 2 else binding
    peeked = sides * float(crossing(times, low, naive).upper.sum())
    told = (
        f"{len(times)} look{'s' * (len(times) > 1)}, boundary {kind!r}: over all of them the test "
        f"finds what is not there with a chance of {table['spent'].iloc[-1]:.1%}; a test at "
        f"{alpha:.0%} at each look would with {peeked:.1%}."
    )
    return Design(times, upper, lower, alpha, sides, kind, table, told)


@dataclass(frozen=True, eq=False, repr=False)
class Looks(Faced):
    """Units a design takes.

    table: look, share, units (in all until then), upper, lower (boundaries on z), effect (the
    smallest estimate that is beyond the upper one), stop_without and stop_with (chance to stop at
    this look without and with the effect); n: at the last look; expected_without, expected_with:
    units, on average; fixed: of a test looked at once.
    """

    design: Design
    table: pd.DataFrame
    n: float
    fixed: float
    expected_without: float
    expected_with: float
    sentence: str

    def face(self) -> Face:
        """Units by look."""
        return Face("Units by look", self.table, (self.sentence,))


def sequential_size(
    comparison: Comparison, effect: float, plan: Design, *, power: float = 0.8
) -> Looks:
    """Units with which a design sees `effect` with chance `power`, and what it takes on average.

    The number of a test looked at once, times the design's inflation (Jennison and Turnbull 2000,
    section 2.3). Errors: as `sample_size`.

    >>> from cxmodels.experiments.comparisons import Means
    >>> found = sequential_size(Means(sd=1.0), 0.1, design(4, kind="obrien-fleming"))
    >>> round(found.fixed), round(found.n), round(found.expected_with)
    (3141, 3216, 2612)
    """
    if not isinstance(plan, Design):
        raise OptionError(f"plan is what design() made, got {type(plan).__name__}")
    if plan.times[-1] < 1.0 - 1e-9:
        raise OptionError("the design stops short of its last look: nothing is planned by it")
    once = sample_size(comparison, effect, power=power, alpha=plan.alpha, sides=plan.sides)
    n, drift = once.n * plan.inflation(power), plan.drift(power)
    without, given = plan.crossed(0.0), plan.crossed(drift)
    error = comparison.errors(effect, n).null / np.sqrt(plan.times)
    table = pd.DataFrame({
        "look": plan.table["look"], "share": plan.times, "units": np.ceil(n * plan.times - 1e-9),
        "upper": plan.upper, "lower": plan.lower, "effect": plan.upper * error,
        "stop_without": without.upper + without.lower, "stop_with": given.upper + given.lower,
    }).astype({"units": np.int64})  # fmt: skip
    expected = [n * plan.expected_share(x) for x in (0.0, drift)]
    told = (
        f"At most {np.ceil(n):,.0f} units, {plan.inflation(power) - 1.0:.1%} more than a test "
        f"looked at once; on average {expected[1]:,.0f} if the effect is {effect:.4g} and "
        f"{expected[0]:,.0f} if there is none."
    )
    return Looks(plan, table, n, once.n, expected[0], expected[1], told)
