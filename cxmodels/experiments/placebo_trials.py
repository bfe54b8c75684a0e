"""Placebo tests and what they reject: the size of a design, its power, its least visible effect.

A trial holds many tests of nothing on the same past data. The share that rejects is the size; with
an effect put in, it is the power. Shares come with an exact interval (Clopper and Pearson 1934,
Biometrika 26), for they are of a limited number of draws.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf

import numpy as np
import scipy

from cxmodels.experiments.comparisons import Comparison, Errors
from cxmodels.numerics.arrays import Bools, Floats

SURE = 0.99  # of intervals: a dozen designs are looked at together
DOUBLINGS, HALVINGS = 40, 50


class Trial(ABC):
    """Placebo tests of one design."""

    @abstractmethod
    def rejects(self, effect: float, alpha: float) -> Bools:
        """Which tests reject, once `effect` is added to the outcome of all who are treated."""

    def seen(self, effect: float, alpha: float) -> Bools:
        """The same, with the effect put in as it would come about: shares by units that turn, and
        only among those who take the lever up."""
        return self.rejects(effect, alpha)


@dataclass(frozen=True, eq=False)
class ByError(Trial):
    """Tests by t: estimate, std_error, degrees, each (R,)."""

    estimate: Floats
    std_error: Floats
    degrees: Floats

    def rejects(self, effect: float, alpha: float) -> Bools:
        """By |t| above its quantile."""
        return beyond(self.estimate + effect, self.std_error, self.degrees, alpha)


@dataclass(frozen=True, eq=False)
class ByLots(Trial):
    """Tests by permutation: observed (R,) statistics, own (R,) what an effect of 1 adds to them;
    reference (B,) of other lots, cross (B, R) what the effect in test r adds to lots b."""

    observed: Floats
    own: Floats
    reference: Floats
    cross: Floats

    def rejects(self, effect: float, alpha: float) -> Bools:
        """p = (1 + lots as extreme) / (1 + lots), as in `randomisation_test`."""
        shown = np.abs(self.observed + effect * self.own)
        others = np.abs(self.reference[:, None] + effect * self.cross)
        slack = 1e-12 * (shown.max() + 1e-300)
        p = (1.0 + (others >= shown - slack).sum(axis=0)) / (1.0 + len(self.reference))
        return np.asarray(p <= alpha + 1e-12)


@dataclass(frozen=True)
class Stated(Comparison):
    """A comparison whose error is that which the method itself states, whatever the units."""

    error: float
    freedom: float = inf

    @property
    def least(self) -> float:
        """Any number of units."""
        return 0.0

    def errors(self, effect: float, n: float) -> Errors:
        """As stated."""
        del n
        return Errors(abs(effect), self.error, self.error, self.freedom)

    def split(self, n: float) -> dict[str, int]:
        """As they are."""
        return {"units": round(n)}


def beyond(estimate: Floats, error: Floats, degrees: Floats, alpha: float) -> Bools:
    """Which estimates (...,) lie further from 0 than t with `degrees` allows."""
    critical = scipy.special.stdtrit(np.maximum(degrees, 1e-2), 1.0 - alpha / 2.0)
    return np.asarray(np.abs(estimate) > critical * error)


def share_of(hits: Bools, level: float = SURE) -> tuple[float, float, float]:
    """A share with its exact interval.

    >>> [round(x, 3) for x in share_of(np.arange(200) < 10)]
    [0.05, 0.019, 0.104]
    """
    n, k = hits.size, int(hits.sum())
    tail = (1.0 - level) / 2.0
    lower = float(scipy.special.betaincinv(k, n - k + 1, tail)) if k else 0.0
    upper = float(scipy.special.betaincinv(k + 1, n - k, 1.0 - tail)) if k < n else 1.0
    return k / n, lower, upper


def least_seen(trial: Trial, alpha: float, start: float, power: float = 0.8) -> float:
    """The smallest added effect, of the sign of `start`, that `power` of the tests reject; inf if
    none is found.

    >>> trial = ByError(np.zeros(100), np.ones(100), np.full(100, 1e9))
    >>> round(least_seen(trial, 0.05, 1.0), 3)
    1.96
    """
    high = start

    def enough(effect: float) -> bool:
        return float(trial.rejects(effect, alpha).mean()) >= power

    for _ in range(DOUBLINGS):
        if enough(high):
            break
        high *= 2.0
    else:
        return inf
    low = 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return abs(high)
