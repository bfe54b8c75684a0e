"""Maps over recency and frequency: who is still a customer, who will buy, and equal value."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.reports import theme
from cxmodels.reports.contours import Grid, contour, round_levels
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import Picture, finite, layered, needed, nothing_to_show, records
from cxmodels.reports.numbers import Kind, written

with report_extra():
    import altair as alt

Mapped = Literal["p_alive", "expected_purchases"]
_SIZE = 330
_OVERLAP = 0.05  # cells run a little into the next, so that no hairline shows between them
_CURVES = 7
_CLEAR = 0.05  # of the height: the room that one label needs
_WIDE = 0.08  # of the width: the room that one label needs
_WORDS = {
    "p_alive": ("P(alive) by recency and frequency", "P(alive)", ".0%"),
    "expected_purchases": (
        "Expected purchases by recency and frequency",
        "Purchases",
        ",.3~f",
    ),
}


def _aged(data: pd.DataFrame, labels: Labels) -> str:
    """For which customers the map holds, where the table says how old they are."""
    if "T" not in data.columns or not len(data):
        return ""
    return f"customers {float(data['T'].iloc[0]):,.3g} {labels.units} after their first purchase"


def recency_frequency_heatmap(
    table: pd.DataFrame, labels: Labels | None = None, *, value: Mapped = "p_alive"
) -> Picture:
    """A map of P(alive) or of expected purchases over recency (across) and frequency (up).

    table: frequency, recency and the column named by `value` (one row a cell).
    """
    labels = labels or Labels()
    if value not in _WORDS:
        raise OptionError(f"value {value!r} is not one of {', '.join(_WORDS)}")
    data = needed(
        table, ["frequency", "recency", value], chart="recency_frequency_heatmap", known=["T"]
    )
    data = finite(data)
    title, word, shape = _WORDS[value]
    chart = _cells(data, labels, value, word, shape) if len(data) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            labels.horizon if value == "expected_purchases" else "now",
            f"recency in {labels.units}",
            _aged(data, labels),
            "point estimate",
        ),
        description=f"Heat map. {title}: darker is higher.",
    )


def _cells(data: pd.DataFrame, labels: Labels, value: str, word: str, shape: str) -> Picture:
    left, right = _edges(data["recency"])
    low, high = _edges(data["frequency"])
    data = data.assign(left=left, right=right, low=low, high=high)
    domain = [0.0, 1.0] if value == "p_alive" else alt.Undefined
    colour = alt.Color(
        f"{value}:Q",
        scale=alt.Scale(range=list(theme.LOW_TO_HIGH), interpolate="lab", domain=domain),
        legend=alt.Legend(
            title=word,
            orient="right",
            direction="vertical",
            format=shape,
            gradientLength=_SIZE - 70,
            gradientThickness=12,
            tickCount=5,
        ),
    )
    tip = [
        alt.Tooltip("frequency:Q", title="Repeat purchases"),
        alt.Tooltip("recency:Q", title=f"Recency ({labels.units})", format=".3~f"),
        alt.Tooltip(f"{value}:Q", title=word, format=shape),
    ]
    x, y = _axes(labels, ("left", "low"), data["right"].max(), (low.min(), high.max()))
    base = alt.Chart(records(data)).mark_rect(strokeWidth=0)
    cells = base.encode(x=x, x2="right:Q", y=y, y2="high:Q", color=colour, tooltip=tip)
    return layered(cells, height=_SIZE)


def _axes(
    labels: Labels, fields: tuple[str, str], right: float, height: tuple[float, float]
) -> tuple[alt.X, alt.Y]:
    x = alt.X(
        f"{fields[0]}:Q",
        axis=alt.Axis(title=f"Recency: {labels.units} from first to last purchase", tickCount=8),
        scale=alt.Scale(domain=[0, float(right)], nice=False, clamp=True),
    )
    y = alt.Y(
        f"{fields[1]}:Q",
        axis=alt.Axis(title="Frequency: repeat purchases", grid=False, tickMinStep=1, tickCount=8),
        scale=alt.Scale(
            domain=[float(height[0]), float(height[1])], nice=False, zero=False, clamp=True
        ),
    )
    return x, y


def _edges(centres: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The borders of each cell: half-way to its neighbours."""
    places = np.unique(centres.to_numpy(dtype=float))
    if len(places) == 1:
        return centres - 0.5, centres + 0.5
    middle = (places[1:] + places[:-1]) / 2
    first, last = places[0] - (middle[0] - places[0]), places[-1] + (places[-1] - middle[-1])
    borders = np.concatenate([[first], middle, [last]])
    place = np.searchsorted(places, centres.to_numpy(dtype=float))
    index = centres.index
    left, right = borders[place], borders[place + 1]
    right = right + _OVERLAP * (right - left)
    return pd.Series(left, index=index), pd.Series(right, index=index)


def iso_value_curves(
    table: pd.DataFrame, labels: Labels | None = None, *, levels: Sequence[float] | None = None
) -> Picture:
    """Curves of equal residual value over recency and frequency (Fader, Hardie and Lee 2005).

    table: frequency, recency, value (one row a cell of a grid); levels: the values to draw, in
    money; round ones are chosen where none are given.
    """
    labels = labels or Labels()
    data = needed(table, ["frequency", "recency", "value"], chart="iso_value_curves", known=["T"])
    grid = _grid(finite(data))
    curves = _curves(grid, labels, levels)
    title = "Customers on one curve are worth the same"
    chart = _drawn(curves, grid, labels) if len(curves) else nothing_to_show()
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            f"residual value in {labels.money_unit}",
            f"recency in {labels.units}",
            _aged(data, labels),
            "point estimate",
        ),
        description="Contour lines of equal residual value over recency and frequency. "
        + _levels_in_words(curves),
    )


def _grid(data: pd.DataFrame) -> Grid:
    wide = data.pivot_table(index="frequency", columns="recency", values="value", aggfunc="mean")
    x, y = wide.columns.to_numpy(dtype=float), wide.index.to_numpy(dtype=float)
    return Grid(x, y, wide.to_numpy(dtype=float))


def _curves(grid: Grid, labels: Labels, levels: Sequence[float] | None) -> pd.DataFrame:
    chosen = list(levels) if levels is not None else _levels(grid)
    rows = [
        (f"{level}-{part}", level, place, x, y)
        for level in chosen
        for part, curve in enumerate(contour(grid, level))
        for place, (x, y) in enumerate(curve)
    ]
    curves = pd.DataFrame(rows, columns=["curve", "level", "place", "recency", "frequency"])
    names = {
        level: written(level, Kind.MONEY, currency=labels.currency).removesuffix(".00")
        for level in chosen
    }
    curves = curves.assign(label=curves["level"].map(names))
    return _apart(curves, grid)


def _apart(curves: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """The curves without those whose label would stand on that of a higher level.

    A label stands beside the grid where its curve leaves to the right, else above the curve's end.
    """
    if not len(curves):
        return curves
    width, height, right = float(np.ptp(grid.x)), float(np.ptp(grid.y)), float(grid.x.max())
    ends = curves.loc[curves.groupby("level")["recency"].idxmax()].sort_values("level")
    kept: list[tuple[float, float, float]] = []
    for level, x, y in ends[["level", "recency", "frequency"]].iloc[::-1].itertuples(index=False):
        near = [
            abs(y - up) <= _CLEAR * height
            and (x == right == over or abs(x - over) <= _WIDE * width)
            for _, over, up in kept
        ]
        if not any(near):
            kept.append((level, x, y))
    return curves[curves["level"].isin([level for level, _, _ in kept])]


def _levels(grid: Grid) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) up to what the best customers are worth."""
    known = grid.z[np.isfinite(grid.z)]
    if not len(known) or not known.max() > 0:
        return []
    return round_levels(float(known.min()), float(known.max()), _CURVES)


def _drawn(curves: pd.DataFrame, grid: Grid, labels: Labels) -> Picture:
    ends = curves.loc[curves.groupby("level")["recency"].idxmax()]
    right, low, high = float(grid.x.max()), float(grid.y.min()), float(grid.y.max())
    x, y = _axes(labels, ("recency", "frequency"), right, (low, high))
    top = float(curves["level"].max())
    colour = alt.Color(
        "level:Q",
        legend=None,
        scale=alt.Scale(
            domain=[min(0.0, float(curves["level"].min())), top], range=list(theme.LINES)
        ),
    )
    lines = (
        alt.Chart(records(curves))
        .mark_line(strokeWidth=2, interpolate="catmull-rom")
        .encode(
            x=x,
            y=y,
            detail="curve:N",
            order="place:Q",
            color=colour,
            tooltip=[alt.Tooltip("label:N", title="Residual value")],
        )
    )
    beside = ends["recency"] >= right - 1e-9 * abs(right)
    side, top_edge = (
        alt.Chart(records(ends.loc[part, ["recency", "frequency", "label", "level"]])).encode(
            x=x, y=y, text="label:N", color=colour
        )
        for part in (beside, ~beside)
    )
    names = (
        side.mark_text(align="left", dx=7, fontWeight=600),
        top_edge.mark_text(align="center", dy=-9, fontWeight=600),
    )
    return layered(lines, *names, height=_SIZE)


def _levels_in_words(curves: pd.DataFrame) -> str:
    shown = list(dict.fromkeys(curves["label"]))
    return f"Levels drawn: {', '.join(shown)}." if shown else "No level crosses the grid."
