"""Seven technology firms in the week of 16 March 2020, as R's estudy2 has them."""

import os
from pathlib import Path

import pandas as pd
import pytest

from cxmodels.data.returns import returns_of
from cxmodels.shareholders.event_study import event_study

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
PRINTED = {
    "mean": (0.02329740, -0.03157867, -0.01617850, 0.07672027, 0.05840545),
    "patell": (2.5507399, -2.9495613, 0.3283654, 8.4216222, 6.3196352),
    "bmp": (1.20471169, -1.17531339, 0.07606284, 2.16657728, 8.65212561),
    "t": (1.3941497, -1.2769075, -0.4023135, 1.7958274, 5.1233281),
}


def read(name: str) -> pd.DataFrame:
    path = DATA / "factors" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set CXMODELS_DATA")
    return pd.read_csv(path).rename(columns={"Unnamed: 0": "date"})


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_digit(name):
    prices = read("estudy2_prices_dated.csv").melt("date", var_name="asset", value_name="price")
    market = read("estudy2_index_dated.csv").set_index("date").iloc[:, 0].pct_change()
    returns = returns_of(prices, value="price", kind="price")
    events = pd.DataFrame({"asset": list(returns.assets), "date": "2020-03-16"})
    found = event_study(
        returns, events, market=market, window=(0, 4), estimation=(-240, -1), convention="estudy2",
        log_returns=True,
    )  # fmt: skip
    digits = 6e-9 if name in ("mean", "bmp") else 1e-7
    assert found.days[name].tolist() == pytest.approx(list(PRINTED[name]), abs=digits)
    assert found.events.set_index("asset").loc["ZM", "estimation_returns"] == 227
