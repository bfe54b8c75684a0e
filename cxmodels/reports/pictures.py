"""A chart as a drawing (SVG) for paper, for readers without scripts, and for printing."""

import json
import re
from typing import Any

from cxmodels.reports.document import Chart
from cxmodels.reports.extras import report_extra
from cxmodels.reports.letters import printable

_LARGER, _FLATTER = 1.18, 0.8  # letters and height on paper, against the screen
_COUNTED = re.compile(r'(id="|url\(#)(gradient_|clip)(\d+)')


def svg(chart: Chart, *, font: str = "") -> str:
    """The chart as SVG; `font` replaces the screen's letters. The same chart gives the same text.

    The drawing library numbers clips and gradients on from one call to the next; here they are
    numbered anew from 0.
    """
    with report_extra():
        import vl_convert

    spec: dict[str, Any] = printable(json.loads(json.dumps(chart.spec)))
    if font:
        spec["config"] = _for_paper(spec.get("config", {}), font)
        if "height" in spec:
            spec["height"] = round(spec["height"] * _FLATTER)
    drawing: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return _numbered(drawing)


def _for_paper(config: dict[str, Any], font: str) -> dict[str, Any]:
    """The chart's look with another font, a little larger because paper is narrower."""
    larger = {
        part: {
            name: value * _LARGER if name.lower().endswith("fontsize") else value
            for name, value in settings.items()
        }
        for part, settings in config.items()
        if isinstance(settings, dict)
    }
    text = {**larger.get("text", {}), "font": font}
    return {**config, **larger, "font": font, "text": text}


def _numbered(drawing: str) -> str:
    places: dict[str, int] = {}

    def renamed(found: re.Match[str]) -> str:
        place = places.setdefault(found[2] + found[3], len(places))
        return f"{found[1]}{found[2]}{place}"

    return _COUNTED.sub(renamed, drawing)
