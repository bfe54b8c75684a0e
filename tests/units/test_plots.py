"""Charts say what their tables say: titles, units, intervals, the hold-out, and level curves."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.contours import Grid, contour, round_levels
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.numbers import Kind, grouped, interval, written
from tests.snapshots.report_tables import (
    by_frequency,
    equity,
    grid,
    lorenz,
    posterior,
    retention,
    subscription_cohorts,
    tracking,
)

LABELS = Labels(unit="week", level=0.8, customers=219, currency="EUR", horizon="next 52 weeks")


def drawn() -> dict[str, Any]:
    """Every picture by name."""
    gini = (0.5, 0.47, 0.53)
    alive, bought = grid(), grid()
    return {
        "weekly": plots.tracking_weekly(tracking(), LABELS),
        "cumulative": plots.tracking_cumulative(tracking(), LABELS),
        "frequency": plots.frequency_histogram(by_frequency(), LABELS),
        "conditional": plots.holdout_conditional(by_frequency(), LABELS),
        "alive": plots.recency_frequency_heatmap(alive, LABELS),
        "bought": plots.recency_frequency_heatmap(bought, LABELS, value="expected_purchases"),
        "iso": plots.iso_value_curves(grid(), LABELS),
        "lorenz": plots.lorenz_curve(lorenz(), LABELS, gini=gini),
        "sources": plots.equity_sources(equity().iloc[1:], LABELS),
        "posterior": plots.parameter_posterior(posterior(), LABELS),
        "survival": plots.survival_curve(retention(), LABELS),
        "retention": plots.retention_curve(retention(), LABELS),
        "cohorts": plots.base_value(subscription_cohorts(), LABELS),
    }


SPECS = {name: chart.to_dict() for name, chart in drawn().items()}


@pytest.mark.parametrize("name", SPECS)
def test_every_chart_states_what_it_shows(name: str) -> None:
    spec = SPECS[name]
    assert "219 customers" in spec["title"]["subtitle"]
    assert len(spec["title"]["text"]) > 15
    assert len(spec["description"]) > 40


@pytest.mark.parametrize(
    "name",
    ["weekly", "cumulative", "conditional", "lorenz", "posterior", "survival", "retention",
     "cohorts"],
)  # fmt: skip
def test_interval_is_named_with_its_level(name: str) -> None:
    assert "80% interval" in SPECS[name]["title"]["subtitle"]


def axis_titles(node: Any) -> list[str]:
    if isinstance(node, list):
        return [title for part in node for title in axis_titles(part)]
    if not isinstance(node, dict):
        return []
    axis = node.get("axis")
    own = [axis["title"]] if isinstance(axis, dict) and axis.get("title") else []
    return own + [title for part in node.values() for title in axis_titles(part)]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("weekly", "Repeat purchases per week"),
        ("cumulative", "Repeat purchases since the start"),
        ("frequency", "Customers"),
        ("alive", "Recency: weeks from first to last purchase"),
        ("sources", "Standard deviation of customer equity (EUR)"),
        ("lorenz", "Share of value"),
        ("survival", "Age of the contract in weeks"),
        ("retention", "Share of customers up for renewal who renew"),
        ("cohorts", "Payments to come (EUR)"),
    ],
)
def test_axes_carry_units(name: str, word: str) -> None:
    assert word in axis_titles(SPECS[name])


@pytest.mark.parametrize("name", ["survival", "retention"])
def test_ages_that_the_model_had_not_seen_are_marked(name: str) -> None:
    marks = [layer["mark"]["type"] for layer in SPECS[name]["layer"]]
    assert marks[0] == "rect"
    splits = [row for data in SPECS[name]["datasets"].values() for row in data if "split" in row]
    assert {(row["split"], row["end"]) for row in splits} == {(4.5, 7)}
    frame = retention().assign(part="calibration")
    assert "Hold-out" not in json.dumps(plots.survival_curve(frame, LABELS).to_dict())


def test_subscription_titles_state_the_finding() -> None:
    frame = retention()
    frame.loc[6, "survival_actual"] = frame.loc[6, "survival"] - 0.031
    title = plots.survival_curve(frame, LABELS).to_dict()["title"]["text"]
    assert title == "Customers still active by age: at most 3.1 points off in the hold-out"
    title = plots.base_value(subscription_cohorts(), LABELS).to_dict()["title"]["text"]
    assert title == "Value of the base by cohort: €600; constant retention is 20% below"
    assert "No rows" in json.dumps(plots.survival_curve(frame.iloc[:0], LABELS).to_dict())
    assert "No rows" in json.dumps(plots.base_value(subscription_cohorts().iloc[:0]).to_dict())


@pytest.mark.parametrize("name", ["weekly", "cumulative"])
def test_holdout_is_shaded_ruled_and_labelled(name: str) -> None:
    marks = [layer["mark"]["type"] for layer in SPECS[name]["layer"]]
    assert marks[0] == "rect"
    assert "text" in marks
    assert "2023-04-23" in json.dumps(SPECS[name]["datasets"])  # the calibration's last week


def test_no_holdout_no_mark() -> None:
    frame = tracking().assign(part="calibration")
    spec = plots.tracking_weekly(frame, LABELS).to_dict()
    assert "Hold-out" not in json.dumps(spec)


def test_titles_state_the_finding() -> None:
    frame = tracking()
    frame["expected"] = frame["actual"] * 0.9
    title = plots.tracking_weekly(frame, LABELS).to_dict()["title"]["text"]
    assert title == "Weekly repeat purchases: expected 10% below actual in the hold-out"
    title = plots.lorenz_curve(lorenz()).to_dict()["title"]["text"]
    # the curve is share ** 3: the top fifth holds 1 - 0.8 ** 3 = 48.8%
    assert "hold 48.8%" in title
    inside = plots.frequency_histogram(by_frequency()).to_dict()["title"]["text"]
    assert "4 of 4 counts" in inside


def test_same_table_same_chart() -> None:
    assert {name: chart.to_dict() for name, chart in drawn().items()} == SPECS


def test_a_missing_column_is_named() -> None:
    with pytest.raises(OptionError, match="missing: lower, upper"):
        plots.frequency_histogram(by_frequency().drop(columns=["lower", "upper"]))


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(OptionError, match="p_alive, expected_purchases"):
        plots.recency_frequency_heatmap(grid(), value="p_dead")  # type: ignore[arg-type]


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(OptionError, match=r"pip install 'cxmodels\[report\]'"), report_extra():
        raise ImportError(name="altair")


def cone(size: int = 41) -> Grid:
    """Distance from the middle of a square, whose level curves are circles."""
    side = np.linspace(-1, 1, size)
    x, y = np.meshgrid(side, side)
    return Grid(side, side, np.hypot(x, y))


def test_level_curve_of_a_cone_is_one_circle() -> None:
    (curve,) = contour(cone(), 0.613)
    radii = np.hypot(*np.array(curve).T)
    # linear interpolation on cells of side h misses a radius r by at most about h**2 / (8 r)
    assert np.abs(radii - 0.613).max() < 0.05**2 / (4 * 0.613)
    assert curve[0] == curve[-1]
    assert len(set(curve)) == len(curve) - 1


def test_level_curve_of_a_plane_is_exact() -> None:
    x, y = np.linspace(0, 3, 7), np.linspace(0, 2, 4)
    plane = Grid(x, y, 2.1 * x[None, :] + 3.7 * y[:, None])
    (curve,) = contour(plane, 5.03)
    for a, b in curve:
        assert 2.1 * a + 3.7 * b == pytest.approx(5.03, rel=1e-12)


def test_a_saddle_gives_two_curves_that_do_not_cross() -> None:
    saddle = Grid(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert len(contour(saddle, 0.4)) == 2
    assert len(contour(saddle, 0.6)) == 2
    assert contour(saddle, 0.4) != contour(saddle, 0.6)


def test_unknown_cells_are_left_out() -> None:
    holed = cone()
    holed.z[:, :20] = np.nan
    curves = contour(holed, 0.613)
    assert all(x >= -0.05 for curve in curves for x, _ in curve)
    assert contour(Grid(holed.x, holed.y, np.full_like(holed.z, 3.3)), 3.3) == []


@given(st.floats(-1e6, 1e9), st.floats(-1e6, 1e9), st.integers(1, 9))
def test_levels_are_inside_few_and_round(low: float, high: float, count: int) -> None:
    levels = round_levels(low, high, count)
    assert len(levels) <= count
    assert all(low < level < high for level in levels)
    assert levels == sorted(levels)
    assert {f"{level:.0e}"[0] for level in levels} <= set("1235")


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_can_be_written(value: float) -> None:
    for kind in Kind:
        assert written(value, kind, currency="EUR")
        assert interval(value, value, value, kind)
    assert "-" not in grouped(value) or "e-" in grouped(value)


def test_curves_hold_their_value() -> None:
    frame = grid()
    frame = frame[frame["frequency"] > 0]
    spec = plots.iso_value_curves(frame, LABELS, levels=[7.3]).to_dict()
    rows = [row for data in spec["datasets"].values() for row in data if "curve" in row]
    assert rows
    assert {row["label"] for row in rows} == {"€7.30"}
    wide = frame.pivot_table(index="frequency", columns="recency", values="value")
    for row in rows:  # on an edge of the grid, where linear interpolation gives the level back
        along = [np.interp(row["recency"], wide.columns, line) for line in wide.to_numpy()]
        assert np.interp(row["frequency"], wide.index, along) == pytest.approx(7.3, rel=1e-5)


def test_the_table_is_left_as_it_was() -> None:
    frame = grid()
    before = frame.copy()
    plots.recency_frequency_heatmap(frame)
    plots.iso_value_curves(frame)
    pd.testing.assert_frame_equal(frame, before)
