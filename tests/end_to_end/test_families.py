"""A quarter's run with each family of models, and with margins in place of payments."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from cxmodels.purchases.families import FAMILIES
from cxmodels.refresh.settings import Model

from .conftest import Said

QUICK = ("MBGNBD", "NBD", "BGCNBD")  # the others are run behind the slow marker


def asked(family: str) -> dict:
    base = {"holdout_end": None}
    if family == "BGBB":
        base |= {"unit": "week", "collapse": "week"}
    return {"base": base, "model": {"family": family}}


def run(refresh: Callable[..., Said], shop: pd.DataFrame, family: str) -> None:
    said = refresh(shop, asked(family), "--json")
    assert said.code == 0, said.err
    folder = Path(said.facts["folder"])
    name = FAMILIES[family]().name
    assert name in set(pd.read_parquet(folder / "parameters.parquet")["model"])
    units = pd.read_parquet(folder / "tables" / "posterior.parquet")[["parameter", "unit"]]
    assert units["unit"].notna().all()
    assert pd.read_parquet(folder / "equity.parquet")["estimate"].iloc[0] > 0


def test_the_settings_know_every_family():
    assert set(get_args(Model.model_fields["family"].annotation)) == set(FAMILIES)


@pytest.mark.usefixtures("without_drawing")
@pytest.mark.parametrize("family", QUICK)
def test_a_family_runs_through(refresh, shop, family) -> None:
    run(refresh, shop, family)


@pytest.mark.slow
@pytest.mark.usefixtures("without_drawing")
@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(QUICK)))
def test_the_other_families_run_through(refresh, shop, family) -> None:
    run(refresh, shop, family)


@pytest.mark.usefixtures("without_drawing")
def test_margins_run_through(refresh: Callable[..., Said], shop: pd.DataFrame) -> None:
    amount = next(name for name in shop if name not in ("customer_id", "date", "order_id"))
    lossy = shop.assign(**{amount: shop[amount] - shop[amount].quantile(0.3)})
    settings = {"base": {"negative": "loss", "holdout_end": None}, "value": {"margin": 1.0}}
    said = refresh(lossy, settings, "--json")
    assert said.code == 0, said.err
    folder = Path(said.facts["folder"])
    assert "Normal-Normal" in set(pd.read_parquet(folder / "parameters.parquet")["model"])
    found = pd.read_parquet(folder / "customers.parquet")
    assert (found["residual_value_lower"] < 0).any()
    assert "monetary_squares" in found


def test_opportunities_need_one_word_for_both(refresh, shop) -> None:
    said = refresh(shop, {"model": {"family": "BGBB"}})
    assert said.code == 2
    assert "must be one and the same" in said.err


def test_a_family_that_does_not_exist_is_named(refresh, shop) -> None:
    said = refresh(shop, {"model": {"family": "BG/NBD"}})
    assert said.code == 2
    assert "BGNBD" in said.err
