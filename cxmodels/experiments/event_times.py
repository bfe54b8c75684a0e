"""Effects by time since treatment with their covariance, from here or from another package."""

from dataclasses import dataclass

import numpy as np

from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats, Ints

SYMMETRIC = 1e-8  # asymmetry of a covariance, in its largest entry, that is taken for rounding


@dataclass(frozen=True, eq=False)
class EventTimes:
    """times: (K,) periods since treatment in order, the reference left out; estimate: (K,);
    covariance: (K, K); reference: the time whose effect is 0 by definition."""

    times: Ints
    estimate: Floats
    covariance: Floats
    reference: int = -1

    @property
    def pre(self) -> int:
        """Estimates before the reference."""
        return int((self.times < self.reference).sum())

    @property
    def post(self) -> int:
        """Estimates after the reference."""
        return int((self.times > self.reference).sum())


def event_times(
    estimate: object, covariance: object, pre: int, *, times: object = None
) -> EventTimes:
    """Estimates (K,) of another package with their covariance (K, K), in order of time.

    pre: how many of them lie before the reference period, which is left out; times: (K,) whole
    numbers counted from treatment, by default steps of one around the reference, -1.
    Raises: DataError with every problem; OptionError for a number of periods that cannot be.
    """
    beta = _floats(estimate, "estimate").reshape(-1)
    sigma = np.atleast_2d(_floats(covariance, "covariance"))
    K = beta.size
    problems = []
    if not np.isfinite(beta).all():
        problems.append(
            Problem("an estimate is missing or infinite", int((~np.isfinite(beta)).sum()))
        )
    if sigma.shape != (K, K):
        problems.append(Problem(f"covariance is {sigma.shape}, {(K, K)} is needed"))
    elif not np.isfinite(sigma).all():
        problems.append(Problem("covariance has entries that are missing or infinite"))
    else:
        problems += _problems_of(sigma)
    if problems:
        raise DataError("event times", problems)
    if not isinstance(pre, int | np.integer) or isinstance(pre, bool) or not 0 <= pre < K:
        raise OptionError(f"pre {pre!r} is not from 0 to {K - 1}: one estimate or more comes after")
    if times is None:
        steps = np.concatenate([np.arange(-1 - pre, -1), np.arange(K - pre)]).astype(np.int64)
        return EventTimes(steps, beta, 0.5 * (sigma + sigma.T))
    when = _floats(times, "times").reshape(-1)
    if when.size != K or (when % 1.0 != 0.0).any() or (np.diff(when) <= 0.0).any():
        raise OptionError(f"times are {K} whole numbers in order, not {times!r}")
    return EventTimes(when.astype(np.int64), beta, 0.5 * (sigma + sigma.T), _between(when, pre))


def _between(when: Floats, pre: int) -> int:
    """The reference: the time that is left out between the estimates before and after it."""
    low = when[pre] - 2.0 if pre == 0 else when[pre - 1]
    if when[pre] - low != 2.0:
        raise OptionError(
            f"times leave out no one reference between estimate {pre} and {pre + 1}: "
            f"{low:g} and {when[pre]:g}"
        )
    return int(low) + 1


def _floats(values: object, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"{name} is no array of numbers") from None


def _problems_of(sigma: Floats) -> list[Problem]:
    size = float(np.abs(sigma).max())
    if np.abs(sigma - sigma.T).max() > SYMMETRIC * size:
        return [Problem("covariance is not symmetric")]
    if not (np.diag(sigma) > 0.0).all():
        wrong = int((np.diag(sigma) <= 0.0).sum())
        return [Problem("a variance is not above 0", wrong,
                        remedy="Leave the reference period out")]  # fmt: skip
    if np.linalg.eigvalsh(sigma)[0] < -SYMMETRIC * size:
        return [Problem("covariance is not that of any estimates: it has a direction below 0")]
    return []
