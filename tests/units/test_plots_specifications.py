"""Pictures of one answer asked in many ways, and of news in a score, say what their tables say."""

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
from cxmodels.shareholders import specification_curve

SPECIFICATIONS = pd.DataFrame(
    {
        "elasticity": [3.4, 0.3, 0.9, 2.2],
        "lower": [3.1, -0.2, 0.1, 1.9],
        "upper": [3.7, 0.8, 1.7, 2.5],
        "rung": ["pooled", "firm and year", "firm and year", "industry and year"],
        "compares": ["between firms", "within firms", "within firms", "between firms"],
        "score": ["naive", "naive", "corrected", "naive"],
        "outcome": ["q, assets", "q, assets", "q, debt", "market value"],
        "controls": ["none", "age, size", "size", "none"],
        "rows": [900, 900, 800, 900],
        "firms": [90, 90, 90, 90],
    }
)
CLAIMS = cx.claims().table


def drawn(chart) -> str:
    return svg(Chart.of(chart))


def rows(chart, column):
    """All rows of a chart's data that have a column."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data if column in row]


def test_curve_says_what_its_table_says():
    chart = plots.specification_curve(SPECIFICATIONS, Labels(level=0.95, simulated=True))
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "4 specifications", "95% interval", "800 to 900 rows",
                  "90 firms", "median 2.80 between firms, 0.60 within firms",
                  "Per cent of value for a per cent of the score"):  # fmt: skip
        assert words in text
    assert "published" not in text and "cut" not in text and "left out" not in text
    curve = sorted(rows(chart, "low"), key=lambda row: row["at"])
    assert [row["elasticity"] for row in curve] == [0.3, 0.9, 2.2, 3.4]
    assert [(row["at"], row["low"], row["high"]) for row in curve][:2] == [
        (1, -0.2, 0.8), (2, 0.1, 1.7)]  # fmt: skip
    picture = drawn(chart)
    for words in ("between firms (2)", "within firms (2)", "industry and year", "q, debt",
                  "corrected", "from the lowest elasticity to the highest"):  # fmt: skip
        assert words in picture


def test_choices_stand_below_their_estimates():
    chart = plots.specification_curve(SPECIFICATIONS)
    chosen = [row for row in rows(chart, "choice") if "at" in row]
    by = {at: {row["choice"] for row in chosen if row["at"] == at} for at in (1, 2, 3, 4)}
    assert by[1] == {"firm and year", "q, assets", "age", "size", "naive"}
    assert by[2] == {"firm and year", "q, debt", "size", "corrected"}
    assert by[4] == {"pooled", "q, assets", "none", "naive"}
    places = {(row["group"], row["choice"]): row["place"] for row in chosen}
    assert len(set(places.values())) == len(places) == 3 + 3 + 3 + 2
    rungs = sorted((place, name) for (group, name), place in places.items() if group == "Rung")
    assert [name for _, name in rungs] == ["pooled", "industry and year", "firm and year"]
    controls = [place for (group, _), place in places.items() if group == "Controls"]
    assert places["Controls", "none"] == max(controls)


def test_only_elasticities_to_the_score_are_ruled_in():
    own = cx.claims(cx.value_relevance(cx.firm_panel(cx.simulate.market(60, 8, seed=2)))).table
    assert (own["source"] == "yours").any()
    for claims in (CLAIMS, own):
        chart = plots.specification_curve(SPECIFICATIONS, claims=claims)
        ruled = {row["source"]: row["elasticity"] for row in rows(chart, "told")}
        assert ruled == {
            "Anderson, Fornell, Mazvancheryl 2004": 1.016,
            "Fornell and others 2006": 4.6,
            "ACSI ten-year report": 1.6,
            "rule of practitioners": 1,
        }
        text = json.dumps(chart.to_dict())
        assert "dashed: 4 of 12 published figures" in text
        assert "ACSI ten-year report: 1.60 of q." in chart.description
        assert "4.60 of market value" in drawn(chart)
        low, high = scale(chart)
        assert low < 0 and high > 4.6
        places = np.sort([row["place"] for row in rows(chart, "told")])
        assert np.diff(places).min() * 250 / (high - low) > 28  # pixels of two lines of text
    with pytest.raises(OptionError, match="claims of specification_curve"):
        plots.specification_curve(SPECIFICATIONS, claims=CLAIMS.drop(columns="unit"))
    points = plots.specification_curve(SPECIFICATIONS, claims=CLAIMS[CLAIMS["elasticity"].isna()])
    assert "dashed: 0 of 8 published figures" in json.dumps(points.to_dict())
    nothing = plots.specification_curve(SPECIFICATIONS, claims=CLAIMS.iloc[:0])
    assert "published" not in json.dumps(nothing.to_dict())


def scale(chart):
    """The ends of the axis of elasticities."""
    curve = chart.to_dict()["concat"][0]["layer"]
    return curve[0]["encoding"]["y"].get("scale", {}).get("domain")


def test_long_intervals_are_cut_and_counted():
    wild = SPECIFICATIONS.copy()
    wild.loc[0, "upper"], wild.loc[1, "lower"] = 80.0, -np.inf
    wild.loc[2, ["lower", "upper"]] = np.nan
    chart = plots.specification_curve(wild)
    assert "intervals cut at the edge: 2" in json.dumps(chart.to_dict())
    low, high = scale(chart)
    assert -3.5 < low < 0 and 3.4 < high < 7
    highest = next(row for row in rows(chart, "low") if row["elasticity"] == 3.4)
    assert highest["upper"] == 80 and highest["high"] == pytest.approx(high, rel=1e-6)
    assert drawn(chart)


def test_what_has_no_estimate_is_counted():
    chart = plots.specification_curve(SPECIFICATIONS.assign(elasticity=[3.4, None, 0.9, 2.2]))
    text = json.dumps(chart.to_dict())
    assert "3 specifications" in text and "1 without an estimate left out" in text


@pytest.mark.parametrize(("times", "mark"), [(1, "circle"), (30, "tick"), (200, "tick")])
def test_few_and_many_specifications(times, mark):
    many = pd.concat([SPECIFICATIONS] * times, ignore_index=True)
    many["elasticity"] += np.linspace(0.0, 0.2, len(many))
    chart = plots.specification_curve(many)
    panel = chart.to_dict()["concat"][1]
    ticks = [layer["mark"] for layer in panel["layer"] if "place" in str(layer["encoding"])]
    assert {mark} == {own["type"] for own in ticks} - {"rule", "text"}
    step = panel["width"] / len(many)
    assert all(own.get("thickness", 0) <= step for own in ticks)
    assert f"between firms ({2 * times})" in drawn(chart)


def test_a_real_curve():
    made = cx.simulate.market(60, 8, seed=2).assign(size=lambda t: np.log(t["total_assets"]))
    found = specification_curve(cx.firm_panel(made, controls=["size"]), controls=["size"])
    chart = plots.specification_curve(found.table, claims=CLAIMS)
    assert f"{len(found.table)} specifications" in json.dumps(chart.to_dict())
    curve = sorted(rows(chart, "low"), key=lambda row: row["at"])
    assert [row["elasticity"] for row in curve] == pytest.approx(
        found.table["elasticity"].tolist(), rel=1e-5
    )
    medians = found.summary.set_index("compares")["median"]
    assert f"{medians['within firms']:.2f} within firms" in json.dumps(chart.to_dict())


RESPONSE = pd.DataFrame(
    {
        "part": ["direct", "through earnings", "total", "in the year after"],
        "naive": [0.3, 0.014, 0.31, None],
        "estimate": [0.35, 0.05, 0.4, -0.035],
        "lower": [0.16, 0.02, 0.21, -0.28],
        "upper": [0.54, 0.08, 0.59, 0.21],
        "power": [0.32, 0.052, 0.319, 0.41],
        "rows": [3300, 3300, 3300, 3000],
        "firms": [300, 300, 300, 300],
    }
)


def test_response_stands_beside_the_naive_one_and_its_power():
    chart = plots.stock_response(RESPONSE, Labels(level=0.95, simulated=True))
    text = json.dumps(chart.to_dict())
    for words in ("SIMULATED data", "percentage points of return", "95% interval", "300 firms",
                  "3,000 to 3,300 rows", "0.40 (0.21 to 0.59) in total",
                  "Percentage points of return for a point of score"):  # fmt: skip
        assert words in text
    shown = {row["part"]: row for row in rows(chart, "part")}
    assert list(shown) == RESPONSE["part"].tolist()
    total, later = shown["total"], shown["in the year after"]
    assert (total["naive"], total["least"], total["power"]) == (0.31, -0.319, 0.319)
    assert later["naive"] is None and later["estimate"] == -0.035
    picture = drawn(chart)
    for words in ("Naive (hollow)", "Too small to be found four times in five",
                  "0.35 (0.16 to 0.54)", "through earnings"):  # fmt: skip
        assert words in picture


def test_response_in_parts():
    some = RESPONSE[RESPONSE["part"] != "total"].drop(columns="firms")
    text = json.dumps(plots.stock_response(some).to_dict())
    assert "in total" not in text and "firms" not in text
    assert "45 firms" in json.dumps(plots.stock_response(some, firms=45).to_dict())
    panel = cx.firm_panel(cx.simulate.market(60, 8, seed=2), controls=["abnormal_return"])
    found = cx.stock_response(panel)
    shown = [row["estimate"] for row in rows(plots.stock_response(found.table), "part")]
    assert shown == pytest.approx(found.table["estimate"].tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("picture", "table", "lost"),
    [
        (plots.specification_curve, SPECIFICATIONS, "compares"),
        (plots.stock_response, RESPONSE, "power"),
    ],
)
def test_empty_and_broken_tables(picture, table, lost):
    column = "elasticity" if "elasticity" in table else "estimate"
    for nothing in (table.iloc[:0], table.assign(**{column: np.nan})):
        empty = picture(nothing)
        assert "No rows to show" in json.dumps(empty.to_dict())
        assert drawn(empty)
    with pytest.raises(OptionError, match=picture.__name__):
        picture(table.drop(columns=lost))
