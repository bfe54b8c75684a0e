"""What money later is worth today: one annual rate, one place where it is converted.

A rate is annual and effective: money in a year is worth 1 / (1 + rate) today. A purchase at time
s is discounted at its own date ("continuous"), or paid at the start, middle or end of the month
it falls in; months are counted from the valuation date, by the calendar where it is known.

For any such curve d(s) and any purchase model, discounted expected purchases of an alive customer
are the integral of d(s) times the purchase rate. The rate is smooth in y = log(1 + s / c), so
within panels of y it is replaced by the polynomial through Chebyshev nodes, and the integrals of
d times each node's Lagrange polynomial are worked out once, as weights.
"""

import itertools
from dataclasses import dataclass
from datetime import date
from enum import Enum

import numpy as np

from cxmodels.data.units import Span, TimeUnit, add_months, elapsed
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats, Number

FORGOTTEN = 1e-12  # discount factor beyond which an infinite horizon is cut
PANEL = 2.0  # width of a panel in y; the rate is analytic within pi of the real line
CLOSE = 1e-9  # share of the horizon within which two cuts are one
SHORT = 0.1  # share of a panel's width that is short
NODES = 12  # Chebyshev nodes in a panel: relative error about 6.4^-12 = 2e-10
GAUSS = np.polynomial.legendre.leggauss(24)
FEW = np.polynomial.legendre.leggauss(6)  # exact to degree 11, a node's own, within many months
MANY = 12  # months in a panel from which that is enough


class Payment(Enum):
    """When a purchase is paid within its month."""

    CONTINUOUS = "continuous"
    START = "start"
    MIDDLE = "middle"
    END = "end"

    @classmethod
    def parse(cls, text: "str | Payment") -> "Payment":
        """The payment timing named by `text`."""
        if isinstance(text, Payment):
            return text
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            choices = ", ".join(item.value for item in cls)
            raise OptionError(f"payment {text!r} is not one of {choices}") from None


@dataclass(frozen=True)
class DiscountCurve:
    """Present value of 1 paid for a purchase at time s after `start`, for s up to the horizon.

    rate: annual effective; length: horizon in `unit`, infinite when None was asked for.

    >>> curve = DiscountCurve.of(horizon="24M", rate=0.1, unit=TimeUnit.MONTH)
    >>> curve.factor(np.array([0.0, 12.0, 24.0])).round(4)
    array([1.    , 0.9091, 0.8264])
    """

    rate: float
    length: float
    unit: TimeUnit
    payment: Payment = Payment.CONTINUOUS
    start: date | None = None

    @classmethod
    def of(
        cls,
        *,
        horizon: "str | Span | None",
        rate: float,
        unit: TimeUnit,
        payment: "str | Payment" = Payment.CONTINUOUS,
        start: date | None = None,
    ) -> "DiscountCurve":
        """A curve from what a user writes; OptionError where rate and horizon make no sense."""
        if not (isinstance(rate, int | float | np.number) and 0.0 <= rate < 10.0):
            raise OptionError(
                f"discount_rate is annual and effective, 0.10 for 10 per cent a year; got {rate!r}"
            )
        if horizon is None and rate == 0:
            raise OptionError(
                "an infinite horizon needs a discount_rate above 0: undiscounted purchases of all "
                "future have no finite sum in general; give a horizon such as '36M' or a rate"
            )
        length = np.inf if horizon is None else Span.parse(horizon).length(unit, start)
        return cls(float(rate), float(length), unit, Payment.parse(payment), start)

    @property
    def force(self) -> float:
        """Continuous discount rate per unit of time, log(1 + rate) / units per year."""
        return float(np.log1p(self.rate)) / self.unit.per_year

    @property
    def reach(self) -> float:
        """The horizon, or where an infinite one is cut because money there is worth 1e-12."""
        if np.isfinite(self.length):
            return self.length
        if self.rate == 0:
            return np.inf
        return float(-np.log(FORGOTTEN) / self.force)

    def factor(self, s: Floats, rate: Number | None = None) -> Floats:
        """Present value of 1 for a purchase at each s, 0 after the horizon; or at other rates."""
        force = self.force if rate is None else np.log1p(rate) / self.unit.per_year
        return np.where(np.asarray(s) <= self.length, np.exp(-force * self.paid(s)), 0.0)

    def paid(self, s: Floats) -> Floats:
        """When the purchases made at each s are paid."""
        made = np.asarray(s, dtype=np.float64)
        if self.payment is Payment.CONTINUOUS:
            return made
        edges = self.months(float(made.max(initial=0.0)))
        place = np.clip(np.searchsorted(edges, made, side="right") - 1, 0, edges.size - 2)
        return _paid_at(self.payment, edges[place], edges[place + 1])

    def months(self, until: float) -> Floats:
        """Ends of months from the valuation date on, in `unit`: 0, then up to beyond `until`."""
        month = Span(1, TimeUnit.MONTH).length(self.unit)
        count = int(until / month) + 3
        known = 0
        if self.start is not None:  # the calendar ends in the year 9999
            known = min(count, 12 * (9998 - self.start.year))
            first = [
                elapsed(self.start, add_months(self.start, k), self.unit) for k in range(known)
            ]
        edges = np.arange(count, dtype=np.float64) * month
        if known:
            edges[:known] = first
            edges[known:] = first[-1] + month * np.arange(1, count - known + 1)
        return edges

    def scheme(
        self,
        resolution: float,
        rates: Floats | None = None,
        *,
        panel: float = PANEL,
        nodes: int = NODES,
        jumps: Floats | None = None,
    ) -> "Scheme":
        """Nodes and weights that turn a purchase rate into discounted expected purchases.

        resolution: the shortest time over which the purchase rate changes by its own size;
        rates: annual rates, one column of weights for each, the curve's own if None;
        panel, nodes: width in y and Chebyshev nodes; wider and fewer where speed is wanted;
        jumps: times at which the purchase rate may jump, where panels are cut.
        """
        rates = np.array([self.rate]) if rates is None else rates
        reach = min(self.length, DiscountCurve(rates.min(), np.inf, self.unit).reach)
        if reach == 0:
            return Scheme(np.zeros(1), np.zeros((1, rates.size)))
        c = min(resolution, reach)
        panels = max(1, int(np.ceil(np.log1p(reach / c) / panel)))
        edges = c * np.expm1(np.linspace(0.0, np.log1p(reach / c), panels + 1))
        if jumps is not None:
            edges = np.union1d(edges, jumps[(jumps > 0.0) & (jumps < reach)])
            edges = edges[np.append(np.diff(edges) > CLOSE * reach, True)]
        short = np.diff(np.log1p(edges / c)) < SHORT * panel  # far fewer nodes do
        parts = [
            self._panel(ends, c, rates, max(3, nodes // 3) if near else nodes)
            for ends, near in zip(itertools.pairwise(edges), short, strict=True)
        ]
        return Scheme(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _panel(
        self, ends: tuple[float, float], c: float, rates: Floats, count: int
    ) -> tuple[Floats, Floats]:
        """Chebyshev nodes between the two ends, and their weights (count, rates)."""
        low, high = ends
        y_low, y_high = np.log1p(low / c), np.log1p(high / c)
        angle = (np.arange(count) + 0.5) * np.pi / count
        chebyshev = np.cos(angle)
        nodes = c * np.expm1((y_low + y_high) / 2 + (y_high - y_low) / 2 * chebyshev)
        cuts = np.array([low, high])
        if self.payment is not Payment.CONTINUOUS:
            months = self.months(high)
            cuts = np.unique(np.concatenate([cuts, months[(months > low) & (months < high)]]))
        inner = np.log1p(cuts / c)
        half = np.diff(inner)[:, None] / 2
        points, shares = GAUSS if half.size < MANY else FEW
        y = (inner[:-1, None] + half + half * points).ravel()
        s = c * np.expm1(y)
        measure = (half * shares).ravel() * (c + s)  # ds = (c + s) dy
        place = np.clip((2 * y - y_low - y_high) / (y_high - y_low), -1, 1)
        mass = measure[:, None] * lagrange(place, angle)
        paid, force = self.paid(s), np.log1p(rates) / self.unit.per_year
        if self.payment is not Payment.CONTINUOUS:  # all of a month is paid at once
            mass = mass.reshape(half.size, points.size, count).sum(axis=1)
            paid = paid[:: points.size]
        weights = np.zeros((count, rates.size))
        live = force * low < -np.log(FORGOTTEN)  # the other rates see nothing so far off
        weights[:, live] = mass.T @ np.exp(-np.outer(paid, force[live]))
        return nodes, weights


@dataclass(frozen=True)
class Scheme:
    """Times (j,) and weights (j, rates): discounted purchases = rate at the times @ weights."""

    times: Floats
    weights: Floats


def _paid_at(payment: Payment, start: Floats, end: Floats) -> Floats:
    if payment is Payment.START:
        return start
    return end if payment is Payment.END else np.asarray(0.5 * (start + end))


def lagrange(place: Floats, angle: Floats) -> Floats:
    """(points, nodes): Lagrange polynomials of the Chebyshev nodes cos(angle) at `place`."""
    order = np.arange(angle.size)
    scale = np.where(order == 0, 1.0, 2.0) / angle.size
    polynomials = np.cos(np.outer(np.arccos(place), order)) * scale
    return np.asarray(polynomials @ np.cos(np.outer(order, angle)))
