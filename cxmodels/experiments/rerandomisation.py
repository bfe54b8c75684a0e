"""Drawing again until the arms are alike: salts are tried in turn, the first balanced one is kept.

Balance is the Mahalanobis distance M between the means of the arms; over all assignments M is
chi-square, so that its quantile states beforehand how many assignments are accepted (Morgan and
Rubin 2012, "Rerandomization to improve covariate balance in experiments", Annals of Statistics
40(2)). Ordinary errors are too wide after it; a permutation test must draw from accepted
assignments alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.experiments.assignment import (
    HOLDOUT_SALT,
    Assigned,
    checked_draw,
    drawn_arms,
    recorded,
)
from cxmodels.experiments.assignment_query import HOLDOUT
from cxmodels.experiments.assignment_table import UNITS, Roles, checked_units
from cxmodels.experiments.pairing import whitened
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import Face, Faced

NEVER = 1e-6  # chance that not one of the assignments tried is accepted


@dataclass(frozen=True, eq=False, repr=False)
class Rerandomised(Faced):
    """The first accepted assignment.

    assigned: with the salt that gave it; accept: share of assignments that are accepted; distance:
    M of this one; threshold: the largest accepted; tried: salts; variance_left: share of the
    variance of differences in means of the covariates that is left (their theorem 3.1).
    """

    assigned: Assigned
    accept: float
    distance: float
    threshold: float
    tried: int
    variance_left: float
    sentence: str

    def face(self) -> Face:
        """Arms and how many units are in each."""
        return Face("Re-randomised until balance", self.assigned.counts,
                    (self.sentence, *self.assigned.notes))  # fmt: skip


def rerandomise(  # noqa: PLR0913 - the arguments of assign
    units: Any,
    *,
    arms: Sequence[str],
    salt: str,
    balance: str | Iterable[str],
    accept: float = 0.01,
    unit: str = "customer_id",
    cluster: str | None = None,
    shares: Mapping[str, float] | Sequence[float] | None = None,
    holdout: float = 0.0,
    holdout_salt: str = HOLDOUT_SALT,
) -> Rerandomised:
    """Assigns with salt, "salt 2", "salt 3", ... until arms are alike in `balance`.

    balance: numeric columns; accept: the share of all assignments that are called balanced. A
    cluster counts with its means. The others as in `assign`.
    Errors: as in `assign`; FitError where nothing is accepted in as many tries as would miss once
    in a million, or where covariates do not vary.

    >>> table = pd.DataFrame({"customer_id": range(200), "spend": np.arange(200.0) % 17})
    >>> found = rerandomise(table, arms=["a", "b"], salt="s", balance="spend", accept=0.1)
    >>> found.distance <= found.threshold, round(found.variance_left, 3)
    (True, 0.005)
    """
    if not isinstance(accept, float) or not 0.0 < accept < 1.0:
        raise OptionError(f"accept {accept!r} is a share between 0 and 1")
    draw = checked_draw(arms, shares, salt, (holdout, holdout_salt))
    names = (balance,) if isinstance(balance, str) else tuple(balance)
    roles, plain = Roles(unit, cluster, (), names), Roles(unit, cluster)
    if not names:
        raise OptionError("balance names no column")
    with checked_units(units, roles) as connection:
        table = _keys(connection, len(names))
        most = ceil(log(NEVER) / log(1.0 - accept))
        for tried in range(1, most + 1):
            own = draw if tried == 1 else replace(draw, salt=f"{salt} {tried}")
            made = drawn_arms(connection, own, plain)
            arm = made["arm"].to_numpy()[table["place"].to_numpy() - 1]
            distance, k = _distance(table.drop(columns="place").to_numpy(), arm)
            degrees = k * (len(draw.arms) - 1)
            threshold = float(scipy.stats.chi2.ppf(accept, degrees))
            if distance <= threshold:
                break
        else:
            raise FitError(f"none of {most:,} assignments is balanced: there are too few units")
    left = float(scipy.stats.chi2.cdf(threshold, degrees + 2) / accept)
    return Rerandomised(recorded(made, own, plain, ()), accept, distance, threshold, tried, left,
                        _sentence(own.salt, accept, tried, left))  # fmt: skip


def _keys(connection: Any, width: int) -> pd.DataFrame:
    """One row a unit or cluster: the place of one of its units, and the means of its covariates."""
    means = ", ".join(f"avg(x{i}) AS x{i}" for i in range(width))
    # only this package's own names are written into it
    query = f"SELECT min(place) AS place, {means} FROM {UNITS} GROUP BY key ORDER BY 1"  # noqa: S608
    found: pd.DataFrame = connection.execute(query).fetchdf()
    return found


def _distance(x: Floats, arm: "np.ndarray[Any, Any]") -> tuple[float, int]:
    """M, the sum over arms of n_a (mean_a - mean)' S^-1 (mean_a - mean), and the rank of S; for two
    arms their equation 1."""
    inside = arm != HOLDOUT
    if inside.sum() < 3:
        raise FitError("there are too few units to balance")
    z = whitened(np.asarray(x, dtype=np.float64)[inside])
    if not z.any():
        raise FitError("the columns of balance do not vary: there is nothing to balance")
    total = 0.0
    for name in pd.unique(arm[inside]):
        own = z[arm[inside] == name]
        total += len(own) * float((own.mean(axis=0) ** 2).sum())
    return (np.inf if pd.unique(arm[inside]).size < 2 else total), z.shape[1]


def _sentence(salt: str, accept: float, tried: int, left: float) -> str:
    return (
        f"Balanced at try {tried:,} (salt {salt!r}), where {accept:.1%} of assignments are "
        f"accepted; of the variance of differences in the covariates {left:.1%} is left. A "
        "permutation test must draw from accepted assignments alone."
    )
