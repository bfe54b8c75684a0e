"""How strong an unmeasured cause would have to be to explain an effect away.

For least squares: partial R2, the robustness value and what a cause as strong as an observed one
would leave (Cinelli and Hazlett 2020, "Making sense of sensitivity", Journal of the Royal
Statistical Society B 82(1)). For ratios: the E-value (VanderWeele and Ding 2017, "Sensitivity
analysis in observational research: introducing the E-value", Annals of Internal Medicine 167(4)).
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.generalised_linear import Kind, regress, solve


@dataclass(frozen=True)
class Sensitivity:
    """Of one coefficient of a least-squares fit with classical errors.

    partial_r2: of the outcome with the column, given the others; robustness_value: the share of
    what is left of both, outcome and column, that a cause would have to explain to bring the
    estimate to 0; robustness_value_significant: or to where it is no longer significant at `alpha`.
    """

    estimate: float
    error: float
    degrees: int
    alpha: float

    @property
    def t(self) -> float:
        """Estimate over error."""
        return self.estimate / self.error

    @property
    def partial_r2(self) -> float:
        """t^2 / (t^2 + degrees): Cinelli and Hazlett (2020), section 3."""
        return self.t**2 / (self.t**2 + self.degrees)

    @property
    def robustness_value(self) -> float:
        """RV of equation 18 there."""
        return _robustness(abs(self.t) / np.sqrt(self.degrees))

    @property
    def robustness_value_significant(self) -> float:
        """RV of equation 20 there."""
        critical = scipy.special.stdtrit(self.degrees - 1, 1.0 - self.alpha / 2.0)
        f, least = abs(self.t) / np.sqrt(self.degrees), critical / np.sqrt(self.degrees - 1)
        if f <= least:
            return 0.0
        if f > 1.0 / least:
            return float((f**2 - least**2) / (1.0 + f**2))
        return _robustness(f - least)

    def adjusted(self, r2_column: float, r2_outcome: float) -> tuple[float, float]:
        """Estimate and error were a cause in the fit that explains so much of what is left of the
        column, and of the outcome: equations 14 and 15 there."""
        bias = np.sqrt(r2_outcome * r2_column / (1.0 - r2_column)) * self.error
        bias *= np.sqrt(self.degrees)
        shrunk = np.sign(self.estimate) * (abs(self.estimate) - bias)
        error = self.error * np.sqrt((1.0 - r2_outcome) / (1.0 - r2_column))
        return float(shrunk), float(error * np.sqrt(self.degrees / (self.degrees - 1.0)))


def _robustness(f: float) -> float:
    return float(2.0 / (np.sqrt(1.0 + 4.0 / f**2) + 1.0)) if f > 0.0 else 0.0  # without f^4


@dataclass(frozen=True)
class Benchmark:
    """What a cause `times` as strong as an observed column would leave of an estimate."""

    column: str
    times: float
    r2_column: float
    r2_outcome: float
    estimate: float
    error: float


def sensitivity(
    y: Floats, x: Floats, names: tuple[str, ...], column: str, *, alpha: float = 0.05
) -> Sensitivity:
    """Of the coefficient of `column` in the least-squares fit of y (n,) on x (n, k)."""
    estimate, error, degrees = _least_squares(y, x, names, column)
    return Sensitivity(estimate, error, degrees, alpha)


def partial_r2(y: Floats, x: Floats, names: tuple[str, ...]) -> dict[str, float]:
    """Of each column of x (n, k) with y (n,), given the others, by least squares."""
    fit = regress(y, x, names, Kind.NUMBER)
    degrees = fit.rows - len(names)
    inverse = np.diag(solve(fit.information, np.eye(len(names))))
    t2 = fit.coefficients**2 / (float(fit.slopes @ fit.slopes) / degrees * inverse)
    return dict(zip(names, (t2 / (t2 + degrees)).tolist(), strict=True))


def benchmark(
    y: Floats,
    x: Floats,
    names: tuple[str, ...],
    columns: tuple[str, str],
    *,
    times: float = 1.0,
) -> Benchmark:
    """What a cause as strong as an observed column, times a factor, would leave.

    columns: the one whose coefficient is in question, and the one to measure strength by.
    Source: Cinelli and Hazlett (2020), section 4.4. Raises: OptionError where so strong a cause
    would explain more than there is.
    """
    column, other = columns
    whole = sensitivity(y, x, names, column)
    own = x[:, names.index(column)]
    rest = np.delete(x, names.index(column), axis=1)
    left = tuple(name for name in names if name != column)
    with_column = sensitivity(own, rest, left, other).partial_r2
    with_outcome = sensitivity(y, x, names, other).partial_r2
    return as_strong(whole, other, (with_column, with_outcome), times)


def as_strong(
    whole: Sensitivity, other: str, partial: tuple[float, float], times: float = 1.0
) -> Benchmark:
    """What a cause `times` as strong as a column would leave, from the partial R2 of that column
    with the one in question and with the outcome (equations in section 4.4 there)."""
    with_column, with_outcome = partial
    r2_column = times * with_column / (1.0 - with_column)
    if r2_column >= 1.0:
        raise OptionError(
            f"a cause {times:g} times as strong as {other!r} would explain more than all of "
            "the column in question: choose a smaller factor"
        )
    shared = times * with_column**2 / ((1.0 - times * with_column) * (1.0 - with_column))
    ratio = (np.sqrt(times) + np.sqrt(shared)) / np.sqrt(1.0 - shared)
    r2_outcome = float(min(ratio**2 * with_outcome / (1.0 - with_outcome), 1.0))
    estimate, error = whole.adjusted(r2_column, r2_outcome)
    return Benchmark(other, times, r2_column, r2_outcome, estimate, error)


def _least_squares(
    y: Floats, x: Floats, names: tuple[str, ...], column: str
) -> tuple[float, float, int]:
    """Estimate, classical error and degrees of freedom of one coefficient."""
    if column not in names:
        raise OptionError(f"column {column!r} is not one of {', '.join(names)}")
    fit = regress(y, x, names, Kind.NUMBER)
    degrees, place = fit.rows - len(names), fit.place(column)
    variance = float(fit.slopes @ fit.slopes) / degrees
    own = np.zeros(len(names))
    own[place] = 1.0
    return (
        float(fit.coefficients[place]),
        float(np.sqrt(variance * solve(fit.information, own)[place])),
        degrees,
    )


def e_value(ratio: float) -> float:
    """RR + sqrt(RR (RR - 1)): the ratio by which a cause would have to go with both.

    >>> round(e_value(3.9), 6), round(e_value(0.8), 6)
    (7.263034, 1.809017)
    """
    if not ratio > 0.0:
        raise OptionError(f"a ratio is above 0, not {ratio}")
    high = max(ratio, 1.0 / ratio)
    return float(high + np.sqrt(high * (high - 1.0)))


def e_value_of_interval(lower: float, upper: float) -> float:
    """E-value of the end of an interval that lies nearest to 1; 1 where it holds 1.

    >>> round(e_value_of_interval(0.71, 0.91), 6)
    1.428571
    """
    if lower <= 1.0 <= upper:
        return 1.0
    return e_value(lower if lower > 1.0 else upper)
