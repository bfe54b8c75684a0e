"""A table of regressions as a Word document."""

from pathlib import Path
from typing import Any

from cxmodels.reports.extras import report_extra
from cxmodels.reports.regression_grid import Cell, Grid, Line

_SPACE = "\u2004"  # as wide as a bracket: digits end where those in brackets do
_POINTS = 9.5
_NOTE_POINTS = 8.0
_UPRIGHT = 5  # columns that an upright page has room for
_THICK, _THIN = 12, 4  # rules in eighths of a point


def write_docx(grid: Grid, path: Path) -> None:
    """Write the table to a file."""
    with report_extra():
        import docx
        from docx.enum.section import WD_ORIENTATION
        from docx.enum.table import WD_TABLE_ALIGNMENT

    document = docx.Document()
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.core_properties.title = grid.title
    if grid.width > _UPRIGHT:
        page = document.sections[0]
        page.page_width, page.page_height = page.page_height, page.page_width
        page.orientation = WD_ORIENTATION.LANDSCAPE
    if grid.title:
        _set(document.add_paragraph(), grid.title, _POINTS + 1.0, bold=True)
    lines = [*grid.heads, *(line for pair in grid.pairs for line in pair), *grid.facts]
    table = document.add_table(rows=len(lines), cols=grid.width + 1)
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.LEFT, True
    apart = {len(grid.heads) + 2 * at for at in range(len(grid.pairs))}
    for at, (line, row) in enumerate(zip(lines, table.rows, strict=True)):
        _row(line, row.cells, above=4.0 if at in apart else 0.0, stars=grid.stars)
    ends = {0: ("top", _THICK), len(grid.heads): ("top", _THIN)}
    if grid.facts:
        ends[len(lines) - len(grid.facts)] = ("top", _THIN)
    for at, (edge, size) in ends.items():
        _rule(table.rows[at].cells, edge, size)
    _rule(table.rows[-1].cells, "bottom", _THICK)
    _repeated(table.rows[: len(grid.heads)])
    for at, note in enumerate(grid.notes):
        _set(document.add_paragraph(), note, _NOTE_POINTS, above=0.0 if at else 4.0)
    document.save(str(path))


def _row(line: Line, cells: Any, *, above: float, stars: bool) -> None:
    from docx.enum.text import WD_PARAGRAPH_ALIGNMENT

    _set(cells[0].paragraphs[0], line.label, _POINTS, above=above)
    for cell, place in zip(line.cells, cells[1:], strict=True):
        paragraph = place.paragraphs[0]
        paragraph.alignment = WD_PARAGRAPH_ALIGNMENT.RIGHT
        _set(paragraph, _text(cell, stars=stars), _POINTS, above=above)


def _text(cell: Cell, *, stars: bool) -> str:
    if cell.tail == ")":  # what stands in brackets stays on one line
        return (cell.text + cell.tail).replace(" ", "\u00a0")
    return cell.text + (_SPACE if cell.text and not stars else cell.tail)


def _set(
    paragraph: Any, text: str, points: float, *, above: float = 0.0, bold: bool = False
) -> None:
    """Add a text to a paragraph that takes no room of its own."""
    from docx.shared import Pt

    run = paragraph.add_run(text)
    run.font.size, run.bold = Pt(points), bold
    paragraph.paragraph_format.space_before = Pt(above)
    paragraph.paragraph_format.space_after = Pt(2.0 if bold else 0.0)
    paragraph.paragraph_format.line_spacing = 1.0
    paragraph.paragraph_format.keep_with_next = bold


def _rule(cells: Any, edge: str, size: int) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in cells:
        own = cell._tc.get_or_add_tcPr()
        borders = own.find(qn("w:tcBorders"))
        if borders is None:
            borders = OxmlElement("w:tcBorders")
            own.append(borders)
        line = OxmlElement(f"w:{edge}")
        for key, value in (("val", "single"), ("sz", str(size)), ("color", "auto")):
            line.set(qn(f"w:{key}"), value)
        borders.append(line)


def _repeated(rows: Any) -> None:
    """Heads stand again on the next page."""
    from docx.oxml import OxmlElement

    for row in rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
