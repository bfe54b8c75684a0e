"""How many more renewals a customer known to be active will bring, discounted or not.

With G(t) = S(T + t) / S(T) and a discount factor d a period, a customer of age T brings

    V(T) = sum over t >= 1 of d^(t-1) G(t),        V(T) = r(T + 1) [1 + d V(T + 1)],

valued when the next renewal is due. The recursion runs from far out, where a sum becomes an
integral (Euler and Maclaurin, to the third derivative); for the sBG it equals the 2F1 of Fader and
Hardie (2010), Marketing Science 29, equation (6). With the second moment of the discounted count,

    E[A^2] = 2 / (1 - d) [V(d) - d V(d^2)] - V(d^2),    A = 1 + d + ... + d^(L-1), L renewals,

the spread of one customer's outcome costs one more V.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.subscriptions.family import SubscriptionFamily

STEPS = 512  # ages of the recursion before the sum becomes an integral
FORGOTTEN = 40.0  # exp(-40) is worth nothing
FARTHEST = 300.0  # logs of age beyond which the last power law is integrated by hand
GAUSS = np.polynomial.legendre.leggauss(20)
PANELS = 10


@dataclass(frozen=True)
class Renewals:
    """Mean and second moment (d, j) of discounted further renewals of one customer."""

    mean: Floats
    square: Floats

    @property
    def variance(self) -> Floats:
        """Variance of one customer's outcome, given the parameters."""
        return np.maximum(self.square - self.mean**2, 0.0)


def further_renewals(
    family: SubscriptionFamily,
    theta: Floats,
    ages: Floats,
    *,
    force: float,
    periods: float = np.inf,
    shift: Floats | float = 0.0,
) -> Renewals:
    """Discounted renewals after each age (j,), for parameters theta (d, k).

    force: discount rate a period, continuous; periods: how many renewals ahead count at most;
    shift: (d,) of the customers, 0 without covariates. Infinite where survival falls too slowly.
    """
    if np.isfinite(periods):
        return _within(family, theta, ages, force, int(periods), shift)
    if force == 0.0:
        (mean,) = _forever(family, theta, ages, (0.0,), shift)
        return Renewals(mean, np.full_like(mean, np.inf))
    d = np.exp(-force)
    mean, twice = _forever(family, theta, ages, (force, 2.0 * force), shift)
    return Renewals(mean, 2.0 / -np.expm1(-force) * (mean - d * twice) - twice)


def _within(
    family: SubscriptionFamily,
    theta: Floats,
    ages: Floats,
    force: float,
    periods: int,
    shift: Floats | float,
) -> Renewals:
    """The sums themselves, over a finite horizon."""
    t = np.arange(1.0, periods + 1.0)
    worth = np.exp(-force * (t - 1.0))
    squares = worth * (2.0 * np.cumsum(worth) - worth)
    own, moved = theta[:, None, :], np.reshape(shift, (-1, 1))
    found = np.empty((2, len(theta), ages.size))
    for place, age in enumerate(ages):
        alive = np.exp(family.log_ratio(own, age, age + t, moved if np.any(moved) else 0.0))
        found[0, :, place], found[1, :, place] = alive @ worth, alive @ squares
    return Renewals(found[0], found[1])


def _forever(
    family: SubscriptionFamily,
    theta: Floats,
    ages: Floats,
    forces: tuple[float, ...],
    shift: Floats | float,
) -> list[Floats]:
    """V(T) for all future, (d, j) for each discount rate."""
    own, moved = theta[:, None, :], np.reshape(shift, (-1, 1))
    moved = moved if np.any(moved) else np.zeros((1, 1))
    with np.errstate(divide="ignore"):  # not discounted
        steps = int(min(np.ceil(FORGOTTEN / np.float64(min(forces))), STEPS))
    first, last = int(ages.min(initial=ages[0])), int(ages.max(initial=0)) + steps
    age = np.arange(first, last, dtype=np.float64)
    renewal = np.exp(family.log_ratio(own, age, age + 1.0, moved if moved.any() else 0.0))
    places, found = ages.astype(np.int64) - first, []
    for force in forces:
        gone = force * steps >= FORGOTTEN  # what lies beyond is worth nothing
        value = np.zeros(len(theta)) if gone else _tail(family, theta, float(last), force, moved)
        values = np.empty_like(renewal)
        for place in range(age.size - 1, -1, -1):
            value = renewal[:, place] * (1.0 + np.exp(-force) * value)
            values[:, place] = value
        found.append(values[:, places])
    return found


def _tail(
    family: SubscriptionFamily, theta: Floats, age: float, force: float, shift: Floats
) -> Floats:
    """V (d,) of a customer of a high age, by Euler and Maclaurin's formula.

    With g(s) = d^s G(s): sum over t >= 1 of g(t) = integral of g - g(0) / 2 - g'(0) / 12 + ...
    """
    own, far = theta[:, None, :], shift if shift.any() else 0.0
    kappa = family.tail(theta)
    fall = np.maximum(kappa - 1.0, 0.0)
    endless = (fall <= 0.0) & (force == 0.0)
    with np.errstate(divide="ignore"):  # no end by that cause
        reach = np.minimum(np.log1p(FORGOTTEN / (np.float64(force) * age)), FORGOTTEN / fall)
    reach = np.minimum(reach, FARTHEST)
    points, shares = GAUSS
    panel = (np.arange(PANELS)[:, None] + (points + 1.0) / 2.0).ravel() / PANELS
    weight = np.tile(shares, PANELS) / (2.0 * PANELS)
    y = reach[:, None] * panel
    s = age * np.expm1(y)
    logs = family.log_ratio(own, age, age + s, far) - force * s + y
    integral = age * reach * (np.exp(logs) @ weight)
    integral += _beyond(family, theta, age, reach, (force, shift))
    slope = family.log_ratio(own, age - 0.5, np.full((1, 1), age + 0.5), far)[:, 0] - force
    found = (integral - 0.5 - slope / 12.0) * np.exp(force)
    return np.where(endless, np.inf, np.maximum(found, 0.0))


def _beyond(
    family: SubscriptionFamily,
    theta: Floats,
    age: float,
    reach: Floats,
    terms: tuple[float, Floats],
) -> Floats:
    """The integral beyond the last node, where survival is the power t^-kappa; undiscounted."""
    force, shift = terms
    fall = family.tail(theta) - 1.0
    if force > 0.0:
        return np.zeros_like(reach)
    far = shift if shift.any() else 0.0
    end = (age * np.exp(reach))[:, None]
    log_end = family.log_ratio(theta[:, None, :], age, end, far)[:, 0] + reach
    known: Bools = fall > 0.0
    return np.where(known, age * np.exp(log_end) / np.where(known, fall, 1.0), np.inf)


def naive_renewals(retention: float, *, force: float, periods: float = np.inf) -> float:
    """The same where everybody renews with one constant chance, whatever their age.

    >>> round(100 * naive_renewals(0.6319, force=float(np.log(1.1))), 1)
    148.5
    """
    step = retention * np.exp(-force)
    if np.isfinite(periods):
        return float(retention * np.sum(step ** np.arange(int(periods))))
    return float(retention / (1.0 - step)) if step < 1.0 else np.inf
