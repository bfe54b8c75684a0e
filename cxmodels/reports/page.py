"""The report as one HTML file that needs no network and runs no script but its own.

Texts go through the template with escaping on. Chart data are JSON whose `<`, `>`, `&` and line
separators are written as escapes, so that no text can end the script element. The content
security policy admits the page's own scripts and styles by their SHA-256 and nothing else; Vega
evaluates its expressions with its interpreter (`ast`), so `unsafe-eval` is not needed.
"""

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from cxmodels.reports import document as parts
from cxmodels.reports.extras import report_extra
from cxmodels.reports.pictures import svg

_UNSAFE = re.compile("[<>&\u2028\u2029]")
_SCRIPT_END = re.compile(r"<(?=/script|!--|script)", re.IGNORECASE)
_BLOCKS = {
    parts.Text: "text", parts.Facts: "facts", parts.Table: "table", parts.Chart: "chart",
}  # fmt: skip


def page(report: parts.Document) -> str:
    """The whole page."""
    with report_extra():
        import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    charts = report.charts
    scripts = [_library(), _source("page.js")] if charts else []
    style = _source("page.css")
    text: str = environment.from_string(_source("page.html.jinja")).render(
        report=report,
        sections=_sections(report),
        policy=_policy(scripts, style),
        style=_safe(style),
        scripts=[_safe(script) for script in scripts],
        specs=_safe(embedded([_responsive(chart) for chart in charts])),
    )
    return text


def embedded(value: Any) -> str:
    r"""The value as JSON that no text inside can turn into markup.

    >>> embedded(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _safe(text: str) -> Any:
    """Text of our own making that goes into the page unescaped: script, style, escaped JSON."""
    with report_extra():
        import markupsafe
    return markupsafe.Markup(text)  # noqa: S704


def _sections(report: parts.Document) -> list[dict[str, Any]]:
    """What the template walks through; charts carry their number and their still drawing."""
    place = 0
    sections: list[dict[str, Any]] = []
    for number, section in enumerate(report.sections, start=1):
        blocks: list[dict[str, Any]] = []
        for block in section.blocks:
            entry: dict[str, Any] = {"kind": _BLOCKS[type(block)], "block": block}
            if isinstance(block, parts.Chart):
                entry |= {"place": place, "still": _still(block)}
                place += 1
            blocks.append(entry)
        sections.append({"id": f"s{number}", "heading": section.heading, "blocks": blocks})
    return sections


def _still(chart: parts.Chart) -> str:
    """The drawing as an image: shown until the scripts run, without them, and on paper."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(chart).encode()).decode()


def _responsive(chart: parts.Chart) -> dict[str, Any]:
    """The chart's description, as wide as the page lets it be."""
    spec = dict(chart.spec)
    if "layer" in spec or "mark" in spec:
        spec |= {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return spec


def _policy(scripts: list[str], style: str) -> str:
    allowed = " ".join(_digest(script) for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _source(name: str) -> str:
    return (files("cxmodels.reports") / "templates" / name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which cannot end its own element."""
    with report_extra():
        import vl_convert
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _SCRIPT_END.sub(r"\\x3c", bundle)
