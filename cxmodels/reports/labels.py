"""What every chart must say beside its picture: unit, level of the interval, how many customers."""

from dataclasses import dataclass

from cxmodels.reports.numbers import currency_sign, grouped


@dataclass(frozen=True)
class Labels:
    """The facts that stand under a chart's title.

    unit: the time unit's name ("week"); level: width of the intervals; customers: how many
    stand behind the chart (None: not said); currency: code or sign; simulated: not real
    customers; horizon: how far expected purchases look ahead ("next 52 weeks").
    """

    unit: str = "week"
    level: float = 0.9
    customers: int | None = None
    currency: str = ""
    simulated: bool = False
    horizon: str = ""

    @property
    def units(self) -> str:
        """The time unit, more than one of it."""
        return f"{self.unit}s"

    @property
    def every(self) -> str:
        """The time unit as an adverb or adjective.

        >>> Labels(unit="day").every, Labels(unit="week").every
        ('daily', 'weekly')
        """
        return "daily" if self.unit == "day" else f"{self.unit}ly"

    @property
    def band(self) -> str:
        """The interval's name.

        >>> Labels(level=0.9).band
        '90% interval'
        """
        return f"{self.level * 100:g}% interval"

    @property
    def sign(self) -> str:
        """What stands before an amount of money."""
        return currency_sign(self.currency)

    @property
    def money_unit(self) -> str:
        """The money unit of an axis."""
        return self.currency.strip() or "money units of the log"

    def subtitle(self, *parts: str) -> str:
        """The parts that are not empty and the number of customers, in one line.

        >>> Labels(customers=2357).subtitle("purchases per week", "")
        'purchases per week · 2,357 customers'
        """
        count = "" if self.customers is None else f"{grouped(self.customers)} customers"
        flag = "SIMULATED data" if self.simulated else ""
        return " · ".join(part for part in (flag, *parts, count) if part)
