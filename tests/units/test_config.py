"""The settings of a refresh: every problem in one line, all of them together."""

import itertools
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from cxmodels.errors import CxError, OptionError
from cxmodels.refresh.config import read_config

LEAST = """
[source]
path = "log.csv"
customer = "customer_id"
time = "date"
amount = "amount"
[value]
discount_rate = 0.10
margin = 0.30
currency = "USD"
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "log.csv").write_text("customer_id,date,amount\n")
    (folder / "run.toml").write_text(text)
    return folder / "run.toml"


def _complaint(folder: Path, text: str) -> str:
    with pytest.raises(CxError) as caught:
        read_config(_write(folder, text))
    return str(caught.value)


def test_the_least_configuration_has_the_usual_values(tmp_path: Path) -> None:
    config = read_config(_write(tmp_path, LEAST))
    assert (config.base.unit, config.base.collapse, config.base.end) == ("week", "day", None)
    assert (config.value.span, config.value.payment, config.value.level) == (
        "36M",
        "continuous",
        0.9,
    )
    assert (config.run.name, config.run.seed) == (None, 1)


def test_paths_are_relative_to_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = _write(tmp_path, LEAST)
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = read_config(path)
    assert config.source.path == tmp_path / "log.csv"
    assert config.run.folder == tmp_path / "runs"


def test_dates_as_toml_dates_or_text_and_no_end_to_the_horizon(tmp_path: Path) -> None:
    text = LEAST + "horizon = 'infinite'\n[base]\nend = 1997-09-30\nholdout_end = '1998-06-30'\n"
    config = read_config(_write(tmp_path, text))
    assert (config.base.end, config.base.holdout_end) == (date(1997, 9, 30), date(1998, 6, 30))
    assert config.value.span is None


def test_a_window_opens_once(tmp_path: Path) -> None:
    run_in = LEAST + "[base]\nacquired_from = 1997-02-01\nend = 1997-09-30\n"
    assert read_config(_write(tmp_path, run_in)).base.acquired_from == date(1997, 2, 1)
    both = _complaint(tmp_path, run_in + "start = 1997-01-01\n")
    assert "has start and acquired_from, which both open the window: give one" in both
    late = _complaint(tmp_path, run_in.replace("1997-09-30", "1997-01-30"))
    assert "which is not after acquired_from 1997-02-01" in late


def test_every_problem_is_listed_in_one_line_each(tmp_path: Path) -> None:
    text = """
kpi = 3
[source]
path = "nolog.csv"
customer = ""
tyme = "date"
amount = 3
margin = 0.2
[base]
unit = "weeks"
end = "1997-9-30"
holdout_end = 1998-06-30
duplicates = "yes"
[value]
discount_rate = 10
margin = "0.3"
currency = "usd"
horizon = "36"
level = nan
[run]
name = "../x"
seed = 1.5
folder = 3
[report]
show_customers = "no"
"""
    assert _complaint(tmp_path, text).replace(str(tmp_path), "<here>") == (
        """run.toml cannot be used, 19 problems:
  1. source.customer: is empty (given: '')
  2. source.time is missing: the column that says when
  3. source.amount: is not text in quotes (given: 3)
  4. source.path: there is no file <here>/nolog.csv (given: 'nolog.csv')
  5. source.tyme is not a setting; did you mean source.time?
  6. source.margin is not a setting; did you mean value.margin?
  7. value.discount_rate: is not below 1: the annual effective rate, 0.10 for ten per cent (given: 10)
  8. value.margin: is not a number (given: '0.3')
  9. value.currency: is not a currency code of three capitals, such as USD (given: 'usd')
  10. value.horizon: is not a span like "36M", "52W" or "2Y", nor "infinite" (given: '36')
  11. value.level: is not a finite number (given: nan)
  12. base.unit: is not one of hour, day, week, month, quarter, year; did you mean week? (given: 'weeks')
  13. base.end: is not a date like 1997-09-30 (given: '1997-9-30')
  14. base.duplicates: is not keep or drop (given: 'yes')
  15. run.folder: is not a path in quotes (given: 3)
  16. run.name: may hold letters, digits, '-', '_' and single dots only, and begins with a letter or digit (a run stays inside its folder) (given: '../x')
  17. run.seed: is not a whole number (given: 1.5)
  18. report.show_customers: is neither true nor false (given: 'no')
  19. kpi is not a setting"""  # noqa: E501
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "[source] is missing: it must say customer, time, amount"),
        ("source = 3\n", "source: is not a section (given: 3)"),
        (LEAST.replace("0.10", "true"), "value.discount_rate: is not a number (given: true)"),
        (LEAST.replace("0.10", "inf"), "value.discount_rate: is not a finite number (given: inf)"),
        (LEAST.replace("0.30", "0"), "value.margin: is not above 0: the share of revenue that is profit, 0.30 say (given: 0)"),  # noqa: E501
        (LEAST + "[base]\nholdout_end = 1998-06-30\n", "[base] has a holdout_end but no end: say where the calibration ends"),  # noqa: E501
        (LEAST + "[base]\nend = 1998-06-30\nholdout_end = 1997-01-01\n", "[base] has holdout_end 1997-01-01, which is not after end 1998-06-30"),  # noqa: E501
        (LEAST + "[base]\nend = 1998-06-30T12:00:00\n", "base.end: is not a date like 1997-09-30 (given: datetime.datetime(1998, 6, 30, 12, 0))"),  # noqa: E501
        (LEAST.replace("path", "table"), "[source] needs a path (Parquet or CSV), or a database (DuckDB) and its table"),  # noqa: E501
        (LEAST.replace("[value]", "table = 't'\n[value]"), "[source] has a path and a database: keep one of the two"),  # noqa: E501
        (LEAST + "horizon = '0M'\n", "value.horizon: is not a positive span of time (given: '0M')"),
        (LEAST + "[report]\ntitel = 'x'\n", "report.titel is not a setting; did you mean report.title?"),  # noqa: E501
    ],
)  # fmt: skip
def test_one_wrong_setting_says_why(tmp_path: Path, text: str, line: str) -> None:
    assert f". {line}" in _complaint(tmp_path, text)


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "a\\b", "../a", "/a", "a..b", "", " a", ".hidden", "a\n", "a" * 101]
)
def test_a_run_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace("\n", "\\n")
    assert "run.name: " in _complaint(tmp_path, LEAST + f'[run]\nname = "{quoted}"\n')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[source\n", "run.toml is not valid TOML: "),
        (b"\xff\xfe[source]", "run.toml is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "run.toml").write_bytes(content)
    with pytest.raises(OptionError, match=words):
        read_config(tmp_path / "run.toml")


def test_no_file_and_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there is no configuration file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(OptionError, match="cannot be read"):
        read_config(tmp_path)


def test_settings_never_change(tmp_path: Path) -> None:
    config = read_config(_write(tmp_path, LEAST))
    with pytest.raises(ValidationError):
        config.value.margin = 1.0  # type: ignore[misc]


def test_identity_holds_what_the_answer_depends_on_and_not_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    here = read_config(_write(tmp_path, LEAST + "[run]\nname = 'a'\nfolder = 'x'\n")).identity()
    there = read_config(_write(tmp_path / "other", LEAST)).identity()
    assert here == there
    changes = [("0.10", "0.11"), ("USD", "EUR"), ('"date"', '"time"'), ("0.30", "0.31")]
    answers = [LEAST.replace(*change) for change in changes] + [LEAST + "[run]\nseed = 2\n", LEAST]
    identities = [read_config(_write(tmp_path, text)).identity() for text in answers]
    assert all(one != other for one, other in itertools.combinations(identities, 2))
