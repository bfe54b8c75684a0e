"""Pictures of what satisfaction is worth to owners say what their tables say, in their units."""

import json

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import OptionError
from cxmodels.reports import plots
from cxmodels.reports.document import Chart
from cxmodels.reports.labels import Labels
from cxmodels.reports.pictures import svg

TABLE = pd.DataFrame(
    {
        "rung": ["pooled", "firm and year"],
        "naive": [0.04, 0.006],
        "naive_error": [0.002, 0.002],
        "corrected": [0.045, None],
        "std_error": [0.0022, 0.002],
    }
)


def test_ladder():
    chart = plots.value_ladder(
        TABLE, Labels(level=0.95, simulated=True), firms=120, truth=0.012, outcome="q"
    )
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "120 firms", "95% interval", "set amount", "pooled",
                  "Change with one point more"):  # fmt: skip
        assert words in text
    assert f"{np.expm1(0.045):.6f}"[:7] in text
    drawn = svg(Chart.of(chart))
    assert "firm and year" in drawn
    with pytest.raises(OptionError, match="value_ladder"):
        plots.value_ladder(TABLE.drop(columns="naive_error"))


def drawn(chart) -> str:
    return svg(Chart.of(chart))


def rows(chart, column):
    """All rows of a chart's data that have a column."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data if column in row]


DAYS = pd.DataFrame(
    {
        "day": [-1, 0, 1],
        "mean": [0.001, 0.02, -0.004],
        "lower": [-0.01, 0.012, -0.013],
        "upper": [0.012, 0.028, 0.005],
        "events": [37, 37, 37],
    }
)


def test_event_days_add_up():
    chart = plots.event_returns(DAYS, Labels(level=0.95, simulated=True), event="Score released")
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "37 events", "1.7% by day 1", "Score released",
                  "95% interval of each day", "none is known of the sum"):  # fmt: skip
        assert words in text
    summed = [row["mean"] for row in rows(chart, "mean") if "events" not in row]
    assert summed[:3] == pytest.approx([0.001, 0.021, 0.017])
    assert "Trading days from the event" in drawn(chart)


def test_event_band_is_of_the_sum():
    running = pd.DataFrame(
        {
            "window": ["1", "-1", "0"],
            "mean": [0.017, 0.001, 0.021],
            "lower": [0.002, -0.01, 0.008],
            "upper": [0.032, 0.012, 0.034],
        }
    )
    chart = plots.event_returns(DAYS, running=running)
    text = json.dumps(chart.to_dict())
    assert "1.7% (0.2 to 3.2) by day 1" in text and "90% interval of the sum" in text
    summed = [row for row in rows(chart, "mean") if "events" not in row]
    assert [row["day"] for row in summed[:3]] == [-1, 0, 1]
    assert summed[2]["upper"] == 0.032
    with pytest.raises(OptionError, match="whole numbers"):
        plots.event_returns(DAYS, running=running.assign(window="all of it"))
    later = running.assign(mean=[0.016, None, 0.02])  # from day 0 on
    with pytest.raises(OptionError, match="begins on another"):
        plots.event_returns(DAYS, running=later)
    with pytest.raises(OptionError, match="every day"):
        plots.event_returns(DAYS.drop(index=1))


MONTHS = pd.PeriodIndex(["2020-01", "2020-02", "2020-03", "2020-04"], freq="M")
RETURNS = pd.DataFrame(
    {
        "1": [None, 0.1, -0.2, 0.5],
        "2": [0.3, 0.0, 0.1, 0.1],
        "3": [0.2, 0.5, -0.1, 0.2],
        "long short": [None, 0.4, 0.1, -0.3],
    },
    index=MONTHS,
)


def values(chart, portfolio):
    found = {
        row["month"][:10]: row["value"]
        for row in rows(chart, "month")
        if row["portfolio"] == portfolio
    }
    return dict(sorted(found.items()))


def test_growth_multiplies():
    chart = plots.portfolio_growth(RETURNS, Labels(simulated=True), cost=0.001, firms=90)
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "after costs of 0.1%", "3 months", "1 left out", "90 firms",
                  "1.62 with the highest scores, 1.32 with the lowest scores"):  # fmt: skip
        assert words in text
    best = values(chart, "highest scores")
    assert list(best) == ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"]
    assert list(best.values()) == pytest.approx([1.0, 1.5, 1.35, 1.62])
    assert list(values(chart, "long short").values()) == pytest.approx([1, 1.4, 1.54, 1.078])
    picture = drawn(chart)
    assert "1.32  lowest scores" in picture and "Value of 1 put in" in picture
    assert "before costs" in json.dumps(plots.portfolio_growth(RETURNS).to_dict())


def test_growth_ends_where_nothing_is_left():
    lost = RETURNS.fillna(0.0)
    lost.iloc[1, 3] = -1.2
    chart = plots.portfolio_growth(lost)
    assert list(values(chart, "long short").values()) == [1, 1, None, None, None]
    assert "0  long short" in drawn(chart)


def test_growth_breaks_at_a_month_left_out():
    gap = RETURNS.fillna(0.0)
    gap.iloc[2, 0] = None
    found = list(values(plots.portfolio_growth(gap), "highest scores").values())
    assert found[3] is None and found[4] == pytest.approx(1.2 * 1.5 * 1.2)
    days = gap.set_axis(MONTHS.to_timestamp())
    assert values(plots.portfolio_growth(days), "group 2") == values(
        plots.portfolio_growth(gap), "group 2"
    )
    with pytest.raises(OptionError, match="index is months"):
        plots.portfolio_growth(gap.reset_index(drop=True))


def test_names_of_lines_keep_apart():
    same = pd.DataFrame({str(at): [0.01, 0.01, 0.02] for at in range(1, 9)}, index=MONTHS[:3])
    chart = plots.portfolio_growth(same)
    ends = np.sort([row["value"] for row in rows(chart, "label")])
    steps = np.diff(np.log(ends))
    assert len(ends) == 8 and steps == pytest.approx(np.full(7, steps[0]), rel=1e-4)
    low, high = (float(np.log(end)) for end in chart.to_dict()["layer"][0]["encoding"]["y"][
        "scale"]["domain"])  # fmt: skip
    assert steps[0] * chart.height / (high - low) > 12  # pixels of a line of text


ALPHAS = pd.DataFrame(
    {
        "portfolio": ["1", "2", "long short"],
        "alpha": [-0.001, 0.0005, 0.0015],
        "lower": [-0.003, -0.0012, -0.001],
        "upper": [0.001, 0.0022, 0.004],
        "detectable": [4.1, 3.4, 5.2],
        "periods": [240, 240, 238],
    }
)


def test_alphas_are_per_cent_a_year_with_their_power():
    chart = plots.portfolio_alphas(ALPHAS, Labels(simulated=True), firms=60)
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "238 to 240 months", "60 firms", "90% interval",
                  "long short 1.8% a year, where 5.2% would have been found"):  # fmt: skip
        assert words in text
    row = next(row for row in rows(chart, "least") if row["portfolio"] == "highest scores")
    assert [row[name] for name in ("alpha", "lower", "upper")] == pytest.approx([0.6, -1.44, 2.64])
    assert (row["least"], row["detectable"]) == (-3.4, 3.4)
    assert "too small to be found four times in five" in drawn(chart)


def test_alphas_by_sets_of_factors():
    both = pd.concat([ALPHAS.assign(factors="CAPM"), ALPHAS.assign(factors="five", alpha=0.002)])
    chart = plots.portfolio_alphas(both)
    assert "2.4% a year (five)" in json.dumps(chart.to_dict())
    assert len(rows(chart, "least")) >= 6
    assert "CAPM" in drawn(chart)


def panels(chart):
    """The title of each panel's horizontal axis, its scale, and the figures that stand on it."""
    spec = chart.to_dict()
    for panel in spec["concat"]:
        across = [layer["encoding"].get("x", {}) for layer in panel["layer"]]
        title = max(x.get("axis", {}).get("title", "") for x in across)
        names = {layer["data"]["name"] for layer in panel["layer"]}
        found = {row["at"] for name in names for row in spec["datasets"][name] if "told" in row}
        yield title, across[0].get("scale"), sorted(found)


def test_points_and_per_cent_share_no_axis():
    chart = plots.claims_gallery(cx.claims().table)
    assert [(title, found) for title, _, found in panels(chart)] == [
        ("Per cent of value for a per cent of the score", [1, 1.016, 1.6, 4.6]),
        ("Per cent for a point of the score", [-4, 7]),
        ("", []),
    ]
    shown = {row["claim"] for row in rows(chart, "claim")}
    assert shown == set(cx.claims().table["claim"])
    assert "12 published figures" in json.dumps(chart.to_dict())
    picture = drawn(chart)
    for words in ("487", "Gruca, Rego 2005", "0.72",
                  "7% of cash-flow growth", "−4% of variability", "−1.34",
                  "pooled levels", "confounded by size"):  # fmt: skip
        assert words in picture


def test_ones_own_stands_above_on_the_same_axis():
    found = cx.value_relevance(cx.firm_panel(cx.simulate.market(80, 8, seed=2)))
    chart = plots.claims_gallery(cx.claims(found).table, Labels(simulated=True))
    (first, own, mine), (second, published, _) = list(panels(chart))[:2]
    assert first == "" and second.startswith("Per cent of value")
    assert own == published
    assert mine == pytest.approx(sorted(found.table["elasticity"]), rel=1e-5)
    assert "SIMULATED data" in json.dumps(chart.to_dict())
    assert "Within firms" in drawn(chart)


LAGS = pd.DataFrame(
    {"lag": [1, 2, 3], "seen": [4.1, 5.2, 5.7], "fitted": [4.0, 5.3, 5.7], "pairs": [900, 800, 700]}
)


def test_noise_is_what_is_left_at_lag_0():
    chart = plots.score_noise(
        LAGS, Labels(simulated=True), variance=2.25, std_error=0.3, firms=100, truth=1.6
    )
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "1.50 points", "2,400 pairs", "100 firms", "90% interval",
                  "Set amount"):  # fmt: skip
        assert words in text
    (nugget,) = rows(chart, "upper")
    assert (nugget["lag"], nugget["seen"]) == (0, 2.25)
    assert nugget["upper"] - nugget["lower"] == pytest.approx(2 * 1.6449 * 0.3, abs=1e-3)
    assert {"lag": 0, "fitted": 2.25} in rows(chart, "fitted")
    assert {"lag": 0, "seen": 2.56} in rows(chart, "seen")  # the square of what was set
    assert "Years between two scores" in drawn(chart)
    bare = json.dumps(plots.score_noise(LAGS, variance=2.25).to_dict())
    assert "interval" not in bare and "Set amount" not in bare


@pytest.mark.parametrize(
    ("picture", "table", "lost", "more"),
    [
        (plots.event_returns, DAYS, "lower", {}),
        (plots.portfolio_alphas, ALPHAS, "detectable", {}),
        (plots.claims_gallery, cx.claims().table, "verdict", {}),
        (plots.score_noise, LAGS, "pairs", {"variance": 2.0}),
    ],
)
def test_empty_and_broken_tables(picture, table, lost, more):
    empty = picture(table.iloc[:0], **more)
    assert "No rows to show" in json.dumps(empty.to_dict())
    assert drawn(empty)
    with pytest.raises(OptionError, match=picture.__name__):
        picture(table.drop(columns=lost), **more)


def test_growth_of_nothing():
    for nothing in (RETURNS.iloc[:0], RETURNS.assign(**{"1": None}), RETURNS[[]]):
        assert "No rows to show" in json.dumps(plots.portfolio_growth(nothing).to_dict())
