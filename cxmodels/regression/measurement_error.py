"""What an effect would be if the score were read without error.

An answer is the true score with an error of its own: A = S + e. Regressing on A in the place of S
shrinks the effect by the reliability lambda, the slope of E[S | A, controls] on A (Carroll and
others 2006, "Measurement Error in Nonlinear Models", chapter 4: regression calibration). A second
answer of the same person, given when S was the same and with an error of its own, shows it: E[A2 |
A1, controls] = E[S | A1, controls]. The corrected effect is the naive one over lambda: exact with a
normal error for a linear mean and a logarithmic one, close for log odds of small effects.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.covariance import Clustered, clustered
from cxmodels.regression.generalised_linear import Kind, regress

FEWEST_PAIRS = 30


@dataclass(frozen=True, eq=False)
class Reliability:
    """lambda given the controls, with its error; influence (g,): of each customer on it."""

    value: float
    error: float
    influence: Floats
    pairs: int


def check_reliability(value: float) -> float:
    """`value` as a number if a share of variance can be it, else OptionError."""
    if isinstance(value, bool) or not (isinstance(value, int | float) and 0.0 < value <= 1.0):
        raise OptionError(f"reliability {value!r} is not above 0 and up to 1")
    return float(value)


def reliability(
    first: Floats, second: Floats, controls: Floats, cluster: Ints, clusters: int
) -> Reliability:
    """Slope of second answers (n,) on first ones, controls (n, k) with their constant held fixed.

    Both orders of a pair count, so that neither answer is special. Raises: FitError for fewer than
    30 pairs, or where answers do not agree at all.
    """
    if first.size < FEWEST_PAIRS:
        raise FitError(
            f"{first.size} repeated answers are too few to learn the reliability of a score from: "
            f"{FEWEST_PAIRS} are the least; ask some customers twice within weeks"
        )
    x = np.column_stack([np.r_[first, second], np.r_[controls, controls]])
    y = np.r_[second, first]
    names = ("answer", *(f"control {place}" for place in range(controls.shape[1])))
    fit = regress(y, x, names, Kind.NUMBER)
    found = clustered(fit, x, np.r_[cluster, cluster], clusters)
    value = float(fit.coefficients[0])
    if value <= 0.02:
        raise FitError(
            f"repeated answers hardly agree (reliability {value:.2f}): this score cannot carry a "
            "corrected effect"
        )
    return Reliability(value, float(found.errors[0]), found.influence[:, 0], first.size)


@dataclass(frozen=True)
class Corrected:
    """An effect with its error, and the same for a score read without error; influence: (g,) of
    each customer on the latter, its factor of few clusters included."""

    naive: float
    naive_error: float
    value: float
    error: float
    influence: Floats


def corrected(effect: float, place: int, fit: Clustered, found: Reliability) -> Corrected:
    """The effect over lambda; the error counts both, each customer's influence on the two joined.

    d (b / lambda) = d b / lambda - b / lambda^2 d lambda.
    """
    own = fit.influence[:, place] / found.value
    own = own - effect / found.value**2 * found.influence
    factor = fit.clusters / (fit.clusters - 1.0)
    own = np.sqrt(factor) * own
    value, error = effect / found.value, float(np.sqrt(own @ own))
    return Corrected(effect, float(fit.errors[place]), value, error, own)


def normal_interval(value: float, error: float, level: float) -> tuple[float, float]:
    """value -+ z error."""
    half = float(scipy.special.ndtri((1.0 + level) / 2.0)) * error
    return value - half, value + half


@dataclass(frozen=True, eq=False)
class Noise:
    """Variance of the error of one answer, with each customer's influence (g,) on it."""

    variance: float
    influence: Floats
    pairs: int


def noise(first: Floats, second: Floats, cluster: Ints, clusters: int) -> Noise:
    """Half the mean square of the differences of repeated answers (n,)."""
    if first.size < FEWEST_PAIRS:
        raise FitError(f"{first.size} repeated answers are too few: {FEWEST_PAIRS} are the least")
    half = 0.5 * (first - second) ** 2
    value = float(half.mean())
    own = np.bincount(cluster, weights=half - value, minlength=clusters) / first.size
    return Noise(value, own, first.size)


def corrected_columns(
    effects: Floats, influence: Floats, scores: Floats, controls: Floats, error: Noise, own: Ints
) -> tuple[Floats, Floats]:
    """Effects (q,) of q scores read with independent errors of one variance, and their covariance.

    effects, influence (g, q): of the scores (n, q) as they were read, controls (n, k) beside them;
    own: customer (n,) of each row. With M the covariance of the scores given the controls and N = M
    - s2 I that of the true ones, effects = N^-1 M b. The covariance joins what each customer does
    to b, M and s2. Raises: FitError where so little is left of the scores that N is none.
    """
    n, q = scores.shape
    slopes, *_ = np.linalg.lstsq(controls, scores, rcond=None)
    rest = scores - controls @ slopes
    held = rest.T @ rest / n
    true = held - error.variance * np.eye(q)
    if np.linalg.eigvalsh(true)[0] <= 0.02 * held.trace() / q:
        raise FitError("the scores differ by little more than their error: no effect can be told")
    u = np.linalg.solve(true, effects)
    value = effects + error.variance * u
    g = influence.shape[0]
    turned = influence + error.variance * np.linalg.solve(true, influence.T).T
    turned += error.influence[:, None] * (u + error.variance * np.linalg.solve(true, u))
    moved = rest * (rest @ u)[:, None] - held @ u  # (dM u) of each row
    sums = np.stack([np.bincount(own, weights=part, minlength=g) for part in moved.T], axis=1) / n
    turned -= error.variance * np.linalg.solve(true, sums.T).T
    present = np.unique(own).size
    return value, present / (present - 1.0) * (turned.T @ turned)


@dataclass(frozen=True, eq=False)
class Simex:
    """Effects with more and more error added, and what they run to without any.

    added: (m,) variance of the error added, in times its own; effects: (m,) means over draws;
    value: the parabola through them at -1, where no error is left; error: of `value`, by what
    draws alone contribute.
    """

    added: Floats
    effects: Floats
    value: float
    error: float


def simex(
    effect: Callable[[Floats], float],
    scores: Floats,
    variance: float,
    *,
    draws: int = 30,
    rng: np.random.Generator,
) -> Simex:
    """Simulation and extrapolation (Cook and Stefanski 1994, JASA 89(428)).

    effect: the estimate with scores (n,) as they are given to it; variance: of one answer's error.
    A check on regression calibration where the mean is not linear: it needs no model of the truth,
    but its parabola leaves some of a large error in.
    """
    added = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    curves = np.empty((draws, added.size))
    plain = effect(scores)
    for draw in range(draws):
        noise_of = np.sqrt(variance) * rng.standard_normal(scores.size)
        curves[draw] = [
            plain if not more else effect(scores + np.sqrt(more) * noise_of) for more in added
        ]
    powers = np.stack([added**0, added, added**2], axis=1)
    ends = curves @ np.linalg.pinv(powers).T @ np.array([1.0, -1.0, 1.0])
    return Simex(added, curves.mean(axis=0), float(ends.mean()), float(ends.std() / np.sqrt(draws)))
