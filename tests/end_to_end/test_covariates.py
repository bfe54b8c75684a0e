"""A quarter's run whose customers differ by a covariate of the log."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Said

ASKED = {
    "base": {"covariates": ["channel"], "holdout_end": None},
    "model": {"purchase": "~ channel", "dropout": "~ channel", "equal": ["channel"]},
}


@pytest.mark.usefixtures("without_drawing")
def test_covariates_run_through(refresh: Callable[..., Said], shop: pd.DataFrame) -> None:
    channel = shop["customer_id"].map(lambda who: ["web", "shop"][zlib.crc32(who.encode()) % 2])
    said = refresh(shop.assign(channel=channel), ASKED, "--json")
    assert said.code == 0, said.err
    folder = Path(said.facts["folder"])
    parameters = pd.read_parquet(folder / "parameters.parquet")
    assert "purchase and dropout: channel[web]" in set(parameters["parameter"])
    assert set(pd.read_parquet(folder / "customers.parquet")["channel"]) == {"web", "shop"}
    notes = json.loads((folder / "tables" / "notes.json").read_text())
    assert any(note.startswith("Maps: For customers with channel=") for note in notes)


@pytest.mark.usefixtures("without_drawing")
def test_a_formula_of_columns_that_are_not_kept_breaks_the_contract(
    refresh: Callable[..., Said], shop: pd.DataFrame
) -> None:
    said = refresh(shop, {"model": {"purchase": "~ channel"}})
    assert said.code == 3
    assert "no column 'channel'" in said.err
