"""The effect under weights, or between units that were set beside each other, with errors.

Weights: mean over the target of z'(b1 - b0), with b1, b0 the weighted least squares of the outcome
in each arm on z: a constant, or a constant and the covariates (doubly robust). Errors from each
unit's influence, that through the estimated weights included (Newey and McFadden 1994, Handbook of
Econometrics 4, section 6).

Sets: mean over treated units of y_i less the mean of the controls in its set, each freed of x'b0.
Variance as in Abadie and Imbens (2006, Econometrica 74, theorem 7), for sets of any size:

    V = sum of (d_i - mean)^2 / m^2 + sum over controls of s_j^2 (c_j^2 - q_j / m^2)

with c_j how much j counts and q_j the sum of squares of its shares; the second sum is 0 for pairs
without replacement, where V is that of paired differences. Freed of covariates as in Abadie and
Imbens (2011, Journal of Business & Economic Statistics 29) and Abadie and Spiess (2022, Journal of
the American Statistical Association 117); c_j then includes what j adds to b0.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.experiments.matched_sets import APART, Sets
from cxmodels.experiments.weighting import ATT, Tilt, inverse_of
from cxmodels.numerics.arrays import Bools, Floats, Ints

FULL = 1e-10  # 1 - leverage below which a unit is fitted by a coefficient of its own


@dataclass(frozen=True)
class Effect:
    """estimate, std_error, and degrees of freedom of its t."""

    estimate: float
    std_error: float
    degrees: float


def tilted_effect(y: Floats, treated: Bools, tilt: Tilt, x: Floats | None) -> Effect:
    """The effect under weights; x (n, k) covariates that are taken out, None for none."""
    n = len(y)
    z = np.ones((n, 1)) if x is None else np.column_stack([np.ones(n), x - x.mean(axis=0)])
    g = tilt.target
    centre = g @ z / g.sum()
    apart = np.zeros(z.shape[1])
    psi = np.zeros(n)
    smallest = np.inf
    for own, sign, of in ((treated, 1.0, tilt.of_treated), (~treated, -1.0, tilt.of_controls)):
        w = np.where(own, tilt.weights, 0.0)
        bread = inverse_of((z * w[:, None]).T @ z)
        b = bread @ (z.T @ (w * y))
        apart += sign * b
        e = np.where(own, y - z @ b, 0.0)
        lever = z @ bread @ centre
        left = 1.0 - w * np.einsum("ij,jk,ik->i", z, bread, z)
        noise = np.where(left > FULL, e / np.sqrt(np.maximum(left, FULL)), 0.0)
        bent = tilt.slope * lever * e
        psi += sign * (w * lever * noise + of @ (bent @ tilt.u))
        smallest = min(smallest, float(w.sum()) ** 2 / float(w @ w))
    each = z @ apart
    tau = float(g @ each / g.sum())
    psi += g * (each - tau) / g.sum()
    psi += tilt.of_treated @ ((tilt.target_slope * (each - tau)) @ tilt.u) / g.sum()
    return Effect(tau, float(np.sqrt(psi @ psi)), max(smallest - z.shape[1], 1.0))


def set_effect(
    y: Floats, treated: Bools, sets: Sets, x: Floats | None, estimand: str, odds: Floats | None
) -> Effect:
    """The effect between units of one set; x (n, k) covariates that are taken out; odds (n,), by
    which controls that stand for several are told how much they vary."""
    if estimand != ATT:
        return _both_ways(y, treated, sets.label, x)
    if sets.pairs is None:
        return _on_treated(y, treated, sets.label, x)
    return _paired(y, treated, (sets.pairs, odds), x)


def _paired(y: Floats, treated: Bools, how: tuple[Ints, Floats | None], x: Floats | None) -> Effect:
    pairs, odds = how
    own, other = pairs.T
    m = len(own)
    count = np.bincount(other, minlength=len(y)).astype(np.float64)
    r, lever = _freed(y, count, x)
    d = r[own] - r[other]
    tau = float(d.mean())
    c = count / m
    if x is not None:
        c = c + lever @ (x[own] - x[other]).mean(axis=0)
    extra = c**2 - count / m**2
    spread = _by_neighbour(r, ~treated, odds) if odds is not None else np.zeros_like(y)
    variance = float((d - tau) @ (d - tau)) / m**2 + float((spread * extra)[count > 0].sum())
    return _scaled(tau, variance, min(m, int((count > 0).sum())), x)


def _on_treated(y: Floats, treated: Bools, label: Ints, x: Floats | None) -> Effect:
    used = label != APART
    own, other = used & treated, used & ~treated
    n1, n0 = _counts(label, own), _counts(label, other)
    m = float(own.sum())
    count, shares = np.zeros_like(y), np.zeros_like(y)
    count[other] = (n1 / n0)[label[other]]
    shares[other] = (n1 / n0**2)[label[other]]
    r, lever = _freed(y, count, x)
    d = r[own] - _means(r, label, other)[label[own]]
    tau = float(d.mean())
    c = count / m
    if x is not None:
        c = c + lever @ np.array([
            (column[own] - _means(column, label, other)[label[own]]).mean() for column in x.T
        ])  # fmt: skip
    spread = _within(r, label, other)[label[other]]
    variance = float((d - tau) @ (d - tau)) / m**2
    variance += float(spread @ (c**2 - shares / m**2)[other])
    return _scaled(tau, variance, int(min(m, other.sum())), x)


def _both_ways(y: Floats, treated: Bools, label: Ints, x: Floats | None) -> Effect:
    """Means of each arm in each set, weighted by all units of the set."""
    used = label != APART
    size = _counts(label, used)
    n = float(used.sum())
    each = np.zeros(int(n))
    variance, noise = 0.0, np.zeros(len(size))
    for own, sign in ((used & treated, 1.0), (used & ~treated, -1.0)):
        m = _counts(label, own)
        count = np.zeros_like(y)
        count[own] = (size / m)[label[own]]
        r, lever = _freed(y, count, x)
        c = count / n
        value = _means(r, label, own)[label[used]]
        if x is not None:
            value = value + (y - r)[used]
            c = c + lever @ np.array([
                (column[used] - _means(column, label, own)[label[used]]).mean() for column in x.T
            ])  # fmt: skip
        each += sign * value
        spread = _within(r, label, own)
        variance += float(spread[label[own]] @ c[own] ** 2)
        noise += spread / m
    tau = float(each.mean())
    unlike = float(((each - tau) ** 2).sum()) - float(size @ noise)
    variance += max(unlike, 0.0) / n**2
    smallest = min(int((used & treated).sum()), int((used & ~treated).sum()))
    return _scaled(tau, variance, smallest, x)


def _freed(y: Floats, w: Floats, x: Floats | None) -> tuple[Floats, Floats]:
    """y less x'b, b by least squares with weights w (n,), and (n, k) what each unit's noise adds to
    b."""
    if x is None:
        return y, np.zeros((len(y), 0))
    z = x - w @ x / w.sum()
    bread = inverse_of((z * w[:, None]).T @ z)
    lever = (w[:, None] * z) @ bread
    return y - x @ (lever.T @ (y - w @ y / w.sum())), lever


def _counts(label: Ints, own: Bools) -> Floats:
    return np.bincount(label[own], minlength=int(label.max()) + 1).astype(np.float64)


def _means(r: Floats, label: Ints, own: Bools) -> Floats:
    total = np.bincount(label[own], weights=r[own], minlength=int(label.max()) + 1)
    return np.asarray(total / _counts(label, own))


def _within(r: Floats, label: Ints, own: Bools) -> Floats:
    """Variance of r inside each set; that of all sets together where a set has one unit."""
    m = _counts(label, own)
    e = r[own] - _means(r, label, own)[label[own]]
    squares = np.bincount(label[own], weights=e**2, minlength=len(m))
    free = m.sum() - len(m)
    pooled = squares.sum() / free if free > 0 else r[own].var(ddof=1)
    return np.where(m > 1, squares / np.maximum(m - 1.0, 1.0), pooled)


def _by_neighbour(r: Floats, own: Bools, odds: Floats) -> Floats:
    """(n,) half the squared difference to the unit of the same arm that is nearest in odds: Abadie
    and Imbens (2006), equation 14, with one match."""
    place = np.flatnonzero(own)
    place = place[np.argsort(odds[place], kind="stable")]
    step = np.diff(odds[place])
    left, right = np.append(np.inf, step), np.append(step, np.inf)
    near = np.where(left < right, np.arange(len(place)) - 1, np.arange(len(place)) + 1)
    found = np.zeros_like(r)
    found[place] = 0.5 * (r[place] - r[place[near]]) ** 2
    return found


def _scaled(tau: float, variance: float, units: int, x: Floats | None) -> Effect:
    """With the loss of degrees by the mean and the covariates."""
    lost = 1 + (0 if x is None else x.shape[1])
    left = max(units - lost, 1)
    return Effect(tau, float(np.sqrt(max(variance, 0.0) * units / left)), float(left))
