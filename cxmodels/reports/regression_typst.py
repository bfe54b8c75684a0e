"""A table of regressions as a figure of Typst. Texts are strings there, never markup."""

from cxmodels.reports.regression_grid import Cell, Grid, Line
from cxmodels.reports.regression_markup import SLIM, WIDE

_FIGURE = """\
#{{
  let c(body, tail) = body + box(width: {box}, align(left, tail))
  let (heads, starts, ends) = ({heads}, ({starts}), ({ends}))
  let body = table(
    columns: {columns}, stroke: none, row-gutter: 0pt,
    align: (x, y) => (
      (if x == 0 {{ left }} else {{ right }}) + (if y < heads {{ bottom }} else {{ top }})
    ),
    inset: (x, y) => (left: if x == 0 {{ 0pt }} else {{ 12pt }}, right: 0pt,
      top: if y in starts {{ 5pt }} else {{ 2.5pt }},
      bottom: if y in ends {{ 5pt }} else {{ 2.5pt }}),
    table.hline(stroke: 1pt),
{rows}
    table.hline(stroke: 1pt),
  )
  let notes(width) = block(width: width, above: 0.6em, {{
    set align(left)
    set text(size: 0.85em)
    set par(spacing: 0.6em, justify: false)
{notes}
  }})
  set figure.caption(position: top)
  figure(kind: table,{caption} layout(size => align(center, {{
    body
    notes(calc.min(size.width, calc.max(measure(body).width, 24em.to-absolute())))
  }})))
}}
"""
_THIN = "    table.hline(stroke: 0.5pt),"


def typst(grid: Grid) -> str:
    """The table as a figure of Typst, which stands alone or in a text."""
    heads, below = len(grid.heads), len(grid.heads) + 2 * len(grid.pairs)
    starts = [0, *range(heads, below, 2), *([below] if grid.facts else [])]  # room above
    ends = sorted({heads - 1, below - 1, below + len(grid.facts) - 1})  # room below
    rows = [*map(_row, grid.heads), _THIN]
    for above, under in grid.pairs:
        label = f"table.cell(rowspan: 2, {_string(above.label)})"
        rows += [_cells(label, *map(_cell, above.cells)), _cells(*map(_cell, under.cells))]
    if grid.facts:
        rows += [_THIN, *map(_row, grid.facts)]
    return _FIGURE.format(
        box=WIDE if grid.stars else SLIM,
        heads=heads,
        starts="".join(f"{at}, " for at in starts).rstrip(),
        ends="".join(f"{at}, " for at in ends).rstrip(),
        columns=grid.width + 1,
        rows="\n".join(rows),
        notes="\n".join(f"    par({_string(note)})" for note in grid.notes),
        caption=f" caption: {_string(grid.title)}," if grid.title else "",
    )


def _row(line: Line) -> str:
    return _cells(_string(line.label), *map(_cell, line.cells))


def _cells(*cells: str) -> str:
    return f"    {', '.join(cells)},"


def _cell(cell: Cell) -> str:
    return f"c({_string(cell.text)}, {_string(cell.tail)})" if cell.text else "[]"


def _string(value: str) -> str:
    r"""The text as a string, in which only a backslash and a quote mean something.

    >>> print(_string('a "b" \\c'))
    "a \"b\" \\c"
    """
    inner = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'
