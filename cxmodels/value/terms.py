"""The terms of a valuation: margin, rate, horizon and timing, checked at the door."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Span
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value.discount import DiscountCurve, Payment
from cxmodels.value.outcomes import Parameters

Margin = float | pd.Series | Floats


@dataclass(frozen=True)
class Terms:
    """What a value means: discounted margin over a horizon, with intervals at `level`.

    margin: (n,) share of revenue of each customer; below: the amount of `p_below`; rate_sd:
    standard deviation of the annual rate; horizon: as asked, None for all future.
    """

    curve: DiscountCurve
    horizon: Span | None
    margin: Floats
    below: float
    level: float
    rate_sd: float
    seed: int
    currency: str

    @property
    def tails(self) -> tuple[float, float]:
        """Probabilities of the two ends of an interval."""
        return (1.0 - self.level) / 2.0, (1.0 + self.level) / 2.0

    @property
    def span(self) -> str:
        """The horizon in words."""
        return "all future" if self.horizon is None else f"the next {self.horizon}"

    def rates(self, draws: int) -> Floats:
        """(draws,) annual rates: normal around the rate, held above a tenth of it."""
        if self.rate_sd == 0.0:
            return np.full(draws, self.curve.rate)
        rng = generator(self.seed, 7)
        drawn = self.curve.rate + self.rate_sd * rng.standard_normal(draws)
        return np.maximum(drawn, 0.1 * self.curve.rate)

    def ending(self, length: float) -> DiscountCurve:
        """The same curve with a horizon of `length` in the base's unit."""
        return replace(self.curve, length=length)


def curve_of(
    fit: FittedPurchases,
    *,
    horizon: str | Span | None,
    rate: float,
    payment: str | Payment,
    start: date | None,
) -> DiscountCurve:
    """The discount curve in the fit's unit; in discrete time it ends at a whole opportunity."""
    curve = DiscountCurve.of(
        horizon=horizon, rate=rate, unit=fit.unit, payment=payment, start=start
    )
    if horizon is None or not fit.family.discrete:
        return curve
    return replace(curve, length=fit.length(horizon, start))


def margins(margin: Margin, base: CustomerBase) -> Floats:
    """(n,) margin of each customer of the base; DataError lists what cannot be one.

    margin: one share of revenue for all, or one per customer in the order of `base.table`, or a
    Series indexed by customer_id.
    """
    ids = base.table["customer_id"]
    if isinstance(margin, pd.Series):
        if margin.index.has_duplicates:
            twice = margin.index[margin.index.duplicated()]
            problem = Problem(
                "several margins for one customer", len(twice), f"customer {twice[0]}"
            )
            raise DataError("margin", [problem])
        missing = ~ids.isin(margin.index)
        if missing.any():
            first = f"customer {ids[missing].iloc[0]}"
            remedy = "A Series is matched by its index, which must hold the customer ids."
            raise DataError("margin", [Problem("no margin", int(missing.sum()), first, remedy)])
        values = margin.reindex(ids).to_numpy(dtype=np.float64)
    else:
        values = _broadcast(margin, len(ids))
    wrong = ~((values > 0.0) & (values <= 1.0))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(
            "margin",
            [
                Problem(
                    "margin is a share of revenue, above 0 and at most 1",
                    int(wrong.sum()),
                    f"customer {ids.iloc[place]}: {values[place]}",
                    "Write 30 per cent as 0.30.",
                )
            ],
        )
    return values.astype(np.float64)


def _broadcast(margin: object, customers: int) -> Floats:
    try:
        given = np.asarray(margin, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"margin is a share of revenue such as 0.30, got {margin!r}") from None
    if given.ndim > 1 or given.size not in (1, customers):
        raise OptionError(f"{given.size:,} margins were given for {customers:,} customers")
    return np.broadcast_to(given, (customers,))


def as_number(value: object, name: str) -> float:
    """`value` as a finite number, else OptionError."""
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return float(value)
    raise OptionError(f"{name} must be a number, got {value!r}")


def joint_draws(
    fit: FittedPurchases, spend_fit: FittedSpend, terms: Terms, draws: int
) -> Parameters:
    """Draws of everything that customers share: purchase and spend parameters, and the rate.

    The two likelihoods have no parameter in common, so their posteriors are independent.
    """
    purchases = fit.posterior(draws, seed=terms.seed).values
    spend = spend_fit.posterior(draws, seed=terms.seed + 1).resample(draws, terms.seed + 2).values
    return Parameters(purchases, spend, terms.rates(draws))
