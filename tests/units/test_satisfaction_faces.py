"""Records of satisfaction show themselves in terminals and notebooks."""

import pytest

import cxmodels as cx
from cxmodels import satisfaction
from tests.laws.satisfaction_study import CONTROLS, linked_company


@pytest.fixture(scope="module")
def records():
    made = cx.simulate.company(3_000, seed=6, quarters=5)
    linked, how = linked_company(made), {"controls": CONTROLS}
    scales = dict.fromkeys(["recommend", "quality", "price"], (0, 10))
    survey = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=scales)
    found = satisfaction.effects(linked, **how)
    return {
        "Effects of one point of recommend; interval 90%": found,
        "Levels against 7; interval 90%": satisfaction.levels(linked, **how),
        "Drivers of recommend; interval 90%": satisfaction.drivers(
            survey, score="recommend", items=["quality", "price"], draws=20
        ),
        "": satisfaction.checks(linked, found),
    }


def test_faces(records):
    for head, record in records.items():
        text, page = repr(record), record._repr_html_()
        assert text.startswith(head)
        assert page.startswith("<p><b>") and "<table" in page
        assert "nan" not in text.lower().split()
        assert all(line in page for line in ("</table>", "</th>"))


def test_what_is_shown_is_escaped(records):
    effects = next(iter(records.values()))
    from dataclasses import replace

    assert "<script>" not in replace(effects, score="<script>")._repr_html_()
