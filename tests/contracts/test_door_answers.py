"""What stands beside an analysed test: clusters of both arms, unlike response, thin strata."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import DataError
from cxmodels.experiments.analysis import analyse

RNG = np.random.default_rng(1)
TABLE = pd.DataFrame({"arm": ["A", "B"] * 100, "shop": np.arange(200) // 10 * 2,
                      "y": RNG.normal(size=200)})  # fmt: skip
WHOLE = TABLE.assign(shop=TABLE["shop"] + (TABLE["arm"] == "B"))


def notes(table, **how):
    return " ".join(analyse(table, arm="arm", control="A", metrics=["y"], **how).notes)


def test_clusters_of_both_arms_are_told():
    assert "hold units of more than one arm" not in notes(WHOLE, cluster="shop")
    assert "hold units of more than one arm" not in notes(TABLE)
    told = notes(TABLE, cluster="shop")
    assert "20 of 20 clusters of 'shop' hold units of more than one arm (first: 0)" in told
    one = pd.concat([WHOLE, WHOLE.iloc[:1].assign(arm="B")])
    assert "1 of 40 clusters of 'shop' hold" in notes(one, cluster="shop")


def test_unlike_response_names_the_bounds():
    table = TABLE.assign(y=TABLE["y"].where((TABLE["arm"] == "A") | (TABLE.index % 4 > 1)))
    assert "may be an effect too; lee_bounds says how far that could go." in notes(table)


def test_thin_strata_and_arms_that_are_missing():
    table = TABLE.assign(region=["north"] * 199 + ["south"])
    with pytest.raises(DataError, match=r"fewer than 2 units; first: stratum 'south'"):
        notes(table, strata="region")
    with pytest.raises(DataError, match="has one arm"):
        notes(TABLE[TABLE["arm"] == "A"])
    with pytest.raises(DataError, match="no unit is in arm 'A', the control"):
        notes(TABLE.assign(arm="B"))
