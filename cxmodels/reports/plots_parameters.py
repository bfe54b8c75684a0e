"""Pictures of what is known about each parameter: its posterior, interval and best estimate."""

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import Picture, layered, needed, nothing_to_show, records
from cxmodels.reports.numbers import Kind, interval

with report_extra():
    import altair as alt

_POINTS = 120
_TAIL = 0.002  # the share of draws left out at each end of the drawn axis
_WIDE, _NARROW, _HEIGHT = 322, 205, 110  # two panels a row, or three where there are many
_FEW = 4


def parameter_posterior(
    table: pd.DataFrame, labels: Labels | None = None, *, estimates: pd.DataFrame | None = None
) -> alt.ConcatChart:
    """One density a parameter, with its interval shaded and the best estimate as a rule.

    table: parameter, value (one row a draw)[, unit]; estimates: parameter as index or column,
    estimate.
    """
    labels = labels or Labels()
    data = needed(table, ["parameter", "value"], chart="parameter_posterior", known=["unit"])
    data = data[np.isfinite(data["value"].astype(float))]
    best = _best(estimates)
    panels: list[Picture] = [
        _panel(str(name), part, best.get(str(name)), labels)
        for name, part in data.groupby("parameter", sort=False)
    ]
    few = len(panels) <= _FEW
    for panel in panels:
        panel.width = _WIDE if few else _NARROW
    chart = alt.concat(*(panels or [nothing_to_show()]), columns=2 if few else 3)
    draws = int(data.groupby("parameter").size().max()) if len(data) else 0
    title = "What the data say about each parameter"
    return theme.finish(
        chart,
        title=title,
        subtitle=labels.subtitle(
            f"posterior density of {draws:,} draws",
            f"median with {labels.band}",
            "rule: best estimate",
        ),
        description=f"Density curves. {title}: "
        + "; ".join(
            _in_words(str(name), part["value"], labels)
            for name, part in data.groupby("parameter", sort=False)
        )
        + ".",
    )


def _best(estimates: pd.DataFrame | None) -> dict[str, float]:
    if estimates is None or "estimate" not in estimates.columns:
        return {}
    names = estimates["parameter"] if "parameter" in estimates.columns else estimates.index
    return dict(zip(map(str, names), estimates["estimate"].astype(float), strict=True))


def _panel(name: str, part: pd.DataFrame, best: float | None, labels: Labels) -> Picture:
    draws = part["value"].to_numpy(dtype=float)
    unit = str(part["unit"].iloc[0]) if "unit" in part.columns else ""
    x, height = _density(draws)
    lower, upper = np.quantile(draws, [(1 - labels.level) / 2, (1 + labels.level) / 2])
    data = pd.DataFrame({"value": x, "density": height})
    inner = data[(data["value"] >= lower) & (data["value"] <= upper)]
    axis = alt.X(
        "value:Q",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(title=f"{name}, {unit or 'a pure number'}", tickCount=4, format=".4~g"),
    )
    up = alt.Y("density:Q", axis=None, scale=alt.Scale(zero=True))
    area = alt.Chart(records(inner)).mark_area(color=theme.BAND, opacity=0.85)
    line = alt.Chart(records(data)).mark_line(color=theme.MODEL, strokeWidth=2)
    layers: list[alt.Chart] = [area.encode(x=axis, y=up), line.encode(x=axis, y=up)]
    if best is not None and np.isfinite(best) and x[0] <= best <= x[-1]:
        rule = alt.Chart(records(pd.DataFrame({"value": [best]})))
        layers.append(
            rule.mark_rule(color=theme.ACCENT, strokeWidth=1.6).encode(x=alt.X("value:Q"))
        )
    words = interval(float(np.median(draws)), lower, upper, Kind.NUMBER)
    title = alt.Title(f"{name}  {words}", fontSize=12.5, fontWeight=600, offset=6)
    panel = layered(*layers, height=_HEIGHT)
    panel.title = title
    return panel


def _density(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve through the draws; a single spike where they are all one value."""
    low, high = np.quantile(draws, [_TAIL, 1 - _TAIL])
    if len(draws) < 3 or not high > low:
        return np.array([draws[0]] * 2), np.array([0.0, 1.0])
    x = np.linspace(low, high, _POINTS)
    return x, gaussian_kde(draws)(x)


def _in_words(name: str, draws: pd.Series, labels: Labels) -> str:
    lower, upper = draws.quantile([(1 - labels.level) / 2, (1 + labels.level) / 2])
    return f"{name} {interval(draws.median(), lower, upper, Kind.NUMBER)}"
