"""Names that try to be markup, and tables at their limits, leave the report whole."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.reports.document import (
    Chart,
    Column,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    Text,
    Tone,
)
from cxmodels.reports.equity_report import equity_report
from cxmodels.reports.equity_tables import EquityTables
from cxmodels.reports.exports import safe_csv
from cxmodels.reports.labels import Labels
from cxmodels.reports.letters import printable
from cxmodels.reports.page import embedded
from cxmodels.reports.plots import equity_sources, frequency_histogram
from cxmodels.reports.render import html, pdf
from tests.snapshots.report_tables import by_frequency, equity, tables

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "{{7*7}} {% raw %}",
    '#import "@preview/x:1.0.0": *',
    '#panic("run") $x^2$ *bold* _it_ @ref <label> // gone /* too */',
    "quotes \" ' ` and \\ back\\slashes \\u003c",
    "no_spaces_" * 40,
    "emoji 🙂 漢字 العربية ‮right-to-left‬",
    "line\u2028separator\u2029and\x0bcontrol\ttab\x00null\ufffeend",
    "=cmd|' /C calc'!A0",
    "",
    "datum.value && alert(1)",
]


def report_of(name: str) -> Document:
    """A report that has the name in every place where a name can stand."""
    bars = by_frequency().assign(frequency=[name, "1", "2", "3+"])
    sources = equity().assign(item=["customer equity", name, "spend"])
    labels = Labels(unit=name, currency=name, horizon=name)
    charts = (
        Chart.of(frequency_histogram(bars, labels)),
        Chart.of(equity_sources(sources.iloc[1:], labels), description=name),
    )
    table = Table(name, (Column(name), Column(name, True)), ((name, name),), name)
    facts = Facts((Fact(name, name, name),))
    blocks = (Text(name), Text(name, Tone.NOTE), table, facts, *charts)
    return Document(name, name, (Section(name, blocks),), facts, simulated=True)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_text_on_the_page(name: str) -> None:
    page = html(report_of(name))
    text = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # our own scripts
    assert text.count("<script") == 1  # the data block
    assert "<img src=x" not in text
    assert "<!--" not in text
    assert "49 {%" not in text
    block = re.search(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    assert not re.search("[<>&\u2028\u2029]", block[1])
    specs = json.loads(block[1])
    held = {row["frequency"] for data in specs[0]["datasets"].values() for row in data}
    assert printable(name) in held


def test_names_stay_text_on_paper(tmp_path: Path) -> None:
    columns = (Column("Name"),)
    sections = tuple(
        Section(name, (Text(name), Table(name, columns, ((name,),), name))) for name in HOSTILE
    )
    charts = tuple(block for block in report_of(HOSTILE[4]).sections[0].blocks)
    made = pdf(Document(HOSTILE[4], HOSTILE[5], (*sections, Section(HOSTILE[0], charts))))
    assert made.startswith(b"%PDF-")
    reader = shutil.which("pdftotext")
    if reader is None:
        return
    (tmp_path / "a.pdf").write_bytes(made)
    read = subprocess.run([reader, tmp_path / "a.pdf", "-"], capture_output=True, check=True)
    text = read.stdout.decode().replace("\u200b", "")
    for name in (HOSTILE[0], HOSTILE[3], HOSTILE[4], "*bold* _it_ @ref <label>"):
        assert name.split()[0] in text
    assert '#panic("run")' in text or "#panic(“run”)" in text


def test_a_customer_id_that_is_markup_stays_text() -> None:
    named = pd.DataFrame({"customer_id": HOSTILE, "residual_value": np.arange(len(HOSTILE)) * 1e3})
    report = equity_report(tables(top_customers=named))
    page = html(report)
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert pdf(report).startswith(b"%PDF-")


def test_embedded_json_round_trips() -> None:
    assert json.loads(embedded(HOSTILE)) == HOSTILE


def scaled(frame: pd.DataFrame, change: object) -> pd.DataFrame:
    """The frame with every number replaced."""
    numeric = frame.select_dtypes("number").columns
    return frame.astype(dict.fromkeys(numeric, float)).assign(**dict.fromkeys(numeric, change))


FRAMES = [
    "summary", "parameters", "reconciliation", "tracking", "frequency", "holdout", "conditional",
    "recency_frequency", "iso_value", "lorenz", "concentration", "equity", "posterior",
    "new_customer", "assumptions",
]  # fmt: skip


SLOW = ("infinite", "huge", "zero", "absent")
LIMITS = [
    "empty",
    "one row",
    "nan",
    *(pytest.param(change, marks=pytest.mark.slow) for change in SLOW),
]


@pytest.mark.parametrize("change", LIMITS)
def test_tables_at_their_limits(change: str) -> None:
    full = tables()
    changes = {
        "empty": lambda frame: frame.iloc[:0],
        "one row": lambda frame: frame.iloc[:1],
        "nan": lambda frame: scaled(frame, math.nan),
        "infinite": lambda frame: scaled(frame, math.inf),
        "huge": lambda frame: scaled(frame, 1e200),
        "zero": lambda frame: scaled(frame, 0.0),
        "absent": lambda frame: None,
    }
    limited = {name: changes[change](getattr(full, name)) for name in FRAMES}
    report = equity_report(tables(**limited))
    assert "NaN" not in json.dumps([chart.spec for chart in report.charts])
    shown = html(report)
    assert ">nan<" not in shown.lower()
    assert pdf(report).startswith(b"%PDF-")


def test_a_report_of_nothing_is_a_title() -> None:
    report = equity_report(EquityTables(title="Nothing yet"))
    assert report.sections == ()
    assert "Nothing yet" in html(report)
    assert "<script" not in html(report)
    assert pdf(report).startswith(b"%PDF-")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_csv_is_a_formula(start: str) -> None:
    frame = pd.DataFrame({f"{start}head": [f"{start}1+1", "plain"], "number": [-5, 7]})
    before = frame.copy()
    text = safe_csv(frame)
    assert f"'{start}head" in text
    assert f"'{start}1+1" in text
    assert ",-5" in text
    pd.testing.assert_frame_equal(frame, before)
