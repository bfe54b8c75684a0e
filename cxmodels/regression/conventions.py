"""Standard errors of a linear fit by name, and by the program whose numbers they are.

| errors | stata | fixest | sandwich (R) | plm | xtscc |
|---|---|---|---|---|---|
| iid | 1 / (n - K) | the same | the same | the same | the same |
| HC1 | n / (n - K) | the same | the same | none (HC0) | n / (n - K) |
| one cluster | G / (G - 1) (n - 1) / (n - K') | the same | the same, K' = K | none | as stata |
| two clusters | least G | least G | each its own G | none | as stata |
| Driscoll-Kraay | none (ivreg2) | T / (T - 1) (n - 1) / (n - K) | none | none | as fixest |
| Newey-West | n / (n - K) (newey) | T / (T - 1) (n - 1) / (n - K) | none | none | as stata |

K counts coefficients and absorbed constants, by rank (fixest: levels of all effects, less one for
each effect but the first); K' leaves out levels of effects that lie within the clusters (xtreg and
reghdfe in Stata keep one constant if nothing else is left; fixest one for each such effect).
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints

FEW = 20  # clusters below which clustered errors are told to be too small
CONVENTIONS = ("stata", "fixest", "sandwich", "plm", "xtscc")


class Errors(Enum):
    """Whose errors may go together."""

    IID = "iid"
    HC1 = "hc1"
    UNIT = "unit"
    PERIOD = "period"
    BOTH = "unit and period"
    DRISCOLL_KRAAY = "driscoll-kraay"
    NEWEY_WEST = "newey-west"

    @classmethod
    def parse(cls, text: "str | Errors") -> "Errors":
        """The choice named by `text`."""
        try:
            return cls(text.lower() if isinstance(text, str) else text)
        except ValueError:
            listed = ", ".join(item.value for item in cls)
            raise OptionError(f"errors {text!r} is not one of {listed}") from None


@dataclass(frozen=True, eq=False)
class Linear:
    """A least squares fit: X (n, k) less effects, residuals, coefficients; unit and period (n,);
    absorbed: constants that effects take, by rank; levels: of each effect, with whether they lie
    within units and within periods."""

    X: Floats
    e: Floats
    coefficients: Floats
    unit: Ints
    period: Ints
    absorbed: int = 0
    levels: tuple[tuple[int, bool, bool], ...] = ()

    def taken(self, convention: str, *, units: bool = False, periods: bool = False) -> int:
        """Constants that count, where effects within units (periods) do not."""
        nested = [n for n, of, at in self.levels if (units and of) or (periods and at)]
        if convention == "fixest":
            every = sum(n for n, *_ in self.levels) - max(len(self.levels) - 1, 0)
            return every - sum(nested) + len(nested)
        if convention == "sandwich" or not nested:
            return self.absorbed
        return max(self.absorbed - sum(nested), 0) or 1

    @property
    def bread(self) -> Floats:
        """(X'X)^-1."""
        return np.asarray(np.linalg.inv(self.X.T @ self.X))


@dataclass(frozen=True, eq=False)
class Covariance:
    """Covariance (k, k), degrees of freedom of t (inf: normal), and the convention in words."""

    values: Floats
    degrees: float
    said: str


def covariance(
    fit: Linear, errors: Errors, convention: str = "stata", lags: int | None = None
) -> Covariance:
    """The covariance of a fit; lags: of Driscoll-Kraay and Newey-West, by rule if None.

    Raises: OptionError for a convention or lags that are none, FitError for one cluster.
    """
    if convention not in CONVENTIONS:
        raise OptionError(f"convention {convention!r} is not one of {', '.join(CONVENTIONS)}")
    n, k = fit.X.shape
    every = k + fit.taken(convention)
    if n <= every:
        raise FitError(f"{n} rows cannot tell {every} coefficients and constants apart")
    if errors is Errors.IID:
        found = fit.bread * float(fit.e @ fit.e) / (n - every)
        return Covariance(found, n - every, "iid errors, n - K degrees of freedom")
    scores = fit.X * fit.e[:, None]
    if errors is Errors.HC1:
        factor = 1.0 if convention == "plm" else n / (n - every)
        return _said(fit, scores.T @ scores, factor, n - every, f"HC1, {convention}")
    if errors in (Errors.DRISCOLL_KRAAY, Errors.NEWEY_WEST):
        return _over_time(fit, scores, errors, convention, lags)
    return _clustered(fit, scores, errors, convention)


def _said(fit: Linear, meat: Floats, factor: float, degrees: float, words: str) -> Covariance:
    bread = fit.bread
    return Covariance(factor * (bread @ meat @ bread), degrees, words)


def _sums(scores: Floats, group: Ints) -> Floats:
    """(G, k) sums by group, of groups that have a row."""
    _, dense = np.unique(group, return_inverse=True)
    return np.stack([np.bincount(dense, weights=column) for column in scores.T], axis=1)


def _factor(fit: Linear, groups: int, taken: int, convention: str) -> float:
    n, k = fit.X.shape
    if convention == "plm":
        return 1.0
    return float(groups / (groups - 1.0) * (n - 1.0) / (n - k - taken))


def _clustered(fit: Linear, scores: Floats, errors: Errors, convention: str) -> Covariance:
    by_unit = errors in (Errors.UNIT, Errors.BOTH)
    by_period = errors in (Errors.PERIOD, Errors.BOTH)
    ways = [fit.unit] * by_unit + [fit.period] * by_period
    taken = fit.taken(convention, units=by_unit, periods=by_period)
    parts = [_sums(scores, group) for group in ways]
    counts = [len(part) for part in parts]
    if min(counts) < 2:
        raise FitError(f"errors clustered by {errors.value} need two clusters or more")
    if min(counts) <= fit.X.shape[1]:
        raise FitError(
            f"{min(counts)} clusters cannot carry the errors of {fit.X.shape[1]} coefficients: "
            "take fewer columns, other errors, or wild_bootstrap"
        )
    told = f"clustered by {errors.value} ({', '.join(f'{c:,}' for c in counts)}), {convention}"
    if min(counts) < FEW:
        told += f"; too small where clusters are as few as {min(counts)}: see wild_bootstrap"
    if len(ways) == 1:
        factor = _factor(fit, counts[0], taken, convention)
        return _said(fit, parts[0].T @ parts[0], factor, counts[0] - 1, told)
    width = int(fit.period.max() - fit.period.min()) + 1
    both = _sums(scores, fit.unit * width + (fit.period - fit.period.min()))
    own = convention == "sandwich"
    sizes = [*counts, len(both)] if own else [min(counts)] * 3
    factors = [_factor(fit, size, taken, convention) for size in sizes]
    one, two, less = (f * (p.T @ p) for f, p in zip(factors, (*parts, both), strict=True))
    meat = one + two - less
    found = _said(fit, meat, 1.0, min(counts) - 1, told)
    return Covariance(_repaired(found.values), found.degrees, found.said)


def _repaired(values: Floats) -> Floats:
    """The nearest covariance without negative variances (Cameron, Gelbach and Miller 2011)."""
    if (np.linalg.eigvalsh(values)[0]) >= 0.0:
        return values
    own, ways = np.linalg.eigh(values)
    return np.asarray((ways * np.maximum(own, 0.0)) @ ways.T)


def _over_time(
    fit: Linear, scores: Floats, errors: Errors, convention: str, lags: int | None
) -> Covariance:
    """Bartlett's weights 1 - l / (L + 1): of sums by period (Driscoll-Kraay), or within units."""
    first, T = fit.period.min(), int(np.ptp(fit.period)) + 1
    reach = int(np.floor(4.0 * (T / 100.0) ** (2.0 / 9.0))) if lags is None else lags
    if not 0 <= reach < T:
        raise OptionError(f"lags {lags!r} is not from 0 to {T - 1}, the periods less one")
    n, k = fit.X.shape
    if errors is Errors.DRISCOLL_KRAAY:
        grid = np.zeros((1, T, k))
        for place, column in enumerate(scores.T):
            grid[0, :, place] = np.bincount(fit.period - first, weights=column, minlength=T)
    else:
        _, unit = np.unique(fit.unit, return_inverse=True)
        grid = np.zeros((int(unit.max()) + 1, T, k))
        grid[unit, fit.period - first] = scores
    meat = np.einsum("utj,utk->jk", grid, grid)
    for lag in range(1, reach + 1):
        cross = np.einsum("utj,utk->jk", grid[:, lag:], grid[:, :-lag])
        meat += (1.0 - lag / (reach + 1.0)) * (cross + cross.T)
    kraay = errors is Errors.DRISCOLL_KRAAY
    seen = np.unique(fit.period).size
    if convention == "fixest" or (convention == "xtscc" and kraay):
        factor = _factor(fit, seen, fit.taken("fixest"), "fixest")
    elif convention in ("stata", "xtscc") and not kraay:
        factor = n / (n - k - fit.absorbed)
    else:
        factor = 1.0
    name = "Driscoll-Kraay" if kraay else "Newey-West"
    degrees = seen - 1 if kraay else n - k - fit.absorbed
    return _said(fit, meat, factor, degrees, f"{name}, {reach} lags, {convention}")
