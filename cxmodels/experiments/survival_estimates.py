"""What survival curves say: time kept up to a horizon, share left at it, log-rank, hazard ratio.

Kaplan and Meier (1958, JASA 53) with Greenwood's variance; the restricted mean and its variance
(Royston and Parmar 2013, BMC Medical Research Methodology 13; Uno et al. 2014, Journal of Clinical
Oncology 32); log-rank (Mantel 1966); Cox's ratio of hazards with Efron's ties (1977, JASA 72).
n units at risk, d events, S the share that survives.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.experiments.survival_counts import Curve
from cxmodels.numerics.arrays import Floats, Ints

MOST_STEPS = 50
CLOSE = 1e-12


@dataclass(frozen=True)
class Kept:
    """One arm at a horizon: survival and restricted mean, each with its variance."""

    survival: float
    survival_variance: float
    mean: float
    mean_variance: float


def kept(curve: Curve, horizon: float) -> Kept:
    """Survival at the horizon and mean time up to it.

    V(S) = S^2 sum d / (n (n - d)) (Greenwood); mean = integral of S from 0 to the horizon, with
    variance sum A_j^2 d_j / (n_j (n_j - d_j)), A_j the area from t_j to the horizon.

    >>> kept(Curve(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.zeros(2), 0), 3.0).mean
    1.5
    """
    here = (curve.time <= horizon) & (curve.events > 0)
    t, d, n = curve.time[here], curve.events[here], curve.at_risk[here]
    share = np.cumprod(1.0 - d / n)
    area = np.diff(np.append(t, horizon)) * share
    left = np.cumsum(area[::-1])[::-1]
    adds = np.divide(d, n * (n - d), out=np.zeros_like(d), where=n > d)
    s = float(share[-1]) if share.size else 1.0
    start = float(t[0]) if t.size else horizon
    return Kept(s, s**2 * float(adds.sum()), start + float(area.sum()), float(left**2 @ adds))


@dataclass(frozen=True, eq=False)
class Paired:
    """Both arms at the distinct times of an event in either (k,): at risk and events (k, 2),
    control first."""

    time: Floats
    at_risk: Floats
    events: Floats


def paired(control: Curve, arm: Curve) -> Paired:
    """The risk sets of two arms."""
    curves = (control, arm)
    time = np.unique(np.concatenate([c.time[c.events > 0] for c in curves]))
    n, d = np.zeros((time.size, 2)), np.zeros((time.size, 2))
    for side, curve in enumerate(curves):
        seen = np.append(curve.at_risk, 0.0)
        n[:, side] = seen[np.searchsorted(curve.time, time)]
        own = curve.events > 0
        d[np.searchsorted(time, curve.time[own]), side] = curve.events[own]
    return Paired(time, n, d)


def log_rank(pair: Paired) -> float:
    """Chi-squared of one degree: (O - E)^2 / V of the arm, V hypergeometric; 0 where V is.

    >>> one = Curve(np.array([1.0, 2.0]), np.ones(2), np.zeros(2), 0)
    >>> log_rank(paired(one, one))
    0.0
    """
    n, d = pair.at_risk.sum(axis=1), pair.events.sum(axis=1)
    share = pair.at_risk[:, 1] / n
    gap = float((pair.events[:, 1] - d * share).sum())
    v = d * share * (1.0 - share) * np.divide(n - d, n - 1.0, out=np.zeros_like(n), where=n > 1.0)
    return gap**2 / float(v.sum()) if v.sum() > 0.0 else 0.0


def hazard_ratio(pair: Paired) -> tuple[float, float] | None:
    """Log ratio of hazards and its standard error, ties by Efron; None where it has no bound, since
    only one arm has events while the other is at risk."""
    both = (pair.at_risk > 0).all(axis=1)
    n, d = pair.at_risk[both], pair.events[both]
    if not (d.sum(axis=0) > 0).all():
        return None
    place, tied = _ties(d.sum(axis=1).astype(np.int64))
    part = tied / d.sum(axis=1)[place]
    still = n[place] - part[:, None] * d[place]  # at risk, less a part of the tied
    beta, seen = 0.0, float(d[:, 1].sum())
    for _ in range(MOST_STEPS):
        own = still[:, 1] * np.exp(beta)
        share = own / (own + still[:, 0])
        score, information = seen - float(share.sum()), float((share * (1.0 - share)).sum())
        step = float(np.clip(score / information, -1.0, 1.0))
        beta += step
        if abs(step) < CLOSE * (1.0 + abs(beta)):
            break
    return beta, information**-0.5


def _ties(count: Ints) -> tuple[Ints, Floats]:
    """Of each event, the place of its time, and how many tied ones were counted before it."""
    place = np.repeat(np.arange(count.size), count)
    first = np.cumsum(count) - count
    return place, (np.arange(place.size) - first[place]).astype(np.float64)
