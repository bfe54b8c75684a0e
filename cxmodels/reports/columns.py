"""The columns of every table that people read: the heading, and what the number measures."""

from dataclasses import dataclass

from cxmodels.reports.numbers import Kind


@dataclass(frozen=True)
class Term:
    """A column's heading and what its numbers measure."""

    label: str
    kind: Kind


_COUNT, _NUMBER, _MONEY, _SHARE = Kind.COUNT, Kind.NUMBER, Kind.MONEY, Kind.SHARE

TERMS: dict[str, Term] = {
    "first_purchase": Term("First purchase", _MONEY),
    "repeat_purchases_value": Term("Later purchases", _MONEY),
    "discounted_purchases": Term("Discounted later purchases", _NUMBER),
    "customer_id": Term("Customer", Kind.TEXT),
    "item": Term("Item", Kind.TEXT),
    "note": Term("Note", Kind.TEXT),
    "metric": Term("Measure", Kind.TEXT),
    "group": Term("Group", Kind.TEXT),
    "parameter": Term("Parameter", Kind.TEXT),
    "unit": Term("Unit", Kind.TEXT),
    "estimand": Term("What is estimated", Kind.TEXT),
    "window": Term("Window", Kind.TEXT),
    "part": Term("Part", Kind.TEXT),
    "cohort": Term("Cohort", Kind.TEXT),
    "period": Term("Period", _COUNT),
    "period_end": Term("Ending", Kind.DATE),
    "rows": Term("Rows", _COUNT),
    "customers": Term("Customers", _COUNT),
    "frequency": Term("Repeat purchases", Kind.TEXT),
    "recency": Term("Recency", _NUMBER),
    "T": Term("Age T", _NUMBER),
    "amount": Term("Amount", Kind.AMOUNT),
    "monetary_value": Term("Mean order", _MONEY),
    "estimate": Term("Estimate", _NUMBER),
    "value": Term("Value", _NUMBER),
    "std_error": Term("Std. error", _NUMBER),
    "std_dev": Term("Std. deviation", _MONEY),
    "variance_share": Term("Share of variance", _SHARE),
    "share": Term("Share of value", _SHARE),
    "p_value": Term("p-value", Kind.P_VALUE),
    "p_alive": Term("P(alive)", _SHARE),
    "p_alive_at_horizon": Term("P(alive) at horizon", _SHARE),
    "p_no_purchase": Term("P(no purchase)", _SHARE),
    "p_below": Term("P(value below threshold)", _SHARE),
    "expected_purchases": Term("Expected purchases", _NUMBER),
    "expected_spend": Term("Expected order", _MONEY),
    "actual": Term("Actual", _NUMBER),
    "expected": Term("Expected", _NUMBER),
    "residual_value": Term("Residual value (RLV)", _MONEY),
    "lifetime_value": Term("Lifetime value, new customer (CLV)", _MONEY),
}


def term(column: str) -> Term:
    """The column's heading and kind; a column nobody described is text under its own name.

    >>> term("residual_value").label, term("days_open").label
    ('Residual value (RLV)', 'Days open')
    """
    words = column.replace("_", " ").strip()
    return TERMS.get(column, Term(words[:1].upper() + words[1:], Kind.TEXT))


_UNIT_KINDS = (
    (_SHARE, ("share", "per cent", "percent", "%", "probability")),
    (Kind.P_VALUE, ("p-value", "p value", "p")),
    (_COUNT, ("customers", "purchases", "rows", "orders", "customer")),
    (_MONEY, ("money", "currency")),
)


def kind_of_unit(unit: str, currency: str = "") -> Kind:
    """What a row measures, from the text in its `unit` column.

    >>> kind_of_unit("share"), kind_of_unit("EUR", "EUR"), kind_of_unit("purchases per customer")
    (<Kind.SHARE: 'share'>, <Kind.MONEY: 'money'>, <Kind.NUMBER: 'number'>)
    """
    name = unit.strip().lower()
    if name and name == currency.strip().lower():
        return _MONEY
    for kind, words in _UNIT_KINDS:
        if name in words:
            return kind
    return _NUMBER
