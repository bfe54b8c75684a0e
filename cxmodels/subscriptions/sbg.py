"""Shifted-beta-geometric: every customer has a chance to leave at each renewal, and they differ.

One customer's chance theta never changes; over customers theta ~ Beta(alpha, beta). Retention still
rises with age, because those with a high chance leave first:

    S(t) = B(alpha, beta + t) / B(alpha, beta),    r(t) = (beta + t - 1) / (alpha + beta + t - 1).

Sources: Fader and Hardie (2007), "How to project customer retention", Journal of Interactive
Marketing 21, equations (5) and (7); Fader and Hardie (2010), Marketing Science 29, for value.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.numerics.arrays import Floats, Number
from cxmodels.numerics.transforms import Space
from cxmodels.subscriptions import bdw
from cxmodels.subscriptions.family import RatioDerivatives, SubscriptionFamily

if TYPE_CHECKING:
    from cxmodels.data.subscriptions import SubscriptionBase
    from cxmodels.subscriptions.fitted import FittedSubscriptions

WITHOUT_C = np.array([0, 1, 3])


@dataclass(frozen=True)
class SBG(SubscriptionFamily):
    """Shifted-beta-geometric, with N, standard errors, cohorts and covariates.

    leaving: a formula such as "~ channel + price" of columns that may explain who leaves; a
    coefficient is added to the log odds of the mean chance to leave at a renewal.
    """

    leaving: str | None = None
    name: str = field(default="shifted-beta-geometric", init=False)
    source = "Fader and Hardie (2007), Journal of Interactive Marketing 21"
    space = Space((bdw.ALPHA, bdw.BETA))
    whole_periods = True

    def fit(self, base: "SubscriptionBase") -> "FittedSubscriptions":
        """Maximum likelihood; DataError where the base cannot tell who leaves when."""
        from cxmodels.subscriptions.fitted import fit_subscriptions

        return fit_subscriptions(self, base)

    def log_ratio(self, theta: Floats, t0: Number, t1: Number, shift: Number = 0.0) -> Floats:
        """log S(t1) / S(t0), Fader and Hardie (2007) equation (5).

        >>> theta = np.array([0.668088, 3.806095])  # High End, seven years
        >>> round(100 * float(np.exp(SBG().log_ratio(theta, 0.0, 12.0))), 4)
        37.7999
        """
        return bdw.log_ratio(theta[..., 0], theta[..., 1], 1.0, (t0, t1), shift)

    def log_ratio_moved(
        self, theta: Floats, age: float, t: Number, moved: tuple[Number, Number]
    ) -> Floats:
        return bdw.log_ratio_moved(theta[..., 0], theta[..., 1], 1.0, (age, t), moved)

    def rows(self, theta: Floats, t0: Floats, t1: Floats, shift: Floats) -> RatioDerivatives:
        """The beta-discrete-Weibull at c = 1, whose c does not move."""
        found = bdw.rows(np.append(theta, 1.0), t0, t1, shift)
        hessian = found.hessian[np.ix_(WITHOUT_C, WITHOUT_C)]
        return RatioDerivatives(found.value, found.gradient[WITHOUT_C], hessian)

    def tail(self, theta: Floats) -> Floats:
        """S(t) ~ t^-alpha."""
        return np.asarray(theta[..., 0])

    def simulate(self, theta: Floats, n: int, rng: np.random.Generator) -> Floats:
        return bdw.BDW().simulate(np.append(theta, 1.0), n, rng)

    def starts(self, retention: float, time: float) -> Floats:
        both = np.array([1.0, 5.0, 0.3])
        return np.stack([both * (1.0 - retention), both * retention], axis=-1)
