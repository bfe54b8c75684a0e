"""The report as a PDF: the same sections on numbered pages, the same bytes for the same report.

Texts reach the typesetter as data (JSON), never as markup; charts as drawings (SVG). Letters come
from the fonts inside the typesetter first, so that pages look alike on every machine; fonts of the
system are used only for letters that those lack.
"""

import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from cxmodels.errors import CxError
from cxmodels.reports import document as parts
from cxmodels.reports.extras import report_extra
from cxmodels.reports.pictures import svg

_FONT = "Libertinus Serif"


def paper(report: parts.Document) -> bytes:
    """The whole PDF."""
    with report_extra():
        import typst

    with tempfile.TemporaryDirectory(prefix="cxmodels-report-") as folder:
        place = Path(folder)
        for number, chart in enumerate(report.charts):
            drawing = svg(chart, font=_FONT)
            (place / f"chart-{number}.svg").write_text(drawing, encoding="utf-8")
        data = json.dumps(_content(report), ensure_ascii=False)
        (place / "report.json").write_text(data, encoding="utf-8")
        template = (files("cxmodels.reports") / "templates" / "paper.typ").read_bytes()
        (place / "paper.typ").write_bytes(template)
        try:
            result = typst.compile(str(place / "paper.typ"), root=folder, format="pdf")
        except RuntimeError as error:
            raise CxError(f"the PDF could not be set: {error}") from error
    return bytes(result)


def _content(report: parts.Document) -> dict[str, Any]:
    """The report as plain data for the typesetter's template."""
    numbers = iter(range(len(report.charts)))
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "language": report.language,
        "simulated": report.simulated,
        "headline": _facts(report.headline),
        "sections": [
            {
                "heading": section.heading,
                "blocks": [_block(block, numbers) for block in section.blocks],
            }
            for section in report.sections
        ],
    }


def _block(block: parts.Block, numbers: Any) -> dict[str, Any]:
    if isinstance(block, parts.Text):
        return {"kind": "text", "text": block.text, "tone": block.tone.value}
    if isinstance(block, parts.Facts):
        return {"kind": "facts", "facts": _facts(block)}
    if isinstance(block, parts.Chart):
        return {
            "kind": "chart",
            "file": f"chart-{next(numbers)}.svg",
            "title": block.title,
            "subtitle": block.subtitle,
            "description": block.description,
        }
    return {
        "kind": "table",
        "title": block.title,
        "columns": [{"label": part.label, "numeric": part.numeric} for part in block.columns],
        "rows": [list(row) for row in block.rows],
        "note": block.note,
    }


def _facts(facts: parts.Facts) -> list[dict[str, str]]:
    return [
        {"label": fact.label, "value": fact.value, "detail": fact.detail} for fact in facts.facts
    ]
