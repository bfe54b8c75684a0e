"""Regression of an outcome of any kind on columns: yes or no, a count, an amount above 0, a number.

Generalised linear models by iteratively weighted least squares (McCullagh and Nelder 1989, section
2.5): mean mu = g^-1(eta), eta = X b + offset. The estimates are quasi-likelihood ones: only the
mean has to be right, since errors are clustered (covariance.py) and ask nothing of the variance.
"""

import warnings
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

import numpy as np
import scipy

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Floats

MOST_STEPS = 60
CLOSE = 1e-11  # relative gain of the deviance at which the search ends
FAR = 30.0  # |eta| at which a mean is 0 or 1, or beyond any count
PIECE = 200_000  # rows worked on at once
TOLD_TOO_LITTLE = "these rows cannot tell the coefficients apart: leave columns out, or join values"


class Kind(Enum):
    """What an outcome is, which fixes link and variance; the value says how its effect is read."""

    YES_NO = "log odds"  # logit link, variance mu (1 - mu)
    COUNT = "log of the mean"  # log link, variance mu: Poisson
    AMOUNT = "log of the mean amount"  # log link, variance mu^2: gamma
    NUMBER = "units of the outcome"  # identity link, constant variance

    def mean(self, eta: Floats) -> Floats:
        """mu at eta."""
        if self is Kind.NUMBER:
            return eta
        if self is Kind.YES_NO:
            return np.asarray(scipy.special.expit(eta))
        return np.exp(eta)

    def weight(self, mu: Floats) -> Floats:
        """(d mu / d eta)^2 / variance: expected information of a row about eta."""
        if self is Kind.YES_NO:
            return mu * (1.0 - mu)
        return mu if self is Kind.COUNT else np.ones_like(mu)

    def curvature(self, y: Floats, mu: Floats) -> Floats:
        """Observed information of a row about eta; that expected, but for amounts."""
        return y / mu if self is Kind.AMOUNT else self.weight(mu)

    def slope(self, y: Floats, mu: Floats) -> Floats:
        """d quasi-log-likelihood / d eta of a row: (y - mu) (d mu / d eta) / variance."""
        return (y - mu) / mu if self is Kind.AMOUNT else y - mu

    def deviance(self, y: Floats, mu: Floats, weights: Floats) -> float:
        """Twice the quasi-log-likelihood that is missing to a perfect fit."""
        if self is Kind.NUMBER:
            return float(weights @ (y - mu) ** 2)
        xlogy = scipy.special.xlogy
        if self is Kind.YES_NO:
            return float(-2.0 * (weights @ (xlogy(y, mu) + xlogy(1.0 - y, 1.0 - mu))))
        if self is Kind.COUNT:
            return float(2.0 * (weights @ (xlogy(y, y / mu) - (y - mu))))
        return float(2.0 * (weights @ ((y - mu) / mu - np.log(y / mu))))


@dataclass(frozen=True, eq=False)
class Fitted:
    """Coefficients (k,) with what their errors are made of.

    information: (k, k) observed, at the estimate; slopes: (n,) of each row in eta, weights
    included; rows: n.
    """

    kind: Kind
    names: tuple[str, ...]
    coefficients: Floats
    information: Floats
    slopes: Floats
    rows: int

    def place(self, name: str) -> int:
        """Place of the coefficient called `name`."""
        return self.names.index(name)


def regress(
    y: Floats,
    x: Floats,
    names: tuple[str, ...],
    kind: Kind,
    *,
    offset: Floats | None = None,
    weights: Floats | None = None,
) -> Fitted:
    """The fit of y (n,) on x (n, k), a constant among its columns.

    Raises: FitError where a column repeats others, or where no finite estimate exists.

    >>> x = np.stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]], axis=1)
    >>> fit = regress(np.array([1.0, 3.0, 4.0, 12.0]), x, ("const", "late"), Kind.COUNT)
    >>> np.exp(fit.coefficients).round(6).tolist()
    [2.0, 4.0]
    """
    w = np.ones(y.size) if weights is None else weights
    base = np.zeros(y.size) if offset is None else offset
    independent(x, names)
    b = _first(y, x, base, w, kind)
    deviance = kind.deviance(y, kind.mean(_held(x @ b + base, kind)), w)
    for _ in range(MOST_STEPS):
        gradient, information, _ = _sums(y, x, (base, w), kind, b, observed=False)
        try:
            step = solve(information, gradient)
        except FitError:  # the columns are independent: a coefficient runs away
            _separated(names, b)
        b, new = _shortened(y, x, (base, w), kind, (b, step, deviance))
        done = abs(deviance - new) <= CLOSE * (abs(new) + 1.0)
        deviance = new
        if done and np.abs(step).max() < 1e-8 * (1.0 + np.abs(b).max()):
            break
    else:
        _separated(names, b)
    _, information, slopes = _sums(y, x, (base, w), kind, b, observed=True)
    if kind is not Kind.NUMBER and np.abs(x @ b + base).max() >= FAR:
        _separated(names, b)
    return Fitted(kind, names, b, information, slopes, y.size)


def independent(x: Floats, names: tuple[str, ...]) -> None:
    """Raises FitError where a column of x (n, k) says nothing that the others have not said."""
    if x.shape[0] <= x.shape[1]:
        raise FitError(f"{x.shape[0]} rows cannot tell {x.shape[1]} coefficients apart")
    gram = x.T @ x
    scale = np.sqrt(np.diag(gram))
    empty = [name for name, size in zip(names, scale, strict=True) if size == 0.0]
    if empty:
        raise FitError(f"column {empty[0]!r} is 0 in every row: leave it out")
    _, r, pivot = scipy.linalg.qr(gram / scale[:, None] / scale, pivoting=True)
    small = np.abs(np.diag(r)) < 1e-10 * abs(r[0, 0])
    if small.any():
        flat = [name for name in _constants(x, names) if name != "const"]
        if flat:
            raise FitError(f"column {flat[0]!r} is the same in every row: leave it out")
        repeated = names[pivot[np.flatnonzero(small)[0]]]
        raise FitError(f"column {repeated!r} follows from the other columns: leave one out")


def _constants(x: Floats, names: tuple[str, ...]) -> list[str]:
    return [name for name, span in zip(names, np.ptp(x, axis=0), strict=True) if span == 0.0]


def solve(matrix: Floats, right: Floats) -> Floats:
    """matrix^-1 right, of a positive definite matrix whose rows and columns differ in size."""
    size = np.sqrt(np.diag(matrix))
    if not (size > 0.0).all():
        raise FitError(TOLD_TOO_LITTLE)
    even = matrix / size[:, None] / size
    scaled = (right.T / size).T
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.linalg.LinAlgWarning)
            found = scipy.linalg.solve(even, scaled, assume_a="pos")
    except (scipy.linalg.LinAlgError, scipy.linalg.LinAlgWarning):
        raise FitError(TOLD_TOO_LITTLE) from None
    return np.asarray((found.T / size).T)


def _first(y: Floats, x: Floats, offset: Floats, w: Floats, kind: Kind) -> Floats:
    """Least squares of the linked outcome, moved off the ends of its range."""
    middle = float(np.average(y, weights=w))
    if kind is Kind.NUMBER:
        eta = y
    elif kind is Kind.YES_NO:
        eta = scipy.special.logit(0.5 * (np.clip(y, 0.0, 1.0) + min(max(middle, 1e-6), 1 - 1e-6)))
    else:
        rate = y.sum() / np.exp(offset).sum()
        eta = np.log(y + max(rate, 1e-12) * np.exp(offset)) - np.log(2.0)
    cross = x.T @ (w[:, None] * x)
    return solve(cross, x.T @ (w * (eta - offset)))


def _sums(
    y: Floats, x: Floats, given: tuple[Floats, Floats], kind: Kind, b: Floats, *, observed: bool
) -> tuple[Floats, Floats, Floats]:
    """Gradient (k,), information (k, k) and slopes (n,), in pieces of rows."""
    (offset, w), k = given, x.shape[1]
    gradient, information, slopes = np.zeros(k), np.zeros((k, k)), np.empty(y.size)
    for start in range(0, y.size, PIECE):
        part = slice(start, start + PIECE)
        rows = x[part]
        mu = kind.mean(_held(rows @ b + offset[part], kind))
        slopes[part] = w[part] * kind.slope(y[part], mu)
        gradient += rows.T @ slopes[part]
        bends = kind.curvature(y[part], mu) if observed else kind.weight(mu)
        information += rows.T @ ((w[part] * bends)[:, None] * rows)
    return gradient, information, slopes


def _held(eta: Floats, kind: Kind) -> Floats:
    """eta, kept from where its mean overflows."""
    return eta if kind is Kind.NUMBER else np.clip(eta, -FAR, FAR)


def _shortened(
    y: Floats,
    x: Floats,
    given: tuple[Floats, Floats],
    kind: Kind,
    at: tuple[Floats, Floats, float],
) -> tuple[Floats, float]:
    """The step, halved until the deviance does not rise; the new point and its deviance."""
    (offset, w), (b, step, deviance) = given, at
    new = deviance
    for halvings in range(30):
        there = b + step * 0.5**halvings
        eta = x @ there + offset
        new = kind.deviance(y, kind.mean(_held(eta, kind)), w)
        if np.isfinite(new) and new <= deviance * (1.0 + 1e-12) + 1e-12:
            return there, new
    return b, deviance


def _separated(names: tuple[str, ...], b: Floats) -> NoReturn:
    own = [place for place, name in enumerate(names) if name != "const"]
    if not own or np.abs(b[own]).max() < 1e-6 * np.abs(b).max():
        raise FitError("no finite estimate: outcomes lie too far apart, or nearly all are 0")
    worst = names[own[int(np.argmax(np.abs(b[own])))]]
    raise FitError(
        f"no finite estimate: the outcome is always or never there for some value of {worst!r}; "
        "leave that column out, or join its rare values"
    )
