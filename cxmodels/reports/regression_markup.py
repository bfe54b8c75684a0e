r"""A table of regressions as text, HTML and LaTeX (booktabs).

Digits end on one line in every column: what hangs behind them has a box of its own. Texts are
escaped for each form, whatever a column is called.
"""

import textwrap
import unicodedata
from html import escape

from cxmodels.reports.regression_grid import Cell, Grid, Line

_GAP = "  "
_LEAST = 60  # letters that notes have beside a narrow table
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # which a line's end before them would take for its own
    "−": "$-$", "–": "--", "∞": r"$\infty$", "×": r"$\times$", '"': "''",
}  # fmt: skip
SLIM, WIDE = "0.4em", "1.6em"  # boxes of a bracket, and of three stars


def text(grid: Grid) -> str:
    """The table in letters of one width."""
    lines = [*grid.heads, *(line for pair in grid.pairs for line in pair), *grid.facts]
    tails = [max(_letters(line.cells[at].tail) for line in lines) for at in range(grid.width)]

    def whole(line: Line) -> list[str]:
        pads = (_padded(c.tail, tail) for c, tail in zip(line.cells, tails, strict=True))
        return [c.text + pad for c, pad in zip(line.cells, pads, strict=True)]

    rows = [(line.label, *whole(line)) for line in lines]
    widths = [max(map(_letters, column)) for column in zip(*rows, strict=True)]
    written = [
        _GAP.join(
            [_padded(row[0], widths[0])]
            + [_padded(c, width, left=False) for c, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]
    total = sum(widths) + len(_GAP) * grid.width
    rule = "─" * total
    below = len(grid.heads) + 2 * len(grid.pairs)
    parts = [rule, *written[: len(grid.heads)], rule, *written[len(grid.heads) : below]]
    parts += [rule, *written[below:]] if grid.facts else []
    notes = [line for note in grid.notes for line in textwrap.wrap(note, max(total, _LEAST))]
    return "\n".join([*([grid.title] if grid.title else []), *parts, rule, *notes])


def _letters(value: str) -> int:
    """Places that a text takes: none for marks over letters, two for wide ones."""
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in value
    )


def _padded(value: str, width: int, *, left: bool = True) -> str:
    space = " " * (width - _letters(value))
    return value + space if left else space + value


def html(grid: Grid) -> str:
    """The table as an element that brings its looks along; no script, no style sheet."""
    bare = "border:0;background:none;padding:"
    box = f"display:inline-block;text-align:left;width:{WIDE if grid.stars else SLIM}"

    def cell(value: Cell) -> str:
        return f'{escape(value.text)}<span style="{box}">{escape(value.tail)}</span>'

    def row(line: Line, top: str, tag: str = "td", below: str = "0", span: int = 1) -> str:
        weight = ";font-weight:" + ("bold" if line is grid.heads[0] else "normal")
        style = f"{bare}{top} 0 {below} 1.4em;text-align:right;white-space:nowrap{weight}"
        scope = ' scope="col"' if tag == "th" else ""
        label = f"{bare}{top} 0 {below} 0;text-align:left;font-weight:normal;vertical-align:top"
        cells = "".join(f'<{tag}{scope} style="{style}">{cell(c)}</{tag}>' for c in line.cells)
        head = f'<th scope="row" rowspan="{span}" style="{label}">{escape(line.label)}</th>'
        first = head if tag == "td" else f'<td style="{label}"></td>'
        return f'<tr style="background:none">{first if span else ""}{cells}</tr>'

    line = "1px solid currentColor"
    body = "".join(
        row(a, ".4em", span=2) + row(b, "0", below=".1em", span=0) for a, b in grid.pairs
    )
    body += f'<tr style="background:none;height:.3em"><td style="{bare}0"></td></tr>'
    facts = "".join(row(fact, ".15em", below=".15em") for fact in grid.facts)
    heads = "".join(row(head, ".2em", "th", ".1em") for head in grid.heads)
    notes = "".join(f'<div style="margin-top:.25em">{escape(note)}</div>' for note in grid.notes)
    title = (
        '<caption style="caption-side:top;text-align:left;font-weight:bold;padding:0 0 .4em;'
        f'color:inherit">{escape(grid.title)}</caption>' if grid.title else ""
    )  # fmt: skip
    # a width of nothing, stretched: notes do not make the table wider
    narrow = "width:0;min-width:100%;font-size:.85em;line-height:1.35;white-space:normal"
    return (
        '<table style="border-collapse:collapse;border:0;min-width:26em;'
        f'font-variant-numeric:tabular-nums">{title}'
        f'<thead style="border-top:2px solid;border-bottom:{line}">{heads}</thead>'
        f'<tbody style="border-bottom:{line if facts else "2px solid"}">{body}</tbody>'
        + (f'<tbody style="border-bottom:2px solid">{facts}</tbody>' if facts else "")
        + f'<tfoot><tr style="background:none"><td colspan="{grid.width + 1}" '
        f'style="{bare}.2em 0 0;text-align:left"><div style="{narrow}">{notes}</div></td></tr>'
        "</tfoot></table>"
    )


def html_page(grid: Grid) -> str:
    """The table on a page of its own."""
    title = escape(grid.title or "Regressions")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '</head><body style="font-family:Georgia,serif;font-size:16px;margin:2em">'
        f"{html(grid)}</body></html>\n"
    )


def latex(grid: Grid) -> str:
    """The table as a float of LaTeX; it needs the package booktabs."""
    box = WIDE if grid.stars else SLIM

    def cell(value: Cell) -> str:
        return _latex(value.text) + (rf"\rlap{{{_latex(value.tail)}}}" if value.tail else "")

    def row(line: Line) -> str:
        return " & ".join([_latex(line.label), *map(cell, line.cells)]) + r" \\"

    pairs = [f"{row(a)}\n{row(b)}" for a, b in grid.pairs]
    facts = [r"\midrule", *map(row, grid.facts)] if grid.facts else []
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}[htbp]",
            r"\centering",
            *([rf"\caption{{{_latex(grid.title)}}}"] if grid.title else []),
            r"\setlength{\tabcolsep}{9pt}",
            rf"\begin{{tabular}}{{@{{}}l*{{{grid.width}}}{{r}}@{{\hspace{{{box}}}}}}}",
            r"\toprule",
            *map(row, grid.heads),
            r"\midrule",
            "\n\\addlinespace[2pt]\n".join(pairs),
            *facts,
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\smallskip",
            r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
            "\n\n".join(_latex(note) for note in grid.notes),
            r"\end{minipage}",
            r"\end{table}",
            "",
        ]
    )


def _latex(value: str) -> str:
    """The text with nothing in it that LaTeX would run.

    >>> print(_latex("R&D_share {50%} −1"))
    R\\&D\\_share \\{50\\%\\} $-$1
    """
    return "".join(_LATEX.get(sign, sign) for sign in value.replace("--", "-\u200b-")).replace(
        "\u200b", "{}"
    )
