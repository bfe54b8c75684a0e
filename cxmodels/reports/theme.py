"""How every chart looks: one restrained set of colours, lines and letters.

Colours are from Okabe and Ito (2008), told apart with any common colour vision; observed is ink,
the model is blue, so that no chart needs a legend to be read twice.
"""

from typing import Any, TypeVar

from cxmodels.reports.extras import report_extra
from cxmodels.reports.letters import printable

with report_extra():
    import altair as alt

OBSERVED = "#1f2a37"  # what happened
MODEL = "#0072b2"  # what the model says
ACCENT = "#d55e00"  # where the eye should go: hold-out, reference values
MUTED = "#8a94a3"  # equality lines and the like
BAND = "#c6dcee"  # the model's interval
BARS = "#b6c0cc"  # observed counts as areas
SHADE = "#eef1f5"  # the hold-out's ground
INK = "#1f2a37"
SOFT = "#5b6675"
GRID = "#e6e9ee"
LOW_TO_HIGH = ("#f3f7fb", "#c6dcee", "#7fb3d9", "#2f7fb8", "#0b4f86", "#062b52")
LINES = ("#6aa9d4", "#2f7fb8", "#0b4f86", "#062b52")  # the same, dark enough for a line

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
WIDTH, HEIGHT = 680, 290

Drawing = TypeVar("Drawing", alt.LayerChart, alt.ConcatChart)


_AXIS: dict[str, Any] = {
    "labelFontSize": 11.5,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titleColor": SOFT,
    "labelColor": SOFT,
    "titlePadding": 10,
    "labelPadding": 5,
    "domainColor": "#aab3bf",
    "tickColor": "#aab3bf",
    "tickSize": 4,
    "gridColor": GRID,
    "labelOverlap": "greedy",
    "labelSeparation": 6,
}
_LEGEND: dict[str, Any] = {
    "orient": "top",
    "direction": "horizontal",
    "title": None,
    "labelFontSize": 12,
    "labelColor": INK,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titleColor": SOFT,
    "symbolSize": 110,
    "columnPadding": 18,
    "offset": 8,
    "labelLimit": 400,
}


def config() -> dict[str, Any]:
    """The Vega-Lite configuration of every chart."""
    return {
        "background": "transparent",
        "aria": False,  # the figure itself carries the description in words
        "font": FONT,
        "padding": {"left": 4, "right": 12, "top": 6, "bottom": 4},
        "view": {"stroke": None},
        "axis": _AXIS,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False, "grid": True},
        "legend": _LEGEND,
        "title": {
            "anchor": "start",
            "frame": "group",
            "fontSize": 15,
            "fontWeight": 600,
            "color": INK,
            "subtitleFontSize": 12,
            "subtitleColor": SOFT,
            "subtitlePadding": 5,
            "offset": 12,
        },
        "text": {"font": FONT, "fontSize": 11.5, "color": INK},
        "concat": {"spacing": 28},
    }


def finish(chart: Drawing, *, title: str, subtitle: str, description: str) -> Drawing:
    """The chart with its title, its subtitle, its description in words and the house's look."""
    chart = chart.copy()
    chart.title = alt.Title(printable(title), subtitle=printable(subtitle))
    chart.description = printable(description)
    chart.config = alt.Config.from_dict(config())
    return chart
