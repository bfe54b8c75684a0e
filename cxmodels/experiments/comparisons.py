"""What is compared, and how precisely n units tell it: means, shares, ratios, clusters, waves.

Each comparison says the error of the difference between a treated and a control arm; `power` turns
it into power, size of sample and smallest detectable effect. Effects are differences in the
outcome's own unit.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import asin, ceil, inf, isfinite, sqrt

import numpy as np

from cxmodels.errors import OptionError

POOLED, ARCSINE = "pooled", "arcsine"


@dataclass(frozen=True)
class Errors:
    """Of the difference that is tested: its size under the effect, its standard error without
    effect and with it, and the degrees of freedom of that error (inf: known)."""

    shift: float
    null: float
    alternative: float
    degrees: float = inf


class Comparison(ABC):
    """A treated arm against a control."""

    @property
    @abstractmethod
    def least(self) -> float:
        """Above so many units in all there is an error."""

    @abstractmethod
    def errors(self, effect: float, n: float) -> Errors:
        """Of `n` units in all."""

    @abstractmethod
    def split(self, n: float) -> dict[str, int]:
        """Whole units by arm, and clusters or pairs by arm, that hold `n` at least."""

    def room(self, up: bool) -> float:
        """The largest effect there can be, upwards or downwards."""
        del up
        return inf


def positive(name: str, value: float) -> float:
    """`value` if it is a finite number above 0, or OptionError."""
    if _number(value) and value > 0.0:
        return float(value)
    raise OptionError(f"{name} {value!r} is no number above 0")


def between(name: str, value: float, low: float, high: float) -> float:
    """`value` if it lies strictly between two numbers, or OptionError."""
    if _number(value) and low < value < high:
        return float(value)
    raise OptionError(f"{name} {value!r} does not lie between {low:g} and {high:g}")


def finite(name: str, value: float) -> float:
    """`value` if it is a finite number, or OptionError."""
    if _number(value):
        return float(value)
    raise OptionError(f"{name} {value!r} is no number")


def _number(value: object) -> bool:
    real = isinstance(value, int | float | np.floating | np.integer)
    return real and not isinstance(value, bool) and isfinite(float(value))  # type: ignore[arg-type]


def _arms(n: float, share: float) -> dict[str, int]:
    return {"control": ceil(n * (1.0 - share) - 1e-9), "treated": ceil(n * share - 1e-9)}


@dataclass(frozen=True)
class Means(Comparison):
    """Two means by a t test (Student's, or Welch's where the arms have their own sd).

    sd: of the outcome, or (control, treated); share: of units that are treated; correlation: of the
    outcome with what was known before, used to adjust (CUPED): the sd shrinks by sqrt(1 - r^2).
    """

    sd: float | tuple[float, float]
    share: float = 0.5
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.sd, tuple) and len(self.sd) != 2:
            raise OptionError(f"sd {self.sd!r} is one number, or (control, treated)")
        for value in self._sds:
            positive("sd", value)
        between("share", self.share, 0.0, 1.0)
        between("correlation", self.correlation, -1.0, 1.0)

    @property
    def _sds(self) -> tuple[float, float]:
        return self.sd if isinstance(self.sd, tuple) else (self.sd, self.sd)

    @property
    def _known(self) -> float:
        """Coefficients beside the two means."""
        return 1.0 if self.correlation else 0.0

    @property
    def least(self) -> float:
        """Two units, and one more a coefficient; own variances need two units an arm."""
        if isinstance(self.sd, tuple):
            return (1.0 + self._known) / min(self.share, 1.0 - self.share)
        return 2.0 + self._known

    def errors(self, effect: float, n: float) -> Errors:
        """s sqrt(1/n1 + 1/n0), n - 2 degrees; Welch and Satterthwaite's of two variances."""
        left = 1.0 - self.correlation**2
        n0, n1 = n * (1.0 - self.share), n * self.share
        v0, v1 = (left * sd**2 / m for sd, m in zip(self._sds, (n0, n1), strict=True))
        degrees = n - 2.0 - self._known
        if isinstance(self.sd, tuple):
            apart = v0**2 / (n0 - 1.0) + v1**2 / (n1 - 1.0)
            degrees = (v0 + v1) ** 2 / apart - self._known
        return Errors(abs(effect), sqrt(v0 + v1), sqrt(v0 + v1), degrees)

    def split(self, n: float) -> dict[str, int]:
        """Units by arm."""
        return _arms(n, self.share)


@dataclass(frozen=True)
class Proportions(Comparison):
    """Two shares, base and base + effect.

    method: "pooled", whose error without effect is that of the pooled share (power.prop.test), or
    "arcsine", Cohen's h (Cohen 1988, section 6.2); share: of units that are treated.
    """

    base: float
    share: float = 0.5
    method: str = POOLED

    def __post_init__(self) -> None:
        between("base", self.base, 0.0, 1.0)
        between("share", self.share, 0.0, 1.0)
        if self.method not in (POOLED, ARCSINE):
            raise OptionError(f"method {self.method!r} is neither {POOLED!r} nor {ARCSINE!r}")

    @property
    def least(self) -> float:
        """Any number of units."""
        return 0.0

    def room(self, up: bool) -> float:
        """To one, or to nothing."""
        return 1.0 - self.base if up else self.base

    def errors(self, effect: float, n: float) -> Errors:
        """Without effect and with it; both 1 over root n for arcsines."""
        p0, p1 = self.base, self.base + effect
        if not 0.0 <= p1 <= 1.0:
            raise OptionError(f"an effect of {effect:g} takes the share {p0:g} out of 0 to 1")
        n0, n1 = n * (1.0 - self.share), n * self.share
        if self.method == ARCSINE:
            h = abs(2.0 * asin(sqrt(p1)) - 2.0 * asin(sqrt(p0)))
            return Errors(h, sqrt(1.0 / n0 + 1.0 / n1), sqrt(1.0 / n0 + 1.0 / n1))
        pooled = (1.0 - self.share) * p0 + self.share * p1
        null = sqrt(pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1))
        return Errors(abs(effect), null, sqrt(p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1))

    def split(self, n: float) -> dict[str, int]:
        """Units by arm."""
        return _arms(n, self.share)


@dataclass(frozen=True)
class Ratios(Comparison):
    """A ratio of two means, as of revenue over orders, by the delta method.

    above, below: (mean, sd) of the two for one unit; correlation: between them; share: treated.
    """

    above: tuple[float, float]
    below: tuple[float, float]
    correlation: float
    share: float = 0.5

    def __post_init__(self) -> None:
        positive("mean below", self.below[0])
        positive("sd above", self.above[1])
        if self.below[1]:
            positive("sd below", self.below[1])
        between("share", self.share, 0.0, 1.0)
        if not (_number(self.correlation) and -1.0 <= self.correlation <= 1.0):
            raise OptionError(f"correlation {self.correlation!r} does not lie from -1 to 1")

    @property
    def sd(self) -> float:
        """Of (above - ratio below) / mean of below, of which a unit's part in the ratio is made."""
        (top, s), (bottom, t) = self.above, self.below
        ratio = top / bottom
        variance = s**2 + (ratio * t) ** 2 - 2.0 * ratio * self.correlation * s * t
        return sqrt(max(variance, 0.0)) / bottom

    @property
    def least(self) -> float:
        """Any number of units."""
        return 0.0

    def errors(self, effect: float, n: float) -> Errors:
        """A known sd: the delta method needs many units anyway."""
        error = self.sd * sqrt(1.0 / (n * self.share) + 1.0 / (n * (1.0 - self.share)))
        return Errors(abs(effect), error, error)

    def split(self, n: float) -> dict[str, int]:
        """Units by arm."""
        return _arms(n, self.share)


@dataclass(frozen=True)
class Clusters(Comparison):
    """Whole clusters in one arm.

    of: what is compared; size: units of a cluster, on average; icc: share of variance between
    clusters; variation: sd over mean of cluster sizes. The design effect is 1 + ((1 + v^2) m - 1)
    icc (Eldridge, Ashby and Kerry 2006, International Journal of Epidemiology 35, equation 3); its
    error has the degrees of the number of clusters less 2.
    """

    of: Means | Proportions | Ratios
    size: float
    icc: float
    variation: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.of, Means | Proportions | Ratios):
            raise OptionError("clusters are of Means, Proportions or Ratios")
        if not (_number(self.size) and self.size >= 1.0):
            raise OptionError(f"size {self.size!r} is no number of units from 1 on")
        if not (_number(self.icc) and 0.0 <= self.icc <= 1.0):
            raise OptionError(f"icc {self.icc!r} is no share from 0 to 1")
        if not (_number(self.variation) and self.variation >= 0.0):
            raise OptionError(f"variation {self.variation!r} is no number from 0 on")

    @property
    def design_effect(self) -> float:
        """How many times the units are needed that would do without clusters."""
        return 1.0 + ((1.0 + self.variation**2) * self.size - 1.0) * self.icc

    @property
    def least(self) -> float:
        """Two clusters."""
        return max(2.0 * self.size, self.of.least)

    def room(self, up: bool) -> float:
        """Of what is compared."""
        return self.of.room(up)

    def errors(self, effect: float, n: float) -> Errors:
        """As without clusters, wider by the root of the design effect."""
        plain, wider = self.of.errors(effect, n), sqrt(self.design_effect)
        degrees = n / self.size - 2.0
        return Errors(plain.shift, plain.null * wider, plain.alternative * wider, degrees)

    def split(self, n: float) -> dict[str, int]:
        """Whole clusters by arm, and their units."""
        share = self.of.share
        clusters = [max(ceil(part * n / self.size - 1e-9), 1) for part in (1.0 - share, share)]
        named = dict(zip(("control clusters", "treated clusters"), clusters, strict=True))
        units = [ceil(count * self.size - 1e-9) for count in clusters]
        return dict(zip(("control", "treated"), units, strict=True)) | named


@dataclass(frozen=True)
class Pairs(Comparison):
    """Matched pairs, one of each treated, by a t test of their differences.

    sd: of the outcome; correlation: between the outcomes of the two of a pair.
    """

    sd: float
    correlation: float

    def __post_init__(self) -> None:
        positive("sd", self.sd)
        between("correlation", self.correlation, -1.0, 1.0)

    @property
    def least(self) -> float:
        """One pair."""
        return 2.0

    def errors(self, effect: float, n: float) -> Errors:
        """sd sqrt(2 (1 - r) / pairs), pairs - 1 degrees."""
        pairs = n / 2.0
        error = self.sd * sqrt(2.0 * (1.0 - self.correlation) / pairs)
        return Errors(abs(effect), error, error, pairs - 1.0)

    def split(self, n: float) -> dict[str, int]:
        """Units by arm, which are pairs."""
        pairs = ceil(n / 2.0 - 1e-9)
        return {"control": pairs, "treated": pairs, "pairs": pairs}


@dataclass(frozen=True)
class SteppedWedge(Comparison):
    """Clusters that all begin as controls and are treated in waves (Hussey and Hughes 2007,
    Contemporary Clinical Trials 28).

    waves: clusters that start treatment at each step; sd: of a unit within cluster and period;
    between: sd of clusters; effects: sd of the treatment's effect between clusters, correlated by
    `correlation` with the cluster's level; periods: sd of clusters from period to period; extra:
    periods after the last wave. Units are new in every period, as many in each cluster and period.
    """

    waves: tuple[int, ...]
    sd: float
    between: float
    effects: float = 0.0
    correlation: float = 0.0
    periods: float = 0.0
    extra: int = 0

    def __post_init__(self) -> None:
        positive("sd", self.sd)
        whole = all(isinstance(count, int) and count >= 1 for count in self.waves)
        if not (isinstance(self.waves, tuple) and self.waves and whole) or sum(self.waves) < 2:
            raise OptionError(f"waves {self.waves!r} are no numbers of clusters, as in (6, 6, 6)")
        for name in ("between", "effects", "periods"):
            if getattr(self, name):
                positive(name, getattr(self, name))
        if not (_number(self.correlation) and -1.0 <= self.correlation <= 1.0):
            raise OptionError(f"correlation {self.correlation!r} does not lie from -1 to 1")
        if not isinstance(self.extra, int) or self.extra < 0:
            raise OptionError(f"extra {self.extra!r} is no number of periods from 0 on")
        if len(self.waves) == 1:
            raise OptionError("one wave compares before with after: there is no stepped wedge")

    @property
    def _times(self) -> int:
        return len(self.waves) + 1 + self.extra

    @property
    def cells(self) -> int:
        """Clusters times periods."""
        return sum(self.waves) * self._times

    @property
    def least(self) -> float:
        """Any number of units."""
        return 0.0

    def errors(self, effect: float, n: float) -> Errors:
        """Generalised least squares on the means of clusters and periods, with period effects:
        their equation 7 where effects do not vary."""
        times, cell = self._times, n / self.cells
        noise = self.sd**2 / cell + self.periods**2
        total = np.zeros((times + 1, times + 1))
        for wave, clusters in enumerate(self.waves):
            x = (np.arange(times) > wave).astype(np.float64)
            cross = self.correlation * self.between * self.effects
            v = noise * np.eye(times) + self.between**2 + self.effects**2 * np.outer(x, x)
            v += cross * (x[:, None] + x[None, :])
            design = np.column_stack([np.eye(times), x])
            total += clusters * design.T @ np.linalg.solve(v, design)
        own = np.eye(times + 1)[-1]
        error = sqrt(float(np.linalg.solve(total, own)[-1]))
        return Errors(abs(effect), error, error)

    def split(self, n: float) -> dict[str, int]:
        """Units a cluster and period, and in all."""
        cell = ceil(n / self.cells - 1e-9)
        return {"units a cluster and period": cell, "units": cell * self.cells}
