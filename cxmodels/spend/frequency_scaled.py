"""Gamma-Gamma spend whose scale moves with how often a customer buys.

A customer's orders over lambda^delta follow Gamma-Gamma, where lambda is their purchase rate:
delta = 0 is the independence that Gamma-Gamma takes for granted; delta = .3 says that who buys ten
per cent more often spends three per cent more per order. Rates are not seen. With z = E[log lambda]
given the customer's purchases, alive or gone, for given delta the model is Gamma-Gamma in money
measured in exp(delta z): delta is found by the profile of its likelihood, everything else by the
model as it is. Purchases to come are made by those alive, whose rates are gamma distributed (shape,
rate), at the rate itself, so an order to come is on average

    E[lambda lambda^delta] / E[lambda] = rate^-delta Gamma(shape + 1 + delta) / Gamma(shape + 1)

times what it is in the money of lambda^delta: the high rates that are possible buy more, and spend
accordingly. That z stands for a rate that is not seen pulls delta towards 0, by a tenth or so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import DataError, Problem
from cxmodels.likelihood.fit import maximise
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.spend.gamma_gamma import mean_order
from cxmodels.spend.order_means import OrderMeans, SpendObjective

FARTHEST = 4.0  # |delta| times the standard deviation of z beyond which nothing is looked for


@dataclass(frozen=True)
class Scaled:
    """Gamma-Gamma at one delta: its log likelihood of the mean orders, and p, q, gamma."""

    delta: float
    log_likelihood: float
    theta: Floats


@dataclass(frozen=True)
class Rates:
    """What is known of each customer's purchase rate (n,): the mean of its log given the purchases,
    and shape and rate of its gamma distribution if the customer is alive."""

    mean_log: Floats
    shape: Floats
    rate: Floats


@dataclass(frozen=True)
class FrequencyScaled:
    """The most likely delta with its interval by the likelihood ratio, and the model at each.

    independent: at delta = 0; lower, upper: at the ends of the interval; shape, rate: (n,) of what
    is known of each customer's rate if alive, in units of exp(mean of all z); z: (n,) mean of its
    log, centred.
    """

    best: Scaled
    lower: Scaled
    upper: Scaled
    independent: Scaled
    shape: Floats
    rate: Floats
    z: Floats
    customers: int

    @property
    def ratio(self) -> float:
        """Twice the gain of log likelihood over independence."""
        return max(0.0, 2.0 * (self.best.log_likelihood - self.independent.log_likelihood))

    def expected_spend(self, at: Scaled, table: pd.DataFrame) -> Floats:
        """(n,): expected paid order of each customer's purchases to come, at one delta: FH equation
        (5) in its money."""
        p, q, gamma = at.theta
        scale, ahead = np.exp(at.delta * self.z), self.ahead(at.delta)
        x = table["paid_frequency"].to_numpy(dtype=np.float64)
        total = np.where(x > 0, x * table["monetary_value"].to_numpy(dtype=np.float64), 0.0)
        return ahead * mean_order(p, q + p * x, gamma + total / scale)

    def ahead(self, delta: float) -> Floats:
        """(n,): E[lambda^(1 + delta)] / E[lambda], what lambda^delta is at purchases to come."""
        k = np.maximum(self.shape + 1.0 + delta, 1e-3)
        lifted = scipy.special.gammaln(k) - scipy.special.gammaln(self.shape + 1.0)
        return np.exp(lifted - delta * np.log(self.rate))


def fit_scaled(table: pd.DataFrame, rates: Rates, *, level: float) -> FrequencyScaled:
    """Finds delta on a base's table.

    Args: rates: what is known of how often each customer buys; level: width of the interval.
    Raises: DataError where nobody buys more often than others, or spend cannot be estimated.
    """
    middle = float(rates.mean_log.mean())
    z, rate = rates.mean_log - middle, rates.rate * np.exp(middle)
    known = (table["paid_frequency"] >= 1).to_numpy() & (table["monetary_value"] > 0).to_numpy()
    spread = float(z[known].std()) if known.any() else 0.0
    if spread < 1e-9:
        raise DataError(
            "customer base",
            [Problem("customers with paid repeat orders all buy equally often: nothing to relate")],
        )
    at = _at_delta(table, z, known)
    far = FARTHEST / spread
    found = scipy.optimize.minimize_scalar(
        lambda delta: -at(delta).log_likelihood,
        bounds=(-far, far),
        options={"xatol": 1e-4 / spread},
    )
    best = at(float(found.x))
    fall = 0.5 * float(scipy.special.chdtri(1, 1.0 - level))

    def end(far_end: float) -> Scaled:
        def short(delta: float) -> float:
            return best.log_likelihood - at(delta).log_likelihood - fall

        if short(far_end) <= 0.0:
            return at(far_end)
        return at(float(scipy.optimize.brentq(short, best.delta, far_end, xtol=1e-4 / spread)))

    ends, count = (end(-far), end(far)), int(known.sum())
    return FrequencyScaled(best, *ends, at(0.0), rates.shape, rate, z, count)


def _at_delta(table: pd.DataFrame, z: Floats, known: Bools) -> Callable[[float], Scaled]:
    """The model at any delta: the fit to money over exp(delta z), with its Jacobian."""
    mean = table["monetary_value"].to_numpy(dtype=np.float64)

    def at(delta: float) -> Scaled:
        scaled = table.assign(monetary_value=mean / np.exp(delta * z))
        estimate = maximise(SpendObjective(OrderMeans.from_table(scaled)), model="Gamma-Gamma")
        return Scaled(
            delta, estimate.log_likelihood - delta * float(z[known].sum()), estimate.theta
        )

    return at
