"""What each customer is still expected to bring, with what the parameters leave open.

Expected residual value under joint draws of the purchase and spend parameters, by distinct history,
so that means of any groups of customers have their error at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value import expectation
from cxmodels.value.discount import Payment
from cxmodels.value.histories import Histories
from cxmodels.value.outcomes import Parameters
from cxmodels.value.terms import Margin, Terms, curve_of, joint_draws, margins

CELLS = 40_000_000  # histories by draws that are held at once
LEAST_DRAWS = 50


@dataclass(frozen=True, eq=False)
class Residual:
    """customer_id (n,); row (n,): the history of each; by_draw (m, 1 + d): expected discounted
    margin of each history, the fitted parameters first."""

    customer_id: Any
    row: Ints
    by_draw: Floats

    @property
    def expected(self) -> Floats:
        """(n,) at the fitted parameters."""
        return np.asarray(self.by_draw[self.row, 0])

    def mean_by_draw(self, weight: Floats) -> Floats:
        """(d,) mean over customers with weights (n,) that sum to 1, under each draw."""
        held = np.bincount(self.row, weights=weight, minlength=len(self.by_draw))
        return np.asarray(held @ self.by_draw[:, 1:])


def residual(
    fit: FittedPurchases,
    spend_fit: FittedSpend,
    base: CustomerBase,
    *,
    horizon: str | Span,
    discount_rate: float,
    margin: Margin = 1.0,
    draws: int = 200,
    seed: int = 1,
) -> Residual:
    """Expected discounted margin of each customer over a horizon, from the base's end on.

    Args as in `lifetime_value`; draws: of the parameters. Errors: OptionError for a horizon that is
    none, DataError for margins that are none.
    """
    if Span.parse(horizon).count <= 0:
        raise OptionError(f"horizon {horizon!r} is not a positive span of time")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < LEAST_DRAWS:
        raise OptionError(f"draws {draws!r} is below {LEAST_DRAWS}: an error needs more")
    curve = curve_of(fit, horizon=horizon, rate=discount_rate, payment=Payment.CONTINUOUS,
                     start=base.end)  # fmt: skip
    terms = Terms(curve, Span.parse(horizon), margins(margin, base), 0.0, 0.9, 0.0, seed, "")
    own, profiles = fit.on(base)
    seen = Histories.of(own.family, base, profiles, terms.margin)
    count = int(np.clip(CELLS // seen.size, LEAST_DRAWS, draws))
    drawn = joint_draws(own, spend_fit, terms, count)
    drawn = Parameters(
        np.vstack([own.theta, drawn.purchases]),
        np.vstack([spend_fit.theta, drawn.spend]),
        np.append(drawn.rates[:1], drawn.rates),
    )
    every = slice(0, seen.size)
    value = expectation.discounted_by_draw(own.family, drawn.purchases, seen, curve, drawn.rates)
    value = value[seen.group] * expectation.p_alive(own.family, drawn.purchases, seen, every)
    value *= expectation.spend(spend_fit.family, drawn.spend, seen, every)
    value *= (seen.margin * spend_fit.paid_share)[:, None]
    return Residual(base.table["customer_id"].to_numpy(), seen.row, value)
