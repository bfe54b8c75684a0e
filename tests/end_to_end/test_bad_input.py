"""Input that breaks the contract: one clear message, exit code 3, and nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .conftest import Said, everything_in

Refresh = Callable[..., Said]


def _with_amounts(log: pd.DataFrame, values: dict[int, Any]) -> pd.DataFrame:
    amounts = log["amount"].astype(object)
    for row, value in values.items():
        amounts.iloc[row] = value
    return log.assign(amount=amounts)


def _with_dates(log: pd.DataFrame, values: dict[int, str]) -> pd.DataFrame:
    dates = log["date"].copy()
    for row, value in values.items():
        dates.iloc[row] = value
    return log.assign(date=dates)


def _zoned(log: pd.DataFrame) -> pd.DataFrame:
    ends = np.where(np.arange(len(log)) % 2, "T12:00:00+01:00", "T12:00:00-05:00")
    return log.assign(date=log["date"] + ends)


def _half_zoned(log: pd.DataFrame) -> pd.DataFrame:
    ends = np.where(np.arange(len(log)) % 2, "T12:00:00+01:00", "T12:00:00")
    return log.assign(date=log["date"] + ends)


def _repeated_column(log: pd.DataFrame) -> str:
    doubled = pd.concat([log, log["amount"]], axis=1)
    return doubled.to_csv(index=False)


BAD: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "missing column": (lambda log: log.drop(columns="amount"), "amount"),
    "text in amounts": (lambda log: _with_amounts(log, {3: "ten", 9: "n/a"}), "2 rows"),
    "NaN amounts": (lambda log: _with_amounts(log, {3: np.nan}), "1 row"),
    "infinite amounts": (lambda log: _with_amounts(log, {3: "inf", 4: "-inf"}), "2 rows"),
    "dates unreadable": (lambda log: _with_dates(log, {5: "2024-02-31"}), "1 row"),
    "dates in the future": (lambda log: _with_dates(log, {5: "2924-02-20"}), "1 row"),
    "duplicate columns": (_repeated_column, "amount"),
    "empty log": (lambda log: log.iloc[:0], "empty"),
    "empty file": (lambda log: "", "log.csv"),
    "one customer": (lambda log: log[log["customer_id"] == "shopper-0000"], "customer"),
    "one transaction each": (lambda log: log.drop_duplicates("customer_id"), "second time"),
    "all on one day": (lambda log: log.assign(date="2024-03-01"), "second time"),
    "negative revenue only": (lambda log: log.assign(amount=-log["amount"]), "amount"),
    "mixed time zones": (_half_zoned, "zone"),
    "zones without timezone": (_zoned, "zone"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_broken_log_is_refused_in_words_and_leaves_nothing(
    kind: str, shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    spoil, words = BAD[kind]
    said = refresh(spoil(shop))
    assert (said.code, said.out) == (3, ""), said.err
    assert "cannot be used" in said.err and words in said.err, said.err
    assert "Traceback" not in said.err and "Nothing was written." in said.err
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]


@pytest.mark.parametrize(
    "base",
    [
        {"end": "2023-01-01", "holdout_end": "2023-06-30"},
        {"end": "2023-01-01", "holdout_end": None},
    ],
)
def test_an_end_before_the_first_purchase(
    base: dict[str, Any], shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    said = refresh(shop, {"base": base})
    assert said.code == 3 and "first purchase" in said.err, said.err
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"unit": "fortnight"}, "base.unit: is not one of hour, day, week, month, quarter, year"),
        ({"unit": 7}, "base.unit: is not text in quotes"),
        ({"end": "2024-06-30", "holdout_end": "2024-01-31"}, "not after end 2024-06-30"),
    ],
)
def test_a_log_cannot_be_counted_that_way(
    settings: dict[str, Any], words: str, shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    said = refresh(shop, {"base": settings})
    assert (said.code, said.out) == (3, ""), said.err
    assert words in said.err and "Nothing was written." in said.err
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]


def test_a_wrong_unit_beside_another_wrong_setting_is_a_configuration_error(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    said = refresh(shop, {"base": {"unit": "fortnight"}, "value": {"margin": 7.0}})
    assert said.code == 2 and "2 problems" in said.err
    assert "base.unit" in said.err and "value.margin" in said.err
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]


def test_a_refusal_in_json_lists_each_problem(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    said = refresh(_with_amounts(shop, {3: "ten"}), None, "--json")
    assert (said.code, said.facts["exit_code"]) == (3, 3)
    assert said.facts["status"] == "input contract broken"
    problem = said.facts["problems"][0]
    assert problem["rows"] == 1 and "ten" in problem["first"]


def test_a_refused_log_leaves_earlier_runs_alone(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    earlier = tmp_path / "runs/earlier"
    earlier.mkdir(parents=True)
    (earlier / "manifest.json").write_text("{}")
    assert refresh(shop.iloc[:0]).code == 3
    assert everything_in(tmp_path / "runs") == ["earlier", "earlier/manifest.json"]


def test_one_column_cannot_play_two_parts(
    shop: pd.DataFrame, refresh: Refresh, tmp_path: Path
) -> None:
    said = refresh(shop.assign(amount=1.0), {"source": {"amount": "customer_id"}})
    assert said.code == 2 and "is named as customer and as amount" in said.err, said.err
    assert everything_in(tmp_path) == ["log.csv", "run.toml"]
