"""Tables of regressions say what their fits say, in every form, and refuse what is none."""

import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import docx
import numpy as np
import pandas as pd
import pytest
import typst

import cxmodels as cx
from cxmodels.errors import DataError, OptionError
from cxmodels.regression.dynamic_panel import dynamic_panel
from cxmodels.regression.panel import panel_fit
from cxmodels.regression.slopes import fama_macbeth, random_slopes
from cxmodels.reports.regression_tables import SUFFIXES, regression_table

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
KEYS = {"unit": "firm", "period": "year"}
NASTY = r'*[R&D] _%$#{x}~^\ <script>"q" @l `c` // /* x -- − \end{table} #panic()'


def read(name: str) -> pd.DataFrame:
    path = DATA / "firms" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set CXMODELS_DATA")
    return pd.read_csv(path)


def made(**more) -> SimpleNamespace:
    """A record that has what a fit has to have."""
    table = pd.DataFrame(
        {"coefficient": ["score", "const"], "estimate": [0.25, -1234.5], "std_error": [0.1, 300.0],
         "t": [2.5, -4.115], "p_value": [0.03, 0.0005], "lower": [0.08, -1740.0],
         "upper": [0.42, -729.0]}
    )  # fmt: skip
    return SimpleNamespace(**{"table": table, "outcome": "q", "level": 0.9} | more)


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(5)
    firm, year = np.divmod(np.arange(600), 6)
    own, x = rng.normal(size=100), rng.normal(size=600)
    y = np.zeros(600)
    for at in range(600):
        past = y[at - 1] if year[at] else 0.0
        y[at] = 0.4 * past + 0.5 * x[at] + own[firm[at]] + rng.normal()
    return pd.DataFrame({"firm": firm, "year": year, "y": y, "x": x, "group": firm % 7})


@pytest.fixture(scope="module")
def ladder():
    return cx.value_relevance(cx.firm_panel(cx.simulate.market(120, 8, seed=3)))


def lines_of(table) -> dict[str, list[str]]:
    """Cells of each line that begins with a label."""
    split = [re.split(r" {2,}", line.strip()) for line in table.text().splitlines()]
    return {parts[0]: parts[1:] for parts in split if len(parts) > 1}


def test_grunfeld_as_printed():
    """R's plm prints these figures: estimates, iid errors, R squared of pooled and within."""
    grunfeld = read("Grunfeld.csv")
    fits = {
        name: panel_fit(grunfeld, "inv", ["value", "capital"], estimator=how, errors="iid", **KEYS)
        for name, how in (("pooled", "pooled"), ("firm", "within"), ("firm and year", "two-way"))
    }
    table = regression_table(
        fits,
        decimals=7,
        labels={"value": "Market value", "units": "Firms"},
        keep=["value", "const"],
    )
    lines = table.text().splitlines()
    rows = [re.split(r" {2,}", line.strip()) for line in lines]
    assert lines[0] == "inv"
    assert rows[2:4] == [["pooled", "firm", "firm and year"], ["(1)", "(2)", "(3)"]]
    assert rows[5] == ["Market value", "0.1155622", "0.1101238", "0.1177159"]
    assert rows[6] == ["(0.0058357)", "(0.0118567)", "(0.0137513)"]
    assert rows[7] == ["const", "−42.7143694"]
    assert rows[8][0].startswith("(9.51167")
    found = lines_of(table)
    assert found["Rows"] == ["200"] * 3
    assert found["Firms"] == ["10"] * 3
    assert found["R squared"][:2] == ["0.812", "0.767"]
    assert found["Estimator"] == ["pooled", "unit effects", "unit, period effects"]
    assert "iid errors, n − K degrees of freedom." in lines  # of all: said once, without numbers
    assert "Not shown: capital." in lines


def test_employment_as_printed():
    """Arellano and Bond (1991), table 4 (a2) with Windmeijer's errors; Hansen as xtabond2's."""
    e = read("EmplUK.csv")
    e = e.assign(n=np.log(e["emp"]), w=np.log(e["wage"]), k=np.log(e["capital"]),
                 ys=np.log(e["output"]))  # fmt: skip
    names = ["w", "L1.w", "k", "L1.k", "L2.k", "ys", "L1.ys", "L2.ys"]
    fit = dynamic_panel(e, "n", names, lags=2, **KEYS)
    text = regression_table({"GMM": fit}, decimals=7, keep="L1.n").text()
    assert "0.6287089" in text
    assert "(0.1934135)" in text
    found = lines_of(regression_table({"GMM": fit}))
    expected = {"Rows": "611", "Units": "140", "Instruments": "41", "Hansen, p": "0.177",
                "Estimator": "difference GMM"}  # fmt: skip
    assert {key: found[key] for key in expected} == {key: [v] for key, v in expected.items()}
    assert len(regression_table(fit).grid.heads) == 1  # one column needs no number


def test_conventions_stand_by_column(panel):
    within = panel_fit(panel, "y", ["x"], **KEYS)
    table = regression_table({
        "a": within, "b": within.with_errors("hc1"), "c": within, "d": within,
        "e": dynamic_panel(panel, "y", ["x"], **KEYS),
        "f": panel_fit(panel, "y", ["x"], effects=["year", "group"], estimator="pooled", **KEYS),
    })  # fmt: skip
    notes = table.grid.notes
    assert "(1), (3), (4), (6) Errors clustered by unit (100), stata." in notes
    assert "(2) Errors HC1, stata." in notes
    assert any(note.startswith("(5) Two steps; errors corrected") for note in notes)
    found = lines_of(table)
    assert found["Estimator"][-1] == "pooled + 2 effects"
    assert len(found["AR(1), p"]) == len(found["Hansen, p"]) == 1


def test_what_a_fit_left_out_is_said(panel):
    holes = panel.assign(x=panel["x"].where(panel.index != 7))
    text = regression_table(panel_fit(holes, "y", ["x"], **KEYS)).text()
    assert "1 of 600 rows lack a column." in text


@pytest.mark.parametrize(
    ("show", "below", "said"),
    [("std_error", "(0.100)", "standard errors"), ("interval", "(0.080 to 0.420)", "90% intervals"),
     ("t", "(2.50)", "t")],
)  # fmt: skip
def test_brackets(show, below, said):
    table = regression_table({"one": made()}, show=show)
    assert below in table.text()
    assert f"In brackets: {said}." in table.text()


def test_levels_and_statistics_that_differ_are_told():
    fits = {"one": made(), "two": made(level=0.95)}
    notes = regression_table(fits, show="interval").grid.notes
    assert notes[:2] == ("(1) In brackets: 90% intervals.", "(2) In brackets: 95% intervals.")
    z = made(table=made().table.rename(columns={"t": "z"}))
    notes = regression_table({"one": made(), "two": z}, show="t").grid.notes
    assert notes[:2] == ("(1) In brackets: t.", "(2) In brackets: z.")


def test_stars_only_where_asked():
    assert "*" not in regression_table(made()).text()
    table = regression_table(made(), stars=True)
    assert "0.250**\n" in table.text()
    assert "−1,234.500***\n" in table.text()
    assert "* p < 0.10, ** p < 0.05, *** p < 0.01." in table.grid.notes
    bare = made(table=made().table.drop(columns="p_value"))
    notes = regression_table({"a": made(), "b": bare}, stars=True).grid.notes
    assert any("Not all p-values are known" in note for note in notes)


def test_an_error_is_never_nothing():
    small = made().table.assign(estimate=[0.000012, 2.0], std_error=[0.0000034, 0.5])
    found = regression_table(made(table=small)).text()
    assert "0.0000120" in found
    assert "(0.0000034)" in found
    assert "(0.500)" in found


def test_order_is_of_first_sight_with_the_constant_last():
    other = made(table=made().table.assign(coefficient=["size", "const"]))
    pairs = regression_table({"a": made(), "b": other}).grid.pairs
    assert [above.label for above, _ in pairs] == ["score", "size", "const"]
    pairs = regression_table({"a": made()}, keep=["const", "score"]).grid.pairs
    assert [above.label for above, _ in pairs] == ["const", "score"]


def test_labels_of_coefficients_are_not_taken_for_those_of_counts():
    sold = made(table=made().table.assign(coefficient=["units", "const"]), units=40)
    labels = {"units": "Units sold", "q": "Tobin's q"}
    table = regression_table(sold, labels=labels)
    assert lines_of(table)["Units sold"] == ["0.250"]
    assert lines_of(table)["Units"] == ["40"]
    assert table.grid.title == "Tobin's q"


def test_outcomes_that_differ_have_a_line():
    table = regression_table({"a": made(), "b": made(outcome="value")}, labels={"q": "Q"})
    assert table.grid.title == ""
    assert lines_of(table)["Outcome"] == ["Q", "value"]


def test_other_records_and_bare_tables(panel):
    slopes = random_slopes(panel, "y", ["x"], **KEYS)
    table = regression_table({"Swamy": slopes, "F-M": fama_macbeth(panel, "y", ["x"], **KEYS)})
    assert "Of the errors no convention is said." in table.grid.notes
    assert len(lines_of(table)["x"]) == 2
    bare = regression_table(made().table[["coefficient", "estimate", "std_error"]], show="t")
    assert "(2.50)" in bare.text()


def test_the_ladder_of_value_relevance(ladder):
    table = regression_table(ladder)
    assert [cell.text for cell in table.grid.heads[0].cells] == ladder.table["rung"].tolist()
    found = lines_of(table)
    for row, column in (("naive", "naive"), ("corrected", "corrected")):
        assert found[row] == [f"{v:.3f}".replace("-", "−") for v in ladder.table[column]]
    known = ladder.table["reliability"].dropna()
    assert [cell for cell in found["Reliability"] if cell] == [f"{value:.3f}" for value in known]
    assert found["Firms"] == ["120"] * len(ladder.table)
    assert ladder.verdict in table.grid.notes
    assert "(3) Errors HC1, a row a firm." in table.grid.notes
    both = regression_table({"q": ladder, "again": ladder})
    assert both.grid.heads[0].cells[0].text == "q: pooled"


def test_intervals_of_naive_rungs_have_the_ladders_quantile(ladder):
    """The ladder keeps corrected intervals only; both are of one fit, and so of one t."""
    table = regression_table(ladder, show="interval", decimals=6)
    row = ladder.table.iloc[0]
    quantile = (row["upper"] - row["lower"]) / (2.0 * row["std_error"])
    low = row["naive"] - quantile * row["naive_error"]
    assert f"({low:.6f} to" in table.text()


def test_a_ladder_without_correction():
    found = cx.value_relevance(cx.firm_panel(cx.simulate.market(120, 8, seed=3)), error=0.0)
    table = regression_table(found, stars=True)
    assert [above.label for above, _ in table.grid.pairs] == ["naive"]
    assert not any("p-values" in note for note in table.grid.notes)


class Texts(HTMLParser):
    """Cells of a page as a browser reads them."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def nasty():
    fits = {NASTY: made(outcome=NASTY, convention=NASTY, rows=9), "=1+1\n\nb": made(outcome=NASTY)}
    return regression_table(fits, labels={"score": NASTY, "const": "- item"}, stars=True)


def test_html_shows_texts_as_they_are(nasty):
    seen = Texts()
    seen.feed(nasty._repr_html_())
    assert "script" not in seen.tags
    assert seen.texts.count(NASTY) == 3  # title, head and label
    assert nasty.html().count("<tr") == nasty.html().count("</tr>")


def test_latex_runs_nothing_of_a_text(nasty):
    tex = nasty.latex()
    shown = (
        r"{*}{[}R\&D{]} \_\%\$\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}script\textgreater{}''q'' @l \textasciigrave{}c\textasciigrave{} // /{*} x "
        r"-{}- $-$ \textbackslash{}end\{table\} \#panic()"
    )
    assert tex.count(shown) == 4
    assert tex.count(r"\end{table}") == 1
    assert "$-$1,234.500" in tex
    bare = re.sub(r"\\[{}&%$#_\\]", "", tex)
    assert bare.count("{") == bare.count("}")
    for line in bare.splitlines():
        if line.startswith("%"):
            continue
        assert line.count("&") in (0, 2), line  # of three columns
        assert line.count("$") % 2 == 0
    for rule in (r"\toprule", r"\bottomrule"):
        assert tex.count(rule) == 1
    assert tex.count(r"\midrule") == 2


def test_typst_sets_every_table(nasty, ladder, tmp_path):
    assert """\\\\ <script>\\"q\\" @l `c`""" in nasty.typst()
    for number, table in enumerate((nasty, regression_table(ladder), regression_table(made()))):
        source = table.write(tmp_path / f"{number}.typ")
        assert bytes(typst.compile(str(source)))[:5] == b"%PDF-"
        svg = bytes(typst.compile(str(source), format="svg"))
        assert svg.count(b"<svg") == 1


def test_word_holds_the_same_cells(nasty, tmp_path):
    opened = docx.Document(str(nasty.write(tmp_path / "table.docx")))
    rows = [[cell.text.strip() for cell in row.cells] for row in opened.tables[0].rows]
    assert rows[0] == ["", NASTY, "=1+1 b"]
    assert rows[1] == ["", "(1)", "(2)"]
    assert rows[2] == [NASTY, "0.250**", "0.250**"]
    assert rows[3] == ["", "(0.100)", "(0.100)"]
    assert rows[6] == ["Rows", "9", ""]
    said = [paragraph.text for paragraph in opened.paragraphs]
    assert said[0] == NASTY
    assert said[1:] == list(nasty.grid.notes)


def test_word_turns_wide_tables(ladder, tmp_path):
    for table, turned in ((regression_table(ladder, show="interval"), True),
                          (regression_table(made()), False)):  # fmt: skip
        page = docx.Document(str(table.write(tmp_path / "a.docx"))).sections[0]
        assert (page.page_width > page.page_height) == turned


def test_control_letters_reach_no_form(tmp_path):
    table = regression_table({"a\x0bb\x00": made(convention="c\ud800\nd")})
    for suffix in SUFFIXES:
        place = table.write(tmp_path / f"table{suffix.upper()}")
        assert place.is_file()
    for form in (table.text(), table.html(), table.latex(), table.typst()):
        assert not re.search("[\x00-\x08\x0b\ud800]", form)


def test_files_hold_the_forms(nasty, tmp_path):
    assert nasty.write(tmp_path / "a.txt").read_text(encoding="utf-8") == f"{nasty!r}\n"
    assert nasty.write(tmp_path / "a.tex").read_text(encoding="utf-8") == nasty.latex()
    page = nasty.write(str(tmp_path / "a.html")).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert nasty.html() in page


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"keep": ["score", "size"]}, "keep names 'size'.*score, const"),
        ({"keep": []}, "keep is empty"),
        ({"decimals": -1}, "decimals -1"),
        ({"decimals": 2.5}, "decimals 2.5"),
        ({"decimals": True}, "decimals True"),
        ({"stars": 3}, "stars 3"),
        ({"show": "p"}, "show 'p' is not one of std_error, interval, t"),
    ],
)
def test_choices_that_are_none(how, said):
    with pytest.raises(OptionError, match=said):
        regression_table({"a": made()}, **how)


@pytest.mark.parametrize("fits", [{}, [made()], None, "fit"])
def test_what_holds_no_fits(fits):
    with pytest.raises(OptionError, match="fits is"):
        regression_table(fits)


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (7, "'a'.*\n.*int has no table of coefficients"),
        (made(table=made().table.drop(columns="std_error")), "lacks std_error.*It has coefficient"),
        (made(table=made().table.iloc[:0]), "has no row"),
        (made(table=made().table.assign(coefficient="x")), "twice.*first: x"),
        (made(table=made().table.assign(estimate="ten")), "estimate is not a number.*'ten'"),
    ],
)
def test_fits_without_coefficients(fit, said):
    with pytest.raises(DataError, match=said):
        regression_table({"a": fit})


def test_estimates_that_are_not_known():
    holes = made().table.assign(estimate=[math.nan, 1.0], std_error=[None, 0.0], t=[None, math.inf])
    text = regression_table(made(table=holes), show="t").text()
    assert "–" in text
    assert "(∞)" in text


def test_where_a_table_is_written(tmp_path):
    table = regression_table(made())
    with pytest.raises(OptionError, match=r"'a\.pdf' does not end in one of \.txt"):
        table.write(tmp_path / "a.pdf")
    with pytest.raises(OptionError, match="no folder"):
        table.write(tmp_path / "none" / "a.tex")
