"""The report in words and numbers: what a reader sees, read before it was accepted."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pandas as pd
import pytest

from cxmodels.reports.document import Document, Table
from cxmodels.reports.equity_report import equity_report
from cxmodels.reports.render import html, pdf
from tests.snapshots.report_tables import tables

HEADLINE = [
    ("Customer equity (residual value, 36 months)", "€5,234", "90% interval: 4,701 to 5,813"),
    ("Customers", "219", ""),
    ("Expected purchases", "189", "90% interval: 170 to 209"),
    ("Lifetime value (CLV) of a new customer", "€31.40", "90% interval: 28.20 to 34.90"),
]

CELLS = {
    "From the log to the customer base": """
        Item | Rows | Customers | Amount | Note
        Rows in the log | 619 | 219 | €24,190.50 |
        Exact duplicates | −9 | 0 | −€512.25 | same customer, day and amount
        In the base | 610 | 219 | €23,678.25 |""",
    "Customer equity and its sources of uncertainty": """
        Item | Estimate (90% interval) | Std. deviation | Share of variance
        Customer equity | €5,234 (4,701 to 5,813) | €338.00 | 100.0%
        Parameters | – | €241.00 | 50.8%
        Behaviour | – | €237.00 | 49.2%""",
    "Concentration": """
        Group | Share of value (90% interval)
        Top 1 per cent | 12.1% (10.5 to 13.9)
        Top 20 per cent | 48.8% (45.0 to 52.0)
        Gini | 0.500 (0.470 to 0.530)""",
    "Back-test in numbers": """
        Measure | Value (90% interval)
        Total, actual | 182
        Bias of the total | −12.2% (−17.3 to −6.9)
        Calibration | below 0.001""",
    "Estimated parameters": """
        Parameter | Estimate (90% interval) | Std. error
        r | 1.35 (0.97 to 1.87) | 0.270
        alpha | 1.34 | –""",
    "Assumptions": """
        Item | Value
        Margin | 30% of revenue""",
}

HEADINGS = [
    "What was read",
    "What the customers are worth",
    "How concentrated the value is",
    "What a new customer is worth",
    "How well the model predicted",
    "How customers behave",
    "The model's parameters",
    "Assumptions and notes",
]


@pytest.fixture(scope="module")
def document() -> Document:
    return equity_report(tables())


@pytest.fixture(scope="module")
def page(document: Document) -> str:
    return html(document)


def set_tables(document: Document) -> Iterator[Table]:
    for section in document.sections:
        yield from (block for block in section.blocks if isinstance(block, Table))


def lines(table: Table) -> list[str]:
    rows = [tuple(column.label for column in table.columns), *table.rows]
    return [" | ".join(row).strip() for row in rows]


def test_headline_numbers(document: Document) -> None:
    shown = [(fact.label, fact.value, fact.detail) for fact in document.headline.facts]
    assert shown == HEADLINE


def test_every_table_reads_as_it_was_accepted(document: Document) -> None:
    shown = {table.title: lines(table) for table in set_tables(document)}
    expected = {
        title: [line.strip() for line in text.strip().splitlines()] for title, text in CELLS.items()
    }
    assert shown == expected


def test_sections_in_order(document: Document) -> None:
    assert [section.heading for section in document.sections] == HEADINGS


def test_one_time_buyers_are_explained_unless_a_note_does(document: Document) -> None:
    def said(report: Document) -> bool:
        return "P(alive) is 1 for one-time buyers" in str(report)

    assert said(document)
    assert not said(equity_report(tables(notes=("One-time buyers: see the manual.",))))


def test_customer_ids_only_when_asked(page: str) -> None:
    assert "Most valuable customers" not in page
    named = pd.DataFrame({"customer_id": ["ann-7"], "residual_value": [912.3]})
    (table,) = (
        block
        for section in equity_report(tables(top_customers=named)).sections
        for block in section.blocks
        if section.heading == "Most valuable customers"
    )
    assert isinstance(table, Table)
    assert table.rows == (("ann-7", "€912.30"),)


def test_simulated_is_said_on_page_and_charts(page: str) -> None:
    assert "Simulated data" in page
    assert "SIMULATED data" in str(equity_report(tables()))
    plain = equity_report(tables(simulated=False))
    assert "simulated data" not in str(plain).lower()
    assert not plain.simulated


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page)
    return parser.found


def test_page_reaches_for_nothing_outside(page: str) -> None:
    for tag, attributes in elements(page):
        assert tag not in {"iframe", "object", "embed", "link", "base", "form"}
        for name in ("src", "href", "srcset", "action"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/svg+xml;base64,")), (tag, name, value[:60])
        assert not any(name.startswith("on") for name in attributes)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_policy_admits_this_pages_own_scripts_and_nothing_else(page: str) -> None:
    import base64
    import hashlib

    policy = next(
        attributes["content"]
        for tag, attributes in elements(page)
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    run = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(run) == 2
    for text in run:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_every_chart_is_described(page: str, document: Document) -> None:
    drawn = [attributes for tag, attributes in elements(page) if attributes.get("role") == "img"]
    still = [attributes for tag, attributes in elements(page) if tag == "img"]
    assert len(drawn) == len(still) == len(document.charts) == 10
    assert all(len(attributes["aria-label"] or "") > 40 for attributes in drawn)
    assert all(len(attributes["alt"] or "") > 40 for attributes in still)


def test_same_tables_same_bytes(page: str, document: Document) -> None:
    again = equity_report(tables())
    assert html(again) == page
    made = pdf(again)
    assert made == pdf(document)
    assert made.startswith(b"%PDF-")
    assert len(made) < 1_000_000
