"""What a point of satisfaction does in a simulated company, and what hides it.

Satisfaction is a number of points on a scale from 0 to 10, of which answers are noisy readings.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

ATTRIBUTES = ("quality", "service", "price", "delivery", "ease")
EFFECTS = {
    "leaving": "log odds of leaving within a quarter",
    "orders": "log of the orders a day",
    "order_value": "log of the amount of one line of an order",
    "breadth": "log of the further products in an order",
    "referrals": "log of the referrals a day",
    "cases": "log of the support cases a day",
    "acquisition_cost": "log of the cost of a new customer, by the channel's mean a quarter before",
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The set amounts of a simulated company.

    leaving to acquisition_cost: what one point more of true satisfaction adds to each outcome, in
    logs (see EFFECTS). drivers: points of satisfaction that a point on each attribute is worth.
    tenure_satisfaction, tenure_leaving, tenure_orders: confounding; a year as a customer adds so
    many points, and so much to the log odds of leaving and to log orders, whatever the
    satisfaction. between, within, persistence: standard deviation over customers and over time of
    each attribute, and its correlation from one quarter to the next. likeness: correlation of
    attributes. halo: standard deviation of the mood of the day, shared by all answers of one
    questionnaire; error: of each answer's own error. response: share who answer at mean
    satisfaction; response_satisfaction, response_tenure: log odds a point, and a year.
    retest: share of those who answered who are asked again two weeks later. echo: points that one
    log more of (1 + orders of the quarter before) adds to the answers, though not to satisfaction.
    """

    leaving: float = -0.25
    orders: float = 0.08
    order_value: float = 0.04
    breadth: float = 0.12
    referrals: float = 0.25
    cases: float = -0.15
    acquisition_cost: float = -0.10
    drivers: tuple[float, ...] = (0.35, 0.25, 0.20, 0.15, 0.05)
    tenure_satisfaction: float = 0.30
    tenure_leaving: float = -0.30
    tenure_orders: float = 0.05
    between: float = 1.0
    within: float = 0.6
    persistence: float = 0.7
    likeness: float = 0.5
    halo: float = 0.5
    error: float = 0.6
    response: float = 0.35
    response_satisfaction: float = 0.15
    response_tenure: float = 0.20
    retest: float = 0.15
    echo: float = 0.0

    def __post_init__(self) -> None:
        for name in ("response", "retest", "persistence", "likeness"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise OptionError(f"{name} {getattr(self, name)} is not from 0 to below 1")
        for name in ("between", "within", "halo", "error"):
            if not getattr(self, name) >= 0.0:
                raise OptionError(f"{name} {getattr(self, name)} is a spread: 0 or more")
        if len(self.drivers) != len(ATTRIBUTES):
            raise OptionError(f"drivers has one number for each of {', '.join(ATTRIBUTES)}")
        if not np.isfinite([*self.drivers, *(getattr(self, name) for name in EFFECTS)]).all():
            raise OptionError("effects are finite numbers")

    @property
    def table(self) -> "pd.DataFrame":
        """Every effect: what it moves, by how much a point, and in which unit."""
        import pandas as pd

        rows = [(name, getattr(self, name), f"{unit}, a point") for name, unit in EFFECTS.items()]
        rows += [
            (f"driver {name}", weight, "points of satisfaction, a point of the attribute")
            for name, weight in zip(ATTRIBUTES, self.drivers, strict=True)
        ]
        return pd.DataFrame(rows, columns=["effect", "truth", "unit"]).assign(simulated=True)
