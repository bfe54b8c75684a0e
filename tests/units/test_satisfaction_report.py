"""The satisfaction report says its verdict first and shows every table it is given."""

import pandas as pd
import pytest

import cxmodels as cx
from cxmodels import satisfaction
from cxmodels.reports import render
from cxmodels.reports.document import Chart, Table, Text
from cxmodels.reports.satisfaction_report import SatisfactionTables, satisfaction_report
from tests.laws.satisfaction_study import CONTROLS, linked_company


@pytest.fixture(scope="module")
def given():
    made = cx.simulate.company(3_000, seed=6, quarters=5)
    linked, how = linked_company(made), {"controls": CONTROLS}
    items = ["quality", "price"]
    scales = dict.fromkeys(["recommend", *items], (0, 10))
    survey = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=scales)
    found = satisfaction.effects(linked, **how)
    checked = satisfaction.checks(linked, found)
    levels = satisfaction.levels(linked, **how)
    asked = {"score": "recommend", "items": items, "draws": 30}
    return {
        "effects": found.table,
        "notes": found.notes,
        "score": "recommend",
        "verdict": checked.verdict,
        "checks": checked.table,
        "answers": linked.reconciliation,
        "scores": cx.survey_scores(survey),
        "by_level": levels.by_level,
        "curvature": levels.curvature,
        "promoters": satisfaction.promoters(linked, **how),
        "drivers": satisfaction.drivers(survey, **asked).table,
        "currency": "EUR",
        "simulated": True,
    }


def texts(document):
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Text):
                yield block.text
            elif isinstance(block, Table):
                yield from (cell for row in block.rows for cell in row)
            elif isinstance(block, Chart):
                yield block.description


def test_all_of_it(given):
    document = satisfaction_report(SatisfactionTables(**given))
    assert document.sections[0].heading == "Does satisfaction (recommend) pay? Verdict"
    assert document.sections[0].blocks[0].text == given["verdict"]
    assert len(document.sections) == 6
    assert len(document.headline.facts) == 3
    said = "\n".join(texts(document))
    leaving = given["effects"].set_index("outcome").loc["leaving", "per_cent"]
    assert f"{abs(leaving):.1f}%" in said
    assert "€" in said and "promoters" in said.lower()
    page = render.html(document)
    assert "Simulated data" in page
    assert not {"nan", "none", "<na>"} & {cell.lower() for cell in texts(document)}
    assert render.pdf(document)[:4] == b"%PDF"
    assert render.html(satisfaction_report(SatisfactionTables(**given))) == page


def test_what_is_not_there_is_left_out(given):
    least = {name: given[name] for name in ("effects", "notes", "score", "verdict", "checks")}
    document = satisfaction_report(SatisfactionTables(**least))
    assert [section.heading for section in document.sections] == [
        "Does satisfaction (recommend) pay? Verdict", "What a point of recommend goes with",
        "What speaks against reading these as effects",
    ]  # fmt: skip
    assert not document.simulated


def test_without_correction(given):
    bare = given["effects"].assign(corrected=None, reliability=None)
    document = satisfaction_report(SatisfactionTables(**{**given, "effects": bare}))
    assert not {"nan", "none", "<na>"} & {cell.lower() for cell in texts(document)}
    assert render.html(document)


def test_no_effects(given):
    none = given["effects"].iloc[:0]
    with pytest.raises(cx.OptionError, match="at least one effect"):
        satisfaction_report(SatisfactionTables(**{**given, "effects": none}))
    assert isinstance(given["effects"], pd.DataFrame)
