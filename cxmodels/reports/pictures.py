"""A chart as a drawing (SVG) for paper, for readers without scripts, and for printing."""

import json
import re
from typing import Any

from cxmodels.reports.document import Chart
from cxmodels.reports.extras import report_extra

_COUNTED = re.compile(r'(id="|url\(#)(gradient_|clip)(\d+)')


def svg(chart: Chart, *, font: str = "") -> str:
    """The chart as SVG; `font` replaces the screen's letters. The same chart gives the same text.

    The drawing library numbers clips and gradients on from one call to the next; here they are
    numbered anew from 0.
    """
    with report_extra():
        import vl_convert

    spec: dict[str, Any] = json.loads(json.dumps(chart.spec))
    if font:
        settings = spec.setdefault("config", {})
        settings["font"] = font
        settings.setdefault("text", {})["font"] = font
    drawing: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return _numbered(drawing)


def _numbered(drawing: str) -> str:
    places: dict[str, int] = {}

    def renamed(found: re.Match[str]) -> str:
        place = places.setdefault(found[2] + found[3], len(places))
        return f"{found[1]}{found[2]}{place}"

    return _COUNTED.sub(renamed, drawing)
