"""A report as a page that opens offline, and as a PDF."""

from cxmodels.reports.document import Document
from cxmodels.reports.letters import printable
from cxmodels.reports.page import page
from cxmodels.reports.paper import paper


def html(document: Document) -> str:
    """The report as one HTML file: no network, charts inside, every text escaped."""
    return page(printable(document))


def pdf(document: Document) -> bytes:
    """The report as a PDF file; the same document gives the same bytes."""
    return paper(printable(document))
