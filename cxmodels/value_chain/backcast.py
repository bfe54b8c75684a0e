"""Would the models have been right before? What they said on past days beside what came.

A model that stands in for the future of a test's customers is fitted on the data of a past day, and
its expected margin of the months after is put beside what those customers brought.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import day
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.value.residual import residual

if TYPE_CHECKING:
    import pandas as pd

YEAR = 365.25  # days


@dataclass(frozen=True, eq=False, repr=False)
class Backcast(Faced):
    """table: on (day of the fit), until, customers, foretold and found (margin of all), ratio
    (found over foretold) with lower and upper, unit."""

    table: "pd.DataFrame"
    level: float
    sentence: str

    def face(self) -> Face:
        """Each past day."""
        return Face(f"Back-cast; interval {self.level:.0%}", self.table, (self.sentence,))


def backcast(  # noqa: PLR0913 - every term of a valuation by name
    base: CustomerBase,
    family: Any,
    spend_family: Any,
    days: Iterable[str | date],
    *,
    horizon: str | Span,
    discount_rate: float,
    margin: float = 1.0,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 1,
) -> Backcast:
    """What a purchase and a spend model said on past days of the months after, and what came.

    base: made of a log; family, spend_family: not fitted, as cx.ParetoNBD() and cx.GammaGamma();
    days: on which they are fitted, each at least `horizon` before the end of the base;
    discount_rate, margin, level, draws, seed: as in `money_of_test`.
    Errors: OptionError for days that leave no room, and for a base that holds no log.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1998-06-30")
    >>> found = backcast(base, cx.ParetoNBD(), cx.GammaGamma(), ["1997-09-30"], horizon="39W",
    ...                  discount_rate=0.10, margin=0.30)
    >>> found.table[["customers", "ratio"]].round(2).to_dict("records")
    [{'customers': 2357, 'ratio': ...}]
    """
    import pandas as pd

    inside, span = check_level(level), Span.parse(horizon)
    listed = [day("days", each) for each in ([days] if isinstance(days, str | date) else days)]
    if not listed or base.end is None:
        raise OptionError("name the days= on which the models are to be tried")
    rows = []
    for on in listed:
        until = None if on is None else span.after(on)
        if on is None or until is None or until > base.end:
            raise OptionError(f"{horizon} after {on} the base has ended ({base.end}): take an "
                              "earlier day")  # fmt: skip
        then = base.at(on, holdout_end=until)
        held = residual(
            family.fit(then), spend_family.fit(then), then, horizon=f"{(until - on).days}D",
            discount_rate=discount_rate, margin=margin, draws=draws, seed=seed,
        )  # fmt: skip
        came = margin * then.table["holdout_amount"].to_numpy(dtype=np.float64)
        came = came * (1.0 + discount_rate) ** (-(until - on).days / YEAR / 2.0)
        shared = float(np.std(held.mean_by_draw(np.full(came.size, 1.0 / came.size)), ddof=1))
        row = {"on": on, "until": until, **_beside(held.expected, came, shared, inside)}
        rows.append(row | {"unit": base.currency or ""})
    table = pd.DataFrame(rows)
    return Backcast(table, inside, _sentence(table, horizon))


def _beside(said: Floats, came: Floats, shared: float, level: float) -> dict[str, Any]:
    """Found over foretold, with an interval of its logarithm; shared: error of the mean that is
    foretold, from the parameters."""
    z = float(scipy.special.ndtri((1.0 + level) / 2.0))
    n, ratio = came.size, float(came.sum() / said.sum())
    own = float(np.std(came - ratio * said, ddof=1)) / np.sqrt(n)
    error = float(np.hypot(own / ratio, shared)) / float(said.mean()) if ratio > 0.0 else 0.0
    return {
        "customers": n, "foretold": float(said.sum()), "found": float(came.sum()), "ratio": ratio,
        "lower": ratio * float(np.exp(-z * error)), "upper": ratio * float(np.exp(z * error)),
    }  # fmt: skip


def _sentence(table: "pd.DataFrame", horizon: Any) -> str:
    low, high = table["ratio"].min(), table["ratio"].max()
    apart = int(((table["lower"] > 1.0) | (table["upper"] < 1.0)).sum())
    told = f"{low:.2f}" if len(table) == 1 else f"{low:.2f} to {high:.2f}"
    judged = "cannot be told from one" if not apart else f"differs from one on {apart} of them"
    return (
        f"On {len(table)} past day{'s' * (len(table) > 1)} what came in {horizon} was {told} of "
        f"what was foretold, which {judged}. It says nothing of a lever whose effect is of another "
        "kind than the past."
    )
