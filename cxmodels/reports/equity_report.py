"""The customer equity report: what was read, how well it is understood, what it is worth."""

import math

from cxmodels.reports import equity_sections as sections
from cxmodels.reports import equity_words as words
from cxmodels.reports.columns import kind_of_unit
from cxmodels.reports.document import Document, Fact, Facts
from cxmodels.reports.equity_tables import EquityTables, filled, named_row
from cxmodels.reports.numbers import Kind, as_number, between, written

__all__ = ["EquityTables", "equity_report"]

_BUILDERS = (
    sections.read,
    sections.worth,
    sections.concentrated,
    sections.new_customer,
    sections.most_valuable,
    sections.predicted,
    sections.behaviour,
    sections.parameters,
    sections.assumed,
)


def equity_report(tables: EquityTables) -> Document:
    """The report of one valuation: headline numbers, then a section for each table that is there.

    Customer ids appear only in `top_customers`, which is None unless somebody asked for it.
    """
    built = (build(tables) for build in _BUILDERS)
    return Document(
        title=tables.title,
        subtitle=tables.subtitle,
        sections=tuple(section for section in built if section.blocks),
        headline=_headline(tables),
        simulated=tables.simulated,
    )


def _headline(tables: EquityTables) -> Facts:
    """Equity, customers, purchases expected, the value of a new customer."""
    facts = [*_equity(tables), *_summary(tables), *_new_customer(tables)]
    return Facts(tuple(facts))


def _equity(tables: EquityTables) -> list[Fact]:
    total = tables.total
    if total is None:
        return []
    value = written(total["estimate"], Kind.MONEY, currency=tables.currency)
    detail = _band(total["lower"], total["upper"], tables, as_number(total["estimate"]))
    return [Fact(f"Customer equity{words.of_estimand(total)}", value, detail)]


def _band(lower: object, upper: object, tables: EquityTables, like: float) -> str:
    low, high = as_number(lower), as_number(upper)
    if math.isnan(low) and math.isnan(high):
        return ""
    return f"{tables.labels.band}: {between(low, high, Kind.MONEY, like=like)}"


def _summary(tables: EquityTables) -> list[Fact]:
    facts = []
    if tables.customers is not None:
        facts.append(Fact("Customers", written(tables.customers, Kind.COUNT)))
    expected = named_row(tables.summary, "item", "expected purchases")
    if expected is not None:
        facts.append(_fact(expected, tables))
    return facts


def _fact(row: "words.Row", tables: EquityTables) -> Fact:
    kind = kind_of_unit(str(row.get("unit", "")), tables.currency)
    if kind is Kind.NUMBER:
        kind = Kind.COUNT
    value = written(row["value"], kind, currency=tables.currency)
    low, high = as_number(row.get("lower")), as_number(row.get("upper"))
    detail = ""
    if not math.isnan(low):
        detail = f"{tables.labels.band}: {between(low, high, kind, like=as_number(row['value']))}"
    return Fact(words.capital(str(row["item"])), value, detail)


def _new_customer(tables: EquityTables) -> list[Fact]:
    if not filled(tables.new_customer) or "lifetime_value" not in tables.new_customer.columns:
        return []
    row = tables.new_customer.iloc[0]
    value = written(row["lifetime_value"], Kind.MONEY, currency=tables.currency)
    like = as_number(row["lifetime_value"])
    detail = _band(row.get("lower"), row.get("upper"), tables, like)
    return [Fact("Lifetime value (CLV) of a new customer", value, detail)]
