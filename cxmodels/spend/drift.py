"""Do customers' orders grow or shrink over the years? Within each customer, not between them.

log(order of customer i at time t) = own level of i + slope t + noise. The slope comes from how one
customer's orders move about their own mean. Over all orders together it would also show who is
still there: where large spenders stay longer, later orders are larger though nobody spends more.

Source: the within estimator with standard errors clustered by customer, as in Arellano (1987),
"Computing Robust Standard Errors for Within-Groups Estimators", Oxford Bulletin of Economics and
Statistics 49(4).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.data.units import DAYS_PER_YEAR
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown import Said
from cxmodels.spend.order_means import ask_for_payments

WITHIN, POOLED = "within customers", "all orders together"


@dataclass(frozen=True)
class Slope:
    """A slope of log amounts with its standard error, from `orders` orders of `customers`."""

    slope: float
    std_error: float
    orders: int
    customers: int


@dataclass(frozen=True, repr=False)
class OrderDrift(Said):
    """How a customer's order value changes a year.

    within: the slope of log amounts a year; pooled: that of all orders together, which mixes who
    is there; catch_up: by what factor today's orders exceed a customer's past ones on average;
    left_out: paid repeat orders of customers who have one only.
    """

    within: Slope
    pooled: Slope
    catch_up: float
    left_out: int
    level: float

    @property
    def table(self) -> pd.DataFrame:
        """estimator, change_per_cent a year, lower, upper, orders, customers."""
        z = float(scipy.special.ndtri((1.0 + self.level) / 2.0))
        rows = []
        for name, one in ((WITHIN, self.within), (POOLED, self.pooled)):
            ends = [one.slope, one.slope - z * one.std_error, one.slope + z * one.std_error]
            change = [100.0 * float(np.expm1(end)) for end in ends]
            rows.append((name, *change, one.orders, one.customers))
        columns = ["estimator", "change_per_cent", "lower", "upper", "orders", "customers"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def sentence(self) -> str:
        """The change within customers in words."""
        change, low, high = self.table.iloc[0][["change_per_cent", "lower", "upper"]]
        said = f"a customer's orders change by {change:+.1f} per cent a year ({self.level:.0%} "
        said += f"interval {low:+.1f} to {high:+.1f}), from {self.within.orders:,} paid repeat "
        said += f"orders of {self.within.customers:,} customers with two or more"
        return said if low > 0 or high < 0 else f"no sign of a drift: {said}"

    def net_rate(self, discount_rate: float) -> tuple[float, float]:
        """Annual rate, and its standard deviation, at which growing orders are valued.

        Money that grows by g and is discounted at r is worth as much as money that stays and is
        discounted at (1 + r) / (1 + g) - 1. Give both to `lifetime_value`, as discount_rate and
        discount_rate_sd, with margin times `catch_up`; it holds for payment="continuous".
        Raises: OptionError where orders grow faster than money is discounted.
        """
        rate = (1.0 + discount_rate) * float(np.exp(-self.within.slope)) - 1.0
        if rate < 0.0:
            raise OptionError(
                f"orders grow by {np.expm1(self.within.slope):.1%} a year, faster than the "
                f"discount rate of {discount_rate:.1%}: such growth does not last; give a rate by "
                "hand, and a horizon"
            )
        return rate, (1.0 + rate) * self.within.std_error


def order_drift(base: CustomerBase, *, level: float = 0.9) -> OrderDrift:
    """Change of a customer's own order value a year, over their paid repeat orders.

    Args: base: made from a log with amounts; level: width of intervals.
    Raises: OptionError where the base holds no log, DataError where fewer than two customers have
    two paid repeat orders at different times.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1998-06-30")
    >>> drift = order_drift(base)
    >>> drift.table["estimator"].tolist(), drift.within.customers
    (['within customers', 'all orders together'], 736)
    """
    ask_for_base(base)
    check_level(level)
    ask_for_payments(base, "order_drift")
    if base.occasions is None:
        raise OptionError(
            "this base holds no log to go back to for its orders: make it with "
            "cx.customer_base(...) from a frame, file or table"
        )
    found = base.occasions()
    paid = found[found["amount"] > 0]
    customer = pd.factorize(paid["customer_id"])[0].astype(np.int64)
    days = paid["happened"].to_numpy().astype("datetime64[us]") - np.datetime64(base.end, "us")
    t: Floats = days / np.timedelta64(1, "D") / DAYS_PER_YEAR
    y = np.log(paid["amount"].to_numpy(dtype=np.float64))
    within = within_slope(customer, t, y)
    catch_up = float(np.mean(np.exp(-within.slope * t)))
    return OrderDrift(within, pooled_slope(customer, t, y), catch_up, t.size - within.orders, level)


def within_slope(customer: Ints, t: Floats, y: Floats) -> Slope:
    """Slope (n,) of y on t with a level of its own for each customer, errors clustered by them."""
    count = np.bincount(customer, minlength=1)
    several = count[customer] > 1 if customer.size else np.zeros(0, dtype=bool)
    who = np.unique(customer[several], return_inverse=True)[1]
    size = np.bincount(who, minlength=1)

    def about_mean(values: Floats) -> Floats:
        mean = np.bincount(who, weights=values[several], minlength=1) / np.maximum(size, 1)
        return np.asarray(values[several] - mean[who])

    x, z = about_mean(t), about_mean(y)
    spread = np.bincount(who, weights=x * x, minlength=1) > 0
    if spread.sum() < 2:
        what = f"{int(spread.sum())} customers have two paid repeat orders at different times"
        raise DataError(
            "customer base", [Problem(what, remedy="Two such customers are the least.")]
        )
    return _clustered(who, x, z)


def pooled_slope(customer: Ints, t: Floats, y: Floats) -> Slope:
    """Slope of y on t over all orders, as if they came from one customer: mixes who is there."""
    return _clustered(customer, t - t.mean(), y - y.mean())


def _clustered(who: Ints, x: Floats, z: Floats) -> Slope:
    """Least squares of z on x, both centred, with standard errors clustered by `who`.

    Small samples: times G / (G - 1) for G clusters, the convention of Stata's xtreg, fe.
    """
    total = float(x @ x)
    slope = float(x @ z) / total
    score = np.bincount(who, weights=x * (z - slope * x), minlength=1)
    clusters = int(np.unique(who).size)
    variance = float(score @ score) / total**2 * clusters / max(clusters - 1, 1)
    return Slope(slope, float(np.sqrt(variance)), x.size, clusters)
