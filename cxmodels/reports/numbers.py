"""Numbers as people read them: money, shares, counts, p-values, and estimates with intervals."""

import math
from enum import Enum
from typing import Any

MISSING = "–"
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "$": "$", "€": "€", "£": "£", "¥": "¥"}
_HUGE = 1e15  # from here on powers of ten are easier to read than groups of three
_FIGURES = 2  # digits of an interval's half width that are worth showing
_ALONE = 3  # digits of a number without an interval
_TINY_P = 0.001


class Kind(Enum):
    """What a number measures, which decides how it is written."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"
    MONEY = "money"
    AMOUNT = "money to the cent"
    SHARE = "share"
    P_VALUE = "p-value"
    DATE = "date"

    @property
    def numeric(self) -> bool:
        """Whether cells of this kind are set to the right."""
        return self not in (Kind.TEXT, Kind.DATE)


def as_number(value: Any) -> float:
    """The value as a float; NaN for anything that is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def grouped(value: float, decimals: int = 0) -> str:
    """The number with thousands apart and a true minus sign.

    >>> grouped(-12345.678, 1)
    '−12,345.7'
    >>> grouped(float("nan")), grouped(float("inf")), grouped(2.5e18)
    ('–', '∞', '2.5e+18')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.3g}" if abs(value) >= _HUGE else f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = "−" + text[1:] if text.strip("-0.,") else text[1:]
    return text


def decimals_of(scale: float, figures: int = _FIGURES, most: int = 6) -> int:
    """How many decimals show `figures` digits of a number as large as `scale`.

    >>> decimals_of(0.0417), decimals_of(38.0), decimals_of(0.0)
    (3, 0, 0)
    """
    size = abs(scale)
    if not math.isfinite(size) or size == 0:
        return 0
    return min(max(figures - 1 - math.floor(math.log10(size)), 0), most)


def _decimals(kind: Kind, value: float, width: float) -> int:
    if kind is Kind.COUNT:
        whole = float(value).is_integer() if math.isfinite(value) else True
        return 0 if whole and not width else min(decimals_of(width or value, 2, 6), 1)
    if kind is Kind.MONEY:
        return 0 if abs(value) >= 1000 or value == 0 else 2  # cents mean nothing among thousands
    if kind is Kind.AMOUNT:
        return 2
    if kind is Kind.SHARE:
        return 1
    return decimals_of(width / 2) if width else decimals_of(value, figures=_ALONE)


def currency_sign(currency: str) -> str:
    """What stands before an amount: "$" for USD, "CHF " for a code without a sign.

    >>> currency_sign("GBP"), currency_sign("CHF"), currency_sign("")
    ('£', 'CHF ', '')
    """
    name = currency.strip()
    return _SIGNS.get(name, f"{name} " if name else "")


def written(
    value: Any, kind: Kind, *, currency: str = "", width: float = 0.0, bare: bool = False
) -> str:
    """One number in words and figures; `width` is the interval's, which sets the decimals.

    >>> written(1234.5, Kind.MONEY, currency="USD"), written(0.2513, Kind.SHARE)
    ('$1,234', '25.1%')
    >>> written(0.00002, Kind.P_VALUE), written(2357, Kind.COUNT), written(None, Kind.COUNT)
    ('below 0.001', '2,357', '–')
    """
    if kind is Kind.TEXT or kind is Kind.DATE:
        return _plain(value)
    number = as_number(value)
    if kind is Kind.P_VALUE:
        return "below 0.001" if number < _TINY_P else grouped(number, 3)
    shown = number * 100 if kind is Kind.SHARE else number
    text = grouped(shown, _decimals(kind, number, width))
    if bare or not math.isfinite(number):
        return text
    if kind is Kind.SHARE:
        return f"{text}%"
    sign = currency_sign(currency) if kind in (Kind.MONEY, Kind.AMOUNT) else ""
    return f"−{sign}{text[1:]}" if text.startswith("−") else sign + text


def interval(estimate: Any, lower: Any, upper: Any, kind: Kind, *, currency: str = "") -> str:
    """An estimate with its interval in brackets, all three with the same decimals.

    >>> interval(12.31, 10.12, 14.49, Kind.NUMBER)
    '12.3 (10.1 to 14.5)'
    >>> interval(152345, 140100, 163500, Kind.MONEY, currency="USD")
    '$152,345 (140,100 to 163,500)'
    """
    low, high = as_number(lower), as_number(upper)
    width = high - low if math.isfinite(high) and math.isfinite(low) else 0.0
    text = written(estimate, kind, currency=currency, width=width)
    if math.isnan(low) and math.isnan(high):
        return text
    return f"{text} ({between(low, high, kind, like=as_number(estimate))})"


def between(low: float, high: float, kind: Kind, *, like: float | None = None) -> str:
    """The interval alone, with the decimals of the estimate it belongs to.

    >>> between(0.581, 0.663, Kind.SHARE)
    '58.1 to 66.3'
    """
    width = high - low if math.isfinite(high) and math.isfinite(low) else 0.0
    decimals = _decimals(kind, high if like is None else like, width)
    factor = 100 if kind is Kind.SHARE else 1
    return f"{grouped(low * factor, decimals)} to {grouped(high * factor, decimals)}"


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    text = str(value)
    if text in ("NaT", "<NA>"):
        return MISSING
    return text.removesuffix(" 00:00:00")
